"""One submission through nbgrader's autograding: with our checks before it, our kernels in it, our marks after it."""

import logging
import re
import shutil
import tempfile
from pathlib import Path
from time import monotonic
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import (
    AssignLatePenalties,
    CheckCellMetadata,
    ClearOutput,
    IgnorePattern,
    LimitOutput,
    NbGraderPreprocessor,
    OverwriteCells,
    OverwriteKernelspec,
    SaveAutoGrades,
)
from nbgrader.utils import parse_utc
from traitlets import List

from tl_course.errors import GradingError
from tl_course.grading.execute import run_notebook
from tl_course.grading.gradebook import course_config
from tl_course.grading.marks import Mark, is_test, mark
from tl_course.grading.sandbox import Sandbox
from tl_course.grading.submissions import Rejected, examine
from tl_course.variants import GRADED_STUDENT, plain_id

__all__ = ["autograde"]

_LARGEST_FILES = 200 << 20  # bytes of what a student handed in beside the notebook, all together


def autograde(course: Path, name: str, student: str, sandbox: Sandbox) -> dict[str, Any]:
    """Grade what `student` handed in for assignment `name`, into nbgrader's gradebook and its ``autograded`` folder.

    Returns
    -------
    dict
        ``student``, ``status`` ("graded", "look" or "rejected"), ``marks`` (points by cell, None where a person has to
        give them), ``of`` (points that each is out of), ``mended``, ``look`` (sentences), ``seconds``.
    """
    began = monotonic()
    report: dict[str, Any] = {"student": student, "marks": {}, "of": {}, "mended": [], "look": []}
    config = course_config(course)
    coursedir = CourseDirectory(config=config)
    handed_in = Path(coursedir.format_path(coursedir.submitted_directory, student, name))
    handed_out = Path(coursedir.format_path(coursedir.release_directory, ".", name))
    _forget(coursedir, name, student)
    sandbox.environment = {GRADED_STUDENT: student}
    with tempfile.TemporaryDirectory(prefix="tl-grade-") as work:
        staged = Path(work) / student / name
        try:
            releases = sorted(handed_out.glob("*.ipynb"))
            for path in releases:
                names = [release.stem for release in releases]
                examined = examine(handed_in, nbformat.read(path, 4), path.stem, others=names)
                report["mended"] += examined.mended
                report["look"] += _of_another(examined.notebook, student) + examined.look
                staged.mkdir(parents=True, exist_ok=True)
                nbformat.write(examined.notebook, staged / path.name)
        except Rejected as problem:
            before = coursedir.format_path(coursedir.autograded_directory, student, name)
            shutil.rmtree(before, ignore_errors=True)  # of an earlier submission
            return report | {"status": "rejected", "look": [str(problem)], "seconds": monotonic() - began}
        report["mended"] += _copy_files(handed_in, staged)
        run = _Run(sandbox=sandbox, files=Path(coursedir.format_path(coursedir.autograded_directory, student, name)))
        save = _Save()
        config.CourseDirectory.submitted_directory = work
        config.CourseDirectory.student_id = student
        config.CourseDirectory.assignment_id = name
        converter = _Autograde(coursedir=CourseDirectory(config=config), config=config, force=True)
        converter.log = logging.getLogger("tl_course.grading")
        converter.log.addHandler(said := _LastLine())
        converter.autograde_preprocessors = [
            run, IgnorePattern, LimitOutput, save, AssignLatePenalties, CheckCellMetadata
        ]  # fmt: skip
        try:
            converter.start()
        except NbGraderException as problem:  # which only says that there is something in the log
            raise GradingError(said.last or str(problem)) from problem
        finally:
            converter.log.removeHandler(said)
    report["look"] += run.said
    for cell, (given, of) in save.marks.items():
        report["marks"][cell], report["of"][cell] = given.points, of
        if given.points is None and given.why:
            report["look"].append(f"{cell}: {given.why}")
    return report | {"status": "look" if report["look"] else "graded", "seconds": monotonic() - began}


class _LastLine(logging.Handler):
    """Keeps the last line of the last traceback that was logged: the error itself."""

    last = ""

    def emit(self, record: logging.LogRecord) -> None:
        if "Traceback" in (text := record.getMessage()):
            self.last = text.strip().splitlines()[-1]


class _Autograde(Autograde):  # type: ignore[misc]
    sanitize_preprocessors = List([ClearOutput, OverwriteKernelspec, OverwriteCells, CheckCellMetadata])


class _Run(NbGraderPreprocessor):  # type: ignore[misc]
    """In place of nbgrader's Execute."""

    def __init__(self, *, sandbox: Sandbox, files: Path) -> None:
        super().__init__()
        self._sandbox, self._files, self.said = sandbox, files, list[str]()

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        given = self._sandbox.given
        for path in given.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in self._files.iterdir():
            if path.suffix != ".ipynb":
                shutil.copytree(path, given / path.name) if path.is_dir() else shutil.copy(path, given)
        self.said += run_notebook(nb, self._sandbox)
        return nb, resources


class _Save(SaveAutoGrades):  # type: ignore[misc]
    """Marks of ours, in nbgrader's gradebook."""

    def __init__(self) -> None:
        super().__init__()
        self.marks: dict[str, tuple[Mark, float]] = {}

    def _add_score(self, cell: NotebookNode, resources: Any) -> None:
        about = cell.metadata.nbgrader
        grade = self.gradebook.find_grade(about.grade_id, self.notebook_id, self.assignment_id, self.student_id)
        if not is_test(cell):
            super()._add_score(cell, resources)
            given = Mark(grade.auto_score)
        else:
            given = mark(cell)
            grade.auto_score = given.points
            grade.needs_manual_grade = given.points is None or grade.manual_score is not None
            self.gradebook.db.commit()
        one_of_many = len(self.gradebook.find_assignment(self.assignment_id).notebooks) > 1
        self.marks[f"{self.notebook_id}/{about.grade_id}" if one_of_many else about.grade_id] = (
            given,
            float(about.points),
        )


def _of_another(notebook: NotebookNode, student: str) -> list[str]:
    """Whether a notebook says that it is another student's: then it was made with that one's variant."""
    for cell in notebook.cells:
        said = (
            re.search(r"^STUDENT\s*=\s*(['\"])(.*)\1", cell.source, re.MULTILINE) if cell.cell_type == "code" else None
        )
        if said and plain_id(said[2]) not in ("", plain_id(student)):
            return [f"It says STUDENT = {said[2]!r}, so it was made with the pictures of that student."]
    return []


def _copy_files(source: Path, target: Path) -> list[str]:
    """Copy what was handed in beside the notebook, but for links and what is too large; says what was left out."""
    said, left = [], _LARGEST_FILES
    for path in sorted(source.rglob("*")):
        if (path.is_dir() and not path.is_symlink()) or path.suffix == ".ipynb":
            continue
        name = path.relative_to(source)
        if any(parent.is_symlink() for parent in [path, *path.parents][: len(name.parts)]) or not path.is_file():
            said.append(f"{name} is a link or no file, and was left out.")
        elif str(name) == "timestamp.txt" and not _is_time(path):
            said.append("timestamp.txt holds no time that can be read, and was left out: nothing counts as late.")
        elif path.stat().st_size > left:
            said.append(f"{name} was left out: at most {_LARGEST_FILES / 1e6:.0f} MB of files are taken.")
        else:
            left -= path.stat().st_size
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target / name)
    return said


def _is_time(path: Path) -> bool:
    try:
        parse_utc(path.read_text("utf-8").strip())
    except ValueError:
        return False
    return True


def _forget(coursedir: CourseDirectory, name: str, student: str) -> None:
    """The gradebook knows that something came in, and, until it is graded, that nobody has graded it."""
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        gradebook.update_or_create_student(student)
        submission = gradebook.update_or_create_submission(name, student)
        for notebook in submission.notebooks:
            for grade in notebook.grades:
                grade.auto_score, grade.needs_manual_grade = None, True
        gradebook.db.commit()
    shutil.rmtree(Path(coursedir.format_path(coursedir.feedback_directory, student, name)), ignore_errors=True)
