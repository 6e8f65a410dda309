"""A data set in the making: pictures come in one at a time, and a killed process loses at most the one under way.

Each picture is kept under a name that follows from its content. A journal beside the pictures, ``collected.jsonl``,
only ever appended to, says where each came from, and what was passed over and why. It is read with the table, so that a
folder whose process was killed is a whole data set already.
"""

import hashlib
import io
import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from weakref import WeakValueDictionary

from PIL import Image

from tl_course.core import image_io
from tl_course.core.devices import cores
from tl_course.core.files import atomic_path
from tl_course.data.edit_log import append_line
from tl_course.data.imageset import ImageSet
from tl_course.data.table import COLLECTED, METADATA, Picture, collected_row, read_collected
from tl_course.errors import ImageSetError

__all__ = ["Candidate", "Collection", "PassedOver", "Prepared", "prepare"]

MAX_SIDE = 640  # pixels of the longer side; the course's networks look at 224 to 384
MIN_SIDE = 64  # pixels of the shorter side; less is an icon or a tracking pixel
NEAR = 6  # bits of 64 in which near-duplicates may differ: scaled and recompressed photos did, no two of 685 others
QUALITY = 90
LONGEST = 500  # characters of what is written down about a picture
_ABANDONED = 600.0  # seconds after which a file that was not finished belongs to no process any more

_DEVICES = {"CON", "PRN", "AUX", "NUL", *(f"{port}{n}" for port in ("COM", "LPT") for n in range(1, 10))}  # Windows

_PART = re.compile(r"\.[0-9a-f]{16}\.jpg\.[0-9a-f]{32}\.part")  # what `atomic_path` makes of our names

_open: "WeakValueDictionary[Path, Collection]" = WeakValueDictionary()
_opening = threading.Lock()
_decoders = threading.BoundedSemaphore(max(2, cores()))  # a large photo takes 100 MB and more while it is decoded


class PassedOver(Exception):  # noqa: N818  (a picture that is no use is no error)
    """A picture was passed over; the text is the reason. With `again` another try may find it good."""

    def __init__(self, reason: str, *, again: bool = False) -> None:
        super().__init__(reason)
        self.again = again


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A picture that a source offers, and what is known of where it comes from.

    `url` names it: its address or, where it has none, a text such as "camera:7". Pictures whose `url` agrees up to a
    ``#`` show one scene and stay in one split. `data` is the picture itself, or its file, where it is here already.
    """

    label: str
    url: str
    data: bytes | Path | None = field(default=None, repr=False)
    source: str = ""
    creator: str = ""
    license: str = ""
    license_url: str = ""
    page: str = ""
    title: str = ""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if isinstance(value, str):  # half an emoji, or a novel for a title, must not spoil the table
                plain = value.encode("utf-8", "replace").decode()
                object.__setattr__(self, name, plain if name in ("url", "label") else plain[:LONGEST])


@dataclass(frozen=True)
class Prepared:
    """A picture as it is kept: its JPEG bytes, their SHA-256, and a perceptual hash of 64 bits."""

    content: bytes
    sha256: str
    hash: int


def prepare(data: bytes | Path) -> Prepared:
    """Decode a picture, turn it upright, scale it down to 640 pixels, and encode it as JPEG with nothing beside it.

    What cameras write beside the pixels (place, time, serial number) is gone afterwards.

    Raises
    ------
    PassedOver
        It cannot be decoded, or its shorter side has less than 64 pixels.
    """
    with _decoders:
        try:
            image = image_io.load(data, size=MAX_SIDE)
        except ImageSetError as error:
            raise PassedOver(str(error).partition(": ")[2]) from None
        if min(image.size) < MIN_SIDE:
            raise PassedOver(f"too small ({image.width} x {image.height} pixels)")
        image.thumbnail((MAX_SIDE, MAX_SIDE), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        image.info.clear()  # of which Pillow would write a comment again
        image.save(file, "JPEG", quality=QUALITY)
        return Prepared(file.getvalue(), hashlib.sha256(file.getvalue()).hexdigest(), _perceptual_hash(image))


class Collection:
    """A folder that grows into a data set; its methods may be called from any thread.

    Parameters
    ----------
    folder
        A new one, one that was collected into before, or any data set of one's own.

    Raises
    ------
    ImageSetError
        The folder cannot be made or read.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).expanduser().absolute()
        self._lock = threading.RLock()
        self._images: ImageSet | None = None
        self._new: list[Picture] = []  # what `_images` does not know of yet
        self._done: set[str] = set()  # what need not be fetched again
        self._hashes: dict[str, int] = {}
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            for part in self.folder.glob("*/.*.part"):
                if _PART.fullmatch(part.name) and time.time() - part.stat().st_mtime > _ABANDONED:
                    part.unlink()
        except OSError as error:
            raise ImageSetError(
                f"{self.folder} cannot be collected into: {error.strerror}. Choose another folder."
            ) from None
        for line in read_collected(self.folder):
            if name := line.get("file_name"):
                if not (self.folder / name).is_file():
                    continue  # killed between the line and the file, so that the picture is still to come
                with suppress(KeyError, TypeError, ValueError):
                    self._hashes[name] = int(line["hash"], 16)
            if not line.get("again"):
                self._done.add(line["url"])
        self._open()

    @classmethod
    def at(cls, folder: str | Path) -> "Collection":
        """The one collection that this process has of a folder, so that two uses of it do not clash."""
        path = Path(folder).expanduser().resolve()
        with _opening:
            found = _open.get(path)
            if found is None or not found.folder.is_dir():
                found = _open[path] = cls(path)
            return found

    @property
    def images(self) -> ImageSet:
        """The data set as it is now.

        Raises
        ------
        ImageSetError
            There is no picture yet.
        """
        with self._lock:
            if self._new and self._images is None:
                self._open()
            elif self._new and self._images is not None:
                self._images.extend(self._new)
                self._new = []
            if self._images is None:
                raise ImageSetError(f"{self.folder} holds no pictures yet. Collect some first.")
            return self._images

    @contextmanager
    def editing(self) -> Iterator[ImageSet]:
        """The data set, while no other thread adds to it: an edit made while it is read anew would seem lost."""
        with self._lock:
            yield self.images

    def counts(self) -> Counter[str]:
        """How many pictures each label has, without dropped ones."""
        with self._lock:
            return Counter(picture.label for picture in [*(self._images or ()), *self._new])

    def knows(self, url: str) -> bool:
        """Whether a picture was kept before, or passed over for good."""
        return url in self._done

    def add(self, candidate: Candidate, prepared: Prepared, *, near: int = NEAR) -> str:
        """Keep a picture and return its file name.

        Parameters
        ----------
        candidate, prepared
            Where it comes from, and what `prepare` made of it.
        near
            How many of the 64 bits of the perceptual hash may differ in pictures that count as nearly the same.

        Raises
        ------
        PassedOver
            The same picture, or nearly the same one, is there already, under this label or another.
        ImageSetError
            It could not be written.
        """
        with self._lock:
            distances = (((prepared.hash ^ known).bit_count(), name) for name, known in self._hashes.items())
            distance, twin = min(distances, default=(64, ""))
            if distance <= near:
                raise PassedOver(f"{'nearly ' * (distance > 0)}the same picture as {twin}")
            name = f"{_folder_of(candidate.label)}/{prepared.sha256[:16]}.jpg"
            line = {key: value for key, value in vars(candidate).items() if value and key != "data"}
            line |= {"file_name": name, "sha256": prepared.sha256, "hash": f"{prepared.hash:016x}"}
            with self._writing(name):
                append_line(self.folder / COLLECTED, json.dumps(line, ensure_ascii=False), wait=False)
                (self.folder / name).parent.mkdir(exist_ok=True)
                with atomic_path(self.folder / name) as part:
                    part.write_bytes(prepared.content)
            self._hashes[name] = prepared.hash
            self._done.add(candidate.url)
            self._new.append(collected_row(line))
            return name

    def pass_over(self, candidate: Candidate, reason: PassedOver) -> None:
        """Write down that a picture was passed over, so that it is not fetched again unless that may help."""
        with self._lock:
            line = {"url": candidate.url, "label": candidate.label, "passed_over": str(reason), "again": reason.again}
            with self._writing(COLLECTED):
                append_line(self.folder / COLLECTED, json.dumps(line, ensure_ascii=False), wait=False)
            if not reason.again:
                self._done.add(candidate.url)

    @contextmanager
    def _writing(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ImageSetError(
                f"{self.folder / name} could not be written: {error.strerror}. What was collected before is kept. "
                "Make room, then go on."
            ) from None

    def reopen(self) -> None:
        """Read the folder again, where this was interrupted and may not know what it has written."""
        with self._lock:
            self._open()

    def _open(self) -> None:
        """Read the set, and write down the splits of pictures that are new."""
        try:
            images = ImageSet.open(self.folder, warn=False)
        except ImageSetError:
            if self._hashes or (self.folder / METADATA).exists():
                raise
            return  # there is nothing in it yet
        if images.root != self.folder:  # or what is new would lie beside the set, not in it
            raise ImageSetError(f"{self.folder} holds a set in the folder {images.root.name}. Collect into that one.")
        self._images = images
        self._new = []
        kept = [*self._images, *self._images.dropped]
        self._hashes = {one.file_name: self._hashes[one.file_name] for one in kept if one.file_name in self._hashes}
        unknown = [one.file_name for one in kept if one.file_name not in self._hashes]
        with ThreadPoolExecutor(cores()) as pool:
            self._hashes.update(zip(unknown, pool.map(self._hash, unknown), strict=True))
        self._images.save()

    def _hash(self, name: str) -> int:
        try:
            return prepare(self.folder / name).hash
        except PassedOver:  # too small or damaged, and nevertheless somebody's picture
            return random.getrandbits(64)


def _perceptual_hash(image: Image.Image) -> int:
    """The "pHash" of a picture: signs of the lowest frequencies of its cosine transform (imagehash's documentation)."""
    import imagehash

    # imagehash looks at 32 x 32 pixels, and most of its time would go into the way there
    return int(str(imagehash.phash(image.reduce(max(1, min(image.size) // 96)))), 16)


def _folder_of(label: str) -> str:
    """A name for a label's folder that every system takes; the label itself wherever it is one."""
    plain = re.sub(r"[^\w \-]", "_", label).strip()[:60]
    if plain != label or plain.upper() in _DEVICES:
        plain += "-" + hashlib.sha256(label.encode()).hexdigest()[:6]
    return plain
