"""The table of a data set: what lies in a folder, what `metadata.csv` says about it, and how the table is written.

The layout is Hugging Face's ``imagefolder`` convention (https://huggingface.co/docs/datasets/image_dataset).
"""

import csv
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from tl_course.errors import ImageSetError
from tl_course.pictures import MAX_BYTES, SUFFIXES, probe
from tl_course.splits import draw_splits, split_named

__all__ = [
    "COLLECTED",
    "COLUMNS",
    "METADATA",
    "TRUTH",
    "Picture",
    "Skipped",
    "collected_row",
    "listed_rows",
    "read_collected",
    "read_folder",
    "read_truth",
    "table_text",
    "truth_text",
]

METADATA = "metadata.csv"
COLLECTED = "collected.jsonl"
TRUTH = "truth.jsonl"
COLUMNS = ("file_name", "label", "split", "source", "creator", "license", "url", "sha256")

ORIGIN = ("page", "title", "license_url")  # further columns of collected pictures

_LITTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})  # what file managers leave behind; hidden files likewise

Skipped = tuple[str, str]  # a name relative to the folder, and the reason


@dataclass(frozen=True)
class Picture:
    """One picture of a set: a row of its table.

    `file_name` is relative to the set's folder and written with ``/``. `split` is "train", "valid" or "test". `source`,
    `creator`, `license` and `url` are as recorded by whoever collected it, empty where unknown. `extra` holds further
    columns of the table, which are kept.
    """

    file_name: str
    label: str
    split: str = ""
    source: str = ""
    creator: str = ""
    license: str = ""
    url: str = ""
    sha256: str = ""
    extra: Mapping[str, str] = field(default_factory=dict, compare=False, repr=False)


def read_folder(root: Path) -> tuple[list[Picture], list[Picture], list[Skipped], bool]:
    """What a folder holds, read without writing anything.

    Returns
    -------
    table
        The pictures that can be used, each with its split and `sha256`.
    absent
        Rows of ``metadata.csv`` without a usable file, so that none is lost when the table is written again.
    skipped
        What cannot be used, and why.
    saved
        Whether ``metadata.csv`` says all that `table` does.

    Raises
    ------
    ImageSetError
        The folder or its ``metadata.csv`` cannot be read.
    """
    files, skipped = _scan(root)
    listed: list[Picture] = []
    rows = (collected_row(line) for line in read_collected(root) if line.get("file_name"))
    collected = {row.file_name: row for row in rows}
    if METADATA in files:
        found, listed, more = _read_table(root, files, collected)
    else:
        found, more = _table_of_folders(root, files, collected)
    good, unreadable = _examine(root, found)
    table = [replace(one, split=split) for one, split in zip(good, draw_splits(good), strict=True)]
    names = {picture.file_name for picture in table}
    absent = [row for row in listed if row.file_name not in names]
    return table, absent, skipped + more + unreadable, set(table) <= set(listed)


def _scan(root: Path) -> tuple[list[str], list[Skipped]]:
    """Names of all files under `root` in sorted order, and what was passed over and why.

    Folders that are links, and links that lead out of `root`, are not followed; hidden files and litter are left out
    without a word.
    """
    inside = os.path.realpath(root)
    files: list[str] = []
    skipped: list[Skipped] = []

    def walk(folder: str, prefix: str) -> None:
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            if not prefix:
                raise ImageSetError(f"The folder {root} cannot be read: {error.strerror}.") from None
            skipped.append((prefix, f"the folder cannot be read ({error.strerror})"))
            return
        for entry in entries:
            if entry.name.startswith(".") or entry.name in _LITTER:
                continue
            name = prefix + entry.name
            try:
                name.encode()
            except UnicodeEncodeError:
                readable = os.fsencode(name).decode(errors="backslashreplace")
                skipped.append((readable, "the name is not valid UTF-8; rename it"))
                continue
            if entry.is_dir(follow_symlinks=False):
                walk(entry.path, f"{name}/")
            elif not entry.is_symlink():
                if entry.is_file():
                    files.append(name)
            elif not entry.is_file():
                reason = "a link to a folder is not followed" if entry.is_dir() else "a link that leads nowhere"
                skipped.append((name, reason))
            elif os.path.commonpath([inside, os.path.realpath(entry.path)]) != inside:
                skipped.append((name, "a link that leads out of the folder"))
            else:
                files.append(name)

    walk(str(root), "")
    return files, skipped


def read_collected(root: Path) -> list[dict[str, Any]]:
    """What was written down while pictures were collected into a folder, a record a line; damaged lines are left out.

    It is there before the table is, so that a process which is killed while it collects loses no label and no origin.
    """
    try:
        lines = (root / COLLECTED).read_bytes().splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        raise ImageSetError(f"{root / COLLECTED} cannot be read: {error.strerror}.") from None
    records = []
    for line in lines:
        with suppress(ValueError, RecursionError):
            record = json.loads(line)
            if isinstance(record, dict) and all(isinstance(record.get(key), str) for key in ("url", "label")):
                records.append(record)
    return records


def collected_row(record: Mapping[str, Any]) -> Picture:
    """What a record of `read_collected` says of the picture that it names."""
    texts = {key: value for key, value in record.items() if isinstance(value, str)}
    fixed = {key: texts[key] for key in COLUMNS if key in texts and key != "split"}
    return Picture(**fixed, extra={key: texts.get(key, "") for key in ORIGIN})


def _table_of_folders(
    root: Path, files: Sequence[str], collected: Mapping[str, Picture]
) -> tuple[list[Picture], list[Skipped]]:
    """Pictures labelled by the folder they lie in; ``train/`` and ``valid/`` around class folders give the split."""
    skipped: list[Skipped] = []
    parts = {name: PurePosixPath(name).parts for name in files}
    tops = {part[0] for name, part in parts.items() if len(part) > 1 and name not in collected}
    by_split = "train" in {split_named(top) for top in tops} and all(split_named(top) for top in tops)
    depth = 2 if by_split and all(len(part) != 2 for part in parts.values()) else 1

    pictures = []
    for name, part in parts.items():
        is_picture = PurePosixPath(name).suffix.lower() in SUFFIXES
        if name in collected:
            pictures.append(collected[name])
        elif is_picture and len(part) > depth:
            pictures.append(Picture(name, label=part[depth - 1], split=split_named(part[0]) if depth == 2 else ""))
        elif is_picture:
            skipped.append((name, "lies in no class folder"))
        elif len(part) > 1:
            skipped.append((name, "not a picture file"))
    filled = {PurePosixPath(picture.file_name).parts[:depth] for picture in pictures}
    empty = (folder for folder in sorted(_folders(root, depth)) if folder not in filled)
    skipped.extend(("/".join(folder) + "/", "a class folder without a picture") for folder in empty)
    return pictures, skipped


def _folders(root: Path, depth: int) -> Iterator[tuple[str, ...]]:
    for path in root.glob("/".join("*" * depth)):
        names = path.relative_to(root).parts
        if path.is_dir() and not path.is_symlink() and not any(n.startswith(".") or n in _LITTER for n in names):
            yield names


def _read_table(
    root: Path, files: Sequence[str], collected: Mapping[str, Picture]
) -> tuple[list[Picture], list[Picture], list[Skipped]]:
    """Pictures that ``metadata.csv`` and `files` agree on, every row of the table, and what was left out and why.

    A picture that is not listed is taken in where it was collected, or where its folder is named like a label of the
    table: then it was added by hand.
    """
    path = root / METADATA
    rows = _rows(path)
    pictures: list[Picture] = []
    skipped: list[Skipped] = []
    there = set(files)
    listed: dict[str, Picture] = {}
    for number, row in enumerate(rows, start=2):
        name = _plain_name(row.pop("file_name"), there)
        label, given = row.pop("label").strip(), row.pop("split", "")
        extra = {key: value for key, value in row.items() if key not in COLUMNS}
        if given.strip() and not split_named(given):
            extra["split_before"] = given  # "fold 3" is no split of ours, and still not ours to lose
        fixed = {key: row[key] for key in COLUMNS if key in row}
        picture = Picture(name, label=label, split=split_named(given), extra=extra, **fixed)
        reason = ""
        if not name:
            skipped.append((f"{METADATA}, row {number}", "names no file"))
            continue
        if name in listed:
            skipped.append((name, f"{METADATA} names it again in row {number}; its first row counts"))
            continue
        listed[name] = picture
        if name not in there:
            outside = PureWindowsPath(name).anchor or ".." in PureWindowsPath(name).parts
            reason = (
                f"{METADATA} names a file outside the folder" if outside else f"in {METADATA}, but not in the folder"
            )
        elif not picture.label:
            reason = f"has no label in {METADATA}"
        if reason:
            skipped.append((name, reason))
        else:
            pictures.append(picture)

    labels = {picture.label for picture in pictures}
    for name in files:
        if name not in listed and PurePosixPath(name).suffix.lower() in SUFFIXES:
            folder = PurePosixPath(name).parts[0]
            if name in collected:
                pictures.append(collected[name])
            elif folder in labels and "/" in name:
                pictures.append(Picture(name, label=folder))
            else:
                skipped.append((name, f"not in {METADATA}, and in no folder named like a label"))
    return pictures, list(listed.values()), skipped


def _plain_name(text: str, there: set[str]) -> str:
    if text in there or not text.strip():
        return text.strip() and text
    name = text.strip() if text.strip() in there else text
    name = name if name in there else name.replace("\\", "/")  # a table made on Windows
    return name.removeprefix("./")


def _rows(path: Path) -> list[dict[str, str]]:
    advice = "Save it as CSV in UTF-8 with the columns file_name and label, or remove it to label by folder."
    try:
        text = path.read_bytes().decode("utf-8-sig")
        header = text.partition("\n")[0]
        delimiter = ";" if header.count(";") > header.count(",") else ","  # ";" is what a European Excel writes
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter, restval="", strict=True)
        columns = [column.strip() for column in reader.fieldnames or []]
        reader.fieldnames = ["license" if c == "licence" and "license" not in columns else c for c in columns]
        if missing := [column for column in ("file_name", "label") if column not in columns]:
            found = ", ".join(columns) or "none"
            raise ImageSetError(f"{path} lacks the column {' and '.join(missing)} (found: {found}). {advice}")
        return [{key: value for key, value in row.items() if key} for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ImageSetError(f"{path} cannot be read as a table ({error}). {advice}") from None
    except OSError as error:
        raise ImageSetError(f"{path} cannot be read: {error.strerror}.") from None


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


def table_text(pictures: Iterable[Picture]) -> str:
    """The content of a ``metadata.csv``."""
    pictures = list(pictures)
    extra = list(dict.fromkeys(key for picture in pictures for key in picture.extra))
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*COLUMNS, *extra])
    for picture in pictures:
        fixed = [getattr(picture, column) for column in COLUMNS]
        writer.writerow([*fixed, *(picture.extra.get(key, "") for key in extra)])
    return text.getvalue()


def listed_rows(root: Path) -> list[Picture]:
    """All rows of a folder's ``metadata.csv``, whether their files are there or not."""
    return _read_table(root, [], {})[1] if (root / METADATA).exists() else []


def read_truth(path: Path) -> dict[str, dict[str, Any]]:
    """What a ``truth.jsonl`` tells about each file; empty where there is none."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
        records = [json.loads(line) for line in lines if line.strip()]
        return {record.pop("file_name"): record for record in records}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise ImageSetError(f"{path} cannot be read ({error}). It came with the pictures: fetch them again.") from None


def truth_text(truth: Mapping[str, Mapping[str, Any]]) -> str:
    """The content of a ``truth.jsonl``."""
    return "".join(
        json.dumps({"file_name": name} | dict(record), ensure_ascii=False) + "\n" for name, record in truth.items()
    )
