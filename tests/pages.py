"""What the tests of several pages in JupyterLab share."""

import os
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

WAIT = 60_000  # milliseconds; two cores may have much to do


def axe() -> Path:
    """Where axe-core lies: what ``TL_COURSE_AXE`` names, from npm, or from the package that brings it."""
    places = [Path(os.environ.get("TL_COURSE_AXE", "axe.min.js")), Path("node_modules/axe-core/axe.min.js")]
    if (found := find_spec("axe_playwright_python")) and found.origin:
        places += Path(found.origin).parent.rglob("axe.min.js")
    for place in places:
        if place.is_file():
            return place
    pytest.skip("axe-core is not here: npm install axe-core, or let TL_COURSE_AXE name its axe.min.js")


def use_theme(page: Any, theme: str) -> None:
    page.click("li.lm-MenuBar-item:has-text('Settings')")
    page.hover(".lm-Menu-item:has-text('Theme')")
    page.click(f".lm-Menu-item[data-command='apputils:change-theme']:has-text('{theme}')")
    chosen = f"body[data-jp-theme-light='{str(theme.endswith('Light')).lower()}']"
    page.wait_for_selector(chosen, state="attached", timeout=WAIT)
