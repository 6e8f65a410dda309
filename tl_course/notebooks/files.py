"""Which lessons there are, and which parameters they have."""

import ast
import os
import warnings
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tl_course.errors import LessonError

__all__ = [
    "checkout",
    "environment",
    "find_lesson",
    "find_lessons",
    "lessons_folder",
    "parameters_of",
    "parse_parameters",
    "read_notebook",
]

PACKAGE = Path(__file__).resolve().parents[1]
SHIPPED = PACKAGE / "lessons"
"""Where the wheel carries the lessons; in a checkout they stand beside the package instead."""


def checkout() -> Path | None:
    """The clone of the project that this package runs from, or None where it was installed."""
    root = PACKAGE.parent
    return root if (root / "pyproject.toml").is_file() else None


def environment() -> dict[str, str]:
    """The caller's environment, in which a new Python finds this package, also where it is not installed."""
    root = checkout()
    own = {"PYTHONPATH": os.pathsep.join(filter(None, [str(root), os.environ.get("PYTHONPATH")]))} if root else {}
    return os.environ | own


def lessons_folder() -> Path:
    """The folder with the lessons: ``./lessons``, else the checkout's, else the one that was installed.

    Raises
    ------
    LessonError
        If none of them holds a notebook.
    """
    root = checkout()
    folders = [Path("lessons"), *([root / "lessons"] if root else []), SHIPPED]
    for folder in folders:
        if any(folder.glob("*.ipynb")):
            return folder
    raise LessonError(
        f"There are no lessons here. Looked in {', '.join(str(folder) for folder in folders)}. "
        "Go to a clone of the course, install the package again, or name a notebook by its path."
    )


def find_lessons(lessons: Iterable[str | Path] = ()) -> list[Path]:
    """Paths of the lessons asked for, each once, in the order asked; of all of them if none is named.

    Parameters
    ----------
    lessons
        Names (``"01_birds"``), their beginnings (``"01"``) or paths of notebooks.

    Raises
    ------
    LessonError
        If a lesson is unknown, or if two of them have the same name: their results would overwrite each other.
    """
    wanted = [lessons] if isinstance(lessons, str | Path) else list(lessons)
    paths = [find_lesson(lesson) for lesson in wanted] or sorted(lessons_folder().glob("*.ipynb"))
    found: dict[str, Path] = {}
    for path in paths:
        other = found.setdefault(path.stem, path)
        if other.resolve() != path.resolve():
            raise LessonError(f"{other} and {path} have the same name, so one's results would replace the other's.")
    return list(found.values())


def find_lesson(lesson: str | Path) -> Path:
    """The path of one lesson, given by name, beginning of its name, or path."""
    path = Path(lesson).expanduser()
    if path.suffix == ".ipynb" and path.is_file():
        return path
    if path.suffix == ".ipynb" or len(path.parts) > 1:
        raise LessonError(f"There is no notebook {path}.")
    folder = lessons_folder()
    known = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    matches = [name for name in known if name.startswith(str(lesson))]
    if lesson in known:
        return known[str(lesson)]
    if len(matches) == 1:
        return known[matches[0]]
    several = f"It could be any of {', '.join(matches)}." if matches else _meant(str(lesson), list(known))
    raise LessonError(f"There is no lesson {str(lesson)!r} in {folder}. {several}")


def read_notebook(path: Path) -> Any:
    """The notebook at `path` in nbformat 4, every cell with an id of its own."""
    import nbformat

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", nbformat.warnings.MissingIDFieldWarning)
            warnings.simplefilter("ignore", nbformat.warnings.DuplicateCellId)
            return nbformat.v4.upgrade(nbformat.read(path, as_version=4))  # type: ignore[no-untyped-call]
    except Exception as error:  # nbformat lets through whatever a broken file trips over
        raise LessonError(f"{path} is not a notebook that can be read: {error}") from error


def parameters_of(notebook: Any, name: str) -> list[str]:
    """Names assigned in the cell tagged ``parameters``; none if there is no such cell."""
    source = next((cell.source for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])), "")
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise LessonError(f"The cell tagged 'parameters' of {name} is not plain Python: {error}") from error
    targets: list[ast.expr] = []
    for statement in statements:
        if isinstance(statement, ast.Assign):
            targets += statement.targets
        elif isinstance(statement, ast.AnnAssign):
            targets.append(statement.target)
    return [target.id for target in targets if isinstance(target, ast.Name)]


def check_parameters(wanted: Iterable[str], known: Sequence[str], lesson: str) -> None:
    """Refuse a parameter that the lesson does not have."""
    for name in wanted:
        if name not in known:
            raise LessonError(f"{lesson} has no parameter {name!r}. {_meant(name, known)}")


def parse_parameters(pairs: Iterable[str]) -> dict[str, Any]:
    """Turn ``name=value`` pairs from a command line into parameters.

    A value that reads as a number, True, False, None, a list or a dictionary is one; any other is text. Quote twice to
    keep digits as text: ``--param "folder='2024'"``.
    """
    parameters: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.isidentifier():
            raise LessonError(f"{pair!r} is not a parameter. Write it as name=value, for example seed=7.")
        try:
            value = ast.literal_eval(text.capitalize() if text in ("true", "false", "none") else text)
        except (ValueError, SyntaxError):
            value = text
        parameters[name] = value if value is None or isinstance(value, str | int | float | list | dict) else text
    return parameters


def _meant(name: str, known: Sequence[str]) -> str:
    close = get_close_matches(name, known, n=1)
    return (f"Did you mean {close[0]!r}? " if close else "") + f"There are: {', '.join(known) or 'none'}."
