"""Answers to the questions of ps1_birds, and what student "ada" gets for each."""

# By the answer's cell: other sources, and what each gets for the student "ada". None depends on another answer.
ANSWERS: dict[str, list[tuple[str, dict[str, float]]]] = {
    "collect": [
        (
            "def collect(found, into):\n    return Folder(found).collect(Folder(found).labels(), None, into=into)",
            {"test_collect": 3},
        ),
        (
            "from tl_course.data.collection import Candidate, Collection, PassedOver, prepare\n\n\n"
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
