"""What lies in a submission: its files, in folders and in zips, as far as they are few, small and no links."""

import os
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from stat import S_ISDIR, S_ISLNK, S_ISREG

from tl_course.core.names import printable
from tl_course.grading.submissions.notebook_file import Unreadable

__all__ = ["MOST_SEEN", "File", "HandedIn", "entries_of", "look_into", "short", "some"]

MOST_SEEN = 50_000  # files and folders of a submission that are looked at
_LONGEST = 100  # letters of a file's name in a sentence
DEEPEST = 20  # folders in folders
_MOST_ZIPS = 10  # of a submission that are looked into
_DIRECTORY = 1 << 20  # bytes of a zip's list of files, which is read whole
# What no student means to hand in.
_PASSED_OVER = {".ipynb_checkpoints", "__MACOSX", "__pycache__", ".git", ".venv", "node_modules", ".virtual_documents"}
_LITTER = re.compile(r"\._.*|\.DS_Store|Thumbs\.db|desktop\.ini|~\$.*", re.IGNORECASE)


@dataclass(frozen=True)
class File:
    """A file of a submission.

    Attributes
    ----------
    name : PurePosixPath
        In the submission's folder; of a file in a zip ``hw.zip/data/a.csv``.
    size : int
        Bytes, as its folder or zip says.
    changed : float
        When it was changed last: seconds since 1970 of a file, or, only to be compared with others of it, in a zip.
    packed : bool
        Whether it lies in a zip.
    """

    name: PurePosixPath
    size: int
    changed: float
    packed: bool
    _read: Callable[[int], bytes] = field(repr=False)

    def begins_with(self, start: bytes) -> bool:
        """Whether its first letters, after blanks and the mark of UTF-8, are these."""
        try:
            return self._read(64).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(start)
        except (Unreadable, OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
            return False

    def read(self, most: int) -> bytes:
        """All of its bytes.

        Raises
        ------
        Unreadable
            There are more than `most`, or it cannot be read, with the end of a sentence that begins with its name.
        """
        if self.size > most:
            raise Unreadable(f"has {self.size / 1e6:,.0f} MB, and at most {most / 1e6:,.0f} are read")
        try:
            content = self._read(most + 1)
        except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as problem:
            raise Unreadable(f"cannot be read ({type(problem).__name__}: {problem})") from problem
        if len(content) > most:
            raise Unreadable(f"has more than {most / 1e6:,.0f} MB, and no more are read")
        return content


@dataclass
class HandedIn:
    """What lies in a submission.

    Attributes
    ----------
    files : list of File
        In folders first, then in zips.
    left_out : list of str
        What is no plain file, or too deep in folders, or too much, in sentences.
    closed : dict of str to str
        Archives that could not be looked into, with the end of a sentence that begins with the name.
    """

    files: list[File] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    closed: dict[str, str] = field(default_factory=dict)


def entries_of(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything in a folder, sorted, with what `os.lstat` says; links are not followed.

    What cannot be read is passed over. Folders in folders are gone through one after the other, not by recursion: no
    depth of them stops it.
    """
    waiting = [folder]
    while waiting:
        try:
            listed = sorted(os.scandir(waiting.pop()), key=lambda entry: entry.name)
        except OSError:
            continue
        deeper = []
        for entry in listed:
            try:
                about = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            yield Path(entry.path), about
            if S_ISDIR(about.st_mode):
                deeper.append(Path(entry.path))
        waiting += reversed(deeper)


def look_into(folder: Path) -> HandedIn:
    """List what a student handed in. Nothing is unpacked; zips in zips are not looked into."""
    found = HandedIn()
    links: list[str] = []
    for seen, (path, about) in enumerate(entries_of(folder)):
        if seen >= MOST_SEEN:
            found.left_out.append(f"Of what was handed in, only the first {MOST_SEEN:,} files were looked at.")
            break
        name = PurePosixPath(path.relative_to(folder))
        if _PASSED_OVER & set(name.parts) or _LITTER.fullmatch(name.name) or S_ISDIR(about.st_mode):
            continue
        if not S_ISREG(about.st_mode) or len(name.parts) > DEEPEST:
            links.append(str(name))
        else:
            found.files.append(File(name, about.st_size, about.st_mtime, False, _reader(path)))
    if links:
        what = "is a link or no file" if len(links) == 1 else "are links or no files"
        found.left_out.append(f"{some(links)} {what}, or too deep, and left out.")
    opened = 0
    for file in list(found.files):
        if file.name.suffix.casefold() == ".zip" or (
            ".ipynb" in file.name.name.casefold() and file.begins_with(b"PK\x03\x04")
        ):
            opened += 1
            try:
                if opened > _MOST_ZIPS:
                    raise Unreadable(f"is one of more than {_MOST_ZIPS} zips")
                found.files += _packed(folder / file.name, file.name)
            except Unreadable as problem:
                found.closed[str(file.name)] = str(problem)
        elif re.search(r"\.(rar|7z|tar|t?gz|tbz2?|bz2|t?xz)$", file.name.name, re.IGNORECASE):
            found.closed[str(file.name)] = "is an archive that is not looked into"
    return found


def some(names: list[str]) -> str:
    """A few of the names, and how many more there are."""
    shown = ", ".join(map(short, names[:3]))
    return shown if len(names) <= 3 else f"{shown} and {len(names) - 3} more"


def short(name: str) -> str:
    """A file's name for a sentence: its end, if it is long, and nothing in it that is not shown."""
    return printable(name if len(name) <= _LONGEST else f"…{name[-_LONGEST:]}")


def _reader(path: Path) -> Callable[[int], bytes]:
    def read(most: int) -> bytes:
        with path.open("rb") as file:
            return file.read(most)

    return read


def _packed(path: Path, name: PurePosixPath) -> list[File]:
    """The files in a zip, but for links and names that lead out of it."""
    _check_size_of_list(path)
    try:
        archive = zipfile.ZipFile(path)
    except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as problem:
        raise Unreadable(f"is no zip that can be read ({problem})") from problem
    files = []
    for about in archive.infolist():
        text = about.filename
        if not about.flag_bits & 0x800:  # macOS writes UTF-8 without saying so
            with suppress(UnicodeError):
                text = text.encode("cp437").decode("utf-8")
        inside = PurePosixPath(text.replace("\\", "/"))
        if (
            about.is_dir()
            or not inside.parts
            or S_ISLNK(about.external_attr >> 16)
            or inside.is_absolute()
            or ".." in inside.parts
        ):
            continue
        if _PASSED_OVER & set(inside.parts) or _LITTER.fullmatch(inside.name) or len(inside.parts) > DEEPEST:
            continue
        changed = sum(part * size for part, size in zip(about.date_time, (3e7, 2.6e6, 86400, 3600, 60, 1), strict=True))
        files.append(File(name / inside, about.file_size, changed, True, _unpacker(archive, about)))
    return files


def _check_size_of_list(path: Path) -> None:
    """Raise where reading a zip's list of files would take much memory, whatever the list says of itself."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - (1 << 16) - 42))
        tail = file.read()
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or len(tail) < at + 22:
        raise Unreadable("is no zip that can be read")
    if (
        tail[max(0, at - 20) : at].startswith(b"PK\x06\x07")
        or struct.unpack("<L", tail[at + 12 : at + 16])[0] > _DIRECTORY
    ):
        raise Unreadable("is a zip of too many files")


def _unpacker(archive: zipfile.ZipFile, about: zipfile.ZipInfo) -> Callable[[int], bytes]:
    def read(most: int) -> bytes:
        if about.flag_bits & 1:
            raise Unreadable("is locked with a password")
        if about.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise Unreadable("is packed in a way that is not read here")
        with archive.open(about) as file:
            return file.read(most)

    return read
