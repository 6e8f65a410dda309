"""Grading of honest submissions: `tl-course grade`, isolated, against `nbgrader autograde`; seconds and marks.

    python benchmarks/grading.py [--n 40] [--heavy 12]

Two assignments: one that imports nothing, one whose first cell imports torch and fastai. The same submissions, full,
partial, empty and in several styles, are graded by both in one run, each as a process of its own, start included.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from itertools import product
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
    options = parser.parse_args()
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


def filled(course: Path, n: int, imports: str) -> Path:
    make_course(course, imports=imports)
    for number, (square, shout) in zip(range(n), product(SQUARES, SHOUTS), strict=False):
        answers = {"square": square, "shout": shout, "why": WHY if number % 3 else None}
        given = {name: answer for name, answer in answers.items() if answer}
        hand_in(course, f"student{number:02}", answered(course, **given))
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
