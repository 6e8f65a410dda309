"""What a test holds in the place of an answer's functions and objects, which stay in the process of the answer.

Nothing here is believed: values are read by `channel`, errors are made anew from kinds that this process knows, and an
object that stays there equals nothing but itself and what its own process says of two such objects.
"""

import builtins
import inspect
import io
import linecache
import re
import sys
import textwrap
import types
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import cloudpickle  # type: ignore[import-untyped]

from tl_course.exercises.question import ABOUT, RAISED, Raised
from tl_course.grading.apart.answering import MOST_RETURNED, VALUES, resolve
from tl_course.grading.apart.channel import Described, RefusedError, Returned, decode, named_kind
from tl_course.grading.apart.frames import Frames, GoneError
from tl_course.grading.apart.in_place import change, copied, reachable
from tl_course.grading.apart.remote_objects import Expected, Kept, RemoteObject, methods_for, read_ahead

__all__ = ["Answers"]

_MOST_CALLS = 64  # whose arguments are known again, as on the other side
_MOST_BYTES = 1 << 30  # of all that comes during a test
# Of these classes of the course, instances are made anew here: they hold plain values, and tests compare them.
_COURSE = (
    "tl_course.models.classifier.Prediction",
    "tl_course.data.table.Picture",
    "tl_course.training.transfer_gains.Benefit",
    "tl_course.models.history.History",
)
_OF_TESTS = ("unittest", "pytest", "_pytest", "nose")  # errors by which a test is skipped, say: no answer raises them
_ENDING = (StopIteration, StopAsyncIteration)  # nor those that end a loop of a test's, as if it had been gone through
_REPLACED = ("input", "print")  # what tests put something of their own in the place of
_ITERATORS = ("builtins", "itertools")  # what is of these kinds, and no plain value, is gone through
_KEPT = {name: getattr(builtins, name) for name in _REPLACED}


class UnsendableError(BaseException):
    """What a test gives an answer has to be where the test sees it. Not an Exception, so that tests do not catch it."""


class Answers:
    """The process of an answer, as tests ask it.

    Parameters
    ----------
    frames : Frames
    known : function
        Given the name of a module and of a class in it, that class, where the tests' own code has made it; else None.
    called : function
        Called when a test begins, and when a function of the answer's has returned.
    written : sequence of str
        Cells in which the source of a function of the answer's stands, or is none.

    Attributes
    ----------
    opaque : dict
        Kinds of objects that came where none was expected, in that order, and what others were asked for in vain.
    asked : int
        How often something was asked for, since a test began.
    changed : dict
        Things that answers have changed in place during a test, by id and kind of change: with what was there before.
    expected : Expected
        Where objects of the answer's may be asked for more than the plain values that they can be turned into: where
        a test expects plain values, a method of an answer's object would be told what the test compares it with.
    """

    def __init__(
        self,
        frames: Frames,
        known: Callable[[str, str], type | None],
        called: Callable[[], None],
        written: Sequence[str],
    ) -> None:
        self._frames, self._known, self._called, self._written = frames, known, called, written
        self._number = 0
        self._given: dict[int, dict[int, Any]] = {}
        # What stands here for what stays there, by its number, and whether it came where objects are expected.
        self._things: dict[tuple[int, bool], Any] = {}
        self._numbers: dict[int, int] = {}
        self._places: dict[int, str] = {}  # how each came last
        self._once: dict[int, dict[str, Any]] = {}
        self._coming = ("", 0)
        self._functions: list[Callable[..., Any]] = []
        self._raised: list[Exception] = []  # by functions of the test's
        self._returned: dict[Any, Any] = {}
        self.opaque: dict[str, None] = {}
        self.asked, self._bytes = 0, 0
        self.changed: dict[tuple[int, str], tuple[Any, str, Any]] = {}
        self._came_back: set[int] = set()  # ids of what answers gave back as they had got it
        self.expected = Expected({})

    def begin(self, classes: list[tuple[str, str]], expected: Mapping[str, list[str]] | None) -> None:
        """A test begins; instances of `classes` are made anew here, and others do what is `expected`."""
        self.opaque.clear()
        self._came_back.clear()
        self._once.clear()
        self.expected = Expected(expected)
        self._functions.clear()
        self._raised.clear()
        self.asked, self._bytes = 0, 0
        course = [tuple(name.rsplit(".", 1)) for name in _COURSE]
        self._called()
        self.ask("begin", [*course, *classes])

    def check(self, thing: Any, request: str) -> None:
        """Raise AttributeError or TypeError unless the test asks objects for this, as it asks the solution's."""
        if not thing._acts or not self.expected.allows(request):
            word, name = request.split()
            self.opaque[f"{type(thing).__name__}.{name}"] = None
            kind = AttributeError if word == "get" else TypeError
            raise kind(f"The answer gave a {type(thing).__name__}, where the test expects nothing that has {name}.")

    def place_of(self, thing: Any) -> str:
        """How something came that stays there."""
        number = thing.number if isinstance(thing, Kept) else self._numbers.get(id(thing), -1)
        return self._places.get(number, "")

    def once(self, thing: Any) -> dict[str, Any]:
        """What was read of an object during this test, by the name of the special method."""
        return self._once.setdefault(self._numbers[id(thing)], {})

    def stands_in(self, source: str) -> bool:
        """Whether a function's source, or a line, was handed in."""
        return any(source.strip() in cell for cell in self._written)

    def over(self) -> None:
        """Nothing more will be asked for a while."""
        self._frames.send(0, b"")

    def name(self, name: str) -> list[Any]:
        """The value that a name of the notebook has, in a list; an empty list if it has none."""
        found = self.ask("name", name, place=name, within=1)
        return found if isinstance(found, list) else []

    def call(self, function: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call a function that is there."""
        names = [name for name in _REPLACED if getattr(builtins, name) is not _KEPT[name]]
        if "input" not in names and isinstance(sys.stdin, io.StringIO):
            names.append("input")
        replaced = {name: _now(getattr(builtins, name)) for name in names}
        if isinstance(sys.stdin, io.StringIO):
            replaced["stdin"] = _now(sys.stdin.readline)
        try:
            return self.ask("call", function, arguments, named, replaced, place=f"{self.place_of(function)}()")
        finally:
            self._called()

    def ask(self, word: str, *parts: Any, place: str = "", within: int = 0) -> Any:
        """Put a request; returns the value, or raises what it raised there.

        What is asked for stands in so many lists (`within`) of the reply, and comes from `place`.

        Raises
        ------
        TypeError
            The value cannot be given to another process: it holds itself, or is too large.
        """
        self.asked += 1
        self._number += 1
        number = self._number
        acts = self.expected.at(place), self.expected.at(_part_of(place))
        may_change = self._send(number, (word, acts, *parts))
        while True:
            came, data = self._frames.receive()
            self._bytes += len(data)
            if self._bytes > _MOST_BYTES:
                raise GoneError("More was sent during a test than can be taken.")
            if came != number:
                continue  # what was asked before a time was over
            try:
                kind, *said = self._decode(data, place, within)
                if kind == "callback":
                    self._call_back(number, *said)
                    continue
                value, tag, printed, changes = said
                if kind not in ("value", "error", "refused") or not isinstance(printed, str):
                    raise RefusedError("What was sent is no reply.")
                self._print(printed)
                self._change(changes, may_change)
            except (RefusedError, ValueError, TypeError) as problem:
                raise TypeError(f"What the answer gave cannot be read: {problem}") from None
            if kind == "value":
                return value if tag is None else self._again(tag, value)
            if kind == "refused":
                raise TypeError(f"What the answer gave cannot be told to a test: {str(value)[:500]}")
            raise self.error(value)

    def _decode(self, data: bytes, place: str, within: int) -> Any:
        before, self._coming = self._coming, (place, 1 + within)
        try:
            reply = decode(data, self._made)
        finally:
            self._coming = before
        return reply

    def _again(self, tag: Any, value: Any) -> Any:
        """A list or the like that was returned before is the same again, with what is in it now."""
        if id(value) in self._came_back:  # it is the test's own
            return value
        before = self._returned.get(tag)
        if before is not None and type(before) is type(value):
            change(before, type(value).__name__, value)
            return before
        self._returned[tag] = value
        while len(self._returned) > MOST_RETURNED:
            del self._returned[next(iter(self._returned))]
        return value

    # ---- there ----

    def _send(self, number: int, message: Any) -> set[int]:
        """Send a message; returns the ids of what an answer may change among its parts."""
        file = io.BytesIO()
        pickler = _Pickler(file, self)
        try:
            pickler.dump(message)
        except Exception as problem:
            raise UnsendableError(f"It cannot be given to another process: {problem}") from None
        self._given[number] = dict(pickler.memo.copy().values())
        while len(self._given) > _MOST_CALLS:
            del self._given[min(self._given)]
        self._frames.send(number, file.getvalue())
        if message[0] != "call":
            return set()
        return reachable(message[3:5], self._is_record)

    def _call_back(self, number: int, place: Any, arguments: Any, named: Any, printed: Any) -> None:
        self._print(printed)
        try:
            if type(place) is not int or not 0 <= place < len(self._functions):
                raise RefusedError("There is no such function.")
            said: tuple[Any, ...] = ("returned", self._functions[place](*arguments, **named))
        except Exception as error:  # what it says, a test says to itself alone
            self._raised.append(error)
            said = ("raised", self._kind_there(error), len(self._raised) - 1)
        self._send(number, said)

    def _kind_there(self, error: Exception) -> type[BaseException]:
        """The nearest kind of an error that an answer has too."""
        return next(kind for kind in type(error).__mro__ if not self._is_of_test(kind) and not _is_of_tests(kind))

    def standing_for(self, thing: Any) -> tuple[str, Any] | None:
        """How the other side finds for itself what `thing` is; None for what is to be sent."""
        number = self._numbers.get(id(thing))
        if number is not None and any(self._things.get((number, acts)) is thing for acts in (True, False)):
            return "kept", number
        if isinstance(thing, type) and thing.__module__ == "__main__" and self._known("__main__", thing.__qualname__):
            return "name", thing.__name__
        called = isinstance(thing, types.FunctionType | types.MethodType) and _is_own(thing)
        if called or (_is_mock(thing) and callable(thing)):
            if not any(thing is function or (called and thing == function) for function in self._functions):
                self._functions.append(thing)
            place = next(n for n, function in enumerate(self._functions) if function is thing or function == thing)
            return "callback", (place, _about_callback(thing))
        if _is_mock(thing) or self._is_of_test(thing if isinstance(thing, type) else type(thing)):
            raise TypeError(f"what a test makes of a class of its own ({_name_of(thing)})")
        return None

    def _is_of_test(self, kind: type) -> bool:
        """Whether a class is the test's own: a copy of what is of such a class would do and note what it likes."""
        return kind.__module__ == "__main__" and self._known("__main__", kind.__qualname__) is not kind

    # ---- here ----

    def _made(self, said: Described | Returned, depth: int) -> Any:
        if isinstance(said, Returned):
            if said.message == -1:
                return self._functions[said.place]
            own = self._given[said.message][said.place]
            self._came_back.add(id(own))
            return own
        place, top = self._coming
        place = place if depth <= top else _part_of(place)
        acts = self.expected.at(place) and not said.about.get("class") and said.about.get("function") is not True
        self._places[said.number] = place
        if (said.number, acts) not in self._things:
            made = self._made_anew(said.about)
            made = self._standing(said, place, acts=acts) if made is None else made
            self._things[said.number, acts] = made
            self._numbers[id(made)] = said.number
        elif said.about.get("class"):
            self._refresh(self._things[said.number, acts], said.about)
        if acts and not ("value" in said.about and said.about.get("more") is False):  # more than the mere value
            self.expected.came(place)
        return self._things[said.number, acts]

    def _made_anew(self, about: Mapping[str, Any]) -> Any:
        if not about.get("class"):
            return None
        module, name = map(str, about["class"])
        known = self._known(module, name)
        if f"{module}.{name}" in _COURSE:
            known = getattr(sys.modules.get(module), name, None)
        if not isinstance(known, type) or getattr(known, "__new__", None) is not object.__new__:
            raise RefusedError("There is no such class.")
        made: Any = object.__new__(known)
        self._refresh(made, about)
        return made

    def _refresh(self, made: Any, about: Mapping[str, Any]) -> None:
        state = about.get("state")
        if isinstance(state, dict) and all(type(name) is str for name in state):
            vars(made).clear()
            vars(made).update({name: value for name, value in state.items() if not _hides(type(made), name, value)})

    def _standing(self, said: Described, place: str, *, acts: bool) -> Any:
        about = said.about
        if about.get("iterates") is True and acts:
            return read_ahead(self, said.number, place)
        if about.get("runs_later") is True:
            return _later()
        if about.get("function") is True:
            return _function(self, said.number, about)
        base = _base(about)
        if base and not acts:
            return about["value"]
        methods = methods_for(about.get("methods", ()), acts=acts)
        if not acts and "__call__" not in methods and about.get("module") not in _ITERATORS:
            self.opaque[_word(about.get("type"))] = None
        if base and "__eq__" in methods:
            methods["__hash__"] = base.__hash__
        kind = type(_word(about.get("type")), (base, RemoteObject) if base else (RemoteObject,), methods)
        new: Any = (tuple if base and issubclass(base, tuple) else base or object).__new__
        made: Any = new(kind, about["value"]) if base else new(kind)
        for name, value in (("_answers", self), ("_acts", acts), (ABOUT, dict(about))):
            object.__setattr__(made, name, value)
        if (signature := _signature(about)) is not None:
            object.__setattr__(made, "__signature__", signature)
        return made

    def error(self, about: Any) -> BaseException:
        """An error as it was raised there, of the nearest kind that is known here."""
        place = about.get("of_test")
        if type(place) is int and 0 <= place < len(self._raised):
            return self._raised[place]
        text, arguments = str(about.get("text", "")), about.get("arguments")
        for module, name in about.get("kinds", ()):
            kind = self._known(module, name) or getattr(sys.modules.get(str(module)), str(name), None)
            if not isinstance(kind, type) or not issubclass(kind, BaseException) or _is_of_tests(kind):
                continue
            try:
                own = kind.__module__ != "builtins"  # others may do what they like where they are made
                error = kind.__new__(kind, *arguments) if own else kind(*arguments)
                error.args = tuple(arguments)
                if str(error) != text:
                    error = kind.__new__(kind, text)
                    error.args = (text,)
                vars(error)[RAISED] = Raised(
                    _short(about, "name"),
                    self._line(about),
                    left_blank=about.get("left_blank") is True,
                )
            except Exception:  # one that wants to be made otherwise
                continue
            if isinstance(error, Exception | SystemExit):
                return error
        return RuntimeError(f"{_short(about, 'name')}: {text}")

    def _line(self, about: Mapping[str, Any]) -> str:
        """The line that raised an error, as `checks.line_of` writes it, if it stands in a cell."""
        found = re.fullmatch(r" \(in your line: (.+)\)", _short(about, "line"))
        return found[0] if found and self.stands_in(found[1]) else ""

    def _print(self, text: str) -> None:
        if text:
            sys.stdout.write(text)

    def _change(self, changes: Any, may_change: set[int]) -> None:
        for thing, word, now in changes:
            if id(thing) not in may_change:
                continue
            if (key := (id(thing), str(word))) not in self.changed:
                self.changed[key] = (thing, word, copied(thing, word))
            if word == "attributes" and self._is_record(thing):
                self._refresh(thing, {"state": now})
            else:
                change(thing, word, now)

    def put_back(self, thing: Any, word: str, was: Any) -> None:
        """Undo one of those that were `changed`."""
        if word == "attributes" and self._is_record(thing):
            vars(thing).clear()
            vars(thing).update(was)
        elif word != "attributes":
            change(thing, word, was)

    def reachable(self, thing: Any) -> set[int]:
        """The ids of a thing and of all that may be changed through it."""
        return reachable([thing], self._is_record)

    def _is_record(self, thing: Any) -> bool:
        """Whether the other side knows the class of a thing, which is all in its attributes."""
        kind = type(thing)
        known = f"{kind.__module__}.{kind.__qualname__}" in _COURSE or (
            kind.__module__ == "__main__" and self._known("__main__", kind.__qualname__) is kind
        )
        return known and getattr(kind, "__new__", None) is object.__new__ and bool(kind.__dictoffset__)


def _base(about: Mapping[str, Any]) -> Any:
    """The class of the value that an object of the answer's is a kind of; None where it is of none."""
    value, fields = about.get("value"), about.get("fields")
    if type(value) is tuple and fields:
        return named_kind(_word(about.get("type")), fields, value)
    return type(value) if type(value) in VALUES else None


def _now(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of this process that calls another one, which may be a test's mock."""

    def call(*arguments: Any, **named: Any) -> Any:
        value = function(*arguments, **named)
        return value if isinstance(value, str) else None

    return call


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]
    def __init__(self, file: io.BytesIO, answers: Answers) -> None:
        super().__init__(file, protocol=5)
        self._answers = answers

    def reducer_override(self, thing: Any) -> Any:
        if standing := self._answers.standing_for(thing):
            return resolve, standing
        return super().reducer_override(thing)


def _is_mock(thing: Any) -> bool:
    mock: Any = sys.modules.get("unittest.mock")
    return mock is not None and isinstance(thing, mock.NonCallableMock)


def _name_of(thing: Any) -> str:
    return str(getattr(thing, "__qualname__", type(thing).__qualname__))


def _about_callback(function: Any) -> dict[str, Any]:
    """What decorators ask a function of a test's for; not what its arguments are where they are not given."""
    about: dict[str, Any] = {}
    for name in ("__name__", "__qualname__", "__doc__"):
        if isinstance(text := getattr(function, name, None), str):
            about[name] = text
    with suppress(ValueError, TypeError):
        parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
        about["signature"] = [
            (one.name, int(one.kind), [] if one.default is one.empty else [_told_default(one.default)])
            for one in parameters
        ]
    return about


def _told_default(value: Any) -> Any:
    return value if value is None or isinstance(value, bool) else ...


def _is_own(function: Any) -> bool:
    """Whether a function is a test's: not one that the other side can import as well."""
    module = sys.modules.get(function.__module__ or "")
    where: Any = module
    for name in function.__qualname__.split("."):
        where = getattr(where, name, None)
    return module is None or function.__module__ == "__main__" or where is not function


def _part_of(place: str) -> str:
    return f"{place.removesuffix('*')}*"


def _hides(kind: type, name: str, value: Any) -> bool:
    """Whether a value stands in the way of a method."""
    return callable(value) and hasattr(kind, name)


def _short(about: Mapping[str, Any], name: str) -> str:
    return str(about.get(name, ""))[:1000]


def _word(text: Any) -> str:
    return str(text) if re.fullmatch(r"[^\W\d]\w{0,80}", str(text)) else "object"


async def _later() -> None:
    raise RuntimeError("What “async def” makes is not run in another process.")


# ---- functions -------------------------------------------------------------------------------------------------------


def _function(answers: Answers, number: int, about: Mapping[str, Any]) -> Callable[..., Any]:
    """A function of this process that calls one of the answer's; `inspect` tells of it what it would of that one."""

    def function(*arguments: Any, **named: Any) -> Any:
        return answers.call(Kept(number), arguments, named)

    for name in ("__name__", "__qualname__", "__doc__"):
        if isinstance(about.get(name), str):
            setattr(function, name, about[name])
    function.__module__ = "__main__"
    vars(function)[ABOUT] = dict(about)
    if (signature := _signature(about)) is not None:
        vars(function)["__signature__"] = signature
    file = f"<answer {number}>"  # without a source it has none, and not the one above
    sources = [source for source in about.get("sources", ()) if isinstance(source, str) and answers.stands_in(source)]
    if sources:  # that of what a function wraps stands in it: inspect gives one block
        source = "\n".join([sources[0].rstrip(), *(textwrap.indent(more, "    ") for more in sources[1:])]) + "\n"
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
    function.__code__ = function.__code__.replace(co_filename=file, co_firstlineno=1)
    return function


def _is_of_tests(kind: type[BaseException]) -> bool:
    """Whether an error says something to what runs tests, wherever it is found and whatever it is derived from."""
    modules = {base.__module__.partition(".")[0] for base in kind.__mro__}
    own = any(base.__module__.startswith("tl_course.grading") for base in kind.__mro__)
    return own or not modules.isdisjoint(_OF_TESTS) or issubclass(kind, _ENDING)


def _signature(about: Mapping[str, Any]) -> inspect.Signature | None:
    parameters = []
    try:
        for name, kind, default in about["signature"]:
            more = {"default": default[0]} if default else {}
            parameters.append(inspect.Parameter(name, inspect._ParameterKind(kind), **more))
        return inspect.Signature(parameters)
    except (LookupError, ValueError, TypeError):
        return None
