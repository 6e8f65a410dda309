"""Late submissions: when each came in, whether that is late, and what it costs by the course's rules.

All of it is worked out anew at each run, from the time stamps, the due dates and the marks as they are: a due date that
was moved, an extension or a mark that a person gave counts at once, and no submission runs again for it.
"""

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from traitlets import Dict, Enum, Float, Integer, TraitError, Unicode
from traitlets.config import Config, Configurable

from tl_course.errors import GradingError
from tl_course.grading.gradebook import course_config, open_gradebook
from tl_course.grading.submissions.timestamps import Moment, read_moment

__all__ = ["Late", "LateRules", "check_rules", "settle", "without_late_rules"]

_DAY, _HOUR, _MINUTE = 86400, 3600, 60  # seconds
_SECTIONS = {
    "LateRules",
    "LateSubmissionPlugin",
    "AssignLatePenalties",
}  # of the configuration: no submission sees them


class LateRules(Configurable):
    """The course's rules for late submissions, as ``c.LateRules.NAME = VALUE`` in ``nbgrader_config.py``."""

    grace_minutes = Float(0.0, min=0, help="What is late by no more costs nothing.").tag(config=True)
    free_days = Integer(
        0, min=0, help="Days that each student may be late, all assignments together; those due first take them first."
    ).tag(config=True)
    percent_per_day = Float(0.0, min=0, max=100, help="Less for each day begun.").tag(config=True)
    percent_per_hour = Float(0.0, min=0, max=100, help="Less for each hour begun.").tag(config=True)
    points_per_day = Float(0.0, min=0, help="Less for each day begun.").tag(config=True)
    points_per_hour = Float(0.0, min=0, help="Less for each hour begun.").tag(config=True)
    percent_of = Enum(("earned", "possible"), "earned", help="Of which points a percentage is meant.").tag(config=True)
    most_percent = Float(100.0, min=0, max=100, help="Less at most, in percent of the same points.").tag(config=True)
    closed_after_hours = Float(
        None, min=0, allow_none=True, help="Hours after the due date, from which on nothing counts at all."
    ).tag(config=True)
    time_zone = Unicode("", help='In which times without a zone are meant, such as "Europe/Berlin".').tag(config=True)
    due = Dict(help="Due dates by assignment, in place of those in the gradebook.").tag(config=True)

    def cost(self, seconds: float, earned: float, possible: float, free: int) -> tuple[float, int]:
        """Points less for being late by `seconds`, where `free` days are left; and how many of them that takes."""
        if seconds <= self.grace_minutes * _MINUTE:
            return 0.0, 0
        if self.closed_after_hours is not None and seconds > self.closed_after_hours * _HOUR:
            return earned, 0
        taken = min(free, ceil(seconds / _DAY))
        left = max(0.0, seconds - taken * _DAY)
        days, hours = ceil(left / _DAY), ceil(left / _HOUR)
        whole = earned if self.percent_of == "earned" else possible
        percent = min(self.percent_per_day * days + self.percent_per_hour * hours, self.most_percent)
        cost = whole * percent / 100 + self.points_per_day * days + self.points_per_hour * hours
        return min(cost, whole * self.most_percent / 100, earned), taken

    def said(self, seconds: float, cost: float, taken: int, left: int) -> str:
        """What a student and a teacher should know of it, in a sentence or two."""
        late = f"Handed in {_length(seconds)} after the due date"
        if seconds <= self.grace_minutes * _MINUTE:
            return f"{late}, within the {self.grace_minutes:g} minutes of grace: nothing less."
        if self.closed_after_hours is not None and seconds > self.closed_after_hours * _HOUR:
            return f"{late}, and it closed {self.closed_after_hours:g} hours after it: no points count."
        whole = "what was earned" if self.percent_of == "earned" else "all points"
        rates = [
            f"{amount:g}{unit} for each {length} begun"
            for amount, unit, length in (
                (self.percent_per_day, f"% of {whole}", "day"),
                (self.percent_per_hour, f"% of {whole}", "hour"),
                (self.points_per_day, " points", "day"),
                (self.points_per_hour, " points", "hour"),
            )
            if amount
        ]
        most = f"; at most {self.most_percent:g}%" if self.most_percent < 100 else ""
        rule = f" ({', '.join(rates)}{most})" if rates else ""
        free = f" {taken} of the days to spare were used for it, {left} are left." if taken else ""
        return f"{late}: {cost:.3g} point{'s' * (cost != 1)} less{rule}.{free}"


@dataclass(frozen=True)
class Late:
    """When a submission came in, as far as that is known, and what follows.

    Attributes
    ----------
    seconds : float
        After the due date; 0 if in time, or if that is not known.
    cost : float
        Points less.
    said : str
        Which rule was used, for student and teacher; empty if in time.
    doubt : str
        Why a person should have a look; empty if all is clear.
    """

    seconds: float = 0.0
    cost: float = 0.0
    said: str = ""
    doubt: str = ""


def check_rules(course: Path) -> None:
    """See whether the course's rules can be understood, before anything is done.

    Raises
    ------
    GradingError
        They cannot.
    """
    config = course_config(course)
    if _rules(config) is None:
        _plugin(config)


def settle(course: Path, name: str | None = None) -> dict[str, dict[str, Late]]:
    """Work out what is late, write it into the gradebook, and return it by assignment and student.

    That is done for assignment `name` and for all that have a due date.

    What a time stamp says is used where it can be read for certain, or where all that it can mean comes to the same.
    The course's own ``c.LateSubmissionPlugin`` or ``c.AssignLatePenalties.plugin_class`` is used where it has no
    `LateRules`.

    Raises
    ------
    GradingError
        The rules cannot be understood, or both kinds of them are given.
    """
    config = course_config(course)
    rules = _rules(config)
    penalty = _plugin(config) if rules is None else None
    rules = rules or LateRules()
    found: dict[str, dict[str, Late]] = {}
    free: dict[str, int] = {}
    with open_gradebook(course) as gradebook:
        assignments = list(gradebook.assignments)
        _set_due(assignments, rules)
        wanted = [one for one in assignments if one.name == name or one.duedate is not None]
        for assignment in sorted(wanted, key=lambda one: (one.duedate or datetime.max, one.name)):  # noqa: DTZ901
            for submission in assignment.submissions:
                student = submission.student_id
                moment = _moment(course / "submitted" / student / assignment.name, rules.time_zone)
                late, taken = _judged(submission, moment, rules, penalty, free.get(student, rules.free_days))
                free[student] = free.get(student, rules.free_days) - taken
                _spread(submission, late.cost)
                found.setdefault(assignment.name, {})[student] = late
        gradebook.db.commit()
    return found


def without_late_rules(configuration: str) -> str:
    """The text of a ``nbgrader_config.py`` without what only says what late submissions cost, for comparing."""
    try:
        tree = ast.parse(configuration)
    except (SyntaxError, ValueError):
        return configuration
    tree.body = [node for node in tree.body if not (isinstance(node, ast.Assign) and _is_late(node.targets))]
    return ast.dump(tree)


def _is_late(targets: Iterable[ast.expr]) -> bool:
    """Whether something is assigned to ``c.LateRules.…`` and the like."""
    parts = [node.attr for target in targets for node in ast.walk(target) if isinstance(node, ast.Attribute)]
    return bool(_SECTIONS & set(parts))


def _rules(config: Config) -> LateRules | None:
    if "LateRules" not in config:
        return None
    known = LateRules.class_trait_names(config=True)
    if unknown := sorted(set(config.LateRules) - set(known)):
        raise GradingError(f"c.LateRules has no {', '.join(unknown)}. What it has: {', '.join(sorted(known))}.")
    if set(config) & (_SECTIONS - {"LateRules"}):
        raise GradingError(
            "nbgrader_config.py has rules for late submissions twice: c.LateRules, and nbgrader's own plugin. Keep one."
        )
    try:
        rules = LateRules(config=config)
    except TraitError as problem:
        raise GradingError(f"c.LateRules cannot be understood: {problem}") from problem
    try:
        ZoneInfo(rules.time_zone or "UTC")
    except (ValueError, OSError, LookupError) as problem:
        raise GradingError(
            f"c.LateRules.time_zone: there is no {rules.time_zone!r}; write as Europe/Berlin."
        ) from problem
    return rules


def _plugin(config: Config) -> Any:
    """The course's own penalty, as nbgrader asks for it: of a submission, and of how many seconds it was late."""
    from nbgrader.preprocessors import AssignLatePenalties

    try:
        penalties = AssignLatePenalties(config=config)
        penalties.init_plugin()
    except Exception as problem:
        raise GradingError(f"The course's plugin for late submissions cannot be used: {problem}") from problem

    def penalty(submission: Any, seconds: float) -> float:
        costs = list[float]()
        for notebook in submission.notebooks:
            try:
                cost = penalties.plugin_inst.late_submission_penalty(submission.student_id, notebook.score, seconds)
                costs.append(min(max(0.0, float(cost or 0)), notebook.score))
            except Exception as problem:
                raise GradingError(
                    f"The course's {type(penalties.plugin_inst).__name__} failed for {submission.student_id}: "
                    f"{type(problem).__name__}: {problem}"
                ) from problem
        return sum(costs)

    return penalty


def _set_due(assignments: Iterable[Any], rules: LateRules) -> None:
    known = {assignment.name: assignment for assignment in assignments}
    for name, text in rules.due.items():
        moment = read_moment(str(text), zone=rules.time_zone)
        if moment.certain is None:
            raise GradingError(f"c.LateRules.due[{name!r}] may mean several times: write as 2026-12-01 12:00:00 +0100.")
        if name in known:
            known[name].duedate = moment.certain.replace(tzinfo=None)


def _moment(folder: Path, zone: str) -> Moment | None:
    """What the time stamp of a submission says; None where there is none."""
    path = folder / "timestamp.txt"
    try:
        if path.is_symlink() or not path.is_file():
            return None
        with path.open("rb") as file:
            content = file.read(1000)
    except OSError:
        return Moment("", ())
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"  # as PowerShell writes
    return read_moment(content.decode(encoding, "replace"), zone=zone)


def _judged(submission: Any, moment: Moment | None, rules: LateRules, penalty: Any, free: int) -> tuple[Late, int]:
    """What is late of a submission, and how many of the student's free days that takes."""
    due: datetime | None = submission.duedate if submission.assignment.duedate is not None else None
    if moment is None:  # nbgrader may know it from elsewhere
        known = [submission.timestamp] if submission.timestamp is not None else []
    else:
        known = [bound.replace(tzinfo=None) for bound in moment.bounds]
        _set(submission, "timestamp", known[0] if known else None)
    if due is None:
        return Late(), 0
    earned, possible = submission.score, submission.max_score
    outcomes = set()
    for time in known:
        seconds = max(0.0, (time - due).total_seconds())
        if penalty is None:
            outcomes.add((seconds > 0, *rules.cost(seconds, earned, possible, free)))
        else:
            outcomes.add((seconds > 0, penalty(submission, seconds) if seconds else 0.0, 0))
    if len(outcomes) > 1 or (moment is not None and not known):
        _set(submission, "timestamp", None)
        assert moment is not None
        return Late(doubt=_doubt(moment)), 0
    if not outcomes or not (outcome := outcomes.pop())[0]:
        return Late(), 0
    _, cost, taken = outcome
    seconds = (known[0] - due).total_seconds()
    if penalty is None:
        return Late(seconds, cost, rules.said(seconds, cost, taken, free - taken)), taken
    said = f"Handed in {_length(seconds)} after the due date: {cost:.3g} point{'s' * (cost != 1)} less."
    return Late(seconds, cost, said), 0


def _doubt(moment: Moment) -> str:
    text = moment.text if len(moment.text) <= 40 else f"{moment.text[:40]}…"
    if not moment.readings:
        return f"timestamp.txt says {text!r}, which is no time that can be read: it does not count as late."
    first, last = moment.bounds[0], moment.bounds[-1]
    return (
        f"timestamp.txt says {text!r}, which may mean {first:%Y-%m-%d %H:%M} to {last:%Y-%m-%d %H:%M} UTC: it does not "
        f"count as late. Write it as {first:%Y-%m-%d %H:%M:%S} UTC."
    )


def _spread(submission: Any, cost: float) -> None:
    """Take points from the notebooks of a submission, one after the other; nbgrader keeps it so."""
    for notebook in submission.notebooks if cost or submission.late_submission_penalty else ():
        part = min(cost, notebook.score)
        cost -= part
        _set(notebook, "late_submission_penalty", round(part, 6) or None)


def _set(thing: Any, name: str, value: Any) -> None:
    if getattr(thing, name) != value:
        setattr(thing, name, value)


def _length(seconds: float) -> str:
    """As a person says it."""
    days, rest = divmod(round(seconds), _DAY)
    hours, rest = divmod(rest, _HOUR)
    minutes = rest // _MINUTE
    counts = [(days, "day"), (hours, "hour"), (minutes, "minute")]
    parts = [f"{count} {what}{'s' * (count != 1)}" for count, what in counts if count][:2]
    return " ".join(parts) or f"{seconds:.0f} seconds"
