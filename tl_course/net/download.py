"""Whole files from the network: looked for nearby first, resumed where they broke off, checked when they are whole.

Nearby is what ``TL_COURSE_DATA`` and then ``TL_COURSE_MIRROR`` name: a folder (a school's share, a data set attached in
Kaggle) or the address of one. Both are looked at before the internet.
"""

import hashlib
import json
import os
import re
import warnings
from collections.abc import Generator
from contextlib import suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from tl_course.core.files import NEARBY, atomic_path, cache_dir, sha256_of, touch
from tl_course.core.progress import Bar
from tl_course.errors import FetchError, ImageSetError, TLCourseWarning
from tl_course.net.http_client import TRIES, Client

__all__ = ["Download", "fetch_pack", "nearby", "nearby_set"]

MAX_BYTES = 16 * 2**30  # of one file
_PIECE = 2**18


class Download:
    """A file on the network, read from its beginning like an open file; what has come stays on the disk.

    A broken connection is taken up again where it broke (HTTP ranges, RFC 9110, section 14), and a later process reads
    what an earlier one fetched before it asks for more. So reading may stop at any point and nothing is fetched twice.
    A server that knows no ranges sends all of it again, of which only the new part counts.

    Attributes
    ----------
    path : Path
        Where the bytes so far are kept.
    fetched : int
        Bytes that came over the network through this object.
    """

    def __init__(self, client: Client, url: str, *, limit: int = MAX_BYTES) -> None:
        self.url = url
        self.fetched = 0
        self._client = client
        self._limit = limit
        folder, name = cache_dir("downloads"), hashlib.sha256(url.encode()).hexdigest()[:24]
        self.path = folder / f"{name}.part"
        self._notes = folder / f"{name}.json"  # the file's version, as the server calls it, and its length
        self._position = 0
        self._pieces = self._all()
        self._rest = b""

    def __enter__(self) -> "Download":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def length(self) -> int | None:
        """Bytes of the whole file, where that is known by now."""
        length = self._version().get("length")
        return length if isinstance(length, int) else None

    @property
    def complete(self) -> bool:
        """Whether all of the file is on the disk."""
        return self.length is not None and self._kept() == self.length

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, or fewer where the file ends; all that are left if negative.

        Raises
        ------
        FetchError
            The file cannot be had, is longer than the limit, or is another one than when its first part was fetched.
        """
        taken = bytearray(self._rest)
        while size < 0 or len(taken) < size:
            piece = next(self._pieces, b"")
            if not piece:
                break
            taken += piece
        end = len(taken) if size < 0 else size
        self._rest = bytes(taken[end:])
        return bytes(taken[:end])

    def finish(self) -> Path:
        """Fetch all that is missing and return where the whole file lies; a bar shows how far it is."""
        self.close()
        self._position = self._kept()
        with Bar(f"fetching {_last_name(self.url)}", unit="MB") as bar:
            for _ in self._missing():
                bar.total = self.length and max(self.length // 1_000_000, 1)
                bar.update(self._position // 1_000_000 - bar.n)
        return self.path

    def close(self) -> None:
        """Let go of the connection; what has come is kept."""
        self._pieces.close()

    def forget(self) -> None:
        """Remove what has come, so that the next one starts anew."""
        self.close()
        self.path.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    def _all(self) -> Generator[bytes, None, None]:
        with suppress(FileNotFoundError), self.path.open("rb") as file:
            while piece := file.read(_PIECE):
                self._position += len(piece)
                yield piece
        yield from self._missing()

    def _missing(self) -> Generator[bytes, None, None]:
        in_vain = 0
        while not self.complete:
            before = self._position
            try:
                yield from self._answer()
            except FetchError as error:
                in_vain = 0 if self._position > before else in_vain + 1
                if not error.passing or in_vain >= TRIES:
                    raise
                self._client.pause(in_vain + 1)

    def _answer(self) -> Generator[bytes, None, None]:
        """The bytes after our position, from one request, written down before they are handed on."""
        known = self._version()
        headers = {"Range": f"bytes={self._position}-", "If-Range": known["tag"]} if known.get("tag") else {}
        with self._client.stream(self.url, headers=headers if self._position else {}) as response:
            head = response.headers
            resumed = response.status_code == 206
            if response.status_code == 416 and head.get("content-range", "").endswith(f"/{self._position}"):
                self._write_down(known | {"length": self._position})  # it told no length before, and all of it is here
                return
            if not resumed and response.status_code != 200:
                raise self._client.refusal(response)
            total = head.get("content-range", "").rpartition("/")[2] if resumed else head.get("content-length", "")
            length = int(total) if total.isdecimal() else None
            version = {"tag": _tag(head), "length": length}
            if self._position and version != {key: known.get(key) for key in version}:
                self.forget()
                raise FetchError("another file than when its first part was fetched; that part is removed, try again")
            if (length or 0) > self._limit:
                raise FetchError(f"too long ({(length or 0) / 2**20:,.0f} MB)")
            self._write_down(version)
            repeated = 0 if resumed else self._position
            with self.path.open("r+b" if self.path.exists() else "w+b") as file:
                file.seek(self._position)  # not at the end: two processes may write, and both write the same
                for piece in response.iter_raw():  # as they come, so that a break loses none
                    self._client.count(len(piece))
                    self.fetched += len(piece)
                    new = piece[min(repeated, len(piece)) :]
                    repeated -= len(piece) - len(new)
                    if self._position + len(new) > self._limit:
                        raise FetchError(f"longer than {self._limit / 2**20:,.0f} MB, so given up")
                    if new:
                        try:
                            file.write(new)
                            file.flush()
                        except OSError as error:
                            raise FetchError(f"{self.path} could not be written: {error.strerror}") from None
                        self._position += len(new)
                        yield new
            if length is None:
                self._write_down(version | {"length": self._position})

    def _kept(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    def _version(self) -> dict[str, Any]:
        try:
            return dict(json.loads(self._notes.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return {}

    def _write_down(self, version: dict[str, Any]) -> None:
        with atomic_path(self._notes) as part:
            part.write_text(json.dumps({"url": self.url, **version}), encoding="utf-8")


def _tag(headers: Any) -> str:
    """What names this version of a file; a weak ETag does not (RFC 9110, section 13.1.5)."""
    tag = str(headers.get("etag", ""))
    return tag if tag and not tag.startswith("W/") else str(headers.get("last-modified", ""))


def nearby(name: str) -> list[str]:
    """Where a file or folder of this name may lie nearby: paths that exist, and addresses that may not answer."""
    found = []
    for place in filter(None, map(os.environ.get, NEARBY)):
        if "://" in place:
            found.append(f"{place.rstrip('/')}/{name}")
        elif (path := Path(place).expanduser() / name).exists():
            found.append(str(path))
    return found


def nearby_set(name: str) -> str | None:
    """The path or address nearby of a data set of this name, a folder or a zip; None where there is none."""
    for place in [*nearby(name), *nearby(f"{name}.zip")]:
        if "://" not in place:
            return place
        if place.endswith(".zip"):
            with Client(trusted=[place], timeout=2.0) as client, suppress(FetchError), client.stream(place) as answer:
                if answer.status_code == 200:
                    return place
    return None


def fetch_pack(url: str, *, sha256: str | None = None) -> Path:
    """The zip of an address as a file: from nearby under its last name, else over the network, resumed and checked.

    Parameters
    ----------
    url
        An address. Its host may lie on a private network, for the user named it.
    sha256
        What the file must have. With it, a file that was fetched before is not asked for again, and a copy nearby
        that has another one is passed over with a warning.

    Raises
    ------
    ImageSetError
        It cannot be had, or is not the file that it should be.
    """
    if not url.startswith(("http://", "https://")):
        raise ImageSetError(f"{url} cannot be opened: an address starts with https:// or http://.")
    digest = sha256.strip().lower() if sha256 else None
    if digest and not re.fullmatch("[0-9a-f]{64}", digest):
        raise ImageSetError(f"{sha256!r} is no SHA-256, which is 64 digits and letters a to f. Copy all of it.")
    kept = cache_dir("downloads") / f"{digest}.zip"
    reasons = []
    for place in [*nearby(_last_name(url)), url]:
        if digest and kept.is_file() and sha256_of(kept) == digest:
            touch(kept)
            return kept
        try:
            path = Path(place) if "://" not in place else _fetch_whole(place)
            if digest in (None, found := sha256_of(path)):
                return path
            if "://" in place:
                path.unlink()
            reasons.append(f"{place} is another file: its SHA-256 is {found}, and should be {digest}")
        except (FetchError, OSError) as error:
            reasons.append(f"{place}: {error}")
        if place != url:
            warnings.warn(f"Passed over a copy nearby. {reasons[-1]}.", TLCourseWarning, stacklevel=4)
    advice = (
        "Ask whoever gave you the SHA-256"
        if "another file" in reasons[-1]
        else (
            "Check the address and the network, and run this again: what has come so far is kept. Or fetch the zip by "
            "other means and open it by its path"
        )
    )
    raise ImageSetError(f"The pack cannot be had. {'; '.join(reasons)}. {advice}.")


def _last_name(url: str) -> str:
    return url.rstrip("/").rpartition("/")[2].partition("?")[0]


def _fetch_whole(url: str) -> Path:
    """The file of an address, called after its SHA-256; several processes that want it fetch it once."""
    with Client(trusted=[url]) as client, Download(client, url) as download:
        with FileLock(download.path.with_suffix(".lock")):
            path = download.finish()
            whole = path.with_name(f"{sha256_of(path)}.zip")
            path.replace(whole)
            download.forget()
        return whole
