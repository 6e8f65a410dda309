"""An nbgrader course around the grading: handing out, marks as a table, feedback as pages."""

import ast
import html
import importlib.util
import keyword
import re
import shutil
from collections.abc import Collection
from copy import deepcopy
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import nbformat
from nbformat import NotebookNode

from tl_course.core.files import atomic_path
from tl_course.core.names import printable
from tl_course.errors import GradingError
from tl_course.exercises.protocol import SHOWN
from tl_course.grading.batch.marks import is_test
from tl_course.grading.batch.packing import digest_of
from tl_course.grading.gradebook import course_config, open_gradebook
from tl_course.grading.notes import CHANGED
from tl_course.grading.pages.report import POLICY
from tl_course.grading.submissions.late import Late, settle

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["assign", "feedback", "grades", "is_released", "needs_nbgrader", "titles"]

_BEGIN, _END = "BEGIN HIDDEN TESTS", "END HIDDEN TESTS"
# Wide tables and pictures fit a phone's page: words wrap, and what is wider still is moved within its place.
_STYLE = """<style>
body.jp-Notebook { overflow-x: hidden; padding-bottom: 2rem; }
.jp-RenderedHTMLCommon table { display: block; max-width: 100%; overflow-x: auto; table-layout: auto; }
.jp-RenderedHTMLCommon :is(td, th) { white-space: normal; overflow-wrap: anywhere; min-width: 3em; }
.jp-OutputArea-output img, .jp-RenderedHTMLCommon img { max-width: 100%; height: auto; }
@media (max-width: 40rem) { .jp-InputPrompt, .jp-OutputPrompt { display: none; } }
</style>"""
_LONGEST_NAME = 128  # letters of an assignment's name, in nbgrader's gradebook
_LONGEST_ERROR = 500  # letters of what nbgrader says
_PUT_BACK = (
    "You had changed this cell. It is not yours to change, so it ran as you see it here, as it was handed out. What "
    "you need besides belongs into a cell of your own."
)
_NOT_SHOWN = "a test that is hidden, or one that is shown above"
_TELLING = 8  # letters, but for Python's own words, from which on a line of a hidden test is looked for elsewhere


def needs_nbgrader() -> None:
    """Say what to install where nbgrader is missing.

    Raises
    ------
    GradingError
        It is.
    """
    if importlib.util.find_spec("nbgrader") is None:
        raise GradingError("nbgrader is not installed here: pip install 'tl-course[grade]'")


def assign(name: str, *, course: Path) -> Path:
    """Make the version for students of an assignment, without solutions and hidden tests; returns its folder.

    It takes the place of an earlier one only when it has been made.

    Raises
    ------
    GradingError
        There is no such assignment, or nbgrader refuses it, with what it says.
    """
    needs_nbgrader()
    from nbgrader.apps import NbGraderAPI
    from traitlets import TraitError

    _check_name(name)
    if not list((course / "source" / name).glob("*.ipynb")):
        there = ", ".join(sorted(path.parent.name for path in (course / "source").glob("*/*.ipynb"))) or "none"
        raise GradingError(f"There is no {course}/source/{name} with a notebook in it. Assignments there: {there}.")
    config, release = course_config(course), course / "release" / name
    release.parent.mkdir(exist_ok=True)
    digest = _digest_of_source(course, name)
    with TemporaryDirectory(dir=release.parent, prefix=".") as made:
        config.CourseDirectory.release_directory = f"release/{Path(made).name}"
        try:
            done = NbGraderAPI(config=config).generate_assignment(name, force=True)
        except TraitError as problem:
            raise GradingError(f"nbgrader could not make {name}: {problem}") from problem
        if not done["success"]:
            said = _first_error(f"{done.get('log') or ''}\n{done.get('error') or ''}")
            raise GradingError(f"nbgrader could not make {name}: {said} Mend it in {course / 'source' / name}.")
        if release.exists():
            release.rename(Path(made) / "before")
        (Path(made) / name).rename(release)
    _record_of_release(course, name).write_text(digest, encoding="ascii")
    return release


def is_released(name: str, *, course: Path) -> bool:
    """Whether what was handed out was made from the source as it is now; a copied course has other times of files."""
    try:
        return _record_of_release(course, name).read_text("ascii") == _digest_of_source(course, name)
    except (OSError, ValueError):
        return False


def _record_of_release(course: Path, name: str) -> Path:
    """Where `assign` writes the digest of the source: beside the folder that students get, not in it."""
    return course / "release" / f".{name}.sha256"


def _digest_of_source(course: Path, name: str) -> str:
    return digest_of(sorted((course / "source" / name).glob("*.ipynb")))


def _check_name(name: str) -> None:
    """Raise where nbgrader, its gradebook or a file cannot have an assignment of this name."""
    if name != name.strip() or not name.isprintable() or name.startswith(".") or set(name) & set("+[]*?/\\"):
        problem = "blanks at its ends, a point at its beginning, or any of + [ ] * ? / \\ in it"
    elif len(name) > _LONGEST_NAME:
        problem = f"more than {_LONGEST_NAME} letters"
    else:
        return
    raise GradingError(f"nbgrader takes no assignment whose name has {problem}: rename {name!r} in source/.")


def _first_error(log: str) -> str:
    """What went wrong, as a sentence, out of a log with tracebacks: the first error that says more than "see above"."""
    pattern = r"^ {0,4}(?:\w+\.)*(\w+(?:Error|Exception)): ?(.*(?:\n {5,}.*)*)"
    found = re.findall(pattern, log, re.MULTILINE)
    told = [text for kind, text in found if kind != "NbGraderException" and text.strip()] or [text for _, text in found]
    said = " ".join(
        (told[0] if told else log.strip().splitlines()[-1] if log.strip() else "it does not say why").split()
    )
    said = said if len(said) <= _LONGEST_ERROR else f"{said[:_LONGEST_ERROR]}…"
    return said if said.endswith((".", "…")) else f"{said}."


def _needs_course(course: Path) -> None:
    if not any((course / one).exists() for one in ("nbgrader_config.py", "source", "gradebook.db")):
        raise GradingError(
            f"There is no nbgrader course in {course.absolute()}. Go to the folder above it, or give --course."
        )


def grades(*, course: Path) -> "pd.DataFrame":
    """Marks of all students for all assignments, a row each.

    Columns: ``student``, ``assignment``, ``score`` (points, None where a mark is missing: that is not nought),
    ``max_score``, ``missing`` (cells that a person has to mark), ``late_penalty`` (points), ``late`` (how late, and by
    which rule that costs points, or why that is not known).

    Raises
    ------
    GradingError
        There is no course.
    """
    needs_nbgrader()
    _needs_course(course)
    import pandas as pd

    rows = []
    late = settle(course)
    with open_gradebook(course) as gradebook:
        for assignment in gradebook.assignments:
            for submission in assignment.submissions:
                marks = [grade for notebook in submission.notebooks for grade in notebook.grades]
                missing = [
                    one
                    for one in marks
                    if one.needs_manual_grade or (one.auto_score is None and one.manual_score is None)
                ]
                rows.append(
                    {
                        "student": submission.student.id,
                        "assignment": assignment.name,
                        "score": None if missing else max(0.0, submission.score - submission.late_submission_penalty),
                        "max_score": submission.max_score,
                        "missing": " ".join(sorted(one.cell.name for one in missing)),
                        "late_penalty": submission.late_submission_penalty,
                        "late": _late(late, assignment.name, submission.student.id),
                    }
                )
    columns = ["student", "assignment", "score", "max_score", "missing", "late_penalty", "late"]
    return pd.DataFrame(rows, columns=columns).sort_values(["assignment", "student"], ignore_index=True)


def _late(found: dict[str, dict[str, Late]], assignment: str, student: str) -> str:
    late = found.get(assignment, {}).get(student, Late())
    return late.said or late.doubt


def feedback(name: str, *, course: Path, student: str | None = None) -> list[Path]:
    """Write each student's page: answers, marks and comments, without hidden tests; returns the pages.

    A page needs nothing else: no network, no other file. What tests print is left out, but for what `Result.points`
    says; and so is every line of a hidden test wherever else it shows up.

    Raises
    ------
    GradingError
        There is no course, or nothing of the assignment has been graded.
    """
    needs_nbgrader()
    _needs_course(course)
    from nbgrader.api import MissingEntry

    from tl_course.grading.pages.sanitize import sanitize
    from tl_course.notebooks.page import to_html

    released = {path.stem: nbformat.read(path, 4) for path in (course / "release" / name).glob("*.ipynb")}
    pages = []
    late = settle(course, name)
    with open_gradebook(course) as gradebook:
        for path in sorted(
            (course / "autograded").glob(f"{escape(student) if student else '*'}/{escape(name)}/*.ipynb")
        ):
            who = path.parents[1].name
            notebook = nbformat.read(path, 4)
            try:
                submission = gradebook.find_submission_notebook(path.stem, name, who)
            except MissingEntry:  # left over from another gradebook
                continue
            release = released.get(path.stem, nbformat.v4.new_notebook())
            sanitize(notebook, trusted={cell.source for cell in release.cells})
            said = late.get(name, {}).get(who, Late()).said
            shown = _for_the_student(notebook, submission, said, titles(release))
            page = to_html(shown, title=f"{name}: {printable(who)}")
            page = page.replace("<head>", f"<head>{POLICY}", 1).replace("</head>", f"{_STYLE}</head>", 1)
            target = course / "feedback" / who / name / f"{path.stem}.html"
            target.parent.mkdir(parents=True, exist_ok=True)
            with atomic_path(target) as part:
                part.write_text(page, encoding="utf-8")
            pages.append(target)
            for beside in ("timestamp.txt", "submission_secret.txt"):  # what `nbgrader release_feedback` looks for
                theirs = course / "submitted" / who / name / beside
                if theirs.is_file() and not theirs.is_symlink() and theirs.stat().st_size < 1000:
                    shutil.copyfile(theirs, target.parent / beside)
    if not pages:
        raise GradingError(f"Nothing of {name} has been graded: run `tl-course grade {name}` first.")
    return pages


def _for_the_student(notebook: NotebookNode, submission: Any, late: str, called: dict[str, str]) -> NotebookNode:
    notebook = deepcopy(notebook)
    parted = [_parted(cell.source) for cell in notebook.cells]
    handed_out = {
        line.strip()
        for cell, (shown, _) in zip(notebook.cells, parted, strict=True)
        if cell.metadata.get("nbgrader", {}).get("locked")
        for line in shown
    }
    secret = {line.strip() for _, hidden in parted for line in hidden if _tells(line)} - handed_out
    order = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in notebook.cells]
    by_name = {grade.cell.name: grade for grade in submission.grades}
    marks = {name: by_name[name] for name in order if name in by_name}
    comments = {comment.cell.name: comment.comment for comment in submission.comments}
    cells = [nbformat.v4.new_markdown_cell(_heading(submission, marks.values(), late, called))]
    for cell, (shown, _) in zip(notebook.cells, parted, strict=True):
        about = cell.metadata.get("nbgrader", {})
        test = cell.source if is_test(cell) else None
        cell.source = _redacted("\n".join(shown), secret)
        if cell.cell_type == "code":
            cell.outputs = [kept for output in cell.outputs if (kept := _output(output, secret, test=test))]
        cells.append(cell)
        if about.get("locked") and cell.metadata.get(CHANGED):
            cells.append(nbformat.v4.new_markdown_cell(f"> {_PUT_BACK}"))
        if said := _said(marks.get(about.get("grade_id")), comments.get(about.get("grade_id"))):
            cells.append(nbformat.v4.new_markdown_cell(said))
    notebook.cells = cells
    return notebook


def _parted(source: str) -> tuple[list[str], list[str]]:
    """The lines of a cell that a student may see, and those of hidden tests."""
    shown: list[str] = []
    hidden: list[str] = []
    into = shown
    for line in source.splitlines():
        if _BEGIN in line:
            into = hidden
        elif _END in line:
            into = shown
        else:
            into.append(line)
    return shown, hidden


def _tells(line: str) -> bool:
    """Whether a line of a test says something: `return {` and `import tempfile` are anybody's."""
    words = [word for word in re.findall(r"\w+", line) if not keyword.iskeyword(word)]
    return sum(map(len, words)) >= _TELLING and not line.lstrip().startswith(("import ", "from "))


def _redacted(text: str, secret: set[str]) -> str:
    for line in sorted(secret, key=len, reverse=True):
        for written in {line, html.escape(line), html.escape(line, quote=False)}:
            text = text.replace(written, "[left out]")
    return text


def _shown_line(test: str, traceback: list[str]) -> str:
    """The line of a test that failed, if it stands before all that is hidden; else nothing."""
    numbers = [int(number) for number in re.findall(r'File "<test>", line (\d+)', "\n".join(traceback))]
    lines = test.splitlines()
    first_hidden = next(number for number, line in enumerate(lines, 1) if _BEGIN in line)
    return lines[numbers[0] - 1].strip() if numbers and max(numbers) < first_hidden else ""


def _messages(test: str) -> set[str]:
    """What the assertions of a test say where they fail: its author wrote it for the student."""
    try:
        nodes = list(ast.walk(ast.parse(test)))
    except SyntaxError:  # what only IPython understands
        return set()
    said = [node.msg for node in nodes if isinstance(node, ast.Assert)]
    return {str(one.value) for one in said if isinstance(one, ast.Constant)}


def _output(output: NotebookNode, secret: set[str], *, test: str | None) -> NotebookNode | None:
    """What a student may see of it; of a `test` with hidden lines, only a message that its author wrote."""
    if output.output_type == "error":
        if test is not None:
            if _BEGIN in test and output.evalue not in _messages(test):
                shown = _shown_line(test, output.traceback)
                what = f"in this line, shown above: {shown}" if shown else _NOT_SHOWN
                output.ename, output.evalue = "Failed", what
            output.traceback = [f"{output.ename}: {output.evalue}".removesuffix(": ")]
            return output
        output.evalue = _redacted(output.evalue, secret)
        output.traceback = [_redacted(line, secret) for line in output.traceback]
        return output
    if test is not None and not output.get("metadata", {}).get(SHOWN):
        return None
    if output.output_type == "stream":
        output.text = _redacted(output.text, secret)
        return output
    for kind, value in output.data.items():
        if isinstance(value, str) and kind.startswith("text/"):
            output.data[kind] = _redacted(value, secret)
    return output


def titles(release: NotebookNode) -> dict[str, str]:
    """What the cells with points of an assignment are about, by their names: the headings that they stand below.

    Where several stand below one heading, they are counted. A cell below no heading, or only below that of the whole
    notebook, is not in it.
    """
    found: list[list[str]] = []  # each heading, with what stands below it
    headings = [line for cell in release.cells if cell.cell_type == "markdown" for line in _headings(cell.source)]
    top = sum(line.startswith("# ") for line in headings) > 1
    for cell in release.cells:
        about = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "markdown" and not about.get("grade"):
            found += [[line.lstrip("#").strip()] if top or line[1] == "#" else [] for line in _headings(cell.source)]
        if about.get("grade") and found and found[-1]:
            found[-1].append(about["grade_id"])
    return {
        name: heading if len(names) == 1 else f"{heading} ({number} of {len(names)})"
        for heading, *names in filter(None, found)
        for number, name in enumerate(names, 1)
    }


def _headings(source: str) -> list[str]:
    """Lines of Markdown that are headings, without those in code."""
    text = re.sub(r"^(```|~~~).*?^\1", "", source, flags=re.MULTILINE | re.DOTALL)
    return [line.rstrip("# \t") for line in re.findall(r"^#{1,6}[ \t]+\S.*$", text, re.MULTILINE)]


def _heading(submission: Any, marks: Collection[Any], said: str, called: dict[str, str]) -> str:
    missing = [one for one in marks if one.needs_manual_grade]
    more = f", and {len(missing)} of the answers still to be marked" if missing else ""
    late = f", {submission.late_submission_penalty:g} less for being late" if submission.late_submission_penalty else ""
    heading = f"# {submission.score:g} of {submission.max_score:g} points{late}{more}"
    rows = [f"| {_cell(called.get(one.cell.name, f'`{one.cell.name}`'))} | {_points(one)} |" for one in marks]
    return "\n".join([heading, "", said, "", "| question | points |", "|---|---|", *rows])


def _cell(text: str) -> str:
    """Markdown in a table."""
    return text.replace("|", r"\|")


def _points(grade: Any) -> str:
    of = f"{grade.max_score:g}"
    return f"{of}, still to be marked" if grade.needs_manual_grade else f"{grade.score:g} of {of}"


def _said(grade: Any, comment: str | None) -> str:
    said = [f"**Points: {_points(grade)}**"] if grade is not None else []
    said += [comment] if comment else []
    return "\n".join(f"> {line}" for line in "\n\n".join(said).splitlines())
