"""Questions inside lessons: ``check`` an answer, ask for a ``hint``, see the ``solution``; never a traceback."""

import ast
import builtins
import dis
import html
import inspect
import io
import linecache
import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from tempfile import TemporaryDirectory
from textwrap import dedent
from traceback import walk_tb
from typing import Any

from tl_course.exercises.protocol import ANSWER_HOME, SHOWN
from tl_course.exercises.variants import GRADED_STUDENT

__all__ = ["NotYet", "Question", "Result", "attempted", "brief", "folder_for_answer", "kind_of_error", "running"]

ABOUT = "tl_course_about"  # among the attributes of what stands for a function in another process: what is known of it
RAISED = "tl_course_raised"  # among those of an error: that it was raised there
_SIGNS = {
    "right": ("✔", "#009E73"),
    "not yet": ("✘", "#D55E00"),
    "not attempted": ("…", "#666666"),
    "": ("", "#0072B2"),
}


tell: Callable[["Result"], bool] | None = None  # in place of showing the result of a question, where it is taken up


class NotYet(Exception):  # noqa: N818 - reads as a sentence where a check raises it
    """Raised by a check, with a sentence that tells the student what the answer still lacks.

    Parameters
    ----------
    share : float
        Of the points that the answer has earned all the same, 0 to 1.
    """

    def __init__(self, text: str, *, share: float = 0.0) -> None:
        super().__init__(text)
        self.share = share


@dataclass(frozen=True)
class Result:
    """What a question has to say: shown as a coloured line or a block of code in a notebook, as text elsewhere.

    Attributes
    ----------
    status : {"right", "not yet", "not attempted", ""}
        Empty for hints and solutions.
    text : str
    code : str
        A solution, empty otherwise.
    share : float
        Of the points, what an answer has earned that is not yet right, 0 to 1.
    """

    status: str
    text: str
    code: str = ""
    share: float = 0.0

    def __bool__(self) -> bool:
        return self.status == "right"

    def points(self, of: float) -> float:
        """Show this, and return the points that it is worth: for a test cell of an assignment, which ends with them."""
        from IPython.display import display

        earned = round(of * (1.0 if self else self.share), 2)
        shown = replace(self, text=f"{earned:g} of {of:g} points. {self.text}")
        if tell is None or not tell(shown):
            display(shown, metadata={SHOWN: True})  # type: ignore[no-untyped-call]
        return earned

    def __str__(self) -> str:
        sign = _SIGNS[self.status][0]
        return "\n".join(part for part in (f"{sign} {self.text}".strip(), self.code) if part)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        sign, colour = _SIGNS[self.status]
        code = f"<pre style='margin:.4em 0 0'>{html.escape(self.code)}</pre>" if self.code else ""
        return (
            f"<div style='border-left:4px solid {colour};padding:.3em .8em'>"
            f"<b style='color:{colour}'>{sign}</b> {html.escape(self.text)}{code}</div>"
        )


_BLANK = Result(
    "not attempted", "Not attempted yet, or your function returns nothing. Replace the ... and run the cell again."
)


class Question:
    """One question of a lesson.

    Parameters
    ----------
    check : function of the student's answer
        Returns a sentence of praise, or raises `NotYet` with what is missing. An error in the student's function is
        told as such, with its line; any other that is raised, as an answer of another kind than was asked for.
    solution : function, optional
        The model answer, shown as its own source. A test gives it to `check`. Questions of assignments have none.
    hints : sequence of str
        From the gentlest to the plainest.
    """

    def __init__(
        self, check: Callable[[Any], str], *, hints: Sequence[str], solution: Callable[..., Any] | None = None
    ) -> None:
        self._check = check
        self._solution = solution
        self._hints = list(hints)
        self._given = 0

    def check(self, answer: Any = ...) -> Result:
        """Judge an answer. `...`, None, or a function that still returns one of them, counts as not attempted."""
        if answer is ... or answer is None or is_blank(answer):
            return _BLANK
        function = _Function(answer, self._solution) if callable(answer) else None
        try:
            return Result("right", self._check(function or answer))
        except NotYet as missing:
            return Result("not yet", str(missing) + (function.kept_hint if function else ""), share=missing.share)
        except _NotAttemptedError:
            return Result("not yet", _NOTHING + function.printed_hint) if function and function.unreturned else _BLANK
        except _RaisedError as raised:
            return _BLANK if is_left_blank(answer, raised.error) else self._raised(raised.error)
        except Exception as error:  # raised by the check, over what it was given; it must not end the lesson either
            if isinstance(error, TypeError) and not callable(answer) and "not callable" in str(error):
                return Result("not yet", self._wants_function(answer))
            if _runs_code_of(answer, error):  # a generator, say, whose code runs only when it is read
                return self._raised(error)
            said = "" if os.environ.get(GRADED_STUDENT) else f" ({_named(error)})"
            return Result("not yet", f"What your answer gave cannot be judged: it is of another kind than asked{said}.")

    @staticmethod
    def _raised(error: BaseException) -> Result:
        """What to tell of an error in the student's own code."""
        if os.environ.get(GRADED_STUDENT):  # its text could hold what a hidden test has given it
            said = f"Your answer raised {kind_of_error(error)}{line_of(error)}. Check it yourself to see what it says."
            return Result("not yet", said)
        return Result("not yet", f"Your answer raised {_named(error)}{line_of(error)}")

    def _wants_function(self, answer: Any) -> str:
        name = self._solution.__name__ if self._solution else "your_function"
        return (
            f"check() takes your function itself, and was given {brief(answer)}. Write its name without parentheses "
            f"after it: check({name})."
        )

    def hint(self) -> Result:
        """The next hint; after the last one, the first again."""
        text = self._hints[self._given % len(self._hints)]
        number = self._given % len(self._hints) + 1
        self._given += 1
        return Result("", f"Hint {number} of {len(self._hints)}: {text}")

    def solution(self) -> Result:
        """One good answer, as code."""
        if self._solution is None:
            return Result("", "This question is for marks, so its solution is not shown. hint() says more, each time.")
        return Result("", "One good answer:", _plain_source(self._solution))


def _plain_source(function: Callable[..., Any]) -> str:
    """A function as it is written, but for annotations: a notebook has not imported what they name."""
    source = inspect.getsource(function)
    # Only where it has to be: dedent() also changes blank lines within strings.
    code = (dedent(source) if source[:1].isspace() else source).encode()
    try:
        tree = ast.parse(code)
    except SyntaxError:  # a part of a longer statement, as a lambda may be
        return source.strip()
    starts = [0, *accumulate(len(line) for line in code.splitlines(keepends=True))]
    cuts: list[tuple[int, int]] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.arg) and (note := node.annotation):
            cuts.append((starts[node.lineno - 1] + node.col_offset + len(node.arg.encode()), _end(note, starts)))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (note := node.returns):
            arrow = code.rindex(b"->", 0, starts[note.lineno - 1] + note.col_offset)
            cuts.append((len(code[:arrow].rstrip()), _end(note, starts)))
    for start, end in sorted(cuts, reverse=True):
        code = code[:start] + code[end:]
    return code.decode().strip()


def _end(node: ast.expr, starts: Sequence[int]) -> int:
    return starts[(node.end_lineno or node.lineno) - 1] + (node.end_col_offset or node.col_offset)


_NOTHING = "Your function returns nothing. "


class _RaisedError(Exception):
    """Wraps what the student's function raised, to tell it from what a check raises over its answer."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(str(type(error)))
        self.error = error


class _Function:
    """The student's function as a check calls it: its errors are marked as its own, and what it prints is noticed."""

    def __init__(self, function: Callable[..., Any], solution: Callable[..., Any] | None) -> None:
        self._function = function
        self._solution = solution
        self._printed = _Printed()
        self.unreturned = False  # whether its last call returned None
        self._returned: Any = None
        self._kept = False  # whether its last call returned the very thing that the one before returned

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        self._check_arguments(arguments, named)
        self.unreturned = False
        self._printed.start = ""
        with redirect_stdout(self._printed), running():
            value = self._function(*arguments, **named)
        if inspect.iscoroutine(value) or inspect.isasyncgen(value):
            if inspect.iscoroutine(value):
                value.close()  # else Python warns of it
            raise NotYet("Your function returned what “async def” makes, which has not run. Write “def” alone.")
        self.unreturned = value is None
        self._kept = isinstance(value, list | dict | set) and value is self._returned
        self._returned = value
        return value

    @property
    def kept_hint(self) -> str:
        """What to do where something was returned again, with what was put into it before."""
        kind = type(self._returned).__name__
        return f" Each call returns the same {kind} again: make a new one inside the function." if self._kept else ""

    @property
    def printed_hint(self) -> str:
        """What to do where nothing was returned."""
        if (text := _cut(self._printed.start, 60)) and os.environ.get(GRADED_STUDENT):
            return "It prints something, but nobody can go on with what is printed: end it with return and the answer."
        if text:
            return f"It prints “{text}”, but nobody can go on with what is printed: end it with return and the answer."
        return "End it with return and the answer, whichever way it goes through its code."

    def _check_arguments(self, arguments: tuple[Any, ...], named: dict[str, Any]) -> None:
        try:
            signature = inspect.signature(self._function, follow_wrapped=False)  # a decorator may add an argument
        except (TypeError, ValueError):  # some functions written in C have none that could be read
            return
        try:
            signature.bind(*arguments, **named)
        except TypeError:
            wanted = f"{len(arguments)} argument{'s' * (len(arguments) != 1)}"
            if self._solution:
                wanted = f"({', '.join(inspect.signature(self._solution).parameters)})"
            raise NotYet(
                f"Your function takes {signature}, and is called with {wanted}. Mend its first line."
            ) from None


@contextmanager
def folder_for_answer() -> Iterator[Path]:
    """A folder that is there for an answer to write in, wherever it runs."""
    if home := os.environ.get(ANSWER_HOME):  # only the answer's process can write there; it goes with that
        yield Path(home)
    else:
        with TemporaryDirectory() as folder:
            yield Path(folder)


@contextmanager
def running() -> Iterator[None]:
    """Marks what is raised as the student's: around code of theirs, also that which runs when an answer is read."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise _RaisedError(error) from error


class _Printed(io.TextIOBase):
    """Standard output that goes on to where it went, and of which the start is kept."""

    def __init__(self) -> None:
        self.start = ""
        self._before = sys.stdout

    def write(self, text: str) -> int:
        self.start += text[: max(0, 200 - len(self.start))]
        return self._before.write(text)

    def flush(self) -> None:
        self._before.flush()


class _NotAttemptedError(Exception):
    pass


def attempted(value: Any) -> Any:
    """`value`, unless it shows that the student's function is still the empty one."""
    if value is ... or value is None:
        raise _NotAttemptedError
    return value


class Raised:
    """What is known of an error that was raised in another process: its name there, its line, and what it says.

    Attributes
    ----------
    name, line : str
    left_blank : bool
        Whether the student's own code says so that it is not written yet.
    """

    def __init__(self, name: str, line: str, *, left_blank: bool) -> None:
        self.name, self.line, self.left_blank = name, line, left_blank


def raised_by(error: BaseException) -> Raised | None:
    """What is known of an error that an answer has raised in its own process; None of any other."""
    found = getattr(error, "__dict__", {}).get(RAISED)
    return found if isinstance(found, Raised) else None


def about_remote(answer: Any) -> dict[str, Any] | None:
    """What is known of a function or an object that is in another process; None of any other."""
    try:
        found = object.__getattribute__(answer, "__dict__").get(ABOUT)
    except AttributeError:
        return None
    return found if isinstance(found, dict) else None


def is_blank(answer: Any) -> bool:
    """Whether all that a function does is to return ... or None: then what it would be tried on need not be made."""
    if about := about_remote(answer):
        return about.get("blank") is True
    if not inspect.isfunction(answer):
        return False
    used = [one.argval for one in dis.get_instructions(answer) if one.opname.startswith(("LOAD_", "RETURN_CONST"))]
    return used in ([...], [None])


def is_left_blank(answer: Any, error: BaseException) -> bool:
    """Whether the student's own code says that it is not written yet; a library says so of what it cannot do."""
    if raised := raised_by(error):
        return raised.left_blank
    code = getattr(answer, "__code__", None)
    *_, (frame, _) = walk_tb(error.__traceback__)
    return isinstance(error, NotImplementedError) and (code is None or frame.f_code.co_filename == code.co_filename)


def _runs_code_of(answer: Any, error: BaseException) -> bool:
    """Whether `error` passed through code that stands where the student's function does."""
    if raised_by(error):
        return True
    code = getattr(answer, "__code__", None)
    return code is not None and any(
        frame.f_code.co_filename == code.co_filename for frame, _ in walk_tb(error.__traceback__)
    )


def brief(value: Any) -> str:
    """`value` as Python writes it, on one short line, whatever its ``__repr__`` does."""
    try:
        return _cut(re.sub(r" at 0x[0-9A-Fa-f]+", "", repr(value)), 120) or type(value).__name__
    except Exception:  # the student's own __repr__, or an integer of thousands of digits
        kind = type(value).__name__
        return f"a{'n' * (kind[0] in 'aeiouAEIOU')} {kind}"


def _named(error: BaseException) -> str:
    """An error with what it says, whatever its ``__str__`` does."""
    try:
        said = str(error)
    except Exception:  # the student's own __str__
        said = ""
    raised = raised_by(error)
    name = raised.name if raised else type(error).__name__
    return f"{name}: {_cut(said, 500)}" if said else name


def _cut(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 2]} …"


def kind_of_error(error: BaseException) -> str:
    """The nearest kind of an error that Python itself has."""
    return next(str(kind.__name__) for kind in type(error).__mro__ if getattr(builtins, kind.__name__, None) is kind)


def line_of(error: BaseException) -> str:
    """The line of the student's cell that raised, as far as there is one."""
    if raised := raised_by(error):
        return raised.line
    places = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    own = [(file, line) for file, line in places if "ipykernel" in file or "<ipython-input" in file]
    text = linecache.getline(*own[-1]).strip() if own else ""
    return f" (in your line: {text})" if text else ""
