"""The process that runs tests: it has an answer's values and asks for its functions, and never runs a line of it.

Whoever grades asks, through `control`, with messages of JSON:

    {"cells": [source, …], "answered": [name, …], "made": [name, …], "earlier": [[source, whether it ended], …],
     "builtins": [name, …], "imports": [statement, …], "files": {path: text},
     "with_files": [source, …], "written": [source, …]}                     once; no reply
    {"test": source, "after": number of cells, "seconds": 60, "objects": {…}}   -> see `Judge.run`
    {"given_up": true}                                                      the answer's process has ended; no reply

Cells are those of the instructor's that are no tests. They run here too, when a test needs what they bind.
"""

import asyncio
import builtins
import importlib.abc
import importlib.util
import os
import signal
import socket
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from time import monotonic
from typing import Any

from tl_course.exercises.protocol import ANSWER_HOME, SHOWN
from tl_course.exercises.question import raised_by
from tl_course.grading.apart.brought import Brought
from tl_course.grading.apart.effects import Effects
from tl_course.grading.apart.frames import Frames, GoneError
from tl_course.grading.apart.judge_messages import receive, send
from tl_course.grading.apart.own_code import OwnCode
from tl_course.grading.apart.remote import Answers
from tl_course.grading.apart.shown import Shown, as_text, make_shell
from tl_course.grading.guarded.guard import seed_all
from tl_course.grading.guarded.guarded_test import TestRun, reply_error, value_for_reply
from tl_course.grading.reading.cell_syntax import bound, changed, defines_class, helpers

__all__ = ["Judge", "serve"]

_AGAIN = 0.5  # seconds after which a test that goes on is interrupted again


def serve(control: socket.socket, answers: socket.socket, student_home: Path) -> None:
    """Run tests until `control` ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it has times of its own
    os.environ[ANSWER_HOME] = str(student_home)
    _let_read()
    told = receive(control)
    judge = Judge(control, answers, Brought(student_home), **told)
    while (request := receive(control)) is not None:
        if "test" in request:  # else it came too late to end one
            send(control, judge.run(**request))


class _OutOfTimeError(BaseException):
    """A test has taken too long. Not an Exception: no ``except`` in a test takes it for an answer's."""


class _Names(dict[str, Any]):
    """Names of the notebook, as tests see them: what is not there comes from a cell of the instructor's, or the answer.

    Attributes
    ----------
    find : function of a name, or None
        Gives a list with the value, or an empty one. None where nothing is to be looked for.
    """

    find: Callable[[str], list[Any]] | None = None

    def __missing__(self, name: str) -> Any:
        if self.find is not None and not name.startswith("__") and (found := self.find(name)):
            return found[0]
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        try:
            return super().__contains__(name) or self[str(name)] is not self
        except KeyError:
            return False

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self else default  # noqa: SIM401 - that would be this method


class Judge:
    """Runs tests, one after the other, of one notebook.

    Parameters
    ----------
    control, answers : socket.socket
        To whoever grades, and to the process of the answer.
    brought : Brought
        Files of the answer's.
    cells : list of str
        Of the instructor's, that are no tests.
    answered : list of str
        Names that the solution's cells bind: they are the answer's, whatever else binds them.
    made : list of str
        Names that only tests and locked cells bind: the answer is not asked for them.
    earlier : list of (str, bool)
        Tests that another judge has run, and whether they came to their ends: what they made is made again.
    builtins : list of str
        Names of Python's own that the answer was asked to bind.
    imports : list of str
        Statements, of other cells.
    files : dict of str to str
        Modules that were handed out, by their paths.
    with_files : list of str
        Cells of the instructor's that read files of the answer's.
    written : list of str
        Cells of the notebook that are no tests: what an answer says is the source of a function stands in there.
    """

    def __init__(
        self,
        control: socket.socket,
        answers: socket.socket,
        brought: Brought,
        *,
        cells: list[str],
        answered: list[str],
        made: list[str],
        earlier: list[tuple[str, bool]],
        builtins: list[str],
        imports: list[str],
        files: dict[str, str],
        with_files: list[str],
        written: list[str],
    ) -> None:
        sys.meta_path.insert(0, _HandedOut(files))
        self._own_code = OwnCode(lambda loader: isinstance(loader, _HandedOut))
        for source in [*cells, *files.values(), *(test for test, _ in earlier)]:
            self._own_code.trust(source)
        sys.addaudithook(self._own_code.hear)
        self._until, self.timed_out = 0.0, False
        self._frames = Frames(answers, self._may_wait, control)
        self._answers = Answers(self._frames, self._known, self._after_a_call, written)
        self._brought, self._with_files, self._trying = brought, with_files, False
        self._effects: Effects | None = None
        self._pending = [(number, source, bound(source)) for number, source in enumerate(cells)]
        self._imports = [(statement, changed(statement)) for statement in imports]
        self._answered, self._made, self._builtins = set(answered), set(made), set(builtins)
        self._helpers: list[tuple[str, set[str]]] = []  # statements of earlier tests which did not get to them here
        for source, ended in earlier:
            self._remember(source, ended=ended)
        self._after = 0
        self._of_cells: set[str] = set()  # names that cells of the instructor's have bound here
        self._fetched: dict[str, Any] = {}
        self._names = _Names(__name__="__main__")
        self._shown = Shown()
        self._shell = make_shell(self._names, self._shown)
        self._running: list[int] = []
        for statement, names in self._imports:
            if "*" in names:
                with suppress(ImportError):
                    exec(statement, self._names)

    def run(self, test: str, after: int, seconds: float, objects: dict[str, list[str]] | None) -> dict[str, Any]:
        """Run a test that comes after so many cells of the instructor's; `objects` of answers do what is noted here.

        Without that, the answer is the solution: what the test does to its own process is looked at too.

        Returns
        -------
        dict
            ``status`` ("ok", "error", "timeout" or "gone": so is the answer's process), ``value`` (as `marks.mark` has
            it), ``outputs`` (as a notebook has them), ``opaque`` (kinds of objects that were not expected), ``objects``
            (what was asked of such, see `remote_objects.Expected`), ``asked`` (how often the answer's process was),
            ``needs`` (why it should share a process with the answer; may be empty), ``changed`` (kinds of what the
            answer has changed in place), ``undone`` (names of locked cells whose values were among that),
            ``with_files`` (cells that read files of the answer's).
        """
        self._until, self.timed_out, self._after = monotonic() + seconds, False, after
        self._shown.begin()
        self._own_code.trust(test)
        self._own_code.refused = ""
        self._trying = objects is None
        run = TestRun(test, "<test>")
        error: BaseException | None = None
        try:
            with self._in_time(seconds), self._shown.all_streams():
                self._begin(objects)
                seed_all(zlib.crc32(test.encode()))
                asyncio.run(run.run(self._names))
                self._shell.events.trigger("post_execute")
        except BaseException as problem:
            error = problem
        self._names.find = None
        self._until = monotonic() + _AGAIN  # a test that took too long tells the other side too that it is over
        with suppress(BaseException):
            self._answers.over()
        changed = list(dict.fromkeys(type(thing).__name__ for thing, _, _ in self._answers.changed.values()))
        undone = self._undo()
        error = run.error or error
        if error is not None:
            self._remember(test, ended=False)
        gone = isinstance(error, GoneError)
        reply: dict[str, Any] = {"status": "ok" if error is None else "gone" if gone else "error"}
        if self.timed_out or isinstance(error, _OutOfTimeError):
            reply["status"] = "timeout"
        elif error is None:
            reply["value"] = value_for_reply(run.value)
        else:
            name, said = reply_error(error)
            raised = raised_by(error)
            if told := run.told():
                self._shown.add(
                    {"output_type": "display_data", "data": {"text/plain": told}, "metadata": {SHOWN: True}}
                )
            lines = [*(run.formatted() or [f"{name}: {said}"]), *([raised.line.strip()] if raised else [])]
            self._shown.add(
                {
                    "output_type": "error",
                    "ename": raised.name if raised else name,
                    "evalue": as_text(said),
                    "traceback": [as_text(line) for line in lines if line],
                }
            )
        needs = self._own_code.refused or (self._effects.noticed if self._effects else "")
        seen = {"opaque": list(self._answers.opaque), "asked": self._answers.asked, "needs": needs}
        seen |= {"changed": changed, "undone": undone, "with_files": self._with_files}
        return reply | {"outputs": self._shown.outputs, "objects": self._answers.expected.noted} | seen

    def _begin(self, objects: dict[str, list[str]] | None) -> None:
        for name in [name for name, value in self._fetched.items() if dict.get(self._names, name) is value]:
            del self._names[name]
        self._fetched = {}
        for name in self._answered & self._names.keys():
            del self._names[name]
        self._names.find = self._find
        self._brought.bring(deep=True)
        for cell in list(self._pending):
            number, source, names = cell
            if number < self._after and cell in self._pending and (names & self._names.keys() or defines_class(source)):
                with suppress(Exception):  # a test that needs its names will miss them; the others do not
                    self._run_cell(*cell)
        if self._trying:
            self._effects = self._effects or Effects()
            self._effects.begin()
        classes = [name for name in self._of_cells if self._known("__main__", name)]
        self._answers.begin([("__main__", name) for name in classes], objects)

    def _after_a_call(self) -> None:
        self._brought.bring()
        if self._effects:
            self._effects.look()

    def _undo(self) -> list[str]:
        """Make what locked cells have bound what it was before answers changed it; returns the names."""
        left, self._answers.changed = [*self._answers.changed.values()], {}
        undone: set[str] = set()
        while left:
            values = {name: self._names[name] for name in self._of_cells if dict.__contains__(self._names, name)}
            held = {name: self._answers.reachable(value) for name, value in values.items()}
            again = [one for one in left if any(id(one[0]) in ids for ids in held.values())]
            if not again:
                break
            undone |= {name for name, ids in held.items() if any(id(one[0]) in ids for one in again)}
            left = [one for one in left if not any(one is other for other in again)]
            for thing, word, was in reversed(again):
                self._answers.put_back(thing, word, was)
        return sorted(undone)

    def _find(self, name: str) -> list[Any]:
        if name not in self._answered:
            for cell in [cell for cell in self._pending if cell[0] < self._after and name in cell[2]]:
                self._run_cell(*cell)
            if dict.__contains__(self._names, name) or self._imported(name) or self._helped(name):
                return [dict.__getitem__(self._names, name)]
        if name in self._made - self._answered or (hasattr(builtins, name) and name not in self._builtins):
            return []
        found = self._answers.name(name)
        if found:
            self._names[name] = self._fetched[name] = found[0]
        return found

    def _imported(self, name: str) -> bool:
        """Whether a name was to be had by one of the imports."""
        for statement, names in self._imports:
            if name in names:
                with suppress(ImportError):  # of a file that was handed in, say: then it is the answer's
                    exec(statement, self._names)
                    return True
        return False

    def _remember(self, test: str, *, ended: bool) -> None:
        """Keep what a later test needs of a test that did not come to its end here."""
        self._helpers += helpers(test, self._answered, values=ended)

    def _helped(self, name: str) -> bool:
        """Whether an earlier test has a statement that makes a name, which is made now."""
        for helper in [helper for helper in reversed(self._helpers) if name in helper[1]][:1]:
            self._helpers.remove(helper)
            run = self._run_quietly(helper[0], "<test>")
            if run.error is not None:
                raise run.error
        return dict.__contains__(self._names, name)

    def _run_cell(self, number: int, source: str, names: set[str]) -> None:
        if number in self._running:
            return
        self._pending = [cell for cell in self._pending if cell[0] != number]
        self._running.append(number)
        try:
            if source not in self._with_files:  # what it looks for and does not find, it makes itself
                self._brought.hide()
            run = self._run_quietly(source, f"<cell {number}>")
            self._brought.bring(deep=True)
            if run.error is not None and self._trying and source not in self._with_files:
                run = self._run_quietly(source, f"<cell {number}>")
                self._with_files += [] if run.error else [source]
        finally:
            self._running.remove(number)
        self._of_cells |= names
        for name in names & self._answered:
            dict.pop(self._names, name, None)
        if run.error is not None:
            raise run.error

    def _run_quietly(self, source: str, filename: str) -> TestRun:
        run = TestRun(source, filename)
        with self._shown.nothing(), self._effects.accepted() if self._effects else nullcontext():
            _finish(run.run(self._names))
        return run

    def _known(self, module: str, name: str) -> type | None:
        found = dict.get(self._names, name) if module == "__main__" and name in self._of_cells else None
        return found if isinstance(found, type) else None

    # ---- time ----

    @contextmanager
    def _in_time(self, seconds: float) -> Iterator[None]:
        signal.signal(signal.SIGALRM, self._alarm)
        signal.setitimer(signal.ITIMER_REAL, seconds, _AGAIN)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)

    def _alarm(self, *_: Any) -> None:
        self.timed_out = True
        if not self._frames.waiting:  # there it is looked at by `_may_wait`: a message is not left half received
            raise _OutOfTimeError

    def _may_wait(self) -> None:
        if monotonic() > self._until:
            self.timed_out = True
            raise _OutOfTimeError


def _let_read() -> None:
    """What tests write into folders and files of ``tempfile``, answers may read: they run as another user."""
    folder, file = tempfile.mkdtemp, tempfile.NamedTemporaryFile

    def mkdtemp(*arguments: Any, **named: Any) -> Any:
        path = folder(*arguments, **named)
        os.chmod(path, 0o755)  # noqa: PTH101 - it may be bytes
        return path

    def named_temporary_file(*arguments: Any, **named: Any) -> Any:
        made = file(*arguments, **named)
        os.fchmod(made.fileno(), 0o644)
        return made

    tempfile.mkdtemp, tempfile.NamedTemporaryFile = mkdtemp, named_temporary_file


class _HandedOut(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    """Imports modules that were handed out, from their texts: a file of that name may be the student's."""

    def __init__(self, files: dict[str, str]) -> None:
        self._files = files

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        place = self._place(name)
        if place is None:
            return None
        spec = importlib.util.spec_from_loader(name, self, is_package=self.is_package(name))
        if spec is not None:
            spec.origin, spec.has_location = str(Path(place).absolute()), True
        return spec

    def get_source(self, name: str) -> str | None:
        return self._files.get(self._place(name) or "")

    def is_package(self, name: str) -> bool:
        return (self._place(name) or "").endswith("__init__.py")

    def _place(self, name: str) -> str | None:
        path = name.replace(".", "/")
        return next((place for place in (f"{path}/__init__.py", f"{path}.py") if place in self._files), None)


def _finish(coroutine: Any) -> None:
    """Run what waits for nothing."""
    with suppress(StopIteration):
        coroutine.send(None)
        coroutine.throw(RuntimeError("A cell of the instructor's waits, which it cannot do beside a test."))
