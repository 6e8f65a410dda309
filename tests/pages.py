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


def picture_of(page: Any, root: str, name: str) -> None:
    """A screenshot of the widget where somebody wants to look at it: ``TL_COURSE_SCREENSHOTS`` names the folder."""
    if folder := os.environ.get("TL_COURSE_SCREENSHOTS"):
        page.locator(root).screenshot(path=str(Path(folder) / f"{name}.png"))


def let_axe_in(page: Any) -> None:
    """Load axe into a JupyterLab, and let it see all: what is on a page of no size it takes for hidden."""
    page.evaluate(axe().read_text(encoding="utf-8"))
    page.add_style_tag(content="body { width: 100vw; height: 100vh; }")


def assert_accessible(page: Any, root: str) -> None:
    """axe finds nothing serious in the widget at `root`, and has seen its colours."""
    found = page.evaluate("root => axe.run(document.querySelector(root))", root)
    grave = [
        f"{one['id']}: {one['help']} {[node['html'][:120] for node in one['nodes']]}"
        for one in found["violations"]
        if one["impact"] in ("serious", "critical")
    ]
    assert not grave, "\n".join(grave)
    contrast = [node["any"] for one in found["passes"] if one["id"] == "color-contrast" for node in one["nodes"]]
    assert sum("contrastRatio" in str(checks) for checks in contrast) > 5, "axe saw colours"


def assert_accessible_everywhere(page: Any, root: str, name: str, *, phone_height: int) -> None:
    """The widget is accessible and sticks out nowhere, light and dark, wide and on a phone of so many pixels' height.

    That height has to show all of it: axe judges no colour that it cannot see.
    """
    let_axe_in(page)
    page.click(".jp-SideBar.jp-mod-left .lm-TabBar-tab.lm-mod-current")  # a phone has no room for the list of files
    for theme in ("JupyterLab Light", "JupyterLab Dark"):
        use_theme(page, theme)
        for width, height in ((1200, 1600), (360, phone_height)):
            page.set_viewport_size({"width": width, "height": height})
            page.wait_for_timeout(1000)
            room = page.locator(root).evaluate("one => [one.clientWidth, one.scrollWidth]")
            assert 200 < room[0] <= width and room[1] <= room[0], "nothing sticks out"
            assert_accessible(page, root)
            picture_of(page, root, f"{name}_{theme.split()[1].lower()}_{width}")
        page.set_viewport_size({"width": 1200, "height": 1000})
