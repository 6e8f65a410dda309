"""Pictures for a lesson: real photos where some can be had at once, pictures that the course draws otherwise."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from tl_course.core.files import NEARBY, cache_dir, hold
from tl_course.data.imageset import ImageSet
from tl_course.errors import ImageSetError, TLCourseError
from tl_course.net.download import nearby_set
from tl_course.net.http_client import Client
from tl_course.sources.base import Collected
from tl_course.sources.public import Public
from tl_course.synthetic.rendering import render_dataset

__all__ = ["lesson_images"]

PATIENCE = 2.0  # seconds in which a place has to answer; a class does not wait for one that may never
LONGEST = 60.0  # seconds for photos to come from a public source that did answer
PUBLIC = {"cats_dogs": ("cat", "dog")}  # sets for which a public source has photos, and their labels there
N = 100  # pictures a label from a public source


def lesson_images(
    name: str, source: str | Path = "auto", *, folder: str | Path | None = None, **drawn: Any
) -> ImageSet:
    """The data set of a lesson, from where its parameter `source` says, with one line on which it is and why.

    Parameters
    ----------
    name
        The lesson's set ("birds").
    source
        "auto" takes real photos: a folder or zip called `name` in the places that ``TL_COURSE_DATA`` or
        ``TL_COURSE_MIRROR`` names, else a public source, whichever answers within two seconds; where none does, it is
        as "rendered": pictures that the course draws itself, the same everywhere. Anything else is for
        `ImageSet.open`: a folder, a zip, an address.
    folder
        Where a copy of one's own is to lie, which may be edited. Where there is one already it is opened as it was
        left, whatever `source` says.
    drawn
        Where pictures are drawn into `folder`: options of `render_dataset`.

    Raises
    ------
    ImageSetError
        What `source` names cannot be opened, or there is no rendered set of this name.
    """

    def draw() -> ImageSet:
        return ImageSet.shipped(name) if folder is None else render_dataset(name, folder, **drawn)

    if folder is not None and Path(folder).exists():
        images, why = ImageSet.open(folder), f"as they were left in {folder}; remove that folder to begin anew"
    elif source == "rendered":
        images, why = draw(), "drawn by the course itself, as asked for"
    elif source != "auto":
        images, why = ImageSet.open(source), "as asked for"
    else:
        images, why = _automatic(name, draw)
    print(f"Pictures: {images.name}, {len(images)} of {', '.join(images.labels)}; {why}.")
    if folder is not None and not Path(folder).exists():
        images = images.copy_to(folder)
    return images


def _automatic(name: str, draw: Callable[[], ImageSet]) -> tuple[ImageSet, str]:
    tried = [f"{variable}={os.environ[variable]}" for variable in NEARBY if os.environ.get(variable)]
    why = f"none of {', '.join(tried)} had {name}/ or {name}.zip within {PATIENCE:.0f} s" if tried else ""
    why = why or f"no place with photos is named ({' or '.join(NEARBY)})"
    if (place := _in_time(name)) is not None:
        try:
            if place == Public.name:
                print(f"Fetching photos from {Public.help}, for {LONGEST:.0f} s at most …")
                report = _collected(name)
                if not report.complete:
                    raise ImageSetError("; ".join(report.problems))
                return report.images, f"real photos from {Public.help}"
            return ImageSet.open(place), f"real photos from {place}"
        except TLCourseError as error:
            why = f"{place} did not work ({error})"
    return draw(), f"drawn by the course itself, for {why}"


def _collected(name: str) -> Collected:
    folder = cache_dir("collected") / name
    hold(folder)
    stop = threading.Event()
    clock = threading.Timer(LONGEST, stop.set)
    clock.daemon = True
    clock.start()
    try:
        report = Public().collect(PUBLIC[name], N, folder, stop=stop)
    finally:
        clock.cancel()
    if report.interrupted and not stop.is_set():  # somebody at the keyboard, who wants more than these photos to stop
        raise KeyboardInterrupt
    hold(folder)
    return report


def _in_time(name: str) -> str | None:
    """The first place that answers in time. What hangs is left behind in its thread."""
    answer: Queue[str | None] = Queue()

    def look() -> None:
        answer.put(nearby_set(name) or (Public.name if name in PUBLIC and _answers(Public().url) else None))

    threading.Thread(target=look, daemon=True).start()
    try:
        return answer.get(timeout=PATIENCE)
    except Empty:
        return None


def _answers(url: str) -> bool:
    try:
        with Client(timeout=PATIENCE) as client, client.stream(url) as response:
            return response.status_code == 200
    except TLCourseError:
        return False
