"""Files on their way between the builder's page and the disk, in parts: Jupyter ends connections on long messages."""

import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from tl_course.core.files import atomic_path, cache_dir, sha256_of
from tl_course.data.imageset import ImageSet
from tl_course.errors import ImageSetError

__all__ = ["LARGEST_DOWNLOAD", "Arriving", "Zip", "handed_over", "zipped"]

MAX_UPLOAD = 256 * 2**20  # bytes of a file from the browser
LARGEST_DOWNLOAD = 256 * 2**20  # bytes of a zip that a browser's page can be trusted to hold in memory
_PART = 2 * 2**20  # bytes of a zip that go to the page at a time


class Arriving:
    """Files on their way from the browser."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str], bytearray] = {}

    def add(self, label: str, name: str, size: int, offset: int, data: bytes) -> bytes | None:
        """Take the next part of a file, and return the file once it is whole."""
        if size > MAX_UPLOAD:
            raise ImageSetError(
                f"{name} has {size / 2**20:,.0f} MB, and the page takes {MAX_UPLOAD // 2**20}. Put it beside the "
                "notebook and choose 'Pack (zip)' as the source."
            )
        part = self._parts.pop((label, name), bytearray()) if offset else bytearray()
        if len(part) != offset or offset + len(data) > size:
            raise ImageSetError(f"{name} did not arrive whole. Add it once more.")
        part += data
        if len(part) < size:
            self._parts[label, name] = part
            return None
        return bytes(part)


def handed_over(files: Mapping[str, bytes | str | Path] | Iterable[str | Path] | str | Path) -> dict[str, bytes]:
    """The bytes of files by name, read where paths are given; an ImageSetError where that fails."""
    if isinstance(files, Mapping):
        given = list(files.items())
    else:
        paths = [Path(one) for one in ([files] if isinstance(files, str | Path) else files)]
        given = [(path.name, path) for path in paths]
    found: dict[str, bytes] = {}
    for name, one in given:
        try:
            data = Path(one).expanduser().read_bytes() if isinstance(one, str | Path) else bytes(memoryview(one))
        except OSError as error:
            raise ImageSetError(f"{one} cannot be read: {error.strerror}. Nothing was added.") from None
        except TypeError:
            raise ImageSetError(
                f"{name} is neither a path nor the bytes of a file. Hand over paths, or bytes by name: "
                "{'a.jpg': data}."
            ) from None
        found[name if name not in found else f"{len(found)}/{name}"] = data  # files of two folders may share a name
    return found


@dataclass
class Zip:
    """A zip of a data set that the page downloads."""

    path: Path
    size: int = field(init=False)

    def __post_init__(self) -> None:
        self.size = self.path.stat().st_size

    def part(self, offset: int) -> bytes:
        """The part that begins at `offset`; an ImageSetError where the file is not there as it was."""
        try:
            with self.path.open("rb") as file:
                if file.seek(0, 2) == self.size and 0 <= file.seek(offset) < self.size:
                    return file.read(_PART)
        except (OSError, ValueError, TypeError):
            pass
        raise ImageSetError(f"{self.path} is not there as it was a moment ago. Download once more.")


def zipped(folder: Path, out: str | Path | None, ours: "set[Path]") -> Path:
    """Zip the data set in `folder`, beside it unless `out` says where, and return the path.

    Of what is beside it already, only what is `ours` is replaced.
    """
    images = ImageSet.open(folder, warn=False)  # a state of its own: others may edit and collect meanwhile
    if out is not None:
        path = Path(out).expanduser().absolute()
        images.pack(path)
        return path
    part = cache_dir("downloads") / f"{uuid4().hex}.zip"
    digest = images.pack(part)
    try:
        number = 1
        while True:
            path = folder.with_name(f"{folder.name}{f' {number}' * (number > 1)}.zip")
            if not path.exists() or path in ours or (path.is_file() and sha256_of(path) == digest):
                break
            number += 1  # somebody else's, perhaps the one that the images came from
        try:
            with atomic_path(path) as target:
                shutil.copyfile(part, target)
        except OSError as error:
            raise ImageSetError(
                f"{path} could not be written: {error.strerror}. Say where else: builder.pack('…/{folder.name}.zip')."
            ) from None
    finally:
        part.unlink(missing_ok=True)
    return path
