"""Files that an answer writes, brought to where tests look for them: plain ones, and nothing that Python would run."""

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

__all__ = ["Brought"]

_MOST = 200  # files
_LARGEST = 64 << 20  # bytes
_NEVER = (".py", ".pyc", ".pth", ".so", ".ini", ".cfg", ".toml")
_NAMES = ("matplotlibrc",)


class Brought:
    """Copies of the files in an answer's folder, in the working directory; what tests have there is never replaced.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: dict[str, tuple[int, int]] = {}  # of what was copied: when it was changed, and its size
        self._copies: dict[str, tuple[int, int]] = {}  # the same of the copies, which a test may have changed since

    def bring(self, *, deep: bool = False) -> None:
        """Copy what is new, or has changed since; `deep`: also from folders in the folder."""
        for name in islice(self._names(deep=deep), _MOST):
            if not name.endswith(_NEVER) and Path(name).name not in _NAMES and not self._is_own(name):
                with suppress(OSError):
                    self._copy(name)

    def hide(self) -> None:
        """Take away all copies that nobody has changed, until they are brought again."""
        for name in list(self._copies):
            if not self._is_own(name):
                with suppress(OSError):
                    Path(name).unlink()
                    del self._copies[name]
            self._seen.pop(name, None)

    def _names(self, *, deep: bool, below: str = "") -> Iterator[str]:
        with suppress(OSError), os.scandir(self._folder / below) as entries:
            for entry in entries:
                if entry.name.startswith("."):
                    continue
                if entry.is_file(follow_symlinks=False):
                    yield below + entry.name
                elif deep and entry.is_dir(follow_symlinks=False):
                    yield from self._names(deep=True, below=f"{below}{entry.name}/")

    def _is_own(self, name: str) -> bool:
        """Whether a file there is not what was copied: a test has written it."""
        with suppress(FileNotFoundError):
            about = os.lstat(name)
            return self._copies.get(name) != (about.st_mtime_ns, about.st_size)
        return False

    def _copy(self, name: str) -> None:
        number = os.open(self._folder / name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(number, "rb") as file:
            about = os.fstat(number)
            now = (about.st_mtime_ns, about.st_size)
            if stat.S_ISREG(about.st_mode) and about.st_size <= _LARGEST and self._seen.get(name) != now:
                self._seen[name] = now
                Path(name).parent.mkdir(parents=True, exist_ok=True)
                with Path(name).open("wb") as copy:
                    shutil.copyfileobj(file, copy)
                copied = Path(name).stat()
                self._copies[name] = (copied.st_mtime_ns, copied.st_size)
