"""The assignment ps1_birds: its solution gets full marks for anyone, other answers what they are worth."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from assignment import Assignment

from tl_course import ImageSet
from tl_course.errors import GradingError
from tl_course.exercises.ps1_birds import found_folder, my_variant, q1, q3, q5
from tl_course.variants import GRADED_STUDENT

pytestmark = pytest.mark.filterwarnings("ignore::tl_course.errors.TLCourseWarning")  # answers may cause them

# By the answer's cell: other sources, and what each gets for the student "ada". None depends on another answer.
ANSWERS: dict[str, list[tuple[str, dict[str, float]]]] = {
    "collect": [
        (
            "def collect(found, into):\n    return Folder(found).collect(Folder(found).labels(), None, into=into)",
            {"test_collect": 3},
        ),
        (
            "from tl_course.collection import Candidate, Collection, PassedOver, prepare\n\n\n"
            "def collect(found, into):\n"
            "    collection, report = Collection(into), []\n"
            "    for file in sorted(found.glob('*/*')):\n"
            "        try:\n"
            "            candidate = Candidate(label=file.parent.name, url=str(file))\n"
            "            collection.add(candidate, prepare(file))\n"
            "        except PassedOver as reason:\n"
            "            report.append((file, str(reason)))\n"
            "    return collection.images, report",
            {"test_collect": 3},
        ),
        ("def collect(found, into):\n    Folder(found).collect(None, None, into)", {"test_collect": 2.1}),
        (
            "def collect(found, into):\n    return Folder(found).collect(['bird', 'forest'], None, into)",
            {"test_collect": 0.6},
        ),
        ("def collect(found, into):\n    return Folder(found).collect(None, 5, into)", {"test_collect": 1.2}),
        (
            "import shutil\n\n\ndef collect(found, into):\n    return shutil.copytree(found, into)",
            {"test_collect": 1.2},
        ),
        ("def collect(found, into):\n    return Folder(found).collect(None, None, 'my_set')", {"test_collect": 0}),
        ("def collect(found, into):\n    return ImageSet.open(found)", {"test_collect": 0}),
        ("def collect(found, into):\n    ...  # your code here", {"test_collect": 0}),
    ],
    "count": [
        ("n_kept, n_copies, n_unreadable, n_small = 137, 12, 8, 6", {"test_count": 2}),
        ("n_kept = '137'\nn_copies = 12.0\nn_unreadable = '8'\nn_small = 6", {"test_count": 2}),
        (
            "n_kept = 137\nn_copies = 6  # without those that are nearly the same\nn_unreadable = 8\nn_small = 6",
            {"test_count": 1.2},
        ),
        ("n_kept = 137\nn_copies = 12\nn_unreadable = 4\nn_small = 10", {"test_count": 1.2}),
        ("n_kept = 122\nn_copies = 11\nn_unreadable = 9\nn_small = 7  # a neighbour's", {"test_count": 0}),
        ("n_kept = 137\nn_copies = ...\nn_unreadable = ...\nn_small = ...", {"test_count": 0.4}),
        ("n_kept = 'many'\nn_copies = None\nn_unreadable = [8]\nn_small = float('nan')", {"test_count": 0}),
        ("n_kept = ...\nn_copies = ...\nn_unreadable = ...\nn_small = ...\n...  # your code here", {"test_count": 0}),
    ],
    "describe": [
        (
            "from collections import Counter\n\n\n"
            "def describe(images):\n"
            "    learnt, judged = (Counter(one.label for one in some) for some in (images.train, images.valid))\n"
            "    counts = {name: {'train': learnt[name], 'valid': judged[name]} for name in images.labels}\n"
            "    return {'counts': counts, 'baseline': judged[learnt.most_common(1)[0][0]] / judged.total()}",
            {"test_describe": 3},
        ),
        (
            "def describe(images):\n"
            "    table = images.to_dataframe()\n"
            "    counts = table.groupby(['label', 'split']).size().unstack(fill_value=0)\n"
            "    guess = counts['train'].idxmax()\n"
            "    return {'counts': counts.to_dict('index'), 'baseline': counts.valid[guess] / counts.valid.sum()}",
            {"test_describe": 3},
        ),
        (
            "def describe(images):\n"
            "    counts = images.counts()\n"
            "    valid = [counts[label]['valid'] for label in counts]\n"
            "    return {'counts': counts, 'baseline': max(valid) / sum(valid)}",
            {"test_describe": 2.4},
        ),
        (
            "def describe(images):\n"
            "    counts = images.counts()\n"
            "    train = [counts[label]['train'] for label in counts]\n"
            "    return {'counts': counts, 'baseline': max(train) / sum(train)}",
            {"test_describe": 1.5},
        ),
        (
            "def describe(images):\n"
            "    counts = images.counts()\n"
            "    guess = max(counts, key=lambda label: counts[label]['train'])\n"
            "    return {'counts': counts, 'baseline': 100 * counts[guess]['valid'] / len(images.valid)}",
            {"test_describe": 2.4},
        ),
        ("def describe(images):\n    return {'counts': images.counts(), 'baseline': ...}", {"test_describe": 1.5}),
        ("def describe(images):\n    return images.counts()", {"test_describe": 0}),
        ("def describe(images):\n    print(images.counts())", {"test_describe": 0}),
        ("def describe(images):\n    ...  # your code here", {"test_describe": 0}),
    ],
    "train": [
        (
            "def train_and_measure(images):\n"
            "    model = train(images, seed=1)\n"
            "    return [model, model.metrics['accuracy']]",
            {"test_train": 3},
        ),
        (
            "def train_and_measure(images):\n"
            "    model = train(images, balanced=True)\n"
            "    said = model.predict([images.path(one) for one in images.valid])\n"
            "    right = [one.label == given.label for one, given in zip(images.valid, said)]\n"
            "    return model, sum(right) / len(right)",
            {"test_train": 3},
        ),
        (
            "def train_and_measure(images):\n"
            "    model = train(images)\n"
            "    return model, model.evaluate(images).accuracy",
            {"test_train": 2},
        ),
        (
            "def train_and_measure(images):\n"
            "    model = train(images, test=images)\n"
            "    return model, model.metrics['accuracy']",
            {"test_train": 2},
        ),
        (
            "def train_and_measure(images):\n"
            "    model = train(images)\n"
            "    return model, model.metrics['cross_validated_accuracy']",
            {"test_train": 2.5},
        ),
        (
            "def train_and_measure(images):\n"
            "    model = train(images)\n"
            "    return model, 100 * model.metrics['accuracy']",
            {"test_train": 2},
        ),
        (
            "def train_and_measure(images):\n"
            "    model = train(images.subset(2))\n"
            "    return model, model.metrics['accuracy']",
            {"test_train": 0},
        ),
        ("def train_and_measure(images):\n    return train(images)", {"test_train": 0}),
        ("def train_and_measure(images):\n    ...  # your code here", {"test_train": 0}),
    ],
    "mistakes": [
        (
            "def most_confident_mistakes(predictions, labels, n):\n"
            "    found = []\n"
            "    for one in sorted(predictions, key=lambda one: -one.confidence):\n"
            "        if one.label != labels[one.source] and len(found) < n:\n"
            "            found.append(one)\n"
            "    return found",
            {"test_mistakes": 3},
        ),
        (
            "import heapq\n\n\n"
            "def most_confident_mistakes(predictions, labels, n):\n"
            "    wrong = (one for one in predictions if labels[one.source] != one.label)\n"
            "    return tuple(heapq.nlargest(n, wrong, key=lambda one: max(one.probabilities.values())))",
            {"test_mistakes": 3},
        ),
        (
            "def most_confident_mistakes(predictions, labels, n):\n"
            "    wrong = [one for one in predictions if one.label != labels[one.source]]\n"
            "    return sorted(wrong, key=lambda one: one.confidence)[:n]",
            {"test_mistakes": 1.2},
        ),
        (
            "def most_confident_mistakes(predictions, labels, n):\n"
            "    return sorted(predictions, key=lambda one: one.confidence, reverse=True)[:n]",
            {"test_mistakes": 0.6},
        ),
        (
            "def most_confident_mistakes(predictions, labels, n):\n"
            "    wrong = [one for one in predictions if one.label != labels[one.source]]\n"
            "    return sorted(wrong, key=lambda one: one.confidence, reverse=True)",
            {"test_mistakes": 0.9},
        ),
        (
            "def most_confident_mistakes(predictions, labels, n):\n"
            "    wrong = [one for one in predictions if one.label != labels[one.source]]\n"
            "    wrong.sort(key=lambda one: one.confidence, reverse=True)\n"
            "    return [one.source for one in wrong[:n]]",
            {"test_mistakes": 2.1},
        ),
        (
            "def most_confident_mistakes(predictions, labels, n):\n"
            "    return [one for one in predictions if one.label != labels[one]][:n]",
            {"test_mistakes": 0},
        ),
        ("def most_confident_mistakes(predictions, labels, n):\n    ...  # your code here", {"test_mistakes": 0}),
    ],
    "weak": [
        (
            "truth = {one.file_name: one.label for one in images.valid}\n"
            "said = dict(zip(truth, weak.predict([images.path(name) for name in truth])))\n"
            "mistakes = sorted((name for name in truth if said[name].label != truth[name]), "
            "key=lambda name: -said[name].confidence)\n"
            "worst = mistakes[0]",
            {"test_weak": 2},
        ),
        (
            "wrong = [one for one in weak.predict(labels) if one.label != labels[one.source]]\n"
            "wrong.sort(key=lambda one: one.confidence)\n"
            "mistakes, worst = {one.source for one in wrong}, wrong[-1].source",
            {"test_weak": 2},
        ),
        (
            "wrong = [one for one in weak.predict(labels) if one.label != labels[one.source]]\n"
            "wrong.sort(key=lambda one: one.confidence)\n"
            "mistakes, worst = [Path(one.source).name for one in wrong], Path(wrong[0].source).name",
            {"test_weak": 1.5},
        ),
        (
            "wrong = [one for one in weak.predict(labels) if one.label != labels[one.source]]\n"
            "wrong.sort(key=lambda one: -one.confidence)\n"
            "mistakes, worst = [Path(one.source).name for one in wrong[:5]], Path(wrong[0].source).name",
            {"test_weak": 1.5},
        ),
        (
            "right = [one for one in weak.predict(labels) if one.label == labels[one.source]]\n"
            "mistakes, worst = [Path(one.source).name for one in right], Path(right[0].source).name",
            {"test_weak": 0.5},
        ),
        ("mistakes = ['004.jpg', '017.jpg']\nworst = '004.jpg'", {"test_weak": 0}),
        ("mistakes = ...\nworst = ...\n...  # your code here", {"test_weak": 0}),
    ],
}


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, exported: Path) -> Iterator[Path]:
    """One cache and one working directory for all of these tests; the hidden pictures too are drawn once."""
    folder = tmp_path_factory.mktemp("ps1_birds")
    draw = ImageSet.render

    def drawn_once(name: str, into: Path, **options: int) -> ImageSet:
        kept = folder / f"{name}{sorted(options.items())}"
        if not kept.is_dir():
            draw(name, kept, **options)
        return ImageSet.open(shutil.copytree(kept, into))

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv(GRADED_STUDENT, "ada")
        patch.setenv("TL_COURSE_CACHE", str(shutil.copytree(exported, folder / "cache")))
        patch.setattr(ImageSet, "render", drawn_once)
        yield folder / "cache"


@pytest.fixture(scope="module")
def assignment(cache: Path) -> Assignment:
    return Assignment("ps1_birds")


@pytest.mark.slow
def test_the_solution_gets_full_marks(assignment: Assignment) -> None:
    assert assignment.points == assignment.of
    assert sum(assignment.of.values()) == 16


@pytest.mark.slow
def test_so_does_that_of_another_and_its_numbers_differ(
    assignment: Assignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GRADED_STUDENT, "ben")
    other = Assignment("ps1_birds")
    assert other.points == other.of
    for name in ("n_kept", "n_copies", "n_unreadable", "n_small", "mistakes"):
        assert other.names[name] != assignment.names[name]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "source", "points"),
    [(cell, *one) for cell, those in ANSWERS.items() for one in those],
    ids=[f"{cell}-{n}" for cell, those in ANSWERS.items() for n in range(len(those))],
)
def test_other_answers_get_what_they_are_worth(
    cell: str, source: str, points: dict[str, float], assignment: Assignment
) -> None:
    assert assignment.answered(cell, source) == pytest.approx(points)


@pytest.mark.slow
def test_what_the_folder_holds_follows_from_the_id(tmp_path: Path) -> None:
    first, again = (found_folder(my_variant(who), tmp_path / str(n)) for n, who in enumerate(("Eva", " eva ")))
    files = [{path.relative_to(root): path.read_bytes() for path in root.rglob("*.jpg")} for root in (first, again)]
    assert files[0] == files[1]


def test_a_blank_is_not_attempted_and_no_solution_is_shown() -> None:
    for question in (q1, q3, q5):
        assert question.check(lambda *_: ...).status == "not attempted"
        assert "not shown" in question.solution().text


def test_without_an_id_there_is_no_variant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(GRADED_STUDENT, raising=False)
    with pytest.raises(GradingError, match="Whose work"):
        my_variant("")
