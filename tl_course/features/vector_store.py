"""What was computed from image files, kept by their content: one SQLite file for each way of computing it."""

import re
import sqlite3
import time
from collections.abc import Mapping
from contextlib import suppress

import numpy as np
from numpy.typing import NDArray

from tl_course.core.files import cache_dir, touch

__all__ = ["Kept"]

_MOST = 10**9  # bytes of one file, beyond which what was used longest ago makes room
_WEEK = 7 * 86_400


class Kept:
    """Arrays by the SHA-256 of the image's file, in a file of the cache that survives killed writers.

    A file that is damaged, locked for long or on a full disk only costs time: it is set aside or left alone, and the
    arrays are computed again. Of one that grows too large, those go that were used longest ago.

    Parameters
    ----------
    name : str
        What is kept.
    way : str
        How it is computed, 12 hexadecimal digits. What was computed in another way is not found; it is removed when
        nobody has asked for it within a week.
    shape : tuple of int
    dtype : str
    """

    def __init__(self, name: str, way: str, *, shape: tuple[int, ...], dtype: str) -> None:
        self._shape, self._dtype = shape, np.dtype(dtype)
        self._path = cache_dir("features") / f"{name}-{way}.sqlite"
        self._today = int(time.time())
        self._connection: sqlite3.Connection | None = None
        if not self._path.exists():
            self._remove_outdated(name)
        touch(self._path)
        for attempt in ("as it is", "anew"):
            try:
                self._connection = sqlite3.connect(self._path, timeout=5)
                self._connection.execute(
                    "CREATE TABLE IF NOT EXISTS arrays (sha256 TEXT PRIMARY KEY, array BLOB, used INTEGER)"
                )
                self._connection.execute("SELECT sha256, array, used FROM arrays LIMIT 1").fetchall()
                return
            except sqlite3.OperationalError:
                break  # locked, read-only or full: the file itself is sound
            except sqlite3.DatabaseError:
                if attempt == "as it is":
                    self._set_aside()
        self.close()

    def read(self, keys: set[str]) -> dict[str, NDArray[np.generic]]:
        """Those of `keys` that are kept, with their arrays."""
        if self._connection is None:
            return {}
        found: dict[str, NDArray[np.generic]] = {}
        unmarked: list[tuple[int, str]] = []
        size = self._dtype.itemsize * int(np.prod(self._shape))
        try:
            wanted = sorted(keys)
            for start in range(0, len(wanted), 500):  # SQLite bounds the number of variables in a statement
                some = wanted[start : start + 500]
                marks = ",".join("?" * len(some))
                query = f"SELECT sha256, array, used FROM arrays WHERE sha256 IN ({marks})"
                for key, blob, used in self._connection.execute(query, some):
                    if len(blob) == size:
                        found[key] = np.frombuffer(blob, self._dtype).reshape(self._shape)
                    if used < self._today - _WEEK:
                        unmarked.append((self._today, key))
            with suppress(sqlite3.OperationalError), self._connection:
                self._connection.executemany("UPDATE arrays SET used = ? WHERE sha256 = ?", unmarked)
        except sqlite3.DatabaseError:
            self._set_aside()
        if self._dtype.kind == "f":
            found = {key: array for key, array in found.items() if np.isfinite(array).all()}
        return found

    def write(self, arrays: Mapping[str, NDArray[np.generic]]) -> None:
        """Keep arrays."""
        if self._connection is None or not arrays:
            return
        try:
            with self._connection:
                rows = [
                    (key, np.ascontiguousarray(array, self._dtype).tobytes(), self._today)
                    for key, array in arrays.items()
                ]
                self._make_room(len(rows))
                self._connection.executemany("INSERT OR REPLACE INTO arrays VALUES (?, ?, ?)", rows)
        except sqlite3.OperationalError:
            self.close()
        except sqlite3.DatabaseError:
            self._set_aside()

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> "Kept":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _make_room(self, n: int) -> None:
        """Remove as many arrays as are to come, where there are enough; the file reuses their place."""
        if self._connection is not None and self._path.stat().st_size > _MOST:
            self._connection.execute(
                "DELETE FROM arrays WHERE sha256 IN (SELECT sha256 FROM arrays ORDER BY used LIMIT ?)", (n,)
            )

    def _set_aside(self) -> None:
        self.close()
        self._path.unlink(missing_ok=True)

    def _remove_outdated(self, name: str) -> None:
        for old in self._path.parent.iterdir():
            rest = old.name.removeprefix(name)
            with suppress(OSError):
                unknown_way = rest == ".sqlite"  # of the first versions of the course, which nothing reads any more
                if unknown_way or (
                    re.fullmatch(r"-[0-9a-f]{12}\.sqlite", rest) and time.time() - old.stat().st_mtime > _WEEK
                ):
                    old.unlink()
