"""Fixtures that several tests share."""

import os
from pathlib import Path

import pytest


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
