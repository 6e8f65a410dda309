"""The command line ``tl-course``."""

from tl_course.cli.app import main

__all__ = ["main"]
