"""Sets that the package draws itself: whole or not at all, the same on one core and on many, drawn once for all."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tl_course import ImageSet
from tl_course.errors import ImageSetError
from tl_course.synthetic import datasets, drawing, render_dataset


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Plain noise in place of the slow brushes, in this process alone; collects the indices that were drawn."""
    indices: list[int] = []

    def draw_one(name: str, index: int, *, seed: int = 0, size: int = 256, **flaws: float) -> drawing.RenderedPicture:
        indices.append(index)
        noise = np.random.default_rng([seed, index]).integers(0, 256, (16, 16, 3), dtype=np.uint8)
        image = Image.fromarray(noise)
        truth: dict[str, Any] = {"scene": index // 3, "true_label": "bird", "flaws": []}
        return drawing.RenderedPicture(image, ("bird", "forest")[index // 3 % 2], truth)

    monkeypatch.setattr(drawing, "draw_one", draw_one)
    monkeypatch.setattr(datasets, "cores", lambda: 1)
    return indices


@pytest.mark.slow
def test_a_rendered_set_is_the_same_on_one_core_and_on_two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "cores", lambda: 2)
    images = render_dataset("birds", tmp_path / "two", n=32, size=32, seed=5, wrong_labels=0.1, near_duplicates=0.2)
    monkeypatch.setattr(datasets, "cores", lambda: 1)
    render_dataset("birds", tmp_path / "one", n=32, size=32, seed=5, wrong_labels=0.1, near_duplicates=0.2)
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")

    assert (len(images), images.labels, images.skipped) == (32, ["bird", "forest"], [])
    assert set(images.truth) == {picture.file_name for picture in images}
    flaws = [flaw for truth in images.truth.values() for flaw in truth["flaws"]]
    assert (flaws.count("wrong_label"), flaws.count("near_duplicate")) == (3, 6)
    for picture in images:
        truth = images.truth[picture.file_name]
        assert (picture.label == truth["true_label"]) == ("wrong_label" not in truth["flaws"])
        assert (picture.source, picture.license, picture.file_name[:4]) == ("rendered", "CC0-1.0", picture.label[:4])
    splits_of_scene: dict[int, set[str]] = {}
    for picture in images:
        splits_of_scene.setdefault(images.truth[picture.file_name]["scene"], set()).add(picture.split)
    assert all(len(splits) == 1 for splits in splits_of_scene.values())


def test_where_no_further_process_comes_through_all_is_drawn_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: list[int]
) -> None:
    monkeypatch.setattr(datasets, "cores", lambda: 4)
    for executable in ("/no/such/python", ""):
        drawn.clear()
        monkeypatch.setattr("sys.executable", executable)
        assert len(render_dataset("birds", tmp_path / f"set{len(executable)}", n=80)) == 80
        assert sorted(drawn) == list(range(80))


def test_a_set_that_ships_is_drawn_once_and_shared(tmp_path: Path, cache: Path, drawn: list[int]) -> None:
    images = ImageSet.open("birds")
    assert (images.name, sorted(drawn)) == ("birds", list(range(len(images))))
    assert list(ImageSet.open("birds")) == list(images)
    assert len(drawn) == len(images)
    before = files_of(cache)
    with pytest.raises(ImageSetError, match=r"shared by all lessons.*images\.copy_to\('my_birds'\)"):
        images.drop(images[0])
    assert files_of(cache) == before

    mine = images.copy_to(tmp_path / "my_birds")
    mine.drop(mine[0])
    assert (len(mine), mine.truth) == (len(images) - 1, images.truth)


def test_a_folder_of_the_name_comes_before_the_set_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, drawn: list[int]
) -> None:
    monkeypatch.chdir(tmp_path)
    render_dataset("birds", "birds", n=12)
    assert len(ImageSet.open("birds")) == 12


def test_stopped_in_the_middle_nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(drawing, "draw_one", stop)  # here; the helper process draws on until it is ended
    monkeypatch.setattr(datasets, "cores", lambda: 2)
    with pytest.raises(KeyboardInterrupt):
        render_dataset("birds", tmp_path / "set", n=2000, size=256)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, drawn: list[int]) -> None:
    resource = pytest.importorskip("resource")  # not on Windows
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(ImageSetError, match=r"Could not write .*set"):
            render_dataset("birds", tmp_path / "set", n=12)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert list(tmp_path.iterdir()) == []


def test_more_pictures_may_be_set_aside_to_validate_on(tmp_path: Path, drawn: list[int]) -> None:
    images = render_dataset("birds", tmp_path / "set", n=48, valid=0.25)
    assert len(images.valid) == 12


@pytest.mark.slow
def test_the_pictures_to_validate_on_can_be_sound(tmp_path: Path) -> None:
    flaws = {"wrong_labels": 0.4, "off_topic": 0.2, "near_duplicates": 0.1}
    images = render_dataset("doors", tmp_path / "set", n=60, size=32, valid=0.5, sound_valid=True, **flaws)
    assert len(images) == len(images.truth) == 60
    assert images.skipped == []
    assert {images.truth[one.file_name]["true_label"] == one.label for one in images.valid} == {True}
    wrong = [one for one in images.train if images.truth[one.file_name]["true_label"] != one.label]
    planted = [name for name, known in images.truth.items() if {"wrong_label", "off_topic"} & {*known["flaws"]}]
    assert sorted(one.file_name for one in wrong) == sorted(planted)
    assert len(wrong) > 12
    splits_of_scene: dict[int, set[str]] = {}
    for one in images:
        splits_of_scene.setdefault(images.truth[one.file_name]["scene"], set()).add(one.split)
    assert len(splits_of_scene) < 60 and all(len(splits) == 1 for splits in splits_of_scene.values())


def test_without_a_sound_picture_to_validate_on_nothing_is_drawn(tmp_path: Path) -> None:
    options = {"n": 12, "size": 32, "off_topic": 0.9, "sound_valid": True}
    with pytest.raises(ImageSetError, match="Of 12 pictures none is left to validate on"):
        render_dataset("doors", tmp_path / "set", valid=0.1, **options)
    assert list(tmp_path.iterdir()) == []


def test_wrong_options_are_refused_before_anything_is_written(tmp_path: Path, drawn: list[int]) -> None:
    for options in ({"name": "fish"}, {"wrong_labels": 2.0}, {"size": 1}, {"n": -1}, {"n": 0}, {"valid": 1.0}):
        with pytest.raises(ImageSetError):
            render_dataset(**{"name": "birds", "into": tmp_path / "set", **options})
    render_dataset("birds", tmp_path / "set", n=12)
    with pytest.raises(ImageSetError, match="there already"):
        render_dataset("birds", tmp_path / "set", n=12)
    with pytest.raises(ImageSetError, match=r"these do: birds"):
        ImageSet.open("fish")


def test_a_damaged_truth_says_so(tmp_path: Path, drawn: list[int]) -> None:
    images = render_dataset("birds", tmp_path / "set", n=12)
    first = json.loads((images.root / "truth.jsonl").read_text().splitlines()[0])
    assert first.items() >= {"file_name": "bird/0000.jpg", "scene": 0}.items()
    (images.root / "truth.jsonl").write_text('{"file_name": "bird/0000.jpg", "sce')
    with pytest.raises(ImageSetError, match=r"truth\.jsonl cannot be read"):
        _ = ImageSet.open(images.root).truth
