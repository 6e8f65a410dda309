"""Checks inside notebooks."""

from tl_course.grading.checks import NotYet, Question, Result, attempted, brief, folder_for_answer, running

__all__ = ["NotYet", "Question", "Result", "attempted", "brief", "folder_for_answer", "running"]

import sys

# As in notebooks/__main__.py: what nbformat imports would compile this one's grammar for seconds, and never need it. A
# batch pays for its imports in each process.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
