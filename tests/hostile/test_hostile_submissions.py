"""Submissions that are broken or mean harm, in one batch with honest ones: no mark gained, nothing read or written.

Each has one of its two functions right, so each is worth exactly the two points of that, whatever else it tries.
"""

import json
import shutil
import socket
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from demo_course import SHOUT, SQUARE, WHY, answered, cell_of, hand_in, make_course
from honest_answers import HONEST
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

pytest.importorskip("nbgrader")
from tl_course.grading.batch.run import Batch, grade
from tl_course.grading.course import feedback, grades
from tl_course.grading.sandbox.sandbox import Limits

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]

LIMITS = Limits(cell_seconds=3, notebook_seconds=40, memory=4 << 30, disk=64 << 20, processes=64, output=100_000)
ONE_RIGHT = {"square_right": 2.0, "shout_right": 0.0, "why": None}

DONE = "they did " + "it"  # what is printed where something worked that must not; not found in the code itself
# Code in place of the second answer. What it finds out it puts into `found`, which is printed: so it is in the page.
CODE = {
    "reads the solutions": "found = open('{course}/source/demo/demo.ipynb').read()",
    "looks for solutions": "import glob\nassert not glob.glob('/**/source/demo/*', recursive=True)\n1 / 0",
    "reads the gradebook": "found = open('{course}/gradebook.db', 'rb').read()",
    "writes the gradebook": "open('{course}/gradebook.db', 'w').write('')",
    "reads another student": "found = open('{course}/submitted/honest/demo/demo.ipynb').read() and {done}",
    "writes another student": "import os\nos.makedirs('{course}/submitted/mallory2')\nfound = {done}",
    "asks the network": "import socket\nsocket.create_connection(('127.0.0.1', {port}), 2)\nfound = {done}",
    "fork bomb": "import os\nwhile True:\n    os.fork()",
    "eats memory": "hoard = bytearray(1 << 40)",
    "eats memory slowly": "hoard = []\nwhile True:\n    hoard.append(bytearray(1 << 26))",
    "fills the disk": "with open('big', 'wb') as file:\n    while True:\n        file.write(bytes(1 << 20))",
    "fills tmp": "open('/tmp/left-behind', 'w').write('x')\nfound = {done}",
    "endless loop": "while True:\n    pass",
    "endless loop when called": "def shout(text):\n    while True:\n        pass",
    "asks when called": "def shout(text):\n    return input(text).upper()",
    "asks for an answer": f"name = input('Your name? ')\n{SHOUT}",
    "endless loop that stands its ground": "while True:\n    try:\n        while True: pass\n    except: pass",
    "endless loop at import": "import endless",
    "leaves with _exit": "import os\nos._exit(0)",
    "leaves when called": "import os\ndef shout(text):\n    os._exit(0)",
    "kills itself": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)",
    "kills the parent": "import os, signal\nos.kill(os.getppid(), signal.SIGKILL)\n1 / 0",
    "kills all": "import os, signal\nos.kill(-1, signal.SIGKILL)\n1 / 0",
    "equals everything": "class Yes:\n    def __eq__(self, other): return True\n    def __hash__(self): return 0\n"
    "def shout(text): return Yes()",
    "replaces isclose": "import math\nmath.isclose = lambda *a, **k: True\ndef square(x): return 'x'",
    "replaces str": "import builtins\nbuiltins.str = lambda x: x",
    "replaces what pytest has": "import pytest\nfor name in ('approx', 'raises', 'fail'):\n"
    "    setattr(pytest, name, lambda *a, **k: True)\ndef square(x): return 'x'",
    "replaces what the course has": "import tl_course.exercises.question as checks\n"
    "checks.Question.check = checks.Result.points = lambda *a, **k: 3",
    "raises the tests": "import inspect\ndef shout(text):\n"
    "    raise ValueError(inspect.getsource(inspect.currentframe().f_back).strip())",
    "raises what it was given": "def shout(text):\n    raise ValueError(text)",
    "locks its folders away": "import os\nos.makedirs('kept/inside')\nos.chmod('kept/inside', 0)\nos.chmod('kept', 0)",
    "hides tracebacks": "shell = get_ipython()\nshell.showtraceback = shell._showtraceback = lambda *a, **k: None",
    "replaces run_cell": "type(get_ipython()).run_cell = lambda *a, **k: None",
    "shows a mark": "def shout(text):\n    get_ipython().displayhook(3.0)\n    raise SystemExit",
    "shows two marks": "def shout(text):\n    get_ipython().displayhook(3.0)\n    return ''",
    "prints the tests": "import inspect\ndef shout(text):\n    print(inspect.getsource(inspect.currentframe().f_back))",
    "keeps the tests": "import linecache\n"
    "found = [''.join(kept[2]) for kept in linecache.cache.values() if len(kept) > 2] + In",
    "prints without end": "while True:\n    print('x' * 10_000)",
    "unpickles": "import pickle\nclass Mean:\n"
    "    def __reduce__(self): return (open, ('{course}/gradebook.db', 'w'))\n"
    "pickle.loads(pickle.dumps(Mean()))",
    "loads a model": "import pickle\npickle.load(open('model.pkl', 'rb'))",
    "outlives the kernel": "import os, time\nif os.fork() == 0:\n    os.setsid()\n"
    "    if os.fork() == 0:\n        while True: time.sleep(1)\n    os._exit(0)",
    "becomes root": "import os\nos.setuid(0)\nfound = {done}",
    "unshares": "import ctypes\nassert ctypes.CDLL(None).unshare(0x10000000 | 0x00020000) == 0\nfound = {done}",
    "is somebody else": "import os\nos.environ['TL_COURSE_STUDENT'] = 'honest'",
    "leaves something in shared memory": "open('/dev/shm/left-behind', 'w').write('x')",
    "mounts": "import ctypes\nassert ctypes.CDLL(None).mount(b'none', b'/home', b'tmpfs', 0, None) == 0\n"
    "found = {done}",
}
# What each finds before it does anything, in a sandbox where others have been: its folder, shared memory, processes.
LOOK = (
    "\nimport os\nprint('before:', *os.listdir('.'), *os.listdir('/dev/shm'), "
    "*(open(f'/proc/{n}/stat').read()[:20] for n in os.listdir('/proc') if n.isdigit()))"
)


def _stripped(notebook: NotebookNode) -> NotebookNode:
    for cell in notebook.cells:
        cell.metadata.pop("nbgrader", None)
    return notebook


def _worth_more(notebook: NotebookNode) -> NotebookNode:
    notebook.cells[cell_of(notebook, "square_right")].metadata.nbgrader.points = 100
    notebook.cells[cell_of(notebook, "shout")].metadata.nbgrader |= {"grade": True, "points": 50}
    return notebook


def _without_test(notebook: NotebookNode) -> NotebookNode:
    notebook.cells[cell_of(notebook, "shout_right")].source = "3"
    return notebook


def _no_tests(notebook: NotebookNode) -> NotebookNode:
    del notebook.cells[cell_of(notebook, "shout_right")]
    return notebook


def _twice(notebook: NotebookNode) -> NotebookNode:
    notebook.cells.insert(cell_of(notebook, "shout_right"), deepcopy(notebook.cells[cell_of(notebook, "shout_right")]))
    notebook.cells.append(deepcopy(notebook.cells[cell_of(notebook, "square")]))
    return notebook


def _split(notebook: NotebookNode) -> NotebookNode:
    number = cell_of(notebook, "square")
    notebook.cells.insert(number + 1, new_code_cell("def square(x):\n    return helper(x)"))
    notebook.cells[number].source = "def helper(x):\n    return x * x"
    return notebook


def _as_markdown(notebook: NotebookNode) -> NotebookNode:
    cell = notebook.cells[cell_of(notebook, "shout_right")]
    cell.cell_type = "markdown"
    cell.pop("outputs"), cell.pop("execution_count")
    return notebook


def _other_kernel(notebook: NotebookNode) -> NotebookNode:
    notebook.metadata.kernelspec = {"name": "ir", "display_name": "R", "language": "R"}
    return notebook


def _look_alike(notebook: NotebookNode) -> NotebookNode:
    """Ids in letters that only look like those that were handed out."""
    for cell in notebook.cells:
        if about := cell.metadata.get("nbgrader"):
            about.grade_id = about.grade_id.replace("s", "\u0455").replace("o", "\u043e")
    return notebook


def _nested(notebook: NotebookNode) -> NotebookNode:
    """As deep as JSON is still read, and deeper than most that goes through it goes."""
    inside: Any = {}
    for _ in range(400):
        inside = {"a": inside}
    notebook.cells[cell_of(notebook, "why")].attachments = inside
    notebook.cells[cell_of(notebook, "square")].metadata.deep = inside
    return notebook


def _too_long_to_read(notebook: NotebookNode) -> NotebookNode:
    notebook.cells[1:1] = [new_code_cell(f"y = {'-' * 60_000}1"), new_code_cell(f"x = 1{' + 1' * 3_000}")]
    return notebook


CHANGES: dict[str, Callable[[NotebookNode], NotebookNode]] = {
    "stripped of metadata": _stripped,
    "worth more": _worth_more,
    "a test overwritten": _without_test,
    "a test deleted": _no_tests,
    "cells twice": _twice,
    "a cell split": _split,
    "a test as text": _as_markdown,
    "another kernel": _other_kernel,
    "ids that look alike": _look_alike,
    "nested deeply": _nested,
    "too long to read": _too_long_to_read,
}
SET_ASIDE = {
    "broken JSON": '{"cells": [',
    "not a notebook": '{"hello": "world"}',
    "no text": "\x00\x01",
    "cells of nonsense": '{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [{"cell_type": 3}, 7]}',
}


STRANGE = ["b" * 240, "esc\x1bc\x1b]0;owned\x07", "no\udcffutf", "of\ntwo lines"]  # ids


class Graded:
    """The batch, and what was there before and after it."""

    def __init__(self, course: Path, batch: Batch) -> None:
        self.course = course
        self.of: dict[str, dict[str, Any]] = {one["student"]: one for one in batch.submissions}


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> Graded:
    course = make_course(tmp_path_factory.mktemp("course"), "import pytest\nfrom tl_course.exercises import Question")
    right = {"square": SQUARE + LOOK, "why": WHY}
    hand_in(course, "honest", answered(course, **right, shout=SHOUT))
    folder = hand_in(course, "zoe", answered(course, **right, shout=SHOUT))
    (folder / f"{'x' * 250}.html").write_text("a page whose name is as long as names can be")
    listening = socket.create_server(("127.0.0.1", 0))
    for name, code in CODE.items():
        own = code.replace("{course}", str(course)).replace("{port}", str(listening.getsockname()[1]))
        own = own.replace("{done}", "'they did ' + 'it'")
        own += "\nif 'found' in globals(): print(found)"
        folder = hand_in(course, name, answered(course, **right, shout=own))
        (folder / "endless.py").write_text("while True: pass")
        (folder / "model.pkl").write_bytes(b"cos\nsystem\n(S'touch /tmp/owned; kill -9 -1'\ntR.")
    for name, code in HONEST.items():
        hand_in(course, name, answered(course, square=code + LOOK, shout="", why=WHY))
    for name, change in CHANGES.items():
        hand_in(course, name, change(answered(course, **right)))
    for name, text in SET_ASIDE.items():
        hand_in(course, name, text)
    link = course / "submitted" / "a link" / "demo"
    link.mkdir(parents=True)
    (link / "demo.ipynb").symlink_to(course / "source" / "demo" / "demo.ipynb")
    folder = hand_in(course, "links beside it", answered(course, **right, shout="print(open('notes.txt').read())"))
    (folder / "notes.txt").symlink_to(course / "source" / "demo" / "demo.ipynb")
    (folder / "more").symlink_to(course / "source")
    folder = hand_in(course, "thousands of files", answered(course, **right, shout="import os\nprint(os.listdir())"))
    for number in range(5200):
        (folder / f"{number:04}.txt").touch()
    for name in STRANGE:
        hand_in(course, name, answered(course, **right))
    hand_in(course, "another name", answered(course, **right), name="demo (1) copy.ipynb")
    with listening:
        return Graded(course, grade("demo", course=course, isolation="bwrap", limits=LIMITS))


@pytest.fixture(scope="module")
def pages(graded: Graded) -> dict[str, str]:
    """What each student gets."""
    written = feedback("demo", course=graded.course)
    return {page.parents[1].name: page.read_text("utf-8") for page in written}


@pytest.mark.parametrize("name", [*CODE, *CHANGES, "links beside it", "another name", "thousands of files"])
def test_it_gets_what_its_honest_part_is_worth(name: str, graded: Graded) -> None:
    assert graded.of[name]["marks"] == ONE_RIGHT
    assert graded.of[name]["of"] == {"square_right": 2.0, "shout_right": 3.0, "why": 4.0}


@pytest.mark.parametrize("name", [*HONEST])
def test_what_is_right_gets_all_points_however_it_is_written(name: str, graded: Graded) -> None:
    assert graded.of[name]["marks"] == {"square_right": 2.0, "shout_right": 3.0, "why": None}
    own = "in /proc"  # what this test itself looks at, beside the answer; and a name that tests have too
    assert not [said for said in graded.of[name]["look"] if own not in said and "is a name that tests use" not in said]


@pytest.mark.parametrize("name", [*SET_ASIDE, "a link"])
def test_what_cannot_be_read_is_set_aside_with_a_reason_and_is_not_nought(name: str, graded: Graded) -> None:
    assert graded.of[name]["status"] == "rejected"
    assert "Ask for" in graded.of[name]["look"][0]
    row = grades(course=graded.course).set_index("student").loc[name]
    assert row.isna()["score"] and row["missing"] == "shout_right square_right why"


@pytest.mark.parametrize("name", STRANGE, ids=ascii)
def test_an_id_that_cannot_be_worked_with_is_set_aside_and_never_printed_raw(name: str, graded: Graded) -> None:
    assert graded.of[name]["status"] == "rejected" and "Rename the folder" in graded.of[name]["look"][0]
    assert graded.of[name]["look"][0].isprintable()


def test_files_beyond_a_number_are_left_out(graded: Graded) -> None:
    assert graded.of["thousands of files"]["mended"] == [
        "5000.txt, 5001.txt, 5002.txt and 197 more were left out: at most 5,000 files are taken."
    ]


def test_the_rest_of_the_batch_is_graded(graded: Graded) -> None:
    full = {"square_right": 2.0, "shout_right": 3.0, "why": None}
    assert {name: graded.of[name]["marks"] for name in ("honest", "zoe")} == {"honest": full, "zoe": full}
    assert not [(name, one["look"]) for name, one in graded.of.items() if one["status"] == "failed"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("replaces isclose", "math.isclose"),
        ("hides tracebacks", "get_ipython"),
        ("replaces what pytest has", "changes pytest"),
        ("replaces what the course has", "Question.check"),
        ("leaves with _exit", "kernel was ended"),
        ("leaves when called", "kernel was ended"),
        ("endless loop", "more than 3 seconds"),
        ("endless loop that stands its ground", "more than 3 seconds"),
        ("endless loop at import", "more than 3 seconds"),
        ("stripped of metadata", "Which answer is which was lost"),
        ("cells twice", "2 times"),
    ],
)
def test_the_report_names_what_a_person_should_look_at(name: str, said: str, graded: Graded) -> None:
    assert graded.of[name]["status"] == "look"
    assert said in " ".join(graded.of[name]["look"])


def test_nothing_is_read_or_written_that_is_not_theirs(graded: Graded) -> None:
    assert not (graded.course / "submitted" / "mallory2").exists()
    assert not Path("/tmp/owned").exists() and not Path("/tmp/left-behind").exists()
    for name in CODE:
        executed = (graded.course / "autograded" / name / "demo" / "demo.ipynb").read_text("utf-8")
        outputs = [output for cell in json.loads(executed)["cells"] for output in cell.get("outputs", ())]
        printed = json.dumps([output for output in outputs if output["output_type"] == "stream"])
        assert "BEGIN SOLUTION" not in printed and DONE not in printed, name
        if name != "prints the tests":  # what is printed while a test runs is on no student's page
            assert "swordfish" not in printed, name


def test_nothing_outlives_a_submission(graded: Graded) -> None:
    """Each found its own folder, nothing in shared memory, and no process but itself."""
    for name in CODE:
        executed = json.loads((graded.course / "autograded" / name / "demo" / "demo.ipynb").read_text("utf-8"))
        said = "".join(text for cell in executed["cells"] for output in cell.get("outputs", ())
                       for text in output.get("text", ()))  # fmt: skip
        (found,) = [line for line in said.splitlines() if line.startswith("before:")]
        assert "model.pkl" in found and found.count("(python") == 1, found
        assert "left-behind" not in found and "kept" not in found, found


def test_no_page_for_a_student_has_a_hidden_test(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        assert "swordfish" not in text.lower() and "1.5625" not in text, name
        assert "https://cdn" not in text and "<script src" not in text


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("endless loop", "3 seconds and was interrupted. Look for a loop"),
        ("endless loop when called", "3 seconds and was interrupted. Look for a loop"),
        ("asks when called", "EOFError (in your line: return input(text).upper()) Nobody is there to answer input()"),
        ("asks for an answer", "Nobody is there to answer input()"),
        ("leaves with _exit", "Leave out exit()"),
        ("a test overwritten", "You had changed this cell."),
    ],
)
def test_a_page_says_what_happened_and_what_to_do(name: str, said: str, pages: dict[str, str]) -> None:
    assert said in pages[name] and "KeyboardInterrupt" not in pages[name]
