"""Lesson 01 from top to bottom with the network cut, and on real photos."""

import shutil
from pathlib import Path

import pytest
from lesson_runs import run_lesson, without_network, written_to_stderr

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("drawn_once")]


def test_birds_need_no_network(tmp_path: Path, enforced: bool, cut_off: list[str]) -> None:
    lesson = run_lesson("01_birds", tmp_path, before=cut_off, enforced=enforced)
    records = lesson["records"]
    assert records["accuracy"] >= lesson["budget"]["accuracy"]
    assert records["accuracy"] > records["scratch_accuracy"] + 0.1
    assert records["weights"].startswith("package efficientnet-lite0")
    assert not written_to_stderr(lesson), "a student would see a red box"
    assert "Not attempted yet" in Path(lesson["html"]).read_text("utf-8")


def test_birds_on_real_photos(tmp_path: Path, photos: Path) -> None:
    source = tmp_path / "birds"
    for label in ("bird", "forest"):  # half of them are enough
        (source / label).mkdir(parents=True)
        for path in sorted((photos / "birds" / label).glob("*.jpg"))[::2]:
            shutil.copy(path, source / label)
    lesson = run_lesson("01_birds", tmp_path / "out", "--param", f"source={source}", before=without_network())
    assert lesson["records"]["accuracy"] >= 0.95
    assert lesson["records"]["source"] == "birds"
