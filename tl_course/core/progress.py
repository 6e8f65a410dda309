"""Progress of what takes long: a bar where somebody may look, nothing in a log.

    with Bar("drawing birds", total=200) as bar:
        for number in range(200):
            draw(number)
            bar.update()

    with Bar("exporting the backbone"):  # what cannot be counted says for how long it has been going on
        export()

Where it is shown, and to whom:

- In a notebook, under the cell that runs: one line of HTML, which is gone when the cell ends. A kernel cannot know
  whether a browser shows it. So it always sends the line, but as HTML alone and never as text: what writes logs from a
  notebook's text (papermill, a CI job) has nothing to write, and the notebook that it saves holds an empty line.
- On a terminal, on standard error, where that is one: tqdm's bar, which is gone at the end.
- Anywhere else (a log, a pipe, a test) nowhere.

In a notebook a cell that has run for a second without a bar shows which of its lines it is at (`watch`), so that
imports and a learner's own loops are not silent either. The bars of all threads are shown under the cell that runs when
they begin; where none does, as in what a click in a widget started, they are not shown, but can be handed on:

    with redirect_bars(lambda bar: page.say(str(bar))):
        train(images)

``redirect_bars(None)`` silences all bars of a ``with`` block, and the environment variable ``TL_COURSE_PROGRESS=off``
those of a whole process.
"""

import linecache
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar, copy_context
from html import escape
from time import monotonic
from types import FrameType
from typing import Any, Protocol
from uuid import uuid4

__all__ = ["Bar", "redirect_bars", "room", "watch"]

_PATIENCE = 0.9
"""Seconds after which a cell without a bar shows what it is at."""

_MOMENT = 0.4  # seconds; what is over sooner needs no bar
_TICK = 0.3  # seconds between two looks at what there is to show

_STYLE = "font: 0.9em var(--jp-ui-font-family, sans-serif); padding: 2px 0; white-space: nowrap; overflow: hidden"


class Bar:
    """How far something is that takes long; shown while a ``with`` block lasts, if that is longer than a moment.

    Parameters
    ----------
    what : str
        What is being done, such as "drawing birds".
    total : int, optional
        How many there are to do, where that is known.
    unit : str
        What they are, in the plural.
    show : bool
        False: nowhere.

    Attributes
    ----------
    n : int
        How many are done.
    """

    def __init__(self, what: str, total: int | None = None, *, unit: str = "images", show: bool = True) -> None:
        self.what, self.total, self.unit = what, total, unit
        self.n = 0
        self._show = show
        self._began = monotonic()
        self._place: _Place | None = None

    def __enter__(self) -> "Bar":
        self._began = monotonic()
        self._place = _place() if self._show else None
        if self._place is not None:
            self._place.add(self)
        return self

    def update(self, n: int = 1) -> None:
        """Go on by `n`."""
        self.n += n
        if self._place is not None:
            self._place.moved(self)

    def __exit__(self, *_: object) -> None:
        if self._place is not None:
            self._place.remove(self)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return monotonic() - self._began

    def __str__(self) -> str:
        if not self.total:
            count = f": {self.n} {self.unit}" if self.n else ""
            return f"{self.what}{count}, {self.seconds:.0f} s"
        left = self.seconds * (self.total - self.n) / max(self.n, 1)
        guess = f", about {left:.0f} s left" if self.n and self.seconds > 2 and left >= 1 else ""
        return f"{self.what}: {self.n} of {self.total} {self.unit}{guess}"


@contextmanager
def redirect_bars(listener: Callable[[Bar], None] | None) -> Iterator[None]:
    """Show no bar of a ``with`` block in this thread, but hand each to `listener` whenever it moves; None: nowhere."""
    token = _listener.set(listener or _nobody)
    try:
        yield
    finally:
        _listener.reset(token)


def watch() -> None:
    """In a notebook's kernel: from now on show, under each cell that takes long, its bars or the line that it is at.

    Called when `tl_course` is imported. Elsewhere it does nothing.
    """
    _kernel.watch()


class _Place(Protocol):
    """Where bars are shown."""

    def add(self, bar: Bar) -> None: ...
    def moved(self, bar: Bar) -> None: ...
    def remove(self, bar: Bar) -> None: ...


def _off() -> bool:
    return os.environ.get("TL_COURSE_PROGRESS", "").lower() in ("off", "0", "no", "false")


def _place() -> _Place | None:
    listener = _listener.get()
    if listener is not None:
        return _Listener(listener)
    _kernel.watch()
    if _kernel.shell is not None:
        return _kernel.cell
    return _Terminal() if sys.stderr is not None and sys.stderr.isatty() and not _off() else None


# ---- somebody else ---------------------------------------------------------------------------------------------------


class _Listener:
    def __init__(self, listener: Callable[[Bar], None]) -> None:
        self.add = self.moved = listener

    def remove(self, bar: Bar) -> None:
        pass


def _nobody(bar: Bar) -> None:
    pass


_listener: ContextVar[Callable[[Bar], None] | None] = ContextVar("listener", default=None)


# ---- a terminal ------------------------------------------------------------------------------------------------------


def room() -> dict[str, int]:
    """How many columns and rows tqdm is to reckon with, where the terminal says that it has none, as some consoles do.

    There tqdm would draw nothing. Empty: it asks the terminal itself.
    """
    with suppress(OSError, ValueError, AttributeError):  # no terminal
        return {} if all(os.get_terminal_size(sys.stderr.fileno())) else {"ncols": 80, "nrows": 24}
    return {}


class _Terminal:
    """tqdm's bar, drawn by a thread of its own, so that it lives also where nothing moves."""

    def add(self, bar: Bar) -> None:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._draw, args=(bar,), daemon=True)
        self._thread.start()

    def moved(self, bar: Bar) -> None:
        pass  # it is looked at soon enough

    def remove(self, bar: Bar) -> None:
        self._over.set()
        self._thread.join()

    def _draw(self, bar: Bar) -> None:
        if self._over.wait(_MOMENT):
            return
        from tqdm import tqdm

        # Whatever happens to the line (a terminal that is closed), the work goes on.
        with suppress(Exception), tqdm(bar_format="{desc}", file=sys.stderr, leave=False, **room()) as line:
            while True:
                line.desc, line.n, line.total = str(bar), bar.n, bar.total
                line.bar_format = "{bar:24} {desc}" if bar.total else "{desc}"
                line.refresh()
                if self._over.wait(_TICK):
                    return


# ---- a notebook ------------------------------------------------------------------------------------------------------


class _Cell:
    """The line under a running cell, drawn by a thread of its own and emptied when the cell ends."""

    def __init__(self, shell: Any, message: str) -> None:
        self.message = message
        self.thread = threading.get_ident()
        self.depth = 1  # cells that run cells, as `%run` of a notebook does
        self._bars: list[Bar] = []
        self._names, self._publish = shell.user_global_ns, shell.display_pub.publish
        self._since = monotonic()
        self._id, self._there, self._shown = uuid4().hex, False, ""
        self._lock, self._over = threading.Lock(), threading.Event()
        # In a copy of this context, for it is the context that says to which cell an output belongs.
        threading.Thread(target=copy_context().run, args=(self._follow,), daemon=True).start()

    def add(self, bar: Bar) -> None:
        self._bars.append(bar)

    def moved(self, bar: Bar) -> None:
        pass  # it is looked at soon enough

    def remove(self, bar: Bar) -> None:
        with suppress(ValueError):
            self._bars.remove(bar)

    def end(self) -> None:
        """Take the line away."""
        self._over.set()
        with self._lock, suppress(Exception):
            if self._shown:
                self._send("")

    def _follow(self) -> None:
        with suppress(Exception):  # whatever happens to the line, the learner's cell goes on
            while not self._over.wait(_TICK):
                shown = self._html()
                with self._lock:
                    if not self._over.is_set() and shown != self._shown:
                        self._send(shown)

    def _send(self, line: str) -> None:
        there, self._there, self._shown = self._there, True, line
        self._publish({"text/html": line}, transient={"display_id": self._id}, update=there)

    def _html(self) -> str:
        lines = [_line(bar) for bar in list(self._bars) if bar.seconds > _MOMENT]
        seconds = monotonic() - self._since
        if not lines and seconds > _PATIENCE:
            at = self._at()
            lines = [f"running for {seconds:.0f} s" + f": <code>{escape(at)}</code>" * bool(at)]
        return "".join(f'<div style="{_STYLE}">{line}</div>' for line in lines)

    def _at(self) -> str:
        """The line of the cell that runs now."""
        frame: FrameType | None = sys._current_frames().get(self.thread)
        at = ""
        while frame is not None:
            if frame.f_globals is self._names:  # the outermost such frame is the cell's, others its functions'
                line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
                at = at if line.startswith("get_ipython()") else line  # what a magic has been made of
            frame = frame.f_back
        return at if len(at) <= 90 else at[:89] + "…"


def _line(bar: Bar) -> str:
    words = escape(str(bar))
    if not bar.total:
        return words
    style = "width: 14em; max-width: 40%; margin-right: 0.6em; vertical-align: middle"
    return f'<progress value="{bar.n}" max="{bar.total}" style="{style}" aria-label="{words}"></progress>{words}'


class _Kernel:
    """The kernel that this process is, if it is one: its shell, and the cell that runs."""

    shell: Any = None
    cell: _Cell | None = None

    def watch(self) -> None:
        """Hear of the beginning and the end of every cell."""
        shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
        if self.shell is not None or getattr(shell, "kernel", None) is None or _off():
            return
        self.shell = shell
        shell.events.register("pre_run_cell", self.begin)
        shell.events.register("post_run_cell", self.end)
        self.begin()  # the cell that runs already, which imports this

    def begin(self, *_: object) -> None:
        """A cell begins; nothing that goes wrong here may hurt it."""
        with suppress(Exception):
            message = self._message()
            if self.cell is not None and message == self.cell.message:
                self.cell.depth += 1
            elif message and (self.cell is None or self._is_its_thread()):  # and not one in a subshell beside it
                if self.cell is not None:
                    self.cell.end()
                self.cell = _Cell(self.shell, message)

    def end(self, *_: object) -> None:
        """A cell ends."""
        if self.cell is not None and self._is_its_thread():
            self.cell.depth -= 1
            if self.cell.depth < 1:
                ended, self.cell = self.cell, None
                ended.end()

    def _is_its_thread(self) -> bool:
        return self.cell is not None and self.cell.thread == threading.get_ident()

    def _message(self) -> str:
        """Which request is being answered, if it is one to run a cell."""
        header = (self.shell.get_parent() or {}).get("header", {})
        return str(header["msg_id"]) if header.get("msg_type") == "execute_request" else ""


_kernel = _Kernel()
