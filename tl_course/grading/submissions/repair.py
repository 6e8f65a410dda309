"""A submission, held against what was handed out: mended where that is safe, set aside with a reason where not."""

import os
import re
from collections import defaultdict
from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from urllib.parse import unquote

from nbformat import NotebookNode
from nbformat.v4 import new_notebook
from rapidfuzz.distance import Indel
from rapidfuzz.process import cdist

from tl_course.grading.notes import CHANGED
from tl_course.grading.submissions.candidates import Rejected, choose
from tl_course.grading.submissions.handed_in import File, look_into

__all__ = ["Examined", "Rejected", "check_id", "examine", "mend"]

_READ = (1500, 300)  # letters of a cell that are compared; the second where there are more pairs than
_PAIRS = 20_000
_LIKE = 0.6  # how much of a cell must agree for it to be taken for the one that was handed out
_MOST_LINKS = 50  # to pictures, of a cell, and that are told of
_LONGEST_ID = 128  # letters that nbgrader's gradebook takes
_PICTURE = re.compile(r"attachment:((?:[^()>\"'\n]|\([^()>\"'\n]*\))+)")  # a name may have (2) in it


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
    files : dict of str to File
        What lies beside the notebook, by the name that it has from there.
    left_out : list of str
        What of it cannot be taken, in sentences.
    """

    notebook: NotebookNode
    mended: list[str] = field(default_factory=list)
    look: list[str] = field(default_factory=list)
    files: dict[str, File] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def check_id(student: str) -> None:
    """See whether nbgrader, its gradebook and its pages can work with a student's id.

    Raises
    ------
    Rejected
        They cannot.
    """
    problem = ""
    if len(student) > _LONGEST_ID or len(student.encode("utf-8", "surrogateescape")) > 200:
        problem = f"is too long: nbgrader's gradebook takes {_LONGEST_ID} letters, of 200 bytes. Rename the folder."
    elif not student.isprintable():  # also what is no UTF-8
        problem = "has characters that cannot be shown. Rename the folder."
    elif any(character in student for character in "[]*?") or student != student.strip():
        problem = "is none that nbgrader can work with. Rename the folder, without []*? and blanks at its ends."
    elif any(character in student for character in '<>"\\'):  # which formgrader writes into its pages as it is
        problem = 'would be read as HTML by formgrader. Rename the folder, without <>"\\ in its name.'
    if problem:
        shown = student if len(student) <= 40 else f"{student[:40]}…"
        raise Rejected(f"The id {shown!r} {problem}")


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
        Nothing in the folder can be graded, or it has to be asked what is meant.
    """
    if folder.is_symlink() or folder.parent.is_symlink():
        raise Rejected(f"{folder} is a link. Put what was handed in there itself.")
    if not os.access(folder, os.R_OK | os.X_OK):
        raise Rejected(f"{folder} cannot be read. See whose it is, and who may read it.")
    path = folder / f"{name}.ipynb"
    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise Rejected(f"{path.name} is no file but a link or a folder. Ask for the notebook itself.")
    found = look_into(folder)
    choice = choose(found, release, name, others, lambda notebook: _answers(mend(notebook, release).notebook, release))
    examined = mend(choice.read.notebook, release)
    examined.mended[:0] = choice.mended + choice.read.mended
    examined.look[:0] = choice.look + choice.read.look
    examined.left_out = found.left_out
    base = choice.file.name.parent
    inside = {base, *base.parents}  # among them the zip that it came in
    plain = [file for file in found.files if ".ipynb" not in file.name.name.casefold() and file.name not in inside]
    examined.files = {str(file.name): file for file in plain if not file.packed and base not in file.name.parents}
    examined.files |= {str(file.name.relative_to(base)): file for file in plain if base in file.name.parents
                       and (choice.file.packed or not file.packed)}  # fmt: skip
    return examined


def _answers(notebook: NotebookNode, release: NotebookNode) -> dict[str, str]:
    """The answers in a mended notebook that are not as handed out; cells of one's own, where no cell is for answers."""
    handed_out = {
        cell.metadata.nbgrader.grade_id: cell.source.strip()
        for cell in release.cells
        if cell.metadata.get("nbgrader", {}).get("solution")
    }
    if not handed_out:
        texts = {cell.source.strip() for cell in release.cells} | {""}
        own = [cell.source.strip() for cell in notebook.cells if cell.source.strip() not in texts]
        return {str(number): text for number, text in enumerate(own)}
    given = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell.source.strip() for cell in notebook.cells}
    return {name: text for name, text in given.items() if name in handed_out and text != handed_out[name]}


def mend(notebook: NotebookNode, release: NotebookNode) -> Examined:
    """A copy of `notebook` in which each cell that was handed out as nbgrader's is there once, with its own metadata.

    Cells are found by nbgrader's id, otherwise by likeness and order, otherwise, for an answer, by their place.
    Whatever else a student wrote stays where it is and runs.
    """
    cells = [deepcopy(cell) for cell in notebook.cells if cell.get("cell_type") in ("code", "markdown", "raw")]
    wanted = {cell.metadata.nbgrader.grade_id: cell for cell in release.cells if "nbgrader" in cell.metadata}
    examined = Examined(new_notebook(cells=cells, metadata=deepcopy(release.metadata)))
    kernel, wanted_kernel = (about.metadata.get("kernelspec", {}).get("name") for about in (notebook, release))
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
    _find_pictures(cells, [*notebook.cells, *release.cells], examined)
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
    score = _likeness([handed_out[row] for row in rows], columns)
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


def _likeness(handed_out: list[NotebookNode], cells: list[NotebookNode]) -> list[list[float]]:
    """How alike each of the cells handed out (rows) is to each of those submitted; 0 below `_LIKE` and of other types.

    It is twice the longest common subsequence of letters, over their number, by bits in parallel (Hyyrö 2004): no two
    texts take long.
    """
    if not handed_out or not cells:
        return [[] for _ in handed_out]
    read = _READ[len(handed_out) * len(cells) > _PAIRS]
    texts, others = ([cell.source[:read] for cell in some] for some in (handed_out, cells))
    alike = cdist(texts, others, scorer=Indel.normalized_similarity, score_cutoff=_LIKE)
    return [
        [float(value) if cell.cell_type == row.cell_type else 0.0 for cell, value in zip(cells, values, strict=True)]
        for row, values in zip(handed_out, alike, strict=True)
    ]


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
    changed, missing = [], []
    for number, original in enumerate(handed_out):
        name = _name(original)
        if name is None:
            continue
        cell = place.get(number)
        if cell is None:
            cell = deepcopy(original)
            cells.insert(_between(cells, place, number)[1], cell)
            missing.append(name)
        elif cell.cell_type != original.cell_type:
            examined.mended.append(f"{name} was a {cell.cell_type} cell and is a {original.cell_type} cell again.")
            index = next(index for index, one in enumerate(cells) if one is cell)
            written, cell = cell, deepcopy(original)
            cell.source = written.source
            if cell.cell_type != "code" and written.get("attachments"):
                cell.attachments = {**cell.get("attachments", {}), **written.attachments}
            cells[index] = cell
        is_put_back = not original.metadata.nbgrader.get("solution") and cell.source != original.source
        if is_put_back:
            changed.append(name)
            cell.source = original.source
        cell.metadata = deepcopy(original.metadata)
        if is_put_back and cell.cell_type == "code":
            cell.metadata[CHANGED] = True
        place[number] = cell
    if missing:
        was, is_there = ("was", "is") if len(missing) == 1 else ("were", "are")
        examined.look.append(f"{_some(missing)} {was} missing and {is_there} there again, as handed out.")
    if changed:
        examined.mended.append(f"Unlike what was handed out, and so put back: {_some(changed)}.")


def _find_pictures(cells: list[NotebookNode], kept: list[NotebookNode], examined: Examined) -> None:
    """Give back pictures that were pasted into a cell and lost from it, as happens where a cell is copied or split."""
    pasted: dict[str, list[NotebookNode]] = defaultdict(list)
    for cell in kept:
        for name, data in cell.get("attachments", {}).items():
            if len(pasted[unquote(name)]) < 2 and data not in pasted[unquote(name)]:  # only one of a name is told apart
                pasted[unquote(name)].append(data)
    for cell in cells:
        if cell.cell_type == "code" or "attachment:" not in cell.source:
            continue
        own = {unquote(name) for name in cell.get("attachments", {})}
        links = (unquote(found[1].strip()) for found in islice(_PICTURE.finditer(cell.source), _MOST_LINKS))
        for name in dict.fromkeys(links):
            if name in own or len(examined.look) > _MOST_LINKS:
                continue
            where = f"in {_name(cell)}" if _name(cell) else "in a cell of text"
            if len(pasted.get(name, ())) == 1:
                cell.attachments = NotebookNode({**cell.get("attachments", {}), name: deepcopy(pasted[name][0])})
                examined.mended.append(f"The picture {name[:80]} had got lost {where}, and was found in another cell.")
            else:
                examined.look.append(f"The picture {name[:80]} is missing {where}: it was not handed in with it.")
