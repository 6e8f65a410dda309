"""The tables of a data set: CSV and JSON Lines read without guessing, and ``metadata.csv`` written.

The form that is written is Hugging Face's ``imagefolder`` convention
(https://huggingface.co/docs/datasets/image_dataset). How a table and a folder go together is said in
`tl_course.data.layouts`.
"""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tl_course.core.names import label_named
from tl_course.data.listing import Skipped
from tl_course.data.splits import split_named
from tl_course.errors import ImageSetError

__all__ = [
    "COLLECTED",
    "COLUMNS",
    "METADATA",
    "TRUTH",
    "Picture",
    "Roles",
    "Row",
    "Skipped",
    "Table",
    "file_columns",
    "collected_row",
    "listed_rows",
    "plain",
    "read_collected",
    "read_table",
    "read_truth",
    "roles_of",
    "row_picture",
    "split_asked",
    "split_columns",
    "table_text",
    "truth_text",
]

METADATA = "metadata.csv"
COLLECTED = "collected.jsonl"
TRUTH = "truth.jsonl"
COLUMNS = ("file_name", "label", "split", "source", "creator", "license", "url", "sha256")

ORIGIN = ("page", "title", "license_url")  # further columns of collected pictures


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


# ---- reading a table -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One row of a table: its number as an editor counts, its values as text, and what is wrong with it."""

    number: int
    values: dict[str, str]
    flaw: str = ""


@dataclass(frozen=True)
class Table:
    """A table as it was read. `name` is relative to the set's folder."""

    name: str
    columns: list[str]
    rows: list[Row]

    @property
    def is_metadata(self) -> bool:
        """Whether it is called as Hugging Face's convention has it."""
        return self.name.rpartition("/")[2].startswith("metadata.")

    @property
    def is_ours(self) -> bool:
        """Whether this package wrote it: then it says all there is to say about its folder."""
        return self.name == METADATA and set(COLUMNS) <= set(self.columns)


@dataclass(frozen=True)
class Roles:
    """Which columns of a table hold what. `one_hot` are those that are 1 for the label of their own name, else 0."""

    file_name: str
    label: str = ""
    split: str = ""
    one_hot: tuple[str, ...] = ()

    def label_of(self, row: Row) -> tuple[str, str]:
        """The label that a row gives; or none, and why."""
        if not self.one_hot:
            return label_named(row.values[self.label]), ""
        given = [column for column in self.one_hot if _number(row.values[column]) == 1]
        if len(given) > 1:
            return "", f"has {len(given)} labels ({', '.join(given)}), where one is wanted"
        if given and plain(given[0]) in ("unlabeled", "unlabelled"):
            return "", "is unlabelled"
        return (label_named(given[0]), "") if given else ("", "has no label")

    def split_of(self, row: Row) -> tuple[str, str]:
        """The split that a row gives, empty where it leaves that open; or the text that is no split that we know."""
        text = row.values[self.split].strip() if self.split else ""
        if (asked := split_asked(self.split)) and text.lower() in (*_YES, *_NO):
            # What is not for a test is to train on, as in fastai's is_valid; what is not to train on is for a test.
            return (asked if text.lower() in _YES else "test" if asked == "train" else "train"), ""
        split = split_named(text)
        return split, "" if split or plain(text) in ("", "unassigned") else text


def read_table(path: Path, name: str, called: str = "") -> Table:
    """Read a CSV (with commas, semicolons or tabs) or JSON Lines file in UTF-8, or in UTF-16 that says so.

    Raises
    ------
    ImageSetError
        It cannot be read, or two of its columns have the same name.
    """
    called = called or str(path)
    advice = "Save it as CSV in UTF-8 with the columns file_name and label, or remove it to label by folder."
    try:
        data = path.read_bytes()
        text = data.decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")  # as Excel may save it
        columns, rows = (_json_rows if name.lower().endswith(".jsonl") else _csv_rows)(text)
    except (UnicodeDecodeError, csv.Error, ValueError, RecursionError) as error:
        raise ImageSetError(f"{called} cannot be read as a table ({error}). {advice}") from None
    except OSError as error:
        raise ImageSetError(f"{called} cannot be read: {error.strerror}.") from None
    if twice := [column for column, count in Counter(map(label_named, columns)).items() if column and count > 1]:
        raise ImageSetError(
            f"{called} has {'two' if columns.count(twice[0]) < 3 else 'several'} columns called {twice[0]!r}, and "
            "which of them counts is not for us to guess. Rename or remove one."
        )
    return Table(name, columns, rows)


def _csv_rows(text: str) -> tuple[list[str], list[Row]]:
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)  # ";" is what a European Excel writes
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    columns = [column.strip() for column in next(reader, [])]
    columns = ["license" if c == "licence" and "license" not in columns else c for c in columns]
    rows = []
    for number, cells in enumerate((cells for cells in reader if cells), start=2):
        values = dict(zip(columns, cells + [""] * (len(columns) - len(cells)), strict=False))
        more = [cell for cell in cells[len(columns) :] if cell.strip()]
        flaw = "has more cells than there are columns (put text with a comma in quotes)" if more else ""
        rows.append(Row(number, {key: value for key, value in values.items() if key}, flaw))
    return columns, rows


def _json_rows(text: str) -> tuple[list[str], list[Row]]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            pairs = json.loads(line, object_pairs_hook=_Pairs)
            if not isinstance(pairs, _Pairs):
                raise ValueError(f"line {number} is no JSON object")
            names = [name for name, _ in pairs]
            if len(set(names)) < len(names):
                raise ValueError(f"line {number} has two values of one name")
            flaws = [
                f"has a list or an object in {key!r}, where one text is wanted"
                for key, value in pairs
                if key in ("label", "file_name", "image", "split") and isinstance(_alone(value), list)
            ]
            rows.append(Row(number, {key: _text(value) for key, value in pairs}, next(iter(flaws), "")))
    columns = list(dict.fromkeys(key for row in rows for key in row.values))
    return columns, [Row(row.number, dict.fromkeys(columns, "") | row.values, row.flaw) for row in rows]


class _Pairs(list[tuple[str, Any]]):
    """A JSON object with all that it says, also twice."""


def _alone(value: Any) -> Any:
    """What a list of one thing holds."""
    return value[0] if isinstance(value, list) and not isinstance(value, _Pairs) and len(value) == 1 else value


def _text(value: Any) -> str:
    value = _alone(value)
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(_without_pairs(value), ensure_ascii=False)


def _without_pairs(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return {key: _without_pairs(inner) for key, inner in value}
    return [_without_pairs(inner) for inner in value] if isinstance(value, list) else value


# ---- which column is which -------------------------------------------------------------------------------------------

# Usual names of columns, as `plain` has them.
_OF_FILES = re.compile("(image|img|picture|photo)?(file)?(names?|paths?|id|uri)?|images|files|(rel|relative)path")
_OF_LABELS = re.compile("labels?|class(es)?|(class|label|category)name|classlabel|category|target|species|breed")
_OF_NUMBERED_LABELS = re.compile("(class|label|category|target)(id|index|number)")
_OF_SPLITS = re.compile("splits?|(sub|data)?set|datasplit|partition|phase|usage|mluse")
_YES, _NO = ("true", "1", "1.0", "yes"), ("false", "0", "0.0", "no")


def plain(column: str) -> str:
    """A column's name without case, blanks and signs."""
    return re.sub(r"[\W_]+", "", column.lower())


def roles_of(table: Table, columns: Mapping[str, str], names_files: Mapping[str, bool]) -> Roles | str:
    """Which columns hold the file names, the labels and the splits; or, as a text, why that cannot be said for certain.

    Parameters
    ----------
    table
        What was read.
    columns
        What the caller says: "file_name", "label" and "split" in the table's own words; an empty one is not used.
    names_files
        For each column whether files that are there stand in it.
    """
    if unknown := [theirs for theirs in columns.values() if theirs and theirs not in table.columns]:
        return f"has no column {unknown[0]!r}; it has {_named(table.columns)}"
    file_name = columns.get("file_name") or _only(file_columns(table, names_files))
    if isinstance(file_name, list):
        return f"has more than one column of files, {_named(file_name)}{_say('file_name', file_name)}"
    split = columns["split"] if "split" in columns else _only(split_columns(table))
    if isinstance(split, list):
        return f"has more than one column of splits, {_named(split)}{_say('split', split)}"
    label = columns.get("label") or _only(_label_columns(table, {file_name, split}))
    if isinstance(label, list):
        return f"has more than one column of labels, {_named(label)}{_say('label', label)}"
    one_hot = () if label or not file_name else _one_hot(table, {file_name, split})
    if file_name and (label or one_hot):
        return Roles(file_name, label, split, one_hot)
    if file_name and not label and _zeros_and_ones(table, {file_name, split}):
        return "has a column of 0 and 1 for each label, and rows with several labels or none, where one is wanted"
    missing = ["file_name"] * (not file_name) + ["label"] * (not label)
    named = [
        column for column in table.columns if _OF_FILES.fullmatch(plain(column)) and not names_files.get(column, True)
    ]
    example = next((row.values[column] for column in named for row in table.rows if row.values[column].strip()), "")
    if not file_name and label and example:
        return (
            f"names no file that is there in {_named(named)} (such as {example!r}): write names as the files have them"
        )
    found = ", ".join(table.columns) or "none"
    told = "columns={" + ", ".join(f"{name!r}: '…'" for name in missing) + "}"
    told = f"; {told} says which it is" if table.columns else ""
    return f"lacks the column {' and '.join(missing)} (found: {found}){told}"


def file_columns(table: Table, names_files: Mapping[str, bool]) -> list[str]:
    """The columns that may be the names of files, for what they are called and for what stands in them."""
    known = re.compile("filename|image") if table.is_metadata else _OF_FILES
    found = [column for column in table.columns if plain(column) and known.fullmatch(plain(column))]
    if table.is_metadata and "file_name" in found:
        return ["file_name"]
    right = [column for column in found if names_files.get(column)]
    if table.is_metadata:
        others = [column for column in table.columns if re.search(r"_file_names?$", column)]
        return right or found[:1] if not others else [*right, *others]
    return right


def _label_columns(table: Table, taken: set[str]) -> list[str]:
    if table.is_metadata and "label" in table.columns:
        return ["label"]
    for known in (_OF_LABELS, _OF_NUMBERED_LABELS):
        found = [column for column in table.columns if known.fullmatch(plain(column)) and column not in taken]
        same = {tuple(row.values[column].strip() for row in table.rows) for column in found}
        if found:
            return found[:1] if len(same) == 1 else found
    return []


def split_columns(table: Table) -> list[str]:
    """The columns that may be splits."""
    found = [column for column in table.columns if column and _is_of_splits(table, column)]
    return ["split"] if "split" in found else found


def _is_of_splits(table: Table, column: str) -> bool:
    given = {row.values[column].strip() for row in table.rows} - {""}
    if plain(column) in ("split", "datasplit", "partition"):  # whatever stands in it
        return True
    if split_asked(column) and {text.lower() for text in given} <= {*_YES, *_NO}:
        if plain(column) == "valid":  # or "this row is in order"
            return False
        return plain(column).startswith("is") or bool(
            _label_columns(table, {column})
        )  # or a label of its own, in 0 and 1
    splits = set(map(split_named, given))
    if _OF_SPLITS.fullmatch(plain(column)):
        return bool(splits - {""})
    return "" not in splits and len(splits) > 1 and all(re.fullmatch(r"[^\W\d]+", text) for text in given)


def split_asked(column: str) -> str:
    """The split that a column asks for with true and false ("is_valid", "holdout"); empty where it asks nothing."""
    return split_named(re.sub(r"^is[\W_]*(?=[a-zA-Z])", "", column.strip(), flags=re.IGNORECASE))


def _one_hot(table: Table, taken: set[str]) -> tuple[str, ...]:
    """Columns that are 0 or 1 throughout: labels by their names where each row has one, or where Roboflow wrote it."""
    columns = _zeros_and_ones(table, taken)
    each_one = all(sum(_number(row.values[column]) for column in columns) == 1 for row in table.rows)
    return columns if each_one or table.name.endswith("_classes.csv") else ()


def _zeros_and_ones(table: Table, taken: set[str]) -> tuple[str, ...]:
    columns = tuple(column for column in table.columns if column and column not in taken)
    if len(columns) < 2 and not table.name.endswith("_classes.csv"):
        return ()
    return columns if all(_number(row.values[column]) in (0, 1) for row in table.rows for column in columns) else ()


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return -1


def _only(found: list[str]) -> str | list[str]:
    return found if len(found) > 1 else "".join(found)


def _named(columns: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(map(repr, columns[:-1])), *map(repr, columns[-1:]))))


def _say(ours: str, theirs: Sequence[str]) -> str:
    return f": say which one counts with columns={{{ours!r}: {theirs[0]!r}}}"


# ---- what else lies beside the images --------------------------------------------------------------------------------


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
    fixed["label"] = label_named(fixed["label"])
    return Picture(**fixed, extra={key: texts.get(key, "") for key in ORIGIN})


def listed_rows(root: Path) -> list[Picture]:
    """All rows of a folder's ``metadata.csv``, whether their files are there or not."""
    if not (root / METADATA).exists():
        return []
    table = read_table(root / METADATA, METADATA)
    roles = roles_of(table, {}, {})
    if isinstance(roles, str):
        raise ImageSetError(f"{root / METADATA} {roles}.")
    names = (row.values[roles.file_name] for row in table.rows)
    return [row_picture(row, roles, name) for row, name in zip(table.rows, names, strict=True) if name.strip()]


def row_picture(row: Row, roles: Roles, name: str) -> Picture:
    """What a row says of the picture of this name: a split that is not known as it is, no label where it is flawed."""
    split, unknown = roles.split_of(row)
    used = {roles.file_name, roles.label, roles.split, *roles.one_hot}
    fixed = {key: row.values[key] for key in COLUMNS[3:] if key in row.values and key not in used}
    extra = {key: value for key, value in row.values.items() if key not in COLUMNS and key not in used}
    label = "" if row.flaw else roles.label_of(row)[0]
    return Picture(name, label=label, split=split or unknown, extra=extra, **fixed)


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
