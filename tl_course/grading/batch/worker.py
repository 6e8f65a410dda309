"""Processes that grade submissions one after the other, each with a sandbox of its own.

A worker is started as ``python -m tl_course.grading.batch.worker FD`` and is sent its setup, then one unit of work
after the other, over a socket. It ends with whoever started it, and so does its sandbox. No code of a student runs in
it.
"""

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Self

from filelock import FileLock

from tl_course.errors import GradingError
from tl_course.grading.batch.rehearsal import Rehearsal, rehearse
from tl_course.grading.sandbox.sandbox import Limits, Sandbox

if TYPE_CHECKING:
    from tl_course.grading.apart.plan import Plan
    from tl_course.grading.batch.bundle import Bundle

__all__ = ["Setup", "Unit", "Workers", "failed", "in_parallel"]

_PACKAGES = str(Path(__file__).parents[3])
_TRIES = 2  # of a submission whose worker was ended
# What goes wrong with what a submission holds: the machine fails otherwise, with OSError, MemoryError and the like.
_OF_ITS_OWN = (RecursionError, ValueError, TypeError, LookupError, AttributeError)
_PATIENCE = 20.0  # seconds that a worker has to end its sandbox


@dataclass(frozen=True)
class Setup:
    """What a worker grades with.

    Attributes
    ----------
    bundle : Bundle
    digest : str
        Of all that the marks depend on, but for the submission.
    folder : Path
        Where the rehearsal of the solution is kept.
    imports : list of str
        Modules that the assignment imports.
    isolation : {"bwrap", "none"}
    limits : Limits
    """

    bundle: "Bundle"
    digest: str
    folder: Path
    imports: list[str]
    isolation: str
    limits: Limits

    def rehearse(self, *, progress: bool = False) -> Rehearsal:
        """Run the solution, unless it has been in this folder; what submissions get from that.

        Raises
        ------
        GradingError
            The solution does not get full marks here.
        """
        if not any(self.bundle.source.glob("*.ipynb")):
            return Rehearsal(None, self.imports, {})
        with FileLock(self.folder / ".rehearsal.lock"):  # one worker of a machine does it, the others wait
            return rehearse(
                self.bundle.source,
                self.folder,
                self.digest,
                isolation=self.isolation,
                imports=self.imports,
                limits=self.limits,
                progress=progress,
            )


@dataclass(frozen=True)
class Unit:
    """A submission to grade: whose, the folder that was handed in, and where what belongs into ``autograded`` goes."""

    student: str
    handed_in: Path
    into: Path


class WorkerGoneError(GradingError):
    """The process that graded was ended."""


class _Worker:
    """A process that grades, seen from the one that started it."""

    def __init__(self, setup: Setup) -> None:
        self._socket, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tl_course.grading.batch.worker", str(number)],
                pass_fds=[number],
                stdin=subprocess.DEVNULL,
                env=os.environ | {"PYTHONPATH": os.pathsep.join([_PACKAGES, os.environ.get("PYTHONPATH", "")])},
            )
        self._connection = Connection(os.dup(self._socket.fileno()))
        self._connection.send(setup)

    def grade(self, unit: Unit) -> dict[str, Any]:
        """The report of a submission.

        Raises
        ------
        WorkerGoneError
            The process was ended.
        GradingError
            Nothing can be graded there, with what it says.
        """
        try:
            self._connection.send(unit)
            answer: dict[str, Any] | GradingError = self._connection.recv()
        except (OSError, EOFError) as problem:
            raise WorkerGoneError("The process that graded it was ended while it did.") from problem
        if isinstance(answer, GradingError):
            raise answer
        return answer

    def close(self) -> None:
        """End it, whatever it does."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # which it hears, and so does a thread that waits for its answer
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._socket.close()


class Workers:
    """As many workers as there are units at a time; each is started when it is first needed.

    Attributes
    ----------
    setup : Setup
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._all: set[_Worker] = set()
        self._free: list[_Worker] = []
        self._lock = threading.Lock()
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def grade(self, unit: Unit) -> dict[str, Any]:
        """The report of a submission; "failed" where its worker was ended, again and again. For many threads."""
        report = failed(unit.student, "It was not tried.")
        for _ in range(_TRIES):
            with self._lock:
                if self._closed:
                    raise WorkerGoneError("Grading was ended.")
                worker = self._free.pop() if self._free else _Worker(self.setup)
                self._all.add(worker)
            try:
                report = worker.grade(unit)
            except WorkerGoneError as problem:
                shutil.rmtree(unit.into, ignore_errors=True)
                report = failed(unit.student, str(problem))
                self._all.discard(worker)
                worker.close()
                continue
            with self._lock:
                self._free.append(worker)
            return report
        return report

    @property
    def busy(self) -> bool:
        """Whether a worker grades now."""
        with self._lock:
            return len(self._free) < len(self._all)

    def close(self) -> None:
        """End all workers, also those that grade."""
        with self._lock:
            self._closed = True
        for worker in list(self._all):
            worker.close()


def in_parallel(units: Sequence[Unit], jobs: int, setup: Setup) -> Iterator[dict[str, Any]]:
    """Reports of submissions as they come, `jobs` at a time."""
    with Workers(setup) as workers, ThreadPoolExecutor(max(1, min(jobs, len(units)))) as threads:
        try:
            for done in as_completed([threads.submit(workers.grade, unit) for unit in units]):
                yield done.result()
        except BaseException:  # an interrupt: what has been graded is written down, what has not is not waited for
            threads.shutdown(wait=False, cancel_futures=True)
            workers.close()
            raise


def failed(student: str, why: str | Exception | None) -> dict[str, Any]:
    """The report of a submission that could not be graded, through no fault of its own."""
    why = f"{type(why).__name__}: {why}" if isinstance(why, Exception) else why or ""
    return {"student": student, "status": "failed", "marks": {}, "of": {}, "mended": [], "look": [why], "seconds": 0.0}


def serve(number: int) -> None:
    """Grade what is asked for over the socket of this number, until it is closed."""
    from nbformat.warnings import DuplicateCellId, MissingIDFieldWarning

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the process that asked hears it, and ends this one
    logging.getLogger("tl_course.grading").setLevel(logging.ERROR)
    warnings.simplefilter("ignore", MissingIDFieldWarning)  # of notebooks that other places have written
    warnings.simplefilter("ignore", DuplicateCellId)
    connection = Connection(number)
    setup = connection.recv()
    units: SimpleQueue[Unit] = SimpleQueue()
    try:
        cache, imports, plans = setup.rehearse()
    except GradingError as problem:
        connection.send(problem)
        return
    with Sandbox(setup.isolation, imports=imports, limits=setup.limits, cache=cache) as sandbox:

        def listen() -> None:
            with suppress(OSError, EOFError):
                while True:
                    units.put(connection.recv())
            sandbox.close()  # whoever asked is gone
            os._exit(0)

        threading.Thread(target=listen, daemon=True).start()
        while True:
            connection.send(_graded(units.get(), setup.bundle, sandbox, plans))


def _graded(unit: Unit, bundle: "Bundle", sandbox: Sandbox, plans: "dict[str, Plan]") -> dict[str, Any]:
    from tl_course.grading.batch.autograde import autograde

    why: Exception | None = None
    for _ in range(2):
        try:
            return autograde(bundle, unit.handed_in, unit.student, sandbox, plans, into=unit.into)
        except Exception as problem:  # nothing of one submission may stop the others
            why = problem
            shutil.rmtree(unit.into, ignore_errors=True)
    report = failed(unit.student, why)
    if isinstance(why, _OF_ITS_OWN):
        report |= {"status": "rejected", "again": True}  # at the next run: perhaps it was not the submission's doing
        report["look"] = [f"Something in it cannot be graded ({report['look'][0][:300]}). Ask for it again."]
    return report


if __name__ == "__main__":
    from tl_course.grading.batch.worker import serve as serve_  # not the __main__ that this file is here

    serve_(int(sys.argv[1]))
