"""Plain values as bytes, and back: all that an answer's process can give to the process that tests it.

Reading makes nothing but what is listed here, never imports and never runs what was sent: no pickle. Whatever is no
plain value goes as a number that the other side keeps, with a description of it.
"""

import struct
from collections import Counter, OrderedDict, UserList, UserString, defaultdict, deque, namedtuple
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path, PurePath
from typing import Any, NamedTuple

from tl_course.grading.apart import channel_tables

__all__ = ["Described", "RefusedError", "Returned", "decode", "encode", "fields_of", "named_kind"]

MOST_BYTES = 64 << 20  # of a message
DEEPEST = 100  # lists within lists

_LENGTH = struct.Struct("<Q")
_FLOAT = struct.Struct("<d")
_CONSTANTS: dict[bytes, Any] = {b"N": None, b"T": True, b"F": False, b".": ..., b"!": NotImplemented}
_CONSTANT_TAGS = {id(value): tag for tag, value in _CONSTANTS.items()}
# Kinds that hold others, in the order in which they are looked for: what makes a list of parts, and what reads it.
_PARTED: dict[bytes, tuple[type, Callable[[Any], Any], Callable[[list[Any]], Any]]] = {
    b"l": (list, list.__iter__, list),
    b"t": (tuple, tuple.__iter__, tuple),
    b"s": (set, set.__iter__, set),
    b"z": (frozenset, frozenset.__iter__, frozenset),
    b"Q": (deque, deque.__iter__, deque),
    b"C": (Counter, lambda value: _flat(dict.items(value)), lambda parts: Counter(_pairs(parts))),
    b"O": (OrderedDict, lambda value: _flat(OrderedDict.items(value)), lambda parts: OrderedDict(_pairs(parts))),
    b"D": (defaultdict, lambda value: _flat(dict.items(value)), lambda parts: defaultdict(None, _pairs(parts))),
    b"d": (dict, lambda value: _flat(dict.items(value)), lambda parts: _pairs(parts)),  # noqa: PLW0108 - defined below
    b"k": (type({}.keys()), iter, lambda parts: dict.fromkeys(parts).keys()),
    b"v": (type({}.values()), iter, lambda parts: dict(enumerate(parts)).values()),
    b"w": (type({}.items()), lambda items: _flat(iter(items)), lambda parts: _pairs(parts).items()),
    b"r": (range, lambda value: (value.start, value.stop, value.step), lambda parts: range(*_whole(parts))),
    b"S": (slice, lambda value: (value.start, value.stop, value.step), lambda parts: slice(*parts)),
    b"q": (Fraction, lambda value: (value.numerator, value.denominator), lambda parts: Fraction(*_whole(parts))),
    b"c": (complex, lambda value: (value.real, value.imag), lambda parts: complex(*map(float, parts))),
    b"m": (timedelta, lambda value: (value.days, value.seconds, value.microseconds),
           lambda parts: timedelta(*_whole(parts))),
}  # fmt: skip
# Those that a text says all of.
_TEXTS: dict[bytes, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    b"p": (PurePath, str, Path),
    b"$": (Decimal, str, Decimal),
    b"y": (datetime, datetime.isoformat, datetime.fromisoformat),
    b"a": (date, date.isoformat, date.fromisoformat),
    b"h": (time, time.isoformat, time.fromisoformat),
}


class RefusedError(Exception):
    """What cannot be sent, or was sent and is not what this module writes."""


class Described(NamedTuple):
    """A thing that stays where it is, as the other side describes it.

    Attributes
    ----------
    number : int
        By which it is asked for.
    about : dict
        What is said of it; plain values.
    """

    number: int
    about: dict[Any, Any]


class Returned(NamedTuple):
    """A thing that had come from the other side, and goes back: the number of the message, and of the thing in it."""

    message: int
    place: int


def encode(value: Any, describe: Callable[[Any, bool], Described | Returned | None] | None = None) -> bytes:
    """`value` as bytes.

    Parameters
    ----------
    value : object
    describe : function, optional
        Asked for each part that is not a number or a text of Python's own, with False, and gives None for what is to be
        sent as it is; asked again, with True, for what is no plain value: then it has to describe it.

    Raises
    ------
    RefusedError
        It holds itself, or is too deep or too large.
    """
    writer = _Writer(describe)
    writer.write(value, 0)
    return b"".join(writer.parts)


def decode(data: bytes, made: Callable[[Described | Returned, int], Any] | None = None) -> Any:
    """The value that `encode` has written; `made` makes what was described, within so many others.

    Raises
    ------
    RefusedError
        It was not written so.
    """
    if len(data) > MOST_BYTES:
        raise RefusedError("More was sent than can be taken.")
    reader = _Reader(data, made)
    try:
        value = reader.read(0)
    except RefusedError:
        raise
    except Exception as problem:  # numbers that do not fit each other, a list as a key, text that is none
        raise RefusedError(f"What was sent cannot be read: {type(problem).__name__}.") from None
    if reader.at != len(data):
        raise RefusedError("More was sent than a value.")
    return value


def named_kind(name: Any, fields: Sequence[Any], parts: Sequence[Any]) -> Any:
    """The class of a namedtuple that has these parts.

    Raises
    ------
    RefusedError
        A function of the answer's would be called in the place of one of a tuple's own.
    """
    if any(hasattr(tuple, str(field)) and callable(part) for field, part in zip(fields, parts, strict=True)):
        raise RefusedError("A field of a namedtuple stands in the place of a tuple's own method.")
    return namedtuple(str(name), [str(field) for field in fields])


class _Writer:
    def __init__(self, describe: Any) -> None:
        self.parts: list[bytes] = []
        self._describe = describe
        self._size = 0
        self._within: set[int] = set()

    def write(self, value: Any, depth: int) -> None:
        if tag := _CONSTANT_TAGS.get(id(value)):
            self._add(tag)
        elif self._describe and type(value).__module__ == "__main__" and (said := self._describe(value, False)):
            self._write_described(said, depth)
        elif isinstance(value, int):
            whole = int.__index__(value)
            self._data(b"i", whole.to_bytes((whole.bit_length() + 8) // 8, "little", signed=True))
        elif isinstance(value, float) and not channel_tables.is_scalar(value):
            self._add(b"f", _FLOAT.pack(float.__float__(value)))
        elif isinstance(value, str) and not channel_tables.is_scalar(value):
            self._data(b"u", str.encode(value, "utf-8", "surrogatepass"))
        elif isinstance(value, bytes | bytearray) and not channel_tables.is_scalar(value):
            self._data(b"B" if isinstance(value, bytearray) else b"b", bytes(value))
        elif depth > DEEPEST:
            raise RefusedError(f"It goes deeper than {DEEPEST} lists within lists.")
        else:
            self._write_thing(value, depth)

    def _write_thing(self, value: Any, depth: int) -> None:
        if self._describe and (said := self._describe(value, False)) is not None:
            self._write_described(said, depth)
        elif id(value) in self._within:
            raise RefusedError(f"The {type(value).__name__} holds itself.")
        else:
            self._within.add(id(value))
            if not self._write_plain(value, depth):
                if not self._describe:
                    raise RefusedError(f"{type(value).__name__} is no plain value.")
                self._write_described(self._describe(value, True), depth)
            self._within.discard(id(value))

    def _write_described(self, said: Described | Returned, depth: int) -> None:
        self._add(b"@" if isinstance(said, Described) else b"<")
        self.write(list(said), depth + 1)

    def _write_plain(self, value: Any, depth: int) -> bool:
        """Write what is a plain value; whether it is one."""
        if fields := fields_of(value):
            self._add(b"n")
            self.write([type(value).__name__, *fields], depth + 1)
            self._write_parts(tuple.__iter__(value), depth)
            return True
        scalar = channel_tables.is_scalar(value)
        for tag, (kind, parts, _) in _PARTED.items():
            if isinstance(value, kind) and not scalar:
                self._add(tag)
                self._write_parts(parts(value), depth)
                return True
        for tag, (kind, text, _) in _TEXTS.items():
            if isinstance(value, kind) and not scalar:
                self._data(tag, text(value).encode("utf-8", "surrogateescape"))
                return True
        if isinstance(value, timezone):
            self._add(b"Z")
            self.write(value.utcoffset(None), depth + 1)
            return True
        if isinstance(value, UserList | UserString):
            self.write(value.data, depth)
            return True
        if isinstance(value, Mapping) and type(value).__module__ in ("types", "collections"):
            return self._write_plain(dict(value), depth)
        if (packed := channel_tables.pack(value)) is not None:
            self._add(b"#")
            self._write_parts(packed, depth)
            return True
        return False

    def _write_parts(self, parts: Any, depth: int) -> None:
        place, n = len(self.parts), 0
        self._add(b"", _LENGTH.pack(0))
        for part in parts:
            self.write(part, depth + 1)
            n += 1
        self.parts[place + 1] = _LENGTH.pack(n)

    def _data(self, tag: bytes, data: bytes) -> None:
        self._add(tag, _LENGTH.pack(len(data)), data)

    def _add(self, *parts: bytes) -> None:
        self._size += sum(map(len, parts))
        if self._size > MOST_BYTES:
            raise RefusedError(f"It takes more than {MOST_BYTES >> 20} MB.")
        self.parts += parts


class _Reader:
    def __init__(self, data: bytes, made: Any) -> None:
        self._data, self._made, self.at = data, made, 0

    def read(self, depth: int) -> Any:
        if depth > 2 * DEEPEST:
            raise RefusedError("It is too deep.")
        tag = self._take(1)
        if tag in _CONSTANTS:
            return _CONSTANTS[tag]
        if tag == b"i":
            return int.from_bytes(self._piece(), "little", signed=True)
        if tag == b"f":
            return float(_FLOAT.unpack(self._take(8))[0])
        if tag == b"u":
            return self._piece().decode("utf-8", "surrogatepass")
        if tag in (b"b", b"B"):
            return self._piece() if tag == b"b" else bytearray(self._piece())
        if tag in _TEXTS:
            return _TEXTS[tag][2](self._piece().decode("utf-8", "surrogateescape"))
        if tag in _PARTED:
            return _PARTED[tag][2](self._parts(depth))
        if tag == b"Z":
            return timezone(self.read(depth + 1))
        if tag == b"n":
            name, *fields = self.read(depth + 1)
            parts = self._parts(depth)
            return named_kind(name, fields, parts)._make(parts)
        if tag == b"#":
            return channel_tables.unpack(*self._parts(depth))
        if tag in (b"@", b"<") and self._made:
            said = self.read(depth + 1)
            if tag == b"@" and isinstance(said[0], int) and isinstance(said[1], dict):
                return self._made(Described(*said), depth)
            if tag == b"<" and len(_whole(said)) == 2:
                return self._made(Returned(*said), depth)
        raise RefusedError("What was sent is no value.")

    def _parts(self, depth: int) -> list[Any]:
        n = _LENGTH.unpack(self._take(8))[0]
        if n > len(self._data) - self.at:  # each takes a byte at least
            raise RefusedError("Something is missing from what was sent.")
        return [self.read(depth + 1) for _ in range(n)]

    def _piece(self) -> bytes:
        return self._take(_LENGTH.unpack(self._take(8))[0])

    def _take(self, n: int) -> bytes:
        piece = self._data[self.at : self.at + n]
        if len(piece) != n:
            raise RefusedError("Something is missing from what was sent.")
        self.at += n
        return piece


def fields_of(value: Any) -> tuple[str, ...]:
    """Names of the fields of a namedtuple; none for anything else."""
    fields = getattr(type(value), "_fields", ()) if isinstance(value, tuple) else ()
    good = isinstance(fields, tuple) and 0 < len(fields) == len(value) < 100
    return fields if good and all(isinstance(name, str) and name.isidentifier() for name in fields) else ()


def _flat(items: Any) -> list[Any]:
    return [part for item in items for part in item]


def _pairs(parts: list[Any]) -> dict[Any, Any]:
    return dict(zip(parts[::2], parts[1::2], strict=True))


def _whole(parts: list[Any]) -> list[int]:
    if not all(type(part) is int for part in parts):
        raise RefusedError("A whole number was to be sent.")
    return parts
