"""A submission, held against what was handed out: mended where that is safe, set aside with a reason where not."""

import difflib
import json
from collections import defaultdict
from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

__all__ = ["Examined", "Rejected", "examine", "mend"]

LARGEST = 50 << 20  # bytes of a notebook
MOST = 1000  # cells of a notebook
_READ = 1500  # letters of a cell that are compared
_PAIRS = 10_000  # of cells that are compared letter by letter; where there are more, by how often each letter comes
_LIKE = 0.6  # how much of a cell must agree for it to be taken for the one that was handed out


class Rejected(Exception):  # noqa: N818 - what has happened to the submission
    """A submission that cannot be graded as it is, with a sentence for the grader: what is wrong, and what to do."""


@dataclass
class Examined:
    """A submission that can be graded.

    Attributes
    ----------
    notebook : NotebookNode
    mended : list of str
        What was changed, in sentences.
    look : list of str
        What was guessed in changing it: a person should have a look.
    """

    notebook: NotebookNode
    mended: list[str] = field(default_factory=list)
    look: list[str] = field(default_factory=list)


def examine(folder: Path, release: NotebookNode, name: str, *, others: Collection[str] = ()) -> Examined:
    """Find and read the notebook of a submission, and mend it.

    Parameters
    ----------
    folder : Path
        What a student handed in.
    release : NotebookNode
        What was handed out, with the metadata of nbgrader.
    name : str
        Of the notebook, without ``.ipynb``.
    others : collection of str
        Names of the assignment's other notebooks.

    Raises
    ------
    Rejected
        Nothing in the folder can be graded.
    """
    student = folder.parent.name
    if folder.is_symlink() or folder.parent.is_symlink():
        raise Rejected(f"{folder} is a link. Put what was handed in there itself.")
    if any(character in student for character in "[]*?") or student != student.strip():
        raise Rejected(f"nbgrader cannot work with the id {student!r}: rename the folder, without []*? and blanks.")
    said: list[str] = []
    path = folder / f"{name}.ipynb"
    if not path.exists() and not path.is_symlink():
        found_there = sorted(one for one in folder.glob("*.ipynb") if one.stem not in others)
        if len(found_there) != 1:
            found = ", ".join(one.name for one in found_there) or "none"
            raise Rejected(f"There is no {name}.ipynb (notebooks there: {found}). Ask for it, or rename the right one.")
        path = found_there[0]
        said.append(f"The file was called {path.name}.")
    if path.is_symlink() or not path.is_file():
        raise Rejected(f"{path.name} is no file but a link or a folder. Ask for the notebook itself.")
    if (size := path.stat().st_size) > LARGEST:
        raise Rejected(
            f"{path.name} has {size / 1e6:,.0f} MB, and at most {LARGEST / 1e6:,.0f} are read. Ask for it with "
            "all outputs cleared."
        )
    try:
        content = json.loads(path.read_text("utf-8-sig"))
        notebook = nbformat.convert(nbformat.from_dict(_sound(content)), 4)
        if len(notebook.cells) > MOST:
            raise Rejected(
                f"{path.name} has {len(notebook.cells):,} cells, and at most {MOST:,} are read. Ask for it again."
            )
        examined = mend(notebook, release)
    except Rejected:
        raise
    except (ValueError, RecursionError) as problem:
        raise Rejected(f"{path.name} is no notebook that can be read ({problem}). Ask for it again.") from problem
    except Exception as problem:
        raise Rejected(
            f"{path.name} does not have the form of a notebook ({type(problem).__name__}: {problem}). Ask for it again."
        ) from problem
    examined.mended[:0] = said
    return examined


def _sound(value: Any) -> Any:
    """Without halves of characters, which JSON can hold and no file."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_sound(one) for one in value]
    return {_sound(key): _sound(one) for key, one in value.items()} if isinstance(value, dict) else value


def mend(notebook: NotebookNode, release: NotebookNode) -> Examined:
    """A copy of `notebook` in which each cell that was handed out as nbgrader's is there once, with its own metadata.

    Cells are found by nbgrader's id, otherwise by likeness and order, otherwise, for an answer, by their place.
    Whatever else a student wrote stays where it is and runs.
    """
    cells = [deepcopy(cell) for cell in notebook.cells if cell.get("cell_type") in ("code", "markdown", "raw")]
    wanted = {cell.metadata.nbgrader.grade_id: cell for cell in release.cells if "nbgrader" in cell.metadata}
    examined = Examined(nbformat.v4.new_notebook(cells=cells, metadata=deepcopy(release.metadata)))
    kernel, wanted_kernel = (one.metadata.get("kernelspec", {}).get("name") for one in (notebook, release))
    if kernel and wanted_kernel and kernel != wanted_kernel:
        examined.mended.append(f"The kernel was {kernel!r} and is {wanted_kernel!r} again.")
    for cell in cells:
        cell.source = "".join(cell.get("source", ""))
        cell.setdefault("metadata", NotebookNode())
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    known = _by_id(cells, wanted, examined)
    place = _aligned(cells, release.cells, known)
    by_text = [name for number in place if (name := _name(release.cells[number])) and name not in known]
    if by_text:
        examined.mended.append(f"Found again by what is written in them: {_some(by_text)}.")
    _by_place(cells, release.cells, place, examined)
    _put_back(cells, release.cells, place, examined)
    return examined


def _by_id(cells: list[NotebookNode], wanted: dict[str, NotebookNode], examined: Examined) -> dict[str, NotebookNode]:
    claims: dict[str, list[NotebookNode]] = defaultdict(list)
    for cell in cells:
        if (about := cell.metadata.pop("nbgrader", None)) and isinstance(about, dict):
            claims[str(about.get("grade_id"))].append(cell)
    found = {}
    for name, claimants in claims.items():
        if name not in wanted:
            continue
        handed_out = wanted[name].source
        written = [cell for cell in claimants if cell.source.strip() != handed_out.strip()]
        answer = wanted[name].metadata.nbgrader.get("solution")
        found[name] = (written or claimants)[-1] if answer else claimants[0]
        if len(claimants) > 1:
            text = f"{name} was there {len(claimants)} times; the last one that is not as handed out counts, all run."
            examined.look.append(text)
    return found


def _name(cell: NotebookNode) -> str | None:
    name: str | None = cell.metadata.get("nbgrader", {}).get("grade_id")
    return name


def _likeness(one: str, other: str, *, exact: bool) -> float:
    if one == other:
        return 1.0
    matcher = difflib.SequenceMatcher(None, one[:_READ], other[:_READ], autojunk=False)
    if min(matcher.real_quick_ratio(), matcher.quick_ratio()) < _LIKE:  # quick, and never too low
        return 0.0
    return matcher.ratio() if exact else matcher.quick_ratio()


def _aligned(
    cells: list[NotebookNode], handed_out: list[NotebookNode], known: dict[str, NotebookNode]
) -> dict[int, NotebookNode]:
    """Which cell is which of those that were handed out, by its number: known ones, and in their order the most alike.

    It is the alignment of two sequences with the highest sum of likeness (Needleman and Wunsch 1970). The order tells
    cells apart that read the same, and what a student never touched keeps its place from being taken for an answer.
    """
    place = {number: known[name] for number, cell in enumerate(handed_out) if (name := _name(cell)) in known}
    taken = {id(cell) for cell in known.values()}
    rows = [number for number in range(len(handed_out)) if number not in place]
    columns = [cell for cell in cells if id(cell) not in taken]
    exact = len(rows) * len(columns) <= _PAIRS

    def alike(row: int, cell: NotebookNode) -> float:
        if cell.cell_type != handed_out[row].cell_type:
            return 0.0
        value = _likeness(cell.source, handed_out[row].source, exact=exact)
        return value if value >= _LIKE else 0.0

    score = [[alike(row, cell) for cell in columns] for row in rows]
    best = [[0.0] * (len(columns) + 1) for _ in range(len(rows) + 1)]
    for i in reversed(range(len(rows))):
        for j in reversed(range(len(columns))):
            pair = score[i][j] + best[i + 1][j + 1] if score[i][j] else 0.0
            best[i][j] = max(pair, best[i + 1][j], best[i][j + 1])
    i = j = 0
    while i < len(rows) and j < len(columns):
        if score[i][j] and best[i][j] == score[i][j] + best[i + 1][j + 1]:
            place[rows[i]] = columns[j]
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return place


def _by_place(
    cells: list[NotebookNode], handed_out: list[NotebookNode], place: dict[int, NotebookNode], examined: Examined
) -> None:
    """An answer that is unlike what was handed out is what stands where it should."""
    found = []
    for number, cell in enumerate(handed_out):
        if number in place or not cell.metadata.get("nbgrader", {}).get("solution"):
            continue
        first, last = _between(cells, place, number)
        own = {id(one) for one in place.values()}
        free = [one for one in cells[first:last] if id(one) not in own and one.cell_type == cell.cell_type]
        if free:
            place[number] = free[-1]
            found.append(str(_name(cell)))
    if found:
        examined.look.append(f"Which answer is which was lost; by their place these are {', '.join(found)}.")


def _between(cells: list[NotebookNode], place: dict[int, NotebookNode], number: int) -> tuple[int, int]:
    """Where cell `number` of those handed out belongs: from, and up to, which of the submitted ones."""
    number_of = {id(cell): index for index, cell in enumerate(cells)}
    before = [number_of[id(cell)] for other, cell in place.items() if other < number]
    after = [number_of[id(cell)] for other, cell in place.items() if other > number]
    first = max(before, default=-1) + 1
    return first, max(first, min((index for index in after if index >= first), default=len(cells)))


def _some(names: list[str]) -> str:
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} cells"


def _put_back(
    cells: list[NotebookNode], handed_out: list[NotebookNode], place: dict[int, NotebookNode], examined: Examined
) -> None:
    changed = []
    for number, original in enumerate(handed_out):
        name = _name(original)
        if name is None:
            continue
        cell = place.get(number)
        if cell is None:
            cell = deepcopy(original)
            cells.insert(_between(cells, place, number)[1], cell)
            examined.look.append(f"{name} was missing and is there again, as it was handed out.")
        elif cell.cell_type != original.cell_type:
            examined.mended.append(f"{name} was a {cell.cell_type} cell and is a {original.cell_type} cell again.")
            index = next(index for index, one in enumerate(cells) if one is cell)
            source, cell = cell.source, deepcopy(original)
            cell.source = source
            cells[index] = cell
        if not original.metadata.nbgrader.get("solution") and cell.source != original.source:
            changed.append(name)
            cell.source = original.source
        cell.metadata = deepcopy(original.metadata)
        place[number] = cell
    if changed:
        examined.mended.append(f"Unlike what was handed out, and so put back: {_some(changed)}.")
