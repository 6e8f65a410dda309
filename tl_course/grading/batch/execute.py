"""Run a submission: each cell once, in a sandboxed kernel that may die or hang without taking earned marks with it."""

import asyncio
from contextlib import closing
from copy import deepcopy
from hashlib import sha256
from secrets import token_hex
from time import monotonic
from typing import Any

from jupyter_core.utils import ensure_async, run_sync
from nbclient import NotebookClient
from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode, from_dict
from nbformat.v4 import new_code_cell, new_notebook, new_output

from tl_course.exercises.protocol import SHOWN
from tl_course.grading.apart.plan import Plan, name_of
from tl_course.grading.apart.tests import Tests
from tl_course.grading.batch.marks import is_test, mark
from tl_course.grading.guarded.stopped import FLOODED, STANDS, TOO_MUCH, TOO_SLOW, TooMuchError, fail, reason, tell_why
from tl_course.grading.notes import ANSWER_CALLS, NONCE, NOTES, REFUSED, RESTORED, TOLD, VALUE
from tl_course.grading.reading.cell_syntax import read
from tl_course.grading.sandbox.bounded import image_size, shortened, size_of
from tl_course.grading.sandbox.kernels import kernel_manager
from tl_course.grading.sandbox.sandbox import Sandbox

__all__ = ["run_notebook"]

_DEATHS = 3  # of kernels, after which a submission is given up
_STATEFUL = ("matplotlib.", "mpl_toolkits.", "joblib.")  # libraries that keep in their modules what they are doing
_GRACE = 5.0  # seconds that an interrupted cell has to stop
_MOST_ASKED = 20_000  # calls of a test to answers; from there on it takes too long in another process
_FLOOD = 16  # times the limit of output, at which a cell is interrupted
_ALBUM = 4  # times the limit of images, the same
_ERROR = 100_000  # characters of an error that are kept


def run_notebook(
    notebook: NotebookNode, sandbox: Sandbox, plan: Plan | None = None, *, trying: bool = False
) -> list[str]:
    """Run all cells of `notebook` in place, in as many kernels as it takes; returns what a grader should know.

    Tests run in a process of their own, but for those that `plan` says must share that of the answers: without a plan,
    all. Where this is to be found out (`trying`), a test that does not give all points apart is run again there, and
    the plan changed if it then does.

    Where a kernel dies or hangs, the cell gets an error as its output. A new kernel then repeats the cells before it,
    but for tests, and goes on behind it: so what was right before stays right, and what comes after is judged too.

    Each code cell's ``metadata.tl_course`` says how it ended: ``{"status": "ok" | "error" | "not run"}``, and why.
    """
    said: list[str] = []
    cells = _made_ready(notebook)
    _prepare(sandbox, cells, plan, trying=trying)
    deadline = monotonic() + sandbox.limits.notebook_seconds
    done, deaths = 0, 0
    restored: dict[str, None] = {}
    repeat: list[NotebookNode] = []
    while done < len(cells) and deaths < _DEATHS:
        client = _Client(sandbox, deadline)
        at: NotebookNode | None = None
        try:
            with client.setup_kernel(), closing(_Apart(client, notebook, plan, said, trying=trying)) as apart:
                for at in repeat:
                    client.run(deepcopy(at))
                while done < len(cells):
                    at = cells[done]
                    apart.run(at) if is_test(at) else client.run(at)
                    if client.timed_out:
                        said.append(f"{_called(at, done)}: {client.timed_out}")
                    elif not is_test(at):
                        repeat.append(at)
                    done += 1
        except _OutOfTimeError as problem:
            said.append(str(problem))
            for cell in cells[done:]:
                cell.metadata[NOTES] = {"status": "not run", "why": str(problem)}
            break
        except Exception as problem:  # whatever a kernel answered, or did not: it must not cost what was earned
            if done == len(cells):
                break
            if at is None and not done:  # no kernel came up: that is not the submission's doing
                raise
            deaths += 1
            if at is None:
                said.append("No further kernel came up.")
            elif at is not cells[done]:
                # Once it went well, now it did not: what comes after must do without it.
                repeat = [cell for cell in repeat if cell is not at]
                said.append(f"A cell that is repeated in a new kernel ended it: {reason(problem)}")
            else:
                said.append(f"{_called(at, done)}: {reason(problem)}")
                if not client.judged:
                    fail(at, problem)
                done += 1
        finally:
            restored |= client.restored
    return said + _replaced(list(restored), plan, trying=trying)


def _replaced(names: list[str], plan: Plan | None, *, trying: bool) -> list[str]:
    """What is to be said of what was put back; what the solution changes itself, anybody may."""
    names = [name for name in names if not name.startswith(_STATEFUL)]
    if plan is not None and trying:
        plan.touched = sorted({*plan.touched, *names})
    if plan is not None:
        names = [name for name in names if name not in plan.touched]
    return [f"Replaced by the submission, and put back before the next cell ran: {', '.join(names)}."] if names else []


def _called(cell: NotebookNode, place: int) -> str:
    """What a person knows a code cell by."""
    return str(cell.metadata.get("nbgrader", {}).get("grade_id") or f"cell {place + 1}")


def _prepare(sandbox: Sandbox, cells: list[NotebookNode], plan: Plan | None, *, trying: bool) -> None:
    """What kernels have to know of a notebook: nothing of its tests."""
    locked = [cell for cell in cells if cell.metadata.get("nbgrader", {}).get("locked") and not is_test(cell)]
    sandbox.protected = [sha256(cell.source.encode()).hexdigest() for cell in locked]
    sandbox.handed_out = plan.handed_out() if plan else []
    sandbox.guarded = plan is None or trying or bool(plan.guarded)
    sandbox.relied_on = (plan.relied_on() | {"trying": ["yes"] * trying}) if plan else {}


def _made_ready(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells to run, as none of them has been run yet."""
    cells = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for cell in cells:
        cell.outputs, cell.execution_count = [], None
        cell.metadata[NOTES] = {"status": "not run", "why": "The submission was given up before this cell."}
    return cells


class _OutOfTimeError(Exception):
    pass


class _Client(NotebookClient):
    """nbclient, with an own kernel, a time for all cells together, and a limit to what a cell may print."""

    def __init__(self, sandbox: Sandbox, deadline: float) -> None:
        super().__init__(new_notebook(cells=[new_code_cell()]), kernel_manager(sandbox), allow_errors=True)
        self.interrupt_on_timeout = True
        self.iopub_timeout = 30  # seconds: a result that comes late is not one that is missing
        self.raise_on_iopub_timeout = True
        self.owns_km = True
        self.store_widget_state = False
        self.shutdown_kernel = "immediate"
        self.on_cell_executed = self._note
        self.restored: dict[str, None] = {}
        self.sandbox, self._limits, self._deadline = sandbox, sandbox.limits, deadline
        self._printed, self._updated, self._shown, self._kept = 0, 0, 0, 0
        self.timed_out, self.judged = "", False

    def run(self, cell: NotebookNode, tests: Tests | None = None, objects: dict[str, list[str]] | None = None) -> None:
        """Run a cell: in the kernel, or, with its calls answered there, in the process of the tests.

        `objects`: what this test may ask objects of the answer's to do; None to find that out.
        """
        left = self._deadline - monotonic()
        if left <= 0:
            raise _OutOfTimeError(f"All cells together took more than {self._limits.notebook_seconds:.0f} seconds.")
        self.timeout = max(1, round(min(self._limits.cell_seconds, left)))
        self._printed, self._shown, self.timed_out, self.judged = 0, 0, "", False
        self.sandbox.begin_cell()
        if tests is None:
            run_sync(self._in_time)(cell)
        else:
            run_sync(self._apart)(cell, tests, objects)

    async def _in_time(self, cell: NotebookNode) -> None:
        """Run a cell. nbclient's own time starts anew with each message: a kernel that floods it would never end."""
        assert self.kc is not None
        self._nonce = token_hex()
        self.kc.session.metadata = {NONCE: self._nonce} if is_test(cell) else {}
        running = self._executed(cell, store_history=not is_test(cell))  # a test is not in `In`
        try:
            await asyncio.wait_for(running, (self.timeout or 0) + 3 * _GRACE + self.iopub_timeout)
        except TimeoutError:
            raise CellTimeoutError(f"The cell took more than {self.timeout} seconds.") from None
        except DeadKernelError:
            if self.sandbox.is_flooded():
                raise TooMuchError(FLOODED) from None
            raise

    async def _executed(self, cell: NotebookNode, *, store_history: bool) -> None:
        self.nb.cells = [cell]  # of which a progress bar changes what it has shown
        self.clear_display_id_mapping(0)
        await self.async_execute_cell(cell, 0, store_history=store_history)

    async def _apart(self, cell: NotebookNode, tests: Tests, objects: dict[str, list[str]] | None) -> None:
        """Run a test in its own process, while the kernel answers what it asks."""
        seconds, self.timeout = float(self.timeout or 0), None
        answering = new_code_cell(ANSWER_CALLS)
        kernel = asyncio.ensure_future(self._executed(answering, store_history=False))
        kernel.add_done_callback(lambda ended: ended.cancelled() or ended.exception())  # also when nobody waits for it
        judge = asyncio.ensure_future(asyncio.to_thread(tests.run, cell, seconds, objects=objects))
        await asyncio.wait({kernel, judge}, timeout=seconds + 2 * _GRACE, return_when=asyncio.FIRST_COMPLETED)
        if not judge.done():  # the kernel has ended, or answers no more
            tests.give_up()
            await asyncio.wait({judge}, timeout=seconds + 2 * _GRACE)
        reply = judge.result() if judge.done() and not judge.exception() else {"status": "gone", "outputs": []}
        if reply["status"] == "timeout" and not kernel.done():
            await self._interrupt()
        await asyncio.wait({kernel}, timeout=_GRACE)
        for output in answering.outputs:  # what an answer shows while it is tested is not for the student to read
            output.get("metadata", {}).pop(SHOWN, None)
        cell.outputs = [*answering.outputs, *map(from_dict, reply["outputs"])]
        self.judged = reply["status"] in ("ok", "error")
        if self.judged:
            noted = ("status", "opaque", "objects", "asked", "needs", "changed", "undone", "with_files")
            cell.metadata[NOTES] = {name: reply[name] for name in noted}
            self._show(cell, _value(reply.get("value")))
        if not kernel.done():
            kernel.cancel()
            raise CellTimeoutError(STANDS.format(round(seconds)))
        if problem := kernel.exception():
            if isinstance(problem, DeadKernelError) and self.sandbox.is_flooded():
                raise TooMuchError(FLOODED) from None
            raise problem
        if reply["status"] == "timeout":
            self.timed_out = TOO_SLOW.format(round(seconds))
            cell.metadata[NOTES] = {"status": "error"}
            tell_why(cell, CellTimeoutError.__name__, self.timed_out)
        elif not self.judged:
            raise DeadKernelError("The process that runs tests has ended.")

    def _show(self, cell: NotebookNode, value: float | dict[str, str] | None) -> None:
        if value is not None:
            cell.metadata[NOTES]["value"] = value
            shown = value["text"] if isinstance(value, dict) else f"{value:g}"
            cell.outputs.append(new_output("execute_result", data={"text/plain": shown}))

    def _note(self, *, cell: NotebookNode, execute_reply: dict[str, Any], **_: Any) -> None:
        """How the cell ended, by the kernel's own answer: what it shows can be taken back, as errors can be hidden."""
        reply = shortened("error", execute_reply["content"], _ERROR)
        cell.metadata[NOTES] = {"status": "ok" if reply["status"] == "ok" else "error"}
        answered = execute_reply.get("metadata", {})
        self.restored |= dict.fromkeys(answered.get(RESTORED, ()))
        if is_test(cell):
            self._take(cell, answered)
        if reply["status"] != "ok" and not any(output.output_type == "error" for output in cell.outputs):
            name, text = reply.get("ename", "Error"), reply.get("evalue", "")
            traceback = reply.get("traceback") or [f"{name}: {text}"]
            cell.outputs.append(new_output("error", ename=name, evalue=text, traceback=traceback))
        if self.timed_out:
            tell_why(cell, CellTimeoutError.__name__, self.timed_out)
        elif reply["status"] != "ok" and self._is_over(self._printed, self._shown, _FLOOD, _ALBUM):
            tell_why(cell, TooMuchError.__name__, TOO_MUCH)

    def process_message(self, msg: dict[str, Any], cell: NotebookNode, cell_index: int) -> NotebookNode | None:
        """Nothing grows without end, whatever a kernel sends: what it prints and shows is counted, errors are cut."""
        kind = msg["msg_type"]
        if kind == "update_display_data":  # in place of what was shown before: counted apart, or a progress bar ends
            self._updated += size_of(msg["content"])
            if self._updated > _FLOOD * self._limits.output:
                return None
        return super().process_message(msg, cell, cell_index)

    def handle_comm_msg(self, outs: list[NotebookNode], msg: dict[str, Any], cell_index: int) -> None:
        """Widgets are not seen in a notebook that is graded, and what they hold is not kept."""

    def _take(self, cell: NotebookNode, answered: dict[str, Any]) -> None:
        """What a test that ran in the kernel says of itself, beside what it and the answer have shown and printed."""
        if answered.get(NONCE) != self._nonce:
            refused = "What answered was not the kernel's own code."
        else:
            refused = str(answered.get(REFUSED, ""))[:300]
        if refused:
            cell.metadata[NOTES] = {"status": "not run", "why": refused}
        else:
            self._show(cell, _value(answered.get(VALUE)))
        for output in cell.outputs:  # an answer can show things with this mark too
            output.get("metadata", {}).pop(SHOWN, None)
        for told in answered.get(TOLD, ()) if not refused else ():
            data = {
                kind: str(told[kind])[: self._limits.output] for kind in ("text/plain", "text/html") if kind in told
            }
            cell.outputs.append(new_output("display_data", data=data, metadata={SHOWN: True}))

    def output(self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int) -> Any:
        if msg["msg_type"] == "error":  # which says how the cell ended
            msg["content"] = shortened("error", msg["content"], _ERROR)
            return super().output(outs, msg, None, cell_index)
        images = image_size(msg["content"])
        were = self._printed, self._shown
        self._printed += size_of(msg["content"]) - images
        self._shown += images
        album = self._kept + images <= _ALBUM * self._limits.images or not images
        if album and not self._is_over(self._printed, self._shown):
            self._kept += images
            return super().output(outs, msg, display_id, cell_index)
        if not self._is_over(*were):
            text = f"[All that this cell printed after the first {self._limits.output:,} characters was left out.]\n"
            if self._printed <= self._limits.output:
                most = self._limits.images >> 20
                text = f"[Images were left out: at most {most} MB of a cell and {_ALBUM * most} MB of all are kept.]\n"
            outs.append(new_output("stream", name="stdout", text=text))
        if self._is_over(self._printed, self._shown, _FLOOD, _ALBUM) and not self._is_over(*were, _FLOOD, _ALBUM):
            self._stopping = asyncio.ensure_future(self._interrupt())
        return None

    def _is_over(self, printed: int, shown: int, times: int = 1, times_images: int = 1) -> bool:
        return printed > times * self._limits.output or shown > times_images * self._limits.images

    async def _interrupt(self) -> None:
        if self.km is not None:
            await ensure_async(self.km.interrupt_kernel())

    async def _async_handle_timeout(self, timeout: int, cell: NotebookNode | None = None) -> dict[str, Any]:
        await self._interrupt()
        until = monotonic() + _GRACE
        while (left := until - monotonic()) > 0:
            assert self.kc is not None
            try:
                reply: dict[str, Any] = await ensure_async(self.kc.shell_channel.get_msg(timeout=left))
            except Exception:
                break
            if reply["content"].get("status") == "error":
                self.timed_out = TOO_SLOW.format(timeout)
                return reply
        raise CellTimeoutError(STANDS.format(timeout))


class _Apart:
    """Runs the tests of a notebook beside a kernel: in a process of their own, or in the kernel where they have to."""

    def __init__(
        self, client: _Client, notebook: NotebookNode, plan: Plan | None, said: list[str], *, trying: bool
    ) -> None:
        self._client, self._notebook, self._plan, self._said, self._trying = client, notebook, plan, said, trying
        self._tests: Tests | None = None
        self._undone: dict[str, set[str]] = {}  # by test, names of locked cells whose values the solution changed there

    def run(self, cell: NotebookNode) -> None:
        plan = self._plan
        if plan is None or name_of(cell) in plan.guarded:
            self._client.run(cell)
            return
        if self._tests is None:
            self._tests = Tests(self._client.sandbox, self._notebook, plan)
        self._client.run(cell, self._tests, None if self._trying else plan.objects.get(name_of(cell), {}))
        seen, full = cell.metadata[NOTES], mark(cell).points == cell.metadata.nbgrader.points
        objects = seen.pop("objects", {})  # of which an answer should not read what a test asks for
        if self._trying:
            self._undone[name_of(cell)] = {*seen.get("undone", ())}
            plan.with_files = seen.pop("with_files", plan.with_files)
        elif full and seen.get("changed") and name_of(cell) not in plan.changing:
            kinds = ", ".join(seen["changed"])
            self._said.append(
                f"{name_of(cell)}: the answer changed what it was given ({kinds}) and passed; the solution does not."
            )
        if (opaque := seen.get("opaque")) and not full:  # else the plain values that it was read as are the right ones
            self._said.append(
                f"{name_of(cell)}: the answer gave an object of its own ({', '.join(opaque)}), where the solution's "
                "gives another kind of thing; it was read once, and asked for nothing."
            )
        if full and self._trying:
            plan.objects[name_of(cell)] = {name: list(noted) for name, noted in objects.items()}
            plan.changing += [name_of(cell)] if seen.get("changed") else []
            asked = seen.get("asked", 0)
            if needs := f"it calls answers {asked:,} times" if asked > _MOST_ASKED else seen.get("needs"):
                self._try_guarded(cell, plan, needs)
        if full:
            return
        if self._trying:
            self._try_guarded(cell, plan, f"apart it fails: {_why_not(cell)}")

    def _try_guarded(self, cell: NotebookNode, plan: Plan, why: str) -> None:
        guarded = {**plan.guarded}
        plan.guarded[name_of(cell)] = why
        for earlier, names in self._undone.items():  # which its own process gets to see unchanged
            if earlier != name_of(cell) and (shared := names & read(cell.source)):
                plan.guarded.setdefault(earlier, f"it changes {min(shared)}, which {name_of(cell)} reads")
        plan.complete(self._notebook)
        tests = [test for test in self._notebook.cells if is_test(test)]
        for test in tests[: tests.index(cell)]:  # what it shares with earlier ones, the kernel does not know yet
            if name_of(test) in plan.guarded.keys() - guarded.keys():
                self._client.run(test)
        cell.outputs = []
        self._client.run(cell)
        if mark(cell).points != cell.metadata.nbgrader.points:
            plan.guarded = guarded

    def close(self) -> None:
        if self._tests is not None:
            self._tests.close()


def _why_not(cell: NotebookNode) -> str:
    errors = [f"{output.ename}: {output.evalue}" for output in cell.outputs if output.output_type == "error"]
    return " ".join((errors or [f"{mark(cell).points} points"])[0].split())[:200]


def _value(answered: Any) -> float | dict[str, str] | None:
    """What a test ended with, as its kernel says: a number, or the kind of another thing and what it looks like."""
    if isinstance(answered, int | float) and not isinstance(answered, bool):
        return float(answered)
    if isinstance(answered, dict):
        return {name: str(answered.get(name, ""))[:200] for name in ("kind", "text")}
    return None
