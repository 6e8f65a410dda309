"""The assignments: the solution gets full marks for anyone, other answers what they are worth, a blank nothing.

Other answers are tried in this process, where the solution has run once. The real thing, with nbgrader and a sandbox,
gets the solution, a few of the others, and what was handed out with an attack in one cell.
"""

import functools
import html
import importlib
import re
import shutil
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import nbformat
import pytest
from assignment import MORE, SOURCE, Assignment, hand_in

NAMES = sorted(path.name for path in SOURCE.iterdir())
ANSWERS = {name: importlib.import_module(f"answers.{name}").ANSWERS for name in NAMES}

pytestmark = [
    pytest.mark.slow,  # the first of them draws the pictures
    pytest.mark.filterwarnings("ignore::tl_course.errors.TLCourseWarning"),  # answers may cause them
]


@pytest.fixture(autouse=True)
def ada(drawn_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose work it is, in a folder of its own."""
    monkeypatch.setenv("TL_COURSE_STUDENT", "ada")
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def solve(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Assignment]:
    """Gives an assignment that ada has solved: once for all tests that want it."""

    @functools.cache
    def solved_by_ada(name: str) -> Assignment:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("TL_COURSE_CACHE", str(drawn))
            patch.setenv("TL_COURSE_STUDENT", "ada")
            patch.chdir(tmp_path_factory.mktemp("ada"))
            return Assignment(name)

    return solved_by_ada


@pytest.fixture
def solved(
    request: pytest.FixtureRequest, solve: Callable[[str], Assignment], ada: None, monkeypatch: pytest.MonkeyPatch
) -> Assignment:
    """The assignment with the name that is this fixture's parameter, and the folder that it was solved in."""
    assignment = solve(request.param)
    monkeypatch.chdir(assignment.folder)
    return assignment


@pytest.mark.parametrize("solved", NAMES, indirect=True)
def test_the_solution_gets_all_points_for_anyone(solved: Assignment, monkeypatch: pytest.MonkeyPatch) -> None:
    assert solved.points == pytest.approx(solved.of)
    assert sum(solved.of.values()) == pytest.approx(16)
    monkeypatch.setenv("TL_COURSE_STUDENT", "ben")
    other = Assignment(solved.name)
    assert other.points == pytest.approx(other.of)


@pytest.mark.parametrize(
    ("solved", "cell", "source", "points"),
    [
        pytest.param(name, cell, source, points, id=f"{name}-{cell}-{number}")
        for name, cells in ANSWERS.items()
        for cell, answers in cells.items()
        for number, (source, points) in enumerate(answers)
    ],
    indirect=["solved"],
)
def test_an_answer_gets_what_it_is_worth(solved: Assignment, cell: str, source: str, points: dict[str, float]) -> None:
    assert solved.answered(cell, source) == pytest.approx(points)


@pytest.mark.parametrize("solved", ["ps3_doors"], indirect=True)
def test_what_a_neighbour_found_is_worth_nothing(solved: Assignment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TL_COURSE_STUDENT", "cleo")
    other = Assignment("ps3_doors").names
    monkeypatch.setenv("TL_COURSE_STUDENT", "ada")
    assert solved.answered("edits", f"edits = {other['edits']}") == {"edits_right": 0}
    rule = f"by_rule = None\nmoved = {other['moved']}"
    assert solved.answered("rule", rule)["moved_right"] == 0
    closest = f"agreement_on = None\nclosest = {other['closest']}"
    assert solved.answered("agreement", closest)["closest_right"] == 0


@pytest.mark.parametrize("solved", ["ps3_doors"], indirect=True)
def test_the_guard_of_ps3_goes_home_in_the_morning(solved: Assignment) -> None:
    guard = solved.names["Guard"](solved.names["variant"], visits=2)
    first, second, third = (one.file_name for one in solved.names["ranked"][:3])
    assert guard.measure(first) == guard.measure(first)
    guard.measure(second)
    with pytest.raises(Exception, match="It is morning"):
        guard.measure(third)
    with pytest.raises(Exception, match="knows no picture"):
        guard.measure("nothing.jpg")


@pytest.mark.parametrize("solved", ["ps3_doors"], indirect=True)
def test_what_was_done_in_a_cleaner_can_be_copied_into_the_answer(solved: Assignment, tmp_path: Path) -> None:
    from tl_course.exercises.assignments.ps3_data import edits_so_far

    images = solved.names["variant"].images(tmp_path / "doors")
    one, two, three = images.train[:3]
    images.drop(one)
    images.relabel(two, "open" if two.label == "closed" else "closed")
    images.keep(three)
    images.drop(images.valid[0])
    assert edits_so_far(images) == {one.file_name: "drop", two.file_name: images[two.file_name].label}


# Whoever cannot answer replaces what judges answers: what the questions call, and the questions that the notebook made.
PATCHED = """import sys, types
for name, module in list(sys.modules.items()):
    if name.startswith("tl_course.exercises."):
        for what, value in list(vars(module).items()):
            if isinstance(value, types.FunctionType):
                setattr(module, what, lambda *a, **k: True)
for value in list(globals().values()):
    if type(value).__name__ == "Question":
        value._check = lambda *a: "fine"
"""


# ---- with nbgrader, in a sandbox -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where all of them are handed out."""
    pytest.importorskip("nbgrader")
    from tl_course.grading.course import assign

    folder = tmp_path_factory.mktemp("course")
    shutil.copy(SOURCE.parent / "nbgrader_config.py", folder)
    for name in NAMES:
        shutil.copytree(SOURCE / name, folder / "source" / name)
        assign(name, course=folder)
    return folder


@pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed")
@pytest.mark.parametrize("solved", NAMES, indirect=True)
def test_graded_as_a_class_is(solved: Assignment, course: Path, copy_drawn: Callable[[Path], Path]) -> None:
    """The first other answers, and one who attacks; and what is handed out and sent back tells no hidden test."""
    from tl_course.grading.batch.run import grade
    from tl_course.grading.course import feedback
    from tl_course.notebooks.page import to_html

    name = solved.name
    release = course / "release" / name / f"{name}.ipynb"
    copy_drawn(course / "reports" / name / "cache" / "answers")  # what the rehearsal would make
    others = {cell: answers[0] for cell, answers in ANSWERS[name].items()}
    (written,) = (cell.metadata.nbgrader.grade_id for cell in solved.notebook.cells
                  if cell.cell_type == "markdown" and cell.metadata.get("nbgrader", {}).get("solution"))  # fmt: skip
    hand_in(course, release, "ada", {cell: source for cell, (source, _) in others.items()} | {written: "I think so."})
    hand_in(course, release, "mallory", {next(iter(others)): PATCHED})
    ada, mallory = grade(name, course=course, jobs=1).submissions  # and the solution, or none would be graded
    assert ada["look"] == []
    assert set(mallory["marks"].values()) == {0.0}, "all else is as it was handed out"
    assert "sys.modules" in mallory["look"][0], "that it reached for the questions is told; tests run elsewhere"
    assert ada["marks"].pop(written) is None, "a person reads what is written"
    due = {test: points for _, tests in others.values() for test, points in tests.items()}
    given: dict[str, float] = {}
    for cell, points in ada["marks"].items():
        test = cell.removesuffix(MORE)
        given[test] = given.get(test, 0.0) + points
    assert given == pytest.approx(due)

    pages = [page.read_text("utf-8") for page in feedback(name, course=course)]
    assert all("moreistriedhere" in _words(page) for page in pages)
    secret = _hidden(solved.notebook)
    source = _words(to_html(solved.notebook, title="source"))
    assert all(line in source for line in secret), "so the search below finds what is there"
    for text in [release.read_text("utf-8"), *pages]:
        assert not [line for line in secret if line in _words(text)], "a student could read a hidden test"


def test_without_its_metadata_every_cell_of_a_solution_is_found_again(course: Path) -> None:
    """As Colab leaves it."""
    from tl_course.grading.submissions.repair import mend

    for name in NAMES:
        release = nbformat.read(course / "release" / name / f"{name}.ipynb", 4)
        source = nbformat.read(SOURCE / name / f"{name}.ipynb", 4)
        handed_in = deepcopy(release)
        for cell, solved in zip(handed_in.cells, source.cells, strict=True):
            if cell.metadata.get("nbgrader", {}).get("solution"):
                cell.source = re.sub(r" *### (BEGIN|END) SOLUTION\n?", "", solved.source)
            cell.source = cell.source.replace('STUDENT = ""', 'STUDENT = "ada"')
        due = _marked(handed_in)
        for cell in handed_in.cells:
            cell.metadata = nbformat.NotebookNode()
        assert _marked(mend(handed_in, release).notebook) == due


def _marked(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    cells = [cell for cell in notebook.cells if "nbgrader" in cell.metadata]
    return [(cell.metadata.nbgrader.grade_id, cell.source) for cell in cells]


def _hidden(notebook: nbformat.NotebookNode) -> list[str]:
    """Lines that stand in hidden tests and nowhere else, as `_words` leaves them."""
    inside, outside = [], ""
    for cell in notebook.cells:
        parts = re.split(r"### (?:BEGIN|END) HIDDEN TESTS", cell.source)
        inside += [line.strip() for part in parts[1::2] for line in part.splitlines()]
        outside += "\n".join(parts[::2])
    lines = [
        line for line in inside if len(line) > 20 and line not in outside and not line.startswith(("from", "import"))
    ]
    assert lines
    return [_words(line) for line in lines]


def _words(text: str) -> str:
    """A page or a notebook without tags, entities, escapes and blanks: what a reader, or a search, gets to see."""
    return re.sub(r"[\s\\]+", "", html.unescape(re.sub(r"</?[a-z][^>]*>", "", text)))
