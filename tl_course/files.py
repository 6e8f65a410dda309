"""Where the package keeps things, and how it writes them so that a killed process never leaves half a file."""

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

__all__ = ["NEARBY", "atomic_path", "cache_dir", "sha256_of"]

# What names a place for data sets that is looked at before the internet: a folder, or the address of one.
NEARBY = ("TL_COURSE_DATA", "TL_COURSE_MIRROR")


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
