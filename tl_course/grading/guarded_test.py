"""Compile and run one test cell past IPython: what it ends with, and its error as a notebook has it."""

import ast
import builtins
import inspect
import math
import sys
import traceback
from contextlib import suppress
from types import CodeType, TracebackType
from typing import Any

from IPython.core.inputtransformer2 import TransformerManager

from tl_course.grading.checks import brief

__all__ = ["TestRun", "reply_error", "value_for_reply"]

_compile, _eval, _parse = builtins.compile, builtins.eval, ast.parse
_TOP_LEVEL_AWAIT = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


class TestRun:
    """One run of a test's source.

    Attributes
    ----------
    value : object
        Of the expression that the test ends with; None where it ends with none, with a semicolon, or with None.
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
            body, last = self._compiled()
            await _run(body, names)
            if last is not None:
                self.value = await _run(last, names)
        except BaseException as error:
            self.error = error

    def _compiled(self) -> tuple[CodeType, CodeType | None]:
        source = "\n".join(self._lines)
        try:
            tree = _parse(source, self._filename)
        except SyntaxError:  # a magic, or no Python at all
            source = TransformerManager().transform_cell(source)
            tree = _parse(source, self._filename)
        last = tree.body[-1] if tree.body else None
        expression: ast.Expression | None = None
        if isinstance(last, ast.Expr) and not _ends_with_semicolon(source, last):
            tree.body.pop()
            expression = ast.Expression(last.value)
        flags = _TOP_LEVEL_AWAIT
        body = _compile(tree, self._filename, "exec", flags, dont_inherit=True)
        if expression is None:
            return body, None
        return body, _compile(expression, self._filename, "eval", flags, dont_inherit=True)

    def formatted(self) -> list[str]:
        """The traceback in lines, with the test's own lines, which no cache of the kernel's holds."""
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


async def _run(code: CodeType, names: dict[str, Any]) -> Any:
    value = _eval(code, names)
    return await value if code.co_flags & inspect.CO_COROUTINE else value


def _ends_with_semicolon(source: str, last: ast.stmt) -> bool:
    """Whether the author of a test asks that its last value is not shown."""
    assert last.end_lineno is not None and last.end_col_offset is not None
    line, *more = source.splitlines()[last.end_lineno - 1 :]
    return "\n".join([line.encode()[last.end_col_offset :].decode(), *more]).lstrip().startswith(";")


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
