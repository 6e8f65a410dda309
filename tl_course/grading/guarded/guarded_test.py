"""Compile and run one cell of the instructor's past IPython: in names of its own, with its last value and its error."""

import ast
import builtins
import inspect
import linecache
import math
import sys
import traceback
from collections.abc import Collection, Iterator
from contextlib import suppress
from types import CodeType, FunctionType, ModuleType, TracebackType
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from tl_course.exercises.question import brief, kind_of_error, raised_by
from tl_course.grading.guarded.library_code import is_in_a_library
from tl_course.grading.notes import NO_INPUT

__all__ = ["TestNames", "TestRun", "is_helper", "reply_error", "value_for_reply"]

_compile, _eval, _parse = builtins.compile, builtins.eval, ast.parse
_TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
_ABSENT = object()


class TestNames(dict[str, Any]):
    """Globals of the instructor's cells: what they bind is theirs, and everything else is read from the student's.

    What they bind or delete, the student's names have or lack too, so that an answer which reads a global finds it; but
    what an answer makes of a name there does not come back. Names of builtins are read from there only where `allowed`.

    Attributes
    ----------
    imported : dict
        What the notebook's cells import, imported by trusted code: the student's names do not stand for it.
    shared : frozenset of str or None
        While a test runs, the student has only these of the names that it binds; the others once it has run.
    """

    __test__ = False  # no class of pytest's

    def __init__(self, theirs: dict[str, Any], *, builtin: dict[str, Any], allowed: Collection[str] = ()) -> None:
        super().__init__(__builtins__=builtin, __name__="__main__")
        self._theirs = theirs
        self._hidden = frozenset(builtin) - frozenset(allowed)
        self._plain: set[str] = set()
        self.imported: dict[str, Any] = {}
        self.shared: frozenset[str] | None = None
        self._later: set[str] = set()

    def __missing__(self, name: str) -> Any:
        if name in self.imported:
            return self.imported[name]
        if name in self._hidden:
            raise KeyError(name)
        return self._theirs[name]

    def __setitem__(self, name: str, value: Any) -> None:
        super().__setitem__(name, value)
        if self.shared is None or name in self.shared:
            self._theirs[name] = value
        else:
            self._later.add(name)

    def share(self) -> None:
        """Let the student have the names that a test has bound."""
        for name in self._later:
            if super().__contains__(name):
                self._theirs[name] = super().__getitem__(name)
        self._later.clear()
        self.shared = None

    def __delitem__(self, name: str) -> None:
        there = super().pop(name, _ABSENT) is not _ABSENT
        if there:
            self._theirs.pop(name, None)
        else:
            del self._theirs[name]

    def __contains__(self, name: object) -> bool:
        if super().__contains__(name) or name in self.imported:
            return True
        return name not in self._hidden and name in self._theirs

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def keys(self) -> Any:  # noqa: D102 - as of a dict
        return self._all().keys()

    def items(self) -> Any:  # noqa: D102 - as of a dict
        return self._all().items()

    def values(self) -> Any:  # noqa: D102 - as of a dict
        return self._all().values()

    def _all(self) -> dict[str, Any]:
        theirs = {name: value for name, value in self._theirs.items() if name not in self._hidden}
        return theirs | dict(super().items())

    def get(self, name: str, default: Any = None) -> Any:  # noqa: D102 - as of a dict
        try:
            return self[name]
        except KeyError:
            return default

    def own(self) -> dict[str, Any]:
        """What the instructor's cells have bound."""
        return {name: value for name, value in super().items() if name != "__builtins__"}

    def give_up(self, names: Collection[str]) -> None:
        """Read these from the student's again: a cell of theirs binds them, after a test had used them for a value."""
        for name in names:
            super().pop(name, None)

    def read_in_classes(self, names: Collection[str]) -> None:
        """Have names here themselves while a class is made, where Python looks nowhere else."""
        for name in names:
            if not super().__contains__(name) and name in self:
                super().__setitem__(name, self[name])
                self._plain.add(name)

    def forget_read(self) -> None:
        """Read from the student's what was only copied."""
        self.give_up(self._plain)
        self._plain.clear()


class TestRun:
    """One run of a test's source, or of another cell of the instructor's.

    Attributes
    ----------
    value : object
        Of the expression that the cell ends with; None where it ends with none, with a semicolon, or with None.
    error : BaseException or None
        What it raised, or why it could not be compiled.
    """

    __test__ = False  # no class of pytest's

    def __init__(self, source: str, filename: str) -> None:
        self.value: Any = None
        self.error: BaseException | None = None
        self._filename = filename
        self._lines = source.splitlines()

    async def run(self, names: dict[str, Any]) -> None:
        """Run it with `names` as its globals."""
        try:
            tree = self._tree()
            if isinstance(names, TestNames):
                names.read_in_classes(_read_in_classes(tree))
            body, last = self._compiled(tree)
            await _run(body, names)
            if last is not None:
                self.value = await _run(last, names)
        except BaseException as error:
            self.error = error
        finally:
            if isinstance(names, TestNames):
                names.forget_read()

    def _tree(self) -> ast.Module:
        self._source = "\n".join(self._lines)
        with suppress(SyntaxError):
            return _parse(self._source, self._filename)
        self._source = TransformerManager().transform_cell(self._source)  # a magic, or no Python at all
        return _parse(self._source, self._filename)

    def _compiled(self, tree: ast.Module) -> tuple[CodeType, CodeType | None]:
        last = tree.body[-1] if tree.body else None
        expression: ast.Expression | None = None
        if isinstance(last, ast.Expr) and not _ends_with_semicolon(self._source, last):
            tree.body.pop()
            expression = ast.Expression(last.value)
        flags = _TOP_LEVEL_AWAIT
        body = _compile(tree, self._filename, "exec", flags, dont_inherit=True)
        if expression is None:
            return body, None
        return body, _compile(expression, self._filename, "eval", flags, dont_inherit=True)

    def keep_lines(self) -> None:
        """Let inspect.getsource find the source of what the cell makes: not for tests."""
        lines = [f"{line}\n" for line in self._lines]
        linecache.cache[self._filename] = (sum(map(len, lines)), None, lines, self._filename)

    def formatted(self) -> list[str]:
        """The traceback in lines, with the cell's own lines, which no cache of the kernel's holds."""
        if self.error is None:
            return []
        stack = traceback.StackSummary()
        for frame, line in traceback.walk_tb(_without_own(self.error.__traceback__)):
            code = frame.f_code
            own = code.co_filename == self._filename and 0 < line <= len(self._lines)
            text = self._lines[line - 1] if own else None
            stack.append(traceback.FrameSummary(code.co_filename, line, code.co_name, lookup_line=False, line=text))
        name, said = reply_error(self.error)
        return ["Traceback (most recent call last):", *"".join(stack.format()).splitlines(), f"{name}: {said}"]

    def told(self) -> str:
        """What a student may know of an error in their code: its kind and their line, nothing of the test's input."""
        if self.error is None:
            return ""
        if raised := raised_by(self.error):
            return _raised(self.error, raised.line)
        if isinstance(self.error, NameError) and self._raised_here() and self.error.name:
            return f"There is no “{self.error.name}”: the cell that makes it was not run, or stopped with an error."
        for frame, line in reversed(list(traceback.walk_tb(self.error.__traceback__))):
            code = frame.f_code
            if code.co_filename != self._filename and not is_in_a_library(code):
                text = linecache.getline(code.co_filename, line).strip()
                return _raised(self.error, f" (in your line: {text})" if text else "")
        return ""

    def _raised_here(self) -> bool:
        *_, (frame, _) = traceback.walk_tb(self.error.__traceback__ if self.error else None)
        return frame.f_code.co_filename == self._filename


def _raised(error: BaseException, line: str) -> str:
    kind = kind_of_error(error)
    if isinstance(error, KeyboardInterrupt):  # ours
        return f"Your code was stopped{line or '.'}"
    more = f" {NO_INPUT}" if kind == "EOFError" and "input(" in line else ""
    return f"Your code raised {kind}{line or '.'}{more}"


async def _run(code: CodeType, names: dict[str, Any]) -> Any:
    value = _eval(code, names)
    return await value if code.co_flags & inspect.CO_COROUTINE else value


def _ends_with_semicolon(source: str, last: ast.stmt) -> bool:
    """Whether the author of a test asks that its last value is not shown."""
    assert last.end_lineno is not None and last.end_col_offset is not None
    line, *more = source.splitlines()[last.end_lineno - 1 :]
    return "\n".join([line.encode()[last.end_col_offset :].decode(), *more]).lstrip().startswith(";")


def _read_in_classes(tree: ast.Module) -> set[str]:
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)]
    nodes = [node for one in classes for node in ast.walk(one)]
    return {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}


def is_helper(value: Any) -> bool:
    """Whether a test made something to work with, such as a function, and no mere value."""
    return isinstance(value, FunctionType | type | ModuleType)


def _without_own(trace: TracebackType | None) -> TracebackType | None:
    while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
        trace = trace.tb_next
    return trace


def reply_error(error: BaseException) -> tuple[str, str]:
    """The name and the text of an error, whatever its ``__str__`` does."""
    try:
        return type(error).__name__, str(error)
    except BaseException:  # the student's own __str__
        return type(error).__name__, ""


def value_for_reply(value: Any) -> float | dict[str, str] | None:
    """A test's last value as the kernel's reply tells it: a number, or the kind and the text of another thing."""
    if value is None:
        return None
    kind = type(value)
    if kind in (int, float) or _is_numpy_scalar(kind):
        with suppress(OverflowError):
            if math.isfinite(number := float(value)):
                return number
    return {"kind": kind.__name__, "text": brief(value)}


def _is_numpy_scalar(kind: type) -> bool:
    numpy: Any = sys.modules.get("numpy")
    if numpy is None or kind.__module__ != "numpy" or getattr(numpy, kind.__name__, None) is not kind:
        return False
    return issubclass(kind, numpy.integer | numpy.floating)
