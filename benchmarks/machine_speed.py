"""Do CPU seconds over the machine's factor stay the same, whatever else the machine has to do?

    python benchmarks/machine_speed.py                  # lesson 01 alone, and beside other work: some six minutes
    python benchmarks/machine_speed.py 02 --loads none  # what to write into a lesson's budget, on a quiet machine

none          nothing else: the machine has to be quiet
busy loops    two for each core, which keep their registers busy
copying       one process for each core that copies arrays, too large for any cache, to and fro
training      one process for each core that trains a small network

"piece" is CPU seconds of one piece of work beside the lesson: on the reference machine with no other load it is
`tl_course.notebooks.speed.REFERENCE`. "at factor 1" is what belongs into a budget as ``cpu_seconds``; "of budget" has
to stay below `tl_course.notebooks.budgets.MARGIN` under every load, and twice of it above.
"""

import argparse
import subprocess
import sys
import tempfile
from contextlib import chdir
from pathlib import Path
from typing import Any

from reporting import RESULTS, machine, table, write

sys.path.insert(0, str(Path(__file__).parents[1]))

from tl_course.core import cores
from tl_course.notebooks import run_lessons
from tl_course.notebooks.speed import REFERENCE

COPYING = "import numpy as np\na = np.ones(2**26)\nwhile True: a[:] = a[::-1].copy()"
TRAINING = (
    "import torch\ntorch.set_num_threads(1)\nnet = torch.nn.Conv2d(16, 64, 3)\nx = torch.rand(8, 16, 96, 96)\n"
    "while True: net(x).square().mean().backward()"
)
LOADS = {
    "none": [],
    "busy loops": ["while True: pass"] * 2 * cores(),
    "copying": [COPYING] * cores(),
    "training": [TRAINING] * cores(),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lesson", nargs="?", default="01_birds", help="(01_birds)")
    parser.add_argument("--loads", nargs="+", choices=list(LOADS), default=list(LOADS), help="(all)")
    parser.add_argument("--out", type=Path, default=RESULTS / "machine_speed.json")
    options = parser.parse_args()
    rows = [measured(options.lesson, load) for load in options.loads]
    print(table(rows))
    write({"lesson": options.lesson, "rows": rows} | machine("tl-course", "torch", "onnxruntime"), options.out)


def measured(lesson: str, load: str) -> dict[str, Any]:
    others = [subprocess.Popen([sys.executable, "-c", code]) for code in LOADS[load]]
    try:
        with tempfile.TemporaryDirectory() as folder, chdir(folder):  # where nobody has worked before
            (run,) = run_lessons([lesson], source="rendered", enforce_budgets=True).lessons
    finally:
        for other in others:
            other.kill()
            other.wait()
    assert run.factor is not None, run.problems
    return {
        "load": load,
        "seconds": run.seconds,
        "CPU seconds": run.cpu_seconds,
        "factor": run.factor,
        "piece": run.factor * REFERENCE,
        "at factor 1": run.cpu_seconds / run.factor,
        "of budget": run.cpu_seconds / run.factor / run.budget["cpu_seconds"],
        "busy elsewhere": run.busy_elsewhere,
        "peak MB": run.peak_mb,
    }


if __name__ == "__main__":
    main()
