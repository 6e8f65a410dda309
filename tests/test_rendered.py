"""The rendered sets: the same picture every time, a truth that holds, flaws in the share asked for, clear refusals."""

import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from tl_course.errors import ImageSetError
from tl_course.rendered import SETS, draw, draw_one
from tl_course.rendered.birds import bird_at
from tl_course.rendered.brushes import Canvas
from tl_course.rendered.plumage import Light
from tl_course.rendered.species import PLUMAGES, SHAPES


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


def test_colour_alone_does_not_tell_birds_from_forest():
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    drawn = list(draw("birds", 100, seed=8, size=40))
    tones = [pixels(picture.image, 40).reshape(-1, 3) for picture in drawn]
    features = np.array(
        [np.concatenate([tone.mean(0), tone.std(0), *np.percentile(tone, (10, 90), axis=0)]) for tone in tones]
    )
    labels = [picture.label for picture in drawn]
    assert (
        cross_val_score(make_pipeline(StandardScaler(), LogisticRegression(C=0.1)), features, labels, cv=5).mean()
        < 0.72
    )


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
        ({"wrong_labels": 0.6, "off_topic": 0.6}, "add up to 1.20"),
        ({"n": -1}, "0 or more"),
    ],
)
def test_what_cannot_be_drawn_is_refused_at_once(asked, told):
    with pytest.raises(ImageSetError, match=told):
        draw(**{"name": "birds", "n": 4, **asked})
