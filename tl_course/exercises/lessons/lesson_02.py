"""Questions of lesson 02, "Cats and dogs"."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from tl_course.exercises import NotYet, Question
from tl_course.exercises.values import as_number, as_numbers, is_close, is_rounded

if TYPE_CHECKING:
    from torch import nn

__all__ = ["q1", "q2", "q3"]


# ---- 1: read a curve -------------------------------------------------------------------------------------------------


def read_curve(rows: Sequence[Mapping[str, float]]) -> tuple[float, float, float]:
    start, first, last = rows[0], next(row for row in rows if row["epoch"] == 1), rows[-1]
    slope = (first["accuracy"] - start["accuracy"]) / (first["step"] - start["step"])
    return start["accuracy"], slope, last["accuracy"]


def _check_read_curve(answer: Callable[[Sequence[Mapping[str, float]]], Sequence[float]]) -> str:
    curves = [
        [(0.1, 1, 0.62), (1, 10, 0.80), (2, 20, 0.88), (3, 30, 0.86)],
        [(0.25, 1, 0.50), (1, 4, 0.48), (2, 8, 0.56), (3, 12, 0.60), (4, 16, 0.66)],
        [(0, 0, 0.55), (0.5, 1, 0.60), (1, 2, 0.75)],
    ]
    for curve in curves:
        rows = [dict(zip(("epoch", "step", "accuracy"), row, strict=True)) for row in curve]
        got = as_numbers(
            answer([dict(row) for row in rows]), n=3, wanted="Return three numbers: start, slope and level."
        )
        wanted = read_curve(rows)
        for name, one, right in zip(("start", "slope", "level"), got, wanted, strict=True):
            if is_close(one, right, within=1e-6):
                continue
            shown = ", ".join(f"{score:g} at step {step}{' (epoch 1)' * (epoch == 1)}" for epoch, step, score in curve)
            told = f"For the accuracies {shown}, the {name} is {right:g}; your function says {one:g}."
            if is_rounded([one], [right]):
                small = ": a slope is often small" * (name == "slope")
                raise NotYet(f"{told} That is rounded. Return it as it is{small}.")
            if is_close(one / 100, right, within=1e-6):
                raise NotYet(f"{told} As a share between 0 and 1, please: no percent.")
            if name == "slope" and abs(one - (wanted[2] - wanted[0]) / (rows[-1]["step"] - rows[0]["step"])) < 1e-6:
                raise NotYet(f"{told} That is over the whole run; wanted is up to the row whose epoch is 1.")
            first = next(row for row in rows if row["epoch"] == 1)
            gain = first["accuracy"] - wanted[0]
            if name == "slope" and any(is_close(one, gain / by, within=1e-6) for by in (1, 1 - rows[0]["epoch"])):
                raise NotYet(f"{told} Divide the gain by the number of steps in between: a slope is a gain *a step*.")
            raise NotYet(told)
    return "Right. Mind the second curve: it loses at first, so its slope is below 0, and still it gets somewhere."


q1 = Question(
    _check_read_curve,
    solution=read_curve,
    hints=[
        'Each row is a dict: rows[0]["accuracy"] is the start, and rows[-1]["accuracy"] the level reached.',
        'For the slope, find the row whose row["epoch"] is 1: next(row for row in rows if row["epoch"] == 1).',
        "The slope is what was gained from the first row to that one, divided by the difference of their steps.",
    ],
)


# ---- 2: how many numbers learn? --------------------------------------------------------------------------------------


def how_many_learn(net: "nn.Module") -> int:
    return sum(parameter.numel() for parameter in net.parameters() if parameter.requires_grad)


def _check_how_many_learn(answer: "Callable[[nn.Module], int]") -> str:
    from torch import nn

    for frozen in ((0,), (), (0, 2), (2,), (0, 2, 4)):
        net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Conv2d(8, 16, 3), nn.Flatten(), nn.Linear(64, 2))
        for i in frozen:
            net[i].requires_grad_(False)
        every = sum(parameter.numel() for parameter in net.parameters())
        blocks = (sum(p.requires_grad for p in net.parameters()), len(list(net.parameters())))
        wanted = how_many_learn(net)
        got = as_number(answer(net))
        if is_close(got, wanted):
            continue
        said = f"{len(frozen)} of its 3 layers with weights frozen" if frozen else "nothing frozen"
        told = f"In a small network with {said}, {wanted} numbers learn; your function says {got:g}"
        if got == every:
            raise NotYet(f"{told}: these are all there are. Leave out the frozen ones.")
        if got == every - wanted:
            raise NotYet(f"{told}: these are the frozen ones.")
        if got in blocks:
            raise NotYet(f"{told}. A parameter is a whole block of numbers: how many are in it?")
        raise NotYet(f"{told}.")
    return "Right. It works for any network of PyTorch: try it on `learn.model`, before and after `learn.unfreeze()`."


q2 = Question(
    _check_how_many_learn,
    solution=how_many_learn,
    hints=[
        "net.parameters() goes through all the blocks of numbers. Each knows whether it learns: .requires_grad.",
        "parameter.numel() says how many numbers a block holds.",
        "Add up parameter.numel() over those parameters for which parameter.requires_grad is true.",
    ],
)


# ---- 3: a rate for each group ----------------------------------------------------------------------------------------


def layer_rates(n: int, head_rate: float, factor: float) -> list[float]:
    return [head_rate / factor ** (n - 1 - i) for i in range(n)]


def _check_layer_rates(answer: Callable[[int, float, float], Sequence[float]]) -> str:
    for n, head_rate, factor in ((4, 0.8, 2.0), (1, 0.01, 2.6), (3, 0.001, 10.0)):
        asked, rates = f"layer_rates({n}, {head_rate:g}, {factor:g})", f"{n} rate{'s' * (n > 1)}"
        wanted = layer_rates(n, head_rate, factor)
        got = as_numbers(answer(n, head_rate, factor), wanted=f"{asked} should be a list of {rates}.")
        if _close(got, wanted):
            continue
        if len(got) != n:
            raise NotYet(f"{asked} should be a list of {rates}, one for each group, the head among them; your function "
                         f"gave {len(got)}.")  # fmt: skip
        if _close(got, wanted[::-1]):
            raise NotYet(f"{asked} begins with the head. Turn it round: first layers first, as fastai has its groups.")
        if is_rounded(got, wanted):
            raise NotYet(f"{asked} gave {_said(got)}, which is rounded; {_said(wanted)} is wanted. Do not round rates.")
        if abs(got[-1] - head_rate) > 1e-6 * head_rate:
            raise NotYet(f"{asked} ends with {got[-1]:g}. The last group is the head, which learns at {head_rate:g}.")
        raise NotYet(f"{asked} should be {_said(wanted)}; your function gave {_said(got)}. "
                     f"Each group's rate is the next one's divided by {factor:g}.")  # fmt: skip
    return "Right. `learn.fit_one_cycle(epochs, rates)` takes such a list, one rate for each group."


def _close(got: Sequence[float], wanted: Sequence[float]) -> bool:
    return len(got) == len(wanted) and all(abs(a - b) <= 1e-6 * b for a, b in zip(got, wanted, strict=True))


def _said(rates: Sequence[float]) -> str:
    return "[" + ", ".join(f"{rate:g}" for rate in rates) + "]"


q3 = Question(
    _check_layer_rates,
    solution=layer_rates,
    hints=[
        "The head is the last in the list, and the group before it gets head_rate / factor.",
        "Group number i, counted from 0, is n - 1 - i groups away from the head.",
        "[head_rate / factor ** (n - 1 - i) for i in range(n)]",
    ],
)
