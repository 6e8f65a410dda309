"""Files that an answer writes, brought to where tests look for them: plain ones, and nothing that Python would run."""

import os
import shutil
import stat
from contextlib import suppress
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

    def bring(self) -> None:
        """Copy what is new, or has changed since."""
        with suppress(OSError), os.scandir(self._folder) as entries:
            for entry, _ in zip(entries, range(_MOST), strict=False):
                if entry.name.startswith(".") or entry.name in _NAMES or self._is_own(entry.name):
                    continue
                if not entry.name.endswith(_NEVER) and entry.is_file(follow_symlinks=False):
                    with suppress(OSError):
                        self._copy(entry.name)

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
                with Path(name).open("wb") as copy:
                    shutil.copyfileobj(file, copy)
                copied = Path(name).stat()
                self._copies[name] = (copied.st_mtime_ns, copied.st_size)
