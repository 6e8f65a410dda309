"""What came out of grading, into nbgrader's gradebook and its ``autograded`` folder."""

import shutil
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory

from tl_course.grading.gradebook import course_config, open_gradebook
from tl_course.grading.notes import ORIGINALS

__all__ = ["Records"]


class Records:
    """The gradebook of a course while an assignment is graded: a single process writes, whoever else grades."""

    def __init__(self, course: Path, name: str) -> None:
        self.name = name
        self._config = course_config(course)
        self._coursedir = CourseDirectory(config=self._config)
        self._converter = Autograde(coursedir=self._coursedir, config=self._config)  # for its settings and hooks
        self._gradebook = open_gradebook(course)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._gradebook.close()

    def folder(self, which: str, student: str) -> Path:
        """One of nbgrader's folders of a student: "submitted", "autograded" or "feedback"."""
        place = getattr(self._coursedir, f"{which}_directory")
        return Path(self._coursedir.format_path(place, student, self.name))

    def forget(self, students: Iterable[str]) -> None:
        """Until they are graded again, nobody has graded these students; what a person gave stays."""
        from nbgrader.api import Assignment, Grade, Student, SubmittedAssignment, SubmittedNotebook

        wanted = set(students)
        with self._at_once():
            grades = (
                self._gradebook.db.query(Grade, Student.id)
                .select_from(Grade)
                .join(SubmittedNotebook, SubmittedNotebook.id == Grade.notebook_id)
                .join(SubmittedAssignment, SubmittedAssignment.id == SubmittedNotebook.assignment_id)
                .join(Assignment, Assignment.id == SubmittedAssignment.assignment_id)
                .join(Student, Student.id == SubmittedAssignment.student_id)
                .filter(Assignment.name == self.name)
            )
            for grade, student in grades:
                if student in wanted:
                    grade.auto_score, grade.needs_manual_grade = None, True
        for student in wanted:
            shutil.rmtree(self.folder("feedback", student), ignore_errors=True)

    def enter(self, report: dict[str, Any], folder: Path) -> None:
        """Write down what `autograde` found; `folder` is what it made, and becomes the student's in ``autograded``.

        Notebooks as they were before anything was taken out go to ``reports/NAME/originals``.

        Marks that a person gave stay, and wait to be confirmed.
        """
        student = report["student"]
        target = self.folder("autograded", student)
        originals = Path(self._coursedir.root) / "reports" / self.name / "originals" / student
        for path in (target, originals):
            shutil.rmtree(path, ignore_errors=True)  # of an earlier submission
        with self._at_once():
            self._save(student, report.get("notebooks", {}))
        if report["status"] not in ("graded", "look"):
            return
        if (folder / ORIGINALS).exists():
            originals.parent.mkdir(parents=True, exist_ok=True)
            (folder / ORIGINALS).replace(originals)
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.replace(target)
        self._converter.set_permissions(self.name, student)
        self._coursedir.assignment_id, self._coursedir.student_id = self.name, student
        self._converter.notebooks = [str(path) for path in sorted(target.glob("*.ipynb"))]
        self._converter.run_post_convert_hook()

    def _save(self, student: str, notebooks: dict[str, Any]) -> None:
        """Marks and comments of a student, who is new or was here before; a cell that is not among them has no mark."""
        self._gradebook.update_or_create_student(student)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Object of type <", category=Warning)  # nbgrader's own
            submission = self._gradebook.update_or_create_submission(self.name, student)
        for notebook in submission.notebooks:
            found = notebooks.get(notebook.name, {"scores": {}, "comments": {}})
            for grade in notebook.grades:
                grade.auto_score = found["scores"].get(grade.cell.name)
                grade.needs_manual_grade = grade.auto_score is None or grade.manual_score is not None
            for comment in notebook.comments:
                if comment.cell.name in found["comments"]:
                    comment.auto_comment = found["comments"][comment.cell.name]

    @contextmanager
    def _at_once(self) -> Iterator[None]:
        """All that is written in the block, or nothing. By itself nbgrader writes to the disk after each step."""
        session = self._gradebook.db
        session.commit = session.flush
        try:
            yield
            del session.commit
            session.commit()
        except BaseException:
            session.__dict__.pop("commit", None)
            session.rollback()
            raise
