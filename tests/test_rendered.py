"""The rendered sets: the same picture every time, a truth that holds, flaws in the share asked for, clear refusals."""

import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from tl_course.errors import ImageSetError
from tl_course.synthetic.birds.bird import bird_at
from tl_course.synthetic.birds.plumage import Light
from tl_course.synthetic.birds.species import PLUMAGES, SHAPES
from tl_course.synthetic.doors.scene import draw_door, draw_scene
from tl_course.synthetic.drawing import SETS, draw, draw_one
from tl_course.synthetic.engine.brushes import Canvas


def pixels(image: Image.Image, side: int = 48) -> np.ndarray:
    return np.asarray(image.resize((side, side), Image.Resampling.BOX), dtype=float)


def test_a_picture_is_the_same_every_time_and_in_any_order():
    asked = {"seed": 5, "size": 64, "wrong_labels": 0.2, "near_duplicates": 0.2, "off_topic": 0.1}
    drawn = list(draw("birds", 12, **asked))
    for i in (11, 3, 7, 0):
        alone = draw_one("birds", i, **asked)
        assert alone.image.tobytes() == drawn[i].image.tobytes()
        assert (alone.label, alone.truth) == (drawn[i].label, drawn[i].truth)
    other = draw_one("birds", 3, **{**asked, "seed": 6})
    assert other.image.tobytes() != drawn[3].image.tobytes()


def test_labels_are_balanced_and_the_truth_is_told():
    drawn = list(draw("birds", 30, seed=1, size=48))
    assert Counter(picture.label for picture in drawn) == {"bird": 15, "forest": 15}
    assert set(SETS["birds"]) == {"bird", "forest"}
    for i, picture in enumerate(drawn):
        truth = json.loads(json.dumps(picture.truth))
        assert picture.image.mode == "RGB"
        assert picture.image.size == (48, 48)
        assert truth["true_label"] == picture.label
        assert truth["scene"] == i
        assert truth["flaws"] == []
        assert (truth["bird"] is not None) == (picture.label == "bird")
        if truth["bird"]:
            left, top, right, bottom = truth["bird"]["box"]
            assert 0 <= left < right <= 48
            assert 0 <= top < bottom <= 48
            assert 0 <= truth["bird"]["visible"] <= 1
    assert len({picture.truth["bird"]["species"] for picture in drawn if picture.truth["bird"]}) > 8


def test_size_changes_the_pixels_and_not_the_scene():
    for i in (0, 1, 4, 5):
        small, large = draw_one("birds", i, seed=2, size=96), draw_one("birds", i, seed=2, size=192)
        told = [{**picture.truth, "bird": bool(picture.truth["bird"])} for picture in (small, large)]
        assert told[0] == told[1]
        alike = np.corrcoef(pixels(small.image, 24).ravel(), pixels(large.image, 24).ravel())[0, 1]
        assert alike > 0.9


@pytest.mark.slow
def test_flaws_come_in_the_share_asked_for():
    drawn = list(draw("birds", 60, seed=3, size=40, wrong_labels=0.1, near_duplicates=0.1, off_topic=0.05))
    found = Counter(flaw for picture in drawn for flaw in picture.truth["flaws"])
    assert found == {"wrong_label": 6, "near_duplicate": 6, "off_topic": 3}
    for i, picture in enumerate(drawn):
        truth, flaws = picture.truth, picture.truth["flaws"]
        assert len(flaws) <= 1
        assert (picture.label != truth["true_label"]) == bool({"wrong_label", "off_topic"} & set(flaws))
        assert (truth["true_label"] is None) == (flaws == ["off_topic"])
        assert (truth["scene"] != i) == (flaws == ["near_duplicate"])


@pytest.mark.slow
def test_a_near_duplicate_resembles_the_scene_that_it_shows_again():
    drawn = list(draw("birds", 40, seed=4, size=64, near_duplicates=0.2))
    views = [pixels(picture.image, 16) for picture in drawn]
    again = [i for i, picture in enumerate(drawn) if picture.truth["flaws"]]
    assert len(again) == 8
    for i in again:
        scene = drawn[i].truth["scene"]
        gaps = [np.inf if drawn[j].truth["scene"] == scene and j != scene else np.abs(views[i] - views[j]).mean()
                for j in range(len(drawn))]  # fmt: skip
        assert scene < i
        assert int(np.argmin([np.inf if j == i else gap for j, gap in enumerate(gaps)])) == scene
        assert drawn[i].image.tobytes() != drawn[scene].image.tobytes()
        assert drawn[i].label == drawn[scene].label


def test_the_first_picture_is_no_duplicate_of_nothing():
    drawn = list(draw("birds", 3, size=32, near_duplicates=1.0))
    assert drawn[0].truth["flaws"] == []
    assert drawn[0].truth["scene"] == 0


@pytest.mark.parametrize("name", PLUMAGES)
def test_every_species_can_be_drawn_in_each_of_its_poses(name):
    for stance in sorted(set(SHAPES[PLUMAGES[name].shape].poses)):
        bird = bird_at(Canvas(96), np.random.default_rng(7), name, stance, place=(0.5, 0.5), extent=0.9, light=Light())
        assert np.isfinite(bird.colours).all()
        assert bird.seen.mask.sum() == len(bird.colours) > 300
        assert bird.colours.std() > 0.02


@pytest.mark.parametrize("name", SETS)
@pytest.mark.slow
def test_colour_alone_does_not_tell_the_labels_apart(name):
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    drawn = list(draw(name, 100, seed=8, size=40))
    tones = [pixels(picture.image, 40).reshape(-1, 3) for picture in drawn]
    features = np.array(
        [np.concatenate([tone.mean(0), tone.std(0), *np.percentile(tone, (10, 90), axis=0)]) for tone in tones]
    )
    labels = [picture.label for picture in drawn]
    assert (
        cross_val_score(make_pipeline(StandardScaler(), LogisticRegression(C=0.1)), features, labels, cv=5).mean()
        < 0.72
    )


# --- doors ------------------------------------------------------------------------------------------------------------


def test_a_door_is_the_same_every_time_and_in_any_order():
    asked = {"seed": 5, "size": 64, "wrong_labels": 0.2, "near_duplicates": 0.2, "off_topic": 0.1}
    drawn = list(draw("doors", 12, **asked))
    for i in (11, 3, 7, 0):
        alone = draw_one("doors", i, **asked)
        assert alone.image.tobytes() == drawn[i].image.tobytes()
        assert (alone.label, alone.truth) == (drawn[i].label, drawn[i].truth)
    assert draw_one("doors", 3, **{**asked, "seed": 6}).image.tobytes() != drawn[3].image.tobytes()


@pytest.mark.slow
def test_doors_are_balanced_and_many_stand_where_the_definition_matters():
    drawn = list(draw("doors", 60, seed=1, size=32))
    assert Counter(picture.label for picture in drawn) == {"closed": 30, "open": 30}
    angles = np.array([picture.truth["angle"] for picture in drawn])
    assert angles.min() == 0 and 100 < angles.max() <= 110
    assert 12 <= (angles == 0).sum() <= 26
    assert ((angles >= 5) & (angles <= 40)).sum() >= 12
    truths = [json.loads(json.dumps(picture.truth)) for picture in drawn]
    assert {truth["kind"] for truth in truths} == {"hinged", "double", "sliding"}
    assert {truth["hinge"] for truth in truths} == {"left", "right"}
    assert {truth["towards"] for truth in truths} == {True, False, None}
    assert len({truth["style"] for truth in truths}) > 8
    for picture, truth in zip(drawn, truths, strict=True):
        assert picture.image.size == (32, 32) and picture.image.mode == "RGB"
        assert (truth["true_label"], truth["flaws"]) == (picture.label, [])
        assert np.isfinite(truth["leaf"]).all()
        if truth["kind"] == "sliding":
            wanted = min(1.0, 2 * np.sin(np.radians(truth["angle"]) / 2))
            assert truth["doors"]["share"] == pytest.approx(wanted, abs=1e-3)


@pytest.mark.slow
def test_another_threshold_changes_labels_and_nothing_else():
    asked = {"seed": 2, "size": 32, "wrong_labels": 0.2, "near_duplicates": 0.1, "off_topic": 0.1}
    usual = list(draw("doors", 12, **asked))
    for threshold in (5.0, 20.0, 60.0):
        moved = list(draw("doors", 12, threshold=threshold, **asked))
        assert [one.image.tobytes() for one in moved] == [one.image.tobytes() for one in usual]
        for one in moved:
            if one.truth["flaws"] == ["off_topic"]:
                continue
            assert one.truth["true_label"] == ("open" if one.truth["angle"] >= threshold else "closed")
            assert (one.label != one.truth["true_label"]) == (one.truth["flaws"] == ["wrong_label"])
        if threshold == 20.0:
            assert [(one.label, one.truth) for one in moved] == [(one.label, one.truth) for one in usual]


def test_flaws_among_doors_come_in_the_share_asked_for():
    drawn = list(draw("doors", 40, seed=3, size=32, wrong_labels=0.1, near_duplicates=0.1, off_topic=0.1))
    found = Counter(flaw for picture in drawn for flaw in picture.truth["flaws"])
    assert found == {"wrong_label": 4, "near_duplicate": 4, "off_topic": 4}
    for i, picture in enumerate(drawn):
        if picture.truth["flaws"] == ["near_duplicate"]:
            shown = drawn[picture.truth["scene"]]
            assert picture.truth["scene"] < i
            assert (shown.label, shown.truth["angle"]) == (picture.label, picture.truth["angle"])
            alike = np.corrcoef(pixels(shown.image, 16).ravel(), pixels(picture.image, 16).ravel())[0, 1]
            assert alike > 0.8 and shown.image.tobytes() != picture.image.tobytes()
            before, now = (np.ptp(np.array(one.truth["leaf"])[:, 1]) for one in (shown, picture))
            assert 1.01 < now / before < 1.09  # the second shot is a little nearer, and so is the leaf on record


def test_a_door_of_another_size_is_the_same_door():
    for i in (0, 1, 4):
        small, large = draw_one("doors", i, seed=2, size=96), draw_one("doors", i, seed=2, size=192)
        told = [{**picture.truth, "leaf": None} for picture in (small, large)]
        assert told[0] == told[1]
        np.testing.assert_allclose(np.array(large.truth["leaf"]), 2 * np.array(small.truth["leaf"]), atol=0.3)
        assert np.corrcoef(pixels(small.image, 24).ravel(), pixels(large.image, 24).ravel())[0, 1] > 0.9


@pytest.mark.slow
def test_the_leaf_turns_about_its_hinge_in_perspective():
    seen = 0
    for seed in range(30):
        shots = {
            angle: draw_scene(np.random.default_rng(seed), 32, angle=angle)[1] for angle in (0.0, 15.0, 40.0, 80.0)
        }
        truth = shots[0.0]
        if truth["kind"] != "hinged":
            continue
        seen += 1
        leaf = {angle: np.array(shot["leaf"]) for angle, shot in shots.items()}  # from the hinge's top, round
        assert [{**shot, "angle": 0, "leaf": 0, "doors": 0} for shot in shots.values()].count(
            {**truth, "angle": 0, "leaf": 0, "doors": 0}
        ) == 4
        if truth["towards"]:  # the hinge stays where it is
            np.testing.assert_allclose(leaf[80.0][[0, 3]], leaf[0.0][[0, 3]], atol=0.2)
        # The free edge comes nearer and looks taller, or goes away and looks shorter, the more the leaf turns.
        tall = [np.linalg.norm(corners[1] - corners[2]) for corners in leaf.values()]
        assert (np.diff(tall) > 0).all() if truth["towards"] else (np.diff(tall) < 0).all()
        way = np.sign(leaf[0.0][1, 0] - leaf[0.0][0, 0])
        assert (way > 0) == (truth["hinge"] == "left")
    assert seen > 10


def test_a_door_can_be_drawn_at_any_angle():
    shots = [np.asarray(draw_door(3, angle, 64), dtype=float) for angle in (0, 10, 30, 60, 110)]
    steps = [np.abs(shot - shots[0]).mean() for shot in shots]
    assert steps[0] == 0 and (np.diff(steps) > 0).all()
    for angle in (-1, 111, float("nan")):
        with pytest.raises(ImageSetError, match="0 to 110"):
            draw_door(3, angle)


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"name": "bird"}, "There is: birds"),
        ({"size": 8}, "32 to 1024"),
        ({"size": 5000}, "32 to 1024"),
        ({"seed": -1}, "0 or a whole number"),
        ({"wrong_labels": 1.5}, "wrong_labels is 1.5"),
        ({"off_topic": -0.1}, "between 0 and 1"),
        ({"near_duplicates": float("nan")}, "between 0 and 1"),
        ({"threshold": 20.0}, "knows no threshold"),
        ({"name": "doors", "threshold": 0.0}, "above 0 and up to 110"),
        ({"name": "doors", "threshold": float("nan")}, "above 0 and up to 110"),
        ({"wrong_labels": 0.6, "off_topic": 0.6}, "add up to 1.20"),
        ({"n": -1}, "0 or more"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_once(asked, told):
    with pytest.raises(ImageSetError, match=told):
        draw(**{"name": "birds", "n": 4, **asked})
