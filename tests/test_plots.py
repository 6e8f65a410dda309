"""Figures hold what they are said to show; what they look like is for eyes."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from tl_course import Classifier, ImageSet, pictures, plots
from tl_course.errors import TLCourseError
from tl_course.explain import occlusion_map
from tl_course.history import History
from tl_course.models import Evaluation, Prediction
from tl_course.widgets import TryIt


@pytest.mark.slow
def test_a_contact_sheet_has_each_picture_under_its_label(birds: ImageSet) -> None:
    figure = plots.contact_sheet(birds, n=10, columns=4)
    shown = [axis for axis in figure.axes if axis.images]
    assert len(shown) == 10
    assert {axis.get_title() for axis in shown} <= {"bird", "forest"}
    with pytest.raises(TLCourseError, match="no picture to show"):
        plots.picture_grid([])


def test_right_and_wrong_predictions_are_framed_apart(birds: ImageSet) -> None:
    path = str(birds.path(birds[0]))
    given = [Prediction(path, "bird", 0.9, {"bird": 0.9, "forest": 0.1})] * 2
    right, wrong = plots.predictions(given, truth=["bird", "forest"]).axes
    assert right.get_title() == "bird 90%"
    assert wrong.get_title() == "bird 90%, is forest"
    assert right.spines["top"].get_edgecolor() != wrong.spines["top"].get_edgecolor()


def test_the_confusion_matrix_shows_the_counts() -> None:
    figure = plots.confusion(Evaluation(0.8, 0.8, 0.4, [[7, 1], [3, 9]], 20), ["cat", "dog"])
    assert [text.get_text() for text in figure.axes[0].texts] == ["7", "1", "3", "9"]


def test_curves_show_every_record_and_guessing() -> None:
    epochs = [{"epoch": i, "seconds": 2.0 * i, "valid_accuracy": 0.5 + 0.1 * i} for i in (1, 2, 3)]
    records = {"transfer": History("frozen", epochs[:1]), "scratch": History("scratch", epochs)}
    axis = plots.curves(records, chance=0.5).axes[0]
    assert [text.get_text() for text in axis.get_legend().get_texts()] == ["transfer", "scratch", "guessing"]
    np.testing.assert_allclose(axis.lines[1].get_xdata(), [2, 4, 6])


def test_a_feature_map_has_every_picture_once(model: Classifier) -> None:
    vectors = np.random.default_rng(0).normal(size=(12, 30)).astype(np.float32)
    figure = plots.feature_map({"one": vectors, "two": vectors[:, :5]}, ["bird", "forest"] * 6)
    for axis in figure.axes:
        assert sum(len(points.get_offsets()) for points in axis.collections) == 12


def test_covering_what_the_answer_rests_on_weakens_it(model: Classifier, birds: ImageSet) -> None:
    picture = next(one for one in birds.train if one.label == "bird")
    values = occlusion_map(model, birds.path(picture), cells=4)
    assert values.shape == (4, 4)
    assert np.isfinite(values).all()
    assert values.max() > 0
    plots.heat([birds.path(picture)] * 2, [values] * 2)


def test_try_it_answers_uploads_and_leaves_a_still_picture(model: Classifier, birds: ImageSet) -> None:
    box = TryIt(model)
    assert "no picture yet" in box._repr_mimebundle_()["text/plain"]
    data = birds.path(birds[0]).read_bytes()
    box._button.value = (upload("a.jpg", data),)
    assert box.prediction == model.predict(pictures.load(data))[0]
    still = box._repr_mimebundle_()
    assert "application/vnd.jupyter.widget-view+json" in still
    assert "data:image/jpeg;base64," in still["text/html"]
    assert "http" not in still["text/html"]
    before = box.prediction
    box._button.value = (upload("b.txt", b"hi"),)
    assert box.prediction == before
    assert "role='alert'" in box._answer.value


def upload(name: str, data: bytes) -> dict[str, Any]:
    """What the browser sends (ipywidgets' documentation of FileUpload)."""
    now = datetime.now(UTC)
    return {"name": name, "type": "", "size": len(data), "content": memoryview(data), "last_modified": now}
