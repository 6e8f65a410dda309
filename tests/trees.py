"""Folders for tests, written down as they lie: a line a place, with braces as in a shell.

``train/{cat,dog}/3`` are three images in each of two folders, ``logo.png`` is an image, ``docs/`` an empty folder, and
``labels.csv: file,label | 0.jpg,cat`` a text whose lines are separated by ``|``.
"""

import io
import re
import zipfile
from pathlib import Path
from zlib import crc32

import numpy as np
from PIL import Image


def grow(root: Path, tree: str) -> Path:
    """Make the folder that a tree describes; all its images are different."""
    root.mkdir(parents=True, exist_ok=True)
    for line in filter(None, map(str.strip, tree.splitlines())):
        place, colon, text = line.partition(": ")
        for name in _expanded(place):
            if colon:
                _write(root / name, "\n".join(text.split(" | ")).encode() + b"\n")
            elif name.endswith("/"):
                (root / name).mkdir(parents=True)
            elif re.search(r"/\d+$", name):
                folder, _, count = name.rpartition("/")
                for number in range(int(count)):
                    _write(root / folder / f"{number}.jpg", image(f"{folder}/{number}"))
            else:
                _write(root / name, image(name))
    return root


def image(seed: str) -> bytes:
    pixels = np.random.default_rng(crc32(seed.encode())).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def zipped(folder: Path, out: Path) -> Path:
    with zipfile.ZipFile(out, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    return out


def _expanded(text: str) -> list[str]:
    found = re.search(r"\{([^{}]*)\}", text)
    if not found:
        return [text]
    choices = found[1].split(",")
    return [whole for one in choices for whole in _expanded(text[: found.start()] + one + text[found.end() :])]


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
