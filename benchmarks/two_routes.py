"""Two routes to a backbone for cats and dogs: a source model of one's own, or a published one.

    python benchmarks/two_routes.py [--n 3000] [--epochs 15] [--seeds 2]

Lesson 02 does this in seconds, with sources that hardly learn. Here they get their chance: as many drawn pictures and
passes as it takes them to learn their own task. Each source is trained from scratch at 64 pixels and saved; then its
backbone is frozen and gets an instant head for drawn cats and dogs, five times, from another half of the training
pictures. So do the same network with random numbers, and the published backbone of the course, which is another
network at its own size. Shown are the mean and the lowest and highest: the halves overlap, and all are measured on the
same pictures, so an interval would promise too much.
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from reporting import RESULTS, machine, table, write
from torchvision.transforms.v2 import RandomHorizontalFlip

sys.path.insert(0, str(Path(__file__).parents[1]))

from tl_course import ImageSet, train
from tl_course.features.backbones import DEFAULT
from tl_course.synthetic import render_dataset
from tl_course.training import classifier, learner, scratch

PACKAGES = ("torch", "timm", "fastai", "onnxruntime", "numpy")
NETWORK = "resnet10t"  # small, and learns from few pictures where others of timm's need many
SOURCES = ("animals", "patterns")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n", type=int, default=3000, help="pictures of each source (3000)")
    parser.add_argument("--epochs", type=int, default=15, help="passes over them (15)")
    parser.add_argument("--seeds", type=int, default=2, help="source models of each kind (2)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        work = Path(name)
        os.environ["TL_COURSE_CACHE"] = str(work / "cache")
        target = render_dataset("cats_dogs", work / "cats_dogs", n=220, valid=0.4, seed=0)
        halves = [target.subset(len(target.train) // 2, seed=seed) for seed in range(5)]
        mirror = RandomHorizontalFlip()  # crops leave too little of such small pictures
        rows: dict[str, dict[str, Any]] = {}
        for source in SOURCES:
            pictures = render_dataset(source, work / source, n=options.n, size=96, seed=0)
            for seed in range(options.seeds):
                learn = learner(pictures, backbone=NETWORK, pretrained=False, size=64, augment=mirror, seed=seed)
                learn.dls.train.bs = 32
                history = scratch(learn, options.epochs)
                folder = classifier(learn).save(work / f"{source}-{seed}")
                row = rows.setdefault(f"own source: {source}", {"own task": [], "guessing": 1 / len(pictures.labels)})
                row["own task"].append(history.epochs[-1]["valid_accuracy"])
                row.setdefault("seconds", []).append(history.epochs[-1]["seconds"])
                row.setdefault("target", []).extend(heads(halves, folder))
        for seed in range(options.seeds):
            untrained = learner(target, backbone=NETWORK, pretrained=False, size=64, seed=seed)
            folder = classifier(untrained).save(work / f"random-{seed}")
            rows.setdefault("random numbers", {"target": []})["target"] += heads(halves, folder)
        rows["published"] = {"target": heads(halves)}
    print(table([{"backbone": name} | in_words(row) for name, row in rows.items()]))
    about = {"network": NETWORK, "n": options.n, "epochs": options.epochs, "seeds": options.seeds}
    write(about | {"rows": rows} | machine(*PACKAGES), RESULTS / "two_routes.json")


def heads(halves: list[ImageSet], backbone: str | Path = DEFAULT) -> list[float]:
    """Accuracies of instant heads, one for each half."""
    return [float(train(half, backbone=backbone).metrics["accuracy"]) for half in halves]


def in_words(row: dict[str, Any]) -> dict[str, str]:
    own = f"{np.mean(row['own task']):.2f}, guessing {row['guessing']:.2f}" if "own task" in row else ""
    return {
        "right on its own task": own,
        "seconds to develop": f"{np.mean(row['seconds']):.0f}" if "seconds" in row else "",
        "cats and dogs": f"{np.mean(row['target']):.3f} ({min(row['target']):.3f} to {max(row['target']):.3f})",
    }


if __name__ == "__main__":
    main()
