"""The data-set builder in JupyterLab: built with the mouse, sorted with the keyboard, read by the kernel."""

import base64
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from pages import WAIT, assert_accessible_everywhere, axe

from tl_course import ImageSet

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def label(page: Any, name: str) -> Any:
    return page.get_by_role("region", name=f"Label {name}")


def shows(page: Any, name: str, count: int) -> None:
    text = f"{count} picture{'s' * (count != 1)}"
    label(page, name).locator(".tlb-count", has_text=text).wait_for(timeout=WAIT)


def choose(page: Any, name: str, files: Sequence[Path]) -> None:
    with page.expect_file_chooser() as chooser:
        label(page, name).get_by_role("button", name="Add files").click()
    chooser.value.set_files([str(path) for path in files])


def drop(page: Any, name: str, files: Sequence[Path]) -> None:
    given = [[path.name, base64.b64encode(path.read_bytes()).decode()] for path in files]
    transfer = page.evaluate_handle(
        """files => {
            const transfer = new DataTransfer();
            for (const [name, data] of files) {
                const bytes = Uint8Array.from(atob(data), letter => letter.charCodeAt(0));
                transfer.items.add(new File([bytes], name));
            }
            return transfer;
        }""",
        given,
    )
    for event in ("dragenter", "dragover", "drop"):
        label(page, name).dispatch_event(event, {"dataTransfer": transfer})


def photograph(page: Any, name: str, seconds: float) -> int:
    """Hold the camera's button and return how many pictures were taken."""
    # An impatient second click, while the browser still asks, opens no second camera that stays on.
    label(page, name).get_by_role("button", name="Camera").evaluate("one => (one.click(), one.click())")
    page.wait_for_function("document.querySelector('.tlb video')?.videoWidth > 0", timeout=WAIT)
    shutter = label(page, name).get_by_role("button", name="Hold to record")
    shutter.hover()
    page.mouse.down()
    page.wait_for_timeout(1000 * seconds)
    page.mouse.up()
    taken = int(label(page, name).locator(".tlb-camera .tlb-muted").inner_text().split()[0])
    label(page, name).get_by_role("button", name="Close camera").click()
    assert page.locator(".tlb video").count() == 0
    return taken


def counts(page: Any) -> dict[str, int]:
    return {
        one.locator(".tlb-name").input_value(): int(one.locator(".tlb-count").inner_text().split()[0])
        for one in page.locator(".tlb-label").all()
    }


@pytest.fixture
def opened(notebook: Callable[..., Any]) -> Callable[..., Any]:
    """Opens a notebook with a builder of the labels "bird" and "forest", and waits for its page."""

    def run(*more: str) -> Any:
        page = notebook(
            "from tl_course.widgets import DatasetBuilder\n"
            "builder = DatasetBuilder('my_birds', labels=['bird', 'forest'])\nbuilder",
            *more,
        )
        page.wait_for_selector(".tlb-label >> nth=1", timeout=WAIT)
        return page

    return run


def test_a_set_is_built_sorted_and_read(opened: Callable[..., Any], birds: ImageSet, tmp_path: Path) -> None:
    paths = {name: [birds.path(one) for one in birds if one.label == name] for name in birds.labels}
    page = opened("print('the kernel has', builder.counts)")
    choose(page, "bird", paths["bird"][:6])
    shows(page, "bird", 6)
    drop(page, "bird", paths["bird"][6:8])
    shows(page, "bird", 8)

    forest = label(page, "forest")
    forest.get_by_label("From").select_option("folder")
    forest.get_by_label("Where").fill(str(birds.root))
    forest.get_by_label("Up to").fill("5")
    forest.get_by_role("button", name="Collect forest").click()
    shows(page, "forest", 5)
    taken = photograph(page, "forest", 2.0)
    assert taken >= 2
    page.wait_for_timeout(1000)
    photographed = counts(page)["forest"] - 5
    assert photographed >= 1, "a fake camera's picture moves"

    # By keyboard alone: into the grid, one picture to label 2, the next one out.
    label(page, "bird").get_by_role("button", name="Camera").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("2")
    shows(page, "bird", 7)
    focused = page.evaluate("document.activeElement.querySelector('img')?.alt ?? ''")
    assert focused == "bird, picture 2 of 7, from upload", "the focus stays where it was"
    page.keyboard.press("x")
    shows(page, "bird", 6)
    page.keyboard.press("End")
    page.keyboard.press("Delete")
    shows(page, "bird", 5)
    page.keyboard.press("u")
    shows(page, "bird", 6)
    assert page.locator(".jp-Notebook .jp-Cell").count() == 2, "no key reached the notebook"

    seen = counts(page)
    assert seen == {"bird": 6, "forest": 6 + photographed}
    page.locator(".jp-CodeCell >> nth=1").locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    page.wait_for_selector(f".jp-OutputArea-output >> text=the kernel has {seen}", timeout=WAIT)
    images = ImageSet.open(tmp_path / "my_birds")
    assert Counter(picture.label for picture in images) == seen
    assert Counter(picture.source for picture in images if picture.label == "forest")["camera"] == photographed

    page.keyboard.press("Control+s")
    page.wait_for_timeout(2000)
    page.reload()
    page.wait_for_selector(".tlb-label >> nth=1", timeout=WAIT)
    page.wait_for_function(
        "[...document.querySelectorAll('.tlb-picture img')].every(one => one.naturalWidth > 0)", timeout=WAIT
    )
    assert counts(page) == seen
    assert page.locator(".tlb-picture").count() == sum(seen.values())


def test_it_is_accessible_in_light_and_dark_and_on_a_phone(opened: Callable[..., Any], birds: ImageSet) -> None:
    axe()  # skips where there is none, before the page is made
    folder = f"builder.set_source('{{0}}', 'folder', where={str(birds.root)!r}, n={{1}}); builder.collect('{{0}}')"
    page = opened(
        folder.format("bird", 20), folder.format("forest", 14), "_ = builder.upload({'a.txt': b'no'}, 'forest')"
    )
    shows(page, "forest", 14)
    page.locator(".tlb-skips:visible").wait_for(timeout=WAIT)
    label(page, "bird").locator(".tlb-picture >> nth=2").click()
    label(page, "forest").get_by_role("button", name="Camera").click()
    page.wait_for_function("document.querySelector('.tlb video')?.videoWidth > 0", timeout=WAIT)
    assert_accessible_everywhere(page, ".tlb", "dataset_builder", phone_height=3200)
