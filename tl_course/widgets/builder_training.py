"""Training from the data-set builder: the frozen head, how good it is as far as can be told, and what it predicts."""

import threading
import warnings
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tl_course.cleaning.agreement import interval_of_share
from tl_course.core.progress import Bar, redirect_bars
from tl_course.data.imageset import ImageSet
from tl_course.data.splits import groups_of
from tl_course.errors import ImageSetError, ModelError, TLCourseWarning
from tl_course.features.extraction import extract
from tl_course.models.classifier import backbone_and_body
from tl_course.training.trainer import train
from tl_course.widgets.builder_words import first_three

if TYPE_CHECKING:
    from PIL import Image
    from torch import nn

    from tl_course.features.backbones import Backbone
    from tl_course.models.classifier import Classifier, Prediction

__all__ = ["Trainer", "score_in_words"]

_SCENES = 3  # of each label: two to learn from in cross-validation, one to test on
_EVERY = 0.25  # seconds between two updates of the page
_WIDE = 0.2  # of an interval: more, and the score means little


class _Stopped(Exception):  # noqa: N818  (nobody erred)
    """Somebody stopped the training."""


class Trainer:
    """Trains on what a folder holds and keeps the model.

    `told` is called whenever `seen` would say something new; it may pass over what comes within so many seconds.
    """

    def __init__(self, folder: Path, told: Callable[[float], None]) -> None:
        self.model: Classifier | None = None
        self._folder, self._told = folder, told
        self._trained_on: dict[str, str] = {}  # labels by file name
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._busy, self._done, self._total = False, 0, 0  # of the bar that moved last
        self._text, self._trouble = "", False

    @property
    def text(self) -> str:
        """What was said last."""
        return self._text

    def begin(self) -> None:
        """Claim the training, which `run` then does; a ModelError where it is under way already."""
        with self._lock:
            if self._busy:
                raise ModelError("Training is under way. Stop it first, or wait.")
            self._busy, self._done, self._total = True, 0, 0
            self._stop.clear()
        self._say("Opening the images …")

    def stop(self) -> None:
        """End the training; a model from before stays."""
        if self._busy:
            self._stop.set()
            self._say("Stopping …")

    def run(self, *, backbone: str | Path, device: str, seed: int, aside: bool) -> "Classifier | None":
        """Train; None where it was stopped. What goes wrong is raised, and said on the page.

        What is done `aside`, in a thread, shows its progress on the page; otherwise the cell that waits shows it.
        """
        listening = redirect_bars(self._heard) if aside else nullcontext()
        try:
            images = ImageSet.open(self._folder, warn=False)  # a state of its own: collecting and sorting go on
            _check_scenes(images)
            with listening:
                failed = _looked_at(images, *backbone_and_body(backbone), device)
                with warnings.catch_warnings():
                    if failed:  # which is said here
                        warnings.simplefilter("ignore", TLCourseWarning)
                    model = train(images, backbone=backbone, device=device, seed=seed)
        except _Stopped:
            self._end("Stopped." + " The model from before is kept." * (self.model is not None))
            return None
        except BaseException as error:
            self._end(str(error) or "Stopped.", trouble=True)
            raise
        self.model = model
        self._trained_on = {one.file_name: one.label for one in images}
        left_out = f" {len(failed)} could not be read and took no part: {first_three(failed)}." if failed else ""
        self._end(score_in_words(model, images) + left_out)
        return model

    def predict(self, image: "Image.Image") -> "Prediction":
        """What the model says of an image; a ModelError before one is trained."""
        if self.model is None:
            raise ModelError("Nothing is trained yet: press 'Train', or call builder.train().")
        (prediction,) = self.model.predict(image)
        return prediction

    def seen(self, now: Mapping[str, str]) -> dict[str, Any]:
        """What the page shows, where `now` are the labels of all images by file name."""
        text, stale = self._text, self.model is not None and not self._busy and now != self._trained_on
        return {
            "busy": self._busy, "done": self._done, "total": self._total, "text": text, "trouble": self._trouble,
            "labels": self.model.labels if self.model else [], "stale": stale,
        }  # fmt: skip

    def _heard(self, bar: Bar) -> None:
        if self._stop.is_set():
            raise _Stopped
        self._done, self._total, self._text = bar.n, bar.total or 0, f"{bar} …"
        self._told(_EVERY)

    def _say(self, text: str, *, trouble: bool = False) -> None:
        self._text, self._trouble = text, trouble
        self._told(0.0)

    def _end(self, text: str, *, trouble: bool = False) -> None:
        self._busy = False
        self._say(text, trouble=trouble)


def score_in_words(model: "Classifier", images: ImageSet) -> str:
    """How often a model was right about images that it had not learned from, and how much that is worth.

    Its training images count as cross-validation saw them, and its validation images as they are. The interval is
    Wilson's, of 95 percent (Wilson 1927); images of one scene count as one there.
    """
    metrics = model.metrics
    right = round(metrics["cross_validated_accuracy"] * metrics["n_train"])
    right += round(metrics["accuracy"] * metrics["n_test"])
    n = metrics["n_train"] + metrics["n_test"]
    seen = [*images.train, *images.valid]
    scenes = len(set(groups_of(seen)))
    low, high = interval_of_share(right / n, min(n, scenes))
    text = f"Right on {right} of {n} images that it had not learned from ({_percent(right / n)})."
    label, most = Counter(one.label for one in seen).most_common(1)[0]
    if low <= most / len(seen):
        text += f" That is hardly better than always saying '{label}' ({_percent(most / len(seen))})."
    elif high - low > _WIDE:
        what = "few images" if scenes > n / 2 else "few scenes"
        text += f" With so {what} that means little: it may be {_percent(low)} or {_percent(high)}. Collect more."
    else:
        text += f" Of more images like these, expect {_percent(low)} to {_percent(high)}."
    return text


def _looked_at(images: ImageSet, backbone: "Backbone", body: "nn.Module | None", device: str) -> list[str]:
    """Put all images through the backbone, which keeps their features; those that cannot be read are returned."""
    chosen = [*images.train, *images.valid]
    paths, hashes = [images.path(one) for one in chosen], [one.sha256 for one in chosen]
    network = (lambda: body) if body is not None else None
    features = extract(paths, backbone, device=device, hashes=hashes, body=network)
    return [chosen[index].file_name for index in features.failed]


def _check_scenes(images: ImageSet) -> None:
    """Raise an ImageSetError that says what to collect where there is too little to learn from and to test on."""
    counts = Counter(one.label for one in images)
    if len(counts) < 2:
        raise ImageSetError("Training needs images of two labels. Collect some of a second one.")
    if few := [f"{n} of '{label}'" for label, n in counts.items() if n < _SCENES]:
        raise ImageSetError(
            f"There {'is' if few[0].startswith('1 ') else 'are'} {' and '.join(few)}: it takes {_SCENES} of each label "
            "to learn from some and test on the others. Collect more."
        )
    learning = images.train
    scenes: dict[str, set[str]] = {label: set() for label in counts}
    for one, group in zip(learning, groups_of(learning), strict=True):
        scenes[one.label].add(group)
    if lone := [f"'{label}'" for label, groups in scenes.items() if len(groups) < 2]:
        raise ImageSetError(
            f"The images of {' and '.join(lone)} show too few scenes: what a camera sees while its button is held down "
            "once is the same scene again and again. Record it some more times, from elsewhere, in other light."
        )


def _percent(share: float) -> str:
    """In whole percent, where neither "0%" nor "100%" is said of what only comes near."""
    whole = round(100 * share)
    return f"{max(1, min(99, whole)) if 0 < share < 1 else whole}%"
