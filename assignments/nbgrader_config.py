"""The course as nbgrader knows it: its commands are given in this folder."""

c = get_config()  # noqa: F821 - traitlets defines it where it reads this file

c.CourseDirectory.course_id = "tl-course"
c.ClearSolutions.code_stub = {"python": "...  # your code here"}
c.ClearSolutions.text_stub = "*Your answer here.*"
c.ExecutePreprocessor.timeout = 180  # seconds a cell, where nbgrader itself runs a notebook
