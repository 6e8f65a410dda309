"""Submissions as six platforms export them: whose each file is, which attempt, when.

===========  ===========================================================================================================
platform     what its export holds
===========  ===========================================================================================================
canvas       ``NAME_LATE_USER_UPLOAD_FILE`` in one folder: the sortable name in small letters without blanks, LATE
             where it was, Canvas's ids of the user and of the uploaded file. Only the newest attempt, and no time.
             https://github.com/instructure/canvas-lms/blob/master/lib/content_zipper.rb
moodle       ``FULL NAME_NUMBER_assignsubmission_file_/FILE``, or the same with ``_`` for ``/``; the number is of the
             participant in this assignment. Only the newest attempt; the grading worksheet tells when.
             https://github.com/moodle/moodle/blob/main/mod/assign/classes/downloader.php
blackboard   ``TITLE_LOGIN_attempt_YYYY-MM-DD-hh-mm-ss_FILE``, and for each attempt a receipt, the same without
             ``_FILE`` and with ``.txt``, that begins with ``Name: FULL NAME (LOGIN)``. The time is the server's.
             https://nbgrader.readthedocs.io/en/stable/user_guide/managing_assignment_files_manually.html
             https://github.com/kwurst/bb-file-cleanup
brightspace  ``ID-ID - FULL NAME - Sep 24, 2026 926 PM/FILE``, a folder for each attempt, and ``index.html``. The time
             is the course's. D2L documents that there is a zip, not its names; they are as teachers' scripts have them.
github       ``ASSIGNMENT-GITHUBNAME/``, a clone for each student. Times are in ``grades.csv``, not in the clones.
             https://github.com/github/gh-classroom/blob/main/cmd/gh-classroom/clone/student-repos/student-repos.go
gradescope   ``submission_NUMBER/`` and ``submission_metadata.yml``: submitters with name, SID and email, and when, with
             the zone. Only the active attempt.
             https://guides.gradescope.com/hc/en-us/articles/22066784117901 ("Exporting Submission Data")
===========  ===========================================================================================================
"""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tl_course.core.names import nfc
from tl_course.errors import GradingError
from tl_course.grading.platforms.export_files import Export, ExportFile
from tl_course.grading.platforms.roster import Roster

__all__ = ["PLATFORMS", "Attempt", "Understood", "understand"]

_METADATA = "submission_metadata.yml"
_LARGEST_METADATA = 50 << 20  # bytes
_RECEIPT = 1 << 20  # bytes of a receipt that are read


@dataclass
class Attempt:
    """What somebody handed in at one time.

    Attributes
    ----------
    key : str
        What the export calls it; the shortest that says who.
    persons : list of list of (str, str)
        Who handed it in, more than one where a group did: for each what is told, as (kind, value) of `Roster.find`, the
        most certain first.
    files : dict of str to ExportFile
        By the names that the student gave.
    time : datetime, optional
        As the platform tells it, without a zone where it tells none.
    late : bool
        Whether the platform says so.
    order : int
        A number that grows from attempt to attempt, where the platform tells one; otherwise 0.
    doubt : str
        Why it is not certain who it was; empty where it is.
    """

    key: str
    persons: list[list[tuple[str, str]]]
    files: dict[str, ExportFile] = field(default_factory=dict)
    time: datetime | None = None
    late: bool = False
    order: int = 0
    doubt: str = ""
    remarks: list[str] = field(default_factory=list)


@dataclass
class Understood:
    """An export: the attempts in it, and names of files of which nobody knows whose they are."""

    platform: str
    attempts: list[Attempt]
    strange: list[str]


def understand(
    export: Export, roster: Roster, *, notebooks: Collection[str] = (), platform: str | None = None
) -> Understood:
    """Read an export as that of a platform; of the one whose names are in it, if none is given.

    `notebooks` are the names of those that were handed out, with ``.ipynb``.

    Raises
    ------
    GradingError
        It looks like none, or like more than one.
    """
    inner: Export | None = export
    while inner is not None:
        found = {
            name: read(inner.files, roster, notebooks) for name, read in PLATFORMS.items() if platform in (None, name)
        }
        fitting = {name: one for name, one in found.items() if one.attempts}
        named = {name: one for name, one in fitting.items() if name != "github"} or fitting
        if len(named) == 1:
            return next(iter(named.values()))
        if named:
            raise GradingError(f"This may be an export of {' or of '.join(sorted(named))}: say which, with --from.")
        inner = inner.unwrapped()
    expected = platform or ", ".join(PLATFORMS)
    some = ", ".join(sorted(file.name for file in export.files)[:3]) or "no files"
    raise GradingError(
        f"Nothing in it is named as an export of {expected} is (there is {some}). Give what the platform lets you "
        "download for all students, as it is; clones of GitHub Classroom need a roster with github_username."
    )


def _collected(platform: str, attempts: dict[Any, Attempt], strange: list[str]) -> Understood:
    return Understood(platform, list(attempts.values()), strange)


# ---- Canvas ----------------------------------------------------------------------------------------------------------

_AGAIN = re.compile(r"(.+?)-\d+(\.ipynb)", re.IGNORECASE)  # Canvas's number of a file that was uploaded before


def _canvas(files: Sequence[ExportFile], roster: Roster, notebooks: Collection[str]) -> Understood:
    attempts: dict[str, Attempt] = {}
    uploads: dict[str, dict[str, tuple[int, ExportFile, bool]]] = defaultdict(dict)
    strange = []
    for file in files:
        readings = [] if "/" in file.name else _canvas_readings(file.name)
        if not readings:
            strange.append(file.name)
            continue
        fitting = [reading for reading in readings if _is_known(reading, roster)] or readings
        name, late, user, upload, given = fitting[0]
        if len(fitting) > 1:  # whoever named himself or a file so shall not stand in another one's way
            users = " and ".join(reading[2] for reading in fitting)
            doubt = f"It can be read as a file of Canvas's users {users}."
            attempts[file.name] = Attempt(file.name, [], {given: file}, late=late, doubt=doubt)
            continue
        attempt = attempts.setdefault(user, Attempt(user, [[("canvas", user), ("name", name)]]))
        again = _AGAIN.fullmatch(given)
        counted = again is not None and given not in notebooks and again[1] + again[2] in notebooks
        base = again[1] + again[2] if again and counted else given
        before = uploads[user].get(base)
        if before is not None:
            attempt.remarks.append(f"{base} was there more than once, and the newest upload counts.")
        if before is None or before[0] < upload:
            uploads[user][base] = (upload, file, late)
    for user, kept in uploads.items():
        newest = max(upload for upload, _, _ in kept.values())
        attempts[user].order = newest
        attempts[user].late = next(late for upload, _, late in kept.values() if upload == newest)
        attempts[user].files = {name: file for name, (_, file, _) in kept.items()}
    return _collected("canvas", attempts, strange)


_CanvasReading = tuple[str, bool, str, int, str]  # name, late, user, upload, the file's own name


def _canvas_readings(name: str) -> list[_CanvasReading]:
    """All ways to read a file's name: names of people and of files may have numbers between underscores too."""
    readings = []
    parts = name.split("_")
    for place in range(len(parts) - 2):
        user, rest = parts[place], parts[place + 1 :]
        before = parts[:place]
        if before and before[-1] == "anon" and user.isalnum():
            user, before = f"anon_{user}", before[:-1]
        elif not (user.isascii() and user.isdigit()):
            continue
        late = bool(before) and before[-1] == "LATE"
        who = "_".join(before[:-1] if late else before)
        if not who and not user.startswith("anon_"):
            continue
        if rest[0].isascii() and rest[0].isdigit() and len(rest) > 1 and (given := "_".join(rest[1:])):
            readings.append((who, late, user, int(rest[0]), given))
        elif rest in (["text.html"], ["link.html"]):
            readings.append((who, late, user, 0, rest[0]))
    return readings


def _is_known(reading: _CanvasReading, roster: Roster) -> bool:
    """Whether the id and the name are of the same student, as far as the roster tells both."""
    name, _, user, _, _ = reading
    by_id, by_name = roster.find("canvas", user), roster.find("name", name)
    if "canvas" in roster.kinds and "name" in roster.kinds:
        return bool(set(by_id) & set(by_name))
    return bool(by_id if "canvas" in roster.kinds else by_name)


# ---- Moodle ----------------------------------------------------------------------------------------------------------

_MOODLE = re.compile(r"(?P<name>[^/]+?)_(?P<number>\d+)_assignsubmission_[a-z]+(?:_?/|_)(?P<file>.+)")


def _moodle(files: Sequence[ExportFile], roster: Roster, notebooks: Collection[str]) -> Understood:
    attempts: dict[str, Attempt] = {}
    strange = []
    for file in files:
        if (found := _MOODLE.fullmatch(file.name)) is None:
            strange.append(file.name)
            continue
        name, number = found["name"], found["number"]
        attempt = attempts.setdefault(number, Attempt(number, [[("participant", number), ("name", name)]]))
        attempt.files[found["file"]] = file
        for student in roster.find("participant", number):
            attempt.time = _date(roster.students[student].told.get("time", ""))
    return _collected("moodle", attempts, strange)


# ---- Blackboard ------------------------------------------------------------------------------------------------------

_BLACKBOARD = re.compile(r"(?P<head>.+?_.+?)_attempt_(?P<time>\d{4}(?:-\d\d){5})(?:_(?P<file>.+)|\.txt)", re.IGNORECASE)
_NAME = re.compile(r"Name:\s*(?P<name>.*?)\s*\((?P<login>[^()]+)\)\s*")


def _blackboard(files: Sequence[ExportFile], roster: Roster, notebooks: Collection[str]) -> Understood:
    attempts: dict[tuple[str, str], Attempt] = {}
    receipts: dict[tuple[str, str], tuple[str, str]] = {}
    strange = []
    for file in files:
        found = None if "/" in file.name else _BLACKBOARD.fullmatch(file.name)
        if found is None:
            strange.append(file.name)
            continue
        key = found["head"], found["time"]
        attempt = attempts.setdefault(key, Attempt("_attempt_".join(key), [], time=_moment(found["time"])))
        if found["file"]:
            attempt.files[found["file"]] = file
        elif read := _receipt(file):
            receipts[key] = read
    for (head, written), attempt in attempts.items():
        pieces = head.split("_")
        ends = ["_".join(pieces[place:]) for place in range(1, len(pieces))]
        name, login = receipts.get((head, written), ("", ""))
        known = [end for end in ends if roster.find("login", end)]
        if login and login not in ends:
            attempt.doubt = f"The receipt says {login}, and the files' names do not."
        elif not login and len(known) > 1:
            attempt.doubt = f"Its names can be read as those of {' and '.join(known)}, and there is no receipt."
        attempt.persons = [[("login", login or (known[0] if known else ends[-1])), *([("name", name)] if name else [])]]
        attempt.key = attempt.persons[0][0][1]
    return _collected("blackboard", attempts, strange)


def _receipt(file: ExportFile) -> tuple[str, str] | None:
    """Name and login, from the first line: what comes after it may have been written by the student."""
    with file.open() as stream:
        first = stream.read(_RECEIPT).decode("utf-8-sig", "replace").lstrip().partition("\n")[0]
    found = _NAME.fullmatch(nfc(first))
    return (found["name"], found["login"].strip()) if found else None


def _moment(text: str) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%d-%H-%M-%S")  # noqa: DTZ007 - the platform tells no zone
    except ValueError:
        return None


# ---- Brightspace -----------------------------------------------------------------------------------------------------

_IDS = re.compile(r"\d+-\d+")
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = r"(?P<month>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?"
_CLOCK = r"(?P<year>\d{4}),?\s+(?P<hour>\d{1,2})[:.]?(?P<minute>\d\d)(?:\s*(?P<half>[AP])\.?M\.?)?"
_DATES = [
    re.compile(rf"{_MONTH}\s+(?P<day>\d{{1,2}}),?\s+{_CLOCK}", re.IGNORECASE),
    re.compile(rf"(?P<day>\d{{1,2}})\s+{_MONTH},?\s+{_CLOCK}", re.IGNORECASE),
]


def _brightspace(files: Sequence[ExportFile], roster: Roster, notebooks: Collection[str]) -> Understood:
    attempts: dict[str, Attempt] = {}
    strange = []
    for file in files:
        top, _, inside = file.name.partition("/")
        parts = re.split(r"\s*- ", top)  # "Mary-Ann Smith- Sep 24" too
        if len(parts) < 2 or not _IDS.fullmatch(parts[0].strip()):
            if file.name.lower() != "index.html":  # Brightspace's own list
                strange.append(file.name)
            continue
        place = next((place for place in range(2, len(parts)) if _date(parts[place])), None)
        if inside:
            end = place or max(2, len(parts) - 1)  # the last part is a date that nobody can read for certain
            folder = top
        else:  # no folders: the file's own name comes last
            end = place or 2
            inside = " - ".join(parts[end + 1 if place else end :])
            folder = " - ".join(parts[: end + 1 if place else end])
        if not inside:
            strange.append(file.name)
            continue
        time = _date(parts[place]) if place else None
        key, name = " - ".join(parts[:end]), " - ".join(parts[1:end])
        attempt = attempts.setdefault(folder, Attempt(key, [[("name", name)]], time=time))
        attempt.files[inside] = file
    return _collected("brightspace", attempts, strange)


def _date(text: str) -> datetime | None:
    """A date in English as Brightspace and Moodle write it, without a zone.

    "Sep 24, 2026 926 PM", "24 September, 2026 2126", "Thursday, 24 September 2026, 9:26 PM"
    """
    text = re.sub(r"^[A-Za-z]+day,\s*", "", text.strip())
    for form in _DATES:
        if found := form.fullmatch(text):
            hour = int(found["hour"])
            if found["half"]:
                if not 1 <= hour <= 12:
                    return None
                hour = hour % 12 + (12 if found["half"].upper() == "P" else 0)
            month = _MONTHS.index(found["month"].lower()) + 1
            try:
                return datetime(int(found["year"]), month, int(found["day"]), hour, int(found["minute"]))  # noqa: DTZ001
            except ValueError:
                return None
    return None


# ---- GitHub Classroom ------------------------------------------------------------------------------------------------


def _github(files: Sequence[ExportFile], roster: Roster, notebooks: Collection[str]) -> Understood:
    folders: dict[str, dict[str, ExportFile]] = defaultdict(dict)
    strange = []
    for file in files:
        top, _, inside = file.name.partition("/")
        if inside:
            folders[top][inside] = file
        else:
            strange.append(file.name)
    logins = [student.told["github"] for student in roster.students.values() if "github" in student.told]
    endings: dict[str, dict[str, str]] = {}  # of each folder: by the name of the assignment, whose it is then
    for top in folders:
        endings[top] = {
            top[: -len(login) - 1]: login for login in logins if top.casefold().endswith(f"-{login}".casefold())
        }
    counts = Counter(slug for ending in endings.values() for slug in ending)
    most = max(counts.values(), default=0)
    slugs = [slug for slug, count in counts.items() if count == most]
    attempts = {}
    for top, inside_of in folders.items():
        by_name = roster.find("repository", top)
        attempt = Attempt(top, [[("repository", top)]], inside_of)
        if not by_name:
            if not endings[top]:
                attempt.doubt = "Its name ends with no GitHub name of the roster."
            elif len(slugs) > 1 or slugs[0] not in endings[top]:
                logins_there = " and ".join(endings[top].values())
                attempt.doubt = f"It may be of {logins_there}, and its name begins unlike the others."
            attempt.persons = [[("github", next(iter(endings[top].values()), top))]]
            if not attempt.doubt:
                attempt.persons = [[("github", endings[top][slugs[0]])]]
        elif len(by_name) == 1 and (when := roster.students[by_name[0]].told.get("time")):
            attempt.time = _iso(when)
        attempts[top] = attempt
    if not any(roster.find(*attempt.persons[0][0]) for attempt in attempts.values()):
        return Understood("github", [], strange)
    return _collected("github", attempts, strange)


def _iso(text: str) -> datetime | None:
    """A time with its zone, as GitHub writes it; None for anything else."""
    try:
        time = datetime.fromisoformat(text.strip().replace(" UTC", "+00:00"))
    except ValueError:
        return None
    return time if time.tzinfo else None


# ---- Gradescope ------------------------------------------------------------------------------------------------------


def _gradescope(files: Sequence[ExportFile], roster: Roster, notebooks: Collection[str]) -> Understood:
    attempts: dict[str, Attempt] = {}
    strange = []
    about = next((file for file in files if file.name == _METADATA), None)
    told = _metadata(about) if about is not None else {}
    for key, values in told.items():
        submitters = values.get(":submitters") if isinstance(values, dict) else None
        persons = [_submitter(person) for person in submitters or [] if isinstance(person, dict)]
        attempt = attempts.setdefault(str(key), Attempt(str(key), persons))
        created = values.get(":created_at") if isinstance(values, dict) else None
        attempt.time = created if isinstance(created, datetime) else _iso(str(created or ""))
        if not persons or not all(persons):
            attempt.doubt = f"{_METADATA} does not tell who handed it in."
    for file in files:
        top, _, inside = file.name.partition("/")
        if top in attempts:
            attempts[top].files[inside or top] = file
        elif file is not about:
            strange.append(file.name)
    return _collected("gradescope", {key: one for key, one in attempts.items() if one.files}, strange)


def _submitter(person: dict[str, Any]) -> list[tuple[str, str]]:
    kinds = (("number", ":sid"), ("email", ":email"), ("name", ":name"))
    return [(kind, str(person[field])) for kind, field in kinds if person.get(field)]


def _metadata(file: ExportFile) -> dict[str, Any]:
    import yaml

    if file.size > _LARGEST_METADATA:
        raise GradingError(
            f"{_METADATA} is longer than {_LARGEST_METADATA >> 20} MB. Export fewer submissions at a time."
        )
    with file.open() as stream:
        content = stream.read()
    try:
        found = yaml.load(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError, ValueError) as problem:
        raise GradingError(f"{_METADATA} cannot be read: {problem}. Export the submissions again.") from None
    return found if isinstance(found, dict) else {}


PLATFORMS: dict[str, Callable[[Sequence[ExportFile], Roster, Collection[str]], Understood]] = {
    "canvas": _canvas,
    "moodle": _moodle,
    "blackboard": _blackboard,
    "brightspace": _brightspace,
    "github": _github,
    "gradescope": _gradescope,
}
