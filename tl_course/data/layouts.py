r"""How a folder of images is understood: the one place that decides what is a label, what a split, and what is neither.

Nothing is guessed. What can be read in one way only is read; what can be read in two ways is refused with an
`ImageSetError` that says what was seen and what to do; what is passed over is named with its reason. The same rules
hold for folders, zips, addresses and folders that are collected from. ``docs/folders.md`` shows each in a picture.

1. **The set's own folder.** A folder that holds nothing but one folder with folders of images in it is a wrapper, and
   means the same as what it wraps, however often; beside that folder may lie a readme and other files. A folder called
   like a split is no wrapper, and neither is one with a table.
2. **A table says the labels** where there is one of a known convention: Hugging Face's ``metadata.csv`` or
   ``metadata.jsonl`` (`file_name` or `image`, and `label`), at the top or in folders further down, or Roboflow's
   ``_classes.csv``. The ``metadata.csv`` that this package has written counts alone.
3. **Folders say the labels** otherwise. If folders of images are called like splits ("train", "Test_Set", "val2017",
   "hold-out"), the folders in them are the labels; doubled folders and ``train/images/`` are seen through. Otherwise
   the folders themselves are, and all that lies in them at any depth belongs to them; where each of them holds split
   folders and nothing else, these give the split. Images in no such folder are passed over.
4. **Another table says the labels** where folders do not: a CSV with one column of files that are there and one column
   of labels, such as Kaggle's ``train.csv``. It must not contradict folders that do.
5. **Two or more zips** and nothing else are one label each, as Teachable Machine's samples are.
6. **A pattern says the labels** only if the caller gives one (`label_from`).

Refused are, among others: a split's name beside other folders of images (a label called "test"?); folders that each
hold folders of the same names (which are the labels?); a set inside the set; names that say nothing ("images") beside
others; images with several labels each, as for detection and segmentation; two tables, two columns of one name; a list
of what is held out ("test.txt", "splits.csv") where the images it names would be trained on.

A **split** that a table or a folder names is kept. Rows whose split is not known are set aside and never trained on.
Images without a label, such as an unlabelled ``test/``, are passed over. A label without images to train on is, where
other labels have them. **Names** are compared in Unicode's composed form (NFC), and files keep theirs.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from tl_course.core.names import label_named, nearly_same, nfc
from tl_course.data.archives import unpack_labels
from tl_course.data.class_folders import Reading, Unclear, by_class_folder, label_at, says_nothing, split_of_path
from tl_course.data.held_out import check_held_out
from tl_course.data.label_tables import Files, Unread, by_table, conflict, other_tables, usable_roles
from tl_course.data.listing import Folder, Skipped, few_of, list_folder, shortened
from tl_course.data.splits import split_named, split_within
from tl_course.data.table import COLLECTED, METADATA, Picture, Roles, Table, collected_row, read_collected, read_table
from tl_course.errors import ImageSetError

__all__ = ["ADVICE", "How", "Layout", "understand"]

ADVICE = "Put the images of each label into a folder named after it, and open the folder that holds these."

_CONVENTIONS = (METADATA, "metadata.jsonl", "metadata.parquet", "_classes.csv")
_OWN = (*_CONVENTIONS, COLLECTED, "edits.jsonl", "truth.jsonl")  # what lies in a set's own folder, not in a wrapper


@dataclass(frozen=True, kw_only=True)
class How:
    """What the caller says about a folder, where it would not be understood otherwise.

    `label_from` is a regular expression with a group ``label`` (and ``split``, if need be) for the names of files; one
    with a ``/`` is for their paths in the set's folder. `table` names the table that counts, and `columns` its columns
    "file_name", "label" and "split".
    """

    label_from: str | None = None
    table: str | None = None
    columns: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Layout:
    """How a folder was understood, and what that gives; no file has been opened but tables.

    `root` is the set's own folder, to which names are relative. `listed` are all rows of its tables. `shared` says why
    nothing may be written there, if that is so.
    """

    root: Path
    how: str
    pictures: list[Picture]
    listed: list[Picture]
    skipped: list[Skipped]
    remarks: list[str]
    shared: str = ""


def understand(folder: Path, *, called: str = "", how: How | None = None) -> Layout:
    """Find out what a folder means, by the rules at the top of this module.

    Parameters
    ----------
    folder
        Where to look.
    called
        What to call it in errors; its path if empty.
    how
        What the caller says about it.

    Raises
    ------
    ImageSetError
        It cannot be read, or not be understood for certain.
    """
    called, how = called or str(folder), how or How()
    top, skipped = list_folder(folder, called)
    try:
        root = _own_folder(top, folder, how)
        places = [] if root.total else [zips for one in root.walk() if (zips := _zips(one))]
        if len(places) == 1:
            return _of_zips([folder / name for name in places[0]], called)
        skipped += [(name, f"lies beside the folder of the set, {root.path}") for name in _beside(top, root)]
        skipped = [(_relative(name, root.path), reason) for name, reason in skipped]
        path, below = folder / root.path, root.path.rstrip("/")
        lists = top.all_files()
        _rebase(root)
        reading = _read(root, path, called, how, skipped)
        if not (how.label_from or how.table or any(name.rpartition("/")[2] in _CONVENTIONS for name in lists)):
            check_held_out(lists, folder, reading, root)
    except Unclear as unclear:
        raise ImageSetError(f"{called}: {unclear}") from None
    except re.error as error:
        raise ImageSetError(f"{how.label_from!r} is no regular expression: {error}.") from None
    skipped += reading.skipped + [
        (name, "a zip inside the folder is not opened; unpack it") for name in _zips(root) if root.total
    ]
    for names in nearly_same(picture.label for picture in reading.pictures):
        few = " and ".join(map(repr, names))
        reading.remarks.append(f"the labels {few} differ only in case; rename one if they mean the same")
    if twins := _twins(root):
        few = " and ".join(map(ascii, twins[0]))
        reading.remarks.append(f"names of files differ only in their Unicode form: {few}{', …' * (len(twins) > 1)}")
    sentence = reading.how + (f", below {shortened(below)}/" if below else "")
    return Layout(path, sentence, reading.pictures, reading.listed, skipped, reading.remarks)


# ---- the set's own folder --------------------------------------------------------------------------------------------


def _own_folder(top: Folder, base: Path, how: How) -> Folder:
    """The folder itself, or the one that wrappers lead to.

    Raises
    ------
    Unclear
        A folder may be a label with folders inside, or a wrapper with images of its own.
    """
    folder = top
    while len(folder.filled) == 1 and not folder.has(*_OWN) and not (how.table and folder.has(how.table)):
        (inner,) = folder.filled
        if split_named(inner.name) or (not inner.filled and not inner.has(*_OWN)) or _has_table(folder, base):
            return folder
        if inner.has(*_OWN):
            return inner
        if inner.images and len(inner.images) >= min(one.total for one in inner.filled):
            if len(inner.filled) == 1:
                return folder  # a label with a folder inside, for all that can be seen
            names = ", ".join(one.name for one in inner.filled[:3])
            raise Unclear(
                f"the only folder, {inner.name}/, holds images of its own as well as folders of images ({names})",
                f"Open {inner.name} itself if these are the labels. If {inner.name!r} is a label, add the others "
                "beside it.",
            )
        folder = inner
    return folder


def _has_table(folder: Folder, base: Path) -> bool:
    return bool(other_tables(folder, base, Files(folder))[0])


def _beside(top: Folder, root: Folder) -> list[str]:
    return [name for name in top.all_images() if not name.startswith(root.path)] if root.path else []


def _relative(name: str, path: str) -> str:
    if name.startswith(path):
        return name[len(path) :]
    return "../" * path.count("/") + name


def _rebase(root: Folder) -> None:
    """Let the names in a folder be relative to it."""
    cut = len(root.path)
    for folder in root.walk() if cut else ():
        folder.path = folder.path[cut:]
        folder.files = [name[cut:] for name in folder.files]
        folder.images = [name[cut:] for name in folder.images]


def _zips(root: Folder) -> list[str]:
    return [name for name in root.files if name.lower().endswith(".zip")]


def _twins(root: Folder) -> list[list[str]]:
    by_name: dict[str, list[str]] = {}
    for name in root.all_images():
        if not name.isascii():
            by_name.setdefault(nfc(name), []).append(name)
    return [names for names in by_name.values() if len(names) > 1]


# ---- what says the labels --------------------------------------------------------------------------------------------


def _read(root: Folder, path: Path, called: str, how: How, passed: Sequence[Skipped]) -> Reading:
    records = (collected_row(line) for line in read_collected(path) if line.get("file_name"))
    collected = {nfc(row.file_name): row for row in records}
    tables = [name for name in root.all_files() if name.rpartition("/")[2] in _CONVENTIONS]
    ours = METADATA in tables and read_table(path / METADATA, METADATA, f"{called}/{METADATA}").is_ours
    if ours:
        return _by_conventions(root, path, [METADATA], collected, called, How())
    if how.table or how.columns or tables:
        if how.label_from:
            told = how.table or " and ".join(tables) or "columns of a table"
            raise Unclear(f"labels come from a table ({told})", "Leave label_from out, or remove the table.")
        names = [how.table] if how.table else tables or _only_table(root, path)
        return _by_conventions(root, path, names, collected, called, how)
    if how.label_from:
        return _by_pattern(root, how.label_from)
    return _by_folders(root, path, collected, passed)


def _only_table(root: Folder, path: Path) -> list[str]:
    names = [name for name in root.files if name.lower().endswith((".csv", ".tsv", ".jsonl"))]
    if len(names) != 1:
        raise Unclear(f"it has {len(names)} tables: {', '.join(names)}", "Say which one the columns are of: table='…'.")
    return names


def _by_conventions(
    root: Folder, path: Path, names: list[str], collected: Mapping[str, Picture], called: str, how: How
) -> Reading:
    files = Files(root)
    kinds = sorted({name.rpartition("/")[2] for name in names})
    if len(kinds) > 1:
        raise Unclear(f"there are tables of two kinds, {' and '.join(kinds)}", "Keep one, or say which: table='…'.")
    if kinds == ["metadata.parquet"]:
        raise Unclear("metadata.parquet is not read", "Save it as metadata.csv: pandas.read_parquet(…).to_csv(…).")
    tables = []
    for name in names:
        if name not in root.all_files():
            raise Unclear(f"there is no table {name}", "Give its path in the folder.")
        table = read_table(path / name, name, f"{called}/{name}")
        roles = usable_roles(table, files, how.columns)
        if isinstance(roles, str):
            raise ImageSetError(
                f"{called}/{name} {roles}. Save it as CSV in UTF-8 with the columns file_name and label, or remove it "
                "to label by folder."
            )
        tables.append((table, roles))
    return by_table(root, tables, files, collected, _told(tables))


def _told(tables: list[tuple[Table, Roles]]) -> str:
    """The tables and their columns in words."""
    names = sorted({table.name.rpartition("/")[2] for table, _ in tables})
    places = [table.name.rpartition("/")[0] + "/" for table, _ in tables if "/" in table.name]
    (_, roles), *_ = tables
    usual = roles.file_name == "file_name" and roles.label == "label"
    labels = f"labels in {roles.label!r}" if roles.label else "a column for each label"
    columns = "" if usual else f" (files in {roles.file_name!r}, {labels})"
    inside = f" inside {', '.join(places[:3])}{', …' * (len(places) > 3)}" if places else ""
    return f"{' and '.join(names)}{inside}{columns}"


def _by_folders(root: Folder, path: Path, collected: Mapping[str, Picture], passed: Sequence[Skipped]) -> Reading:
    """Labels by folders, or by a table where folders do not say them, and those of images that were collected."""
    uncollected, doubt = _without(root, collected), None
    try:
        reading = by_class_folder(uncollected)
    except Unclear as unclear:
        reading, doubt = None, unclear
    files = Files(root)
    usable, reasons = other_tables(root, path, files)
    if usable and (reading is None or len({one.label for one in reading.pictures}) < 2):  # one folder is no choice
        reading = by_table(root, _one_or_splits(usable), files, collected, _told(usable))
        reading.skipped += [(one.name, one.reason) for one in reasons]
        return reading
    if doubt is not None and (told := [f"{one.name} {one.reason}" for one in reasons if one.roles]):
        raise Unclear(str(doubt).removesuffix("."), f"A table there could say the labels, but {told[0]}.")
    if doubt is not None:
        raise doubt
    if reading is None and not collected:
        raise _no_labels(root, reasons, passed)
    if reading is not None:
        _heed_tables(reading, usable, reasons, files, root)
    reading = reading or Reading("", skipped=[(name, "lies in no class folder") for name in uncollected.all_images()])
    if collected:
        reading.how = f"{COLLECTED}{' and ' * bool(reading.how)}{reading.how}"
        here = {name: collected[nfc(name)] for name in root.all_images() if nfc(name) in collected}
        reading.pictures += [replace(row, file_name=name) for name, row in here.items()]
    return reading


def _heed_tables(
    reading: Reading, usable: Sequence[tuple[Table, Roles]], others: Sequence[Unread], files: Files, root: Folder
) -> None:
    """Let tables beside folders that say the labels contradict them, or else name those that say more than is read."""
    about = [(one.table, one.roles) for one in others if one.table and one.roles]
    for table, roles in [*usable, *about]:
        if told := conflict(reading, table, roles, files):
            raise Unclear(
                f"folders and a table contradict each other: {told}",
                f"Say which counts: table={table.name!r}, or {label_at(root.filled[0])}; or remove the other."
                if roles.label or roles.one_hot
                else f"Move {table.name} elsewhere, or give it a column of labels and remove the other.",
            )
    not_read = "not read, for folders say the labels; it"
    reading.skipped += [(one.name, f"{not_read} {one.reason}") for one in others if one.roles]
    seen = {one.file_name for one in reading.pictures}
    for table, roles in usable:
        names = (files.find(table, row.values[roles.file_name])[0] for row in table.rows)
        if any(name in files and name not in seen for name in names):
            reading.skipped.append((table.name, f"{not_read} has some for other images"))


def _without(root: Folder, collected: Mapping[str, Picture]) -> Folder:
    """The folder without images of which it is known where they come from, and without folders that hold no others."""
    if not collected:
        return root

    def copy(folder: Folder) -> Folder:
        images = [name for name in folder.images if nfc(name) not in collected]
        files = [name for name in folder.files if nfc(name) not in collected]
        inner = [(one, copy(one)) for one in folder.folders]
        folders = [new for old, new in inner if new.total or not old.total]
        return Folder(folder.name, folder.path, files, images, folders, len(images) + sum(one.total for one in folders))

    return copy(root)


def _one_or_splits(usable: list[tuple[Table, Roles]]) -> list[tuple[Table, Roles]]:
    stems = [split_named(PurePosixPath(table.name).stem) for table, _ in usable]
    places = [table.name.rpartition("/")[0] for table, _ in usable]
    if len(usable) == 1 or ("" not in stems and len(set(stems)) == len(stems)) or len(set(places)) == len(places):
        return usable
    names = " and ".join(table.name for table, _ in usable)
    to_train = (table.name for table, _ in usable if split_within(PurePosixPath(table.name).stem)[0] == "train")
    first = next(to_train, usable[0][0].name)
    raise Unclear(f"more than one table has labels: {names}", f"Say which counts: table={first!r}.")


def _by_pattern(root: Folder, pattern: str) -> Reading:
    compiled = re.compile(pattern)
    if "label" not in compiled.groupindex:
        raise ImageSetError(f"label_from={pattern!r} has no group called label: put (?P<label>…) around the label.")
    reading = Reading(f"the pattern {pattern}")
    for name in root.all_images():
        found = compiled.search(nfc(name) if "/" in pattern else nfc(name).rpartition("/")[2])
        groups = found.groupdict() if found else {}
        label, told = label_named(groups.get("label") or ""), groups.get("split") or ""
        split = split_named(told) or ("" if told else split_of_path(name, label))
        if not label:
            reading.skipped.append((name, "label_from does not match its name"))
        elif told and not split:
            reading.skipped.append((name, f"its split is {told!r}, which is none that is known: set aside"))
            reading.listed.append(Picture(name, label=label, split=told))
        else:
            reading.pictures.append(Picture(name, label=label, split=split))
    return reading


# ---- zips of labels --------------------------------------------------------------------------------------------------


def _of_zips(zips: list[Path], called: str) -> Layout:
    """A label for each zip, called like it; ``cat-samples.zip`` is what Teachable Machine makes of the class "cat"."""
    if len(zips) == 1:
        raise Unclear(f"it holds a zip, {zips[0].name}, and no images beside it", "Open the zip itself.")
    labels = {path: label_named(re.sub(r"[-_ ]samples?( \(\d+\))?$", "", path.stem)) for path in zips}
    if splits := [path.name for path, label in labels.items() if split_named(label) or says_nothing(label)]:
        raise Unclear(
            f"{' and '.join(splits)} {'are no zips' if len(splits) > 1 else 'is no zip'} of one label",
            "Unpack each zip into a folder of its own that is called like it, all in one folder, and open that.",
        )
    root = unpack_labels([(label, path) for path, label in labels.items()])
    top, skipped = list_folder(root, called)
    for folder in top.filled:
        several = sum(label == label_named(folder.name) for label in labels.values()) > 1
        for place in folder.filled if several else [folder]:
            deepest = place
            while len(deepest.filled) == 1 and not deepest.images:
                (deepest,) = deepest.filled
            if deepest.filled:
                names = ", ".join(one.name for one in deepest.filled[:3])
                raise Unclear(f"the zip of {folder.name!r} holds folders of images ({names})", "Open that zip itself.")
    pictures = [Picture(name, label_named(folder.name)) for folder in top.filled for name in folder.all_images()]
    shared = f"{called} holds zips, unpacked into the cache"
    return Layout(root, "a zip for each label", pictures, [], skipped, [], shared)


# ---- refusals --------------------------------------------------------------------------------------------------------

_ANNOTATIONS = {
    "_annotations.coco.json": "annotations in COCO's form (_annotations.coco.json)",
    "_annotations.createml.json": "annotations in CreateML's form",
    "_annotations.csv": "boxes in a table (_annotations.csv)",
    "data.yaml": "a description of boxes in YOLO's form (data.yaml)",
    "_darknet.labels": "labels of boxes in Darknet's form",
}


def _no_labels(root: Folder, reasons: Sequence[Unread], passed: Sequence[Skipped]) -> Unclear:
    """What was seen where images lie in folders that are no labels, and no table says them."""
    images = root.all_images()
    if not images:
        return Unclear(f"there is no image in it{few_of(passed)}", ADVICE)
    places = list(dict.fromkeys(name.rpartition("/")[0] + "/" for name in images))
    where = "the folder itself" if places == ["/"] else ", ".join(place for place in places[:3] if place != "/")
    seen = [f"its images lie in {where}, in no folder that is named like a label"]
    names = [name.rpartition("/")[2] for name in root.all_files()]
    seen += dict.fromkeys(told for name in names if (told := _ANNOTATIONS.get(name.lower(), "")))
    suffixes = {PurePosixPath(name).suffix.lower() for name in names}
    stems = {PurePosixPath(name).stem for name in images}
    for suffix, told in ((".xml", "annotations in Pascal VOC's form"), (".txt", "annotations in YOLO's form")):
        if suffix in suffixes and stems & {PurePosixPath(n).stem for n in names if n.lower().endswith(suffix)}:
            seen.append(f"{told} (*{suffix})")
    seen += [f"{one.name} {one.reason}" for one in reasons[:3]]
    advice = ADVICE
    if len(seen) > 1 and not reasons:
        advice = f"Boxes and outlines are not read: a classifier needs one label for each image. {ADVICE}"
    starts = sorted({start for name in images if (start := _start(name.rpartition("/")[2]))})
    if 1 < len(starts) <= len(images) // 2:
        advice += (
            f" Or, if names begin with the label ({', '.join(starts[:3])}{', …' * (len(starts) > 3)}), say so: "
            r'label_from=r"^(?P<label>[^\W\d_]+)".'
        )
    return Unclear("; ".join(seen), advice)


def _start(name: str) -> str:
    found = re.match(r"([^\W\d_]+)[\W_]*\d", name)
    return found[1] if found else ""
