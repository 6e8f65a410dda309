"""Submissions of a course on the disk: newer attempts take the place of older ones, and nothing is lost."""

import hashlib
import json
import shutil
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from tl_course.core.files import atomic_path
from tl_course.core.names import printable
from tl_course.grading.platforms.export_files import ExportFile
from tl_course.grading.platforms.formats import Attempt

__all__ = ["Collected", "Submitted"]

MOST_FILES = 2000  # of a submission
MOST_BYTES = 200 << 20  # of a submission, unpacked
_SHOWN = 20  # of many, in what a person reads
_TIME = "timestamp.txt"  # where nbgrader looks for when a submission came in


@dataclass
class Collected:
    """What was collected, or would be.

    Attributes
    ----------
    platform : str
    new, newer, unchanged : list of str
        Students: collected for the first time; collected in place of an earlier attempt, which is kept; there already.
    doubtful : list of (str, str)
        What was not collected: its name in the export, and why, with what to do.
    late : list of str
        Students who were late, as the platform says, which does not tell when.
    untimed : list of str
        Students for whom no time is known for certain: nothing of theirs counts as late.
    absent : list of str
        Students on the roster of whom there is nothing.
    remarks : list of str
    """

    platform: str
    new: list[str] = field(default_factory=list)
    newer: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    doubtful: list[tuple[str, str]] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    untimed: list[str] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def _advice(self) -> str:
        """How times may become certain."""
        return {
            "blackboard": "; the zone of its times makes them so: --timezone",
            "brightspace": "; the zone of its times makes them so: --timezone",
            "moodle": "; its grading worksheet as roster, and --timezone, make them so",
            "github": "; its grades.csv as roster makes them so",
        }.get(self.platform, "")

    def summary(self, *, dry_run: bool = False) -> str:
        """The same for a person to read, a line or more for each kind."""
        counts = f"{len(self.new)} new, {len(self.newer)} newer than before, {len(self.unchanged)} unchanged"
        lines = [f"{self.platform}: {counts}" + (" (nothing was written: this is a preview)" if dry_run else "")]
        kinds = (
            ("new", self.new),
            ("newer, and what was there is kept in downloaded/", self.newer),
            (f"late, says {self.platform}, and not when: write that into submitted/ID/…/{_TIME}", self.late),
            (f"nothing counts as late, for no time is certain{self._advice()}", self.untimed),
            ("on the roster, and nothing handed in", self.absent),
        )
        for text, students in kinds:
            if students:
                lines.append(f"{text} ({len(students)}): {printable(_some(students))}")
        lines += [printable(remark) for remark in self.remarks]
        if self.doubtful:
            lines.append(f"not collected, have a look ({len(self.doubtful)}):")
            lines += [f"  {printable(what)}\n    {printable(why)}" for what, why in self.doubtful[:_SHOWN]]
            lines += [f"  and {len(self.doubtful) - _SHOWN} more: all with --json"] * (len(self.doubtful) > _SHOWN)
        return "\n".join(lines)


def _some(students: list[str]) -> str:
    more = f" and {len(students) - _SHOWN} more (all with --json)" if len(students) > _SHOWN else ""
    return ", ".join(students[:_SHOWN]) + more


class Submitted:
    """An assignment's folders ``submitted/ID/NAME``, and what was collected into them before.

    The record is ``downloaded/NAME/collected.json``; what was replaced lies in ``downloaded/NAME/replaced/ID``.
    """

    def __init__(
        self, course: Path, name: str, done: Collected, *, zone: ZoneInfo | None, replace: bool, dry_run: bool
    ) -> None:
        self.course, self.name, self.done = course, name, done
        self.zone, self.replace, self.dry_run = zone, replace, dry_run
        self._folder = course / "downloaded" / name
        self._record = self._folder / "collected.json"
        try:
            self._known: dict[str, Any] = json.loads(self._record.read_text("utf-8"))
        except (OSError, ValueError):
            self._known = {}

    def there(self) -> set[str]:
        """Who has handed in something, by whatever way."""
        return {path.parent.name for path in (self.course / "submitted").glob("*/*") if path.name == self.name}

    def take(self, student: str, attempts: list[Attempt]) -> None:
        """Collect a student's newest attempt, if it is certain which one that is, and that it is newer."""
        newest, problem = _newest(attempts)
        if newest is None:
            self._doubt(student, attempts[0], problem)
            return
        content = self._content(newest, student)
        try:
            digest = _digest(content)
        except (
            OSError,
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
            ValueError,
        ) as why:
            self._doubt(student, newest, f"it cannot be unpacked ({why}). Download it again.")
            return
        if not content:
            self._doubt(student, newest, "nothing in it can be used. Ask for it again.")
            return
        time = self._time(newest)
        about = {
            "platform": self.done.platform, "key": newest.key, "late": newest.late, "order": newest.order,
            "written": newest.time.isoformat() if newest.time else None, "stamp": _stamp(time), "digest": digest,
        }  # fmt: skip
        before = self._known.get(student, {})
        target = self.course / "submitted" / student / self.name
        there = _digest_of(target) if target.exists() or target.is_symlink() else None
        if there == digest:
            self._known[student] = about
            self._set_time(target, time, before)
            where = self.done.unchanged
        else:
            reason = self._why_not(student, there, newest) if there is not None else ""
            if reason and not self.replace:
                self._doubt(student, newest, reason)
                return
            try:
                self._write(target, content, time, student)
            except OSError as why:
                self._doubt(
                    student, newest, f"it could not be written ({why.strerror or why}). What was there is kept."
                )
                return
            self._known[student] = about
            where = self.done.new if there is None else self.done.newer
        where.append(student)
        self.done.remarks += [f"{student}: {remark}" for remark in newest.remarks]
        if time is None:
            (self.done.late if newest.late else self.done.untimed).append(student)

    def write_down(self) -> None:
        """Keep what was collected, for the next time."""
        if not self.dry_run:
            self._folder.mkdir(parents=True, exist_ok=True)
            with atomic_path(self._record) as part:
                part.write_text(json.dumps(self._known, indent=1, ensure_ascii=False, sort_keys=True), encoding="utf-8")

    def _doubt(self, student: str, attempt: Attempt, why: str) -> None:
        self.done.doubtful.append((attempt.key, f"{student}: {why}"))

    def _content(self, attempt: Attempt, student: str) -> dict[str, ExportFile]:
        """What is taken of an attempt, notebooks first; the rest is said."""
        taken: dict[str, ExportFile] = {}
        left = MOST_BYTES
        for name in sorted(attempt.files, key=lambda name: (not name.lower().endswith(".ipynb"), name)):
            file = attempt.files[name]
            if name.casefold() == _TIME:
                self.done.remarks.append(f"{student}: a {_TIME} of the student's own was left out.")
            elif len(taken) >= MOST_FILES or file.size > left:
                self.done.remarks.append(
                    f"{student}: {printable(name)}, and what comes after it, was left out: at most {MOST_FILES:,} "
                    f"files and {MOST_BYTES >> 20} MB are taken of a submission."
                )
                break
            else:
                taken[name] = file
                left -= file.size
        return taken

    def _why_not(self, student: str, there: str, newest: Attempt) -> str:
        """Why an attempt must not take the place of what was handed in before, if so."""
        before = self._known.get(student)
        if before is None or before.get("digest") != there:
            return "what is there was put there, or changed, by hand. To replace it (it is kept): --replace"
        newer = _is_newer(newest, before)
        if newer is None:
            return "it differs from what was collected, and nothing tells which is newer. If this one is: --replace"
        return "" if newer else "what was collected before is newer, and stays. To go back to this one: --replace"

    def _time(self, attempt: Attempt) -> datetime | None:
        """When it was handed in, in UTC; None where that is not certain."""
        time = attempt.time
        if time is None:
            return None
        if time.tzinfo is None:
            if self.zone is None:
                return None
            first, second = (time.replace(tzinfo=self.zone, fold=fold).utcoffset() for fold in (0, 1))
            if first != second:  # the hour that comes twice, or never, when clocks change
                return None
            time = time.replace(tzinfo=self.zone)
        return time.astimezone(UTC)

    def _write(self, target: Path, content: dict[str, ExportFile], time: datetime | None, student: str) -> None:
        if self.dry_run:
            return
        with _swapped(target, self._folder / "replaced" / student) as part:
            for name, file in content.items():
                path = part.joinpath(*name.split("/"))
                path.parent.mkdir(parents=True, exist_ok=True)
                with file.open() as stream, path.open("wb") as out:
                    shutil.copyfileobj(stream, out, 1 << 20)
            if time is not None:
                (part / _TIME).write_text(_stamp(time), encoding="utf-8")

    def _set_time(self, target: Path, time: datetime | None, before: dict[str, Any]) -> None:
        """Write a time that was not known before, unless there is one by hand."""
        path = target / _TIME
        there = path.read_text("utf-8", "replace") if path.is_file() else ""
        if time is not None and there in ("", before.get("stamp")) and not self.dry_run:
            path.write_text(_stamp(time), encoding="utf-8")


def _stamp(time: datetime | None) -> str:
    """A time in UTC as nbgrader writes it."""
    return f"{time:%Y-%m-%d %H:%M:%S} UTC" if time else ""


def _newest(attempts: list[Attempt]) -> tuple[Attempt | None, str]:
    if len(attempts) == 1:
        return attempts[0], ""
    keys = ", ".join(sorted({printable(attempt.key) for attempt in attempts}))
    times = [attempt.time for attempt in attempts if attempt.time is not None]
    if len(times) < len(attempts) or len({time.tzinfo is None for time in times}) > 1:
        return (
            None,
            f"there are {len(attempts)} attempts ({keys}), and nothing tells which is newest. Give only that one.",
        )
    newest = max(times)
    last = [attempt for attempt in attempts if attempt.time == newest]
    if len(last) > 1:
        return None, f"{len(last)} attempts are of the same time ({keys}). Give only the one that counts."
    return last[0], ""


def _is_newer(attempt: Attempt, before: dict[str, Any]) -> bool | None:
    """Whether an attempt is newer than what was written down of another; None where nothing tells."""
    if attempt.order and before.get("order"):
        return attempt.order > before["order"] if attempt.order != before["order"] else None
    if attempt.time is None or not before.get("written"):
        return None
    earlier = datetime.fromisoformat(before["written"])
    if (earlier.tzinfo is None) != (attempt.time.tzinfo is None) or earlier == attempt.time:
        return None
    return attempt.time > earlier


def _digest(content: Mapping[str, ExportFile]) -> str:
    """Of names and content; reading all of it also shows whether it can be unpacked."""
    digest = hashlib.sha256()
    for name in sorted(content):
        inner = hashlib.sha256()
        with content[name].open() as stream:
            while block := stream.read(1 << 20):
                inner.update(block)
        digest.update(f"{name}\0{inner.hexdigest()}\n".encode())
    return digest.hexdigest()


def _digest_of(folder: Path) -> str:
    """The same of a submission that is there, but for its time; empty where there are links."""
    if folder.is_symlink() or not folder.is_dir():
        return ""
    files = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if name == _TIME or (path.is_dir() and not path.is_symlink()):
            continue
        if path.is_symlink() or not path.is_file():
            return ""
        files[name] = ExportFile(name, path.stat().st_size, lambda path=path: path.open("rb"))  # type: ignore[misc]
    return _digest(files)


@contextmanager
def _swapped(target: Path, kept: Path) -> Iterator[Path]:
    """A new folder that takes the place of `target`, which is moved under `kept`, when the block ends well."""
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{uuid4().hex}.part")
    part.mkdir()
    try:
        yield part
        if target.exists() or target.is_symlink():
            kept.mkdir(parents=True, exist_ok=True)
            target.rename(kept / f"{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
        part.rename(target)
    finally:
        shutil.rmtree(part, ignore_errors=True)
