"""A network as a row of layer groups: how large each is, and whether and how fast it learns."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from tl_course.errors import TLCourseError
from tl_course.plots.look import on_a_card, subplots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["Group", "network"]

_FROZEN = "#DCE6EF"


class Group(Protocol):
    """What is drawn of a group of layers; a `tl_course.training.layer_groups.LayerGroup` is one."""

    @property
    def name(self) -> str:
        """What the network calls it."""

    @property
    def parameters(self) -> int:
        """How many numbers it holds."""

    @property
    def rate(self) -> float:
        """The learning rate; 0 where it is frozen."""


@on_a_card
def network(groups: Sequence[Group] | Mapping[str, Sequence[Group]]) -> "Figure":
    """A network, group by group, from the picture that goes in to the label that comes out.

    Each group is a block, taller by an equal step for every ten times as many parameters. Frozen ones are cool and
    hatched; those that learn are warm, the darker the higher their learning rate, which stands in them.

    Parameters
    ----------
    groups : sequence of groups, or mapping of str to sequence of groups
        Each with `name`, `parameters` and `rate`, from the first layers to the head. Of several stages, such as those
        of gradual unfreezing, each is a row under its name.

    Raises
    ------
    TLCourseError
        There is no group.
    """
    from matplotlib.patches import Patch

    stages = dict(groups) if isinstance(groups, Mapping) else {"": groups}
    if not stages or not all(stages.values()):
        raise TLCourseError(
            "There are no groups of layers to draw. tl_course.training.layer_groups gives those of a network."
        )
    every = [group for stage in stages.values() for group in stage]
    rates = [group.rate for group in every if group.rate > 0]
    longest = max(map(len, stages.values()))
    figure, axes = subplots(len(stages), 1, width=min(max(0.56 * longest + 2, 6), 14), height=1.95 * len(stages) + 0.9)
    fewest, most = (math.log10(max(pick(group.parameters for group in every), 1)) for pick in (min, max))
    for row, (axis, (title, stage)) in enumerate(zip(axes.flat, stages.items(), strict=True)):
        named = row == len(stages) - 1 or [g.name for g in stage] != [g.name for g in list(stages.values())[row + 1]]
        for i, group in enumerate(stage):
            size = math.log10(max(group.parameters, 1))
            height = 0.6 + 0.4 * (size - fewest) / max(most - fewest, 1)
            _block(axis, i, height, group, _warmth(group.rate, rates))
        axis.annotate("", (-0.6, 0), (-1.0, 0), arrowprops={"arrowstyle": "-|>", "color": "black"})
        axis.annotate(
            "", (len(stage) - 0.05, 0), (len(stage) - 0.45, 0), arrowprops={"arrowstyle": "-|>", "color": "black"}
        )
        axis.text(-1.1, 0, "picture", rotation=90, ha="right", va="center")
        axis.text(len(stage) + 0.02, 0, "label", rotation=90, ha="left", va="center")
        axis.set(xlim=(-1.7, longest + 0.5), ylim=(-0.53, 0.53), yticks=[])
        axis.set_xticks(range(len(stage)), [group.name for group in stage] if named else [""] * len(stage))
        axis.tick_params(axis="x", length=0, rotation=0 if max(len(g.name) for g in every) <= 6 else 40)
        for label in axis.get_xticklabels():
            label.set_horizontalalignment("right" if label.get_rotation() else "center")
            label.set_rotation_mode("anchor")
        axis.set_title(title, loc="left", fontsize=10, fontweight="bold")
        for spine in axis.spines.values():
            spine.set_visible(False)
    legend = []
    if any(group.rate <= 0 for group in every):
        legend.append(Patch(facecolor=_FROZEN, edgecolor="#8FA6BA", hatch="////", label="frozen: stays as it was"))
    if rates:
        label = "learns at the learning rate lr" + ", the darker the faster" * (min(rates) < max(rates))
        legend.append(Patch(facecolor=_colour(0.6), edgecolor="black", label=label))
    figure.legend(handles=legend, loc="outside upper center", ncols=2, frameon=False)
    return figure


def _block(axis: "Axes", x: float, height: float, group: Group, warmth: float) -> None:
    from matplotlib.patches import Rectangle

    learns = group.rate > 0
    axis.add_patch(
        Rectangle(
            (x - 0.4, -height / 2), 0.8, height, facecolor=_colour(warmth) if learns else _FROZEN,
            edgecolor="black" if learns else "#8FA6BA", hatch="" if learns else "////", linewidth=1,
        )
    )  # fmt: skip
    said = f"lr {group.rate:.2g}" if learns else "frozen"
    axis.text(
        x, 0, f"{_amount(group.parameters)}\n{said}", rotation=90, ha="center", va="center", fontsize=9,
        color="white" if learns and warmth > 0.72 else "black", linespacing=1.4,
        bbox=None if learns else {"boxstyle": "round,pad=0.15", "facecolor": _FROZEN, "edgecolor": "none"},
    )  # fmt: skip


def _warmth(rate: float, rates: Sequence[float]) -> float:
    """From 0.15 for the lowest learning rate to 0.9 for the highest, by its logarithm."""
    if rate <= 0 or min(rates) == max(rates):
        return 0.6
    return 0.15 + 0.75 * math.log(rate / min(rates)) / math.log(max(rates) / min(rates))


def _colour(warmth: float) -> tuple[float, float, float, float]:
    from matplotlib import colormaps

    return colormaps["Oranges"](0.15 + 0.8 * warmth)


def _amount(n: int) -> str:
    """So many, short: 930, 45 k, 1.2 M."""
    for size, letter in ((1_000_000, "M"), (1000, "k")):
        if n >= size:
            return f"{n / size:.2g} {letter}" if n < 100 * size else f"{n / size:.0f} {letter}"
    return str(n)
