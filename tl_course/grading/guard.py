"""A kernel that puts back what student code has replaced, and seeds what draws at random, before each cell.

Student code shares a process with the tests that judge it, so this is a lock for honest people: it undoes replaced
functions of modules that a test relies on, and says so. Whoever looks for the guard itself in memory can disable it.
"""

import ast
import functools
import os
import random
import socket
import sys
import types
import zlib
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from hashlib import sha256
from typing import Any, ClassVar

from ipykernel.ipkernel import IPythonKernel

from tl_course.grading.answering import answer_calls
from tl_course.grading.guarded_test import TestRun, reply_error, value_for_reply
from tl_course.grading.notes import ANSWER_CALLS, RESTORED, VALUE
from tl_course.variants import GRADED_STUDENT

__all__ = ["GuardedKernel", "Snapshot"]

# What tests are made of, besides the course itself. What the assignment does not import is not there to be replaced.
_MODULES = (
    "builtins", "inspect", "json", "math", "operator", "pytest", "random", "statistics", "unittest.mock",
    "numpy", "numpy.linalg", "numpy.random", "numpy.testing", "pandas", "pandas.testing",
    "torch", "torch.nn", "torch.nn.functional", "torch.testing", "torch.optim",
    "IPython.core.interactiveshell", "IPython.core.displayhook",
    "ipykernel.displayhook", "ipykernel.zmqshell", "ipykernel.ipkernel",
)  # fmt: skip
_OWN = "tl_course."
_QUESTIONS = "tl_course.exercises."
_DATA = (bool, int, float, str, tuple, frozenset, dict, set, list)
_KINDS = (types.FunctionType, types.BuiltinFunctionType, type, functools._lru_cache_wrapper)


class Snapshot:
    """The functions and classes of modules, and the methods of those classes, as they are when it is made."""

    def __init__(self) -> None:
        _settle()
        self._kept = {id(owner): (owner, name, dict(_functions(owner))) for name, owner in _owners()}
        modules = [module for name, module in list(sys.modules.items()) if name.startswith(_QUESTIONS)]
        self._values = [(module, name, value, copy(value)) for module in modules for name, value in _plain(module)]

    def restore(self) -> list[str]:
        """Put back what is another one now; returns the names of what was put back."""
        found = []
        for owner, where, functions in self._kept.values():
            now = vars(owner)
            for name, function in functions.items():
                if now.get(name) is not function:
                    with suppress(AttributeError, TypeError):
                        setattr(owner, name, function)
                        found.append(f"{where}.{name}")
        for module, name, value, content in self._values:
            if isinstance(value, dict | set):
                value.clear()
                value.update(content)
            elif isinstance(value, list):
                value[:] = content
            if vars(module).get(name) is not value:
                setattr(module, name, value)
                found.append(f"{module.__name__}.{name}")
        return found


def _settle() -> None:
    """Let happen now what a library itself replaces at its first use: torch wraps `step` of an optimizer's class."""
    torch: Any = sys.modules.get("torch")
    for one in vars(torch.optim).values() if torch else ():
        if isinstance(one, type) and issubclass(one, torch.optim.Optimizer):
            with suppress(Exception):  # some want more than that
                one([torch.zeros(1, 1, requires_grad=True)], lr=0.1)


def _owners() -> Iterator[tuple[str, Any]]:
    for name in [*_MODULES, *(name for name in sys.modules if name.startswith(_OWN))]:
        module = sys.modules.get(name)
        if module is None:
            continue
        yield name, module
        for called, member in list(vars(module).items()):
            if isinstance(member, type) and member.__module__ not in ("builtins", "typing"):
                yield f"{member.__module__}.{member.__qualname__}", member
            elif _is_own(member):
                yield f"{name}.{called}", member


def _plain(module: Any) -> Iterator[tuple[str, Any]]:
    """What a module of questions judges by, besides functions: numbers, texts, and collections, which may change."""
    for name, value in list(vars(module).items()):
        if not name.startswith("__") and isinstance(value, _DATA):
            yield name, value


def _statements(code: str) -> list[ast.stmt]:
    try:
        return ast.parse(code).body
    except SyntaxError:  # what only IPython understands
        return []


def _used(code: str) -> set[str]:
    """Names that a cell reads."""
    nodes = [node for statement in _statements(code) for node in ast.walk(statement)]
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def _bound(code: str) -> set[str]:
    """Names that a cell makes something of, outside of functions."""
    found: set[str] = set()
    for statement in _statements(code):
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            found.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            found |= {(one.asname or one.name).partition(".")[0] for one in statement.names}
        else:
            nodes = ast.walk(statement)
            found |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    return found


def _is_own(value: Any) -> bool:
    """Whether it is an object of the course, such as a question."""
    return type(value).__module__.startswith(_OWN) and hasattr(value, "__dict__")


def _functions(owner: Any) -> Iterator[tuple[str, Any]]:
    for name, value in list(vars(owner).items()):
        if (
            isinstance(value, _KINDS)
            or _is_own(value)
            or (isinstance(owner, type) and isinstance(value, property | classmethod | staticmethod))
        ):
            yield name, value


class GuardedKernel(IPythonKernel):
    """IPython's kernel, which restores and seeds before each cell; its answers name what was restored.

    Attributes
    ----------
    snapshot : Snapshot
        What is restored; taken by the process that kernels are forked from.
    protected : list of str
        SHA-256 of the instructor's cells: for each test, what they name is what it was when they had run.
    channel : socket
        To the judge, where there is one.
    """

    snapshot: Snapshot
    channel: ClassVar[socket.socket]
    protected: ClassVar[list[str]] = []

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._restored: list[str] = []
        self._value: float | dict[str, str] | None = None
        self._test = ""
        self._student = os.environ.get(GRADED_STUDENT)
        self._shadowing: dict[str, Any] | None = None
        self._named: dict[str, Any] = {}
        self._made: dict[str, tuple[Any, dict[str, Any]]] = {}

    async def execute_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Take a test's source out of the request, where an answer that the test calls could look it up."""
        content = parent["content"]
        if not content.get("store_history", True):
            self._test, content["code"] = content["code"], ""
        await super().execute_request(stream, ident, parent)

    async def do_execute(  # noqa: D102 - as in the base class
        self, code: str, silent: bool, store_history: bool = True, *arguments: Any, **options: Any
    ) -> Any:
        self._restored = self.snapshot.restore() + self._restore_shell()
        self._value = None
        if self._student is not None and os.environ.get(GRADED_STUDENT) != self._student:
            os.environ[GRADED_STUDENT] = self._student
            self._restored.append(GRADED_STUDENT)
        test, self._test = self._test, ""
        seed_all(zlib.crc32((code or test).encode()))
        if test == ANSWER_CALLS:
            return self._answer_calls()
        if not store_history:
            return await self._run_test(test)
        reply = await super().do_execute(code, silent, store_history, *arguments, **options)
        if sha256(code.encode()).hexdigest() in self.protected:
            assert self.shell is not None
            names = self.shell.user_ns
            made = {name: names[name] for name in _bound(code) if name in names}
            self._named |= made
            self._made |= {name: (one, dict(_functions(one))) for name, one in made.items() if _is_own(one)}
        return reply

    def _answer_calls(self) -> dict[str, Any]:
        """Do what the process of a test asks, until it has ended."""
        assert self.shell is not None
        answer_calls(self.channel, self.shell.user_ns)
        self.shell.events.trigger("post_execute")  # figures are shown
        return {"status": "ok", "execution_count": self.shell.execution_count, "payload": [], "user_expressions": {}}

    async def _run_test(self, source: str) -> dict[str, Any]:
        """Run a test past IPython, with the names of locked cells as these made them; answers as a kernel does."""
        assert self.shell is not None
        names = self.shell.user_ns
        theirs = {name: names.get(name) for name, value in self._named.items() if names.get(name) is not value}
        used = _used(source)  # a name that this test does not use may well be taken twice
        self._restored += [f"{name} (for the tests)" for name in theirs if name in used]
        names.update({name: self._named[name] for name in theirs})
        for name, (one, functions) in self._made.items():
            if changed := {what: value for what, value in functions.items() if vars(one).get(what) is not value}:
                vars(one).update(changed)
                self._restored += [f"{name}.{what}" for what in changed]
        run = TestRun(source, "<test>")
        await run.run(names)
        names.update(theirs)
        reply = {"execution_count": self.shell.execution_count, "payload": [], "user_expressions": {}}
        if run.error is None:
            self._value = value_for_reply(run.value)
            return reply | {"status": "ok"}
        name, said = reply_error(run.error)
        return reply | {"status": "error", "ename": name, "evalue": said, "traceback": run.formatted()}

    def _restore_shell(self) -> list[str]:
        """Methods that were replaced on the shell itself, not on its class."""
        own = vars(self.shell)
        now = {name: value for name, value in own.items() if callable(getattr(type(self.shell), name, None))}
        if self._shadowing is None:  # before the first cell: what ipykernel itself has replaced
            self._shadowing = now
        changed = [name for name in now | self._shadowing if now.get(name) is not self._shadowing.get(name)]
        for name in changed:
            own.pop(name, None)
        own.update({name: self._shadowing[name] for name in changed if name in self._shadowing})
        return [f"get_ipython().{name}" for name in changed]

    def finish_metadata(self, parent: Any, metadata: dict[str, Any], reply_content: Any) -> dict[str, Any]:  # noqa: D102
        finished: dict[str, Any] = super().finish_metadata(parent, metadata, reply_content)
        value = {} if self._value is None else {VALUE: self._value}
        return finished | {RESTORED: self._restored} | value


def seed_all(seed: int) -> None:
    random.seed(seed)
    with suppress(Exception):  # a submission may have made another thing of either
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(seed)
        if "torch" in sys.modules:
            sys.modules["torch"].manual_seed(seed)
