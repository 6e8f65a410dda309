"""Marks of an assignment in the form that a platform imports, and who is missing on either side.

===========  ===========================================================================================================
platform     what is written
===========  ===========================================================================================================
canvas       The exported gradebook (``--template``) with its columns of students, its row of points and one assignment,
             ``TITLE (ID)``; a column without the id would make a new assignment.
             https://github.com/instructure/canvas-lms/blob/master/lib/gradebook_importer.rb
moodle       The assignment's grading worksheet (``--template``) with its column ``Grade`` filled; or, without one, a
             table for *Grades → Import → CSV file* of ID number, email and mark. Moodle would read an empty cell there
             as "no grade" and stops at a user it does not know: nobody without a mark, or off the roster, is in it.
             https://github.com/moodle/moodle/blob/main/mod/assign/feedback/offline/importgradeslib.php
             https://docs.moodle.org/311/en/Grade_import
blackboard   The downloaded grades (``--template``): the names, ``Username`` and one column,
             ``TITLE [Total Pts: 20 Score] |ID``; a column without the id would make a new one of text.
             https://tips.uark.edu/uploading-your-grade-center/
brightspace  ``OrgDefinedId,Username,TITLE Points Grade,End-of-Line Indicator``, from exported grades (``--template``)
             or the roster. https://community.d2l.com/brightspace/kb/articles/3538-importing-grades
github       GitHub Classroom imports no marks. A table as its own ``grades.csv``, for whoever reads that.
             https://github.com/github/gh-classroom/blob/main/cmd/gh-classroom/assignment-grades/assignment_grades.go
gradescope   Gradescope imports no marks either. A table with columns as in the one that it exports.
===========  ===========================================================================================================

A mark that is missing is never nought: what the template has in that place stays, which is nothing as a rule; without a
template, there is no row.
"""

import csv
import io
import json
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tl_course.core.files import atomic_path
from tl_course.core.names import printable
from tl_course.errors import GradingError
from tl_course.grading.course import grades
from tl_course.grading.platforms.collect import find_roster
from tl_course.grading.platforms.roster import (
    KINDS,
    Roster,
    Table,
    columns_of,
    name_key,
    read_roster,
    read_table,
    to_roster,
)

__all__ = ["MarksExport", "export_marks"]

_NEXT = {
    "canvas": "Gradebook → Import",
    "moodle": "View all submissions → Grading action → Upload grading worksheet",
    "blackboard": "Work Offline → Upload Grades",
    "brightspace": "Grades → Enter Grades → Import",
    "github": "GitHub Classroom imports no marks: this is a table like the one that it exports",
    "gradescope": "Gradescope imports no marks: this is a table like the one that it exports",
}
_NEEDED = {
    "canvas": "the gradebook (Gradebook → Export)",
    "blackboard": "the grades (Work Offline → Download Grades)",
}
# How each platform writes the title of an assignment, its id and its points into a header.
_TITLES = {
    "canvas": re.compile(r"(?P<title>.+?)\s*\((?P<id>\d+)\)"),
    "blackboard": re.compile(
        r"(?P<title>.+?)\s*\[Total Pts: (?:up to )?(?P<points>[\d.,]*)[^\]]*\](?:\s*\|(?P<id>\d+))?"
    ),
    "brightspace": re.compile(r"(?P<title>.+?)\s+Points Grade(?:\s*<.*?MaxPoints:(?P<points>[\d.,]+).*>)?"),
    "moodle": re.compile(r"(?:[^:]+:\s*)?(?P<title>.+?)(?:\s*\([^()]*\))?"),
    "github": re.compile(r"(?P<title>points_awarded)"),
    "gradescope": re.compile(r"(?P<title>.+)"),
}
_WHO = frozenset({*KINDS, "name", "first", "last"})
_KEPT = {"canvas": ("section", "integration id", "root account"), "brightspace": ("end of line indicator",)}


@dataclass
class MarksExport:
    """What was written for a platform.

    Attributes
    ----------
    platform, assignment : str
    path : Path
    next_step : str
        What to do with it on the platform.
    marks : dict of str to float
        By student, as far as they are in the file.
    without : dict of str to str
        Students on the roster without a mark, and why.
    strangers : list of str
        Students with a mark who are not on the roster.
    unmatched : list of str
        Students on the roster with a mark who are not in the template.
    remarks : list of str
    """

    platform: str
    assignment: str
    path: Path
    next_step: str
    marks: dict[str, float] = field(default_factory=dict)
    without: dict[str, str] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)
    unmatched: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    def summary(self) -> str:
        """The same for a person to read, a line for each kind."""
        lines = [f"{len(self.marks)} marks of {self.assignment}: {self.path}", f"Next: {self.next_step}."]
        why = [f"{student} ({reason})" for student, reason in sorted(self.without.items())]
        for text, people in (
            ("on the roster, without a mark", why),
            ("marks of nobody on the roster, not written", self.strangers),
            ("on the roster, and not in the template, not written", self.unmatched),
        ):
            if people:
                lines.append(f"{text} ({len(people)}): {printable(', '.join(people))}")
        return "\n".join(lines + [printable(remark) for remark in self.remarks])


def export_marks(
    platform: str,
    *,
    course: Path,
    assignment: str | None = None,
    template: Path | None = None,
    roster: Path | None = None,
    id_column: str | None = None,
    column: str | None = None,
    out: Path | None = None,
) -> MarksExport:
    """Write the marks of an assignment as a platform imports them.

    Parameters
    ----------
    platform : str
        One of `tl_course.grading.platforms.formats.PLATFORMS`.
    course : Path
        Folder of the nbgrader course.
    assignment : str, optional
        May be left out where the gradebook has one only.
    template : Path, optional
        What the platform exports, to be filled in; needed for Canvas and Blackboard.
    roster : Path, optional
        A class list; ``roster.csv`` in the course, or else the template, if not given.
    id_column : str, optional
        Header of the roster's column with the course's id.
    column : str, optional
        Title, id or header of the assignment on the platform; the assignment's name, if not given.
    out : Path, optional
        ``reports/ASSIGNMENT/PLATFORM.csv`` in the course, if not given.

    Raises
    ------
    GradingError
        There are no marks, no roster, or no column for them in the template.
    """
    if template is None and platform in _NEEDED:
        raise GradingError(
            f"{platform} needs ids that only it knows: export {_NEEDED[platform]}, and give it: --template FILE."
        )
    assignment, records = _records(course, assignment)
    form = read_table(template) if template is not None else None
    if form is not None and roster is None and not (course / "roster.csv").exists():
        people = to_roster(form, id_column=id_column)
    else:
        people = read_roster(find_roster(course, roster), id_column=id_column)
    suffix = "xls" if platform == "blackboard" and form is not None and form.delimiter == "\t" else "csv"
    path = out or course / "reports" / assignment / f"{platform}.{suffix}"
    next_step = "Grades → Import → CSV file" if platform == "moodle" and form is None else _NEXT[platform]
    done = MarksExport(platform, assignment, path, next_step, remarks=list(people.remarks))
    scores = {student: record["score"] for student, record in records.items() if record["score"] is not None}
    whose = {student: student if student in records else people.group_of(student) for student in people.students}
    marks = {student: scores[by] for student, by in whose.items() if by in scores}
    done.strangers = sorted(scores.keys() - set(whose.values()))
    aside = _set_aside(course / "reports" / assignment / "report.json")
    for student in people.students.keys() - marks.keys():
        cells = records[whose[student]]["missing"] if whose[student] in records else None
        done.without[student] = "nothing graded" if cells is None else f"a person has to mark {cells}"
        if sentence := aside.get(whose[student]):
            done.without[student] = f"set aside: {sentence}"
    most = max(float(record["max_score"]) for record in records.values())
    title = column or assignment
    if form is not None:
        table = _filled(form, people, marks, most, title, done)
    else:
        table = _made(people, marks, most, title, done)
    if scores and not marks:
        done.remarks.append(
            f"No mark is of anybody on {people.source}. Is it the list that was collected by? See --id."
        )
    _write(table, path, quote=platform == "blackboard")
    return done


def _records(course: Path, assignment: str | None) -> tuple[str, dict[str, dict[str, Any]]]:
    """The assignment that is meant, and what the gradebook has of it, by student; a missing score is None."""
    table = grades(course=course)
    names = sorted(set(table["assignment"]))
    if assignment is None and len(names) == 1:
        assignment = names[0]
    if not names:
        raise GradingError(f"There are no marks in {course} yet: grade something first, tl-course grade NAME.")
    if assignment is None or assignment not in names:
        there = printable(", ".join(names)) or "none"
        raise GradingError(f"Say which assignment: --assignment NAME. There are marks of: {there}.")
    rows = table[table["assignment"] == assignment].astype({"score": object})
    return assignment, {
        record["student"]: record for record in rows.where(rows.notna(), None).to_dict(orient="records")
    }


def _set_aside(report: Path) -> dict[str, str]:
    """Whose submission could not be run, by the last report, and why."""
    with suppress(OSError, ValueError):
        submissions = json.loads(report.read_text("utf-8"))["submissions"]
        return {one["student"]: " ".join(one["look"]) for one in submissions if one["status"] == "rejected"}
    return {}


def _filled(form: Table, people: Roster, marks: dict[str, float], most: float, wanted: str, done: MarksExport) -> Table:
    """The template with marks in it, and without columns that are of other assignments."""
    platform = done.platform
    place = _place(form, platform, wanted)
    kinds = {index: kind for kind, index in columns_of(form).items()}
    _compare_points(form, platform, place, most, done)
    rows = [list(row) for row in form.rows]
    there = people if people.source == form.path else to_roster(form)
    for somebody in there.students.values():
        found = [somebody.id]
        if there is not people:
            told = [(kind, somebody.told[kind]) for kind in KINDS if kind in somebody.told]
            _, found = people.match([*told, ("name", somebody.name)])
        who = somebody.name or somebody.id
        if len(found) > 1:
            done.remarks.append(f"{who} in the template may be {' or '.join(found)}: left alone.")
        elif not found:
            done.remarks.append(f"{who} is in the template, and not on the roster: left alone.")
        elif found[0] in marks:
            rows[somebody.row][place] = _number(marks[found[0]])
            done.marks[found[0]] = marks[found[0]]
    done.unmatched = sorted(set(marks) - set(done.marks))
    whole = platform == "github" or (platform == "moodle" and "participant" in kinds.values())
    headers = [" ".join(re.findall(r"[^\W_]+", header.casefold())) for header in form.header]
    kept = [
        index
        for index, header in enumerate(headers)
        if whole or index == place or kinds.get(index) in _WHO or header in _KEPT.get(platform, ())
    ]
    ids = {index for index, kind in kinds.items() if kind in KINDS}
    own = ids | {place} | {index for index, header in enumerate(headers) if header.startswith("feedback")}
    cells = [[row[index] if index in own else harmless(row[index]) for index in kept] for row in rows]
    return Table(form.path, [form.header[index] for index in kept], cells, form.delimiter, form.encoding)


def _place(form: Table, platform: str, wanted: str) -> int:
    """Which column of a template is the assignment's."""
    if platform == "moodle" and "participant" in columns_of(form):
        exact = [index for index, header in enumerate(form.header) if header in ("Grade", wanted)]
        if exact:
            return exact[0]
    if platform == "github" and "points_awarded" in form.header:
        return form.header.index("points_awarded")
    told = set(columns_of(form).values())
    titles = {}
    for index, header in enumerate(form.header):
        if index not in told and (found := _TITLES[platform].fullmatch(header)):
            parts = found.groupdict()
            titles[index] = (header, parts["title"], parts.get("id"))
    exact = [index for index, names in titles.items() if wanted in names]
    exact = exact or [index for index, names in titles.items() if name_key(names[1]) == name_key(wanted)]
    if len(exact) == 1:
        return exact[0]
    there = "; ".join(header for header, _, _ in titles.values()) or "none"
    how_many = "more than one column" if exact else "no column"
    raise GradingError(
        f"{form.path} has {how_many} for {printable(wanted)!r}. Say which: --column TITLE. Assignments in it: "
        f"{printable(there)}."
    )


def _compare_points(form: Table, platform: str, place: int, most: float, done: MarksExport) -> None:
    text = ""
    if platform == "canvas":
        text = next((row[place] for row in form.rows if row[0].strip() == "Points Possible"), "")
    elif platform == "moodle" and "Maximum Grade" in form.header:
        text = form.rows[0][form.header.index("Maximum Grade")] if form.rows else ""
    elif found := _TITLES[platform].fullmatch(form.header[place]):
        text = found.groupdict().get("points") or ""
    try:
        points = float(text.replace(",", "."))
    except ValueError:
        return
    if points != most:
        done.remarks.append(
            f"On {platform} it is out of {points:g} points, and the marks are out of {most:g}: change one."
        )


def _made(people: Roster, marks: dict[str, float], most: float, title: str, done: MarksExport) -> Table:
    """A table of its own, where no template is needed."""
    platform, points = done.platform, f"{most:g}"
    columns: dict[str, str] = {  # by header: what is told of a student, "mark", or a text in quotes
        "moodle": {"ID number": "number", "Email address": "email", "Username": "login", title: "mark"},
        "brightspace": {
            "OrgDefinedId": "number", "Username": "login",
            f"{title} Points Grade": "mark", "End-of-Line Indicator": "'#",
        },
        "github": {
            "assignment_name": f"'{title}", "assignment_url": "'", "starter_code_url": "'",
            "github_username": "github", "roster_identifier": "identifier", "student_repository_name": "repository",
            "student_repository_url": "'", "submission_timestamp": "time", "points_awarded": "mark",
            "points_available": f"'{points}",
        },
        "gradescope": {
            "Name": "name", "SID": "number", "Email": "email", "Total Score": "mark", "Max Points": f"'{points}",
        },
    }[platform]  # fmt: skip
    by = [kind for kind in columns.values() if kind in KINDS]
    there = {kind for kind in by if kind in people.kinds}
    if not there:
        needed = " or ".join(KINDS[kind] for kind in by)
        raise GradingError(
            f"{people.source} tells no {needed}, by which {platform} knows students. Give --template FILE."
        )
    if platform in ("moodle", "brightspace"):
        columns = {header: what for header, what in columns.items() if what not in KINDS or what in there}
    rows = []
    for student, mark in sorted(marks.items()):
        somebody = people.students[student]
        if not there & somebody.told.keys():
            done.unmatched.append(student)
            continue
        told = somebody.told | {"mark": _number(mark), "name": harmless(somebody.name)}
        rows.append([what[1:] if what.startswith("'") else told.get(what, "") for what in columns.values()])
        done.marks[student] = mark
    return Table(people.source, list(columns), rows, ",", "utf-8")


def _number(mark: float) -> str:
    return f"{mark:.2f}".rstrip("0").rstrip(".")


def harmless(cell: str) -> str:
    """A cell that a spreadsheet takes for text: what begins like a formula gets an apostrophe before it.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    if cell[:1] in ("\t", "\r"):
        return f"'{cell}"
    formula = cell.lstrip()[:1] in ("=", "+", "-", "@") and not re.fullmatch(r"[-+]?[\d.,]*%?", cell.strip())
    return f"'{cell}" if formula else cell


def _write(table: Table, path: Path, *, quote: bool) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=table.delimiter, quoting=csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL)
    writer.writerow(table.header)
    writer.writerows(table.rows)
    encoding = table.encoding if table.encoding in ("utf-8-sig", "utf-16") else "utf-8"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as part:
            part.write_text(text.getvalue(), encoding=encoding, newline="")
    except OSError as error:
        raise GradingError(f"{path} could not be written: {error.strerror or error}.") from None
