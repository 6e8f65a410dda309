"""Assignments of nbgrader courses: handed out, collected, graded and given back."""

import sys

# As in notebooks/__main__.py: what nbformat imports would compile this one's grammar for seconds, and never need it. A
# batch pays for its imports in each process.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
