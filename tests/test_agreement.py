"""Kappa and its interval beside what others compute, and answers on record whatever happens to their file."""

import math
from pathlib import Path

import numpy as np
import pytest

from tl_course.cleaning.agreement import (
    CANNOT_TELL,
    NEITHER,
    Answer,
    agreement,
    append_answer,
    consistency,
    order_for,
    read_answers,
)
from tl_course.errors import ImageSetError


@pytest.mark.slow
def test_kappa_is_scikit_learns_and_its_interval_holds_the_truth() -> None:
    from sklearn.metrics import cohen_kappa_score

    random = np.random.default_rng(0)
    held = []
    for _ in range(300):
        truth = random.integers(0, 3, 30)
        one, two = (np.where(random.random(30) < 0.15, (truth + random.integers(1, 3, 30)) % 3, truth) for _ in "ab")
        found = agreement([*map(str, one)], [*map(str, two)])
        if len(held) < 20:
            assert found.kappa == pytest.approx(cohen_kappa_score(one, two))
        assert found.low <= found.kappa <= found.high <= 1
        assert found.confusion.sum() == 30 and found.share == pytest.approx(np.trace(found.confusion) / 30)
        expected = 0.85**2 + 2 * 0.075**2  # both right, or both wrong in the same way
        held.append(found.low <= (expected - 1 / 3) / (2 / 3) <= found.high)
    assert 0.92 <= np.mean(held) <= 0.99


def test_a_few_pictures_without_a_contradiction_prove_little() -> None:
    found = agreement(["open"] * 4 + ["closed"] * 4, ["open"] * 4 + ["closed"] * 4)
    assert found.kappa == found.high == 1 and found.low < 0.5
    one_label = agreement(["open"] * 4, ["open"] * 4)
    assert math.isnan(one_label.kappa) and "only one label" in str(one_label)
    with pytest.raises(ImageSetError, match="each of the same pictures"):
        agreement([], [])


def test_answers_outlive_torn_lines_and_what_was_taken_back(tmp_path: Path) -> None:
    path = tmp_path / "answers.jsonl"
    assert read_answers(path) == []
    first = Answer(who="Ada", file_name="a.jpg", time=1, label="open")
    second = Answer(who="Ada", file_name="b.jpg", time=1, label="closed")
    append_answer(path, first)
    with path.open("a", encoding="utf-8") as file:
        file.write('[1]\n{"who": "Ada", "file_na')  # killed while writing
    append_answer(path, second)
    assert read_answers(path) == [first, second]
    append_answer(path, Answer(who="Ada", file_name="b.jpg", time=1, label="", undoes=second.id))
    assert read_answers(path) == [first]


def test_people_are_compared_on_what_both_saw_first() -> None:
    def says(who: str, time: int, **labels: str) -> list[Answer]:
        return [Answer(who=who, file_name=name, time=time, label=label) for name, label in labels.items()]

    answers = says("Ada", 1, a="x", b="y", c="x") + says("Ada", 2, a="x", b="x") + says("Bo", 1, a="x", b="y")
    report = consistency(answers)
    assert report.people["Ada"].n == 2 and report.people["Ada"].share == 0.5 and "Bo" not in report.people
    assert report.contradictions == {"Ada": [("b", "y", "x")]}
    assert report.pairs["Ada", "Bo"].n == 2 and report.pairs["Ada", "Bo"].kappa == 1
    assert "Ada, first and second time: 1 of 2 pictures called the same; kappa" in str(report)


def test_nothing_comes_again_at_once() -> None:
    names = [f"{number}.jpg" for number in range(12)]
    orders = [order_for(names, who) for who in ("", "Ada", "Bo")]
    for order in orders:
        assert sorted(order) == sorted((name, time) for name in names for time in (1, 2))
        where = {asked: place for place, asked in enumerate(order)}
        assert min(where[name, 2] - where[name, 1] for name in names) >= 5
    assert orders[0] != orders[1] != orders[2] and order_for(names, "Ada") == orders[1]
    assert len(order_for(["a", "b"], "")) == 4


def test_neither_is_a_label_and_not_being_able_to_tell_is_none() -> None:
    def judged(first: str, second: str) -> list[str]:
        names = {"o": "open", "c": "closed", "n": NEITHER, "?": CANNOT_TELL}
        return [Answer(who="Ada", file_name=str(i), time=t, label=names[key])
                for t, keys in ((1, first), (2, second)) for i, key in enumerate(keys)]  # fmt: skip

    table = {  # first and second answers: judged, set aside, contradictions, kappa
        ("oocc", "oocc"): (4, 0, 0, 1.0),
        ("oocn", "oocn"): (4, 0, 0, 1.0),  # agreed on "neither"
        ("oocn", "oocc"): (4, 0, 1, 0.6),
        ("oocc?", "oocco"): (4, 1, 0, 1.0),  # one could not tell: no contradiction, and no agreement
        ("oocc?", "oocc?"): (4, 1, 0, 1.0),  # nor is it agreement not to know twice
        ("o?c?", "c?oc"): (2, 2, 2, -1.0),
        ("?n", "nn"): (1, 1, 0, math.nan),
        ("??", "oc"): (0, 2, 0, math.nan),
    }
    for (first, second), (n, aside, contradictions, kappa) in table.items():
        report = consistency(judged(first, second))
        found = report.people["Ada"]
        assert (found.n, found.set_aside, len(report.contradictions["Ada"])) == (n, aside, contradictions), first
        assert found.kappa == pytest.approx(kappa, nan_ok=True), first
        assert f"{aside} set aside" in str(report) if aside else "set aside" not in str(report)
    assert "no picture was judged by both" in str(consistency(judged("??", "oc")))
