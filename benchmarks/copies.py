"""How well copies of a photo are found that were made before splitting, and how often other photos are taken for some.

    python benchmarks/copies.py PHOTOS

PHOTOS holds a folder for each set. Of each set, photos are drawn and altered in many ways; every photo is then compared
with every altered one, and all photos with each other. Found is the share of altered photos whose original was named. A
false alarm is a pair of an altered photo and another one's original, or of two photos as they are; the second kind is
listed, because photos do hold copies by themselves: somebody has to look at them.

Left out: for each set the line (`tl_course.features.near_duplicates.COPY`) is drawn on the other sets, in the middle
between their likeliest pair of different photos and the 2 % of copies that are least like their originals, and tried on
that set.
"""

import argparse
import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageEnhance, ImageFilter, ImageOps
from reporting import RESULTS, machine, table, write

sys.path.insert(0, str(Path(__file__).parents[1]))

from tl_course.core.files import sha256_of
from tl_course.core.image_io import SUFFIXES, load
from tl_course.features import Backbone, near_duplicates
from tl_course.features.extraction import extract, glimpses
from tl_course.features.similarity import compact

EACH = 16  # photos of each set that are altered, in each way


def encoded(image: Image.Image, quality: int = 90) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality)
    return file.getvalue()


def cropped(image: Image.Image, share: float, *, corner: bool = False) -> Image.Image:
    """Without a share of its width and height: off the edges, or off the right and the bottom."""
    width, height = image.size
    left, top = (0, 0) if corner else (width * share / 2, height * share / 2)
    return image.crop((round(left), round(top), round(left + width * (1 - share)), round(top + height * (1 - share))))


def scaled(image: Image.Image, share: float) -> Image.Image:
    return image.resize([max(32, round(share * side)) for side in image.size], Image.Resampling.LANCZOS)


def noisy(image: Image.Image) -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 12, (image.height, image.width, 3))
    return Image.fromarray((np.asarray(image) + noise).clip(0, 255).astype(np.uint8))


def tinted(image: Image.Image) -> Image.Image:
    return Image.fromarray((np.asarray(image) * [0.85, 1, 1.15]).clip(0, 255).astype(np.uint8))


WAYS: dict[str, Callable[[Image.Image], bytes]] = {
    "as it is": encoded,
    "recompressed (30)": lambda image: encoded(image, 30),
    "half the size": lambda image: encoded(scaled(image, 0.5)),
    "a third of the size": lambda image: encoded(scaled(image, 0.33)),
    "squeezed to a square": lambda image: encoded(image.resize((224, 224))),
    "mirrored": lambda image: encoded(ImageOps.mirror(image)),
    "upside down": lambda image: encoded(ImageOps.flip(image)),
    "a quarter turn": lambda image: encoded(image.transpose(Image.Transpose.ROTATE_90)),
    "brighter (1.3)": lambda image: encoded(ImageEnhance.Brightness(image).enhance(1.3)),
    "darker (0.6)": lambda image: encoded(ImageEnhance.Brightness(image).enhance(0.6)),
    "more contrast (1.4)": lambda image: encoded(ImageEnhance.Contrast(image).enhance(1.4)),
    "gamma 1.5": lambda image: encoded(image.point([round(255 * (v / 255) ** 1.5) for v in range(256)] * 3)),
    "tinted": lambda image: encoded(tinted(image)),
    "grey": lambda image: encoded(image.convert("L").convert("RGB")),
    "blurred": lambda image: encoded(image.filter(ImageFilter.GaussianBlur(max(image.size) / 200))),
    "noisy": lambda image: encoded(noisy(image)),
    "cropped by 4 %": lambda image: encoded(cropped(image, 0.04)),
    "cropped by 10 %": lambda image: encoded(cropped(image, 0.1)),
    "cropped by 15 %": lambda image: encoded(cropped(image, 0.15)),
    "a corner cropped by 10 %": lambda image: encoded(cropped(image, 0.1, corner=True)),
    "mirrored, brighter, cropped": lambda image: encoded(
        cropped(ImageEnhance.Brightness(ImageOps.mirror(image)).enhance(1.2), 0.05), 60
    ),
    "turned by 5 degrees": lambda image: encoded(cropped(image.rotate(5, Image.Resampling.BILINEAR), 0.15)),
}
BEYOND = ("turned by 5 degrees",)  # what is not looked for, and only measured


def examined(folder: Path, backbone: Backbone, temporary: Path) -> dict[str, Any]:
    """The likeness of all pairs that are proposed: of copies by their way, of altered photos and others, of photos."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    random = np.random.default_rng(0)
    chosen = random.choice(len(paths), min(EACH, len(paths)), replace=False).tolist()
    origin = []
    files = list(paths)
    for way, alter in WAYS.items():
        for i in chosen:
            file = temporary / f"{folder.name}-{len(files)}.jpg"
            file.write_bytes(alter(load(paths[i])))
            files.append(file)
            origin.append((way, i))
    hashes = [sha256_of(file) for file in files]
    unit, _ = compact(extract(files, backbone, hashes=hashes).vectors)
    looks = glimpses(files, hashes=hashes)
    start = time.process_time()
    near_duplicates.find_copies(looks[: len(paths)], hashes[: len(paths)], unit[: len(paths)])
    seconds = time.process_time() - start

    n = len(paths)
    grey, detail, _ = near_duplicates.soft_and_detail(looks)
    scores: dict[str, Any] = {"copies": {way: {} for way in WAYS}, "others": [], "photos": []}
    altered = np.arange(len(files)) >= n
    for rows, columns in ((np.flatnonzero(altered), np.arange(n)), (np.arange(n), np.arange(n))):
        for (i, j), orientations in near_duplicates._proposals(grey, unit, rows, columns).items():
            score = near_duplicates.likeness_of(grey, detail, (i, j), orientations)
            if j < n:
                scores["photos"].append((score, files[i].name, files[j].name))
            elif origin[j - n][1] == i:
                scores["copies"][origin[j - n][0]][j] = score
            else:
                scores["others"].append(score)
    return scores | {"n": n, "seconds": seconds}


def shares(scores: dict[str, Any], line: float) -> dict[str, float]:
    return {way: sum(s >= line for s in found.values()) / EACH for way, found in scores["copies"].items()}


def false_alarms(scores: dict[str, Any], line: float) -> int:
    return sum(score >= line for score in scores["others"])


def drawn_line(sets: dict[str, dict[str, Any]]) -> float:
    """Between different photos and copies, of some sets."""
    highest = max(
        score for one in sets.values() for score in [*one["others"], *(s for s, *_ in one["photos"] if s < 0.98)]
    )
    found = [
        s for one in sets.values() for way, its in one["copies"].items() if way not in BEYOND for s in its.values()
    ]
    return (highest + float(np.quantile(found, 0.02))) / 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("photos", type=Path)
    folders = sorted(path for path in parser.parse_args().photos.iterdir() if path.is_dir())
    backbone = Backbone.get()
    with tempfile.TemporaryDirectory() as temporary:
        sets = {folder.name: examined(folder, backbone, Path(temporary)) for folder in folders}
    rows = []
    for name, scores in sets.items():
        line = drawn_line({other: its for other, its in sets.items() if other != name})
        ours, left_out = shares(scores, near_duplicates.COPY), shares(scores, line)
        sought = [way for way in WAYS if way not in BEYOND]
        rows.append(
            {
                "set": name,
                "photos": scores["n"],
                "found": float(np.mean([ours[way] for way in sought])),
                "false": false_alarms(scores, near_duplicates.COPY),
                "line left out": line,
                "found left out": float(np.mean([left_out[way] for way in sought])),
                "false left out": false_alarms(scores, line),
                "next other": max(scores["others"], default=0.0),
                "photos alike": [list(one) for one in scores["photos"] if one[0] >= near_duplicates.COPY],
                "next photos": max((one[0] for one in scores["photos"] if one[0] < near_duplicates.COPY), default=0.0),
                "ms a photo": 1000 * scores["seconds"] / scores["n"],
            }
        )
        print(rows[-1], flush=True)
    ways = {
        way: {
            "mean": float(np.mean([shares(its, near_duplicates.COPY)[way] for its in sets.values()])),
            "worst": float(min(shares(its, near_duplicates.COPY)[way] for its in sets.values())),
        }
        for way in WAYS
    }
    print(table([{key: value for key, value in row.items() if key != "photos alike"} for row in rows]))
    print(table([{"way": way, **its} for way, its in ways.items()]))
    write(
        {"sets": rows, "ways": ways} | machine("numpy", "pillow", "onnxruntime", "tl-course"), RESULTS / "copies.json"
    )


if __name__ == "__main__":
    main()
