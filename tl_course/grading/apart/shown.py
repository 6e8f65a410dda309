"""What tests show while they run apart, kept in the form that notebooks have it in."""

import builtins
import io
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any

from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

__all__ = ["Shown", "as_text", "make_shell"]

_MOST_SHOWN = 4 << 20  # characters of all that a test shows


class Shown:
    """What tests show, in the form that notebooks have it in, and no more of it than anybody reads."""

    def __init__(self) -> None:
        self.outputs: list[dict[str, Any]] = []
        self._left, self._off = _MOST_SHOWN, 0

    def begin(self) -> None:
        """Another test begins."""
        self.outputs, self._left = [], _MOST_SHOWN

    def add(self, output: dict[str, Any]) -> None:
        """Keep an output."""
        if not self._off and self._left > 0:
            self._left -= len(json.dumps(output, default=str))
            self.outputs.append(output)

    def write(self, name: str, text: str) -> None:
        """Keep what is printed to stdout or stderr."""
        text = as_text(text)[: max(0, self._left)]
        if self._off or not text:
            return
        self._left -= len(text)
        last = self.outputs[-1] if self.outputs else {}
        if last.get("name") == name:
            last["text"] += text
        else:
            self.outputs.append({"output_type": "stream", "name": name, "text": text})

    @contextmanager
    def nothing(self) -> Iterator[None]:
        """Cells of the instructor's have been shown already, by the answer's kernel."""
        self._off += 1
        try:
            yield
        finally:
            self._off -= 1

    @contextmanager
    def all_streams(self) -> Iterator[None]:
        """Keep all that is printed meanwhile."""
        with redirect_stdout(_Stream(self, "stdout")), redirect_stderr(_Stream(self, "stderr")):
            yield


class _Stream(io.TextIOBase):
    encoding = "utf-8"

    def __init__(self, shown: Shown, name: str) -> None:
        self._shown, self._called = shown, name

    def write(self, text: str) -> int:
        self._shown.write(self._called, text)
        return len(text)


class _Publisher(DisplayPublisher):
    shown: Shown

    def publish(self, data: Any, metadata: Any = None, *_: Any, **__: Any) -> None:
        plain = json.loads(json.dumps(data, default=str).encode("utf-8", "replace"))
        self.shown.add({"output_type": "display_data", "data": plain, "metadata": metadata or {}})

    def clear_output(self, wait: bool = False) -> None:
        pass


class _Shell(InteractiveShell):
    display_pub_class = Type(_Publisher)

    def enable_gui(self, gui: Any = None) -> None:
        pass


def make_shell(names: dict[str, Any], shown: Shown) -> InteractiveShell:
    """What ``display``, figures and magics of a test are given to."""
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    InteractiveShell.clear_instance()
    shell = _Shell.instance(config=config, user_ns=names)
    vars(shell.display_pub)["shown"] = shown
    names["get_ipython"] = builtins.get_ipython = shell.get_ipython  # type: ignore[attr-defined]
    if matplotlib_inline := sys.modules.get("matplotlib_inline.backend_inline"):
        matplotlib_inline.configure_inline_support(shell, "inline")
    return shell


def as_text(text: str) -> str:
    """Text that a file can hold."""
    return text.encode("utf-8", "replace").decode()
