"""The data-set builder in JupyterLab: built, sorted, trained and tried with mouse and keys, read by the kernel."""

import base64
import shutil
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
    text = f"{count} image{'s' * (count != 1)}"
    label(page, name).locator(".tlb-count", has_text=text).wait_for(timeout=WAIT)


def says(page: Any, name: str, text: str) -> None:
    label(page, name).locator(".tlb-news", has_text=text).wait_for(timeout=WAIT)


def image(page: Any, name: str, place: int) -> Any:
    return label(page, name).locator(".tlb-image").nth(place)


def selected(page: Any, name: str) -> list[int]:
    """Places of the selected images."""
    options = label(page, name).locator(".tlb-image").all()
    return [place for place, one in enumerate(options) if one.get_attribute("aria-selected") == "true"]


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
    taken = int(label(page, name).locator(".tlb-taken").inner_text().split()[0])
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
    drop(page, "bird", paths["bird"][5:8])
    shows(page, "bird", 8)
    says(page, "bird", "2 new images for 'bird'. 1 passed over: already there")

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
    label(page, "bird").locator("summary").focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("2")
    shows(page, "bird", 7)
    focused = page.evaluate("document.activeElement.querySelector('img')?.alt ?? ''")
    assert focused == "bird, image 2 of 7, from upload", "the focus stays where it was"
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
    assert Counter(image.label for image in images) == seen
    assert Counter(image.source for image in images if image.label == "forest")["camera"] == photographed

    page.keyboard.press("Control+s")
    page.wait_for_timeout(2000)
    page.reload()
    page.wait_for_selector(".tlb-label >> nth=1", timeout=WAIT)
    page.wait_for_function(
        "[...document.querySelectorAll('.tlb-image img')].every(one => one.naturalWidth > 0)", timeout=WAIT
    )
    assert counts(page) == seen
    assert page.locator(".tlb-image").count() == sum(seen.values())


@pytest.fixture
def filled(opened: Callable[..., Any], birds: ImageSet) -> Callable[..., Any]:
    """Opens a notebook with a builder that has 12 birds and 10 forests already."""

    def run(*more: str) -> Any:
        folder = f"builder.set_source('{{0}}', 'folder', where={str(birds.root)!r}); builder.collect('{{0}}', {{1}})"
        page = opened(folder.format("bird", 12), folder.format("forest", 10), *more)
        shows(page, "forest", 10)
        image(page, "forest", 9).locator("img[src]").wait_for(timeout=WAIT)
        page.click(".jp-SideBar.jp-mod-left .lm-TabBar-tab.lm-mod-current")
        return page

    return run


def test_what_is_typed_wrong_is_said_beside_the_field(filled: Callable[..., Any]) -> None:
    page = filled()
    forest, bird = label(page, "forest"), label(page, "bird")
    number, collect = forest.get_by_label("Up to"), forest.get_by_role("button", name="Collect forest")
    for wrong in ("0", "-3", "2.5", "", "1e3", "ten", "10001", "99999999999999999999", "1,0", "\u0660", "1 2"):
        number.fill(wrong)
        forest.locator(".tlb-wrong", has_text="Write a whole number from 1 to 10,000.").wait_for(timeout=WAIT)
        assert collect.is_disabled() and number.input_value() == wrong, "not replaced by the one before"
        assert number.get_attribute("aria-invalid") == "true"
    assert bird.get_by_role("button", name="Collect bird").is_enabled(), "the other label is none of its business"
    page.keyboard.press("Tab")
    assert number.input_value() == "1 2"
    for good, means in (("12 ", 12), ("\uff11\uff13", 13), ("\u0661\u0664", 14), ("1,015", 1015), ("0011", 11)):
        number.fill(good)
        page.keyboard.press("Tab")
        page.wait_for_function("n => document.querySelectorAll('.tlb-number')[1].value === String(n)", arg=means)
        assert collect.is_enabled()
    collect.click()
    shows(page, "forest", 11)
    says(page, "forest", "1 new image for 'forest'.")

    bird.get_by_label("From").select_option("rendered")
    bird.get_by_label("Draw").fill("giraffe")
    bird.locator(".tlb-wrong", has_text="no drawn images of “giraffe”").wait_for(timeout=WAIT)
    assert bird.get_by_role("button", name="Collect bird").is_disabled()
    bird.get_by_label("From").select_option("folder")
    bird.get_by_label("Where").fill("")
    bird.locator(".tlb-wrong", has_text="Write the path of a folder.").wait_for(timeout=WAIT)

    new = page.get_by_label("New label")
    for wrong, text in (
        ("forest", "already"),
        ("FOREST", "differs in case"),
        (" bird ", "already"),
        ("x" * 90, "at most 80"),
    ):
        new.fill(wrong)
        page.keyboard.press("Enter")
        page.locator(".tlb-add .tlb-wrong", has_text=text).wait_for(timeout=WAIT)
        assert new.input_value() == wrong
    new.fill(" باب / 🚪 ")
    page.keyboard.press("Enter")
    label(page, "باب / 🚪").wait_for(timeout=WAIT)
    assert new.input_value() == "" and page.locator(".tlb-label").count() == 3
    name = bird.get_by_label("Name of label 1")
    name.fill("Forest")
    page.keyboard.press("Enter")
    bird.locator(".tlb-wrong", has_text="differs in case").wait_for(timeout=WAIT)
    page.keyboard.press("Escape")


def test_several_are_selected_moved_enlarged_and_brought_back(filled: Callable[..., Any]) -> None:
    page = filled()
    image(page, "bird", 1).click()
    image(page, "bird", 4).click(modifiers=["Control"])
    image(page, "bird", 6).click(modifiers=["Shift"])
    assert selected(page, "bird") == [1, 4, 5, 6]
    corner, last = image(page, "bird", 0).bounding_box(), image(page, "bird", 2).bounding_box()
    page.mouse.move(corner["x"] - 6, corner["y"] - 2)  # beside the images begins a frame
    page.mouse.down()
    page.mouse.move(last["x"] + 20, last["y"] + 20, steps=5)
    page.mouse.up()
    assert selected(page, "bird") == [0, 1, 2]
    image(page, "forest", 0).click()
    assert selected(page, "bird") == [], "one label's images at a time"

    image(page, "bird", 2).click()
    page.keyboard.press("Shift+ArrowRight")
    image(page, "bird", 3).drag_to(label(page, "forest").locator(".tlb-how"))
    shows(page, "forest", 12)
    says(page, "bird", "2 images moved to 'forest'.")
    page.keyboard.press("u")
    shows(page, "forest", 10)
    says(page, "bird", "Undone: 2 images as before.")
    image(page, "bird", 0).click()
    page.keyboard.press("Control+a")
    assert len(selected(page, "bird")) == 12
    page.keyboard.press("Escape")
    page.keyboard.press("Control+ArrowRight")
    page.keyboard.press("Control+Space")
    page.keyboard.press("Shift+ArrowRight")
    assert selected(page, "bird") == [1, 2]
    page.keyboard.press("2")
    shows(page, "bird", 10)
    page.keyboard.press("Control+z")
    shows(page, "bird", 12)

    image(page, "bird", 3).dblclick()
    large = page.get_by_role("dialog", name="One image, large")
    large.locator(".tlb-caption", has_text="4 of 12 · bird").wait_for(timeout=WAIT)
    page.wait_for_function("document.querySelector('.tlb-stage img').naturalWidth === 128", timeout=WAIT)
    page.keyboard.press("ArrowRight")
    large.locator(".tlb-caption", has_text="5 of 12").wait_for(timeout=WAIT)
    page.keyboard.press("x")
    large.locator(".tlb-caption", has_text="5 of 11").wait_for(timeout=WAIT)
    page.keyboard.press("Escape")
    large.wait_for(state="hidden", timeout=WAIT)
    assert page.evaluate("document.activeElement.querySelector('img')?.alt ?? ''").startswith("bird, image 5 of 11")
    page.keyboard.press("Space")
    large.wait_for(timeout=WAIT)
    page.keyboard.press("Space")
    large.wait_for(state="hidden", timeout=WAIT)
    assert page.locator(".jp-Notebook .jp-Cell").count() == 3, "no key reached the notebook"


def test_a_model_is_trained_and_tried_the_set_downloaded_and_the_kernel_restarted(
    filled: Callable[..., Any], birds: ImageSet, birds_known: Path, cache: Path, tmp_path: Path
) -> None:
    shutil.copytree(birds_known, cache, dirs_exist_ok=True)
    page = filled("print('model:', builder.train(wait=False))")
    training = page.get_by_role("region", name="Training")
    training.locator(".tlb-result", has_text="of 22 images that it had not learned from").wait_for(timeout=WAIT)
    training.get_by_role("button", name="Try the camera").click()
    page.wait_for_function("document.querySelectorAll('.tlb-answer .tlb-best').length === 1", timeout=WAIT)
    training.get_by_role("button", name="Close camera").click()
    assert page.locator(".tlb video").count() == 0
    with page.expect_file_chooser() as chooser:
        training.get_by_role("button", name="Try a photo").click()
    photo = next(birds.path(one) for one in birds if one.label == "forest")
    chooser.value.set_files(str(photo))
    training.locator(".tlb-view img").wait_for(timeout=WAIT)
    page.wait_for_function("document.querySelectorAll('.tlb-answer li').length === 2", timeout=WAIT)
    shares = [int(text.rstrip("%")) for text in training.locator(".tlb-share").all_inner_texts()]
    assert 99 <= sum(shares) <= 101

    image(page, "bird", 0).click()
    page.keyboard.press("x")
    training.get_by_text("The images have changed since").wait_for(timeout=WAIT)
    training.get_by_role("button", name="Train again").click()
    training.locator(".tlb-result", has_text="of 21 images").wait_for(timeout=WAIT)
    for place in range(9):
        image(page, "forest", 9 - place).click()
        page.keyboard.press("Delete")
        shows(page, "forest", 9 - place)
    training.get_by_role("button", name="Train again").click()
    training.locator(".tlb-trouble", has_text="There is 1 of 'forest': it takes 3 of each label").wait_for(timeout=WAIT)

    with page.expect_download(timeout=WAIT) as download:
        page.get_by_role("button", name="Download zip").click()
    assert download.value.suggested_filename == "my_birds.zip"
    download.value.save_as(tmp_path / "taken.zip")
    assert len(ImageSet.open(tmp_path / "taken.zip")) == 12

    training.get_by_role("button", name="Try the camera").click()
    page.wait_for_function("document.querySelector('.tlb video')?.videoWidth > 0", timeout=WAIT)
    page.click("li.lm-MenuBar-item:has-text('Kernel')")
    page.click(".lm-Menu-item[data-command='kernelmenu:restart']")
    page.click(".jp-Dialog button.jp-mod-warn, .jp-Dialog button.jp-mod-accept")
    page.locator(".tlb-gone", has_text="Not connected, run the cell again").wait_for(timeout=WAIT)
    page.wait_for_function("!document.querySelector('.tlb video')", timeout=WAIT)  # no camera looks on
    for name in ("Collect bird", "Train again", "Download zip", "Undo", "Add label"):
        assert page.get_by_role("button", name=name, exact=True).is_disabled()


def test_it_is_accessible_in_light_and_dark_and_on_a_phone(opened: Callable[..., Any], birds: ImageSet) -> None:
    axe()  # skips where there is none, before the page is made
    folder = f"builder.set_source('{{0}}', 'folder', where={str(birds.root)!r}, n={{1}}); builder.collect('{{0}}')"
    page = opened(
        folder.format("bird", 20), folder.format("forest", 14), "_ = builder.upload({'a.txt': b'no'}, 'forest')"
    )
    shows(page, "forest", 14)
    page.locator(".tlb-skips:visible").wait_for(timeout=WAIT)
    label(page, "bird").locator(".tlb-image >> nth=2").click()
    label(page, "forest").get_by_role("button", name="Camera").click()
    page.wait_for_function("document.querySelector('.tlb video')?.videoWidth > 0", timeout=WAIT)
    assert_accessible_everywhere(page, ".tlb", "dataset_builder", phone_height=3200)
