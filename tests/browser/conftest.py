"""JupyterLab in a real Chromium, for tests that do what a student does."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

# Whose JupyterLab and kernel: another Python's, to see the widgets with other versions (make test-widgets-old).
PYTHON = os.environ.get("TL_COURSE_BROWSER_PYTHON") or sys.executable
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
        PYTHON, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root",
        "--IdentityProvider.token=", f"--ServerApp.root_dir={tmp_path}",
    ]  # fmt: skip
    with (tmp_path / "lab.log").open("w") as log:
        server = subprocess.Popen(
            command, env=environment, cwd=tmp_path, stdout=log, stderr=log, start_new_session=True
        )
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
                  "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
        )  # fmt: skip
        page = browser.new_page(viewport={"width": 1200, "height": 1000})
        yield page
        browser.close()


@pytest.fixture
def notebook(lab: str, page: Any, tmp_path: Path) -> Callable[..., Any]:
    """Opens a notebook with these code cells in the page and runs them all: ``notebook("1 + 1", "2 + 2")``."""

    def run(*cells: str) -> Any:
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}  # or the page asks which
        content = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata={"kernelspec": kernel}
        )
        nbformat.write(content, tmp_path / "notebook.ipynb")
        page.goto(f"{lab}/lab/tree/notebook.ipynb")
        page.wait_for_selector("#jp-main-statusbar >> text=/\\| Idle/", timeout=90_000)
        page.click("li.lm-MenuBar-item:has-text('Run')")
        page.click(".lm-Menu-item[data-command='runmenu:run-all']")
        return page

    return run
