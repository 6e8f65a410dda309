"""What readers of syntax trees find: each thing once, with the line where it was found first."""

import ast
from collections.abc import Mapping

__all__ = ["Findings"]


class Findings:
    """What readers of syntax trees share.

    Parameters
    ----------
    aliases : mapping
        Full names, by the names that imports have bound.

    Attributes
    ----------
    found : dict of str to int
        Lines, by what is to be said.
    """

    def __init__(self, aliases: Mapping[str, str]) -> None:
        self.found: dict[str, int] = {}
        self._aliases = aliases

    def _say(self, what: str, node: ast.AST) -> None:
        self.found.setdefault(what, getattr(node, "lineno", 0))

    def _dotted(self, node: ast.AST) -> str:
        """The full name of what an expression of names and dots means; empty where it is no such thing."""
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        if not isinstance(node, ast.Name):
            return ""
        return ".".join([self._aliases.get(node.id, node.id), *reversed(parts)])
