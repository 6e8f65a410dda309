"""The live curves in JupyterLab: clicked while a cell trains."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from pages import WAIT, assert_accessible_everywhere, axe

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LEARNER = """import time, warnings
import torch
warnings.simplefilter('ignore')
from fastai.callback.core import Callback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.metrics import accuracy
from tl_course.widgets import LiveCurves

class Slow(Callback):
    def before_batch(self):
        time.sleep(0.08 * self.training)

def learner(seed=0):
    torch.manual_seed(seed)
    x = torch.randn(96, 8)
    items = list(zip(x, (x.sum(1) + torch.randn(96) > 0).long()))
    dls = DataLoaders.from_dsets(items[:64], items[64:], bs=8, device='cpu', num_workers=0)
    learn = Learner(dls, torch.nn.Linear(8, 2), loss_func=torch.nn.CrossEntropyLoss(), metrics=accuracy, cbs=Slow())
    learn.logger = lambda row: None
    return learn

live = LiveCurves()
live"""

WATCH = """() => {
    const root = document.querySelector('.tlv');
    const seen = window.seen = {root, removed: 0, heights: new Set()};
    new MutationObserver(changes => {
        for (const one of changes) seen.removed += [...one.removedNodes].filter(node => node.nodeType === 1).length;
    }).observe(root, {subtree: true, childList: true});
    new ResizeObserver(() => seen.heights.add(root.querySelector('.tlv-plots').clientHeight)).observe(root);
}"""


def drawn(page: Any) -> int:
    """How many points of the training losses are drawn."""
    thin = page.locator(".tlv-chart >> nth=0").locator("path.tlv-thin")
    paths = thin.evaluate_all("all => all.map(one => one.getAttribute('d'))")
    return sum(path.count("L") + path.count("M") for path in paths if path)


def said(page: Any, run: str) -> str:
    return str(page.locator(".tlv-legend li", has_text=run).inner_text())


def busy(page: Any) -> bool:
    return bool(page.locator(".jp-InputArea-prompt", has_text="[*]").count())


def wait_for(condition: Callable[[], bool], page: Any, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come"
        page.wait_for_timeout(50)


TRAIN = "learner().fit({}, lr=0.03, cbs=live.callback({!r}))\nprint('ended after', len(live.histories[{!r}].epochs))"


def trains(epochs: int, name: str) -> str:
    return TRAIN.format(epochs, name, name)


def test_clicks_reach_a_cell_that_trains_and_the_figure_outlives_it(
    notebook: Callable[..., Any], tmp_path: Path
) -> None:
    axe()  # skips where there is none, before the page is made
    page = notebook(LEARNER, trains(2, "from scratch"), trains(40, "fine-tune"))
    page.locator(".tlv-legend li", has_text="from scratch").wait_for(timeout=WAIT)
    page.evaluate(WATCH)
    page.locator(".tlv-legend li", has_text="fine-tune").wait_for(timeout=WAIT)
    counts: list[int] = []
    while len(counts) < 5:
        counts.append(drawn(page))
        assert busy(page)
        page.wait_for_timeout(400)
    assert counts == sorted(counts) and len(set(counts)) >= 4, "points arrive while it trains"

    page.get_by_role("button", name="Pause").click()
    page.locator(".tlv-legend li", has_text="paused").wait_for(timeout=3000)
    before = drawn(page), said(page, "fine-tune")
    page.wait_for_timeout(1200)
    assert (drawn(page), said(page, "fine-tune")) == before and busy(page), "it waits, and so does the cell"
    page.get_by_role("button", name="Resume").click()
    wait_for(lambda: drawn(page) > before[0] + 2, page)
    page.get_by_label("Keep the best").check()
    page.get_by_label("Curves by").select_option("seconds")
    page.locator(".tlv-unit >> nth=0").filter(has_text="seconds of training").wait_for(timeout=3000)

    page.get_by_role("button", name="Stop after this epoch").click()
    outputs = page.locator(".jp-OutputArea-output", has_text="ended after")
    wait_for(lambda: outputs.count() == 2, page, 10)
    assert 1 <= int(outputs.nth(1).inner_text().split()[-1]) < 20
    page.locator(".tlv-legend li", has_text="stopped").wait_for(timeout=3000)
    seen = page.evaluate("[seen.root === document.querySelector('.tlv'), seen.removed, seen.heights.size]")
    assert seen == [True, 0, 1], "nothing was taken away, built anew or moved"
    assert page.get_by_role("button", name="Pause").is_disabled()

    page.get_by_text("All numbers as a table").click()
    page.locator(".tlv tbody th", has_text="fine-tune").first.wait_for(timeout=3000)
    pictures = page.locator(".jp-OutputArea-output img")
    assert pictures.count() >= 2 and not pictures.first.is_visible(), "one figure is enough"
    assert_accessible_everywhere(page, ".tlv", "live_curves", phone_height=2400)

    points = drawn(page)
    page.keyboard.press("Control+s")
    page.click("li.lm-MenuBar-item:has-text('Kernel')")
    page.click(".lm-Menu-item[data-command='kernelmenu:shutdown']")
    page.locator("#jp-main-statusbar >> text=/No Kernel/").wait_for(timeout=WAIT)
    assert drawn(page) == points and page.locator(".tlv").is_visible()

    saved = nbformat.read(tmp_path / "notebook.ipynb", as_version=4)
    assert "fine-tune: epoch" in saved.cells[0].outputs[-1].data["text/html"], "what opens without a kernel has it too"
    assert saved.cells[0].outputs[-1].data["text/html"].count("data:image/png;base64,") == 2
