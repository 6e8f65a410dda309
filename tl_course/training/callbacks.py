"""A fastai callback that keeps the history of a training run in the course's own record."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import torch
from fastai.callback.core import Callback

if TYPE_CHECKING:
    from tl_course.models.history import History

__all__ = ["Recording"]


class Recording(Callback):  # type: ignore[misc]  # fastai has no types
    """Writes the training of a fastai `Learner` into a `History`: ``Learner(dls, model, cbs=Recording(history))``.

    Measured are the validation pictures before the first fit, right after the very first step, and after each epoch;
    further fits go on in the same record. Seconds count on where the history already has some, and do not include
    validation: it is measuring, not training. The column `valid_accuracy` is the Learner's metric `accuracy`.

    Parameters
    ----------
    history : History
    groups : sequence of str, optional
        Names of the Learner's parameter groups.
    """

    order = 60  # after fastai's own recorder, whose values it reads

    def __init__(self, history: "History", groups: "tuple[str, ...]" = ()) -> None:
        super().__init__()
        self.history = history
        self.groups = groups
        self.step = self.pictures = self.passes = 0
        self._spent = history.seconds
        self._since = 0.0
        self._trained = False
        self._highest: dict[str, float] = {}

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count a ``with`` block as training: what is computed for it beforehand."""
        since = time.perf_counter()
        try:
            yield
        finally:
            self._spent += time.perf_counter() - since

    def before_fit(self) -> None:
        """Name the groups."""
        if self.opt is None:  # ``learn.validate()`` before any fit
            return
        lists = self.opt.param_lists
        self.groups = self.groups or tuple(f"group {i}" for i in range(len(lists)))
        self.history.parameters = {
            name: sum(p.numel() for p in some) for name, some in zip(self.groups, lists, strict=True)
        }
        self._highest = dict.fromkeys(self.groups, 0.0)

    def before_train(self) -> None:
        """Measure what is there before any training, and start the clock."""
        if not self.history.epochs:
            self._add(0, **self._measured())
        self._trained = True
        self._since = time.perf_counter()

    def after_batch(self) -> None:
        """Count, note the rates, and measure after the very first step."""
        if not self.training:
            return
        for name, some, hypers in zip(self.groups, self.opt.param_lists, self.opt.hypers, strict=True):
            if any(parameter.requires_grad for parameter in some):
                self._highest[name] = max(self._highest[name], float(hypers["lr"]))
        self.step += 1
        self.pictures += len(self.yb[0])
        if self.step == 1 and self.n_iter > 1:
            self.after_train()
            self._add(self.passes + 1 / self.n_iter, **self._measured())
            self.before_train()

    def after_train(self) -> None:
        """Stop the clock."""
        self._spent += time.perf_counter() - self._since

    def after_epoch(self) -> None:
        """Add a row to the history; ``learn.validate()`` is no epoch of it."""
        if not self._trained:
            return
        self._trained = False
        self.passes += 1
        found = dict(zip(self.recorder.metric_names, self.recorder.log, strict=False))
        columns = {"train_loss": "train_loss", "valid_loss": "valid_loss", "accuracy": "valid_accuracy"}
        # Without validation pictures fastai leaves these empty.
        measured = {ours: float(found[name]) for name, ours in columns.items() if found.get(name) is not None}
        self._add(self.passes, **measured)
        self._highest = dict.fromkeys(self.groups, 0.0)

    def _add(self, epoch: float, **measured: float) -> None:
        row = {"epoch": epoch, "step": self.step, "pictures": self.pictures, "seconds": self._spent}
        self.history.epochs.append(row | measured)
        self.history.rates.append(dict(self._highest))

    @torch.no_grad()
    def _measured(self) -> dict[str, float]:
        """What the Learner's validation would say, in the midst of its training."""
        modes = {module: module.training for module in self.model.modules()}
        losses, right, n = 0.0, 0, 0
        self.model.eval()
        for batch in self.dls.valid:
            inputs, targets = (tensor.as_subclass(torch.Tensor) for tensor in batch)
            scores = self.model(inputs)
            losses += float(self.loss_func(scores, targets)) * len(targets)
            right += int((scores.argmax(-1) == targets).sum())
            n += len(targets)
        for module, training in modes.items():
            module.training = training
        return {"valid_loss": losses / n, "valid_accuracy": right / n} if n else {}
