"""What stands here for an object of the answer's: it does what the solution's were asked for, and else is read once.

Where a test expects a plain value, an object is worth the values that it can be turned into, and those stay the same
for the whole test: a list that differs each time it is read is none.
"""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Protocol

from tl_course.exercises.question import about_remote
from tl_course.grading.apart.answering import BETWEEN, SPECIAL, resolve

__all__ = ["Expected", "Kept", "RemoteObject", "methods_for", "read_ahead"]

_READ_AHEAD = 1000  # things of an iterator
_TYPED = {"__repr__": str, "__str__": str, "__float__": float, "__int__": int, "__index__": int, "__bool__": bool,
          "__len__": int, "__contains__": bool}  # fmt: skip
# Special methods that tell an object something of the test's; Python asks one for another, where there is only that.
_TELLING = frozenset(f"__{name}__" for name in ("contains", "getitem", "setitem", "delitem", "enter", "exit"))
_LOOKING = frozenset({"special __contains__", "special __getitem__", "special __iter__"})
_READ_ONCE = ("__float__", "__index__", "__int__", "__abs__", "__neg__", "__pos__", "__round__", "__bool__", "__len__",
              "__repr__", "__str__")  # fmt: skip


class Expected:
    """Where a test expects objects of an answer, and what it asks them for.

    A place is how something came: ``Stack`` (a name), ``Stack()`` (what that returns), ``.push`` (an attribute),
    ``.push()``, and with ``*`` what is in there.

    Parameters
    ----------
    noted : dict of str to list of str, or None
        What `noted` was with the solution. None to find that out: then objects are expected everywhere.
    """

    def __init__(self, noted: Mapping[str, list[str]] | None) -> None:
        self._noting = noted is None
        self._places, self._requests = (set((noted or {}).get(name, ())) for name in ("places", "requests"))

    @property
    def noted(self) -> dict[str, list[str]]:
        """By "places" and "requests", what there was."""
        return {"places": sorted(self._places), "requests": sorted(self._requests)}

    def at(self, place: str) -> bool:
        """Whether an object is expected there."""
        return self._noting or place in self._places

    def came(self, place: str) -> None:
        """An object came from there."""
        if self._noting:
            self._places.add(place)

    def allows(self, request: str) -> bool:
        """Whether objects may be asked for this."""
        if self._noting:
            self._requests.add(request)
            return True
        return request in self._requests or (request in _LOOKING and not self._requests.isdisjoint(_LOOKING))


class Asked(Protocol):
    """What objects need to know of the process of an answer; see `remote.Answers`."""

    expected: Expected

    def check(self, thing: Any, request: str) -> None:
        """Raise unless the object may be asked for this."""

    def ask(self, word: str, *parts: Any, place: str = "") -> Any:
        """Put a request."""

    def call(self, function: Any, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call what is there."""

    def place_of(self, thing: Any) -> str:
        """How it came."""

    def once(self, thing: Any) -> dict[str, Any]:
        """What was read of an object during this test."""

    def error(self, about: Any) -> BaseException:
        """An error as it was raised there."""


class RemoteObject:
    """An object of the answer's that is no plain value: it stays where it is."""

    _answers: Asked
    _acts: bool  # whether one is expected where it came from

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("__", "_repr_", "_ipython_")):  # no library here is told of its memory, or how to show it
            raise AttributeError(name)
        self._answers.check(self, f"get {name}")
        return self._answers.ask("get", self, name, place=f".{name}")

    def __setattr__(self, name: str, value: Any) -> None:
        self._answers.check(self, f"set {name}")
        self._answers.ask("set", self, name, value)

    def __delattr__(self, name: str) -> None:
        self._answers.check(self, f"delete {name}")
        self._answers.ask("delete", self, name)

    def __repr__(self) -> str:
        return str(_special(self, "__repr__") if self._acts else _once(self, "__repr__"))

    def __str__(self) -> str:
        return str(_special(self, "__str__") if self._acts else _once(self, "__str__"))

    def __instancecheck__(self, thing: Any) -> bool:
        return about_remote(thing) is not None and self._answers.ask("instance", thing, self) is True

    __hash__ = object.__hash__


class Kept:
    """Stands for what is kept there, where nothing else does."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __reduce__(self) -> Any:
        return resolve, ("kept", self.number)


def methods_for(names: Any, *, acts: bool) -> dict[str, Callable[..., Any]]:
    """Special methods of what stands for an object that has these: all that it is asked for, or what it is worth."""
    has = frozenset(name for name in names if name in SPECIAL)
    found: dict[str, Callable[..., Any]] = {}
    if "__call__" in has:
        found["__call__"] = lambda self, *arguments, **named: self._answers.call(self, arguments, named)
    if acts:
        return {name: _live(name, has) for name in has if name != "__call__"} | found
    found |= {name: _kept(name) for name in has.intersection(_READ_ONCE)}
    if has & {"__iter__", "__getitem__"}:
        found |= {"__iter__": lambda self: iter(_members(self)), "__contains__": _contains, "__getitem__": _item}
        found["__bool__"] = lambda self: any(True for _ in _members(self))
        if "__len__" in has:
            found["__len__"] = lambda self: sum(1 for _ in _members(self))
    return found


# ---- objects that are expected ---------------------------------------------------------------------------------------


def _special(thing: Any, name: str, *arguments: Any) -> Any:
    place = {"__iter__": thing._answers.place_of(thing), "__getitem__": _part_of(thing)}.get(name, f".{name}")
    value = thing._answers.ask("special", thing, name, arguments, place=place)
    if name in _TYPED and type(value) is not _TYPED[name]:
        raise TypeError(f"{name} of {type(thing).__name__} gave a {type(value).__name__}.")
    return value


def _live(name: str, has: frozenset[str]) -> Callable[..., Any]:
    if name in BETWEEN:  # with anything else than another such thing, it is not compared
        return lambda self, other: (
            _special(self, name, other) if isinstance(other, RemoteObject) and other._acts else NotImplemented
        )
    if name == "__next__":
        return _next
    if name == "__contains__" and "__iter__" in has:
        return lambda self, thing: (
            bool(_special(self, name, thing))
            if self._answers.expected.allows(f"special {name}")
            else any(member is thing or member == thing for member in iter(self))
        )

    def ask(self: RemoteObject, *arguments: Any) -> Any:
        if name in _TELLING:
            self._answers.check(self, f"special {name}")
        elif name == "__iter__":
            self._answers.expected.allows(f"special {name}")
        return _special(self, name, *arguments)

    return ask


def _next(self: RemoteObject) -> Any:
    found, ended, _ = _some(self._answers, self, 1, _part_of(self))
    if ended:
        raise StopIteration
    return found[0]


def _part_of(thing: Any) -> str:
    place: str = thing._answers.place_of(thing)
    return f"{place.removesuffix('*')}*"


def _some(answers: Asked, iterator: Any, most: int, place: str) -> tuple[list[Any], bool, Any]:
    found, ended, error = answers.ask("read", iterator, most, place=place)
    if not isinstance(found, list) or len(found) > most or not (found or ended):
        raise TypeError("What the answer gave cannot be read.")
    return found, ended is True, error


def read_ahead(answers: Asked, number: int, place: str) -> Iterator[Any]:
    """An iterator that is kept there, read ahead as far as what comes next comes at once."""
    n = 1
    while True:
        found, ended, error = _some(answers, Kept(number), n, f"{place.removesuffix('*')}*")
        yield from found
        if error is not None:
            raise answers.error(error)
        if ended:
            return
        n = min(2 * n, _READ_AHEAD)


# ---- where a plain value is expected ---------------------------------------------------------------------------------


class _Members:
    """What an object gives when it is gone through, read once, for whoever goes through it again."""

    def __init__(self, more: Iterator[Any]) -> None:
        self._read: list[Any] = []
        self._more, self._error = more, list[Exception]()

    def __iter__(self) -> Iterator[Any]:
        n = 0
        while n < len(self._read) or self._goes_on():
            yield self._read[n]
            n += 1

    def _goes_on(self) -> bool:
        if self._error:
            raise self._error[0]
        try:
            more = list(islice(self._more, 1))
        except Exception as error:
            self._error.append(error)
            raise
        self._read += more
        return bool(more)


def _members(self: RemoteObject) -> _Members:
    once = self._answers.once(self)
    if "__iter__" not in once:
        number = self._answers.ask("iterate", self)
        if type(number) is not int:
            raise TypeError("What the answer gave cannot be read.")
        once["__iter__"] = _Members(read_ahead(self._answers, number, self._answers.place_of(self)))
    members: _Members = once["__iter__"]
    return members


def _contains(self: RemoteObject, thing: Any) -> bool:
    return any(member is thing or member == thing for member in _members(self))


def _item(self: RemoteObject, place: Any) -> Any:
    """By its place among what the object gives; or by what it gives, as of a dict."""
    members = _members(self)
    if isinstance(place, int | slice):
        return list(members)[place]
    if not _contains(self, place):
        raise KeyError(place)
    items = self._answers.once(self).setdefault("__getitem__", {})
    if place not in items:
        items[place] = _special(self, "__getitem__", place)
    return items[place]


def _once(self: RemoteObject, name: str) -> Any:
    once = self._answers.once(self)
    if name not in once:
        once[name] = _special(self, name)
    return once[name]


def _kept(name: str) -> Callable[..., Any]:
    if name in ("__repr__", "__str__", "__index__", "__len__"):
        return lambda self: _once(self, name)
    kind = {"__float__": float, "__int__": int, "__bool__": bool}.get(name)
    if kind is not None:
        return lambda self: kind(_number(self))
    return lambda self, *arguments: getattr(_number(self), name)(*arguments)


def _number(self: RemoteObject) -> Any:
    """The number that an object is, whichever way it is asked."""
    has = [name for name in ("__index__", "__float__", "__int__", "__bool__") if hasattr(type(self), name)]
    if not has:
        raise TypeError(f"A {type(self).__name__} is no number.")
    return _once(self, has[0])
