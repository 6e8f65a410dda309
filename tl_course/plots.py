"""Figures from data sets, predictions and histories: plain matplotlib, returned for the notebook to show."""

from collections.abc import Mapping, Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tl_course import pictures
from tl_course.errors import TLCourseError

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image

    from tl_course.history import History
    from tl_course.imageset import ImageSet
    from tl_course.models import Evaluation, Prediction

__all__ = [
    "confusion", "contact_sheet", "curves", "feature_map", "heat", "picture_grid", "predictions", "thresholds",
]  # fmt: skip

# Okabe & Ito's palette (2008), which people with every kind of colour vision can tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
RIGHT, WRONG = "#009E73", "#D55E00"


def picture_grid(
    sources: "Sequence[str | Path | Image.Image]",
    titles: Sequence[str] = (),
    *,
    columns: int = 8,
    colours: Sequence[str] = (),
) -> "Figure":
    """Pictures in a grid, each whole, with a title above it and a frame in its colour where colours are given.

    Raises
    ------
    TLCourseError
        There is no picture.
    """
    if not sources:
        raise TLCourseError("There is no picture to show here.")
    columns = min(columns, len(sources))
    rows = ceil(len(sources) / columns)
    figure, axes = _subplots(rows, columns, width=1.35 * columns, height=(1.35 + 0.22 * bool(titles)) * rows)
    for i, axis in enumerate(axes.flat):
        axis.set_xticks([])
        axis.set_yticks([])
        if i >= len(sources):
            axis.set_axis_off()
            continue
        axis.imshow(pictures.load(sources[i], size=256))
        if titles:
            axis.set_title(titles[i], fontsize=8, color=colours[i] if colours else "black", pad=3)
        for spine in axis.spines.values():
            spine.set(visible=bool(colours), color=colours[i] if colours else "none", linewidth=2.5)
    return figure


def contact_sheet(images: "ImageSet", *, n: int = 24, columns: int = 8, seed: int = 0) -> "Figure":
    """`n` pictures of a set, drawn at random, each with its label."""
    some = np.random.default_rng(seed).permutation(len(images))[:n]
    chosen = [images[int(i)] for i in some]
    return picture_grid([images.path(picture) for picture in chosen], [p.label for p in chosen], columns=columns)


def predictions(given: "Sequence[Prediction]", *, truth: Sequence[str] = (), columns: int = 6) -> "Figure":
    """Predicted pictures with label and confidence; where the truth is given, right framed green, wrong orange."""
    titles = [f"{one.label} {one.confidence:.0%}" for one in given]
    colours = [RIGHT if one.label == label else WRONG for one, label in zip(given, truth, strict=True)] if truth else []
    if truth:
        titles = [
            title if one.label == label else f"{title}, is {label}"
            for title, one, label in zip(titles, given, truth, strict=True)
        ]
    return picture_grid([one.source for one in given], titles, columns=columns, colours=colours)


def confusion(evaluation: "Evaluation", labels: Sequence[str]) -> "Figure":
    """How often pictures of each label (rows) were given each label (columns)."""
    table = np.array(evaluation.confusion)
    size = 1.6 + 0.55 * len(labels)
    figure, axes = _subplots(1, 1, width=size + 0.6, height=size)
    axis = axes[0, 0]
    axis.imshow(table / table.sum(axis=1, keepdims=True).clip(1), cmap="Blues", vmin=0, vmax=1)
    for row in range(len(labels)):
        for column in range(len(labels)):
            dark = table[row, column] > 0.5 * table[row].sum()
            axis.text(column, row, table[row, column], ha="center", va="center", color="white" if dark else "black")
    axis.set_xticks(range(len(labels)), labels, rotation=30 if len(labels) > 3 else 0)
    axis.set_yticks(range(len(labels)), labels)
    axis.set_xlabel("was given")
    axis.set_ylabel("is")
    return figure


def curves(
    histories: "Mapping[str, History]", *, x: str = "seconds", y: str = "valid_accuracy", chance: float | None = None
) -> "Figure":
    """One column of several training records over another; a record with a single epoch is a star.

    Parameters
    ----------
    histories : mapping of str to History
        By the name to show.
    x, y : str
        Columns of `History.epochs`.
    chance : float, optional
        Where to draw the line of guessing.
    """
    figure, axes = _subplots(1, 1, width=7, height=3.6)
    axis = axes[0, 0]
    for (name, history), colour in zip(histories.items(), COLOURS * len(histories), strict=False):
        single = len(history.epochs) == 1
        axis.plot(
            history.column(x),
            history.column(y),
            marker="*" if single else "o",
            markersize=16 if single else 5,
            linestyle="none" if single else "-",
            color=colour,
            label=name,
        )
    if chance is not None:
        axis.axhline(chance, color="grey", linestyle=":", label="guessing")
    axis.set_xlabel({"seconds": "seconds of training", "epoch": "epoch"}.get(x, x))
    axis.set_ylabel(y.replace("valid_", "validation ").replace("_", " "))
    axis.set_xlim(left=0)
    if y.endswith("accuracy"):
        axis.set_ylim(min(0.4, *(min(history.column(y)) for history in histories.values())) - 0.02, 1.02)
    axis.grid(alpha=0.3)
    axis.legend(frameon=False, loc="lower right")
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
    return figure


def feature_map(spaces: Mapping[str, NDArray[np.float32]], labels: Sequence[str]) -> "Figure":
    """The same pictures in one or more feature spaces, each flattened to the two directions in which it varies most.

    Parameters
    ----------
    spaces : mapping of str to array of shape (n, dim)
        Vectors of the n pictures, by the name to show. Each is projected onto its first two principal components.
    labels : sequence of n str
        Each picture's label, shown as a colour and a shape.
    """
    figure, axes = _subplots(1, len(spaces), width=4.2 * len(spaces), height=3.8)
    for axis, (name, vectors) in zip(axes.flat, spaces.items(), strict=True):
        centred = vectors - vectors.mean(axis=0)
        components = np.linalg.svd(centred, full_matrices=False)[2][:2]
        flat = centred @ components.T
        for label, colour, marker in zip(sorted(set(labels)), COLOURS * 9, "o^sDvP" * 9, strict=False):
            chosen = [i for i, one in enumerate(labels) if one == label]
            axis.scatter(*flat[chosen].T, s=22, c=colour, marker=marker, alpha=0.75, linewidths=0, label=label)
        axis.set_title(name)
        axis.set_xticks([])
        axis.set_yticks([])
    axes.flat[0].legend(frameon=False)
    return figure


def thresholds(
    values: Sequence[float], probabilities: Mapping[float, Sequence[float]], *, label: str, unit: str
) -> "Figure":
    """What becomes of a classifier where its label begins at another value: a panel for each threshold.

    Each picture is a dot: across, what was measured of it; up, the probability that it was given of being `label`. Two
    lines cut the panel into the four fields of the confusion matrix, each with its number of pictures.

    Parameters
    ----------
    values : sequence of n numbers
        What the label depends on, such as the angle of a door.
    probabilities : mapping of threshold to sequence of n numbers
        For each threshold, the probabilities of `label` by a head that was taught so. Right are dots above one half
        from the threshold on, and below it before.
    label : str
    unit : str
        Of `values`, as the horizontal axis has it.
    """
    figure, axes = _subplots(1, len(probabilities), width=3.3 * len(probabilities), height=3.4)
    measured = np.asarray(values, float)
    for axis, (threshold, given) in zip(axes.flat, probabilities.items(), strict=True):
        is_label, said_label = measured >= threshold, np.asarray(given) >= 0.5
        right = is_label == said_label
        for chosen, colour, marker in ((right, RIGHT, "o"), (~right, WRONG, "X")):
            axis.scatter(measured[chosen], np.asarray(given)[chosen], s=14, c=colour, marker=marker, alpha=0.6, lw=0)
        axis.axvline(threshold, color="black", linewidth=1)
        axis.axhline(0.5, color="black", linewidth=1, linestyle=":")
        low, high = measured.min(), measured.max()
        margin = 0.12 * (high - low)
        for side, x in ((~is_label, threshold - margin / 6), (is_label, high)):
            for half, y in ((said_label, 1.09), (~said_label, -0.09)):
                axis.text(x, y, int((side & half).sum()), ha="right", va="center", fontweight="bold")
        axis.set_xlim(low - margin, high + margin / 2)
        guessing = max(is_label.mean(), 1 - is_label.mean())
        axis.set_title(f"{label} from {threshold:g}: {right.mean():.0%} right\nguessing: {guessing:.0%}", fontsize=10)
        axis.set_xlabel(unit)
        axis.set_ylim(-0.16, 1.16)
        axis.set_yticks((0, 0.5, 1), ("0 %", "50 %", "100 %"))
    axes[0, 0].set_ylabel(f"probability of {label!r}")
    return figure


def heat(sources: "Sequence[str | Path | Image.Image]", maps: Sequence[NDArray[np.float32]]) -> "Figure":
    """Pictures above the same pictures with a map laid over them, such as `tl_course.explain.occlusion_map` gives.

    Each map is shown from no loss (clear) to its own largest loss (dark red).
    """
    figure, axes = _subplots(2, len(sources), width=1.9 * len(sources), height=3.8)
    for column, (source, values) in enumerate(zip(sources, maps, strict=True)):
        picture = pictures.load(source, size=256).resize((256, 256))
        axes[0, column].imshow(picture)
        axes[1, column].imshow(picture.convert("L"), cmap="gray", alpha=0.7)
        overlay = np.clip(values, 0, None)
        axes[1, column].imshow(
            overlay, cmap="Reds", alpha=0.65, extent=(0, 256, 256, 0), interpolation="bilinear", vmin=0,
            vmax=max(float(overlay.max()), 0.02),
        )  # fmt: skip
    for axis in axes.flat:
        axis.set_axis_off()
    return figure


def _subplots(rows: int, columns: int, *, width: float, height: float) -> "tuple[Figure, NDArray[Any]]":
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained")
    plt.close(figure)  # shown once, as the value of the cell that made it
    axes_array: NDArray[Any] = axes
    return figure, axes_array
