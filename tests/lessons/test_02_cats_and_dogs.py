"""Lesson 02 from top to bottom with the network cut, and on real photos."""

from pathlib import Path

import pytest
from lesson_runs import run_lesson, without_network, written_to_stderr

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("drawn_once")]


def test_cats_and_dogs_need_no_network_and_transfer_has_its_three_benefits(
    tmp_path: Path, enforced: bool, cut_off: list[str]
) -> None:
    # Half the time, with fewer than the lesson has; a budget is for the lesson as it is.
    fewer = [] if enforced else ["--param", "seeds=2", "--param", "source_epochs=1"]
    lesson = run_lesson("02_cats_and_dogs", tmp_path, *fewer, before=cut_off, enforced=enforced)
    records = lesson["records"]
    assert records["accuracy"] >= lesson["budget"]["accuracy"]
    assert all(records["benefits"][name]["difference"] > 0 for name in ("start", "slope", "asymptote"))
    assert not written_to_stderr(lesson), "a student would see a red box"


def test_cats_and_dogs_on_real_photos(tmp_path: Path, photos: Path) -> None:
    fewer = [f"--param={one}" for one in ("seeds=1", "pictures=48", "source_n=48", "source_epochs=1")]
    source = ["--param", f"source={photos / 'cats_dogs'}"]
    lesson = run_lesson("02_cats_and_dogs", tmp_path, *source, *fewer, before=without_network())
    assert lesson["records"]["cross_validated_accuracy"] >= 0.985
    assert lesson["records"]["source"] == "cats_dogs"
