"""Tell where a class of an answer's decided what a test found, as by `__eq__`: its methods are watched meanwhile."""

import builtins
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType, FunctionType
from typing import Any

from tl_course.grading.guarded.library_code import code_of, is_class_of_a_library, is_in_a_library, names_of_class

__all__ = ["Deciding"]

_frame, _hasattr, _type = sys._getframe, builtins.hasattr, builtins.type
_set_in_class, _subclasses, _mro = type.__setattr__, type.__subclasses__, type.mro


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DECIDING = _words(
    "__eq__ __ne__ __lt__ __le__ __gt__ __ge__ __bool__ __len__ __contains__ __sub__ __rsub__ __abs__ "
    "__round__ __float__ __int__ __index__ __format__ __array__ __array_ufunc__ __array_function__ "
    "__torch_function__ __instancecheck__ __subclasscheck__ __getattribute__ __class__"
)
# Methods of texts, collections, arrays and tables by which a test compares them.
_COMPARING = _words(
    "all any equals eq ne compare item tolist sum mean min max count index startswith endswith issubset "
    "issuperset allclose isclose astype numpy to_numpy"
)
_DATA = frozenset(
    {
        *("str", "int", "float", "complex", "bytes", "list", "tuple", "dict", "set", "frozenset"),
        *("ndarray", "Tensor", "DataFrame", "Series", "Index"),
    }
)


class Deciding:
    """Watches classes of a submission's that decide what their objects equal, while a test runs.

    Parameters
    ----------
    trusted : set of int
        The ids of classes that were there before the submission.
    handed_out : collection of str
        Names of classes that the assignment asks for: those may decide.
    names : mapping
        The globals of tests: a method that is used from there has decided what the test found.
    """

    def __init__(self, trusted: set[int], handed_out: Collection[str], names: Mapping[str, Any]) -> None:
        self._trusted, self._handed_out, self._names = trusted, handed_out, names
        self.refused = ""

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Afterwards, `refused` says which class took part in the test that ran meanwhile, if one did."""
        self.refused = ""
        watches = [(kind, name, _Watch(self, kind, name, value)) for kind, name, value in self._found()]
        for kind, name, watch in watches:
            _set_in_class(kind, name, watch)
        try:
            yield
        finally:
            for kind, name, watch in watches:
                if names_of_class(kind).get(name) is watch:
                    _set_in_class(kind, name, watch.value)
                else:
                    self.took_part(kind, name)
            known = {(id(kind), name) for kind, name, _ in watches}
            for kind, name, _ in self._found():  # made while the test ran
                if (id(kind), name) not in known:
                    self.took_part(kind, name)

    def took_part(self, kind: type, name: str) -> None:
        """Note that a test found what this class's method says."""
        self.refused = self.refused or (
            f"The class {kind.__name__} of the submission decides itself what tests find, by {name}."
        )

    def is_asked_by_a_test(self) -> bool:
        """Whether the method that is being looked up is not used by code of the submission's own."""
        frame: FrameType | None = _frame(2)
        while frame is not None and frame.f_globals is not self._names:
            if not is_in_a_library(frame.f_code):
                return False
            frame = frame.f_back
        return True

    def _found(self) -> Iterator[tuple[type, str, Any]]:
        """Classes of the submission's with methods that decide."""
        left: list[type] = [object]
        while left:
            kind = left.pop()
            left += _subclasses(kind) if kind is not type else []
            if id(kind) in self._trusted or kind.__name__ in self._handed_out or is_class_of_a_library(kind):
                continue
            own = names_of_class(kind)
            is_data = any(base.__name__ in _DATA for base in _mro(kind)[1:])
            for name in sorted((_DECIDING | _COMPARING if is_data else _DECIDING) & own.keys()):
                if _globals_of(own[name]) is self._names:  # of a test's own class
                    continue
                code = code_of(own[name])
                made = code is not None and code.co_filename == "<string>" and "__dataclass_fields__" in own
                if not made and own[name] is not None and (code is None or not is_in_a_library(code)):
                    yield kind, name, own[name]


def _globals_of(method: Any) -> Any:
    return method.__globals__ if isinstance(method, FunctionType) else None


class _Watch:
    """Stands for a method of a class, and notes who uses it; for all else it is that method."""

    def __init__(self, deciding: Deciding, kind: type, name: str, value: Any) -> None:
        self.deciding, self.kind, self.name, self.value = deciding, kind, name, value

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if self.deciding.is_asked_by_a_test():
            self.deciding.took_part(self.kind, self.name)
        value = self.value
        return _type(value).__get__(value, instance, owner) if _hasattr(_type(value), "__get__") else value
