"""Lesson 03 from top to bottom with the network cut, and on real photos."""

from pathlib import Path

import pytest
from lesson_runs import run_lesson, without_network, written_to_stderr

from tl_course import ImageSet

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("drawn_once")]


def test_doors_need_no_network_and_cleaning_helps(tmp_path: Path, enforced: bool, cut_off: list[str]) -> None:
    options = ["--param", f"folder={tmp_path / 'doors'}"]
    lesson = run_lesson("03_doors", tmp_path, *options, before=cut_off, enforced=enforced)
    records = lesson["records"]
    assert records["accuracy"] >= lesson["budget"]["accuracy"]
    assert records["after_cleaning"] > records["before_cleaning"]
    promised, kept = records["cross_validated"], (records["before_cleaning"], records["thrown_out"])
    assert promised[1] - promised[0] > kept[1] - kept[0] + 0.05, "throwing out suspects unseen flatters"
    assert records["bribed"] > records["before_cleaning"] + 0.05, "and so does judging by what is easy"
    costs = list(records["cost_of_wrong_labels"].values())
    assert costs[0] - costs[1] < 0.05 < costs[0] - costs[-1]
    assert (tmp_path / "doors" / "rule.md").read_text("utf-8").startswith("A door is open if")
    assert (tmp_path / "doors_model" / "README.md").read_text("utf-8").startswith("# Open or closed?")
    assert not written_to_stderr(lesson), "a student would see a red box"


def test_doors_on_real_photos(tmp_path: Path, photos: Path) -> None:
    options = ["--param", f"source={photos / 'doors'}", "--param", f"folder={tmp_path / 'doors'}"]
    lesson = run_lesson("03_doors", tmp_path, *options, before=without_network())
    assert lesson["records"]["before_cleaning"] == lesson["records"]["after_cleaning"], "nobody looked at them"


def test_doors_of_ones_own_stay_in_the_set(tmp_path: Path) -> None:
    """A student who adds pictures in the builder, as the lesson proposes, comes through it with them."""
    from drawn import jpeg

    from tl_course.sources import lesson_images
    from tl_course.widgets import DatasetBuilder

    flaws = {"wrong_labels": 0.2, "off_topic": 0.1}
    lesson_images(
        "doors", "rendered", folder=tmp_path / "doors", n=120, size=64, valid=1 / 3, sound_valid=True, **flaws
    )
    builder = DatasetBuilder(tmp_path / "doors")
    builder.upload({f"{n}.jpg": jpeg(n) for n in range(6)}, "open")
    lesson = run_lesson("03_doors", tmp_path, "--param", f"folder={tmp_path / 'doors'}", before=without_network())
    assert lesson["records"]["n_judged"] >= 24
    images = ImageSet.open(tmp_path / "doors", warn=False)
    assert {one.file_name for one in images.original} - images.truth.keys() <= {one.file_name for one in images}
