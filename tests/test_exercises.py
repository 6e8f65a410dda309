"""Questions in lessons: solutions are right, blanks not attempted, mistakes get a sentence and never a traceback."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tl_course.exercises import birds, cats_and_dogs, doors
from tl_course.grading import Question

QUESTIONS = [
    birds.q1, birds.q2, birds.q3,
    cats_and_dogs.q1, cats_and_dogs.q2, cats_and_dogs.q3,
    doors.q1, doors.q2, doors.q3, doors.q4,
]  # fmt: skip
SOLUTIONS = [
    (birds.q1, birds.baseline),
    (birds.q2, birds.least_sure),
    (cats_and_dogs.q1, cats_and_dogs.read_curve),
    (cats_and_dogs.q2, cats_and_dogs.how_many_learn),
    (cats_and_dogs.q3, cats_and_dogs.layer_rates),
    (doors.q1, doors.least_believed),
    (doors.q2, doors.kappa),
    (doors.q3, doors.mended_and_spoilt),
    (doors.q4, doors.model_card),
]
CARD = doors.model_card()


def beyond_chance(a: list[str], b: list[str]) -> float:
    return sum(x == y for x, y in zip(a, b, strict=True)) / len(a) - sum(a.count(x) for x in b) / len(a) ** 2


def over_all(rows: list[dict[str, float]]) -> tuple[float, float]:
    first, last = rows[0], rows[-1]
    return first["accuracy"], (last["accuracy"] - first["accuracy"]) / (last["step"] - first["step"])


def blank(*_: Any) -> Any:
    return ...


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_blank_is_not_attempted(question: Question) -> None:
    for answer in (..., None, blank, lambda *_: None):
        result = question.check(answer)
        assert result.status == "not attempted"
        assert "Not attempted yet, or your function returns nothing" in result.text
        assert not result


def test_a_blank_is_not_even_tried_for_trying_may_take_long() -> None:
    tried = []
    question = Question(lambda answer: str(tried.append(answer)), hints=[])
    assert question.check(blank).status == "not attempted" and not tried
    assert question.check(lambda rows: rows[..., 0]) and len(tried) == 1


@pytest.mark.parametrize(("question", "solution"), SOLUTIONS, ids=lambda one: getattr(one, "__name__", ""))
def test_the_solution_is_right(question: Question, solution: Callable[..., Any]) -> None:
    assert question.check(solution), str(question.check(solution))
    code = question.solution().code
    assert code.startswith(f"def {solution.__name__}(")
    notebook: dict[str, Any] = {}
    exec(code, notebook)  # pasted where nothing else was imported
    assert question.check(notebook[solution.__name__]), "as it is shown"


ANNOTATED = """
def told(größe: "Length", *rest: int, n: "Sequence[int]" = 3, **more: "Length") -> dict[str, int]:
    # a comment

    def inner(a: "Length", /) -> "Length":
        return f'''x -> {a}: int\n   \n        y'''

    return {"a: int": inner(größe)}
"""
SHOWN = """
def told(größe, *rest, n = 3, **more):
    # a comment

    def inner(a, /):
        return f'''x -> {a}: int\n   \n        y'''

    return {"a: int": inner(größe)}
"""


def test_a_solution_is_shown_without_annotations_and_else_as_it_is_written(tmp_path: Path) -> None:
    (tmp_path / "written.py").write_text(ANNOTATED, encoding="utf-8")
    solution = runpy.run_path(str(tmp_path / "written.py"))["told"]
    assert Question(lambda answer: "", solution=solution, hints=[]).solution().code == SHOWN.strip()


def test_of_a_solution_of_one_line_the_line_is_shown() -> None:
    code = Question(lambda answer: "", solution=lambda x: x, hints=[]).solution().code
    assert "lambda x: x" in code


@pytest.mark.slow
@pytest.mark.usefixtures("drawn_once")
def test_the_solution_of_the_third_is_right() -> None:
    assert birds.q3.check(birds.accuracy_with), str(birds.q3.check(birds.accuracy_with))
    wrong = birds.q3.check(lambda images, n: 0.5)
    assert wrong.status == "not yet"


@pytest.mark.parametrize(
    ("question", "answer", "said"),
    [
        (birds.q1, lambda labels: 0.5, "function says 0.500"),
        (birds.q1, lambda labels: 100 * max(map(labels.count, labels)) / len(labels), "no percent"),
        (birds.q1, lambda labels: 1 / 0, "raised ZeroDivisionError"),
        (birds.q1, lambda labels: "a lot", "raised ValueError"),
        (birds.q1, 0.5, "raised TypeError"),
        (birds.q2, lambda predictions, n: predictions[:n], "lowest first, were wanted"),
        (birds.q2, lambda predictions, n: [p.confidence for p in predictions][:n], "not their confidences"),
        (birds.q2, lambda predictions, n: sorted(predictions, key=lambda p: -p.confidence)[:n], "order round"),
        (birds.q2, lambda predictions, n: predictions, "Asked for 1"),
        (cats_and_dogs.q1, lambda rows: rows[0]["accuracy"], "Return three numbers"),
        (cats_and_dogs.q1, lambda rows: (*over_all(rows), rows[-1]["accuracy"]), "over the whole run"),
        (cats_and_dogs.q1, lambda rows: (0.62, 0.18, 0.84), "a gain *a step*"),
        (cats_and_dogs.q1, lambda rows: (0.62, 0.02, max(r["accuracy"] for r in rows)), "the level is 0.84"),
        (cats_and_dogs.q2, lambda net: sum(p.numel() for p in net.parameters()), "Leave out the frozen"),
        (cats_and_dogs.q2, lambda net: sum(p.requires_grad for p in net.parameters()), "how many are in it"),
        (cats_and_dogs.q2, lambda net: sum(p.numel() for p in net.parameters() if not p.requires_grad), "frozen ones"),
        (cats_and_dogs.q3, lambda n, rate, by: [rate / by**i for i in range(n)], "Turn it round"),
        (cats_and_dogs.q3, lambda n, rate, by: [rate / by ** (n - i) for i in range(n)], "learns at 0.8"),
        (cats_and_dogs.q3, lambda n, rate, by: [rate / by / (n - i) for i in range(n - 1)] + [rate], "divided by 2"),
        (cats_and_dogs.q3, lambda n, rate, by: [rate] * (n - 1), "4 groups need 4"),
        (doors.q1, lambda p, labels: sorted(labels), "a.jpg comes first"),
        (doors.q1, lambda p, labels: sorted(labels, key=lambda n: -p[n][labels[n]]), "Turn it round"),
        (doors.q1, lambda p, labels: sorted(labels, key=lambda n: max(p[n].values())), "unsure the model is"),
        (doors.q1, lambda p, labels: list(labels)[:2], "each once"),
        (doors.q2, lambda a, b: sum(x == y for x, y in zip(a, b, strict=True)) / len(a), "Take off what chance"),
        (doors.q2, lambda a, b: 2 * sum(x == y for x, y in zip(a, b, strict=True)) / len(a) - 1, "equally often"),
        (doors.q2, beyond_chance, "1 - chance"),
        (doors.q3, lambda truth, before, after: sum(a == t for a, t in zip(after, truth, strict=True)), "two numbers"),
        (doors.q3, lambda truth, before, after: doors.mended_and_spoilt(truth, after, before), "the other way round"),
        (doors.q3, lambda truth, before, after: np.array([2, 2]), "says 2 and 2"),
        (doors.q3, lambda truth, before, after: {8, 4}, "Yours gave {8, 4}"),
        (doors.q3, lambda truth, before, after: (8, [4]), "two numbers"),
        (doors.q4, lambda: CARD.replace("## The rule", ""), "lacks: The rule"),
        (doors.q4, lambda: CARD.replace("88 % of 112", "Good on ..."), "filled in, where the ... are: How good"),
        (doors.q4, lambda: CARD.replace("Ada, for the course, 2026.", "Ada"), "more than a word on: Who made it"),
        (doors.q4, lambda: CARD.replace("88 % of 112", "Good on").replace("64 %", "less"), "needs a number"),
    ],
)
def test_a_wrong_answer_is_told_what_it_lacks(question: Question, answer: Any, said: str) -> None:
    result = question.check(answer)
    assert result.status == "not yet"
    assert said in result.text
    assert "&lt;" not in str(result)


def test_what_is_right_may_be_said_in_another_way() -> None:
    numbers = doors.q3.check(lambda *lists: np.array(doors.mended_and_spoilt(*lists)))
    assert numbers, str(numbers)
    assert doors.q3.check(lambda *lists: (..., ...)).status == "not attempted"
    card = doors.q4.check(
        lambda: CARD.replace("Doors between", "Doors ajar... and").replace("Ada, for the course, 2026.", "Ada Lovelace")
    )
    assert card, str(card)


def test_hints_come_one_after_another() -> None:
    question = Question(lambda answer: "", solution=blank, hints=["gentle", "plain"])
    assert [question.hint().text for _ in range(3)] == [
        "Hint 1 of 2: gentle", "Hint 2 of 2: plain", "Hint 1 of 2: gentle",
    ]  # fmt: skip


def test_what_a_student_typed_is_shown_as_text_not_as_html() -> None:
    def answer(labels: list[str]) -> float:
        raise ValueError("<b>bold</b>")

    assert "<b>bold" not in birds.q1.check(answer)._repr_html_()
