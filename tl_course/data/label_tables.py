"""Labels by tables: which files of a folder the rows of a table mean, and what is left over.

The rules are written down in `tl_course.data.layouts`, which decides when they are used.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath, PureWindowsPath

from tl_course.core.names import label_named, nfc
from tl_course.data.class_folders import Reading, split_of_path, splits_among
from tl_course.data.listing import Folder, is_image_name, masks_in
from tl_course.data.splits import split_named
from tl_course.data.table import (
    Picture,
    Roles,
    Row,
    Table,
    file_columns,
    plain,
    read_table,
    roles_of,
    row_picture,
    split_asked,
    split_columns,
)  # fmt: skip
from tl_course.errors import ImageSetError

__all__ = [
    "OURS",
    "TABLE_SUFFIXES",
    "Files",
    "Unread",
    "by_table",
    "conflict",
    "files_in_columns",
    "other_tables",
    "usable_roles",
]

TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl")
_LONGEST = 256 * 2**20  # bytes
_NO_VALUE = ("nan", "<na>", "#n/a")  # what pandas and Excel write where there is none
OURS = ("collected.jsonl", "edits.jsonl", "truth.jsonl")

Match = tuple[str, str]  # the file's name, and what keeps it from being used


class Files:
    """The files of a folder by the names that tables may have for them: compared in NFC, with folders or without."""

    def __init__(self, root: Folder) -> None:
        self._root = root
        self._scopes: dict[str, str] = {}
        self._exact: defaultdict[str, list[str]] = defaultdict(list)
        self._folded: defaultdict[str, list[str]] = defaultdict(list)  # as Windows and macOS compare names
        self._by_name: defaultdict[str, list[str]] = defaultdict(list)
        for name in root.all_files():
            self._exact[nfc(name)].append(name)
            if is_image_name(name):
                self._folded[nfc(name).casefold()].append(name)
                path = PurePosixPath(nfc(name))
                self._by_name[path.name].append(name)
                self._by_name[path.stem].append(name)

    def __contains__(self, name: str) -> bool:
        return name in self._exact.get(nfc(name), ())

    def find(self, table: Table, text: str) -> Match:
        """The file that a table means by a text, and what is wrong with that, if anything."""
        if not text.strip():
            return "", "names no file"
        base = table.name.rpartition("/")[0] + "/" if "/" in table.name else ""
        for form in (text, text.strip(), text.replace("\\", "/").strip().removeprefix("./")):
            for name in dict.fromkeys((base + form, form)):
                found = self._exact.get(nfc(name), [])
                if name in found or len(found) == 1:
                    return (name if name in found else found[0]), ""
                if found:
                    return name, f"{len(found)} files are called so, in different Unicode forms; rename one"
        form = text.replace("\\", "/").strip().removeprefix("./")  # a table made on Windows
        if not table.is_metadata and (found := self._loosely(table, base, form)):
            return found[0], "" if len(found) == 1 else f"{table.name} may mean {found[0]} or {found[1]} by {text!r}"
        for name in dict.fromkeys((base + form, form)):
            if len(found := self._folded.get(nfc(name).casefold(), [])) == 1:
                return found[0], ""
        parts = PureWindowsPath(form)
        if table.is_metadata and (parts.anchor or ".." in parts.parts):
            return form, f"{table.name} names a file outside the folder"
        return base + form, f"in {table.name}, but not in the folder"

    def _loosely(self, table: Table, base: str, form: str) -> list[str]:
        """Files with this name, with or without a suffix, in the folder that goes with the table where there is one."""
        wanted = [part for part in nfc(form).split("/") if part not in ("", ".", "..")]
        if not wanted:
            return []
        scope = base or self._scope(table.name)
        found = [name for name in self._by_name.get(wanted[-1], []) if name.startswith(scope)]
        if len(found) > 1:  # as many of the last folders have to agree as can
            agreeing = {name: _common_end(nfc(name).split("/")[:-1], wanted[:-1]) for name in found}
            found = [name for name in found if agreeing[name] == max(agreeing.values())]
        return found

    def _scope(self, name: str) -> str:
        """The folder that goes with a table at the top for what both are called: ``train/`` with ``train.csv``."""
        if name not in self._scopes:
            split = split_named(PurePosixPath(name).stem)
            found = [one.path for one in self._root.filled if split and split_named(one.name) == split]
            self._scopes[name] = found[0] if len(found) == 1 else ""
        return self._scopes[name]


def _common_end(one: Sequence[str], other: Sequence[str]) -> int:
    count = 0
    for mine, yours in zip(reversed(one), reversed(other), strict=False):
        if mine != yours:
            break
        count += 1
    return count


def usable_roles(table: Table, files: Files, columns: Mapping[str, str]) -> Roles | str:
    """Which columns of a table label files that are there; or why none does."""
    return roles_of(table, columns, files_in_columns(table, files))


def files_in_columns(table: Table, files: Files) -> dict[str, bool]:
    """For each column whether files that are there stand in it."""
    few = table.rows[:200]
    return {c: any(files.find(table, row.values[c])[0] in files for row in few) for c in table.columns if c}


@dataclass(frozen=True)
class Unread:
    """A table that labels no images, and why; and what it says of images all the same, which may be their splits."""

    name: str
    reason: str
    table: Table | None = None
    roles: Roles | None = None


def other_tables(root: Folder, base: Path, files: Files) -> tuple[list[tuple[Table, Roles]], list[Unread]]:
    """Tables that are not called as any convention has it and label images all the same; and those that do not."""
    places = [root, *(folder for folder in root.folders if split_named(folder.name))]
    usable, unread = [], []
    for name in (name for place in places for name in place.files):
        path = PurePosixPath(name)
        if path.suffix.lower() not in TABLE_SUFFIXES or path.name in OURS:
            continue
        if (base / name).stat().st_size > _LONGEST:
            unread.append(Unread(name, "is too long to be a table of labels"))
            continue
        if "submission" in path.name.lower():
            unread.append(Unread(name, "looks like a form for answers, whose labels are made up"))
            continue
        try:
            table = read_table(base / name, name, path.name)
        except ImageSetError as error:  # whatever it is, it is no table of labels
            unread.append(Unread(name, f"is no table of labels ({error})"))
            continue
        names_files = files_in_columns(table, files)
        roles = roles_of(table, {}, names_files)
        if not isinstance(roles, str):
            usable.append((table, roles))
        else:
            with_files, with_splits = file_columns(table, names_files), split_columns(table)
            told = Roles(with_files[0], split=with_splits[0] if with_splits else "") if with_files else None
            unread.append(Unread(name, roles, table, told))
    return usable, unread


def by_table(
    root: Folder, tables: Sequence[tuple[Table, Roles]], files: Files, collected: Mapping[str, Picture], called: str
) -> Reading:
    """The images that tables and files agree on, every row of the tables, and what was left out and why.

    An image that is not listed is taken in where it was collected, or where its folder is named like a label of the
    table: then it was added by hand.
    """
    reading = Reading(called)
    listed: dict[str, Picture] = {}
    tops = {folder.path: split for folder, split in splits_among(root.filled).items()}
    alone = {roles.label_of(row)[0] for table, roles in tables for row in table.rows}
    for table, roles in tables:
        reading.remarks += _odd_splits(table, roles)
        for row in table.rows:
            match = files.find(table, row.values[roles.file_name])
            flaw = row.flaw or ("" if table.is_ours else _flaw_of(roles.label_of(row)[0], alone))
            _take(table, roles, replace(row, flaw=flaw), match, tops, listed, reading)
    reading.listed = list(listed.values())
    _add_unlisted(root, [table for table, _ in tables], listed, collected, reading)
    return reading


def _flaw_of(label: str, alone: Collection[str]) -> str:
    """Why a text is no label: it stands for none, or for several that are labels of other rows ("scab rust")."""
    if label.lower() in _NO_VALUE:
        return f"has no label ({label})"
    for sign in ("|", ";", ",", None):
        parts = [part.strip() for part in label.split(sign)]
        if len(set(parts)) > 1 and (any if sign == "|" else all)(part in alone for part in parts):
            return f"has {len(parts)} labels ({', '.join(parts)}), where one is wanted"
    return ""


def _take(
    table: Table, roles: Roles, row: Row, match: Match, tops: Mapping[str, str], listed: dict[str, Picture],
    reading: Reading,
) -> None:  # fmt: skip
    name, reason = match
    reason = row.flaw or reason
    if not name:
        reading.skipped.append((f"{table.name}, row {row.number}", reason))
        return
    if name in listed:
        reading.skipped.append((name, f"{table.name} names it again in row {row.number}; its first row counts"))
        return
    label, why = roles.label_of(row)
    _, unknown = roles.split_of(row)
    picture = row_picture(row, roles, name)
    if not picture.split and not table.is_ours:
        picture = replace(picture, split=_split_by_place(table, name, label, tops))
    listed[name] = picture
    if not reason and unknown:
        reason = f"its split in {table.name}, {unknown!r}, is not known (train, valid, test are): set aside"
    elif not reason and not label:
        reason = f"{why or 'has no label'} in {table.name}"
    if reason:
        reading.skipped.append((name, reason))
    else:
        reading.pictures.append(picture)


def _odd_splits(table: Table, roles: Roles) -> list[str]:
    """What to say of rows that are kept for a test under a name that few use."""
    remarks = []
    given = [(row.values[roles.split].strip(), roles.split_of(row)[0]) for row in table.rows] if roles.split else []
    for (text, split), times in Counter(given).items():
        if split == "test" and plain(text) not in ("test", "testing"):
            rows = f"{times} row{'s' * (times != 1)} of {table.name} {'have' if times != 1 else 'has'}"
            told = (
                f"{text!r} in {roles.split!r}, which is"
                if split_asked(roles.split)
                else (f"the split {text!r}, which is not known by that name and")
            )
            remarks.append(f"{rows} {told} taken as 'test'")
    return remarks


def _split_by_place(table: Table, name: str, label: str, tops: Mapping[str, str]) -> str:
    """The split that a table's own name gives (``train.csv``), or the folder that a file lies in."""
    if not table.is_metadata and (split := split_named(PurePosixPath(table.name).stem)):
        return split
    return split_of_path(name, label) or tops.get(name.partition("/")[0] + "/", "")


def _add_unlisted(
    root: Folder,
    tables: Sequence[Table],
    listed: Mapping[str, Picture],
    collected: Mapping[str, Picture],
    reading: Reading,
) -> None:
    labels = {picture.label for picture in reading.pictures}
    whose: defaultdict[str, set[str]] = defaultdict(set)  # labels of the listed images in each folder
    for picture in listed.values():
        for folder in _folders_of(picture.file_name):
            whose[folder].add(picture.label)
    names = ", ".join(table.name for table in tables)
    masks = {name: why for folder in root.walk() for name, why in masks_in(folder).items()}
    for name in root.all_images():
        if name in listed:
            continue
        if name in masks:
            reading.skipped.append((name, masks[name]))
            continue
        if nfc(name) in collected:
            reading.pictures.append(replace(collected[nfc(name)], file_name=name))
            continue
        top, *more = nfc(name).split("/")[:-1] or [""]
        label = label_named(top)
        split = ""
        if split_named(top) and more and whose[f"{top}/{more[0]}/"] == {label_named(more[0])}:
            label, split = label_named(more[0]), split_named(top)
        elif split_named(top) and whose[f"{top}/"] != {label}:
            label = ""
        if label in labels and len(tables) == 1 and "/" not in tables[0].name and "/" in name:
            reading.pictures.append(Picture(name, label=label, split=split if split != "train" else ""))
        else:
            reading.skipped.append((name, f"not in {names}, and in no folder named like a label"))


def _folders_of(name: str) -> list[str]:
    parts = nfc(name).split("/")[:-1]
    return ["/".join(parts[: end + 1]) + "/" for end in range(len(parts))]


def conflict(reading: Reading, table: Table, roles: Roles, files: Files) -> str:
    """How a table contradicts what the folders say, in words; empty where it does not."""
    of_folder = {picture.file_name: picture for picture in reading.pictures}
    there: dict[str, tuple[str, str]] = {}
    back: dict[str, tuple[str, str]] = {}
    for row in table.rows:
        name, reason = files.find(table, row.values[roles.file_name])
        if name not in of_folder:
            continue
        if reason:
            return reason
        label, split = roles.label_of(row)[0] if roles.label or roles.one_hot else "", "".join(roles.split_of(row))
        mine = of_folder[name]
        if split and split != mine.split:
            return f"{table.name} has a split ({split!r} for {name}) that the folders do not have"
        first, again = there.setdefault(mine.label, (label, name)), back.setdefault(label, (mine.label, name))
        if label and (first[0] != label or again[0] != mine.label):
            return f"the folder of {name} is {mine.label!r}, and {table.name} says {label!r}"
    return ""
