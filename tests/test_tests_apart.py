"""Tests as teachers write them for nbgrader, run in another process than the answers: all of them work there.

One course with a question for each habit; what the rehearsal finds out of it, and what submissions get.
"""

import json
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from demo_course import answered, hand_in
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

pytest.importorskip("nbgrader")
from tl_course.grading.batch.run import grade
from tl_course.grading.course import assign

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]

GIVEN = "import math\nimport numpy as np\nimport pandas as pd\nfrom nose_like import assert_equal"
LOCKED = (
    "%matplotlib inline\nclass TooSmall(ValueError):\n    pass\n\nclass Node:\n    left = right = None\n\n"
    "table = pd.DataFrame({'n': [3, 1, 2]})\nscale = 10"
)
# By question: its answer, its test, and perhaps a locked cell between the two.
HABITS: dict[str, tuple[str, ...]] = {
    "values": (
        "found, nothing, names = 3, None, {'b': [1.5, (2,)]}\nframe = table.assign(twice=lambda t: 2 * t.n)",
        "assert_equal(found, 3)\nassert nothing is None and names == {'b': [1.5, (2,)]}\n"
        "pd.testing.assert_frame_equal(frame, pd.DataFrame({'n': [3, 1, 2], 'twice': [6, 2, 4]}))\n"
        "assert 'found' in globals() and 'lost' not in globals()\ntry:\n    lost\nexcept NameError:\n    pass\n"
        "else:\n    assert False",
    ),
    "arrays": (
        "def centred(x):\n    return x - x.mean(axis=0)\ndef in_place(x):\n    x[0] = 9\n    return x",
        "x = np.arange(6.0).reshape(3, 2)\nassert isinstance(centred(x), np.ndarray)\n"
        "np.testing.assert_allclose(centred(x).sum(axis=0), 0, atol=1e-12)\n"
        "assert in_place(x) is x and (x[0] == 9).all()",
    ),
    "errors": (
        "def root(x):\n    if x < 0:\n        raise TooSmall(f'{x} is below 0')\n    return math.sqrt(x)",
        "import pytest, unittest\nassert root(2) == pytest.approx(1.41421356)\n"
        "with pytest.raises(ValueError, match='-1 is below'):\n    root(-1)\n"
        "with pytest.raises(TooSmall):\n    root(-1)\nunittest.TestCase().assertRaises(TypeError, root)",
    ),
    "prints": (
        'def greet(name=\'you\'):\n    """Greet."""\n    print(f\'Hello {name}!\')\n'
        "def ask():\n    return int(input('n? ')) + 1",
        "import contextlib, inspect, io\nfrom unittest.mock import patch\n"
        "with contextlib.redirect_stdout(io.StringIO()) as said:\n    greet('Ada')\n"
        "assert said.getvalue() == 'Hello Ada!\\n'\n"
        "with patch('builtins.print') as mock:\n    greet()\nmock.assert_called_once_with('Hello you!')\n"
        "with patch('builtins.input', return_value='41'):\n    assert ask() == 42\n"
        "assert str(inspect.signature(greet)) == \"(name='you')\" and 'print' in inspect.getsource(greet)\n"
        "assert callable(greet) and hasattr(greet, '__call__') and greet.__doc__ == 'Greet.'",
    ),
    "objects": (
        "class Stack:\n    def __init__(self):\n        self.items = []\n    def push(self, x):\n"
        "        self.items.append(x)\n        return self\n"
        "    def __len__(self):\n        return len(self.items)\n    def __iter__(self):\n"
        "        return iter(self.items)\n    def __eq__(self, other):\n        return self.items == other.items",
        "stack = Stack().push(3).push(4)\nassert len(stack) == 2 and list(stack) == [3, 4] and stack.items[0] == 3\n"
        "assert isinstance(stack, Stack) and stack == Stack().push(3).push(4) and not hasattr(stack, 'pull')",
    ),
    "vectors": (
        "class Vector:\n    def __init__(self, x, y):\n        self.x, self.y = x, y\n    def __add__(self, other):\n"
        "        return Vector(self.x + other.x, self.y + other.y)\n    def __eq__(self, other):\n"
        "        return (self.x, self.y) == (other.x, other.y)",
        "sum_ = Vector(1, 2) + Vector(3, 4)\nassert sum_.x == 4 and sum_ == Vector(4, 6) and not sum_ == Vector(6, 4)\n"
        "assert isinstance(sum_, Vector)",
    ),
    "levels": (
        "from enum import Enum\nclass Level(Enum):\n    LOW = 1\n    HIGH = 2",
        "assert Level.HIGH.value == 2 and Level(1) is Level.LOW and isinstance(Level.LOW, Level)\n"
        "assert [one.name for one in Level] == ['LOW', 'HIGH']",
    ),
    "functions": (
        "def twice(f, x):\n    return f(f(x))\ndef primes():\n    n = 2\n    while True:\n"
        "        if all(n % k for k in range(2, n)):\n            yield n\n        n += 1\n"
        "def collect(x, into=[]):\n    into.append(x)\n    return into",
        "from itertools import islice\nassert twice(lambda n: n * scale, 2) == 200\n"
        "assert list(islice(primes(), 5)) == [2, 3, 5, 7, 11]\n"
        "first, second = collect(1), collect(2)\nassert first is second == [1, 2]",
    ),
    "files": (
        "def lines(path):\n    with open(path) as file:\n        return len(file.readlines())\n"
        "def save(frame):\n    frame.to_csv('saved.csv', index=False)",
        "import os, tempfile\nwith tempfile.TemporaryDirectory() as folder:\n    path = os.path.join(folder, 'a.txt')\n"
        "    with open(path, 'w') as file:\n        file.write('one\\ntwo\\n')\n    assert lines(path) == 2\n"
        "save(table)\nassert os.path.exists('saved.csv') and list(pd.read_csv('saved.csv').n) == [3, 1, 2]",
    ),
    "methods": (
        "def ordered(t):\n    return t.sort_values('n')\ndef letters(word):\n    return set(word)",
        "assert ordered(table).equals(table.sort_values('n')) and letters('abc').issuperset({'a', 'c'})",
    ),
    "holds": (
        "class Bag:\n    def __init__(self):\n        self.held = {}\n    def add(self, x):\n        self.held[x] = 1\n"
        "    def __getitem__(self, x):\n        return self.held.get(x, 0)\n"
        "    def __contains__(self, x):\n        return x in self.held",
        "bag = Bag()\nbag.add('tea')\nassert 'tea' in bag and 'x' not in bag and bag['x'] == 0",
    ),
    "ordering": (
        "def ordering(xs):\n    return sorted(xs)\ndef half_of(x):\n    return x / 2\ndef rolls(n):\n"
        "    return [6] * n",
        "from collections import Counter\nr, h = ordering([4, 7, 1]), half_of(31)\n"
        "assert Counter(r) == Counter([4, 7, 1]) and all(a <= b for a, b in zip(r, list(r)[1:]))\n"
        "assert 0 < float(h) < 31 and float(h) + float(h) == 31\nassert rolls(5).count(6) == 5",
    ),
    "ledger": (
        "class Ledger:\n    def __init__(self):\n        self.rows = []\n    def book(self, n):\n"
        "        self.rows.append(n)\n        return self\n    def table(self):\n"
        "        return pd.DataFrame({'n': self.rows})\n    def sums(self):\n"
        "        return list(np.cumsum(self.rows))\n    def __len__(self):\n        return len(self.rows)\n"
        "    def __iter__(self):\n        return iter(self.rows)",
        "b = Ledger().book(400).book(12)\nassert len(b) == 2 and 12 in b and [*b] == [400, 12] and b\n"
        "assert 412 in b.sums()\nassert b.table().equals(pd.DataFrame({'n': [400, 12]}))",
    ),
    "decorated": (
        "def decorated(f):\n    def inner(*a):\n        return f(*a) + 1\n    return inner\n"
        "def asked():\n    return int(input()) + int(input())",
        "import io\nfrom unittest.mock import patch\n@decorated\ndef add(a, b):\n    return a + b\n"
        "assert add(2, 3) == 6\nwith patch('sys.stdin', io.StringIO('20\\n22\\n')):\n    assert asked() == 42",
    ),
    "tried": (
        "def tried(f):\n    try:\n        return f(0)\n    except ValueError:\n        return f(74 * 1007)",
        "def f(v):\n    if v != 74518:\n        raise ValueError(f'hush, not {v}: want 74518')\n    return v\n"
        "assert tried(f) == 74518\ndef g(v):\n    raise KeyError('its own')\ntry:\n    tried(g)\n"
        "except KeyError as error:\n    assert error.args == ('its own',)",
    ),
    "notified": (
        "def notified(xs, tell):\n    for x in xs:\n        if x > 10:\n            tell(x)",
        "from unittest.mock import Mock\ntell = Mock()\nnotified([1, 10], tell)\ntell.assert_not_called()\n"
        "notified([11], tell)\ntell.assert_called_once_with(11)",
    ),
    "guessed": (
        "def guessed(game):\n    low, high = 0, 99\n    while low < high:\n        if game.ask((low + high) // 2):\n"
        "            high = (low + high) // 2\n        else:\n            low = (low + high) // 2 + 1\n    return low",
        "class Game:\n    asked = 0\n    def ask(self, n):\n        self.asked += 1\n        return n >= 77\n"
        "game = Game()\nassert guessed(game) == 77 and game.asked < 9",
    ),
    "unwrapped": (
        "def unwrapped(xs):\n    return xs[0] + unwrapped(xs[1:]) if xs else 0",
        "import inspect\nassert unwrapped([1, 2]) == 3 and 'sum(' not in inspect.getsource(unwrapped)",
    ),
    "turned": (
        "def turned(node, queue):\n    node.left, node.right = node.right, node.left\n    queue.popleft()",
        "from collections import deque\nnode, queue = Node(), deque([1, 2])\nnode.left = left = Node()\n"
        "turned(node, queue)\nassert node.right is left and node.left is None and list(queue) == [2]",
    ),
    "wrote": (
        "def wrote(path):\n    open(path, 'w').write('kipper')",
        "open('expected.txt', 'w').write('kipper')\nwrote('made.txt')\n"
        "assert open('made.txt').read() == open('expected.txt').read()",
    ),
    "unit": (
        "def unit(x):\n    return x + 1",
        "import io, unittest\nclass Case(unittest.TestCase):\n    def test(self):\n"
        "        self.assertEqual(unit(1), 2)\n"
        "cases = unittest.defaultTestLoader.loadTestsFromTestCase(Case)\n"
        "assert unittest.TextTestRunner(stream=io.StringIO()).run(cases).wasSuccessful()",
    ),
    "unlooped": (
        "def unlooped(xs):\n    return sum(xs)",
        "import inspect\nassert unlooped([1, 2]) == 3 and 'for ' not in inspect.getsource(unlooped)",
    ),
    "scored": (
        "def scored(score):\n    return score(2)",
        "def score(value):\n    assert value == 2, 'hush-mackerel'\n    return 1\nassert scored(score) == 1",
    ),
    "pickled": (
        "def pickled(path):\n    import pickle\n    pickle.dump(np.arange(3), open(path, 'wb'))",
        "import pickle\npickled('made.pkl')\nassert pickle.load(open('made.pkl', 'rb')).size == 3",
    ),
    "round": (
        "def round(x):\n    return int(x + 0.5)",
        "%matplotlib inline\nhelped = lambda f: f(2.5)\npoints = 0\nif helped(round) == 3:\n    points += 0.5\n"
        "if sum([round(1.5), 1]) == 3:\n    points += 0.5\npoints",
    ),
    "makes": (
        "def added(a, b):\n    return a + b",
        "import ast, inspect, timeit\nfrom collections import namedtuple\nfrom dataclasses import dataclass\n"
        "from unittest.mock import create_autospec\n@dataclass\nclass Two:\n    a: int\n    b: int\n"
        "both = namedtuple('Both', 'a b')(1, 2)\nassert added(*both) == added(Two(1, 2).a, 2) == eval('1 + 2')\n"
        "assert not any(isinstance(n, ast.For) for n in ast.walk(ast.parse(inspect.getsource(added))))\n"
        "assert timeit.timeit(lambda: added(1, 2), number=2) < 10 and create_autospec(helped)\n"
        "assert added(len(table.query('n > 1')), 1) == 3 and ast.literal_eval(repr(added([1], [2]))) == [1, 2]",
    ),
    "formula": ("formula = '3*x + 2'", "assert eval(formula, {'x': 2}) == 8"),
    "chosen": ("chosen = 'n >= 2'", "assert len(table.query(chosen)) == 2"),
    "sourced": (
        "def sourced(x):\n    return x + 7",
        "import inspect\nsourced_names = {}\nexec(inspect.getsource(sourced), sourced_names)\n"
        "assert sourced_names['sourced'](5) == 12",
    ),
    "documented": (
        "def documented(x):\n    '''\n    >>> documented(2)\n    6\n    '''\n    return 3 * x",
        "import doctest\nparsed = doctest.DocTestParser().get_doctest(documented.__doc__, {'documented': documented}, "
        "'d', None, 0)\nassert doctest.DocTestRunner(verbose=False).run(parsed) == (0, 1)",
    ),
    "program": (
        "def program(path):\n    open(path, 'w').write('print(3)')",
        "import subprocess, sys\nprogram('made_program.txt')\n"
        "assert subprocess.run([sys.executable, 'made_program.txt'], capture_output=True).stdout == b'3\\n'",
    ),
    "kept": (
        "import pickle\nwith open('kept.pkl', 'wb') as file:\n    pickle.dump(table, file)",
        "assert len(kept) == 3 and Report",
        "import pickle\nclass Report:\n    pass\nwith open('kept.pkl', 'rb') as file:\n    kept = pickle.load(file)",
    ),
    "greatest": ("def greatest(t):\n    return t.n.max()", "assert greatest(table) == 3"),
    "summed": ("def summed(t):\n    return t.n.sum()", "assert summed(table) == table.n.sum()"),
    "spent": (
        "def spent(a, x):\n    a['sum'] -= x",
        "spent(account, 3)\nassert account['sum'] == 7",
        "account = {'sum': 10}",
    ),
    "left": ("def left(a):\n    return a['sum']", "assert left(account) == 7 == account['sum']"),
    "middle": (
        "def middle(t):\n    return t.v.mean()",
        "assert middle(measured) == measured.v.mean()",
        "import os\nif not os.path.exists('measured.csv'):\n"
        "    pd.DataFrame({'v': [3, 5]}).to_csv('measured.csv')\nmeasured = pd.read_csv('measured.csv')",
    ),
    "total": (
        "def total(xs):\n    n = 0\n    for x in xs:\n        n += x\n    return n",
        "from unittest.mock import patch\nwith patch('builtins.sum', side_effect=AssertionError):\n"
        "    assert total([1, 2]) == 3",
    ),
    "depth": (
        "def depth(n):\n    return len(range(n))",
        "import inspect, sys\nlimit = sys.getrecursionlimit()\nsys.setrecursionlimit(len(inspect.stack()) + 120)\n"
        "try:\n    assert depth(400) == 400\nfinally:\n    sys.setrecursionlimit(limit)",
    ),
    "quiet": (
        "def quiet(a):\n    return a * 2",
        "import warnings\nwith warnings.catch_warnings():\n    warnings.simplefilter('error')\n"
        "    assert quiet(2) == 4",
    ),
    "lean": (
        "def lean(n):\n    return n + 1",
        "import tracemalloc\ntracemalloc.start()\nassert lean(2) == 3\npeak = tracemalloc.get_traced_memory()[1]\n"
        "tracemalloc.stop()\nassert peak < 3_000_000",
    ),
    "soon": (
        "def soon(n):\n    return n + 1",
        "import time\nbegan = time.process_time()\nassert soon(2) == 3 and time.process_time() - began < 9",
    ),
    "near": (
        "def near(x):\n    return x + 1",
        "assert near(1) == 2\nfrom math import isclose as check_close\ndef check_near(f, x, y):\n"
        "    assert check_close(f(x), y)",
    ),
    "nearer": ("def nearer(x):\n    return x + 2", "check_near(nearer, 1, 3)"),
    "again": ("def half(x):\n    return x / 2", "assert helped(half) == 1.25"),
}
# What runs a text, a file or a program that may be an answer's has to do so where the answer runs; so has what limits
# or measures the process, or replaces functions; and tests of which the first changes what the second reads.
GUARDED = {f"{name}_right" for name in (
    "pickled", "guessed", "formula", "chosen", "sourced", "documented", "program", "kept", "total", "depth", "quiet",
    "lean", "soon", "spent", "left",
)}  # fmt: skip
ATTACK = """
import builtins, gc, math, sys, threading, unittest
import numpy, pandas
class Yes:
    def __getattr__(self, name): return self
    def __call__(self, *a, **k): return self
    def __eq__(self, other): return True
    __ne__ = __lt__ = __gt__ = lambda self, other: False
    def __hash__(self): return 0
    def __contains__(self, x): return True
    def __float__(self): return 1.0
    def __len__(self): return 2
    def __iter__(self): return iter((3, 4))
    __array_interface__ = {'data': (id(numpy), False), 'shape': (1,), 'typestr': '<f8', 'version': 3}
for name in ('centred', 'in_place', 'root', 'greet', 'ask', 'Stack', 'twice', 'primes', 'collect', 'lines', 'half',
             'ordered', 'letters'):
    globals()[name] = Yes()
found = names = frame = helped = assert_equal = Yes()
round = lambda x: Yes()
table, scale, np, pd, math, points, TooSmall = [Yes()] * 7
isinstance = len = list = str = sum = callable = hasattr = lambda *a: True
sys.modules.update(pytest=Yes(), unittest=Yes())
math_, numpy.testing.assert_allclose, pandas.testing.assert_frame_equal = sys.modules['math'], print, print
math_.isclose = lambda *a, **k: True
for x in gc.get_objects():
    if type(x) is dict and 'points' in x: x['points'] = 1
"""

# The same, as kinds of values: a namedtuple, a tuple, a complex number, an array; a level that is a number.
XY = "    x, y = property(lambda self: self{}), property(lambda self: self{})\n"
NEW = "    def __new__(cls, x, y):\n        return {}\n"
ADD = "    def __add__(self, other):\n        return Vector(self.x + other.x, self.y + other.y)"
VECTORS = {
    "other": f"from collections import namedtuple\nclass Vector(namedtuple('V', 'x y')):\n{ADD}",
    "half": f"class Vector(tuple):\n{NEW.format('tuple.__new__(cls, (x, y))')}{XY.format('[0]', '[1]')}{ADD}",
    "sly": f"class Vector(complex):\n{NEW.format('complex.__new__(cls, x, y)')}{XY.format('.real', '.imag')}{ADD}",
    "array": f"class Vector(np.ndarray):\n{NEW.format('np.array([x, y]).view(cls)')}{XY.format('[0]', '[1]')}"
    "    def __eq__(self, other):\n        return bool(np.all(np.asarray(self) == np.asarray(other)))",
}

SHIFTY = "class Shifty:\n    def __init__(self, *reads):\n        self.reads = [*reads]\n    def read(self):\n"
SHIFTY += "        return self.reads.pop(0) if self.reads[1:] else self.reads[0]\n    def __iter__(self):\n"
SHIFTY += "        return iter(self.read())\n    __float__ = read\n    def __getattr__(self, name):\n"
SHIFTY += "        if name in ('book', 'table', 'sums'):\n            return lambda *a: self\n"
SHIFTY += "        return (lambda *a: SAW.append(a) or True) if name == 'equals' else super().__getattribute__(name)\n"
SHIFTY += "    def __contains__(self, x):\n        return x < 99 or SAW.append(x) or True\n"
SHIFTY += "    def __len__(self):\n        return 2\nSAW = []\n"
# Each of these would have gained, or told: what differs each time that it is read, what acts where a plain value is
# expected, a file in the place of a test's own, an error that skips, a source that is
# not there, what a test's own function says, a file that does something when it is unpickled.
SLY = {
    "ordering": SHIFTY + "def ordering(xs):\n    return Shifty(xs, [])\ndef half_of(x):\n"
    "    return Shifty(1.0, 31.0, 0.0)\ndef rolls(n):\n    return n * [6]",
    "ledger": "class Ledger(Shifty):\n    def __init__(self):\n        super().__init__([400, 12])",
    "tried": "import re\ndef tried(f):\n    try:\n        f(0)\n    except ValueError as error:\n"
    "        SAW.extend(error.args)\n        return f(int(re.search('want (.*)', str(error))[1]))",
    "notified": "def notified(xs, tell):\n    for x in xs:\n        tell(x)",
    "guessed": "def guessed(game):\n    return next(n for n in range(99) if game.ask(n))",
    "unwrapped": "import functools\ndef decoy(xs):\n    return xs[0] + decoy(xs[1:]) if xs else 0\n"
    "@functools.wraps(decoy)\ndef unwrapped(xs):\n    return sum(xs)",
    "wrote": "def wrote(path):\n    open(path, 'w').write('x')\n    open('expected.txt', 'w').write('x')",
    "unit": "class Skip(Exception):\n    pass\nSkip.__module__, Skip.__qualname__ = 'numpy.testing', 'SkipTest'\n"
    "def unit(x):\n    raise Skip('later')",
    "unlooped": "exec('def unlooped(xs):\\n    n = 0\\n    for x in xs: n += x\\n    return n')",
    "scored": "SEEN = []\ndef scored(score):\n    try:\n        score(1)\n    except AssertionError as error:\n"
    "        SEEN.append(error)\n    raise SystemExit",
    "pickled": "print(*SEEN, *map('hush {}'.format, SAW))\n"
    "def pickled(path):\n    open(path, 'wb').write(b\"cbuiltins\\nexec\\n(S'import asyncio; "
    "asyncio.run = lambda c, **k: c.close()'\\ntR.\")",
    "near": "check_near = check_close = lambda *a: True\ndef near(x):\n    return 0",
    "greatest": "def greatest(t):\n    t['n'] = 0\n    return 3",
    "summed": "def summed(t):\n    return 0",
    "middle": "def middle(t):\n    return 0",
    "nearer": "def nearer(x):\n    return 0",
}
# As right as the solution, of another kind: what is gone through once, what is kept otherwise, and fewer methods.
OTHERWISE = {
    "decorated": "import functools, inspect, sys\ndef decorated(f):\n    @functools.wraps(f)\n    def inner(*a):\n"
    "        assert f.__name__ == 'add' and len(inspect.signature(f).parameters) == len(a)\n"
    "        return f(*a) + 1\n    return inner\n"
    "def asked():\n    return int(sys.stdin.readline()) + sum(int(line) for line in sys.stdin)",
    "unwrapped": "import functools\ndef known(f):\n    @functools.wraps(f)\n    def inner(xs):\n        return f(xs)\n"
    "    return inner\n@known\ndef unwrapped(xs):\n    return xs.pop() + unwrapped(xs) if xs else 0",
    "ordering": "from collections import deque, namedtuple\ndef ordering(xs):\n    return (x for x in sorted(xs))\n"
    "def half_of(x):\n    return np.float32(x) / 2\ndef rolls(n):\n    return deque([6] * n)",
    "ledger": "class Ledger:\n    def __init__(self, rows=()):\n        self._rows = rows\n    def book(self, n):\n"
    "        return Ledger((*self._rows, n))\n    def table(self):\n        return pd.DataFrame({'n': self._rows})\n"
    "    def sums(self):\n        return (sum(self._rows[:n + 1]) for n in range(len(self._rows)))\n"
    "    def __len__(self):\n        return len(self._rows)\n    def __bool__(self):\n        return len(self) > 0\n"
    "    def __contains__(self, n):\n        return n in self._rows\n    def __getitem__(self, n):\n"
    "        return self._rows[n]",
}


def about(name: str, **more: Any) -> dict[str, Any]:
    plain = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    return {"nbgrader": plain | {"grade_id": name} | more}


def habits() -> NotebookNode:
    cells = [new_code_cell(GIVEN), new_code_cell(LOCKED, metadata=about("given", locked=True))]
    for name, (answer, test, *between) in HABITS.items():
        marked = f"### BEGIN SOLUTION\n{answer}\n### END SOLUTION"
        cells.append(new_code_cell("def round(x):\n    ..." if name == "round" else "", metadata={}))
        cells.append(new_code_cell(marked, metadata=about(name, solution=True)))
        cells += [new_code_cell(source, metadata=about(f"{name}_given", locked=True)) for source in between]
        cells.append(new_code_cell(test, metadata=about(f"{name}_right", grade=True, locked=True, points=1)))
    return new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}, cells=cells
    )


def test_every_habit_works_apart_and_nothing_that_an_answer_does_reaches_its_test(tmp_path: Path) -> None:
    source = tmp_path / "source" / "demo"
    source.mkdir(parents=True)
    nbformat.write(habits(), source / "demo.ipynb")
    (source / "nose_like.py").write_text("def assert_equal(one, two):\n    assert one == two, (one, two)\n")
    (tmp_path / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'demo'\n")
    assign("demo", course=tmp_path)
    right = {name: answer for name, (answer, *_) in HABITS.items()}
    folder = hand_in(tmp_path, "right", answered(tmp_path, **right))
    for name in ("saved.csv", "made.txt"):
        (folder / name).write_text("old")
    attack = dict.fromkeys(HABITS, "...") | {next(iter(HABITS)): ATTACK}
    hand_in(tmp_path, "attack", answered(tmp_path, **attack))
    halves = dict.fromkeys(("arrays", "objects", "files", "near"), "...") | {"vectors": VECTORS["half"]}
    hand_in(tmp_path, "half", answered(tmp_path, **(right | halves)))
    hand_in(tmp_path, "array", answered(tmp_path, **(right | {"vectors": VECTORS["array"]})))
    stack = "class Stack(list):\n    items = property(list)\n    def push(self, x):\n        self.append(x)\n"
    others = {"objects": stack + "        return self", "vectors": VECTORS["other"]}
    others["levels"] = HABITS["levels"][0].replace("Enum", "IntEnum")
    hand_in(tmp_path, "other", answered(tmp_path, **(right | others)))
    folder = hand_in(tmp_path, "sly", answered(tmp_path, **(right | SLY | {"vectors": VECTORS["sly"]})))
    (folder / "measured.csv").write_text("v\n0\n")
    hand_in(tmp_path, "otherwise", answered(tmp_path, **(right | OTHERWISE)))
    hand_in(tmp_path, "ended", answered(tmp_path, **(right | {"nearer": right["nearer"] + "\nimport os\nos._exit(0)"})))
    batch = grade("demo", course=tmp_path, isolation="bwrap", jobs=1)
    assert json.loads((batch.folder / "report.json").read_text())["guarded"].keys() == GUARDED
    marks = {one["student"]: {name for name, given in one["marks"].items() if given} for one in batch.submissions}
    every = {f"{name}_right" for name in HABITS}
    assert marks["right"] == marks["other"] == marks["array"] == marks["otherwise"] == every
    assert marks["half"] == every - {"arrays_right", "objects_right", "files_right", "near_right"}
    assert marks["ended"] == every - {"nearer_right"}
    assert marks["attack"] == set()
    assert marks["sly"] == every - {f"{name}_right" for name in SLY} | {"greatest_right"}
    executed = nbformat.read(tmp_path / "autograded" / "sly" / "demo" / "demo.ipynb", 4)
    assert "hush" not in json.dumps([cell.get("outputs") for cell in executed.cells])
    looks = {one["student"]: " ".join(one["look"]) for one in batch.submissions}
    assert "greatest_right: the answer changed what it was given" in looks["sly"]
    assert "Shifty" in looks["sly"] and "Ledger" in looks["sly"], "what is asked in vain is told a person"
    assert "kernel was ended" not in looks["attack"], "it was there to be asked"
