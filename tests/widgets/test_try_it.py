"""The widget on which a classifier is tried, without a browser."""

import html
import io
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tl_course import Classifier, ImageSet
from tl_course.core import image_io
from tl_course.errors import ImageSetError, ModelError
from tl_course.widgets import TryIt


def sent(box: TryIt, do: str, data: bytes = b"", **asked: Any) -> bool:
    """What the page sends, as the browser sends it; whether it was done."""
    heard: list[dict[str, Any]] = []
    box.send = lambda content, buffers=None: heard.append(content)  # type: ignore[method-assign]
    box._message(None, {"do": do, "ack": "1", **asked}, [memoryview(data)] if data else [])
    (answer,) = [one for one in heard if one.get("ack") == "1"]
    return bool(answer["good"])


def handed(box: TryIt, name: str, data: bytes, part: int = 512 * 1024) -> bool:
    offsets = range(0, max(1, len(data)), part)
    return all(sent(box, "_chunk", data[at : at + part], name=name, size=len(data), offset=at) for at in offsets)


def test_a_file_from_the_browser_is_answered_as_the_file_itself(model: Classifier, birds: ImageSet) -> None:
    box = TryIt(model)
    assert "no picture yet" in box._still()["text/plain"] and box._view == b""
    path = birds.path(birds[0])
    assert handed(box, "a <b>.jpg", path.read_bytes(), part=1000), "in several parts"
    (expected,) = model.predict(path)
    assert box.prediction is not None and box.prediction.probabilities == expected.probabilities
    assert box._state["rows"][0] == [expected.label, round(expected.confidence, 4)] and box._view[:2] == b"\xff\xd8"
    assert f"{expected.confidence:.1%}" in box.status and "a <b>.jpg" in box.status
    still = box._still()["text/html"]
    assert "data:image/jpeg;base64," in still and "a &lt;b&gt;.jpg" in still and "http" not in still


def cmyk() -> bytes:
    file = io.BytesIO()
    Image.new("CMYK", (40, 30), (10, 200, 30, 0)).save(file, "JPEG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("note.txt", b"hi"),
        ("empty.jpg", b""),
        ("cut.jpg", cmyk()[:200]),
        ("page.html", b"<html><img src=x></html>"),
        ("zeros.png", bytes(5000)),
        ("svg.svg", b"<svg xmlns='http://www.w3.org/2000/svg'/>"),
    ],
)
def test_what_is_no_picture_is_named_and_the_answer_stays(
    model: Classifier, birds: ImageSet, name: str, data: bytes
) -> None:
    box = TryIt(model, birds.path(birds[0]))
    before = box.prediction, box._view
    assert not handed(box, name, data)
    assert name in box.status and box._state["alert"] and "Error" not in box.status
    assert (box.prediction, box._view) == before


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P", "CMYK", "I;16", "1"])
def test_pictures_of_every_mode_are_answered(model: Classifier, mode: str) -> None:
    file = io.BytesIO()
    Image.new("L", (60, 40), 90).convert(mode if mode != "I;16" else "I").save(file, "TIFF")
    assert handed(TryIt(model), "a.tif", file.getvalue())


def test_frames_of_the_camera_are_answered_and_the_last_one_stands(model: Classifier, birds: ImageSet) -> None:
    box = TryIt(model, birds.path(birds[0]))
    shown, said = box._view, box._state["said"]
    for one in birds[1:4]:
        assert sent(box, "see", birds.path(one).read_bytes())
        assert box.prediction is not None
        (expected,) = model.predict(birds.path(one))
        assert box.prediction.probabilities == expected.probabilities
        assert box._state["rows"][0][0] == expected.label
    assert box._view == shown and box._state["said"] == said, (
        "the video is the picture, and nobody is told of each frame"
    )
    assert sent(box, "stop")
    assert box._view != shown and box._state["said"] == said + 1
    assert not sent(box, "see", b"no frame") and box._state["alert"]


def test_the_page_may_ask_for_nothing_else(model: Classifier) -> None:
    box = TryIt(model)
    assert not sent(box, "predict", source="/etc/passwd")
    assert not sent(box, "__init__") and not sent(box, "see", frame="x")
    assert "Run the cell again" in box.status


def test_in_python_it_is_a_plain_object(model: Classifier, birds: ImageSet, tmp_path: Path) -> None:
    box = TryIt(model)
    answer = box.predict(birds.path(birds[0]))
    assert answer is box.prediction and answer == model.predict(image_io.load(birds.path(birds[0])))[0]
    assert box.predict(image_io.load(birds.path(birds[1])), name="mine").label in birds.labels
    assert box._state["name"] == "mine"
    assert html.escape(box._state["rows"][0][0]) in box._still()["text/html"]
    with pytest.raises(ImageSetError, match=r"nothing\.jpg"):
        box.predict(tmp_path / "nothing.jpg")


def test_a_saved_model_is_named_by_its_folder(model: Classifier, birds: ImageSet, tmp_path: Path) -> None:
    path = birds.path(birds[0])
    box = TryIt(str(model.save(tmp_path / "model")), path)
    assert box.prediction is not None and box.prediction.probabilities == model.predict(path)[0].probabilities
    with pytest.raises(ModelError):
        TryIt(tmp_path / "nothing")
