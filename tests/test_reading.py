"""What is said of a submission for what stands in it: all that is plainly out of place, and no homework."""

import nbformat
import pytest
from demo_course import released_notebook, source_notebook
from nbformat.v4 import new_code_cell

pytest.importorskip("nbgrader")
from tl_course.grading.apart.plan import Plan
from tl_course.grading.reading.submission import read_submission

HOMEWORK = {
    "networks": """\
import torch
from torch import nn, optim
import torch.nn.functional as F
class Net(nn.Module):
    def __init__(self, n):
        super().__init__()
        self.fc = nn.Linear(n, 2)
        self._cache = {}
    def forward(self, x): return F.relu(self.fc(x))
model = Net(3)
opt = optim.SGD(model.parameters(), lr=.1)
opt.param_groups[0]['lr'] = 0.2
for p in model.parameters(): p.requires_grad = False
model.fc = nn.Linear(3, 4)
device = torch.device('cuda' if torch.cuda.is_available() else 'cpu')
with torch.no_grad(): model.fc.weight[0] = 0
from torchvision import models, transforms, datasets
net = models.resnet18(); net.fc = nn.Identity()
torch.backends.cudnn.deterministic = True
""",
    "tables and arrays": """\
import pandas as pd, numpy as np
df = pd.read_csv('x.csv')
def add(df):
    df['x'] = df.a + 1
    df.columns = [c.lower() for c in df.columns]
    df.index.name = 'n'
    return df
add(df).groupby('x').agg({'a': 'sum'}).reset_index(inplace=True)
df.drop(columns=['a'], inplace=True)
df.loc[df.x > 1, 'x'] = 0
np.fill_diagonal(np.eye(2), 0)
pd.options.display.max_rows = 5
pd.set_option('display.width', 10)
a = np.zeros((2, 2)); a[0, 1] += 1; a.fill(3)
rng = np.random.default_rng(0); rng.shuffle(a)
np.random.shuffle(a)
""",
    "classes, trees and collections": """\
from collections import namedtuple, deque, Counter
from enum import Enum
from dataclasses import dataclass, field
P = namedtuple('P', 'x y')
P(1, 2)._asdict(); P(1, 2)._replace(x=3)
class Color(Enum):
    RED = 1
@dataclass
class Account:
    owner: str
    _balance: float = 0
    log: list = field(default_factory=list)
    def __post_init__(self): self._balance = float(self._balance)
    @property
    def balance(self): return self._balance
    @balance.setter
    def balance(self, v): self._balance = v
    def __eq__(self, other): return self._balance == other._balance
    def __str__(self): return f'{self.__class__.__name__}'
    def set(self, **kw):
        for k, v in kw.items(): setattr(self, k, v)
def push(stack, x):
    stack.append(x); stack[0] = 1
def insert(tree, v):
    if tree is None: return Tree(v)
    if v < tree.v: tree.left = insert(tree.left, v)
    else: tree.right = insert(tree.right, v)
    return tree
class Tree:
    def __init__(self, v): self.v, self.left, self.right = v, None, None
memo = {}
def fib(n):
    if n in memo: return memo[n]
    memo[n] = n if n < 2 else fib(n-1) + fib(n-2)
    return memo[n]
c = Counter(); c.update('aab')
q = deque([1]); q.append(2)
if __name__ == '__main__': print(fib(5))
""",
    "functions and the standard library": """\
import sys, os, time, random, string, math, statistics, functools, operator, itertools
sys.setrecursionlimit(10**6)
start = time.perf_counter()
os.makedirs('out', exist_ok=True)
print(sys.version, os.getcwd(), os.path.join('a', 'b'), string.ascii_lowercase, math.pi)
functools.reduce(operator.mul, [1, 2])
sorted([(1, 2)], key=operator.itemgetter(1))
@functools.lru_cache(maxsize=None)
def f(n): return n
f.cache_clear()
f.calls = 0
def g():
    global counter
    counter = 1
    def h():
        nonlocal_ = 1
        return nonlocal_
    return h
random.seed(1); random.choice([1])
map(math.sqrt, [1]); list(map(str, [1])); print(type(1).__name__)
""",
    "plots, magics and files": """\
import matplotlib.pyplot as plt
import matplotlib as mpl
import seaborn as sns
mpl.rcParams['font.size'] = 3
plt.rcParams.update({'font.size': 3})
plt.style.use('ggplot')
fig, ax = plt.subplots()
ax.spines['top'].set_visible(False)
ax.set(xlabel='x')
fig.tight_layout(); plt.gca().invert_yaxis(); ax.legend(loc='best'); plt.savefig('x.png'); plt.close()
from sklearn.model_selection import train_test_split
from sklearn.linear_model import LinearRegression
model = LinearRegression().fit([[1]], [1]); model.coef_, model.n_features_in_
%timeit f(1)
!pip install numpy
from google.colab import drive
drive.mount('/content')
import warnings; warnings.filterwarnings('ignore')
try:
    1/0
except ZeroDivisionError as e:
    print(e.args)
import traceback
traceback.print_exc()
from IPython.display import display, HTML, Image, Markdown
from IPython import get_ipython
import re as regex, json
regex.compile('a').match('a').group(0)
with open('data.json') as fh: d = json.load(fh)
d['a'] = 1
import urllib.request
urllib.request.urlopen
import scipy.signal, scipy.stats as st
st.norm.pdf(0)
import typing as t
""",
}
# Where a test shares the process: code, and what is said of it.
SHARED = {
    "for math.isclose in [lambda *a: True]: pass": "changes math.isclose",
    "for kind in (Fraction,):\n    kind.__eq__ = None": "sets kind.__eq__",
    "tools = [np.testing]\ntools[0].assert_allclose = print": "hands the module numpy.testing on",
    "t = np.testing\nt.assert_allclose = print": "changes t.assert_allclose",
    "%%time\nimport math as m\nm.isclose = print": "changes m.isclose",
    "exec('import math as m; m.isclose = print')": "changes m.isclose",
    "Kind = type(Fraction(1))\nKind.x = 1": "changes Kind.x",
    "Kind = Fraction(1).__class__\nKind.numerator = 1": "sets Kind.numerator",
    "print.__self__": "uses print.__self__",
    "match math:\n    case object(__dict__=names): names.clear()": "hands the module math on",
    "match area:\n    case object(_names=names): names.clear()": "uses _names",
    "import pandas as pd\npd.read_pickle('x')": "by pandas.read_pickle",
    "import evil": "uses evil",
    "np.ctypeslib.ctypes.memmove": "ctypes",
    "import logging\nlogging.threading.Thread": "reaches threading through logging",
    "name = 'x'\ngetattr(area, name)": "names an attribute at run time",
    "list(map(setattr, [], [], []))": "hands setattr on",
    "dict.clear({})": "by dict.clear",
    "import numbers\nnumbers.Real.register(int)": "changes numbers.Real",
    "import decimal\ndecimal.getcontext().prec = 1": "sets decimal.getcontext().prec",
    "class Any(str):\n    pass": "a kind of str",
    "def f():\n    return points": "uses 'points', which only tests bind",
}


def read(code: str) -> list[str]:
    notebook, plan = released_notebook(), Plan.of(source_notebook())
    plan.guarded = {"shout_right": "it asks what kind of function it is"}
    notebook.cells.insert(1, new_code_cell(code))
    return read_submission(notebook, released_notebook(), plan=plan)


def test_what_has_no_business_there_is_said_once_and_by_its_whole_name() -> None:
    source = "import sys\nprint(sys._getframe())\nprint(sys._getframe().f_back)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])
    assert read_submission(notebook, nbformat.v4.new_notebook()) == [
        "cell 1: looks into other functions by sys._getframe (line 2).",
        "cell 1: looks into other functions by f_back (line 3).",
    ]


@pytest.mark.parametrize("name", HOMEWORK)
def test_of_homework_nothing_is_said(name: str) -> None:
    assert read(HOMEWORK[name]) == []


@pytest.mark.parametrize("code", SHARED)
def test_where_tests_share_the_process_all_that_may_reach_them_is_said(code: str) -> None:
    before = "" if code.startswith("%%") else "import math\nimport numpy as np\nfrom fractions import Fraction\n"
    assert SHARED[code] in " ".join(read(before + code))


def test_what_cannot_be_read_hides_nothing_else() -> None:
    notebook = released_notebook()
    deep = [f"x = 1{'+1' * 300_000}", f"x = {'-' * 60_000}1", f"x = {'(' * 150}1{')' * 150}", "import gc\ngc.freeze()"]
    notebook.cells[1:1] = [new_code_cell(source) for source in deep]
    plan = Plan.of(source_notebook())
    plan.guarded = {"shout_right": "it asks what kind of function it is"}
    said = " ".join(read_submission(notebook, released_notebook(), plan=plan))
    assert said.count("is nested too deeply to be read") == 2 and "looks through memory by gc" in said
