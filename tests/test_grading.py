"""Grading: what is mended before, what a mark is, and that a batch can be ended at any moment."""

import io
import json
import multiprocessing
import os
import random
import re
import shutil
import time
from contextlib import redirect_stderr, redirect_stdout
from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import pytest
from demo_course import SHOUT, SQUARE, WHY, answered, cell_of, hand_in, make_course, released_notebook, source_notebook
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_output

pytest.importorskip("nbgrader")
from tl_course.cli import main
from tl_course.errors import GradingError, TLCourseWarning
from tl_course.grading.batch.marks import mark
from tl_course.grading.notes import NOTES
from tl_course.grading.sandbox.sandbox import pick_isolation
from tl_course.grading.similarity import alike
from tl_course.grading.submissions.repair import Rejected, examine, mend

GRADED_CELLS = ("square", "square_right", "shout", "shout_right", "why")
isolated = pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")


# --- what is mended ---------------------------------------------------------------------------------------------------


@pytest.fixture
def release() -> NotebookNode:
    return released_notebook()


@pytest.fixture
def answer(release: NotebookNode) -> NotebookNode:
    notebook = deepcopy(release)
    for name, source in {"square": SQUARE, "shout": SHOUT, "why": WHY}.items():
        notebook.cells[cell_of(notebook, name)].source = source
    return notebook


def sources(notebook: NotebookNode) -> dict[str, str]:
    return {name: notebook.cells[cell_of(notebook, name)].source for name in GRADED_CELLS}


def test_what_is_in_order_is_left_alone(release: NotebookNode, answer: NotebookNode) -> None:
    examined = mend(answer, release)
    assert [cell.source for cell in examined.notebook.cells] == [cell.source for cell in answer.cells]
    assert examined.mended == examined.look == []


def test_a_notebook_without_metadata_gets_it_back(release: NotebookNode, answer: NotebookNode) -> None:
    """As Colab leaves it. The answers are found by likeness or by their place between the tests."""
    bare = deepcopy(answer)
    for cell in bare.cells:
        cell.metadata = NotebookNode()
    bare.metadata = NotebookNode()
    examined = mend(bare, release)
    assert sources(examined.notebook) == sources(answer)
    assert examined.notebook.metadata.kernelspec.name == "python3"
    assert examined.look, "a person should see that it was guessed"


def test_cells_of_ones_own_stay_and_run_in_their_place(release: NotebookNode, answer: NotebookNode) -> None:
    changed = deepcopy(answer)
    changed.cells.insert(cell_of(changed, "shout"), new_code_cell("helper = 1"))
    examined = mend(changed, release)
    assert sources(examined.notebook) == sources(answer)
    assert [cell.source for cell in examined.notebook.cells].index("helper = 1") == cell_of(changed, "shout") - 1


def test_of_an_answer_that_is_there_twice_the_written_one_counts(release: NotebookNode, answer: NotebookNode) -> None:
    doubled = deepcopy(answer)
    doubled.cells.append(deepcopy(release.cells[cell_of(release, "square")]))
    examined = mend(doubled, release)
    assert sources(examined.notebook) == sources(answer)
    assert "2 times" in examined.look[0]


def test_tests_are_as_they_were_handed_out(release: NotebookNode, answer: NotebookNode) -> None:
    changed = deepcopy(answer)
    changed.cells[cell_of(changed, "square_right")].source = "pass"
    changed.cells[cell_of(changed, "square_right")].metadata.nbgrader.points = 50
    del changed.cells[cell_of(changed, "shout_right")]
    examined = mend(changed, release)
    assert sources(examined.notebook) == sources(answer)
    assert cell_of(examined.notebook, "shout") < cell_of(examined.notebook, "shout_right")
    assert examined.notebook.cells[cell_of(examined.notebook, "square_right")].metadata.nbgrader.points == 2
    assert len(examined.mended) == 1 and "shout_right was missing" in examined.look[0]


def test_a_file_of_another_name_is_found_and_two_are_too_many(
    release: NotebookNode, answer: NotebookNode, tmp_path: Path
) -> None:
    (tmp_path / "demo (1).ipynb").write_text("\ufeff" + json.dumps(answer), "utf-8")
    assert "demo (1).ipynb" in examine(tmp_path, release, "demo").mended[0]
    answer.cells[cell_of(answer, "why")].source += " Or not."
    (tmp_path / "demo-old.ipynb").write_text(json.dumps(answer))
    with pytest.raises(
        Rejected, match=r"There is no demo\.ipynb \(notebooks there: demo \(1\)\.ipynb, demo-old\.ipynb\)"
    ):
        examine(tmp_path, release, "demo")


def test_what_no_file_can_hold_and_what_takes_for_ever_is_no_trouble(release: NotebookNode, tmp_path: Path) -> None:
    broken = json.loads(json.dumps(release))
    broken["cells"][cell_of(release, "why")]["source"] = "half a \ud83d face"
    (tmp_path / "demo.ipynb").write_text(json.dumps(broken))
    assert "half a ? face" in sources(examine(tmp_path, release, "demo").notebook)["why"]
    broken["cells"] *= 200
    (tmp_path / "demo.ipynb").write_text(json.dumps(broken))
    with pytest.raises(Rejected, match="at most 1,000"):
        examine(tmp_path, release, "demo")


def test_a_notebook_of_a_gigabyte_is_not_even_read(release: NotebookNode, tmp_path: Path) -> None:
    with (tmp_path / "demo.ipynb").open("wb") as file:
        file.truncate(1_000_000_000)
    with pytest.raises(Rejected, match=r"1,000 MB.*all outputs cleared"):
        examine(tmp_path, release, "demo")


# --- what a mark is ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "status", "points", "why"),
    [
        (None, "ok", 3.0, ""),
        (1.5, "ok", 1.5, ""),
        (0.0, "ok", 0.0, ""),
        (-1.0, "ok", None, "not between 0 and 3"),
        (4.0, "ok", None, "not between 0 and 3"),
        ({"kind": "float", "text": "nan"}, "ok", None, "nan (float), which is no number"),
        ({"kind": "str", "text": "'all right'"}, "ok", None, "no number"),
        (3.0, "error", 0.0, ""),
        (None, "not run", None, "given up"),
    ],
)
def test_what_a_test_cell_is_worth(last: Any, status: str, points: float | None, why: str) -> None:
    """By what the kernel's own code took; what the cell shows or prints changes nothing."""
    notes = {"status": status} | ({"why": "It was given up."} if status == "not run" else {})
    cell = new_code_cell("", metadata={"nbgrader": {"points": 3, "grade": True}, NOTES: notes})
    if last is not None:
        cell.metadata[NOTES]["value"] = last
    cell.outputs = [new_output("execute_result", data={"text/plain": "2"}), new_output("stream", text="UserWarning")]
    given = mark(cell)
    assert given.points == points and why in given.why


# --- answers that are alike ---


ODD = """def mistakes(predictions, labels):
    wrong = {}
    for k, guess in enumerate(predictions):
        truth = labels.get(guess.file_name)
        if truth is not None and truth != guess.label:
            wrong[k] = guess.confidence * 100
    return [predictions[k] for k in sorted(wrong, key=wrong.get)][::-1]"""
USUAL = (
    "def mistakes(predictions, labels):\n    return [one for one in predictions if one.label != labels[one.file_name]]"
)


def test_who_copied_is_found_under_other_names_and_who_answered_as_one_does_is_not() -> None:
    given = {f"s{number:02}": {"q": USUAL.replace("one", random.Random(number).choice("abc"))} for number in range(30)}
    renamed = ODD.replace("wrong", "w").replace("guess", "p").replace("truth", "t")
    given |= {"ada": {"q": ODD}, "bob": {"q": renamed}}
    (pair,) = alike(given)
    assert (pair.first, pair.second) == ("ada", "bob") and pair.likeness > 0.5
    assert pair.cells == {"q": (ODD, renamed)}
    assert alike({}) == alike({"ada": {}, "bob": {}}) == []


# --- whole batches ----------------------------------------------------------------------------------------------------


def fill(course: Path, n: int) -> None:
    """Submissions, full, partial and empty."""
    shouts = (SHOUT, "def shout(text):\n    return 'A'", "def shout(text):\n    return 1 / 0", "shout = str.upper")
    for number in range(n):
        answers = {"shout": shouts[number % 4]} | ({"square": SQUARE} if number % 3 else {})
        hand_in(course, f"s{number:02}", answered(course, **answers))


def due(number: int) -> dict[str, float]:
    return {"square_right": 2.0 if number % 3 else 0.0, "shout_right": (3.0, 1.0, 0.0, 3.0)[number % 4], "why": 0.0}


class Done(NamedTuple):
    """What a command came to."""

    returncode: int
    stdout: str
    stderr: str


def command(course: Path, *words: str) -> Done:
    """A command in this process, which has imported all that it needs; a traceback would end the test."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main([*words, "--course", str(course), "--json"])
    return Done(code, out.getvalue(), err.getvalue())


@pytest.fixture
def course(tmp_path: Path) -> Path:
    return make_course(tmp_path / "course")


@pytest.mark.slow
@isolated
def test_killed_ten_times_and_run_again_all_marks_are_there_and_right(course: Path) -> None:
    fill(course, 40)
    moments = random.Random(0)
    imported = multiprocessing.get_context("forkserver")  # so that the ten do not import all of it one after the other
    imported.set_forkserver_preload(["tl_course.cli.grading", "tl_course.grading.batch.run", "nbgrader.apps"])
    records, counts = course / "reports" / "demo" / "students", []
    for number in range(10):
        words = ["grade", "demo", "--course", str(course), "--jobs", str(1 + number % 2), "--json"]
        running = imported.Process(target=main, args=(words,))
        running.start()
        if number % 2:  # in the middle of the batch; otherwise soon after the start, before it, or between the two
            enough = len(list(records.glob("*.json"))) + moments.randint(1, 6)
            while running.is_alive() and len(list(records.glob("*.json"))) < enough:
                time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.5 if number % 2 else 2))
        running.kill()
        running.join()
        counts.append(len(list(records.glob("*.json"))))
    assert len({n for n in counts if 0 < n < 40}) > 2, f"killed in the middle of the batch, again and again: {counts}"
    done = command(course, "grade", "demo")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert [one["marks"] for one in report["submissions"]] == [due(number) for number in range(40)]
    rows = json.loads(command(course, "grades").stdout)["grades"]
    assert [row["score"] for row in rows] == [sum(due(number).values()) for number in range(40)]


@pytest.mark.slow
@isolated
def test_only_what_changed_is_graded_again(course: Path) -> None:
    fill(course, 3)
    assert json.loads(command(course, "grade", "demo", "--jobs", "1").stdout)["graded"] == ["s00", "s01", "s02"]
    assert json.loads(command(course, "grade", "demo").stdout)["graded"] == []
    hand_in(course, "s00", answered(course, square=SQUARE, shout=SHOUT))
    again = json.loads(command(course, "grade", "demo").stdout)
    assert again["graded"] == ["s00"]
    assert again["submissions"][0]["marks"] == {"square_right": 2.0, "shout_right": 3.0, "why": 0.0}
    page = (Path(again["report"]) / "report.html").read_text("utf-8")
    assert "in bubblewrap" in page and page.count("<tr>") == 4


@pytest.mark.slow
def test_without_isolation_it_grades_alike_and_says_so_loudly(course: Path) -> None:
    from tl_course.grading.batch.run import grade

    fill(course, 2)
    with pytest.warns(TLCourseWarning, match="WITHOUT isolation"):
        batch = grade("demo", course=course, isolation="none", jobs=1)
    assert [one["marks"] for one in batch.submissions] == [due(0), due(1)]
    assert "WITHOUT" in (batch.folder / "report.html").read_text("utf-8")


@pytest.mark.slow
@isolated
def test_how_a_student_likes_to_work_costs_nothing(course: Path) -> None:
    """All values of a cell shown, processes that share memory as a DataLoader's workers do, and a name taken twice."""
    path = course / "source" / "demo" / "demo.ipynb"
    notebook = source_notebook()
    about = {"grade_id": "setup", "locked": True, "grade": False, "solution": False, "task": False, "schema_version": 3}
    notebook.cells.insert(1, new_code_cell("due = {2: 4}", metadata={"nbgrader": about}))
    notebook.cells[cell_of(notebook, "square_right")].source += "\nassert due == {2: 4}"
    nbformat.write(notebook, path)
    assert command(course, "assign", "demo").returncode == 0
    habit = (
        "get_ipython().ast_node_interactivity = 'all'\nfrom multiprocessing import shared_memory\ndue = 'tomorrow'\n"
    )
    shares = "assert due == 'tomorrow'\ndef shout(text):\n"
    shares += "    shared_memory.SharedMemory(create=True, size=100).unlink()\n    return text.upper()"
    hand_in(course, "ada", answered(course, square=habit + SQUARE, shout=shares))
    (submission,) = json.loads(command(course, "grade", "demo").stdout)["submissions"]
    assert submission["marks"] == {"square_right": 2.0, "shout_right": 3.0, "why": 0.0}
    assert submission["look"] == [], "what it does with names of the tests' is nothing that these see"


@pytest.mark.slow
@isolated
def test_the_solution_is_rehearsed_and_what_it_made_is_shared(course: Path) -> None:
    """An assignment of the course itself: its solution runs first, and each student's pictures are their own."""
    path = course / "source" / "demo" / "demo.ipynb"
    notebook = source_notebook("from tl_course.core.files import cache_dir\n"
                               "from tl_course.exercises.variants import student_id\n"
                               "STUDENT = ''\nkept = cache_dir('rehearsed')\n"
                               "shared = [path.name for path in kept.iterdir()]\n"
                               "(kept / student_id(STUDENT)).touch()")  # fmt: skip
    test = notebook.cells[cell_of(notebook, "square_right")]
    test.source += "\nassert shared == ['solution'] or (not shared and student_id(STUDENT) == 'solution')"
    test.source += "\nassert [path.name for path in cache_dir('rehearsed').iterdir()] == ['solution'], 'for tests too'"
    nbformat.write(notebook, path)
    assert command(course, "assign", "demo").returncode == 0
    for student in ("ada", "bob"):
        handed_in = answered(course, square=SQUARE, shout=SHOUT)
        handed_in.cells[1].source = handed_in.cells[1].source.replace("STUDENT = ''", "STUDENT = 'ada'")
        hand_in(course, student, handed_in)
    ada, bob = json.loads(command(course, "grade", "demo", "--jobs", "1").stdout)["submissions"]
    assert ada["marks"]["square_right"] == bob["marks"]["square_right"] == 2.0
    assert not ada["look"] and "STUDENT = 'ada'" in bob["look"][0]

    test.source += "\nassert square(3) == 10, 'ten'"
    nbformat.write(notebook, path)
    command(course, "assign", "demo")
    failed = command(course, "grade", "demo")
    assert failed.returncode == 1 and "square_right: ten" in failed.stderr, "what the solution fails, nobody can pass"


@pytest.mark.slow
@isolated
def test_a_page_for_each_student_and_a_table_for_the_office(course: Path) -> None:
    folder = hand_in(course, "ada", answered(course, square=SQUARE, shout=SHOUT, why=WHY))
    beside = {"timestamp.txt": "2026-10-02 13:30:00 CEST", "submission_secret.txt": "for nbgrader's exchange"}
    for name, text in beside.items():
        (folder / name).write_text(text)
    with (course / "nbgrader_config.py").open("a") as file:
        file.write("c.LateRules.due = {'demo': '01.10.2026 12:00 UTC'}\nc.LateRules.percent_per_day = 10\n")
    (submission,) = json.loads(command(course, "grade", "demo").stdout)["submissions"]
    late = "Handed in 23 hours 30 minutes after the due date: 0.5 points less"
    late += " (10% of what was earned for each day begun)."
    assert submission["status"] == "graded" and submission["late"]["said"] == late
    rows = json.loads(command(course, "grades", "--csv", str(course / "marks.csv")).stdout)["grades"]
    expected: dict[str, Any] = {"student": "ada", "assignment": "demo", "score": None, "max_score": 9.0}
    assert rows == [expected | {"missing": "why", "late_penalty": 0.5, "late": late}]
    assert (course / "marks.csv").read_text().splitlines()[1] == f"ada,demo,,9.0,why,0.5,{late}"
    (page,) = json.loads(command(course, "feedback", "demo").stdout)["pages"]
    text = Path(page).read_text("utf-8")
    assert "Points: 2 of 2" in text and "Points: 3 of 3" in text and "Points: 4, still to be marked" in text
    table = [re.sub(r"<.*?>|\s+", " ", row).split() for row in re.findall(r"<tr>(.*?)</tr>", text, re.DOTALL)]
    assert [row[:4] for row in table] == [
        ["question", "points"], ["square_right", "2", "of", "2"], ["shout_right", "3", "of", "3"],
        ["why", "4,", "still", "to"],
    ]  # fmt: skip
    assert "swordfish" not in text.lower() and late in text and "0.5 less for being late" in text
    assert {path.name: path.read_text() for path in Path(page).parent.glob("*.txt")} == beside

    with (course / "nbgrader_config.py").open("a") as file:
        file.write("c.LateRules.due = {'demo': '03.10.2026 12:00 UTC'}\n")
    (course / "reports" / "demo" / "report.html").unlink()
    (course / "reports" / "demo" / "report.html").mkdir()  # so that no file can take its place, as on a full disk
    failed = command(course, "grade", "demo")
    assert failed.returncode == 1 and "report.html could not be written" in failed.stderr
    (course / "reports" / "demo" / "report.html").rmdir()
    moved = json.loads(command(course, "grade", "demo").stdout)
    assert moved["graded"] == [] and moved["submissions"][0]["late"]["said"] == "", "a due date needs no new run"
    assert json.loads(command(course, "grades").stdout)["grades"][0]["late_penalty"] == 0


@pytest.mark.slow
def test_what_is_not_there_is_said(course: Path) -> None:
    from tl_course.grading.batch.run import grade
    from tl_course.grading.course import assign, feedback

    with pytest.raises(GradingError, match=r"Assignments there: demo\."):
        assign("demmo", course=course)
    for name in ("hw+1", "hw [1]", " hw", "..", "h\x1bw", "a" * 200):
        with pytest.raises(GradingError, match="nbgrader takes no assignment whose name"):
            assign(name, course=course)
    with pytest.raises(GradingError, match="run `tl-course assign ps9` first"):
        grade("ps9", course=course)
    later = time.time() + 60
    os.utime(course / "source" / "demo" / "demo.ipynb", (later, later))  # as files have it that were copied
    with pytest.raises(GradingError, match="Nothing was handed in"):
        grade("demo", course=course)
    with pytest.raises(GradingError, match="Nothing of demo has been graded"):
        feedback("demo", course=course)
    with pytest.raises(GradingError, match="choose auto, bwrap, container, none"):
        pick_isolation("hope")
    (course / "gradebook.db").unlink()
    with pytest.raises(GradingError, match="does not know demo: run `tl-course assign demo` first"):
        grade("demo", course=course)
    path = course / "source" / "demo" / "demo.ipynb"
    notebook = nbformat.read(path, 4)
    notebook.cells[-1].source += "\n### BEGIN MARK SCHEME\n![](attachment:model.png)\n### END MARK SCHEME"
    notebook.cells[-1].metadata.nbgrader |= {"task": True, "solution": False, "grade": False, "locked": True}
    nbformat.write(notebook, path)
    with pytest.raises(GradingError, match="Encountered an attachment in a marking scheme") as caught:
        assign("demo", course=course)
    assert "Traceback" not in str(caught.value) and "\n" not in str(caught.value)
    assert [path.name for path in (course / "release").glob("*/*")] == ["demo.ipynb"], "the earlier one is kept"
    with pytest.raises(GradingError, match=r"not made from .* as it is now: run `tl-course assign demo` first"):
        grade("demo", course=course)
