"""Read a submission whose tests share its process by what homework needs, and say all that goes beyond it.

What an answer changes in that process, a test may find changed. Whatever is not plainly of the submission's own making
is therefore worth a sentence here, where `tl_course.grading.reading.submission` names only what is plainly out of
place.
"""

import ast
import builtins
import sys
from collections.abc import Collection, Iterator, Mapping
from importlib.machinery import PathFinder
from pathlib import Path
from typing import NamedTuple

from tl_course.grading.reading.findings import Findings
from tl_course.grading.reading.words import (
    ALLOWED_MODULES,
    ALLOWED_OF_MODULES,
    ALONE,
    FINE,
    INNER_MODULES,
    MUTATING,
    PLAIN,
    REACHING,
    SET_BY_HOMEWORK,
    SETTINGS,
    SPECIAL_ATTRIBUTES,
    UNPICKLING,
)

__all__ = ["Shared", "read_strictly"]

_SETTINGS = (*SETTINGS, "matplotlib.pyplot.rcParams", "os.environ")
_ACCESS = ("getattr", "setattr", "delattr", "vars", "globals", "__import__", "exec", "eval", "compile")


class Shared(NamedTuple):
    """What a submission shares with tests.

    Attributes
    ----------
    aliases : dict of str to str
        What the names mean that its cells import.
    locked : collection of str
        Names that the instructor's cells bind, and the solution does not change.
    of_tests : collection of str
        Names that only tests bind.
    files : collection of str
        Names of files that were handed out.
    handed_out : collection of str
        Names that answers are asked to bind.
    """

    aliases: Mapping[str, str]
    locked: Collection[str]
    of_tests: Collection[str]
    files: Collection[str]
    handed_out: Collection[str]


class _Own(NamedTuple):
    bound: frozenset[str]  # names that the submission binds
    made: frozenset[str]  # names that it binds to nothing but what it makes, by calls or written out
    borrowed: frozenset[str]  # names that it binds to what others have made
    given: frozenset[str]  # parameters, but for that of the object itself
    attributes: frozenset[str]  # that its classes have


def read_strictly(trees: Mapping[str, ast.Module], shared: Shared) -> Iterator[tuple[str, str, int]]:
    """Where, what and in which line a submission goes beyond what homework needs."""
    own = _owned(trees.values(), shared)
    modules = {name.removesuffix(".py").rpartition("/")[2] for name in trees if name.endswith(".py")}
    for where, tree in trees.items():
        reader = _StrictReader(shared, own, modules)
        try:
            reader.visit(tree)
        except RecursionError:
            yield where, "is nested too deeply to be read", 1
        for what, line in reader.found.items():
            yield where, what, line


def _owned(trees: Collection[ast.Module], shared: Shared) -> _Own:
    bound: set[str] = set()
    borrowed: set[str] = set()
    given: set[str] = set()
    made: set[str] = set()
    attributes: set[str] = set()
    made_by: set[int] = set()
    for node in (node for tree in trees for node in ast.walk(tree)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            bound.add(node.id)
        elif isinstance(node, ast.arg):
            given.add(node.arg)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            bound.add(node.name)
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _name(node.value) in ("self", "cls"):
            attributes.add(node.attr)
        if isinstance(node, ast.ClassDef):
            attributes |= {name for member in node.body for name in _bound_by(member)}
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [part for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
            if _is_of_others(node.value, shared):
                borrowed |= {part.id for part in names}
            elif not isinstance(node.value, ast.Name | ast.Attribute | ast.Subscript | ast.IfExp | ast.BoolOp):
                made |= {part.id for part in names}
                made_by |= {id(part) for part in names}
    nodes = (node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name))
    made -= {node.id for node in nodes if isinstance(node.ctx, ast.Store) and id(node) not in made_by}
    return _Own(*map(frozenset, (bound, made - given, borrowed, given, attributes)))


def _bound_by(member: ast.stmt) -> Iterator[str]:
    if isinstance(member, ast.FunctionDef | ast.AsyncFunctionDef):
        yield member.name
    elif isinstance(member, ast.Assign | ast.AnnAssign):
        for target in member.targets if isinstance(member, ast.Assign) else [member.target]:
            if isinstance(target, ast.Name):
                yield target.id


def _is_of_others(value: ast.AST, shared: Shared) -> bool:
    """Whether a value is what a name of others means, or a part of that, and not made anew."""
    if isinstance(value, ast.Call):
        return _name(value.func) in ("type", "vars", "getattr", "globals")
    root = _root(value)
    return root in shared.aliases or root in shared.locked


def _name(node: ast.AST) -> str:
    return node.id if isinstance(node, ast.Name) else ""


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return _name(node)


class _StrictReader(Findings, ast.NodeVisitor):
    def __init__(self, shared: Shared, own: _Own, modules: Collection[str]) -> None:
        super().__init__(shared.aliases)
        self._shared, self._own, self._modules = shared, own, modules
        self._owners: set[ast.AST] = set()  # what stands before a dot
        self._called: set[ast.AST] = set()
        self._depth = 0
        self._aliased: set[ast.AST] = set()  # values that are but given a name

    def _is_of_others(self, name: str) -> bool:
        if name in self._shared.aliases or name in self._own.borrowed:
            return True
        return name in self._shared.locked and name not in self._own.bound | self._own.given

    # ---- imports ----

    def visit_Import(self, node: ast.Import) -> None:
        for name in node.names:
            self._check_module(name.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if node.level or not node.module:
            return
        self._check_module(node.module, node)
        for name in node.names:
            self._check_path(f"{node.module}.{name.name}", node)

    def _check_module(self, path: str, node: ast.AST) -> None:
        top = path.partition(".")[0]
        if top not in ALLOWED_MODULES | ALONE and top not in self._modules:
            self._say(f"uses {path}, which homework seldom needs", node)

    def _check_path(self, dotted: str, node: ast.AST) -> None:
        """A name of a module, from its start: what it leads to."""
        top, _, rest = dotted.partition(".")
        if dotted in FINE:
            return
        if not rest or top not in {path.partition(".")[0] for path in self._shared.aliases.values()}:
            return
        allowed = ALLOWED_OF_MODULES.get(top)
        if allowed is not None and rest.partition(".")[0] not in allowed:
            self._say(f"uses {top}.{rest.partition('.')[0]}, which homework seldom needs", node)
        for part in rest.split("."):
            if part in INNER_MODULES and dotted not in ("os.path", "scipy.signal"):
                self._say(f"reaches {part} through {dotted.split(f'.{part}', maxsplit=1)[0]}", node)
            elif part.startswith("_") and part not in SPECIAL_ATTRIBUTES:
                self._say(f"uses {dotted}, which is none of its own", node)

    # ---- names and attributes ----

    def visit_Name(self, node: ast.Name) -> None:
        name, shared = node.id, self._shared
        if isinstance(node.ctx, ast.Load) and node not in self._owners:
            rebound = name in self._own.bound - self._own.borrowed
            if name in shared.aliases and not rebound and _is_module(shared.aliases[name]):
                self._say(f"hands the module {shared.aliases[name]} on, as a value", node)
            elif name in _ACCESS and node not in self._called and name not in self._own.bound:
                self._say(f"hands {name} on, as a value", node)
        known = name in shared.aliases or name in self._own.bound | self._own.given or hasattr(builtins, name)
        if isinstance(node.ctx, ast.Load) and not known:
            if name in INNER_MODULES:
                self._say(f"uses {name}", node)
            elif self._depth and name in shared.of_tests and name not in shared.handed_out:
                self._say(f"uses {name!r}, which only tests bind, inside a function", node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        is_part = node in self._owners
        self._owners.add(node.value)
        root, name = _root(node), node.attr
        if root in self._shared.aliases and (dotted := self._dotted(node)):
            if not is_part:
                self._check_path(dotted, node)
                used = node in self._aliased | self._called
                if not used and isinstance(node.ctx, ast.Load) and _is_module(dotted):
                    self._say(f"hands the module {dotted} on, as a value", node)
        elif name.startswith("_") and not self._may_use(node.value, name):
            self._say(f"uses {ast.unparse(node)[:60]}, which is none of its own", node)
        if name in REACHING:
            self._say(f"reaches into memory or other functions by {name}", node)
        if isinstance(node.ctx, ast.Store | ast.Del):
            self._check_change(node, name)
        self.generic_visit(node)

    def _may_use(self, owner: ast.AST, name: str) -> bool:
        if name in SPECIAL_ATTRIBUTES or name == "_":
            return True
        if isinstance(owner, ast.Call) and _name(owner.func) == "super":
            return True
        root = _root(owner)
        return bool(root) and (
            root in ("self", "cls") or (name in self._own.attributes and not self._is_of_others(root))
        )

    def visit_MatchClass(self, node: ast.MatchClass) -> None:
        for name in node.kwd_attrs:
            if name in REACHING or (name.startswith("_") and name not in self._own.attributes):
                self._say(f"uses {name}, which is none of its own", node)
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.value, ast.Name):
            self._owners.add(node.value)
        if isinstance(node.ctx, ast.Store | ast.Del):
            self._check_change(node, "")
        self.generic_visit(node)

    def _check_change(self, node: ast.Attribute | ast.Subscript, name: str) -> None:
        root, text = _root(node), ast.unparse(node)[:60]
        dotted = self._dotted(node if name else node.value)
        if dotted.startswith(_SETTINGS) or ast.unparse(node.value).startswith("get_ipython()"):
            return
        if self._is_of_others(root):
            top = self._shared.aliases.get(root, "").partition(".")[0]
            if not (name.isupper() and top in ALLOWED_MODULES and top != "tl_course"):
                self._say(f"changes {text}, which is none of its own", node)
        elif name and root not in ("self", "cls") and name not in self._own.attributes | SET_BY_HOMEWORK:
            dots = node.value
            while isinstance(dots, ast.Attribute):
                dots = dots.value
            if _name(dots) not in self._own.made:
                self._say(f"sets {text}, of something that may be none of its own", node)

    def visit_Assign(self, node: ast.Assign) -> None:
        if all(isinstance(target, ast.Name) for target in node.targets):
            self._aliased.add(node.value)
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        name = _name(node.target)
        if name in self._shared.locked and name not in self._own.given and self._is_of_others(name):
            self._say(f"changes {name}, which is none of its own", node)
        self.generic_visit(node)

    # ---- calls ----

    def visit_Call(self, node: ast.Call) -> None:
        self._called.add(node.func)
        called = self._dotted(node.func)
        first = node.args[0] if node.args else None
        of_self = _name(first) in ("self", "cls") if first is not None else False
        if called in ("getattr", "hasattr", "setattr", "delattr") and len(node.args) > 1:
            name = node.args[1]
            text = name.value if isinstance(name, ast.Constant) else None
            if not isinstance(text, str):
                if called != "hasattr" and not of_self:
                    self._say(f"names an attribute at run time, for {called}", node)
            elif text.startswith("_") and called != "hasattr" and text not in SPECIAL_ATTRIBUTES and not of_self:
                self._say(f"uses {text}, which is none of its own", node)
            if called in ("setattr", "delattr") and not of_self:
                self._say(f"changes {ast.unparse(first or node)[:60]}, by {called}", node)
        elif called in ("vars", "globals") and not of_self and (node.args or called == "globals"):
            self._say(f"reads and changes names by {called}()", node)
        elif called in _CONTEXTS:
            self._say(f"changes {called}, for tests too", node)
        elif called in UNPICKLING:
            self._say(f"makes objects of what was written by pickle, which may run code, by {called}", node)
        if isinstance(node.func, ast.Attribute):
            self._check_method(node.func, first)
        if called == "open" or called.endswith(".open"):
            self._check_open(node)
        self.generic_visit(node)

    def _check_method(self, method: ast.Attribute, first: ast.AST | None) -> None:
        owner, name = method.value, method.attr
        root, dotted = _root(owner), self._dotted(owner)
        if name in ("__setattr__", "__delattr__", "__setitem__", "__delitem__"):
            if not (first is not None and _name(first) in ("self", "cls")):
                self._say(f"changes something by {name}", method)
        elif name in MUTATING:
            if root in ("dict", "list", "set") and isinstance(owner, ast.Name) and root not in self._own.bound:
                if not (first is not None and _name(first) in ("self", "cls")):
                    self._say(f"changes something by {root}.{name}", method)
            elif self._is_of_others(root) and not dotted.startswith(_SETTINGS):
                is_function = root in self._shared.aliases and not _is_part(dotted)
                if not is_function:
                    self._say(f"changes {ast.unparse(owner)[:60]}, which is none of its own, by {name}", method)
        elif name in ("write_text", "write_bytes", "unlink", "rename", "replace") and isinstance(owner, ast.Call):
            for part in ast.walk(owner):
                self._check_file(part, method)

    def _check_open(self, node: ast.Call) -> None:
        values = [*node.args[1:2], *(word.value for word in node.keywords if word.arg == "mode")]
        modes = [one.value for one in values if isinstance(one, ast.Constant)]
        if any(set(str(mode)) & set("wax+") for mode in modes):
            for part in [*node.args[:1], node.func]:
                for inner in ast.walk(part):
                    self._check_file(inner, node)

    def _check_file(self, part: ast.AST, node: ast.AST) -> None:
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            name = part.value.rpartition("/")[2]
            if name and name in self._shared.files:
                self._say(f"writes to {name}, which was handed out", node)

    # ---- functions and classes ----

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._depth += 1
        self.generic_visit(node)
        self._depth -= 1

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if node.name not in self._shared.handed_out:
            for base in node.bases:
                kind = self._dotted(base).rpartition(".")[2]
                if kind in PLAIN and kind not in self._own.bound:
                    self._say(
                        f"has a class, {node.name}, that is a kind of {kind}, which may decide what tests find", node
                    )
        self.generic_visit(node)


_CONTEXTS = frozenset({"decimal.setcontext", "numpy.seterrcall", "numpy.geterrobj", "numpy.seterrobj", "time.tzset"})
_modules: dict[str, bool] = {}


def _is_module(path: str) -> bool:
    """Whether a path is that of a module, by the files that are installed: nothing is imported for it."""
    if path not in _modules:
        _modules[path] = _looks_like_one(path)
    return _modules[path]


def _looks_like_one(path: str) -> bool:
    if path in sys.modules or "." not in path:
        return True
    top, *rest = path.split(".")
    try:
        spec = PathFinder.find_spec(top)
    except (ImportError, ValueError):
        return False
    places = [Path(place).joinpath(*rest) for place in (spec and spec.submodule_search_locations) or ()]
    return any((place / "__init__.py").is_file() or place.with_name(f"{place.name}.py").is_file() for place in places)


def _is_part(dotted: str) -> bool:
    """Whether it is something in a module, and no module, whose functions may be called like methods that change it."""
    return "." in dotted and not _is_module(dotted)
