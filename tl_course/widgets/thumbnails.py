"""Small pictures for the page that is shown: names in, JPEG bytes out."""

import io
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from PIL import Image

from tl_course.core import image_io
from tl_course.core.devices import cores
from tl_course.errors import ImageSetError

__all__ = ["Thumbnails"]


class Thumbnails:
    """Thumbnails of the pictures below a folder; the ones used last are kept in memory.

    Parameters
    ----------
    root
        The folder that names are relative to.
    side
        Pixels of the longer side.
    keep
        How many are kept: at 128 pixels, about 4 KB each.
    """

    def __init__(self, root: str | Path, *, side: int = 128, keep: int = 1000) -> None:
        self.root = Path(root).resolve()
        self.side = side
        self._kept = lru_cache(maxsize=keep)(self._make)

    def __call__(self, names: Iterable[str]) -> dict[str, bytes]:
        """A JPEG for each name: a grey square where it cannot be read; names that lead outside are left out."""
        inside = self._inside(names)
        with ThreadPoolExecutor(cores()) as pool:
            return dict(zip(inside, pool.map(self._one, inside), strict=True))

    def prepare(self, names: Iterable[str]) -> None:
        """Make them in the background, to have them ready when they are asked for."""
        names = list(names)

        def work() -> None:
            # One after the other: a pool takes no more work once the interpreter is about to end.
            for name in self._inside(names):
                self._one(name)

        with suppress(RuntimeError):  # an interpreter that ends starts no thread any more: from Python 3.12 on
            threading.Thread(target=work, daemon=True).start()

    def _inside(self, names: Iterable[str]) -> list[str]:
        return [name for name in dict.fromkeys(names) if (self.root / name).resolve().is_relative_to(self.root)]

    def _one(self, name: str) -> bytes:
        try:
            changed = (self.root / name).stat().st_mtime_ns
        except OSError:
            changed = 0
        return self._kept(name, changed)

    def _make(self, name: str, changed: int) -> bytes:
        try:
            image = image_io.load(self.root / name, size=self.side)
        except ImageSetError:
            image = Image.new("RGB", (self.side, self.side), "#888888")
        small = max(image.size) <= self.side // 2  # it may be shown larger, pixel by pixel: then JPEG's traces show too
        image.thumbnail((self.side, self.side), Image.Resampling.LANCZOS)
        file = io.BytesIO()
        image.save(file, "JPEG", quality=95 if small else 80, subsampling=0 if small else 2)
        return file.getvalue()
