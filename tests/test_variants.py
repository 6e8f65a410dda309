"""Pictures of a student's own: the same for the same id, others for another, with a truth that fits."""

from collections import Counter
from pathlib import Path

import pytest

from tl_course.errors import GradingError
from tl_course.exercises.variants import Variant, draw_variant, student_id

# Two sets of 200 pictures are drawn, where no other test has.
pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("drawn_once")]


def variant_of(student: str) -> Variant:
    return draw_variant("ps9", student, pool="doors", n=100, valid=0.3, wrong_labels=0.1, off_topic=("birds", 0.05))


def test_a_variant_follows_from_the_id_and_a_neighbour_has_another() -> None:
    ada, again, bob = variant_of("ada"), variant_of("  Ada "), variant_of("bob")
    assert ada == again
    assert Counter(one.label for one in ada.pictures) != Counter(one.label for one in bob.pictures)
    assert {one.sha256 for one in ada.pictures} != {one.sha256 for one in bob.pictures}
    assert ada.wrong_labels != bob.wrong_labels and ada.off_topic != bob.off_topic


def test_its_truth_fits_and_validation_is_sound() -> None:
    variant = variant_of("ada")
    assert len(variant.pictures) == 105 and len(variant.off_topic) == 5
    by_name = {one.file_name: one for one in variant.pictures}
    assert 6 <= len(variant.wrong_labels) <= 8
    assert {by_name[name].split for name in variant.wrong_labels + variant.off_topic} == {"train"}
    for name, picture in by_name.items():
        right = variant.truth[name]["true_label"]
        assert (picture.label != right) == (name in variant.wrong_labels + variant.off_topic)


def test_as_a_folder_it_tells_nothing_and_keeps_edits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    variant = variant_of("ada")
    images = variant.images()
    assert images.root == tmp_path / "ps9_ada" and len(images) == 105 and images.truth == {}
    assert "rendered:" not in (images.root / "metadata.csv").read_text()
    images.drop(variant.off_topic[0])
    assert len(variant_of("ada").images()) == 104


def test_whose_work_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(GradingError, match="Write your id"):
        student_id("  ")
    monkeypatch.setenv("TL_COURSE_STUDENT", "Bob")
    assert student_id("ada") == "bob"
