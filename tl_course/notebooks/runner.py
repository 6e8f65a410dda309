"""Run lessons headless, each in a process of its own, and hold them to their budgets."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from time import monotonic
from types import FrameType
from typing import IO, Any

from tl_course.core.devices import cores
from tl_course.core.files import atomic_path
from tl_course.core.progress import room
from tl_course.errors import LessonError
from tl_course.notebooks.budgets import budget_of, problems_of, slowness_of
from tl_course.notebooks.family import Family
from tl_course.notebooks.files import check_parameters, environment, find_lessons, parameters_of, read_notebook
from tl_course.notebooks.page import to_html
from tl_course.notebooks.report import LessonRun, Report, without_colour
from tl_course.notebooks.results import records_of
from tl_course.notebooks.speed import Speed

__all__ = ["run_lessons"]

GRACE = 20.0
"""Seconds that a notebook's process has, once its time is up, to stop its kernel and save what there is."""


@dataclass(frozen=True)
class _Plan:
    path: Path
    notebook: Any
    parameters: dict[str, Any]
    budget: dict[str, float]


def run_lessons(
    lessons: Iterable[str | Path] = (),
    *,
    out: str | Path | None = None,
    parameters: Mapping[str, Any] | None = None,
    source: str | Path | None = None,
    device: str = "auto",
    cell_timeout: float = 1800,
    timeout: float = 7200,
    enforce_budgets: bool | None = None,
) -> Report:
    """Run lessons from top to bottom without a browser, one after the other, each in a process of its own.

    A lesson fails if a cell raises or shows an error or a traceback (and is not tagged ``raises-exception``), if a
    limit is passed, if its kernel dies, or if it breaks the budget in its own metadata: ``{"tl_course": {"budget":
    {"seconds": 90, "cpu_seconds": 100, "memory_mb": 1500, "accuracy": 0.9}}}``. That it was slow is only said. Ctrl-C
    (or SIGTERM) stops all the processes of the lesson that runs. On a terminal, standard error shows how far it is.

    Parameters
    ----------
    lessons
        Names (``"01_birds"``), their beginnings (``"01"``) or paths of notebooks; all lessons if none is given.
    out
        Folder for ``report.json`` and, of each lesson, ``<name>.ipynb`` as executed and ``<name>.html``; ``./runs`` if
        None. What a former run left there under these names is replaced.
    parameters
        Values for the cell tagged ``parameters``. Every lesson must have all of them.
    source
        The same as the parameter ``source``: what the lesson takes its pictures from. A path means what it means here.
    device
        The parameter ``device``, for those lessons that have one; ``"auto"`` leaves it to the lesson.
    cell_timeout, timeout
        Seconds that a cell, and that a lesson, may take before it is stopped. They are for one that hangs, and so long
        that slow machines do not meet them.
    enforce_budgets
        None fails a lesson for its memory and its accuracy. True, for continuous integration, also for its CPU seconds,
        measured against the speed of the machine during the run, with a margin (`tl_course.notebooks.budgets`); each
        lesson then gets a cache of its own, so that it draws and exports what a first run does. False fails no lesson
        for its budget, as befits a larger data set.

    Returns
    -------
    Report
        How each lesson went; ``report.ok`` says whether all passed.

    Raises
    ------
    LessonError
        If a lesson is unknown or cannot be read, a parameter is not one of the lesson's, a budget is malformed, or the
        results cannot be written; or what runs notebooks is not installed. All of this is found out before the first
        lesson starts.
    """
    if missing := [name for name in ("papermill", "nbclient", "nbconvert", "nbformat") if find_spec(name) is None]:
        raise LessonError(
            f"To run lessons without a browser, {', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing. "
            "Run: python -m pip install 'tl-course[run]'"
        )
    wanted = {name: _plain(value) for name, value in (parameters or {}).items()}
    if source is not None:
        wanted["source"] = str(source)
    plans = [_plan(path, wanted, device) for path in find_lessons(lessons)]
    folder = _prepared(Path(out if out is not None else "runs"), plans)
    report = Report(device=device, out=folder)
    with _signals_that_unwind(), Speed(wanted=any("cpu_seconds" in plan.budget for plan in plans)) as speed:
        for plan in plans:
            report.lessons.append(_run(plan, folder, speed, cell_timeout, timeout, enforce_budgets))
            with atomic_path(folder / "report.json") as part:
                part.write_text(json.dumps(report.to_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return report


def _plan(path: Path, wanted: Mapping[str, Any], device: str) -> _Plan:
    notebook = read_notebook(path)
    known = parameters_of(notebook, path.stem)
    check_parameters(wanted, known, path.stem)
    given = dict(wanted)
    if device != "auto" and "device" in known:
        given["device"] = device
    return _Plan(path, notebook, given, budget_of(notebook, path.stem))


def _prepared(folder: Path, plans: list[_Plan]) -> Path:
    """`folder`, made if missing and free of results that this run is going to make anew."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for plan in plans:
            if (folder / plan.path.name).resolve() == plan.path.resolve():
                raise LessonError(f"The executed lesson would overwrite {plan.path} itself. Choose another folder.")
        for name in ("report.json", *(f"{plan.path.stem}{end}" for plan in plans for end in (".ipynb", ".html"))):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise LessonError(f"Results cannot be written to {folder}: {error.strerror}. Choose another folder.") from error
    return folder


def _run(
    plan: _Plan, out: Path, speed: Speed, cell_timeout: float, timeout: float, enforce_budgets: bool | None
) -> LessonRun:
    import nbformat

    name = plan.path.stem
    since = speed.n
    with tempfile.TemporaryDirectory(prefix="tlc-", dir=_short_folder(), ignore_cleanup_errors=True) as private:
        folder = Path(private)
        nbformat.write(plan.notebook, folder / "notebook.ipynb")  # type: ignore[no-untyped-call]
        job = {"parameters": plan.parameters, "cell_timeout": cell_timeout, "timeout": timeout}
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        variables = _environment(folder, own_cache=bool(enforce_budgets))
        state = _watched(folder, name, len(plan.notebook.cells), timeout, variables)
        try:
            executed = read_notebook(folder / "notebook.ipynb")
        except LessonError:  # killed in the middle of saving
            executed = plan.notebook
    measured = {
        "seconds": round(state["seconds"], 2),
        "cpu_seconds": round(state["cpu_seconds"], 2),
        "factor": _rounded(speed.factor(since=since, wait="cpu_seconds" in plan.budget)),
        "busy_elsewhere": round(state["busy_elsewhere"], 2),
        "peak_mb": round(state["peak_bytes"] / 1e6, 1),
    }
    records = records_of(executed)
    errors = [_located(error, plan.notebook) for error in state["errors"]]
    problems = [_said(error, len(plan.notebook.cells)) for error in errors]
    if not any(error["stopped"] for error in errors):
        problems += problems_of(plan.budget, measured, records, enforce=enforce_budgets, trouble=speed.trouble)
    slow = slowness_of(plan.budget, measured, cores=cores())
    notebook = out / f"{name}.ipynb"
    with atomic_path(notebook) as part:
        nbformat.write(executed, part)  # type: ignore[no-untyped-call]
    html, trouble = _page(executed, out / f"{name}.html", name)
    return LessonRun(
        name=name,
        problems=problems + trouble,
        notes=[slow] if slow else [],
        parameters=plan.parameters,
        budget=plan.budget,
        records=records,
        error=errors[0] if errors else None,
        notebook=notebook,
        html=html,
        **measured,
    )


def _page(notebook: Any, path: Path, name: str) -> tuple[Path | None, list[str]]:
    """The page of an executed lesson, or why there is none: whatever its text holds, the lessons after it still run."""
    try:
        page = to_html(notebook, title=name)
        with atomic_path(path) as part:
            part.write_text(page, encoding="utf-8", errors="replace")
    except Exception as error:  # nbconvert and its templates let through whatever a notebook trips them over
        return None, [f"ran, but no page could be made of it: {type(error).__name__}: {error}"]
    return path, []


def _watched(folder: Path, name: str, cells: int, timeout: float, variables: dict[str, str]) -> dict[str, Any]:
    """Start the notebook's process, follow it to its end, and leave none of its processes behind."""
    import psutil
    from tqdm import tqdm

    state: dict[str, Any] = {"errors": [], "cpu_seconds": 0.0, "peak_bytes": 0}
    started, busy_before = monotonic(), _busy_seconds()
    log = folder / "log.txt"
    look = "{desc} |{bar:20}| cell {n} of {total}, {elapsed}"
    with (
        log.open("wb") as stderr,
        tqdm(desc=name, total=cells, bar_format=look, leave=False, disable=None, file=sys.stderr, **room()) as bar,
    ):
        process = subprocess.Popen(
            [sys.executable, "-m", "tl_course.notebooks", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=variables,
            # Ctrl-C in a terminal then reaches only this process, which stops the others in good order.
            start_new_session=True,
        )
        family = Family(psutil.Process(process.pid))
        try:
            assert process.stdout is not None
            listener = threading.Thread(target=_listen, args=(process.stdout, state, bar), daemon=True)
            listener.start()
            while process.poll() is None:
                family.look()
                bar.refresh()
                if monotonic() - started > timeout + GRACE:
                    evalue = f"the lesson was not done after {timeout:g} s, the limit for a lesson, and did not stop"
                    state["errors"] = [_lost(evalue)]
                    break
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.5)
        finally:
            _kill(process, state, family)
        listener.join(5)
    seconds = monotonic() - started
    cpu_seconds = max(family.cpu_seconds, state["cpu_seconds"])
    if "done" not in state and not state["errors"]:
        tail = log.read_text(encoding="utf-8", errors="replace")
        state["errors"] = [_lost(f"the notebook's process ended with exit code {process.returncode}", tail)]
    return state | {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "busy_elsewhere": max(0.0, _busy_seconds() - busy_before - cpu_seconds) / seconds,
        "peak_bytes": max(family.peak_bytes, state["peak_bytes"]),
    }


def _listen(stream: IO[bytes], state: dict[str, Any], bar: Any) -> None:
    """Keep the latest of what the notebook's process tells, and move the progress bar along."""
    for line in stream:
        event = json.loads(line)
        state.update(event)
        if "cell" in event:
            bar.update(event["cell"] - bar.n)


def _kill(process: "subprocess.Popen[bytes]", state: Mapping[str, Any], family: Family) -> None:
    """End the notebook's process, its kernel, and whatever the kernel started."""
    family.look()
    process.kill()
    process.wait()
    # The kernel leads a process group of its own; those it started are in it even where their parent is gone.
    if "kernel" in state and hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(state["kernel"], signal.SIGKILL)
    family.kill()


def _environment(folder: Path, *, own_cache: bool) -> dict[str, str]:
    """The caller's environment, less what would make a lesson run differently for one user than for another."""
    own = environment()
    own.pop("MPLBACKEND", None)  # one chosen for scripts would keep figures out of the notebook
    own["IPYTHONDIR"] = str(folder / "ipython")  # a user's own start-up files stay out
    if own_cache:
        own["TL_COURSE_CACHE"] = str(folder / "cache")
    return own


def _short_folder() -> str | None:
    """A folder for sockets, whose paths may have about 100 characters only; None for the system's usual one."""
    return "/tmp" if len(tempfile.gettempdir()) > 60 and os.access("/tmp", os.W_OK) else None


@contextmanager
def _signals_that_unwind() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise, as SIGINT does, so that every `finally` is run."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    numbers = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {number: signal.signal(number, leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _lost(evalue: str, trace: str = "") -> dict[str, Any]:
    return {
        "cell_id": None,
        "source": None,
        "ename": "LessonError",
        "evalue": evalue,
        "traceback": trace,
        "stopped": True,
    }


def _located(error: Mapping[str, Any], notebook: Any) -> dict[str, Any]:
    """`error` with the failing cell's position in the lesson as its author knows it."""
    ids = [cell.get("id") for cell in notebook.cells]
    cell = ids.index(error["cell_id"]) if error["cell_id"] in ids else None
    rest = {key: error[key] for key in ("source", "ename", "evalue", "stopped")}
    return {"cell": cell, **rest, "traceback": without_colour(error["traceback"])}


def _said(error: Mapping[str, Any], cells: int) -> str:
    """One line about what went wrong in a cell."""
    where = "" if error["cell"] is None else f"cell {error['cell'] + 1} of {cells} "
    what = error["evalue"] if error["ename"] == "Traceback" else f"{error['ename']}: {error['evalue']}"
    return (
        f"{where and where + 'failed with '}{what}"
        if error["stopped"]
        else f"{where or 'a cell '}shows an error: {what}"
    )


def _rounded(factor: float | None) -> float | None:
    return None if factor is None else round(factor, 3)


def _busy_seconds() -> float:
    """Seconds that all cores of the machine together have worked so far, for whomever."""
    import psutil

    times = psutil.cpu_times()
    return float(sum(getattr(times, kind, 0.0) for kind in ("user", "nice", "system", "irq", "softirq", "steal")))


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
