"""A fastai callback that keeps the history of a training run in the course's own record."""

import time
from typing import TYPE_CHECKING

from fastai.callback.core import Callback

if TYPE_CHECKING:
    from tl_course.history import History

__all__ = ["Recording"]


class Recording(Callback):  # type: ignore[misc]  # fastai has no types
    """Writes each epoch of a fastai `Learner` into a `History`: ``Learner(dls, model, cbs=Recording(history))``.

    The Learner needs `accuracy` as its first metric for the column `valid_accuracy`. Seconds count on where the history
    already has some, and do not include validation: it is measuring, not training.
    """

    order = 60  # after fastai's own recorder, whose values it reads

    def __init__(self, history: "History") -> None:
        super().__init__()
        self.history = history
        self._spent = history.seconds
        self._since = 0.0

    def before_train(self) -> None:
        """Start the clock."""
        self._since = time.perf_counter()

    def after_train(self) -> None:
        """Stop the clock."""
        self._spent += time.perf_counter() - self._since

    def after_epoch(self) -> None:
        """Add a row to the history."""
        train_loss, valid_loss, *metrics = self.recorder.log[1:]
        epoch = {"epoch": len(self.history.epochs) + 1, "seconds": self._spent, "train_loss": train_loss}
        epoch |= {"valid_loss": valid_loss, "valid_accuracy": metrics[0] if metrics else None}
        # Without validation pictures fastai leaves these empty.
        self.history.epochs.append({name: float(value) for name, value in epoch.items() if value is not None})
