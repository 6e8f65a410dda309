from .files import find_lessons as find_lessons
from .files import lessons_folder as lessons_folder
from .files import parse_parameters as parse_parameters
from .lab import open_lab as open_lab
from .report import LessonRun as LessonRun
from .report import Report as Report
from .results import record as record
from .runner import run_lessons as run_lessons

__all__ = [
    "LessonRun",
    "Report",
    "find_lessons",
    "lessons_folder",
    "open_lab",
    "parse_parameters",
    "record",
    "run_lessons",
]
