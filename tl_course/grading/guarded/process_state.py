"""What an answer can leave behind in a process besides changed modules: hooks, timers, handlers, threads, tasks."""

import asyncio
import builtins
import ctypes
import gc
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import BuiltinFunctionType, CodeType, FrameType
from typing import Any

from tl_course.grading.guarded.library_code import code_of, is_in_a_library

__all__ = ["ProcessState"]

_getattr, _list, _type = builtins.getattr, builtins.list, builtins.type
_current_frames, _enumerate_threads, _sleep = sys._current_frames, threading.enumerate, time.sleep
_raise_in_thread = ctypes.pythonapi.PyThreadState_SetAsyncExc
_raise_in_thread.argtypes = [ctypes.c_ulong, ctypes.py_object]
_HOOKS = ("excepthook", "displayhook", "unraisablehook")
_TIMERS = tuple(
    getattr(signal, name) for name in ("ITIMER_REAL", "ITIMER_VIRTUAL", "ITIMER_PROF") if hasattr(signal, name)
)
# Functions of libraries in which a thread of theirs waits for work: of pools, queues, progress bars.
_WAITING = frozenset(
    {"wait", "_wait", "get", "_worker", "select", "recv", "_recv", "recv_bytes", "poll", "_poll", "accept"}
)
_WAITING_FILES = (os.path.join("zmq", "utils", "garbage.py"),)  # noqa: PTH118 - a kernel starts it at its first large figure
_PATIENCE = 0.5  # seconds that a thread has to end


class ProcessState:
    """Hooks, handlers and threads as they are when it is made: before the first line of a submission."""

    def __init__(self) -> None:
        self._threads = set(_current_frames())
        self._handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
        self._finders, self._path_hooks = list(sys.meta_path), list(sys.path_hooks)
        self._gc_callbacks = list(gc.callbacks)
        self._hooks = {name: getattr(sys, name) for name in _HOOKS}
        self._filters = list(warnings.filters)
        self._module_table, self._search_path = sys.modules, sys.path

    def restore(self) -> tuple[list[str], str]:
        """Put back what can be; returns what was, and why no test may run where something could not."""
        found = [*self._restore_tracing(), *self._restore_signals(), *self._restore_hooks(), *_cancelled_tasks()]
        ended, refused = self._end_threads()
        if _usual_decimals() is not None:
            found.append("decimal.getcontext()")
        return found + ended, refused

    def _restore_tracing(self) -> Iterator[str]:
        for name, now, set_to in (
            ("sys.settrace", sys.gettrace(), sys.settrace),
            ("sys.setprofile", sys.getprofile(), sys.setprofile),
            ("threading.settrace", threading.gettrace(), threading.settrace),
            ("threading.setprofile", threading.getprofile(), threading.setprofile),
        ):
            if now is not None:
                set_to(None)
                yield name
        monitoring: Any = _getattr(sys, "monitoring", None)
        for tool in range(6) if monitoring is not None else ():
            if monitoring.get_tool(tool) is not None:
                monitoring.set_events(tool, 0)
                monitoring.free_tool_id(tool)
                yield "sys.monitoring"

    def _restore_signals(self) -> Iterator[str]:
        for timer in _TIMERS:
            if signal.getitimer(timer)[0]:
                signal.setitimer(timer, 0)
                yield "signal.setitimer"
        for number, handler in self._handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
                yield f"signal.signal({number!r})"

    def _restore_hooks(self) -> Iterator[str]:
        if sys.modules is not self._module_table:
            sys.modules = self._module_table
            yield "sys.modules"
        if sys.path is not self._search_path:  # pathlib and IPython look here too
            sys.path = self._search_path
        lists: tuple[tuple[str, list[Any], list[Any]], ...] = (
            ("sys.meta_path", sys.meta_path, self._finders),
            ("sys.path_hooks", sys.path_hooks, self._path_hooks),
            ("gc.callbacks", gc.callbacks, self._gc_callbacks),
        )
        for name, there, kept in lists:
            own = [one for one in there if one in kept or _is_installed(one)]
            own = [one for one in kept if one not in own] + own
            if len(own) != len(there):
                there[:] = own
                yield name
        for path, finder in _list(sys.path_importer_cache.items()):
            if finder is not None and not _is_installed(finder):
                del sys.path_importer_cache[path]
                yield "sys.path_importer_cache"
        for name, kept_hook in self._hooks.items():
            if (now := _getattr(sys, name)) is not kept_hook:
                setattr(sys, name, kept_hook)
                if not _is_installed(now):
                    yield f"sys.{name}"

    def _end_threads(self) -> tuple[list[str], str]:
        """End threads that run what an answer wrote, or wait to; those of pools and progress bars may stay."""
        busy = self._busy_threads()
        for ident in busy:
            _raise_in_thread(ident, SystemExit)
        for timer in _enumerate_threads():
            if isinstance(timer, threading.Timer):
                timer.cancel()
        until = time.monotonic() + _PATIENCE
        while busy and self._busy_threads() and time.monotonic() < until:
            _sleep(0.01)
        if self._busy_threads():
            return [
                "a thread"
            ], "A thread that the submission started runs on and cannot be ended: no test may run beside it."
        return (["a thread"] if busy else []), ""

    def _busy_threads(self) -> list[int]:
        timers = {one.ident for one in _enumerate_threads() if isinstance(one, threading.Timer)}
        return [
            ident
            for ident, frame in _current_frames().items()
            if ident not in self._threads and (ident in timers or not _waits(frame))
        ]

    @contextmanager
    def usual_settings(self) -> Iterator[None]:
        """While a test runs, warnings and NumPy's errors and printing are as they were; then the submission's again."""
        filters = list(warnings.filters)
        with ExitStack() as stack:
            if (context := _usual_decimals()) is not None:
                stack.enter_context(sys.modules["decimal"].localcontext(context))
            numpy: Any = sys.modules.get("numpy")
            if numpy is not None:
                usual = {"divide": "warn", "over": "warn", "under": "ignore", "invalid": "warn", "call": None}
                stack.enter_context(numpy.errstate(**usual))
                printing = {"precision": 8, "threshold": 1000, "edgeitems": 3, "suppress": False, "formatter": None}
                stack.enter_context(numpy.printoptions(**printing))
            _set_filters(self._filters)
            try:
                yield
            finally:
                _set_filters(filters)


def _usual_decimals() -> Any:
    """The context of decimal numbers that a test expects, where it is another one; more digits may stay."""
    decimal: Any = sys.modules.get("decimal")
    if decimal is None:
        return None
    now = decimal.getcontext()
    usual = decimal.Context(
        prec=max(28, now.prec), rounding=decimal.ROUND_HALF_EVEN, Emin=-999999, Emax=999999, capitals=1, clamp=0,
        flags=[], traps=[decimal.InvalidOperation, decimal.DivisionByZero, decimal.Overflow],
    )  # fmt: skip
    parts = ("prec", "rounding", "Emin", "Emax", "capitals", "clamp", "traps")
    return None if all(_getattr(now, part) == _getattr(usual, part) for part in parts) else usual


def _set_filters(filters: list[Any]) -> None:
    warnings.filters[:] = filters  # type: ignore[index]
    getattr(warnings, "_filters_mutated", getattr(warnings, "_filters_mutated_lock_held", bool))()


def _is_installed(hook: Any) -> bool:
    """Whether a finder, a hook or a callback is of an installed library, or written in C."""
    kind = hook if isinstance(hook, _type) else _type(hook)
    if kind is BuiltinFunctionType:
        return str(hook.__module__) != "builtins"  # setattr, exec and their like may be anybody's
    if (code := code_of(hook)) is not None:
        return is_in_a_library(code)
    codes = [code for value in _list(vars(kind).values()) if (code := code_of(value)) is not None]
    return all(is_in_a_library(code) for code in codes)


def _waits(frame: FrameType) -> bool:
    """Whether a thread runs nothing but a library's code, and waits there."""
    waiting = frame.f_code.co_name in _WAITING or frame.f_code.co_filename.endswith(_WAITING_FILES)
    inner: FrameType | None = frame
    while waiting and inner is not None:
        waiting = is_in_a_library(inner.f_code)
        inner = inner.f_back
    return waiting


def _cancelled_tasks() -> Iterator[str]:
    """Cancel what an answer has asked the event loop to do later."""
    with suppress(RuntimeError):
        loop: Any = asyncio.get_running_loop()
        for task in asyncio.all_tasks(loop):
            code: CodeType | None = _getattr(task.get_coro(), "cr_code", None)
            if code is not None and not is_in_a_library(code):
                task.cancel()
                yield "a task"
        for handle in [*_getattr(loop, "_scheduled", ()), *_getattr(loop, "_ready", ())]:
            callback = _getattr(handle, "_callback", None)
            if callback is not None and not _is_installed(callback):
                handle.cancel()
                yield "a task"
