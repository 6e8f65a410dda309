"""Which notebook of a submission counts: found where that is certain, asked about where it is not."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import PurePosixPath

from nbformat import NotebookNode

from tl_course.core.names import nfc
from tl_course.grading.submissions.handed_in import File, HandedIn, short, some
from tl_course.grading.submissions.notebook_file import Read, Unreadable, read_notebook

__all__ = ["Choice", "Rejected", "choose"]

LARGEST = 50 << 20  # bytes of a notebook
MOST_CELLS = 1000
_MOST = 20  # notebooks that are looked at
_SNIFFED = 20  # files of other names that are looked into, where none is called a notebook
_SHARED = 0.25  # of the cells that were handed out, from which on a notebook without ids is one of this assignment
_NBGRADERS = ("timestamp.txt", "submission_secret.txt")  # what its exchange puts beside a submission
_WRITTEN = re.compile(r"\.(py|ipynb|docx?|odt|pdf|html?|txt|md|rtf|json|zip|rar|7z|gz|tar)$", re.IGNORECASE)


class Rejected(Exception):  # noqa: N818 - what has happened to the submission
    """A submission that cannot be graded as it is, with a sentence for the grader: what is wrong, and what to do."""


@dataclass
class Choice:
    """The notebook that counts, as read, and what a person should know about the choice."""

    file: File
    read: Read
    mended: list[str]
    look: list[str]


@dataclass
class _Candidate:
    file: File
    read: Read | None
    why: str = ""  # it cannot be read
    related: bool = False
    answers: tuple[tuple[str, str], ...] = ()  # those that are not as handed out

    @property
    def name(self) -> str:
        """For a sentence."""
        return short(str(self.file.name))


def choose(
    found: HandedIn,
    release: NotebookNode,
    name: str,
    others: Collection[str],
    answers_in: Callable[[NotebookNode], dict[str, str]],
) -> Choice:
    """Choose the notebook ``name.ipynb`` of an assignment among the files of a submission.

    The one of that name counts, at the top of the submission, unless it is as it was handed out and a copy beside it is
    not. Otherwise the only one that was worked on counts, in whatever folder, zip or under whatever name.

    Parameters
    ----------
    found : HandedIn
    release : NotebookNode
        What was handed out.
    name : str
        Of the notebook, without ``.ipynb``.
    others : collection of str
        Names of the assignment's other notebooks.
    answers_in : callable
        Gives a notebook's answers, by the names of their cells, as far as they are not as handed out.

    Raises
    ------
    Rejected
        There is none that can be read, or several might be meant.
    """
    candidates = [_load(file, release, answers_in) for file in _notebooks(found, name, others)]
    official = next((one for one in candidates if str(one.file.name) == f"{name}.ipynb"), None)
    readable = [candidate for candidate in candidates if candidate.read]
    related = [candidate for candidate in readable if candidate.related]
    worked = _distinct([candidate for candidate in related or readable if candidate.answers])
    if official is not None:
        return _beside_official(official, worked, readable, candidates, found)
    broken = [candidate for candidate in candidates if not candidate.read]
    if len(broken) == 1 and not readable:
        raise Rejected(f"{broken[0].name} {broken[0].why}. Ask for it again.")
    if not readable:
        raise Rejected(_nothing(name, found, broken))
    possible = worked or _distinct(related or readable)
    named = [candidate for candidate in possible if _is_named(candidate, name)]
    if len(possible) > 1 and len(named) != 1:
        there = ", ".join(sorted(candidate.name for candidate in possible))
        raise Rejected(f"There is no {name}.ipynb (notebooks there: {there}). Ask for it, or rename the right one.")
    chosen = (named or possible)[0]
    mended = [f"The file was called {chosen.name}."]
    return _choice(chosen, mended, [one for one in worked if one is not chosen])


def _beside_official(
    official: _Candidate,
    worked: list[_Candidate],
    readable: list[_Candidate],
    candidates: list[_Candidate],
    found: HandedIn,
) -> Choice:
    rest = [one for one in worked if one is not official and one.answers != official.answers]
    if official.read is None:
        if len(candidates) > 1 and readable:
            there = ", ".join(one.name for one in readable)
            raise Rejected(
                f"{official.name} {official.why}, but there is also {there}. Ask which is meant, and rename it."
            )
        raise Rejected(f"{official.name} {official.why}. Ask for it again.")
    if official.answers:
        return _choice(official, [], rest)
    untouched = f"{official.name} is as it was handed out"
    if len(rest) > 1:
        there = ", ".join(f"{one.name}{_hint(one, rest)}" for one in rest)
        raise Rejected(f"{untouched}, and several others are worked on: {there}. Ask which is meant, and rename it.")
    if rest:
        choice = _choice(rest[0], [], [])
        choice.look.append(f"{untouched}, so {rest[0].name} was graded, which was handed in beside it.")
        return choice
    choice = _choice(official, [], [])
    unread = [one.name for one in candidates if one is not official and not (one.read and one.related)]
    unread += [str(file.name) for file in found.files if _tells(file) and not file.packed]
    if unread or found.closed:
        beside = sorted({*unread, *found.closed})
        choice.look.append(f"{untouched}: are the answers in {some(beside)}, which lies beside it?")
    else:
        choice.mended.append(f"{untouched}: nothing was answered.")
    return choice


def _choice(chosen: _Candidate, mended: list[str], rivals: list[_Candidate]) -> Choice:
    assert chosen.read is not None
    look = []
    if rivals:
        there = ", ".join(f"{one.name}{_hint(one, [chosen, *rivals])}" for one in rivals)
        look.append(f"{chosen.name} was graded, and beside it lies another that is worked on: {there}.")
    return Choice(chosen.file, chosen.read, mended, look)


def _hint(candidate: _Candidate, among: list[_Candidate]) -> str:
    """What speaks for a notebook, for a person to weigh."""
    others = [one for one in among if one is not candidate and one.file.packed == candidate.file.packed]
    said = []
    if others and all(candidate.file.changed > one.file.changed for one in others):
        said.append("the newest")
    if all(len(candidate.answers) > len(one.answers) for one in among if one is not candidate):
        said.append("the one with most answers")
    return f" ({' and '.join(said)})" if said else ""


def _tells(file: File) -> bool:
    return (
        bool(_WRITTEN.search(file.name.name))
        and not file.name.name.endswith(".ipynb")
        and str(file.name) not in _NBGRADERS
    )


def _nothing(name: str, found: HandedIn, broken: list[_Candidate]) -> str:
    if broken:
        said = "; ".join(f"{candidate.name} {candidate.why}" for candidate in broken)
        return f"No notebook there can be read: {said}. Ask for it again."
    if found.closed:
        there = "; ".join(f"{short(archive)} {why}" for archive, why in [*found.closed.items()][:3])
        return f"There is no {name}.ipynb, but {there}. Ask for the notebook itself."
    files = [str(file.name) for file in found.files if str(file.name) not in _NBGRADERS]
    return f"There is no {name}.ipynb (notebooks there: none; files: {some(files) or 'none'}). Ask for it."


# --- candidates -------------------------------------------------------------------------------------------------------


def _notebooks(found: HandedIn, name: str, others: Collection[str]) -> list[File]:
    """The files that may be this notebook, by their names, or, where there are none such, by what is in them."""
    zips = {parent for file in found.files if file.packed for parent in file.name.parents}
    zips |= set(map(PurePosixPath, found.closed))
    named = [file for file in found.files if ".ipynb" in file.name.name.casefold() and file.name not in zips]
    own = [file for file in named if _owner(file, [name, *others]) in (name, "")]
    if len(own) > _MOST:
        raise Rejected(f"There are {len(own)} notebooks, and it cannot be told which is meant. Ask for the one.")
    if own or named:
        return own
    some = [file for file in found.files if file.name.suffix.casefold() in (".json", ".txt", "")][:_SNIFFED]
    return [file for file in some if _looks_like_one(file)][:_MOST]


def _owner(file: File, names: list[str]) -> str:
    """Whose copy it is, by how it is called: ``hw10 (1).ipynb`` is ``hw10``'s, and not ``hw1``'s."""
    called = file.name.name.casefold()
    return max((one for one in names if called.startswith(one.casefold())), key=len, default="")


def _is_named(candidate: _Candidate, name: str) -> bool:
    called = nfc(candidate.file.name.name).casefold()
    return re.sub(r"\.(txt|json)$", "", called) == f"{nfc(name).casefold()}.ipynb"


def _looks_like_one(file: File) -> bool:
    try:
        content = file.read(LARGEST) if file.begins_with(b"{") else b""
    except Unreadable:
        return False
    return b'"nbformat"' in content and b'"cells"' in content


def _load(file: File, release: NotebookNode, answers_in: Callable[[NotebookNode], dict[str, str]]) -> _Candidate:
    try:
        read = read_notebook(file.read(LARGEST), most_cells=MOST_CELLS)
    except Unreadable as problem:
        smaller = " (saved with all outputs cleared it is smaller)" if file.size > LARGEST else ""
        return _Candidate(file, None, f"{problem}{smaller}")
    related = _is_related(read.notebook, release)
    return _Candidate(file, read, "", related, tuple(sorted(answers_in(read.notebook).items())))


def _is_related(notebook: NotebookNode, release: NotebookNode) -> bool:
    ids = {cell.metadata.nbgrader.grade_id for cell in release.cells if "nbgrader" in cell.metadata}
    if any(cell.metadata.get("nbgrader", {}).get("grade_id") in ids for cell in notebook.cells):
        return True
    texts = {cell.source.strip() for cell in release.cells} - {""}
    return len(texts & {cell.source.strip() for cell in notebook.cells}) >= max(1, _SHARED * len(texts))


def _distinct(candidates: list[_Candidate]) -> list[_Candidate]:
    """Without those that have the same answers as one before them: the one with the plainest name stays."""
    by_answers: dict[object, _Candidate] = {}
    for candidate in sorted(candidates, key=lambda one: (one.file.packed, len(one.file.name.parts), len(one.name))):
        by_answers.setdefault(candidate.answers, candidate)
    return [candidate for candidate in candidates if by_answers.get(candidate.answers) is candidate]
