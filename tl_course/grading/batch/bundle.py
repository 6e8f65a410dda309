"""What all submissions to an assignment share, read once: what was handed out, and what the gradebook knows of it."""

import fnmatch
import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import MissingEntry
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import CheckCellMetadata, IgnorePattern, LimitOutput, NbGraderPreprocessor, OverwriteCells
from traitlets.config import Config

from tl_course.grading.gradebook import course_config, open_gradebook

__all__ = ["Bundle", "files_below", "source_cells"]


def source_cells(course: Path, name: str) -> dict[str, Any]:
    """What the gradebook keeps of an assignment's notebooks, by their names: hidden tests, points and checksums."""
    with open_gradebook(course) as gradebook:
        try:
            notebooks = gradebook.find_assignment(name).notebooks
        except MissingEntry:
            return {}
        return {
            notebook.name: {
                "kernelspec": json.loads(notebook.kernelspec) if notebook.kernelspec else None,
                "cells": [
                    {
                        "name": cell.name,
                        "cell_type": cell.cell_type,
                        "source": cell.source,
                        "checksum": cell.checksum,
                        "locked": cell.locked,
                    }
                    for cell in notebook.source_cells
                ],
                "points": {cell.name: cell.max_score for cell in notebook.grade_cells},
            }
            for notebook in notebooks
        }


@dataclass(frozen=True)
class Bundle:
    """An assignment as submissions to it are graded with.

    Attributes
    ----------
    name : str
    release, source : Path
        Folders of what was handed out, and of the solution.
    configured : Path
        The folder with the course's ``nbgrader_config.py``.
    notebooks : dict
        What `source_cells` gave.
    """

    name: str
    release: Path
    source: Path
    configured: Path
    notebooks: dict[str, Any]

    @cached_property
    def config(self) -> Config:
        """The course's configuration."""
        return course_config(self.configured)

    @cached_property
    def converter(self) -> Autograde:
        """The converter of nbgrader, for its settings; it never runs."""
        return Autograde(coursedir=CourseDirectory(config=self.config), config=self.config)

    @cached_property
    def released(self) -> dict[str, NotebookNode]:
        """The notebooks that were handed out and that the gradebook knows, by their names."""
        found = {path.stem: nbformat.read(path, 4) for path in sorted(self.release.glob("*.ipynb"))}
        return {name: notebook for name, notebook in found.items() if name in self.notebooks}

    @cached_property
    def ignored(self) -> list[str]:
        """Patterns of names of files that nbgrader does not take along."""
        return [*self.converter.coursedir.ignore]

    @cached_property
    def files(self) -> list[Path]:
        """The assignment's own files, as they lie below its folder, but for those that a submission brings anew."""
        excluded = {self.source / name for name in self.converter.exclude_overwriting.get(self.name, [])}
        found = [path for path in files_below(self.source, ignored=self.ignored) if path not in excluded]
        return [path.relative_to(self.source) for path in found if path.suffix != ".ipynb"]

    def add_files(self, folder: Path) -> None:
        """Put the assignment's own files into the folder of a submission, in place of what has the same name there."""
        for path in self.files:
            _make_room(folder, folder / path)
            shutil.copy(self.source / path, folder / path)

    def complete(self, notebook: NotebookNode, name: str) -> NotebookNode:
        """Give a submitted notebook its hidden tests, points and kernel again, as `nbgrader autograde` does."""
        if kernelspec := self.notebooks[name]["kernelspec"]:
            notebook.metadata["kernelspec"] = kernelspec
        return self._through([_Overwrite(self.notebooks[name], config=self.config), self._check], notebook)

    def limited(self, notebook: NotebookNode) -> NotebookNode:
        """Without what the course's configuration has no place for: patterns on stderr, too many lines."""
        steps = [IgnorePattern(config=self.config), LimitOutput(config=self.config), self._check]
        return self._through(steps, notebook)

    @cached_property
    def _check(self) -> NbGraderPreprocessor:
        return CheckCellMetadata(config=self.config)

    @staticmethod
    def _through(steps: Iterable[NbGraderPreprocessor], notebook: NotebookNode) -> NotebookNode:
        for step in steps:
            notebook, _ = step(notebook, {})
        return notebook


def files_below(folder: Path, *, ignored: Iterable[str]) -> list[Path]:
    """Files and links below `folder`, in order, without those that a pattern of names hides, or a folder so named."""
    hidden = re.compile("|".join(fnmatch.translate(pattern) for pattern in ignored) or r"(?!)")
    found = []
    for parent, folders, files in os.walk(folder):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        folders[:] = sorted(name for name in folders if not hidden.match(name) and name not in links)
        found += [Path(parent) / name for name in [*files, *links] if not hidden.match(name)]
    return sorted(found)


def _make_room(folder: Path, target: Path) -> None:
    """Make the folder of a file below `folder`, and remove whatever lies where the file goes, or one of its folders."""
    for path in [*reversed(target.parents), target]:
        if folder not in path.parents or not os.path.lexists(path):
            continue
        if path.is_dir() and not path.is_symlink() and path == target:
            shutil.rmtree(path)
        elif path == target or not path.is_dir():
            path.unlink()
    target.parent.mkdir(parents=True, exist_ok=True)


class _Overwrite(OverwriteCells):  # type: ignore[misc]
    """nbgrader's, without a gradebook."""

    def __init__(self, about: dict[str, Any], *, config: Config) -> None:
        super().__init__(config=config)
        self._cells = {cell["name"]: SimpleNamespace(**cell) for cell in about["cells"]}
        self._points = about["points"]
        self.gradebook = self

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        self.notebook_id = self.assignment_id = ""
        return NbGraderPreprocessor.preprocess(self, nb, resources)  # type: ignore[no-any-return]

    def find_source_cell(self, name: str, *_: str) -> SimpleNamespace:
        if name not in self._cells:
            raise MissingEntry(name)
        return self._cells[name]

    def find_graded_cell(self, name: str, *_: str) -> SimpleNamespace:
        return SimpleNamespace(max_score=self._points[name])
