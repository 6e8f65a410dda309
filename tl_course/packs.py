"""Zips of picture sets, in and out, and folders that are either there whole or not at all."""

import errno
import shutil
import stat
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from uuid import uuid4

from tl_course.caches import tidy
from tl_course.errors import ImageSetError
from tl_course.files import atomic_path, cache_dir, hold, sha256_of

__all__ = ["MAX_FILES", "MAX_UNPACKED", "new_folder", "pack", "unpack"]

MAX_FILES = 200_000
MAX_UNPACKED = 16 * 2**30  # bytes
_MAX_RATIO = 50  # pictures are compressed already: more than this, in a large zip, is a bomb
_LITTER = ("__MACOSX", ".DS_Store", "Thumbs.db", "desktop.ini")


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target` that takes its place when the block ends well and vanishes when it does not.

    Where another process was first, its folder stays and ours goes.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{uuid4().hex}.part")
    part.mkdir()
    try:
        yield part
        with suppress(OSError):
            target.rmdir()  # an empty one may be there; Windows renames onto nothing
        try:
            part.replace(target)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.EACCES) or not target.is_dir():
                raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def unpack(archive: Path, *, sha256: str | None = None) -> Path:
    """Unpack a zip into the cache, once for each content, and return the folder that holds its pictures.

    Raises
    ------
    ImageSetError
        The file is no zip or damaged, its SHA-256 is not `sha256`, it would write outside its folder (absolute paths,
        ``..``, links), or it unpacks to more than `MAX_FILES` files or `MAX_UNPACKED` bytes. Nothing is left behind.
    """
    try:
        digest = sha256_of(archive)
    except OSError as error:
        raise ImageSetError(f"{archive} cannot be read: {error.strerror}.") from None
    if sha256 is not None and digest != sha256.strip().lower():
        raise ImageSetError(
            f"{archive} is not the file it should be: its SHA-256 is {digest}, expected was {sha256}. Fetch it again."
        )
    target = cache_dir("packs") / digest
    if not hold(target):
        try:
            with zipfile.ZipFile(archive) as pack, new_folder(target) as folder:
                for info in _safe_entries(archive, pack):
                    name = info.filename.replace("\\", "/") if info.create_system == 0 else info.filename
                    path = folder.joinpath(*PurePosixPath(name).parts)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with pack.open(info) as source, path.open("wb") as file:
                        shutil.copyfileobj(source, file, 2**20)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
            raise ImageSetError(f"{archive} cannot be unpacked: {error}. Fetch or make the zip again.") from None
        except OSError as error:
            raise ImageSetError(
                f"{archive} cannot be unpacked into {target.parent}: {error.strerror or error}. Nothing was kept."
            ) from None
        hold(target)
        tidy()
    return _inner(target)


def _safe_entries(archive: Path, pack: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    infos = [
        info
        for info in pack.infolist()
        if not info.is_dir() and not any(part in _LITTER for part in PurePosixPath(info.filename).parts)
    ]
    for info in infos:
        # Windows rules are the stricter ones: a drive or a backslash counts there, and "/" starts at the root on both.
        path = PureWindowsPath(info.filename)
        if path.anchor or ".." in path.parts or not path.parts:
            raise ImageSetError(
                f"{archive} was refused: its entry {info.filename!r} would be written outside its folder."
            )
        if stat.S_ISLNK(info.external_attr >> 16):
            raise ImageSetError(
                f"{archive} was refused: its entry {info.filename!r} is a link. Pack the files themselves."
            )
    size = sum(info.file_size for info in infos)
    compressed = sum(info.compress_size for info in infos)
    if len(infos) > MAX_FILES or size > MAX_UNPACKED or (size > 2**28 and size > _MAX_RATIO * compressed):
        raise ImageSetError(
            f"{archive} was refused: it would unpack to {len(infos):,} files and {size / 2**20:,.0f} MB, "
            "which is no reasonable pack of pictures. Unpack it yourself if you trust it, and open the folder."
        )
    return infos


def _inner(folder: Path) -> Path:
    """The set itself, where the zip wraps it in a folder (or several) of its own."""
    while True:
        entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
        if len(entries) != 1 or not entries[0].is_dir():
            return folder
        inside = list(entries[0].iterdir())
        if not any(entry.is_dir() or entry.name == "metadata.csv" for entry in inside):
            return folder  # one class folder
        folder = entries[0]


def pack(files: Mapping[str, Path | bytes], out: Path) -> str:
    """Zip `files` (names in the zip, and each file's path or content); the same content always gives the same bytes.

    Returns
    -------
    str
        SHA-256 of the zip.
    """
    with atomic_path(out) as part:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for name in sorted(files):
                info = zipfile.ZipInfo(name)  # dated 1980 and as if from Unix, so that only content counts
                info.create_system = 3
                info.external_attr = 0o644 << 16
                content = files[name]
                archive.writestr(info, content if isinstance(content, bytes) else content.read_bytes())
        return sha256_of(part)
