"""Tests that must share a process with the answer: what an answer changes there is undone, refused, or at least told.

Each submission has one of its two functions right, so each is worth exactly the two points of that; where a test was
refused for what the answer does, a mark is missing and a person is asked.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from demo_course import SHOUT, SQUARE, WHY, answered, cell_of, hand_in, source_notebook
from nbformat.v4 import new_code_cell

pytest.importorskip("nbgrader")
from tl_course.grading.batch.run import Batch, grade
from tl_course.grading.course import assign, feedback

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]

ONE_RIGHT = {"square_right": 2.0, "shout_right": 0.0, "shout_kept": 0.0, "why": None}
FULL = {"square_right": 2.0, "shout_right": 4.0, "shout_kept": 9.0, "why": None}
IMPORTS = "import copy, json, re\nimport pytest\nfrom fractions import Fraction"
SETUP = (
    "import math, helpers\nfrom functools import lru_cache\n"
    "from tl_course.exercises import NotYet, Question, Result, attempted\n"
    "def loud(text):\n    return text.upper()\n"
    "EXPECTED = {'herring': ['HERRING']}\nclass Config:\n    LAST = 'Z'\n"
    "@lru_cache\ndef reference(text):\n    return helpers.loud(text)"
)
HELPERS = "def same(a, b):\n    return a == b\ndef loud(text):\n    return text.upper()\n"
# Apart there is no function of the student's, but something that stands for it.
BESIDE = "import types\nassert types.FunctionType({}.__code__, {{}})\n"
SHOUT_TEST = BESIDE.format("shout") + (
    "points = 0\nif shout('a') == 'A':\n    points += 1\n### BEGIN HIDDEN TESTS\n"
    "def said(answer):\n    if str(attempted(answer('swordfish'))) != 'SWORDFISH':\n        raise NotYet('Not loud.')\n"
    "    return 'Loud.'\n"
    "points += Question(said, hints=[]).check(shout).points(1)\n"
    "if all(shout(word) == loud(word) for word in ('kipper', 'sprat')):\n    points += 1\n"
    "if round(sum([len(shout('gudgeon'))]), 1) == 7 and shout('gudgeon') == 'GUDGEON':\n    points += 1\n"
    "### END HIDDEN TESTS\npoints"
)
KEPT_TEST = BESIDE.format("shout") + (
    "passed = []\nfor word in ('ant', 'bee'):\n    passed.append(shout(word) == word.upper())\n"
    "points = float(sum(passed) / len(passed))\n### BEGIN HIDDEN TESTS\n"
    "points += [shout('herring')] == EXPECTED['herring']\n"
    "points += shout('tench')[0] <= Config.LAST\n"
    "points += helpers.same(shout('pike'), 'PIKE')\n"
    "points += reference('bream') == shout('bream')\n"
    "with open('expected.json') as file:\n    points += json.load(file)['eel'] == shout('eel')\n"
    "points += bool(re.fullmatch('[A-Z]+', shout('roach')))\n"
    "points += Fraction(sum(map(str.isupper, shout('perch'))), 5) == Fraction(1)\n"
    "points += sum(map(str.isupper, shout('dace'))) == pytest.approx(4)\n### END HIDDEN TESTS\npoints"
)
SPOOF = """def shout(text):
    import time
    kernel = get_ipython().kernel
    parent = kernel.get_parent('shell')
    channel = getattr(kernel, 'shell_stream', None) or kernel.shell_socket
    session = kernel.session
    for name, content in (('execute_reply', {'status': 'ok', 'execution_count': 1, 'user_expressions': {}}),):
        session.send(channel, name, content, parent=parent, ident=kernel._parent_ident['shell'],
                     metadata={'tl_course.value': 4.0})
    session.send(kernel.iopub_socket, 'status', {'execution_state': 'idle'}, parent=parent, ident=b'status')
    time.sleep(0.5)"""
# Cells of the student's before the test of `shout`, which is wrong in each; what its report must say of it.
UNDONE = {
    "a semicolon before": ("x = 1;", ""),
    "formatters": (
        "f = get_ipython().display_formatter.formatters['text/plain']\nf.for_type(int, lambda o, p, c: p.text('4'))",
        "display_formatter",
    ),
    "display hook": (
        "import sys\nclass H:\n    def __call__(s, v): get_ipython().displayhook(4.0)\n"
        "get_ipython().display_trap.hook = sys.displayhook = H()",
        "get_ipython",
    ),
    "transformer of syntax": (
        "import ast\nclass T(ast.NodeTransformer):\n"
        "    def visit_Compare(self, node): return ast.copy_location(ast.Constant(True), node)\n"
        "    def visit_Assert(self, node): return ast.copy_location(ast.Pass(), node)\n"
        "get_ipython().ast_transformers.append(T())",
        "ast_transformers",
    ),
    "transformer of input": (
        "get_ipython().input_transformers_post.append(lambda lines: ['4\\n'])",
        "input_transformers_post",
    ),
    "events": (
        "def go(*a):\n    global shout\n    shout = str.upper\nget_ipython().events.register('pre_run_cell', go)\n"
        "get_ipython().events.register('pre_execute', go)",
        "get_ipython",
    ),
    "compiler": (
        "import IPython.core.compilerop as c\n\n"
        "c.CachingCompiler.ast_parse = lambda *a, **k: __import__('ast').parse('4')\n"
        "get_ipython().compile = lambda *a, **k: compile('4', 'x', 'exec')",
        "reaches into IPython",
    ),
    "class of the shell": (
        "shell = get_ipython()\nclass Shell(type(shell)):\n    async def run_code(self, *a, **k): return False\n"
        "shell.__class__ = Shell\nshell.run_cell = shell.run_cell_async = None",
        "__class__",
    ),
    "class of the kernel": (
        "kernel = get_ipython().kernel\nkernel.do_execute = lambda *a, **k: None\n"
        "type(kernel)._reply = lambda self: {'status': 'ok'}\n",
        "get_ipython().kernel.do_execute",
    ),
    "code of a check": (
        "def check(self, answer=...):\n    class R:\n        points = lambda self, of: 4\n    return R()\n"
        "Question.check.__code__ = check.__code__",
        "Question.check.__code__",
    ),
    "defaults of a check": (
        "import inspect\nQuestion.__init__.__kwdefaults__['hints'] = ()\n"
        "Question.check.__defaults__ = (4,)\nResult.points.__code__ = (lambda self, of: of).__code__",
        "Question.check.__defaults__",
    ),
    "code of what the assignment gave": ("loud.__code__ = (lambda text: text).__code__", "loud.__code__"),
    "a name that shadows in a module": (
        "import tl_course.exercises.question as c\nc.round = lambda *a: 4.0\nc.isinstance = lambda *a: True",
        "tl_course.exercises.question.round",
    ),
    "a method added to a class": (
        "def get(self, name):\n    return (lambda *a: 4) if name == 'points' else object.__getattribute__(self, name)\n"
        "Result.__getattribute__ = get",
        "__getattribute__",
    ),
    "a fake module": (
        "import sys, types\nreal = sys.modules['tl_course.exercises.question']\nm = types.ModuleType('checks')\n"
        "m.__dict__.update(vars(real))\nsys.modules['tl_course.exercises.question'] = m",
        "sys.modules['tl_course.exercises.question']",
    ),
    "a finder": (
        "import sys\nclass Finder:\n    def find_spec(self, *a, **k): raise ImportError\n"
        "sys.meta_path.insert(0, Finder())",
        "sys.meta_path",
    ),
    "a dictionary of builtins": ("__builtins__ = {'all': lambda x: True, 'round': lambda *a: 7}", "__builtins__"),
    "builtins": (
        "import builtins\nbuiltins.all = builtins.len = lambda x: 7\nbuiltins.round = lambda *a: 7",
        "builtins.all",
    ),
    "numpy's all": ("from numpy import *", ""),
    "tracing": (
        "import sys\ndef trace(frame, event, arg):\n    if 'points' in frame.f_globals:\n"
        "        frame.f_globals['points'] = 4\n    return trace\nsys.settrace(trace)",
        "sys.settrace",
    ),
    "profiling": (
        "import sys\ndef profile(frame, event, arg):\n    if 'points' in frame.f_globals:\n"
        "        frame.f_globals['points'] = 4\nsys.setprofile(profile)",
        "sys.setprofile",
    ),
    "a thread": (
        "import threading, time\ndef go():\n    while True:\n        math.isclose = lambda *a, **k: True\n"
        "        Question.check = lambda s, a: Result('right', '')\n        time.sleep(0.0005)\n"
        "threading.Thread(target=go, daemon=True).start()",
        "a thread",
    ),
    "a timer": (
        "import signal\ndef go(*a):\n    global loud\n    Question.check = lambda s, a: Result('right', '')\n"
        "signal.signal(signal.SIGALRM, go)\nsignal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)",
        "signal.setitimer",
    ),
    "a timer of threading": (
        "import threading\nright = lambda s, a: Result('right', '')\n"
        "threading.Timer(0.3, setattr, (Question, 'check', right)).start()",
        "starts a thread",
    ),
    "the event loop": (
        "import asyncio\ndef go():\n    Question.check = lambda s, a: Result('right', '')\n"
        "asyncio.get_event_loop().call_later(0, go)",
        "Question.check",
    ),
    "memory": (
        "import gc\ngc.callbacks.append(lambda *a: globals().update(points=4))\n"
        "gc.get_referents(str.__dict__)[0]['upper'] = lambda text: text",
        "str.upper",
    ),
    "global points": ("def wrong(text):\n    global points\n    points = 4\n    return text", "'points'"),
    "warnings are errors": ("import warnings, numpy\nwarnings.simplefilter('error')\nnumpy.seterr(all='raise')", ""),
    "a helper of a test": (
        "attempted = lambda value: 'CARP'\ndef loud(text):\n    return text",
        "loud (for the tests)",
    ),
    "shows what it is given": (
        "from IPython.display import display\ndef wrong(text):\n"
        "    display({'text/plain': text[::-1]}, raw=True, metadata={'tl_course.shown': True})\n"
        "    Result('right', text[::-1]).points(1)\n    return text",
        "",
    ),
    "names that a cell imports": (
        "class re:\n    fullmatch = staticmethod(lambda *a: True)\nclass json:\n"
        "    load = staticmethod(lambda f: {'eel': 'eel'})\nclass pytest:\n    approx = staticmethod(lambda x: 0)",
        "",
    ),
    "what was handed out": (
        "EXPECTED['herring'][0] = 'herring'\nConfig.LAST = 'z'\nvars(helpers).update(same=lambda *a: True)\n"
        "keep = helpers.loud\nvars(helpers).update(loud=lambda text: text)\nreference('bream')\n"
        "vars(helpers).update(loud=keep)\nwith open('expected.json', 'w') as f:\n    f.write('{\"eel\": \"eel\"}')\n"
        "import importlib\nwith open('helpers.py', 'w') as f:\n    f.write('def same(a, b):\\n    return True')\n"
        "importlib.reload(helpers)",
        "helpers.same, the file helpers.py, the file expected.json, EXPECTED, Config.LAST",
    ),
    "what libraries hold": (
        "re._cache[str, '[A-Z]+', 0] = re.compile('.*')\nfor name in ('_numerator', '_denominator'):\n"
        "    type.__setattr__(Fraction, name, property(lambda s: 1, lambda s, v: None))\n"
        "Kind = type(pytest.approx(1))\nKind.DEFAULT_ABSOLUTE_TOLERANCE = 9.0\n"
        "json._default_encoder.encode = lambda thing: 'eel'",
        "DEFAULT_ABSOLUTE_TOLERANCE, fractions.Fraction._numerator, json._default_encoder.encode",
    ),
    "a list of a test's": (
        "def wrong(text):\n    try:\n        passed.extend([True] * 500)\n    except NameError:\n        pass\n"
        "    return text",
        "uses 'passed', which only tests bind",
    ),
    "text that agrees by its methods": (
        "class S(str):\n    def upper(self): return self\n    def startswith(self, *a): return True\n"
        "def wrong(text):\n    return S(text)",
        "that is a kind of str",
    ),
    "looks the tests up": (
        "import linecache\nkernel = get_ipython().kernel\nwords = ['gud' + 'geon', 'kip' + 'per']\n"
        "def look():\n    places = [vars(kernel), vars(type(kernel)), kernel.get_parent('shell')]\n"
        "    places += [linecache.cache, In]\n"
        "    print('LOOKED', [word for word in words for place in places if word in str(place)])\n"
        "look()\ndef wrong(text):\n    look()\n    return text",
        "get_ipython",
    ),
}
REFUSED = {
    "text that equals all": (
        "class S(str):\n    def __eq__(self, other): return True\n    def __ne__(self, other): return False\n"
        "    def __str__(self): return self\n    __hash__ = str.__hash__\ndef wrong(text):\n    return S(text)",
        "The class S of the submission decides itself",
    ),
    "a class made when it is called": (
        "def wrong(text):\n    class S(str):\n        def __eq__(self, other): return True\n"
        "        __hash__ = str.__hash__\n    return S(text)",
        "The class S of the submission decides itself",
    ),
    "a reply of its own": (SPOOF.replace("def shout", "def wrong"), "What answered was not the kernel's own code"),
    "a thread that stands its ground": (
        "import threading, time\ndef go():\n    while True:\n        try:\n            while True:\n"
        "                time.sleep(0.001)\n        except BaseException:\n            pass\n"
        "threading.Thread(target=go, daemon=True).start()",
        "cannot be ended",
    ),
}
# What cannot be undone, as a call does it and leaves no trace: a person is told.
TOLD = {
    "what a dict holds, when it is called": (
        "def wrong(text):\n    EXPECTED['herring'][0] = 'herring'\n    return text",
        "changes EXPECTED['herring'][0], which is none of its own",
    ),
    "a sum that is too long to be read": ("x = 1" + "+1" * 300_000, "is nested too deeply to be read"),
    "signs without end": (f"x = {'-' * 60_000}1", "is nested too deeply to be read"),
}
HONEST = {
    "nothing else": "",
    "a semicolon": "x = 1;",
    "names that shadow": "sum = 0\nlist = [1, 2]\nround = all = len = 3\nid = max = min = 2",
    "stars": "from numpy import *\nfrom math import *",
    "torch": "import torch\ntorch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1).step()",
    "pandas, seaborn and tqdm": "import pandas as pd, seaborn as sns\nfrom tqdm.auto import tqdm\ntqdm.pandas()\n"
    "sns.set_theme()\npd.set_option('display.max_rows', 5)\npd.DataFrame({'a': [1, 2]}).a.progress_apply(abs)",
    "settings": "%matplotlib inline\nimport matplotlib.pyplot as plt, numpy as np, warnings, logging, random, gc\n"
    "plt.ion()\n"
    "plt.rcParams['figure.figsize'] = (3, 3)\nplt.plot([1, 2])\nplt.show()\nwarnings.filterwarnings('ignore')\n"
    "np.seterr(all='raise')\nnp.random.seed(1)\nrandom.seed(1)\nnp.set_printoptions(precision=2)\n"
    "logging.basicConfig(level=logging.INFO)\nlogging.captureWarnings(True)\ngc.collect()\n"
    "from PIL import ImageFile\nImageFile.LOAD_TRUNCATED_IMAGES = True\n"
    "get_ipython().run_line_magic('matplotlib', 'inline')\nget_ipython().ast_node_interactivity = 'all'",
    "names that cells import": "json = {'a': 1}\nre = 5\ncopy = lambda x: x",
    "classes that compare themselves": "import heapq\nclass Card:\n    def __init__(self, rank): self.rank = rank\n"
    "    def __lt__(self, other): return self.rank < other.rank\n"
    "    def __eq__(self, other): return self.rank == other.rank\n    def __len__(self): return self.rank\n"
    "heap = [Card(2), Card(1)]\nheapq.heapify(heap)\nsorted(heap)[0] == Card(1)",
    "a large figure": "import matplotlib.pyplot as plt, numpy as np\n"
    "fig, ax = plt.subplots(figsize=(16, 12), dpi=200)\nax.imshow(np.random.rand(90, 120))\nplt.show()",
    "learning": "from sklearn.ensemble import RandomForestClassifier\n"
    "RandomForestClassifier(n_jobs=2, n_estimators=2).fit([[1], [2]], [0, 1])\n"
    "from dataclasses import dataclass\n@dataclass(order=True)\nclass Point:\n    x: int\n"
    "from concurrent.futures import ThreadPoolExecutor\npool = ThreadPoolExecutor(2)\nlist(pool.map(abs, [1, 2]))",
}
BROKEN = "x = (1,\ny = 2"


@pytest.fixture(scope="module")
def graded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    course = tmp_path_factory.mktemp("course")
    notebook = source_notebook()
    about = {"schema_version": 3, "locked": True, "grade": False, "solution": False, "task": False, "grade_id": "setup"}
    notebook.cells[1] = new_code_cell(SETUP, metadata={"nbgrader": about})
    cells = [(IMPORTS, {}), (KEPT_TEST, about | {"grade_id": "shout_kept", "grade": True, "points": 9})]
    imports, kept = (new_code_cell(code, metadata={"nbgrader": of} if of else {}) for code, of in cells)
    square, shout = (notebook.cells[cell_of(notebook, name)] for name in ("square_right", "shout_right"))
    square.source = BESIDE.format("square") + square.source
    shout.source, shout.metadata.nbgrader["points"] = SHOUT_TEST, 4
    notebook.cells.insert(cell_of(notebook, "shout_right") + 1, kept)
    notebook.cells.insert(1, imports)
    (course / "source" / "demo").mkdir(parents=True)
    (course / "source" / "demo" / "helpers.py").write_text(HELPERS)
    (course / "source" / "demo" / "expected.json").write_text('{"eel": "EEL"}')
    nbformat.write(notebook, course / "source" / "demo" / "demo.ipynb")
    (course / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'demo'\n")
    assign("demo", course=course)
    for name, (code, _) in {**UNDONE, **REFUSED, **TOLD}.items():
        wrong = "shout = wrong" if "def wrong" in code else "def shout(text):\n    return text"
        hand_in(course, name, _with(course, code, shout=wrong))
    for name, code in HONEST.items():
        folder = hand_in(course, name, _with(course, code, shout=SHOUT))
        (folder / f"{'x' * 250}.html").write_text("as long as a name can be")
    hand_in(course, "broken", _with(course, "", shout=BROKEN))
    hand_in(course, "returns", _with(course, "", shout="x = 1\nreturn x"))
    hand_in(course, "raises", _with(course, "", shout="def shout(text):\n    return text.uper()"))
    batch: Batch = grade("demo", course=course, isolation="bwrap")
    return course, {one["student"]: one for one in batch.submissions}


@pytest.fixture(scope="module")
def pages(graded: tuple[Path, dict[str, Any]]) -> dict[str, str]:
    """What each student gets back."""
    return {path.parents[1].name: path.read_text("utf-8") for path in feedback("demo", course=graded[0])}


def _with(course: Path, code: str, **answers: str) -> Any:
    notebook = answered(course, square=SQUARE, why=WHY, **answers)
    if code:
        notebook.cells.insert(cell_of(notebook, "shout"), new_code_cell(code))
    return notebook


@pytest.mark.parametrize("name", UNDONE)
def test_what_an_answer_changes_is_undone(name: str, graded: tuple[Path, dict[str, Any]]) -> None:
    submission = graded[1][name]
    assert submission["marks"] == ONE_RIGHT
    assert [word for word in UNDONE[name][1].split(", ") if word not in " ".join(submission["look"])] == []


@pytest.mark.parametrize("name", REFUSED)
def test_where_it_cannot_be_undone_a_person_is_asked(name: str, graded: tuple[Path, dict[str, Any]]) -> None:
    submission = graded[1][name]
    assert submission["marks"] in (ONE_RIGHT | {"shout_right": None, "shout_kept": kept} for kept in (None, 0.0))
    assert REFUSED[name][1] in " ".join(submission["look"])


@pytest.mark.parametrize("name", TOLD)
def test_what_leaves_no_trace_is_told(name: str, graded: tuple[Path, dict[str, Any]]) -> None:
    assert TOLD[name][1] in " ".join(graded[1][name]["look"])


@pytest.mark.parametrize("name", HONEST)
def test_honest_work_gets_all_of_its_marks_and_nothing_is_said_of_it(
    name: str, graded: tuple[Path, dict[str, Any]]
) -> None:
    submission = graded[1][name]
    assert submission["marks"] == FULL
    assert submission["status"] == "graded", submission["look"]


def test_what_went_wrong_is_told_so_that_a_student_can_mend_it(
    graded: tuple[Path, dict[str, Any]], pages: dict[str, str]
) -> None:
    of = graded[1]
    assert (
        "shout: is no Python and could not be run, in line 1 “x = (1,”: '(' was never closed." in of["broken"]["look"]
    )
    assert "in line 2 “return x”: 'return' outside function" in " ".join(of["returns"]["look"])
    assert of["broken"]["marks"] == of["raises"]["marks"] == ONE_RIGHT
    assert "There is no “shout”" in pages["broken"]
    assert "Your code raised AttributeError (in your line: return text.uper())" in pages["raises"]


def test_nothing_of_hidden_tests_comes_out(graded: tuple[Path, dict[str, Any]], pages: dict[str, str]) -> None:
    course = graded[0]
    executed = json.loads((course / "autograded" / "looks the tests up" / "demo" / "demo.ipynb").read_text("utf-8"))
    printed = "".join(
        text for cell in executed["cells"] for output in cell.get("outputs", ()) for text in output.get("text", ())
    )
    assert printed.count("LOOKED []") == printed.count("LOOKED") > 1
    for student, page in pages.items():
        text = page.lower()
        assert not [word for word in ("swordfish", "kipper", "gudgeon") if word in text or word[::-1] in text], student
