"""The questions of the lessons, one module a lesson."""
