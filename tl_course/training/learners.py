"""fastai Learners for data sets: a body and a linear head, in groups from the first layers to the head.

fastai is imported at the top: this room is entered only when a network is to be trained.
"""

import copy
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from tl_course.core.devices import cores, give_back_memory, half_precision, pick_device
from tl_course.core.image_io import altered, load
from tl_course.core.progress import Bar
from tl_course.core.versions import conflict
from tl_course.errors import ImageSetError, ModelError, TLCourseWarning
from tl_course.features.backbones import DEFAULT, Backbone, create
from tl_course.models.classifier import Classifier, backbone_and_body, trained_backbone
from tl_course.models.heads import Head
from tl_course.models.history import History
from tl_course.training.layer_groups import layer_groups

if trouble := conflict():
    raise ModelError(trouble)

with warnings.catch_warnings():
    # fastai uses what torch deprecates; a learner can do nothing about it.
    warnings.simplefilter("ignore", FutureWarning)
    from fastai.callback.channelslast import ChannelsLast
    from fastai.callback.fp16 import MixedPrecision
    from fastai.callback.tracker import TerminateOnNaNCallback
    from fastai.callback.training import BnFreeze
    from fastai.data.block import CategoryBlock, DataBlock, TransformBlock
    from fastai.data.transforms import IntToFloatTensor, Normalize, Transform
    from fastai.learner import Learner
    from fastai.metrics import accuracy
    from fastai.torch_core import no_random
    from fastai.vision.augment import Brightness, Contrast, FlipItem, RandomResizedCrop, Resize, ResizeMethod
    from fastai.vision.core import PILImage

    from tl_course.training.callbacks import Recording

if TYPE_CHECKING:
    from tl_course.core.image_io import Augment
    from tl_course.data.imageset import ImageSet, Picture

__all__ = ["classifier", "learner"]

_BATCH = 16
_KEPT = 2000  # decoded pictures to keep: about half a gigabyte
_SMOOTHING = 0.1
_SCRATCH_SIZE = 128  # pixels; without pretraining, more passes teach more than more pixels


def learner(
    images: "ImageSet",
    *,
    backbone: str | Path = DEFAULT,
    pretrained: bool = True,
    head: Head | None = None,
    augment: "Augment | bool" = True,
    size: int | None = None,
    views: int | None = None,
    pooling: str | None = None,
    balanced: bool = False,
    test: "ImageSet | None" = None,
    device: str = "auto",
    seed: int = 0,
    history: History | None = None,
) -> Learner:
    """A fastai `Learner` for a data set: a backbone and a linear head, to be trained by a strategy or by fastai itself.

    Its parameter groups are those that timm divides the network into, and the head. To validate on, pictures are
    prepared as for features: whole and a little larger (Touvron et al. 2019, arXiv:1906.06423). What is trained is
    written into ``learner(...).recording.history``.

    Parameters
    ----------
    images : ImageSet
        Its training split is trained on and its validation split measured on.
    backbone : str or Path
        timm's name of the network, or the folder of a classifier that you have trained and saved.
    pretrained : bool
        Whether to begin with the weights that the network was trained to, or with random ones.
    head : Head, optional
        To begin with, such as that of a frozen classifier; otherwise one that gives all labels alike.
    augment : bool or function of a PIL picture
        True: to train on, pictures are cropped, flipped and lit at random. False: they stay as they are. A function
        returns an altered copy of a picture, such as one of ``torchvision.transforms.v2`` does. The strategies train
        what follows a frozen part on two altered copies of each picture, in turn.
    size : int, optional
        Side of the pictures in pixels; otherwise that of the pretraining, or 128 for random weights.
    views : int, optional
        How many views of a picture the classifier averages in the end (see `tl_course.train`); learnt is from one.
    pooling : {"avg", "gem"}, optional
        How what is seen in all places becomes one vector (see `tl_course.train`).
    balanced : bool
        Every label counts as much as any other, however few pictures it has.
    test : ImageSet, optional
        Other pictures of the same labels: then all of `images` are trained on, and some of these, a quarter as many,
        measured on after each epoch. Nothing is decided by it.
    device : {"auto", "cpu", "cuda"}
        On a GPU the Learner computes in mixed precision.
    seed : int
        Of everything random. Same seed, same result, on the same CPU.
    history : History, optional
        The record to go on with, where there is one already.

    Raises
    ------
    ImageSetError
        The set cannot be trained on (a single label, say).
    BackboneError, ModelError
        The backbone cannot be had here; or there is no picture to measure on.
    """
    images.check_trainable()
    device = pick_device(device)
    give_back_memory()
    pictures = list(images) if test is not None else images.train
    labels = sorted({picture.label for picture in pictures})
    history = History("fastai") if history is None else history
    with no_random(seed):
        with history.timing("loading"), Bar("loading the network"):
            if pretrained:
                described, body = backbone_and_body(backbone, views=views, pooling=pooling)
            else:
                untrained = Backbone.untrained(str(backbone), pooling="avg" if pooling is None else pooling)
                described, body = replace(untrained, views=views or 1), None
            if body is None:
                body = create(described.name, pretrained=pretrained, pooling=described.pooling)
            net = _Net(body, _linear(head or _blank(described.dim, len(labels)))).to(device)
        with history.timing("pictures"):
            sized = _sized(described, body, size or (None if pretrained else _SCRATCH_SIZE))
            watched = _watched(images, pictures, test, seed)
            dls = _dataloaders(_labelled(images, pictures), watched, labels, sized, augment, device)
    callbacks = [ChannelsLast(), TerminateOnNaNCallback(), BnFreeze()]
    if device == "cuda":
        callbacks.append(MixedPrecision())
    groups = layer_groups(body)
    learn = Learner(
        dls, net, _loss(pictures, labels, balanced), metrics=accuracy, train_bn=False,
        splitter=lambda _: [*groups.values(), list(net[1].parameters())],
        cbs=[*callbacks, Recording(history, (*groups, "head"))],
    )  # fmt: skip
    learn.labels, learn.backbone, learn.seed = labels, sized, seed
    return learn


def classifier(learn: Learner) -> Classifier:
    """What a Learner from `learner` has learnt, as a `Classifier`: to predict with, save and load."""
    net = copy.deepcopy(learn.model).cpu().to(memory_format=torch.contiguous_format).eval().requires_grad_(True)
    body, linear = net[0], cast(nn.Linear, net[1])
    history = learn.recording.history
    return Classifier(
        labels=list(learn.labels),
        backbone=trained_backbone(learn.backbone, body),
        head=Head(linear.weight.detach().numpy(), linear.bias.detach().numpy()),
        strategy=history.strategy,
        metrics={"n_train": len(learn.dls.train_ds)},
        history=history,
        body=body,
    )


class _Net(nn.Sequential):
    """A body and a head, which answers in half precision while it does not learn."""

    def forward(self, pictures: Tensor) -> Tensor:
        body, head = self
        if self.training:
            return cast(Tensor, head(body(pictures)))
        with half_precision(pictures.device.type):
            return cast(Tensor, head(body(pictures))).float()


Labelled = tuple[Path, str]


def _dataloaders(
    train: list[Labelled],
    valid: list[Labelled],
    labels: list[str],
    backbone: Backbone,
    augment: "Augment | bool",
    device: str,
) -> Any:
    decoded = _Decoded([path for path, _ in [*train, *valid]], backbone)
    if decoded.failed:
        count, reasons = len(decoded.failed), "; ".join(decoded.failed.values())
        without = f"Trained without {count} picture{'s' * (count > 1)}: {reasons}"
        warnings.warn(without, TLCourseWarning, stacklevel=4)
    train, valid = ([item for item in some if item[0] not in decoded.failed] for some in (train, valid))
    label_of = dict([*train, *valid])
    on_picture, on_batch = _augmentation(augment, backbone.input_size)
    block = DataBlock(
        blocks=(TransformBlock(decoded, batch_tfms=IntToFloatTensor), CategoryBlock(labels, sort=False)),
        get_y=lambda path: label_of[path],
        splitter=lambda items: (range(len(train)), range(len(train), len(items))),
        item_tfms=on_picture,
        batch_tfms=[*on_batch, Normalize.from_stats(backbone.mean, backbone.std)],
    )
    paths = [path for path, _ in [*train, *valid]]
    return block.dataloaders(paths, bs=min(_BATCH, len(train)), num_workers=0, device=torch.device(device))


def _augmentation(augment: "Augment | bool", size: int) -> tuple[list[Any], list[Any]]:
    """What is done to each picture and to each batch of them; to those for training only."""
    if augment is True:
        on_picture, on_batch = [RandomResizedCrop(size, min_scale=0.3), FlipItem()], [Brightness(), Contrast()]
    else:
        on_picture, on_batch = [Resize(size, method=ResizeMethod.Squish)], []
    on_picture[0].split_idx = 0
    if callable(augment):
        on_picture.insert(0, _Altered(augment=augment))
    return on_picture, on_batch


class _Altered(Transform):  # type: ignore[misc]  # fastai has no types
    """A learner's own function on pictures, as a fastai transform of those to train on."""

    split_idx, order = 0, -1

    def __init__(self, augment: "Augment") -> None:
        super().__init__()
        self.augment = augment

    def encodes(self, picture: PILImage) -> PILImage:
        return PILImage.create(altered(picture, self.augment))


class _Decoded(Transform):  # type: ignore[misc]  # fastai has no types
    """Opens pictures as `tl_course.features.extraction.prepare` does, each only once.

    It is a class of transforms, for fastai never forgets a function that it has made a transform of, nor its pictures.
    """

    def __init__(self, paths: Sequence[Path], backbone: Backbone) -> None:
        super().__init__()
        self.side = backbone.picture_size
        self.resample = Image.Resampling[backbone.interpolation.upper()]
        self.kept: dict[Path, Image.Image] = {}
        self.failed: dict[Path, str] = {}
        with ThreadPoolExecutor(cores()) as pool, Bar("opening", len(paths)) as bar:
            for path, opened in zip(paths, pool.map(self._try, paths), strict=True):
                bar.update()
                if isinstance(opened, str):
                    self.failed[path] = opened
                elif len(self.kept) < _KEPT:
                    self.kept[path] = opened

    def encodes(self, path: Path) -> PILImage:
        return PILImage.create(self.kept[path] if path in self.kept else self._open(path))

    def _open(self, path: Path) -> Image.Image:
        return load(path, size=self.side).resize((self.side, self.side), self.resample)

    def _try(self, path: Path) -> Image.Image | str:
        try:
            return self._open(path)
        except ImageSetError as error:
            return str(error)


def _labelled(images: "ImageSet", pictures: "Sequence[Picture]") -> list[Labelled]:
    return [(images.path(picture), picture.label) for picture in pictures]


def _watched(images: "ImageSet", pictures: "Sequence[Picture]", test: "ImageSet | None", seed: int) -> list[Labelled]:
    """Pictures to measure on after each epoch: the validation split, or else some of the test, a quarter as many."""
    if test is None:
        if not images.valid:
            raise ModelError(
                "All pictures are for training, and none is left to measure on: leave some out, or give a test."
            )
        return _labelled(images, images.valid)
    some = torch.randperm(len(test), generator=torch.Generator().manual_seed(seed))[: max(20, len(pictures) // 4)]
    return _labelled(test, [test[int(i)] for i in some])


def _loss(pictures: "Sequence[Picture]", labels: list[str], balanced: bool) -> "Callable[..., Tensor]":
    """Cross-entropy; in training with smoothed labels, for a head that fits already would have little left to learn."""
    counts = Counter(picture.label for picture in pictures)
    weight = torch.tensor([len(pictures) / len(labels) / counts[label] if balanced else 1.0 for label in labels])

    def loss(scores: Tensor, targets: Tensor) -> Tensor:
        smoothing = _SMOOTHING if scores.requires_grad else 0.0
        return nn.functional.cross_entropy(scores, targets, weight=weight.to(scores), label_smoothing=smoothing)

    return loss


def _sized(backbone: Backbone, body: Any, size: int | None) -> Backbone:
    """`backbone` with pictures of another size, where the network takes any."""
    if size is None or body.pretrained_cfg.get("fixed_input_size"):
        return backbone
    return replace(backbone, input_size=size, picture_size=size)


def _blank(dim: int, n: int) -> Head:
    """A head that gives all labels the same probability: so no seed has a lucky start."""
    return Head(np.zeros((n, dim), np.float32), np.zeros(n, np.float32))


def _linear(head: Head) -> nn.Linear:
    linear = nn.Linear(head.weight.shape[1], head.weight.shape[0])
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(head.weight))
        linear.bias.copy_(torch.from_numpy(head.bias))
    return linear
