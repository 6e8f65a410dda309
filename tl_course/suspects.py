"""Which pictures look wrong, and why: each gets a score and a reason in words.

Five kinds of suspicion are looked at, from kept features:

- *label*: a head that was trained without the picture does not believe its label, and its neighbours bear another;
- *off-topic*: it lies far from the middle of its label, as what belongs to no label lies far from all of them;
- *duplicate*: the same picture, or nearly the same one, is there already, perhaps under another label;
- *leak*: its duplicate is on the other side of the split, so that validation flatters;
- *odd*: it is blank, tiny, or a strip.

How they are weighed was chosen by measuring: ``benchmarks/suspects.py`` plants errors in photos and looks for them.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from threadpoolctl import threadpool_limits

from tl_course.backbones import Backbone
from tl_course.devices import cores
from tl_course.errors import ImageSetError
from tl_course.features import extract
from tl_course.heads import Head, folds_of, logistic_regression
from tl_course.imageset import ImageSet, Picture
from tl_course.pictures import load
from tl_course.splits import groups_of

__all__ = ["KINDS", "Suspect", "Suspects"]

KINDS = ("label", "off-topic", "duplicate", "leak", "odd")

DIMENSIONS = 128  # principal components that are looked at: ten times faster than all, and no worse on planted errors
NEIGHBOURS = 15
STRENGTH = 0.003  # of the head: strongly regularised, so that it does not learn wrong labels by heart
TWIN = 0.9  # cosine of features: crops by 4 %, mirror images and brighter copies lie above, other photos below .88
FAR = 2.5, 1.5  # off-topic: robust standard deviations at which the suspicion is one half, and how fast it grows
MIN_SIDE, MAX_ASPECT = 32, 4.0  # pixels; width by height

WORTH_A_WORD = 0.3  # suspicions below it are not spoken of

Array = NDArray[np.float32]
Indices = NDArray[np.int64]
Found = tuple[float, str, str]  # a share of suspicion, 0 to 1, its kind, and the reason in words


@dataclass(frozen=True)
class Suspect:
    """A picture, and how suspicious it is.

    Attributes
    ----------
    file_name, label, split : str
        As in the data set.
    score : float
        From 0 (nothing speaks against it) to 1.
    kind : str
        The strongest of `KINDS`; empty where none is worth a word.
    reason : str
        In words.
    predicted : str
        The label that a head which had not seen the picture gives it.
    confidence : float
        The probability of `predicted`.
    neighbours : tuple of str
        File names of the pictures most like it, the nearest first.
    """

    file_name: str
    label: str
    split: str
    score: float
    kind: str
    reason: str
    predicted: str
    confidence: float
    neighbours: tuple[str, ...]


class Suspects:
    """The pictures of a data set, ranked by how suspicious they are; ranked anew in no time when a label changes.

    What does not depend on labels (features, neighbours, duplicates) is computed once, when this is made.

    Parameters
    ----------
    images : ImageSet
    backbone : str
        Whose features to look at.
    device : {"auto", "cpu", "cuda"}
        Where to compute features that are not kept yet.
    progress : bool
        Show a progress bar for that.

    Attributes
    ----------
    accuracy : float
        Share of the pictures whose label a head that had not seen them predicts, as of the last `rank`.

    Raises
    ------
    ImageSetError
        There are too few pictures to compare: fewer than two labels, or a label with a single picture.

    References
    ----------
    Labels out of sample: Northcutt, Jiang, Chuang (2021), Confident learning, JAIR 70. Neighbours on pretrained
    features: Zhu, Dong, Liu (2022), Detecting corrupted labels without training a model to predict, ICML.
    """

    def __init__(
        self,
        images: ImageSet,
        *,
        backbone: str = "tf_efficientnet_lite0",
        device: str = "auto",
        progress: bool = False,
    ) -> None:
        self.images = images
        self.accuracy = float("nan")
        everything = [*images, *images.dropped]  # so that what is restored need not be looked at anew
        paths = [images.path(picture) for picture in everything]
        hashes = [picture.sha256 for picture in everything]
        found = extract(paths, Backbone.get(backbone), device=device, hashes=hashes, progress=progress)
        good = [i for i in range(len(everything)) if i not in found.failed]
        self._unreadable = {everything[i].file_name: reason for i, reason in found.failed.items()}
        pictures = [everything[i] for i in good]
        self._index = {picture.file_name: i for i, picture in enumerate(pictures)}
        self._unit, self._compact = _compact(found.vectors[good])
        self._twins = _twins(self._unit, [picture.sha256 for picture in pictures])
        self._groups = _merged(groups_of(pictures), self._twins)
        self._near, self._nearness = _neighbours(self._compact, self._groups)
        with ThreadPoolExecutor(cores()) as pool:
            self._odd = list(pool.map(_oddity, (paths[i] for i in good)))
        self._heads: dict[int, Head] = {}  # of the last ranking, from which the next one starts
        self._labels: list[str] = []

    def rank(self) -> list[Suspect]:
        """All live pictures by the labels that they have now, the most suspicious first.

        Raises
        ------
        ImageSetError
            There are fewer than two labels.
        """
        live = [picture for picture in self.images if picture.file_name in self._index]
        labels = sorted({picture.label for picture in live})
        if len(labels) < 2:
            raise ImageSetError(
                f"{self.images.name} has {len(labels)} label. Suspects are found by comparing: add pictures of another."
            )
        rows = np.array([self._index[picture.file_name] for picture in live])
        targets = np.array([labels.index(picture.label) for picture in live])
        guesses = self._out_of_fold(rows, targets, labels)
        predicted = guesses.argmax(1)
        self.accuracy = float((predicted == targets).mean())

        place = np.full(len(self._index), -1)
        place[rows] = np.arange(len(rows))
        near = place[self._near[rows]]  # as indices into `live`; -1 where the neighbour was dropped
        weight = np.where(near >= 0, self._nearness[rows], 0.0)
        other = targets[near] != targets[:, None]
        disagreement = (other * weight).sum(1) / np.maximum(weight.sum(1), 1e-6)
        doubt = _trust(self.accuracy, targets) * (1 - guesses[np.arange(len(live)), targets] + disagreement) / 2
        far = _sigmoid((_deviations(self._unit[rows], targets) - FAR[0]) * FAR[1])
        twins = self._suspicious_twins(live, rows, place)

        suspects = []
        for i, picture in enumerate(live):
            neighbours = near[i][near[i] >= 0]
            odds = int(other[i][near[i] >= 0].sum())
            confidence = float(guesses[i, predicted[i]])
            found = [
                (
                    float(doubt[i]),
                    "label",
                    _in_words(picture.label, labels[predicted[i]], confidence, odds, len(neighbours)),
                ),
                (float(far[i]), "off-topic", f"unlike everything else called {picture.label!r}"),
                *twins.get(i, ()),
                *([(0.8, "odd", self._odd[rows[i]])] if self._odd[rows[i]] else []),
            ]
            suspects.append(
                Suspect(
                    picture.file_name,
                    picture.label,
                    picture.split,
                    score=1 - float(np.prod([1 - share for share, _, _ in found])),
                    kind=max(found)[1] if max(found)[0] >= WORTH_A_WORD else "",
                    reason="; ".join(
                        reason for share, _, reason in sorted(found, reverse=True) if share >= WORTH_A_WORD
                    ),
                    predicted=labels[predicted[i]],
                    confidence=confidence,
                    neighbours=tuple(live[j].file_name for j in neighbours),
                )
            )
        return sorted(suspects, key=lambda one: (-one.score, one.file_name))

    def _out_of_fold(self, rows: Indices, targets: Indices, labels: list[str]) -> Array:
        """Probabilities (n, n_labels) of every picture from a head that has not seen it, nor its twins."""
        fold_of = folds_of(targets, [self._groups[row] for row in rows])
        start = self._heads if labels == self._labels else {}
        self._heads, self._labels = {}, labels
        guesses = np.zeros((len(rows), len(labels)), np.float32)
        vectors = self._compact[rows]
        with threadpool_limits(1):
            for fold in range(int(fold_of.max()) + 1):
                out = fold_of == fold
                head = logistic_regression(
                    vectors[~out], targets[~out], len(labels), strength=STRENGTH, start=start.get(fold)
                )
                guesses[out] = head.probabilities(vectors[out])
                self._heads[fold] = head
        return guesses

    def _suspicious_twins(self, live: list[Picture], rows: Indices, place: Indices) -> dict[int, list[Found]]:
        """What is to be said of pictures that are there more than once, by index into `live`."""
        said: dict[int, list[Found]] = {}
        for a, b, same in self._twins:
            i, j = sorted((int(place[a]), int(place[b])))
            if i < 0:
                continue  # one of them is dropped
            what = "the same picture as" if same else "nearly the same picture as"
            one, two = live[i], live[j]
            if one.label != two.label:
                for index, twin in ((i, two), (j, one)):
                    said.setdefault(index, []).append(
                        (0.9, "duplicate", f"{what} {twin.file_name}, called {twin.label!r}")
                    )
            elif one.split != two.split:
                index, twin = (i, two) if one.split == "train" else (j, one)
                said.setdefault(index, []).append(
                    (0.85, "leak", f"{what} {twin.file_name}, which is in {twin.split!r}")
                )
            else:
                said.setdefault(j, []).append((0.75, "duplicate", f"{what} {one.file_name}"))
        return {index: [max(found)] for index, found in said.items()}


# ---- what does not depend on labels ----------------------------------------------------------------------------------


def _compact(vectors: Array) -> tuple[Array, Array]:
    """Vectors of length 1, and their principal components, scaled so that heads of one strength suit every set."""
    unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    centred = unit - unit.mean(0)
    if len(centred) > centred.shape[1]:
        _, basis = np.linalg.eigh(centred.T @ centred)
        components = centred @ basis[:, ::-1][:, :DIMENSIONS]
    else:
        basis, scale, _ = np.linalg.svd(centred, full_matrices=False)
        components = (basis * scale)[:, :DIMENSIONS]
    size = np.sqrt((components**2).sum(1).mean() / vectors.shape[1])
    return unit.astype(np.float32), np.ascontiguousarray(components / max(float(size), 1e-12), np.float32)


def _nearest(vectors: Array, use: Callable[[int, Array], None]) -> None:
    """Hand over the cosines of all pairs, some rows at a time: `use(first row, cosines)`."""
    length = np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    unit = (vectors / length).astype(np.float32)
    for first in range(0, len(unit), 512):
        use(first, unit[first : first + 512] @ unit.T)


def _twins(unit: Array, hashes: Sequence[str]) -> list[tuple[int, int, bool]]:
    """Pairs of pictures that are the same (True) or nearly so (False), as indices."""
    pairs: list[tuple[int, int, bool]] = []

    def use(first: int, cosines: Array) -> None:
        for i, j in np.argwhere(cosines >= TWIN):
            if first + i < j:
                pairs.append((int(first + i), int(j), hashes[first + i] == hashes[j]))

    _nearest(unit, use)
    return pairs


def _neighbours(vectors: Array, groups: Sequence[int]) -> tuple[Indices, Array]:
    """For each picture its nearest of other scenes (n, k), and how near they are: cosines, 0 at least."""
    group = np.asarray(groups)
    k = min(NEIGHBOURS, len(vectors) - 1)
    index = np.zeros((len(vectors), k), np.int64)
    nearness = np.zeros((len(vectors), k), np.float32)

    def use(first: int, cosines: Array) -> None:
        cosines[group[first : first + len(cosines), None] == group] = -1
        best = np.argpartition(-cosines, k - 1, axis=1)[:, :k]
        order = np.argsort(-np.take_along_axis(cosines, best, 1), axis=1)
        best = np.take_along_axis(best, order, 1)
        index[first : first + len(cosines)] = best
        nearness[first : first + len(cosines)] = np.take_along_axis(cosines, best, 1)

    _nearest(vectors, use)
    return index, nearness.clip(0)


def _merged(groups: Sequence[str], twins: Sequence[tuple[int, int, bool]]) -> list[int]:
    """Groups as numbers, those of twins made one."""
    first: dict[str, int] = {}
    leader = [first.setdefault(group, i) for i, group in enumerate(groups)]

    def find(i: int) -> int:
        while leader[i] != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    for a, b, _ in twins:
        leader[find(a)] = find(b)
    return [find(i) for i in range(len(leader))]


def _oddity(path: Path) -> str:
    """What is odd about a picture's shape or content, judged by its header unless it is suspiciously short."""
    with Image.open(path) as image:
        width, height = image.size
    if min(width, height) < MIN_SIDE:
        return f"tiny: {width} x {height} pixels"
    if max(width, height) > MAX_ASPECT * min(width, height):
        return f"a strip: {width} x {height} pixels"
    if path.stat().st_size < 0.05 * width * height:  # few bytes for so many pixels: there can be little to see
        small = load(path, size=32).resize((32, 32)).convert("L")
        if np.asarray(small, np.float32).std() < 4:
            return "blank"
    return ""


# ---- what does ------------------------------------------------------------------------------------------------------


def _trust(accuracy: float, targets: Indices) -> float:
    """How far to trust the doubts of a head: the root of how much better it is than the laziest guess."""
    lazy = float(np.bincount(targets).max() / len(targets))
    return float(np.sqrt(max(0.0, (accuracy - lazy) / max(1 - lazy, 1e-6))))


def _deviations(unit: Array, targets: Indices) -> Array:
    """How far each picture is from the middle of its label: robust standard deviations of the cosine distance."""
    distance = np.zeros(len(unit), np.float32)
    for target in np.unique(targets):
        mine = unit[targets == target]
        middle = np.median(mine, axis=0)
        distance[targets == target] = 1 - mine @ (middle / max(float(np.linalg.norm(middle)), 1e-12))
    off = distance - np.median(distance)
    return np.asarray(off / max(1.4826 * float(np.median(np.abs(off))), 1e-6))


def _sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def _in_words(label: str, predicted: str, confidence: float, others: int, neighbours: int) -> str:
    if predicted == label:
        believed = f"barely taken for {label!r} ({confidence:.0%})"
    else:
        believed = f"looks like {predicted!r} ({confidence:.0%})"
    return f"{believed}, and {others} of its {neighbours} nearest are not called {label!r}" if others else believed
