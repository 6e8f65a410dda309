"""Suspects: what was planted is found and named, and nothing that a data set may hold brings it down."""

import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from tests.drawn import jpeg
from tl_course import Classifier, ImageSet
from tl_course.cleaning.issues import KINDS, Suspect, Suspects
from tl_course.cli import main
from tl_course.errors import ImageSetError, ModelError
from tl_course.features import Backbone, create, extract
from tl_course.models.classifier import trained_backbone
from tl_course.widgets import Cleaner, Consistency


@pytest.fixture(scope="module")
def pets_known(photos: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A folder of 30 cats and 30 dogs, and a cache with their features."""
    folder, cache = (tmp_path_factory.mktemp(name) / name for name in ("pets", "cache"))
    for label in ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        for path in sorted((photos / "cats_dogs" / label).glob("*.jpg"))[:30]:
            shutil.copyfile(path, folder / label / path.name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TL_COURSE_CACHE", str(cache))
        Suspects(ImageSet.open(folder))
    return folder, cache


@pytest.fixture
def pets(pets_known: tuple[Path, Path], cache: Path, tmp_path: Path) -> Path:
    """The folder of cats and dogs to plant errors in."""
    folder, known = pets_known
    shutil.copytree(known, cache, dirs_exist_ok=True)
    return shutil.copytree(folder, tmp_path / "pets")


def ranked(folder: Path) -> list[Suspect]:
    return Suspects(ImageSet.open(folder, warn=False)).rank()


def named(suspects: list[Suspect], name: str) -> Suspect:
    return next(one for one in suspects if one.file_name == name)


def pictures_of(folder: Path, label: str) -> list[Path]:
    return sorted((folder / label).iterdir())


def test_wrong_labels_come_first_and_are_put_in_words(pets: Path) -> None:
    wrong = {path.name for path in pictures_of(pets, "cat")[:3]}
    for name in wrong:
        (pets / "cat" / name).rename(pets / "dog" / name)
    found = ranked(pets)
    assert {Path(one.file_name).name for one in found[:4]} >= wrong
    for one in (named(found, f"dog/{name}") for name in wrong):
        assert one.kind in one.kinds and (one.kind, one.label, one.predicted) == ("label", "dog", "cat")
        assert one.score > 0.6 and one.confidence > 0.5
        assert "looks like 'cat'" in one.reason and "nearest are not called 'dog'" in one.reason
        labels = [neighbour.split("/")[0] for neighbour in one.neighbours]
        assert labels.count("cat") > labels.count("dog") and one.file_name not in one.neighbours
    assert found[-1].kind == found[-1].reason == ""


def test_what_belongs_to_no_label_is_found(photos: Path, tmp_path: Path) -> None:
    for label in ("open", "closed"):
        shutil.copytree(photos / "doors" / label, tmp_path / "doors" / label)
    for path in sorted((photos / "flowers" / "tulip").glob("*.jpg"))[:4]:
        shutil.copyfile(path, tmp_path / "doors" / "closed" / f"flower-{path.name}")
    first = ranked(tmp_path / "doors")[:12]
    strangers = [one for one in first if "flower-" in one.file_name]
    assert len(strangers) == 4 and {one.kind for one in strangers} == {"off-topic"}
    assert strangers[:2] == first[:2]
    assert "unlike everything else called 'closed'" in strangers[0].reason


@pytest.mark.slow
def test_pictures_that_are_merely_unusual_do_not_hide_wrong_labels(photos: Path, tmp_path: Path) -> None:
    labels = ("daisy", "dandelion", "rose", "sunflower", "tulip")
    for number, label in enumerate(labels):
        (tmp_path / label).mkdir(exist_ok=True)
        for i, path in enumerate(sorted((photos / "flowers" / label).glob("*.jpg"))[:24]):
            into = tmp_path / (labels[number - 1] if i < 2 else label)
            into.mkdir(exist_ok=True)
            shutil.copyfile(path, into / f"{'wrong' if i < 2 else label}-{path.name}")
    assert all("wrong-" in one.file_name for one in ranked(tmp_path)[:5])


@pytest.mark.slow
def test_what_the_head_firmly_believes_is_hardly_off_topic(photos: Path, tmp_path: Path) -> None:
    for label in ("bird", "forest"):
        (tmp_path / label).mkdir()
        for path in sorted((photos / "birds" / label).glob("*.jpg"))[:40]:
            shutil.copyfile(path, tmp_path / label / path.name)
    assert sum("off-topic" in one.kinds for one in ranked(tmp_path)) <= 1, "all belong there"


def test_a_leak_across_the_split_is_named_on_the_training_side(pets: Path, tmp_path: Path) -> None:
    images = ImageSet.open(pets)
    held_out = images.path(images.valid[0])
    shutil.copyfile(held_out, pets / images.train[0].label / "copy.jpg")
    table = images.to_dataframe()[["file_name", "label", "split"]]
    table.loc[len(table)] = [f"{images.train[0].label}/copy.jpg", images.valid[0].label, "train"]
    table.to_csv(pets / "metadata.csv", index=False)
    found = ranked(pets)
    copy = named(found, f"{images.train[0].label}/copy.jpg")
    assert copy.kind == "leak"
    assert f"the same picture as {images.valid[0].file_name}, which is in 'valid'" in copy.reason
    assert named(found, images.valid[0].file_name).kind != "leak"
    table.loc[len(table) - 1, "label"] = other = next(label for label in images.labels if label != copy.label)
    table.to_csv(pets / "metadata.csv", index=False)
    found = ranked(pets)
    copy, original = named(found, copy.file_name), named(found, images.valid[0].file_name)
    assert {"duplicate", "leak"} <= set(copy.kinds) and copy.kind == copy.kinds[0], "a leak under another label is one"
    assert f"{original.file_name}, called {original.label!r}, which is in 'valid'" in copy.reason
    assert "leak" not in original.kinds and f"called {other!r}, which is in 'train'" in original.reason


def test_duplicates_are_found_whatever_was_done_to_the_copy(pets: Path) -> None:
    four = pictures_of(pets, "cat")[:4]
    planted = {}
    for number, path in enumerate(four):
        with Image.open(path) as image:
            width, height = image.size
            copy = [
                lambda one: one,
                ImageOps.mirror,
                lambda one, w=width, h=height: one.crop((w // 25, h // 25, w - w // 25, h - h // 25)),
                lambda one, w=width, h=height: one.resize((w * 7 // 10, h * 7 // 10)),
            ][number](image)
            into = pets / ("dog" if number == 1 else "cat") / f"zz{number}.jpg"
            copy.convert("RGB").save(into, quality=45 if number == 3 else 95)
        planted[into.relative_to(pets).as_posix()] = path.relative_to(pets).as_posix()
    found = ranked(pets)
    for name, original in planted.items():
        one = named(found, name)
        twin = one if original in one.reason else named(found, original)  # it is named on one side within a label
        assert "same picture as" in twin.reason, (name, twin)
        assert twin.score >= 0.75 and (twin.kind in ("duplicate", "leak") or twin.label == "dog")
    assert "called 'cat'" in named(found, "dog/zz1.jpg").reason
    assert sum("same picture as" in one.reason for one in found) == 5  # across labels both are named


def test_copies_that_features_hardly_know_again_are_told_by_their_pixels(pets: Path, backbone: Backbone) -> None:
    original = pictures_of(pets, "cat")[0]
    with Image.open(original) as image:
        worn = image.convert("RGB")
    worn.resize((worn.width // 2, worn.height // 2)).save(pets / "cat" / "zz.jpg", quality=40)
    one, other = extract([original, pets / "cat" / "zz.jpg"], backbone).vectors
    assert 0.6 < one @ other / np.linalg.norm(one) / np.linalg.norm(other) < 0.9, "so that features only hint at it"
    found = ranked(pets)
    said = named(found, "cat/zz.jpg").reason + named(found, f"cat/{original.name}").reason
    assert "nearly the same picture as" in said


def test_a_head_does_not_believe_a_label_because_it_has_seen_copies_of_the_picture(pets: Path) -> None:
    wrong = pictures_of(pets, "cat")[0]
    for number in range(6):
        shutil.copyfile(wrong, pets / "dog" / f"zz{number}.jpg")
    wrong.unlink()
    copies = [one for one in ranked(pets) if "/zz" in one.file_name]
    assert len(copies) == 6
    assert all(one.predicted == "cat" and "label" in one.kinds and "duplicate" in one.kinds for one in copies[:5])


def test_odd_pictures_are_named_as_what_they_are(pets: Path) -> None:
    Image.new("RGB", (400, 300), "white").save(pets / "cat" / "blank.png")
    Image.effect_noise((20, 20), 90).convert("RGB").save(pets / "cat" / "tiny.png")
    Image.effect_noise((900, 100), 90).convert("RGB").save(pets / "dog" / "strip.png")
    cut = pictures_of(pets, "dog")[0].read_bytes()
    (pets / "dog" / "cut.jpg").write_bytes(cut[: len(cut) // 3])
    found = ranked(pets)
    for name, words in (
        ("cat/blank.png", "blank"),
        ("cat/tiny.png", "tiny: 20 x 20 pixels"),
        ("dog/strip.png", "a strip: 900 x 100 pixels"),
        ("dog/cut.jpg", "the file is cut off"),
    ):
        one = named(found, name)
        assert words in one.reason and one.score >= 0.8, one
    assert named(found, "dog/cut.jpg") == found[0] and found[0].kind == "odd"
    assert all(one.kind in (*KINDS, "") for one in found) and len(found) == 64


def test_a_ranking_follows_edits_as_a_fresh_one_would(pets: Path) -> None:
    images = ImageSet.open(pets)
    suspects = Suspects(images)
    assert suspects.rank() == Suspects(images).rank(), "the same every time"
    before = suspects.rank()
    images.relabel("cat/" + pictures_of(pets, "cat")[5].name, "dog")
    dropped = images[40].file_name
    images.drop(dropped)
    again, fresh = suspects.rank(), Suspects(ImageSet.open(pets)).rank()
    assert again != before and len(again) == 59
    assert again == fresh, "whatever was ranked before"
    assert not any(dropped in (one.file_name, *one.neighbours) for one in again)
    assert again[0].file_name == "cat/" + pictures_of(pets, "cat")[5].name
    images.undo()
    assert len(suspects.rank()) == 60, "what was restored is back without being looked at again"
    images.undo()
    assert suspects.rank() == before, "and all is as it was"
    assert suspects.accuracy > 0.9


def test_what_was_found_in_a_large_set_is_kept_until_a_picture_changes(
    pets: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tl_course.features.similarity.LARGE", 50)
    wrong = pictures_of(pets, "cat")[0]
    wrong.rename(pets / "dog" / wrong.name)
    first = ranked(pets)
    (kept,) = (cache / "suspects").iterdir()
    written = kept.stat().st_mtime_ns
    assert ranked(pets) == first and kept.stat().st_mtime_ns == written, "looked up"

    twin, other = pictures_of(pets, "cat")[:2]
    shutil.copyfile(twin, other)
    assert "the same picture as" in " ".join(one.reason for one in ranked(pets) if one.label == "cat")
    assert len(list((cache / "suspects").iterdir())) == 2

    for path in (cache / "suspects").iterdir():
        path.write_bytes(path.read_bytes()[:-100])
    again = ranked(pets)
    assert len(again) == 60, "what is damaged is looked at anew"


def test_neighbours_are_those_that_a_plain_search_finds(pets: Path, backbone: Backbone) -> None:
    images = ImageSet.open(pets)
    vectors = extract([images.path(one) for one in images], backbone).vectors
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors -= vectors.mean(0)  # so few pictures differ in no more than their principal components
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    names = [one.file_name for one in images]
    for one in Suspects(images).rank():
        nearness = vectors @ vectors[names.index(one.file_name)]
        nearest = [names[i] for i in np.argsort(-nearness)]
        assert one.neighbours == tuple(name for name in nearest if name != one.file_name)[:15]


def test_small_and_lopsided_sets_are_ranked_too(tmp_path: Path) -> None:
    def folder(**labels: int) -> Path:
        into = tmp_path / "-".join(f"{label}{n}" for label, n in labels.items())
        number = 0
        for label, n in labels.items():
            (into / label).mkdir(parents=True)
            for _ in range(n):
                number += 1
                (into / label / f"{number}.jpg").write_bytes(jpeg(number))
        return into

    for labels in ({"a": 2, "b": 1}, {"a": 1, "b": 1}, {"a": 1}, {"a": 12, "b": 2, "c": 1}, {"a": 5}):
        found = ranked(folder(**labels))
        assert len(found) == sum(labels.values())
        assert all(np.isfinite(one.score) and 0 <= one.score <= 1 for one in found)
    lone = named(ranked(tmp_path / "a12-b2-c1"), "c/15.jpg")
    assert "no other scene is called 'c'" in lone.reason
    assert "looks like" not in lone.reason, "nobody could have known"
    assert not any(one.kind == "label" for one in ranked(tmp_path / "a5")), "a single label cannot be doubted"
    same = tmp_path / "same"
    for label in "ab":
        (same / label).mkdir(parents=True)
        (same / label / "1.jpg").write_bytes(jpeg(1))
    assert [one.kind for one in ranked(same)] == ["duplicate", "duplicate"]
    images = ImageSet.open(tmp_path / "a5")
    suspects = Suspects(images)
    for one in list(images):
        images.drop(one)
    with pytest.raises(ImageSetError, match="dropped"):
        suspects.rank()


def test_nothing_but_unreadable_pictures_is_no_crash(class_folders: Callable[..., Path]) -> None:
    folder = class_folders(a=2, b=2)
    images = ImageSet.open(folder)
    for path in folder.rglob("*.jpg"):
        path.write_bytes(path.read_bytes()[:-300])
    found = Suspects(images).rank()
    assert [one.kind for one in found] == ["odd"] * 4 and "cut off" in found[0].reason


def test_a_subset_is_compared_within_itself(pets: Path) -> None:
    part = ImageSet.open(pets).subset(20)
    found = Suspects(part).rank()
    names = {picture.file_name for picture in part}
    assert {one.file_name for one in found} == names
    assert {neighbour for one in found for neighbour in one.neighbours} <= names


@pytest.mark.slow
def test_the_command_tells_people_programs_and_spreadsheets(pets: Path, tmp_path: Path) -> None:
    wrong = pictures_of(pets, "cat")[0]
    wrong.rename(pets / "dog" / wrong.name)

    def run(*options: str) -> str:
        command = [sys.executable, "-m", "tl_course.cli", "suspects", str(pets), *options]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    out = json.loads(run("--json", "--csv", str(tmp_path / "suspects.csv")))
    first = out["suspects"][0]
    assert first["file_name"] == f"dog/{wrong.name}" and len(out["suspects"]) == 60
    assert {"score", "reason", "label", "predicted", "confidence", "neighbours"} <= first.keys()
    assert out["accuracy"] > 0.9
    with (tmp_path / "suspects.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file_name"] for row in rows] == [one["file_name"] for one in out["suspects"]]
    assert json.loads(rows[0]["neighbours"]) == first["neighbours"]
    said = run("--n", "1").splitlines()
    assert len(said) == 1 and wrong.name in said[0] and "looks like 'cat'" in said[0]


@pytest.mark.parametrize("trained", [False, True])
def test_a_saved_model_lends_its_eyes_as_to_train(
    model: Classifier, birds: ImageSet, tmp_path: Path, capsys: pytest.CaptureFixture[str], trained: bool
) -> None:
    if trained:  # as fine-tuning leaves it: a network of its own
        body = create().eval()
        model = replace(model, backbone=trained_backbone(model.backbone, body), body=body)
    saved = model.save(tmp_path / "model")
    expected = [one.file_name for one in Suspects(birds).rank()[:5]]
    assert [one.file_name for one in Suspects(birds, backbone=saved).rank()[:5]] == expected
    assert main(["suspects", str(birds.root), "--backbone", str(saved), "--json"]) == 0
    assert [one["file_name"] for one in json.loads(capsys.readouterr().out)["suspects"][:5]] == expected
    if not trained:
        mine = birds.copy_to(tmp_path / "mine")
        assert Cleaner(mine, backbone=saved).suspects[0].file_name == expected[0]
        assert Consistency(mine, n=4, backbone=str(saved)).next
        (saved / "config.json").unlink()
        with pytest.raises(ModelError, match="holds no saved model"):
            Suspects(birds, backbone=saved)
