"""A student validates in JupyterLab, an instructor marks in formgrader, both on what is handed out and graded here."""

import csv
import os
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from assignment import SOURCE
from demo_course import SHOUT, SQUARE, WHY, answered, hand_in, make_course

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_student_opens_an_assignment_sees_hints_and_validates(
    lab: str, page: Any, tmp_path: Path, cache: Path, drawn: Path
) -> None:
    from tl_course.cli import main
    from tl_course.variants import draw_variant

    course = tmp_path / "course"
    shutil.copytree(SOURCE / "ps2_cats_and_dogs", course / "source" / "ps2_cats_and_dogs")
    shutil.copy(SOURCE.parent / "nbgrader_config.py", course)
    assert main(["assign", "ps2_cats_and_dogs", "--course", str(course)]) == 0
    handed_out = course / "release" / "ps2_cats_and_dogs" / "ps2_cats_and_dogs.ipynb"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TL_COURSE_CACHE", str(drawn))
        draw_variant("any", "one", pool="cats_dogs", n=10)  # has the pictures drawn
    shutil.copytree(drawn, cache, dirs_exist_ok=True)
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
