"""All submissions to an assignment: in parallel, each on its own, again only where something changed."""

import hashlib
import json
import logging
import multiprocessing
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from datetime import UTC, datetime
from glob import escape
from multiprocessing.util import Finalize
from pathlib import Path
from time import monotonic
from typing import Any

# As in notebooks/__main__.py: what nbformat imports would compile this one's grammar for seconds, and never need it. A
# batch pays for its imports in each process.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]

from nbformat.warnings import DuplicateCellId, MissingIDFieldWarning

from tl_course.devices import cores
from tl_course.errors import GradingError, TLCourseWarning
from tl_course.files import atomic_path, sha256_of
from tl_course.grading.container import run_in_container
from tl_course.grading.course import needs_nbgrader
from tl_course.grading.gradebook import course_config, open_gradebook
from tl_course.grading.page import to_page
from tl_course.grading.rehearsal import rehearse
from tl_course.grading.sandbox import Limits, Sandbox, pick_isolation, why_no_bwrap
from tl_course.progress import Bar

__all__ = ["Batch", "grade"]

_PACKAGE = Path(__file__).parents[1]
_LARGE = 100 << 20  # bytes of a file, from which on its size and time stand for what is in it
_VERSION = 1  # of what is written down of a submission; another one has it graded again


@dataclass(frozen=True)
class Batch:
    """What a run of `grade` did.

    Attributes
    ----------
    assignment, isolation : str
    submissions : list of dict
        One of each student, sorted: ``student``, ``status`` ("graded", "look", "rejected" or "failed"), ``marks``,
        ``of``, ``mended``, ``look``, ``seconds``.
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


def grade(
    name: str,
    *,
    course: Path,
    jobs: int | None = None,
    isolation: str = "auto",
    student: str | None = None,
    limits: Limits | None = None,
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
        Submissions at a time; as many as there are cores, if not given.
    isolation : {"auto", "bwrap", "container", "none"}
    student : str, optional
        Grade only this one, whether or not anything has changed.
    limits : Limits, optional
        Of one submission; the usual ones if not given (always so in a container), but for the seconds of a cell where
        ``nbgrader_config.py`` has ``c.ExecutePreprocessor.timeout``: all cells together then have five times as long.
    progress : bool
        Show a bar.

    Raises
    ------
    GradingError
        There is no such course, assignment or student, or the assignment was not handed out yet.
    """
    needs_nbgrader()
    began = monotonic()
    course = course.resolve()
    release = course / "release" / name
    if not list(release.glob("*.ipynb")):
        raise GradingError(f"{name} has not been handed out: run `tl-course assign {name}` first.")
    for path in (course / "source" / name).glob("*.ipynb"):
        copy = release / path.name
        if not copy.exists() or copy.stat().st_mtime < path.stat().st_mtime:  # its solution would pass other tests
            raise GradingError(f"{path} is newer than what was handed out: run `tl-course assign {name}` first.")
    handed_in = sorted(path.parent.name for path in (course / "submitted").glob(f"*/{escape(name)}") if path.is_dir())
    if not handed_in:
        raise GradingError(f"Nothing was handed in: there is no {course}/submitted/ID/{name}.")
    if student is not None and student not in handed_in:
        raise GradingError(f"{student} has handed in nothing: there is no {course}/submitted/{student}/{name}.")
    isolation = pick_isolation(isolation)
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
    questions = [_PACKAGE / "exercises", _PACKAGE / "variants.py", _PACKAGE / "grading" / "checks.py"]
    handed_out = _digest([release, course / "source" / name, course / "nbgrader_config.py", *questions])
    digests = {
        one: f"{_VERSION}:{limits}:{handed_out}:{_digest([course / 'submitted' / one / name])}" for one in handed_in
    }
    in_gradebook = _in_gradebook(course, name)
    wanted = [student] if student is not None else [
        one for one in handed_in if one not in in_gradebook or _written(folder, one).get("digest") != digests[one]
    ]  # fmt: skip
    imports = _imports(release)
    cache = None
    if wanted and any((course / "source" / name).glob("*.ipynb")):
        solution = course / "source" / name
        cache, imports = rehearse(
            solution, folder, handed_out, isolation=isolation, imports=imports, limits=limits, progress=progress
        )
    for one in wanted:  # where this is ended in the middle, they are graded the next time
        (folder / "students" / f"{one}.json").unlink(missing_ok=True)
    setup = (str(course), name, isolation, imports, limits, cache)
    for one, report in _in_parallel(wanted, jobs or cores(), setup, progress=progress):
        report |= {
            "digest": digests[one],
            "isolation": isolation,
            "at": datetime.now(UTC).isoformat("T", "seconds"),
        }
        if report["status"] == "failed":
            del report["digest"]  # it is tried again
        with atomic_path(folder / "students" / f"{one}.json") as part:
            part.write_text(json.dumps(report, indent=1), encoding="utf-8")
    submissions = [_written(folder, one) for one in handed_in]
    batch = Batch(name, isolation, [one for one in submissions if one], wanted, monotonic() - began, folder)
    with atomic_path(folder / "report.json") as part:
        about = {"assignment": name, "isolation": isolation, "graded": wanted, "seconds": round(batch.seconds, 2)}
        part.write_text(json.dumps(about | {"submissions": batch.submissions}, indent=1), encoding="utf-8")
    with atomic_path(folder / "report.html") as part:
        page = to_page(name, batch.submissions, isolation=isolation, seconds=batch.seconds)
        part.write_text(page, encoding="utf-8", errors="backslashreplace")
    return batch


def _limits(course: Path) -> Limits:
    seconds = course_config(course).get("ExecutePreprocessor", {}).get("timeout")
    return Limits(cell_seconds=float(seconds), notebook_seconds=5.0 * seconds) if seconds and seconds > 0 else Limits()


def _written(folder: Path, student: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "students" / f"{student}.json").read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return found


def _in_gradebook(course: Path, name: str) -> set[str]:
    """Whose submissions nbgrader's gradebook knows: somebody may have begun a new one."""
    with open_gradebook(course) as gradebook:
        return {submission.student.id for submission in gradebook.assignment_submissions(name)}


def _digest(places: Sequence[Path]) -> str:
    """Of files, and of all that lies in folders."""
    digest = hashlib.sha256()
    for place in places:
        folder = place if place.is_dir() else place.parent
        for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
            if "__pycache__" in path.parts:
                continue
            digest.update(os.fsencode(path.relative_to(folder)))
            try:
                about = path.lstat()
                if path.is_symlink():
                    digest.update(os.fsencode(path.readlink()))
                elif path.is_file() and about.st_size <= _LARGE:
                    digest.update(sha256_of(path).encode())
                elif path.is_file():
                    digest.update(f"{about.st_size} {about.st_mtime_ns}".encode())
            except OSError as problem:  # whoever may not read it will say so when it is graded
                digest.update(str(problem).encode())
    return digest.hexdigest()


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


def _in_parallel(
    students: Sequence[str], jobs: int, setup: tuple[Any, ...], *, progress: bool
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Each student's report, as it comes. Where a worker is lost, those that may have done it are tried alone."""
    left, alone = list(students), set[str]()
    with Bar("grading", len(students), unit="submissions", show=progress) as bar:
        while left:
            some = left[:1] if left[0] in alone else [one for one in left if one not in alone]
            pool = ProcessPoolExecutor(
                min(jobs, len(some)),
                mp_context=multiprocessing.get_context("spawn"),
                initializer=_begin,
                initargs=setup,
            )
            running = {pool.submit(_one, student): student for student in some}
            try:
                for future in as_completed(running):
                    report = future.result()
                    left.remove(running[future])
                    bar.update()
                    yield running[future], report
            except BrokenProcessPool:
                if some[0] in alone:  # so it was this one
                    left.remove(some[0])
                    bar.update()
                    yield some[0], _failed(some[0], "The process that graded it was ended while it did.")
                else:
                    alone = set(left[: 2 * jobs])  # they are taken in this order, some ahead of time
            except BaseException:  # an interrupt: what has been graded is written down, what has not is not waited for
                for process in list(pool._processes.values()):
                    process.terminate()
                raise
            finally:
                pool.shutdown(cancel_futures=True)


def _failed(student: str, why: str) -> dict[str, Any]:
    return {"student": student, "status": "failed", "marks": {}, "of": {}, "mended": [], "look": [why], "seconds": 0.0}


_worker: dict[str, Any] = {}


def _begin(course: str, name: str, isolation: str, imports: list[str], limits: Limits, cache: Path | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asked hears it, and ends this one
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    threading.Thread(target=_end_with_parent, daemon=True).start()
    logging.getLogger("tl_course.grading").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", message="Object of type <", category=Warning)  # nbgrader's own, of SQLAlchemy
    warnings.simplefilter("ignore", MissingIDFieldWarning)  # of notebooks that other places have written
    warnings.simplefilter("ignore", DuplicateCellId)
    _worker.update(
        course=Path(course), name=name, sandbox=Sandbox(isolation, imports=imports, limits=limits, cache=cache)
    )
    Finalize(None, _worker["sandbox"].close, exitpriority=1)  # a pool's workers do not run what atexit has


def _end_with_parent() -> None:
    """Where the process that asked is killed, nothing goes on behind its back."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        if "sandbox" in _worker:
            _worker["sandbox"].close()
        os._exit(1)


def _one(student: str) -> dict[str, Any]:
    from tl_course.grading.autograde import autograde

    why = ""
    for _ in range(2):
        try:
            return autograde(_worker["course"], _worker["name"], student, _worker["sandbox"])
        except Exception as problem:  # nothing of one submission may stop the others
            why = f"{type(problem).__name__}: {problem}"
    return _failed(student, why)
