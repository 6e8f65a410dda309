"""Lists of what is held out, beside folders or a table that say the labels and know no splits.

Such lists are tables with a column of splits, and tables and texts that are called like a split and name images
("meta/test.txt", "testing_list.txt"). They are not read as splits: an image that one of them holds out is never trained
on in silence, and what its owner means by the list has to be said.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path, PurePosixPath

from tl_course.core.names import label_named
from tl_course.data.class_folders import Reading, Unclear
from tl_course.data.label_tables import OURS, TABLE_SUFFIXES, Files, files_in_columns
from tl_course.data.listing import Folder, is_image_name
from tl_course.data.splits import split_within
from tl_course.data.table import Picture, Roles, Table, file_columns, read_table, split_columns
from tl_course.errors import ImageSetError

__all__ = ["check_held_out"]

_TEXTS = (".txt", ".lst")
_LONGEST = 2**24  # bytes
_MOST_WORDS = 4  # in a line of a list; prose has more


def check_held_out(names: Sequence[str], base: Path, reading: Reading, root: Folder) -> None:
    """Refuse to train on what a list among the files called `names` in `base` holds out.

    Raises
    ------
    Unclear
        An image of the reading would be trained on, and a list says that it is to validate or test on.
    """
    found = _held_out(names, base, reading, root)
    if found is None:
        return
    name, image, split = found
    which, counts = "its table", "table='…'"
    if not reading.listed:
        parts = list(map(label_named, image.file_name.split("/")))
        depth = parts.index(image.label) if image.label in parts else 0
        which, counts = "its folder", f'label_from=r"^{"[^/]+/" * depth}(?P<label>[^/]+)/"'
    raise Unclear(
        f"{name} keeps {image.file_name} for {'validation' if split == 'valid' else 'the test'}, and by {which} it "
        "would be trained on",
        "Sort the images into train/LABEL/, valid/LABEL/ and test/LABEL/ as it says, or write file_name, label and "
        f"split into a metadata.csv. If {name} does not count, remove it, or say what does: {counts}.",
    )


def _held_out(names: Sequence[str], base: Path, reading: Reading, root: Folder) -> tuple[str, Picture, str] | None:
    """A list that holds out an image which would be trained on: its name, the image, and the split that it says."""
    lists = [name for name in names if _may_be_list(base, PurePosixPath(name))]
    trained_on = {one.file_name: one for one in reading.pictures if one.split in ("", "train")}
    if not lists:
        return None
    files = Files(root)
    for name in lists:
        table, rows = _listed(base / name, files)
        for text, split in rows:
            found, reason = files.find(table, text) if split in ("valid", "test") else ("", "")
            if found in trained_on and not reason:
                return name, trained_on[found], split
    return None


def _may_be_list(base: Path, name: PurePosixPath) -> bool:
    kind = name.suffix.lower()
    if name.name in OURS or "submission" in name.name.lower():
        return False
    called_so = kind in TABLE_SUFFIXES or (kind in _TEXTS and bool(split_within(name.stem)[0]))
    return called_so and (base / name).stat().st_size <= _LONGEST


def _listed(path: Path, files: Files) -> tuple[Table, list[tuple[str, str]]]:
    """What a list names, with the split that it gives to it."""
    by_name = split_within(path.stem)[0]
    table = Table(path.name, [], [])
    if path.suffix.lower() in TABLE_SUFFIXES:
        with suppress(ImageSetError):  # whatever else it is, it is no table
            table = read_table(path, path.name)
        if columns := file_columns(table, files_in_columns(table, files)):
            splits = split_columns(table)
            roles = Roles(columns[0], split=splits[0] if splits else "")
            return table, [(row.values[columns[0]], roles.split_of(row)[0] or by_name) for row in table.rows]
    texts, lines = list[str](), list[str]()
    with suppress(OSError):
        lines = path.read_text(encoding="utf-8-sig", errors="replace").splitlines() if by_name else []
    for line in lines:
        words = re.split(r"[\s,;]+", line.strip())
        texts += [line.strip(), *(filter(_like_a_file, words) if 1 < len(words) <= _MOST_WORDS else ())]
    return table, [(text, by_name) for text in texts]


def _like_a_file(word: str) -> bool:
    return "/" in word or is_image_name(word)
