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

__all__ = ["ACTIONS", "Edit", "State", "append_edit", "append_line", "inverse_of_last", "read_edits", "replay"]

ACTIONS = ("relabel", "drop", "restore", "note")


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in some containers
        return ""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """One edit of one picture. `was` and `to` are labels for a relabel, texts for a note, and empty otherwise."""

    action: str
    file_name: str
    was: str = ""
    to: str = ""
    why: str = ""
    who: str = field(default_factory=_who)
    when: str = field(default_factory=lambda: datetime.now(UTC).isoformat(timespec="seconds"))
    id: str = field(default_factory=lambda: uuid4().hex[:12])
    undoes: str = ""

    def to_json(self) -> str:
        """The edit as one line of JSON; `was` is called "from" there."""
        record = {"id": self.id, "when": self.when, "who": self.who, "action": self.action, "file_name": self.file_name}
        record |= {"from": self.was, "to": self.to, "why": self.why}
        return json.dumps(record | ({"undoes": self.undoes} if self.undoes else {}), ensure_ascii=False)

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
        else:
            state.notes[edit.file_name] = edit.to
    return state


def inverse_of_last(edits: Iterable[Edit]) -> Edit | None:
    """The edit that takes back the last one that still counts, or None where nothing is left to undo."""
    edits = list(edits)
    undone = {edit.undoes for edit in edits}
    last = next((edit for edit in reversed(edits) if not edit.undoes and edit.id not in undone), None)
    if last is None:
        return None
    action = {"drop": "restore", "restore": "drop"}.get(last.action, last.action)
    return Edit(action=action, file_name=last.file_name, was=last.to, to=last.was, why="undo", undoes=last.id)
