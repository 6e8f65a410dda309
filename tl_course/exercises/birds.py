"""Questions of lesson 01, "Is it a bird?"."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tl_course.grading import NotYet, Question, attempted

if TYPE_CHECKING:
    from tl_course.imageset import ImageSet
    from tl_course.models import Prediction

__all__ = ["q1", "q2", "q3"]


# ---- 1: what is an accuracy worth? -----------------------------------------------------------------------------------


def baseline(labels: Sequence[str]) -> float:
    from collections import Counter

    return max(Counter(labels).values()) / len(labels)


def _check_baseline(answer: Callable[[Sequence[str]], float]) -> str:
    for labels in (["bird", "forest"] * 20, ["bird"] * 9 + ["forest"], ["cat"] * 2 + ["dog"] * 5 + ["cow"]):
        counts = ", ".join(f"{n} {label}" for label, n in Counter(labels).items())
        got, wanted = float(attempted(answer(list(labels)))), baseline(labels)
        if got > 1 and abs(got / 100 - wanted) < 1e-6:
            raise NotYet(f"For {counts} your function says {got:g}. As a share between 0 and 1, please: no percent.")
        if abs(got - wanted) > 1e-6:
            raise NotYet(f"For {counts} your function says {got:.3f}; always saying the same label is right more often "
                         "or less often than that. Which label should it always say?")  # fmt: skip
    return "Right. Now you know what an accuracy has to beat: with 9 birds in 10 pictures, 0.90 is worth nothing."


q1 = Question(
    _check_baseline,
    solution=baseline,
    hints=[
        "The laziest classifier looks at no picture: it always says the label that is most frequent.",
        "Count how often each label occurs. collections.Counter(labels) does it.",
        "The count of the most frequent label, divided by len(labels).",
    ],
)


# ---- 2: which pictures is the model unsure of? -----------------------------------------------------------------------


def least_sure(predictions: "Sequence[Prediction]", n: int) -> "list[Prediction]":
    return sorted(predictions, key=lambda prediction: prediction.confidence)[:n]


def _check_least_sure(answer: "Callable[[Sequence[Prediction], int], Sequence[Prediction]]") -> str:
    from tl_course.models import Prediction

    sure = [0.93, 0.51, 0.99, 0.62, 0.88, 0.57]
    made_up = [Prediction(f"{i}.jpg", "bird", c, {"bird": c, "forest": 1 - c}) for i, c in enumerate(sure)]
    for n in (1, 3, 6):
        got = list(attempted(answer(list(made_up), n)))
        if not all(isinstance(one, Prediction) for one in got):
            raise NotYet("Return the predictions themselves, not their confidences.")
        if len(got) != n:
            raise NotYet(f"Asked for {n}, your function returned {len(got)}.")
        if got == least_sure(made_up, len(sure))[::-1][:n] and n < len(sure):
            raise NotYet("These are the ones it is most sure of. Turn the order round.")
        if got != least_sure(made_up, n):
            raise NotYet(f"Of confidences {sure} the {n} lowest, lowest first, were wanted; your function gave "
                         f"{[one.confidence for one in got]}.")  # fmt: skip
    return "Right. This little function is how you will find wrong labels in lesson 03."


q2 = Question(
    _check_least_sure,
    solution=least_sure,
    hints=[
        "Each prediction knows its .confidence. Put the predictions in the order of it, and take the first n.",
        "sorted() takes a key: a function that says what to sort by.",
        "sorted(predictions, key=lambda prediction: prediction.confidence) and then a slice [:n].",
    ],
)


# ---- 3: how few pictures are enough? ---------------------------------------------------------------------------------


def accuracy_with(images: "ImageSet", n: int) -> float:
    from tl_course import train

    model = train(images.subset(n))
    return float(model.metrics["accuracy"])


def _check_accuracy_with(answer: "Callable[[ImageSet, int], float]") -> str:
    from tl_course import ImageSet

    images = ImageSet.open("birds")
    for n in (8, 32):
        got, wanted = float(attempted(answer(images, n))), accuracy_with(images, n)
        if not 0 <= got <= 1:
            raise NotYet(f"With {n} pictures your function says {got:g}. An accuracy lies between 0 and 1.")
        if abs(got - wanted) > 0.005:
            raise NotYet(f"On the rendered birds, {n} training pictures give {wanted:.3f} and your function says "
                         f"{got:.3f}. Does it train on n pictures, and return the accuracy?")  # fmt: skip
    return "Right. Call it with 4, 8, 16, 32 … and see where more pictures stop paying."


q3 = Question(
    _check_accuracy_with,
    solution=accuracy_with,
    hints=[
        "images.subset(n) is the same set with only n training pictures. Its validation pictures are all still there.",
        "train(...) takes a set and returns a model; the model's metrics hold what was measured.",
        'model = train(images.subset(n)), and then model.metrics["accuracy"].',
    ],
)
