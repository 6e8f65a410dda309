"""Every notebook in git is clean: no outputs, no counts, formatted, with the two cells that each lesson starts with."""

from pathlib import Path

import pytest

from tools.clean_notebooks import faults

ROOT = Path(__file__).parents[2]
NOTEBOOKS = [*sorted(ROOT.glob("lessons/*.ipynb")), *sorted(ROOT.glob("assignments/source/**/*.ipynb"))]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_notebook_is_clean(path):
    lesson = path.parent.name == "lessons"
    assert faults(path, lesson=lesson) == [], "`make format` makes notebooks clean"
