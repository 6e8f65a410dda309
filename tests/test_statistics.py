"""What marks say about an assignment: numbers that can be computed by hand, and the page."""

import json
from pathlib import Path

import pytest
from demo_course import SHOUT, SQUARE, answered, make_course

from tl_course.grading.batch.history import remember, runs
from tl_course.grading.pages.item_statistics import Change, changes, common, items, nameless, totals

OF = {"a": 2.0, "b": 4.0, "c": 3.0}


def class_of(n: int) -> dict[str, dict[str, float | None]]:
    """Every other student has all of a and half of b, the rest the other way round; nobody has a mark of c."""
    return {f"s{k}": {"a": 2.0 * (k % 2), "b": 4.0 - 2.0 * (k % 2), "c": None} for k in range(n)}


def test_difficulty_discrimination_and_counts_by_hand() -> None:
    marks = class_of(10)
    a, b, c = items(marks, OF)
    assert (a.difficulty, a.full, a.none, a.missing) == (0.5, 5, 5, 0)
    assert (b.difficulty, b.full, b.none) == (0.75, 5, 0)
    assert a.discrimination == pytest.approx(-1) and b.discrimination == pytest.approx(-1)
    assert (c.difficulty, c.discrimination, c.missing) == (None, None, 10)
    shares, incomplete = totals(marks, OF)
    assert sorted(shares) == pytest.approx([4 / 6] * 10) and incomplete == 0, "of the six points that have marks"

    marks["s0"]["c"] = 3.0  # one of ten has a mark: the others have none yet
    shares, incomplete = totals(marks, OF)
    assert shares == pytest.approx([7 / 9]) and incomplete == 9
    assert items(marks, OF)[0].discrimination is None, "one student is no correlation"
    assert (
        items({f"s{k}": {"a": 1.0, "b": float(k % 3)} for k in range(12)}, {"a": 2.0, "b": 2.0})[0].discrimination
        is None
    )


def test_discrimination_leaves_the_question_itself_out() -> None:
    """Item-total correlations of three unrelated questions are about .58; item-rest ones are 0."""
    marks = {f"s{k}": {"a": float(k & 1), "b": float(k >> 1 & 1), "c": float(k >> 2 & 1)} for k in range(16)}
    assert [item.discrimination for item in items(marks, dict.fromkeys("abc", 1.0))] == pytest.approx([0, 0, 0])


def test_what_changed_and_what_was_said_most() -> None:
    before = {"ada": {"a": 1.0, "b": None}, "bob": {"a": 2.0}}
    now = {"ada": {"a": 2.0, "b": None, "c": 0.0}, "bob": {"a": 2.0}, "eve": {"a": 0.0}}
    assert changes(before, now) == [Change("ada", "a", 1.0, 2.0), Change("ada", "c", None, 0.0)]
    said = [
        "got 3, not 4",
        "got 7, not 4",
        "NameError: name 'x' is not defined",
        "NameError: name 'y' is not defined",
        "-",
    ]
    assert common(said, most=2) == [("got 3, not 4", 2), ("NameError: name 'x' is not defined", 2)]


def test_answers_are_the_same_whatever_their_names_and_comments() -> None:
    one = "def f(x):\n    total = x * x  # square\n    return total"
    other = "def f(value):\n\n    y = value*value\n    return (y)"
    assert nameless(one) == nameless(other) != nameless(one.replace("* x", "+ x"))
    assert nameless("def f(:\n  1") == nameless("def f(:  1")


def test_history_knows_each_run_also_after_a_line_that_was_cut_off(tmp_path: Path) -> None:
    def submission(student: str, points: float) -> dict[str, object]:
        return {"student": student, "marks": {"a": points}, "of": {"a": 2.0}}

    remember(tmp_path, [submission("ada", 1.0)])
    remember(tmp_path, [submission("ada", 1.0)])  # nothing new
    with (tmp_path / "history.jsonl").open("a") as file:
        file.write('{"at": "2026-')
    remember(tmp_path, [submission("ada", 2.0), submission("bob", 0.0)])
    first, last = runs(tmp_path)
    assert first.marks == {"ada": {"a": 1.0}} and last.marks == {"ada": {"a": 2.0}, "bob": {"a": 0.0}}
    assert changes(first.marks, last.marks) == [Change("ada", "a", 1.0, 2.0)]


@pytest.mark.slow
def test_the_page_shows_what_went_wrong_and_runs_nothing(tmp_path: Path) -> None:
    pytest.importorskip("nbgrader")
    import nbformat
    from nbformat.v4 import new_output

    from tl_course.grading.batch.records import Records
    from tl_course.grading.pages.statistics import report

    course = make_course(tmp_path / "course")
    bad = "def square(x):\n    return 'x' # <script>alert(1)</script>"
    with Records(course, "demo") as records:
        for number, student in enumerate(("ada", "bob", "<b>eve")):
            notebook = answered(course, square=bad if number else SQUARE, shout=SHOUT)
            for cell in notebook.cells:
                if cell.metadata.get("nbgrader", {}).get("grade_id") == "square_right" and number:
                    evalue = f"<img src=x> {number}"
                    cell.outputs = [new_output("error", ename="AssertionError", evalue=evalue, traceback=[])]
            made = tmp_path / "made" / str(number)
            made.mkdir(parents=True)
            nbformat.write(notebook, made / "demo.ipynb")
            scores = {"square_right": 0.0 if number else 2.0, "shout_right": 3.0, "why": None}
            notebooks = {"demo": {"scores": scores, "comments": {}}}
            graded = {"student": student, "status": "graded", "notebooks": notebooks}
            records.enter(graded, made)
    path, numbers = report("demo", course=course)
    assert json.loads(json.dumps(numbers))["questions"][0]["difficulty"] == pytest.approx(1 / 3)
    assert [item["missing"] for item in numbers["questions"]] == [0, 0, 3] and numbers["incomplete"] == 0
    text = path.read_text("utf-8")
    assert "Nobody has a mark yet of why, whose points are not counted." in text
    assert "AssertionError: &lt;img src=x&gt; 2" in text and "2 answers without all points" in text
    assert "return &#39;x&#39; # &lt;script&gt;" in text and "2 students" in text
    assert "<script" not in text and "<img" not in text and "<b>" not in text
