"""Questions of lesson 03, "Open or closed?"."""

import re
from collections.abc import Callable, Mapping, Sequence

from tl_course.exercises import NotYet, Question, attempted, brief
from tl_course.exercises.values import as_list, as_number, as_numbers, is_close, is_rounded

__all__ = ["q1", "q2", "q3", "q4"]


# ---- 1: which labels does the model believe the least? ---------------------------------------------------------------


def least_believed(probabilities: Mapping[str, Mapping[str, float]], labels: Mapping[str, str]) -> list[str]:
    return sorted(labels, key=lambda name: probabilities[name][labels[name]])


_BELIEVED = [  # (the model's answer, the label given) of each file
    {
        "a.jpg": ({"open": 0.97, "closed": 0.03}, "closed"),
        "b.jpg": ({"open": 0.08, "closed": 0.92}, "open"),
        "c.jpg": ({"open": 0.55, "closed": 0.45}, "open"),
        "d.jpg": ({"open": 0.71, "closed": 0.29}, "closed"),
        "e.jpg": ({"open": 0.02, "closed": 0.98}, "closed"),
    },
    {
        "mug 1.png": ({"cup": 0.2, "glass": 0.7, "mug": 0.1}, "mug"),
        "mug 2.png": ({"cup": 0.25, "glass": 0.15, "mug": 0.6}, "mug"),
        "glass.png": ({"cup": 0.5, "glass": 0.3, "mug": 0.2}, "glass"),
        "cup.png": ({"cup": 0.4, "glass": 0.35, "mug": 0.25}, "cup"),
    },
]


def _check_least_believed(answer: Callable[..., Sequence[str]]) -> str:
    for case in _BELIEVED:
        probabilities = {name: dict(said) for name, (said, _) in case.items()}
        labels = {name: label for name, (_, label) in case.items()}
        wanted = least_believed(probabilities, labels)
        given = answer({name: dict(said) for name, said in probabilities.items()}, dict(labels))
        listed = as_list(given, wanted=f"Return a list of the {len(wanted)} file names.")
        got = [str(one) for one in listed]  # a Path is as good
        if sorted(got) != sorted(wanted):
            raise NotYet(f"All {len(wanted)} file names were wanted, each once; your function gave {brief(listed)}.")
        if got == wanted:
            continue
        if got == wanted[::-1]:
            raise NotYet(
                "These are in the order of how much they are believed. Turn it round: the doubtful ones first."
            )
        if got == sorted(labels, key=lambda name: max(probabilities[name].values())):
            raise NotYet("That is the order of how unsure the model is of its own answer. A model that is sure of "
                         "another label doubts the given one most: look up the probability of that.")  # fmt: skip
        place = next(i for i, (one, right) in enumerate(zip(got, wanted, strict=True)) if one != right)
        right, instead = wanted[place], got[place]
        raise NotYet(f"In place {place + 1} {right} was wanted: it is called {labels[right]!r}, and the model gives "
                     f"that {probabilities[right][labels[right]]:.0%}. Your function has {instead} there, with "
                     f"{probabilities[instead][labels[instead]]:.0%} for {labels[instead]!r}.")  # fmt: skip
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
        ([shut, wide, shut] * 7, [shut, wide, shut] * 7),
        ([shut] * 10 + [wide] * 10, [shut] * 7 + [wide] * 3 + [wide] * 8 + [shut] * 2),
        ([shut] * 18 + [wide] * 2, [shut] * 17 + [wide] + [shut] * 2),
        ([shut, wide] * 4, [wide, shut] * 4),
    ]
    for first, second in cases:
        agreed = sum(one == two for one, two in zip(first, second, strict=True)) / len(first)
        got, wanted = as_number(answer(list(first), list(second))), kappa(first, second)
        if is_close(got, wanted):
            continue
        said = [f"{one.count(shut)} “closed” and {one.count(wide)} “open”" for one in (first, second)]
        told = f"Of {len(first)} pictures the first calls {said[0]}, the second {said[1]}, and they agree on "
        told += f"{agreed:.0%}: kappa is {wanted:.4g}. Your function says {got:.4g}"
        if is_rounded([got], [wanted]):
            raise NotYet(f"{told}, which is rounded. Return it as it is.")
        if is_close(got, agreed):
            raise NotYet(f"{told}: that is the share on which they agree. Take off what chance alone would give.")
        if is_close(got, 2 * agreed - 1):
            raise NotYet(f"{told}. Chance is one half only where both use both labels equally often.")
        chance = sum(first.count(label) * second.count(label) for label in {*first}) / len(first) ** 2
        if is_close(got, agreed - chance):
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
    kinds = ["cup", "cup", "cup", "mug", "mug", "glass"], ["mug", "mug", "cup", "cup", "mug", "cup"]
    cases = [(truth, before, after), (truth, after, before), (truth, before, before)]
    cases += [(kinds[0], kinds[1], ["glass", "cup", "mug", "glass", "mug", "mug"])]  # wrong, and wrong in another way
    for right, b, a in cases:
        given = answer(list(right), list(b), list(a))
        got = as_numbers(given, n=2, wanted="Return two numbers: how many were mended, and how many were spoilt.")
        wanted = mended_and_spoilt(right, b, a)
        if tuple(got) != wanted:
            told = f"Of {len(right)} pictures {wanted[0]} should be counted as mended and {wanted[1]} as spoilt; "
            turn = " Turn the two round: first those mended." * (tuple(got) == wanted[::-1])
            raise NotYet(f"{told}your function says {got[0]:g} and {got[1]:g}.{turn}")
    return "Right. The difference of the two is the gain; their sum says how much of a coin toss it may have been."


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


_WORDS = {  # how many different words a section needs at least, to say anything
    "What it is for": 3, "What it learnt from": 3, "The rule": 3, "How good it is": 3, "Where it fails": 2,
    "Who made it": 2,
}  # fmt: skip
_FILLERS = frozenset(
    ("asdf", "bar", "bla", "blah", "blub", "dolor", "foo", "ipsum", "lorem", "qwerty", "tba", "tbd", "test", "text",
     "todo", "xxx", "xyz")
)  # fmt: skip
_NUMBERS = frozenset(
    ("half", "third", "quarter", "quarters", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
     "eleven", "twelve", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred",
     "dozen")
)  # fmt: skip


def _sections(card: str) -> dict[str, str]:
    """What stands below each of the headings that are wanted, on one line; other headings are part of the text."""
    wanted = {section.casefold(): section for section in SECTIONS}
    said: dict[str, list[str]] = {}
    current: list[str] = []
    for line in card.splitlines():
        heading = re.fullmatch(r"\s*#+\s*(.*?)[\s#:*]*", line)
        if heading and (section := wanted.get(heading[1].strip(" *_").casefold())):
            current = said.setdefault(section, [])
        else:
            current += line.split()
    return {section: " ".join(words) for section, words in said.items()}


def _is_unfilled(text: str) -> bool:
    """Whether a ... stands in for words: any that is not part of a word, nor follows a comma as in "Ada, Ben, ..."."""
    words = text.replace("…", "...").split()
    return not words or any(
        word.strip("*_") == "..." and (i == 0 or words[i - 1][-1] not in ",;") for i, word in enumerate(words)
    )


def _telling_words(text: str) -> set[str]:
    """The different words and numbers of a text that may mean something: no fillers, no keys hit at random."""
    words = {word.casefold() for word in re.findall(r"[^\W_]+", text)}
    by_sign = {word for word in words if any("\u3040" <= sign <= "\uffdc" for sign in word)}  # written without blanks
    told = words - _FILLERS - by_sign
    told = {
        word for word in told if not word.isascii() or word.isdigit() or re.search("[aeiouy]", word) or len(word) < 4
    }
    return told | {sign for word in by_sign for sign in word}


def _check_model_card(answer: Callable[[], str]) -> str:
    card = attempted(answer())
    if not isinstance(card, str):
        raise NotYet(f"Return the card as text; your function returned {type(card).__name__}.")
    said = _sections(card)
    if missing := [section for section in SECTIONS if section not in said]:
        raise NotYet(f"The card lacks: {', '.join(missing)}. Each has a line of its own such as “## {missing[0]}”.")
    blank = [section for section in SECTIONS if _is_unfilled(said[section])]
    if {"What it is for", "Where it fails", "Who made it"}.issubset(blank):  # which nobody but the student knows
        attempted(...)
    if blank:
        raise NotYet(f"Still to be filled in, where the ... are: {', '.join(blank)}.")
    if short := [section for section in SECTIONS if len(_telling_words(said[section])) < _WORDS[section]]:
        raise NotYet(f"A reader who was not here needs to be told more on: {', '.join(short)}.")
    numbers = re.findall(r"\d+(?:[.,]\d+)*", said["How good it is"])
    words = re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", said["How good it is"].casefold())
    numbers += [word for word in words if _NUMBERS.intersection(word.split("-"))]
    if len(numbers) < 2:
        raise NotYet("“How good it is” needs two numbers: how good, and on how many pictures that was measured.")
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
