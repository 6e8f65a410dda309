"""The journal of edits beside a data set: one JSON object a line, only ever appended to."""

import errno
import getpass
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from uuid import uuid4

from tl_course.errors import ImageSetError

__all__ = [
    "ACTIONS", "WHOLE_LABEL", "Edit", "State", "append_edits", "append_line", "last_step", "last_undone_step",
    "read_edits", "redoing", "replay", "standing", "undoing",
]  # fmt: skip

ACTIONS = ("relabel", "drop", "restore", "keep", "note")
WHOLE_LABEL = "whole label"  # the kind of edits that rename or remove a label and say nothing about a single picture

_INVERSE = {"drop": "restore", "restore": "drop"}


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return ""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One edit of one picture. `was` and `to` are labels for a relabel, texts for a note, and empty otherwise.

    A "keep" changes nothing: someone looked and found the picture right. `why` is free text; `kind` says what led to
    the edit in a word for those who count: a kind of suspicion, or `WHOLE_LABEL`. Edits that were made together share a
    `step`. One that `undoes` another takes back its whole step; where that took something back, it is done again.
    """

    action: str
    file_name: str
    was: str = ""
    to: str = ""
    why: str = ""
    who: str = field(default_factory=_who)
    when: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    id: str = field(default_factory=lambda: uuid4().hex[:12])
    kind: str = ""
    undoes: str = ""
    step: str = ""

    def to_json(self) -> str:
        """The edit as one line of JSON; `was` is called "from" there."""
        record = {"id": self.id, "when": self.when, "who": self.who, "action": self.action, "file_name": self.file_name}
        record |= {"from": self.was, "to": self.to, "why": self.why}
        record |= {key: value for key in ("kind", "undoes", "step") if (value := getattr(self, key))}
        return json.dumps(record, ensure_ascii=False)

    @classmethod
    def from_json(cls, line: str) -> "Edit":
        """Read what `to_json` wrote; ValueError where the line is damaged or holds something else."""
        record = json.loads(line)
        if not isinstance(record, dict):
            raise ValueError("not a JSON object")
        record["was"] = record.pop("from", "")
        known = {name: record[name] for name in cls.__dataclass_fields__ if name in record}
        texts = all(isinstance(value, str) for value in known.values())
        if not texts or known.get("action") not in ACTIONS or not known.get("file_name"):
            raise ValueError("not an edit")
        if known["action"] == "relabel" and not known.get("to"):
            raise ValueError("a relabel without a label")
        return cls(**known)


@dataclass
class State:
    """What all edits together amount to, by file name."""

    labels: dict[str, str] = field(default_factory=dict)
    dropped: set[str] = field(default_factory=set)
    notes: dict[str, str] = field(default_factory=dict)

    def apply(self, edit: Edit) -> None:
        """Follow one more edit."""
        if edit.action == "relabel":
            self.labels[edit.file_name] = edit.to
        elif edit.action == "drop":
            self.dropped.add(edit.file_name)
        elif edit.action == "restore":
            self.dropped.discard(edit.file_name)
        elif edit.action == "note":
            self.notes[edit.file_name] = edit.to


def read_edits(path: Path) -> tuple[list[Edit], list[int]]:
    """All edits in `path` in order, and the numbers (from 1) of the lines that are damaged; no file means no edits."""
    edits, damaged = [], []
    try:
        lines = path.read_bytes().split(b"\n")
    except FileNotFoundError:
        return [], []
    except OSError as error:
        raise ImageSetError(f"The journal of edits, {path}, cannot be read: {error.strerror}.") from None
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                edits.append(_read_line(line))
            except (ValueError, RecursionError):
                damaged.append(number)
    return edits, damaged


@lru_cache(maxsize=2**15)  # a journal is read again and again, and its lines never change
def _read_line(line: bytes) -> Edit:
    return Edit.from_json(line.decode())


def append_edits(path: Path, edits: Iterable[Edit]) -> None:
    """Add edits with a single write and wait until they are on the disk; OSError where they did not get there whole.

    Of a write that was cut off, by a full disk or a killed process, the lines that got there whole count.
    """
    append_line(path, "\n".join(edit.to_json() for edit in edits))


def append_line(path: Path, text: str, *, wait: bool = True) -> None:
    """Add a line, or several, with a single write; with `wait`, return when it is on the disk. OSError if not whole.

    Any number of processes may append at the same time: the system sets each write behind the last. Where a killed
    process left half a line, this one starts on a line of its own.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
    try:
        end = os.lseek(descriptor, 0, os.SEEK_END)
        if end:
            os.lseek(descriptor, end - 1, os.SEEK_SET)
        torn = end > 0 and os.read(descriptor, 1) != b"\n"
        # A lone surrogate (from a strange file name) becomes the escape that JSON knows for it.
        line = b"\n" * torn + text.encode(errors="backslashreplace") + b"\n"
        written = os.write(descriptor, line)
        if written < len(line) - 1:  # all but the line's end is the whole of it
            raise OSError(errno.ENOSPC, "the disk is full")
        if wait:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def replay(edits: Iterable[Edit]) -> State:
    """Go through edits in order: those that are `standing` give the present state."""
    state = State()
    for edit in edits:
        state.apply(edit)
    return state


def standing(edits: Iterable[Edit]) -> list[Edit]:
    """The edits that still count, in order: without undoings, and without the steps that these took back."""
    edits = list(edits)
    gone, _ = _taken_back(edits)
    return [edit for edit in edits if not edit.undoes and _step(edit) not in gone]


def last_step(edits: Iterable[Edit]) -> list[Edit]:
    """The last edit that still counts and those made together with it, the last one first; empty where none is left."""
    left = standing(edits)
    return [edit for edit in reversed(left) if _step(edit) == _step(left[-1])]


def last_undone_step(edits: Iterable[Edit]) -> list[Edit]:
    """What was undone last and may be done again, the first one first; empty once something new was edited since."""
    edits = list(edits)
    _, again = _taken_back(edits)
    return [edit for edit in edits if not edit.undoes and _step(edit) in again[-1:]]


def undoing(edits: Iterable[Edit]) -> list[Edit]:
    """The edits that take back the last step that still counts; empty where nothing is left to undo."""
    return [
        Edit(
            action=_INVERSE.get(edit.action, edit.action), file_name=edit.file_name, was=edit.to, to=edit.was,
            why="undo", undoes=edit.id,
        )
        for edit in last_step(edits)
    ]  # fmt: skip


def redoing(edits: Iterable[Edit]) -> list[Edit]:
    """The edits that do again the step that was undone last; empty where nothing is left to do again."""
    edits = list(edits)
    undone_by = {edit.undoes: edit.id for edit in edits}
    return [
        Edit(action=edit.action, file_name=edit.file_name, was=edit.was, to=edit.to, why="redo", undoes=by)
        for edit in last_undone_step(edits)
        if (by := undone_by.get(edit.id))  # or this line of a write that was cut off is not there
    ]


def _step(edit: Edit) -> str:
    return edit.step or edit.id  # an edit of its own is a step by itself


def _taken_back(edits: Sequence[Edit]) -> tuple[set[str], list[str]]:
    """The steps that do not count any more; and those of them that may be done again, the last taken back last.

    Whole steps, whichever of their edits is named: so neither two sessions that undo at the same moment nor a write
    that was cut off leave a step half undone.
    """
    by_id = {edit.id: edit for edit in edits}
    gone: set[str] = set()
    again: dict[str, None] = {}
    for edit in edits:
        target = by_id.get(edit.undoes)
        if not edit.undoes:
            again.clear()
        elif target is None:  # its line is damaged
            continue
        elif not target.undoes:
            if _step(target) not in gone:
                gone.add(_step(target))
                again[_step(target)] = None
        elif (first := by_id.get(target.undoes)) is not None:  # it does again what `target` took back
            gone.discard(_step(first))
            again.pop(_step(first), None)
    return gone, list(again)
