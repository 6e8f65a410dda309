"""One notebook in one process: what `run_lessons` starts as ``python -m tl_course.notebooks FOLDER``.

`FOLDER` is private to this run. It holds the job and the notebook, gets the kernel's connection file and sockets, and
the notebook is saved there after every cell. What happens is told on standard output, one JSON object a line.
"""

import json
import logging
import os
import sys
import threading
import traceback
from contextlib import suppress
from pathlib import Path
from queue import Empty
from time import monotonic
from typing import Any

import zmq
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellExecutionComplete, CellTimeoutError, DeadKernelError
from nbclient.util import run_sync
from nbformat.v4 import output_from_msg
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from traitlets import default
from traitlets.config import Config

from tl_course.notebooks.outputs import shown_errors

__all__ = ["main"]

LAST_WORDS = 2.0
"""Seconds at most that threads and tasks may go on printing when the last cell is over."""


class _ThisPython(KernelSpecManager):
    """Every kernel name means the interpreter that runs this: a kernel of that name may be registered for another."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


class _Kernel(AsyncKernelManager):
    @default("kernel_spec_manager")
    def _this_python(self) -> KernelSpecManager:
        return _ThisPython()

    async def start_kernel(self, **options: Any) -> None:  # type: ignore[override]
        await super().start_kernel(**options)
        _tell(kernel=self.provisioner.pid)  # type: ignore[union-attr]


class _Client(PapermillNotebookClient):  # type: ignore[misc]
    """nbclient, which here also keeps what comes for a cell that is over, and which cell changed a widget last."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.running: Any = None
        self.cells: dict[str, Any] = {}  # by the id of the message that started them
        self.widgets: dict[str, str | None] = {}

    def papermill_execute_cells(self) -> None:
        assert self.kc is not None
        shell, outputs = self.kc.shell_channel, self.kc.iopub_channel
        next_reply, next_output = shell.get_msg, outputs.get_msg

        async def get_reply(*, timeout: float | None = None) -> Any:
            # What nbclient sends for an Output widget on the socket where it waits for a reply may swallow the news
            # that the reply is there; it is then seen when the time is up. So no wait is long.
            deadline = monotonic() + (timeout if timeout is not None else float("inf"))
            while True:
                try:
                    return await next_reply(timeout=max(0.0, min(1.0, deadline - monotonic())))
                except Empty:
                    if monotonic() >= deadline:
                        raise

        async def get_output(*, timeout: float | None = None) -> Any:
            message = await next_output(timeout=timeout)
            self._keep_what_is_late(message)
            return message

        shell.get_msg, outputs.get_msg = get_reply, get_output
        super().papermill_execute_cells()
        deadline = monotonic() + LAST_WORDS
        with suppress(Empty):
            while monotonic() < deadline:
                run_sync(get_output)(timeout=0.2)

    def process_message(self, message: Any, cell: Any, cell_index: int) -> Any:
        self.running = self.cells[message["parent_header"].get("msg_id")] = cell
        try:
            return super().process_message(message, cell, cell_index)
        except CellExecutionComplete:
            self.running = None
            raise

    def handle_comm_msg(self, outs: Any, message: Any, cell_index: int) -> None:
        self.widgets[message["content"]["comm_id"]] = self.nb.cells[cell_index].get("id")
        super().handle_comm_msg(outs, message, cell_index)

    def _keep_what_is_late(self, message: Any) -> None:
        """A thread or a task goes on when its cell is over; Jupyter shows under that cell what it prints then."""
        cell = self.cells.get(message["parent_header"].get("msg_id"))
        if cell is None or cell is self.running or message["msg_type"] not in ("stream", "error"):
            return
        output = output_from_msg(message)  # type: ignore[no-untyped-call]
        if cell.outputs and output.output_type == "stream" and cell.outputs[-1].get("name") == output.name:
            cell.outputs[-1].text += output.text
        else:
            cell.outputs.append(output)


class _Engine(Engine):  # type: ignore[misc]
    """Papermill's own engine, with the client above."""

    client: _Client

    @classmethod
    def execute_managed_notebook(cls, nb_man: Any, kernel_name: str, **options: Any) -> None:
        # nbclient's usual limits of a minute and seconds are for machines that have nothing else to do.
        patient = {"startup_timeout": 300, "iopub_timeout": 120}
        cls.client = _Client(nb_man, kernel_name=kernel_name, log=logging.getLogger("papermill"), **patient, **options)
        cls.client.execute()


class _Clock:
    """The limits, and which cell they are running for."""

    def __init__(self, cell_timeout: float, timeout: float) -> None:
        self.cell_timeout = cell_timeout
        self.deadline = monotonic() + timeout
        self.cell: Any = None
        self.timeout = timeout

    def start(self, cell: Any, cell_index: int) -> None:
        self.cell = cell
        _tell(cell=cell_index)

    def left(self, cell: Any) -> float:
        # nbclient takes 0 for "no limit".
        return max(0.1, min(self.cell_timeout, self.deadline - monotonic()))

    def verdict(self) -> str:
        if monotonic() >= self.deadline:
            return f"the lesson was not done after {self.timeout:g} s, the limit for a lesson"
        return f"this cell was not done after {self.cell_timeout:g} s, the limit for a cell"


def main(folder: Path) -> None:
    """Run the notebook of `folder` and tell how it went."""
    # The kernel inherits standard output: what it prints there goes the way of its errors, not between the events.
    sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
    path = str(folder / "notebook.ipynb")
    notebook = load_notebook_node(path)
    if job["parameters"]:
        notebook = parameterize_notebook(notebook, job["parameters"], kernel_name="python3", language="python")
    connection = {
        "transport": "ipc" if zmq.has("ipc") else "tcp",
        "connection_file": str(folder / "kernel.json"),
    }
    if connection["transport"] == "ipc":
        connection["ip"] = str(folder / "k")
    clock = _Clock(job["cell_timeout"], job["timeout"])
    errors: list[dict[str, Any]] = []
    try:
        _Engine.execute_notebook(
            notebook,
            "python3",
            output_path=path,
            progress_bar=False,
            kernel_manager_class=_Kernel,
            config=Config(KernelManager=connection),
            timeout_func=clock.left,
            on_cell_start=clock.start,
        )
        errors = _failed_cell(notebook)
        stopped = {error["cell_id"] for error in errors}
        shown = shown_errors(notebook, _Engine.client.widgets)
        errors += [error for error in shown if error["cell_id"] not in stopped]
    except CellTimeoutError:
        errors = [_error(clock.cell, "CellTimeoutError", clock.verdict())]
    except DeadKernelError:
        reason = "the kernel died while this cell ran: out of memory, or the cell ended it"
        errors = [_error(clock.cell, "DeadKernelError", reason)]
    except Exception as problem:
        errors = [_error(clock.cell, type(problem).__name__, str(problem), traceback.format_exc())]
    cpu_seconds, peak_bytes = _used()
    _tell(done=True, errors=errors, cpu_seconds=cpu_seconds, peak_bytes=peak_bytes)


def _failed_cell(notebook: Any) -> list[dict[str, Any]]:
    """The cell that stopped the notebook, if one did."""
    for cell in notebook.cells:
        if cell.metadata.papermill.get("exception"):
            for output in reversed(cell.outputs):
                if output.output_type == "error":
                    return [_error(cell, output.ename, output.evalue, "\n".join(output.traceback))]
            return [_error(cell, "CellExecutionError", "it raised, and has cleared what that showed")]
    return []


def _error(cell: Any, ename: str, evalue: str, trace: str = "") -> dict[str, Any]:
    source, identity = (cell.source, cell.get("id")) if cell is not None else (None, None)
    return {
        "cell_id": identity,
        "source": source,
        "ename": ename,
        "evalue": evalue,
        "traceback": trace,
        "stopped": True,
    }


def _used() -> tuple[float, int]:
    """What the ended children (so: the kernel, and those it waited for) used: CPU seconds of all, most bytes of one.

    Zeros where the system does not tell. A child starts as a copy of this process, so its bytes are never below this
    process' own, about 100 MB.
    """
    try:
        import resource
    except ImportError:  # Windows
        return 0.0, 0
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime, used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _tell(**event: Any) -> None:
    print(json.dumps(event), flush=True)


def _end_with_the_parent() -> None:
    """Standard input closes when the process that started this one is gone, however it went."""
    sys.stdin.buffer.read()
    os._exit(1)
