"""What a test does to its process, and an answer in another one does not feel: found out when the solution runs.

A test that makes warnings errors, counts memory or replaces ``sorted`` by something that raises would pass whatever an
answer does. Where an answer is called meanwhile, the test has to share a process with it.
"""

import builtins
import io
import logging
import os
import resource
import sys
import time
import tracemalloc
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from operator import is_
from types import FunctionType, ModuleType
from typing import Any
from unittest import mock

__all__ = ["Effects"]

_MIRRORED = ("print", "input")  # those that answers are given too, where a test replaces them
_MEASURES = ((time, "process_time"), (time, "thread_time"), (os, "times"), (resource, "getrusage"))
_MOST_LOOKS = 200  # in a test
_STRICT = ("raise", "call")


class Effects:
    """Looks at this process whenever an answer has been called.

    Attributes
    ----------
    noticed : str
        What a test had done when it called an answer, in words.
    """

    def __init__(self) -> None:
        self.noticed = ""
        self._patches: list[Any] = []
        self._looks = 0
        for module, name in _MEASURES:
            setattr(module, name, self._noticing(getattr(module, name), f"{module.__name__}.{name}"))
        for kind in (mock._patch, mock._patch_dict):
            self._listen(kind)
        self._were = _state()
        self._modules: list[tuple[str, ModuleType, dict[str, Any]]] = []

    def begin(self) -> None:
        """A test begins."""
        self.noticed, self._looks = "", 0
        self._were |= {"sys.stderr": sys.stderr, "sys.stdin": sys.stdin}
        self._patches.clear()
        self._modules = _names_of_modules()

    def look(self) -> None:
        """An answer has been called."""
        self._looks += 1
        if self.noticed or self._looks > _MOST_LOOKS:
            return
        now = _state()
        changed = [what for what, value in now.items() if value != self._were[what]]
        found = changed or [name for patch in self._patches if (name := _patched(patch))]
        if not found and not self._looks & (self._looks - 1):  # which takes longer: after 1, 2, 4, 8, … calls
            found = self._replaced()
        if found:
            self.noticed = f"it changes {found[0]} while it calls an answer"

    @contextmanager
    def accepted(self) -> Iterator[None]:
        """What happens meanwhile, happens to answers too: cells of the instructor's run there as well."""
        before, modules = _state(), _names_of_modules()
        try:
            yield
        finally:
            self._were |= {what: value for what, value in _state().items() if value != before[what]}
            others = {name for name, module, were in modules if not _is_as_before(module, were)}
            self._modules = [
                (name, module, dict(vars(module)) if name in others else were) for name, module, were in self._modules
            ]

    def _replaced(self) -> list[str]:
        for name, module, were in self._modules:
            if sys.modules.get(name) is not module:
                return [f"sys.modules[{name!r}]"]
            if _is_as_before(module, were):
                continue
            for one, value in were.items():
                other = vars(module).get(one, value)
                if other is not value and callable(value) and _is_of_a_test(other, module, one):
                    return [f"{name}.{one}"]
        return []

    def _noticing(self, function: Callable[..., Any], called: str) -> Callable[..., Any]:
        def measured(*arguments: Any, **named: Any) -> Any:
            if sys._getframe(1).f_globals.get("__name__") == "__main__":
                self.noticed = self.noticed or f"it measures by {called}"
            return function(*arguments, **named)

        return measured

    def _listen(self, kind: Any) -> None:
        enter, leave = kind.__enter__, kind.__exit__

        def entered(patch: Any) -> Any:
            value = enter(patch)
            self._patches.append(patch)
            return value

        def left(patch: Any, *error: Any) -> Any:
            if patch in self._patches:
                self._patches.remove(patch)
            return leave(patch, *error)

        kind.__enter__, kind.__exit__ = entered, left


def _names_of_modules() -> list[tuple[str, ModuleType, dict[str, Any]]]:
    everything: list[tuple[str, Any]] = list(sys.modules.items())  # tests put there what they like
    return [(name, one, dict(vars(one))) for name, one in everything if isinstance(one, ModuleType)]


def _is_as_before(module: ModuleType, were: dict[str, Any]) -> bool:
    return len(vars(module)) == len(were) and all(map(is_, vars(module).values(), were.values()))


def _is_of_a_test(value: Any, module: ModuleType, name: str) -> bool:
    if module is builtins:
        return name not in _MIRRORED
    made = isinstance(value, FunctionType | type) and value.__module__ == "__main__"
    return made or isinstance(value, mock.NonCallableMock)


def _patched(patch: Any) -> str:
    """What an active patch of unittest.mock has replaced; nothing where answers are given it too."""
    attribute, target = getattr(patch, "attribute", None), getattr(patch, "target", None)
    if attribute is None:
        return "a dictionary of others"
    if (target is builtins and attribute in _MIRRORED) or (target is sys and attribute in ("stdin", "stdout", "argv")):
        return ""
    return f"{getattr(target, '__name__', type(target).__name__)}.{attribute}"


def _state() -> dict[str, Any]:
    numpy: Any = sys.modules.get("numpy")
    errors = {kind: how for kind, how in numpy.geterr().items() if how in _STRICT} if numpy else {}
    return {
        "the limit of recursion": sys.getrecursionlimit(),
        "which warnings are errors": [one for one in warnings.filters if one[0] == "error"],
        "what becomes of warnings": (warnings.showwarning, getattr(warnings, "_showwarnmsg_impl", None)),
        "tracemalloc": tracemalloc.is_tracing(),
        "what traces": (sys.gettrace(), sys.getprofile()),
        "which numbers are errors to NumPy": errors,
        "os.environ": dict(os.environ),
        "the working directory": os.getcwd(),  # noqa: PTH109
        "sys.stdin": sys.__stdin__ if isinstance(sys.stdin, io.StringIO) else sys.stdin,
        "sys.stderr": sys.stderr,
        "who hears what is logged": list(logging.root.handlers),
    }
