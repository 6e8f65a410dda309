"""The fastai callback that lets `LiveCurves` see a training run, and hold or end it."""

import time
from typing import TYPE_CHECKING, Any

from fastai.callback.core import Callback, CancelFitException
from fastai.torch_core import find_bs

from tl_course.training.callbacks import Recording
from tl_course.widgets.busy import hear_widgets

if TYPE_CHECKING:
    import torch

    from tl_course.widgets.live_curves import LiveCurves, Run

__all__ = ["LiveCallback"]

_MOMENTUM = 0.9  # of the smoothed training loss: about the last ten batches


class LiveCallback(Callback):  # type: ignore[misc]  # fastai has no types
    """Shows one run of any fastai `Learner`; later fits with the same callback go on with the same run.

    Epochs are read from the Learner's `Recording`. A Learner without one is given one for as long as it is fitted;
    where the metric is not accuracy, or `Recording` cannot measure, each epoch is taken from fastai's own log.
    """

    order = 95  # after everything that records, and after callbacks that save or stop

    def __init__(self, live: "LiveCurves", run: "Run") -> None:
        super().__init__()
        self._live, self._run = live, run
        self._fitted: Any = None  # the Learner, during a fit
        self._recording: Recording | None = None
        self._own: Recording | None = None  # where the Learner has none
        self._steps, self._pictures, self._epochs = 0, 0, 0
        self._spent, self._since = 0.0, 0.0
        self._mean: torch.Tensor | None = None
        self._best: list[tuple[torch.Tensor, torch.Tensor]] = []  # each tensor of the network, and its best values

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name == "learn" and value is None and getattr(self, "_fitted", None) is not None:
            self._end("interrupted")  # fastai says nothing when a fit breaks off: it only takes the callback away

    # ---- what fastai calls ---------------------------------------------------------------------------------------

    def before_fit(self) -> None:
        """Find the record, and let the curves know how long it will take."""
        learn, run = self.learn, self._run
        if hasattr(learn, "lr_finder") or hasattr(learn, "gather_preds"):
            self.run = False  # fastai's own trial runs, of whose curves nobody asked
            return
        self._fitted = learn
        run.score = _score_of(learn)
        if not run.stopping:
            self._recording = next((one for one in learn.cbs if isinstance(one, Recording)), None) or self._lent(learn)
        if self._recording is not None:
            run.history = self._recording.history
        self._follow()
        self._live._began(run, epochs=learn.n_epoch)
        if run.stopping:
            raise CancelFitException

    def before_train(self) -> None:
        """Start the clock."""
        self._since = time.perf_counter()

    def after_batch(self) -> None:
        """Show the loss, and wait where that was asked for."""
        import torch

        hear_widgets()
        if not self.training:
            return
        loss = self.learn.loss.detach().mean().float()
        before = torch.zeros_like(loss) if self._mean is None else self._mean.to(loss.device)
        self._mean = before.lerp(loss, 1 - _MOMENTUM)
        self._steps += 1
        self._pictures += find_bs(self.learn.yb or self.learn.xb)
        if self._steps % self._run.every == 0:
            epochs = self._epochs + (self.learn.iter + 1) / self.learn.n_iter
            smooth = float(self._mean) / (1 - _MOMENTUM**self._steps)
            self._live._point(self._run, [epochs, self._now(), self._pictures, smooth])
        if self._live.paused:
            self._hold()

    def after_train(self) -> None:
        """Stop the clock."""
        self._spent = self._now()

    def after_epoch(self) -> None:
        """Show the epoch; keep its weights where they are the best so far; stop where that was asked for."""
        if self._recording is None:
            self._run.history.epochs.append(self._row())
        self._follow()
        if self._live._epoch_ended(self._run):
            # All that the optimiser knows, and not the model's own state: fits of one run may train parts of a network.
            learning = [parameter for some in self.learn.opt.param_lists for parameter in some]
            self._best = [(one, one.detach().clone()) for one in (*learning, *self.learn.model.buffers())]
        if self._run.stopping:
            raise CancelFitException

    def after_fit(self) -> None:
        """Bring the best weights back, and leave a still picture."""
        if self._fitted is not None:
            self._end("stopped" if self._run.stopping else "done")

    # ---- underneath ----------------------------------------------------------------------------------------------

    def _lent(self, learn: Any) -> Recording | None:
        """A record of its own for a Learner that has none, if it can measure it."""
        if not learn.metrics or learn.metrics[0].name != "accuracy" or (self._own is None and self._run.history.epochs):
            return None
        own = self._own or Recording(self._run.history)
        learn.add_cb(own)
        try:
            own("before_fit")  # fastai has chosen already whom it tells
        except Exception:  # whatever a model does that gives no plain scores, or that wants no plain pictures
            learn.remove_cb(own)
            return None
        self._own = own
        return own

    def _row(self) -> dict[str, float]:
        """The epoch as fastai's own log has it."""
        log = dict(zip(self.learn.recorder.metric_names, self.learn.recorder.log, strict=False))
        score = log.get(self.learn.metrics[0].name) if self.learn.metrics else None
        if score is not None and self.learn.metrics[0].name == "error_rate":
            score = 1 - score
        measured = {"train_loss": log.get("train_loss"), "valid_loss": log.get("valid_loss")}
        if score is not None:
            measured[self._run.score] = score
        row = {"epoch": self._epochs + 1, "step": self._steps, "pictures": self._pictures, "seconds": self._spent}
        return row | {name: float(value) for name, value in measured.items() if value is not None}

    def _follow(self) -> None:
        """Go by the record: its clock, its counts."""
        if rows := self._run.history.epochs:
            self._epochs, self._spent = int(rows[-1]["epoch"]), rows[-1]["seconds"]
            self._pictures = int(rows[-1].get("pictures", self._pictures))
        else:
            self._spent = self._run.history.seconds

    def _now(self) -> float:
        return self._spent + time.perf_counter() - self._since

    def _hold(self) -> None:
        """Wait until training shall go on, with every clock stopped; an interrupt ends the wait and the training."""
        self._spent = self._now()
        if self._recording is not None:
            self._recording.after_train()
        self._live._held(self._run)
        self._since = time.perf_counter()
        if self._recording is not None:
            self._recording.before_train()

    def _end(self, state: str) -> None:
        learn, self._fitted = self._fitted, None
        if self._own is not None and self._own in learn.cbs:
            learn.remove_cb(self._own)
        back = self._live.keep_best and bool(self._best)
        if back:
            for tensor, best in self._best:
                tensor.data.copy_(best)
        self._live._ended(self._run, state, back=back)


def _score_of(learn: Any) -> str:
    """The column of the history that says how good an epoch was."""
    if not learn.metrics:
        return "valid_loss"
    name = str(learn.metrics[0].name)
    return "valid_accuracy" if name in ("accuracy", "error_rate") else f"valid_{name}"
