"""Keep the files that were handed out as they were, and write them anew where an answer has changed one."""

from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

__all__ = ["HandedOutFiles"]

_LARGEST, _MOST = 16 << 20, 1000  # bytes of all files that are kept, and how many


class HandedOutFiles:
    """Files below the working directory as they are when it is made: before the first line of a submission."""

    def __init__(self, names: Iterable[str]) -> None:
        self._kept: dict[Path, bytes] = {}
        left = _LARGEST
        for path in map(Path, islice(names, _MOST)):
            with suppress(OSError):
                if (size := path.stat().st_size) <= left:
                    self._kept[path.absolute()] = path.read_bytes()
                    left -= size

    def restore(self) -> Iterator[str]:
        """Put back what a test may read; the names of what had been changed."""
        for path, content in self._kept.items():
            if _content(path) != content:
                with suppress(OSError):
                    path.unlink(missing_ok=True)
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                yield f"the file {path.name}"


def _content(path: Path) -> bytes | None:
    try:
        return None if path.is_symlink() else path.read_bytes()
    except OSError:
        return None
