"""Fixtures that several tests share."""

import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image

if TYPE_CHECKING:
    from tl_course import Classifier, ImageSet
    from tl_course.features import Backbone


# jsonschema, which nbformat imports, compiles this one's grammar for seconds where it is installed, and never needs it
# (as in tl_course/notebooks/__main__.py).
sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]

# A shell that starts the tests in the background has them ignore Ctrl-C, and every command that they start with them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--enforce-budgets", action="store_true",
        help="lessons fail for their CPU seconds too, by this machine's measured speed: for continuous integration",
    )  # fmt: skip


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Lessons first, then other modules that take long, quick ones last: so workers end at about the same time."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path not in slow, "lessons" not in item.path.parts))


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own, so that no test finds what another one left."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("TL_COURSE_CACHE", str(folder))
    return folder


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of real photos, which does not belong to the repository."""
    folder = Path(os.environ.get("TL_COURSE_PHOTOS") or Path(__file__).parents[2] / "shared" / "photos").absolute()
    if not folder.is_dir():
        pytest.skip(f"no real photos in {folder}; TL_COURSE_PHOTOS names another place")
    return folder


@pytest.fixture
def class_folders(tmp_path: Path) -> Callable[..., Path]:
    """Makes a folder of small pictures, all different: ``class_folders(bird=5, forest=5)``."""

    def make(*, into: str = "pictures", size: int = 24, **counts: int) -> Path:
        for label, count in counts.items():
            (tmp_path / into / label).mkdir(parents=True, exist_ok=True)
            for number in range(count):
                random = np.random.default_rng([*label.encode(), number])
                noise = random.integers(0, 256, (size, size, 3), dtype=np.uint8)
                Image.fromarray(noise).save(tmp_path / into / label / f"{number}.jpg")
        return tmp_path / into

    return make


@pytest.fixture(scope="session")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache for the features that a fixture computes once for many tests."""
    return tmp_path_factory.mktemp("known")


@pytest.fixture(scope="session")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache in which the sets that ship are drawn once, and looked at once, by whichever worker comes first."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "drawn"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture
def drawn_once(drawn: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """That cache, for a test which reads sets that ship and does not mind who drew them."""
    monkeypatch.setenv("TL_COURSE_CACHE", str(drawn))
    return drawn


@pytest.fixture
def small_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets that ship are drawn in no time, for a test which minds their names only."""
    from tl_course.synthetic.datasets import SHIPPED

    for name, value in {"n": 8, "size": 64}.items():
        monkeypatch.setitem(SHIPPED, name, value)


@pytest.fixture(scope="session")
def copy_drawn(drawn: Path) -> Callable[[Path], Path]:
    """Copies that cache, without what another worker is just writing there."""
    return partial(shutil.copytree, drawn, ignore=shutil.ignore_patterns(".*"), dirs_exist_ok=True)


@pytest.fixture
def backbone(cache: Path, known: Path) -> "Backbone":
    """The default backbone, and the features that are known beforehand in the test's own cache."""
    from tl_course.features import Backbone

    shutil.copytree(known, cache, dirs_exist_ok=True)
    return Backbone.get()


@pytest.fixture(scope="session")
def birds_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small rendered set."""
    from tl_course.synthetic import render_dataset

    return render_dataset("birds", tmp_path_factory.mktemp("rendered") / "birds", n=40, size=128).root


@pytest.fixture
def birds(birds_folder: Path) -> "ImageSet":
    from tl_course import ImageSet

    return ImageSet.open(birds_folder)


@pytest.fixture(scope="session")
def birds_known(birds_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with the features of the small rendered set."""
    from tl_course import ImageSet, train

    folder = tmp_path_factory.mktemp("known")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TL_COURSE_CACHE", str(folder))
        train(ImageSet.open(birds_folder))
    return folder


@pytest.fixture
def model(cache: Path, birds_known: Path, birds: "ImageSet") -> "Classifier":
    """A classifier of the small rendered set, whose features lie in the test's own cache."""
    from tl_course import train

    shutil.copytree(birds_known, cache, dirs_exist_ok=True)
    return train(birds)
