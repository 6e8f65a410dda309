"""How long each cell of the lessons leaves its reader without a sign of life, run headless with nothing kept before.

    python benchmarks/first_sign.py [LESSON…] [--source IMAGES]

Each lesson runs in a kernel and a folder of its own, with an empty cache, as on a machine that has never run it. What
the kernel sends to a notebook is listened to, so a bar counts as much as a printed line. For each code cell: how long
it took, when it first showed anything, and the longest stretch in which it showed nothing (from its start, between two
outputs, or to its end). A cell is silent where it took more than `LIMIT` seconds and showed nothing within them.

Exit status 1 if a cell was silent or failed.
"""

import argparse
import os
import sys
import tempfile
from itertools import pairwise
from pathlib import Path
from time import monotonic

import nbformat
from jupyter_client.manager import KernelManager

from tl_course.notebooks import find_lessons

LIMIT = 2.0
_SHOWN = ("stream", "display_data", "update_display_data", "execute_result", "error", "comm_msg")


def cells_of(path: Path, source: str) -> list[str]:
    """The code of a lesson's cells, in which `source` stands for where its images come from."""
    cells = []
    for cell in nbformat.read(path, 4).cells:
        if cell.cell_type == "code":
            parameters = f"\nsource = {source!r}" if "parameters" in cell.metadata.get("tags", ()) else ""
            cells.append(cell.source + parameters)
    return cells


def measured(client, code: str) -> tuple[float, list[float], str]:
    """Seconds that a cell took, when it showed something, and what it raised."""
    began = monotonic()
    asked, moments, raised = client.execute(code), [], ""
    while True:
        message = client.get_iopub_msg(timeout=1800)
        now = monotonic() - began
        if message["msg_type"] in _SHOWN:
            moments.append(now)
        if message["msg_type"] == "error":
            raised = f"{message['content']['ename']}: {message['content']['evalue']}"
        if message["content"].get("execution_state") == "idle" and message["parent_header"].get("msg_id") == asked:
            return now, moments, raised


def run(path: Path, source: str) -> bool:
    """Run a lesson and print a row a cell; whether none of them was silent or failed."""
    print(f"\n{path.stem}\n cell  seconds  first sign  longest silence")
    good, signs, silences = True, [0.0], [0.0]
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TL_COURSE_CACHE"] = str(Path(folder) / "cache")
        manager = KernelManager()
        manager.kernel_spec.argv[0] = sys.executable
        manager.start_kernel(cwd=folder)
        client = manager.client()
        client.start_channels()
        try:
            client.wait_for_ready(timeout=120)
            for number, code in enumerate(cells_of(path, source)):
                seconds, moments, raised = measured(client, code)
                # In a cell that is over in time, what it leaves behind at its end is the first sign.
                first = min([*moments, seconds])
                edges = [0.0, *(moment for moment in moments if moment < seconds), seconds]
                silence = max(later - earlier for earlier, later in pairwise(edges))
                silent = first > LIMIT
                good = good and not silent and not raised
                signs.append(first)
                silences.append(silence)
                words = code.strip().partition("\n")[0][:60]
                print(
                    f"{number:5} {seconds:8.2f} {first:11.2f} {silence:16.2f}  {'SILENT ' * silent}{raised or words}",
                    flush=True,
                )
        finally:
            client.stop_channels()
            manager.shutdown_kernel(now=True)
    print(f"latest first sign {max(signs):.2f} s, longest silence {max(silences):.2f} s")
    return good


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("lessons", nargs="*")
    parser.add_argument("--source", default="rendered")
    options = parser.parse_args()
    results = [run(path.resolve(), options.source) for path in find_lessons(options.lessons)]
    sys.exit(not all(results))
