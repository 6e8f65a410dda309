"""An nbgrader course's configuration and its gradebook."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nbgrader.api import Gradebook
    from traitlets.config import Config

__all__ = ["course_config", "open_gradebook"]


def course_config(course: Path) -> "Config":
    """The configuration of an nbgrader course: its ``nbgrader_config.py``, with the folder it lies in as its root."""
    from traitlets.config import Config
    from traitlets.config.loader import PyFileConfigLoader

    beside = str(Path(sys.executable).parent)  # nbgrader starts `alembic` by its name, wherever Python itself is from
    if beside not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join(filter(None, [beside, os.environ.get("PATH")]))
    config = Config()
    if (course / "nbgrader_config.py").exists():
        config = PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config()
    config.CourseDirectory.root = str(course.resolve())
    gradebook = str(config.CourseDirectory.get("db_url") or f"sqlite:///{course.resolve() / 'gradebook.db'}")
    if gradebook.startswith("sqlite") and "?" not in gradebook:
        gradebook += "?timeout=60"  # seconds to wait for another process that writes; five are too few for many
    config.CourseDirectory.db_url = gradebook
    return config


def open_gradebook(course: Path) -> "Gradebook":
    """The gradebook of an nbgrader course, to be used in a `with`."""
    from nbgrader.api import Gradebook
    from nbgrader.coursedir import CourseDirectory

    coursedir = CourseDirectory(config=course_config(course))
    return Gradebook(coursedir.db_url, coursedir.course_id)
