"""An audit hook for the process that runs tests: nothing that may be an answer's text, file or pickle is run there.

What comes from an answer are plain values; but a text is code to ``eval``, ``exec``, ``doctest``, a template, a formula
of pandas or a shell, and a file is to ``import`` and ``pickle``. So only that runs here which tests, locked cells and
installed modules consist of. Parsing alone is harmless, and allowed.
"""

import ast
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

__all__ = ["OwnCode"]

_HERE = ("tl_course.grading.apart.judge", "tl_course.grading.guarded.guarded_test")
_IMPORTING = ("importlib._bootstrap", "importlib._bootstrap_external", "zipimport")
# These run texts that they put together from names which they have looked at.
_MAKERS = (
    "collections", "dataclasses", "unittest.mock", "attr._make", "decorator", "scipy.stats._distn_infrastructure",
    "networkx.utils.decorators",
)  # fmt: skip
_SUMS = "pandas.core.computation.expressions"  # of two columns, by numexpr
_FORMULAS = "pandas.core.computation."
_PROGRAMS = (
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.startfile", "pty.spawn",
)  # fmt: skip
# These ask a program of the system something: how many cores there are, which fonts.
_ASKING = ("joblib.externals.loky.backend.context", "matplotlib.font_manager", "platform")
_SYSTEM = ("/usr/", "/lib/", "/lib64/", "/opt/")  # where no answer writes
_DEEPEST = 80  # frames that are looked at


class OwnCode:
    """What may run in this process; to be given to `sys.addaudithook` as `OwnCode.hear`.

    Parameters
    ----------
    handed_out : function of an import loader
        Whether it imports what was handed out.

    Attributes
    ----------
    refused : str
        What was refused last, in words.
    """

    def __init__(self, handed_out: Callable[[Any], bool]) -> None:
        self._handed_out = handed_out
        self._texts: set[str] = set()  # that stand in tests and cells of the instructor's
        self._places = tuple(f"{Path(place).resolve()}/" for place in sys.path if place)
        self._compiled: tuple[int, int, str] = (0, 0, "")  # by which frame, where in it, and what
        self.refused = ""

    def trust(self, source: str) -> None:
        """Texts that stand in `source`, which is the instructor's, may run."""
        try:
            nodes = list(ast.walk(ast.parse(source)))
        except (SyntaxError, ValueError, RecursionError):  # magics: then none does
            return
        for node in nodes:
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                self._texts |= {node.value.strip(), *map(str.strip, node.value.splitlines())}

    def hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        """Raise RuntimeError where what is about to run may be an answer's."""
        what = ""
        if event == "exec":
            what = self._text_that_runs(sys._getframe(1))
        elif event == "compile":
            what = self._compile(sys._getframe(1), arguments[0])
        elif event == "pickle.find_class":
            what = f"unpickles {arguments[1]}"
        elif event in ("marshal.loads", "marshal.load"):
            what = "" if _name(sys._getframe(1)) in _IMPORTING else "unmarshals what may be code"
        elif event == "function.__new__":
            what = "makes a function of code" if _name(sys._getframe(1)) == "__main__" else ""
        elif event in _PROGRAMS:
            asked = any(_is_import(frame) or _name(frame) in _ASKING for frame in _frames(sys._getframe(1)))
            what = "" if asked else "starts a program"
        elif event == "import" and arguments[1]:
            what = "" if self._is_installed(arguments[1]) else f"imports {arguments[1]}"
        elif event == "ctypes.dlopen":
            path = os.fsdecode(arguments[0] or "")
            written = "/" in path and not path.startswith(_SYSTEM) and not self._is_installed(path)
            what = f"loads {path}" if written else ""
        if what:
            self.refused = f"it {what}"
            raise RuntimeError(f"A test that {what} has to run in the process of the answer.")

    def _text_that_runs(self, caller: FrameType) -> str:
        name = _name(caller)
        if name in _HERE or name in _MAKERS:
            return ""
        if name in _IMPORTING:
            return self._module_that_runs(caller.f_locals.get("args", ()))
        if name == "timeit" and {caller.f_locals.get("stmt"), caller.f_locals.get("setup")} <= (
            self._texts | {"_stmt()", "_setup()", "pass"}
        ):
            return ""
        frame, place, text = self._compiled
        if (frame, place) == (id(caller), caller.f_lasti) and text.strip() in self._texts:
            return ""
        if any(_is_import(frame) or _name(frame) == _SUMS or self._is_formula(frame) for frame in _frames(caller)):
            return ""
        return "runs a text as code"

    def _module_that_runs(self, arguments: tuple[Any, ...]) -> str:
        names = arguments[1] if len(arguments) > 1 else None  # there are none of what is written in C
        spec: Any = names.get("__spec__") if isinstance(names, dict) else None
        origin = getattr(spec, "origin", None)
        good = not origin or self._handed_out(spec.loader) or self._is_installed(origin)
        return "" if good else f"imports {origin}"

    def _compile(self, caller: FrameType, source: Any) -> str:
        text = source.decode("utf-8", "replace") if isinstance(source, bytes) else source
        self._compiled = (id(caller), caller.f_lasti, text) if isinstance(text, str) else (0, 0, "")
        if not any(_name(frame).startswith(_FORMULAS) for frame in _frames(caller)):
            return ""
        return "" if any(self._is_formula(frame) for frame in _frames(caller)) else "has pandas evaluate a text"

    def _is_formula(self, frame: FrameType) -> bool:
        """Whether pandas evaluates a formula here that stands in a test."""
        evaluates = _name(frame) == f"{_FORMULAS}eval" and frame.f_code.co_name == "eval"
        return evaluates and str(frame.f_locals.get("expr")).strip() in self._texts

    def _is_installed(self, path: str) -> bool:
        return str(Path(path).resolve()).startswith(self._places)


def _name(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _frames(frame: FrameType) -> Iterator[FrameType]:
    """Frames from this one up to that of a test."""
    left: FrameType | None = frame
    for _ in range(_DEEPEST):
        if left is None or _name(left) in ("__main__", *_HERE):
            return
        yield left
        left = left.f_back


def _is_import(frame: FrameType) -> bool:
    """Whether a module is being imported: what it runs meanwhile is its own."""
    return _name(frame) == "importlib._bootstrap" and frame.f_code.co_name == "_call_with_frames_removed"
