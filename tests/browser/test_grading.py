"""A student validates in JupyterLab, an instructor marks in formgrader, both on what is handed out and graded here."""

import csv
from pathlib import Path
from typing import Any

import pytest
from demo_course import SHOUT, SQUARE, WHY, answered, hand_in, make_course

pytestmark = [pytest.mark.browser, pytest.mark.slow]


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
