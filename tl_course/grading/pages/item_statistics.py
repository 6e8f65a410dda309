"""What marks say about an assignment: difficulty and discrimination of its questions, wrong answers, what changed."""

import ast
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean

__all__ = ["Change", "Item", "changes", "common", "items", "nameless", "totals"]

Marks = Mapping[str, Mapping[str, float | None]]
"""Points by student and question; None where a person has not given any yet."""

_LEAST = 10  # students, below which a correlation says nothing
_LONGEST = 20_000  # letters of an answer that are read
_KEPT = 300  # letters of a message


@dataclass(frozen=True)
class Item:
    """A question, as its marks show it.

    Attributes
    ----------
    name : str
    points : float
        That it is out of.
    difficulty : float or None
        Mean share of its points that students got, 0 to 1: the higher, the easier (the classical item difficulty).
        None where nobody has a mark.
    discrimination : float or None
        Pearson correlation of its marks with the sum of all others (item-rest, or corrected item-total, correlation).
        None where fewer than ten students have all their marks, or all have the same.
    full, none, missing : int
        Students with all points, with none, and without a mark.
    """

    name: str
    points: float
    difficulty: float | None
    discrimination: float | None
    full: int
    none: int
    missing: int


@dataclass(frozen=True)
class Change:
    """A mark that is another one than in the run before; None where there was none."""

    student: str
    question: str
    before: float | None
    now: float | None


def items(marks: Marks, of: Mapping[str, float]) -> list[Item]:
    """Statistics of each question that has points.

    A question that nobody has a mark of is left out of the sums of the others; so is, for the correlations, a student
    who has no mark of one that others have.

    References
    ----------
    R. L. Ebel and D. A. Frisbie, Essentials of Educational Measurement, 5th edition, 1991, chapter 13: difficulty, and
    discrimination, of which they call .40 very good, .20 to .29 marginal, and less than that poor. Leaving the question
    itself out of the sum: S. Henrysson, Correction of item-total correlations in item analysis, Psychometrika 28, 1963.
    """
    known = [name for name in of if of[name] > 0 and any(given.get(name) is not None for given in marks.values())]
    complete = [given for given in marks.values() if all(given.get(name) is not None for name in known)]
    found = []
    for name in (name for name in of if of[name] > 0):
        column = [given.get(name) for given in marks.values()]
        there = [value for value in column if value is not None]
        own = [float(given[name] or 0) for given in complete] if name in known else []
        rest = [sum(float(given[other] or 0) for other in known if other != name) for given in complete]
        found.append(
            Item(
                name=name,
                points=of[name],
                difficulty=fmean(there) / of[name] if there else None,
                discrimination=_correlation(own, rest) if len(own) >= _LEAST else None,
                full=sum(value >= of[name] for value in there),
                none=sum(value <= 0 for value in there),
                missing=len(column) - len(there),
            )
        )
    return found


def totals(marks: Marks, of: Mapping[str, float]) -> tuple[list[float], int]:
    """Each student's share of all points that anybody has a mark of, and how many students are without one of them."""
    known = [name for name in of if any(given.get(name) is not None for given in marks.values())]
    all_points = sum(of[name] for name in known)
    complete = [given for given in marks.values() if all(given.get(name) is not None for name in known)]
    if not all_points:
        return [], len(marks)
    shares = [sum(float(given[name] or 0) for name in known) / all_points for given in complete]
    return shares, len(marks) - len(complete)


def _correlation(first: list[float], second: list[float]) -> float | None:
    """Pearson's, or None where one of the two does not vary."""
    mean, other = fmean(first), fmean(second)
    spread = sum((x - mean) ** 2 for x in first) * sum((y - other) ** 2 for y in second)
    if spread <= 1e-12:
        return None
    together = sum((x - mean) * (y - other) for x, y in zip(first, second, strict=True))
    return float(together / spread**0.5)


def changes(before: Marks, now: Marks) -> list[Change]:
    """Marks of students who were graded in both that differ, sorted by student."""
    return [
        Change(student, question, before[student].get(question), now[student].get(question))
        for student in sorted(before.keys() & now.keys())
        for question in sorted(before[student].keys() | now[student].keys())
        if before[student].get(question) != now[student].get(question)
    ]


def common(said: Iterable[str], *, most: int = 5) -> list[tuple[str, int]]:
    """The commonest texts and how often each came. Numbers and what stands in quotes do not tell two of them apart."""
    counts, shown = Counter[str](), dict[str, str]()
    for text in said:
        key = re.sub(r"\d+(\.\d+)?", "0", re.sub(r"'[^']*'|\"[^\"]*\"", "''", text[:_KEPT])).strip()
        counts[key] += 1
        shown.setdefault(key, text[:_KEPT].strip())
    return [(shown[key], count) for key, count in counts.most_common(most)]


def nameless(source: str) -> str:
    """An answer without what does not tell two of them apart: comments, blanks, and the names that it made up.

    What is no Python is compared word for word.
    """
    source = source[:_LONGEST]
    try:
        with warnings.catch_warnings(action="ignore"):  # what Python has to say of a student's text
            tree = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return " ".join(source.split())
    bound: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            bound.setdefault(node.arg, f"_{len(bound)}")
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.setdefault(node.id, f"_{len(bound)}")
    for node in ast.walk(tree):
        if isinstance(node, ast.arg):
            node.arg = bound[node.arg]
        elif isinstance(node, ast.Name):
            node.id = bound.get(node.id, node.id)
    try:
        return ast.unparse(tree)
    except (RecursionError, ValueError):
        return " ".join(source.split())
