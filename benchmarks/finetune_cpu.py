"""What makes fine-tuning fast on a CPU, one means after the other, beside fastai's `vision_learner(...).fine_tune(3)`.

    python benchmarks/finetune_cpu.py IMAGES [--folds 2]

IMAGES is cut into folds (one scene stays in one fold): each is measured on by models trained on the others, and all are
counted together. Each run is a process of its own, one after the other. "Training" counts from the pictures' files to
the trained network, libraries loaded; "process" counts from its start to its answers. What a backbone leaves in the
cache once on a machine (an export, where its graph does not ship) is there; nothing else is. fastai is not held up: it
validates nothing while it trains; ours measure the fold that is left out after each epoch, and that is within the
process, not within training.

Every row after fastai's adds one means to the row before it.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any
from unittest.mock import patch

from fastai_recipe import fine_tuned
from reporting import RESULTS, machine, table, write

sys.path.insert(0, str(Path(__file__).parents[1]))

from tl_course import ImageSet
from tl_course.data.splits import groups_of
from tl_course.features.backbones import DEFAULT, create
from tl_course.models.heads import folds_of

ROWS = (
    "fastai fine_tune(3)",
    "from the instant head on; decoded once; channels last",
    "batch norm stays as it was",
    "only the later layers learn",
    "the frozen part sees two views of each picture, before",
    "and that in half precision: fine_tune as it is",
    "crops of 160 pixels",
)
PACKAGES = ("tl-course", "torch", "timm", "fastai", "onnxruntime", "numpy")
EPOCHS, KEEP = 4, 0.3  # as `tl_course.train` has them


def main() -> None:
    if sys.argv[1] == "run":
        print(json.dumps(run(int(sys.argv[2]), Path(sys.argv[3]), Path(sys.argv[4]), sys.argv[5], int(sys.argv[6]))))
        return
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("images", help="a data set, as `tl-course train` takes it")
    parser.add_argument("--folds", type=int, default=2, help="(2)")
    parser.add_argument("--seed", type=int, default=0, help="(0)")
    parser.add_argument("--rows", nargs="+", type=int, default=range(len(ROWS)), help="numbers of rows, from 0 (all)")
    options = parser.parse_args()
    images = ImageSet.open(options.images)
    pictures = list(images)
    labels = [images.labels.index(picture.label) for picture in pictures]
    import numpy as np
    import torch

    fold_of = folds_of(np.array(labels), groups_of(pictures), folds=options.folds, seed=options.seed)
    results: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        temporary = Path(name)
        weights, once = temporary / "weights.pth", temporary / "once"
        torch.save(create(DEFAULT).state_dict(), weights)
        once.mkdir()
        prepare = (
            f"from tl_course.features.backbones import Backbone, onnx_model; onnx_model(Backbone.get({DEFAULT!r}))"
        )
        subprocess.run([sys.executable, "-c", prepare], check=True, env=environment(once))
        for fold in range(options.folds):
            train, test = temporary / f"train-{fold}", temporary / f"test-{fold}"
            for part, folder in ((fold_of != fold, train), (fold_of == fold, test)):
                for i in np.flatnonzero(part):
                    (folder / pictures[i].label).mkdir(parents=True, exist_ok=True)
                    shutil.copy(images.path(pictures[i]), folder / pictures[i].label)
            for number in options.rows:
                cache = temporary / "cache"
                shutil.copytree(once, cache)
                start = time.perf_counter()
                done = subprocess.run(
                    [sys.executable, __file__, "run", str(number), train, test, weights, str(options.seed)],
                    check=True, stdout=subprocess.PIPE, text=True, env=environment(cache),
                )  # fmt: skip
                result = json.loads(done.stdout.splitlines()[-1]) | {"process_seconds": time.perf_counter() - start}
                row = ROWS[number]
                results.setdefault(row, []).append(result)
                print(f"fold {fold + 1}, {row}: {result['seconds']:.1f} s", file=sys.stderr)
                shutil.rmtree(cache)
    report = [summary(row, runs, results) for row, runs in results.items()]
    print(table(report))
    about = {"images": images.root.name, "folds": options.folds, "seed": options.seed, "epochs": EPOCHS}
    write(
        about | {"rows": report, "runs": results} | machine(*PACKAGES),
        RESULTS / f"finetune_cpu-{images.root.name}.json",
    )


def environment(cache: Path) -> dict[str, str]:
    home = str(Path(__file__).parents[1])
    return os.environ | {"TL_COURSE_CACHE": str(cache), "PYTHONPATH": home}


def summary(row: str, runs: list[dict[str, Any]], results: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """One row of the table: medians over the folds, answers counted together."""
    fastai = results.get(ROWS[0], runs)
    seconds, process = (statistics.median(run[key] for run in runs) for key in ("seconds", "process_seconds"))
    return {
        "means": row,
        "accuracy": sum(run["right"] for run in runs) / sum(run["n"] for run in runs),
        "training, s": f"{seconds:.1f}",
        "times faster": f"{statistics.median(run['seconds'] for run in fastai) / seconds:.1f}",
        "process, s": f"{process:.1f}",
        "as a process": f"{statistics.median(run['process_seconds'] for run in fastai) / process:.1f}",
    }


def run(number: int, train: Path, test: Path, weights: str, seed: int) -> dict[str, Any]:
    """Train by one row and count the right answers on the other fold."""
    images, others = ImageSet.open(train), ImageSet.open(test)
    if number == 0:
        import fastai.vision.all  # noqa: F401 - loaded before the clock starts

        learn, seconds = fine_tuned(images, DEFAULT, weights, seed=seed)
        paths = [others.path(picture) for picture in others]
        scores, _ = learn.get_preds(dl=learn.dls.test_dl(paths))
        given = [learn.dls.vocab[i] for i in scores.argmax(dim=1)]
        return {"seconds": seconds, **counted(given, others)}
    import tl_course
    from tl_course.training import classifier, frozen_cache, learner, learners, strategies

    frozen = tl_course.train(images, test=others)
    seconds = frozen.history.seconds - frozen.history.stages["test"]
    start = time.perf_counter()
    learn = learner(images, head=frozen.head, test=others, seed=seed, size=160 if number == 6 else None)
    seconds += time.perf_counter() - start
    with (
        patch.object(strategies, "kept", plainly if number == 3 else strategies.kept),
        patch.object(frozen_cache, "half_precision", single if number < 5 else frozen_cache.half_precision),
        patch.object(learners, "half_precision", single if number < 5 else learners.half_precision),
    ):
        if number < 3:
            if number == 2:
                strategies._unfreeze(learn, len(learn.recording.groups) - 1)
            else:
                learn.unfreeze()
            with learn.no_bar(), learn.no_logging(), strategies._going_back(learn, KEEP):
                learn.fit_one_cycle(EPOCHS, strategies._discriminative(learn, strategies.RATE, 2.6))
        else:
            strategies.fine_tune(learn, EPOCHS, freeze_epochs=0, keep=KEEP)
    seconds += learn.recording.history.column("seconds")[-1]
    given = [answer.label for answer in classifier(learn).predict([others.path(picture) for picture in others])]
    return {"seconds": seconds, **counted(given, others)}


def plainly(*_: object) -> AbstractContextManager[None]:
    """Instead of `kept`: every picture goes through the whole network in each epoch."""
    return nullcontext()


def single(_: str) -> AbstractContextManager[None]:
    """Instead of half precision."""
    return nullcontext()


def counted(given: list[str], others: ImageSet) -> dict[str, int]:
    return {"right": sum(one == picture.label for one, picture in zip(given, others, strict=True)), "n": len(others)}


if __name__ == "__main__":
    main()
