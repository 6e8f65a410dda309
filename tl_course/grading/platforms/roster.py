"""A class list from CSV: who is on it, under which ids, as nbgrader and six platforms write such lists.

Columns are known by their headers; case, blanks and underscores do not matter:

=====================  =======================================================================================
what                   header
=====================  =======================================================================================
the course's own id    ``id`` (nbgrader's ``students.csv``); where there is none, the first that is there of login,
                       GitHub identifier, student number, email, Canvas id. ``--id`` names another column.
names                  ``first_name`` and ``last_name`` (nbgrader, Blackboard, Brightspace, Moodle, Gradescope);
                       ``Student`` (Canvas), ``Full name`` (Moodle), ``name`` (GitHub Classroom)
login                  ``SIS Login ID`` (Canvas), ``Username`` (Blackboard, Brightspace, Moodle)
student number         ``SIS User ID`` (Canvas), ``ID number`` (Moodle), ``Student ID`` (Blackboard),
                       ``OrgDefinedId`` (Brightspace), ``SID`` (Gradescope)
email                  ``Email``, ``Email address``
Canvas id              ``ID`` beside ``Student`` or ``SIS Login ID``; ``lms_user_id`` (nbgrader)
Moodle participant     ``Identifier`` ("Participant 123456") of an assignment's grading worksheet
GitHub                 ``github_username``, ``identifier`` (``classroom_roster.csv``), ``roster_identifier`` and
                       ``student_repository_name`` (``grades.csv``)
group                  ``group``, ``group_name``, ``team``
time of handing in     ``Last modified (submission)`` (Moodle's worksheet), ``submission_timestamp`` (GitHub)
=====================  =======================================================================================

Sources: https://nbgrader.readthedocs.io/en/stable/user_guide/managing_the_database.html (``students.csv``);
https://github.com/instructure/canvas-lms/blob/master/lib/gradebook_exporter.rb;
https://docs.moodle.org/311/en/Grade_import and
https://github.com/moodle/moodle/blob/main/mod/assign/feedback/offline/importgradeslib.php;
https://tips.uark.edu/uploading-your-grade-center/ (Blackboard);
https://community.d2l.com/brightspace/kb/articles/3538-importing-grades;
https://github.com/github/gh-classroom/blob/main/cmd/gh-classroom/assignment-grades/assignment_grades.go;
https://guides.gradescope.com/hc/en-us/articles/21926598776333 (roster).
"""

import codecs
import csv
import io
import re
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tl_course.core.names import nfc, printable
from tl_course.errors import GradingError

__all__ = ["KINDS", "Roster", "Student", "Table", "columns_of", "name_key", "read_roster", "read_table", "to_roster"]

# What is told of a student, and how to call it; in the order in which one stands for the course's id where none is
# given.
KINDS = {
    "id": "id",
    "login": "login",
    "identifier": "roster identifier",
    "number": "student number",
    "email": "email",
    "canvas": "Canvas id",
    "github": "GitHub name",
    "participant": "Moodle participant",
    "repository": "repository",
}
_HEADERS = {
    "id": "id",
    "login": "login", "login id": "login", "sis login id": "login", "username": "login", "user name": "login",
    "sis user id": "number", "id number": "number", "student id": "number", "orgdefinedid": "number",
    "org defined id": "number", "sid": "number", "student number": "number",
    "email": "email", "email address": "email", "e mail": "email",
    "canvas id": "canvas", "canvas user id": "canvas", "lms user id": "canvas",
    "github username": "github", "roster identifier": "identifier", "identifier": "identifier",
    "student repository name": "repository", "submission timestamp": "time", "last modified submission": "time",
    "first name": "first", "firstname": "first", "last name": "last", "lastname": "last", "surname": "last",
    "name": "name", "full name": "name", "student": "name", "student name": "name",
    "group": "group", "group name": "group", "team": "group",
}  # fmt: skip
_AS_IDS = frozenset({"login", "identifier", "number", "email"})
_LARGEST = 50 << 20  # bytes of a table
_LONGEST = 100  # bytes of an id, which names folders


@dataclass
class Table:
    """A table of text as it was read, so that it can be written again in the same form.

    Attributes
    ----------
    path : Path
    header : list of str
    rows : list of list of str
        Each as long as the header.
    delimiter, encoding : str
    """

    path: Path
    header: list[str]
    rows: list[list[str]]
    delimiter: str
    encoding: str


@dataclass(frozen=True)
class Student:
    """Somebody on the roster: the course's id, names, and what platforms call them (see `KINDS`)."""

    id: str
    name: str = ""
    told: dict[str, str] = field(default_factory=dict)
    name_keys: frozenset[str] = frozenset()
    row: int = 0  # of the table, counted from 0


@dataclass
class Roster:
    """Who is in the class.

    Attributes
    ----------
    students : dict of str to Student
        By the course's id.
    kinds : set of str
        What is told of at least one of them, of `KINDS` and ``name``, ``group``, ``time``.
    remarks : list of str
        Rows that could not be used, and why.
    source : Path
    """

    students: dict[str, Student]
    kinds: set[str]
    remarks: list[str]
    source: Path

    def __post_init__(self) -> None:
        self._by: dict[tuple[str, str], list[str]] = defaultdict(list)
        for student in self.students.values():
            self._by["id", student.id.casefold()].append(student.id)
            for kind, value in student.told.items():
                self._by[kind, name_key(value) if kind == "group" else value.casefold()].append(student.id)
            for key in student.name_keys:
                self._by["name", key].append(student.id)

    def find(self, kind: str, value: str) -> list[str]:
        """Ids of the students of whom this is told; a name counts in either order of its parts.

        Where the roster does not tell logins, numbers, emails or identifiers, the course's own ids stand for them.
        """
        if kind in _AS_IDS and kind not in self.kinds:
            kind = "id"
        key = name_key(value) if kind in ("name", "group") else nfc(value).strip().casefold()
        return self._by.get((kind, key), []) if key else []

    def match(self, person: Sequence[tuple[str, str]]) -> tuple[str, list[str]]:
        """Who somebody may be, by the most certain kind that both tell; `person` begins with that.

        One of whom a more certain kind is told, and differently, is somebody else.
        """
        passed: list[str] = []
        for kind, value in person:
            found = [
                student for student in self.find(kind, value) if not set(passed) & self.students[student].told.keys()
            ]
            if found:
                return kind, found
            passed.append(kind)
        return "", []

    def group_of(self, student: str) -> str:
        """A student's group, as an id of the course; the student where there is none."""
        return self.students[student].told.get("group", student)


def name_key(name: str) -> str:
    """A name as names are compared: only letters with their marks, and digits; in small letters, composed."""
    return "".join(char for char in nfc(name).casefold() if unicodedata.category(char)[0] in "LMN")


def read_roster(path: Path, *, id_column: str | None = None) -> Roster:
    """Read a class list; see the module for the columns.

    Parameters
    ----------
    path : Path
    id_column : str, optional
        Header of the column with the course's id.

    Raises
    ------
    GradingError
        There is no such file, it is no table, or none of its columns tells who is who.
    """
    return to_roster(read_table(path), id_column=id_column)


def read_table(path: Path) -> Table:
    """Read a table of text: comma, semicolon or tab; UTF-8, UTF-16 (as Blackboard writes) or Windows-1252.

    Raises
    ------
    GradingError
        There is no such file, or it is no table.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise GradingError(f"{path} is no table of students: it is longer than {_LARGEST >> 20} MB.")
        content = path.read_bytes()
    except OSError as error:
        raise GradingError(f"{path} cannot be read: {error.strerror}. Check the path.") from None
    text, encoding = _decoded(content)
    first, _, rest = text.partition("\n")
    if re.fullmatch(r"sep=.\r?", first):  # of Excel
        first, text = rest.partition("\n")[0], rest
    delimiter = max(",;\t", key=re.sub(r'"[^"]*"', "", first).count)
    try:
        lines = [
            [nfc(cell) for cell in line] for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        ]
    except csv.Error as error:
        raise GradingError(f"{path} is no table that can be read: {error}. Save it as CSV.") from None
    lines = [line for line in lines if any(cell.strip() for cell in line)]
    if not lines or "\0" in text or text.startswith("PK\x03\x04"):
        raise GradingError(f"{path} is no table of text. Save it as CSV (in UTF-8), with its columns' names in line 1.")
    width = len(lines[0])
    rows = [line[:width] + [""] * (width - len(line)) for line in lines[1:]]
    return Table(path, [cell.strip() for cell in lines[0]], rows, delimiter, encoding)


def _decoded(content: bytes) -> tuple[str, str]:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace"), "utf-16"
    for encoding in ("utf-8-sig" if content.startswith(codecs.BOM_UTF8) else "utf-8", "cp1252"):
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1"), "latin-1"


def _plain(header: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", header.casefold()))


def to_roster(table: Table, *, id_column: str | None = None) -> Roster:
    """The class list in a table, such as a platform's gradebook.

    Raises
    ------
    GradingError
        None of its columns tells who is who.
    """
    columns = columns_of(table, id_column)
    kind_of_id = next((kind for kind in KINDS if kind in columns), None)
    if kind_of_id is None:
        raise GradingError(
            f"{table.path} has no column that tells who is who (its columns: {printable(', '.join(table.header))}). "
            "Add one called id, or name the right one: --id COLUMN."
        )
    remarks = []
    if table.encoding in ("cp1252", "latin-1"):
        remarks.append(f"{table.path.name} is not in UTF-8 and was read as Windows-1252: look at the names.")
    read: list[Student] = []
    for number, row in enumerate(table.rows):
        told = {kind: value for kind, index in columns.items() if (value := _value(kind, row[index]))}
        name = told.pop("name", "")
        first, last = told.pop("first", ""), told.pop("last", "")
        if _is_no_student(name or row[0]) or not (told or name or first or last):
            continue
        problem = _problem(student := told.get(kind_of_id, ""), KINDS[kind_of_id])
        if problem:
            remarks.append(f"{table.path.name}, line {number + 2}: {problem} This row is not used.")
            continue
        told.pop("id", None)
        keys = {key for full in (f"{first} {last}".strip(), name) if full for key in _rotations(full)}
        shown = name or f"{first} {last}".strip()
        read.append(Student(student, shown, told, frozenset(keys), number))
    counts: dict[str, list[Student]] = defaultdict(list)
    for somebody in read:
        counts[somebody.id.casefold()].append(somebody)
    for same in counts.values():
        if len(same) > 1:
            lines = ", ".join(str(somebody.row + 2) for somebody in same)
            remarks.append(
                f"{table.path.name}, lines {lines}: all have the id {printable(same[0].id)}. Nobody counts "
                "under it until there is one."
            )
    students = {same[0].id: same[0] for same in counts.values() if len(same) == 1}
    for group in sorted({somebody.told["group"] for somebody in students.values() if "group" in somebody.told}):
        problem = _problem(group, "group") or ("it is a student's id too." if group.casefold() in counts else "")
        if problem:
            remarks.append(f"The group {printable(group)!r} cannot be used: {problem}")
            for somebody in students.values():
                if somebody.told.get("group") == group:
                    del somebody.told["group"]
    kinds = {kind for somebody in students.values() for kind in somebody.told}
    kinds |= {"name"} if any(somebody.name_keys for somebody in students.values()) else set()
    return Roster(students, kinds, remarks, table.path)


def columns_of(table: Table, id_column: str | None = None) -> dict[str, int]:
    """Which column tells what: one of `KINDS`, ``name``, ``first``, ``last``, ``group`` or ``time``, and its place."""
    headers = [_plain(header) for header in table.header]
    columns: dict[str, int] = {}
    for index, header in enumerate(headers):
        kind = _HEADERS.get(header)
        if header == "id" and {"student", "sis login id", "sis user id"} & set(headers):
            kind = "canvas"
        if header == "identifier" and "github username" not in headers:
            kind = "participant"
        if kind is not None:
            columns.setdefault(kind, index)
    if id_column is not None:
        wanted = [index for index, header in enumerate(table.header) if id_column in (header, headers[index])]
        wanted = wanted or [index for index, header in enumerate(headers) if header == _plain(id_column)]
        if not wanted:
            raise GradingError(
                f"{table.path} has no column {printable(id_column)!r}; it has {printable(', '.join(table.header))}."
            )
        columns["id"] = wanted[0]
    return columns


def _value(kind: str, cell: str) -> str:
    value = cell.strip().removeprefix("#") if kind in ("login", "number", "id") else cell.strip()  # Brightspace's mark
    if kind == "participant":
        digits = re.search(r"(\d+)\s*$", value)
        return digits[1] if digits else ""
    if kind == "repository":
        return value.rpartition("/")[2]
    return value


def _is_no_student(name: str) -> bool:
    """A row of Canvas's that is about assignments, or its test student."""
    return name.strip() in ("Points Possible", "Student, Test", "Test Student")


def _problem(student: str, kind: str) -> str:
    """Why an id cannot name a folder of a course, if so."""
    if not student:
        return f"no {kind}."
    if len(student.encode("utf-8", "replace")) > _LONGEST or not student.isprintable():
        return f"the id {printable(student[:40])!r} is too long, or has characters that nobody sees."
    if any(char in "[]*?/\\" for char in student) or student.startswith("."):
        return f"the id {student!r} names no folder: it has one of []*?/\\, or begins with a dot."
    return ""


def _rotations(name: str) -> list[str]:
    """Keys of a name whose parts may stand in another order: "Jane Doe", "Doe, Jane" and Canvas's "doejane"."""
    words = [name_key(word) for word in name.replace(",", " ").split()]
    return ["".join(words[place:] + words[:place]) for place in range(len(words))] or [""]
