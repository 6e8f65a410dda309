"""The journal of edits beside a data set: one JSON object a line, only ever appended to."""

import errno
import getpass
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from tl_course.errors import ImageSetError

__all__ = [
    "ACTIONS", "Edit", "State", "again_of_last", "append_edit", "append_line", "inverse_of_last", "last_step",
    "last_undone_step", "read_edits", "replay", "standing",
]  # fmt: skip

ACTIONS = ("relabel", "drop", "restore", "keep", "note")


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return ""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One edit of one picture. `was` and `to` are labels for a relabel, texts for a note, and empty otherwise.

    A "keep" changes nothing: someone looked and found the picture right. Edits that were made together share a `step`.
    An edit that `undoes` another takes it back; where that one took something back itself, it is done again.
    """

    action: str
    file_name: str
    was: str = ""
    to: str = ""
    why: str = ""
    who: str = field(default_factory=_who)
    when: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    id: str = field(default_factory=lambda: uuid4().hex[:12])
    undoes: str = ""
    step: str = ""

    def to_json(self) -> str:
        """The edit as one line of JSON; `was` is called "from" there."""
        record = {"id": self.id, "when": self.when, "who": self.who, "action": self.action, "file_name": self.file_name}
        record |= {"from": self.was, "to": self.to, "why": self.why}
        record |= {key: value for key, value in (("undoes", self.undoes), ("step", self.step)) if value}
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
                edits.append(Edit.from_json(line.decode()))
            except (ValueError, RecursionError):
                damaged.append(number)
    return edits, damaged


def append_edit(path: Path, edit: Edit) -> None:
    """Add one edit and wait until it is on the disk; OSError where it did not get there whole."""
    append_line(path, edit.to_json())


def append_line(path: Path, text: str, *, wait: bool = True) -> None:
    """Add one line with a single write; with `wait`, return when it is on the disk. OSError where it is not whole.

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
    """Go through the edits in order."""
    state = State()
    for edit in edits:
        if edit.action == "relabel":
            state.labels[edit.file_name] = edit.to
        elif edit.action == "drop":
            state.dropped.add(edit.file_name)
        elif edit.action == "restore":
            state.dropped.discard(edit.file_name)
        elif edit.action == "note":
            state.notes[edit.file_name] = edit.to
    return state


def standing(edits: Iterable[Edit]) -> list[Edit]:
    """The edits that still count, in order: without undoings, and without what these took back."""
    return _standing_and_undone(edits)[0]


def last_step(edits: Iterable[Edit]) -> list[Edit]:
    """The last edit that still counts and those made together with it, the last one first; empty where none is left."""
    return _together(standing(edits))


def last_undone_step(edits: Iterable[Edit]) -> list[Edit]:
    """What was undone last and may be done again, the first one first; empty once something new was edited since."""
    return _together(_standing_and_undone(edits)[1])


def inverse_of_last(edits: Iterable[Edit]) -> Edit | None:
    """The edit that takes back the last one that still counts, or None where nothing is left to undo."""
    left = standing(edits)
    if not left:
        return None
    last = left[-1]
    action = {"drop": "restore", "restore": "drop"}.get(last.action, last.action)
    return Edit(action=action, file_name=last.file_name, was=last.to, to=last.was, why="undo", undoes=last.id)


def again_of_last(edits: Iterable[Edit]) -> Edit | None:
    """The edit that does again what was undone last, or None where nothing is left to do again."""
    edits = list(edits)
    undone = _standing_and_undone(edits)[1]
    if not undone:
        return None
    last = undone[-1]
    undoing = next(edit for edit in reversed(edits) if edit.undoes == last.id)
    return Edit(action=last.action, file_name=last.file_name, was=last.was, to=last.to, why="redo", undoes=undoing.id)


def _standing_and_undone(edits: Iterable[Edit]) -> tuple[list[Edit], list[Edit]]:
    """The edits that count, in order; and those that were undone since the last new one, the last undone last."""
    by_id: dict[str, Edit] = {}
    counts: dict[str, Edit] = {}
    undone: dict[str, Edit] = {}
    for edit in edits:
        by_id[edit.id] = edit
        target = by_id.get(edit.undoes)
        if not edit.undoes:
            counts[edit.id] = edit
            undone.clear()
        elif target is not None and target.undoes:  # it does again what was undone
            if (again := undone.pop(target.undoes, None)) is not None:
                counts[again.id] = again
        elif target is not None and counts.pop(target.id, None) is not None:
            undone[target.id] = target
    place = {name: number for number, name in enumerate(by_id)}
    return sorted(counts.values(), key=lambda edit: place[edit.id]), list(undone.values())


def _together(edits: list[Edit]) -> list[Edit]:
    """The last of these and those of the same step, the last first."""
    step = edits[-1].step if edits else ""
    if not step:
        return edits[-1:]
    return [edit for edit in reversed(edits) if edit.step == step]
