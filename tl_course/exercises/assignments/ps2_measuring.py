"""Questions 4 and 5 of assignment ps2: the three benefits, read off a race, and what a handful of pictures is worth."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from statistics import mean
from typing import TYPE_CHECKING, Any

from tl_course.exercises import NotYet, Question, attempted
from tl_course.exercises.variants import generator, student_id

if TYPE_CHECKING:
    from tl_course.data.imageset import ImageSet
    from tl_course.models.history import History
    from tl_course.training.transfer_gains import Benefits

__all__ = ["curve_question", "draws_question", "gains_question", "my_runs", "sure_question"]


# ---- 4: the three benefits -------------------------------------------------------------------------------------------

_NAMES = ("start", "slope", "level")
_LIKE = {"start": 0.006, "slope": 0.00006, "level": 0.006}  # a number that was rounded is right too


@cache
def _race(student: str) -> "tuple[list[History], list[History], Benefits]":
    """Five runs of each kind: two of the benefits are clear, and one, which it is follows from the student, is not."""
    import numpy as np

    from tl_course.models.history import History
    from tl_course.training.transfer_gains import benefits

    random = generator("ps2_cats_and_dogs runs", student)
    steps, unclear = int(random.randint(24, 42)), int(random.randint(3))
    while True:
        gains = random.uniform((0.08, 0.05, 0.15), (0.25, 0.15, 0.35))
        gains[unclear] = random.uniform(-0.02, 0.02)
        begin, climb, rise = random.uniform((0.47, 0.02, 0.03), (0.54, 0.06, 0.35))
        scratch = [begin, begin + climb, begin + climb + rise]
        transfer = [begin + gains[0], begin + gains[0] + climb + gains[1], scratch[2] + gains[2]]
        noise = random.normal(0, 0.02, (2, 5, 5))
        if not transfer[1] < transfer[2] < 0.97:
            continue
        runs: list[list[History]] = []
        for kind, (first, then, last), off in zip(("frozen", "scratch"), (transfer, scratch), noise, strict=True):
            means = [first, then, then + 0.7 * (last - then), last - 0.005, last + 0.005]
            scores = np.clip(np.round((means + off) * 88) / 88, 0, 1)
            runs.append([History(kind, [_row(epoch, steps, score) for epoch, score in enumerate(run)])
                         for run in scores.tolist()])  # fmt: skip
        measured = benefits(*runs)
        clear = [one.difference / (one.high - one.difference) for one in measured if one.high is not None]
        if all(abs(ratio) < 0.6 if i == unclear else ratio > 1.6 for i, ratio in enumerate(clear)):
            return runs[0], runs[1], measured


def _row(epoch: int, steps: int, score: float) -> dict[str, float]:
    step = epoch * steps or 1  # the first row is from right after the first step
    return {"epoch": epoch or 1 / steps, "step": step, "pictures": 4 * step, "valid_accuracy": score}


def my_runs(student: str) -> "tuple[list[History], list[History]]":
    """Records of a student's own race, five runs with transfer and five from scratch. They are made up."""
    from copy import deepcopy

    transfer, scratch, _ = _race(student_id(student))
    return deepcopy(transfer), deepcopy(scratch)


def gains_question(student: str) -> Question:
    """Does a dict of start, slope and level fit the student's own runs?"""

    def check(answer: Mapping[str, float]) -> str:
        got, wanted = _three(answer), _wanted(student)
        transfer, scratch, _ = _race(student_id(student))
        fits = [_fits(name, one, right) for name, one, right in zip(_NAMES, got, wanted, strict=True)]
        if all(fits):
            return "These are the three benefits of your race."
        if all(_fits(name, -one, right) for name, one, right in zip(_NAMES, got, wanted, strict=True)):
            raise NotYet("The sizes are right, the signs are not: with transfer minus from scratch.", share=0.5)
        if _fits("start", got[0] / 100, wanted[0]) and _fits("level", got[2] / 100, wanted[2]):
            raise NotYet("That is in percent. As shares between 0 and 1, please.", share=0.5)
        told, few = [], sum(fits) < 2
        length = transfer[0].epochs[1]["step"] - transfer[0].epochs[0]["step"]
        ends = mean(run.epochs[-1]["valid_accuracy"] for run in transfer)
        ends -= mean(run.epochs[-1]["valid_accuracy"] for run in scratch)
        if not fits[0]:
            told.append("The start does not fit your runs: is it the mean over all of them, with transfer minus from "
                        "scratch?")  # fmt: skip
        if not fits[1]:
            per_epoch = abs(got[1] / length - wanted[1]) < 2 * _LIKE["slope"]
            told.append("The slope is that of an epoch; wanted is the gain *a step*." if per_epoch else
                        "The slope does not fit your runs: mind which rows it is read between.")  # fmt: skip
        if not fits[2]:
            told.append("The level is read from the last row alone; it is the mean of the last two."
                        if abs(got[2] - ends) < _LIKE["level"] else "The level does not fit your runs.")  # fmt: skip
        raise NotYet(" ".join(told), share=0 if few else 0.5)

    return Question(
        check,
        hints=[
            'A run\'s rows are in run.epochs: run.epochs[0]["valid_accuracy"] is its start.',
            "First one number for each run, then the mean of the five with transfer, minus that of the five from "
            "scratch.",
            "The course can do it all: look at benefits(transfer, scratch), as in lesson 02. Its "
            "asymptote is your level, and each of its three has a .difference and an interval from .low to .high.",
        ],
    )


def sure_question(student: str) -> Question:
    """Are those benefits named whose interval lies above zero? Asked with the gains: a list alone could be guessed."""

    def check(answer: tuple[Mapping[str, float], Iterable[str]]) -> str:
        gains, named = answer
        named = attempted(named)
        got = {_called(str(name)) for name in ([named] if isinstance(named, str) else named)}
        measured = _race(student_id(student))[2]
        right = {name for name, one in zip(_NAMES, measured, strict=True) if one.positive}
        read = zip(_NAMES, _three(gains), _wanted(student), strict=True)
        if sum(_fits(name, abs(one), abs(wanted)) for name, one, wanted in read) < 2:
            raise NotYet("What is sure follows from the numbers of your own runs, and these are not read off yet.")
        if got == right:
            return "Sure is what says so: the interval, not the size."
        if got == set(_NAMES) - right:
            raise NotYet("These are the ones that are not sure.", share=0.5)
        raise NotYet("Not these. Look at each benefit: does its interval reach across zero?")

    return Question(check, hints=["Each benefit has its interval: five differences, one for each pair of runs."])


def _wanted(student: str) -> list[float]:
    return [one.difference for one in _race(student_id(student))[2]]


def _called(name: str) -> str:
    return "level" if (plain := name.strip().casefold()) == "asymptote" else plain


def _three(answer: Any) -> list[float]:
    if not isinstance(answer, Mapping):
        raise NotYet('A dict was wanted: {"start": …, "slope": …, "level": …}.')
    named = {_called(str(name)): value for name, value in answer.items()}
    if missing := [name for name in _NAMES if name not in named]:
        raise NotYet(f"Your dict lacks {' and '.join(missing)}.")
    return [float(attempted(named[name])) for name in _NAMES]


def _fits(name: str, got: float, wanted: float) -> bool:
    return abs(got - wanted) <= _LIKE[name]


# ---- 5: the luck of the draw -----------------------------------------------------------------------------------------


_known: dict[Any, float] = {}  # accuracies that were measured before: all the tests of one set want the same ones


def _accuracies(images: "ImageSet", n: int, seeds: Sequence[int]) -> list[float]:
    from tl_course import train

    labelled = tuple((images.path(one), one.label, one.split) for one in images)
    for seed in seeds:
        if (labelled, n, seed) not in _known:
            _known[labelled, n, seed] = float(train(images.subset(n, seed=seed)).metrics["accuracy"])
    return [_known[labelled, n, seed] for seed in seeds]


def draws_question(images: "ImageSet", n: int, seeds: Sequence[int]) -> Question:
    """Does a function train on `n` pictures drawn anew for each seed, and return all the accuracies?"""

    def check(answer: "Callable[[ImageSet, int, list[int]], Sequence[float]]") -> str:
        wanted = _accuracies(images, n, seeds)
        given = attempted(answer(images, n, list(seeds)))
        if not hasattr(given, "__len__"):
            if abs(float(given) - mean(wanted)) < 0.01:
                raise NotYet("That is the mean. Return all the accuracies: how they scatter is half of the answer.",
                             share=0.5)  # fmt: skip
            raise NotYet("Return a list, with one accuracy for each seed.")
        got = [float(attempted(one)) for one in given]
        if len(got) != len(wanted):
            raise NotYet(
                f"For {len(wanted)} seeds, {len(wanted)} accuracies were wanted; your function gave {len(got)}."
            )
        if _close(got, wanted):
            return "Each seed draws other pictures, and all are measured on the same ones."
        if _close([one / 100 for one in got], wanted):
            raise NotYet("These are percent. As shares between 0 and 1, please.", share=0.5)
        if max(got) - min(got) < 1e-9 and _close(got[:1], _accuracies(images, n, [0])):
            raise NotYet("All the accuracies are the same. Does each seed draw pictures of its own, images.subset(n, "
                         "seed=…)? The seed of train() is another.", share=0.5)  # fmt: skip
        raise NotYet("These are not the accuracies of models that learnt from n pictures of the set that was given, "
                     "drawn by each seed.")  # fmt: skip

    return Question(
        check,
        hints=[
            "In lesson 01 you trained on images.subset(n). Here subset also takes a seed: other seeds, other pictures.",
            'train(some_images) returns a model, and its metrics["accuracy"] is measured on the validation pictures.',
            "A loop over the seeds, or a list comprehension, with images.subset(n, seed=seed) in it.",
        ],
    )


def _close(got: Sequence[float], wanted: Sequence[float]) -> bool:
    return all(abs(one - right) <= 0.02 for one, right in zip(got, wanted, strict=True))


def curve_question(images: "ImageSet", numbers: Sequence[int] = (4, 8, 16)) -> Question:
    """Does a dict say the mean accuracy over seeds 0 to 4 for each of `numbers`?"""

    def check(answer: Mapping[int, float]) -> str:
        if not isinstance(answer, Mapping):
            raise NotYet("A dict was wanted: {4: …, 8: …, …}.")
        given = {int(n): value for n, value in answer.items()}
        if missing := [n for n in numbers if n not in given]:
            raise NotYet(f"Your dict says nothing of {', '.join(map(str, missing))} pictures.")
        got = [float(attempted(given[n])) for n in numbers]
        runs = [_accuracies(images, n, range(5)) for n in numbers]
        wanted = [mean(some) for some in runs]
        if _same(got, wanted):
            return "These are the means of your own pictures."
        if _same([one / 100 for one in got], wanted):
            raise NotYet("That is in percent. As shares between 0 and 1, please.", share=0.5)
        if _same(got, [some[0] for some in runs]):
            raise NotYet("These are of one draw, that of seed 0. The mean of five was asked for.", share=0.5)
        if _same(got, [max(some) for some in runs]):
            raise NotYet("These are the best of the five. To report the best of several is to report luck.")
        raise NotYet("These are not the means over seeds 0, 1, 2, 3 and 4 for your pictures.")

    return Question(check, hints=["For each number: draws(images, n, range(5)), and the mean of what it returns."])


def _same(got: Sequence[float], wanted: Sequence[float]) -> bool:
    return all(abs(one - right) <= 0.0095 for one, right in zip(got, wanted, strict=True))
