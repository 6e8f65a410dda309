"""When something was handed in, read for certain or not at all, and what being late costs."""

from pathlib import Path
from typing import Any

import pytest
from demo_course import make_course
from traitlets.config import Config

pytest.importorskip("nbgrader")
from tl_course.errors import GradingError
from tl_course.grading.submissions.late import LateRules, settle, without_late_rules
from tl_course.grading.submissions.timestamps import read_moment

HALF_PAST_TEN = "2026-10-01T10:30:00+00:00"
CERTAIN = [
    "2026-10-01 10:30:00.000000 UTC",  # as nbgrader's exchange writes it
    "2026-10-01 12:30:00 CEST",
    "2026-10-01 12:30:00 MESZ",
    "2026-10-01 12:30:00 +0200",
    "2026-10-01 12:30:00+02:00",
    "2026-10-01T10:30:00Z",
    "2026-10-01 03:30:00 PDT",
    "2026-10-01 12:30:00 Europe/Berlin",
    "2026-10-01 10:30",  # without a zone nbgrader means UTC
    "01.10.2026 12:30 CEST",
    "1.10.2026, 12.30 Uhr MESZ",
    "2026/10/01 10:30:00 GMT",
    "Thu Oct  1 12:30:00 CEST 2026",
    "Thu, 01 Oct 2026 12:30:00 +0200",
    "Thu Oct 01 2026 12:30:00 GMT+0200 (Central European Summer Time)",
    "October 1, 2026 at 10:30 a.m. UTC",
    "Donnerstag, 1. Oktober 2026 12:30 MESZ",
    "jeudi 1er octobre 2026 à 12h30 CEST",
    "1 października 2026 12:30 CEST",
    "2026年10月1日 19:30:00 JST",
    "20261001T103000Z",
    "1790850600",
    "1790850600000",
]
SEVERAL = {  # the earliest and the latest that it may mean
    "01/12/2026 12:30 UTC": ("2026-01-12T12:30", "2026-12-01T12:30"),
    "01-12-2026 12:30 UTC": ("2026-01-12T12:30", "2026-12-01T12:30"),
    "01.12.2026 12:30": ("2026-11-30T22:30", "2026-12-02T00:30"),  # in whichever zone
    "2026-10-01 12:30:00 EST": ("2026-10-01T02:30", "2026-10-01T17:30"),
    "2026-10-01 12:30:00 IST": ("2026-10-01T07:00", "2026-10-01T11:30"),
    "2026-10-25 02:30:00 Europe/Berlin": ("2026-10-25T00:30", "2026-10-25T01:30"),  # clocks are put back
    "2026-10-01": ("2026-09-30T10:00", "2026-10-02T12:00"),
    "1. listopad 2026 12:30 CET": ("2026-10-01T11:30", "2026-11-01T11:30"),  # October in Croatia, November in Prague
}
# fmt: off
UNREADABLE = ["", "yesterday", "12:30", "2026-13-01 12:30", "2026-10-01 12:30 XYZ", "2026-10-01 13:30 PM UTC",
              "2026-10-01 12:30 13:30", "2026-10-01_12-30-00", "3026-10-01 12:30 UTC", "1", "9" * 500, "1:" * 60]
# fmt: on


@pytest.mark.parametrize("text", CERTAIN)
def test_what_can_be_meant_in_one_way_is_read(text: str) -> None:
    certain = read_moment(text).certain
    assert certain is not None and certain.isoformat() == HALF_PAST_TEN


@pytest.mark.parametrize("text", SEVERAL)
def test_what_can_be_meant_in_several_ways_is_not_guessed(text: str) -> None:
    moment = read_moment(text)
    assert moment.certain is None
    assert (moment.bounds[0].isoformat()[:16], moment.bounds[-1].isoformat()[:16]) == SEVERAL[text]


@pytest.mark.parametrize("text", UNREADABLE)
def test_what_is_no_time_is_none(text: str) -> None:
    assert read_moment(text).readings == ()


def test_the_zone_of_the_course_decides_where_a_text_does_not() -> None:
    assert str(read_moment("01.12.2026 12:30", zone="Europe/Berlin").certain) == "2026-12-01 11:30:00+00:00"
    assert str(read_moment("2026-12-01 12:30 EST", zone="America/New_York").certain) == "2026-12-01 17:30:00+00:00"


@pytest.mark.parametrize(
    ("rules", "hours", "cost", "taken"),
    [
        ({}, 5, 0, 0),
        ({"percent_per_day": 10}, 5, 0.8, 0),
        ({"percent_per_day": 10}, 24.1, 1.6, 0),
        ({"percent_per_day": 10, "percent_of": "possible"}, 5, 1, 0),
        ({"percent_per_day": 10, "most_percent": 50}, 24 * 30, 4, 0),
        ({"percent_per_hour": 1, "grace_minutes": 15}, 0.25, 0, 0),
        ({"percent_per_hour": 1, "grace_minutes": 15}, 0.26, 0.08, 0),
        ({"points_per_day": 3}, 49, 8, 0),
        ({"points_per_hour": 0.5}, 3, 1.5, 0),
        ({"percent_per_day": 10, "free_days": 3}, 47, 0, 2),
        ({"percent_per_day": 10, "free_days": 3}, 24 * 5, 1.6, 3),
        ({"percent_per_day": 10, "free_days": 3, "closed_after_hours": 48}, 49, 8, 0),
    ],
)
def test_what_being_late_costs_of_eight_points_out_of_ten(
    rules: dict[str, Any], hours: float, cost: float, taken: int
) -> None:
    course = LateRules(config=Config(LateRules=rules))
    assert course.cost(hours * 3600, 8, 10, course.free_days) == (pytest.approx(cost), taken)
    assert course.said(hours * 3600, cost, taken, 0).startswith("Handed in ")


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two assignments in the gradebook, with submissions of five points that nobody has run."""
    from tl_course.grading.gradebook import open_gradebook

    folder = make_course(tmp_path_factory.mktemp("late"))
    with open_gradebook(folder) as gradebook:
        gradebook.update_or_create_assignment("demo", duedate="2026-10-01 12:00:00")
        for name in ("cest", "offset", "german", "late", "slashes", "odd", "none"):
            gradebook.update_or_create_student(name)
            submission = gradebook.update_or_create_submission("demo", name)
            for grade in submission.notebooks[0].grades:
                grade.auto_score = grade.max_score if grade.cell.cell_type == "code" else 0
        gradebook.db.commit()
    return folder


STAMPS = {
    "cest": "2026-10-01 12:30:00 CEST", "offset": "2026-10-01 12:30:00 +0200", "german": "01.12.2026 12:30",
    "late": "2026-10-01 13:30:00 UTC", "slashes": "01/12/2026 12:30 UTC", "odd": "yesterday",
}  # fmt: skip


def settled(course: Path, rules: str, stamps: dict[str, str] = STAMPS) -> dict[str, tuple[float, bool]]:
    """What each one's being late costs by these rules, and whether a person should have a look."""
    (course / "nbgrader_config.py").write_text(f"c = get_config()\nc.CourseDirectory.course_id = 'demo'\n{rules}")
    for student, text in stamps.items():
        path = course / "submitted" / student / "demo" / "timestamp.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return {student: (late.cost, bool(late.doubt)) for student, late in settle(course)["demo"].items()}


def test_the_gradebook_holds_what_the_rules_say_and_a_person_what_they_cannot(course: Path) -> None:
    in_time, asked = (0.0, False), (0.0, True)
    plugin = "c.LateSubmissionPlugin.penalty_method = 'zero'"
    due = {"cest": in_time, "offset": in_time, "late": (5.0, False), "german": (5.0, False), "odd": asked,
           "slashes": asked, "none": in_time}  # fmt: skip
    assert settled(course, plugin) == due, "nbgrader's own plugin keeps working, all of December is late"
    assert settled(course, "c.LateRules.percent_per_day = 10") == due | {"late": (0.5, False)}
    free = settled(course, "c.LateRules.percent_per_day = 10\nc.LateRules.free_days = 1")
    assert free["late"] == in_time and free["german"] == (5.0, False)
    moved = "c.LateRules.percent_per_day = 10\nc.LateRules.due = {'demo': '2027-10-01 12:00 UTC'}"
    assert settled(course, moved) == dict.fromkeys(due, in_time) | {"odd": asked}
    assert without_late_rules("x = 1\nc.LateRules.grace_minutes = 5") == without_late_rules("x = 1  # as it was")
    assert without_late_rules("x = 1\nc.LateRules.due = {}") == without_late_rules("x  =  1")


def test_days_to_spare_are_used_by_what_was_due_first(course: Path) -> None:
    from tl_course.grading.gradebook import open_gradebook

    with open_gradebook(course) as gradebook:
        assignment = gradebook.update_or_create_assignment("a_later_one", duedate="2026-11-01 12:00:00")
        gradebook.update_or_create_submission("a_later_one", "late", timestamp="2026-11-01 13:00:00")
        assert assignment.name < "demo"
    rules = (
        "c.LateRules.points_per_day = 1\nc.LateRules.free_days = 1\nc.LateRules.due = {'demo': '2026-10-01 12:00 UTC'}"
    )
    settled(course, rules)
    found = settle(course)
    assert "1 of the days to spare were used" in found["demo"]["late"].said
    assert "to spare" not in found["a_later_one"]["late"].said


@pytest.mark.parametrize(
    ("rules", "said"),
    [
        ("c.LateRules.percent_a_day = 10", "no percent_a_day"),
        ("c.LateRules.percent_per_day = 'ten'", "cannot be understood"),
        ("c.LateRules.percent_per_day = 10\nc.LateSubmissionPlugin.penalty_method = 'zero'", "twice"),
        ("c.LateRules.time_zone = 'Berlin'", "no 'Berlin'"),
        ("c.LateRules.due = {'demo': '01/12/2026'}", "may mean several times"),
        ("c.AssignLatePenalties.plugin_class = 'nowhere.Plugin'", "cannot be used"),
    ],
)
def test_rules_that_cannot_be_meant_are_said_in_a_sentence(rules: str, said: str, course: Path) -> None:
    with pytest.raises(GradingError, match=said):
        settled(course, rules)
