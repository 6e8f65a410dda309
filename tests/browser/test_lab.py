"""JupyterLab in a real Chromium: a student opens a notebook, runs it and clicks."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tl_course import ImageSet, train
from tl_course.backbones import Backbone

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def choose(page: Any, path: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.click(".jp-OutputArea-output button:has-text('Choose a picture')")
    chooser.value.set_files(str(path))


def test_a_picture_dropped_in_is_answered(
    notebook: Callable[..., Any], birds: ImageSet, backbone: Backbone, tmp_path: Path
) -> None:
    train(birds).save(tmp_path / "model")
    picture = birds.path(birds[0])
    (expected,) = train(birds).predict(picture)

    page = notebook(
        "from tl_course import Classifier\nfrom tl_course.widgets import TryIt\n"
        f"box = TryIt(Classifier.load({str(tmp_path / 'model')!r}))\nbox"
    )
    page.wait_for_selector(".jp-OutputArea-output button:has-text('Choose a picture')", timeout=60_000)
    choose(page, picture)
    page.wait_for_selector(f".jp-OutputArea-output img[alt*='{expected.label}']", timeout=60_000)
    assert f"{expected.confidence:.1%}" in page.inner_text(".jp-OutputArea-output table")
    (tmp_path / "note.txt").write_text("no picture at all")
    choose(page, tmp_path / "note.txt")
    page.wait_for_selector(".jp-OutputArea-output [role=alert]", timeout=60_000)
    if folder := os.environ.get("TL_COURSE_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / "try_it.png"))


def test_a_mistake_shows_a_sentence_and_no_traceback(notebook: Callable[..., Any]) -> None:
    page = notebook("from tl_course import ImageSet\nImageSet.open('my_pictrues')")
    output = page.wait_for_selector(".jp-OutputArea-output", timeout=60_000)
    page.wait_for_selector(".jp-OutputArea-output >> text=ImageSetError", timeout=60_000)
    said = output.inner_text()
    assert "my_pictrues" in said
    assert "Traceback" not in said
    assert "imageset.py" not in said
