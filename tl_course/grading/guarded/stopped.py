"""What is said of a cell that did not come to its end: its error tells a student what happened and what to do."""

from nbclient.exceptions import CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from nbformat.v4 import new_output

from tl_course.exercises.protocol import SHOWN
from tl_course.grading.batch.marks import is_test
from tl_course.grading.notes import NOTES
from tl_course.grading.sandbox.sandbox import SandboxGoneError

__all__ = ["FLOODED", "STANDS", "TOO_MUCH", "TOO_SLOW", "TooMuchError", "fail", "reason", "tell_why"]

TOO_MUCH = "The cell printed or showed far more than is kept, and was interrupted."
TOO_SLOW = "The cell took more than {} seconds and was interrupted."
STANDS = "The cell took more than {} seconds and did not let itself be interrupted."
FLOODED = "The cell sent far more than can be shown, or what is no message, and its kernel was ended."
_ENDED = "The kernel was ended in this cell: by the cell itself, or for the memory that it took."
_ADVICE = {
    "CellTimeoutError": "Look for a loop that does not end, or for work that is done again and again.",
    "DeadKernelError": "Leave out exit() and its like, and keep less in memory.",
    "TooMuchError": "Print and show less.",
}


class TooMuchError(DeadKernelError):
    """A kernel was ended for all that it sent."""


def fail(cell: NotebookNode, problem: Exception) -> None:
    """Write down that a cell ended with what is no error of its code."""
    why = reason(problem)
    kind = "DeadKernelError" if isinstance(problem, SandboxGoneError) else type(problem).__name__
    tell_why(cell, kind, why)
    its_own = isinstance(problem, DeadKernelError | SandboxGoneError | CellTimeoutError)
    cell.metadata[NOTES] = {"status": "error" if its_own else "not run", "why": why}  # else nobody knows how it ended


def reason(problem: Exception) -> str:
    """Such a problem in a sentence for the grader."""
    if isinstance(problem, CellTimeoutError | TooMuchError):
        return str(problem)
    return _ENDED if isinstance(problem, DeadKernelError | SandboxGoneError) else f"{type(problem).__name__}: {problem}"


def tell_why(cell: NotebookNode, kind: str, why: str) -> None:
    """Give a cell the error that it was stopped with, in place of the interrupt; of a test, a student reads it too."""
    text = f"{why} {_ADVICE.get(kind, '')}".strip()
    *_, error = [None, *(one for one in cell.outputs if one.output_type == "error")]
    if error is None:
        error = new_output("error", ename=kind, evalue=text, traceback=[""])
        cell.outputs.append(error)
    error.ename, error.evalue = kind, text
    before = error.traceback[:-1]
    before[:2] = [line.replace("KeyboardInterrupt", kind) for line in before[:2]]  # below them stand lines of code
    error.traceback = [*before, f"{kind}: {text}"]
    if is_test(cell):
        cell.outputs.append(new_output("display_data", data={"text/plain": text}, metadata={SHOWN: True}))
