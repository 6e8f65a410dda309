"""A model is tried in JupyterLab: a file, a photo that is dropped or pasted, and a camera that looks on."""

import base64
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pages import WAIT, assert_accessible_everywhere, axe, picture_of

from tl_course import Classifier, ImageSet

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELL = (
    "from tl_course import Classifier\nfrom tl_course.widgets import TryIt\nbox = TryIt(Classifier.load('model'))\nbox"
)
GIVE = """([event, name, type, data]) => {
    const bytes = Uint8Array.from(atob(data), one => one.charCodeAt(0));
    const transfer = new DataTransfer();
    if (name) transfer.items.add(new File([bytes], name, {type}));
    else transfer.setData('text/plain', 'https://example.org/a.jpg');
    const root = document.querySelector('.tlt');
    const options = {bubbles: true, cancelable: true};
    root.dispatchEvent(event === 'paste' ? new ClipboardEvent('paste', {...options, clipboardData: transfer})
                                         : new DragEvent(event, {...options, dataTransfer: transfer}));
}"""


def give(page: Any, event: str, path: Path | None, *, name: str = "") -> None:
    """Drop or paste a file, or with None an address that was copied as text."""
    data = base64.b64encode(path.read_bytes()).decode() if path else ""
    page.evaluate(GIVE, [event, (name or path.name) if path else "", "image/jpeg", data])


def shown(page: Any, name: str) -> None:
    page.locator(".tlt-name", has_text=name).wait_for(timeout=WAIT)


def test_files_photos_and_a_camera_are_answered(
    notebook: Callable[..., Any], model: Classifier, birds: ImageSet, tmp_path: Path
) -> None:
    axe()  # skips where there is none, before the page is made
    model = replace(model, labels=["bird", "evergreen forest"])
    model.save(tmp_path / "model")
    page = notebook(CELL)
    page.locator(".tlt").wait_for(timeout=WAIT)
    photos = [birds.path(one) for one in birds[:3]]

    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a picture").click()
    chooser.value.set_files(str(photos[0]))
    shown(page, photos[0].name)
    (expected,) = model.predict(photos[0])
    assert f"{expected.confidence:.1%}" in page.inner_text(".tlt-bars")
    assert expected.label in page.locator("img.tlt-picture").get_attribute("alt")
    heights = page.eval_on_selector_all(".tlt-bars th span", "all => all.map(one => one.offsetHeight)")
    assert len(heights) == 2 and max(heights) < 30, "a label stands on one line"

    give(page, "drop", photos[1], name="dropped.jpg")
    shown(page, "dropped.jpg")
    give(page, "paste", photos[2], name="pasted.jpg")
    shown(page, "pasted.jpg")
    for event in ("drop", "paste"):
        give(page, event, None)
        page.locator(".tlt .tlb-alert", has_text="no file" if event == "drop" else "no picture to paste").wait_for(
            timeout=WAIT
        )
    (tmp_path / "note.txt").write_text("no picture at all")
    give(page, "drop", tmp_path / "note.txt")
    page.locator(".tlt .tlb-alert", has_text="note.txt").wait_for(timeout=WAIT)
    assert "pasted.jpg" in page.inner_text(".tlt"), "the last answer stays"

    page.get_by_role("button", name="Camera", exact=True).click()
    page.wait_for_function("document.querySelector('.tlt video')?.videoWidth > 0", timeout=WAIT)
    page.locator(".tlt-pace", has_text="frames a second").wait_for(timeout=WAIT)
    assert 0 < float(page.inner_text(".tlt-pace").split("live, ")[1].split()[0]) <= 11
    picture_of(page, ".tlt", "try_it_camera")
    page.get_by_role("button", name="Stop camera").click()
    shown(page, "camera")
    assert page.evaluate("document.querySelector('.tlt video').srcObject === null"), "its light is out"
    assert page.locator(".tlt-pace").inner_text() == ""
    if "TL_COURSE_BROWSER_PYTHON" not in os.environ:  # an older JupyterLab has no room for its own parts on a phone
        assert_accessible_everywhere(page, ".tlt", "try_it", phone_height=1200)

    # A camera does not look on for a kernel that has gone.
    page.get_by_role("button", name="Camera", exact=True).click()
    page.locator(".tlt-pace", has_text="frames a second").wait_for(timeout=WAIT)
    page.click("li.lm-MenuBar-item:has-text('Kernel')")
    page.click(".lm-Menu-item[data-command='kernelmenu:shutdown']")
    page.locator(".tlb-gone", has_text="Not connected").wait_for(timeout=WAIT)
    assert page.evaluate("document.querySelector('.tlt video').srcObject === null")
