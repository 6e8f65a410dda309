"""Pictures: grids of them, with what a model said of them, and with maps laid over them."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tl_course.core import image_io
from tl_course.errors import TLCourseError
from tl_course.plots.look import RIGHT, WRONG, on_a_card, subplots

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image

    from tl_course.data.imageset import ImageSet
    from tl_course.models.classifier import Prediction

__all__ = ["contact_sheet", "heat", "picture_grid", "predictions"]


@on_a_card
def picture_grid(
    sources: "Sequence[str | Path | Image.Image]",
    titles: Sequence[str] = (),
    *,
    columns: int = 8,
    colours: Sequence[str] = (),
) -> "Figure":
    """Pictures in a grid, each whole, with a title above it and a frame in its colour where colours are given.

    Raises
    ------
    TLCourseError
        There is no picture.
    """
    if not sources:
        raise TLCourseError("There is no picture to show here.")
    columns = min(columns, len(sources))
    rows = ceil(len(sources) / columns)
    figure, axes = subplots(rows, columns, width=1.35 * columns, height=(1.35 + 0.22 * bool(titles)) * rows)
    for i, axis in enumerate(axes.flat):
        axis.set_xticks([])
        axis.set_yticks([])
        if i >= len(sources):
            axis.set_axis_off()
            continue
        axis.imshow(image_io.load(sources[i], size=256))
        if titles:
            axis.set_title(titles[i], fontsize=8, color=colours[i] if colours else "black", pad=3)
        for spine in axis.spines.values():
            spine.set(visible=bool(colours), color=colours[i] if colours else "none", linewidth=2.5)
    return figure


def contact_sheet(images: "ImageSet", *, n: int = 24, columns: int = 8, seed: int = 0) -> "Figure":
    """`n` pictures of a set, drawn at random, each with its label."""
    some = np.random.default_rng(seed).permutation(len(images))[:n]
    chosen = [images[int(i)] for i in some]
    return picture_grid([images.path(picture) for picture in chosen], [p.label for p in chosen], columns=columns)


def predictions(given: "Sequence[Prediction]", *, truth: Sequence[str] = (), columns: int = 6) -> "Figure":
    """Predicted pictures with label and confidence; where the truth is given, right framed green, wrong orange."""
    titles = [f"{one.label} {one.confidence:.0%}" for one in given]
    colours = [RIGHT if one.label == label else WRONG for one, label in zip(given, truth, strict=True)] if truth else []
    if truth:
        titles = [
            title if one.label == label else f"{title}, is {label}"
            for title, one, label in zip(titles, given, truth, strict=True)
        ]
    return picture_grid([one.source for one in given], titles, columns=columns, colours=colours)


@on_a_card
def heat(sources: "Sequence[str | Path | Image.Image]", maps: Sequence[NDArray[np.float32]]) -> "Figure":
    """Pictures above the same pictures with a map laid over them, such as `explain.occlusion_map` gives.

    Each map is shown from no loss (clear) to its own largest loss (dark red).
    """
    figure, axes = subplots(2, len(sources), width=1.9 * len(sources), height=3.8)
    for column, (source, values) in enumerate(zip(sources, maps, strict=True)):
        picture = image_io.load(source, size=256).resize((256, 256))
        axes[0, column].imshow(picture)
        axes[1, column].imshow(picture.convert("L"), cmap="gray", alpha=0.7)
        overlay = np.clip(values, 0, None)
        axes[1, column].imshow(
            overlay, cmap="Reds", alpha=0.65, extent=(0, 256, 256, 0), interpolation="bilinear", vmin=0,
            vmax=max(float(overlay.max()), 0.02),
        )  # fmt: skip
    for axis in axes.flat:
        axis.set_axis_off()
    return figure
