"""Marks as they were at each run of `tl-course grade`: what has changed since, and how they went over time."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

__all__ = ["Run", "remember", "runs"]

_FILE = "history.jsonl"  # in the folder of an assignment's reports; a line for each run that changed a mark


@dataclass(frozen=True)
class Run:
    """A run that changed marks.

    Attributes
    ----------
    at : str
        When, in ISO 8601.
    marks : dict
        Points that tests gave, by student and cell, of everybody, after the run.
    of : dict of str to float
        Points that cells are out of.
    """

    at: str
    marks: dict[str, dict[str, float | None]]
    of: dict[str, float]


def runs(folder: Path) -> list[Run]:
    """All of them, the first one first. A line that was cut off by a crash is passed over."""
    try:
        lines = (folder / _FILE).read_text("utf-8").splitlines()
    except OSError:
        return []
    found: list[Run] = []
    marks: dict[str, dict[str, float | None]] = {}
    of: dict[str, float] = {}
    for line in lines:
        try:
            step = json.loads(line)
            marks, of = marks | step["marks"], of | step["of"]
            found.append(Run(step["at"], marks, of))
        except (ValueError, LookupError, TypeError):
            continue
    return found


def remember(folder: Path, submissions: Sequence[Mapping[str, Any]]) -> None:
    """Write down the marks of submissions that are new, or others than before; nothing, where there are none."""
    known = runs(folder)
    before = known[-1].marks if known else {}
    new = {one["student"]: one["marks"] for one in submissions if one["marks"] != before.get(one["student"])}
    if not new:
        return
    of: dict[str, float] = {}
    for submission in submissions:
        of |= submission["of"]
    step = {"at": datetime.now(UTC).isoformat("T", "seconds"), "of": of, "marks": new}
    with (folder / _FILE).open("a", encoding="utf-8") as file:
        file.write(f"\n{json.dumps(step)}\n")  # on a line of its own, also after one that was cut off
