"""Which pictures look wrong, and why: each gets a score and a reason in words.

Five kinds of suspicion are looked at, from kept features:

- *label*: a head that was trained without the picture does not believe its label, and its neighbours bear another;
- *off-topic*: it lies farther from the middle of its label than chance would have it, among so many pictures;
- *duplicate*: the same picture, or nearly the same one, is there already, perhaps under another label;
- *leak*: its duplicate is on the other side of the split, so that validation flatters;
- *odd*: it is blank, tiny, or a strip.

How they are weighed was chosen by measuring: ``benchmarks/suspects.py`` plants errors in photos and looks for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import erfc, sqrt
from pathlib import Path
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from tl_course.core.devices import pick_device
from tl_course.data.imageset import ImageSet, Picture
from tl_course.data.splits import groups_of
from tl_course.errors import ImageSetError
from tl_course.features.backbones import DEFAULT
from tl_course.features.extraction import extract, fingerprint
from tl_course.features.similarity import compact, look
from tl_course.models.classifier import backbone_and_body
from tl_course.models.heads import Head, folds_of, logistic_regression

__all__ = ["KINDS", "Suspect", "Suspects"]

KINDS = ("label", "off-topic", "duplicate", "leak", "odd")

STRENGTH = 0.003  # of the head: strongly regularised, so that it does not learn wrong labels by heart
TOLERANCE = 1e-4  # of the heads: what they would learn further moves no picture
JUNK = 0.25  # share of the pictures that may be wrong without moving the middle of a label, or what is usual there
FAR = 1.5, 4.0  # off-topic: standard deviations within which nothing is far, whatever chance says, and how sharply
BELIEVED = 0.2  # doubt of a label below which a picture is the less off-topic: it is known as what it is called
ODD = 0.8
WORTH_A_WORD = 0.5  # suspicions below it are not spoken of

Array = NDArray[np.float32]
Indices = NDArray[np.int64]
Found = tuple[float, tuple[str, ...], str]  # a share of suspicion, 0 to 1, its kinds, and the reason in words


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
    margin : float
        `confidence` less the probability of the next likely label: near 0 where two labels are as likely.
    kinds : tuple of str
        All of `KINDS` that are worth a word, the strongest first.
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
    margin: float = 1.0
    kinds: tuple[str, ...] = ()


class Suspects:
    """The pictures of a data set, ranked by how suspicious they are; ranked anew in no time when a label changes.

    What does not depend on labels (features, neighbours, duplicates) is computed once, when this is made; of a large
    set it is kept in the user's cache directory, so that a later session only ranks.

    Parameters
    ----------
    images : ImageSet
    backbone : str or Path
        Whose features to look at: timm's name of a network, or the folder of a classifier that you have trained and
        saved, which knows what matters in your pictures.
    device : {"auto", "cpu", "cuda"}
        Where to compute features that are not kept yet.
    progress : bool
        Show a bar for that where somebody may look (see `tl_course.core.progress`).

    Attributes
    ----------
    accuracy : float
        Share of the pictures whose label a head that had not seen them predicts, as of the last `rank`.

    Raises
    ------
    BackboneError
        There is no such backbone here.
    ModelError
        `backbone` is a folder without a saved classifier, or with a damaged one.

    References
    ----------
    Labels out of sample: Northcutt, Jiang, Chuang (2021), Confident learning, JAIR 70. Neighbours on pretrained
    features: Zhu, Dong, Liu (2022), Detecting corrupted labels without training a model to predict, ICML. More far
    ones than chance would have: Benjamini, Hochberg (1995), Controlling the false discovery rate, JRSS B 57.
    """

    def __init__(
        self,
        images: ImageSet,
        *,
        backbone: str | Path = DEFAULT,
        device: str = "auto",
        progress: bool = True,
    ) -> None:
        self.images = images
        self.accuracy = float("nan")
        original = images.original
        everything = [images[one.file_name] for one in original]  # dropped ones too, which may be restored
        paths = [images.path(picture) for picture in everything]
        hashes = [picture.sha256 for picture in everything]
        model, body = backbone_and_body(backbone)
        network = (lambda: body) if body is not None else None
        found = extract(paths, model, device=device, hashes=hashes, body=network, progress=progress)
        good = [i for i in range(len(everything)) if i not in found.failed]
        self._unreadable = {
            everything[i].file_name: reason.removeprefix(f"{paths[i]}: ") for i, reason in found.failed.items()
        }
        pictures, paths = [everything[i] for i in good], [paths[i] for i in good]
        self._index = {picture.file_name: i for i, picture in enumerate(pictures)}
        self._unit, self._compact = compact(found.vectors[good])
        groups = groups_of(pictures)
        looked = look(
            self._unit, self._compact, paths, groups, hashes=[hashes[i] for i in good],
            of_what=fingerprint(model, pick_device(device)), progress=progress,
        )  # fmt: skip
        self._twins, self._groups = looked.twins, looked.scenes
        self._near, self._nearness = looked.near, looked.nearness
        self._odd: list[str] = looked.odd.tolist()
        # By the labels before any edit: what is the same in every session, and leaves later heads little to learn.
        before = [original[i].label for i in good]
        self._labels = sorted(set(before))
        targets = np.searchsorted(self._labels, before)
        self._fold_of = _folds(targets, self._groups)
        self._heads = self._fitted(np.arange(len(good)), targets, self._fold_of, self._labels, {})
        self._first_tried: Head | None = None
        self._first_labels: list[str] = []

    def rank(self) -> list[Suspect]:
        """All live pictures by the labels that they have now, the most suspicious first.

        Where there is a single label, labels cannot be doubted, and all else is looked at. A picture whose file cannot
        be read comes first: it is "odd", and the reason says why.

        Raises
        ------
        ImageSetError
            All pictures are dropped.
        """
        if not len(self.images):
            raise ImageSetError(f"All pictures of {self.images.name} are dropped. Bring some back: images.undo().")
        why = self._unreadable
        broken = [
            Suspect(one.file_name, one.label, one.split, 1.0, "odd", why[one.file_name], "", 0.0, (), kinds=("odd",))
            for one in self.images
            if one.file_name in why
        ]
        live = [picture for picture in self.images if picture.file_name in self._index]
        if not live:
            return sorted(broken, key=lambda one: one.file_name)
        labels = sorted({picture.label for picture in live})
        rows = np.array([self._index[picture.file_name] for picture in live])
        targets = np.array([labels.index(picture.label) for picture in live])
        alone = _alone(targets, self._groups[rows]) & (len(labels) > 1)
        guesses = self._out_of_fold(rows, targets, labels, alone)
        predicted = guesses.argmax(1)
        self.accuracy = float((predicted == targets).mean())

        place = np.full(len(self._index), -1)
        place[rows] = np.arange(len(rows))
        near = place[self._near[rows]]  # as indices into `live`; -1 where the neighbour was dropped
        weight = np.where(near >= 0, self._nearness[rows], 0.0)
        other = targets[near] != targets[:, None]
        disagreement = (other * weight).sum(1) / np.maximum(weight.sum(1), 1e-6)
        doubt = (1 - guesses[np.arange(len(live)), targets] + disagreement) / 2
        far = _off_topic(_distances(self._unit, rows, targets))
        if len(labels) > 1:
            far *= np.minimum(1, doubt / BELIEVED)
        doubt[alone] = 0  # nobody could have known that label
        twins = self._suspicious_twins(live, rows, place)

        odd = [self._odd[row] for row in rows.tolist()]
        shares = np.stack([doubt, far, 0.5 * alone, [max(twins[i])[0] if i in twins else 0 for i in range(len(live))]])
        innocent = np.prod(1 - shares, axis=0) * np.where([bool(reason) for reason in odd], 1 - ODD, 1)
        own, guess = targets.tolist(), predicted.tolist()
        sure = guesses[np.arange(len(live)), predicted].astype(float).tolist()
        margins = np.diff(np.sort(guesses, axis=1)[:, -2:], axis=1)[:, 0].astype(float) if len(labels) > 1 else None
        names = np.array([picture.file_name for picture in live], object)
        there = near >= 0
        suspects = broken
        for i, picture in enumerate(live):
            found: list[Found] = []
            if doubt[i] >= WORTH_A_WORD:
                others = int((other[i] & there[i]).sum())
                words = _in_words(labels[own[i]], labels[guess[i]], sure[i], others, int(there[i].sum()))
                found.append((float(doubt[i]), ("label",), words))
            if far[i] >= WORTH_A_WORD:
                found.append((float(far[i]), ("off-topic",), f"unlike everything else called {picture.label!r}"))
            if alone[i]:
                found.append((0.5, ("label",), f"no other scene is called {picture.label!r}"))
            found += twins.get(i, [])
            if odd[i]:
                found.append((ODD, ("odd",), odd[i]))
            found.sort(reverse=True)
            kinds = tuple(dict.fromkeys(kind for _, some, _ in found for kind in some))
            suspects.append(
                Suspect(
                    picture.file_name,
                    picture.label,
                    picture.split,
                    score=float(1 - innocent[i]),
                    kind=kinds[0] if kinds else "",
                    reason="; ".join(reason for _, _, reason in found),
                    predicted=labels[guess[i]],
                    confidence=sure[i],
                    neighbours=tuple(names[near[i][there[i]]].tolist()),
                    margin=1.0 if margins is None else float(margins[i]),
                    kinds=kinds,
                )
            )
        return sorted(suspects, key=lambda one: (-one.score, one.file_name))

    def tried(self, train: Mapping[str, str], test: Mapping[str, str]) -> float:
        """Share of `test` that a head trained on `train` gets right, both labels by file name; nan where it cannot be.

        The head is as strongly regularised as those that rank. What has no features counts as not there.
        """
        labels = sorted({label for name, label in train.items() if name in self._index})
        names, asked = ([name for name in part if name in self._index] for part in (train, test))
        if len(labels) < 2 or not asked:
            return float("nan")
        targets = np.array([labels.index(train[name]) for name in names])
        with threadpool_limits(1):
            head = logistic_regression(
                self._compact[[self._index[name] for name in names]], targets, len(labels), strength=STRENGTH,
                start=self._first_tried if labels == self._first_labels else None,
            )  # fmt: skip
            if self._first_tried is None:  # where all later ones start from, so that equal labels give equal heads
                self._first_tried, self._first_labels = head, labels
            guesses = head.probabilities(self._compact[[self._index[name] for name in asked]]).argmax(1)
        return float(np.mean([labels[guess] == test[name] for guess, name in zip(guesses, asked, strict=True)]))

    def _out_of_fold(self, rows: Indices, targets: Indices, labels: list[str], alone: NDArray[np.bool_]) -> Array:
        """Probabilities (n, n_labels) of every picture from a head that has not seen it, nor its twins."""
        groups = self._groups[rows]
        if len(labels) == 1 or (groups == groups[0]).all():  # nothing to learn from: as likely as it is frequent
            return np.tile(np.bincount(targets) / np.float32(len(targets)), (len(targets), 1))
        fold_of = self._fold_of[rows]
        if any(len(np.unique(fold_of[targets == target])) == 1 for target in np.unique(targets[~alone])):
            fold_of = _folds(targets, groups)
        heads = self._fitted(rows, targets, fold_of, labels, self._heads if labels == self._labels else {})
        guesses = np.zeros((len(rows), len(labels)), np.float32)
        for fold, head in heads.items():
            guesses[fold_of == fold] = head.probabilities(self._compact[rows[fold_of == fold]])
        return guesses

    def _fitted(
        self, rows: Indices, targets: Indices, fold_of: Indices, labels: list[str], start: dict[int, Head]
    ) -> dict[int, Head]:
        """A head for each fold, trained on all the others."""
        folds = np.unique(fold_of).tolist()
        if len(folds) < 2 or len(labels) < 2:
            return {}
        with threadpool_limits(1):
            return {
                fold: logistic_regression(
                    self._compact[rows[fold_of != fold]], targets[fold_of != fold], len(labels), strength=STRENGTH,
                    start=start.get(fold), tolerance=TOLERANCE,
                )
                for fold in folds
            }  # fmt: skip

    def _suspicious_twins(self, live: list[Picture], rows: Indices, place: Indices) -> dict[int, list[Found]]:
        """What is to be said of each picture that is there more than once, by index into `live`; each kind once."""
        pairs = np.sort(place[self._twins], axis=1)
        pairs = pairs[pairs[:, 0] >= 0]  # both are live
        labels = np.array([one.label for one in live])[pairs]
        splits = np.array([one.split for one in live])[pairs]
        said: dict[int, list[Found]] = {}

        def say(which: NDArray[np.bool_], share: float, kinds: tuple[str, ...], suspects: Array, others: Array) -> None:
            for i, j in zip(suspects[which].tolist(), others[which].tolist(), strict=True):
                if not {*kinds} <= {kind for _, some, _ in said.get(i, []) for kind in some}:
                    one, twin = live[i], live[j]
                    same = one.sha256 == twin.sha256 != ""
                    words = ("the same picture as " if same else "nearly the same picture as ") + twin.file_name
                    words += f", called {twin.label!r}" if twin.label != one.label else ""
                    words += f", which is in {twin.split!r}" if twin.split != one.split else ""
                    said.setdefault(i, []).append((share, kinds, words))

        first, second = pairs.T
        in_train = splits[:, 0] == "train"
        train, held_out = np.where(in_train, first, second), np.where(in_train, second, first)
        torn, leaks = labels[:, 0] != labels[:, 1], splits[:, 0] != splits[:, 1]
        say(torn & leaks, 0.9, ("duplicate", "leak"), train, held_out)
        for suspects, others in ((first, second), (second, first)):
            say(torn, 0.9, ("duplicate",), suspects, others)
        say(~torn & leaks, 0.85, ("leak",), train, held_out)
        say(~torn & ~leaks, 0.75, ("duplicate",), second, first)
        return said


def _distances(unit: Array, rows: Indices, targets: Indices) -> Array:
    """How far each picture is: 1 less the cosine with the middle of its label, and with the nearest of all middles.

    What has a wrong label is far from its own only, what belongs nowhere from all; two thirds own one found both best.
    """
    middles = np.zeros((int(targets.max()) + 1, unit.shape[1]), np.float32)
    with threadpool_limits(1):
        for target in np.unique(targets):
            mine = unit[rows[targets == target]]
            near = mine @ mine.sum(0)
            middle = (near >= np.quantile(near, JUNK)).astype(np.float32) @ mine
            middles[target] = middle / max(float(np.linalg.norm(middle)), 1e-12)
        distances = 1 - (unit @ middles.T)[rows]
    own, nearest = distances[np.arange(len(rows)), targets], distances.min(1)
    return np.asarray((2 * own + nearest) / 3, np.float32)


def _off_topic(distances: Array) -> Array:
    """Of all pictures that are at least so far, the share that are more than chance would have there.

    Chance is a normal distribution that has the median of the distances, and their spread above it where that is more
    than on both sides: there is more room on the far side, and what is merely unusual is no stranger.
    """
    middle, upper = np.quantile(distances, (0.5, 1 - JUNK))
    spread = max(float(upper - middle), float(np.median(np.abs(distances - middle)))) / NormalDist().inv_cdf(1 - JUNK)
    deviations = (distances - middle) / max(spread, 1e-6)
    order = np.argsort(-deviations, kind="stable")
    beyond = np.array([erfc(x / sqrt(2)) / 2 for x in deviations[order].tolist()])
    by_chance = len(order) * beyond / np.arange(1, len(order) + 1)
    shares = np.zeros(len(order))
    shares[order] = 1 - np.minimum.accumulate(by_chance[::-1])[::-1].clip(0, 1)
    return np.asarray(shares / (1 + np.exp(((FAR[0] - deviations) * FAR[1]).clip(-30, 30))), np.float32)


def _alone(targets: Indices, groups: Indices) -> NDArray[np.bool_]:
    """Whether a picture's label is that of a single scene, so that a head that has not seen it cannot know it."""
    scenes = [len(np.unique(groups[targets == target])) for target in range(int(targets.max()) + 1)]
    return np.asarray(np.asarray(scenes)[targets] == 1)


def _folds(targets: Indices, groups: Indices) -> Indices:
    """In which fold each picture is held out."""
    if len(np.unique(groups)) < 2:
        return np.zeros(len(groups), np.int64)
    alone = _alone(targets, groups)  # these fit into any
    spread = np.where(alone, np.bincount(targets[~alone], minlength=1).argmax(), targets)
    return folds_of(spread, [str(group) for group in groups])


def _in_words(label: str, predicted: str, confidence: float, others: int, neighbours: int) -> str:
    if predicted == label:
        believed = f"barely taken for {label!r} ({confidence:.0%})"
    else:
        believed = f"looks like {predicted!r} ({confidence:.0%})"
    return f"{believed}, and {others} of its {neighbours} nearest are not called {label!r}" if others else believed
