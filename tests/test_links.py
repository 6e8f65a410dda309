"""`make links`: one address, written into the README and the lessons."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from tl_course.errors import LessonError
from tools.links import BEGIN, END, write_links

PYPROJECT = '[project.urls]\nRepository = "{address}"\n'


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "lessons").mkdir()
    (tmp_path / "pyproject.toml").write_text(PYPROJECT.format(address="https://github.com/someone/birds"))
    (tmp_path / "README.md").write_text(f"# Course\n\n{BEGIN}\nold\n{END}\n\nBelow.\n")
    write_lesson(tmp_path)
    return tmp_path


def write_lesson(
    project: Path, *, title: str = "# Birds\n\nText.", tags: tuple[str, ...] = ("install",), **about: object
) -> None:
    lesson = nbformat.v4.new_notebook(
        metadata={"tl_course": about or {"title": "Birds?", "minutes": 20, "description": "Birds and forest"}},
        cells=[
            nbformat.v4.new_markdown_cell(title),
            nbformat.v4.new_code_cell("", metadata={"tags": list(tags)}),
            nbformat.v4.new_code_cell("1 + 1"),
        ],
    )
    nbformat.write(lesson, project / "lessons" / "01_birds.ipynb")


def test_the_address_reaches_the_table_the_links_and_the_install_cell(project: Path) -> None:
    readme, lesson = project / "README.md", project / "lessons" / "01_birds.ipynb"
    assert set(write_links(project)) == {readme, lesson}

    text = readme.read_text()
    assert "| [1. Birds?](lessons/01_birds.ipynb) | Birds and forest | 20 min |" in text
    assert "https://colab.research.google.com/github/someone/birds/blob/main/lessons/01_birds.ipynb" in text
    assert (
        "https://kaggle.com/kernels/welcome?src=https://github.com/someone/birds/blob/main/lessons/01_birds.ipynb"
        in text
    )
    assert "https://mybinder.org/v2/gh/someone/birds/main?urlpath=lab/tree/lessons/01_birds.ipynb" in text
    assert text.startswith("# Course\n") and text.endswith(f"{END}\n\nBelow.\n") and "old" not in text

    heading, install, code = nbformat.read(lesson, as_version=4).cells
    assert heading.source.startswith("# Birds\n\nOpen in [Colab](https://") and heading.source.endswith("\n\nText.")
    assert '%pip install --quiet "tl-course @ git+https://github.com/someone/birds"' in install.source
    assert code.source == "1 + 1"
    assert write_links(project) == []


def test_a_new_address_replaces_the_old_one_everywhere(project: Path) -> None:
    write_links(project)
    (project / "pyproject.toml").write_text(PYPROJECT.format(address="https://github.com/school/class"))
    write_links(project)
    for file in ("README.md", "lessons/01_birds.ipynb"):
        text = (project / file).read_text()
        assert "school/class" in text
        assert "someone" not in text


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda project: (project / "README.md").write_text(f"# Course\n{BEGIN}\n"), END),
        (lambda project: (project / "README.md").write_text(f"{END}\n{BEGIN}\n"), "has to come after"),
        (lambda project: write_lesson(project, tags=()), "tagged 'install'"),
        (lambda project: write_lesson(project, title="Hello"), "start with the lesson's title"),
        (lambda project: write_lesson(project, title="# T", minutes=3), "does not say its title"),
        (lambda project: (project / "pyproject.toml").write_text(PYPROJECT.format(address="http://x")), "'http://x'"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(project: Path, spoil: Callable[[Path], object], named: str) -> None:
    spoil(project)
    with pytest.raises(LessonError, match=re.escape(named)):
        write_links(project)


def test_this_project_s_own_links_are_up_to_date(tmp_path: Path) -> None:
    root = Path(__file__).parents[1]
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(root / name, tmp_path)
    shutil.copytree(root / "lessons", tmp_path / "lessons")
    assert write_links(tmp_path) == [], "run `make links`"
