"""JupyterLab in a real Chromium: a student makes a mistake."""

from collections.abc import Callable
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]


def test_a_mistake_shows_a_sentence_and_no_traceback(notebook: Callable[..., Any]) -> None:
    page = notebook("from tl_course import ImageSet\nImageSet.open('my_pictrues')")
    output = page.wait_for_selector(".jp-OutputArea-output", timeout=60_000)
    page.wait_for_selector(".jp-OutputArea-output >> text=ImageSetError", timeout=60_000)
    said = output.inner_text()
    assert "my_pictrues" in said
    assert "Traceback" not in said
    assert "imageset.py" not in said
