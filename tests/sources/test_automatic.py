"""The pictures of a lesson: what is asked for, what is near, what is drawn, and a copy of one's own to edit."""

import threading
from pathlib import Path

import pytest

from tl_course import ImageSet
from tl_course.errors import ImageSetError
from tl_course.sources import Folder, Public, Rendered, automatic, lesson_images
from tl_course.synthetic import render_dataset

FEW = {"n": 6, "size": 64}


def test_a_copy_of_ones_own_is_drawn_once_and_goes_on_as_it_was_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = lesson_images("doors", "rendered", folder=tmp_path / "mine", **FEW)
    assert images.labels == ["closed", "open"]
    assert len(images) == 6
    assert "drawn by the course itself, as asked for" in capsys.readouterr().out
    images.drop(images[0])
    again = lesson_images("doors", "rendered", folder=tmp_path / "mine", **FEW)
    assert len(again) == 5
    assert "remove that folder to begin anew" in capsys.readouterr().out


@pytest.mark.usefixtures("small_sets")
def test_drawn_means_drawn_also_beside_a_folder_of_that_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A learner may well call the own folder "birds", and work beside it."""
    monkeypatch.chdir(tmp_path)
    render_dataset("doors", "birds", **FEW)
    assert lesson_images("birds", "rendered").labels == ["bird", "forest"]
    assert ImageSet.open("birds").labels == ["closed", "open"]
    report = Rendered().collect(["bird"], 2, tmp_path / "more")
    assert report.complete, report.problems
    with pytest.raises(ImageSetError, match="No set 'dragons' ships"):
        ImageSet.shipped("dragons")


def test_photos_of_ones_own_are_copied_before_they_are_edited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = render_dataset("doors", tmp_path / "photos", **FEW)
    images = lesson_images("doors", photos.root, folder=tmp_path / "mine")
    assert images.root == tmp_path / "mine"
    images.relabel(images[0], "ajar", new_label=True)
    assert ImageSet.open(photos.root).labels == ["closed", "open"]
    assert "photos, 6 of closed, open; as asked for" in capsys.readouterr().out


def test_photos_nearby_come_before_drawn_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    render_dataset("birds", tmp_path / "school" / "doors", **FEW)
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path / "school"))
    assert lesson_images("doors", folder=tmp_path / "mine", **FEW).labels == ["bird", "forest"]
    assert "real photos from" in capsys.readouterr().out
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path / "elsewhere"))
    assert lesson_images("doors", folder=tmp_path / "drawn", **FEW).labels == ["closed", "open"]
    assert f"none of TL_COURSE_DATA={tmp_path / 'elsewhere'} had doors/" in capsys.readouterr().out


def test_what_is_not_there_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ImageSetError, match="there is no such folder"):
        lesson_images("doors", tmp_path / "nowhere", folder=tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_photos_from_a_public_source_leave_no_clock_running(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Near(Folder):
        name, help = Public.name, "a server nearby"

        def __init__(self) -> None:
            super().__init__(render_dataset("cats_dogs", cache / "near", **FEW).root)

    monkeypatch.setattr(automatic, "Public", Near)
    monkeypatch.setattr(automatic, "_in_time", lambda _: Near.name)
    monkeypatch.setattr(automatic, "N", 2)
    before = set(threading.enumerate())
    assert len(lesson_images("cats_dogs")) == 4
    assert "real photos from a server nearby" in capsys.readouterr().out
    kept_waiting = [thread for thread in threading.enumerate() if thread not in before and not thread.daemon]
    assert kept_waiting == []
