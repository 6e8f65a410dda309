"""Collecting from slow sources: pictures are shown as they come, and whoever stops keeps what came."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.drawn import jpeg
from tl_course import ImageSet
from tl_course.data.collection import Candidate
from tl_course.net.http_client import Client
from tl_course.sources import Progress, Rendered, Source
from tl_course.synthetic.datasets import SHIPPED

NEVER = 20.0  # seconds that no test waits for


class Slow(Source):
    """Has a few pictures at once, and looks for the next until it is let go."""

    name = help = "slow"
    online = False

    def __init__(self, ready: int, *, stuck: Path | None = None) -> None:
        self.ready, self.stuck, self.let_go, self.waited = ready, stuck, threading.Event(), False

    def search(self, label: str, query: str, client: Client) -> Iterator[Candidate]:
        for number in range(self.ready):
            yield Candidate(label=label, url=f"slow:{number}", data=jpeg(number))
        if self.stuck:  # a picture that never comes, in front of one that is there
            yield Candidate(label=label, url="slow:stuck", data=self.stuck)
            yield Candidate(label=label, url="slow:behind", data=jpeg(1000))
        self.waited = not self.let_go.wait(NEVER)


def test_pictures_are_shown_while_the_source_looks_for_more(tmp_path: Path) -> None:
    source, shown = Slow(3), []

    def show(step: Progress) -> None:
        shown.append(step.file_name)
        if len(shown) == 3:
            source.let_go.set()

    report = source.collect(["cat"], 10_000, tmp_path / "set", progress=show)
    assert not source.waited, "the third was shown only when the source had no more"
    assert report.counts == {"cat": 3}
    assert not report.interrupted


def by_event(stop: threading.Event) -> None:
    stop.set()


def by_the_keyboard(_: threading.Event) -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("way", [by_event, by_the_keyboard])
def test_who_stops_keeps_what_came_and_the_same_call_goes_on(
    tmp_path: Path, way: Callable[[threading.Event], None]
) -> None:
    source, stop, steps = Slow(5), threading.Event(), 0

    def show(_: Progress) -> None:
        nonlocal steps
        steps += 1
        if steps == 5:
            way(stop)

    report = source.collect(["cat", "dog"], 9, tmp_path / "set", progress=show, stop=stop)
    assert (report.interrupted, report.complete, len(report.kept)) == (True, False, 5)
    assert "Stopped. What came is kept" in str(report)
    assert len(report.images) == report.counts["cat"] == 5
    assert not source.waited
    report = Slow(9).collect(["cat"], 9, tmp_path / "set")
    assert (report.interrupted, report.complete, len(report.kept)) == (False, True, 4)


STUCK = """
import sys, threading
from pathlib import Path
from tests.sources.test_stopping import Slow

stop = threading.Event()
source = Slow(2, stuck=Path(sys.argv[1]))
def show(step):
    if step.counts["cat"] == 2:  # only then, or a busy machine has none by that time
        threading.Timer(3.0, stop.set).start()
report = source.collect(["cat"], 50, sys.argv[2], stop=stop, progress=show)
print(*report.kept)
"""


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a file that never ends")
def test_neither_a_picture_that_hangs_nor_its_thread_holds_anybody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = os.open(tmp_path / "pipe", os.O_RDWR)
    try:
        done = subprocess.run(
            [sys.executable, "-c", STUCK, str(tmp_path / "pipe"), str(tmp_path / "set")],
            cwd=Path(__file__).parents[2], capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
    finally:
        os.close(writer)
    assert len(done.stdout.split()) == 3, "also the one behind that was there"


def test_ctrl_c_on_a_terminal_gives_the_same_account(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "tl_course.cli", "images", "collect", str(tmp_path / "set"), "dots",
         "--source", "rendered", "--n", "10000", "--json"],
        cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    until = time.monotonic() + 90
    while len(list((tmp_path / "set").glob("*/*.jpg"))) < 1 and time.monotonic() < until:
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    account = json.loads(out)
    assert account["interrupted"]
    assert len(account["kept"]) >= 1


def test_drawn_pictures_come_one_by_one_and_are_those_that_ship(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SHIPPED, "n", 6)
    monkeypatch.setitem(SHIPPED, "size", 64)
    first = Rendered().collect(["dots"], 6, tmp_path / "first")
    assert not any((cache / "rendered").iterdir()), "nobody waited for a whole set"
    ImageSet.open("patterns")
    later = Rendered().collect(["dots"], 6, tmp_path / "later")
    assert first.complete and later.complete
    assert [(one.sha256, one.url) for one in first.images] == [(one.sha256, one.url) for one in later.images]
