"""Lessons run from top to bottom with the network cut, and on real photos."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tl_course import ImageSet

pytestmark = pytest.mark.slow


def without_network() -> list[str]:
    """Words to put before a command so that it sees no network interface; none where this machine has no way to."""
    for words in (["unshare", "--map-root-user", "--net"], ["bwrap", "--dev-bind", "/", "/", "--unshare-net"]):
        if (
            shutil.which(words[0])
            and subprocess.run([*words, "true"], check=False, capture_output=True).returncode == 0
        ):
            return words
    return []


@pytest.fixture
def enforced(request: pytest.FixtureRequest) -> bool:
    """Whether lessons are held to their budgets, as in continuous integration; else only what was learnt is judged."""
    return bool(request.config.getoption("--enforce-budgets"))


def run_lesson(name: str, out: Path, *options: str, before: list[str], enforced: bool = False) -> dict[str, Any]:
    budgets = "--enforce-budgets" if enforced else "--no-budgets"
    command = [*before, sys.executable, "-m", "tl_course.cli", "run", name, "--out", str(out), budgets, "--json"]
    done = subprocess.run(
        [*command, *options], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}, timeout=3600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lesson: dict[str, Any] = json.loads(done.stdout)["lessons"][0]
    return lesson


def test_birds_need_no_network(tmp_path: Path, enforced: bool) -> None:
    before = without_network()
    if not before:
        pytest.skip("this machine has neither unshare nor bubblewrap that may cut the network")
    lesson = run_lesson("01_birds", tmp_path, before=before, enforced=enforced)
    records = lesson["records"]
    assert records["accuracy"] >= lesson["budget"]["accuracy"]
    assert records["accuracy"] > records["scratch_accuracy"] + 0.1
    assert records["weights"].startswith("package efficientnet-lite0")
    notebook = json.loads(Path(lesson["notebook"]).read_text("utf-8"))
    streams = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    assert not [output for output in streams if output.get("name") == "stderr"], "a student would see a red box"
    assert "Not attempted yet" in Path(lesson["html"]).read_text("utf-8")


def test_birds_on_real_photos(tmp_path: Path, photos: Path) -> None:
    lesson = run_lesson("01_birds", tmp_path, "--param", f"source={photos / 'birds'}", before=without_network())
    assert lesson["records"]["accuracy"] >= 0.95
    assert lesson["records"]["source"] == "birds"


def test_doors_need_no_network_and_cleaning_helps(tmp_path: Path, enforced: bool) -> None:
    before = without_network()
    if not before:
        pytest.skip("this machine has neither unshare nor bubblewrap that may cut the network")
    options = ["--param", f"folder={tmp_path / 'doors'}"]
    lesson = run_lesson("03_doors", tmp_path, *options, before=before, enforced=enforced)
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
    notebook = json.loads(Path(lesson["notebook"]).read_text("utf-8"))
    streams = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    assert not [output for output in streams if output.get("name") == "stderr"], "a student would see a red box"


def test_doors_on_real_photos(tmp_path: Path, photos: Path) -> None:
    options = ["--param", f"source={photos / 'doors'}", "--param", f"folder={tmp_path / 'doors'}"]
    lesson = run_lesson("03_doors", tmp_path, *options, before=without_network())
    assert lesson["records"]["before_cleaning"] == lesson["records"]["after_cleaning"], "nobody looked at them"


def test_doors_of_ones_own_stay_in_the_set(tmp_path: Path) -> None:
    """A student who adds pictures in the builder, as the lesson proposes, comes through it with them."""
    from drawn import jpeg

    from tl_course.sources.automatic import lesson_images
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


def test_cats_and_dogs_need_no_network_and_transfer_has_its_three_benefits(tmp_path: Path, enforced: bool) -> None:
    before = without_network()
    if not before:
        pytest.skip("this machine has neither unshare nor bubblewrap that may cut the network")
    # Half the time, with fewer than the lesson has; a budget is for the lesson as it is.
    fewer = [] if enforced else ["--param", "seeds=2", "--param", "source_epochs=1"]
    lesson = run_lesson("02_cats_and_dogs", tmp_path, *fewer, before=before, enforced=enforced)
    records = lesson["records"]
    assert records["accuracy"] >= lesson["budget"]["accuracy"]
    assert all(records["benefits"][name]["difference"] > 0 for name in ("start", "slope", "asymptote"))
    notebook = json.loads(Path(lesson["notebook"]).read_text("utf-8"))
    streams = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    assert not [output for output in streams if output.get("name") == "stderr"], "a student would see a red box"


def test_cats_and_dogs_on_real_photos(tmp_path: Path, photos: Path) -> None:
    fewer = [f"--param={one}" for one in ("seeds=1", "pictures=48", "source_n=48", "source_epochs=1")]
    source = ["--param", f"source={photos / 'cats_dogs'}"]
    lesson = run_lesson("02_cats_and_dogs", tmp_path, *source, *fewer, before=without_network())
    assert lesson["records"]["cross_validated_accuracy"] >= 0.985
    assert lesson["records"]["source"] == "cats_dogs"
