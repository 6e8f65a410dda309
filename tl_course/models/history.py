"""What a training run recorded: one record for every strategy, sliced by column, ready for plots and JSON."""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["History"]


@dataclass
class History:
    """The record of one training run.

    Attributes
    ----------
    strategy : str
        "frozen", "fine-tune", "gradual" or "scratch".
    epochs : list of dict
        Measured before training, right after the first step, and after each pass over the training pictures: `epoch`
        (0 before training, 1 after the first pass), `step` (steps of the optimiser so far), `pictures` (training
        pictures seen so far, each time counted), `seconds` (since training began), `train_loss` (from epoch 1 on),
        `valid_loss` (nats a picture) and `valid_accuracy` (0 to 1). A head that is solved in one go has epoch 1 alone.
    rates : list of dict
        For each of `epochs`, the highest learning rate of each layer group since the one before, by the group's name;
        0 where it was frozen. Empty for a head that is solved in one go.
    parameters : dict of str to int
        How many numbers each layer group holds.
    stages : dict of str to float
        Seconds of wall time in each stage, such as "features" and "fit". "loading" is what is needed before anything is
        learnt, and only once: importing libraries, reading weights, exporting a network.
    search : dict of str to float
        Cross-validated log loss (nats a picture) for each regularisation strength that was tried.
    """

    strategy: str
    epochs: list[dict[str, float]] = field(default_factory=list)
    rates: list[dict[str, float]] = field(default_factory=list)
    parameters: dict[str, int] = field(default_factory=dict)
    stages: dict[str, float] = field(default_factory=dict)
    search: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Wall time of all the stages but "loading", in seconds."""
        return sum(seconds for stage, seconds in self.stages.items() if stage != "loading")

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Add the wall time of a ``with`` block to a stage, less that of stages within it."""
        start, before = time.perf_counter(), sum(self.stages.values())
        try:
            yield
        finally:
            within = sum(self.stages.values()) - before
            self.stages[stage] = self.stages.get(stage, 0.0) + time.perf_counter() - start - within

    def column(self, name: str) -> list[float]:
        """One column of `epochs`: ``history.column("valid_loss")``, with NaN where it was not measured.

        Raises
        ------
        KeyError
            None of the epochs has it.
        """
        if self.epochs and not any(name in epoch for epoch in self.epochs):
            raise KeyError(f"No epoch has {name!r}: there are {', '.join(self.epochs[0])}.")
        return [epoch.get(name, math.nan) for epoch in self.epochs]

    def to_dataframe(self) -> "pd.DataFrame":
        """The epochs as a pandas table."""
        import pandas as pd

        return pd.DataFrame(self.epochs)

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)
