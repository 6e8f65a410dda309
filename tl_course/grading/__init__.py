"""Checks inside notebooks."""

from tl_course.grading.checks import NotYet, Question, Result, attempted

__all__ = ["NotYet", "Question", "Result", "attempted"]
