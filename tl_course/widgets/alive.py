"""Signs of life: while a cell or a click keeps the kernel busy, it tells the pages that it is there.

A page asks now and then, and hears an answer as soon as the kernel has time. A kernel at work answers nothing, one that
has ended neither: what tells them apart is a thread that speaks up as long as there is work.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from weakref import WeakSet

__all__ = ["tell_while_busy", "working"]

EVERY = 2.0  # seconds between two signs; a page waits for a few of them

_lock = threading.Lock()
_tellers: WeakSet[Any] = WeakSet()  # objects with a method `_tell_alive`
_busy = {"cell": 0, "click": 0}


def tell_while_busy(page: Any) -> None:
    """Call ``page._tell_alive()`` every two seconds while a cell or a click is at work, in a kernel only."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell is None or (kernel := getattr(shell, "kernel", None)) is None:
        return
    with _lock:
        began = bool(_tellers)
        _tellers.add(page)
        if not began and not any(thread.name == __name__ for thread in threading.enumerate()):
            shell.events.register("pre_execute", _cell(1))
            shell.events.register("post_execute", _cell(0))
            _busy["cell"] = int((kernel.get_parent() or {}).get("header", {}).get("msg_type") == "execute_request")
            threading.Thread(target=_tell, name=__name__, daemon=True).start()


@contextmanager
def working() -> Iterator[None]:
    """For as long as something is done that a click asked for."""
    with _lock:
        _busy["click"] += 1
    try:
        yield
    finally:
        with _lock:
            _busy["click"] -= 1


def _cell(running: int) -> Callable[[], None]:
    def note() -> None:
        _busy["cell"] = running

    return note


def _tell() -> None:
    while True:
        time.sleep(EVERY)
        if any(_busy.values()):
            for page in list(_tellers):
                with suppress(Exception):  # one that is just being closed; the next sign may come through
                    page._tell_alive()
