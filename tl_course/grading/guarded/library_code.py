"""Whether code, a function, a class or a module is of an installed library, by where it stands and what it is."""

import ast
import re
import sys
from collections.abc import Iterator
from functools import cached_property, partial, partialmethod
from pathlib import Path
from types import CodeType, FunctionType, MethodType, ModuleType
from typing import Any

__all__ = [
    "CONSTANTS",
    "code_of",
    "codes",
    "is_class_of_a_library",
    "is_found_where_it_says",
    "is_in_a_library",
    "is_installed",
    "is_put_there_by_a_library",
    "is_same_code",
    "names_of_class",
]

CONSTANTS = (bool, int, float, complex, str, bytes)
names_of_class = type.__dict__["__dict__"].__get__  # whatever a metaclass makes of `__dict__`
_LIBRARIES = tuple({f"{Path(path)}/" for path in (sys.prefix, sys.base_prefix, Path(__file__).parents[2])})
_STANDARD = str(Path(ast.__file__).parent)
_INNER = {
    MethodType: "__func__", classmethod: "__func__", staticmethod: "__func__", property: "fget",
    cached_property: "func", partial: "func", partialmethod: "func",
}  # fmt: skip
_known: dict[str, frozenset[CodeType]] = {}  # by the file that they stand in


def _is_of_a_library(code: CodeType) -> bool:
    """Whether code stands so in a file that was installed; a name of a file alone can be given to any code."""
    filename = code.co_filename
    if filename.startswith("<frozen "):  # importlib and a few more: compiled into Python
        filename = f"{_STANDARD}/{filename[8:-1].replace('.', '/')}.py"
    if not filename.startswith(_LIBRARIES):
        return False
    if filename not in _known:
        _known[filename] = frozenset(codes(_module_code(filename)))
    return code in _known[filename]


def is_in_a_library(code: CodeType) -> bool:
    """Whether code says that it is of an installed file, which is quick to ask."""
    return code.co_filename.startswith((*_LIBRARIES, "<frozen "))


def _module_code(filename: str) -> CodeType | None:
    try:
        return compile(Path(filename).read_bytes(), filename, "exec", dont_inherit=True)
    except (OSError, SyntaxError, ValueError):
        return None


def codes(code: CodeType | None) -> Iterator[CodeType]:
    """A piece of code and all that stands in it."""
    if code is not None:
        yield code
        for constant in code.co_consts:
            if type(constant) is CodeType:
                yield from codes(constant)


def code_of(value: Any) -> CodeType | None:
    """The code that a function, a method, a property or a partial one runs; None of what is written in C."""
    for _ in range(8):
        kind = type(value)
        if kind is FunctionType:
            code: CodeType = value.__code__
            return code
        part = _INNER.get(kind)
        if part is None:
            return None
        value = getattr(value, part)
    return None


def is_same_code(found: Any, value: Any) -> bool:
    """Whether one is the other made anew, as by importlib.reload."""
    if type(found) in CONSTANTS:
        return type(found) is type(value) and bool(found == value)
    if isinstance(found, type) and isinstance(value, type):
        codes = [{name: code_of(member) for name, member in names_of_class(kind).items()} for kind in (found, value)]
        return codes[0] == codes[1]
    code = code_of(found)
    return code is not None and code == code_of(value)


def is_put_there_by_a_library(value: Any, name: str) -> bool:
    """Whether the file that a function comes from puts it under this name itself, as torch and fastcore's patch do."""
    code = code_of(value)
    if code is None or not _is_of_a_library(code):
        return False
    text = Path(code.co_filename).read_text("utf-8", errors="replace")
    if re.search(rf"\.{re.escape(name)}\s*=[^=]|setattr\([^\n]*['\"]{re.escape(name)}['\"]", text):
        return True
    return any(
        isinstance(node, ast.FunctionDef)
        and node.name == name
        and any("patch" in ast.unparse(decorator) for decorator in node.decorator_list)
        for node in ast.walk(ast.parse(text))
    )


def is_found_where_it_says(name: str, value: Any) -> bool:
    """Whether a name that a module looks up when it is asked for is what an installed module has under that name."""
    if isinstance(value, ModuleType):
        return sys.modules.get(value.__name__) is value
    module = sys.modules.get(str(getattr(value, "__module__", None)))
    return module is not None and vars(module).get(name) is value and is_installed(module)


def is_class_of_a_library(kind: type) -> bool:
    """Whether a class is of an installed module, or was made in C, whatever its module is called there."""
    if kind.__module__ == "__main__":
        return False
    module = sys.modules.get(str(kind.__module__))
    if module is not None and is_installed(module):
        return True
    codes = [code_of(member) for member in names_of_class(kind).values()]
    return all(code is None or is_in_a_library(code) for code in codes)


def is_installed(module: ModuleType) -> bool:
    """Whether a module is of an installed library, or of Python itself."""
    file = getattr(module, "__file__", None)
    return file is None or str(file).startswith(_LIBRARIES)
