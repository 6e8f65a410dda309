"""Checks inside notebooks."""

from tl_course.grading.checks import NotYet, Question, Result, attempted, brief

__all__ = ["NotYet", "Question", "Result", "attempted", "brief"]
