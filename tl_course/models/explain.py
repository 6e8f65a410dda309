"""What a classifier looks at: the parts of a picture that its answer rests on."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tl_course.core import image_io

if TYPE_CHECKING:
    from PIL import Image

    from tl_course.models.classifier import Classifier

__all__ = ["occlusion_map"]


def occlusion_map(
    model: "Classifier", source: "str | Path | Image.Image", *, cells: int = 9, device: str = "auto"
) -> NDArray[np.float32]:
    """How much covering each part of a picture takes from the odds of the label it was given.

    A blurred patch a little over two cells wide is laid over the picture at each of `cells` x `cells` places, and the
    covered picture is predicted again (Zeiler & Fergus 2014, "Visualizing and Understanding Convolutional Networks",
    section 4.2; blurred rather than grey, so that the patch itself says nothing).

    Returns
    -------
    array of shape (cells, cells), float32
        By how much the logarithm of the odds falls (1: to about a third of the odds); high where the answer rests on
        that part. Row 0 is the top.
    """
    from PIL import ImageFilter

    picture = image_io.load(source).resize((288, 288))
    blurred = picture.filter(ImageFilter.GaussianBlur(24))
    step = 288 / cells
    covered = []
    for row in range(cells):
        for column in range(cells):
            left, top = (int((place - 0.6) * step) for place in (column, row))
            box = (max(left, 0), max(top, 0), min(int(left + 2.2 * step), 288), min(int(top + 2.2 * step), 288))
            one = picture.copy()
            one.paste(blurred.crop(box), box[:2])
            covered.append(one)
    whole, *parts = model.predict([picture, *covered], device=device)
    sure = np.clip([one.probabilities[whole.label] for one in (whole, *parts)], 1e-7, 1 - 1e-7)
    log_odds = np.log(sure / (1 - sure))
    return np.asarray(log_odds[0] - log_odds[1:].reshape(cells, cells), np.float32)
