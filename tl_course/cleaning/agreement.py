"""How well people agree with each other and with themselves: answers on record, and kappa with its uncertainty.

Answers lie in ``answers.jsonl`` beside the data set, one JSON object a line, only ever appended to.

Two answers are no label of the set. "neither" says what an image shows, namely nothing that has a label here: it
counts as one more label, on which people agree or not. "cannot tell" says nothing of the image: where one of two
answers is that, the image is set aside, neither agreed on nor contradicted. How many were set aside is said beside
kappa, for whoever sets much aside agrees easily on the rest.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import combinations
from pathlib import Path
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from tl_course.data.edit_log import append_line
from tl_course.errors import ImageSetError

__all__ = [
    "ANSWERS", "CANNOT_TELL", "NEITHER", "Agreement", "Answer", "ConsistencyReport",
    "agreement", "append_answer", "consistency", "interval_of_share", "order_for",
    "read_answers",
]  # fmt: skip

ANSWERS = "answers.jsonl"
NEITHER = "neither"
CANNOT_TELL = "cannot tell"
Z = 1.959964  # of a 95 % interval


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What someone called a picture, the first or the second time; or that an earlier answer does not count."""

    who: str
    file_name: str
    time: int  # 1 or 2
    label: str
    series: str = ""  # which choice of pictures it belongs to
    undoes: str = ""
    when: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    id: str = field(default_factory=lambda: uuid4().hex[:12])


def append_answer(path: Path, answer: Answer) -> None:
    """Add one answer and wait until it is on the disk."""
    try:
        append_line(path, json.dumps(asdict(answer), ensure_ascii=False))
    except OSError as error:
        raise ImageSetError(
            f"{path} could not be written: {error.strerror}. The answers before are kept. Make room, then go on."
        ) from None


def read_answers(path: Path) -> list[Answer]:
    """The answers that count, in order; damaged lines are passed over, and no file means none."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").split("\n")
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ImageSetError(f"{path} cannot be read: {error.strerror}.") from None
    found: dict[str, Answer] = {}
    for line in lines:
        try:
            answer = Answer(**json.loads(line))
        except (ValueError, TypeError, RecursionError):
            continue
        if answer.undoes:
            found.pop(answer.undoes, None)
        elif answer.time in (1, 2):
            found[answer.id] = answer
    return list(found.values())


def order_for(names: Sequence[str], who: str) -> list[tuple[str, int]]:
    """Every name twice, as (name, 1) and later (name, 2), in an order of this person's own that is always the same.

    All come a first time before any comes again, and what came last does not come first.
    """
    random = np.random.default_rng([*who.encode(), len(names)])
    first = random.permutation(len(names)).tolist()
    late = set(first[-(len(names) // 3) :]) if len(names) > 2 else set()
    second = random.permutation(len(names)).tolist()
    # Those seen a moment ago go to the back, all else stays shuffled.
    second.sort(key=lambda i: i in late)
    return [(names[i], 1) for i in first] + [(names[i], 2) for i in second]


@dataclass(frozen=True)
class Agreement:
    """How far two series of labels of the same pictures agree.

    Attributes
    ----------
    n : int
        Pictures that both have judged.
    share : float
        Of them on which both agree.
    kappa : float
        Cohen's kappa: 1 for perfect agreement, 0 for what chance would give; nan where only one label was used.
    low, high : float
        Ends of a 95 % interval for kappa.
    labels : tuple of str
    confusion : array of shape (n_labels, n_labels), int
        Rows for the first series, columns for the second.
    set_aside : int
        Further pictures of which one of the two, or both, could not tell.
    """

    n: int
    share: float
    kappa: float
    low: float
    high: float
    labels: tuple[str, ...]
    confusion: NDArray[np.int64]
    set_aside: int = 0

    def __str__(self) -> str:
        aside = f"; {self.set_aside} set aside, where one could not tell" if self.set_aside else ""
        return f"{self._in_words()}{aside}"

    def _in_words(self) -> str:
        if not self.n:
            return "no picture was judged by both"
        agreed = f"{np.trace(self.confusion)} of {self.n} picture{'s' * (self.n != 1)} called the same"
        if math.isnan(self.kappa):
            return f"{agreed}; kappa says nothing where only one label is used"
        return f"{agreed}; kappa {self.kappa:.2f} (95 % interval {self.low:.2f} to {self.high:.2f})"


def agreement(first: Sequence[str], second: Sequence[str]) -> Agreement:
    """Compare two series of labels, given in the same order of pictures; `CANNOT_TELL` sets a picture aside.

    The interval takes the agreement that chance would give as known, as Cohen's own standard error does (Cohen 1960,
    A coefficient of agreement for nominal scales, Educ. Psychol. Meas. 20), and has Wilson's limits for the share on
    which both agree (Wilson 1927, Probable inference, JASA 22): so it does not shrink to nothing where a few pictures
    happen to agree completely, as a normal approximation or a bootstrap does.

    Raises
    ------
    ImageSetError
        The series are empty or of unequal length.
    """
    if len(first) != len(second) or not first:
        raise ImageSetError("To compare two series of labels, both need a label for each of the same pictures.")
    judged = [pair for pair in zip(first, second, strict=True) if CANNOT_TELL not in pair]
    n, aside = len(judged), len(first) - len(judged)
    labels = sorted({label for pair in judged for label in pair})
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    for one, two in judged:
        confusion[labels.index(one), labels.index(two)] += 1
    if not n:
        return Agreement(0, math.nan, math.nan, math.nan, math.nan, (), confusion, aside)
    share = float(np.trace(confusion) / n)
    chance = float(confusion.sum(0) @ confusion.sum(1) / n**2)
    low, high = interval_of_share(share, n)

    def kappa(agreed: float) -> float:
        return (agreed - chance) / (1 - chance) if chance < 1 else math.nan

    return Agreement(n, share, kappa(share), kappa(low), kappa(high), tuple(labels), confusion, aside)


def interval_of_share(share: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval for a share seen in `n` cases (Wilson 1927, Probable inference, JASA 22)."""
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class ConsistencyReport:
    """What several people's answers amount to.

    Attributes
    ----------
    people : dict of str to Agreement
        Each person's first answers beside the second ones; those who saw no picture twice are not in it.
    pairs : dict of (str, str) to Agreement
        The first answers of each two people on the pictures that both saw.
    contradictions : dict of str to list of (file name, first label, second label)
        The pictures on which a person was not of the same mind twice; not being able to tell is no contradiction.
    """

    people: dict[str, Agreement]
    pairs: dict[tuple[str, str], Agreement]
    contradictions: dict[str, list[tuple[str, str, str]]]

    def lines(self) -> list[str]:
        """All of it in words."""
        if not self.people and not self.pairs:
            return ["No picture was seen twice yet."]
        said = [f"{who or 'You'}, first and second time: {one}." for who, one in self.people.items()]
        return said + [f"{a or 'You'} and {b or 'you'}: {one}." for (a, b), one in self.pairs.items()]

    def __str__(self) -> str:
        return "\n".join(self.lines())


def consistency(answers: Sequence[Answer]) -> ConsistencyReport:
    """Each person beside themselves, and each two beside each other."""
    said: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    for one in answers:
        said.setdefault(one.who, ({}, {}))[one.time - 1][one.file_name] = one.label
    people: dict[str, Agreement] = {}
    contradictions: dict[str, list[tuple[str, str, str]]] = {}
    for who, (first, second) in said.items():
        if twice := [name for name in first if name in second]:
            people[who] = agreement([first[name] for name in twice], [second[name] for name in twice])
            contradictions[who] = [
                (name, first[name], second[name])
                for name in twice
                if first[name] != second[name] and CANNOT_TELL not in (first[name], second[name])
            ]
    pairs = {
        (a, b): agreement([said[a][0][name] for name in both], [said[b][0][name] for name in both])
        for a, b in combinations(said, 2)
        if (both := [name for name in said[a][0] if name in said[b][0]])
    }
    return ConsistencyReport(people, pairs, contradictions)
