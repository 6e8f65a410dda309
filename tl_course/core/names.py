"""Names of files and labels as text: one Unicode form for comparing, and names that are nearly the same."""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable

__all__ = ["label_named", "nearly_same", "nfc", "printable", "printable_lines"]


def nfc(text: str) -> str:
    """The text in Unicode's composed form: "é" is one character in some names and two in others (those from macOS)."""
    return unicodedata.normalize("NFC", text)


def label_named(text: str) -> str:
    """The label that a folder or a table means: composed, and without blanks at its ends, which nobody sees."""
    return nfc(text).strip()


def nearly_same(names: Iterable[str]) -> list[list[str]]:
    """Groups of different names that a person may take for one: they differ in case, or in blanks at the ends."""
    groups: defaultdict[str, set[str]] = defaultdict(set)
    for name in names:
        groups[label_named(name).casefold()].add(nfc(name))
    return [sorted(group) for group in groups.values() if len(group) > 1]


def printable(text: str) -> str:
    """The text for a terminal: control characters, such as escape sequences and marks of direction, are spelt out."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode("ascii") for char in text)


def printable_lines(text: str) -> str:
    """Several lines for a terminal, each of them `printable`."""
    return "\n".join(map(printable, text.split("\n")))
