"""The three benefits of transfer as numbers: a higher start, a steeper slope and a higher asymptote.

They are the three of L. Torrey and J. Shavlik, "Transfer Learning", in *Handbook of Research on Machine Learning
Applications* (2009), who draw them by hand. Here they are measured: each in every run, then transfer minus scratch,
with an interval over the seeds.
"""

import math
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from tl_course.errors import TLCourseError
from tl_course.models.history import History

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Benefit", "Benefits", "benefits"]

_FIT, _MEAN = "fitted curve", "mean of the last third"


@dataclass(frozen=True, repr=False)
class Benefit:
    """One of the three benefits.

    Attributes
    ----------
    name : str
        "start", "slope" or "asymptote".
    transfer, scratch : float
        Means over the runs of each.
    difference : float
        Transfer minus scratch.
    low, high : float or None
        Interval of the difference over the seeds. None where there are too few runs for one.
    unit : str
        Of all these, such as "valid_accuracy a step".
    transfer_runs, scratch_runs : tuple of float
        The value in each run.
    transfer_how, scratch_how : tuple of str
        How each was read off, such as "after the first step".
    """

    name: str
    transfer: float
    scratch: float
    difference: float
    low: float | None
    high: float | None
    unit: str
    transfer_runs: tuple[float, ...]
    scratch_runs: tuple[float, ...]
    transfer_how: tuple[str, ...]
    scratch_how: tuple[str, ...]

    @property
    def positive(self) -> bool:
        """Whether the whole interval lies above zero. One run proves nothing, so there it is False."""
        return self.low is not None and self.low > 0

    def __str__(self) -> str:
        """The difference with its uncertainty: ``+0.31 ± 0.05``."""
        if self.low is None or self.high is None:
            return f"{self.difference:+.{_decimals(self.difference)}f} (no interval)"
        half = (self.high - self.low) / 2
        enough = _decimals(self.difference)
        decimals = enough if half < 1e-9 else min(_decimals(half, digits=1), enough + 1)
        return f"{self.difference:+.{decimals}f} ± {half:.{decimals}f}"

    __repr__ = __str__


@dataclass(frozen=True, repr=False)
class Benefits:
    """All three benefits; printed, they are a table for the learner.

    Attributes
    ----------
    start, slope, asymptote : Benefit
    y : str
        The score that was measured.
    confidence : float
        Of the intervals.
    paired : bool
        Whether run i of transfer was compared with run i of scratch.
    epochs : tuple of two float
        How long the shortest and the longest run lasted.
    """

    start: Benefit
    slope: Benefit
    asymptote: Benefit
    y: str
    confidence: float
    paired: bool
    epochs: tuple[float, float]

    def __iter__(self) -> Iterator[Benefit]:
        """Start, slope, asymptote."""
        return iter((self.start, self.slope, self.asymptote))

    def __str__(self) -> str:
        """A table, and in plain words what its numbers rest on."""
        lines = [f"{'':12}  {'transfer':>9}  {'scratch':>9}  transfer minus scratch"]
        for one in self:
            label = "slope a step" if one is self.slope else one.name
            decimals = _decimals(max(abs(one.transfer), abs(one.scratch)), digits=3)
            lines.append(f"{label:12}  {one.transfer:9.{decimals}f}  {one.scratch:9.{decimals}f}  {one}")
        return "\n".join([*lines, "", *self.notes])

    __repr__ = __str__

    @property
    def notes(self) -> list[str]:
        """What the numbers rest on, in sentences."""
        here, there = len(self.start.transfer_runs), len(self.start.scratch_runs)
        if self.start.low is None:
            notes = ["One run proves nothing: repeat both with other seeds, at least three, to see what chance does."]
        else:
            seeds = f"{here} seeds, run by run" if self.paired else f"{here} and {there} seeds"
            notes = [
                f"±: where the difference lies with {self.confidence:.0%} confidence, over {seeds} (Student's t).",
                "It speaks of other seeds, not of other pictures.",
            ]
        for name, how in (("transfer", self.asymptote.transfer_how), ("scratch", self.asymptote.scratch_how)):
            ways = [f"{way} ({how.count(way)} of {len(how)} runs)" for way in (_FIT, _MEAN) if way in how]
            notes.append(f"Asymptote of {name}: {', '.join(ways)}.")
        if self.epochs[0] < self.epochs[1]:
            shortest, longest = self.epochs
            notes.append(
                f"The runs lasted {shortest:g} to {longest:g} epochs: the longer had more time to reach theirs."
            )
        if self.slope.difference < 0 and self.start.transfer > self.asymptote.scratch:
            notes.append(
                "Transfer starts above all that scratch reaches: little is left to gain, so its slope is small."
            )
        return notes

    def to_dataframe(self) -> "pd.DataFrame":
        """A row for each benefit, with what was measured in its columns."""
        import pandas as pd

        columns = ["transfer", "scratch", "difference", "low", "high", "unit"]
        return pd.DataFrame([asdict(one) for one in self]).set_index("name")[columns]

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for JSON and for a lesson's record."""
        return asdict(self)


def benefits(
    transfer: History | Sequence[History],
    scratch: History | Sequence[History],
    *,
    y: str = "valid_accuracy",
    x: str = "pictures",
    early: float = 1.0,
    confidence: float = 0.95,
) -> Benefits:
    """Measure the three benefits of transfer in runs that were made with the same pictures and the same epochs.

    The *start* is the score right after the first optimiser step, or before it where that was not recorded. The *slope*
    is what is gained a step from there to the end of the `early` part. The *asymptote* is the level that a run reaches:
    where a saturating curve a - b exp(-c x) describes the run well, its a, otherwise the mean of the last third of the
    epochs. Every run is read to its own end.

    The interval of a difference is Student's t interval of the paired differences where there are as many runs of one
    as of the other (run i of both should then have the same seed), otherwise Welch's.

    Parameters
    ----------
    transfer, scratch : History or sequence of History
        One for each seed, in the same order.
    y : str
        Column of `History.epochs`; a score, of which more is better.
    x : str
        Column over which the curve is fitted. Where a record lacks it, "epoch".
    early : float
        How many epochs the early part takes.
    confidence : float
        Of the intervals, between 0 and 1.

    Raises
    ------
    TLCourseError
        A record has no curve to read this off. The message says which, and what to do.
    """
    if y.endswith("loss"):
        raise TLCourseError(f"Of {y!r} less is better. Measure the benefits on a score, such as 'valid_accuracy'.")
    groups = {"transfer": _runs(transfer), "scratch": _runs(scratch)}
    read: dict[str, list[list[tuple[float, str]]]] = {}
    for name, runs in groups.items():
        if not runs:
            raise TLCourseError(f"There is no run of {name}. Give at least one history of each.")
        named = [(run, f"Run {i + 1} of {name} ({run.strategy})") for i, run in enumerate(runs)]
        read[name] = [_read(_rows(run, y, who), y=y, x=x, early=early, who=who) for run, who in named]
    start, slope, asymptote = (
        _benefit(name, [run[i] for run in read["transfer"]], [run[i] for run in read["scratch"]], confidence, unit=unit)
        for i, (name, unit) in enumerate((("start", y), ("slope", f"{y} a step"), ("asymptote", y)))
    )
    paired = len(groups["transfer"]) == len(groups["scratch"])
    ends = [max(row["epoch"] for row in run.epochs) for runs in groups.values() for run in runs]
    epochs = (min(ends), max(ends))
    return Benefits(start, slope, asymptote, y=y, confidence=confidence, paired=paired, epochs=epochs)


def _runs(given: History | Sequence[History]) -> list[History]:
    return [given] if isinstance(given, History) else list(given)


def _rows(run: History, y: str, who: str) -> list[dict[str, float]]:
    """The rows of a record from its start on: after the first step, or before it where that was not recorded."""
    rows = sorted((row for row in run.epochs if y in row and "epoch" in row), key=lambda row: row["epoch"])
    if not rows:
        raise TLCourseError(
            f"{who} has no {y!r} on record. It needs pictures to validate on: train it again with some."
        )
    if not all(math.isfinite(row[y]) for row in rows):
        raise TLCourseError(f"{who}: {y!r} is not a number in every row. Train it again with a lower learning rate.")
    if any(0 < row["epoch"] < 1 for row in rows):
        rows = [row for row in rows if row["epoch"] > 0]
    if rows[0]["epoch"] >= 1:
        once = "A frozen head that is solved in one go has none; train it step by step instead" * (len(run.epochs) == 1)
        raise TLCourseError(
            f"{who} has no score from before its first epoch, so its start is not known. "
            f"{once or 'Train it again'}: the strategies of tl_course.training.strategies write the start down."
        )
    if len(rows) < 2 or any("step" not in row for row in rows):
        raise TLCourseError(f"{who} has no epoch to the end, or no steps written down. Train it again, for an epoch.")
    return rows


def _read(rows: list[dict[str, float]], *, y: str, x: str, early: float, who: str) -> list[tuple[float, str]]:
    """Start, slope and asymptote of one run, each with how it was read off."""
    epochs, steps, scores = (np.array([row[name] for row in rows]) for name in ("epoch", "step", y))
    if not epochs[0] < early <= epochs[-1]:
        raise TLCourseError(f"{who} lasts {epochs[-1]:g} epochs: early={early:g} has to lie within them.")
    gained = float(np.interp(early, epochs, scores)) - scores[0]
    slope = gained / (float(np.interp(early, epochs, steps)) - steps[0])
    over = np.array([row[x] for row in rows]) if all(x in row for row in rows) else epochs
    level = _fitted(over, scores, most=1.0 if y.endswith("accuracy") else math.inf)
    whole = scores[epochs >= 1]
    last = float(whole[-math.ceil(len(whole) / 3) :].mean())
    return [
        (float(scores[0]), "after the first step" if epochs[0] > 0 else "before the first step"),
        (float(slope), f"from the start to epoch {early:g}"),
        (last, _MEAN) if level is None or abs(level - last) > 0.05 else (level, _FIT),
    ]


def _fitted(x: NDArray[Any], y: NDArray[Any], *, most: float) -> float | None:
    """The level a of a - b exp(-c x), where six points or more lie closely (R² of .95) on it and fix a to .02."""
    from scipy.optimize import OptimizeWarning, curve_fit

    spread = float(((y - y.mean()) ** 2).sum())
    if len(x) < 6 or spread == 0:
        return None
    x = (x - x[0]) / (x[-1] - x[0])

    def saturating(x: Any, a: float, b: float, c: float) -> Any:
        return a - b * np.exp(-c * x)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", OptimizeWarning)  # it leaves an infinite error, and that is asked for below
        try:
            found, covariance = curve_fit(
                saturating, x, y, p0=(y[-1], y[-1] - y[0], 3.0), bounds=([-np.inf, 0, 0.5], [most, np.inf, 100])
            )
        except (RuntimeError, ValueError):  # no fit, or one that would begin out of bounds
            return None
    unexplained = float(((y - saturating(x, *found)) ** 2).sum()) / spread
    error = math.sqrt(covariance[0, 0])
    return float(found[0]) if unexplained <= 0.05 and error <= 0.02 else None


def _benefit(
    name: str, transfer: list[tuple[float, str]], scratch: list[tuple[float, str]], confidence: float, *, unit: str
) -> Benefit:
    (here, here_how), (there, there_how) = zip(*transfer, strict=True), zip(*scratch, strict=True)
    difference = float(np.mean(here) - np.mean(there))
    half = _half_width(np.array(here), np.array(there), confidence)
    low, high = (None, None) if half is None else (difference - half, difference + half)
    means = float(np.mean(here)), float(np.mean(there))
    return Benefit(name, *means, difference, low, high, unit, here, there, here_how, there_how)


def _half_width(a: NDArray[Any], b: NDArray[Any], confidence: float) -> float | None:
    """Half of Student's t interval of mean(a) - mean(b): paired, or Welch's (1947) where their numbers differ."""
    from scipy.special import stdtrit

    if min(len(a), len(b)) < 2:
        return None
    samples = [a - b] if len(a) == len(b) else [a, b]
    errors = [float(np.var(sample, ddof=1)) / len(sample) for sample in samples]
    each = sum(error**2 / (len(sample) - 1) for error, sample in zip(errors, samples, strict=True))
    freedom = sum(errors) ** 2 / each if each else 1.0  # without any scatter the width is 0 whatever the freedom
    return float(stdtrit(freedom, (1 + confidence) / 2)) * math.sqrt(sum(errors))


def _decimals(value: float, *, digits: int = 2) -> int:
    """How many decimals show so many digits of a value: two at least, and no more than six."""
    first = math.floor(math.log10(abs(value))) if value else -2
    return min(max(digits - 1 - first, 2), 6)
