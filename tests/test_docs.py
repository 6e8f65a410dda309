"""The page of the commonest jobs does what it says."""

import doctest
from pathlib import Path

import nbformat
import pytest

PAGE = Path(__file__).parents[1] / "docs" / "jobs.md"


@pytest.mark.slow
def test_the_commonest_jobs_run(drawn_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    lesson = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 + 1")])
    nbformat.write(lesson, tmp_path / "my_lesson.ipynb")
    done = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert done.attempted > 20 and done.failed == 0
