"""Training runs: their curves, what transfer gained, and how many pictures it took."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tl_course.errors import TLCourseError
from tl_course.models.history import History
from tl_course.plots.look import COLOURS, LINES, MARKERS, legend_above, on_a_card, plain, subplots
from tl_course.training.transfer_gains import Benefit, Benefits, benefits

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["curves", "data_efficiency", "three_benefits"]

_AXES = {
    "seconds": "seconds of training",
    "epoch": "epoch",
    "pictures": "pictures seen, each as often as it was seen",
    "step": "steps of the optimiser",
    "train_loss": "training loss",
}
_Array = NDArray[np.float64]


@on_a_card
def curves(
    histories: Mapping[str, History | Sequence[History]],
    *,
    x: str = "seconds",
    y: str = "valid_accuracy",
    chance: float | None = None,
) -> "Figure":
    """One column of training records over another; a record with a single row is a star.

    Of several runs by one name the line is the mean, and the band reaches from the lowest to the highest. It ends where
    the shortest of them ends.

    Parameters
    ----------
    histories : mapping of str to History or sequence of History
        By the name to show: one run, or one for each seed.
    x, y : str
        Columns of `History.epochs`: x "epoch", "seconds", "pictures" or "step"; y "valid_accuracy", "valid_loss" or
        "train_loss". Rows without both are left out.
    chance : float, optional
        Where to draw the line of guessing.

    Raises
    ------
    TLCourseError
        A record has no row with both columns.
    """
    figure, axes = subplots(1, 1, width=7, height=3.6)
    axis = axes[0, 0]
    sizes, lowest = [], 0.4
    for i, (name, given) in enumerate(histories.items()):
        runs = [given] if isinstance(given, History) else list(given)
        over, table = _aligned(runs, x, y, name)
        sizes.append(len(runs))
        lowest = min(lowest, float(np.nanmin(table)))
        _mean_and_band(axis, over, table.mean(axis=0), np.array([table.min(axis=0), table.max(axis=0)]), i, label=name)
    if chance is not None:
        axis.axhline(chance, color="grey", linestyle=":", label="guessing")
    _name_axes(axis, x, y)
    axis.set_xlim(left=0)
    if y.endswith("accuracy"):
        axis.set_ylim(lowest - 0.02, 1.02)
    plain(axis)
    legend_above(figure, _means(sizes))
    return figure


@on_a_card
def three_benefits(
    transfer: Sequence[History],
    scratch: Sequence[History],
    *,
    x: str = "pictures",
    y: str = "valid_accuracy",
    early: float = 1.0,
    confidence: float = 0.95,
    names: tuple[str, str] = ("with transfer", "from scratch"),
) -> "Figure":
    """The figure of transfer learning, from runs: a higher start, a steeper slope and a higher asymptote, as measured.

    Lines are means over the runs, bands reach from the lowest to the highest. The numbers are transfer minus scratch,
    with their interval over the seeds, by `tl_course.training.transfer_gains.benefits`; where zero lies in the
    interval, or there is none, the name has a question mark. The drawing that this one follows is that of Torrey and
    Shavlik, "Transfer Learning" (2009).

    Parameters
    ----------
    transfer, scratch : sequence of History
        One for each seed, in the same order.
    x, y : str
        Columns of `History.epochs`; of y more is better.
    early : float
        How many epochs the slope is measured over.
    confidence : float
        Of the intervals, between 0 and 1.
    names : tuple of two str
        What to call the two.

    Raises
    ------
    TLCourseError
        A record has no curve to read the benefits off.
    """
    measured = benefits(transfer, scratch, y=y, x=x, early=early, confidence=confidence)
    figure, axes = subplots(1, 1, width=9, height=4.8)
    axis = axes[0, 0]
    drawn, secants = [], []
    for i, (name, given) in enumerate(zip(names, (transfer, scratch), strict=True)):
        runs = [given] if isinstance(given, History) else list(given)
        epochs, table = _aligned(runs, "epoch", y, name)
        over = _aligned(runs, "epoch", x, name)[1].mean(axis=0)
        if ((epochs > 0) & (epochs < 1)).any():  # the start is after the first step, not before it
            epochs, over, table = epochs[epochs > 0], over[epochs > 0], table[:, epochs > 0]
        _mean_and_band(axis, over, table.mean(axis=0), np.array([table.min(axis=0), table.max(axis=0)]), i, label=name)
        drawn.append(table)
        begin, end = float(over[0]), float(np.interp(early, epochs, over))
        secants.append((begin, end, float(np.interp(end, over, table.mean(axis=0))), float(over[-1])))

    asymptote, start = measured.asymptote, measured.start
    levels = (asymptote.transfer, asymptote.scratch)
    low = min(*(float(table.min()) for table in drawn), *levels)
    high = max(*(float(table.max()) for table in drawn), *levels)
    span = max(high - low, 0.02)
    right = max(end for *_, end in secants)
    left_arrow, right_arrow = -0.045 * right, 1.045 * right
    axis.set_xlim(-0.36 * right, 1.36 * right)
    axis.set_ylim(low - 0.24 * span, high + 0.06 * span)

    axis.axvspan(0, max(end for _, end, *_ in secants), color="black", alpha=0.06, linewidth=0)
    for i, (begin, end, reached, last) in enumerate(secants):
        level, begun = levels[i], (start.transfer, start.scratch)[i]
        axis.hlines(begun, left_arrow, begin, color=COLOURS[i], linewidth=1.2, linestyle=(0, (4, 2)))
        axis.hlines(level, 0.66 * last, right_arrow, color=COLOURS[i], linewidth=1.2, linestyle=(0, (4, 2)))
        rise = (reached - begun) / (end - begin)
        further = min(2.2 * (end - begin), 1.02 * right - begin)
        if rise > 0:  # what was measured is left no further than this
            further = min(further, (high + 0.03 * span - begun) / rise)
        axis.plot(
            (begin, begin + further), (begun, begun + rise * further), color=COLOURS[i], linewidth=7, alpha=0.35,
            solid_capstyle="butt", zorder=1.5, gid="slope",
        )  # fmt: skip
    _gap(axis, left_arrow, start.scratch, start.transfer, span)
    _gap(axis, right_arrow, asymptote.scratch, asymptote.transfer, span)
    # Where nothing else is drawn, whatever the runs: left of the first step, right of the last, and below all of them.
    inside = low + 0.08 * span, high - 0.06 * span
    places = ((start, ("higher start", "lower start"), left_arrow - 0.025 * right, "right"),
              (asymptote, ("higher\nasymptote", "lower\nasymptote"), right_arrow + 0.025 * right, "left"))  # fmt: skip
    for one, said, across, ha in places:
        _benefit_text(axis, one, said, across, float(np.clip((one.transfer + one.scratch) / 2, *inside)), ha=ha)
    part = "the first epoch" if early == 1 else f"the first {early:g} epochs"
    _benefit_text(
        axis, measured.slope, ("steeper slope", "flatter slope"), 0.01 * right, low - 0.04 * span,
        ha="left", va="top", unit=f" a step in {part}",
    )  # fmt: skip

    _name_axes(axis, x, y)
    axis.set_xticks([tick for tick in axis.get_xticks() if 0 <= tick <= right])
    axis.set_yticks([tick for tick in axis.get_yticks() if low - 0.1 * span <= tick <= high + 0.05 * span])
    plain(axis)
    axis.grid(visible=False)
    axis.spines["bottom"].set_bounds(0, right)
    legend_above(figure)
    figure.supxlabel(_caption(measured, [len(table) for table in drawn]), fontsize=8.5, color="#444444")
    return figure


@on_a_card
def data_efficiency(
    scores: Mapping[str, Mapping[int, Sequence[float]]],
    *,
    compare: tuple[str, str] | None = None,
    chance: float | None = None,
    score: str = "accuracy",
) -> "Figure":
    """A score over the number of pictures that were trained on: means over seeds, bands from lowest to highest.

    Parameters
    ----------
    scores : mapping of str to mapping of int to sequence of float
        By the name of a strategy, then by the number of training pictures: the score of each seed.
    compare : tuple of two str, optional
        Names of two strategies, such as ``("frozen", "scratch")``. Where the first gets as far as the second does with
        most pictures is marked, read off its mean curve between the numbers that were tried, where it stays above from
        there on. Where it never does, or the second is not above `chance`, nothing is marked.
    chance : float, optional
        Where to draw the line of guessing.
    score : str
        What the vertical axis is called.

    Raises
    ------
    TLCourseError
        There is no score, or `compare` names a strategy that is not there.
    """
    if not scores or not all(by_n and all(len(one) for one in by_n.values()) for by_n in scores.values()):
        raise TLCourseError("Every strategy needs scores: at least one number of pictures, with a score for each seed.")
    figure, axes = subplots(1, 1, width=7, height=4)
    axis = axes[0, 0]
    numbers = sorted({n for by_n in scores.values() for n in by_n})
    means: dict[str, tuple[_Array, _Array]] = {}
    for i, (name, by_n) in enumerate(scores.items()):
        over = np.array(sorted(by_n), float)
        rows = [np.asarray(by_n[int(n)], float) for n in over]
        means[name] = over, np.array([row.mean() for row in rows])
        bounds = np.array([(row.min(), row.max()) for row in rows]).T
        _mean_and_band(axis, over, means[name][1], bounds, i, label=name)
    if chance is not None:
        axis.axhline(chance, color="grey", linestyle=":", label="guessing")
    axis.set_xscale("log")
    axis.set_xticks(numbers, [str(n) for n in numbers])
    axis.set_xticks([], minor=True)
    axis.set_xlabel("training pictures")
    axis.set_ylabel(score)
    plain(axis)
    if compare is not None:
        if missing := set(compare) - set(means):
            raise TLCourseError(f"There are no scores of {', '.join(sorted(missing))}. There are: {', '.join(means)}.")
        figure.supxlabel(_as_good(axis, means, *compare, chance), fontsize=10)
    sizes = [len(one) for by_n in scores.values() for one in by_n.values()]
    legend_above(figure, _means(sizes))
    return figure


def _as_good(
    axis: "Axes", means: Mapping[str, tuple[_Array, _Array]], few: str, many: str, chance: float | None
) -> str:
    """Mark with how many pictures `few` is as good as `many` with most, and say so, if it gets there at all."""
    (numbers, mean), (most, target) = means[few], (means[many][0][-1], float(means[many][1][-1]))
    if chance is not None and target <= chance:
        return f"no arrow: {many} is no better than guessing"
    if mean[-1] < target:
        return ""
    below = np.flatnonzero(mean < target)
    if len(below) == 0:
        needed, said = float(numbers[0]), f"{numbers[0]:.0f} or fewer"
    else:
        i = int(below[-1])
        share = (target - mean[i]) / (mean[i + 1] - mean[i])
        needed = float(np.exp(np.log(numbers[i]) + share * np.log(numbers[i + 1] / numbers[i])))
        said = f"about {needed:.0f}"
    if needed >= most:
        return ""
    axis.annotate(
        "", (needed, target), (most, target), arrowprops={"arrowstyle": "-|>", "linewidth": 1.4, "color": "black"}
    )
    return f"the arrow: {few} with {said} pictures is as good as {many} with {most:.0f}"


def _aligned(runs: Sequence[History], x: str, y: str, name: str) -> tuple[_Array, _Array]:
    """Points that all runs have, and the y of each run there, of shape (runs, points).

    Row by row where the runs have the same epochs, and otherwise interpolated, over what they have in common.
    """
    kept = [[row for row in run.epochs if x in row and y in row] for run in runs]
    if not all(kept) or not kept:
        raise TLCourseError(f"There is no {x!r} with {y!r} on record for every run of {name!r}: choose other columns.")
    shortest = min(map(len, kept))
    if len({tuple(row["epoch"] for row in rows[:shortest]) for rows in kept}) == 1:
        over = np.mean([[row[x] for row in rows[:shortest]] for rows in kept], axis=0)
        return over, np.array([[row[y] for row in rows[:shortest]] for rows in kept])
    begin, end = (pick(edge(row[x] for row in rows) for rows in kept) for pick, edge in ((max, min), (min, max)))
    over = np.array(sorted({row[x] for rows in kept for row in rows if begin <= row[x] <= end}))
    if not len(over):
        raise TLCourseError(f"The runs of {name!r} have no part of {x!r} in common: draw them by names of their own.")
    return over, np.array([np.interp(over, [r[x] for r in rows], [r[y] for r in rows]) for rows in kept])


def _mean_and_band(axis: "Axes", over: _Array, mean: _Array, bounds: _Array, i: int, *, label: str) -> None:
    """The i-th line, of shape (points,), and its band from bounds[0] to bounds[1]; a single point is a star."""
    single = len(over) == 1
    axis.plot(
        over, mean, marker="*" if single else MARKERS[i % len(MARKERS)], markersize=16 if single else 5,
        linestyle="none" if single else LINES[i % len(LINES)], color=COLOURS[i % len(COLOURS)], label=label,
        clip_on=False,  # what stands at the edge is whole
    )  # fmt: skip
    if single and bounds[1] > bounds[0]:
        axis.vlines(over, *bounds, color=COLOURS[i % len(COLOURS)], linewidth=2)
    elif (bounds[1] > bounds[0]).any():
        axis.fill_between(over, *bounds, color=COLOURS[i % len(COLOURS)], alpha=0.18, linewidth=0)


def _gap(axis: "Axes", x: float, begin: float, end: float, span: float) -> None:
    """An arrow from scratch to transfer; where there is hardly any room for one, a bar."""
    style = "-|>" if abs(end - begin) > 0.08 * span else "|-|,widthA=0.25,widthB=0.25"
    axis.annotate(
        "", (x, end), (x, begin), gid="gap",
        arrowprops={
            "arrowstyle": style, "linewidth": 1.8, "color": "black", "shrinkA": 0, "shrinkB": 0, "mutation_scale": 14,
        },
    )  # fmt: skip


def _benefit_text(
    axis: "Axes", one: Benefit, names: tuple[str, str], x: float, y: float, *, ha: str, va: str = "center",
    unit: str = "",
) -> None:  # fmt: skip
    sure = one.positive or (one.high is not None and one.high < 0)
    number = str(one) if one.low is not None else str(one).partition(" (")[0]
    if not unit and len(number) > 15:  # there is not much room beside the curves
        number = number.replace(" ±", "\n±")
    text = f"{names[one.difference < 0]}{'' if sure else '?'}\n{number}{unit}".replace("-", "\N{MINUS SIGN}")
    axis.text(x, y, text, ha=ha, va=va, fontsize=11, fontweight="bold", linespacing=1.35, gid=one.name)


def _caption(measured: Benefits, sizes: Sequence[int]) -> str:
    if max(sizes) == 1:
        said = "one run of each, which proves nothing: repeat them with other seeds"
    else:
        said = f"lines: means of {_count(sizes)} runs, bands from lowest to highest"
    if measured.start.low is not None:
        said += f"; ±: {measured.confidence:.0%} interval of the difference over the seeds"
    shortest, longest = measured.epochs
    return said if shortest == longest else f"{said}\nthe runs lasted {shortest:g} to {longest:g} epochs"


def _name_axes(axis: "Axes", x: str, y: str) -> None:
    from matplotlib.ticker import MaxNLocator

    axis.set_xlabel(_AXES.get(x, x))
    axis.set_ylabel(_AXES.get(y, y.replace("valid_", "validation ").replace("_", " ")))
    if x == "epoch":
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))


def _means(sizes: Sequence[int]) -> str:
    return f"means of {_count(sizes)} runs, bands from lowest to highest" if max(sizes, default=1) > 1 else ""


def _count(sizes: Sequence[int]) -> str:
    return f"{min(sizes)}" if min(sizes) == max(sizes) else f"{min(sizes)} to {max(sizes)}"
