"""Names that cells bind and read, as their syntax trees tell."""

import ast
import symtable
from collections import Counter
from collections.abc import Iterable, Iterator

from IPython.core.inputtransformer2 import TransformerManager

__all__ = ["assigned", "bound", "changed", "defines_class", "helpers", "imported", "imports", "read", "touched"]


def bound(source: str) -> set[str]:
    """Names that a cell binds, or whose value it changes in place, outside of functions."""
    names = changed(source)
    for node in _top_level(source):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call) and (root := _root(node.value.func)):
            names.add(root)
    return names


def changed(source: str) -> set[str]:
    """Names that a cell binds outside of functions, or by ``global``; also those of which it sets a part."""
    nodes = ast.walk(_tree(source))
    return assigned(source) | {name for node in nodes if isinstance(node, ast.Global) for name in node.names}


def assigned(source: str) -> set[str]:
    """Names that a cell binds outside of functions; also those of which it sets a part."""
    names: set[str] = set()
    for node in _top_level(source):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.Name | ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            names |= {root} if (root := _root(node)) else set()
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            names.add(node.name)
    return names


def imports(source: str) -> list[str]:
    """Statements of a cell that import something, outside of functions."""
    return [ast.unparse(node) for node in _top_level(source) if isinstance(node, ast.Import | ast.ImportFrom)]


def imported(source: str) -> set[str]:
    """Names that those bind."""
    return {name for statement in imports(source) for name in changed(statement)}


def read(source: str) -> set[str]:
    """Names that a cell reads, also in functions of its own, where they are not names of the function's."""
    try:
        table = symtable.symtable(ast.unparse(_tree(source)), "<cell>", "exec")
    except (SyntaxError, RecursionError, MemoryError):  # such as return outside of a function
        return set()
    names = {symbol.get_name() for symbol in table.get_symbols() if symbol.is_referenced()}
    left = table.get_children()
    while left:
        inner = left.pop()
        left += inner.get_children()
        names |= {symbol.get_name() for symbol in inner.get_symbols() if symbol.is_global() and symbol.is_referenced()}
    return names


def helpers(source: str, answered: set[str], *, values: bool) -> list[tuple[str, set[str]]]:
    """Statements of a cell that import, or make functions and classes, and the names that each binds.

    With `values` also those that bind a name once and for all. None is among them that reads one of `answered` at once.
    """
    parts = [(node, bound(ast.unparse(node))) for node in _tree(source).body]
    often = Counter(name for _, names in parts for name in names)
    found = []
    for node, names in parts:
        makes = isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            once = values and all(often[name] == 1 for name in names)
            makes = once or isinstance(node.value, ast.Lambda)
        if makes and answered.isdisjoint(_read_at_once(node)):
            found.append((ast.unparse(node), names))
    return found


def _read_at_once(statement: ast.stmt) -> set[str]:
    """Names that a statement reads when it runs, and not only when what it makes is called."""
    names: set[str] = set()
    left: list[ast.AST] = [statement]
    while left:
        node = left.pop()
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            left += [*getattr(node, "decorator_list", ()), *node.args.defaults, *filter(None, node.args.kw_defaults)]
        else:
            left += ast.iter_child_nodes(node)
    return names


def touched(source: str) -> set[str]:
    """Names whose value a cell may change in place, also from within functions."""
    names: set[str] = set()
    for node in ast.walk(_tree(source)):
        if isinstance(node, ast.Call):
            parts = [*node.args, *(word.value for word in node.keywords)]
            names |= {_root(part) for part in parts}
            if isinstance(node.func, ast.Attribute):
                names.add(_root(node.func))
        elif isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            names.add(_root(node))
        elif isinstance(node, ast.AugAssign | ast.Assign | ast.AnnAssign) and node.value is not None:
            names |= {_root(node.value)} | ({_root(node.target)} if isinstance(node, ast.AugAssign) else set())
    return names - {""}


def defines_class(source: str) -> bool:
    """Whether a cell makes a class."""
    return any(isinstance(node, ast.ClassDef) for node in _top_level(source))


def _tree(source: str) -> ast.Module:
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        try:  # magics
            return ast.parse(TransformerManager().transform_cell(source))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return ast.Module([], [])


def _top_level(source: str) -> Iterator[ast.AST]:
    """All nodes but those within functions, classes and comprehensions."""
    left: list[Iterable[ast.AST]] = [_tree(source).body]
    while left:
        for node in left.pop():
            yield node
            if not isinstance(
                node,
                ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda
                | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
            ):  # fmt: skip
                left.append(ast.iter_child_nodes(node))


def _root(node: ast.AST) -> str:
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Call | ast.Starred):
        node = node.func if isinstance(node, ast.Call) else node.value
    return node.id if isinstance(node, ast.Name) else ""
