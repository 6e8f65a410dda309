"""One call for every way to transfer: an instant head on frozen features, and from there the strategies."""

import importlib
import random
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from numbers import Integral
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tl_course.core.devices import pick_device
from tl_course.core.image_io import altered, load
from tl_course.core.progress import Bar, redirect_bars
from tl_course.data.splits import groups_of
from tl_course.errors import ImageSetError, ModelError, TLCourseWarning
from tl_course.features.backbones import DEFAULT, Backbone
from tl_course.features.extraction import extract, glimpses
from tl_course.features.near_duplicates import find_copies
from tl_course.features.similarity import merged
from tl_course.models.classifier import Classifier, backbone_and_body, score
from tl_course.models.heads import fit_head
from tl_course.models.history import History

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image
    from torch import nn

    from tl_course.core.image_io import Augment
    from tl_course.data.imageset import ImageSet, Picture

__all__ = ["STRATEGIES", "train"]

STRATEGIES = ("frozen", "fine-tune", "gradual", "scratch")
_KEEP = 0.3  # of what the weights have moved: on few pictures trained weights alone fall behind the frozen head
_EPOCHS = {"fine-tune": 4, "gradual": 4, "scratch": 15}


def train(
    images: "ImageSet",
    *,
    strategy: str = "frozen",
    backbone: str | Path = DEFAULT,
    test: "ImageSet | None" = None,
    epochs: int | None = None,
    augment: "Augment | bool | None" = None,
    copies: int = 4,
    views: int | None = None,
    pooling: str | None = None,
    balanced: bool = False,
    device: str = "auto",
    seed: int = 0,
    progress: bool = True,
) -> Classifier:
    """Train a classifier on a data set and measure it on pictures that it has not seen.

    Copies of one photo that were made before the set was split (mirrored, brightened, cropped a little …) stay together
    in cross-validation; where there are some among what it learns from and among what it is measured on, a warning says
    that the score flatters, and `metrics["copies_in_test"]` how many pairs there are.

    Parameters
    ----------
    images : ImageSet
        Trained on its training split and measured on its validation split; where `test` is given, trained on all of it.
    strategy : {"frozen", "fine-tune", "gradual", "scratch"}
        "frozen": the backbone stays as it is and a linear head is fitted to its features, in seconds. "fine-tune":
        starts from that head and lets the later layers learn too. "gradual": starts from that head and unfreezes one
        group of layers after the other. Both go most of the way back in the end, which is better on few pictures.
        "scratch": the same network without its pretraining, for comparison. See `tl_course.training.strategies`.
    backbone : str or Path
        timm's name of the network, or the folder of a classifier that you have trained and saved, to transfer that.
    test : ImageSet, optional
        Other pictures of the same labels to measure on.
    epochs : int, optional
        Passes over the training pictures; each strategy has its own default, and "frozen" makes none.
    augment : function of a PIL picture or bool, optional
        Returns an altered copy of it, such as one of ``torchvision.transforms.v2`` does. With "frozen", the head then
        also learns from `copies` altered copies of each training picture, which go through the backbone each time. The
        other strategies crop, flip and light pictures at random unless it is False or such a function.
    copies : int
        How many copies of each picture `augment` makes, 1 or more.
    views : int, optional
        How many views of each picture (the whole, its middle, its corners) the backbone sees whenever it looks at one,
        1 to 6; their vectors are averaged. That takes so many times longer, and helps where what tells the labels apart
        is small. Otherwise 1.
    pooling : {"avg", "gem"}, optional
        How what the backbone sees in all places becomes one vector. "gem" (`tl_course.features.pooling.GeM`) gives more
        weight to what is seen strongly in a small place. Otherwise "avg", or what a saved backbone was trained with.
    balanced : bool
        Every label counts as much as any other, however few pictures it has.
    device : {"auto", "cpu", "cuda"}
    seed : int
        Of everything random: folds, order of pictures, initial weights, and what `augment` draws from the usual sources
        (Python's ``random``, ``numpy.random``, torch), which go on afterwards as if nothing had been drawn.
    progress : bool
        Show bars where somebody may look (see `tl_course.core.progress`).

    Returns
    -------
    Classifier
        With `metrics` (at least `accuracy`, `balanced_accuracy`, `n_train`, `n_test`; `seconds` of all but loading
        libraries and weights, which are `loading_seconds`) and `history`.

    Raises
    ------
    ImageSetError
        It is no set, or one that cannot be trained on (a single label, say).
    ModelError
        There is no such strategy, a label has too few pictures, `augment` is not for this strategy or gives no
        pictures, or `copies` is no number of copies.
    BackboneError
        The backbone cannot be had here.
    """
    if strategy not in STRATEGIES:
        raise ModelError(f"There is no strategy {strategy!r}: choose {', '.join(STRATEGIES)}.")
    _check_augment(augment, copies, strategy)
    if not hasattr(images, "check_trainable"):  # a list of pictures, say
        kind = type(images).__name__
        raise ImageSetError(f"train() takes an ImageSet, and was given a {kind}. Part of one is images.subset(n).")
    images.check_trainable()
    device = pick_device(device)
    by_steps = partial(
        _by_steps, strategy, images, epochs=epochs, backbone=backbone, augment=augment is None or augment, views=views,
        pooling=pooling, balanced=balanced, test=test, device=device, seed=seed,
    )  # fmt: skip
    with nullcontext() if progress else redirect_bars(None):
        if strategy == "scratch":
            model = by_steps(History(strategy), pretrained=False)
        else:
            model = _frozen(
                images, list(images) if test is not None else images.train, backbone,
                augment=augment if strategy == "frozen" and callable(augment) else None, copies=copies, views=views,
                pooling=pooling, balanced=balanced, device=device, seed=seed,
            )  # fmt: skip
            if strategy != "frozen":
                model = by_steps(replace(model.history, strategy=strategy, epochs=[]), head=model.head)
        with model.history.timing("test"):
            measured_on, split = (images, "valid") if test is None else (test, None)
            result = model.evaluate(measured_on, split=split, device=device)
            learnt = list(images) if test is not None else images.train
            eyes = None if strategy == "scratch" else backbone_and_body(backbone, views=views, pooling=pooling)
            copied = _copied(images, learnt, measured_on, split, eyes, device)
    model.metrics |= {
        "accuracy": result.accuracy,
        "balanced_accuracy": result.balanced_accuracy,
        "log_loss": result.log_loss,
        "confusion": result.confusion,
        "n_test": result.n,
        "copies_in_test": len(copied),
        "tested_on": measured_on.name if split is None else f"the validation split of {images.name}",
        "seconds": model.history.seconds,
        "loading_seconds": model.history.stages["loading"],
    }
    if copied:
        few = "; ".join(f"{one!r} and {other!r}" for one, other in copied[:3]) + "; …" * (len(copied) > 3)
        warnings.warn(
            f"The score flatters: {len(copied)} pair{'s' * (len(copied) != 1)} of copies of one photo (mirrored, "
            f"brightened, resized or the like) lie on both sides, one learnt from and one measured on: {few}. "
            + (
                "Drop one of each pair: tl-course suspects, and the cleaner, list them as leaks."
                if test is None
                else "Leave one of each pair out."
            ),
            TLCourseWarning,
            stacklevel=2,
        )
    return model


def _copied(
    images: "ImageSet",
    learnt: "Sequence[Picture]",
    measured_on: "ImageSet",
    split: str | None,
    eyes: "tuple[Backbone, nn.Module | None] | None",
    device: str,
) -> list[tuple[str, str]]:
    """File names of copies of one photo, of which one was learnt from and one measured on."""
    measured = [picture for picture in measured_on if split in (None, picture.split)]
    paths = [*(images.path(one) for one in learnt), *(measured_on.path(one) for one in measured)]
    hashes = [one.sha256 for one in (*learnt, *measured)]
    vectors = None
    if eyes is not None:
        backbone, body = eyes
        network = (lambda: body) if body is not None else None
        vectors = np.nan_to_num(extract(paths, backbone, device=device, hashes=hashes, body=network).vectors)
    apart = np.arange(len(paths)) >= len(learnt)
    pairs = find_copies(glimpses(paths, hashes=hashes), hashes, vectors, apart=apart)
    return [(learnt[i].file_name, measured[j - len(learnt)].file_name) for i, j in pairs.tolist()]


def _scenes(paths: "Sequence[Path]", pictures: "Sequence[Picture]", vectors: "NDArray[np.float32]") -> list[str]:
    """A name for each picture, the same for those that show one scene: by what is known of them, and by their pixels.

    Where all pictures of a label would be one scene, as of a camera that stood still, pixels are left out of account:
    such a label could not be cross-validated at all.
    """
    known = groups_of(pictures)
    hashes = [picture.sha256 for picture in pictures]
    seen = [str(number) for number in merged(known, find_copies(glimpses(paths, hashes=hashes), hashes, vectors))]
    counts = Counter(label for label, _ in {(one.label, scene) for one, scene in zip(pictures, seen, strict=True)})
    return seen if min(counts.values(), default=0) > 1 else known


def _by_steps(
    strategy: str,
    images: "ImageSet",
    history: History,
    *,
    epochs: int | None,
    seed: int,
    **options: Any,
) -> Classifier:
    with history.timing("loading"), Bar("loading PyTorch and fastai"):
        from tl_course.training import strategies
        from tl_course.training.learners import classifier, learner

    learn = learner(images, seed=seed, history=history, **options)
    passes = epochs or _EPOCHS[strategy]
    if strategy == "fine-tune":
        strategies.fine_tune(learn, passes, freeze_epochs=0, keep=_KEEP)
    elif strategy == "gradual":
        strategies.gradual(learn, passes, freeze_epochs=0, keep=_KEEP)
    else:
        strategies.scratch(learn, passes)
    return classifier(learn)


def _frozen(
    images: "ImageSet",
    pictures: "Sequence[Picture]",
    name: str | Path,
    *,
    augment: "Augment | None",
    copies: int,
    views: int | None,
    pooling: str | None,
    balanced: bool,
    device: str,
    seed: int,
) -> Classifier:
    history = History("frozen")
    with history.timing("loading"):
        backbone, body = backbone_and_body(name, views=views, pooling=pooling)
        for library in ("scipy.optimize", "threadpoolctl", "PIL.Image", "torch" if device == "cuda" else "onnxruntime"):
            importlib.import_module(library)  # here, so that no stage that is compared pays for it
        network = (lambda: body) if body is not None else None
    paths = [images.path(picture) for picture in pictures]
    hashes = [picture.sha256 for picture in pictures]
    with history.timing("features"):
        loading = history.timing("loading")
        features = extract(paths, backbone, device=device, hashes=hashes, body=network, loading=loading)
    if features.failed:
        count, reasons = len(features.failed), "; ".join(features.failed.values())
        without = f"Trained without {count} picture{'s' * (count > 1)}: {reasons}"
        warnings.warn(without, TLCourseWarning, stacklevel=3)
    good = [i for i in range(len(pictures)) if i not in features.failed]
    labels = sorted({pictures[i].label for i in good})
    targets = np.array([labels.index(pictures[i].label) for i in good])
    vectors = features.vectors[good]
    with history.timing("features"):
        groups = _scenes([paths[i] for i in good], [pictures[i] for i in good], vectors)
    if augment is not None:
        with history.timing("augmentation"), _seeded(seed), Bar("altered copies", len(good) * copies) as bar:
            batches = _altered([paths[i] for i in good], augment, copies, bar)
            more = [_vectors(some, backbone, network, device) for some in batches]
        vectors = np.concatenate([vectors, *more])
        targets, groups = np.tile(targets, 1 + copies), groups * (1 + copies)
    with history.timing("fit"):
        fitted = fit_head(vectors, targets, groups=groups, seed=seed, balanced=balanced)
    n = len(good)  # what is measured are the pictures themselves, not their copies
    cross_validated = score(fitted.out_of_fold[:n], targets[:n])
    trained = score(fitted.head.probabilities(vectors[:n]), targets[:n])
    history.search = {str(strength): loss for strength, loss in fitted.search.items()}
    history.epochs = [
        {
            "epoch": 1,
            "seconds": history.seconds,
            "train_loss": trained.log_loss,
            "valid_loss": cross_validated.log_loss,
            "valid_accuracy": cross_validated.accuracy,
        }
    ]
    return Classifier(
        labels=labels,
        backbone=backbone,
        head=fitted.head,
        strategy="frozen",
        metrics={"n_train": n, "cross_validated_accuracy": cross_validated.accuracy},
        history=history,
        body=body,
    )


def _check_augment(augment: object, copies: object, strategy: str) -> None:
    if augment is not None and not isinstance(augment, bool) and not callable(augment):
        raise ModelError(
            f"augment is {augment!r}: give a function that takes a picture and returns an altered one, such as "
            "torchvision.transforms.v2.RandomHorizontalFlip()."
        )
    if strategy == "frozen" and augment is True:
        raise ModelError(
            "With strategy='frozen' augment is a function that takes a picture and returns an altered one."
        )
    if not isinstance(copies, Integral) or copies < 1:
        raise ModelError(f"copies is {copies!r}: give the number of altered copies of each picture, 1, 2, 3 or more.")


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """The random numbers that functions on pictures draw from, begun at `seed`, and afterwards left as they were."""
    import torch

    python, numpy = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def _altered(paths: "Sequence[Path]", augment: "Augment", copies: int, bar: Bar) -> "Iterator[list[Image.Image]]":
    """An altered copy of each picture in order, then another of each, and so on; some at a time, to spare memory."""
    wanted = list(paths) * copies
    for start in range(0, len(wanted), 128):
        some = wanted[start : start + 128]
        yield [altered(load(path), augment, path.name) for path in some]
        bar.update(len(some))


def _vectors(
    some: "Sequence[Image.Image]", backbone: Backbone, network: "Callable[[], nn.Module] | None", device: str
) -> "NDArray[np.float32]":
    features = extract(some, backbone, device=device, body=network, progress=False)
    if features.failed:
        raise ModelError(f"A picture that augment returned cannot be used: {next(iter(features.failed.values()))}")
    return features.vectors
