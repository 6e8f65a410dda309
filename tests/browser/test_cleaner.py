"""The cleaner in JupyterLab: cleaned by keyboard alone, undone after a restart, filtered without losing a thing."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pages import WAIT, assert_accessible_everywhere, axe

from tl_course import ImageSet
from tl_course.backbones import Backbone
from tl_course.features import extract

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELL = "from tl_course.widgets import Cleaner\ncleaner = Cleaner('doors', page_size=12)\ncleaner"


@pytest.fixture
def doors(tmp_path: Path, backbone: Backbone) -> ImageSet:
    """Rendered doors with flaws, their features kept."""
    images = ImageSet.render(
        "doors", tmp_path / "doors", n=60, seed=5, size=224, wrong_labels=0.06, off_topic=0.05, near_duplicates=0.04
    )
    extract([images.path(one) for one in images], backbone, hashes=[one.sha256 for one in images])
    return images


@pytest.fixture
def opened(notebook: Callable[..., Any], doors: ImageSet) -> Callable[..., Any]:
    def run(*more: str, first: str = CELL) -> Any:
        page = notebook(first, *more)
        page.wait_for_selector(".tlc-card >> nth=11", timeout=WAIT)
        pictures_are_there(page)
        return page

    return run


def pictures_are_there(page: Any) -> None:
    page.wait_for_function(
        "[...document.querySelectorAll('.tlc-card img')].every(one => one.complete && one.naturalWidth > 0)",
        timeout=WAIT,
    )


def names(page: Any) -> list[str]:
    return page.eval_on_selector_all(".tlc-card", "cards => cards.map(one => one.dataset.name)")


def focused(page: Any) -> str:
    return page.evaluate("document.activeElement.dataset.name ?? ''")


def tallied(page: Any, text: str) -> None:
    page.locator(".tlc-tally", has_text=text).wait_for(timeout=WAIT)


def turned(page: Any, key: str) -> float:
    """Milliseconds from the key until the other page is there with all its pictures."""
    return page.evaluate(
        """async key => {
            const text = () => document.querySelector('.tlc-pager span').textContent;
            const before = text(), began = performance.now();
            document.querySelector('.tlc-current').dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
            const there = one => one.src && one.complete && one.naturalWidth > 0;
            while (text() === before || ![...document.querySelectorAll('.tlc-card img')].every(there))
                await new Promise(requestAnimationFrame);
            return performance.now() - began;
        }""",
        key,
    )


def into_the_grid(page: Any) -> None:
    page.get_by_role("button", name="Select page").focus()
    page.keyboard.press("Tab")


def test_a_page_is_cleaned_by_keyboard_alone(opened: Callable[..., Any], doors: ImageSet) -> None:
    page = opened("print('unused')")
    shown = names(page)
    into_the_grid(page)
    assert focused(page) == shown[0]
    done = []
    for key in "dk12d21kdk":  # as quick as it goes: no key waits for the kernel
        done.append((focused(page), key))
        page.keyboard.press(key)
    assert [name for name, _ in done] == shown[:10]
    page.keyboard.press("x")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("x")
    page.locator(".tlc-left >> text=2 selected").wait_for(timeout=WAIT)
    page.keyboard.press("Delete")
    tallied(page, "12 looked at")
    assert names(page) == shown, "the page keeps its order"
    page.keyboard.press("u")
    tallied(page, "10 looked at")
    page.keyboard.press("Shift+U")
    tallied(page, "12 looked at")

    # The journal agrees with what was done.
    images = ImageSet.open(doors.root, warn=False)
    label = {one.file_name: one.label for one in doors}
    expected = []
    for name, key in done:
        to = doors.labels[int(key) - 1] if key in "12" else ""
        expected.append((name, {"d": "drop", "k": "keep"}.get(key, "keep" if to == label[name] else "relabel")))
    expected += [(name, "drop") for name in shown[10:]]
    assert [(edit.file_name, edit.action) for edit in images.journal if not edit.undoes] == expected
    assert {one.file_name for one in images.dropped} == {name for name, action in expected if action == "drop"}

    print(f"page turned in {turned(page, 'PageDown'):.0f} ms, with its pictures")
    page.locator(".tlc-pager >> text=page 2 of").wait_for(timeout=WAIT)
    assert not set(names(page)) & set(shown)
    assert focused(page) == names(page)[0]
    page.keyboard.press("?")
    page.get_by_role("region", name="Keys").wait_for(timeout=WAIT)
    assert page.locator(".jp-Notebook .jp-Cell").count() == 2, "no key reached the notebook"


def test_filters_lose_nothing_and_a_restart_can_be_undone_across(opened: Callable[..., Any], doors: ImageSet) -> None:
    page = opened()
    into_the_grid(page)
    page.keyboard.press("d")
    page.keyboard.press("k")
    tallied(page, "2 looked at")
    page.keyboard.press("ArrowRight")
    here = focused(page)
    show, label = page.locator(".tlc-filters select >> nth=0"), page.locator(".tlc-filters select >> nth=1")
    show.select_option("dropped")
    page.locator(".tlc-pager >> text=1 picture").wait_for(timeout=WAIT)
    show.select_option("all")
    page.locator(".tlc-pager >> text=60 pictures").wait_for(timeout=WAIT)
    assert page.locator(".tlc-current").get_attribute("data-name") == here, "the focus comes back"
    for value in ("open", "closed", "all"):
        label.select_option(value)
    page.locator(".tlc-filters select >> nth=2").select_option("valid")
    page.wait_for_function(
        "[...document.querySelectorAll('.tlc-card')].every(one => !one.querySelector('.tlc-split').hidden)",
        timeout=WAIT,
    )
    tallied(page, "2 looked at")
    assert [edit.action for edit in ImageSet.open(doors.root, warn=False).journal] == ["drop", "keep"]

    page.click("li.lm-MenuBar-item:has-text('Run')")
    page.click(".lm-Menu-item[data-command='runmenu:restart-and-run-all']")
    page.click(".jp-Dialog button.jp-mod-accept")
    page.wait_for_function("!document.querySelector('.tlc-card')", timeout=WAIT)
    page.wait_for_selector(".tlc-card >> nth=11", timeout=WAIT)
    tallied(page, "2 looked at")
    into_the_grid(page)
    page.keyboard.press("u")
    tallied(page, "1 looked at · 0 relabelled · 1 dropped · 0 kept")
    page.keyboard.press("u")
    tallied(page, "0 looked at")
    images = ImageSet.open(doors.root, warn=False)
    assert [edit.action for edit in images.journal] == ["drop", "keep", "keep", "restore"]
    assert list(images) == list(doors)


def test_it_is_accessible_in_light_and_dark_and_on_a_phone(opened: Callable[..., Any]) -> None:
    axe()  # skips where there is none, before the page is made
    page = opened()
    into_the_grid(page)
    for key in "d1k2":
        page.keyboard.press(key)
    tallied(page, "4 looked at")
    page.keyboard.press("x")
    page.locator(".tlc-view").wait_for(timeout=WAIT)
    page.get_by_role("button", name="Keys ?").click()
    page.get_by_role("button", name="Report").click()
    page.locator(".tlc-panel td >> nth=0").wait_for(timeout=WAIT)
    assert_accessible_everywhere(page, ".tlc", "cleaner", phone_height=3600)
