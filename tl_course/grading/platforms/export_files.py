"""Files of a platform's export, from a zip or a folder, read so that none of them can do harm.

What is in an export comes from students: links, names that lead out of the folder, bombs, names in odd encodings.
Such a file is left out and named; the others stay.
"""

import os
import stat
import unicodedata
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import IO

from tl_course.core.names import nfc
from tl_course.data.archives import MAX_FILES, entry_names
from tl_course.data.listing import LITTER
from tl_course.errors import GradingError

__all__ = ["Export", "ExportFile", "open_export"]

LARGEST = 200 << 20  # bytes of a file, once unpacked
_HIDDEN = LITTER | {".git", ".ipynb_checkpoints", "__pycache__"}
_LONGEST = 255  # bytes of a name


@dataclass(frozen=True)
class ExportFile:
    """A file of an export: its name with ``/`` (composed), its size in bytes, and how to read it."""

    name: str
    size: int
    open: Callable[[], IO[bytes]]


@dataclass
class Export:
    """What is in an export: files, and what was left out, as pairs of a name and the reason."""

    files: list[ExportFile] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    names: set[str] = field(default_factory=set, repr=False)

    def unwrapped(self) -> "Export | None":
        """The same without the one folder that is around everything; None where there is no such folder."""
        tops = {file.name.partition("/")[0] for file in self.files}
        if len(tops) != 1 or any("/" not in file.name for file in self.files):
            return None
        return Export([replace(file, name=file.name.partition("/")[2]) for file in self.files], self.refused)


@contextmanager
def open_export(source: Path) -> Iterator[Export]:
    """Open a zip, or a folder, of what was handed in.

    Raises
    ------
    GradingError
        There is nothing there, it is no zip or a damaged one, or it holds too many files.
    """
    if source.is_dir():
        yield _of_folder(source)
        return
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise GradingError(
            f"{source} is neither a folder nor a zip that can be read ({reason}). What is packed in another form "
            "(tar, rar, 7z) unpack yourself, and give the folder."
        ) from None
    with archive:
        yield _of_zip(archive, source)


def _of_zip(archive: zipfile.ZipFile, source: Path) -> Export:
    infos = [info for info in archive.infolist() if not info.is_dir()]
    _check_number(len(infos), source)
    names, _ = entry_names(infos)
    export = Export()
    for info in infos:

        def read(info: zipfile.ZipInfo = info) -> IO[bytes]:
            return archive.open(info)

        file = ExportFile(nfc(names[id(info)]), info.file_size, read)
        if stat.S_ISLNK(info.external_attr >> 16):
            export.refused.append((file.name, "is a link"))
        elif info.flag_bits & 1:
            export.refused.append((file.name, "is encrypted"))
        else:
            _add(export, file)
    return export


def _of_folder(source: Path) -> Export:
    export = Export()
    waiting = [source]
    seen = 0
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                path = Path(entry.path)
                if entry.name in _HIDDEN:
                    continue
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(path)
                    continue
                seen += 1
                _check_number(seen, source)
                name = nfc(os.fsencode(path.relative_to(source).as_posix()).decode("utf-8", "replace"))
                if not entry.is_file(follow_symlinks=False):
                    export.refused.append((name, "is a link, or no file"))
                    continue

                def read(path: Path = path) -> IO[bytes]:
                    return path.open("rb")

                _add(export, ExportFile(name, entry.stat().st_size, read))
    export.files.sort(key=lambda file: file.name)
    return export


def _check_number(number: int, source: Path) -> None:
    if number > MAX_FILES:
        raise GradingError(f"{source} holds more than {MAX_FILES:,} files, which is no export of submissions.")


def _add(export: Export, file: ExportFile) -> None:
    parts = file.name.split("/")
    if not _HIDDEN.isdisjoint(parts):
        return
    problem = ""
    if any(part in ("", ".", "..") for part in parts) or "\\" in file.name or PurePosixPath(file.name).is_absolute():
        problem = "would be written outside its folder"
    elif any(unicodedata.category(char) == "Cc" for char in file.name):
        problem = "has characters in its name that nobody sees"
    elif any(len(part.encode("utf-8", "replace")) > _LONGEST for part in parts):
        problem = "has too long a name"
    elif file.size > LARGEST:
        problem = f"is larger than {LARGEST >> 20} MB"
    if not problem and file.name in export.names:
        problem = "is there twice; the first one counts"
    if problem:
        export.refused.append((file.name, problem))
    else:
        export.names.add(file.name)
        export.files.append(file)
