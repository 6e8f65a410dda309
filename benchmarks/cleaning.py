"""How long one waits while cleaning: suspects of 400 and of 10,000 pictures, and the cleaner in a real Chromium.

    python benchmarks/cleaning.py [PHOTOS]

PHOTOS is a data set, such as a folder with a folder of photos for each label; without it, doors are rendered. Its
pictures, 400 at most, are repeated as often as it takes: each time cropped, mirrored and lit anew, 160 pixels long.
Their features are not computed again but are the originals' with noise, 0.8 standard deviations in each dimension, and
kept as if they had been computed: what is timed starts from kept features. One label in twenty is wrong.

The columns, in seconds or in milliseconds:

suspects           `Suspects(images).rank()` in a fresh process, nothing but features kept, libraries loaded
later session      the same in the next process
libraries          loading them: what the first ranking of a process pays besides
after a relabel    ranking anew; the median of some
first page         in JupyterLab, from running ``Cleaner(images)`` until all pictures of its page are seen: again in a
                   fresh process, nothing but features kept, libraries loaded
its later session  the same in the next kernel
page turn          from Page Down until the next page is there with all its pictures: the median, and the worst
relabel            from the key until ranking, tally and validation score are those after it: the median, and the worst
"""

import argparse
import io
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

sys.path.insert(0, str(Path(__file__).parents[1]))

from reporting import RESULTS, machine, table, write

from tl_course import ImageSet
from tl_course.core import pick_device
from tl_course.data.table import METADATA, Picture, table_text
from tl_course.features import Backbone
from tl_course.features.extraction import extract, kept_vectors
from tl_course.synthetic import render_dataset

ORIGINALS = 400
PACKAGES = ("numpy", "scipy", "pillow", "anywidget", "jupyterlab", "playwright")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
WAIT = 120_000  # milliseconds

CELLS = (
    "import scipy.optimize\nfrom tl_course import ImageSet\nfrom tl_course.widgets import Cleaner\n"
    "images = ImageSet.open('{name}', warn=False)\nprint('set', 'opened')",
    "Cleaner(images)",
)
SEEN = """() => {
    const pictures = [...document.querySelectorAll('.tlc-card img')];
    return pictures.length > 0 && pictures.every(one => one.src && one.complete && one.naturalWidth > 0);
}"""
TURN = """async () => {
    const text = () => document.querySelector('.tlc-pager span').textContent;
    const before = text(), began = performance.now();
    const press = new KeyboardEvent('keydown', {key: 'PageDown', bubbles: true});
    document.querySelector('.tlc-current').dispatchEvent(press);
    const there = one => one.src && one.complete && one.naturalWidth > 0;
    while (text() === before || ![...document.querySelectorAll('.tlc-card img')].every(there)) {
        if (performance.now() - began > 20000) throw new Error(`the page was not turned: ${before}`);
        await new Promise(requestAnimationFrame);
    }
    return performance.now() - began;
}"""
# The page is shown anew with the decision, and once more with what it did to ranking and score: the last change counts.
RELABEL = """async () => {
    const key = document.querySelector('.tlc-decide [aria-pressed=false] kbd').textContent, began = performance.now();
    let last = began;
    const watch = new MutationObserver(() => last = performance.now());
    watch.observe(document.querySelector('.tlc'), {childList: true, subtree: true, characterData: true});
    document.querySelector('.tlc-current').dispatchEvent(new KeyboardEvent('keydown', {key, bubbles: true}));
    while (performance.now() - last < 1500) await new Promise(done => setTimeout(done, 50));
    watch.disconnect();
    return last - began;
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", nargs="?", type=Path, help="a data set to repeat instead of rendered doors")
    parser.add_argument("--sizes", nargs="+", type=int, default=[400, 10_000], metavar="N", help="(400 10000)")
    parser.add_argument("--turns", type=int, default=20, help="pages that are turned (20)")
    parser.add_argument("--edits", type=int, default=10, help="pictures that are relabelled (10)")
    parser.add_argument("--out", type=Path, default=RESULTS / "cleaning.json")
    options = parser.parse_args()
    if CHROMIUM is None:
        sys.exit("There is no Chromium on this machine.")
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        folder = Path(name)
        os.environ["TL_COURSE_CACHE"] = str(folder / "cache")
        originals = (
            ImageSet.open(options.photos) if options.photos
            else render_dataset("doors", folder / "doors", n=ORIGINALS, size=160)
        )  # fmt: skip
        rows: list[dict[str, Any]] = []
        for n in options.sizes:
            repeated(originals, n, folder / f"pictures-{n}")
            rows.append({"pictures": n} | suspects(folder / f"pictures-{n}", options.edits))
        with lab(folder) as address:
            for row in rows:
                row.update(cleaner(address, folder, row["pictures"], options.turns, options.edits))
    print(table([{key: text(key, value) for key, value in row.items()} for row in rows]))
    pictures = "of " + options.photos.name if options.photos else "rendered doors"
    write({"pictures": pictures, "rows": rows} | machine(*PACKAGES), options.out)


def text(key: str, seconds: Any) -> str:
    if key == "pictures":
        return str(seconds)
    if key in ("page turn", "relabel"):
        return f"{1000 * statistics.median(seconds):.0f} ms, {1000 * max(seconds):.0f} ms"
    return f"{statistics.median(seconds):.2f} s"


# ---- the pictures ----------------------------------------------------------------------------------------------------


def repeated(originals: ImageSet, n: int, folder: Path) -> None:
    """A data set of `n` pictures, and their features in the cache."""
    random = np.random.default_rng(n)
    some = [originals[i] for i in np.random.default_rng(0).permutation(len(originals))[:ORIGINALS]]
    which = random.permutation(np.resize(np.arange(len(some)), n)).tolist()
    pixels = [Image.open(originals.path(one)).convert("RGB") for one in some]
    for one in pixels:
        one.thumbnail((200, 200))
    folder.mkdir()
    rows = []
    for number, i in enumerate(which):
        (folder / f"{number:05}.jpg").write_bytes(jittered(pixels[i], random))
        label = str(random.choice(originals.labels)) if random.random() < 0.1 else some[i].label
        rows.append(Picture(f"{number:05}.jpg", label))
    (folder / METADATA).write_text(table_text(rows), encoding="utf-8")
    images = ImageSet.open(folder, warn=False)
    images.save()
    backbone, device = Backbone.get(), pick_device()
    vectors = extract([originals.path(one) for one in some], backbone).vectors
    noise = random.normal(size=(n, vectors.shape[1])) * vectors.std(0) * 0.8
    store = kept_vectors(backbone, device)
    jitter = (vectors[which] + noise).astype(np.float32)
    store.write({one.sha256: vector for one, vector in zip(images, jitter, strict=True)})
    store.close()


def jittered(image: Image.Image, random: np.random.Generator) -> bytes:
    share = random.uniform(0.7, 0.95)
    width, height = (round(share * side) for side in image.size)
    left, top = (
        int(random.integers(0, side - part + 1)) for side, part in zip(image.size, (width, height), strict=True)
    )
    image = image.crop((left, top, left + width, top + height))
    image = ImageOps.mirror(image) if random.random() < 0.5 else image
    image = ImageEnhance.Brightness(image).enhance(random.uniform(0.6, 1.4))
    image.thumbnail((160, 160))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()


# ---- suspects --------------------------------------------------------------------------------------------------------


def suspects(folder: Path, edits: int) -> dict[str, list[float]]:
    runs = []
    for _ in range(2):  # the second finds what the first one kept
        command = [sys.executable, __file__, "suspects", str(folder), str(edits)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
        (folder / "edits.jsonl").unlink()
    first, later = runs
    return {
        "suspects": [first["ranked"]],
        "later session": [later["ranked"]],
        "libraries": [run["libraries"] for run in runs],
        "after a relabel": first["again"],
    }


def run_suspects(folder: str, edits: int) -> None:
    start = time.perf_counter()
    import scipy.optimize  # noqa: F401

    from tl_course.cleaning import Suspects

    libraries = time.perf_counter() - start
    images = ImageSet.open(folder, warn=False)
    start = time.perf_counter()
    found = Suspects(images)
    found.rank()
    ranked = time.perf_counter() - start
    again = []
    for one in images[:edits]:
        images.relabel(one, next(label for label in images.labels if label != one.label))
        start = time.perf_counter()
        found.rank()
        again.append(time.perf_counter() - start)
    print(json.dumps({"libraries": libraries, "ranked": ranked, "again": again}))


# ---- the cleaner -----------------------------------------------------------------------------------------------------


@contextmanager
def lab(folder: Path) -> Iterator[str]:
    """The address of a JupyterLab that sees `folder`, without anyone's settings."""
    settings = folder / "settings/@jupyterlab/apputils-extension"
    settings.mkdir(parents=True)
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false"}')
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    places = {
        "JUPYTERLAB_SETTINGS_DIR": "settings", "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "JUPYTER_CONFIG_DIR": "config", "JUPYTER_RUNTIME_DIR": "runtime",
    }  # fmt: skip
    environment = os.environ | {key: str(folder / place) for key, place in places.items()} | {"PYTHONPATH": sys.path[0]}
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}", "--allow-root",
        "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}",
    ]  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    with (
        (folder / "lab.log").open("w") as log,
        subprocess.Popen(command, env=environment, stdout=log, stderr=log) as server,
    ):
        try:
            for _ in range(240):
                try:
                    urllib.request.urlopen(f"{address}/api/status", timeout=1).close()
                    break
                except OSError:
                    time.sleep(0.25)
            else:
                sys.exit(f"JupyterLab did not start:\n{(folder / 'lab.log').read_text()}")
            yield address
        finally:
            server.terminate()


def cleaner(address: str, folder: Path, count: int, turns: int, edits: int) -> dict[str, list[float]]:
    import nbformat
    from playwright.sync_api import sync_playwright

    name = f"pictures-{count}"
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    cells = [nbformat.v4.new_code_cell(cell.format(name=name)) for cell in CELLS]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        opened = []
        shutil.rmtree(Path(os.environ["TL_COURSE_CACHE"]) / "suspects", ignore_errors=True)
        for session in ("first", "later"):
            path = folder / f"{name}-{session}.ipynb"
            nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
            page = browser.new_page(viewport={"width": 1200, "height": 1000})
            opened.append(first_page(page, f"{address}/lab/workspaces/{path.stem}/tree/{path.name}"))
        seconds = {"first page": opened[:1], "its later session": opened[1:]}
        page.wait_for_timeout(1000)
        seconds["page turn"] = [page.evaluate(TURN) / 1000 for _ in range(min(turns, count // 24 - 1))]
        seconds["relabel"] = [page.evaluate(RELABEL) / 1000 for _ in range(edits)]
        browser.close()
    return seconds


def first_page(page: Any, address: str) -> float:
    """Seconds from running the last cell until its pictures are seen."""
    page.goto(address)
    page.wait_for_selector("#jp-main-statusbar >> text=/\\| Idle/", timeout=WAIT)
    page.click(".jp-Notebook .jp-Cell >> nth=0 >> .cm-content")
    page.keyboard.press("Shift+Enter")
    page.locator(".jp-OutputArea-output", has_text="set opened").wait_for(timeout=WAIT)
    start = time.perf_counter()
    page.keyboard.press("Control+Enter")
    page.wait_for_function(SEEN, timeout=WAIT)
    return time.perf_counter() - start


if __name__ == "__main__":
    if sys.argv[1:2] == ["suspects"]:
        run_suspects(sys.argv[2], int(sys.argv[3]))
    else:
        main()
