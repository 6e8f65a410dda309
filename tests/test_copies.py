"""Copies of one photo, found by their pixels; other photos, however alike, are none."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from tests.drawn import picture
from tl_course.features.extraction import glimpses
from tl_course.features.near_duplicates import find_copies


def glimpse(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((40, 40), Image.Resampling.BOX).convert("L"))


def pairs_of(images: list[Image.Image], hashes: list[str] | None = None, **options: np.ndarray) -> list[list[int]]:
    names = hashes or [str(i) for i in range(len(images))]
    return find_copies(np.stack([glimpse(image) for image in images]), names, **options).tolist()


WAYS: dict[str, Callable[[Image.Image], Image.Image]] = {
    "mirrored": ImageOps.mirror,
    "upside down": ImageOps.flip,
    "a quarter turn": lambda image: image.transpose(Image.Transpose.ROTATE_90),
    "three quarters": lambda image: image.transpose(Image.Transpose.ROTATE_270),
    "transposed": lambda image: image.transpose(Image.Transpose.TRANSPOSE),
    "brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.3),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.5),
    "smaller": lambda image: image.resize((60, 60)),
    "squeezed": lambda image: image.resize((160, 100)),
    "grey": lambda image: image.convert("L").convert("RGB"),
    "cropped": lambda image: image.crop((4, 4, 188, 188)),
}


@pytest.mark.parametrize("way", WAYS)
def test_an_altered_copy_is_found_among_others_in_any_order(way: str) -> None:
    images = [picture(number, size=192) for number in range(12)]
    copy = WAYS[way](images[5])
    assert pairs_of([*images, copy]) == [[5, 12]]
    assert pairs_of([copy, *images]) == [[0, 6]]
    assert pairs_of([*images, copy], apart=np.arange(13) == 12) == [[5, 12]]
    assert pairs_of([*images, copy], apart=np.arange(13) == 0) == [], "both lie on one side"


def test_what_shows_nothing_is_a_copy_only_where_it_is_the_same_file() -> None:
    blank = [Image.new("RGB", (64, 64), (value,) * 3) for value in (0, 90, 90, 255)]
    assert pairs_of(blank) == []
    assert pairs_of(blank, ["a", "b", "b", "c"]) == [[1, 2]]


def test_walls_and_skies_are_like_any_other() -> None:
    random = np.random.default_rng(0)
    plain = [
        np.add.outer(np.linspace(a, a + b, 128), np.linspace(0, c, 128)) + random.normal(0, 2, (128, 128))
        for a, b, c in random.uniform([0, 20, 20], [80, 120, 100], (30, 3))
    ]
    images = [Image.fromarray(pixels.clip(0, 255).astype(np.uint8)) for pixels in plain]
    assert pairs_of(images) == []
    assert pairs_of([*images, picture(1), ImageOps.mirror(picture(1))]) == [[30, 31]]


def test_a_thousand_of_the_same_file_hang_together_without_being_compared() -> None:
    pairs = pairs_of([picture(1)] * 1000 + [ImageOps.mirror(picture(1))], ["same"] * 1000 + ["mirrored"])
    assert len(pairs) == 1000
    assert [999, 1000] in pairs


@pytest.mark.parametrize("name", ["cats_dogs", "hand_signs"])
def test_real_photos_of_one_thing_in_one_place_are_not_copies(photos: Path, name: str) -> None:
    paths = sorted((photos / name).glob("*/*.jpg"))
    if not paths:
        pytest.skip(f"no {name} among the photos")
    hashes = [path.name for path in paths]
    assert find_copies(glimpses(paths, hashes=hashes), hashes).tolist() == []
