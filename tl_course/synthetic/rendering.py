"""Draw a data set into a folder of one's own, with flaws where asked for."""

from pathlib import Path

from tl_course.data.imageset import ELSEWHERE, ImageSet, new_place, written
from tl_course.data.splits import VALID_SHARE
from tl_course.synthetic.datasets import render_folder

__all__ = ["render_dataset"]


def render_dataset(
    name: str,
    into: str | Path,
    *,
    n: int = 400,
    seed: int = 0,
    size: int = 256,
    valid: float = VALID_SHARE,
    sound_valid: bool = False,
    wrong_labels: float = 0.0,
    near_duplicates: float = 0.0,
    off_topic: float = 0.0,
    threshold: float | None = None,
) -> ImageSet:
    """Draw a set of pictures into a new folder and open it. What was drawn is in `truth`.

    Parameters
    ----------
    name
        A set that the package can draw ("birds", "doors", "cats_dogs", "animals", "patterns").
    into
        The folder to make.
    n, seed, size
        Number of pictures, the seed they follow from, and their pixels along each side.
    valid
        Share of the pictures that is set aside to validate on, above 0 and below 1.
    sound_valid
        Whether to plant wrong labels and what is off-topic in the training pictures only.
    wrong_labels, near_duplicates, off_topic
        Shares of the pictures, 0 to 1, in which this flaw is planted on purpose.
    threshold
        For "doors": the angle in degrees from which a door is called open (20). The pictures do not depend on it.
    """
    target = new_place(into)
    options = {"wrong_labels": wrong_labels, "near_duplicates": near_duplicates, "off_topic": off_topic}
    if threshold is not None:
        options["threshold"] = threshold
    with written(str(target), ELSEWHERE):
        render_folder(name, target, n=n, seed=seed, size=size, valid=valid, sound_valid=sound_valid, **options)
    return ImageSet.open(target)
