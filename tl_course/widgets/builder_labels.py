"""Labels of the data-set builder: names and numbers that can be used, and the file that keeps what no image tells."""

import json
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import count
from operator import index
from pathlib import Path

from tl_course.core.files import atomic_path
from tl_course.errors import ImageSetError
from tl_course.sources.base import MOST
from tl_course.synthetic.drawing import SETS

__all__ = [
    "DRAWN", "LABELS", "MENU", "Row", "fresh_name", "label_name", "named_images", "read_rows", "search_text",
    "whole_number", "write_rows",
]  # fmt: skip

LABELS = "builder.json"  # labels without images, their order, and how each is collected

LONGEST_NAME = 80  # characters
LONGEST_SEARCH = 500

DRAWN = [label for labels in SETS.values() for label in labels]
MENU = {  # what the page calls a source, what its free field asks for, and what it says beside
    "rendered": ("Drawn images", "", f"Drawn by the course: {', '.join(DRAWN)}"),
    "openverse": ("Openverse", "", "Openly licensed photos, with credit"),
    "commons": ("Wikimedia Commons", "", "Openly licensed photos, with credit"),
    "web": ("Web search", "", "Whatever the web shows, under any licence"),
    "public": ("Public sets", "", "Well-known sets of photos"),
    "folder": ("Folder", "Path of a folder", "In it a folder for each label, beside this notebook's kernel"),
    "pack": ("Pack (zip)", "Path or address of a zip", "Such as your instructor's"),
}

_TURNING = re.compile("[\u202a-\u202e\u2066-\u2069]")  # they would turn around whatever text a name stands in
_ids = count(1)


@dataclass
class Row:
    """A label, and how its images are collected; `page`, `news`, `troubled` and `id` are the page's own and not kept.

    `news` is what was last said of this label, and `troubled` whether that was an error.
    """

    name: str
    source: str
    n: int
    query: str = ""
    where: str = ""

    def __post_init__(self) -> None:
        self.page, self.news, self.troubled = 1, "", False
        self.id = next(_ids)


def label_name(text: object) -> str:
    """A label without stray blanks and line ends, composed (NFC); an ImageSetError where it is none."""
    if not isinstance(text, str):
        raise ImageSetError(f"{text!r} is no label: give a name, such as 'cat'.")
    name = unicodedata.normalize("NFC", " ".join(text.split()))
    if not any(unicodedata.category(letter)[0] in "LNPS" for letter in name):
        raise ImageSetError("A label needs a name, such as 'cat'.")
    if _TURNING.search(name) or any(unicodedata.category(letter) in ("Cc", "Cs") for letter in name):
        raise ImageSetError(f"The label {name!a} holds characters that cannot be seen. Type it anew.")
    if len(name) > LONGEST_NAME:
        raise ImageSetError(
            f"A label has at most {LONGEST_NAME} characters; '{name[:20]}…' has {len(name)}. Shorten it."
        )
    return name


def fresh_name(text: object, others: Iterable[str]) -> str:
    """A label that none of the `others` could be mistaken for."""
    name = label_name(text)
    for other in others:
        if name == other:
            raise ImageSetError(f"There is a label {name!r} already.")
        if name.casefold() == " ".join(unicodedata.normalize("NFC", other).split()).casefold():
            raise ImageSetError(
                f"There is a label {other!r} already, from which {name!r} differs in case or blanks only."
            )
    return name


def whole_number(n: object) -> int:
    """How many images a label shall have; an ImageSetError unless it is a whole number from 1 to `MOST`."""
    try:
        number = 0 if isinstance(n, bool) else index(n)  # type: ignore[arg-type]
    except TypeError:
        number = 0
    if not 1 <= number <= MOST:
        raise ImageSetError(f"A label can have 1 to {MOST:,} images: give a whole number, not {_brief(n)}.")
    return int(number)


def search_text(text: object) -> str:
    """What to search for, or where to look, in one line; an ImageSetError where it is no text or very long."""
    if not isinstance(text, str):
        raise ImageSetError(f"{_brief(text)} is no text to search for: give words, such as 'open door'.")
    line = " ".join(text.split())
    if len(line) > LONGEST_SEARCH:
        raise ImageSetError(f"'{line[:20]}…' has {len(line):,} characters; {LONGEST_SEARCH} at most. Shorten it.")
    return line


def named_images(images: object) -> list[str]:
    """File names of one image or several, each once; an ImageSetError where there is none."""
    listed = [images] if isinstance(images, str) or hasattr(images, "file_name") else images
    if not isinstance(listed, Iterable):
        raise ImageSetError(f"{_brief(images)} is no image: give one of builder.images, its file name, or several.")
    names: list[str] = []
    for one in listed:
        name = one if isinstance(one, str) else getattr(one, "file_name", None)
        if not isinstance(name, str):
            raise ImageSetError(f"{_brief(one)} is no image: give one of builder.images, its file name, or several.")
        names.append(name)
    if not names:
        raise ImageSetError("No image was named: give one of builder.images, its file name, or several.")
    return list(dict.fromkeys(names))


def read_rows(folder: Path, *, source: str, n: int) -> tuple[list[Row], list[str]]:
    """The rows that were kept, and the labels that were given; what is damaged in a row gets `source` and `n`."""
    try:
        kept = json.loads((folder / LABELS).read_text(encoding="utf-8"))
        rows = {one["name"]: one for one in kept["labels"] if isinstance(one["name"], str) and one["name"]}
        given = [name for name in kept["given"] if isinstance(name, str)]
    except (
        OSError,
        ValueError,
        TypeError,
        KeyError,
        RecursionError,
    ):  # not there or damaged: the images tell the labels
        return [], []
    found = []
    for name, one in rows.items():
        number = one.get("n")
        good = type(number) is int and 1 <= number <= MOST
        texts = [text if isinstance(text := one.get(key), str) else "" for key in ("query", "where")]
        found.append(
            Row(name, one.get("source") if one.get("source") in MENU else source, number if good else n, *texts)
        )
    return found, given


def write_rows(folder: Path, rows: Sequence[Row], given: Sequence[str]) -> None:
    """Keep them; an ImageSetError where the disk takes no more."""
    text = json.dumps({"labels": [asdict(row) for row in rows], "given": list(given)}, ensure_ascii=False, indent=1)
    try:
        with atomic_path(folder / LABELS) as part:
            part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ImageSetError(f"{folder / LABELS} could not be written: {error.strerror}. Make room.") from None


def _brief(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:39]}…"
