"""All widgets on one page of JupyterLab: live, while the kernel is busy, after it has gone, and without any."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from pages import WAIT, picture_of, use_theme

from tl_course import Classifier, ImageSet
from tl_course.cleaning.agreement import read_answers
from tl_course.notebooks.page import to_html

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ROOTS = {
    "TryIt": ".tlt",
    "Consistency": ".tlk",
    "Cleaner": ".tlc",
    "DatasetBuilder": ".tlb:has(.tlb-add)",
    "LiveCurves": ".tlv",
}
FAST = """import torch
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.metrics import accuracy
x = torch.randn(64, 8)
items = list(zip(x, (x.sum(1) > 0).long()))
dls = DataLoaders.from_dsets(items, items, bs=16, device='cpu', num_workers=0)
learn = Learner(dls, torch.nn.Linear(8, 2), loss_func=torch.nn.CrossEntropyLoss(), metrics=accuracy)
learn.logger = lambda row: None
learn.fit(3, cbs=live.callback('fast'))"""
CELLS = [
    "from tl_course import Classifier, ImageSet\nfrom tl_course.widgets import *\nTryIt(Classifier.load('model'))",
    "Consistency(ImageSet.open('own'), pictures=ImageSet.open('own')[:3], who='Ada')",
    "Cleaner('own', page_size=4)",
    "DatasetBuilder('mine', labels=['bird'])",
    "live = LiveCurves()\nlive",
    FAST,
    "import time\ntime.sleep(15)\nprint('done')",
]
# Where each widget is: its page and its still view, as far as they can be seen.
SEEN = """roots => {
    const visible = node => node && node.checkVisibility() && node.getBoundingClientRect().height > 8;
    const notebook = document.querySelector('.jp-Notebook, main');
    return {
        live: Object.entries(roots).filter(([, root]) => visible(document.querySelector(root))).map(([name]) => name),
        still: [...document.querySelectorAll("[class^='tl-still-']")].filter(visible).length,
        off: document.querySelectorAll('.tlb-off').length,
        troubles: notebook.innerText.split('\\n').filter(line => /Error|Traceback|not found|Loading widget/.test(line)),
    };
}"""


def seen(page: Any) -> dict[str, Any]:
    return page.evaluate(SEEN, ROOTS)


def wait_until(page: Any, **wanted: Any) -> None:
    for _ in range(120):
        page.wait_for_timeout(500)
        now = seen(page)
        if all(now[key] == value for key, value in wanted.items()):
            return
    pytest.fail(f"{now} is not {wanted}")


def menu(page: Any, name: str, command: str) -> None:
    page.click(f"li.lm-MenuBar-item:has-text('{name}')")
    page.click(f".lm-Menu-item[data-command='{command}']")


def save(page: Any, path: Path) -> Any:
    page.wait_for_timeout(2500)  # the still views follow when no click has come for a moment
    page.keyboard.press("Control+s")
    page.wait_for_timeout(1500)
    return nbformat.read(path, as_version=4)


@pytest.fixture
def widgets(notebook: Callable[..., Any], model: Classifier, birds_folder: Path, tmp_path: Path) -> Any:
    model.save(tmp_path / "model")
    shutil.copytree(birds_folder, tmp_path / "own")
    page = notebook(*CELLS)
    page.set_viewport_size({"width": 1200, "height": 4200})  # JupyterLab renders what is in view
    wait_until(page, live=list(ROOTS), still=0)
    return page


def use_each(page: Any, birds: ImageSet) -> None:
    """Each does what it is for."""
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a picture").click()
    chooser.value.set_files(str(birds.path(birds[0])))
    page.locator(".tlt-name", has_text=Path(birds[0].file_name).name).wait_for(timeout=WAIT)
    page.locator(".tlk").focus()
    page.keyboard.press("1")
    page.locator(".tlk .tlb-head", has_text="2 of 6").wait_for(timeout=WAIT)
    page.locator(".tlc-card").first.click()
    page.keyboard.press("k")
    page.locator(".tlc-tally", has_text="1 looked at").wait_for(timeout=WAIT)
    page.get_by_placeholder("such as cat").fill("forest")
    page.keyboard.press("Enter")
    page.get_by_label("Name of label 2").wait_for(timeout=WAIT)
    page.locator(".tlv-legend li", has_text="epoch 3").wait_for(timeout=WAIT)


def test_all_widgets_live_and_without_a_kernel(
    widgets: Any, birds: ImageSet, at: Callable[[str], str], tmp_path: Path
) -> None:
    page = widgets
    # While a cell runs, clicks wait: nothing is taken for dead.
    page.wait_for_timeout(11_000)
    assert seen(page) == {"live": list(ROOTS), "still": 0, "off": 0, "troubles": []}
    page.locator(".jp-OutputArea-output pre", has_text="done").wait_for(timeout=WAIT)

    use_each(page, birds)
    assert len(read_answers(tmp_path / "own" / "answers.jsonl")) == 1

    # Another page on the same kernel has it all, the run that was over in no time too.
    save(page, tmp_path / "notebook.ipynb")
    page.reload()
    page.locator(".tlv-legend li", has_text="epoch 3").wait_for(timeout=WAIT)
    wait_until(page, live=list(ROOTS), still=0, off=0, troubles=[])
    page.locator(".tlt-name", has_text=Path(birds[0].file_name).name).wait_for(timeout=WAIT)
    line = page.locator(".tlv-chart >> nth=0").locator("path.tlv-thin").get_attribute("d")
    assert line.count("L") + line.count("M") == 12, "a point for each batch of 3 epochs"
    for theme in ("JupyterLab Dark", "JupyterLab Light"):
        use_theme(page, theme)
        picture_of(page, ".jp-Notebook", f"widgets_{theme.split()[1].lower()}")

    # The kernel is restarted: all say so, and none can be clicked.
    saved = save(page, tmp_path / "notebook.ipynb")
    menu(page, "Kernel", "kernelmenu:restart")
    page.click(".jp-Dialog button:has-text('Restart')")
    wait_until(page, live=list(ROOTS), still=0, off=5)
    assert page.locator(".tlb-gone", has_text="run the cell again").count() == 5
    assert page.locator(".tlb :is(button, input, select):enabled").count() == 0
    page.locator(".tlk").focus()
    page.keyboard.press("1")
    page.keyboard.press("x")
    assert page.locator(".jp-Notebook .jp-Cell").count() == len(CELLS), "no key reached the notebook"
    picture_of(page, ".jp-Notebook", "widgets_gone")

    # What was saved shows each widget once, as it was at last, in whatever opens it.
    stills = ["".join(str(output.data.get("text/html", "")) for output in cell.outputs) for cell in saved.cells[:5]]
    for still, word in zip(
        stills, (Path(birds[0].file_name).name, "5 of 6", "1 looked at", "forest", "fast: epoch 3"), strict=True
    ):
        assert word in still
    assert (tmp_path / "notebook.ipynb").stat().st_size < 400_000
    (tmp_path / "page.html").write_text(to_html(saved, title="all widgets"), encoding="utf-8")
    page.goto((tmp_path / "page.html").as_uri())
    assert seen(page) == {"live": [], "still": 5, "off": 0, "troubles": []}
    picture_of(page, "main", "widgets_page")

    # Opened again: with a kernel in which no cell has run, and, for the second one, without a kernel at all.
    saved.metadata = {"kernelspec": {"name": "none-such", "display_name": "none here", "language": "none"}}
    nbformat.write(saved, tmp_path / "without.ipynb")
    for name in ("notebook.ipynb", "without.ipynb"):
        page.goto(at(name))
        if name == "without.ipynb":
            page.click(".jp-Dialog button:has-text('No Kernel')", timeout=WAIT)
        page.wait_for_selector("[class^='tl-still-']", state="attached", timeout=WAIT)
        page.wait_for_timeout(4000)  # JupyterLab looks for the models for two seconds
        wait_until(page, live=[], still=5, off=0, troubles=[])
        for theme in ("JupyterLab Dark", "JupyterLab Light"):
            use_theme(page, theme)
            picture_of(page, ".jp-Notebook", f"stills_{theme.split()[1].lower()}_{name.split('.')[0]}")
