"""Our ways to transfer beside fastai's `vision_learner(...).fine_tune(3)`: same pictures, same network, same weights.

    python benchmarks/transfer_vs_fastai.py IMAGES [TEST]

Trains on IMAGES and measures on TEST. Without TEST, IMAGES is cut into folds (one scene stays in one fold): each
is measured on by models trained on the others, and the right and wrong answers of all folds are counted together.

Each run is a process of its own, one after the other, with a cache of its own: in it lies what the backbone leaves
there once on a machine (an export, where its graph does not ship; the cost of making it ready is in a line of its own),
nothing else, except in the row "frozen, again", which repeats the run before it. Ours are whole `tl-course train`
commands. fastai is not held up: it validates nothing while it trains. Peak memory is that of the operating system's
accounting, for each process.
"""

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from fastai_recipe import fine_tuned
from reporting import RESULTS, machine, table, write

sys.path.insert(0, str(Path(__file__).parents[1]))

from tl_course.data import ImageSet, Picture
from tl_course.data.splits import groups_of
from tl_course.data.table import METADATA, table_text
from tl_course.features.backbones import DEFAULT, create
from tl_course.models.heads import folds_of

FASTAI = "fastai fine_tune(3)"
ROWS = {
    "frozen": "the backbone",
    "frozen, again": "backbone and features",
    "fine-tune": "the backbone",
    "scratch": "the backbone",
    FASTAI: "nothing to be warm",
}
PACKAGES = ("tl-course", "torch", "timm", "fastai", "onnxruntime", "numpy")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", help="a data set, as `tl-course train` takes it")
    parser.add_argument("test", nargs="?", help="other pictures of the same labels")
    parser.add_argument("--folds", type=int, default=2, help="without TEST (2)")
    parser.add_argument("--backbone", default=DEFAULT, help=f"({DEFAULT})")
    parser.add_argument("--seed", type=int, default=0, help="(0)")
    parser.add_argument("--scratch", action="store_true", help="also train from scratch")
    parser.add_argument("--only", nargs="+", choices=ROWS, help="these rows")
    parser.add_argument("--out", type=Path, help="(benchmarks/results/NAME.json)")
    options = parser.parse_args()
    rows = options.only or [row for row in ROWS if row != "scratch" or options.scratch]
    images = ImageSet.open(options.images)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        temporary = Path(name)
        if options.test:
            pairs = [(images.copy_to(temporary / "train"), ImageSet.open(options.test).copy_to(temporary / "test"))]
        else:
            pairs = folded(images, options.folds, options.seed, temporary)
        weights = temporary / "weights.pth"
        # In a process of its own: what this one holds would count as the peak of those that it starts.
        subprocess.run([sys.executable, __file__, "weights", options.backbone, weights], check=True)
        once = temporary / "once"
        once.mkdir()
        code = f"from tl_course.features.backbones import *; onnx_model(Backbone.get({options.backbone!r}))"
        ready = measured([sys.executable, "-c", code], once)
        runs: dict[str, list[dict[str, Any]]] = {row: [] for row in rows}
        for number, (train, test) in enumerate(pairs):
            for row in rows:
                cache = temporary / f"cache-{number}-{row.split(',')[0]}"
                if not cache.exists():
                    shutil.copytree(once, cache)
                if row == FASTAI:
                    command = [sys.executable, __file__, "fastai", train.root, test.root, options.backbone, weights]
                    command.append(options.seed)
                    runs[row].append(measured(command, cache))
                else:
                    runs[row].append(ours(row.split(",")[0], train, test, options, cache, temporary / "model"))
                print(
                    f"fold {number + 1} of {len(pairs)}, {row}: {runs[row][-1]['process_seconds']:.1f} s",
                    file=sys.stderr,
                )
    report = {
        "images": images.name,
        "test": Path(options.test).name if options.test else f"{options.folds} folds of {images.name}",
        "backbone": options.backbone,
        "seed": options.seed,
        "rows": {row: summary(found) | {"warm": ROWS[row]} for row, found in runs.items()},
        "backbone_once": {key: ready[key] for key in ("process_seconds", "peak_mb")},
    } | machine(*PACKAGES)
    print(in_words(report))
    write(report, options.out or RESULTS / f"transfer_vs_fastai-{images.name}.json")


def folded(images: ImageSet, folds: int, seed: int, into: Path) -> list[tuple[ImageSet, ImageSet]]:
    """For each fold: the pictures outside it as one data set, those in it as another."""
    targets = np.array([images.labels.index(picture.label) for picture in images])
    fold_of = folds_of(targets, groups_of(list(images)), folds=folds, seed=seed)
    return [
        (
            written(images, [p for p, its in zip(images, fold_of, strict=True) if its != fold], into / f"train-{fold}"),
            written(images, [p for p, its in zip(images, fold_of, strict=True) if its == fold], into / f"test-{fold}"),
        )
        for fold in range(fold_of.max() + 1)
    ]


def written(images: ImageSet, pictures: list[Picture], folder: Path) -> ImageSet:
    for picture in pictures:
        (folder / picture.file_name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(images.path(picture), folder / picture.file_name)
    (folder / METADATA).write_text(table_text(pictures), encoding="utf-8")
    return ImageSet.open(folder)


def ours(
    strategy: str, train: ImageSet, test: ImageSet, options: argparse.Namespace, cache: Path, model: Path
) -> dict[str, Any]:
    arguments = ["train", train.root, "--test", test.root, "--strategy", strategy, "--backbone", options.backbone]
    arguments += ["--device", "cpu", "--seed", options.seed, "--out", model, "--json"]
    found = measured([sys.executable, "-m", "tl_course.cli", *arguments], cache)
    stages = json.loads((model / "config.json").read_text())["history"]["stages"]
    found["train_seconds"] = sum(stages.get(stage, 0) for stage in ("features", "fit", "fine-tune", "scratch"))
    return found


def measured(command: list[Any], cache: Path) -> dict[str, Any]:
    """Run a command and return the JSON object that it prints, with the seconds and megabytes that it took."""
    environment = os.environ | {"TL_COURSE_CACHE": str(cache), "PYTHONPATH": str(Path(__file__).parents[1])}
    environment |= {"HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        start = time.perf_counter()
        process = subprocess.Popen([str(part) for part in command], stdout=stdout, stderr=stderr, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            stderr.seek(0)
            sys.exit(
                f"{' '.join(map(str, command))}\nended with {process.returncode}:\n{stderr.read().decode()[-3000:]}"
            )
        stdout.seek(0)
        printed = stdout.read().decode()
    kilobyte = 1 if platform.system() == "Darwin" else 1024  # macOS counts bytes
    values = json.loads(printed) if printed.strip() else {}
    return values | {"process_seconds": seconds, "peak_mb": usage.ru_maxrss * kilobyte / 2**20}


def summary(runs: list[dict[str, Any]]) -> dict[str, Any]:
    """All folds as one: answers counted together, the mean of the seconds, the highest peak."""
    confusion = np.sum([run["confusion"] for run in runs], axis=0)
    return {
        "accuracy": float(np.trace(confusion) / confusion.sum()),
        "balanced_accuracy": float(np.mean(np.diag(confusion) / confusion.sum(axis=1))),
        "process_seconds": float(np.mean([run["process_seconds"] for run in runs])),
        "train_seconds": float(np.mean([run["train_seconds"] for run in runs])),
        "peak_mb": max(run["peak_mb"] for run in runs),
        "n_train": [run["n_train"] for run in runs],
        "n_test": int(confusion.sum()),
        "confusion": confusion.tolist(),
    }


def in_words(report: dict[str, Any]) -> str:
    rows, ready = report["rows"], report["backbone_once"]
    counts = next(iter(rows.values()))
    fastai = rows.get(FASTAI, {}).get("process_seconds")
    return (
        f"{report['images']}: {report['backbone']}, trained on {' and '.join(map(str, counts['n_train']))} pictures, "
        f"measured on {counts['n_test']} ({report['test']}), {report['cores']} cores\n\n"
        + table(
            [
                {
                    "": name,
                    "accuracy": row["accuracy"],
                    "balanced": row["balanced_accuracy"],
                    "process": f"{row['process_seconds']:.1f} s",
                    "training": f"{row['train_seconds']:.1f} s",
                    "memory": f"{row['peak_mb']:.0f} MB",
                    "faster": f"{fastai / row['process_seconds']:.1f} x" if fastai else "",
                    "warm": row["warm"],
                }
                for name, row in rows.items()
            ]
        )
        + f"\nthe backbone made ready, once a machine: {ready['process_seconds']:.1f} s, {ready['peak_mb']:.0f} MB"
    )


# ---- fastai's side ---------------------------------------------------------------------------------------------------


def save_weights(backbone: str, path: str) -> None:
    """The very weights that ours start from, as a file for timm to load."""
    import torch

    torch.save(create(backbone).state_dict(), path)


def run_fastai(train: str, test: str, backbone: str, weights: str, seed: str) -> None:
    """fastai's own recipe. Prints what `tl-course train --json` prints."""
    from tl_course.models import score

    images, others = ImageSet.open(train), ImageSet.open(test)
    learn, seconds = fine_tuned(images, backbone, weights, seed=int(seed))
    with learn.no_bar(), learn.no_logging():
        probabilities, _ = learn.get_preds(dl=learn.dls.test_dl([others.path(picture) for picture in others]))
    targets = np.array([list(learn.dls.vocab).index(picture.label) for picture in others])
    result = score(probabilities.numpy(), targets)
    values = {"accuracy": result.accuracy, "confusion": result.confusion, "n_train": len(images)}
    print(json.dumps(values | {"train_seconds": seconds}))


if __name__ == "__main__":
    if sys.argv[1:2] == ["fastai"]:
        run_fastai(*sys.argv[2:])
    elif sys.argv[1:2] == ["weights"]:
        save_weights(*sys.argv[2:])
    else:
        main()
