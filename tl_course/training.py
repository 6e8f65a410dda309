"""Ways to transfer: an instant head on frozen features, fine-tuning from that head, and training from scratch."""

import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from tl_course.backbones import DEFAULT, Backbone
from tl_course.devices import pick_device
from tl_course.errors import ModelError, TLCourseWarning
from tl_course.features import extract
from tl_course.heads import fit_head
from tl_course.history import History
from tl_course.models import Classifier, score
from tl_course.pictures import load
from tl_course.splits import groups_of

if TYPE_CHECKING:
    from PIL import Image

    from tl_course.imageset import ImageSet, Picture

    Augment = Callable[[Image.Image], Image.Image]

__all__ = ["STRATEGIES", "train"]

STRATEGIES = ("frozen", "fine-tune", "scratch")


def train(
    images: "ImageSet",
    *,
    strategy: str = "frozen",
    backbone: str = DEFAULT,
    test: "ImageSet | None" = None,
    epochs: int | None = None,
    augment: "Augment | None" = None,
    copies: int = 4,
    device: str = "auto",
    seed: int = 0,
    progress: bool = False,
) -> Classifier:
    """Train a classifier on a data set and measure it on pictures that it has not seen.

    Parameters
    ----------
    images : ImageSet
        Trained on its training split and measured on its validation split; where `test` is given, trained on all of it.
    strategy : {"frozen", "fine-tune", "scratch"}
        "frozen": the backbone stays as it is and a linear head is fitted to its features, in seconds. "fine-tune":
        starts from that head and lets the later layers learn too, in minutes. "scratch": the same network without its
        pretraining, for comparison.
    backbone : str
        timm's name of the network.
    test : ImageSet, optional
        Other pictures of the same labels to measure on.
    epochs : int, optional
        Passes over the training pictures; each strategy has its own default, and "frozen" makes none.
    augment : function of a PIL picture, optional
        Returns an altered copy of it, such as one of ``torchvision.transforms.v2`` does. With "frozen", the head also
        learns from `copies` altered copies of each training picture, which go through the backbone each time; the
        other strategies alter their pictures anyway.
    copies : int
        How many copies of each picture `augment` makes, 1 or more.
    device : {"auto", "cpu", "cuda"}
    seed : int
        Of everything random: folds, order of pictures, augmentation, initial weights.
    progress : bool
        Show progress bars, on a terminal.

    Returns
    -------
    Classifier
        With `metrics` (at least `accuracy`, `balanced_accuracy`, `n_train`, `n_test`, `seconds`) and `history`.

    Raises
    ------
    ImageSetError
        The set cannot be trained on (a single label, say).
    ModelError
        There is no such strategy, a label has too few pictures, or `augment` is not for this strategy.
    BackboneError
        The backbone cannot be had here.
    """
    if strategy not in STRATEGIES:
        raise ModelError(f"There is no strategy {strategy!r}: choose {', '.join(STRATEGIES)}.")
    if augment is not None and (strategy != "frozen" or copies < 1):
        raise ModelError("augment= is for strategy='frozen', with copies=1 or more; the others alter pictures anyway.")
    images.check_trainable()
    device = pick_device(device)
    history = History(strategy)
    with history.timing("backbone"):
        base = Backbone.get(backbone)
    pictures = list(images) if test is not None else images.train
    if strategy == "scratch":
        from tl_course.fine_tuning import from_scratch

        model = from_scratch(
            images, pictures, base, history,
            epochs=epochs or 15, device=device, seed=seed, test=test, progress=progress,
        )  # fmt: skip
    else:
        model = _frozen(
            images, pictures, base, history,
            augment=augment, copies=copies, device=device, seed=seed, progress=progress,
        )  # fmt: skip
        if strategy == "fine-tune":
            from tl_course.fine_tuning import fine_tune

            model = fine_tune(
                model, images, pictures, epochs=epochs or 6, device=device, seed=seed, test=test, progress=progress
            )
    with model.history.timing("test"):
        measured_on, split = (images, "valid") if test is None else (test, None)
        result = model.evaluate(measured_on, split=split, device=device, progress=progress)
    model.metrics |= {
        "accuracy": result.accuracy,
        "balanced_accuracy": result.balanced_accuracy,
        "log_loss": result.log_loss,
        "confusion": result.confusion,
        "n_test": result.n,
        "tested_on": measured_on.name if split is None else f"the validation split of {images.name}",
        "seconds": model.history.seconds,
    }
    return model


def _frozen(
    images: "ImageSet",
    pictures: "Sequence[Picture]",
    backbone: Backbone,
    history: History,
    *,
    augment: "Augment | None",
    copies: int,
    device: str,
    seed: int,
    progress: bool,
) -> Classifier:
    paths = [images.path(picture) for picture in pictures]
    hashes = [picture.sha256 for picture in pictures]
    with history.timing("features"):
        features = extract(paths, backbone, device=device, hashes=hashes, progress=progress)
    if features.failed:
        reasons = "; ".join(features.failed.values())
        warnings.warn(f"Trained without {len(features.failed)} pictures: {reasons}", TLCourseWarning, stacklevel=3)
    good = [i for i in range(len(pictures)) if i not in features.failed]
    labels = sorted({pictures[i].label for i in good})
    targets = np.array([labels.index(pictures[i].label) for i in good])
    groups = groups_of([pictures[i] for i in good])
    vectors = features.vectors[good]
    if augment is not None:
        with history.timing("augmentation"):
            altered = [
                extract(some, backbone, device=device).vectors
                for some in _altered([paths[i] for i in good], augment, copies, seed)
            ]
        vectors = np.concatenate([vectors, *altered])
        targets, groups = np.tile(targets, 1 + copies), groups * (1 + copies)
    with history.timing("fit"):
        fitted = fit_head(vectors, targets, groups=groups, seed=seed)
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
    )


def _altered(paths: "Sequence[Path]", augment: "Augment", copies: int, seed: int) -> "Iterator[list[Image.Image]]":
    """An altered copy of each picture in order, then another of each, and so on; some at a time, to spare memory."""
    import torch

    wanted = list(paths) * copies
    with torch.random.fork_rng(devices=[]):  # torchvision's transforms draw from torch's random numbers
        torch.manual_seed(seed)
        for start in range(0, len(wanted), 128):
            yield [augment(load(path)) for path in wanted[start : start + 128]]
