"""Some twenty answers to each question of the lessons: right in other forms, and wrong in likely ways.

Each row is an answer, what `check` must say of it ("right", "not yet", "not attempted"), and words that it must use.
"""

import heapq
import itertools
import math
import statistics
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from fractions import Fraction
from functools import partial, wraps
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tl_course.exercises.lessons import lesson_01, lesson_02, lesson_03
from tl_course.exercises.lessons.lesson_02 import layer_rates, read_curve
from tl_course.exercises.lessons.lesson_03 import kappa, least_believed, mended_and_spoilt

Row = tuple[Any, str, str]


class Lazy:
    """An answer that is an object, to be called as a function is."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def __call__(self, *arguments: Any) -> Any:
        return self.answer(*arguments)


async def in_its_own_time(*_: Any) -> float:
    return 0.5


# A function, or a single thing: mistakes that can be made with any question.
ANYWHERE: list[Row] = [
    (..., "not attempted", "Replace the ..."),
    (None, "not attempted", "Replace the ..."),
    (lambda *_: ..., "not attempted", "Replace the ..."),
    (lambda *_: print("0.75"), "not yet", "It prints “0.75”"),
    (lambda *_: [].append(1), "not yet", "returns nothing. End it with return"),
    (lambda *_: 1 / 0, "not yet", "Your answer raised ZeroDivisionError: division by zero"),
    (0.5, "not yet", "takes your function itself, and was given 0.5"),
    ("baseline", "not yet", "takes your function itself, and was given 'baseline'"),
    (Lazy(lambda *_: 1 / 0), "not yet", "Your answer raised ZeroDivisionError"),
    (Lazy(lambda *_: print("0.75")), "not yet", "It prints “0.75”, but nobody can go on"),
    (in_its_own_time, "not yet", "Write “def” alone"),
    (lambda *_: undefined, "not yet", "raised NameError"),  # type: ignore[name-defined]  # noqa: F821
]


# ---- lesson 01 -------------------------------------------------------------------------------------------------------


def baseline_by_loop(labels: list[str]) -> float:
    best = 0
    for label in labels:
        best = max(best, labels.count(label))
    return best / len(labels)


def with_length(function: Any) -> Any:
    @wraps(function)
    def answer(labels: list[str]) -> float:
        return float(function(labels, len(labels)))

    return answer


class Shares(list[float]):
    """An answer's own kind of list, which cannot be shown."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


BASELINE: list[Row] = [
    (lesson_01.baseline, "right", ""),
    (baseline_by_loop, "right", ""),
    (lambda labels: Counter(labels).most_common(1)[0][1] / len(labels), "right", ""),
    (lambda labels: labels.count(statistics.mode(labels)) / len(labels), "right", ""),
    (lambda labels: np.unique(labels, return_counts=True)[1].max() / len(labels), "right", ""),
    (lambda labels: pd.Series(labels).value_counts(normalize=True).iloc[0], "right", ""),
    (lambda labels: Fraction(baseline_by_loop(labels)), "right", ""),
    (lambda labels: Decimal(str(baseline_by_loop(labels))), "right", ""),
    (lambda labels: np.array(baseline_by_loop(labels)), "right", ""),
    (lambda labels: round(baseline_by_loop(labels), 3), "right", ""),
    (lambda labels: round(baseline_by_loop(labels), 1), "not yet", "0.6, which is 0.625 rounded"),
    (lambda labels: 100 * baseline_by_loop(labels), "not yet", "no percent"),
    (lambda labels: str(baseline_by_loop(labels)), "not yet", "returned '0.5', which is text"),
    (lambda labels: f"{baseline_by_loop(labels):.0%}", "not yet", "returned '50%', which is text"),
    (lambda labels: [baseline_by_loop(labels)], "not yet", "none in brackets"),
    (lambda labels: Shares(), "not yet", "returned a Shares. A single number"),
    (lambda labels: math.nan, "not yet", "returned nan, which is no number"),
    (lambda labels: math.inf, "not yet", "returned inf, which is no number"),
    (lambda labels: True, "not yet", "truth value"),
    (lambda labels: 1j, "not yet", "A number is wanted"),
    (lambda labels: max(labels, key=labels.count), "not yet", "which is text"),
    (lambda labels: max(map(labels.count, labels)), "not yet", "What share of all 40 is that?"),
    (lambda labels: 1 / len(set(labels)), "not yet", "says 0.5; the laziest classifier is right more often"),
    (
        lambda labels: labels.count(labels[0]) / len(labels),
        "not yet",
        "For 2 cat, 5 dog, 1 cow your function says 0.25",
    ),
    (lambda labels: labels.count(min(labels)) / len(labels), "not yet", "For 2 cat, 5 dog, 1 cow"),
    (lambda: 0.5, "not yet", "Your function takes (), and is called with (labels)"),
    (lambda labels: baseline_by_loop, "not yet", "returned <function baseline_by_loop>, which has yet to be called"),
    (lambda labels: labels.value_counts(), "not yet", "raised AttributeError"),
    (lambda labels: (yield 0.5), "not yet", "return in the place of yield"),
    (Lazy(lesson_01.baseline), "right", ""),
    (with_length(lambda labels, n: n * baseline_by_loop(labels) / n), "right", ""),
    (len, "not yet", "says 40. An accuracy is a share"),
    (lambda labels: len(labels) // 20 and 0.5, "not yet", "the laziest classifier is right more often"),
    (lambda labels: 1.0, "not yet", "the laziest classifier is right less often"),
    (lambda labels: np.array("0.5"), "not yet", "which is text"),
    (lambda labels: 10**5000, "not yet", "returned an int. That is too large a number"),
    (lambda labels: Fraction(10**400, 3), "not yet", "too large a number"),
    (lambda labels: max, "not yet", "has yet to be called"),
]


def taken_out_one_by_one(predictions: list[Any], n: int) -> list[Any]:
    chosen = []
    while len(chosen) < n:
        chosen.append(predictions.pop(min(range(len(predictions)), key=lambda i: predictions[i].confidence)))
    return chosen


def one_at_a_time(predictions: list[Any], n: int) -> Iterator[Any]:
    yield from lesson_01.least_sure(predictions, n)


def by_second_label(predictions: list[Any], n: int) -> list[Any]:
    for one in predictions:
        del one.probabilities[one.label]
    return sorted(predictions, key=lambda p: p.confidence)[:n]


def into_one_list(predictions: list[Any], n: int, chosen: list[Any] = []) -> list[Any]:  # noqa: B006
    chosen += lesson_01.least_sure(predictions, n)
    return chosen


def ahead(prediction: Any) -> float:
    first, second, *_ = sorted(prediction.probabilities.values(), reverse=True)
    return float(first - second)


def by(key: Any, predictions: list[Any], n: int) -> list[Any]:
    return sorted(predictions, key=key)[:n]


LEAST_SURE: list[Row] = [
    (lesson_01.least_sure, "right", ""),
    (taken_out_one_by_one, "right", ""),
    (by_second_label, "right", ""),
    (into_one_list, "not yet", "Each call returns the same list again"),
    (lambda predictions, n: itertools.cycle(predictions), "not yet", "which goes on and on"),
    (lambda predictions, n: map(int, ["x"]), "not yet", "Your answer raised ValueError: invalid literal"),
    (lambda predictions, n: pd.DataFrame(predictions).nsmallest(n, "confidence"), "not yet", "Return a list of"),
    (one_at_a_time, "right", ""),
    (lambda predictions, n: heapq.nsmallest(n, predictions, key=lambda p: p.confidence), "right", ""),
    (lambda predictions, n: tuple(lesson_01.least_sure(predictions, n)), "right", ""),
    (lambda predictions, n: [predictions[i] for i in np.argsort([p.confidence for p in predictions])[:n]], "right", ""),
    (lambda predictions, n: by(lambda p: max(p.probabilities.values()), predictions, n), "right", ""),
    (lambda predictions, n: sorted(predictions, key=lambda p: -p.confidence)[-n:][::-1], "right", ""),
    (partial(by, lambda p: p.confidence), "right", ""),
    (lambda predictions, n: by(lambda p: p.probabilities["bird"], predictions, n), "not yet", ""),
    (
        lambda predictions, n: by(lambda p: next(iter(p.probabilities.values())), predictions, n),
        "not yet",
        "lowest, lowest first, were wanted",
    ),
    (lambda predictions, n: by(ahead, predictions, n), "not yet", "lowest, lowest first, were wanted"),
    (
        lambda predictions, n: by(lambda p: min(p.probabilities.values()), predictions, n),
        "not yet",
        "it is most sure of",
    ),
    (lambda predictions, n: by(lambda p: p.label, predictions, n), "not yet", "lowest first, were wanted"),
    (lambda predictions, n: predictions[:n], "not yet", "lowest first, were wanted"),
    (lambda predictions, n: [p.confidence for p in predictions][:n], "not yet", "Return the predictions themselves"),
    (
        lambda predictions, n: [p.source for p in lesson_01.least_sure(predictions, n)],
        "not yet",
        "predictions themselves",
    ),
    (lambda predictions, n: by(lambda p: -p.confidence, predictions, n), "not yet", "Turn the order round"),
    (lambda predictions, n: sorted(predictions, key=lambda p: -p.confidence)[-n:], "not yet", "least sure comes last"),
    (lambda predictions, n: predictions, "not yet", "Asked for 3 of 6, your function returned 6"),
    (
        lambda predictions, n: lesson_01.least_sure(predictions, n - 1),
        "not yet",
        "Asked for 3 of 6, your function returned 2",
    ),
    (lambda predictions, n: [p for p in predictions if p.confidence < 0.6], "not yet", "Asked for 3 of 6"),
    (lambda predictions, n: lesson_01.least_sure(predictions, n)[0], "not yet", "Return a list of predictions"),
    (lambda predictions, n: sorted(predictions)[:n], "not yet", "raised TypeError: '<' not supported"),
    (lambda predictions, n: predictions.sort(key=lambda p: p.confidence), "not yet", "returns nothing"),
    (lambda predictions, n: {p.source: p for p in lesson_01.least_sure(predictions, n)}, "not yet", "Return a list"),
]


# ---- lesson 02 -------------------------------------------------------------------------------------------------------


def over_all(rows: list[dict[str, float]]) -> tuple[float, float, float]:
    first, last = rows[0], rows[-1]
    slope = (last["accuracy"] - first["accuracy"]) / (last["step"] - first["step"])
    return first["accuracy"], slope, last["accuracy"]


def by_table(rows: list[dict[str, float]]) -> Any:
    table = pd.DataFrame(rows)
    first = table[table.epoch == 1].iloc[0]
    start = table.accuracy.iloc[0]
    slope = (first.accuracy - start) / (first.step - table.step.iloc[0])
    return np.array([start, slope, table.accuracy.iloc[-1]])


def by_index(rows: list[dict[str, float]], i: int) -> tuple[float, float, float]:
    slope = (rows[i]["accuracy"] - rows[0]["accuracy"]) / (rows[i]["step"] - rows[0]["step"])
    return rows[0]["accuracy"], slope, rows[-1]["accuracy"]


def with_slope(change: Any) -> Any:
    def answer(rows: list[dict[str, float]]) -> tuple[Any, ...]:
        start, slope, level = read_curve(rows)
        return start, change(slope, rows), level

    return answer


READ_CURVE: list[Row] = [
    (read_curve, "right", ""),
    (by_table, "right", ""),
    (lambda rows: list(read_curve(rows)), "right", ""),
    (lambda rows: iter(read_curve(rows)), "right", ""),
    (lambda rows: pd.Series(read_curve(rows)), "right", ""),
    (lambda rows: tuple(map(np.float64, read_curve(rows))), "right", ""),
    (lambda rows: by_index(rows, [row["epoch"] for row in rows].index(1)), "right", ""),
    (lambda rows: by_index(rows, 1), "not yet", "0.75 at step 2 (epoch 1), the slope is 0.1"),
    (lambda rows: by_index(rows, -1), "not yet", "over the whole run"),
    (over_all, "not yet", "over the whole run"),
    (with_slope(lambda slope, rows: slope * 9), "not yet", "a gain *a step*"),
    (with_slope(lambda slope, rows: round(slope, 1)), "not yet", "the slope is 0.02"),
    (with_slope(lambda slope, rows: round(slope, 3)), "not yet", "That is rounded"),
    (with_slope(lambda slope, rows: str(slope)), "not yet", "Among yours is '0.0"),
    (with_slope(lambda slope, rows: None), "not yet", "Among yours is None"),
    (with_slope(lambda slope, rows: ...), "not attempted", ""),
    (with_slope(lambda slope, rows: slope * 10), "not yet", "a gain *a step*"),
    (lambda rows: (*read_curve(rows)[:2], 0.8), "not yet", "the level is 0.86; your function says 0.8."),
    (lambda rows: (*read_curve(rows)[:2], round(rows[-1]["accuracy"], 1)), "not yet", "rounded. Return it as it is."),
    (lambda rows: pd.DataFrame([read_curve(rows)]), "not yet", "Yours returned 0 1 2"),
    (lambda rows: map(float, "x"), "not yet", "Your answer raised ValueError: could not convert"),
    (with_slope(lambda slope, rows: math.nan), "not yet", "Among yours is nan"),
    (lambda rows: tuple(map(str, read_curve(rows))), "not yet", "Among yours is '0.62', which is text"),
    (lambda rows: [100 * one for one in read_curve(rows)], "not yet", "no percent"),
    (lambda rows: (0.62, 0.02, max(r["accuracy"] for r in rows)), "not yet", "the level is 0.86"),
    (lambda rows: read_curve(rows)[:2], "not yet", "Return three numbers"),
    (lambda rows: rows[0]["accuracy"], "not yet", "Return three numbers"),
    (lambda rows: {"start": 0.62, "slope": 0.02, "level": 0.84}, "not yet", "Return three numbers"),
    (lambda rows: set(read_curve(rows)), "not yet", "Return three numbers"),
    (lambda rows: "0.62, 0.02, 0.84", "not yet", "Return three numbers"),
    (lambda rows: rows[1]["acc"], "not yet", "raised KeyError: 'acc'"),
]


def learns(net: Any) -> Any:
    return [parameter for parameter in net.parameters() if parameter.requires_grad]


def through_layers(net: Any) -> int:
    return sum(p.numel() for layer in net for p in layer.parameters() if p.requires_grad)


HOW_MANY_LEARN: list[Row] = [
    (lesson_02.how_many_learn, "right", ""),
    (through_layers, "right", ""),
    (lambda net: sum(math.prod(p.shape) for p in learns(net)), "right", ""),
    (lambda net: float(sum(map(len, map(np.ravel, (p.detach() for p in learns(net)))))), "right", ""),
    (lambda net: np.sum([p.numel() for p in learns(net)]), "right", ""),
    (lambda net: sum(p.numel() * p.requires_grad for p in net.parameters()), "right", ""),
    (lambda net: next(net.parameters()).new_tensor(sum(p.numel() for p in learns(net))), "right", ""),
    (lambda net: sum(p.numel() for p in net.parameters()), "not yet", "Leave out the frozen ones"),
    (
        lambda net: sum(p.numel() for p in net.parameters() if not p.requires_grad),
        "not yet",
        "these are the frozen ones",
    ),
    (lambda net: len(learns(net)), "not yet", "how many are in it?"),
    (lambda net: len(list(net.parameters())), "not yet", "how many are in it?"),
    (lambda net: sum(len(p) for p in learns(net)), "not yet", "numbers learn; your function says"),
    (lambda net: sum(p.numel() for p in learns(net)) / 1000, "not yet", "numbers learn; your function says"),
    (lambda net: str(sum(p.numel() for p in learns(net))), "not yet", "which is text"),
    (lambda net: f"{sum(p.numel() for p in learns(net)):,}", "not yet", "which is text"),
    (lambda net: [p.numel() for p in learns(net)], "not yet", "A single number is wanted"),
    (lambda net: (p.numel() for p in learns(net)), "not yet", "A single number is wanted"),
    (lambda net: sum(p.numel() for p in net[0].parameters() if p.requires_grad), "not yet", "your function says 0"),
    (lambda net: net.requires_grad_() and sum(p.numel() for p in learns(net)), "not yet", "Leave out the frozen ones"),
    (lambda net: sum(p for p in learns(net)), "not yet", "raised RuntimeError"),
    (lambda net: sum(p.numel() for p in net if p.requires_grad), "not yet", "raised AttributeError"),
    (lambda net: 1346, "not yet", "1 of its 3 layers with weights frozen, 1298 numbers learn"),
]


def by_multiplying(n: int, head_rate: float, factor: float) -> list[float]:
    rates = [head_rate]
    while len(rates) < n:
        rates.insert(0, rates[0] / factor)
    return rates


LAYER_RATES: list[Row] = [
    (layer_rates, "right", ""),
    (by_multiplying, "right", ""),
    (lambda n, rate, by: tuple(layer_rates(n, rate, by)), "right", ""),
    (lambda n, rate, by: rate / by ** np.arange(n)[::-1], "right", ""),
    (lambda n, rate, by: rate * np.power(by, np.arange(1.0 - n, 1)), "right", ""),
    (lambda n, rate, by: (rate / by**i for i in reversed(range(n))), "right", ""),
    (lambda n, rate, by: np.geomspace(rate / by ** (n - 1), rate, n), "right", ""),
    (lambda n, rate, by: pd.Series(layer_rates(n, rate, by)), "right", ""),
    (lambda n, rate, by: [rate / by**i for i in range(n)], "not yet", "Turn it round"),
    (lambda n, rate, by: [rate / by ** (n - i) for i in range(n)], "not yet", "learns at 0.8"),
    (lambda n, rate, by: [rate / by / (n - i) for i in range(n - 1)] + [rate], "not yet", "divided by 2"),
    (lambda n, rate, by: [rate * by**i for i in range(n)], "not yet", "learns at 0.8"),
    (lambda n, rate, by: [rate] * n, "not yet", "divided by 2"),
    (lambda n, rate, by: np.linspace(rate / by ** (n - 1), rate, n), "not yet", "divided by 2"),
    (lambda n, rate, by: [rate] * (n - 1), "not yet", "a list of 4 rates, one for each group"),
    (lambda n, rate, by: [0.1, 0.2, 0.4, 0.8], "not yet", "should be a list of 1 rate, one for each group"),
    (lambda n, rate, by: (rate * by**-i for i in itertools.count()), "not yet", "goes on and on"),
    (lambda n, rate, by: [rate / by**i for i in range(n + 1)][::-1], "not yet", "your function gave 5"),
    (lambda n, rate, by: [], "not yet", "your function gave 0"),
    (lambda n, rate, by: rate / by ** (n - 1), "not yet", "should be a list of 4 rates. Yours returned 0.1"),
    (lambda n, rate, by: slice(rate / by ** (n - 1), rate), "not yet", "should be a list of 4 rates"),
    (lambda n, rate, by: [round(one, 4) for one in layer_rates(n, rate, by)], "not yet", "which is rounded"),
    (lambda n, rate, by: list(map(str, layer_rates(n, rate, by))), "not yet", "Among yours is '0.1', which is text"),
    (lambda n, rate, by: dict(enumerate(layer_rates(n, rate, by))), "not yet", "should be a list"),
    (lambda n, rate, by: str(layer_rates(n, rate, by)), "not yet", "should be a list of 4 rates"),
    (lambda n, rate, by: [[one] for one in layer_rates(n, rate, by)], "not yet", "Among yours is [0.1]"),
    (lambda n, rate, by: [..., rate], "not attempted", ""),
]


# ---- lesson 03 -------------------------------------------------------------------------------------------------------


def sorted_pairs(probabilities: dict[str, dict[str, float]], labels: dict[str, str]) -> list[str]:
    return [name for _, name in sorted((probabilities[name][label], name) for name, label in labels.items())]


def in_a_table(probabilities: dict[str, dict[str, float]], labels: dict[str, str]) -> Any:
    table = pd.DataFrame({"given": {name: probabilities[name][label] for name, label in labels.items()}})
    return table.sort_values("given").index


def first_right(probabilities: dict[str, dict[str, float]], labels: dict[str, str]) -> list[str]:
    first, *rest = least_believed(probabilities, labels)
    return [first, *sorted(rest)]


LEAST_BELIEVED: list[Row] = [
    (least_believed, "right", ""),
    (sorted_pairs, "right", ""),
    (in_a_table, "right", ""),
    (lambda p, labels: tuple(least_believed(p, labels)), "right", ""),
    (lambda p, labels: iter(least_believed(p, labels)), "right", ""),
    (lambda p, labels: list(map(Path, least_believed(p, labels))), "right", ""),
    (lambda p, labels: pd.DataFrame(p).T, "not yet", "Return a list of the 5 file names. Yours returned open closed"),
    (lambda p, labels: np.array(least_believed(p, labels)), "right", ""),
    (lambda p, labels: dict.fromkeys(least_believed(p, labels)).keys(), "not yet", "Return a list"),
    (lambda p, labels: sorted(labels, key=lambda n: 1 - p[n][labels[n]], reverse=True), "right", ""),
    (first_right, "not yet", "In place 3 d.jpg was wanted"),
    (lambda p, labels: sorted(labels), "not yet", "In place 3 d.jpg was wanted"),
    (lambda p, labels: list(labels), "not yet", "In place 3 d.jpg was wanted"),
    (lambda p, labels: sorted(labels, key=lambda n: -p[n][labels[n]]), "not yet", "Turn it round"),
    (lambda p, labels: sorted(labels, key=lambda n: max(p[n].values())), "not yet", "unsure the model is"),
    (lambda p, labels: sorted(labels, key=lambda n: min(p[n].values())), "not yet", "was wanted"),
    (lambda p, labels: sorted(labels, key=lambda n: p[n]["open"]), "not yet", "In place 1 a.jpg was wanted"),
    (lambda p, labels: [n for n in labels if max(p[n], key=p[n].get) != labels[n]], "not yet", "each once"),
    (lambda p, labels: list(labels)[:2], "not yet", "each once"),
    (lambda p, labels: [*least_believed(p, labels)] * 2, "not yet", "each once"),
    (lambda p, labels: [(n, p[n][labels[n]]) for n in least_believed(p, labels)], "not yet", "each once"),
    (lambda p, labels: sorted(p[n][labels[n]] for n in labels), "not yet", "each once"),
    (lambda p, labels: least_believed(p, labels)[0], "not yet", "Return a list of the 5 file names"),
    (lambda p, labels: set(labels), "not yet", "Return a list of the 5 file names"),
    (lambda p, labels: ["a.jpg", "b.jpg", "d.jpg", "c.jpg", "e.jpg"], "not yet", "All 4 file names were wanted"),
    (lambda p, labels: sorted(labels, key=lambda n: labels[n][p[n]]), "not yet", "raised TypeError"),
    (lambda p, labels: sorted(labels, key=p.get), "not yet", "raised TypeError"),
    (lambda p, labels: labels.sort(), "not yet", "raised AttributeError"),
]


def beyond_chance(a: list[str], b: list[str]) -> float:
    return sum(x == y for x, y in zip(a, b, strict=True)) / len(a) - sum(a.count(x) for x in b) / len(a) ** 2


def agreed(a: list[str], b: list[str]) -> float:
    return sum(x == y for x, y in zip(a, b, strict=True)) / len(a)


def by_scikit_learn(a: list[str], b: list[str]) -> float:
    from sklearn.metrics import cohen_kappa_score

    return float(cohen_kappa_score(a, b))


def for_two_labels(a: list[str], b: list[str]) -> float:
    p, q = (np.mean(np.array(one) == "open") for one in (a, b))
    chance = p * q + (1 - p) * (1 - q)
    return float((agreed(a, b) - chance) / (1 - chance))


def chance_of_the_first(a: list[str], b: list[str]) -> float:
    chance = sum((a.count(one) / len(a)) ** 2 for one in set(a))
    return (agreed(a, b) - chance) / (1 - chance)


KAPPA: list[Row] = [
    (kappa, "right", ""),
    (by_scikit_learn, "right", ""),
    (for_two_labels, "right", ""),
    (lambda a, b: beyond_chance(a, b) / (1 - agreed(a, b) + beyond_chance(a, b)), "right", ""),
    (lambda a, b: np.float32(kappa(a, b)), "right", ""),
    (lambda a, b: np.array(kappa(a, b)), "right", ""),
    (lambda a, b: round(kappa(a, b), 3), "right", ""),
    (lambda a, b: kappa(b, a), "right", ""),
    (lambda a, b: round(kappa(a, b), 2), "not yet", "which is rounded"),
    (lambda a, b: str(kappa(a, b)), "not yet", "which is text"),
    (lambda a, b: 100 * kappa(a, b), "not yet", "says 100"),
    (agreed, "not yet", "Take off what chance"),
    (lambda a, b: 2 * agreed(a, b) - 1, "not yet", "both labels equally often"),
    (beyond_chance, "not yet", "1 - chance"),
    (chance_of_the_first, "not yet", "kappa is"),
    (
        lambda a, b: sum(a.count(x) for x in b) / len(a) ** 2,
        "not yet",
        "the second 14 “closed” and 7 “open”",
    ),
    (lambda a, b: 1 - kappa(a, b), "not yet", "says 0"),
    (lambda a, b: max(0, kappa(a, b)), "not yet", "on 85%: kappa is -0.07143. Your function says 0"),
    (lambda a, b: abs(kappa(a, b)), "not yet", "kappa is -0.07143"),
    (lambda a, b: (kappa(a, b), agreed(a, b)), "not yet", "A single number is wanted"),
    (lambda a, b: math.nan, "not yet", "nan"),
    (lambda a, b: a == b, "not yet", "truth value"),
    (lambda a, b: sum(a == b) / len(a), "not yet", "raised TypeError"),
    (lambda a, b: np.mean(a == b), "not yet", "kappa is 0.5. Your function says 0"),
    (lambda a, b: 0, "not yet", "says 0"),
]


def counted(truth: list[str], before: list[str], after: list[str]) -> list[int]:
    counts = [0, 0]
    for i in range(len(truth)):
        if truth[i] == after[i] != before[i]:
            counts[0] += 1
        elif truth[i] == before[i] != after[i]:
            counts[1] += 1
    return counts


def changed(truth: list[str], before: list[str], after: list[str]) -> tuple[int, int]:
    wrong = sum(b not in (t, a) for t, b, a in zip(truth, before, after, strict=True))
    right = sum(b == t and a != b for t, b, a in zip(truth, before, after, strict=True))
    return wrong, right


MENDED_AND_SPOILT: list[Row] = [
    (mended_and_spoilt, "right", ""),
    (counted, "right", ""),
    (lambda *lists: np.array(mended_and_spoilt(*lists)), "right", ""),
    (lambda *lists: tuple(map(float, mended_and_spoilt(*lists))), "right", ""),
    (lambda *lists: iter(mended_and_spoilt(*lists)), "right", ""),
    (lambda *lists: pd.Series(mended_and_spoilt(*lists), index=["mended", "spoilt"]), "right", ""),
    (lambda truth, before, after: tuple(np.int64(one) for one in counted(truth, before, after)), "right", ""),
    (changed, "not yet", "Of 6 pictures"),
    (
        lambda truth, before, after: mended_and_spoilt(truth, after, before),
        "not yet",
        "4 should be counted as mended and 1 as spoilt",
    ),
    (lambda *lists: mended_and_spoilt(*lists)[::-1], "not yet", "Turn the two round"),
    (lambda *lists: mended_and_spoilt(*lists)[0], "not yet", "Return two numbers"),
    (lambda *lists: tuple(map(str, mended_and_spoilt(*lists))), "not yet", "which is text"),
    (lambda *lists: "4 and 4", "not yet", "Return two numbers"),
    (lambda *lists: {8, 4}, "not yet", "Yours returned {8, 4}"),
    (lambda *lists: {"mended": 4, "spoilt": 4}, "not yet", "Return two numbers"),
    (lambda *lists: (8, [4]), "not yet", "Among yours is [4]"),
    (lambda *lists: (..., ...), "not attempted", ""),
    (lambda *lists: (1, 2, 3), "not yet", "Return two numbers"),
    (lambda *lists: (math.nan, 1), "not yet", "nan"),
    (lambda *lists: np.array([2, 2]), "not yet", "says 2 and 2"),
    (lambda truth, before, after: sum(a == t for a, t in zip(after, truth, strict=True)), "not yet", "two numbers"),
    (lambda truth, before, after: (sum(before == truth), sum(after == truth)), "not yet", "raised TypeError"),
    (lambda truth, before: (1, 2), "not yet", "is called with (truth, before, after)"),
]

CARD = lesson_03.model_card()


def card(old: str, new: str) -> Any:
    assert old in CARD
    return lambda: CARD.replace(old, new)


MADE_BY = "Ada, for the course, 2026."
RULE = "A door is open if a grown-up could walk through without touching it: from about 44 degrees on."
MEASURED = "88 % of 112 pictures that it had not seen, by this rule; always saying “closed” would get about 64 %."

MODEL_CARD: list[Row] = [
    (lesson_03.model_card, "right", ""),
    (card(MADE_BY, "Ada Lovelace"), "right", ""),
    (card(MADE_BY, "Ada, Ben, ... and 20 more"), "right", ""),
    (card(MADE_BY, "Ada, Ben, … and 20 more"), "right", ""),
    (card(MADE_BY, "艾达为这门课程制作"), "right", ""),
    (card(RULE, "Offen heißt: man käme hindurch, ohne sie zu berühren."), "right", ""),
    (card("Doors between", "Doors ajar... and"), "right", ""),
    (card("## The rule", "##  the rule:"), "right", ""),
    (card("## The rule", "### **The rule** ##"), "right", ""),
    (card(RULE, f"### In short\n{RULE}\n### Longer\nSee ## above."), "right", ""),
    (card("\n", "\r\n"), "right", ""),
    (card("\n", "\n    "), "right", ""),
    (card(MEASURED, "Nine of ten are right, on 112 pictures."), "right", ""),
    (
        card("## The rule", "## 3. The rule"),
        "not yet",
        "lacks: The rule. Each has a line of its own such as “## The rule”",
    ),
    (card(MEASURED, "Ninety-two percent of two-hundred pictures."), "right", ""),
    (card(MEASURED, "Ninety-two percent of all the pictures."), "not yet", "needs two numbers"),
    (card("## The rule", ""), "not yet", "lacks: The rule"),
    (card("## The rule", "The rule"), "not yet", "lacks: The rule"),
    (card(MEASURED, "Good on ... pictures"), "not yet", "filled in, where the ... are: How good"),
    (card(MADE_BY, "… …"), "not yet", "filled in, where the ... are: Who made it"),
    (card(MADE_BY, "..."), "not yet", "filled in, where the ... are: Who made it"),
    (card(RULE, f"{RULE} ..."), "not yet", "filled in, where the ... are: The rule"),
    (card(MADE_BY, ""), "not yet", "filled in, where the ... are: Who made it"),
    (card(MADE_BY, "Ada"), "not yet", "told more on: Who made it"),
    (card(RULE, "asdf 1 asdf"), "not yet", "told more on: The rule"),
    (card(MEASURED, "asdf 1 asdf"), "not yet", "told more on: How good it is"),
    (card(RULE, "the the the the"), "not yet", "told more on: The rule"),
    (card(RULE, "TODO TBD xxx"), "not yet", "told more on: The rule"),
    (card(RULE, "qwrtz sdfgh xcvbn hjkl"), "not yet", "told more on: The rule"),
    (card(MEASURED, "Good on pictures that it had not seen."), "not yet", "needs two numbers"),
    (card(MEASURED, "88 % of pictures that it had not seen."), "not yet", "needs two numbers"),
    (lambda: "asdf", "not yet", "The card lacks: What it is for, What it learnt from"),
    (lambda: "\n".join(f"## {section}\n..." for section in lesson_03.SECTIONS), "not attempted", ""),
    (CARD.encode, "not yet", "your function returned bytes"),
    (CARD.splitlines, "not yet", "your function returned list"),
]

QUESTIONS = [
    (lesson_01.q1, BASELINE), (lesson_01.q2, LEAST_SURE),
    (lesson_02.q1, READ_CURVE), (lesson_02.q2, HOW_MANY_LEARN), (lesson_02.q3, LAYER_RATES),
    (lesson_03.q1, LEAST_BELIEVED), (lesson_03.q2, KAPPA), (lesson_03.q3, MENDED_AND_SPOILT), (lesson_03.q4,
    MODEL_CARD),
]  # fmt: skip


# ---- lesson 01, question 3: trains, so that each takes a moment --------------------------------------------


def trained(images: Any, n: int, **options: Any) -> Any:
    from tl_course import train

    return train(images.subset(n), **options)


def accuracy(images: Any, n: int, **options: Any) -> float:
    return float(trained(images, n, **options).metrics["accuracy"])


def with_another_draw(images: Any, n: int) -> float:
    from tl_course import train

    return float(train(images.subset(n, seed=1)).metrics["accuracy"])


def mean_of_draws(images: Any, n: int) -> float:
    from tl_course import train

    return float(np.mean([train(images.subset(n, seed=seed)).metrics["accuracy"] for seed in range(3)]))


def by_hand(images: Any, n: int) -> float:
    said = trained(images, n).predict([images.path(image) for image in images.valid])
    return float(np.mean([one.label == image.label for one, image in zip(said, images.valid, strict=True)]))


def of_all(images: Any, n: int) -> float:
    from tl_course import train

    return float(train(images).metrics["accuracy"])


def of_a_list(images: Any, n: int) -> float:
    from tl_course import train

    return float(train(images.train[:n]).metrics["accuracy"])


ACCURACY_WITH: list[Row] = [
    (lesson_01.accuracy_with, "right", ""),
    (with_another_draw, "right", ""),
    (mean_of_draws, "right", ""),
    (by_hand, "right", ""),
    (lambda images, n: trained(images, n).evaluate(images, split="valid").accuracy, "right", ""),
    (lambda images, n: np.float32(accuracy(images, n)), "right", ""),
    (lambda images, n: accuracy(images, n, seed=3), "right", ""),
    (lambda images, n: accuracy(images, n, balanced=True), "right", ""),
    (
        lambda images, n: accuracy(images, n // 2),
        "not yet",
        "Asked for 8 training pictures, your function trained on 4",
    ),
    (lambda images, n: accuracy(images, 2 * n), "not yet", "trained on 16"),
    (of_all, "not yet", "trained on"),
    (lambda images, n: 0.5, "not yet", "was not seen to train"),
    (trained, "not yet", "A number is wanted"),
    (lambda images, n: trained(images, n).metrics, "not yet", "A single number is wanted"),
    (lambda images, n: 100 * accuracy(images, n), "not yet", "no percent"),
    (lambda images, n: str(accuracy(images, n)), "not yet", "which is text"),
    (lambda images, n: 1 - accuracy(images, n), "not yet", "Return that accuracy"),
    (lambda images, n: trained(images, n) and math.nan, "not yet", "nan"),
    (lambda images, n: trained(images, n).evaluate(images, split="train").accuracy, "not yet", "other pictures"),
    (lambda images, n: trained(images, n).metrics["log_loss"], "not yet", "Return that accuracy"),
    (lambda images, n: trained(images, n).evaluate(images).accuracy, "not yet", "was measured on other pictures"),
    (lambda images, n: round(accuracy(images, n), 1), "not yet", "rounded"),
    (of_a_list, "not yet", "raised ImageSetError: train() takes an ImageSet, and was given a list"),
    (lambda images, n: trained(images, 10_000), "not yet", "raised ImageSetError: 10000 training pictures"),
    (lambda images, n: images.subset(n).metrics["accuracy"], "not yet", "raised AttributeError"),
]
