"""Are the marks of `tl-course grade` those of `nbgrader autograde`, on honest submissions to the course's assignments?

    python benchmarks/honest_marks.py [ASSIGNMENT…] [--n 40]

Each submission puts together answers that the tests of the assignments have collected: right ones in several styles,
half right, wrong and none. The same are graded by both, nbgrader's one after another. It takes long: a quarter of an
hour for each assignment on two cores.
"""

import argparse
import importlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from reporting import RESULTS, machine, marks, table, write

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

PACKAGES = ("nbgrader", "nbclient", "ipykernel", "torch", "fastai")


def main() -> None:
    known = sorted(path.name for path in (ROOT / "assignments/source").iterdir())
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("assignments", nargs="*", default=known, metavar="ASSIGNMENT", help=", ".join(known))
    parser.add_argument("--n", type=int, default=40, help="submissions (40)")
    options = parser.parse_args()
    for name in options.assignments:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
            compare(name, options.n, Path(folder))


def compare(name: str, n: int, folder: Path) -> None:
    ours, theirs = folder / "ours", folder / "theirs"
    shutil.copytree(ROOT / "assignments" / "source" / name, ours / "source" / name)
    shutil.copy(ROOT / "assignments" / "nbgrader_config.py", ours)
    run(["tl_course.cli", "assign", name, "--course", str(ours)], ours)
    hand_in_all(ours, name, n)
    shutil.copytree(ours, theirs)
    began = time.perf_counter()
    run(["tl_course.cli", "grade", name, "--course", str(ours), "--json"], ours)
    seconds = {"ours": time.perf_counter() - began}
    kept = folder / "cache"  # as a student's machine that has been through it once
    shutil.copytree(ours / "reports" / name / "cache" / "tests", kept)
    began = time.perf_counter()
    run(["nbgrader", "autograde", name], theirs, TL_COURSE_CACHE=str(kept))
    seconds["theirs"] = time.perf_counter() - began
    mine, yours = marks(ours, name), marks(theirs, name)
    differ = [
        {"student": student, "cell": cell, "here": mine.get((student, cell)), "nbgrader": yours.get((student, cell)),
         "nbgrader's run shows": shown(theirs, name, student, cell)}
        for student, cell in sorted(mine.keys() | yours.keys())
        if not same(mine.get((student, cell)), yours.get((student, cell)))
    ]  # fmt: skip
    row = {
        "assignment": name,
        "submissions": n,
        "marks": len(mine),
        "that differ": len(differ),
        "points, lowest to highest": span(mine),
        "nbgrader, s": round(seconds["theirs"]),
        "tl-course, s": round(seconds["ours"]),
    }
    print(table([row]), *map(json.dumps, differ), sep="\n", flush=True)
    write({"rows": [row], "differ": differ} | machine(*PACKAGES), RESULTS / f"honest_marks_{name}.json")


def same(one: float | None, other: float | None) -> bool:
    return one == other or (one is not None and other is not None and abs(one - other) < 1e-6)


def hand_in_all(course: Path, name: str, n: int) -> None:
    """The first hands in what was handed out, the second the solution, all others a mixture."""
    import nbformat
    from assignment import hand_in

    known: dict[str, list[tuple[str, Any]]] = importlib.import_module(f"answers.{name}").ANSWERS
    cells = nbformat.read(course / "source" / name / f"{name}.ipynb", 4).cells
    answered = [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("solution")]
    for number in range(n):
        student = f"student{number:02}"
        dice = random.Random(f"{name} {number}")
        answers = {}
        for cell in answered if number else ():
            if (question := cell.metadata.nbgrader.grade_id) in known:
                choice = [cell.source, *(text for text, _ in known[question])]
                answers[question] = choice[0 if number == 1 else dice.randrange(len(choice))]
            elif cell.cell_type == "markdown":
                answers[question] = f"What {student} thinks of it."
        hand_in(course, course / "release" / name / f"{name}.ipynb", student, answers)


def run(words: list[str], course: Path, **environment: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *words], cwd=course, capture_output=True, text=True, check=False,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )  # fmt: skip
    if done.returncode:
        print(done.stdout[-2000:], done.stderr[-2000:], sep="\n", file=sys.stderr)


def shown(course: Path, name: str, student: str, cell: str) -> str:
    """What nbgrader's run of a test shows on stderr, or as an error."""
    import nbformat

    try:
        notebook = nbformat.read(course / "autograded" / student / name / f"{name}.ipynb", 4)
    except OSError:
        return "no result"
    for one in notebook.cells:
        if one.metadata.get("nbgrader", {}).get("grade_id") == cell:
            said = [output.get("text") or output.get("evalue") or "" for output in one.outputs
                    if output.get("name") == "stderr" or output.output_type == "error"]  # fmt: skip
            return " | ".join(said)[:300]
    return ""


def span(found: dict[tuple[str, str], float | None]) -> str:
    sums: dict[str, float] = {}
    for (student, _), given in found.items():
        sums[student] = sums.get(student, 0.0) + (given or 0.0)
    return f"{min(sums.values()):g} to {max(sums.values()):g}"


if __name__ == "__main__":
    main()
