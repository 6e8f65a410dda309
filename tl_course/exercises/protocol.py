"""What questions and whoever grades agree on: a name in the environment and one in the metadata of outputs."""

__all__ = ["ANSWER_HOME", "SHOWN"]

ANSWER_HOME = "TL_COURSE_ANSWER_HOME"  # in the environment of tests that run apart: where answers can write
SHOWN = "tl_course.shown"  # in the metadata of an output of a test: its author wrote it, for the student to read
