"""The answer's side: names are looked up and functions are called as the process that tests them asks.

What arrives is pickled, for it comes from the trusted side. What goes back are plain values (`channel`), and
descriptions of what is none; that side believes nothing else.
"""

import inspect
import io
import pickle
import signal
import socket
import sys
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout, suppress
from time import monotonic
from typing import Any

from tl_course.grading.apart.channel import Described, RefusedError, Returned, encode, fields_of
from tl_course.grading.apart.frames import Frames, GoneError
from tl_course.grading.apart.in_place import ATOMS, watch
from tl_course.grading.guarded.library_code import is_in_a_library

__all__ = ["BETWEEN", "MOST_RETURNED", "SPECIAL", "VALUES", "answer_calls", "resolve"]

_OF_TWO = (
    "eq", "ne", "lt", "le", "gt", "ge", "add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul", "and",
    "or", "xor",
)  # fmt: skip
_OF_ONE = (
    "call", "iter", "next", "len", "getitem", "contains", "setitem", "delitem", "enter", "exit", "repr", "str",
    "float", "int", "index", "bool", "abs", "neg", "pos", "invert", "round",
)  # fmt: skip
# Special methods of two things, as comparisons and sums ask for them; and all that the other side may ask for.
BETWEEN = frozenset(f"__{name}__" for name in _OF_TWO)
SPECIAL = BETWEEN | frozenset(f"__{name}__" for name in _OF_ONE)
_COMPARES = frozenset(f"__{name}__" for name in ("eq", "ne", "lt", "le", "gt", "ge", "repr", "str"))
_OPERATORS = SPECIAL - _COMPARES  # what a list, say, does not do, or not so
# Values that never change: of an object that is a kind of one, tests have it, and ask the object for the rest.
VALUES: dict[type, Callable[[Any], Any]] = {
    int: int.__index__,
    float: float.__float__,
    complex: complex.__pos__,
    str: str.__str__,
    bytes: lambda value: bytes.__add__(value, b""),
    tuple: lambda value: tuple(tuple.__iter__(value)),
}
_MOST_KEPT = 10_000  # things that stay here, and of which the other side has a description
_MOST_CALLS = 64  # whose arguments are known again when they come back
_MOST_PRINTED = 1 << 20  # characters, of a call
_MOST_SOURCE = 20_000  # characters of a function's source
MOST_RETURNED = 16  # lists that are known again when they are returned again
CALLBACK = "tl_course_of_test"  # among the attributes of what stands for a function or an error of a test's: which
_AT_ONCE = 0.005  # seconds in which an iterator is read ahead

_servers: dict[int, "_Server"] = {}  # the one of this process


def answer_calls(end: socket.socket, names: Mapping[str, Any]) -> None:
    """Do what is asked through `end` until that is over; `names` are those of the notebook."""
    if 0 not in _servers or _servers[0].end is not end:
        _servers[0] = _Server(end)
    _servers[0].serve(names)


def resolve(kind: str, what: Any) -> Any:
    """What stands for something of this side in a pickled message."""
    server = _servers[0]
    if kind == "kept":
        return server.kept[what]
    return server.names[what] if kind == "name" else server.callback(*what)


class _OverError(BaseException):
    pass


class _Server:
    def __init__(self, end: socket.socket) -> None:
        self.end, self.frames = end, Frames(end)
        self.names: Mapping[str, Any] = {}
        self.kept: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}  # of what is kept, by its id
        self._callbacks: dict[int, Any] = {}  # what stands for functions of the test's
        self._next = 0
        self._given: dict[int, dict[int, Any]] = {}  # what came with each message, by its place in there
        self._places: dict[int, Returned] = {}
        self._accepted: frozenset[tuple[str, str]] = frozenset()
        self._acts = False, False  # whether objects that do something are expected: as what is asked for, and in it
        self._top: Any = None  # what is asked for
        self._printed: _Printed | None = None
        self._returned = deque[tuple[int, Any]](maxlen=MOST_RETURNED)
        self._number = 0  # of the request that is being answered

    def serve(self, names: Mapping[str, Any]) -> None:
        self.names, self._printed = names, None
        before = signal.signal(signal.SIGINT, self._interrupt)
        try:
            while True:
                self._answer(*self.frames.receive())
        except (_OverError, GoneError):
            pass
        finally:
            signal.signal(signal.SIGINT, before)

    def _interrupt(self, *_: Any) -> None:
        if self._printed is not None:  # in the answer's code: a message is not left half sent
            raise KeyboardInterrupt

    # ---- requests ----

    def _answer(self, number: int, data: bytes) -> None:
        if not data:
            raise _OverError
        printed, changes = "", list[Any]()
        word, parts = "", list[Any]()
        before, self._number = (self._number, self._acts), number
        try:
            word, self._acts, *parts = self._unpickle(number, data)
            watched = watch(parts[1:3], self._places, number, self._is_record) if word == "call" else []
            try:
                with self._printing() as text:
                    value = getattr(self, f"_do_{word}")(*parts)
                said: Any = ("value", value, self._tag(value) if word == "call" else None)
            finally:
                printed = text.getvalue()
                changes = [change for compare in watched for change in compare()]
        except (_OverError, GoneError):
            raise
        except BaseException as error:  # also what exits, and an interrupt, which is of the time that is over
            said = ("error", _told(error, parts[0] if parts and word == "call" else None), None)
        try:
            self._top = said[1][0] if word == "name" and said[1] else said[1]
            coded = encode((*said, printed, changes), self._describe)
        except Exception as problem:
            why = str(problem) if isinstance(problem, RefusedError) else f"{type(problem).__name__} while it was read"
            coded = encode(("refused", why[:500], None, printed, []))
        self._top, (self._number, self._acts) = None, before
        self.frames.send(number, coded)

    def _is_record(self, thing: Any) -> bool:
        return _is_accepted(type(thing), self._accepted)

    def _tag(self, value: Any) -> int | None:
        """A number for a list and the like, which is the same where the same one is returned again."""
        if type(value) not in (list, dict, set):
            return None
        for tag, returned in self._returned:
            if returned is value:
                return tag
        self._next += 1
        self._returned.append((self._next, value))
        return self._next

    def _unpickle(self, number: int, data: bytes) -> Any:
        pickled = pickle.Unpickler(io.BytesIO(data))
        message = pickled.load()
        memo: dict[int, Any] = pickled.memo.copy()
        given = {
            place: thing
            for place, thing in memo.items()
            if not isinstance(thing, ATOMS) and self.kept.get(self._numbers.get(id(thing), -1)) is not thing
        }
        self._given[number] = given
        self._places |= {id(thing): Returned(number, place) for place, thing in given.items()}
        while len(self._given) > _MOST_CALLS:
            old = self._given.pop(min(self._given))
            for thing in old.values():
                if self._places.get(id(thing), (number,))[0] not in self._given:
                    self._places.pop(id(thing), None)
        return message

    @contextmanager
    def _printing(self) -> Iterator["_Printed"]:
        before, self._printed = self._printed, _Printed()
        try:
            with redirect_stdout(self._printed):
                yield self._printed
        finally:
            self._printed = before

    def _do_begin(self, accepted: list[tuple[str, str]]) -> None:
        self._accepted = frozenset(accepted)
        self._callbacks = {}

    def _do_name(self, name: str) -> Any:
        return [self.names[name]] if name in self.names else []

    def _do_call(
        self, function: Any, arguments: tuple[Any, ...], named: dict[str, Any], replaced: dict[str, Any]
    ) -> Any:
        import builtins

        stdin, line = sys.stdin, replaced.pop("stdin", None)
        before = {name: getattr(builtins, name) for name in replaced}
        try:
            for name, instead in replaced.items():
                setattr(builtins, name, instead)
            if line is not None:
                sys.stdin = _Lines(line)
            return function(*arguments, **named)
        finally:
            sys.stdin = stdin
            for name, value in before.items():
                setattr(builtins, name, value)

    def _do_get(self, thing: Any, name: str) -> Any:
        return getattr(thing, name)

    def _do_set(self, thing: Any, name: str, value: Any) -> None:
        setattr(thing, name, value)

    def _do_delete(self, thing: Any, name: str) -> None:
        delattr(thing, name)

    def _do_special(self, thing: Any, name: str, arguments: tuple[Any, ...]) -> Any:
        return getattr(type(thing), name)(thing, *arguments) if name in SPECIAL else NotImplemented

    def _do_instance(self, thing: Any, kind: Any) -> bool:
        return isinstance(thing, kind)

    def _do_iterate(self, thing: Any) -> int:
        return self._keep(iter(thing))

    def _do_read(self, iterator: Iterator[Any], most: int) -> Any:
        """What comes next, as much as comes at once; whether that was all, and the error that it ended with."""
        found: list[Any] = []
        until = monotonic() + _AT_ONCE
        try:
            while len(found) < most:
                found.append(next(iterator))
                if monotonic() > until:
                    break
        except StopIteration:
            return found, True, None
        except BaseException as error:
            if not found:
                raise
            return found, True, _told(error, None)
        return found, False, None

    # ---- what is no plain value ----

    def _describe(self, value: Any, final: bool) -> Described | Returned | None:
        if inspect.isfunction(value) and self._callbacks.get(number := vars(value).get(CALLBACK, -1)) is value:
            return Returned(-1, number)  # not what wraps it, and has its attributes
        if (place := self._places.get(id(value))) and self._given.get(place[0], {}).get(place[1]) is value:
            return place
        kind = type(value)
        acts = (
            self._acts[value is not self._top]
            and kind.__module__ == "__main__"
            and (isinstance(value, tuple(VALUES)) or _does_more(value))
        )
        if final or acts or _is_accepted(kind, self._accepted):
            return Described(self._keep(value), _about(value, self._accepted))
        return None

    def _keep(self, value: Any) -> int:
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = self._next
            self.kept[number] = value
            self._next += 1
            if len(self.kept) > _MOST_KEPT:
                self._numbers.pop(id(self.kept.pop(min(self.kept))), None)
        return number

    # ---- functions of the tests' ----

    def callback(self, number: int, about: Mapping[str, Any]) -> Any:
        """A function that has one of a test's called, and tells decorators what that one would."""
        if number in self._callbacks:
            return self._callbacks[number]

        def function(*arguments: Any, **named: Any) -> Any:
            return self.call_back(number, arguments, named)

        for name in ("__name__", "__qualname__", "__doc__"):
            setattr(function, name, about.get(name, function.__name__ if name != "__doc__" else None))
        function.__module__ = "__main__"
        vars(function)[CALLBACK] = number
        if "signature" in about:
            vars(function)["__signature__"] = inspect.Signature(
                [
                    inspect.Parameter(
                        name, inspect._ParameterKind(kind), **({"default": default[0]} if default else {})
                    )
                    for name, kind, default in about["signature"]
                ]
            )
        self._callbacks[number] = function
        return function

    def call_back(self, number: int, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Have a function called that belongs to a test."""
        printed = self._printed.take() if self._printed else ""
        self.frames.send(self._number, encode(("callback", number, list(arguments), named, printed), self._describe))
        while True:
            message, data = self.frames.receive()
            if not data:
                raise _OverError
            word, *parts = pickle.loads(data)
            if word == "returned":
                return parts[0]
            if word == "raised":
                error = parts[0].__new__(parts[0])
                error.args, vars(error)[CALLBACK] = (), parts[1]
                raise error
            self._answer(message, data)


class _Lines(io.TextIOBase):
    """What a test has put in the place of the standard input, read line by line."""

    def __init__(self, line: Callable[[], str]) -> None:
        self._line = line

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        return self._line() or ""

    def read(self, size: int | None = -1, /) -> str:
        return "".join(self)

    def readable(self) -> bool:
        return True


class _Printed(io.StringIO):
    """What an answer prints, as far as anybody reads it."""

    def write(self, text: str) -> int:
        if self.tell() < _MOST_PRINTED:
            super().write(text[:_MOST_PRINTED])
        return len(text)

    def take(self) -> str:
        text = self.getvalue()
        self.seek(0)
        self.truncate()
        return text


def _about(value: Any, accepted: frozenset[tuple[str, str]]) -> dict[str, Any]:
    """What the other side is to know of a thing that stays here."""
    kind = type(value)
    about: dict[str, Any] = {"type": kind.__name__, "module": kind.__module__}
    if _is_accepted(kind, accepted):
        return about | {"class": (kind.__module__, kind.__qualname__), "state": dict(vars(value))}
    if base := next((base for base in VALUES if isinstance(value, base)), None):
        own = SPECIAL & _own(kind)
        about |= {"value": VALUES[base](value), "fields": list(fields_of(value)), "more": _does_more(value)}
        return about | {"methods": [*own]}
    about["methods"] = [name for name in SPECIAL if _has(kind, name)]
    about["iterates"] = inspect.isgenerator(value)
    about["runs_later"] = inspect.iscoroutine(value) or inspect.isasyncgen(value)
    if callable(value):
        about |= _about_function(value)
    return about


def _is_accepted(kind: type, accepted: frozenset[tuple[str, str]]) -> bool:
    """Whether the other side makes instances of a class anew, from their attributes."""
    known = (kind.__module__, kind.__qualname__) in accepted
    return known and getattr(kind, "__new__", None) is object.__new__ and bool(kind.__dictoffset__)


def _does_more(value: Any) -> bool:
    """Whether an object of a class of the notebook's is more than the list, say, that it is a kind of."""
    own = _own(type(value))
    return bool(own & _OPERATORS or getattr(value, "__dict__", None)) or any(not name.startswith("_") for name in own)


def _own(kind: type) -> set[str]:
    """What classes of the notebook's define, but for what all namedtuples have."""
    names: set[str] = set()
    for base in kind.__mro__:
        if base.__module__ == "__main__":
            fields = vars(base).get("_fields")
            names |= vars(base).keys() - ({*fields, "__repr__"} if isinstance(fields, tuple) else set())
    return names


def _has(kind: type, name: str) -> bool:
    defined = next((vars(base)[name] for base in kind.__mro__ if name in vars(base)), None)  # not by a class of classes
    return defined is not None and defined is not vars(object).get(name)


def _about_function(value: Any) -> dict[str, Any]:
    from tl_course.exercises.question import is_blank

    about: dict[str, Any] = {"function": inspect.isroutine(value), "blank": is_blank(value)}
    for name in ("__name__", "__qualname__", "__doc__"):
        if isinstance(text := getattr(value, name, None), str):
            about[name] = text
    with suppress(Exception):  # of what is written in C there may be none
        parameters = inspect.signature(value, follow_wrapped=False).parameters.values()
        about["signature"] = [
            (one.name, int(one.kind), [] if one.default is one.empty else [one.default]) for one in parameters
        ]
    if getattr(value, "__module__", None) == "__main__":
        with suppress(Exception):
            about["sources"] = _sources(value)
    return about


def _sources(value: Any) -> list[str]:
    """The source of a function, and of those that it says it wraps: what runs comes first."""
    found: list[str] = []
    while value is not None and len(found) < 10:
        code = getattr(value, "__code__", None)
        if code is not None and not is_in_a_library(code):
            found.append(inspect.getsource(code)[:_MOST_SOURCE])
        elif inspect.isclass(value):
            found.append(inspect.getsource(value)[:_MOST_SOURCE])
        value = vars(value).get("__wrapped__") if hasattr(value, "__dict__") else None
    return found


def _told(error: BaseException, function: Any) -> dict[str, Any]:
    """An error, as the other side is to raise it again."""
    from tl_course.exercises import question

    kinds = [(kind.__module__, kind.__qualname__) for kind in type(error).__mro__ if issubclass(kind, BaseException)]
    about: dict[str, Any] = {"kinds": kinds, "name": type(error).__name__, "text": "", "arguments": [], "line": ""}
    with suppress(Exception):
        about["text"] = str(error)[:10_000]
    with suppress(Exception):
        encode(error.args)
        about["arguments"] = list(error.args)
    about["of_test"] = vars(error).get(CALLBACK)
    with suppress(Exception):
        about["line"] = question.line_of(error)
    with suppress(Exception):
        about["left_blank"] = function is not None and question.is_left_blank(function, error)
    return about
