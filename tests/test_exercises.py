"""Questions in lessons: solutions are right, blanks not attempted, mistakes get a sentence and never a traceback."""

import inspect
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from answers.lessons import ACCURACY_WITH, ANYWHERE, QUESTIONS

from tl_course.exercises import NotYet, Question
from tl_course.exercises.assignments import ps3
from tl_course.exercises.lessons import lesson_01, lesson_02

SOLUTIONS = [(question, answers[0][0]) for question, answers in QUESTIONS]  # the first in each table


def blank(*_: Any) -> Any:
    return ...


@pytest.mark.parametrize(
    ("question", "answers"), QUESTIONS, ids=lambda one: "" if isinstance(one, Question) else one[0][0].__name__
)
def test_answers_to_the_lessons_are_judged_rightly(question: Question, answers: list[Any]) -> None:
    wrong = []
    for answer, status, words in answers + ANYWHERE:
        result = question.check(answer)
        if result.status != status or words not in result.text:
            source = inspect.getsource(answer) if inspect.isfunction(answer) else repr(answer)
            wrong.append(f"{source}wanted: {status}, {words!r}\ngot: {result}\n")
    assert not wrong, "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.usefixtures("drawn_once")
def test_answers_that_train_are_judged_rightly() -> None:
    test_answers_to_the_lessons_are_judged_rightly(lesson_01.q3, ACCURACY_WITH)


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


class UnspeakableError(Exception):
    """An error of a student's that cannot say what it is."""

    def __str__(self) -> str:
        raise RuntimeError("no")


def raising(error: BaseException) -> Callable[..., Any]:
    def answer(*_: Any) -> Any:
        raise error

    return answer


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("<b>bold</b>"), "Your answer raised ValueError: <b>bold</b>"),
        (ValueError("x" * 9_000), "xxx …"),
        (UnspeakableError(), "Your answer raised UnspeakableError"),
        (SystemExit(1), "Your answer raised SystemExit: 1"),
        (NotYet("all points, please", share=1.0), "Your answer raised NotYet: all points, please"),
        (TypeError("'float' object is not callable"), "Your answer raised TypeError: 'float' object"),
    ],
    ids=lambda one: type(one).__name__,
)
def test_whatever_an_answer_raises_is_told_as_its_own(error: BaseException, said: str) -> None:
    result = lesson_01.q1.check(raising(error))
    assert result.status == "not yet" and said in result.text and not result.share
    assert "<b>bold" not in result._repr_html_()


def test_an_error_when_an_answer_is_read_is_the_answers_and_one_of_the_check_is_not() -> None:
    def one_by_one(rows: Any) -> Any:
        yield from rows[0].values()
        raise LookupError("no more")

    assert "Your answer raised LookupError: no more" in lesson_02.q1.check(one_by_one).text
    helper = runpy.run_path(str(Path(__file__).with_name("drawn.py")))["jpeg"]  # as from another cell
    assert "Your answer raised TypeError" in lesson_02.q1.check(lambda _: map(helper, "a")).text
    result = ps3.q4.check(lambda *_: "text")
    assert result.text.startswith("What your answer gave cannot be judged") and "raised" not in result.text


def test_what_an_answer_prints_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    def answer(labels: list[str]) -> float:
        print("counting", len(labels))
        return lesson_01.baseline(labels)

    assert lesson_01.q1.check(answer)
    assert "counting 40" in capsys.readouterr().out


def test_only_the_students_own_code_says_that_it_is_not_written_yet() -> None:
    from torch import nn

    assert lesson_01.q1.check(raising(NotImplementedError())).status == "not attempted"
    assert "raised NotImplementedError" in lesson_01.q1.check(lambda labels: nn.Module()(*labels)).text


def test_hints_come_one_after_another() -> None:
    question = Question(lambda answer: "", solution=blank, hints=["gentle", "plain"])
    assert [question.hint().text for _ in range(3)] == [
        "Hint 1 of 2: gentle", "Hint 2 of 2: plain", "Hint 1 of 2: gentle",
    ]  # fmt: skip
