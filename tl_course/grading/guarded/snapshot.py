"""Keep what all imported modules are made of, by content, and put back what has become another since."""

import builtins
import ctypes
import dis
import gc
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property, lru_cache, partial, partialmethod
from operator import attrgetter, is_
from types import CodeType, FunctionType, GetSetDescriptorType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from tl_course.grading.guarded.contents import Contents
from tl_course.grading.guarded.library_code import (
    CONSTANTS,
    codes,
    is_class_of_a_library,
    is_found_where_it_says,
    is_installed,
    is_put_there_by_a_library,
    is_same_code,
    names_of_class,
)

__all__ = ["Snapshot"]

# Bound here, before any submission: what it replaces in `builtins` does not reach these.
_all, _len, _list, _map, _vars, _zip = (
    builtins.all,
    builtins.len,
    builtins.list,
    builtins.map,
    builtins.vars,
    builtins.zip,
)
_callable, _compile, _getattr, _isinstance = builtins.callable, builtins.compile, builtins.getattr, builtins.isinstance
_set_in_class, _delete_from_class = type.__setattr__, type.__delattr__
_type_modified = ctypes.pythonapi.PyType_Modified
_type_modified.argtypes = [ctypes.py_object]

_BUILTINS = frozenset(vars(builtins))
_OWN = "tl_course."
_QUESTIONS = "tl_course.exercises."
_DESCRIPTORS = (
    *(property, classmethod, staticmethod, cached_property, partial, partialmethod),
    *(MemberDescriptorType, GetSetDescriptorType),
)
# Modules whose classes and objects hold no state of their own, but settings by which tests compare.
_JUDGING = (_OWN, "_pytest.", "numpy.testing", "unittest.")
_OF_VALUES = frozenset(
    [
        "collections",
        "copy",
        "datetime",
        "decimal",
        "enum",
        "fractions",
        "functools",
        "json",
        "math",
        "numbers",
        "operator",
        "random",
        "re",
        "statistics",
        "string",
        "textwrap",
    ]
)
_OF_KERNELS = frozenset(
    {"IPython", "ipykernel", "jupyter_client", "traitlets", "tornado", "asyncio", "zmq", "pdb", "builtins"}
)
_IN_SYS = frozenset({"displayhook", "excepthook", "unraisablehook", "breakpointhook", "stdout", "stderr", "stdin"})
_FUNCTION_PARTS = ("__code__", "__defaults__", "__kwdefaults__")
_STORE_GLOBAL = dis.opmap["STORE_GLOBAL"]
_ABSENT = object()
_CACHE = type(lru_cache(len))


class _Names:
    """The names of a module, a class or an object of the course, and what each meant."""

    def __init__(self, owner: Any, where: str, view: Mapping[str, Any]) -> None:
        self.owner, self.where, self.view = owner, where, view
        self.stored = _stored_by_itself(view) if _isinstance(owner, ModuleType) else frozenset()
        module = str(_getattr(owner if _isinstance(owner, type) else type(owner), "__module__", None))
        self.is_judging = f"{module}.".startswith(_JUDGING) or module.partition(".")[0] in _OF_VALUES
        self.keep()

    def keep(self) -> None:
        self.names = tuple(self.view)
        self.values = tuple(self.view.values())

    def unchanged(self) -> bool:
        """Whether each name means the very same object."""
        if _len(self.view) != _len(self.names):
            return False
        try:
            return _all(_map(is_, self.view, self.names)) and _all(_map(is_, self.view.values(), self.values))
        except RuntimeError:  # changed meanwhile
            return False

    def restore(self) -> Iterator[str]:
        """Put back what was replaced, added or taken away by anybody but a library; the names of it."""
        before = dict(_zip(self.names, self.values, strict=True))
        now = dict(self.view)
        accepted = False
        for name, value in before.items():
            found = now.get(name, _ABSENT)
            if found is value or not self._is_kept(name, value):
                continue
            if found is not _ABSENT and is_put_there_by_a_library(found, name):
                accepted = True
                continue
            self._set(name, value)
            if not is_same_code(found, value):
                yield f"{self.where}.{name}"
        for name, value in now.items():
            if name not in before and self._is_intruder(name, value):
                self._delete(name)
                yield f"{self.where}.{name}"
        if accepted or len(self.view) != len(before):
            self.keep()

    def _is_kept(self, name: str, value: Any) -> bool:
        if self.owner is sys and name in _IN_SYS:
            return False
        if _callable(value) or _isinstance(value, (*_DESCRIPTORS, ModuleType)) or _is_own(value):
            return name not in self.stored
        if name in self.stored or name.startswith("__"):
            return False
        if not _isinstance(self.owner, ModuleType):
            return _isinstance(self.owner, type) and self.is_judging and type(value) in CONSTANTS
        # Constants, such as pi. What is in capital letters is a setting, such as Image.MAX_IMAGE_PIXELS.
        return type(value) in CONSTANTS and (self.where.startswith(_OWN) or (name.islower() and name[0] != "_"))

    def _is_intruder(self, name: str, value: Any) -> bool:
        """Whether a name that was added changes what the code of its owner does."""
        if not _callable(value) and not _isinstance(value, _DESCRIPTORS) and not _takes_over(value):
            return False
        if _isinstance(self.owner, ModuleType):
            if name in _BUILTINS and self.owner is not builtins:
                return True
            return "__getattr__" in self.view and not is_found_where_it_says(name, value)
        if not _isinstance(self.owner, type):
            return True
        inherited = any(name in names_of_class(base) for base in type.mro(self.owner)[1:])
        special = name.startswith("__") and name.endswith("__")
        takes_over = _takes_over(value) and not is_class_of_a_library(type(value))
        takes_over |= _isinstance(value, property)
        return takes_over or ((inherited or special) and not is_put_there_by_a_library(value, name))

    def _set(self, name: str, value: Any) -> None:
        if not _isinstance(self.owner, type):
            self.view[name] = value  # type: ignore[index]
            return
        try:
            _set_in_class(self.owner, name, value)
        except (AttributeError, TypeError):  # a class written in C
            gc.get_referents(self.view)[0][name] = value
            _type_modified(self.owner)

    def _delete(self, name: str) -> None:
        if not _isinstance(self.owner, type):
            del self.view[name]  # type: ignore[attr-defined]
            return
        try:
            _delete_from_class(self.owner, name)
        except (AttributeError, TypeError):
            del gc.get_referents(self.view)[0][name]
            _type_modified(self.owner)


class Snapshot:
    """All modules, classes and functions of a process as they are when it is made, by what they consist of."""

    def __init__(self) -> None:
        gc.collect()
        self._modules = {name: module for name, module in sys.modules.items() if "__main__" not in name}
        self._names = _list(_owners(self._modules))
        self.classes = {id(names.owner) for names in self._names if _isinstance(names.owner, type)}
        self._functions: list[FunctionType] = []
        self._parts: dict[str, list[Any]] = {part: [] for part in _FUNCTION_PARTS}
        self._by_keyword: list[tuple[FunctionType, dict[str, Any]]] = []
        self._attributes: list[tuple[FunctionType, dict[str, Any]]] = []
        self._cells: list[Any] = []
        self._contents: list[Any] = []
        self._add_functions([one for one in gc.get_objects() if type(one) is FunctionType])
        self.contents = Contents()
        for name, module in self._modules.items():
            if name.startswith(_QUESTIONS):
                self.contents.add_all(name, module)
            if name.partition(".")[0] in _OF_VALUES and _isinstance(module, ModuleType):
                self.contents.add_tables(name, module)
        self._of_modules = len(self._functions)
        self._objects: list[_Names] = []
        self._of_kernels = [names for names in self._names if _is_of_kernels(names.where)]
        own = [one for one in self._functions if _is_of_kernels(str(one.__module__))]
        self._kernel_functions, self._kernel_codes = own, _list(_map(attrgetter("__code__"), own))

    def _add_functions(self, functions: list[FunctionType]) -> None:
        self._functions += functions
        for part in _FUNCTION_PARTS:
            self._parts[part] += _map(attrgetter(part), functions)
        self._by_keyword += [(one, dict(given)) for one in functions if (given := one.__kwdefaults__)]
        own = [one for one in functions if str(one.__module__).startswith((_OWN, "__main__"))]
        self._attributes += [(one, dict(vars(one))) for one in own]
        cells, contents = _cells(functions)
        self._cells += cells
        self._contents += contents

    def add_modules(self) -> None:
        """Keep modules that were imported since, from files that were handed out: nothing of a submission has run."""
        new = {name: one for name, one in sys.modules.items() if name not in self._modules and "__main__" not in name}
        for name, module in new.items():
            if _isinstance(module, ModuleType):
                self._modules[name] = module
                names = _vars(module)
                self._names.append(_Names(module, name, names))
                own = [one for one in names.values() if _getattr(one, "__module__", None) == name]
                self._add_functions([one for one in own if type(one) is FunctionType])
                for kind in own:
                    if _isinstance(kind, type) and id(kind) not in self.classes:
                        self._add_class(f"{name}.{kind.__name__}", kind)
                if not is_installed(module):
                    self.contents.add_all(name, module)

    def _add_class(self, where: str, kind: type) -> None:
        self.classes.add(id(kind))
        members = names_of_class(kind)
        self._names.append(_Names(kind, where, members))
        self._add_functions([one for one in members.values() if type(one) is FunctionType])

    def add(self, where: str, value: Any, *, contents: bool = False) -> None:
        """Keep what a cell of the instructor's has made too: a function, a class, an object of the course."""
        if contents:
            self.contents.add(where, value)
        if _isinstance(value, _CACHE):
            value = _getattr(value, "__wrapped__", None)
        if type(value) is FunctionType and value.__module__ == "__main__":
            if value not in self._functions[self._of_modules :]:
                self._add_functions([value])
        elif _isinstance(value, type) and value.__module__ == "__main__":
            if id(value) not in self.classes:
                self._add_class(where, value)
        elif _is_own(value) and all(names.owner is not value for names in self._objects):
            self._objects.append(_Names(value, where, _vars(value)))
            self._names.append(self._objects[-1])

    def keep_kernel(self) -> None:
        """Take the modules that a kernel consists of as they are now that it has started, which changes a few."""
        for names in self._of_kernels:
            names.keep()

    def restore_kernel(self) -> list[str]:
        """Put back what decides that a kernel still does what it is asked: quick enough to be done for each cell."""
        found = []
        if not _all(_map(is_, _map(attrgetter("__code__"), self._kernel_functions), self._kernel_codes)):
            for function, code in _zip(self._kernel_functions, self._kernel_codes, strict=True):
                if function.__code__ is not code:
                    function.__code__ = code
                    found.append(f"{_called(function)}.__code__")
        return found + [name for names in self._of_kernels if not names.unchanged() for name in names.restore()]

    def restore(self) -> list[str]:
        """Put back what is another one now; returns the names of what was put back."""
        found = [*self._restore_functions()]
        for name, module in self._modules.items():
            if (now := sys.modules.get(name)) is not module:
                sys.modules[name] = module
                if now is not None:
                    found.append(f"sys.modules[{name!r}]")
        for names in self._names:
            if not names.unchanged():
                found += names.restore()
        return found + _list(self.contents.restore())

    def _restore_functions(self) -> Iterator[str]:
        for part, kept in self._parts.items():
            if not _all(_map(is_, _map(attrgetter(part), self._functions), kept)):
                for function, value in _zip(self._functions, kept, strict=True):
                    if _getattr(function, part) is not value:
                        setattr(function, part, value)
                        yield f"{_called(function)}.{part}"
        for function, given in self._by_keyword:
            now = function.__kwdefaults__
            if now is not None and not _all(_map(is_, now.values(), given.values())):
                now.clear()
                now.update(given)
                yield f"{_called(function)}.__kwdefaults__"
        for function, attributes in self._attributes:
            now = _vars(function)
            if _len(now) != _len(attributes) or not _all(_map(is_, now.values(), attributes.values())):
                now.clear()
                now.update(attributes)
                yield f"{_called(function)}.__dict__"
        with suppress(ValueError):  # a cell that was emptied
            if _all(_map(is_, _map(attrgetter("cell_contents"), self._cells), self._contents)):
                return
        for cell, content in _zip(self._cells, self._contents, strict=True):
            try:
                same = cell.cell_contents is content
            except ValueError:
                same = False
            if not same:
                cell.cell_contents = content
                yield f"{_called(content)} in a closure"


def _owners(modules: Mapping[str, Any]) -> Iterator[_Names]:
    for name, module in modules.items():
        if _isinstance(module, ModuleType):
            names = ModuleType.__getattribute__(module, "__dict__")
            yield _Names(module, name, names)
            judging = name.partition(".")[0] in _OF_VALUES
            for called, value in _list(names.items()) if judging or name.startswith(_OWN) else ():
                if _is_own(value) or (judging and _is_plain_object(value)):
                    yield _Names(value, f"{name}.{called}", _vars(value))
    seen = {id(type)}
    left: list[type] = [object]
    while left:
        kind = left.pop()
        if id(kind) not in seen:
            seen.add(id(kind))
            yield _Names(kind, f"{kind.__module__}.{kind.__qualname__}", names_of_class(kind))
            left += type.__subclasses__(kind)


def _is_of_kernels(where: str) -> bool:
    return where.startswith("tl_course.grading") or where.partition(".")[0] in _OF_KERNELS


def _is_own(value: Any) -> bool:
    """Whether it is an object of the course, such as a question."""
    return str(type(value).__module__).startswith(_OWN) and hasattr(value, "__dict__")


def _is_plain_object(value: Any) -> bool:
    return (
        not _callable(value) and type(_getattr(value, "__dict__", None)) is dict and not _isinstance(value, ModuleType)
    )


def _takes_over(value: Any) -> bool:
    """Whether it is a descriptor that comes before what an object has itself under that name."""
    return hasattr(type(value), "__set__")


def _stored_by_itself(names: Mapping[str, Any]) -> frozenset[str]:
    """Names that a module's own functions bind anew, as a cache or a backend that is chosen later."""
    stored: set[str] = set()
    for value in _list(names.values()):
        if type(value) is FunctionType and value.__globals__ is names:
            stored.update(_globals_stored(value.__code__))
    return frozenset(stored)


def _globals_stored(code: CodeType) -> Iterator[str]:
    for one in codes(code):
        if _STORE_GLOBAL in one.co_code[::2]:
            yield from (one.argval for one in dis.get_instructions(one) if one.opcode == _STORE_GLOBAL)


def _cells(functions: list[FunctionType]) -> tuple[list[Any], list[Any]]:
    """Cells of closures that hold a function or a class, as a decorator's do."""
    cells: dict[int, Any] = {}
    for function in functions:
        for cell in function.__closure__ or ():
            with suppress(ValueError):  # empty
                if type(cell.cell_contents) in (FunctionType, type, MethodType):
                    cells[id(cell)] = cell
    return _list(cells.values()), [cell.cell_contents for cell in cells.values()]


def _called(function: Any) -> str:
    return f"{_getattr(function, '__module__', '')}.{_getattr(function, '__qualname__', 'a function')}"
