"""What a training run recorded: one record for every strategy, sliced by column, ready for plots and JSON."""

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
        "frozen", "fine-tune" or "scratch".
    epochs : list of dict
        One a pass over the training pictures, with `epoch` (from 1), `seconds` (since training began), `train_loss`,
        `valid_loss` (nats a picture) and `valid_accuracy` (0 to 1). A frozen head is solved in one go and has one.
    stages : dict of str to float
        Seconds of wall time in each stage, such as "features" and "fit".
    search : dict of str to float
        Cross-validated log loss (nats a picture) for each regularisation strength that was tried.
    """

    strategy: str
    epochs: list[dict[str, float]] = field(default_factory=list)
    stages: dict[str, float] = field(default_factory=dict)
    search: dict[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        """Wall time of all the stages, in seconds."""
        return sum(self.stages.values())

    @contextmanager
    def timing(self, stage: str) -> Iterator[None]:
        """Add the wall time of a ``with`` block to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.stages[stage] = self.stages.get(stage, 0.0) + time.perf_counter() - start

    def column(self, name: str) -> list[float]:
        """One column of `epochs`: ``history.column("valid_loss")``."""
        return [epoch[name] for epoch in self.epochs]

    def to_dataframe(self) -> "pd.DataFrame":
        """The epochs as a pandas table."""
        import pandas as pd

        return pd.DataFrame(self.epochs)

    def to_json(self) -> dict[str, Any]:
        """Everything, ready for JSON."""
        return asdict(self)
