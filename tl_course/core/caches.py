"""What the package keeps in its cache: how large it is, and how it is freed. All of it can be made again.

A folder that ``TL_COURSE_CACHE`` names may hold anything else besides. So what is listed and removed is only what has
the place, the name and the form that the package gives to its own; links are left alone. What is used is marked as used
(`tl_course.core.files.hold`, `tl_course.core.files.touch`), and nothing that a living process holds is removed.
"""

import json
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

from tl_course.core.files import alone_with, atomic_path, cache_dir
from tl_course.errors import CacheError

__all__ = ["KINDS", "Entry", "Pruned", "bytes_meant", "bytes_of", "contents", "prune", "readable", "tidy"]

DAY = 86_400.0
KEPT_DAYS = 90.0  # unused for longer: `tidy` and `prune` free it
BOUND = 5 * 10**9  # bytes of all kinds together, beyond which what was used longest ago goes
SPARED_DAYS = 1.0  # used since: `tidy` leaves it, however much there is
ABANDONED_DAYS = 1.0  # an unfinished file that is older belongs to no process any more

_HEX = "[0-9a-f]"
_EXPORT = re.compile(r"backbone\.(onnx|json)|timm-[\w.+]+\.json|\d+-torch-[\w.+]+\.(onnx|sha256)")
_VECTORS = rf".+-\d+(-\d-views)?-(cpu|cuda)(-{_HEX}{{12}})?"
_GLIMPSES = rf"glimpses-{_HEX}{{12}}"
_PART = re.compile(rf"\..+\.{_HEX}{{32}}\.part")


def _is_export(path: Path) -> bool:
    names = [one.name for one in path.iterdir() if not _PART.fullmatch(one.name)]
    return all(map(_EXPORT.fullmatch, names)) and any(not name.endswith(".onnx") for name in names)


def _is_collected(path: Path) -> bool:
    return (path / "collected.jsonl").is_file()


def _is_file(path: Path) -> bool:
    return path.is_file()


def _is_folder(path: Path) -> bool:
    return path.is_dir()


@dataclass(frozen=True)
class Kind:
    """What one kind is, in which folder it lies, what its files or folders are called, and what else tells them."""

    what: str
    folder: str
    pattern: str
    form: Callable[[Path], bool]


KINDS = {
    "features": Kind(
        "vectors and small versions of images", "features", rf"({_VECTORS}|{_GLIMPSES})\.sqlite", _is_file
    ),
    "backbones": Kind("networks, exported to run quickly", "backbones", r"[\w.-]+", _is_export),
    "downloads": Kind("what was fetched", "downloads", rf"{_HEX}{{24}}\.(part|json|lock)|{_HEX}{{64}}\.zip", _is_file),
    "zips": Kind("unpacked zips of images", "packs", rf"{_HEX}{{64}}", _is_folder),
    "drawn": Kind("sets that the course has drawn", "rendered", rf"\w+(-\d+){{3}}-{_HEX}{{12}}", _is_folder),
    "collected": Kind("photos for the lessons", "collected", r"\w+", _is_collected),
    "lookalikes": Kind("what is alike in large sets", "suspects", rf"{_HEX}{{64}}\.npz", _is_file),
    "uploads": Kind("zips that were handed over", "uploads", rf"{_HEX}{{64}}\.zip", _is_file),
    "assignments": Kind("assignments that this machine grades for others", "grading", rf"{_HEX}{{64}}", _is_folder),
}
"""Kinds of what is kept, and how the package knows its own."""


@dataclass(frozen=True)
class Entry:
    """A file or folder of the cache: its kind, where it lies, its size in bytes, and when it was used last (Unix)."""

    kind: str
    path: Path
    bytes: int
    used: float

    def to_json(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {"kind": self.kind, "path": str(self.path), "bytes": self.bytes, "days_unused": _days(self.used)}


@dataclass
class Pruned:
    """What was freed (or would be, in a dry run), what was to go and is in use, and how much is left.

    Attributes
    ----------
    removed, in_use : list of Entry
    left : int
        Bytes that remain.
    dry_run : bool
        Nothing was removed.
    """

    removed: list[Entry] = field(default_factory=list)
    in_use: list[Entry] = field(default_factory=list)
    left: int = 0
    dry_run: bool = False

    def __str__(self) -> str:
        went = sum(one.bytes for one in self.removed)
        lines = [
            f"{readable(one.bytes):>8}  {one.kind}, unused for {_days(one.used):.0f} days: {one.path}"
            for one in self.removed
        ]
        lines += [f"in use, so it stays: {one.path}" for one in self.in_use]
        freed = "would be freed; nothing was removed" if self.dry_run else "freed"
        return "\n".join([*lines, f"{readable(went)} {freed}; {readable(self.left)} left."])

    def to_json(self) -> dict[str, Any]:
        """All of it, ready for JSON."""
        return {
            "removed": [one.to_json() for one in self.removed],
            "in_use": [one.to_json() for one in self.in_use],
            "freed_bytes": 0 if self.dry_run else sum(one.bytes for one in self.removed),
            "left_bytes": self.left,
            "dry_run": self.dry_run,
        }


def contents(kinds: Iterable[str] = tuple(KINDS)) -> list[Entry]:
    """What the cache holds of some kinds, the largest first."""
    return sorted(_entries(cache_dir(), kinds), key=lambda one: (-one.bytes, one.path))


def prune(
    *,
    days: float | None = KEPT_DAYS,
    at_most: int | None = BOUND,
    kinds: Iterable[str] = tuple(KINDS),
    dry_run: bool = False,
) -> Pruned:
    """Free what was not used for long, and then what was used longest ago, until the rest is small enough.

    Parameters
    ----------
    days : float, optional
        What was not used for longer goes. None: age alone is no reason.
    at_most : int, optional
        Bytes that may stay, of the `kinds` together. None: size alone is no reason.
    kinds : iterable of str
        Of `KINDS`.
    dry_run : bool
        Only say what would go.

    Raises
    ------
    CacheError
        There is no such kind, or a number makes no sense.
    """
    kinds = list(kinds)
    if unknown := [kind for kind in kinds if kind not in KINDS]:
        raise CacheError(f"The cache has no kind {unknown[0]!r}; it has {', '.join(KINDS)}.")
    for what, number in (("days", days), ("at_most", at_most)):
        if number is not None and not number >= 0:
            raise CacheError(f"{what} is {number!r}: give 0 or more.")
    return _prune(days=days, at_most=at_most, spared=-1.0, kinds=kinds, dry_run=dry_run)


def tidy() -> None:
    """Free what nobody has used for 90 days, and beyond 5 GB what was used longest ago; looked at once a day.

    It is called where something has been added to the cache. What was used within a day stays.
    """
    root = cache_dir()
    mark = root / "tl-course-tidied.json"
    try:
        if time.time() - mark.stat().st_mtime < DAY:
            return
    except OSError:
        pass
    with suppress(OSError, CacheError):
        with atomic_path(mark) as part:  # first, so that others do not look too
            part.write_text("{}", encoding="utf-8")
        done = _prune(days=KEPT_DAYS, at_most=BOUND, spared=SPARED_DAYS, kinds=list(KINDS), dry_run=False)
        with atomic_path(mark) as part:
            part.write_text(json.dumps(done.to_json()), encoding="utf-8")


def _prune(*, days: float | None, at_most: int | None, spared: float, kinds: list[str], dry_run: bool) -> Pruned:
    root = cache_dir()
    _clear_away(root, kinds, dry_run)
    entries = sorted(_entries(root, kinds), key=lambda one: one.used)
    done = Pruned(left=sum(one.bytes for one in entries), dry_run=dry_run)
    for one in entries:
        unused = _days(one.used)
        old = days is not None and unused >= days
        too_much = at_most is not None and done.left > at_most
        if unused >= spared and (old or too_much):
            if dry_run or _remove(one.path):
                done.removed.append(one)
                done.left -= one.bytes
            elif one.path.exists():
                done.in_use.append(one)
    return done


def _entries(root: Path, kinds: Iterable[str]) -> Iterator[Entry]:
    for kind in kinds:
        its = KINDS[kind]
        for path in _listed(root / its.folder):
            with suppress(OSError):  # another process was first
                if re.fullmatch(its.pattern, path.name) and not path.is_symlink() and its.form(path):
                    yield Entry(kind, path, bytes_of(path), path.stat().st_mtime)


def _clear_away(root: Path, kinds: Iterable[str], dry_run: bool) -> None:
    """Remove what killed processes have left unfinished."""
    for kind in kinds:
        for path in _listed(root / KINDS[kind].folder):
            with suppress(OSError):
                if _PART.fullmatch(path.name) and _days(path.stat().st_mtime) > ABANDONED_DAYS and not dry_run:
                    _remove(path)


def _listed(folder: Path) -> list[Path]:
    try:
        return [] if folder.is_symlink() else sorted(folder.iterdir())
    except OSError:
        return []


def _remove(path: Path) -> bool:
    """Remove a file or folder unless somebody holds it; a folder vanishes at one stroke."""
    try:
        if not path.is_dir():
            path.unlink()
            return True
        with alone_with(path) as free:
            if not free:
                return False
            gone = path.with_name(f".{path.name}.{uuid4().hex}.part")
            path.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)
        return True
    except OSError:  # Windows removes nothing that is open
        return False


def bytes_of(path: Path) -> int:
    """Size of a file, or of all files in a folder; links do not count."""
    if not path.is_dir():
        return path.stat().st_size
    total = 0
    waiting = [os.fspath(path)]
    while waiting:
        with suppress(OSError), os.scandir(waiting.pop()) as found:
            for one in found:
                if one.is_dir(follow_symlinks=False):
                    waiting.append(one.path)
                else:
                    total += one.stat(follow_symlinks=False).st_size
    return total


def bytes_meant(text: str) -> int:
    """The number of bytes that "5GB", "300 MB" or "1000" mean.

    Raises
    ------
    CacheError
        It means none.
    """
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", text.strip().lower())
    if not found:
        raise CacheError(f"{text!r} is no size. Write it as 5GB, 300MB or 0.")
    return int(float(found[1]) * 1000 ** " kmgt".index(found[2] or " "))


def readable(size: float) -> str:
    """A number of bytes for people: "3.2 GB"."""
    for unit in ("bytes", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _days(used: float) -> float:
    return round(max(0.0, (time.time() - used) / DAY), 2)
