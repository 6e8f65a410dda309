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
_READ = 4000  # letters of a cell that are compared
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

    Cells are found by nbgrader's id, otherwise by likeness, otherwise, for an answer, by their place between others.
    Whatever else a student wrote stays where it is and runs.
    """
    cells = [deepcopy(cell) for cell in notebook.cells if cell.get("cell_type") in ("code", "markdown", "raw")]
    wanted = {cell.metadata.nbgrader.grade_id: cell for cell in release.cells if "nbgrader" in cell.metadata}
    examined = Examined(nbformat.v4.new_notebook(cells=cells, metadata=deepcopy(release.metadata)))
    if (kernel := notebook.metadata.get("kernelspec", {}).get("name")) not in (None, release.metadata.kernelspec.name):
        examined.mended.append(f"The kernel was {kernel!r} and is {release.metadata.kernelspec.name!r} again.")
    for cell in cells:
        cell.source = "".join(cell.get("source", ""))
        cell.setdefault("metadata", NotebookNode())
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    place = _by_id(cells, wanted, examined)
    place |= _by_likeness(cells, wanted, place, examined)
    place |= _by_place(cells, wanted, place, examined)
    _put_back(cells, wanted, place, examined)
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


def _likeness(one: str, other: str) -> float:
    matcher = difflib.SequenceMatcher(None, one[:_READ], other[:_READ], autojunk=False)
    if min(matcher.real_quick_ratio(), matcher.quick_ratio()) < _LIKE:  # quick, and never too low
        return 0.0
    return matcher.ratio()


def _by_likeness(
    cells: list[NotebookNode], wanted: dict[str, NotebookNode], place: dict[str, NotebookNode], examined: Examined
) -> dict[str, NotebookNode]:
    taken = {id(cell) for cell in place.values()}
    pairs = sorted(
        (
            (_likeness(cell.source, handed_out.source), name, number)
            for name, handed_out in wanted.items()
            if name not in place
            for number, cell in enumerate(cells)
            if id(cell) not in taken and cell.cell_type == handed_out.cell_type
        ),
        key=lambda one: (-one[0], one[1], one[2]),
    )
    found: dict[str, NotebookNode] = {}
    for likeness, name, number in pairs:
        if likeness >= _LIKE and name not in found and id(cells[number]) not in taken:
            found[name] = cells[number]
            taken.add(id(cells[number]))
    if found:
        examined.mended.append(f"Found again by what is written in them: {', '.join(sorted(found))}.")
    return found


def _by_place(
    cells: list[NotebookNode], wanted: dict[str, NotebookNode], place: dict[str, NotebookNode], examined: Examined
) -> dict[str, NotebookNode]:
    """An answer that is unlike what was handed out is what stands where it should."""
    order = list(wanted)
    found: dict[str, NotebookNode] = {}
    number_of = {id(cell): number for number, cell in enumerate(cells)}
    for name in order:
        if name in place or not wanted[name].metadata.nbgrader.get("solution"):
            continue
        known = place | found
        before = [number_of[id(known[one])] for one in order[: order.index(name)] if one in known]
        after = [number_of[id(known[one])] for one in order[order.index(name) + 1 :] if one in known]
        between = range(max(before, default=-1) + 1, min(after, default=len(cells)))
        own = {id(cell) for cell in known.values()}
        free = [cells[n] for n in between if id(cells[n]) not in own and cells[n].cell_type == wanted[name].cell_type]
        if free:
            found[name] = free[-1]
            text = f"{name} had lost its mark; what stands in its place was taken for it."
            examined.look.append(text)
    return found


def _put_back(
    cells: list[NotebookNode], wanted: dict[str, NotebookNode], place: dict[str, NotebookNode], examined: Examined
) -> None:
    behind = -1
    for name, handed_out in wanted.items():
        cell = place.get(name)
        if cell is None:
            cell = deepcopy(handed_out)
            cells.insert(behind + 1, cell)
            examined.mended.append(f"{name} was missing and is there again, as it was handed out.")
        elif cell.cell_type != handed_out.cell_type:
            examined.mended.append(f"{name} was a {cell.cell_type} cell and is a {handed_out.cell_type} cell again.")
            number = next(number for number, one in enumerate(cells) if one is cell)
            source, cell = cell.source, deepcopy(handed_out)
            cell.source = source
            cells[number] = cell
        about = handed_out.metadata.nbgrader
        if not about.get("solution") and cell.source != handed_out.source:
            examined.mended.append(f"{name} had been changed and is as it was handed out.")
            cell.source = handed_out.source
        cell.metadata = deepcopy(handed_out.metadata)
        behind = next(number for number, one in enumerate(cells) if one is cell)
