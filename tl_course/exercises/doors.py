"""Questions of lesson 03, "Open or closed?"."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tl_course.grading import NotYet, Question, attempted

__all__ = ["q1", "q2", "q3", "q4"]


# ---- 1: which labels does the model believe the least? ---------------------------------------------------------------


def least_believed(probabilities: Mapping[str, Mapping[str, float]], labels: Mapping[str, str]) -> list[str]:
    return sorted(labels, key=lambda name: probabilities[name][labels[name]])


def _check_least_believed(answer: Callable[..., Sequence[str]]) -> str:
    open_by_name = {"a.jpg": 0.97, "b.jpg": 0.08, "c.jpg": 0.55, "d.jpg": 0.71, "e.jpg": 0.02}
    probabilities = {name: {"open": p, "closed": 1 - p} for name, p in open_by_name.items()}
    labels = {"a.jpg": "closed", "b.jpg": "open", "c.jpg": "open", "d.jpg": "closed", "e.jpg": "closed"}
    wanted = least_believed(probabilities, labels)
    got = list(attempted(answer({name: dict(p) for name, p in probabilities.items()}, dict(labels))))
    if sorted(got) != sorted(wanted):
        raise NotYet(f"All five file names were wanted, each once; your function gave {got}.")
    if got == wanted[::-1]:
        raise NotYet("These are in the order of how much they are believed. Turn it round: the doubtful ones first.")
    if got == sorted(labels, key=lambda name: max(probabilities[name].values())):
        raise NotYet("That is the order of how unsure the model is of its own answer. A model that is sure of the "
                     "other label doubts the given one most: look up the probability of the label given.")  # fmt: skip
    if got != wanted:
        first = wanted[0]
        raise NotYet(f"{first} comes first: it is called {labels[first]!r}, and the model gives that only "
                     f"{probabilities[first][labels[first]]:.0%}. Your function begins with {got[0]}.")  # fmt: skip
    return "Right. With probabilities from cross-validation, this is the heart of every tool that finds bad labels."


q1 = Question(
    _check_least_believed,
    solution=least_believed,
    hints=[
        "Of each picture, only one of its probabilities counts: that of the label which it was given.",
        "For one picture that is probabilities[name][labels[name]].",
        "Sort the names by it: sorted(labels, key=lambda name: …). The lowest comes first.",
    ],
)


# ---- 2: agreement beyond chance --------------------------------------------------------------------------------------


def kappa(first: Sequence[str], second: Sequence[str]) -> float:
    n = len(first)
    agreed = sum(one == two for one, two in zip(first, second, strict=True)) / n
    chance = sum(first.count(label) / n * second.count(label) / n for label in set(first))
    return (agreed - chance) / (1 - chance)


def _check_kappa(answer: Callable[[Sequence[str], Sequence[str]], float]) -> str:
    shut, wide = "closed", "open"
    cases = [
        ([shut, wide] * 10, [shut, wide] * 10),
        ([shut] * 10 + [wide] * 10, [shut] * 7 + [wide] * 3 + [wide] * 8 + [shut] * 2),
        ([shut] * 18 + [wide] * 2, [shut] * 17 + [wide] + [shut] * 2),
        ([shut, wide] * 4, [wide, shut] * 4),
    ]
    for first, second in cases:
        agreed = sum(one == two for one, two in zip(first, second, strict=True)) / len(first)
        got, wanted = float(attempted(answer(list(first), list(second)))), kappa(first, second)
        if abs(got - wanted) < 0.005:
            continue
        told = f"Two people agree on {agreed:.0%} of {len(first)} pictures, so that kappa is {wanted:.2f}. Your "
        told += f"function says {got:.2f}"
        if abs(got - agreed) < 0.005:
            raise NotYet(f"{told}: that is the share on which they agree. Take off what chance alone would give.")
        if abs(got - (2 * agreed - 1)) < 0.005:
            raise NotYet(f"{told}. Chance is one half only where both use both labels equally often.")
        chance = sum(first.count(label) * second.count(label) for label in {*first}) / len(first) ** 2
        if abs(got - (agreed - chance)) < 0.005:
            raise NotYet(f"{told}: so far do they agree beyond chance. Now divide by what chance leaves to gain, "
                         "1 - chance.")  # fmt: skip
        raise NotYet(f"{told}.")
    return "Right. Look at the third case: they agree on 17 of 20, and kappa is below 0. Both just say “closed” a lot."


q2 = Question(
    _check_kappa,
    solution=kappa,
    hints=[
        "First the share of pictures on which both say the same.",
        "Then chance: how often both would say “open” if each only drew lots, as often as they do say it, plus the "
        "same for “closed”.",
        "chance = sum of (share of the label with the first) times (share of it with the second), over the labels.",
        "kappa = (agreed - chance) / (1 - chance): of what chance leaves to gain, the part that was gained.",
    ],
)


# ---- 3: is the gain more than luck? ----------------------------------------------------------------------------------


def mended_and_spoilt(truth: Sequence[str], before: Sequence[str], after: Sequence[str]) -> tuple[int, int]:
    mended = sum(b != t and a == t for t, b, a in zip(truth, before, after, strict=True))
    spoilt = sum(b == t and a != t for t, b, a in zip(truth, before, after, strict=True))
    return mended, spoilt


def _check_mended_and_spoilt(answer: Callable[..., Sequence[int]]) -> str:
    truth = ["open"] * 6 + ["closed"] * 6
    before = ["open", "closed"] * 6
    after = ["open"] * 5 + ["closed"] * 5 + ["open"] * 2
    for b, a in ((before, after), (after, before), (before, before)):
        got, wanted = _two_numbers(attempted(answer(list(truth), list(b), list(a)))), mended_and_spoilt(truth, b, a)
        if got != wanted:
            raise NotYet(f"Of {len(truth)} pictures {wanted[0]} were wrong before and right after, and {wanted[1]} the "
                         f"other way round; your function says {got[0]:g} and {got[1]:g}.")  # fmt: skip
    return "Right. The difference of the two is the gain; their sum says how much of a coin toss it may have been."


def _two_numbers(got: Any) -> tuple[float, float]:
    try:
        if isinstance(got, str | bytes | set | dict):
            raise TypeError("no first and second number")
        one, two = got
        return float(attempted(one)), float(attempted(two))
    except (TypeError, ValueError):
        raise NotYet(
            f"Return two numbers: how many were mended, and how many were spoilt. Yours gave {got!r}."
        ) from None


q3 = Question(
    _check_mended_and_spoilt,
    solution=mended_and_spoilt,
    hints=[
        "Go through the three lists together: zip(truth, before, after).",
        "Mended: before differs from the truth, and after does not. Spoilt: the other way round.",
        "sum() counts what is True: sum(b != t and a == t for t, b, a in zip(truth, before, after)).",
    ],
)


# ---- 4: the model card -----------------------------------------------------------------------------------------------

SECTIONS = ("What it is for", "What it learnt from", "The rule", "How good it is", "Where it fails", "Who made it")


def model_card() -> str:
    return """
# Open or closed?

## What it is for
It tells whether a door in a picture stands open, for a light that warns before the last one leaves. It is not for
locks, alarms or anything else on which safety depends.

## What it learnt from
360 pictures drawn by a course, 192 pixels wide, with planted mistakes: most were mended, and what was no door was
dropped. Some 230 of them were for training.

## The rule
A door is open if a grown-up could walk through without touching it: from about 44 degrees on.

## How good it is
88 % of 112 pictures that it had not seen, by this rule; always saying “closed” would get about 64 %.

## Where it fails
Doors between 30 and 60 degrees, glass doors, and doors seen from the side. It has never seen a photo.

## Who made it
Ada, for the course, 2026.
"""


def _check_model_card(answer: Callable[[], str]) -> str:
    card = attempted(answer())
    if not isinstance(card, str):
        raise NotYet(f"Return the card as text; your function returned {type(card).__name__}.")
    said: dict[str, str] = {}
    for part in card.split("## ")[1:]:
        heading, _, text = part.partition("\n")
        said[heading.strip()] = " ".join(text.split())
    if missing := [section for section in SECTIONS if section not in said]:
        raise NotYet(f"The card lacks: {', '.join(missing)}. Each is a line that begins with “## ”.")
    blank = [section for section in SECTIONS if "..." in said[section].split()]
    if {"What it is for", "Where it fails", "Who made it"}.issubset(blank):  # which nobody but the student knows
        attempted(...)
    if blank:
        raise NotYet(f"Still to be filled in, where the ... are: {', '.join(blank)}.")
    if short := [section for section in SECTIONS if len(said[section].split()) < 2]:
        raise NotYet(f"A reader who was not here needs more than a word on: {', '.join(short)}.")
    if not any(character.isdigit() for character in said["How good it is"]):
        raise NotYet("“How good it is” needs a number, and on how many pictures it was measured.")
    return "A card that tells its reader what to rely on, and what not. Keep it with the model."


q4 = Question(
    _check_model_card,
    solution=model_card,
    hints=[
        "Write for somebody who finds the model in a year, and has never heard of you.",
        "What it is for: also say what it should not be used for. Where it fails: look at the mistakes above.",
        "How good it is: a number, on how many pictures, judged by which rule, and what guessing would get.",
    ],
)
