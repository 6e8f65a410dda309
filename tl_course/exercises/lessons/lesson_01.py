"""Questions of lesson 01, "Is it a bird?"."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

from tl_course.exercises import NotYet, Question, brief
from tl_course.exercises.values import as_list, as_number, is_close, is_rounded

if TYPE_CHECKING:
    from tl_course.data.imageset import ImageSet
    from tl_course.models.classifier import Classifier, Evaluation, Prediction

__all__ = ["q1", "q2", "q3"]


# ---- 1: what is an accuracy worth? -----------------------------------------------------------------------------------


def baseline(labels: Sequence[str]) -> float:
    from collections import Counter

    return max(Counter(labels).values()) / len(labels)


def _check_baseline(answer: Callable[[Sequence[str]], float]) -> str:
    for labels in (
        ["bird", "forest"] * 20,
        ["bird"] * 9 + ["forest"],
        ["cat"] * 2 + ["dog"] * 5 + ["cow"],
        ["mug"] * 3,
    ):
        counts = ", ".join(f"{n} {label}" for label, n in Counter(labels).items())
        got, wanted = as_number(answer(list(labels))), baseline(labels)
        if is_close(got, wanted):
            continue
        told = f"For {counts} your function says {got:.4g}"
        if is_close(got / 100, wanted):
            raise NotYet(f"{told}. As a share between 0 and 1, please: no percent.")
        if is_rounded([got], [wanted]):
            raise NotYet(f"{told}, which is {wanted:g} rounded. Return it as it is: who wants it shorter can round.")
        if got == max(Counter(labels).values()):
            raise NotYet(f"{told}: so many have the most frequent label. What share of all {len(labels)} is that?")
        if not 0 <= got <= 1:
            raise NotYet(f"{told}. An accuracy is a share: 0 if nothing is right, 1 if everything is.")
        often = "more" if got < wanted else "less"
        raise NotYet(f"{told}; the laziest classifier is right {often} often. Which label does it always say, and what "
                     "share of the pictures have that?")  # fmt: skip
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


# Label and confidence of made-up predictions. No label is always the surer one, so that the order by the probability of
# any one label, or by how far the first label is ahead of the second, is another than by confidence.
_MADE_UP = [
    [("bird", 0.93), ("forest", 0.51), ("forest", 0.99), ("bird", 0.62), ("forest", 0.88), ("bird", 0.57)],
    [("owl", 0.58), ("fox", 0.41), ("hare", 0.72), ("fox", 0.49), ("owl", 0.36), ("hare", 0.52), ("fox", 0.95)],
]


def _made_up(said: Sequence[tuple[str, float]]) -> "list[Prediction]":
    from tl_course.models.classifier import Prediction

    labels = sorted({label for label, _ in said})
    predictions = []
    for number, (label, confidence) in enumerate(said):
        others = [other for other in labels if other != label]
        # The second label gets most of what is left with every other picture, and all the same with the rest.
        first = min((1 - confidence) / len(others) * (1 + 0.9 * (number % 2)), confidence - 0.01)
        shares = [1 - confidence] if len(others) == 1 else [first, 1 - confidence - first]
        by_label = {label: confidence} | dict(zip(others, shares, strict=True))
        predictions.append(Prediction(f"{number}.jpg", label, confidence, {one: by_label[one] for one in labels}))
    return predictions


def _check_least_sure(answer: "Callable[[Sequence[Prediction], int], Sequence[Prediction]]") -> str:
    from tl_course.models.classifier import Prediction

    for made_up in map(_made_up, _MADE_UP):
        everything = least_sure(made_up, len(made_up))
        for n in (3, 1, len(made_up)):
            given = answer(deepcopy(made_up), n)  # it may take them apart
            got = as_list(given, wanted="Return a list of predictions.")
            if not all(isinstance(one, Prediction) for one in got):
                raise NotYet(f"Return the predictions themselves. Yours returned {brief(got)}.")
            if len(got) != n:
                raise NotYet(f"Asked for {n} of {len(made_up)}, your function returned {len(got)}.")
            sources, in_order = [one.source for one in got], [one.source for one in everything]
            if sources == in_order[:n]:
                continue
            if sources == in_order[::-1][:n] and n < len(made_up):
                raise NotYet("These are the ones it is most sure of. Turn the order round.")
            if sources == in_order[:n][::-1]:
                raise NotYet("The right ones, but the least sure comes last. Turn the order round.")
            sure = [one.confidence for one in made_up]
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


@dataclass(frozen=True)
class _Measured:
    """What was measured while the student's function ran: of a model trained on `n_train`, on the split `split`."""

    n_train: int
    split: str | None
    accuracy: float
    cross_validated: float | None


@contextmanager
def _measurements() -> "Iterator[list[_Measured]]":
    """Notes each `Classifier.evaluate`, of which `train` makes one, whatever options the student chose."""
    from tl_course.models.classifier import Classifier

    measured: list[_Measured] = []
    evaluate = Classifier.evaluate

    def noted(model: "Classifier", images: "ImageSet", *, split: str | None = None, **options: Any) -> "Evaluation":
        result = evaluate(model, images, split=split, **options)
        known = model.metrics
        measured.append(_Measured(known["n_train"], split, result.accuracy, known.get("cross_validated_accuracy")))
        return result

    with patch.object(Classifier, "evaluate", noted):
        yield measured


def _check_accuracy_with(answer: "Callable[[ImageSet, int], float]") -> str:
    from tl_course import ImageSet

    images = ImageSet.shipped("birds")
    for n in (8, 32):
        with _measurements() as measured:
            got = as_number(answer(images, n))
        asked = f"Asked for {n} training pictures, your function"
        if not measured:
            raise NotYet(f"{asked} was not seen to train. train(…) takes a set of pictures and returns a model.")
        if not any(one.n_train == n for one in measured):
            raise NotYet(f"{asked} trained on {measured[0].n_train}.")
        told = f"{asked} says {got:.4g}"
        valid = [one.accuracy for one in measured if one.n_train == n and one.split == "valid"]
        right = [*valid, *([sum(valid) / len(valid)] if valid else [])]  # of several subsets, their mean is as good
        if any(is_close(got, one) for one in right):
            continue
        if any(is_close(got / 100, one) for one in right):
            raise NotYet(f"{told}. An accuracy is a share between 0 and 1: no percent, please.")
        if any(one.cross_validated is not None and is_close(got, one.cross_validated) for one in measured):
            raise NotYet(f"{told}: that is the cross-validated accuracy, on the training pictures. The one on the "
                         "validation pictures was wanted.")  # fmt: skip
        if any(is_close(got, one.accuracy) for one in measured):
            raise NotYet(f"{told}: that was measured on other pictures than those to validate on, or by a model that "
                         f"learnt from another number than {n}.")  # fmt: skip
        if any(is_rounded([got], [one]) for one in right):
            raise NotYet(f"{told}, which is the accuracy rounded. Return it as it is.")
        if not valid:
            raise NotYet(f"{told}; no model of {n} was measured on the validation pictures, as train(images.subset(n)) "
                         "does it.")  # fmt: skip
        raise NotYet(f"{told}; on the rendered birds its model is right in {valid[0]:.4g} of the validation pictures. "
                     "Return that accuracy.")  # fmt: skip
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
