"""A student validates in JupyterLab, an instructor marks in formgrader, both on what is handed out and graded here."""

import csv
import os
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest
from assignment import SOURCE
from demo_course import SHOUT, SQUARE, WHY, answered, hand_in, make_course
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell
from payloads import CODE, EVIL, HONEST, OTHER_CODE, SVG, texts

# What JupyterLab writes by itself where a notebook is opened: a kernel is started, the layout and a copy are kept.
OF_JUPYTERLAB = re.compile(r"/lab/api/(workspaces|settings)/|/api/(sessions|kernels)\b|/api/contents/[^?]*/checkpoints")

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_student_opens_an_assignment_sees_hints_and_validates(
    lab: str, page: Any, tmp_path: Path, cache: Path, drawn: Path, copy_drawn: Callable[[Path], Path]
) -> None:
    from tl_course.cli import main
    from tl_course.exercises import draw_variant

    course = tmp_path / "course"
    shutil.copytree(SOURCE / "ps2_cats_and_dogs", course / "source" / "ps2_cats_and_dogs")
    shutil.copy(SOURCE.parent / "nbgrader_config.py", course)
    assert main(["assign", "ps2_cats_and_dogs", "--course", str(course)]) == 0
    handed_out = course / "release" / "ps2_cats_and_dogs" / "ps2_cats_and_dogs.ipynb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TL_COURSE_CACHE", str(drawn))
        draw_variant("any", "one", pool="cats_dogs", n=10)  # has the pictures drawn
    copy_drawn(cache)
    notebook = nbformat.read(handed_out, 4)
    for cell in notebook.cells:  # what a student types
        cell.source = cell.source.replace('STUDENT = ""', 'STUDENT = "ada"')
        if cell.source.startswith("q3.check(plan)"):
            cell.source = "q3.hint()"
    nbformat.write(notebook, tmp_path / "mine.ipynb")

    page.goto(f"{lab}/lab/tree/mine.ipynb")
    page.wait_for_selector("#jp-main-statusbar >> text=/\\| Idle/", timeout=120_000)
    page.click("li.lm-MenuBar-item:has-text('Run')")
    page.click(".lm-Menu-item[data-command='runmenu:run-all']")
    page.wait_for_selector(".jp-OutputArea-output >> text=Hint 1 of", timeout=120_000)
    assert page.locator(".jp-OutputArea-output >> text=Not attempted yet").count() > 0
    assert "tl_course/" not in page.inner_text("body"), "no traceback into the package"
    page.click(".validate-button")
    said = page.wait_for_selector(".jp-Dialog >> text=/failed|success/i", timeout=240_000).inner_text()
    assert "failed" in said.lower()
    if folder := os.environ.get("TL_COURSE_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / "validate.png"))


def test_an_instructor_marks_in_formgrader_and_the_table_agrees(lab: str, page: Any, tmp_path: Path) -> None:
    from tl_course.cli import main

    make_course(tmp_path)
    hand_in(tmp_path, "ada", answered(tmp_path, square=SQUARE, shout=SHOUT, why=WHY))
    hand_in(tmp_path, "bob", answered(tmp_path, square=SQUARE, shout=SHOUT.replace("upper", "lower"), why=WHY))
    assert main(["grade", "demo", "--course", str(tmp_path)]) == 0

    page.goto(f"{lab}/lab")
    page.click("li.lm-MenuBar-item:has-text('Nbgrader')", timeout=60_000)
    page.click(".lm-Menu-item[data-command='nbgrader:open-formgrader']")
    page.wait_for_selector("iframe")
    formgrader = next(one for one in page.frames if one != page.main_frame)
    formgrader.wait_for_selector("table >> text=demo", timeout=60_000)
    formgrader.goto(f"{lab}/formgrader/gradebook/demo/demo")
    for number in range(2):
        formgrader.wait_for_selector("table a >> text=/Submission/", timeout=60_000)
        formgrader.click(f"table a >> text=/Submission/ >> nth={number}")
        formgrader.wait_for_selector("input#why", timeout=60_000)
        formgrader.wait_for_function(
            "document.querySelector('input#square_right').placeholder"
        )  # it comes a moment later
        given = {
            name: formgrader.get_attribute(f"input#{name}", "placeholder") for name in ("square_right", "shout_right")
        }
        points = {("2", "3"): "3.5", ("2", "0"): "1"}[given["square_right"], given["shout_right"]]
        with page.expect_response(lambda answer: "/api/grade" in answer.url and answer.request.method == "PUT"):
            formgrader.fill("input#why", points)
            formgrader.press("input#why", "Tab")
        formgrader.goto(f"{lab}/formgrader/gradebook/demo/demo")

    assert main(["grades", "--course", str(tmp_path), "--csv", str(tmp_path / "marks.csv")]) == 0
    with (tmp_path / "marks.csv").open() as file:
        rows = {row["student"]: (row["score"], row["missing"]) for row in csv.DictReader(file)}
    assert rows == {"ada": ("8.5", ""), "bob": ("3.0", "")}


class Watch:
    """What a page did that it must not: ran a student's script, or asked for what nobody but a student wanted."""

    def __init__(self, page: Any) -> None:
        self.hits: list[str] = []
        self.asked: list[str] = []
        self.written: list[str] = []
        context = page.context
        context.expose_function("hit", lambda what: self.hits.append(what))  # noqa: PLW0108 - it sets a mark on it
        context.on("request", self._note)
        context.on("dialog", lambda dialog: dialog.accept())
        context.route(re.compile(r"^https?://(?!127\.0\.0\.1:(?!9/))"), lambda route: route.abort())

    def _note(self, request: Any) -> None:
        own_page = "cdnjs.cloudflare.com/ajax/libs/mathjax" in request.url  # nbgrader's
        if request.url.startswith(("data:", "blob:", "about:", "file:")) or own_page:
            return
        if (
            not request.url.startswith("http://127.0.0.1:")
            or request.url.startswith(EVIL)
            or "formgrader?path=" in request.url
        ):
            self.asked.append(request.url)
        if request.method not in ("GET", "HEAD"):
            self.written.append(f"{request.method} {request.url}")

    def provoke(self, frame: Any) -> None:
        """Do what a person may do to each thing on the page: look at it, point at it, click on it."""
        frame.evaluate(
            """() => {
                for (const element of document.querySelectorAll("body *")) {
                    if (element.closest("nav, .navbar, .panel-heading, .panel-footer, .help")) continue;
                    for (const kind of ["mouseover", "mouseenter", "pointerover", "focus", "toggle", "animationstart"])
                        element.dispatchEvent(new Event(kind, { bubbles: true }));
                    if (element.closest("a[href], button, summary, area") && !element.closest("a[href^='#']"))
                        element.click();
                }
            }"""
        )
        frame.page.wait_for_timeout(700) if hasattr(frame, "page") else frame.wait_for_timeout(700)


def all_of(course: Path) -> dict[str, Any]:
    """Each file of a course with what it holds, and its gradebook; but nothing of JupyterLab and of the cache."""
    theirs = {"lab", "cache", ".ipynb_checkpoints", "gradebook.db"}
    paths = [path for path in course.rglob("*") if not theirs & set(path.relative_to(course).parts)]
    held: dict[str, Any] = {str(path): path.read_bytes() for path in paths if path.is_file()}
    with closing(sqlite3.connect(course / "gradebook.db")) as gradebook:
        return held | {"gradebook.db": list(gradebook.iterdump())}


@contextmanager
def nothing_happens(watch: Watch, where: str) -> Iterator[None]:
    before = len(watch.hits), len(watch.asked)
    yield
    assert (watch.hits[before[0] :], watch.asked[before[1] :]) == ([], []), where


def hostile(course: Path) -> Any:
    """An answer that attacks whoever opens it: in each kind of text, and in all that code can show."""
    notebook = answered(course, square=SQUARE, shout=SHOUT, why="# why\n\n" + texts("why")[0])
    notebook.cells += [new_markdown_cell(text) for text in texts("markdown")]
    notebook.cells += [new_raw_cell(text, metadata={"raw_mimetype": "text/html"}) for text in texts("raw")]
    for code, kind in zip(CODE, ("html", "output", "latex"), strict=True):
        notebook.cells += [new_code_cell(CODE[0].splitlines()[0])]
        notebook.cells += [new_code_cell(code.format(html=text)) for text in texts(kind)]
    notebook.cells += [new_code_cell(f"display({{'image/svg+xml': {svg!r}}}, raw=True)") for svg in SVG]
    notebook.cells += [new_code_cell(code) for code in OTHER_CODE]
    return notebook


def test_nothing_of_a_students_acts_at_the_instructors(  # noqa: PLR0915 - all pages of one batch
    lab: str, page: Any, tmp_path: Path
) -> None:
    from tl_course.cli import main
    from tl_course.grading.gradebook import open_gradebook

    course = make_course(tmp_path, "import matplotlib.pyplot as plt")
    honest = answered(course, square=SQUARE, shout=SHOUT, why="\n\n".join(HONEST[:2]))
    honest.cells.append(new_code_cell("plt.plot([1, 2], label='a < b')\nplt.legend();"))
    hand_in(course, "ada", honest)
    folder = hand_in(course, "mallory", hostile(course))
    taken_over = tmp_path / "taken_over"
    (folder / "nbgrader_config.py").write_text(f"open({str(taken_over)!r}, 'w').close()")
    (folder / "page.html").write_text("<script>window.opener ? opener.hit('file') : parent.hit('file')</script>")
    (folder / "picture.svg").write_text(SVG[1])
    hand_in(course, "bob", hostile(course))  # whose answers are alike
    hand_in(course, "<img src=x onerror=hit('id')>", honest)
    assert main(["grade", "demo", "--course", str(course)]) == 0
    assert main(["feedback", "demo", "--course", str(course)]) == 0
    assert main(["alike", "demo", "--course", str(course)]) == 0
    assert "reports/demo/originals/mallory" not in str(list((course / "autograded").rglob("*")))
    assert "<script>" in (course / "reports/demo/originals/mallory/demo.ipynb").read_text("utf-8")
    before = all_of(course)
    with open_gradebook(course) as gradebook:
        students = {one.student.id: one.id for one in gradebook.notebook_submissions("demo", "demo")}
    assert set(students) == {"ada", "bob", "mallory"}
    shots = os.environ.get("TL_COURSE_SCREENSHOTS")

    watch = Watch(page)
    page.goto(f"{lab}/formgrader/gradebook/demo/demo")
    for place in ("manage_assignments", "gradebook", "gradebook/demo", "gradebook/demo/demo", "manage_submissions/demo",
                  "manage_students", "manage_students/mallory"):  # fmt: skip
        with nothing_happens(watch, place):
            page.goto(f"{lab}/formgrader/{place}")
            page.wait_for_load_state("networkidle")
            for button in page.locator("#toggle_names").all():
                button.click()
            page.wait_for_timeout(300)
    for student, number in students.items():
        with nothing_happens(watch, f"formgrader: {student}"):
            page.goto(f"{lab}/formgrader/submissions/{number}/")
            page.wait_for_selector("input#why")
            page.wait_for_load_state("networkidle")
            if shots:
                page.screenshot(path=f"{shots}/formgrader-{re.sub('[^a-z]', '', student)}.png", full_page=True)
            assert page.evaluate("document.getElementById('why').className").startswith("score")
            pictures = "[...document.querySelectorAll('.output_png img')].map(one => one.naturalWidth)"
            if student == "ada":
                assert min(page.evaluate(pictures)) > 300 and page.locator("img").count() == 1
            watch.provoke(page)
        assert page.url == f"{lab}/formgrader/submissions/{number}/"
    mallory = f"{lab}/formgrader/submissions/{students['mallory']}"
    assert [page.request.get(f"{mallory}/{name}").status for name in ("page.html", "picture.svg")] == [404, 404]
    assert page.request.get(f"{mallory}/page.html.txt").headers["content-type"].startswith("text/plain")
    assert watch.written == [], "formgrader has only been looked at"
    with nothing_happens(watch, "the notebook itself, in JupyterLab"):
        page.goto(f"{lab}/lab/tree/autograded/mallory/demo/demo.ipynb")
        page.wait_for_selector(".jp-Notebook .jp-Cell >> nth=5", timeout=90_000)
        page.wait_for_timeout(2000)
    assert all(OF_JUPYTERLAB.search(request) for request in watch.written), watch.written

    pages = [*(course / "feedback").glob("*/demo/*.html"), *(course / "reports" / "demo").glob("*.html")]
    assert {one.name for one in pages} == {"demo.html", "report.html", "alike.html"} and len(pages) >= 4
    for path in pages:
        with nothing_happens(watch, str(path)):
            page.goto(path.as_uri())
            page.wait_for_load_state("load")
            if shots:
                name = f"{path.parents[1].name}-{path.stem}".replace("<", "")
                page.screenshot(path=f"{shots}/{name}.png", full_page=True)
            assert "form-action 'none'; base-uri 'none'" in path.read_text("utf-8")
            assert not re.search(
                r"<(script|form|base|iframe)\b|<meta[^>]*refresh", path.read_text("utf-8"), re.IGNORECASE
            )
            watch.provoke(page)
    assert all_of(course) == before and not taken_over.exists()
