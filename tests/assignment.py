"""Assignments of the course: in this process, where the model solution runs once and then others; and handed in."""

import ast
import io
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import nbformat

from tl_course.grading.batch.marks import is_test

SOURCE = Path(__file__).parents[1] / "assignments" / "source"


MORE = "_more"  # the hidden part of a test is a cell of its own, called as the visible one and this


class Assignment:
    """The source notebook of an assignment, solved for one student; a test's points are those of both its parts.

    `TL_COURSE_STUDENT` and the working directory are the test's to set before.
    """

    def __init__(self, name: str) -> None:
        self.name, self.folder = name, Path.cwd()
        self.notebook = nbformat.read(SOURCE / name / f"{name}.ipynb", 4)
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.points: dict[str, float] = {}  # of the solution, by test
        self.of: dict[str, float] = {}
        for cell in self.notebook.cells:
            if cell.cell_type == "code" and "install" not in cell.metadata.get("tags", []):
                value = _run(cell.source, self.names)
                if is_test(cell):
                    _add(self.points, cell, _points(value, cell))
                    _add(self.of, cell, cell.metadata.nbgrader.points)

    def answered(self, cell: str, source: str) -> dict[str, float]:
        """Points of the tests that follow answer `cell`, up to the next answer, with `source` written into it."""
        names, points, inside = dict(self.names), {}, False
        for one in self.notebook.cells:
            about = one.metadata.get("nbgrader", {})
            if about.get("solution"):
                if inside:
                    break
                if inside := about.grade_id == cell:
                    for name in _assigned(one.source):
                        names.pop(name, None)  # what the solution had made is not there if the answer does not make it
                    with suppress(Exception):  # the kernel goes on with the next cell
                        _run(source, names)
            elif inside and one.cell_type == "code":
                try:
                    value = _run(one.source, names)
                except Exception:
                    value = 0.0
                if is_test(one):
                    _add(points, one, _points(value, one))
        assert points, f"no test follows {cell}"
        return points


def hand_in(course: Path, release: Path, student: str, answers: Mapping[str, str]) -> None:
    """Write what `student` hands in: the notebook `release`, with answers by the names of their cells."""
    notebook = nbformat.read(release, 4)
    for cell in notebook.cells:
        cell.source = answers.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
        cell.source = cell.source.replace('STUDENT = ""', f'STUDENT = "{student}"')
    folder = course / "submitted" / student / release.stem
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / release.name)


def _add(points: dict[str, float], cell: Any, more: float) -> None:
    name = cell.metadata.nbgrader.grade_id.removesuffix(MORE)
    points[name] = points.get(name, 0.0) + more


def _points(value: Any, cell: Any) -> float:
    return float(cell.metadata.nbgrader.points if value is None else value)


def _assigned(source: str) -> set[str]:
    tree = ast.parse(source)
    found = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return found | {
        node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    }


def _run(source: str, names: dict[str, Any]) -> Any:
    """Run a cell; returns the value of its last line, if that has one."""
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        exec(compile(tree, "<cell>", "exec"), names)
        return eval(compile(ast.Expression(last.value), "<cell>", "eval"), names) if last else None
