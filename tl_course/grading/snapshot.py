"""Keep what all imported modules are made of, by content, and put back what has become another since."""

import builtins
import ctypes
import dis
import gc
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from copy import copy
from functools import cached_property, partial, partialmethod
from operator import attrgetter, is_
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

from tl_course.grading.library_code import (
    CONSTANTS,
    code_of,
    codes,
    is_class_of_a_library,
    is_found_where_it_says,
    is_in_a_library,
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
_DESCRIPTORS = (property, classmethod, staticmethod, cached_property, partial, partialmethod)
_OF_KERNELS = frozenset(
    {"IPython", "ipykernel", "jupyter_client", "traitlets", "tornado", "asyncio", "zmq", "pdb", "builtins"}
)
_IN_SYS = frozenset({"displayhook", "excepthook", "unraisablehook", "breakpointhook", "stdout", "stderr", "stdin"})
_FUNCTION_PARTS = ("__code__", "__defaults__", "__kwdefaults__")
_DECIDING = frozenset(
    {
        *("__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__bool__", "__len__", "__contains__", "__sub__"),
        *("__rsub__", "__abs__", "__round__", "__float__", "__int__", "__index__", "__format__", "__array__"),
        *("__array_ufunc__", "__array_function__", "__torch_function__", "__instancecheck__", "__subclasscheck__"),
        *("__getattribute__", "__class__"),
    }
)
# Methods of texts, collections, arrays and tables by which a test compares them.
_COMPARING = frozenset(
    {
        *(
            "all",
            "any",
            "equals",
            "eq",
            "ne",
            "compare",
            "item",
            "tolist",
            "sum",
            "mean",
            "min",
            "max",
            "count",
            "index",
        ),
        *("startswith", "endswith", "issubset", "issuperset", "allclose", "isclose", "astype", "numpy", "to_numpy"),
    }
)
_DATA = frozenset(
    {
        *("str", "int", "float", "complex", "bytes", "list", "tuple", "dict", "set", "frozenset"),
        *("ndarray", "Tensor", "DataFrame", "Series", "Index"),
    }
)
_STORE_GLOBAL = dis.opmap["STORE_GLOBAL"]
_ABSENT = object()


class _Names:
    """The names of a module, a class or an object of the course, and what each meant."""

    def __init__(self, owner: Any, where: str, view: Mapping[str, Any]) -> None:
        self.owner, self.where, self.view = owner, where, view
        self.stored = _stored_by_itself(view) if _isinstance(owner, ModuleType) else frozenset()
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
        if not _isinstance(self.owner, ModuleType) or name in self.stored or name.startswith("__"):
            return False
        # Constants, such as pi. What is in capital letters is a setting, such as Image.MAX_IMAGE_PIXELS.
        return type(value) in CONSTANTS and (self.where.startswith(_OWN) or (name.islower() and name[0] != "_"))

    def _is_intruder(self, name: str, value: Any) -> bool:
        """Whether a name that was added changes what the code of its owner does."""
        if not _callable(value) and not _isinstance(value, _DESCRIPTORS):
            return False
        if _isinstance(self.owner, ModuleType):
            if name in _BUILTINS and self.owner is not builtins:
                return True
            return "__getattr__" in self.view and not is_found_where_it_says(name, value)
        if not _isinstance(self.owner, type):
            return True
        inherited = any(name in names_of_class(base) for base in type.mro(self.owner)[1:])
        special = name.startswith("__") and name.endswith("__")
        return (inherited or special) and not is_put_there_by_a_library(value, name)

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
        self._classes = {id(names.owner) for names in self._names if _isinstance(names.owner, type)}
        self._functions: list[FunctionType] = []
        self._parts: dict[str, list[Any]] = {part: [] for part in _FUNCTION_PARTS}
        self._by_keyword: list[tuple[FunctionType, dict[str, Any]]] = []
        self._attributes: list[tuple[FunctionType, dict[str, Any]]] = []
        self._cells: list[Any] = []
        self._contents: list[Any] = []
        self._add_functions([one for one in gc.get_objects() if type(one) is FunctionType])
        modules = [module for name, module in self._modules.items() if name.startswith(_QUESTIONS)]
        self._containers = [(value, copy(value)) for module in modules for value in _plain_containers(module)]

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

    def add(self, where: str, value: Any) -> None:
        """Keep what a cell of the instructor's has made too: a function, a class, an object of the course."""
        if type(value) is FunctionType and value.__module__ == "__main__":
            if value not in self._functions[self._of_modules :]:
                self._add_functions([value])
        elif _isinstance(value, type) and value.__module__ == "__main__":
            if id(value) not in self._classes:
                self._classes.add(id(value))
                members = names_of_class(value)
                self._names.append(_Names(value, where, members))
                self._add_functions([one for one in members.values() if type(one) is FunctionType])
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
        for value, content in self._containers:
            if _isinstance(value, list):
                value[:] = content
            else:
                value.clear()
                value.update(content)
        return found

    def judges_itself(self, handed_out: Collection[str]) -> str:
        """Why no test may run: a class of the submission's decides itself what its objects equal.

        Classes that the assignment asks for, by a name that was `handed_out`, may do so.
        """
        left: list[type] = [object]
        while left:
            kind = left.pop()
            left += type.__subclasses__(kind) if kind is not type else []
            if id(kind) in self._classes or kind.__name__ in handed_out or is_class_of_a_library(kind):
                continue
            own = names_of_class(kind)
            is_data = any(base.__name__ in _DATA for base in type.mro(kind)[1:])
            for name in sorted((_DECIDING | _COMPARING if is_data else _DECIDING) & own.keys()):
                code = code_of(own[name])
                made = code is not None and code.co_filename == "<string>" and "__dataclass_fields__" in own
                if not made and own[name] is not None and (code is None or not is_in_a_library(code)):
                    return f"The class {kind.__name__} of the submission decides itself what tests find, by {name}."
        return ""

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
            for called, value in _list(names.items()) if name.startswith(_OWN) else ():
                if _is_own(value):
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


def _plain_containers(module: Any) -> Iterator[Any]:
    """What a module of questions judges by: its content may not change either."""
    for name, value in _list(_vars(module).items()):
        if not name.startswith("__") and type(value) in (dict, set, list):
            yield value


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
