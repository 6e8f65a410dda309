"""The course as nbgrader knows it: its commands are given in this folder."""

c = get_config()  # noqa: F821 - traitlets defines it where it reads this file

c.CourseDirectory.course_id = "tl-course"
c.ClearSolutions.code_stub = {"python": "...  # your code here"}
c.ClearSolutions.text_stub = "*Your answer here.*"
c.ExecutePreprocessor.timeout = 60  # seconds a cell; `tl-course grade` gives all of a notebook five times as long
