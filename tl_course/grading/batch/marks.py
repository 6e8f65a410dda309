"""What an executed test cell is worth. Not graded is never nought."""

import ast
import math
from dataclasses import dataclass

from nbformat import NotebookNode

from tl_course.grading.notes import NOTES

__all__ = ["Mark", "is_test", "mark"]


@dataclass(frozen=True)
class Mark:
    """Points of a cell.

    Attributes
    ----------
    points : float or None
        None where nobody can say: a person has to look.
    why : str
        What a grader, and mostly the student too, should know. May be empty.
    """

    points: float | None
    why: str = ""


def is_test(cell: NotebookNode) -> bool:
    """Whether nbgrader marks a cell by running it: it has points, and no answer."""
    about = cell.metadata.get("nbgrader", {})
    return bool(cell.cell_type == "code" and about.get("grade") and not about.get("solution"))


def mark(cell: NotebookNode) -> Mark:
    """The mark of an executed test cell.

    Nought if it raised an exception; the number that it ends with, if it ends with one; all of its points otherwise.
    Warnings, and whatever else is printed, change nothing. Some of what nbgrader takes for full marks is no mark here,
    and asks for a person: a last value that is no number, or below nought, or above the points.
    """
    points = float(cell.metadata["nbgrader"]["points"])
    notes = cell.metadata.get(NOTES, {})
    status = notes.get("status", "not run")
    if status == "not run":
        return Mark(None, notes.get("why", "This test was not run."))
    if status == "error":
        return Mark(0.0, notes.get("why", ""))
    value = notes.get("value")  # as the kernel's own code took it: what a cell shows, an answer can show too
    if value is None:
        return Mark(None, "The test ends with a value, and none came.") if _ends_with_a_value(cell) else Mark(points)
    if isinstance(value, dict):
        return Mark(None, f"The test ends with {value['text'][:80]} ({value['kind']}), which is no number of points.")
    earned = float(value)
    if not math.isfinite(earned) or not 0 <= earned <= points:
        return Mark(None, f"The test ends with {earned:g}, which is not between 0 and {points:g} points.")
    return Mark(round(earned, 6))  # 0.7 + 1.4 is no 2.0999999999999996 points


def _ends_with_a_value(cell: NotebookNode) -> bool:
    """Whether the last line of a test is a name or a number, as partial credit is written."""
    try:
        last = ast.parse(cell.source).body[-1:]
    except SyntaxError:  # what only IPython understands
        return False
    return bool(last) and isinstance(last[0], ast.Expr) and isinstance(last[0].value, ast.Name | ast.Constant)
