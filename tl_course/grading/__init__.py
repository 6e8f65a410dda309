"""Checks inside notebooks."""

from tl_course.grading.checks import NotYet, Question, Result, attempted, brief, running

__all__ = ["NotYet", "Question", "Result", "attempted", "brief", "running"]
