"""JupyterLab in a real Chromium: a student opens a notebook, runs it and clicks."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tl_course import ImageSet, train
from tl_course.backbones import Backbone

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture
def lab(tmp_path: Path, cache: Path) -> Iterator[str]:
    """The address of a JupyterLab that sees only `tmp_path`, without the student's own settings."""
    pytest.importorskip("jupyterlab")
    settings = tmp_path / "settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(tmp_path / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "TL_COURSE_CACHE": str(cache),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root",
        "--IdentityProvider.token=", f"--ServerApp.root_dir={tmp_path}",
    ]  # fmt: skip
    with (tmp_path / "lab.log").open("w") as log:
        server = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status", timeout=1).close()
                break
            except OSError:
                time.sleep(0.5)
        else:
            pytest.fail((tmp_path / "lab.log").read_text())
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


@pytest.fixture
def page() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
                  "--disable-sync"],
        )  # fmt: skip
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        yield page
        browser.close()


def write_notebook(path: Path, *cells: Any) -> None:
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}  # or the page asks which
    nbformat.write(nbformat.v4.new_notebook(cells=list(cells), metadata={"kernelspec": kernel}), path)


def run_all(page: Any, address: str) -> None:
    page.goto(address)
    page.wait_for_selector("#jp-main-statusbar >> text=/\\| Idle/", timeout=90_000)
    page.click("li.lm-MenuBar-item:has-text('Run')")
    page.click(".lm-Menu-item[data-command='runmenu:run-all']")


def choose(page: Any, path: Path) -> None:
    with page.expect_file_chooser() as chooser:
        page.click(".jp-OutputArea-output button:has-text('Choose a picture')")
    chooser.value.set_files(str(path))


def test_a_picture_dropped_in_is_answered(
    lab: str, page: Any, birds: ImageSet, backbone: Backbone, tmp_path: Path
) -> None:
    train(birds).save(tmp_path / "model")
    cells = [
        nbformat.v4.new_code_cell(
            "from tl_course import Classifier\nfrom tl_course.widgets import TryIt\n"
            f"box = TryIt(Classifier.load({str(tmp_path / 'model')!r}))\nbox"
        )
    ]
    write_notebook(tmp_path / "try.ipynb", *cells)
    picture = birds.path(birds[0])
    (expected,) = train(birds).predict(picture)

    run_all(page, f"{lab}/lab/tree/try.ipynb")
    page.wait_for_selector(".jp-OutputArea-output button:has-text('Choose a picture')", timeout=60_000)
    choose(page, picture)
    page.wait_for_selector(f".jp-OutputArea-output img[alt*='{expected.label}']", timeout=60_000)
    assert f"{expected.confidence:.1%}" in page.inner_text(".jp-OutputArea-output table")
    (tmp_path / "note.txt").write_text("no picture at all")
    choose(page, tmp_path / "note.txt")
    page.wait_for_selector(".jp-OutputArea-output [role=alert]", timeout=60_000)
    if folder := os.environ.get("TL_COURSE_SCREENSHOTS"):
        page.screenshot(path=str(Path(folder) / "try_it.png"))


def test_a_mistake_shows_a_sentence_and_no_traceback(lab: str, page: Any, tmp_path: Path) -> None:
    cell = nbformat.v4.new_code_cell("from tl_course import ImageSet\nImageSet.open('my_pictrues')")
    write_notebook(tmp_path / "mistake.ipynb", cell)
    run_all(page, f"{lab}/lab/tree/mistake.ipynb")
    output = page.wait_for_selector(".jp-OutputArea-output", timeout=60_000)
    page.wait_for_selector(".jp-OutputArea-output >> text=ImageSetError", timeout=60_000)
    said = output.inner_text()
    assert "my_pictrues" in said
    assert "Traceback" not in said
    assert "imageset.py" not in said
