"""What all figures share: colours, and axes that a notebook shows once."""

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "LINES", "MARKERS", "RIGHT", "WRONG", "plain", "subplots"]

# Okabe & Ito's palette (2008), which people with every kind of colour vision can tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
RIGHT, WRONG = "#009E73", "#D55E00"

# So that lines are told apart on a grey page too.
MARKERS = "osD^vP"
LINES = ("-", "--", "-.", ":", "-", "--")


def subplots(rows: int, columns: int, *, width: float, height: float) -> "tuple[Figure, NDArray[Any]]":
    """A figure and its grid of axes; sizes in inches."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained")
    plt.close(figure)  # shown once, as the value of the cell that made it
    axes_array: NDArray[Any] = axes
    return figure, axes_array


def plain(axis: "Axes") -> None:
    """A light grid, and no frame above and at the right."""
    axis.grid(alpha=0.3)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
