"""A small nbgrader course to grade: one assignment of two functions, each with visible and hidden tests, and a why."""

import functools
import json
import shutil
import tempfile
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

SQUARE = "def square(x):\n    return x**2"
SHOUT = "def shout(text):\n    return text.upper()"
WHY = "Because it is so."


def _cell(make: Callable[..., NotebookNode], source: str, name: str, **about: object) -> NotebookNode:
    plain = {"schema_version": 3, "grade": False, "solution": False, "locked": False, "task": False}
    return make(source, metadata={"nbgrader": plain | {"grade_id": name} | about})


def source_notebook(imports: str = "", hidden: str = "") -> NotebookNode:
    return new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        cells=[
            new_markdown_cell("# Demo"),
            new_code_cell(f"import math\n{imports}".strip()),
            _cell(
                new_code_cell,
                "def square(x):\n    ### BEGIN SOLUTION\n    return x * x\n    ### END SOLUTION",
                "square",
                solution=True,
            ),
            _cell(
                new_code_cell,
                "assert math.isclose(float(square(2)), 4)\n### BEGIN HIDDEN TESTS\n"
                f"assert math.isclose(float(square(1.25)), 1.5625), 'a fraction'\n{hidden}### END HIDDEN TESTS",
                "square_right",
                grade=True,
                locked=True,
                points=2,
            ),
            _cell(
                new_code_cell,
                "def shout(text):\n    ### BEGIN SOLUTION\n    return text.upper()\n    ### END SOLUTION",
                "shout",
                solution=True,
            ),
            _cell(
                new_code_cell,
                "points = 0\nif str(shout('a')) == 'A':\n    points += 1\n### BEGIN HIDDEN TESTS\n"
                "if str(shout('swordfish')) == 'SWORDFISH':\n    points += 2\n### END HIDDEN TESTS\npoints",
                "shout_right",
                grade=True,
                locked=True,
                points=3,
            ),
            _cell(new_markdown_cell, "Why?", "why", grade=True, solution=True, points=4),
        ],
    )


def released_notebook() -> NotebookNode:
    """What nbgrader makes of the source, as far as it matters to what is mended."""
    notebook = source_notebook()
    for cell in notebook.cells:
        lines = cell.source.splitlines()
        if "### BEGIN SOLUTION" in cell.source:
            cell.source = f"{lines[0]}\n    # YOUR CODE HERE\n    raise NotImplementedError()"
        if "### BEGIN HIDDEN TESTS" in cell.source:
            start, end = (
                next(n for n, line in enumerate(lines) if f"### {word} HIDDEN" in line) for word in ("BEGIN", "END")
            )
            cell.source = "\n".join(lines[:start] + lines[end + 1 :])
    return notebook


def make_course(folder: Path, imports: str = "", hidden: str = "") -> Path:
    """A course with the assignment handed out; `imports` stand in its first cell, `hidden` in its first hidden test."""
    return shutil.copytree(_handed_out(imports, hidden).name, folder, dirs_exist_ok=True)


@functools.cache
def _handed_out(imports: str, hidden: str) -> "tempfile.TemporaryDirectory[str]":
    """A course to be copied: nbgrader takes seconds to make a new gradebook."""
    from tl_course.grading.course import assign

    kept = tempfile.TemporaryDirectory(prefix="demo-course-")
    folder = Path(kept.name)
    (folder / "source" / "demo").mkdir(parents=True)
    nbformat.write(source_notebook(imports, hidden), folder / "source" / "demo" / "demo.ipynb")
    (folder / "nbgrader_config.py").write_text("c = get_config()\nc.CourseDirectory.course_id = 'demo'\n")
    assign("demo", course=folder)
    return kept


def answered(course: Path, **answers: str) -> NotebookNode:
    """The notebook that was handed out, with answers written into it, by the names of their cells."""
    notebook = deepcopy(nbformat.read(course / "release" / "demo" / "demo.ipynb", 4))
    for cell in notebook.cells:
        cell.source = answers.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
    return notebook


def cell_of(notebook: NotebookNode, name: str) -> int:
    """The number of a cell."""
    return next(n for n, cell in enumerate(notebook.cells) if cell.metadata.get("nbgrader", {}).get("grade_id") == name)


def hand_in(course: Path, student: str, notebook: NotebookNode | str, name: str = "demo.ipynb") -> Path:
    """Write a submission; returns its folder."""
    folder = course / "submitted" / student / "demo"
    folder.mkdir(parents=True, exist_ok=True)
    text = notebook if isinstance(notebook, str) else json.dumps(notebook)
    (folder / name).write_text(text, encoding="utf-8")
    return folder
