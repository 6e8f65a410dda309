"""Progress is seen in a real kernel and on a real terminal, leaves nothing, and nobody's log has a word of it."""

import logging
import os
import pty
import subprocess
import sys
import termios
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from kernels import Kernel, Message

from tl_course.core.progress import Bar, redirect_bars

IMPORTS = "import threading, time, tl_course; from tl_course.core.progress import Bar, redirect_bars"
COUNTED = """
with Bar("drawing <b>irds</b>", total=4, unit="images") as bar:
    for _ in range(4):
        time.sleep(0.3)
        bar.update()
"""
LATE = """
def work():
    with Bar("work", total=2) as bar:
        time.sleep(1.5)
        bar.update()
threading.Thread(target=work).start()
time.sleep(0.8)
"""


@pytest.fixture(scope="module")
def kernel() -> Iterator[Kernel]:
    kernel = Kernel()
    try:
        kernel.run(IMPORTS)
        yield kernel
    finally:
        kernel.close()


def lines(outputs: list[Message]) -> list[str]:
    """What the one line under a cell said; it is HTML and nothing else, all in one place, and gone in the end."""
    shown = [message for message in outputs if message["msg_type"] in ("display_data", "update_display_data")]
    assert [message["msg_type"] for message in shown] == ["display_data", *["update_display_data"] * (len(shown) - 1)]
    assert len({message["content"]["transient"]["display_id"] for message in shown}) == 1
    assert all(list(message["content"]["data"]) == ["text/html"] for message in shown)
    *said, last = [message["content"]["data"]["text/html"] for message in shown]
    assert not last and all(said)
    return said


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("time.sleep(1.5)", "<code>time.sleep(1.5)</code>"),
        ("def f():\n    time.sleep(1.5)\n\nfor _ in '<':\n    f()  # here", "<code>f()  # here</code>"),
        ("%%time\nif True:\n    time.sleep(1.5)", "running for "),
        ("import asyncio\nawait asyncio.sleep(1.5)", "running for "),
        (f"get_ipython().run_cell('1')\n{COUNTED}", ' max="4"'),
        (COUNTED, "drawing &lt;b&gt;irds&lt;/b&gt;: "),
        ('with Bar("exporting"):\n    time.sleep(1.5)', "exporting, "),
        (LATE, " of 2 images"),
        ("time.sleep(1.5)  # while what the cell before began goes on", "running for "),
        ("with redirect_bars(None):" + COUNTED.replace("\n", "\n    "), ": <code>time.sleep(0.3)"),
        ("time.sleep(1.5)\n1 / 0", "running for "),
        ("%%capture\ntime.sleep(1.5)", "running for "),
    ],
)
def test_a_cell_that_takes_long_shows_what_it_is_at_and_leaves_nothing(
    kernel: Kernel, code: str, expected: str
) -> None:
    assert any(expected in line for line in lines(kernel.run(code)))


@pytest.mark.slow
def test_a_cell_that_is_stopped_leaves_nothing_and_a_quick_one_shows_nothing(kernel: Kernel) -> None:
    outputs = kernel.run("time.sleep(60)", interrupt=True)
    lines(outputs)
    assert any(message["msg_type"] == "error" for message in outputs)
    assert [message["msg_type"] for message in kernel.run("print(1)")] == ["stream"]
    assert kernel.run('with Bar("quick", 1) as bar:\n    bar.update()') == []


@pytest.mark.slow
def test_nothing_of_it_is_in_a_log_or_in_the_notebook_that_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    papermill = pytest.importorskip("papermill")
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1]))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(f"{IMPORTS}{COUNTED}print('done')")])
    nbformat.write(notebook, tmp_path / "in.ipynb")
    with caplog.at_level(logging.INFO, "papermill"):
        papermill.execute_notebook(
            str(tmp_path / "in.ipynb"), str(tmp_path / "out.ipynb"), kernel_name="python3", log_output=True,
            progress_bar=False,
        )  # fmt: skip
    assert "done" in caplog.text and "drawing" not in caplog.text and "running for" not in caplog.text
    kept = (tmp_path / "out.ipynb").read_text("utf-8")
    assert "of 4 images" not in kept and "running for" not in kept


def in_terminal(code: str, *, size: tuple[int, int] = (24, 100), **variables: str) -> tuple[bytes, bytes]:
    """What a script writes to its standard output, and what a person sees of it at a terminal."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, size)
    process = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=theirs, stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1]), **variables},
    )  # fmt: skip
    os.close(theirs)
    seen = b""
    try:
        while piece := os.read(ours, 4096):
            seen += piece
    except OSError:  # the terminal is gone with the script
        pass
    assert process.stdout is not None
    written = process.stdout.read()
    assert process.wait() == 0
    return written, seen


@pytest.mark.slow
def test_on_a_terminal_bars_come_and_go_on_standard_error_only() -> None:
    code = f"{IMPORTS}{COUNTED}\nwith Bar('exporting'):\n    time.sleep(1.5)\nprint('done')"
    written, seen = in_terminal(code)
    assert written == b"done\n"
    assert b"drawing <b>irds</b>" in seen and b" of 4 images" in seen and b"exporting, " in seen
    assert seen.rstrip(b" ").endswith(b"\r")  # the last is wiped off the line
    assert b" of 4 images" in in_terminal(code, size=(0, 0))[1]  # a terminal that does not know how wide it is
    assert in_terminal(code, TL_COURSE_PROGRESS="off") == (b"done\n", b"")
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert (piped.stdout, piped.stderr) == (b"done\n", b"")


def test_bars_can_be_handed_to_something_else_and_nested() -> None:
    heard: list[str] = []

    def listener(bar: Bar) -> None:
        heard.append(str(bar))

    with redirect_bars(listener):
        with Bar("one", total=2) as bar:
            bar.update(2)
        with redirect_bars(None), Bar("two"):
            pass
        with Bar("three", show=False) as silent, Bar("four") as uncounted:
            silent.update()
            uncounted.update(3)
    assert heard == ["one: 0 of 2 images", "one: 2 of 2 images", "four, 0 s", "four: 3 images, 0 s"]


@pytest.mark.slow
def test_what_the_course_does_shows_without_being_asked(kernel: Kernel, tmp_path: Path) -> None:
    """Only what it is at matters here: how long each takes, the machine decides."""
    kernel.run(
        f"""
        import os
        os.environ["TL_COURSE_CACHE"] = {str(tmp_path / "cache")!r}
        from tl_course import ImageSet, train
        from tl_course.models import occlusion_map
        said = set()
        def hear(bar):
            said.add(bar.what)
        """
    )
    kernel.run(
        f"""
        with redirect_bars(hear):
            from tl_course.synthetic import render_dataset
            images = render_dataset("birds", {str(tmp_path / "birds")!r}, n=20, size=64)
            model = train(images)
            occlusion_map(model, images.path(images[0]), cells=2)
            train(images, strategy="fine-tune", epochs=1)
        """
    )
    (answer,) = kernel.run("print(*sorted(said), sep='\\n')")
    assert answer["content"]["text"].splitlines() == [
        "cross-validating",
        "drawing birds",
        "features from tf_efficientnet_lite0",
        "loading PyTorch and fastai",
        "loading the network",
        "opening",
        "through the frozen part",
        "training",
    ]
