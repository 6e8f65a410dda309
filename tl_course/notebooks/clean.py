"""Notebooks as they lie in git: no outputs, no counts, no traces of whoever ran them, formatted."""

import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

from tl_course.errors import LessonError
from tl_course.notebooks.files import read_notebook

__all__ = ["clean", "faults"]

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python"}
NOTEBOOK_KEYS = {"kernelspec", "language_info", "tl_course"}
CELL_KEYS = {"tags", "nbgrader", "jupyter", "editable", "deletable"}
FIRST_TAGS = ("install", "parameters")
"""Tags of a lesson's first two code cells: the one that installs the package where it is missing, and papermill's."""


def faults(path: Path, *, lesson: bool = True) -> list[str]:
    """What keeps the notebook at `path` from being clean, in plain words; empty if it is clean.

    Parameters
    ----------
    path
        The notebook.
    lesson
        Whether its first two code cells must be those of a lesson: tagged ``install``, then ``parameters``.
    """
    notebook = read_notebook(path)
    found = []
    ids = Counter(cell.get("id") for cell in notebook.cells)
    if notebook.metadata.get("kernelspec") != KERNEL or notebook.metadata.get("language_info") != LANGUAGE:
        found.append("the kernel in its metadata is not plain python3")
    found += [f"stray metadata: {key}" for key in notebook.metadata if key not in NOTEBOOK_KEYS]
    for number, cell in enumerate(notebook.cells):
        if cell.get("outputs"):
            found.append(f"cell {number} has outputs")
        if cell.get("execution_count") is not None:
            found.append(f"cell {number} has an execution count")
        if not cell.get("id") or ids[cell.id] > 1:
            found.append(f"cell {number} has no id of its own")
        found += [f"cell {number} has stray metadata: {key}" for key in cell.metadata if key not in CELL_KEYS]
    if lesson:
        tags = [cell.metadata.get("tags", []) for cell in notebook.cells if cell.cell_type == "code"]
        for position, tag in enumerate(FIRST_TAGS):
            if tag not in (tags[position] if position < len(tags) else []):
                found.append(f"code cell {position} is not tagged {tag!r}")
    if _ruff(path, "--check"):
        found.append("its code is not formatted")
    return found


def clean(path: Path) -> bool:
    """Make the notebook at `path` clean, in place; True if that changed it. Tags are the author's: they stay."""
    import nbformat

    before = path.read_bytes()
    notebook = read_notebook(path)
    kept = {key: value for key, value in notebook.metadata.items() if key in NOTEBOOK_KEYS}
    notebook.metadata = nbformat.from_dict({**kept, "kernelspec": KERNEL, "language_info": LANGUAGE})  # type: ignore[no-untyped-call]
    notebook.nbformat_minor = max(notebook.nbformat_minor, 5)
    seen: set[str] = set()
    for cell in notebook.cells:
        _clean_cell(cell, seen)
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
    _ruff(path)
    return path.read_bytes() != before


def _clean_cell(cell: Any, seen: set[str]) -> None:
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    for key in set(cell.metadata) - CELL_KEYS:
        del cell.metadata[key]
    if not cell.get("id") or cell.id in seen:
        cell.id = uuid4().hex[:8]
    seen.add(cell.id)


def _ruff(path: Path, *options: str) -> int:
    """Run ruff's formatter, with the project's own settings, on one notebook; its exit code."""
    if find_spec("ruff") is None:
        raise LessonError("ruff is not installed here. Run: python -m pip install 'tl-course[dev]'")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--quiet", "--no-cache", *options, str(path)], check=False
    )
    if done.returncode not in (0, 1) or (done.returncode and not options):
        raise LessonError(f"ruff could not format {path}; what it says stands above.")
    return done.returncode
