"""Where a data set is found, and what is in it: folders, zips, addresses, and the sets that ship."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from zipfile import is_zipfile

from tl_course.core.files import NEARBY
from tl_course.core.image_io import MAX_BYTES, probe
from tl_course.data.archives import unclear_names, unpack
from tl_course.data.layouts import ADVICE, How, understand
from tl_course.data.listing import Skipped, few_of
from tl_course.data.registry import dataset_folder, dataset_names
from tl_course.data.splits import draw_splits
from tl_course.data.table import Picture
from tl_course.errors import ImageSetError

__all__ = ["Contents", "Place", "find", "read", "shipped"]

_IN_TABLE = (
    "Mend in the table what is named here: each row needs the file as it lies in the folder (cat/1.jpg), a label, and "
    "train, valid, test or nothing as its split. columns={'split': ''} leaves a column of splits out."
)


@dataclass(frozen=True)
class Place:
    """A folder that may hold a set: what to call it, and why it must not be edited, if so."""

    folder: Path
    name: str
    called: str = ""
    shared: str = ""
    remarks: tuple[str, ...] = ()


@dataclass
class Contents:
    """A set as it was read, without anything being written.

    `table` are the images that can be used, each with its split and `sha256`; `absent` are rows of tables without a
    usable file, so that none is lost when the table is written again. `saved` tells whether the table says all that
    `table` does.
    """

    root: Path
    how: str
    table: list[Picture]
    absent: list[Picture]
    skipped: list[Skipped]
    remarks: list[str]
    saved: bool
    shared: str


def find(where: str | Path, *, sha256: str | None = None) -> Place:
    """The folder that is meant; a zip is fetched and unpacked into the cache, and a set that ships is drawn there.

    Raises
    ------
    ImageSetError
        There is nothing there, or it is not what `sha256` says.
    """
    text = str(where)
    if "://" in text:
        from tl_course.net.download import fetch_pack

        name = PurePosixPath(text.partition("?")[0]).stem
        return _unpacked(fetch_pack(text, sha256=sha256), name=name, sha256=sha256)
    try:
        path = Path(where).expanduser().absolute()
        is_folder, is_file = path.is_dir(), path.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        raise ImageSetError(f"{text} cannot be opened: {error}.") from None
    if is_folder:
        if sha256 is not None:
            raise ImageSetError(f"{path} is a folder: a sha256 can be asked of a zip only. Leave it out.")
        return Place(path, path.resolve().name)
    if is_file and path.suffix.lower() != ".zip" and not is_zipfile(path):
        raise ImageSetError(f"{path} is a file and no zip. A set is a folder, or a zip of one. {ADVICE}")
    if is_file:
        return _unpacked(path, name=path.stem, sha256=sha256)
    if text in dataset_names():
        return shipped(text)
    if any(map(os.environ.get, NEARBY)):
        from tl_course.net.download import nearby_set

        if (found := nearby_set(text)) is not None:
            return find(found, sha256=sha256)
    raise ImageSetError(
        f"{text}: there is no such folder or zip (looked in {Path.cwd()}), and no set of this name ships with the "
        f"course (these do: {', '.join(dataset_names())}). Check the spelling."
    )


def shipped(name: str) -> Place:
    """Where a set that ships with the course lies, whatever else has its name."""
    if name not in dataset_names():
        raise ImageSetError(f"No set {name!r} ships with the course; these do: {', '.join(dataset_names())}.")
    try:
        root = dataset_folder(name)
    except OSError as error:
        raise ImageSetError(
            f"Could not write the set {name!r} into the cache: {error.strerror or error}. Nothing was lost. Make "
            "room, or let TL_COURSE_CACHE name another place."
        ) from error
    return Place(root, name, shared=f"The set {name!r} ships with the course and is shared by all lessons")


def _unpacked(archive: Path, *, name: str, sha256: str | None) -> Place:
    folder = unpack(archive, sha256=sha256)
    remarks: tuple[str, ...] = ()
    if unclear := unclear_names(archive):
        remarks = (
            f"{len(unclear)} names in the zip, such as {unclear[0]!r}, are in an encoding that it does not tell and "
            "may be read wrongly; make the zip again with names in UTF-8, or unpack it yourself and open the folder",
        )
    return Place(folder, name, called=archive.name, shared=f"{name} is a zip, unpacked into the cache", remarks=remarks)


def read(place: Place, how: How) -> Contents:
    """What a place holds, as `tl_course.data.layouts` understands it, every image looked at once.

    Raises
    ------
    ImageSetError
        It cannot be understood for certain, or nothing in it can be used.
    """
    layout = understand(place.folder, called=place.called, how=how)
    good, unreadable = _examine(layout.root, layout.pictures)
    table = [replace(one, split=split) for one, split in zip(good, draw_splits(good), strict=True)]
    names = {picture.file_name for picture in table}
    absent = [row for row in layout.listed if row.file_name not in names]
    skipped = layout.skipped + unreadable
    if not table:
        called = place.called or place.folder
        advice = _IN_TABLE if layout.listed else ADVICE
        raise ImageSetError(f"{called} holds no picture that can be used{few_of(skipped)}. {advice}")
    return Contents(
        root=layout.root, how=layout.how, table=table, absent=absent, skipped=skipped,
        remarks=[*place.remarks, *layout.remarks], saved=set(table) <= set(layout.listed),
        shared=place.shared or layout.shared,
    )  # fmt: skip


def _examine(root: Path, pictures: Sequence[Picture]) -> tuple[list[Picture], list[Skipped]]:
    """Read each file once: the good pictures with their `sha256`, and which cannot be used and why."""

    def look(picture: Picture) -> tuple[Picture, str | None]:
        path = root / picture.file_name
        try:
            size = path.stat().st_size
            if size > MAX_BYTES:
                return picture, f"the file is longer than {MAX_BYTES // 2**20} MB"
            data = path.read_bytes()
        except OSError as error:
            return picture, f"cannot be read ({error.strerror})"
        return replace(picture, sha256=hashlib.sha256(data).hexdigest()), probe(data)

    with ThreadPoolExecutor(max_workers=4) as pool:
        looked = list(pool.map(look, pictures))
    good = [picture for picture, reason in looked if reason is None]
    return good, [(picture.file_name, reason) for picture, reason in looked if reason is not None]
