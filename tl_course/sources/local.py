"""Sources that need no search: folders, packs, files handed over, rendered sets, and the camera."""

import hashlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

from tl_course.core.files import atomic_path, cache_dir
from tl_course.core.names import label_named
from tl_course.data.archives import unpack
from tl_course.data.collection import Candidate
from tl_course.data.imageset import ImageSet, Picture
from tl_course.data.listing import list_folder
from tl_course.errors import ImageSetError
from tl_course.net.http_client import Client
from tl_course.sources.base import Source
from tl_course.synthetic.datasets import SHIPPED, address_of, as_jpeg, is_drawn
from tl_course.synthetic.drawing import SETS, draw_one

__all__ = ["Camera", "Folder", "Pack", "Rendered", "Upload"]

TAKE = 10  # frames of a camera in a row that count as one scene


class Folder(Source):
    """Pictures of a folder: class folders, or any data set that `ImageSet.open` opens."""

    name = "folder"
    help = "a folder of your own, in it a folder of pictures for each label"
    online = False
    endless = False

    def __init__(self, where: str | Path, *, sha256: str | None = None, **how: Any) -> None:
        """Open what lies there; `how` is as `ImageSet.open` takes it: `label_from`, `table` and `columns`."""
        self._images = ImageSet.open(where, sha256=sha256, warn=False, **how)
        self.skipped = self._images.skipped

    def labels(self) -> list[str]:
        """The labels that it has."""
        return self._images.labels

    def check(self, query: str) -> None:
        """See `Source.check`."""
        if label_named(query) not in self._images.labels:
            found = " and ".join(map(repr, self._images.labels))
            raise ImageSetError(
                f"{self._images.name} has no label {query!r}; it has {found}. Say which of these is meant: "
                "LABEL=ITS_LABEL in a terminal, {'LABEL': 'ITS_LABEL'} in Python."
            )

    def search(self, label: str, query: str, client: Client) -> Iterator[Candidate]:
        """See `Source.search`."""
        return (self._candidate(picture, label) for picture in self._images if picture.label == label_named(query))

    def _candidate(self, picture: Picture, label: str) -> Candidate:
        known = {key: picture.extra.get(key, "") for key in ("page", "title", "license_url")}
        return Candidate(
            label=label,
            url=picture.url or f"{self.name}:{picture.sha256[:16]}/{picture.file_name}",
            data=self._images.path(picture),
            source=picture.source or self.name,
            creator=picture.creator,
            license=picture.license,
            **known,
        )


class Pack(Folder):
    """Pictures of a zip, from a file or an address; `sha256` is what it must have."""

    name = "pack"
    help = "a zip that somebody packed, such as your instructor: its path or its address"


class Upload(Source):
    """Files handed over, by name: pictures, and zips of pictures, all for the label that is asked for."""

    name = "upload"
    help = "pictures or zips from your computer"
    online = False
    endless = False

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files

    def search(self, label: str, query: str, client: Client) -> Iterator[Candidate]:
        """See `Source.search`."""
        self._time = uuid4().hex[:8]
        for name, data in self._files.items():
            digest = hashlib.sha256(data).hexdigest()
            if not name.lower().endswith(".zip"):
                yield self._candidate(label, f"{digest[:16]}/{name}", data)
                continue
            archive = cache_dir("uploads") / f"{digest}.zip"
            with atomic_path(archive) as part:
                part.write_bytes(data)
            folder = unpack(archive)
            archive.unlink()
            for inner in list_folder(folder)[0].all_images():
                yield self._candidate(label, f"{digest[:16]}/{inner}", folder / inner)

    def _candidate(self, label: str, name: str, data: bytes | Path) -> Candidate:
        # Whoever hands a file over again shall hear what became of it, so that no name is known from the time before.
        url = f"upload:{name}#{self._time}"
        return Candidate(label=label, url=url, data=data, source=self.name, title=Path(name).name)


class Rendered(Source):
    """Pictures that the course draws itself, the same for everyone: labels of its rendered sets ("bird", "forest")."""

    name = "rendered"
    help = "pictures that the course draws itself, without any network"
    online = False
    near = 0  # what is alike was drawn alike

    def labels(self) -> list[str]:
        """The labels that it has."""
        return [label for labels in SETS.values() for label in labels]

    def check(self, query: str) -> None:
        """See `Source.check`."""
        if query not in self.labels():
            raise ImageSetError(f"No rendered set has {query!r}; there is {', '.join(self.labels())}.")

    def search(self, label: str, query: str, client: Client) -> Iterator[Candidate]:
        """See `Source.search`."""
        set_name = next(name for name, labels in SETS.items() if query in labels)
        return self._draw(set_name, label, query)

    def _draw(self, set_name: str, label: str, query: str) -> Iterator[Candidate]:
        first = 0
        if is_drawn(set_name):
            shipped = ImageSet.shipped(set_name)
            for picture in shipped:
                if picture.label == query:
                    yield self._candidate(label, picture.url, shipped.path(picture))
            first = SHIPPED["n"]
        options = {"seed": SHIPPED["seed"], "size": SHIPPED["size"]}
        for index in range(first, 10**9):  # one at a time, so that each is shown as soon as it is drawn
            drawn = draw_one(set_name, index, **options)
            if drawn.label == query:
                address = address_of(set_name, index, drawn.truth["scene"], options)
                yield self._candidate(label, address, as_jpeg(drawn.image))

    def _candidate(self, label: str, url: str, data: bytes | Path) -> Candidate:
        return Candidate(label=label, url=url, data=data, source=self.name, creator="tl-course", license="CC0-1.0")


class Camera(Source):
    """Frames of a camera that is plugged into this machine, or of a video file.

    In a notebook elsewhere (Colab, Binder, a class's server) the camera belongs to the browser: use the one in
    `tl_course.widgets.DatasetBuilder`.

    Parameters
    ----------
    device
        Number of the camera, or the path of a video.
    every
        Seconds from one frame to the next.
    """

    name = "camera"
    help = "this machine's camera; in a notebook, the one in the data-set builder"
    online = False
    near = 2  # a small movement makes another picture; a still scene does not

    def __init__(self, device: int | str = 0, *, every: float = 0.3) -> None:
        self.device = device
        self.every = every

    def search(self, label: str, query: str, client: Client) -> Iterator[Candidate]:
        """See `Source.search`."""
        try:
            import cv2
        except ImportError:
            raise ImageSetError(
                "The camera needs OpenCV here: pip install 'tl-course[camera]'. Or use the camera in the notebook's "
                "DatasetBuilder, which needs nothing."
            ) from None
        capture = cv2.VideoCapture(self.device)
        began = f"{time.time():.0f}"
        step = self.every if isinstance(self.device, int) else 0.0
        frames = round(self.every * (capture.get(cv2.CAP_PROP_FPS) or 25)) if not step else 1
        try:
            if not capture.isOpened():
                raise ImageSetError(f"The camera {self.device!r} does not open. Is it plugged in, or in use elsewhere?")
            for index in range(10**9):
                good, frame = capture.read()
                if not good:
                    return
                if index % frames == 0:
                    data = cv2.imencode(".jpg", frame)[1].tobytes()
                    url = camera_url(f"{label}-{began}", index // frames)
                    yield Candidate(label=label, url=url, data=data, source=self.name)
                    time.sleep(step)
        finally:
            capture.release()


def camera_url(recording: str, frame: int) -> str:
    """What a frame of a recording is called: ten in a row are one scene, and so stay in one split."""
    return f"camera:{recording}/{frame // TAKE}#{frame}"
