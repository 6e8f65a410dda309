"""Grading of honest submissions: `tl-course grade`, isolated, against `nbgrader autograde`; seconds and marks.

    python benchmarks/grading.py [--n 40] [--heavy 12]
    python benchmarks/grading.py --cluster [--n 1000] [--kills 10]

Two assignments: one that imports nothing, one whose first cell imports torch and fastai. The same submissions, full,
partial, empty and in several styles, are graded by both in one run, each as a process of its own, start included.

With --cluster, the light ones are graded three times in one run: by two processes, by a Dask cluster of two workers
that is up, and by the same while its workers are killed, evenly over the batch. Marks must be the same, and nobody may
be missing.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from itertools import cycle, product
from pathlib import Path
from typing import Any

from reporting import RESULTS, machine, marks, table, write

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from demo_course import WHY, answered, hand_in, make_course

PACKAGES = ("nbgrader", "nbclient", "jupyter_client", "ipykernel", "torch", "fastai")
SQUARES = (
    "def square(x):\n    return x**2",
    "square = lambda x: x * x",
    "def square(x):\n    result = 0\n    result += x * x\n    return result",
    "def square(x):\n    return x + x",
    None,
)
SHOUTS = (
    "def shout(text):\n    return text.upper()",
    "shout = str.upper",
    "def shout(text):\n    print(text)\n    return ''.join(letter.upper() for letter in text)",
    "def shout(text):\n    return 'A'",
    "def shout(text):\n    raise NotImplementedError",
    "def shout(text)\n    return 1",
    "import warnings\ndef shout(text):\n    warnings.warn('loud')\n    return text.upper()",
    None,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=40, help="submissions of the light assignment (40)")
    parser.add_argument(
        "--heavy", type=int, default=12, help="submissions of the one that imports torch and fastai (12)"
    )
    parser.add_argument("--cluster", action="store_true", help="a Dask cluster of two workers against --jobs 2")
    parser.add_argument("--kills", type=int, default=10, help="of its workers, in the last run (10)")
    options = parser.parse_args()
    if options.cluster:
        on_cluster(options.n, options.kills)
        return
    rows, differ = [], {}
    for what, n, imports in (
        ("imports nothing", options.n, ""),
        ("imports torch and fastai", options.heavy, "import torch\nfrom fastai.vision.all import *"),
    ):
        with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
            course = filled(Path(name) / "ours", n, imports)
            theirs = Path(name) / "theirs"
            shutil.copytree(course, theirs)
            alone = timed(["nbgrader", "autograde", "demo", "--ExecutePreprocessor.timeout=60"], theirs)
            ours = timed(["tl_course.cli", "grade", "demo", "--course", ".", "--json"], course)
            again = timed(["tl_course.cli", "grade", "demo", "--course", ".", "--json"], course)
            differ[what] = differences(marks(course, "demo"), marks(theirs, "demo"))
        rows.append(
            {
                "assignment": what,
                "submissions": n,
                "nbgrader, s": round(alone, 1),
                "tl-course, s": round(ours, 1),
                "times faster": round(alone / ours, 1),
                "again, s": round(again, 1),
                "marks that differ": f"{len(differ[what])} of {3 * n}",
            }
        )
    print(table(rows))
    for what, found in differ.items():
        print(f"\n{what}:", *found or ["all marks are equal"], sep="\n  ")
    write({"rows": rows, "differ": differ} | machine(*PACKAGES), RESULTS / "grading.json")


def on_cluster(n: int, kills: int) -> None:
    from distributed import LocalCluster

    rows, found = [], {}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        os.environ["TL_COURSE_CACHE"] = f"{name}/cache"
        courses = {"--jobs 2": filled(Path(name) / "jobs", n, "")}
        for what in ("cluster of two", f"cluster of two, {kills} killed"):
            courses[what] = shutil.copytree(courses["--jobs 2"], Path(name) / str(len(courses)))
        for what, course in courses.items():
            with LocalCluster(
                n_workers=2 * (what != "--jobs 2"), threads_per_worker=1, memory_limit=0, dashboard_address=":0",
                silence_logs=50,
            ) as cluster:  # fmt: skip
                where = ["--jobs", "2"] if what == "--jobs 2" else ["--cluster", cluster.scheduler_address]
                killed = list[int]()
                if "killed" in what:
                    threading.Thread(target=kill, args=(cluster, course, n, kills, killed), daemon=True).start()
                seconds = timed(["tl_course.cli", "grade", "demo", "--course", ".", "--json", *where], course)
            shutil.rmtree(f"{name}/cache", ignore_errors=True)
            found[what] = marks(course, "demo")
            reports = [json.loads(path.read_text()) for path in (course / "reports" / "demo" / "students").iterdir()]
            rows.append(
                {
                    "graded by": what,
                    "submissions": n,
                    "s": round(seconds, 1),
                    "of the speed of --jobs 2": round(rows[0]["s"] / seconds, 3) if rows else 1,
                    "workers killed": len(killed),
                    "not graded": n - sum(report["status"] in ("graded", "look") for report in reports),
                    "in the gradebook": len({student for student, _ in found[what]}),
                    "marks that differ": len(differences(found[what], found["--jobs 2"])),
                }
            )
            print(table(rows), flush=True)
    write({"rows": rows} | machine(*PACKAGES, "distributed"), RESULTS / "grading_cluster.json")


def kill(cluster: Any, course: Path, n: int, kills: int, killed: list[int]) -> None:
    """Kill one worker after the other, each when so many more submissions have been graded."""
    records = course / "reports" / "demo" / "students"
    for number in range(kills):
        while len(list(records.glob("*.json"))) < n * (number + 0.5) / kills:
            time.sleep(0.05)
        while (pid := cluster.workers[number % 2].pid) is None:  # it is being started again
            time.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        killed.append(pid)


def filled(course: Path, n: int, imports: str) -> Path:
    make_course(course, imports=imports)
    for number, (square, shout) in zip(range(n), cycle(product(SQUARES, SHOUTS)), strict=False):
        answers = {"square": square, "shout": shout, "why": WHY if number % 3 else None}
        given = {name: answer for name, answer in answers.items() if answer}
        hand_in(course, f"student{number:04}", answered(course, **given))
    return course


def timed(words: list[str], course: Path) -> float:
    began = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", *words], cwd=course, capture_output=True, text=True, check=False)
    if done.returncode:
        print(done.stderr[-2000:], file=sys.stderr)
    return time.perf_counter() - began


def differences(ours: dict[Any, Any], theirs: dict[Any, Any]) -> list[str]:
    return [
        f"{student}, {cell}: {ours.get((student, cell))} here, {theirs.get((student, cell))} in nbgrader"
        for student, cell in sorted(ours.keys() | theirs.keys())
        if ours.get((student, cell)) != theirs.get((student, cell))
    ]


if __name__ == "__main__":
    main()
