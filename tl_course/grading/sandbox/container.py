"""Grading where there is no bubblewrap (macOS, Windows): all of it in a Linux container that has it."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tl_course.errors import GradingError

__all__ = ["IMAGE", "has_image", "run_in_container"]

IMAGE = "tl-course"  # made from assignments/Dockerfile
_ENGINES = ("docker", "podman")


def has_image() -> bool:
    """Whether there is a container engine here that runs, with the course's image in it."""
    engine = _engine()
    return engine is not None and _knows(engine)


def run_in_container(course: Path, words: Sequence[str]) -> None:
    """Run ``tl-course WORDS --course COURSE`` in a container that sees this course and no network.

    The container may make namespaces of its own (``--privileged``): in it, each submission is in bubblewrap, as a user
    without any rights. What it prints is seen as it comes.

    Raises
    ------
    GradingError
        There is no engine or no image, with what to do; or the command failed, with what it said.
    """
    engine = _engine()
    if engine is None:
        raise GradingError(
            f"Neither of {' and '.join(_ENGINES)} runs here. Install one of them, or bubblewrap (Linux)."
        )
    if not _knows(engine):
        raise GradingError(
            f"{engine} has no image {IMAGE!r}. Make it once, in the folder of the course's code: "
            f"{engine} build --tag {IMAGE} --file assignments/Dockerfile ."
        )
    done = subprocess.run(
        [
            engine, "run", "--rm", "--privileged", "--network", "none", "--volume", f"{course.resolve()}:/course",
            IMAGE, "tl-course", *words, "--course", "/course", "--json",
        ],
        stdout=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    try:
        json.loads(done.stdout)
    except ValueError:
        raise GradingError(f"Grading in {engine} did not come to its end; what it said stands above.") from None


def _engine() -> str | None:
    for engine in _ENGINES:
        if shutil.which(engine) and _quiet(engine, "info"):
            return engine
    return None


def _knows(engine: str) -> bool:
    return _quiet(engine, "image", "inspect", IMAGE)


def _quiet(*words: str) -> bool:
    try:
        return subprocess.run(words, capture_output=True, check=False, timeout=30).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
