"""The consistency check in JupyterLab, by keyboard alone."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pages import WAIT, assert_accessible, let_axe_in, picture_of, use_theme

from tl_course import ImageSet
from tl_course.cleaning.agreement import read_answers

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELL = """from tl_course import ImageSet
from tl_course.widgets import Consistency
images = ImageSet.open('own')
check = Consistency(images, pictures=images[:3], who='Ada', rule='A bird is a bird, even behind a branch.')
check"""


def place(page: Any, text: str) -> None:
    page.locator(".tlk .tlb-head", has_text=text).wait_for(timeout=WAIT)


def test_pictures_are_judged_twice_by_keyboard_alone(
    notebook: Callable[..., Any], birds_folder: Path, tmp_path: Path
) -> None:
    shutil.copytree(birds_folder, tmp_path / "own")
    images = ImageSet.open(tmp_path / "own")
    page = notebook(CELL)
    place(page, "1 of 6")
    page.wait_for_function("document.querySelector('.tlk-picture')?.naturalWidth > 0", timeout=WAIT)
    let_axe_in(page)

    picture_of(page, ".tlk", "consistency_asking")
    assert_accessible(page, ".tlk")
    page.locator(".tlk").focus()
    page.keyboard.press("1")
    place(page, "2 of 6")
    page.keyboard.press("u")
    place(page, "1 of 6")
    for number, key in enumerate("112222", start=2):
        page.keyboard.press(key)
        place(page, f"{number} of 6" if number < 7 else "all 6 answered")
    page.locator(".tlk-lines", has_text="kappa").wait_for(timeout=WAIT)
    page.wait_for_function("[...document.querySelectorAll('.tlk-contradictions img')].length >= 1", timeout=WAIT)
    assert page.evaluate("document.activeElement.classList.contains('tlk')"), "the focus is not lost"
    assert page.locator(".jp-Notebook .jp-Cell").count() == 1, "no key reached the notebook"
    picture_of(page, ".tlk", "consistency_done")
    assert_accessible(page, ".tlk")
    labels = [one.label for one in read_answers(tmp_path / "own" / "answers.jsonl") if one.series]
    assert labels == [images.labels[int(key) - 1] for key in "112222"]

    page.get_by_label("The rule").fill("Anything with a beak.")
    page.get_by_label("Who").fill("Bo")
    page.keyboard.press("Enter")
    place(page, "1 of 6")
    assert images.rule == "Anything with a beak."
    use_theme(page, "JupyterLab Dark")
    page.click(".jp-SideBar.jp-mod-left .lm-TabBar-tab.lm-mod-current")  # a phone has no room for the list of files
    page.set_viewport_size({"width": 420, "height": 1200})
    page.wait_for_timeout(1000)
    room = page.locator(".tlk").evaluate("one => [one.clientWidth, one.scrollWidth]")
    assert 200 < room[0] <= 420 and room[1] <= room[0], "nothing sticks out"
    picture_of(page, ".tlk", "consistency_dark_phone")
    assert_accessible(page, ".tlk")
