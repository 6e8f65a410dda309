"""What ours is measured against: fastai's own recipe, in its own words, from the very weights that ours start from."""

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tl_course import ImageSet

__all__ = ["fine_tuned"]


def fine_tuned(images: "ImageSet", backbone: str, weights: str, *, seed: int = 0) -> tuple[Any, float]:
    """A fastai Learner after ``fine_tune(3)`` on all the pictures, silent, and the seconds that it took.

    `weights` is a file for timm to load.
    """
    from fastai.vision.all import (
        CategoryBlock,
        DataBlock,
        ImageBlock,
        Resize,
        aug_transforms,
        set_seed,
        vision_learner,
    )

    set_seed(seed)
    label_of = {images.path(picture): picture.label for picture in images}
    block = DataBlock(
        blocks=(ImageBlock, CategoryBlock),
        get_y=lambda path: label_of[path],
        splitter=lambda items: (range(len(items)), []),
        item_tfms=Resize(224),
        batch_tfms=aug_transforms(),
    )
    start = time.perf_counter()
    dls = block.dataloaders(list(label_of), bs=16, num_workers=0, device="cpu")
    learn = vision_learner(dls, backbone, pretrained_cfg_overlay={"file": weights})
    with learn.no_bar(), learn.no_logging():
        learn.fine_tune(3)
    return learn, time.perf_counter() - start
