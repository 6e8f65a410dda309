"""Pictures for tests: each number gives another one, so different that none is a near duplicate of another."""

import io
from typing import Any

import numpy as np
from PIL import Image


def picture(number: int, *, size: int = 96) -> Image.Image:
    coarse = np.random.default_rng(number).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((size, size), Image.Resampling.BICUBIC)


def jpeg(number: int, *, size: int = 96, **options: Any) -> bytes:
    file = io.BytesIO()
    picture(number, size=size).save(file, "JPEG", **options)
    return file.getvalue()
