"""What all widgets share: their pages need nothing from elsewhere, and every one has a still view."""

import re
from pathlib import Path

import pytest

import tl_course.widgets
from tl_course.widgets.look import Page

FOLDER = Path(tl_course.widgets.__file__).parent


@pytest.mark.parametrize("file", sorted(file.name for kind in ("js", "css") for file in FOLDER.glob(f"*.{kind}")))
def test_a_page_needs_nothing_from_elsewhere(file: str) -> None:
    text = (FOLDER / file).read_text(encoding="utf-8")
    assert set(re.findall(r"https?://[^\s\"')]+", text)) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(\s*[\"']?//|\bimport\s*[({\"']|\bfetch\(|new WebSocket|importScripts", text)


def test_every_widget_is_a_page_with_a_still_view() -> None:
    for name in tl_course.widgets.__all__:
        widget = getattr(tl_course.widgets, name)
        assert issubclass(widget, Page)
        assert widget._still is not Page._still or widget._repr_mimebundle_ is not Page._repr_mimebundle_
        assert isinstance(str(widget._esm), str) and "export default" in str(widget._esm)
