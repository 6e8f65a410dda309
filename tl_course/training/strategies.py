"""Ways to transfer, as functions over fastai Learners: from scratch, frozen, fine-tuned, unfrozen gradually.

Each takes a Learner (see `tl_course.training.learners.learner`), trains it, and returns the record of it:

    learn = learner(images)
    history = fine_tune(learn, 4)

What learns is said by fastai's own ``freeze_to``, at what rate by its ``fit_one_cycle``. What fastai does not do: the
frozen part of the network sees two views of each picture, and each once (`tl_course.training.frozen_cache.kept`), batch
norm stays as it was pretrained (few pictures say too little of means and variances), and the groups come from the
network.
"""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from tl_course.core.devices import give_back_memory
from tl_course.core.progress import Bar
from tl_course.errors import ModelError
from tl_course.training.frozen_cache import kept

with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    import fastai.callback.schedule  # noqa: F401 - gives a Learner its fit_one_cycle
    from fastai.callback.core import Callback
    from fastai.torch_core import no_random

if TYPE_CHECKING:
    from fastai.learner import Learner

    from tl_course.models.history import History

__all__ = ["fine_tune", "frozen", "gradual", "scratch"]

HEAD_RATE = 3e-3
"""At which a new head learns alone."""

RATE = 3e-5
"""At which the head learns where the body learns with it: ten times as much tore the features of 160 flowers apart."""

_VIEWS = 2  # of each picture that are kept for the part that learns


def scratch(learn: "Learner", epochs: int, *, rate: float = 3e-3, cbs: Sequence[Any] = ()) -> "History":
    """Train everything at one rate, as a network has to be that begins with random weights.

    Parameters
    ----------
    learn : Learner
        From `tl_course.training.learners.learner`, with ``pretrained=False``.
    epochs : int
        Passes over the pictures.
    rate : float
        The highest learning rate, of one cycle (Smith 2018, arXiv:1803.09820).
    cbs : sequence of fastai callbacks
        Such as that of `tl_course.widgets.LiveCurves`.

    Returns
    -------
    History
        The record of the training, which is also ``learn.recording.history``.

    Raises
    ------
    ModelError
        The training diverged.
    """
    learn.unfreeze()
    return _train(learn, "scratch", epochs, _same(learn, rate), cbs)


def frozen(learn: "Learner", epochs: int, *, rate: float = HEAD_RATE, cbs: Sequence[Any] = ()) -> "History":
    """Train the head alone, step by step. `tl_course.train` finds such a head in one go, without steps.

    Parameters, result and errors are those of `scratch`.
    """
    _unfreeze(learn, 0)
    return _train(learn, "frozen", epochs, _same(learn, rate), cbs)


def fine_tune(
    learn: "Learner",
    epochs: int,
    *,
    freeze_epochs: int = 1,
    groups: int | None = None,
    rate: float = RATE,
    factor: float = 2.6,
    keep: float = 1.0,
    cbs: Sequence[Any] = (),
) -> "History":
    """Train the head alone for a while, then the later layers too, each group at a lower rate than the one after it.

    Discriminative rates are those of Howard and Ruder 2018, "Universal Language Model Fine-tuning for Text
    Classification", arXiv:1801.06146. That the head comes first keeps the steps of the rest from tearing the features
    apart (Kumar et al. 2022, arXiv:2202.10054).

    Parameters
    ----------
    learn : Learner
        From `tl_course.training.learners.learner`.
    epochs : int
        Passes over the pictures in which the later layers learn.
    freeze_epochs : int
        Passes before them, in which the head learns alone, at `HEAD_RATE`. 0 where it fits already.
    groups : int, optional
        So many groups before the head learn; otherwise the fewest that hold a quarter of the body's parameters.
    rate : float
        The highest learning rate of the head.
    factor : float
        By which each group learns more slowly than the one after it.
    keep : float
        The share, 0 to 1, that is kept in the end of what each weight has moved in those epochs. On few pictures a
        point between the old weights and the new does better than either (Wortsman et al. 2022, "Robust fine-tuning of
        zero-shot models", arXiv:2109.01903). The record's epochs are those before this last step.
    cbs : sequence of fastai callbacks

    Returns
    -------
    History

    Raises
    ------
    ModelError
        The training diverged, or there are not so many groups.
    """
    if freeze_epochs:
        _unfreeze(learn, 0)
        _train(learn, "fine-tune", freeze_epochs, _same(learn, HEAD_RATE), cbs)
    _unfreeze(learn, _quarter(learn) if groups is None else groups)
    with _going_back(learn, keep):
        return _train(learn, "fine-tune", epochs, _discriminative(learn, rate, factor), cbs)


def gradual(
    learn: "Learner",
    epochs: int,
    *,
    freeze_epochs: int = 1,
    rate: float = RATE,
    factor: float = 2.6,
    keep: float = 1.0,
    cbs: Sequence[Any] = (),
) -> "History":
    """Unfreeze gradually: the head learns alone for a while, and then with each epoch one group more, from the end.

    From Howard and Ruder 2018 (arXiv:1801.06146). Parameters, result and errors are those of `fine_tune`; which group
    learnt when is in the record (`tl_course.training.layer_groups.learning`).
    """
    if freeze_epochs:
        _unfreeze(learn, 0)
        _train(learn, "gradual", freeze_epochs, _same(learn, HEAD_RATE), cbs)
    with _going_back(learn, keep):
        for groups in range(1, epochs + 1):
            _unfreeze(learn, min(groups, len(learn.recording.groups) - 1))
            _train(learn, "gradual", 1, _discriminative(learn, rate, factor), cbs)
    return learn.recording.history  # type: ignore[no-any-return]


def _unfreeze(learn: "Learner", groups: int) -> None:
    """Let the head and so many groups before it learn, all but their batch norm."""
    if not 0 <= groups < len(learn.recording.groups):
        raise ModelError(
            f"This network has {len(learn.recording.groups) - 1} groups of layers before the head, not {groups}."
        )
    learn.freeze_to(-1 - groups)
    for module in learn.model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.requires_grad_(False)


@contextmanager
def _going_back(learn: "Learner", keep: float) -> Iterator[None]:
    """In the end, keep the share `keep` of what each weight has moved."""
    before = [parameter.detach().clone() for parameter in learn.model.parameters()]
    yield
    with torch.no_grad():
        for parameter, old in zip(learn.model.parameters(), before, strict=True):
            parameter.lerp_(old.to(parameter), 1 - keep)


def _quarter(learn: "Learner") -> int:
    """The fewest groups before the head that hold a quarter of the body's parameters."""
    *body, _ = [sum(parameter.numel() for parameter in some) for some in learn.splitter(learn.model)]
    return next(n for n in range(1, len(body) + 1) if sum(body[-n:]) >= sum(body) / 4)


def _same(learn: "Learner", rate: float) -> list[float]:
    return [rate] * len(learn.recording.groups)


def _discriminative(learn: "Learner", rate: float, factor: float) -> list[float]:
    n = len(learn.recording.groups)
    return [rate / factor ** (n - 1 - i) for i in range(n)]


class _AdvanceBar(Callback):  # type: ignore[misc]  # fastai has no types
    """Moves a bar along with the batches that are trained on."""

    def __init__(self, bar: Bar) -> None:
        super().__init__()
        self.bar = bar

    def after_batch(self) -> None:
        if self.training:
            self.bar.update()


def _train(learn: "Learner", strategy: str, epochs: int, rates: list[float], cbs: Sequence[Any]) -> "History":
    history: History = learn.recording.history
    history.strategy = strategy
    before = learn.recording.passes
    with history.timing(strategy), no_random(learn.seed + before), kept(learn, min(epochs, _VIEWS)):
        with learn.no_bar(), learn.no_logging(), Bar("training", epochs * len(learn.dls.train), unit="batches") as bar:
            learn.fit_one_cycle(epochs, rates, cbs=[*cbs, _AdvanceBar(bar)])
        diverged = not all(torch.isfinite(parameter).all() for parameter in learn.model.parameters())
    give_back_memory()
    if diverged:
        raise ModelError(
            "The training diverged: the loss is no longer a number. Look for pictures that are wrong, try a lower "
            "rate or another seed, or use the frozen strategy."
        )
    return history
