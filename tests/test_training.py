"""Training, predicting, saving and loading, as a learner does it: through `train` and `Classifier`."""

import json
import random
import shutil
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from tl_course import Classifier, ImageSet, train
from tl_course.errors import ImageSetError, ModelError, TLCourseWarning
from tl_course.features import Backbone, extraction
from tl_course.training import trainer


def test_it_learns_what_it_is_shown(model: Classifier, birds: ImageSet) -> None:
    """Thirty-two drawn pictures at half size: far from enough for the lesson, and well above guessing."""
    assert model.labels == ["bird", "forest"]
    assert model.metrics["n_train"] == len(birds.train)
    assert model.metrics["n_test"] == len(birds.valid)
    assert model.evaluate(birds, split="train").accuracy > 0.95
    assert model.metrics["cross_validated_accuracy"] > 0.6
    assert set(model.history.stages) == {"loading", "features", "fit", "test"}
    assert model.history.column("valid_accuracy") == [model.metrics["cross_validated_accuracy"]]


def test_measured_elsewhere_it_learns_from_all(model: Classifier, birds: ImageSet) -> None:
    with pytest.warns(TLCourseWarning, match=r"flatters: 40 pairs .* Leave one of each pair out"):
        elsewhere = train(birds, test=birds)
    assert elsewhere.metrics["n_train"] == elsewhere.metrics["n_test"] == len(birds) > model.metrics["n_train"]
    assert elsewhere.metrics["tested_on"] == birds.name


@pytest.mark.slow
def test_altered_copies_are_learnt_from_and_not_measured(birds: ImageSet, backbone: Backbone) -> None:
    few, asked = birds.subset(8), []

    def mirror(picture: Image.Image) -> Image.Image:
        asked.append(picture.size)
        return picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)

    model = train(few, augment=mirror, copies=2)
    assert len(asked) == 16
    assert model.metrics["n_train"] == 8
    assert (model.metrics["cross_validated_accuracy"] * 8).is_integer()
    assert not np.array_equal(model.head.weight, train(few).head.weight)


@pytest.mark.slow
def test_altered_copies_have_the_labels_of_their_pictures_and_stay_in_their_folds(
    birds: ImageSet, backbone: Backbone, tmp_path: Path
) -> None:
    """With labels drawn by lot, a head can learn each picture by heart, and none that it has not seen."""
    own = birds.copy_to(tmp_path / "own")
    for picture, label in zip(list(own), np.random.default_rng(3).choice(own.labels, len(own)), strict=True):
        own.relabel(picture, str(label))
    model = train(own, augment=Image.Image.copy, copies=2)
    assert model.evaluate(own, split="train").accuracy > 0.95
    assert model.metrics["cross_validated_accuracy"] < 0.75


@pytest.mark.slow
def test_the_seed_is_that_of_augmentation_too_and_disturbs_nobody(birds: ImageSet, backbone: Backbone) -> None:
    import torch

    few, drawn = birds.subset(4), []

    def draw(picture: Image.Image) -> Image.Image:
        drawn.append((random.random(), np.random.rand(), torch.rand(1).item()))
        return picture

    def fail(picture: Image.Image) -> Image.Image:
        draw(picture)
        raise ValueError("no picture today")

    def states() -> list[object]:
        return [random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()]

    before = states()
    for seed in (1, 1, 2):
        train(few, augment=draw, copies=1, seed=seed)
    with pytest.raises(ValueError, match="today"):
        train(few, augment=fail, seed=2)
    assert states() == before
    assert drawn[:4] == drawn[4:8] and drawn[8] == drawn[12]
    assert all(one != two for one, two in zip(drawn[0], drawn[8], strict=True))
    assert len({*drawn[:4]}) == 4


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"augment": lambda picture: None}, "returned nothing.*`return` missing"),
        ({"augment": np.asarray}, "returned a ndarray.*PIL picture"),
        ({"augment": lambda picture: picture.crop((5, 5, 5, 9))}, "0 x 4 pixels"),
        ({"augment": lambda picture: Image.new("1", (9000, 10000))}, "cannot be used.*million"),
        ({"augment": "flip"}, "augment is 'flip': give a function"),
        ({"copies": 2.5}, "copies is 2.5"),
        ({"copies": 0}, "copies is 0"),
        ({"augment": True}, "a function that takes a picture"),
    ],
)
def test_what_cannot_be_altered_is_said(birds: ImageSet, backbone: Backbone, wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ModelError, match=said):
        train(birds.subset(4), **{"augment": Image.Image.copy, "copies": 1, **wrong})


def test_views_and_balance_are_learnt_with_and_kept(birds: ImageSet, backbone: Backbone, tmp_path: Path) -> None:
    few = birds.subset(12)
    uneven = few.copy_to(tmp_path / "uneven")
    for picture in [picture for picture in uneven.train if picture.label == "bird"][1:-2]:
        uneven.drop(picture)
    plain, balanced = (train(uneven, balanced=balanced) for balanced in (False, True))
    rare = [uneven.path(picture) for picture in uneven if picture.label == "bird"]
    assert sum(one.probabilities["bird"] for one in balanced.predict(rare)) > sum(
        one.probabilities["bird"] for one in plain.predict(rare)
    )
    seen = train(few, views=2)
    paths = [few.path(picture) for picture in few]
    again = Classifier.load(seen.save(tmp_path / "model"))
    assert again.backbone.views == 2
    assert again.predict(paths) == seen.predict(paths) != replace(seen, backbone=backbone).predict(paths)


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["frozen", "fine-tune", "scratch"])
def test_another_pooling_is_learnt_with_and_kept(
    strategy: str, birds: ImageSet, backbone: Backbone, tmp_path: Path
) -> None:
    few = birds.subset(8)
    model = train(few, strategy=strategy, pooling="gem", epochs=None if strategy == "frozen" else 1)
    paths = [few.path(picture) for picture in few]
    folder = model.save(tmp_path / "model")
    again = Classifier.load(folder)
    assert again.backbone.pooling == "gem"
    assert again.predict(paths) == model.predict(paths)
    if strategy == "frozen":
        assert model.predict(paths) != replace(model, backbone=backbone).predict(paths)
    else:
        assert train(few, backbone=folder).backbone.pooling == "gem"
        with pytest.raises(ModelError, match="trained with pooling 'gem', and keeps it"):
            train(few, backbone=folder, pooling="avg")


def test_the_same_seed_gives_the_same_model(model: Classifier, birds: ImageSet) -> None:
    np.testing.assert_array_equal(train(birds).head.weight, model.head.weight)


def test_a_relabelled_picture_costs_no_features(
    model: Classifier, birds: ImageSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = birds.copy_to(tmp_path / "own")
    picture = own.train[0]
    own.relabel(picture, "forest" if picture.label == "bird" else "bird")
    monkeypatch.setattr("tl_course.features.extraction._runner", lambda *_: pytest.fail("features were computed again"))
    again = train(own)
    assert not np.array_equal(again.head.weight, model.head.weight)


def test_it_predicts_files_folders_and_pictures(model: Classifier, birds: ImageSet, tmp_path: Path) -> None:
    path = birds.path(birds[0])
    (from_file,) = model.predict(path)
    (from_memory,) = model.predict(Image.open(path))
    from_folder = model.predict(birds.root)
    assert from_file.source == str(path)
    assert from_file.label == max(from_file.probabilities, key=from_file.probabilities.__getitem__)
    assert sum(from_file.probabilities.values()) == pytest.approx(1)
    assert from_memory.confidence == pytest.approx(from_file.confidence, abs=1e-3)
    assert len(from_folder) == len(birds)
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    with pytest.warns(TLCourseWarning, match=r"1 of 2.*bad\.jpg"):
        assert [one.source for one in model.predict([bad, path])] == [str(path)]
    for nothing in ([bad], [], tmp_path / "gone.jpg"):
        with pytest.raises(ImageSetError, match=r"[Nn]o picture"):
            model.predict(nothing)


def test_a_model_says_in_a_line_what_it_is(model: Classifier) -> None:
    said = repr(model)  # what a notebook shows of it
    assert said == str(model)
    assert "\n" not in said and "classifier of bird, forest on" in said and f"{model.metrics['accuracy']:.3f}" in said


def test_what_is_saved_is_what_is_loaded(model: Classifier, birds: ImageSet, tmp_path: Path) -> None:
    folder = model.save(tmp_path / "model")
    again = Classifier.load(folder)
    paths = [birds.path(picture) for picture in birds]
    assert again.predict(paths) == model.predict(paths)
    assert (again.labels, again.metrics, again.history) == (model.labels, model.metrics, model.history)
    assert {file.name for file in folder.iterdir()} == {"model.safetensors", "config.json"}
    model.save(folder, card="# For a light at the feeder")
    assert (folder / "README.md").read_text("utf-8") == "# For a light at the feeder\n"
    assert {file.name for file in model.save(folder).iterdir()} == {"model.safetensors", "config.json"}
    assert model.save(folder) == folder, "a model may take the place of a model"
    config = json.loads((folder / "config.json").read_text())
    assert {"tl-course", "torch", "python"} <= set(config["versions"])


@pytest.mark.parametrize(
    "damage", ["no config", "no weights", "cut off", "not json", "from the future", "other weights"]
)
def test_a_damaged_model_is_refused_in_plain_words(model: Classifier, tmp_path: Path, damage: str) -> None:
    folder = model.save(tmp_path / "model")
    weights, config = folder / "model.safetensors", folder / "config.json"
    if damage == "no config":
        config.unlink()
    elif damage == "no weights":
        weights.unlink()
    elif damage == "cut off":
        weights.write_bytes(weights.read_bytes()[:100])
    elif damage == "not json":
        config.write_text("{")
    elif damage == "from the future":
        config.write_text(json.dumps(json.loads(config.read_text()) | {"format": 99}))
    else:
        config.write_text(config.read_text().replace(model.backbone.key, "another-backbone"))
    with pytest.raises(ModelError, match=r"no saved model|damaged|newer version|was trained on"):
        Classifier.load(folder)


def test_no_other_folder_is_written_over(model: Classifier, tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").write_text("dear to someone")
    with pytest.raises(ModelError, match="no saved model"):
        model.save(tmp_path)
    assert [file.name for file in tmp_path.iterdir() if file.suffix] == ["holiday.jpg"]


def test_what_cannot_be_trained_on_is_refused_first(
    class_folders: Callable[..., Path], model: Classifier, birds: ImageSet
) -> None:
    with pytest.raises(ImageSetError, match="at least two labels"):
        train(ImageSet.open(class_folders(into="one", bird=5)))
    with pytest.raises(ModelError, match="no strategy 'magic'"):
        train(birds, strategy="magic")
    with pytest.raises(ModelError, match="'cat', which this model was not trained on"):
        train(birds, test=ImageSet.open(class_folders(into="other", cat=3, bird=3)))


def test_a_broken_picture_among_good_ones_is_named_and_left_out(
    model: Classifier, birds: ImageSet, tmp_path: Path
) -> None:
    own = birds.copy_to(tmp_path / "own")
    path = own.path(own.train[0])
    path.write_bytes(path.read_bytes()[:1500])  # a good header, and half a picture
    with pytest.warns(TLCourseWarning, match=f"without 1 picture: .*{path.name}"):
        again = train(ImageSet.open(own.root))
    assert again.metrics["n_train"] == len(own.train) - 1 == model.metrics["n_train"] - 1


@pytest.mark.slow
def test_photos_are_told_apart(photos: Path, backbone: Backbone) -> None:
    for name in ("birds", "cats_dogs"):
        assert train(ImageSet.open(photos / name)).metrics["cross_validated_accuracy"] >= 0.985


@pytest.mark.slow
def test_frozen_training_imports_neither_torch_nor_fastai(birds: ImageSet, backbone: Backbone) -> None:
    code = (
        f"import sys; from tl_course import ImageSet, train; train(ImageSet.open({str(birds.root)!r})); "
        "sys.exit(' '.join({'torch', 'fastai', 'timm', 'sklearn', 'pandas'} & set(sys.modules)) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_loading_is_timed_apart_and_stages_add_up(birds: ImageSet, backbone: Backbone, monkeypatch: Any) -> None:
    """A star in a figure of training times is not moved by a slow disk, nor by an export that is done once."""
    clock, load = [0.0], extraction._runner

    def slow(*given: Any) -> Any:
        clock[0] += 1
        return load(*given)

    monkeypatch.setattr(extraction, "_runner", slow)
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])
    model = train(birds)
    assert model.history.stages == {"loading": 1, "features": 0, "fit": 0, "test": 1}
    assert (model.metrics["loading_seconds"], model.metrics["seconds"]) == (1, 1)
    assert model.history.epochs[0]["seconds"] == 0


def altered_copy(path: Path, way: int, into: Path) -> None:
    """A copy as it is made to have more pictures, before somebody splits them."""
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    width, height = image.size
    image = [
        lambda: ImageOps.mirror(image),
        lambda: ImageEnhance.Brightness(image).enhance(1.3),
        lambda: image.crop((0, 0, round(0.9 * width), round(0.9 * height))),
        lambda: image.resize((width // 2, height // 2)),
        lambda: ImageEnhance.Brightness(ImageOps.mirror(image)).enhance(0.7),
        lambda: image.transpose(Image.Transpose.ROTATE_90),
    ][way]()
    image.save(into, quality=70)


@pytest.mark.parametrize("strategy", ["frozen", "scratch"])
def test_copies_of_what_was_learnt_among_what_is_measured_on_are_said(
    photos: Path, backbone: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, strategy: str
) -> None:
    learnt = {}
    for label in ("cat", "dog"):
        paths = sorted((photos / "cats_dogs" / label).glob("*.jpg"))
        learnt[label] = paths[:10]
        for split, some in (("train", paths[:10]), ("valid", paths[10:14])):
            (tmp_path / "set" / split / label).mkdir(parents=True)
            for path in some:
                shutil.copyfile(path, tmp_path / "set" / split / label / path.name)
    if strategy == "scratch":  # what is looked at is not what the network has learnt
        monkeypatch.setattr(trainer, "_by_steps", lambda *_, **__: train(ImageSet.open(tmp_path / "set")))
    assert train(ImageSet.open(tmp_path / "set"), strategy=strategy).metrics["copies_in_test"] == 0
    ways = range(6) if strategy == "frozen" else (0, 1, 3, 4, 5)
    for way in ways:
        altered_copy(learnt["cat"][way], way, tmp_path / "set" / "valid" / "cat" / f"{way}.jpg")
    if strategy == "frozen":
        with pytest.warns(TLCourseWarning, match=rf"The score flatters: 6 pairs.*{learnt['cat'][0].name}.*cat/0\.jpg"):
            model = train(ImageSet.open(tmp_path / "set"))
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TLCourseWarning)
            model = train(ImageSet.open(tmp_path / "set"), strategy="scratch")
    assert model.metrics["copies_in_test"] == len(ways)


def test_copies_of_one_photo_stay_together_in_cross_validation(
    photos: Path, backbone: Backbone, tmp_path: Path
) -> None:
    """Labels that mean nothing cannot be learnt, however often each photo is there."""
    for number, path in enumerate(sorted((photos / "cats_dogs" / "cat").glob("*.jpg"))[:24]):
        folder = tmp_path / "set" / "train" / ("heads" if number % 2 else "tails")
        folder.mkdir(parents=True, exist_ok=True)
        for way in range(3 if number < 20 else 0):
            altered_copy(path, way, folder / f"{number}-{way}.jpg")
        if number >= 20:
            valid = tmp_path / "set" / "valid" / folder.name
            valid.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, valid / path.name)
    model = train(ImageSet.open(tmp_path / "set"))
    assert model.metrics["cross_validated_accuracy"] < 0.75
    assert model.metrics["copies_in_test"] == 0
