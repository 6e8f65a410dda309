"""Questions of the assignment ps1_birds, "A set of your own": collect, describe, train, read errors."""

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from math import nan
from pathlib import Path
from secrets import token_hex
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tl_course.core.image_io import SUFFIXES
from tl_course.exercises import NotYet, Question, attempted, folder_for_answer
from tl_course.exercises.assignments.ps1_data import found_folder, littered, made_up, my_variant

if TYPE_CHECKING:
    from tl_course.data.imageset import ImageSet
    from tl_course.models.classifier import Prediction

__all__ = [
    "collecting", "counting", "describing", "found_folder", "hit_rate", "my_variant", "names_of", "naming", "overlap",
    "q1", "q3", "q5", "spotting", "training", "whole",
]  # fmt: skip


def whole(value: Any) -> int | None:
    """A whole number, however it was written; None for anything else."""
    try:
        return int(value) if float(value) == int(value) else None
    except (TypeError, ValueError, OverflowError):
        return None


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return nan


# ---- 1: collect ------------------------------------------------------------------------------------------------------


def collecting(wanted: Mapping[str, int], *, copies: int, unreadable: int, small: int, seed: int) -> Question:
    """Whether a function collects a made-up folder that has `wanted` pictures of each label, and junk."""

    def check(answer: Callable[[Path, Path], Any]) -> str:
        from tl_course import ImageSet

        with TemporaryDirectory() as folder, folder_for_answer() as own:
            found, into = Path(folder) / "found", own / f"collected_{token_hex(4)}"  # a new one
            littered(found, wanted, copies=copies, unreadable=unreadable, small=small, seed=seed)
            before = sorted(found.rglob("*"))
            returned = answer(found, into)
            kept = Counter(one.label for one in ImageSet.open(into, warn=False)) if into.is_dir() else Counter[str]()
            changed = sorted(found.rglob("*")) != before
        if not kept:
            attempted(returned)
            raise NotYet("After your function had run, there was no data set in the folder `into`.")
        has, got = (", ".join(f"{n} {label}" for label, n in sorted(some.items())) for some in (wanted, kept))
        told = f"A folder held {has} and {copies + unreadable + small} files of junk; your function collected {got}."
        if set(kept) != set(wanted):
            raise NotYet(f"{told} Which labels there are, the folder says by itself: None stands for all.", share=0.3)
        if any(kept[label] < n for label, n in wanted.items()):
            raise NotYet(f"{told} Take all that it has: where the number is None, there is no limit.", share=0.4)
        if kept != Counter(wanted):
            raise NotYet(f"{told} Copies, or icons too small to show anything, came in as well.", share=0.4)
        if changed:
            raise NotYet(f"{told} That is right, but leave the folder `found` as it was.", share=0.7)
        if returned is None or returned is ...:
            raise NotYet(f"{told} That is right; now also return the report of what happened.", share=0.7)
        return f"{told} Each picture once, and nothing else."

    return Question(
        check,
        hints=[
            "You need not open a single file yourself. Folder(found) is a source, and a source collects.",
            "A source has a method .collect(labels, n, into). With a folder, None for the labels means all of them, "
            "and None for n all the pictures.",
            "Folder(found).collect(None, None, into), and return what comes back: that is the report.",
        ],
    )


q1 = collecting({"owl": 7, "fox": 5}, copies=3, unreadable=2, small=2, seed=1)


# ---- 2: what was passed over, and why --------------------------------------------------------------------------------


def counting(found: Path) -> Question:
    """Whether four numbers (kept, copies, unreadable, too small) can be those of the student's own folder."""

    def check(answer: Iterable[Any]) -> str:
        given = list(answer)
        if all(one is None or one is ... for one in given):
            attempted(None)
        numbers = [number for number in map(whole, given) if number is not None]
        if len(numbers) < len(given):
            raise NotYet("Four whole numbers are wanted: what was kept, copies, what is unreadable, what is too small.")
        there = sum(path.suffix.lower() in SUFFIXES for path in found.rglob("*"))  # and not what a file manager leaves
        if sum(numbers) != there:
            raise NotYet(f"Your four numbers add up to {sum(numbers)}, and {found.name} holds {there} files. Each file "
                         "is one of the four.")  # fmt: skip
        return f"They add up to the {there} files that there are."

    return Question(
        check,
        hints=[
            "print(report) sums it up. “Nearly the same picture” is a copy too, only scaled or saved anew.",
            "report.kept lists what came in; report.passed_over lists pairs: a file, and the reason.",
            "Unreadable has two reasons: what is no picture at all, and what is cut off. Add the two.",
            "Is the report nearly empty? Then you collected a second time, into a set that has everything already. "
            "Collect into a folder that is new.",
        ],
    )


# ---- 3: describe -----------------------------------------------------------------------------------------------------


def describing(wanted: Mapping[str, tuple[int, int]], *, edited: bool = False) -> Question:
    """Whether a function describes a made-up set with so many pictures (train, valid) of each label."""

    def check(answer: "Callable[[ImageSet], Any]") -> str:
        with TemporaryDirectory() as folder:
            said = attempted(answer(made_up(Path(folder) / "made_up", wanted, edited=edited)))
        if not isinstance(said, Mapping) or not {"counts", "baseline"}.issubset(said):
            raise NotYet('Return a dict with two keys, "counts" and "baseline".')
        train, valid = ({label: counts[place] for label, counts in wanted.items()} for place in (0, 1))
        guess = max(train, key=train.__getitem__)
        baseline, got = valid[guess] / sum(valid.values()), _number(said["baseline"])
        right = _counts(said["counts"]) == {"train": Counter(train), "valid": Counter(valid)}
        told = f"A set had {', '.join(f'{n} {label}' for label, n in train.items())} to train, "
        told += f"{', '.join(f'{n} {label}' for label, n in valid.items())} to validate."
        if not right and abs(got - baseline) < 1e-3:
            raise NotYet(f"{told} The baseline is right, the counts are not: {said['counts']!r}.", share=0.4)
        if not right:
            raise NotYet(f"{told} You said {said['counts']!r}, and a baseline of {said['baseline']!r}.")
        if abs(got - baseline) < 1e-3:
            return f"{told} The counts are right, and always saying {guess!r} gets {baseline:.2f}."
        told += f" The counts are right. As baseline you say {said['baseline']!r}"
        if abs(got - 100 * baseline) < 0.1:
            raise NotYet(f"{told}: as a share between 0 and 1, please, no percent.", share=0.8)
        if abs(got - max(valid.values()) / sum(valid.values())) < 1e-3:
            raise NotYet(f"{told}: that is for the label which is the most frequent in validation. Whoever has seen "
                         "only the training pictures guesses another one.", share=0.7)  # fmt: skip
        raise NotYet(f"{told}; it is {baseline:.2f}. The training pictures say which label to guess, and the "
                     "validation pictures, they alone, how often that is right.", share=0.5)  # fmt: skip

    return Question(
        check,
        hints=[
            "images.counts() says how many pictures each label has in each split.",
            "images.train and images.valid are lists of pictures, and each picture knows its .label.",
            "The laziest classifier learns one thing from the training pictures: which label is the most frequent. "
            "Call it guess. The baseline is the share of the validation pictures whose label is guess.",
        ],
    )


def _counts(said: Any) -> dict[str, Counter[str]]:
    counts = {"train": Counter[str](), "valid": Counter[str]()}
    for label, by_split in said.items() if isinstance(said, Mapping) else ():
        for split, those in counts.items():
            number = whole(by_split.get(split, 0)) if isinstance(by_split, Mapping) else None
            those[str(label)] = -1 if number is None else number
    return counts


q3 = describing({"owl": (6, 2), "fox": (2, 1)})


# ---- 4: train and measure --------------------------------------------------------------------------------------------


def training(images: "ImageSet") -> Question:
    """Whether a function gives a model that knows the labels of `images`, and an accuracy."""

    def check(answer: "Callable[[ImageSet], Any]") -> str:
        given = attempted(answer(images))
        if not isinstance(given, tuple | list) or len(given) != 2 or not hasattr(given[0], "predict"):
            raise NotYet("Return two things, the model and its accuracy: return model, accuracy")
        model, accuracy = given
        said = model.predict([images.path(one) for one in images[:4]])
        if not {one.label for one in said}.issubset(images.labels):
            raise NotYet(f"The model should say {' or '.join(images.labels)}; yours says {said[0].label!r}.")
        attempted(accuracy)
        if not 0 <= (got := _number(accuracy)) <= 1:
            raise NotYet(f"An accuracy is a share between 0 and 1; yours is {accuracy!r}.", share=0.5)
        return f"A model that answers, and says of itself that it is right in {got:.0%}. Is that an honest number?"

    return Question(
        check,
        hints=[
            "train(images) returns a model. The network stays frozen, so that it takes seconds.",
            "model.evaluate(images) measures on all pictures. Which of them has the model learnt from? The option "
            "split chooses.",
            'model.evaluate(images, split="valid").accuracy; train has measured the same: model.metrics["accuracy"].',
        ],
    )


def hit_rate(model: Any, images: "ImageSet", split: str | None = None) -> float:
    """The accuracy of a model that sees the pictures of a split, or of all, and nothing else of the set."""
    chosen = [one for one in images if split in (None, one.split)]
    with TemporaryDirectory() as folder:
        files = [Path(folder) / f"{number:04}{Path(one.file_name).suffix}" for number, one in enumerate(chosen)]
        for one, file in zip(chosen, files, strict=True):
            shutil.copyfile(images.path(one), file)
        said = [str(told.label) for told in model.predict(files)]
    return sum(one.label == label for one, label in zip(chosen, said, strict=True)) / len(chosen)


# ---- 5: the mistakes that it is sure of ------------------------------------------------------------------------------

Said = tuple[str, str, float]  # the label that a picture has, the one that it was given, and how confidently


def spotting(cases: Sequence[Sequence[Said]]) -> Question:
    """Whether a function finds the most confident mistakes among predictions."""

    def check(answer: "Callable[..., Iterable[Prediction]]") -> str:
        for case in cases:
            all_labels = {label for one in case for label in one[:2]}
            labels = {f"{place}.jpg": label for place, (label, _, _) in enumerate(case)}
            made_up = [
                _prediction(f"{place}.jpg", said, sure, all_labels) for place, (_, said, sure) in enumerate(case)
            ]
            wrong = [one for one in made_up if one.label != labels[one.source]]
            wrong.sort(key=lambda one: one.confidence, reverse=True)
            for n in range(1, len(wrong) + 2):
                _compare(list(attempted(answer(list(made_up), dict(labels), n))), wrong, n)
        return "Right. Sure and wrong: from those pictures there is the most to learn."

    return Question(
        check,
        hints=[
            "Two steps: keep only what is wrong, then put it in order.",
            "A prediction is wrong where prediction.label differs from labels[prediction.source].",
            "sorted(wrong, key=lambda prediction: prediction.confidence, reverse=True), and of that the first n.",
        ],
    )


def _prediction(source: str, said: str, sure: float, labels: set[str]) -> "Prediction":
    from tl_course.models.classifier import Prediction

    rest = dict.fromkeys(sorted(labels - {said}), (1 - sure) / (len(labels) - 1))
    return Prediction(source, said, sure, {said: sure} | rest)


def _compare(got: list[Any], wrong: "list[Prediction]", n: int) -> None:
    order = [one.source for one in wrong]
    sources = [str(getattr(one, "source", one)) for one in got]
    told = f"Asked for {n} where {len(wrong)} are wrong, your function gave {sources}."
    if sources == order[:n]:
        if not all(hasattr(one, "confidence") for one in got):
            raise NotYet(f"{told} The right ones. Return the predictions themselves.", share=0.7)
    elif len(sources) > n:
        raise NotYet(f"{told} Return {n} at the most.", share=0.3)
    elif not set(sources).issubset(order):
        raise NotYet(f"{told} Leave out those which have the label that they should have.", share=0.2)
    else:
        raise NotYet(f"{told} All of these are wrong, but wanted were {order[:n]}: the one it is most sure of "
                     "comes first.", share=0.4)  # fmt: skip


q5 = spotting([
    [("bird", "bird", 0.99), ("bird", "forest", 0.71), ("forest", "bird", 0.58), ("forest", "forest", 0.83),
     ("forest", "bird", 0.94), ("bird", "bird", 0.52)],
])  # fmt: skip


# ---- 6: read the errors of a weak model ------------------------------------------------------------------------------


def naming(images: "ImageSet") -> Question:
    """Whether (mistakes, worst) are file names of pictures in the validation split, the one among the others."""

    def check(answer: tuple[Any, Any]) -> str:
        mistakes, worst = answer
        if mistakes is ... and worst is ...:
            attempted(mistakes)
        if isinstance(mistakes, str) or not isinstance(mistakes, Iterable):
            raise NotYet('mistakes has to be a list of file names, such as ["004.jpg", "017.jpg"].')
        names = names_of(mistakes)
        if strangers := sorted(names - {one.file_name for one in images.valid}):
            raise NotYet(f"{', '.join(strangers[:3])}: no such picture is in your validation split.")
        if not names_of([worst]) <= names:
            raise NotYet("worst has to be one of the mistakes.", share=0.5)
        return f"{len(names)} mistakes, all of them pictures that it has not learnt from."

    return Question(
        check,
        hints=[
            "weak.predict(files) gives a prediction for each file, and labels says what it should have been.",
            "Your function of question 5 finds the mistakes: ask it for as many as there are pictures.",
            "A prediction's .source is the file's whole path. Path(prediction.source).name is its name.",
        ],
    )


def names_of(pictures: Iterable[Any]) -> set[str]:
    """File names, of whatever was given for them: names, paths, predictions, pictures of a set."""
    return {Path(str(getattr(one, "file_name", getattr(one, "source", one)))).name for one in pictures}


def overlap(given: Any, wanted: Iterable[str]) -> float:
    """Of the names that are in one list or the other, the share that is in both; 1 if there is none in either."""
    names = names_of(given) if isinstance(given, Iterable) and not isinstance(given, str) else set()
    either = names | {*wanted}
    return len(names & {*wanted}) / len(either) if either else 1.0
