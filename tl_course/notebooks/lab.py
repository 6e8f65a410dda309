"""Open the lessons in JupyterLab."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tl_course.errors import LessonError
from tl_course.notebooks.files import SHIPPED, find_lesson, lessons_folder

__all__ = ["open_lab"]

COPIES = "tl-course-lessons"
SETTINGS = Path(__file__).parent / "jupyter"
"""Of JupyterLab for students: nbgrader's menus, which are for instructors, are not there."""


def open_lab(lesson: str | Path | None = None) -> int:
    """Start JupyterLab in the folder of the lessons, on one of them if it is named; ends when JupyterLab does.

    Where the lessons came with an installed package, they are first copied to ``./tl-course-lessons``. A lesson that is
    there already stays as the student left it. nbgrader's menus are left out where nbgrader is installed: an instructor
    finds them in ``jupyter lab``. How much memory is in use stands at the bottom, where the extra ``lab`` is installed.

    Parameters
    ----------
    lesson
        Name, beginning of the name, or path of a notebook; the folder is opened if None.

    Returns
    -------
    int
        JupyterLab's exit code (where the process is not simply replaced by JupyterLab's).

    Raises
    ------
    LessonError
        If the lesson is unknown, or JupyterLab is not installed.
    """
    if find_spec("jupyterlab") is None:
        raise LessonError("JupyterLab is not installed here. Run: python -m pip install 'tl-course[lab]'")
    target = find_lesson(lesson) if lesson is not None else lessons_folder()
    if SHIPPED in (target, target.parent):
        copies = _copied(Path(COPIES))
        target = copies / target.name if target != SHIPPED else copies
    paths = [str(SETTINGS), os.environ.get("JUPYTER_CONFIG_PATH")]
    environment = os.environ | {"JUPYTER_CONFIG_PATH": os.pathsep.join(path for path in paths if path)}
    command = [sys.executable, "-m", "jupyterlab", str(target)]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")  # in a container, where root is the usual user
    return _become(command, environment)


def _become(command: list[str], environment: dict[str, str]) -> int:
    """Run `command` in place of this process, so that Ctrl-C is JupyterLab's; beside it where that cannot be done."""
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execve(command[0], command, environment)
    return subprocess.call(command, env=environment)


def _copied(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    files = [path.relative_to(SHIPPED) for path in sorted(SHIPPED.rglob("*")) if path.is_file()]
    new = [file for file in files if not (folder / file).exists()]
    for file in new:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(SHIPPED / file, folder / file)
    if new:
        print(f"Copied {len(new)} files of the lessons to {folder.resolve()}; work on them there.", file=sys.stderr)
    else:
        print(f"The lessons are in {folder.resolve()}, as you left them.", file=sys.stderr)
    return folder
