"""What the modules of the command line share: registering a command, and giving its result."""

import argparse
import json
from collections.abc import Callable
from typing import Any

from tl_course.core.names import printable_lines

__all__ = ["add_command", "give"]


def add_command(group: Any, name: str, run: Callable[[argparse.Namespace], int], text: str, *parents: Any) -> Any:
    """Register a command with the function that runs it, and return its parser."""
    one = group.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.", parents=list(parents))
    one.set_defaults(command=run)
    return one


def give(options: argparse.Namespace, values: dict[str, Any], text: str) -> None:
    """Print the result: as JSON where that is asked for, as text otherwise."""
    if not options.json:
        print(printable_lines(text))
        return
    written = json.dumps(values, ensure_ascii=False)  # names in their own letters, but nothing that steers a terminal
    print("".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in written))
