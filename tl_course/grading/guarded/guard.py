"""A kernel that runs an instructor's cells past IPython, and puts back what a submission has changed before each test.

A submission shares this process with the tests that judge it. It is a lock for honest people, with a good key: what an
answer replaces in modules, hooks and threads is undone or the test is refused. Whoever looks for the guard itself in
memory can disable it, which the reading of each submission by the trusted side tells
(`tl_course.grading.reading.submission`).
"""

import builtins
import os
import random
import socket
import sys
import zlib
from collections.abc import Collection, Iterable
from contextlib import nullcontext, suppress
from hashlib import sha256
from types import FrameType
from typing import Any, ClassVar

from ipykernel.ipkernel import IPythonKernel
from IPython.core.error import StdinNotImplementedError

from tl_course.exercises import question
from tl_course.exercises.variants import GRADED_STUDENT
from tl_course.grading.apart.answering import answer_calls
from tl_course.grading.guarded.deciding import Deciding
from tl_course.grading.guarded.guarded_test import TestNames, TestRun, is_helper, reply_error, value_for_reply
from tl_course.grading.guarded.handed_out_files import HandedOutFiles
from tl_course.grading.guarded.library_code import is_in_a_library
from tl_course.grading.guarded.process_state import ProcessState
from tl_course.grading.guarded.snapshot import Snapshot
from tl_course.grading.notes import ANSWER_CALLS, NO_INPUT, NONCE, REFUSED, RESTORED, TOLD, VALUE
from tl_course.grading.reading.cell_syntax import assigned, read

__all__ = ["GuardedKernel"]

_frame = sys._getframe


class GuardedKernel(IPythonKernel):
    """IPython's kernel, whose answers to tests do not go through what a submission can replace.

    Attributes
    ----------
    snapshot : Snapshot
        What is restored; taken by the process that kernels are forked from.
    guarded : bool
        Whether there are tests that run here; else nothing has to be restored.
    channel : socket
        To the judge, where there is one.
    protected : list of str
        SHA-256 of the instructor's cells that are no tests: what they bind, tests find as they have bound it.
    handed_out : list of str
        Names that the cells which students got bind: there a name of `builtins` is no shadow.
    relied_on : dict
        ``imports`` (statements of the notebook's cells), ``read`` (names that those cells read, which an answer may
        therefore take from a test), ``touched`` (names whose value the solution may change in place), ``files``
        (that were handed out).
    """

    snapshot: Snapshot
    guarded: ClassVar[bool] = True
    channel: ClassVar[socket.socket]
    protected: ClassVar[list[str]] = []
    handed_out: ClassVar[list[str]] = []
    relied_on: ClassVar[dict[str, list[str]]] = {}

    def __init__(self, **traits: Any) -> None:
        super().__init__(**traits)
        self._student = os.environ.get(GRADED_STUDENT)
        self._state: ProcessState | None = None
        self._own = _callable_attributes(self)
        self._restored: list[str] = []
        self._told: list[dict[str, Any]] = []
        self._cells = 0

    async def execute_request(self, stream: Any, ident: Any, parent: Any) -> None:
        """Answer to the instructor's cells ourselves; their source stays out of what an answer could look up."""
        assert self.shell is not None and self.session is not None
        if self._state is None:
            self._begin()
        content, nonce = parent["content"], parent.get("metadata", {}).pop(NONCE, "")
        code, is_test = content["code"], not content.get("store_history", True)
        self._restored = self._restore_kernel()
        seed_all(zlib.crc32(code.encode()))
        if code == ANSWER_CALLS:
            answer_calls(self.channel, self.shell.user_ns)
            self._show(None)
            self._send(stream, ident, parent, self._reply(), {})
            return
        if is_test:
            content["code"] = ""
        elif sha256(code.encode()).hexdigest() not in self.protected:
            self._names.give_up([name for name in assigned(code) if self._is_value_of_a_test(name)])
            await super().execute_request(stream, ident, parent)
            return
        try:
            reply, metadata = await self._run(code, is_test=is_test)
        except KeyboardInterrupt:  # what floods or takes too long is interrupted, and that may come late
            reply, metadata = self._reply() | {"status": "error", "ename": "KeyboardInterrupt", "evalue": ""}, {}
        self._send(stream, ident, parent, reply, metadata | {NONCE: nonce})

    def _reply(self) -> dict[str, Any]:
        assert self.shell is not None
        count = self.shell.execution_count
        return {"status": "ok", "execution_count": count, "payload": [], "user_expressions": {}}

    def _send(self, stream: Any, ident: Any, parent: Any, reply: dict[str, Any], metadata: dict[str, Any]) -> None:
        assert self.session is not None
        self._restored += self._restore_kernel()
        sys.stdout.flush(), sys.stderr.flush()
        metadata = self.finish_metadata(parent, self.init_metadata(parent), reply) | metadata
        self.session.send(stream, "execute_reply", reply, parent, metadata=metadata, ident=ident)

    def _begin(self) -> None:
        """Before the first line of a submission."""
        assert self.shell is not None
        if self.guarded:
            self.snapshot.keep_kernel()
        self._state = ProcessState()
        self.shell.unobserve_all("exit_now")  # exit() at the end of a cell, as people leave a console
        self._shell_class, self._shell_own = type(self.shell), _callable_attributes(self.shell)
        builtin = dict(vars(builtins)) | {"get_ipython": self.shell.get_ipython}
        self._names = TestNames(self.shell.user_ns, builtin=builtin, allowed=self.handed_out)
        self._locked: set[str] = set()  # names that the instructor's cells bind, tests aside
        self._files = HandedOutFiles(self.relied_on.get("files", ()) if self.guarded else ())
        if self.guarded:
            self._names.imported = _imported(self.relied_on.get("imports", ()), but_for=self.handed_out)
            self.snapshot.add_modules()
            self.snapshot.contents.only_tells = bool(self.relied_on.get("trying"))
            self.snapshot.contents.touched = frozenset(self.relied_on.get("touched", ()))
            self._deciding = Deciding(self.snapshot.classes, self.handed_out, self._names)

    async def _run(self, source: str, *, is_test: bool) -> tuple[dict[str, Any], dict[str, Any]]:
        """Run a cell of the instructor's; the content of the reply, and what else is to be known."""
        assert self.shell is not None and self._state is not None
        self._cells += 1
        refused = self._restore_all() if is_test else ""
        base = self._reply()
        if refused:
            return base, {REFUSED: refused, RESTORED: self._restored}
        filename = f"<{'test' if is_test else 'cell'} {self._cells}>"
        run = TestRun(source, filename)
        if not is_test:
            run.keep_lines()
        self._say_what_was_rebound(source)
        self._told, question.tell = [], self._teller(filename)
        watching = is_test and self.guarded
        self._names.shared = frozenset(self.relied_on.get("read", ())) if watching else None
        with self._state.usual_settings(), self._deciding.watched() if watching else nullcontext():
            await run.run(self._names)
        self._names.share()
        question.tell = None
        for name, value in self._names.own().items() if self.guarded else ():
            self.snapshot.add(name, value, contents=not is_test and name not in self.relied_on.get("touched", ()))
        if watching:
            self._restored += [*self._files.restore(), *self.snapshot.restore()]  # nothing may come after the last test
            self.snapshot.contents.keep_caches()
        if not is_test:
            self._locked |= assigned(source) | self._names.own().keys()
            self.shell.execution_count += 1
        self._show(run.value if not is_test else None)
        if watching and self._deciding.refused:
            return base, {REFUSED: self._deciding.refused, RESTORED: self._restored}
        about: dict[str, Any] = {RESTORED: self._restored, TOLD: self._told}
        if run.error is None:
            return base, about | {VALUE: value_for_reply(run.value)}
        if said := run.told():
            about[TOLD] = [*self._told, {"text/plain": said}]
        name, text = reply_error(run.error)
        return base | {"status": "error", "ename": name, "evalue": text, "traceback": run.formatted()}, about

    def _restore_all(self) -> str:
        """Put back what a test relies on; why it may not run where that is not possible."""
        assert self._state is not None
        found, refused = self._state.restore()
        self._restored += found + [*self._files.restore(), *self.snapshot.restore()]
        if self._student is not None and os.environ.get(GRADED_STUDENT) != self._student:
            os.environ[GRADED_STUDENT] = self._student
            self._restored.append(GRADED_STUDENT)
        self.snapshot.contents.clear_caches()
        return refused

    def _restore_kernel(self) -> list[str]:
        """What decides that this code here answers a request: methods put on the kernel, its shell, its session."""
        if not self.guarded:
            return []
        shell: Any = self.shell
        found = self.snapshot.restore_kernel()
        if type(shell) is not self._shell_class:
            object.__setattr__(shell, "__class__", self._shell_class)
            found.append("get_ipython().__class__")
        for owner, kept, where in (
            (shell, self._shell_own, "get_ipython()"),
            (self, self._own, "get_ipython().kernel"),
        ):
            now = _callable_attributes(owner)
            for name in [name for name in now | kept if now.get(name) is not kept.get(name)]:
                vars(owner).pop(name, None)
                if name in kept:
                    vars(owner)[name] = kept[name]
                found.append(f"{where}.{name}")
        for name in _callable_attributes(self.session):
            del vars(self.session)[name]
            found.append(f"get_ipython().kernel.session.{name}")
        return found

    def _is_value_of_a_test(self, name: str) -> bool:
        return name not in self._locked and not is_helper(self._names.own().get(name))

    def _say_what_was_rebound(self, source: str) -> None:
        """A name that a cell does not use may well be taken twice."""
        assert self.shell is not None
        theirs = self.shell.user_ns
        for name in sorted(read(source) & self._names.own().keys()):
            if name in theirs and theirs[name] is not self._names.own()[name] and self._is_protected(name):
                self._restored.append(f"{name} (for the tests)")

    def _is_protected(self, name: str) -> bool:
        return name in self._locked or is_helper(self._names.own()[name])

    def _teller(self, filename: str) -> Any:
        """Takes up the result of a question for the student, if the test asked it and not an answer that it called."""

        def tell(result: question.Result) -> bool:
            frame: FrameType | None = _frame(2)
            while frame is not None and frame.f_code.co_filename != filename and is_in_a_library(frame.f_code):
                frame = frame.f_back
            if frame is None or frame.f_code.co_filename != filename or frame.f_globals is not self._names:
                return True  # and show nothing: what an answer says there, it has from a test
            self._told.append({"text/plain": str(result), "text/html": result._repr_html_()})
            return True

        return tell

    def _show(self, value: Any) -> None:
        """Show a last value, and the figures that were drawn, as the end of a cell does."""
        assert self.shell is not None
        if value is not None:
            from IPython.display import display

            with suppress(Exception):  # as it may be of the student's
                display(value)
        with suppress(Exception):
            inline: Any = sys.modules.get("matplotlib_inline.backend_inline")
            if inline is not None:
                inline.flush_figures()

    def raw_input(self, prompt: str = "") -> str:
        """Say what to do in place of asking."""
        raise StdinNotImplementedError(NO_INPUT)

    def finish_metadata(self, parent: Any, metadata: dict[str, Any], reply_content: Any) -> dict[str, Any]:  # noqa: D102
        finished: dict[str, Any] = super().finish_metadata(parent, metadata, reply_content)
        return finished | {RESTORED: self._restored}


def _callable_attributes(owner: Any) -> dict[str, Any]:
    """What stands on an object itself in place of a method of its class."""
    return {name: value for name, value in vars(owner).items() if callable(getattr(type(owner), name, None))}


def _imported(statements: Iterable[str], *, but_for: Collection[str]) -> dict[str, Any]:
    """What the notebook's cells import, but for names that answers bind."""
    names: dict[str, Any] = {}
    for statement in sorted(statements, key=lambda one: not one.endswith("*")):  # a star gives way to a name
        with suppress(Exception):
            exec(statement, names)
    return {name: value for name, value in names.items() if not name.startswith("__") and name not in but_for}


def seed_all(seed: int) -> None:
    """Have random numbers start alike, of all libraries that are there."""
    random.seed(seed)
    with suppress(Exception):  # a submission may have made another thing of either
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(seed)
        if "torch" in sys.modules:
            sys.modules["torch"].manual_seed(seed)
