"""Answers that are suspiciously alike, for a person to judge.

What an answer has in common with many others is how one answers that question; what it has in common with one or two is
worth a look. So answers are compared by runs of words that few students wrote, weighted by how few (TF-IDF, cosine).
Names that somebody only exchanged for others, and what was shifted about, are found all the same.
"""

import builtins
import keyword
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from glob import escape as escape_glob
from html import escape
from pathlib import Path

import nbformat

from tl_course.core.files import atomic_path
from tl_course.core.names import printable
from tl_course.errors import GradingError
from tl_course.grading.pages.report import page

__all__ = ["Alike", "alike", "answers", "report"]

_RUNS = (4, 6)  # words: as they stand; without names, where less is told
_CROWD = 0.1  # of the students, above which what they share is how that question is answered
_CIRCLE = 3  # students who may have worked together, in a class so small that they are more than that
_KNOWN = {*keyword.kwlist, *dir(builtins)}  # names that nobody exchanges for others
_LEAST = 0.5  # cosine
_SHARED = 12  # runs that are rare and shared, at least: two lines or so
_SHOWN = 200  # pairs on the page
_LONGEST = 20_000  # letters of an answer that are read


@dataclass(frozen=True)
class Alike:
    """Two students and what is alike in their answers.

    Attributes
    ----------
    first, second : str
        Students.
    likeness : float
        Of what is rare in their answers, up to 1: the same.
    cells : dict of str to (str, str)
        The answers that share something rare, by the name of the cell; the most alike first.
    """

    first: str
    second: str
    likeness: float
    cells: dict[str, tuple[str, str]]


def answers(course: Path, name: str) -> dict[str, dict[str, str]]:
    """What each student answered, by the cell's name, out of what was autograded; without what was handed out."""
    blank: dict[str, str] = {}
    for path in (course / "release" / name).glob("*.ipynb"):
        blank |= {f"{path.stem}/{one}": text for one, text in _answers_in(path)}
    found: dict[str, dict[str, str]] = {}
    for path in sorted((course / "autograded").glob(f"*/{escape_glob(name)}/*.ipynb")):
        given = {f"{path.stem}/{one}": text for one, text in _answers_in(path)}
        found.setdefault(path.parents[1].name, {}).update(
            {one: _own(text, blank.get(one, "")) for one, text in given.items() if text != blank.get(one)}
        )
    return found


def alike(given: Mapping[str, Mapping[str, str]]) -> list[Alike]:
    """Pairs of students whose answers are suspiciously alike, the most alike first.

    Parameters
    ----------
    given : mapping
        Answers of each student, by the cell's name, as `answers` returns them.

    Notes
    -----
    Runs of words that more than a tenth of the students wrote do not count (more than three, in a small class). So
    answers that a large crowd copied from the same place are not found.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer

    students = sorted(given)
    if len(students) < 2:
        return []
    runs = {one: {cell: set(_runs(text)) for cell, text in given[one].items()} for one in students}
    documents = [[f"{cell} {run}" for cell, found in runs[one].items() for run in sorted(found)] for one in students]
    crowd = max(_CIRCLE, int(_CROWD * len(students)))
    rare = TfidfVectorizer(analyzer=list, max_df=crowd)
    try:
        weights = rare.fit_transform(documents)  # a row for each student, of length 1
    except ValueError:  # nobody wrote anything of their own
        return []
    likeness = (weights @ weights.T).tocoo()
    pairs = []
    for one, other, value in zip(likeness.row, likeness.col, likeness.data, strict=True):
        if one >= other or value < _LEAST:
            continue
        first, second = students[one], students[other]
        shared = {
            cell: sum(f"{cell} {run}" in rare.vocabulary_ for run in runs[first][cell] & runs[second].get(cell, set()))
            for cell in runs[first]
        }
        if sum(shared.values()) >= _SHARED:
            cells = sorted((cell for cell in shared if shared[cell]), key=lambda cell: -shared[cell])
            both = {cell: (given[first][cell], given[second][cell]) for cell in cells}
            pairs.append(Alike(first, second, float(value), both))
    return sorted(pairs, key=lambda pair: (-pair.likeness, pair.first, pair.second))


def report(name: str, *, course: Path) -> tuple[Path, list[Alike]]:
    """Write the page ``reports/NAME/alike.html``, which shows the answers of each pair side by side.

    Raises
    ------
    GradingError
        Nothing of this assignment has been graded.
    """
    given = answers(course, name)
    if not given:
        raise GradingError(f"Nothing of {name} has been graded: run `tl-course grade {name}` first.")
    pairs = alike(given)
    target = course / "reports" / name / "alike.html"
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(target) as part:
        part.write_text(_page(name, pairs), encoding="utf-8", errors="backslashreplace")
    return target, pairs


def _page(assignment: str, pairs: list[Alike]) -> str:
    parts = [
        f"<h2>{escape(printable(pair.first))} and {escape(printable(pair.second))}: {pair.likeness:.0%}</h2>"
        + "".join(
            f"<h3>{escape(cell)}</h3><div class='pair'><pre>{escape(one)}</pre><pre>{escape(other)}</pre></div>"
            for cell, (one, other) in pair.cells.items()
        )
        for pair in pairs[:_SHOWN]
    ]
    if not pairs:
        said = "No two students share what few others wrote."
    else:
        who = "One pair of students shares" if len(pairs) == 1 else f"{len(pairs)} pairs of students share"
        shown = f" (the first {_SHOWN} are shown)" if len(pairs) > _SHOWN else ""
        said = f"{who} more of what few others wrote than chance would bring{shown}. {_NO_PROOF}"
    return page(f"{assignment}: answers that are alike", said, "\n".join(parts), style=_STYLE)


_NO_PROOF = """That is a reason to look and to ask, and no proof: the same book, the same table at the library or a
short answer that can hardly be otherwise do it too. The share says how much of what is rare in their answers is in
both."""
_STYLE = """h2 { border-top: 1px solid #8884; padding-top: 1rem; }
.pair { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
pre { margin: 0; padding: .6rem .8rem; background: #8881; white-space: pre-wrap; font-size: 13px; }"""


def _answers_in(path: Path) -> Iterator[tuple[str, str]]:
    for cell in nbformat.read(path, 4).cells:
        about = cell.metadata.get("nbgrader", {})
        if about.get("solution"):
            yield about["grade_id"], cell.source


def _own(text: str, blank: str) -> str:
    """An answer without the lines that were handed out."""
    given = {line.strip() for line in blank.splitlines()}
    return "\n".join(line for line in text[:_LONGEST].splitlines() if line.strip() not in given)


def _runs(text: str) -> Iterator[str]:
    words = re.findall(r"\w+|[^\w\s]", text)
    nameless = ["_" if word.isidentifier() and word not in _KNOWN else word for word in words]
    for length, what in zip(_RUNS, (words, nameless), strict=True):
        for start in range(len(what) - length + 1):
            yield " ".join(what[start : start + length])
