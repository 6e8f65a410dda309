"""Pictures of the assignment ps1_birds: a student's own, the folder where they are found, and made-up ones."""

import io
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tl_course.data.archives import new_folder
from tl_course.data.imageset import ImageSet
from tl_course.data.table import METADATA, Picture, table_text
from tl_course.exercises.variants import GRADED_STUDENT, Variant, draw_variant, generator

if TYPE_CHECKING:
    import numpy as np
    from PIL import Image

__all__ = ["found_folder", "littered", "made_up", "my_variant"]

NAME = "ps1_birds"


def my_variant(student: str) -> Variant:
    """Some 130 of the drawn birds and forests, a quarter of them to validate on."""
    n = 112 + int(generator(f"{NAME} size", student).randint(37))
    return draw_variant(NAME, student, pool="birds", n=n, valid=0.25)


def found_folder(variant: Variant, into: str | Path | None = None) -> Path:
    """The same pictures as they might lie on a disk, in ``found_STUDENT`` if not named: with copies and junk."""
    folder = Path(into or f"found_{variant.student}")
    if os.environ.get(GRADED_STUDENT):  # what was handed in may be anybody's, and changed
        shutil.rmtree(folder, ignore_errors=True)
    if not folder.is_dir():
        random = generator(f"{NAME} found", variant.student)
        pictures: dict[str, list[bytes]] = {}
        with TemporaryDirectory() as sound:
            images = variant.images(Path(sound) / "images")
            for one in images:
                pictures.setdefault(one.label, []).append(images.path(one).read_bytes())
        copies, unreadable, small = (int(random.randint(*some)) for some in ((6, 20), (5, 15), (4, 13)))
        _litter(folder, pictures, copies=copies, unreadable=unreadable, small=small, random=random)
    return folder


def littered(folder: Path, wanted: Mapping[str, int], *, copies: int, unreadable: int, small: int, seed: int) -> None:
    """Write a folder with so many made-up pictures of each label, each unlike any other, and with junk."""
    import numpy as np
    from PIL import Image

    random = np.random.RandomState(seed)
    pictures: dict[str, list[bytes]] = {label: [] for label in wanted}
    for label, n in wanted.items():
        for _ in range(n):
            blots = Image.fromarray(random.randint(0, 256, (8, 8, 3)).astype(np.uint8))
            pictures[label].append(_jpeg(blots.resize((128, 128), Image.Resampling.BICUBIC)))
    _litter(folder, pictures, copies=copies, unreadable=unreadable, small=small, random=random)


def made_up(folder: Path, wanted: Mapping[str, tuple[int, int]], *, edited: bool = False) -> ImageSet:
    """A set with so many pictures (train, valid) of each label.

    Where it is `edited`, its last picture came under the first label, and one that is too many was dropped.
    """
    import numpy as np
    from PIL import Image

    labels = [(label, split) for label in wanted for split, n in zip(("train", "valid"), wanted[label], strict=True)
              for _ in range(n)]  # fmt: skip
    rows = [Picture(f"{place:03}.png", *about) for place, about in enumerate(labels)]
    right = rows[-1].label
    if edited:
        rows[-1] = replace(rows[-1], label=rows[0].label)
        rows.append(Picture("more.png", right, "train"))
    folder.mkdir()
    random = np.random.RandomState(len(rows))
    for one in rows:
        Image.fromarray(random.randint(0, 256, (8, 8, 3)).astype(np.uint8)).save(folder / one.file_name)
    (folder / METADATA).write_text(table_text(rows), encoding="utf-8", newline="")
    images = ImageSet.open(folder)
    if edited:
        images.relabel(rows[-2].file_name, right)
        images.drop("more.png")
    return images


def _litter(
    folder: Path,
    pictures: Mapping[str, Sequence[bytes]],
    *,
    copies: int,
    unreadable: int,
    small: int,
    random: "np.random.RandomState",
) -> None:
    sound = [(label, data) for label, those in pictures.items() for data in those]
    numbers = iter(1000 + random.permutation(9000))
    names = [f"{label}/IMG_{next(numbers)}" for label, _ in sound]
    files = {f"{name}.jpg": data for name, (_, data) in zip(names, sound, strict=True)}
    for place, which in enumerate(random.permutation(len(sound))[:copies]):
        data = sound[which][1]
        files |= {f"{names[which]} (1).jpg": data} if place % 2 else {f"{names[which]}_edited.jpg": _scaled(data, 0.75)}
    for place in range(unreadable):
        label, data = sound[random.randint(len(sound))]
        page = b"<!DOCTYPE html><title>404</title><p>The picture that you look for has moved.</p>"
        files[f"{label}/IMG_{next(numbers)}.jpg"] = page if place % 2 else data[: len(data) // 3]
    for _ in range(small):
        label, data = sound[random.randint(len(sound))]
        files[f"{label}/IMG_{next(numbers)}.jpg"] = _scaled(data, 0.125)
    with new_folder(folder) as part:
        for name, data in files.items():
            (part / name).parent.mkdir(exist_ok=True)
            (part / name).write_bytes(data)


def _scaled(data: bytes, by: float) -> bytes:
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        return _jpeg(image.resize((round(image.width * by), round(image.height * by)), Image.Resampling.LANCZOS))


def _jpeg(image: "Image.Image") -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=85)
    return file.getvalue()
