"""Collecting what was handed in from what a platform lets a teacher download, into ``submitted/ID/NAME``."""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from zoneinfo import ZoneInfo

from tl_course.core.names import printable
from tl_course.errors import GradingError
from tl_course.grading.platforms.export_files import open_export
from tl_course.grading.platforms.formats import Attempt, Understood, understand
from tl_course.grading.platforms.roster import KINDS, Roster, read_roster
from tl_course.grading.submissions.submitted import Collected, Submitted

__all__ = ["Collected", "collect", "find_roster"]


def collect(
    name: str,
    source: Path,
    *,
    course: Path,
    roster: Path | None = None,
    id_column: str | None = None,
    platform: str | None = None,
    known: Mapping[str, str] | None = None,
    timezone: str | None = None,
    groups: bool = False,
    replace: bool = False,
    dry_run: bool = False,
) -> Collected:
    """Collect what was handed in for an assignment from the zip, or folder, that a platform gives.

    Of several attempts the newest counts. One that is newer than what was collected before takes its place; what was
    there is moved to ``downloaded/NAME/replaced``, and marks stay until it is graded again. Whatever is not certain
    is named and left alone.

    Parameters
    ----------
    name : str
        Of the assignment.
    source : Path
        A zip, or a folder, as the platform gives it.
    course : Path
        Folder of the nbgrader course.
    roster : Path, optional
        A class list (see `tl_course.grading.platforms.roster`); ``roster.csv`` in the course, if not given.
    id_column : str, optional
        Header of the roster's column with the course's id.
    platform : str, optional
        One of `PLATFORMS`; known by the names in the export, if not given.
    known : mapping of str to str, optional
        Whose a doubtful submission is: the course's id, by its name in the export.
    timezone : str, optional
        Of the times that Blackboard and Brightspace write, such as "Europe/Berlin"; without it no time is certain.
    groups : bool
        What one of a group handed in is the group's, by the name in the roster's column ``group``; it is graded once,
        and `export_marks` gives each member the mark.
    replace : bool
        Also replace what differs where nothing tells which is newer, or what was changed by hand.
    dry_run : bool
        Change nothing.

    Raises
    ------
    GradingError
        There is no such course, assignment, roster or export.
    """
    course = course.resolve()
    notebooks = {path.name for kind in ("source", "release") for path in (course / kind / name).glob("*.ipynb")}
    if not notebooks:
        there = ", ".join(sorted({path.parent.name for path in (course / "source").glob("*/*.ipynb")})) or "none"
        raise GradingError(f"There is no assignment {printable(name)} in {course}. Assignments there: {there}.")
    zone = _zone(timezone)
    students = read_roster(find_roster(course, roster), id_column=id_column)
    with open_export(source) as export:
        understood = understand(export, students, notebooks=notebooks, platform=platform)
        done = Collected(understood.platform, remarks=list(students.remarks))
        done.doubtful += [(file, f"It {why}; it was left out.") for file, why in export.refused]
        done.doubtful += [
            (file, f"It is not named as {understood.platform} names files.") for file in understood.strange
        ]
        attempts = _of_students(understood, students, known or {}, done, groups=groups)
        submitted = Submitted(course, name, done, zone=zone, replace=replace, dry_run=dry_run)
        for student, theirs in sorted(attempts.items()):
            submitted.take(student, theirs)
        submitted.write_down()
    present = attempts.keys() | submitted.there()
    done.absent = sorted(
        student for student in students.students if not {student, students.group_of(student)} & present
    )
    return done


def find_roster(course: Path, roster: Path | None) -> Path:
    """The class list that is meant: the one given, or ``roster.csv`` in the course.

    Raises
    ------
    GradingError
        There is none.
    """
    path = roster or course / "roster.csv"
    if not path.exists():
        raise GradingError(
            f"There is no class list {path}. Download your platform's gradebook or list of participants as CSV (the "
            "guide says which), and give it: --roster FILE, or put it there as roster.csv."
        )
    return path


def _zone(timezone: str | None) -> ZoneInfo | None:
    if timezone is None:
        return None
    try:
        return ZoneInfo(timezone)
    except (KeyError, ValueError, OSError):
        raise GradingError(f"There is no time zone {timezone!r}: give one such as Europe/Berlin or UTC.") from None


# ---- whose it is -----------------------------------------------------------------------------------------------------


def _of_students(
    understood: Understood, roster: Roster, known: Mapping[str, str], done: Collected, *, groups: bool
) -> dict[str, list[Attempt]]:
    """Attempts by the course's ids; whatever is not certain goes to the doubtful ones."""
    found: dict[str, list[Attempt]] = defaultdict(list)
    by_name: set[str] = set()
    unused = dict(known)
    for attempt in understood.attempts:
        if attempt.key in known:
            unused.pop(attempt.key, None)
            who = known[attempt.key]
            if who not in roster.students:
                raise GradingError(f"{printable(who)} is not on {roster.source}: nothing can be collected for that id.")
            owners, problem = [who], ""
        else:
            owners, problem = _owners(attempt, roster, by_name, groups=groups)
        if problem:
            advice = f"Add what is missing to the roster, or say whose it is: --is '{attempt.key}=ID'"
            done.doubtful.append((attempt.key, f"{problem} {advice}"))
            continue
        if groups:
            owners = sorted({roster.group_of(owner) for owner in owners})
        for owner in owners:
            found[owner].append(attempt)
    if unused:
        keys = ", ".join(map(printable, unused))
        raise GradingError(f"Nothing in the export is called {keys} (--is): the names are those that are listed.")
    if by_name:
        done.remarks.append(f"known by name alone, for the roster has no id that the export tells: {len(by_name)}")
    return found


def _owners(attempt: Attempt, roster: Roster, by_name: set[str], *, groups: bool) -> tuple[list[str], str]:
    """Whose an attempt is by the course's ids, or why that is not certain."""
    if attempt.doubt:
        return [], attempt.doubt
    owners = []
    for person in attempt.persons:
        shown = ", ".join(f"{KINDS.get(kind, kind)} {value}" for kind, value in person)
        kind, matches = roster.match(person)
        if not matches and groups:
            matches = [member for _, value in person for member in roster.find("group", value)]
            owners += matches
            if matches:
                continue
        if len(matches) > 1:
            return [], f"More than one on the roster have {shown}: {', '.join(sorted(matches))}."
        if not matches:
            return [], f"Nobody on the roster has {shown}."
        if kind == "name":
            by_name.add(matches[0])
        owners += matches
    return owners, ""
