"""Folders as bytes that travel to another machine and back, what they contain as a digest, and folders for a while."""

import hashlib
import io
import os
import shutil
import tarfile
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path

from tl_course.core.files import alone_with, hold, sha256_of
from tl_course.grading.submissions.handed_in import entries_of

__all__ = ["digest_of", "pack", "scratch", "unpack"]

_LARGE = 100 << 20  # bytes of a file, from which on its size and time stand for what is in it
_FRESH = 60.0  # seconds
_SIZE = "TL_COURSE.size"  # of a file that is too large to travel


def digest_of(places: Sequence[Path], *, most: int | None = None) -> str:
    """SHA-256 of files, and of all that lies in folders, in each of them of `most` files and folders at most."""
    digest = hashlib.sha256()
    for place in places:
        folder = place if place.is_dir() else place.parent
        for path in islice(_below(place), most) if place.is_dir() else [place]:
            if "__pycache__" in path.parts:
                continue
            digest.update(os.fsencode(path.relative_to(folder)))
            try:
                about = path.lstat()
                if path.is_symlink():
                    digest.update(os.fsencode(path.readlink()))
                elif path.is_file() and about.st_size <= _LARGE:
                    digest.update(sha256_of(path).encode())
                elif path.is_file():
                    digest.update(f"{about.st_size} {about.st_mtime_ns}".encode())
            except OSError as problem:  # whoever may not read it will say so when it is graded
                digest.update(str(problem).encode())
    return digest.hexdigest()


def _below(folder: Path) -> Iterator[Path]:
    return (path for path, _ in entries_of(folder))


def pack(folder: Path, *, most: int = 1 << 40) -> bytes:
    """A folder as a tar: files, folders, and links as links, nothing followed. Equal folders give equal bytes.

    Of files of more than `most` bytes, all together, the size alone travels: they come out as nothing but zeros.
    """
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path in _below(folder):
            about = tarfile.TarInfo(str(path.relative_to(folder)))
            about.mode = 0o755
            if path.is_symlink():
                about.type, about.linkname = tarfile.SYMTYPE, str(path.readlink())
            elif path.is_dir():
                about.type = tarfile.DIRTYPE
            elif not path.is_file():
                about.type = tarfile.FIFOTYPE
            elif (size := path.stat().st_size) > most - buffer.tell():
                about.pax_headers = {_SIZE: str(size)}
            else:
                with path.open("rb") as file:
                    about.size, about.mode = size, 0o644
                    archive.addfile(about, file)
                continue
            archive.addfile(about)
    return buffer.getvalue()


def unpack(packed: bytes, folder: Path) -> None:
    """Lay out a folder again that `pack` has packed; nothing is written outside of it."""
    folder.mkdir(parents=True, exist_ok=True)
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        for about in archive:
            archive.extract(about, folder, filter="tar")
            if _SIZE in about.pax_headers:
                os.truncate(folder / about.name, int(about.pax_headers[_SIZE]))


@contextmanager
def scratch(beside: Path) -> Iterator[Path]:
    """A folder in `beside` for as long as the block runs; those of processes that were killed go first."""
    beside.mkdir(parents=True, exist_ok=True)
    for left in beside.glob("run-*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > _FRESH:  # a new one is not held yet
                with alone_with(left) as nobody:
                    if nobody:
                        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=beside, prefix="run-", ignore_cleanup_errors=True) as name:
        hold(Path(name))
        yield Path(name)
