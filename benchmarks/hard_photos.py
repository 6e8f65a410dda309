"""Which means raise the accuracy of a frozen backbone on hard photos, and which do not.

    python benchmarks/hard_photos.py PHOTOS [--repeats 5] [--rows NAME ...]

PHOTOS is a folder with the data sets of `SETS`, each a folder of photos for each label. Every row is cross-validated: 5
folds, drawn anew for each repeat, the same folds for every row, with what looks alike on one side. What a row has to
choose, such as its strength, it chooses within the training side. Fine-tuning is repeated once, for it takes long. Rows
themselves are all shown, and not chosen by what is measured here: the best of many rows flatters itself. Columns: the
mean over the repeats and their standard deviation, which says how much the folds matter and not how much another
hundred photos would: with 115 doors that is about 4 points; "log loss" of flowers, in nats, which is steadier than
accuracy; and the seconds of training on all flowers, features included, nothing kept from before.

To add a row, add to `ROWS` a function of (photos, train, test, seed) that gives probabilities (n_test, n_labels);
``photos.vectors(backbone)`` gives features, each computed once.
"""

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from reporting import RESULTS, machine, table, write

import tl_course
from tl_course import ImageSet
from tl_course.data.splits import groups_of
from tl_course.features import extract
from tl_course.features.backbones import DEFAULT, Backbone
from tl_course.features.similarity import compact, look
from tl_course.models import score
from tl_course.models.heads import FittedHead, fit_head, folds_of

Array = np.ndarray[Any, np.dtype[np.float32]]
Indices = np.ndarray[Any, np.dtype[np.int64]]

SETS = {"flowers": "accuracy", "doors": "balanced_accuracy", "cats_dogs": "accuracy", "birds": "accuracy"}
PACKAGES = ("numpy", "scipy", "pillow", "onnxruntime", "timm", "torch")


@dataclass
class Photos:
    """A data set as rows see it: n photos, in order."""

    images: ImageSet
    paths: list[Path]
    targets: Indices
    groups: list[str]
    kept: dict[str, Array] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path) -> "Photos":
        images = ImageSet.open(folder, warn=False)
        pictures = list(images)
        labels = sorted({picture.label for picture in pictures})
        targets = np.array([labels.index(picture.label) for picture in pictures])
        photos = cls(images, [images.path(picture) for picture in pictures], targets, [])
        seen = look(*compact(photos.vectors(Backbone.get())), photos.paths, groups_of(pictures), of_what=[])
        photos.groups = [str(scene) for scene in seen.scenes]
        return photos

    def vectors(self, backbone: Backbone) -> Array:
        """Features (n, dim), each computed once."""
        key = f"{backbone.key} {backbone.picture_size} {backbone.views}"
        if key not in self.kept:
            start = time.perf_counter()
            self.kept[key] = extract(self.paths, backbone, device="cpu").vectors
            self.seconds[key] = time.perf_counter() - start
        return self.kept[key]


Row = Callable[[Photos, Indices, Indices, int], Array]


# ---- the rows --------------------------------------------------------------------------------------------------------


def sized(side: int | None = None, name: str = DEFAULT, pooling: str = "avg") -> Backbone:
    """The backbone for pictures of `side` pixels."""
    backbone = Backbone.get(name, pooling=pooling)
    return replace(backbone, picture_size=side or backbone.picture_size)


def fitted(photos: Photos, vectors: Array, train: Indices, seed: int, **options: Any) -> FittedHead:
    groups = [photos.groups[i] for i in train]
    return fit_head(vectors[train], photos.targets[train], groups=groups, seed=seed, **options)


def frozen(
    side: int | None = None, *, name: str = DEFAULT, views: int = 1, pooling: str = "avg",
    prepare: Callable[[Array], Array] = lambda v: v, **options: Any,
) -> Row:  # fmt: skip
    """The instant head; `prepare` alters vectors one by one."""

    def row(photos: Photos, train: Indices, test: Indices, seed: int) -> Array:
        vectors = prepare(photos.vectors(replace(sized(side, name, pooling), views=views)))
        return fitted(photos, vectors, train, seed, **options).head.probabilities(vectors[test])

    return row


def sizes(*sides: int) -> Row:
    """Vectors of several sizes of the whole picture, averaged."""

    def row(photos: Photos, train: Indices, test: Indices, seed: int) -> Array:
        vectors = np.mean([photos.vectors(sized(side)) for side in sides], axis=0)
        return fitted(photos, vectors, train, seed).head.probabilities(vectors[test])

    return row


def without_suspects(photos: Photos, train: Indices, test: Indices, seed: int) -> Array:
    """Trained again without the pictures to whose label cross-validation gave less than 1 in 5."""
    vectors = photos.vectors(sized())
    first = fitted(photos, vectors, train, seed)
    given = first.out_of_fold[np.arange(len(train)), photos.targets[train]]
    return fitted(photos, vectors, train[given >= 0.2], seed).head.probabilities(vectors[test])


def of_length_1(vectors: Array) -> Array:
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(5 * vectors / length, np.float32)  # the strengths are meant for vectors of about this length


def tuned(**options: Any) -> Row:
    """The later layers learn too."""

    def row(photos: Photos, train: Indices, test: Indices, seed: int) -> Array:
        with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
            folders = [Path(name) / part for part in ("train", "test")]
            pictures = list(photos.images)
            for folder, part in zip(folders, (train, test), strict=True):
                for i in part:
                    (folder / pictures[i].label).mkdir(parents=True, exist_ok=True)
                    shutil.copy(photos.paths[i], folder / pictures[i].label / f"{i:05}{photos.paths[i].suffix}")
            model = tl_course.train(
                ImageSet.open(folders[0]), strategy="fine-tune", test=ImageSet.open(folders[1]), seed=seed,
                device="cpu", **options,
            )  # fmt: skip
            files = {int(path.stem): path for path in folders[1].rglob("*.*") if path.stem.isdigit()}
            answers = model.predict([files[i] for i in test.tolist()])
            return np.array([[one.probabilities[label] for label in model.labels] for one in answers], np.float32)

    return row


ROWS: dict[str, Row] = {
    "plain: 224 px": frozen(224),
    "288 px (the default)": frozen(),
    "352 px": frozen(352),
    "224 + 288 + 352 px": sizes(224, 288, 352),
    "288 px, labels balanced": frozen(balanced=True),
    "288 px, length 1": frozen(prepare=of_length_1),
    "288 px, square roots": frozen(prepare=lambda vectors: np.sqrt(np.maximum(vectors, 0))),
    "288 px, suspects left out": without_suspects,
    "288 px, 2 views": frozen(views=2),
    "288 px, 6 views": frozen(views=6),
    "lite2, 320 px": frozen(name="tf_efficientnet_lite2"),
    "288 px, GeM pooling": frozen(pooling="gem"),
    "6 views, labels balanced": frozen(views=6, balanced=True),
    "6 views, GeM pooling": frozen(views=6, pooling="gem"),
    "fine-tune": tuned(),
    "fine-tune, 6 views, labels balanced": tuned(views=6, balanced=True),
    "fine-tune, 6 views, GeM pooling": tuned(views=6, pooling="gem"),
}
SLOW = 1  # repeats at most of rows that train a network for each fold


# ---- measuring -------------------------------------------------------------------------------------------------------


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path, help="a folder with flowers, doors, cats_dogs and birds, or some of them")
    parser.add_argument("--repeats", type=int, default=5, help="cross-validations, each with folds of its own (5)")
    parser.add_argument("--rows", nargs="+", choices=ROWS, default=list(ROWS), metavar="NAME", help="(all)")
    parser.add_argument("--out", type=Path, default=RESULTS / "hard_photos.json")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as cache:
        os.environ["TL_COURSE_CACHE"] = cache
        sets = {name: Photos.open(options.photos / name) for name in SETS if (options.photos / name).is_dir()}
        if not sets:
            parser.error(f"{options.photos} has none of the folders {', '.join(SETS)}")
        rows = []
        for name in options.rows:
            row: dict[str, Any] = {"means": name}
            for key, photos in sets.items():
                repeats = min(SLOW, options.repeats) if name.startswith("fine-tune") else options.repeats
                row[key] = cross_validated(ROWS[name], photos, repeats)
            if "flowers" in sets:
                row["seconds"] = seconds(ROWS[name], sets["flowers"])
            rows.append(row)
            print(f"{name}: done", file=sys.stderr)
    print(table([in_words(row) for row in rows]))
    write({"rows": rows, "repeats": options.repeats} | machine(*PACKAGES), options.out)


def cross_validated(row: Row, photos: Photos, repeats: int) -> dict[str, list[float]]:
    """Of each repeat: accuracy, balanced accuracy and log loss."""
    found: dict[str, list[float]] = {"accuracy": [], "balanced_accuracy": [], "log_loss": []}
    for repeat in range(repeats):
        fold_of = folds_of(photos.targets, photos.groups, seed=100 + repeat)
        out = np.zeros((len(photos.targets), int(photos.targets.max()) + 1), np.float32)
        for fold in range(fold_of.max() + 1):
            train, test = np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
            out[test] = row(photos, train, test, repeat)
        result = score(out, photos.targets)
        for key, values in found.items():
            values.append(getattr(result, key))
    return found


def seconds(row: Row, photos: Photos) -> float:
    """Of training on all photos: what their features took when they were computed, and the rest."""
    used: set[str] = set()

    class Noted(dict[str, Array]):
        def __contains__(self, key: object) -> bool:
            used.add(str(key))
            return super().__contains__(key)

    noted = replace(photos, kept=Noted(photos.kept))
    everything = np.arange(len(photos.targets))
    start = time.perf_counter()
    row(noted, everything, everything[:1], 0)
    return time.perf_counter() - start + sum(photos.seconds[key] for key in used)


def in_words(row: dict[str, Any]) -> dict[str, str]:
    cells = {"means": row["means"]}
    for name, measure in SETS.items():
        if name in row:
            values = row[name][measure]
            cells[f"{name}, {measure.replace('_', ' ')}"] = (
                f"{statistics.mean(values):.3f} ± {statistics.pstdev(values):.3f}"
            )
            if name == "flowers":
                cells["log loss"] = f"{statistics.mean(row[name]['log_loss']):.3f}"
    if "seconds" in row:
        cells["seconds"] = f"{row['seconds']:.1f}"
    return cells


if __name__ == "__main__":
    main()
