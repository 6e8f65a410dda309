"""What all figures share: colours, a light card that any theme can hold, and legends beside what is drawn."""

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec

from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["COLOURS", "LINES", "MARKERS", "RIGHT", "WRONG", "legend_above", "on_a_card", "plain", "subplots"]

Options = ParamSpec("Options")

# Okabe & Ito's palette (2008), which people with every kind of colour vision can tell apart.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00")
RIGHT, WRONG = "#009E73", "#D55E00"

# So that lines are told apart on a grey page too.
MARKERS = "osD^vP"
LINES = ("-", "--", "-.", ":", "-", "--")


def on_a_card(draw: "Callable[Options, Figure]") -> "Callable[Options, Figure]":
    """Draw a figure in dark ink on white, whatever style matplotlib has been given.

    A figure is a picture, which cannot follow the theme of the page that shows it. So it is a light card on a dark
    page, and not dark ink on a dark ground, nor one that is right today and wrong in the notebook as it is kept.
    """

    @wraps(draw)
    def drawn(*args: Options.args, **kwargs: Options.kwargs) -> "Figure":
        import matplotlib.pyplot as plt

        # Loads the backend here, so that what it sets, such as that a notebook shows figures, stays.
        plt.draw_if_interactive()  # type: ignore[no-untyped-call]
        with plt.style.context("default"):
            return draw(*args, **kwargs)

    return drawn


def subplots(rows: int, columns: int, *, width: float, height: float) -> "tuple[Figure, NDArray[Any]]":
    """A figure and its grid of axes; sizes in inches."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, layout="constrained")
    plt.close(figure)  # shown once, as the value of the cell that made it
    for axis in axes.flat:
        axis.tick_params(colors="black")  # ticks are made when the figure is drawn, by the style of that moment
    axes_array: NDArray[Any] = axes
    return figure, axes_array


def plain(axis: "Axes") -> None:
    """A light grid, and no frame above and at the right."""
    axis.grid(alpha=0.3)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def legend_above(figure: "Figure", title: str = "") -> None:
    """One legend of all that has a name in the figure, above its axes, where it covers nothing."""
    named: dict[str, Any] = {}
    for axis in figure.axes:
        for handle, name in zip(*axis.get_legend_handles_labels(), strict=True):
            named.setdefault(name, handle)
    letters = 12 * figure.get_figwidth()  # about so many fit on a line
    columns = max(1, int(letters // (6 + max(map(len, named), default=0))))
    figure.legend(
        named.values(), named.keys(), loc="outside upper center", ncols=min(columns, max(len(named), 1)),
        frameon=False, title=title or None, title_fontsize=8,
    )  # fmt: skip
