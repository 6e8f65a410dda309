"""Read a notebook that anything may have written: any encoding, small faults of form, never anything that runs."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_raw_cell

__all__ = ["Read", "Unreadable", "read_notebook"]

_NEW = {"code": new_code_cell, "markdown": new_markdown_cell, "raw": new_raw_cell}
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_OTHER_FILES = {  # how files begin that are given the name of a notebook
    b"%PDF": "a PDF",
    b"\x1f\x8b": "a packed file",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7-Zip archive",
    b"version https://git-lfs": "a pointer of Git LFS instead of the file",
    b"<": "a web page, as a browser saves it where a download asks for a login",
}
_MOST_PARTS = 1_000_000  # lists and objects in JSON: each takes a hundred times as much memory as it is long
_GUESSED_FROM = 1 << 16  # bytes with letters beyond ASCII, from which an encoding is guessed


class Unreadable(ValueError):  # noqa: N818 - what is said of a file
    """A file that is no notebook, with the end of a sentence that begins with its name."""


@dataclass
class Read:
    """A notebook as read.

    Attributes
    ----------
    notebook : NotebookNode
        Of nbformat 4.5, with sources, attachments and nbgrader's ids of cells; everything else of it is left out.
    mended, look : list of str
        What was mended in reading it; what was guessed, so that a person should have a look.
    """

    notebook: NotebookNode
    mended: list[str] = field(default_factory=list)
    look: list[str] = field(default_factory=list)


def read_notebook(content: bytes, *, most_cells: int) -> Read:
    """Read a notebook out of the bytes of a file.

    What Jupyter opens is read: nbformat 3 and 4, cells without ids, metadata or outputs, sources as lists of lines.
    Outputs and metadata are left out, but for the id that nbgrader knows a cell by. What is no JSON is not guessed at.

    Raises
    ------
    Unreadable
        It is no notebook, or has more than `most_cells` cells.
    """
    text, look = _decoded(content)
    found = _json(text)
    if not isinstance(found, dict) or not isinstance(cells := _cells(found), list):
        raise Unreadable("does not have the form of a notebook: there is no list of cells in it")
    if len(cells) > most_cells:
        raise Unreadable(f"has {len(cells):,} cells, and at most {most_cells:,} are read")
    read = Read(new_notebook(), look=look)
    faults: dict[str, None] = {}
    known: set[str] = set()
    lost = 0
    for cell in cells:
        made = _cell(cell, known, faults)
        if made is None:
            lost += 1
        else:
            read.notebook.cells.append(made)
    if cells and not read.notebook.cells:
        raise Unreadable("does not have the form of a notebook: none of its cells can be read")
    if lost:
        read.look.append(f"{lost} of its {len(cells)} cells had no form that can be read, and were left out.")
    if faults:
        read.mended.append(f"Small faults of form were mended: {', '.join(faults)}.")
    kernel = dict(_items(dict(_items(found.get("metadata"))).get("kernelspec"))).get("name")
    if isinstance(kernel, str):
        read.notebook.metadata = NotebookNode(kernelspec=NotebookNode(name=_whole(kernel[:40])))
    return read


# --- encodings --------------------------------------------------------------------------------------------------------


def _decoded(content: bytes) -> tuple[str, list[str]]:
    """The text of a file, and what was guessed. A mark at its beginning, or the zeros in JSON, tell UTF-16 apart."""
    content = content.rstrip(b"\x00 \t\r\n\x1a") if not content.startswith((b"\xff\xfe", b"\xfe\xff")) else content
    if not content:
        raise Unreadable("is empty")
    beginning = content[:200].lstrip()
    for start, what in _OTHER_FILES.items():
        if beginning.startswith(start) and not beginning.startswith(b"<<<<<<< "):
            raise Unreadable(f"is no notebook but {what}")
    encoding: str = json.detect_encoding(content)
    if encoding.startswith(("utf-16", "utf-32")):
        content += b"\x00" * (-len(content) % 4) if encoding.endswith("le") else b""  # what was stripped above
        try:
            return content.decode(encoding).rstrip("\x00"), []
        except UnicodeDecodeError:
            raise Unreadable(f"is no text: it begins as {encoding.upper()} and does not go on so") from None
    try:
        return content.decode("utf-8-sig", "surrogatepass"), []
    except UnicodeDecodeError:
        pass
    encoding = _guessed_encoding(content)
    return content.decode(encoding, "replace"), [
        f"It is not written in UTF-8 but, by its look, in {encoding}: letters beyond ASCII may have been read wrongly."
    ]


def _guessed_encoding(content: bytes) -> str:
    """An encoding for what is no Unicode: Western European where its letters are, else the likeliest by statistics."""
    lines = [line for line in content.splitlines() if not line.isascii()]
    some = b"\n".join(lines)[:_GUESSED_FROM]
    letters = re.findall(rb"[\x80-\xff]", some)
    western = rb"[\xa0-\xff\x80\x85\x91-\x97]"
    alone = len(re.findall(rb"(?<![\x80-\xff])" + western + rb"(?![\x80-\xff])", some))
    if alone >= 0.9 * len(letters):  # single letters among ASCII: in other scripts they come in rows or in pairs
        return "cp1252"
    from charset_normalizer import from_bytes

    best = from_bytes(some).best()
    return str(best.encoding) if best is not None else "cp1252"


# --- form -------------------------------------------------------------------------------------------------------------


def _json(text: str) -> Any:
    if text.count("[") + text.count("{") > _MOST_PARTS or text.count(",") + text.count('"') > 10 * _MOST_PARTS:
        raise Unreadable("has more parts than any notebook, and is not read")
    try:
        return json.loads(text, strict=False, parse_int=_number)  # a line end within a text is what it is
    except json.JSONDecodeError as problem:
        if re.search(r"^(<<<<<<<|>>>>>>>) ", text, re.MULTILINE):
            raise Unreadable("has the marks of a merge by git that was never finished (<<<<<<<)") from None
        cut = " (it ends too early)" if problem.pos >= len(text) - 1 or "Unterminated" in problem.msg else ""
        raise Unreadable(f"is no JSON: {problem.msg}, in line {problem.lineno}{cut}") from None
    except RecursionError:
        raise Unreadable("is nested too deeply") from None


def _number(digits: str) -> float:
    """A whole number, which Python does not read from thousands of digits: an output may hold such a thing."""
    return int(digits) if len(digits) < 20 else float(digits)


def _cells(found: dict[str, Any]) -> Any:
    """The cells of nbformat 4, or of the worksheets of nbformat 2 and 3."""
    if "cells" in found or not isinstance(sheets := found.get("worksheets"), list):
        return found.get("cells")
    listed = [sheet.get("cells") for sheet in sheets if isinstance(sheet, dict)]
    return [cell for cells in listed if isinstance(cells, list) for cell in cells]


def _cell(found: Any, known: set[str], faults: dict[str, None]) -> NotebookNode | None:
    """A cell of its own, with what counts of `found`; None where nothing can be read."""
    if not isinstance(found, dict):
        return None
    kind, source = found.get("cell_type"), _text(found.get("source", found.get("input", "")))
    if source is None or not isinstance(kind, str):
        return None
    if kind == "heading":
        level = found.get("level")
        kind, source = "markdown", f"{'#' * min(max(level, 1), 6) if isinstance(level, int) else '#'} {source}"
    elif kind in ("html", "text"):
        kind = "markdown"
    elif kind not in _NEW:
        faults["a cell of a kind that Jupyter does not know"] = None
        kind = "raw"
    cell: NotebookNode = _NEW[kind](source)
    name = found.get("id")
    if isinstance(name, str) and _ID.fullmatch(name) and name not in known:
        cell.id = name
    elif "id" in found:
        faults["ids of cells"] = None
    known.add(cell.id)
    if not isinstance(about := found.get("metadata"), dict):
        faults["metadata of cells"] = None
        about = {}
    marked = about.get("nbgrader")
    if isinstance(marked, dict) and isinstance(grade_id := marked.get("grade_id"), str):
        cell.metadata["nbgrader"] = NotebookNode(grade_id=_whole(grade_id))
    if kind == "code":
        if not isinstance(found.get("outputs"), list):
            faults["outputs of cells"] = None
    elif kept := _attachments(found.get("attachments")):
        cell.attachments = kept
    return cell


def _text(value: Any) -> str | None:
    if isinstance(value, list) and all(isinstance(line, str) for line in value):
        value = "".join(value)
    return _whole(value) if isinstance(value, str) else None


def _whole(text: str) -> str:
    """Without halves of characters, which JSON can hold and no file."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _attachments(found: Any) -> NotebookNode:
    """Those files, pasted into a cell, that have the form of any: a name, and by kind what is in them."""
    kept = NotebookNode()
    for name, kinds in _items(found):
        data = NotebookNode({_whole(kind): text for kind, value in _items(kinds) if (text := _text(value)) is not None})
        if data:
            kept[_whole(name)] = data
    return kept


def _items(found: Any) -> Iterable[tuple[str, Any]]:
    return found.items() if isinstance(found, dict) else ()
