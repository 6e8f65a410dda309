"""All submissions to an assignment: in parallel, each on its own, again only where something changed."""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from errno import EACCES, EDQUOT, EFBIG, EIO, EISDIR, ENOSPC, ENOTDIR, EROFS
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Any

from tl_course.core.devices import cores
from tl_course.core.files import atomic_path
from tl_course.core.progress import Bar
from tl_course.errors import GradingError, TLCourseWarning
from tl_course.grading.batch.history import remember
from tl_course.grading.batch.packing import digest_of, scratch
from tl_course.grading.batch.rehearsal import guarded_tests
from tl_course.grading.batch.worker import Setup, Unit, failed, in_parallel
from tl_course.grading.course import is_released, needs_nbgrader
from tl_course.grading.gradebook import course_config, open_gradebook
from tl_course.grading.pages.report import to_page
from tl_course.grading.sandbox.container import run_in_container
from tl_course.grading.sandbox.sandbox import Limits, pick_isolation, why_no_bwrap
from tl_course.grading.submissions.handed_in import MOST_SEEN
from tl_course.grading.submissions.late import Late, check_rules, settle, without_late_rules
from tl_course.grading.submissions.repair import Rejected, check_id

__all__ = ["Batch", "grade"]

_PACKAGE = Path(__file__).parents[2]
_OF_THE_DISK = (ENOSPC, EDQUOT, EROFS, EACCES, EIO, EISDIR, ENOTDIR, EFBIG)
_LONGEST_NAME = 200  # bytes: 255 are a file's, and a part of them says that it is not yet complete
_VERSION = 2  # of what is written down of a submission; another one has it graded again


@dataclass(frozen=True)
class Batch:
    """What a run of `grade` did.

    Attributes
    ----------
    assignment, isolation : str
    submissions : list of dict
        One of each student, sorted: ``student``, ``status`` ("graded", "look", "rejected" or "failed"), ``marks``,
        ``of``, ``mended``, ``look``, ``seconds``, ``late`` (``seconds``, ``cost`` in points, ``said``).
    graded : list of str
        Students whose submission was graded in this run; the others had not changed.
    seconds : float
    folder : Path
        Where all of it is written.
    """

    assignment: str
    isolation: str
    submissions: list[dict[str, Any]]
    graded: list[str]
    seconds: float
    folder: Path


@contextmanager
def _disk_told() -> Iterator[None]:
    """Say in a sentence that a disk is full or cannot be written: a fault of the machine, which ends the batch."""
    try:
        yield
    except OSError as problem:
        if problem.errno not in _OF_THE_DISK:
            raise
        raise _not_written(problem.filename2 or problem.filename or "A file", problem.strerror) from problem
    except Exception as problem:
        if type(problem).__name__ != "OperationalError":  # SQLAlchemy's, which may not be there
            raise
        raise _not_written("The gradebook", getattr(problem, "orig", problem)) from problem


def _not_written(what: str, why: object) -> GradingError:
    return GradingError(
        f"{what} could not be written ({why}), so grading has stopped. What was graded before is kept. Make room, "
        "or see who may write there, and run the same command again: it goes on."
    )


@_disk_told()
def grade(
    name: str,
    *,
    course: Path,
    jobs: int | None = None,
    isolation: str = "auto",
    student: str | None = None,
    limits: Limits | None = None,
    cluster: str | None = None,
    progress: bool = False,
) -> Batch:
    """Grade what was handed in for an assignment, into nbgrader's gradebook.

    What is written down of each submission lies in ``reports/NAME/students``, a file each, written when it has been
    graded. So a run that was ended, however it ended, goes on where it was; and only what has changed since is graded.

    Parameters
    ----------
    name : str
        Of the assignment.
    course : Path
        Folder of the nbgrader course.
    jobs : int, optional
        Submissions at a time; as many as there are cores, if not given, and at most: each has a core of its own.
    isolation : {"auto", "bwrap", "container", "none"}
    student : str, optional
        Grade only this one, whether or not anything has changed.
    limits : Limits, optional
        Of one submission; the usual ones if not given (always so in a container), but for the seconds of a cell where
        ``nbgrader_config.py`` has ``c.ExecutePreprocessor.timeout``: all cells together then have five times as long.
    cluster : str, optional
        Grade on the workers of a Dask cluster: the address or file of its scheduler, or "local" to start one here of
        `jobs` processes. Each of them must have an isolation, unless that is "none"; this machine needs none.
    progress : bool
        Show a bar.

    Raises
    ------
    GradingError
        There is no such course, assignment or student, or the assignment was not handed out yet.
    """
    needs_nbgrader()
    from tl_course.grading.batch.bundle import Bundle, source_cells

    began = monotonic()
    course = course.resolve()
    release = course / "release" / name
    if not list(release.glob("*.ipynb")):
        raise GradingError(f"{name} has not been handed out: run `tl-course assign {name}` first.")
    if not _is_in_gradebook(course, name):
        raise GradingError(f"The gradebook of {course} does not know {name}: run `tl-course assign {name}` first.")
    if not is_released(name, course=course):  # its solution would pass other tests
        raise GradingError(
            f"What was handed out was not made from {course / 'source' / name} as it is now: run `tl-course assign "
            f"{name}` first."
        )
    handed_in = _students(course, name)
    if not handed_in:
        raise GradingError(f"Nothing was handed in: there is no {course}/submitted/ID/{name}.")
    if student is not None and student not in handed_in:
        raise GradingError(f"{student} has handed in nothing: there is no {course}/submitted/{student}/{name}.")
    check_rules(course)
    if cluster and isolation == "container":
        raise GradingError("With --cluster, start the workers themselves in containers that have bubblewrap.")
    isolation = ("none" if isolation == "none" else "bwrap") if cluster else pick_isolation(isolation)
    if isolation == "none":
        warnings.warn(
            "Submissions run WITHOUT isolation: their code can read the solutions, read and change the gradebook, and "
            f"use the network. Only do this with code that you trust. {why_no_bwrap()}".strip(),
            TLCourseWarning,
            stacklevel=2,
        )
    folder = course / "reports" / name
    if isolation == "container":
        words = ["grade", name, "--isolation", "bwrap", *(["--student", student] if student else [])]
        run_in_container(course, words + (["--jobs", str(jobs)] if jobs else []))
        report = json.loads((folder / "report.json").read_text("utf-8"))
        return Batch(name, isolation, report["submissions"], report["graded"], monotonic() - began, folder)
    (folder / "students").mkdir(parents=True, exist_ok=True)
    limits = limits or _limits(course)
    handed_out = f"{digest_of([release, course / 'source' / name, _PACKAGE / 'exercises'])}:{_configured(course)}"
    digests = {
        one: f"{_VERSION}:{limits}:{handed_out}:{digest_of([course / 'submitted' / one / name], most=MOST_SEEN)}"
        for one in handed_in
    }
    in_gradebook = _in_gradebook(course, name)
    wanted = [student] if student is not None else [
        one for one in handed_in
        if (before := _written(folder, one)).get("digest") != digests[one]
        or (one not in in_gradebook and before["status"] != "rejected")
    ]  # fmt: skip
    if wanted:
        bundle = Bundle(name, release, course / "source" / name, course, source_cells(course, name))
        setup = Setup(bundle, handed_out, folder, _imports(release), isolation, limits)
        grade_units = _grader(setup, min(jobs or cores(), cores()), cluster, progress=progress)
        _grade_all(wanted, course, setup, grade_units, digests, progress=progress)
    late = settle(course, name).get(name, {})
    submissions = [_with_late(_written(folder, one), late.get(one)) for one in handed_in]
    batch = Batch(name, isolation, [one for one in submissions if one], wanted, monotonic() - began, folder)
    guarded = guarded_tests(folder / "cluster" if cluster else folder)
    remember(folder, batch.submissions)
    about = {"assignment": name, "isolation": isolation, "graded": wanted, "seconds": round(batch.seconds, 2)}
    _write(folder / "report.json", json.dumps(about | {"guarded": guarded, "submissions": batch.submissions}, indent=1))
    page = to_page(name, batch.submissions, isolation=isolation, seconds=batch.seconds, guarded=guarded)
    _write(folder / "report.html", page)
    return batch


def _students(course: Path, name: str) -> list[str]:
    """Who has handed in something, sorted; also those whose folder cannot be read."""
    found = []
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(course / "submitted") as entries:
        for entry in entries:
            try:
                is_there = entry.name != ".ipynb_checkpoints" and (Path(entry.path) / name).is_dir()
            except OSError:
                is_there = True
            if is_there:
                found.append(entry.name)
    return sorted(found)


def _configured(course: Path) -> str:
    """A digest of the course's configuration, as far as it changes what submissions get for their answers."""
    try:
        text = (course / "nbgrader_config.py").read_text("utf-8")
    except (OSError, ValueError):
        return ""
    return hashlib.sha256(without_late_rules(text).encode()).hexdigest()[:16]


def _with_late(report: dict[str, Any], late: Late | None) -> dict[str, Any]:
    if late is None or not report:
        return report
    report |= {"late": {"seconds": late.seconds, "cost": late.cost, "said": late.said}}
    if late.doubt and report["status"] in ("graded", "look"):
        report |= {"status": "look", "look": [*report["look"], late.doubt]}
    return report


def _write(target: Path, text: str) -> None:
    """Write a report, all of it or nothing."""
    with atomic_path(target) as part:
        part.write_text(text, encoding="utf-8", errors="backslashreplace")


def _record(folder: Path, student: str) -> Path:
    """Where it is written down what became of a submission; the name is a digest where the id is none for a file."""
    plain = student.isprintable() and len(student.encode()) <= _LONGEST_NAME
    called = student if plain else f"id-{hashlib.sha256(os.fsencode(student)).hexdigest()}"
    return folder / "students" / f"{called}.json"


def _grader(
    setup: Setup, jobs: int, cluster: str | None, *, progress: bool
) -> Callable[[list[Unit]], Iterator[dict[str, Any]]]:
    """What grades submissions: processes of this machine, or those of a cluster."""
    if cluster is None:
        setup.rehearse(progress=progress)
        return partial(in_parallel, jobs=jobs, setup=setup)
    from tl_course.grading.batch.cluster import on_cluster  # each of its machines rehearses by itself

    return partial(on_cluster, address=cluster, setup=setup, workers=jobs)


def _grade_all(
    wanted: Sequence[str],
    course: Path,
    setup: Setup,
    grade_units: Callable[[list[Unit]], Iterator[dict[str, Any]]],
    digests: dict[str, str],
    *,
    progress: bool,
) -> None:
    """Grade submissions; what has been is written down at once, and the gradebook is written by this process alone."""
    from tl_course.grading.batch.records import Records

    folder = setup.folder

    def note(report: dict[str, Any]) -> None:
        about = {"isolation": setup.isolation, "at": datetime.now(UTC).isoformat("T", "seconds")}
        if report["status"] != "failed" and not report.get("again"):  # then it is tried again
            about["digest"] = digests[report["student"]]
        kept = {key: value for key, value in report.items() if key != "notebooks"}
        _write(_record(folder, report["student"]), json.dumps(kept | about, indent=1))

    with (
        Records(course, setup.bundle.name) as records,
        scratch(folder) as work,
        Bar("grading", len(wanted), unit="submissions", show=progress) as bar,
    ):
        units: list[Unit] = []
        for student in wanted:
            _record(folder, student).unlink(missing_ok=True)  # ended in the middle, it is graded again
            try:
                check_id(student)
            except Rejected as problem:  # before the gradebook hears of it
                note(failed(student, str(problem)) | {"status": "rejected"})
            else:
                units.append(Unit(student, records.folder("submitted", student), work / student))
        records.forget(unit.student for unit in units)
        bar.update(len(wanted) - len(units))
        for report in grade_units(units):
            student = report["student"]
            try:
                records.enter(report, work / student)
            except Exception as problem:
                note(failed(student, problem))
            else:
                note(report)
            bar.update()


def _limits(course: Path) -> Limits:
    seconds = course_config(course).get("ExecutePreprocessor", {}).get("timeout")
    return Limits(cell_seconds=float(seconds), notebook_seconds=5.0 * seconds) if seconds and seconds > 0 else Limits()


def _written(folder: Path, student: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(_record(folder, student).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _is_in_gradebook(course: Path, name: str) -> bool:
    """Whether nbgrader's gradebook knows the assignment: somebody may have begun a new one."""
    with open_gradebook(course) as gradebook:
        return any(assignment.name == name for assignment in gradebook.assignments)


def _in_gradebook(course: Path, name: str) -> set[str]:
    """Whose submissions nbgrader's gradebook knows: somebody may have begun a new one."""
    with open_gradebook(course) as gradebook:
        return {submission.student.id for submission in gradebook.assignment_submissions(name)}


def _imports(release: Path) -> list[str]:
    """Modules that the assignment itself imports: those are worth importing once for all submissions."""
    import ast

    import nbformat

    found: dict[str, None] = {}
    for path in release.glob("*.ipynb"):
        for cell in nbformat.read(path, 4).cells:
            if cell.cell_type != "code":
                continue
            try:
                tree = ast.parse(
                    "\n".join(line for line in cell.source.splitlines() if not line.lstrip().startswith(("%", "!")))
                )
            except SyntaxError:
                continue
            for node in ast.walk(tree):
                if isinstance(node, ast.Import):
                    found |= dict.fromkeys(alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found[node.module] = None
    return list(found)
