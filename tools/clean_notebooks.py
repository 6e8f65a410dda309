"""Notebooks as they lie in git: no outputs, no counts, no traces of whoever ran them, formatted."""

import json
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

from tl_course.errors import LessonError
from tl_course.notebooks.files import read_notebook

__all__ = ["clean", "faults"]

KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {"name": "python"}
NOTEBOOK_KEYS = {"kernelspec", "language_info", "tl_course"}
CELL_KEYS = {"tags", "nbgrader", "jupyter", "editable", "deletable"}
FIRST_TAGS = ("install", "parameters")
"""Tags of a lesson's first two code cells: the one that installs the package where it is missing, and papermill's."""


def faults(path: Path, *, lesson: bool = True) -> list[str]:
    """What keeps the notebook at `path` from being clean, in plain words; empty if it is clean.

    Parameters
    ----------
    path
        The notebook.
    lesson
        Whether its first two code cells must be those of a lesson: tagged ``install``, then ``parameters``.
    """
    read_notebook(path)  # refuses what is no notebook, but gives ids to cells that have none
    notebook = json.loads(path.read_text(encoding="utf-8"))
    cells, metadata = notebook["cells"], notebook["metadata"]
    found = []
    ids = Counter(cell.get("id") for cell in cells)
    if metadata.get("kernelspec") != KERNEL or metadata.get("language_info") != LANGUAGE:
        found.append("the kernel in its metadata is not plain python3")
    found += [f"stray metadata: {key}" for key in metadata if key not in NOTEBOOK_KEYS]
    for number, cell in enumerate(cells):
        if cell.get("outputs"):
            found.append(f"cell {number} has outputs")
        if cell.get("execution_count") is not None:
            found.append(f"cell {number} has an execution count")
        if not cell.get("id") or ids[cell["id"]] > 1:
            found.append(f"cell {number} has no id of its own")
        found += [f"cell {number} has stray metadata: {key}" for key in cell["metadata"] if key not in CELL_KEYS]
    if lesson:
        tags = [cell["metadata"].get("tags", []) for cell in cells if cell["cell_type"] == "code"]
        for position, tag in enumerate(FIRST_TAGS):
            if tag not in (tags[position] if position < len(tags) else []):
                found.append(f"code cell {position} is not tagged {tag!r}")
    if _ruff(path, "--check"):
        found.append("its code is not formatted")
    return found


def clean(path: Path) -> bool:
    """Make the notebook at `path` clean, in place; True if that changed it. Tags are the author's: they stay."""
    import nbformat

    before = path.read_bytes()
    notebook = read_notebook(path)
    kept = {key: value for key, value in notebook.metadata.items() if key in NOTEBOOK_KEYS}
    notebook.metadata = nbformat.from_dict({**kept, "kernelspec": KERNEL, "language_info": LANGUAGE})  # type: ignore[no-untyped-call]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
        for key in [key for key, value in cell.metadata.items() if key not in CELL_KEYS or not value]:
            del cell.metadata[key]
    nbformat.write(notebook, path)  # type: ignore[no-untyped-call]
    _ruff(path)
    return path.read_bytes() != before


def _ruff(path: Path, *options: str) -> int:
    """Run ruff's formatter, with the project's own settings, on one notebook; its exit code."""
    if find_spec("ruff") is None:
        raise LessonError("ruff is not installed here. Run: python -m pip install 'tl-course[dev]'")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "format", "--quiet", "--no-cache", *options, str(path)],
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode not in (0, 1) or (done.returncode and not options):
        raise LessonError(f"ruff could not format {path}; what it says stands above.")
    return done.returncode
