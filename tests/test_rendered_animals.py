"""Rendered animals and patterns: any number of labels in turn, truth that holds, and no label told by colour."""

import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tl_course.synthetic.datasets import dataset_names
from tl_course.synthetic.drawing import SETS, draw, draw_one
from tl_course.synthetic.mammals.body import Stance, build_mammal
from tl_course.synthetic.mammals.mammals import BREEDS, COATS
from tl_course.synthetic.mammals.rooms import LIGHTS, PLACES
from tl_course.synthetic.patterns import PATTERNS

NEW = ("cats_dogs", "animals", "patterns")
FLAWS = {"wrong_labels": 0.2, "near_duplicates": 0.2, "off_topic": 0.1}


def tones(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image, dtype=float).reshape(-1, 3)
    return np.concatenate([pixels.mean(0), pixels.std(0), *np.percentile(pixels, (10, 90), axis=0)])


def test_the_new_sets_are_among_those_that_ship():
    assert set(NEW) <= set(dataset_names())
    assert len(SETS["animals"]) >= 8 and not {"cat", "dog"} & set(SETS["animals"])
    assert len(SETS["patterns"]) >= 6 and set(SETS["patterns"]) == set(PATTERNS)
    labels = [label for labels in SETS.values() for label in labels]
    assert len(labels) == len(set(labels)), "a label that two sets have could not be asked for by its name"


@pytest.mark.parametrize("name", NEW)
def test_a_picture_is_the_same_every_time_and_in_any_order(name):
    drawn = list(draw(name, 12, seed=5, size=40, **FLAWS))
    for i in (11, 3, 7):
        alone = draw_one(name, i, seed=5, size=40, **FLAWS)
        assert alone.image.tobytes() == drawn[i].image.tobytes()
        assert (alone.label, alone.truth) == (drawn[i].label, drawn[i].truth)
    assert draw_one(name, 3, seed=6, size=40, **FLAWS).image.tobytes() != drawn[3].image.tobytes()


def test_every_stretch_of_a_set_has_all_labels_alike():
    labels = [picture.label for picture in draw("patterns", 80, seed=1, size=32)]
    for start in range(0, 80, 8):
        assert sorted(labels[start : start + 8]) == sorted(SETS["patterns"])
    assert len({tuple(labels[start : start + 8]) for start in range(0, 80, 8)}) > 2


def test_flaws_among_many_labels():
    drawn = list(draw("patterns", 200, seed=3, size=32, wrong_labels=0.3, near_duplicates=0.1, off_topic=0.05))
    found = Counter(flaw for one in drawn for flaw in one.truth["flaws"])
    assert (found["wrong_label"], found["off_topic"]) == (60, 10)
    assert 18 <= found["near_duplicate"] <= 20  # of a label's first picture there is none to duplicate
    given: dict[str, set[str]] = {}
    for i, one in enumerate(drawn):
        truth = one.truth
        if truth["flaws"] == ["wrong_label"]:
            assert one.label != truth["true_label"] and one.label in SETS["patterns"]
            given.setdefault(truth["true_label"], set()).add(one.label)
        if truth["flaws"] == ["near_duplicate"]:
            assert truth["scene"] < i and drawn[truth["scene"]].truth["pattern"] == truth["pattern"]
    assert max(map(len, given.values())) > 2, "a wrong label should be any of the others"


def test_the_truth_says_which_animal_and_what_it_does():
    drawn = list(draw("cats_dogs", 40, seed=1, size=32)) + list(draw("animals", 20, seed=1, size=32))
    for one in drawn:
        animal = json.loads(json.dumps(one.truth))["animal"]
        assert animal["species"] == one.truth["true_label"] == one.label
        assert animal["breed"] in {breed.name for breed in BREEDS[one.label]}
        assert animal["coat"] in COATS
        assert 0 <= animal["hidden"] <= 1 and (animal["hidden"] == 0 or one.truth["cover"])
        assert all(0 <= side <= 32 for side in animal["box"])
    animals = [one.truth["animal"] for one in drawn[:40]]
    assert {animal["framing"] for animal in animals} == {"face", "half", "whole"}
    assert {animal["pose"] for animal in animals} == {"sitting", "lying", "standing"}
    assert len({animal["breed"] for animal in animals}) > 8


def test_size_changes_the_pixels_and_not_the_scene():
    for i in range(3):
        small, large = draw_one("cats_dogs", i, seed=2, size=64), draw_one("cats_dogs", i, seed=2, size=128)
        told = [{**one.truth, "animal": one.truth["animal"] | {"box": 0, "hidden": 0}} for one in (small, large)]
        assert told[0] == told[1]
        tiny = [np.asarray(one.image.resize((24, 24), Image.Resampling.BOX), float).ravel() for one in (small, large)]
        assert np.corrcoef(*tiny)[0, 1] > 0.9


def test_cats_and_dogs_are_dealt_the_same_colours_and_places():
    drawn = list(draw("cats_dogs", 120, seed=9, size=32))
    features = np.array([tones(one.image) for one in drawn])
    features = (features - features.mean(0)) / features.std(0)
    cat = np.array([one.label == "cat" for one in drawn])
    right = 0
    for i in range(len(drawn)):  # the nearer of the two means, without the picture itself
        others = np.arange(len(drawn)) != i
        gap = [np.linalg.norm(features[i] - features[others & (cat == kind)].mean(0)) for kind in (True, False)]
        right += (gap[0] < gap[1]) == cat[i]
    assert right / len(drawn) < 0.65
    for label in ("cat", "dog"):
        truths = [one.truth for one in drawn if one.label == label]
        assert len({truth["animal"]["coat"] for truth in truths}) >= 14, "of 16 coats"
        assert len({truth["place"] for truth in truths}) == len(PLACES)
        assert len({truth["light"] for truth in truths}) == len(LIGHTS)


@pytest.mark.parametrize("species", BREEDS)
def test_every_breed_stands_on_the_ground_with_its_head_above(species):
    for breed in BREEDS[species]:
        assert set(breed.coats) <= set(COATS)
        for kind in sorted(set(breed.poses)):
            posed = build_mammal(breed, Stance(kind, pitch=55.0 if kind == "sitting" else 4.0, tilt=0.0))
            points = np.concatenate([sheets.points.reshape(-1, 3) for sheets in posed.sheets])
            assert np.isfinite(points).all()
            ground, head = posed.places["feet"][0, 2], posed.places["head"][0, 2]
            assert ground - 0.1 < points[:, 2].min() < ground + 0.1
            assert head > ground + 0.2
    facing = build_mammal(replace(breed), Stance(kind, yaw=90.0, look=90.0))
    assert facing.places["muzzle"][0, 1] > facing.places["head"][0, 1], "the muzzle points at the viewer"


@pytest.mark.parametrize("label", PATTERNS)
def test_a_pattern_can_be_seen(label):
    shown = [one.image for one in draw("patterns", 16, seed=4, size=32) if one.label == label]
    assert len(shown) == 2
    assert all(np.asarray(image, dtype=float).std(axis=(0, 1)).max() > 6 for image in shown)
