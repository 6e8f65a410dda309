"""Where the package keeps things, and how it writes them so that a killed process never leaves half a file."""

import hashlib
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from uuid import uuid4

__all__ = ["NEARBY", "alone_with", "atomic_path", "cache_dir", "hold", "sha256_of", "touch"]

# What names a place for data sets that is looked at before the internet: a folder, or the address of one.
NEARBY = ("TL_COURSE_DATA", "TL_COURSE_MIRROR")


# Locks are Unix's; Windows removes no folder of which something is open anyway.
_fcntl: Any = import_module("fcntl") if find_spec("fcntl") else None

_MARKED = 600.0  # seconds for which being marked as used once is enough
_HELD = 64  # folders that a process holds at most: those of the sets that it opened last
_held: dict[Path, int] = {}


def cache_dir(*parts: str) -> Path:
    """The folder for things that can be made again (exported backbones, features, rendered sets); made if missing.

    ``TL_COURSE_CACHE`` names another place than the user's cache directory. Where neither can be written (a locked-down
    account), a folder in the system's temporary directory serves for this machine's uptime.
    """
    import platformdirs

    wanted = os.environ.get("TL_COURSE_CACHE") or platformdirs.user_cache_dir("tl-course", appauthor=False)
    for base in (Path(wanted), Path(tempfile.gettempdir()) / "tl-course-cache"):
        folder = base.joinpath(*parts)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError:
            continue
        if os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.mkdtemp(prefix="tl-course-"))


def touch(path: Path) -> None:
    """Mark a file or folder of the cache as used now: what was used longest ago is freed first."""
    with suppress(OSError):
        if time.time() - path.stat().st_mtime > _MARKED:
            os.utime(path)


def hold(folder: Path) -> bool:
    """Whether there is such a folder in the cache; if so, it is marked as used and stays while this process lives."""
    if not folder.is_dir():
        return False
    touch(folder)
    if _fcntl is None:
        return True
    with suppress(OSError):  # a file system without locks
        descriptor = os.open(folder, os.O_RDONLY)
        with suppress(OSError):  # waits for whoever is about to remove it
            _fcntl.flock(descriptor, _fcntl.LOCK_SH)
        if before := _held.pop(folder, None):
            os.close(before)
        _held[folder] = descriptor
        while len(_held) > _HELD:
            os.close(_held.pop(next(iter(_held))))
    return folder.is_dir()


@contextmanager
def alone_with(folder: Path) -> Iterator[bool]:
    """Keep everybody else from taking `hold` of a folder for a moment; False where somebody holds it."""
    if _fcntl is None:
        yield True
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            _fcntl.flock(descriptor, _fcntl.LOCK_EX | _fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:  # a file system without locks
            pass
        yield True
    finally:
        os.close(descriptor)


@contextmanager
def atomic_path(target: Path) -> Iterator[Path]:
    """A temporary path beside `target` that takes its place when the block ends well and vanishes when it does not."""
    part = target.with_name(f".{target.name}.{uuid4().hex}.part")
    try:
        yield part
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, as 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
