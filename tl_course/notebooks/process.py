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
from pathlib import Path
from time import monotonic
from typing import Any

import zmq
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from papermill.engines import NBClientEngine
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook
from traitlets import default
from traitlets.config import Config

__all__ = ["main"]


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
    try:
        NBClientEngine.execute_notebook(
            notebook,
            "python3",
            output_path=path,
            progress_bar=False,
            kernel_manager_class=_Kernel,
            config=Config(KernelManager=connection),
            timeout_func=clock.left,
            on_cell_start=clock.start,
            iopub_timeout=30,
        )
        error = _failed_cell(notebook)
    except CellTimeoutError:
        error = _error(clock.cell, "CellTimeoutError", clock.verdict())
    except DeadKernelError:
        error = _error(
            clock.cell, "DeadKernelError", "the kernel died while this cell ran: out of memory, or the cell ended it"
        )
    except Exception as problem:
        error = _error(clock.cell, type(problem).__name__, str(problem), traceback.format_exc())
    _tell(done=True, error=error, peak_bytes=_peak_bytes())


def _failed_cell(notebook: Any) -> dict[str, Any] | None:
    for cell in notebook.cells:
        if cell.metadata.papermill.get("exception"):
            output = next(output for output in reversed(cell.outputs) if output.output_type == "error")
            return _error(cell, output.ename, output.evalue, "\n".join(output.traceback))
    return None


def _error(cell: Any, ename: str, evalue: str, trace: str = "") -> dict[str, Any]:
    source, identity = (cell.source, cell.get("id")) if cell is not None else (None, None)
    return {"cell_id": identity, "source": source, "ename": ename, "evalue": evalue, "traceback": trace}


def _peak_bytes() -> int:
    """Most memory that a single ended child (so: the kernel) ever held, in bytes; 0 where the system does not tell.

    A child starts as a copy of this process, so the figure is never below this process' own, about 100 MB.
    """
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _tell(**event: Any) -> None:
    print(json.dumps(event), flush=True)


def _end_with_the_parent() -> None:
    """Standard input closes when the process that started this one is gone, however it went."""
    sys.stdin.buffer.read()
    os._exit(1)
