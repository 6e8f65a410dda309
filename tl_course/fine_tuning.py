"""Training the network itself, with fastai: fine-tuning from a fitted head, and from scratch for comparison.

fastai is imported at the top: this room is entered only when a network is to be trained.
"""

import copy
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
from PIL import Image
from torch import nn
from tqdm.auto import tqdm

from tl_course.backbones import Backbone, create
from tl_course.devices import cores
from tl_course.errors import ImageSetError, ModelError, TLCourseWarning
from tl_course.heads import Head
from tl_course.history import History
from tl_course.models import Classifier, fine_tuned_backbone
from tl_course.pictures import load

with warnings.catch_warnings():
    # fastai uses what torch deprecates; a learner can do nothing about it.
    warnings.simplefilter("ignore", FutureWarning)
    import fastai.callback.schedule  # noqa: F401 - gives a Learner its fit_one_cycle
    from fastai.callback.channelslast import ChannelsLast
    from fastai.callback.core import Callback
    from fastai.callback.fp16 import MixedPrecision
    from fastai.callback.tracker import TerminateOnNaNCallback
    from fastai.callback.training import BnFreeze
    from fastai.data.block import CategoryBlock, DataBlock, TransformBlock
    from fastai.data.transforms import IntToFloatTensor, Normalize
    from fastai.learner import Learner
    from fastai.metrics import accuracy
    from fastai.torch_core import no_random
    from fastai.vision.augment import Brightness, Contrast, FlipItem, RandomResizedCrop
    from fastai.vision.core import PILImage

    from tl_course.recording import Recording

if TYPE_CHECKING:
    from tl_course.imageset import ImageSet, Picture

__all__ = ["fine_tune", "from_scratch", "learner"]

Labelled = tuple[Path, str]

_BATCH = 16
_KEPT = 2000  # decoded pictures to keep: about half a gigabyte
_KEPT_CHANGE = 0.1  # of what the weights have moved
_SCRATCH_SIZE = 128  # pixels; without pretraining, more passes teach more than more pixels


def fine_tune(
    model: Classifier,
    images: "ImageSet",
    pictures: "Sequence[Picture]",
    *,
    epochs: int,
    device: str,
    seed: int,
    test: "ImageSet | None" = None,
    progress: bool = False,
) -> Classifier:
    """Let the upper half of the backbone learn too, starting from a frozen classifier's head.

    A head that fits already keeps the first steps from tearing the features apart (Kumar et al. 2022, "Fine-Tuning can
    Distort Pretrained Features and Underperform Out-of-Distribution", arXiv:2202.10054). Batch norm stays as it was
    pretrained: so few pictures say too little of means and variances. In the end all weights go most of the way back
    to where they started: trained weights alone fall behind the frozen head on few pictures (averaging: Wortsman et
    al. 2022, "Robust fine-tuning of zero-shot models", arXiv:2109.01903). The history's epochs precede this last step.

    Parameters
    ----------
    model : Classifier
        Frozen; it is left as it is.
    images : ImageSet
    pictures : sequence of Picture
        Those of `images` to train on.
    epochs : int
        Passes over the pictures.
    device : {"cpu", "cuda"}
    seed : int
        Same seed, same classifier, on the same CPU.
    test : ImageSet, optional
        To be measured on after each epoch where `pictures` leaves none to validate on. Nothing is decided by it.
    progress : bool
        Show a progress bar, on a terminal.

    Raises
    ------
    ModelError
        The training diverged.
    """
    history = History("fine-tune", stages=dict(model.history.stages), search=dict(model.history.search))
    with history.timing("fine-tune"), no_random(seed):
        net = nn.Sequential(create(model.backbone.name), _linear(model.head))
        learn = learner(
            net, _labelled(images, pictures), _watched(images, pictures, test, seed), model.labels, model.backbone,
            size=model.backbone.input_size, device=device, freeze_below=0.5,
        )  # fmt: skip
        start = [parameter.detach().clone() for parameter in net.parameters()]
        _fit(learn, epochs, 3e-4, history, progress)
        _go_back(net, start)
    return _classifier(net, model.labels, model.backbone, history, len(learn.dls.train_ds))


def from_scratch(
    images: "ImageSet",
    pictures: "Sequence[Picture]",
    backbone: Backbone,
    history: History,
    *,
    epochs: int,
    device: str,
    seed: int,
    test: "ImageSet | None" = None,
    progress: bool = False,
) -> Classifier:
    """Train the same network without its pretraining, on smaller pictures and so for more epochs in the same time.

    Parameters and errors are as in `fine_tune`; `history` is the record to go on with.
    """
    labels = sorted({picture.label for picture in pictures})
    with history.timing("scratch"), no_random(seed):
        body = create(backbone.name, pretrained=False)
        if _any_size(body):
            backbone = replace(backbone, input_size=_SCRATCH_SIZE, picture_size=_SCRATCH_SIZE)
        net = nn.Sequential(body, nn.Linear(backbone.dim, len(labels)))
        learn = learner(
            net, _labelled(images, pictures), _watched(images, pictures, test, seed), labels, backbone,
            size=backbone.input_size, device=device, warn=True,
        )  # fmt: skip
        _fit(learn, epochs, 3e-3, history, progress)
    return _classifier(net, labels, backbone, history, len(learn.dls.train_ds))


def learner(
    net: nn.Sequential,
    train: Sequence[Labelled],
    valid: Sequence[Labelled],
    labels: Sequence[str],
    backbone: Backbone,
    *,
    size: int,
    device: str = "cpu",
    freeze_below: float | None = None,
    warn: bool = False,
) -> Learner:
    """A fastai `Learner` of a body and a linear head, in groups from the first layers to the head.

    To train on, pictures are cropped, flipped and lit at random; to validate on, they are prepared as for features:
    whole and a little larger (Touvron et al. 2019, arXiv:1906.06423).

    Parameters
    ----------
    net : nn.Sequential
        Body and head.
    train, valid : sequences of (path, label)
        Pictures that cannot be read are left out.
    labels : sequence of str
        In the order of the head's rows.
    backbone : Backbone
        How pictures are prepared.
    size : int
        Side of the random crops, in pixels.
    device : {"cpu", "cuda"}
        On a GPU the Learner computes in mixed precision.
    freeze_below : float, optional
        For a pretrained body: this share of its layers, from the first, and all batch norm stay as they are.
    warn : bool
        Warn of pictures that are left out.
    """
    decoded = _Decoded([path for path, _ in [*train, *valid]], backbone)
    if decoded.failed and warn:
        reasons = "; ".join(decoded.failed.values())
        warnings.warn(f"Trained without {len(decoded.failed)} pictures: {reasons}", TLCourseWarning, stacklevel=4)
    train, valid = ([item for item in some if item[0] not in decoded.failed] for some in (train, valid))
    label_of = dict([*train, *valid])
    crop = RandomResizedCrop(size, min_scale=0.3)
    crop.split_idx = 0  # for training only
    block = DataBlock(
        blocks=(TransformBlock(decoded, batch_tfms=IntToFloatTensor), CategoryBlock(labels, sort=False)),
        get_y=lambda path: label_of[path],
        splitter=lambda items: (range(len(train)), range(len(train), len(items))),
        item_tfms=[crop, FlipItem()],
        batch_tfms=[Brightness(), Contrast(), Normalize.from_stats(backbone.mean, backbone.std)],
    )
    batch = min(_BATCH, len(train))
    dls = block.dataloaders(
        [path for path, _ in [*train, *valid]], bs=batch, num_workers=0, device=torch.device(device)
    )
    if freeze_below is not None:
        _freeze(net[0], freeze_below)
    callbacks = [ChannelsLast(), TerminateOnNaNCallback(), BnFreeze()]
    if device == "cuda":
        callbacks.append(MixedPrecision())
    return Learner(dls, net, _loss, splitter=_groups, metrics=accuracy, cbs=callbacks)


class _Bar(Callback):  # type: ignore[misc]  # fastai has no types
    """A tqdm bar over the training batches: on a terminal only, and never on stdout."""

    def before_fit(self) -> None:
        self.bar = tqdm(total=self.n_epoch * len(self.dls.train), unit="batch", leave=False, disable=None)

    def after_batch(self) -> None:
        if self.training:
            self.bar.update()

    def after_fit(self) -> None:
        self.bar.close()


class _Decoded:
    """Opens pictures as `tl_course.features.prepare` does, each only once."""

    def __init__(self, paths: Sequence[Path], backbone: Backbone) -> None:
        self.side = backbone.picture_size
        self.resample = Image.Resampling[backbone.interpolation.upper()]
        self.kept: dict[Path, Image.Image] = {}
        self.failed: dict[Path, str] = {}
        with ThreadPoolExecutor(cores()) as pool:
            for path, opened in zip(paths, pool.map(self._try, paths), strict=True):
                if isinstance(opened, str):
                    self.failed[path] = opened
                elif len(self.kept) < _KEPT:
                    self.kept[path] = opened

    def __call__(self, path: Path) -> PILImage:
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
    seen = {picture.file_name for picture in pictures}
    if held_out := [picture for picture in images.valid if picture.file_name not in seen]:
        return _labelled(images, held_out)
    if test is None:
        raise ModelError(
            "All pictures are for training, and none is left to measure on: leave some out, or give a test."
        )
    some = torch.randperm(len(test), generator=torch.Generator().manual_seed(seed))[: max(20, len(pictures) // 4)]
    return _labelled(test, [test[int(i)] for i in some])


def _any_size(body: Any) -> bool:
    return not body.pretrained_cfg.get("fixed_input_size")


def _linear(head: Head) -> nn.Linear:
    linear = nn.Linear(head.weight.shape[1], head.weight.shape[0])
    with torch.no_grad():
        linear.weight.copy_(torch.from_numpy(head.weight))
        linear.bias.copy_(torch.from_numpy(head.bias))
    return linear


def _freeze(body: nn.Module, share: float) -> None:
    """Freeze the first `share` of the body's layers, in timm's order, and all batch norm, for `BnFreeze` to keep."""
    parameters = list(body.parameters())
    batch_norm = {p for m in body.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm) for p in m.parameters()}
    for i, parameter in enumerate(parameters):
        parameter.requires_grad_(i >= share * len(parameters) and parameter not in batch_norm)


def _loss(scores: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy; in training with smoothed labels, for a head that fits already would have little left to learn."""
    return nn.functional.cross_entropy(scores, targets, label_smoothing=0.1 if scores.requires_grad else 0.0)


def _groups(net: nn.Sequential) -> list[list[nn.Parameter]]:
    """Parameters that learn, for different learning rates: body and head."""
    return [[p for p in part.parameters() if p.requires_grad] for part in net]


def _fit(learn: Learner, epochs: int, rate: float, history: History, progress: bool) -> None:
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(epochs, rate, cbs=[Recording(history), *([_Bar()] if progress else [])])
    if not all(torch.isfinite(p).all() for p in learn.model.parameters()) or len(history.epochs) < epochs:
        raise ModelError(
            "The training diverged: the loss is no longer a number. Look for pictures that are wrong, try another "
            "seed, or use the frozen strategy."
        )


def _go_back(net: nn.Module, start: Sequence[torch.Tensor]) -> None:
    """Keep of what each weight has moved the share `_KEPT_CHANGE`."""
    with torch.no_grad():
        for parameter, before in zip(net.parameters(), start, strict=True):
            parameter.lerp_(before.to(parameter.device), 1 - _KEPT_CHANGE)


def _classifier(net: nn.Sequential, labels: list[str], backbone: Backbone, history: History, n: int) -> Classifier:
    net = copy.deepcopy(net).cpu().to(memory_format=torch.contiguous_format).eval()
    body, linear = net[0], cast(nn.Linear, net[1])
    return Classifier(
        labels=list(labels),
        backbone=fine_tuned_backbone(backbone, body),
        head=Head(linear.weight.detach().numpy(), linear.bias.detach().numpy()),
        strategy=history.strategy,
        metrics={"n_train": n},
        history=history,
        body=body,
    )
