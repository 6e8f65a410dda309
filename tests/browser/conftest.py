"""JupyterLab in a real Chromium, for tests that do what a student does."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import pytest

# Whose JupyterLab and kernel: another Python's, to see the widgets with other versions (make test-widgets-old).
PYTHON = os.environ.get("TL_COURSE_BROWSER_PYTHON") or sys.executable
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@contextmanager
def jupyterlab(root: Path, own: Path, **more: str) -> Iterator[str]:
    """The address of a JupyterLab that sees only `root`, and has its settings, and what it writes down, in `own`."""
    pytest.importorskip("jupyterlab")
    _forget(own)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {
        "JUPYTERLAB_SETTINGS_DIR": str(own / "settings"),
        "JUPYTERLAB_WORKSPACES_DIR": str(own / "workspaces"),
        "JUPYTER_CONFIG_DIR": str(own / "config"),
        "JUPYTER_RUNTIME_DIR": str(own / "runtime"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    command = [
        PYTHON, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root",
        "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True", f"--ServerApp.root_dir={root}",
    ]  # fmt: skip
    with (own / "lab.log").open("w") as log:
        server = subprocess.Popen(
            command, env=environment | more, cwd=root, stdout=log, stderr=log, start_new_session=True
        )
    try:
        for _ in range(600):
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/api/status", timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            pytest.fail((own / "lab.log").read_text())
        yield f"http://127.0.0.1:{port}"
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)


def _forget(own: Path) -> None:
    """Leave no setting of a user's, but that nothing is asked for news, and no list of what was open."""
    for name in ("settings", "workspaces"):
        shutil.rmtree(own / name, ignore_errors=True)
    settings = own / "settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')


@pytest.fixture
def lab(tmp_path: Path, cache: Path) -> Iterator[str]:
    """The address of a JupyterLab of the test's own, in `tmp_path`."""
    with jupyterlab(tmp_path, tmp_path / "lab", TL_COURSE_CACHE=str(cache)) as address:
        yield address


@pytest.fixture(scope="session")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The address of a JupyterLab that sees the folders of all tests, and where its settings are.

    A kernel there has the cache of the test whose notebook it runs.
    """
    own = tmp_path_factory.mktemp("lab")
    (startup := own / "ipython/profile_default/startup").mkdir(parents=True)
    (startup / "cache.py").write_text("import os\nos.environ['TL_COURSE_CACHE'] = os.path.abspath('cache')\ndel os\n")
    with jupyterlab(tmp_path_factory.getbasetemp(), own, IPYTHONDIR=str(own / "ipython")) as address:
        yield address, own


@pytest.fixture
def at(shared_lab: tuple[str, Path], tmp_path: Path) -> Iterator[Callable[[str], str]]:
    """The address at which a JupyterLab, with nothing else open, opens a file of the test's own folder."""
    address, own = shared_lab
    _forget(own)
    folder = f"{address}/lab/tree/{tmp_path.name}"
    yield lambda name: f"{folder}/{name}?reset"
    with urllib.request.urlopen(f"{address}/api/sessions") as answer:
        for session in json.load(answer):
            gone = urllib.request.Request(f"{address}/api/sessions/{session['id']}", method="DELETE")
            urllib.request.urlopen(gone).close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
                  "--disable-sync", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
        )  # fmt: skip
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Any) -> Iterator[Any]:
    page = browser.new_page(viewport={"width": 1200, "height": 1000})
    yield page
    page.context.close()


@pytest.fixture
def notebook(at: Callable[[str], str], page: Any, tmp_path: Path) -> Callable[..., Any]:
    """Opens a notebook with these code cells in the page and runs them all: ``notebook("1 + 1", "2 + 2")``."""

    def run(*cells: str) -> Any:
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}  # or the page asks which
        content = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata={"kernelspec": kernel}
        )
        nbformat.write(content, tmp_path / "notebook.ipynb")
        page.goto(at("notebook.ipynb"))
        page.wait_for_selector("#jp-main-statusbar >> text=/\\| Idle/", timeout=90_000)
        page.click("li.lm-MenuBar-item:has-text('Run')")
        page.click(".lm-Menu-item[data-command='runmenu:run-all']")
        return page

    return run
