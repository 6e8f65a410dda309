"""One submission, from its folder to marks and a notebook that has been run. The gradebook is not seen from here."""

import json
import re
import shutil
from collections.abc import Mapping
from errno import ENAMETOOLONG
from fnmatch import fnmatch
from pathlib import Path
from time import monotonic
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.utils import compute_checksum, determine_grade, is_grade, is_solution, is_task

from tl_course.exercises.variants import GRADED_STUDENT, plain_id
from tl_course.grading.apart.plan import Plan
from tl_course.grading.batch.bundle import Bundle
from tl_course.grading.batch.execute import run_notebook
from tl_course.grading.batch.marks import Mark, is_test, mark
from tl_course.grading.notes import ORIGINALS
from tl_course.grading.pages.safe_files import show_as_text
from tl_course.grading.pages.sanitize import sanitize
from tl_course.grading.reading.submission import read_submission
from tl_course.grading.sandbox.sandbox import Sandbox
from tl_course.grading.submissions.handed_in import File, some
from tl_course.grading.submissions.notebook_file import Unreadable
from tl_course.grading.submissions.repair import Rejected, examine

__all__ = ["autograde"]

_LARGEST_FILES = 200 << 20  # bytes of what a student handed in beside the notebook, all together
_MOST_FILES = 5000


def autograde(
    bundle: Bundle, handed_in: Path, student: str, sandbox: Sandbox, plans: Mapping[str, Plan], *, into: Path
) -> dict[str, Any]:
    """Grade the submission in folder `handed_in`, and leave in `into` what belongs into ``autograded``.

    Nothing else is written or read: what comes out depends on the submission and on what was handed out, wherever this
    runs. `tl_course.grading.batch.records` brings it into the gradebook.

    Returns
    -------
    dict
        ``student``, ``status`` ("graded", "look" or "rejected"), ``marks`` (points by cell, None where a person has to
        give them), ``of`` (points that each is out of), ``mended``, ``look`` (sentences), ``seconds``; and
        ``notebooks``: by name, the ``scores`` and automatic ``comments`` of its cells, for nbgrader's gradebook.
    """
    began = monotonic()
    report: dict[str, Any] = {"student": student, "marks": {}, "of": {}, "mended": [], "look": [], "notebooks": {}}
    sandbox.environment = {GRADED_STUDENT: student}
    notebooks, files = {}, dict[str, File]()
    try:
        for name, release in bundle.released.items():
            examined = examine(handed_in, release, name, others=[*bundle.released])
            report["mended"] += examined.mended + [one for one in examined.left_out if one not in report["mended"]]
            files |= examined.files
            report["look"] += _of_another(examined.notebook, student) + examined.look
            notebooks[name] = examined.notebook
    except Rejected as problem:
        return report | {"status": "rejected", "look": [str(problem)], "seconds": monotonic() - began}
    into.mkdir(parents=True, exist_ok=True)
    report["mended"] += _copy_files(
        {name: file for name, file in files.items() if not _is_ignored(file, bundle.ignored)}, into
    )
    bundle.add_files(into)
    notebooks = _by_hook(bundle, student, notebooks, into)
    for name, submitted in notebooks.items():
        notebook = bundle.complete(submitted, name)
        brought, own = {file: into / file for file in files}, [path.as_posix() for path in bundle.files]
        report["look"] += read_submission(notebook, bundle.released[name], brought, plan=plans.get(name), given=own)
        _give_files(sandbox.given, into)
        sandbox.own = [path.as_posix() for path in bundle.files]
        report["look"] += run_notebook(notebook, sandbox, plans.get(name))
        notebook = bundle.limited(notebook)
        marks = {cell.metadata.nbgrader.grade_id: (_mark(cell), cell) for cell in filter(is_grade, notebook.cells)}
        for cell, (given, about) in marks.items():
            key = f"{name}/{cell}" if len(bundle.notebooks) > 1 else cell
            report["marks"][key], report["of"][key] = given.points, float(about.metadata.nbgrader.points)
            if given.points is None and given.why:
                report["look"].append(f"{key}: {given.why}")
        report["notebooks"][name] = {
            "scores": {cell: given.points for cell, (given, _) in marks.items()},
            "comments": _comments(notebook),
        }
        _put_safely(notebook, into / f"{name}.ipynb", bundle.released[name], report)
    report["mended"] += show_as_text(into, but_for=bundle.files)
    return report | {"status": "look" if report["look"] else "graded", "seconds": monotonic() - began}


def _put_safely(notebook: NotebookNode, path: Path, release: NotebookNode, report: dict[str, Any]) -> None:
    """Write a notebook such that nothing of it acts where it is opened; as it was, it goes to the originals."""
    original = json.dumps(notebook)
    files = [file.relative_to(path.parent).as_posix() for file in path.parent.rglob("*") if file.is_file()]
    done = sanitize(notebook, trusted={cell.source for cell in release.cells}, files=files)
    if done.look or done.mended:
        (path.parent / ORIGINALS).mkdir(exist_ok=True)
        (path.parent / ORIGINALS / path.name).write_text(original, encoding="ascii")
    report["look"] += done.look
    report["mended"] += done.mended
    nbformat.validate(notebook, relax_add_props=True)
    nbformat.write(notebook, path)


def _mark(cell: NotebookNode) -> Mark:
    """Of a test by running it; of an answer for a person: none, or nought where nothing was written."""
    if is_test(cell):
        return mark(cell)
    given, _ = determine_grade(cell)
    return Mark(None if given is None else float(given))


def _comments(notebook: NotebookNode) -> dict[str, str | None]:
    """What nbgrader says of answers by itself."""
    return {
        cell.metadata.nbgrader.grade_id: (
            "No response."
            if not is_task(cell) and cell.metadata.nbgrader.get("checksum") == compute_checksum(cell)
            else None
        )
        for cell in notebook.cells
        if is_solution(cell) or is_task(cell)
    }


def _by_hook(bundle: Bundle, student: str, notebooks: dict[str, NotebookNode], folder: Path) -> dict[str, NotebookNode]:
    """What the course's own ``c.Autograde.pre_convert_hook`` makes of the notebooks, where there is one."""
    converter = bundle.converter
    if converter.pre_convert_hook is None:
        return notebooks
    paths = {name: folder / f"{name}.ipynb" for name in notebooks}
    for name, path in paths.items():
        nbformat.write(notebooks[name], path)
    converter.coursedir.assignment_id, converter.coursedir.student_id = bundle.name, student
    converter.notebooks = [str(path) for path in paths.values()]
    converter.run_pre_convert_hook()
    return {name: nbformat.read(path, 4) for name, path in paths.items()}


def _give_files(given: Path, folder: Path) -> None:
    """Lay out for the sandbox what lies beside the notebooks."""
    for path in given.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in folder.iterdir():
        if path.suffix != ".ipynb":
            shutil.copytree(path, given / path.name) if path.is_dir() else shutil.copy(path, given)


def _of_another(notebook: NotebookNode, student: str) -> list[str]:
    """Whether a notebook says that it is another student's: then it was made with that one's variant."""
    for cell in notebook.cells:
        said = (
            re.search(r"^STUDENT\s*=\s*(['\"])(.*)\1", cell.source, re.MULTILINE) if cell.cell_type == "code" else None
        )
        if said and plain_id(said[2]) not in ("", plain_id(student)):
            return [f"It says STUDENT = {said[2][:60]!r}, so it was made with the pictures of that student."]
    return []


def _is_ignored(file: File, ignored: list[str]) -> bool:
    return any(fnmatch(part, pattern) for part in file.name.parts for pattern in ignored)


def _copy_files(files: dict[str, File], target: Path) -> list[str]:
    """Copy what was handed in beside the notebook, as far as it is not too much; says what was left out."""
    refused: dict[str, list[str]] = {}
    left = _LARGEST_FILES
    for number, (name, file) in enumerate(sorted(files.items())):
        if number >= _MOST_FILES:
            why = f"at most {_MOST_FILES:,} files are taken"
        elif file.size > left:
            why = f"at most {_LARGEST_FILES / 1e6:.0f} MB of files are taken"
        else:
            try:
                content = file.read(left)
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (target / name).write_bytes(content)
            except Unreadable as problem:
                why = f"it {problem}"
            except (FileExistsError, NotADirectoryError, IsADirectoryError):
                why = "a file and a folder have the same name"
            except OSError as problem:
                if problem.errno != ENAMETOOLONG:
                    raise
                why = "the name is too long"
            else:
                left -= len(content)
                continue
        refused.setdefault(why, []).append(name)
    return [f"{some(names)} {'was' if len(names) == 1 else 'were'} left out: {why}." for why, names in refused.items()]
