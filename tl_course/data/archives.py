"""Zips of picture sets, in and out, and folders that are either there whole or not at all."""

import errno
import hashlib
import shutil
import stat
import struct
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath, PureWindowsPath
from uuid import uuid4

from tl_course.core.caches import tidy
from tl_course.core.files import atomic_path, cache_dir, hold, sha256_of
from tl_course.data.listing import LITTER
from tl_course.errors import ImageSetError

__all__ = ["MAX_FILES", "MAX_UNPACKED", "entry_names", "new_folder", "pack", "unclear_names", "unpack", "unpack_labels"]

MAX_FILES = 200_000
MAX_UNPACKED = 16 * 2**30  # bytes
_MAX_RATIO = 50  # pictures are compressed already: more than this, in a large zip, is a bomb
_READING = "2"  # of names; what was unpacked with names read otherwise is not used any more
_UTF8 = 0x800  # the flag of an entry whose name is in UTF-8
_UNICODE_PATH = 0x7075  # Info-ZIP's extra field for the name in UTF-8


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
    """Unpack a zip into the cache, once for each content, and return the folder that it was unpacked into.

    Raises
    ------
    ImageSetError
        The file is no zip or damaged, its SHA-256 is not `sha256`, it would write outside its folder (absolute paths,
        ``..``, links), or it unpacks to more than `MAX_FILES` files or `MAX_UNPACKED` bytes. Nothing is left behind.
    """
    digest = _digest(archive)
    if sha256 is not None and digest != sha256.strip().lower():
        raise ImageSetError(
            f"{archive} is not the file it should be: its SHA-256 is {digest}, expected was {sha256}. Fetch it again."
        )
    return _once(f"{digest} {_READING}", [("", archive)])


def unpack_labels(archives: Sequence[tuple[str, Path]]) -> Path:
    """Unpack zips into the cache, each into a folder called after its label, and return the folder around these.

    Raises
    ------
    ImageSetError
        As for `unpack`.
    """
    digests = [_digest(archive) for _, archive in archives]
    times = Counter(label for label, _ in archives)
    places = [
        (f"{label}/{digest[:8]}" if times[label] > 1 else label, archive)
        for (label, archive), digest in zip(archives, digests, strict=True)
    ]
    return _once(repr([places, digests, _READING]), places)


def _once(content: str, archives: Sequence[tuple[str, Path]]) -> Path:
    """The folder in the cache for what `content` names; where it is not there, zips are unpacked into their places."""
    target = cache_dir("packs") / hashlib.sha256(content.encode()).hexdigest()
    if not hold(target):
        with _unpacking(archives[0][1], target), new_folder(target) as folder:
            for place, archive in archives:
                with _unpacking(archive, target):
                    _extract(archive, folder / place)
        hold(target)
        tidy()
    return target


def unclear_names(archive: Path) -> list[str]:
    """Names in a zip that cannot be read for certain: their encoding is not told, and is not UTF-8."""
    with _unpacking(archive, cache_dir("packs")), zipfile.ZipFile(archive) as pack:
        return entry_names(pack.infolist())[1]


def _digest(archive: Path) -> str:
    try:
        return sha256_of(archive)
    except OSError as error:
        raise ImageSetError(f"{archive} cannot be read: {error.strerror}.") from None


@contextmanager
def _unpacking(archive: Path, target: Path) -> Iterator[None]:
    try:
        yield
    except zipfile.BadZipFile as error:
        raise ImageSetError(
            f"{archive} cannot be unpacked: {error}. Fetch or make the zip again; what is packed in another form (tar, "
            "rar, 7z) unpack yourself, and open the folder."
        ) from None
    except (zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ImageSetError(f"{archive} cannot be unpacked: {error}. Fetch or make the zip again.") from None
    except OSError as error:
        raise ImageSetError(
            f"{archive} cannot be unpacked into {target.parent}: {error.strerror or error}. Nothing was kept."
        ) from None


def _extract(archive: Path, folder: Path) -> None:
    with zipfile.ZipFile(archive) as pack:
        for info, name in _safe_entries(archive, pack):
            path = folder.joinpath(*PurePosixPath(name).parts)
            path.parent.mkdir(parents=True, exist_ok=True)
            with pack.open(info) as source, path.open("wb") as file:
                shutil.copyfileobj(source, file, 2**20)


def entry_names(infos: Sequence[zipfile.ZipInfo]) -> tuple[dict[int, str], list[str]]:
    """The names of a zip's entries by their `id`, and those of which it is not certain that they are read rightly.

    Names without the flag for UTF-8 are in UTF-8 all the same where all of them can be: macOS writes them so.
    """
    raw = {id(info): _raw(info) for info in infos if not info.flag_bits & _UTF8 and not info.filename.isascii()}
    try:
        old = {key: name.decode() for key, name in raw.items() if name is not None}
    except UnicodeDecodeError:
        old = {}
    names, unclear = {}, []
    for info in infos:
        key = id(info)
        name = _unicode_path(info, raw.get(key)) or old.get(key, "")
        if raw.get(key) is not None and not name:
            unclear.append(info.filename)
        name = name or info.filename
        # A backslash may be half of a letter, in Shift-JIS and others, where the folders are told by "/".
        windows = info.create_system == 0 and not (key in raw and key not in old and "/" in name)
        names[key] = name.replace("\\", "/") if windows else name
    return names, unclear


def _raw(info: zipfile.ZipInfo) -> bytes | None:
    """The bytes of a name that `zipfile` took to be in code page 437."""
    try:
        return info.filename.encode("cp437")
    except UnicodeEncodeError:
        return None


def _unicode_path(info: zipfile.ZipInfo, raw: bytes | None) -> str:
    """The name that Info-ZIP wrote beside the other one in UTF-8; empty where it did not."""
    extra = info.extra
    while raw is not None and len(extra) >= 4:
        kind, length = struct.unpack_from("<HH", extra)
        value, extra = extra[4 : 4 + length], extra[4 + length :]
        if kind == _UNICODE_PATH and len(value) > 5 and struct.unpack_from("<I", value, 1)[0] == zlib.crc32(raw):
            return value[5:].decode(errors="replace")
    return ""


def _safe_entries(archive: Path, pack: zipfile.ZipFile) -> list[tuple[zipfile.ZipInfo, str]]:
    infos = pack.infolist()
    names, _ = entry_names(infos)
    infos = [i for i in infos if not i.is_dir() and LITTER.isdisjoint(PurePosixPath(names[id(i)]).parts)]
    for info in infos:
        # Windows rules are the stricter ones: a drive or a backslash counts there, and "/" starts at the root on both.
        for name in (info.filename, names[id(info)]):
            path = PureWindowsPath(name)
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
    return [(info, names[id(info)]) for info in infos]


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
