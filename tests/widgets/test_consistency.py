"""The consistency check without a browser: its methods, and the messages that a page would send."""

import io
import json
import os
import shutil
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tl_course import ImageSet
from tl_course.errors import ImageSetError
from tl_course.features import Backbone
from tl_course.widgets import Consistency
from tl_course.widgets.thumbnails import Thumbnails


@pytest.fixture
def own(birds_folder: Path, tmp_path: Path) -> ImageSet:
    shutil.copytree(birds_folder, tmp_path / "own")
    return ImageSet.open(tmp_path / "own")


@pytest.fixture
def check(own: ImageSet) -> Consistency:
    return Consistency(own, pictures=own[:6], who="Ada")


def said(check: Consistency, **what: Any) -> dict[str, Any]:
    check._handle_custom_msg(what, [])
    return dict(check._state)


def answer_all(check: Consistency, doubtful: str = "") -> None:
    """As the pictures are called, except that of one the opposite is said the second time."""
    seen = set()
    while (name := check.next) is not None:
        label = check._images[name].label
        other = next(one for one in check.labels if one != label)
        check.answer(other if name == doubtful and name in seen else label)
        seen.add(name)


@pytest.mark.slow
def test_the_most_ambiguous_are_asked_twice(own: ImageSet, backbone: Backbone) -> None:
    from tl_course.cleaning import Suspects

    check = Consistency(own, n=5)
    margins = {one.file_name: one.margin for one in Suspects(own).rank() if one.kind in ("", "label", "off-topic")}
    assert check.pictures == sorted(margins, key=lambda name: (margins[name], name))[:5]
    assert check._state["total"] == 10 and check._view[:2] == b"\xff\xd8"
    assert Consistency(own, n=5).pictures == check.pictures
    assert len(Consistency(own, n=7).pictures) == 7


def test_a_contradiction_is_found_and_shown(check: Consistency, own: ImageSet) -> None:
    doubtful = check.pictures[2]
    asking = check._repr_mimebundle_()[0]["text/html"]
    assert asking.count("data:image/jpeg;base64,") == 1 and "bird or forest?" in asking and "kappa" not in asking
    answer_all(check, doubtful)
    report = check.report()
    assert report.people["Ada"].n == 6 and report.people["Ada"].share == pytest.approx(5 / 6)
    assert [name for name, *_ in report.contradictions["Ada"]] == [doubtful]
    shown = check._state["contradictions"]
    assert len(shown) == 1 and shown[0]["src"].startswith("data:image/jpeg;base64,")
    assert "kappa" in check._state["report"][0]
    with pytest.raises(ImageSetError, match="anew=True"):
        check.answer("bird")
    assert own.journal == [] and [p.label for p in ImageSet.open(own.root)] == [p.label for p in own], (
        "no label changed"
    )
    data, _ = check._repr_mimebundle_()
    assert "kappa" in data["text/html"] and "data:image/jpeg" in data["text/html"] and "kappa" in data["text/plain"]


def test_answers_are_on_disk_at_once_and_go_on_in_another_session(check: Consistency, own: ImageSet) -> None:
    asked = check.next
    check.answer("bird")
    again = Consistency(ImageSet.open(own.root), who="Ada")
    assert again.pictures == check.pictures and again.next == check.next != asked
    taken_back = again.undo()
    assert taken_back is not None and taken_back.file_name == asked == again.next == check.next
    assert again.undo() is None
    lines = (own.root / "answers.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 3 and json.loads(lines[1])["label"] == "bird", "undoing only adds"
    assert Consistency(own, pictures=own[:6], who="Ada").answers == [], "other pictures begin anew"


@pytest.fixture
def one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first pictures stand in for the most ambiguous ones, which take a network to find."""
    monkeypatch.setattr(Consistency, "_chosen", lambda self, n, *_: [one.file_name for one in self._images][:n])


def test_whoever_comes_back_finds_their_series_and_what_others_said(own: ImageSet, one_by_one: None) -> None:
    answer_all(Consistency(own, n=6, who="Ann"))
    bens = Consistency(own, n=4, who="Ben")
    assert bens.answers == [], "another number is another series"
    bens.answer("bird")
    again = Consistency(own, n=6, who="Ann")
    assert again.next is None and again.report().people["Ann"].n == 6
    assert [one.who for one in Consistency(own).answers] == ["Ben"], "without a number the newest goes on"
    assert len(Consistency(own, n=6, anew=True).pictures) == 6
    assert Consistency(own, n=6).answers == [] and len(Consistency(own, n=4).answers) == 1


def test_a_series_of_named_pictures_is_always_a_new_one(own: ImageSet, one_by_one: None) -> None:
    answer_all(Consistency(own, n=5, who="Ann"))
    named = Consistency(own, pictures=own[3:8])
    named.answer("bird")
    assert Consistency(own).pictures == named.pictures and len(Consistency(own).answers) == 1
    assert Consistency(own, pictures=own[3:8]).answers == []
    assert len(Consistency(own, n=5).answers) == 10, "five that were named are not the five most ambiguous"


def test_a_dropped_picture_is_passed_over(own: ImageSet, one_by_one: None) -> None:
    check = Consistency(own, n=6, who="Ann")
    answer_all(check, check.pictures[2])
    bens = Consistency(own, n=6, who="Ben")
    order = [name for name, _ in bens._left()]
    own.drop(check.pictures[2])
    again = Consistency(ImageSet.open(own.root), n=6, who="Ann")
    assert again.pictures == [name for name in check.pictures if name != check.pictures[2]]
    assert again.next is None and again.report().people["Ann"].share == 1
    again.set_person("Ben")
    assert [name for name, _ in again._left()] == [name for name in order if name != check.pictures[2]]
    own.restore(check.pictures[2])
    assert Consistency(own, n=6).report().people["Ann"].n == 6, "what was said of it is not lost"
    for name in check.pictures[:5]:
        own.drop(name)
    assert Consistency(own).answers == [], "a single picture is no series"


def test_a_name_that_cannot_be_written_down_is_made_one(check: Consistency) -> None:
    check.set_person("Ada \ud800")
    check.answer("bird")
    assert check.who == "Ada ?" == check.answers[0].who
    with pytest.raises(ImageSetError, match="None is no name"):
        check.set_person(None)  # type: ignore[arg-type]


def test_several_people_answer_side_by_side(check: Consistency) -> None:
    answer_all(check)
    assert check._state["report"]
    check.set_person("  Bo ")
    assert check.who == "Bo" and check.next is not None
    assert check._state["report"] == [], "what others said is not shown to who is still answering"
    answer_all(check, check.pictures[0])
    report = check.report()
    assert set(report.people) == {"Ada", "Bo"}
    assert report.pairs["Ada", "Bo"].kappa == 1 and report.people["Bo"].share < 1
    assert "Ada and Bo: 6 of 6" in str(report)
    check.undo()
    assert check._state["place"] == 11, "only Bo's last answer"


def test_the_page_may_ask_for_these_things_only(check: Consistency) -> None:
    state = said(check, do="answer", label="bird", place=0)
    assert state["place"] == 1
    assert said(check, do="answer", label="bird", place=0)["place"] == 1, "a key that was held down"
    assert said(check, do="undo")["place"] == 0
    assert said(check, do="set_person", who="Bo")["who"] == "Bo"
    assert said(check, do="set_rule", text="Any beak.")["rule"] == "Any beak." == check.rule
    for wrong in ({"do": "answer", "label": "cat", "place": 0}, {"do": "__init__"}, {"do": "undo", "who": "x"}, {}):
        state = said(check, **wrong)
        assert state["alert"] and state["place"] == 0


def test_the_rule_goes_with_the_pictures(own: ImageSet, tmp_path: Path) -> None:
    rule = "A *bird* is a bird\neven <b>behind</b> a branch."
    check = Consistency(own, pictures=own[:3], rule=rule)
    assert check._state["rule"] == rule and (own.root / "rule.md").read_text("utf-8").strip() == rule
    own.pack(tmp_path / "own.zip")
    with zipfile.ZipFile(tmp_path / "own.zip") as archive:
        page, markdown = (archive.read(f"credits.{kind}").decode() for kind in ("html", "md"))
    assert "even &lt;b&gt;behind&lt;/b&gt; a branch." in page and "<b>behind" not in page
    assert r"> A \*bird\* is a bird" in markdown
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert ImageSet.open(tmp_path / "own.zip").rule == own.copy_to(tmp_path / "copy").rule == rule
        assert ImageSet.open(own.root).skipped == []
    own.write_rule("")
    own.pack(tmp_path / "bare.zip")
    with zipfile.ZipFile(tmp_path / "bare.zip") as archive:
        assert "rule" not in archive.read("credits.md").decode() and "rule.md" not in archive.namelist()


@pytest.mark.usefixtures("small_sets")
def test_what_cannot_be_checked_is_said(own: ImageSet) -> None:
    with pytest.raises(ImageSetError, match="copy_to"):
        Consistency(ImageSet.open("birds"))
    with pytest.raises(ImageSetError, match="between 2 and"):
        Consistency(own, n=1)
    with pytest.raises(ImageSetError, match="no picture 'x'"):
        Consistency(own, pictures=["x", "y"])
    for picture in [one for one in own if one.label == "bird"]:
        own.relabel(picture, "forest")
    with pytest.raises(ImageSetError, match="one label"):
        Consistency(own)


def test_neither_and_cannot_tell_are_answers_besides_the_labels(check: Consistency) -> None:
    assert check._state["besides"] == {"neither": "neither", "cannot_tell": "cannot tell"}
    first, place = check.next, check._state["place"]
    check._message(None, {"do": "neither", "place": place}, [])
    check._message(None, {"do": "cannot_tell", "place": place}, [])  # held down: the place has gone on
    assert [one.label for one in check.answers] == ["neither"] and check.next != first
    check.cannot_tell()
    assert check.status == "cannot tell."
    while check.next:
        check.answer(check.labels[0])
    found = check.report().people["Ada"]
    assert found.set_aside == 1 and "neither" in found.labels
    assert "1 set aside" in check._still()["text/html"]
    check.undo()
    assert check.next


def test_small_images_keep_their_pixels(class_folders: Callable[..., Path], tmp_path: Path) -> None:
    from PIL import Image

    views = Thumbnails(class_folders(bird=1, size=24), side=512)
    (data,) = views(["bird/0.jpg"]).values()
    made, given = Image.open(io.BytesIO(data)), Image.open(views.root / "bird/0.jpg")
    assert made.size == given.size == (24, 24)
    assert np.abs(np.asarray(made, float) - np.asarray(given, float)).mean() < 5, "of 255: no traces of JPEG"


def test_thumbnails_for_later_do_not_complain_when_the_interpreter_ends(class_folders: Callable[..., Path]) -> None:
    """A pool of threads takes no work any more by then, and a thread of its own would say so with a traceback."""
    code = (
        "import atexit, sys, time; from tl_course.widgets.thumbnails import Thumbnails; "
        "atexit.register(time.sleep, 0.5); atexit.register(Thumbnails(sys.argv[1]).prepare, ['bird/0.jpg'])"
    )
    command = [sys.executable, "-c", code, str(class_folders(bird=1))]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    assert not ended.stderr
