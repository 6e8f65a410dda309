"""How well suspects are found: errors planted in real photos, our ranking beside others, and the time it takes.

    python benchmarks/suspects.py [PHOTOS]

PHOTOS holds the folders cats_dogs, doors, flowers and birds (`TL_COURSE_PHOTOS`, or ../shared/photos beside the
repository). What is planted follows from the seed. Rankings are compared by average precision (AP: 1 where all planted
errors come first, their share where they are spread at random) and by the share of them among the first 30 and 60.

Beside ours, all out of sample and on the same features unless it says otherwise: the head's self-confidence (cleanlab's
own where cleanlab is installed; 2.9 or later, which are under the Apache licence), the vote of the 15 neighbours, and
fastai's top losses, in sample, of `vision_learner(...).fine_tune(3)` with the same weights, on cats and dogs. Pictures
that the photos hold twice by themselves count for nobody there: only ours looks for them, and nobody planted them.
"""

import argparse
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from fastai_recipe import fine_tuned
from PIL import Image, ImageOps
from reporting import RESULTS, machine, table, write

sys.path.insert(0, str(Path(__file__).parents[1]))

from tl_course import ImageSet
from tl_course.cleaning import Suspects
from tl_course.data.table import METADATA, Picture, table_text
from tl_course.features.backbones import DEFAULT, Backbone, create
from tl_course.features.extraction import kept_vectors

PACKAGES = ("torch", "timm", "fastai", "scikit-learn", "cleanlab", "onnxruntime", "numpy")
FIRST = (30, 60)
COPIES = ("exact", "recompressed", "cropped", "mirrored")

Table = list[dict[str, Any]]


@dataclass
class Planted:
    """A data set in the making, and which of its files are wrong."""

    folder: Path
    rows: list[Picture] = field(default_factory=list)
    wrong: set[str] = field(default_factory=set)

    def add(self, path: Path, label: str, *, wrong: bool = False, split: str = "", data: bytes = b"") -> str:
        name = f"{len(self.rows):05}-{path.name}"
        if data:
            (self.folder / name).write_bytes(data)
        else:
            shutil.copyfile(path, self.folder / name)
        self.rows.append(Picture(name, label, split=split))
        if wrong:
            self.wrong.add(name)
        return name

    def open(self) -> ImageSet:
        (self.folder / METADATA).write_text(table_text(self.rows), encoding="utf-8")
        return ImageSet.open(self.folder, warn=False)


class Bench:
    """Where the photos are, and a fresh folder for each set that is made of them."""

    def __init__(self, photos: Path, temporary: Path) -> None:
        self.photos, self.temporary, self.sets = photos, temporary, 0

    def of(self, *names: str) -> list[tuple[Path, str]]:
        """Files and labels of "cats_dogs", or of one label: "cats_dogs/cat"."""
        folders = [
            f for name in names for f in ([self.photos / name] if "/" in name else self.photos.glob(f"{name}/*/"))
        ]
        return [(path, folder.name) for folder in sorted(folders) for path in sorted(folder.glob("*.jpg"))]

    def fresh(self) -> Planted:
        self.sets += 1
        folder = self.temporary / f"set-{self.sets}"
        folder.mkdir()
        return Planted(folder)


# ---- what is planted -------------------------------------------------------------------------------------------------


def wrong_labels(bench: Bench, share: float, seed: int, name: str = "cats_dogs", junk: int = 0) -> Planted:
    """A share of the labels of "birds+cats_dogs" is wrong; `junk` pictures of other sets are there besides."""
    random = np.random.default_rng([seed, int(1000 * share)])
    pictures, planted = bench.of(*name.split("+")), bench.fresh()
    labels = sorted({label for _, label in pictures})
    wrong = set(random.choice(len(pictures), round(share * len(pictures)), replace=False).tolist())
    for i, (path, label) in enumerate(pictures):
        others = [other for other in labels if other != label]
        planted.add(path, str(random.choice(others)) if i in wrong else label, wrong=i in wrong)
    strangers = [path for path, _ in bench.of(*{"cats_dogs", "doors", "flowers", "birds"} - {*name.split("+")})]
    for i in random.choice(len(strangers), junk, replace=False):
        planted.add(strangers[i], str(random.choice(labels)), wrong=True)
    return planted


def off_topic(bench: Bench, strangers: str, n: int, seed: int, among: str = "doors") -> Planted:
    random = np.random.default_rng([seed, n])
    planted = bench.fresh()
    for path, label in bench.of(among):
        planted.add(path, label)
    labels = sorted({row.label for row in planted.rows})
    paths = [path for path, _ in bench.of(strangers)]
    for i in random.choice(len(paths), n, replace=False):
        planted.add(paths[i], str(random.choice(labels)), wrong=True)
    return planted


def copied(path: Path, how: str) -> bytes:
    if how == "exact":
        return path.read_bytes()
    with Image.open(path) as opened:
        image = opened.convert("RGB")
    width, height = image.size
    if how == "cropped":
        image = image.crop((width // 25, height // 25, width - width // 25, height - height // 25))
    elif how == "mirrored":
        image = ImageOps.mirror(image)
    else:
        image = image.resize((round(0.7 * width), round(0.7 * height)))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=50 if how == "recompressed" else 92)
    return file.getvalue()


def duplicates(bench: Bench, name: str, seed: int, each: int = 4) -> tuple[Planted, list[tuple[str, str, str, str]]]:
    """`each` copies of every kind in every place; beside the set (copy, original, how, where)."""
    random = np.random.default_rng(seed)
    pictures, planted = bench.of(name), bench.fresh()
    labels = sorted({label for _, label in pictures})
    splits = ["valid" if i % 5 == 0 else "train" for i in range(len(pictures))]
    names = [planted.add(path, label, split=split) for (path, label), split in zip(pictures, splits, strict=True)]
    places = [(how, where) for how in COPIES for where in ("within", "across labels", "across splits")] * each
    copies = []
    for i, (how, where) in zip(random.choice(len(pictures), len(places), replace=False), places, strict=True):
        path, label = pictures[i]
        other = "train" if splits[i] == "valid" else "valid"
        copy = planted.add(
            path,
            label if where != "across labels" else next(one for one in labels if one != label),
            split=other if where == "across splits" else splits[i],
            wrong=True,
            data=copied(path, how),
        )
        copies.append((copy, names[i], how, where))
    return planted, copies


# ---- rankings --------------------------------------------------------------------------------------------------------


def average_precision(wrong: Sequence[bool], scores: Sequence[float]) -> float:
    from sklearn.metrics import average_precision_score

    return float(average_precision_score(wrong, scores))


def measured(names: Sequence[str], scores: Sequence[float], wrong: set[str]) -> dict[str, float]:
    order = [name for _, name in sorted(zip(scores, names, strict=True), key=lambda one: (-one[0], one[1]))]
    values = {"ap": average_precision([name in wrong for name in names], scores)}
    return values | {f"first_{n}": sum(name in wrong for name in order[:n]) / len(wrong) for n in FIRST}


class Watched(Suspects):
    """Keeps all that the head says of each picture, in the order of the data set."""

    def _out_of_fold(self, *of_what: Any) -> Any:
        self.probabilities = super()._out_of_fold(*of_what)
        return self.probabilities


def rankings(planted: Planted) -> dict[str, dict[str, float]]:
    """What each way to rank makes of one set."""
    images = planted.open()
    suspects = Watched(images)
    suspect_of = {one.file_name: one for one in suspects.rank()}
    found = [suspect_of[one.file_name] for one in images]
    labels = sorted(images.labels)
    targets = np.array([labels.index(one.label) for one in found])
    believed = suspects.probabilities[np.arange(len(found)), targets]
    vote = np.array([np.mean([suspect_of[near].label != one.label for near in one.neighbours]) for one in found])
    ways = {
        "ours": np.array([one.score for one in found]),
        "ours, labels alone": (1 - believed + vote) / 2,
        "neighbours' vote": vote,
        "self-confidence": 1 - believed,
        **of_cleanlab(targets, suspects.probabilities),
    }
    once = np.array([not {"duplicate", "leak"} & {*one.kinds} for one in found])
    names = [one.file_name for one, counts in zip(found, once, strict=True) if counts]
    return {way: measured(names, scores[once].tolist(), planted.wrong & {*names}) for way, scores in ways.items()}


def of_cleanlab(targets: np.ndarray, probabilities: np.ndarray) -> dict[str, np.ndarray]:
    try:
        from cleanlab.rank import get_label_quality_scores
    except ImportError:
        return {}
    methods = ("self_confidence", "normalized_margin", "confidence_weighted_entropy")
    return {f"cleanlab, {m}": 1 - get_label_quality_scores(targets, probabilities, method=m) for m in methods}


def of_fastai(planted: Planted, weights: Path) -> dict[str, float]:
    """fastai's top losses: `fine_tune(3)` on all pictures, then the loss of each."""
    folder = planted.open().root
    done = subprocess.run(
        [sys.executable, __file__, "fastai", folder, weights],
        env=os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONWARNINGS": "ignore"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(f"fastai ended with {done.returncode}:\n{done.stderr[-3000:]}")
    losses = json.loads(done.stdout.splitlines()[-1])
    return measured(list(losses), list(losses.values()), planted.wrong)


def run_fastai(folder: str, weights: str) -> None:
    images = ImageSet.open(folder, warn=False)
    learn, _ = fine_tuned(images, DEFAULT, weights)
    label_of = {images.path(picture): picture.label for picture in images}
    with learn.no_bar(), learn.no_logging():
        probabilities, _ = learn.get_preds(dl=learn.dls.test_dl(list(label_of)))
    targets = [list(learn.dls.vocab).index(label) for label in label_of.values()]
    losses = -np.log(np.clip(probabilities.numpy()[np.arange(len(targets)), targets], 1e-12, None))
    print(json.dumps({path.name: float(loss) for path, loss in zip(label_of, losses, strict=True)}))


# ---- the questions ---------------------------------------------------------------------------------------------------


def ask_wrong_labels(bench: Bench, seeds: int, fastai_seeds: int, weights: Path) -> Table:
    """Planted in every set of two labels or more; the last resemble labels that nobody has looked at."""
    rows: Table = []
    asked = [("cats_dogs", 5, 0), ("cats_dogs", 10, 0), ("cats_dogs", 13, 22)]
    others = sorted(folder.name for folder in bench.photos.iterdir() if len([*folder.glob("*/")]) > 1)
    asked += [(name, percent, 0) for name in others if name != "cats_dogs" for percent in (5, 10)]
    asked += [("birds+cats_dogs", 15, 56), ("birds+cats_dogs", 25, 36), ("flowers", 25, 28), ("doors", 20, 15)]
    for name, percent, junk in asked:
        results: dict[str, list[dict[str, float]]] = {}
        for seed in range(seeds):
            planted = wrong_labels(bench, percent / 100, seed, name, junk)
            title = f"{name}, {percent} % wrong" + (f", {100 * junk / len(planted.rows):.0f} % junk" if junk else "")
            for way, values in rankings(planted).items():
                results.setdefault(way, []).append(values)
            if name == "cats_dogs" and seed < fastai_seeds:
                results.setdefault("fastai, top losses", []).append(of_fastai(planted, weights))
                print(f"{title}, fastai, seed {seed}", file=sys.stderr)
        rows += [{"planted": title, "way": way} | mean(values) for way, values in results.items()]
    return rows


def ask_off_topic(bench: Bench, seeds: int) -> Table:
    rows: Table = []
    for strangers, n, among in (
        ("flowers", 6, "doors"), ("flowers", 17, "doors"), ("cats_dogs", 10, "doors"), ("doors", 10, "cats_dogs"),
        ("flowers", 16, "cats_dogs"), ("doors", 10, "flowers"),
    ):  # fmt: skip
        values = []
        for seed in range(seeds):
            planted = off_topic(bench, strangers, n, seed, among)
            found = Suspects(planted.open()).rank()
            values.append(measured([one.file_name for one in found], [one.score for one in found], planted.wrong))
            values[-1]["named off-topic"] = (
                sum("off-topic" in one.kinds for one in found if one.file_name in planted.wrong) / n
            )
        rows.append({"planted": f"{n} of {strangers} among {among}", "way": "ours"} | mean(values))
    return rows


def ask_duplicates(bench: Bench, seeds: int) -> Table:
    rows: Table = []
    for name in ("cats_dogs", "flowers", "doors"):
        caught: dict[str, list[bool]] = {}
        false: list[int] = []
        for seed in range(seeds):
            planted, copies = duplicates(bench, name, seed, each=2 if name == "doors" else 4)
            found = {one.file_name: one for one in Suspects(planted.open()).rank()}
            spoken = {n for n, one in found.items() if "same picture as" in one.reason}
            for copy, original, how, where in copies:
                pair = [found[a].reason for a, b in ((copy, original), (original, copy)) if b in found[a].reason]
                for key in (how, where):
                    caught.setdefault(key, []).append(any("same picture as" in reason for reason in pair))
            false.append(len(spoken - {name for copy, original, *_ in copies for name in (copy, original)}))
        shares = {key: float(np.mean(values)) for key, values in caught.items()}
        rows.append({"planted": f"copies in {name}", **shares, "false": float(np.mean(false))})
    return rows


def ask_all_together(bench: Bench, seeds: int) -> Table:
    values = []
    for seed in range(seeds):
        planted = wrong_labels(bench, 0.05, seed, junk=6)
        clean = [row for row in planted.rows if row.file_name not in planted.wrong]
        for i, how in enumerate(COPIES * 2):
            source = planted.folder / clean[10 * i + seed].file_name
            planted.add(source, clean[10 * i + seed].label, wrong=True, data=copied(source, how))
        found = Suspects(planted.open()).rank()
        # Of two that are the same it does not matter which one is called the copy.
        twin = {Path(one.file_name).name.split("-", 1)[1]: one for one in reversed(found)}
        names = [one.file_name for one in found]
        scores = {one.file_name: one.score for one in found}
        for name in planted.wrong:
            stem = name.split("-", 1)[1]
            if "-" in stem and (original := twin.get(stem.split("-", 1)[1])) is not None:
                scores[name], scores[original.file_name] = (
                    max(scores[name], scores[original.file_name]), min(scores[name], scores[original.file_name]),
                )  # fmt: skip
        values.append(measured(names, [scores[name] for name in names], planted.wrong))
    return [{"planted": "cats_dogs: 8 wrong labels, 6 strangers, 8 copies", "way": "ours"} | mean(values)]


def ask_speed(bench: Bench) -> Table:
    """Real features, repeated and jittered, kept as those of small pictures that are all different."""
    backbone = Backbone.get()
    pictures = bench.of("cats_dogs", "flowers")
    labels = [label for _, label in pictures]
    from tl_course.features import extract

    vectors = extract([path for path, _ in pictures], backbone).vectors
    rows: Table = []
    for n in (400, 10_000):
        random = np.random.default_rng(n)
        planted = bench.fresh()
        which = random.permutation(np.resize(np.arange(len(pictures)), n))
        for i in which:
            noise = Image.fromarray(random.integers(0, 256, (48, 48, 3), dtype=np.uint8))
            file = io.BytesIO()
            noise.save(file, "JPEG")
            planted.add(Path(f"{i}.jpg"), labels[i], data=file.getvalue())
        images = planted.open()
        jitter = random.normal(size=(n, vectors.shape[1])) * vectors.std(0) * 0.8
        store = kept_vectors(backbone, "cpu")
        store.write(
            {one.sha256: v for one, v in zip(images, (vectors[which] + jitter).astype(np.float32), strict=True)}
        )
        store.close()
        start = time.perf_counter()
        suspects = Suspects(images)
        made = time.perf_counter() - start
        start = time.perf_counter()
        suspects.rank()
        ranked = time.perf_counter() - start
        again = []
        for one in images[:5]:
            images.relabel(one, next(label for label in images.labels if label != one.label))
            start = time.perf_counter()
            suspects.rank()
            again.append(time.perf_counter() - start)
        rows.append(
            {"pictures": n, "made": made, "first ranking": ranked, "together": made + ranked,
             "after a relabel": float(np.median(again))}
        )  # fmt: skip
    return rows


# ---- the report ------------------------------------------------------------------------------------------------------


def mean(values: list[dict[str, float]]) -> dict[str, Any]:
    return {key: float(np.mean([one[key] for one in values])) for key in values[0]} | {"seeds": len(values)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = os.environ.get("TL_COURSE_PHOTOS") or Path(__file__).parents[2] / "shared" / "photos"
    parser.add_argument("photos", nargs="?", type=Path, default=default, help="the folder of photos")
    parser.add_argument("--seeds", type=int, default=5, help="(5)")
    parser.add_argument("--fastai-seeds", type=int, default=2, help="about a minute each, three times (2)")
    parser.add_argument("--only", nargs="+", choices=("labels", "off-topic", "duplicates", "all", "speed"))
    parser.add_argument("--update", action="store_true", help="keep the rows of --out that are not asked for anew")
    parser.add_argument("--out", type=Path, default=RESULTS / "suspects.json")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="benchmark-") as name:
        bench, weights = Bench(Path(options.photos), Path(name)), Path(name) / "weights.pth"
        if options.fastai_seeds:
            import torch

            torch.save(create(DEFAULT).state_dict(), weights)
        questions: dict[str, Callable[[], Table]] = {
            "speed": lambda: ask_speed(bench),
            "off-topic": lambda: ask_off_topic(bench, options.seeds),
            "duplicates": lambda: ask_duplicates(bench, options.seeds),
            "all": lambda: ask_all_together(bench, options.seeds),
            "labels": lambda: ask_wrong_labels(bench, options.seeds, options.fastai_seeds, weights),
        }
        answers = json.loads(options.out.read_text())["tables"] if options.update else {}
        for question, ask in questions.items():
            if question in (options.only or questions):
                new = ask()
                print(f"\n{question}\n{table(new)}", flush=True)
                anew = {(row.get("planted"), row.get("way")) for row in new}
                kept = [r for r in answers.get(question, []) if (r.get("planted"), r.get("way")) not in anew]
                answers[question] = new + kept
    report = {
        "backbone": DEFAULT,
        "tables": answers,
    }
    write(report | machine(*PACKAGES), options.out)


if __name__ == "__main__":
    if sys.argv[1:2] == ["fastai"]:
        run_fastai(*sys.argv[2:])
    else:
        main()
