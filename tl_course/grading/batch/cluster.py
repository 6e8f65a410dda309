"""Submissions graded on several machines: Dask carries what is handed in to its workers, and results back.

A worker gets three things: what all submissions share (packed, by the digest of its content, once a machine), how to
grade, and one submission. It starts a process of its own for grading (`tl_course.grading.batch.worker`): a student's
code never runs in Dask's. The gradebook stays with the client.
"""

import asyncio
import dataclasses
import json
import shutil
import socket
import tempfile
import threading
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any

from filelock import FileLock

from tl_course import __version__
from tl_course.core.clusters import connected
from tl_course.core.files import cache_dir, hold, touch
from tl_course.errors import GradingError
from tl_course.grading.batch.packing import digest_of, pack, scratch, unpack
from tl_course.grading.batch.worker import Setup, Unit, Workers, failed
from tl_course.grading.sandbox.sandbox import Limits, why_no_bwrap

__all__ = ["on_cluster"]

_AHEAD = 2  # units that are sent for each thread of the workers: one that runs, one that waits beside it
_DEATHS = 5  # of workers that had a submission, after which it is given up for this run
_NOBODY = 300.0  # seconds without any worker, after which the run is
_MOST = 600 << 20  # bytes of a submission: more are not taken anyway, and what is beyond them travels by size alone
_LOOK = 2.0  # seconds between looks at how many workers there are


@dataclasses.dataclass(frozen=True)
class _Order:
    """What a worker has to know beside the submission: which bundle, how to grade, and by which version."""

    bundle: str
    name: str
    imports: tuple[str, ...]
    isolation: str
    limits: Limits
    digest: str
    version: str


@dataclasses.dataclass(frozen=True)
class _Asks:
    """The answer of a worker on whose machine the bundle is not there yet."""

    address: str


def on_cluster(units: Sequence[Unit], address: str, setup: Setup, *, workers: int) -> Iterator[dict[str, Any]]:
    """Reports of submissions as they come from a Dask cluster; what belongs into ``autograded`` is in place by then.

    A submission whose worker dies is done again by another one.

    Parameters
    ----------
    units : sequence of Unit
    address : str
        Of a scheduler, such as ``tcp://10.0.0.1:8786``, the path of a scheduler's file, or "local".
    setup : Setup
    workers : int
        Of a cluster that is started here.

    Raises
    ------
    GradingError
        There is no such scheduler; a worker is not fit to grade (no isolation, another version of the package), with
        what to do; no worker has been there for five minutes; the solution does not get full marks on a machine.
    """
    packed = _packed(setup)
    order = _Order(
        bundle=sha256(packed).hexdigest(),
        name=setup.bundle.name,
        imports=tuple(setup.imports),
        isolation=setup.isolation,
        limits=setup.limits,
        digest=setup.digest,
        version=_version(),
    )
    with connected(address, workers=workers, error=GradingError) as client:
        try:
            yield from _results(client, units, order, packed, setup.folder / "cluster")
        finally:
            with suppress(Exception):  # a cluster that is gone has nothing left to end
                client.run(_end)


def _results(
    client: Any, units: Sequence[Unit], order: _Order, packed: bytes, folder: Path
) -> Iterator[dict[str, Any]]:
    """The reports; `folder` gets what a worker wrote down of the rehearsal there."""
    from distributed import wait

    waiting, running = deque(units), dict[Any, Unit]()
    deaths = Counter[str]()
    there, looked, seen = 0, 0.0, monotonic()
    while waiting or running:
        if monotonic() - looked > _LOOK:
            there, looked = _threads(client), monotonic()
            seen = looked if there else seen
        if not there and monotonic() - seen > _NOBODY:
            raise GradingError(
                f"No worker has been there for {_NOBODY / 60:.0f} minutes. What was graded is written down: start "
                "workers, and run the same command again."
            )
        while waiting and len(running) < _AHEAD * there:
            unit = waiting.popleft()
            try:
                submission = b"" if _is_link(unit.handed_in) else pack(unit.handed_in, most=_MOST)
            except OSError as problem:
                yield failed(unit.student, problem)
            else:
                running[client.submit(_grade_here, order, unit.student, submission, pure=False, retries=0)] = unit
        if running:
            with suppress(TimeoutError, CancelledError, asyncio.CancelledError):
                wait(list(running), timeout=_LOOK, return_when="FIRST_COMPLETED")
        else:
            threading.Event().wait(_LOOK if waiting else 0)
        for future in [future for future in running if future.status != "pending"]:
            unit = running.pop(future)
            answer = _answer(future, client)
            if isinstance(answer, _Asks):
                with suppress(Exception):  # that worker is gone, and another one asks
                    client.run(_keep, order.bundle, packed, workers=[answer.address])
                waiting.appendleft(unit)
                continue
            if answer is not None:
                report, made, rehearsal = answer
                if rehearsal:
                    folder.mkdir(exist_ok=True)
                    (folder / "rehearsal.json").write_bytes(rehearsal)
                if made:
                    unpack(made, unit.into)
                yield report
                continue
            deaths[unit.student] += 1
            if deaths[unit.student] < _DEATHS:
                waiting.appendleft(unit)
            else:
                yield failed(unit.student, f"{_DEATHS} workers of the cluster were ended while they had it.")


def _threads(client: Any) -> int:
    """How many submissions the workers of a cluster can grade at a time."""
    try:
        if client.status == "running":
            return sum(client.nthreads().values())
    except OSError:
        pass
    raise GradingError(
        "The scheduler of the cluster is gone. What was graded is written down: run the same command again."
    )


def _answer(future: Any, client: Any) -> Any:
    """What a worker answered; None where it was lost."""
    from distributed import KilledWorker

    if future.status == "finished":
        return future.result()
    _threads(client)
    if future.status != "error":  # cancelled, or lost with its worker
        return None
    problem = future.exception()
    if isinstance(problem, KilledWorker):
        return None
    raise (
        problem
        if isinstance(problem, GradingError)
        else GradingError(
            f"A worker of the cluster could not grade: {type(problem).__name__}: {problem}. Is the same version of "
            "tl-course installed there, with its extras grade and cluster?"
        )
    )


def _is_link(folder: Path) -> bool:
    return folder.is_symlink() or folder.parent.is_symlink()


def _packed(setup: Setup) -> bytes:
    """All that a machine needs to grade: the assignment as handed out and with its solution, and its configuration."""
    with tempfile.TemporaryDirectory(prefix="tl-bundle-") as name:
        folder, bundle = Path(name), setup.bundle
        for path, where in ((bundle.release, "release"), (bundle.source, "source")):
            if path.is_dir():
                shutil.copytree(path, folder / where, ignore=shutil.ignore_patterns("__pycache__"))
        if (bundle.configured / "nbgrader_config.py").exists():
            shutil.copy(bundle.configured / "nbgrader_config.py", folder)
        (folder / "notebooks.json").write_text(json.dumps(bundle.notebooks), encoding="utf-8")
        return pack(folder)


@cache
def _version() -> str:
    package = Path(__file__).parents[2]
    files = digest_of([package / "grading", package / "exercises"])
    return f"{__version__} ({files[:12]})"


# --- what runs in Dask's workers --------------------------------------------------------------------------------------

_there: dict[_Order, Workers] = {}
_lock = threading.Lock()


def _grade_here(order: _Order, student: str, submission: bytes) -> _Asks | tuple[dict[str, Any], bytes, bytes]:
    """Grade one submission; the report, what belongs into ``autograded``, packed, and notes of the rehearsal."""
    from distributed import get_worker

    folder = cache_dir("grading", order.bundle)
    if not (folder / "bundle").is_dir():
        return _Asks(get_worker().address)
    touch(folder)
    try:
        with scratch(folder) as work:
            unit = Unit(student, work / student / order.name, work / "made")
            if submission:
                unpack(submission, unit.handed_in)
            else:  # it is not followed there, and refused here as anywhere
                unit.handed_in.parent.mkdir(parents=True)
                unit.handed_in.symlink_to(work)
            report = _workers(order, folder).grade(unit)
            rehearsal = folder / "rehearsal.json"
            return report, pack(unit.into), rehearsal.read_bytes() if rehearsal.exists() else b""
    except OSError as problem:  # of this submission, or of this machine: the others go on
        return failed(student, f"{problem} (on {socket.gethostname()})"), b"", b""


def _keep(bundle: str, packed: bytes) -> None:
    """Put a bundle where all workers of this machine find it."""
    folder = cache_dir("grading", bundle)
    folder.chmod(0o700)  # solutions and hidden tests are in it
    with FileLock(folder / ".bundle.lock"):
        if not (folder / "bundle").is_dir():
            with scratch(folder) as work:
                unpack(packed, work / "bundle")
                (work / "bundle").replace(folder / "bundle")


def _check(order: _Order) -> None:
    """Whether a submission may run here.

    Raises
    ------
    GradingError
        No.
    """
    if order.version != _version():
        raise GradingError(
            f"The worker on {socket.gethostname()} has tl-course {_version()}, and this machine {order.version}. "
            "Install the same there, and start the workers anew."
        )
    if order.isolation == "bwrap" and (why := why_no_bwrap()):
        raise GradingError(
            f"The worker on {socket.gethostname()} has no isolation, so no submission is run there. {why} Mend or stop "
            "that worker, then run the same command again: it goes on where it was."
        )


def _workers(order: _Order, folder: Path) -> Workers:
    """The processes that grade with this bundle; those of another one are ended."""
    from tl_course.grading.batch.bundle import Bundle

    with _lock:
        if order not in _there:
            _check(order)
            _end()
            hold(folder)
            laid = folder / "bundle"
            notebooks = json.loads((laid / "notebooks.json").read_text("utf-8"))
            bundle = Bundle(order.name, laid / "release", laid / "source", laid, notebooks)
            setup = Setup(bundle, order.digest, folder, list(order.imports), order.isolation, order.limits)
            _there[order] = Workers(setup)
        return _there[order]


def _end() -> None:
    """End the processes that grade nothing now."""
    for order, workers in list(_there.items()):
        if not workers.busy:
            del _there[order]
            workers.close()
