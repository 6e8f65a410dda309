"""Read the syntax tree of a submission for what has no business in homework, such as frames, hooks and patched modules.

This runs beside the grading, never where submissions run, and on text alone: no submission can undo what it finds. What
it finds is no proof and costs no mark; it is a reason for a person to look.
"""

import ast
import re
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode

from tl_course.grading.apart.plan import Plan, locked_cells
from tl_course.grading.batch.marks import is_test
from tl_course.grading.reading.cell_syntax import assigned
from tl_course.grading.reading.findings import Findings
from tl_course.grading.reading.guarded import Shared, read_strictly
from tl_course.grading.reading.words import (
    ALONE,
    ATTRIBUTES,
    DECIDING,
    FINE,
    FUNCTIONS,
    MAGICS_WITH_PYTHON,
    MODULES,
    PLAIN,
    SETTINGS,
    SPECIAL,
    USUAL_NAMES,
)

__all__ = ["read_submission"]

_TOO_DEEP = (RecursionError, MemoryError)  # what Python's parser raises, for lack of a stack, and walks over a tree
_LARGEST, _MOST_FILES = 1 << 20, 100  # bytes of a module beside the notebook, and how many are read


class _Known(NamedTuple):
    """What names mean all over a notebook, and which are the assignment's."""

    aliases: dict[str, str]
    handed_out: frozenset[str]
    of_tests: frozenset[str]


def read_submission(
    notebook: NotebookNode,
    release: NotebookNode,
    files: Mapping[str, Path] | None = None,
    *,
    plan: Plan | None = None,
    given: Iterable[str] = (),
) -> list[str]:
    """What a person should look at in a submission, a sentence each, and which of its cells are no Python.

    Parameters
    ----------
    notebook : NotebookNode
        With the instructor's cells and all tests in it, as it is run.
    release : NotebookNode
        What was handed out: whatever its cells use themselves is not worth a sentence.
    files : dict of str to Path, optional
        What was handed in beside it, by name. Modules among them are read too.
    plan : Plan, optional
        Where it has tests that run in the answer's process, all that goes beyond what homework needs is told.
    given : iterable of str
        Names of files that were handed out.
    """
    known = _known(notebook, release)
    usual = {what for cell in release.cells if cell.cell_type == "code" for what, _ in _found(cell.source, known)}
    sources: dict[str, str] = {}
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for number, cell in enumerate(cells, 1):
        about = cell.metadata.get("nbgrader", {})
        if not about.get("locked") and not is_test(cell):
            sources[about.get("grade_id") or f"cell {number}"] = cell.source
    modules = {name: path for name, path in (files or {}).items() if path.suffix == ".py" and path.is_file()}
    for name, path in sorted(modules.items())[:_MOST_FILES]:
        sources[name] = path.read_bytes()[:_LARGEST].decode("utf-8", errors="replace")
    said: dict[str, None] = {}
    for where, source in sources.items():
        for what, line in _found(source, known):
            if what not in usual:
                said.setdefault(f"{where}: {what}{line}")
    if plan is not None and plan.guarded:
        for where, what, number in _strictly(sources, release, known, plan, given):
            if not any(sentence.startswith(f"{where}: ") and f"(line {number})" in sentence for sentence in said):
                said.setdefault(f"{where}: {what} (line {number}).")
    return list(said)


def _strictly(
    sources: Mapping[str, str], release: NotebookNode, known: _Known, plan: Plan, given: Iterable[str]
) -> Iterator[tuple[str, str, int]]:
    trees: dict[str, ast.Module] = {}
    for where, source in sources.items():
        with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
            trees[where] = _unfolded(_parsed(source))
    released = {cell.source for cell in release.cells}
    plain = {where: tree for where, tree in trees.items() if sources[where] not in released}
    locked = {name for cell in locked_cells(release) for name in assigned(cell.source)}
    locked -= {*plan.touched, *plan.answered}
    aliases = {name: path for tree in trees.values() for name, path in _aliases(tree).items()}
    aliases |= {name: path for cell in locked_cells(release) for name, path in _aliases(_parsed(cell.source)).items()}
    names = [name.rpartition("/")[2] for name in given]
    shared = Shared(aliases, locked - aliases.keys(), known.of_tests, names, plan.handed_out())
    yield from read_strictly(plain, shared)


def _unfolded(tree: ast.Module) -> ast.Module:
    """With the code that magics and `exec` are given as a text, as if it stood there."""
    inner: list[ast.stmt] = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        for argument in node.args if called in ("exec", "eval", "run_cell_magic", "run_line_magic") else ():
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                with suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                    inner += _parsed(argument.value).body
                    for part in (part for one in inner for part in ast.walk(one) if hasattr(part, "lineno")):
                        part.lineno = node.lineno
    if inner:
        tree.body += _unfolded(ast.Module(inner, [])).body
    return tree


def _known(notebook: NotebookNode, release: NotebookNode) -> _Known:
    aliases: dict[str, str] = {}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            with suppress(SyntaxError, ValueError, *_TOO_DEEP):
                aliases |= _aliases(_parsed(cell.source))
    code = [cell for cell in release.cells if cell.cell_type == "code"]
    handed_out = {name for cell in code if not is_test(cell) for name in assigned(cell.source)}
    of_tests = {name for cell in filter(is_test, notebook.cells) for name in assigned(cell.source)}
    return _Known(aliases, frozenset(handed_out), frozenset(of_tests - handed_out))


def _parsed(source: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with suppress(SyntaxError):
            return ast.parse(source)
        return ast.parse(TransformerManager().transform_cell(source))


def _aliases(tree: ast.Module) -> dict[str, str]:
    """What imported names stand for, wherever they are imported."""
    found: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for name in node.names:
                found[name.asname or name.name.partition(".")[0]] = (
                    name.name if name.asname else name.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for name in node.names:
                found[name.asname or name.name] = f"{node.module}.{name.name}"
    return found


def _found(source: str, known: _Known) -> Iterator[tuple[str, str]]:
    """What is in a cell, and in which line."""
    try:
        tree = _parsed(source)
        compile(tree, "<cell>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)  # `return` outside a function, say
    except _TOO_DEEP:  # whether Python runs it, which reads it with less on its stack, its run tells
        yield "is nested too deeply to be read.", ""
        return
    except (SyntaxError, ValueError) as problem:
        line, said = getattr(problem, "lineno", None), getattr(problem, "msg", None) or type(problem).__name__
        lines = source.splitlines()
        text = f" “{lines[line - 1].strip()[:80]}”" if line and line <= len(lines) else ""
        yield f"is no Python and could not be run, in line {line or '?'}{text}: {said}.", ""
        return
    reader = _Reader(known)
    try:
        reader.visit(tree)
    except _TOO_DEEP:
        yield "is nested too deeply to be read.", ""
    for what, line in reader.found.items():
        yield what, f" (line {line})."


class _Reader(Findings, ast.NodeVisitor):
    def __init__(self, known: _Known) -> None:
        super().__init__(known.aliases)
        self.known = known
        self._inner: set[ast.AST] = set()  # parts of longer names with dots
        self._selves: set[str] = set()  # what methods of the class that is read call the object, or class, they are of
        self.roots = {path.partition(".")[0] for path in known.aliases.values()}

    def _check(self, dotted: str, node: ast.AST) -> None:
        if dotted in FINE:
            return
        parts = dotted.split(".")
        for length in range(1, len(parts) + 1):
            start = ".".join(parts[:length])
            if start in FINE:
                return
            if start in FUNCTIONS:
                self._say(FUNCTIONS[start], node)
        for length in range(len(parts), 0, -1):
            if (start := ".".join(parts[:length])) in MODULES:
                self._say(MODULES[start], node)
                return

    def visit_Import(self, node: ast.Import) -> None:
        for name in node.names:
            if not {name.name, name.name.partition(".")[0]} & ALONE:
                self._check(name.name, node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        for name in node.names:
            self._check(f"{node.module}.{name.name}", node)

    def visit_Name(self, node: ast.Name) -> None:
        imported = self.known.aliases.get(node.id)
        if imported and imported not in ALONE:
            self._check(imported, node)
        if node.id == "get_ipython":
            self._say("uses get_ipython()", node)
        elif node.id in ("__builtins__", "__loader__", "__spec__", "__import__"):
            self._say(f"uses {node.id}", node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if node.attr == "ast_node_interactivity" and ast.unparse(node.value) == "get_ipython()":
            return
        if isinstance(node.value, ast.Attribute):
            self._inner.add(node.value)
        dotted = self._dotted(node)
        known = dotted.partition(".")[0] in self.roots
        if known and node not in self._inner:
            self._check(dotted, node)
        if node.attr in ATTRIBUTES and not (known and dotted in FUNCTIONS):  # said already, by its whole name
            self._say(f"{ATTRIBUTES[node.attr]} by {node.attr}", node)
        if node.attr in ("__class__", "__dict__") and isinstance(node.ctx, ast.Store):
            self._say(f"sets the {node.attr} of an object", node)
        if isinstance(node.ctx, ast.Store | ast.Del):
            self._check_target(node)
        self.generic_visit(node)

    def _check_target(self, node: ast.Attribute) -> None:
        """Whether what is assigned to belongs to an imported module, or to a class that is not the student's."""
        value = node.value
        of: ast.expr | None = None
        if isinstance(value, ast.Call) and self._dotted(value.func) == "type":
            of = value.args[0] if value.args else value
        elif isinstance(value, ast.Attribute) and value.attr == "__class__":
            of = value.value
        if of is not None and not (isinstance(of, ast.Name) and of.id in self._selves):
            self._say(f"changes {node.attr} of a class that is not its own", node)
        root: ast.AST = node
        while isinstance(root, ast.Attribute):
            root = root.value
        if isinstance(root, ast.Name) and root.id in self.known.aliases:
            dotted = self._dotted(node)
            if not node.attr.isupper() and not dotted.startswith(SETTINGS) and dotted not in FINE:
                self._say(f"changes {dotted}", node)

    def visit_Global(self, node: ast.Global) -> None:
        for name in node.names:
            if name in self.known.of_tests:
                self._say(f"sets {name!r}, which is a name that tests use, from inside a function", node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if not isinstance(node.value, str):
            return
        text = node.value
        if text in ATTRIBUTES:
            self._say(f"names {text} in a text", node)
        elif re.fullmatch(r"__[A-Za-z_]*", text) and len(text) > 2 and not (text in USUAL_NAMES or text in DECIDING):
            self._say(f"puts together a special name, {text!r}", node)
        elif text.startswith("/proc") or "/proc/" in text:
            self._say("looks at the processes of the machine, in /proc", node)
        elif re.search(r"home/(tests|given|private)\b|\.\./(tests|given|private)\b", text):
            self._say("looks into folders of the grading, which are not its own", node)
        elif text == "TL_COURSE_STUDENT":
            self._say("changes or reads whose work it is, TL_COURSE_STUDENT", node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Add) and "__" in (text := _text_of(node)):
            self._say(f"puts together a special name, {text!r}", node)
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        called = self._dotted(node.func)
        if _is_usual_magic(node):
            self._read_magic(node)
            for argument in node.args:
                self.visit(argument)
            return
        if called == "str" and [ast.unparse(argument) for argument in node.args] == ["get_ipython()"]:
            return  # as people ask whether they are in Colab
        first = node.args[0] if node.args else None
        if called in ("exec", "eval", "compile"):
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                self._read_code(first.value, node)
            else:
                self._say(f"runs code that it puts together, by {called}", node)
        elif called in ("getattr", "setattr", "delattr", "operator.attrgetter", "operator.methodcaller"):
            self._read_access(called, node)
        elif called == "importlib.import_module" and not isinstance(first, ast.Constant):
            self._say("imports what it names at run time", node)
        elif called == "type" and len(node.args) == 3:
            names = {str(key.value) for part in ast.walk(node.args[2]) if isinstance(part, ast.Dict)
                     for key in part.keys if isinstance(key, ast.Constant)}  # fmt: skip
            for name in sorted(names & DECIDING):
                self._say(f"makes a class that decides itself what it equals, by {name}", node)
        self.generic_visit(node)

    def _read_access(self, called: str, node: ast.Call) -> None:
        where = 0 if called.startswith("operator") else 1
        name = node.args[where] if len(node.args) > where else None
        if isinstance(name, ast.Constant) and isinstance(name.value, str):
            text = name.value
            owner = self._dotted(node.args[0]) if where else ""
            if owner.partition(".")[0] in self.roots:
                self._check(f"{owner}.{text}", node)
                if called != "getattr":
                    self._say(f"changes {owner}.{text}", node)
        elif isinstance(name, ast.JoinedStr):
            if any("_" in str(part.value)[:1] for part in name.values[:1] if isinstance(part, ast.Constant)):
                self._say(f"puts together the name of an attribute, for {called}", node)
        elif name is not None and not isinstance(name, ast.Name | ast.Attribute | ast.Subscript | ast.Starred):
            self._say(f"puts together the name of an attribute, for {called}", node)
        if called == "setattr" and node.args and self._is_imported(node.args[0]):
            self._say(f"changes {self._dotted(node.args[0])}", node)

    def _is_imported(self, node: ast.AST) -> bool:
        while isinstance(node, ast.Attribute):
            node = node.value
        return isinstance(node, ast.Name) and node.id in self.known.aliases

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if isinstance(node.ctx, ast.Store | ast.Del):
            if isinstance(node.value, ast.Call) and self._dotted(node.value.func) in ("globals", "vars"):
                self._say("sets names of the notebook by globals()", node)
            if isinstance(node.value, ast.Attribute) and node.value.attr == "__dict__":
                self._say("changes an object by its __dict__", node)
        if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str) and "__" in node.value.value:
            self._say("puts together a special name", node)
        self.generic_visit(node)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        if node.name not in self.known.handed_out:
            plain = any(self._dotted(base).rpartition(".")[2] in PLAIN for base in node.bases)
            for member in node.body:
                for name, value in _members(member):
                    if name in DECIDING - ({"__hash__"} if plain else {"__hash__", "__len__"}) and (
                        plain or _gives_one_answer(value)
                    ):
                        self._say(f"has a class, {node.name}, that decides itself what it equals, by {name}", member)
                    elif name == "__module__":
                        self._say(f"has a class, {node.name}, that says it is of another module", member)
            if any(word.arg == "metaclass" for word in node.keywords):
                self._say(f"has a class, {node.name}, with a metaclass", node)
        for member in node.body:
            if isinstance(member, ast.FunctionDef) and member.name in SPECIAL:
                self._say(f"has a class, {node.name}, that {SPECIAL[member.name]}, by {member.name}", member)
        before = self._selves
        methods = [one for one in node.body if isinstance(one, ast.FunctionDef) and one.args.args]
        own = [one for one in methods if "staticmethod" not in map(ast.unparse, one.decorator_list)]
        self._selves = {one.args.args[0].arg for one in own}
        self.generic_visit(node)
        self._selves = before

    def _read_code(self, source: str, node: ast.AST) -> None:
        with suppress(SyntaxError, ValueError, *_TOO_DEEP):
            inner = _Reader(self.known)
            inner.visit(_parsed(source))
            for what in inner.found:
                self._say(what, node)

    def _read_magic(self, node: ast.Call) -> None:
        texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        if texts and texts[0] in MAGICS_WITH_PYTHON:
            for text in texts[1:]:
                self._read_code(text, node)
        for text in texts:
            if "/proc/" in text:
                self._say("looks at the processes of the machine, in /proc", node)


def _members(node: ast.stmt) -> Iterator[tuple[str, ast.AST]]:
    if isinstance(node, ast.FunctionDef):
        yield node.name, node
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            if isinstance(target, ast.Name):
                yield target.id, node.value


def _gives_one_answer(value: ast.AST) -> bool:
    """Whether a method gives the same whatever it is asked: a constant, or what is no function of this class."""
    if isinstance(value, ast.FunctionDef):
        returned = [node.value for node in ast.walk(value) if isinstance(node, ast.Return)]
        return bool(returned) and all(isinstance(one, ast.Constant) and one.value is not None for one in returned)
    if isinstance(value, ast.Lambda):
        return isinstance(value.body, ast.Constant)
    return not isinstance(value, ast.Constant)


def _text_of(node: ast.AST) -> str:
    """What constants that are added make, as far as they are texts."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text_of(node.left), _text_of(node.right)
        return left + right if left and right else ""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _is_usual_magic(node: ast.Call) -> bool:
    """Whether it is what IPython makes of %, %% and !, or asks the same of it in so many words."""
    function = node.func
    if not isinstance(function, ast.Attribute) or not isinstance(function.value, ast.Call):
        return False
    usual = ("run_line_magic", "run_cell_magic", "magic", "system", "getoutput", "set_next_input")
    asked = function.value.func
    return isinstance(asked, ast.Name) and asked.id == "get_ipython" and function.attr in usual
