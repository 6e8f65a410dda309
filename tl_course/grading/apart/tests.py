"""Tests that run apart from answers, as whoever grades asks for them; `judge` is the other end."""

import socket
from typing import Any

from nbformat import NotebookNode

from tl_course.grading.apart.judge_messages import receive, send
from tl_course.grading.apart.plan import Plan, locked_cells, name_of
from tl_course.grading.batch.marks import is_test
from tl_course.grading.notes import NOTES
from tl_course.grading.sandbox.sandbox import Sandbox

__all__ = ["Tests"]

_PATIENCE = 10.0  # seconds beyond those of a test, in which the process of the tests has to reply


class Tests:
    """The process of the tests of one kernel.

    Parameters
    ----------
    sandbox : Sandbox
        In which the kernel runs.
    notebook : NotebookNode
    plan : Plan
    """

    def __init__(self, sandbox: Sandbox, notebook: NotebookNode, plan: Plan) -> None:
        self._cells, self._place = locked_cells(notebook), {id(cell): n for n, cell in enumerate(notebook.cells)}
        before = [cell for cell in notebook.cells if is_test(cell) and name_of(cell) not in plan.guarded]
        self._end: socket.socket = sandbox.start_tests()
        send(
            self._end,
            {
                "cells": [cell.source for cell in self._cells],
                "answered": plan.answered,
                "made": plan.made,
                "earlier": [
                    [cell.source, status == "ok"]
                    for cell in before
                    if (status := cell.metadata.get(NOTES, {}).get("status", "not run")) != "not run"
                ],
                "builtins": plan.builtins,
                "imports": plan.imports,
                "files": plan.files,
                "with_files": plan.with_files,
                "written": [cell.source for cell in notebook.cells if cell.cell_type == "code" and not is_test(cell)],
            },
        )

    def run(self, test: NotebookNode, seconds: float, *, objects: dict[str, list[str]] | None) -> dict[str, Any]:
        """Run a test, for which objects of the answer's do what is noted here; returns what `judge.Judge.run` does.

        Without a note, it is found out whether the test can run so.

        Raises
        ------
        OSError
            The process has ended, or does not reply.
        """
        after = sum(self._place[id(cell)] < self._place[id(test)] for cell in self._cells)
        self._end.settimeout(seconds + _PATIENCE)
        request = {"test": test.source, "after": after, "seconds": seconds, "objects": objects}
        send(self._end, request)
        reply = receive(self._end)
        if not isinstance(reply, dict):
            raise ConnectionError("The process that runs tests has ended.")
        return reply

    def give_up(self) -> None:
        """Let the test that runs end: the kernel answers nothing any more."""
        send(self._end, {"given_up": True})

    def close(self) -> None:
        """Ask for no more."""
        self._end.close()
