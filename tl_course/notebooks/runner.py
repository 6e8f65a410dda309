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
from typing import IO, TYPE_CHECKING, Any

from tl_course.errors import LessonError
from tl_course.files import atomic_path
from tl_course.notebooks.files import budget_of, check_parameters, checkout, find_lessons, parameters_of, read_notebook
from tl_course.notebooks.page import to_html
from tl_course.notebooks.report import LessonRun, Report, without_colour
from tl_course.records import records_of

if TYPE_CHECKING:
    import psutil

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
    cell_timeout: float = 600,
    timeout: float = 1800,
    enforce_budgets: bool = True,
) -> Report:
    """Run lessons from top to bottom without a browser, one after the other, each in a process of its own.

    A lesson fails if a cell raises, if a limit is passed, if its kernel dies, or if it breaks the budget in its own
    metadata: ``{"tl_course": {"budget": {"seconds": 90, "memory_mb": 1500, "accuracy": 0.9}}}``. Ctrl-C (or SIGTERM)
    stops all the processes of the lesson that runs. On a terminal, standard error shows how far it is.

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
        Seconds that a cell, and that a lesson, may take before it is stopped.
    enforce_budgets
        False reports seconds, memory and accuracy but fails no lesson for them, as befits a larger data set.

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
    with _signals_that_unwind():
        for plan in plans:
            report.lessons.append(_run(plan, folder, cell_timeout, timeout, enforce_budgets))
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


def _run(plan: _Plan, out: Path, cell_timeout: float, timeout: float, enforce_budgets: bool) -> LessonRun:
    import nbformat

    name = plan.path.stem
    with tempfile.TemporaryDirectory(prefix="tlc-", dir=_short_folder(), ignore_cleanup_errors=True) as private:
        folder = Path(private)
        nbformat.write(plan.notebook, folder / "notebook.ipynb")  # type: ignore[no-untyped-call]
        job = {"parameters": plan.parameters, "cell_timeout": cell_timeout, "timeout": timeout}
        (folder / "job.json").write_text(json.dumps(job), encoding="utf-8")
        state = _watched(folder, name, len(plan.notebook.cells), timeout)
        try:
            executed = read_notebook(folder / "notebook.ipynb")
        except LessonError:  # killed in the middle of saving
            executed = plan.notebook
    notebook, html = out / f"{name}.ipynb", out / f"{name}.html"
    with atomic_path(notebook) as part:
        nbformat.write(executed, part)  # type: ignore[no-untyped-call]
    with atomic_path(html) as part:
        part.write_text(to_html(executed, title=name), encoding="utf-8")
    records = records_of(executed)
    error = _located(state.get("error"), plan.notebook)
    seconds, peak_mb = round(state["seconds"], 2), round(state["peak_bytes"] / 1e6, 1)
    if error:
        where = "" if error["cell"] is None else f"cell {error['cell'] + 1} of {len(plan.notebook.cells)} failed with "
        problems = [f"{where}{error['ename']}: {error['evalue']}"]
    else:
        problems = _broken(plan.budget, seconds, peak_mb, records) if enforce_budgets else []
    return LessonRun(
        name=name,
        problems=problems,
        seconds=seconds,
        peak_mb=peak_mb,
        parameters=plan.parameters,
        budget=plan.budget,
        records=records,
        error=error,
        notebook=notebook,
        html=html,
    )


def _watched(folder: Path, name: str, cells: int, timeout: float) -> dict[str, Any]:
    """Start the notebook's process, follow it to its end, and leave none of its processes behind."""
    import psutil
    from tqdm import tqdm

    state: dict[str, Any] = {}
    family: set[psutil.Process] = set()
    sampled = 0
    started = monotonic()
    log = folder / "log.txt"
    look = "{desc} |{bar:20}| cell {n} of {total}, {elapsed}"
    with (
        log.open("wb") as stderr,
        tqdm(desc=name, total=cells, bar_format=look, leave=False, disable=None, file=sys.stderr) as bar,
    ):
        process = subprocess.Popen(
            [sys.executable, "-m", "tl_course.notebooks", str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=_environment(folder),
            # Ctrl-C in a terminal then reaches only this process, which stops the others in good order.
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            listener = threading.Thread(target=_listen, args=(process.stdout, state, bar), daemon=True)
            listener.start()
            runner = psutil.Process(process.pid)
            while process.poll() is None:
                sampled = max(sampled, _look(runner, family))
                bar.refresh()
                if monotonic() - started > timeout + GRACE:
                    evalue = f"the lesson was not done after {timeout:g} s, the limit for a lesson, and did not stop"
                    state["error"] = _lost(evalue)
                    break
                with suppress(subprocess.TimeoutExpired):
                    process.wait(0.5)
        finally:
            _kill(process, state, family)
        listener.join(5)
        state["seconds"] = monotonic() - started
    state["peak_bytes"] = max(sampled, state.get("peak_bytes", 0))
    if "done" not in state and "error" not in state:
        tail = log.read_text(encoding="utf-8", errors="replace")
        state["error"] = _lost(f"the notebook's process ended with exit code {process.returncode}", tail)
    return state


def _listen(stream: IO[bytes], state: dict[str, Any], bar: Any) -> None:
    """Keep the latest of what the notebook's process tells, and move the progress bar along."""
    for line in stream:
        event = json.loads(line)
        state.update(event)
        if "cell" in event:
            bar.update(event["cell"] - bar.n)


def _look(runner: "psutil.Process", family: set["psutil.Process"]) -> int:
    """Add the processes below `runner` to `family`; their resident memory in bytes, summed."""
    import psutil

    held = 0
    with suppress(psutil.Error):
        for relative in runner.children(recursive=True):
            family.add(relative)
            with suppress(psutil.Error):
                held += relative.memory_info().rss
    return held


def _kill(process: "subprocess.Popen[bytes]", state: Mapping[str, Any], family: set["psutil.Process"]) -> None:
    """End the notebook's process, its kernel, and whatever the kernel started."""
    import psutil

    with suppress(psutil.Error):
        _look(psutil.Process(process.pid), family)
    process.kill()
    process.wait()
    # The kernel leads a process group of its own; those it started are in it even where their parent is gone.
    if "kernel" in state and hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(state["kernel"], signal.SIGKILL)
    for relative in family:
        with suppress(psutil.Error):
            relative.kill()
    psutil.wait_procs(family, timeout=5)


def _environment(folder: Path) -> dict[str, str]:
    """The caller's environment, less what would make a lesson run differently for one user than for another."""
    environment = dict(os.environ)
    environment.pop("MPLBACKEND", None)  # one chosen for scripts would keep figures out of the notebook
    environment["IPYTHONDIR"] = str(folder / "ipython")  # a user's own start-up files stay out
    root = checkout()
    if root is not None:
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(root), environment.get("PYTHONPATH")]))
    return environment


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


def _broken(budget: Mapping[str, float], seconds: float, peak_mb: float, records: Mapping[str, Any]) -> list[str]:
    """In which ways the budget was not kept."""
    problems = []
    if seconds > budget.get("seconds", float("inf")):
        problems.append(f"took {seconds:.1f} s; its budget is {budget['seconds']:g} s")
    if peak_mb > budget.get("memory_mb", float("inf")):
        problems.append(f"held {peak_mb:.0f} MB of memory; its budget is {budget['memory_mb']:g} MB")
    if "accuracy" in budget:
        accuracy = records.get("accuracy")
        if isinstance(accuracy, bool) or not isinstance(accuracy, int | float):
            problems.append(f"recorded no accuracy; its budget asks for at least {budget['accuracy']:g}")
        elif accuracy < budget["accuracy"]:
            problems.append(f"reached an accuracy of {accuracy:.3f}; its budget asks for {budget['accuracy']:g}")
    return problems


def _lost(evalue: str, trace: str = "") -> dict[str, Any]:
    return {"cell_id": None, "source": None, "ename": "LessonError", "evalue": evalue, "traceback": trace}


def _located(error: Mapping[str, Any] | None, notebook: Any) -> dict[str, Any] | None:
    """`error` with the failing cell's position in the lesson as its author knows it."""
    if error is None:
        return None
    ids = [cell.get("id") for cell in notebook.cells]
    cell = ids.index(error["cell_id"]) if error["cell_id"] in ids else None
    return {
        "cell": cell,
        "source": error["source"],
        "ename": error["ename"],
        "evalue": error["evalue"],
        "traceback": without_colour(error["traceback"]),
    }


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, Path) else value
