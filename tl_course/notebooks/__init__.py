"""Lessons as notebooks: find them, run them headless and hold them to their budgets, open them, keep them clean."""

from tl_course.notebooks.clean import clean, faults
from tl_course.notebooks.files import find_lessons, lessons_folder, parse_parameters
from tl_course.notebooks.lab import open_lab
from tl_course.notebooks.report import LessonRun, Report
from tl_course.notebooks.runner import run_lessons

__all__ = [
    "LessonRun",
    "Report",
    "clean",
    "faults",
    "find_lessons",
    "lessons_folder",
    "open_lab",
    "parse_parameters",
    "run_lessons",
]
