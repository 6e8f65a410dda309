"""Does cleaning help? Lesson 03 on drawn doors, with one seed after another.

    python benchmarks/lesson_03_seeds.py

Each seed is another set of doors with other mistakes, and the whole lesson is run on it, as `tl-course run` does. The
judge is the validation split: its labels are right and stay untouched.

as it came         a quarter of the training labels is wrong
a third thrown out without the most suspicious third of the training pictures, unseen
cleaned            five pages of 24 suspects looked at and decided by what was drawn
"""

import argparse
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from reporting import RESULTS, machine, table, write

sys.path.insert(0, str(Path(__file__).parents[1]))

from tl_course.notebooks import run_lessons

MODELS = {"as it came": "before_cleaning", "a third thrown out": "thrown_out", "cleaned": "after_cleaning"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(10)), help="(0 to 9)")
    parser.add_argument("--out", type=Path, default=RESULTS / "lesson_03_seeds.json")
    options = parser.parse_args()
    runs = {}
    for seed in options.seeds:
        run = runs[seed] = records(seed)
        print(
            f"seed {seed}: {run['before_cleaning']:.3f} before cleaning, {run['after_cleaning']:.3f} after",
            file=sys.stderr,
        )
    rows = []
    for i, (model, judged) in enumerate(MODELS.items()):
        by_judge = [run[judged] for run in runs.values()]
        gains = [run[judged] - run["before_cleaning"] for run in runs.values()]
        rows.append(
            {
                "model": model,
                "judge": statistics.mean(by_judge),
                "gain": statistics.mean(gains),
                "better": f"{sum(gain > 0 for gain in gains)} of {len(runs)}",
                "worse": f"{sum(gain < 0 for gain in gains)} of {len(runs)}",
                "cross-validated": statistics.mean(run["cross_validated"][i] for run in runs.values()),
            }
        )
    print(table(rows))
    for what in ("bribed", "seconds", "peak_mb"):
        print(f"{what}: median {statistics.median(run[what] for run in runs.values()):.3f}")
    write({"rows": rows, "runs": runs} | machine("tl-course", "numpy", "scipy"), options.out)


def records(seed: int) -> dict[str, Any]:
    """What the lesson recorded."""
    with tempfile.TemporaryDirectory() as folder:
        given = {"source": "rendered", "seed": seed, "folder": f"{folder}/doors"}
        (run,) = run_lessons(["03_doors"], out=f"{folder}/out", parameters=given, enforce_budgets=False).lessons
        if not run.ok:
            sys.exit(f"seed {seed}: {run.problems}")
        return dict(run.records) | {"seconds": run.seconds, "peak_mb": run.peak_mb}


if __name__ == "__main__":
    main()
