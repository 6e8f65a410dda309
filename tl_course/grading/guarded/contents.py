"""Keep what lists, dicts, sets, arrays and classes hold that were handed out, and put it back where it was changed."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from copy import deepcopy
from functools import lru_cache
from types import FunctionType, ModuleType
from typing import Any

from tl_course.grading.guarded.library_code import CONSTANTS, code_of, is_in_a_library, names_of_class

__all__ = ["Contents"]

_MOST = 100_000  # parts of all that is kept
_CACHE = type(lru_cache(len))
_set_in_class, _delete_from_class = type.__setattr__, type.__delattr__
_deepcopy, _purge = deepcopy, re.purge


class Contents:
    """What may not change in place, by where it stands.

    Attributes
    ----------
    only_tells : bool
        Whether a change is told and not undone: where the solution runs, to learn what it changes itself.
    touched : frozenset of str
        What the solution changes itself, which is left alone.
    """

    def __init__(self) -> None:
        self.only_tells, self.touched = False, frozenset[str]()
        self._left = _MOST
        self._values: list[tuple[str, Any, Any]] = []
        self._classes: list[tuple[str, type, dict[str, Any]]] = []
        self._tables: list[tuple[str, dict[Any, Any], dict[Any, Any]]] = []
        self._caches: list[tuple[Any, int]] = []
        self._seen: list[Any] = []  # which keeps the ids of what was seen

    def add(self, where: str, value: Any) -> None:
        """Keep what a name of the instructor's means, as far as it is plain."""
        if any(value is one for one in self._seen):
            return
        self._seen.append(value)
        if type(value) is _CACHE:
            self._caches.append((value, value.cache_info().misses))
        elif isinstance(value, type):
            members = dict(names_of_class(value))
            data = {name: one for name, one in members.items() if type(one) in CONSTANTS and not name.startswith("__")}
            self._classes.append((where, value, data))
            self._add_plain(where, members)
        elif _is_container(value):
            parts = _count(value, self._left)
            if 0 <= parts <= self._left:
                self._left -= parts
                self._values.append((where, value, _deepcopy(value)))
        elif type(value).__module__ == "__main__" and type(getattr(value, "__dict__", None)) is dict:
            self._add_plain(where, vars(value))

    def _add_plain(self, where: str, names: Mapping[str, Any]) -> None:
        for name, one in list(names.items()):
            if _is_container(one):
                self.add(f"{where}.{name}", one)

    def add_all(self, where: str, module: ModuleType) -> None:
        """Keep all that a module judges by."""
        for name, value in list(vars(module).items()):
            if not name.startswith("__") and _is_container(value):
                self.add(f"{where}.{name}", value)

    def add_tables(self, where: str, module: ModuleType) -> None:
        """Keep the functions that a module of Python's looks up by a key, as ``copy`` does for each class."""
        for name, value in list(vars(module).items()):
            if type(value) is dict and value and not name.startswith("__") and all(map(callable, value.values())):
                self._tables.append((f"{where}.{name}", value, dict(value)))

    def restore(self) -> Iterator[str]:
        """Put back what has become another; the names of it."""
        for where, value, kept in self._values:
            if where not in self.touched and not _is_same(value, kept):
                yield where
                if not self.only_tells:
                    _put_into(value, _deepcopy(kept))
        for where, kind, data in self._classes:
            now = names_of_class(kind)
            for name, value in data.items():
                if f"{where}.{name}" not in self.touched and not _is_same(now.get(name), value):
                    yield f"{where}.{name}"
                    if not self.only_tells:
                        _set_in_class(kind, name, value)
        for where, table, functions in self._tables:
            for key, function in list(table.items()):
                if functions.get(key) is not function and not _is_of_a_library(function):
                    yield where
                    if key in functions:
                        table[key] = functions[key]
                    else:
                        del table[key]
        _purge()

    def clear_caches(self) -> None:
        """Forget what functions have computed since `keep_caches`: an answer may have had them compute it otherwise."""
        for cache, misses in self._caches:
            if cache.cache_info().misses != misses:
                cache.cache_clear()

    def keep_caches(self) -> None:
        """Let functions remember what they have computed."""
        self._caches = [(cache, cache.cache_info().misses) for cache, _ in self._caches]


def _is_of_a_library(function: Any) -> bool:
    code = code_of(function)
    if code is not None:
        return is_in_a_library(code)
    return (isinstance(function, type) and function.__module__ != "__main__") or type(function) is not FunctionType


def _is_container(value: Any) -> bool:
    return type(value) in (list, dict, set, bytearray) or _is_array(value)


def _is_array(value: Any) -> bool:
    kind = type(value)
    return kind.__module__ == "numpy" and kind.__name__ == "ndarray" and value.dtype.kind in "biufcSUMm"


def _count(value: Any, most: int) -> int:
    """How many parts a plain value has; -1 where it is none, or has more than so many."""
    count, left = 0, [value]
    while left:
        part = left.pop()
        count += 1
        kind = type(part)
        if count > most:
            return -1
        if kind in (list, tuple, set, frozenset):
            left += part
        elif kind is dict:
            left += [*part.keys(), *part.values()]
        elif _is_array(part):
            count += part.size
        elif kind is not bytearray and kind not in CONSTANTS and part is not None:
            return -1
    return count


def _is_same(value: Any, kept: Any) -> bool:
    """Whether two plain values are the same all through; nothing of what may lie in there is asked."""
    left = [(value, kept)]
    while left:
        one, other = left.pop()
        if type(one) is not type(other):
            return False
        kind = type(other)
        if kind in (list, tuple):
            if len(one) != len(other):
                return False
            left += zip(one, other, strict=True)
        elif kind is dict:
            if len(one) != len(other):
                return False
            left += [*zip(one.keys(), other.keys(), strict=True), *zip(one.values(), other.values(), strict=True)]
        elif _is_array(other):
            if one.shape != other.shape or one.dtype != other.dtype or one.tobytes() != other.tobytes():
                return False
        elif kind in (set, frozenset):
            if not all(type(part) in (*CONSTANTS, tuple, frozenset, type(None)) for part in one) or one != other:
                return False
        elif one is not other and (kind not in (*CONSTANTS, bytearray) or repr(one) != repr(other)):  # nan is nan
            return False
    return True


def _put_into(value: Any, content: Any) -> None:
    kind = type(value)
    if kind in (list, bytearray):
        value[:] = content
    elif kind in (dict, set):
        value.clear()
        value.update(content)
    else:
        with suppress(Exception):  # of another shape by now
            value[...] = content
