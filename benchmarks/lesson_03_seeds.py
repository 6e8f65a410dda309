"""Does cleaning help? Lesson 03 on drawn doors, with one seed after another.

    python benchmarks/lesson_03_seeds.py

Each seed is another set of doors with other mistakes, and the whole lesson is run on it, as `tl-course run` does. The
judge is the validation split, which is sound and stays untouched. "lazy" is the most suspicious third of the training
pictures thrown out unseen, from the set as it came and from the cleaned one.
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

MODELS = ("as it came", "lazy", "cleaned", "cleaned, lazy")
JUDGES = {"by_the_judge": "judge", "cross_validated": "cross-validated"}


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
    rows = [
        {
            "mean accuracy": model,
            **{short: statistics.mean(run[name][i] for run in runs.values()) for name, short in JUDGES.items()},
        }
        for i, model in enumerate(MODELS)
    ]
    better = [
        {
            "better than before": f"{MODELS[after]} than {MODELS[before]}",
            **{
                short: f"{sum(run[name][after] > run[name][before] for run in runs.values())} of {len(runs)}"
                for name, short in JUDGES.items()
            },
        }
        for before, after in ((0, 2), (0, 1), (2, 3))
    ]
    print(f"{table(rows)}\n\n{table(better)}")
    write({"runs": runs, "mean": rows, "better": better} | machine("tl-course", "numpy", "scipy"), options.out)


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
