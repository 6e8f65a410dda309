"""What a classifier answers, and on what grounds: confusion, thresholds, feature spaces."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tl_course.plots.look import COLOURS, RIGHT, WRONG, legend_above, on_a_card, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tl_course.models.classifier import Evaluation

__all__ = ["confusion", "feature_map", "thresholds"]


@on_a_card
def confusion(evaluation: "Evaluation", labels: Sequence[str]) -> "Figure":
    """How often pictures of each label (rows) were given each label (columns)."""
    table = np.array(evaluation.confusion)
    size = 1.6 + 0.55 * len(labels)
    figure, axes = subplots(1, 1, width=size + 0.6, height=size)
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


@on_a_card
def feature_map(spaces: Mapping[str, NDArray[np.float32]], labels: Sequence[str]) -> "Figure":
    """The same pictures in one or more feature spaces, each flattened to the two directions in which it varies most.

    Parameters
    ----------
    spaces : mapping of str to array of shape (n, dim)
        Vectors of the n pictures, by the name to show. Each is projected onto its first two principal components.
    labels : sequence of n str
        Each picture's label, shown as a colour and a shape.
    """
    figure, axes = subplots(1, len(spaces), width=4.2 * len(spaces), height=3.8)
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
    legend_above(figure)
    return figure


@on_a_card
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
    figure, axes = subplots(1, len(probabilities), width=3.3 * len(probabilities), height=3.4)
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
