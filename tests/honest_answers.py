"""Right answers to the demo course, as people write them: each is worth all points, and nothing is to be said of it."""

_WRITTEN = """
### numpy scalar
import numpy as np
def square(x): return np.float32(x) ** 2
def shout(text): return np.char.upper(text)
### array of no dimension
import numpy as np
def square(x): return np.array(x * x)
shout = str.upper
### lambdas
square = lambda x: x * x
shout = lambda text: ''.join(c.upper() for c in text)
### partial
import functools
square = functools.partial(lambda n, x: x ** n, 2)
shout = functools.partial(str.upper)
### callable object
class Power:
    def __init__(self, n): self.n = n
    def __call__(self, x): return x ** self.n
square, shout = Power(2), str.upper
### recursion
def square(x, n=2): return x * square(x, n - 1) if n else 1
def shout(text): return text[:1].upper() + shout(text[1:]) if text else ''
### decorator
import functools
def logged(f):
    @functools.wraps(f)
    def inner(*a, **k):
        return f(*a, **k)
    return inner
@logged
def square(x): return x * x
@functools.lru_cache
def shout(text): return text.upper()
### default arguments
def square(x, seen=[]):
    seen.append(x)
    return x * x
def shout(text, how=str.upper): return how(text)
### globals that count
calls = 0
def square(x):
    global calls, points
    calls += 1
    points = calls
    return x * x
def shout(text): return text.upper()
### prints and warns
import warnings
def square(x):
    print('squaring', x)
    warnings.warn('slow')
    return x * x
def shout(text):
    print(text)
    return text.upper()
### a class of text
class Text(str):
    def upper(self): return Text(str.upper(self))
def square(x): return x * x
def shout(text): return Text(text).upper()
### shadows
sum = 0; list = [1, 2]; str_ = 'x'; max = min = None; points = 7; result = 'mine'
def square(x): return x * x
def shout(text): return text.upper()
### stars
from numpy import *
from math import *
def square(x): return float(power(x, 2))
def shout(text): return text.upper()
### semicolons
def square(x): return x * x
def shout(text): return text.upper()
square(2);
exit()
### all values
get_ipython().ast_node_interactivity = 'all'
def square(x): return x * x
def shout(text): return text.upper()
square(2)
### random
import random, numpy as np
random.seed(3); np.random.seed(3)
def square(x): return x * x + 0 * random.random()
def shout(text): return text.upper() if np.random.rand() < 2 else ''
### figures
import matplotlib.pyplot as plt
def square(x):
    plt.plot([x, x * x])
    return x * x
def shout(text): return text.upper()
plt.plot([1, 2]);
### fractions
from fractions import Fraction
def square(x): return Fraction(x) * Fraction(x)
def shout(text): return text.upper()
### methods
class Tools:
    made = 0
    def __init__(self):
        type(self).made += 1
        self.__class__.made += 1
    def square(self, x): return x * x
    @staticmethod
    def shout(text): return text.upper()
square, shout = Tools().square, Tools.shout
### progress bar
from tqdm.auto import tqdm
def square(x): return sum(x for _ in tqdm(range(1))) * x
def shout(text):
    shown.update(text)
    return ''.join(c.upper() for c in tqdm(text))
from IPython.display import display
shown = display(1, display_id=True)
shown.update(2)
### threads
from concurrent.futures import ThreadPoolExecutor
def square(x):
    with ThreadPoolExecutor(2) as pool:
        return list(pool.map(lambda v: v * v, [x]))[0]
def shout(text): return text.upper()
### errors caught
def square(x):
    try:
        return int('x')
    except ValueError:
        return x * x
    finally:
        pass
def shout(text): return text.upper()
"""
HONEST = {name: code for name, _, code in (part.partition("\n") for part in _WRITTEN.split("### ")[1:])}
