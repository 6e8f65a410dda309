"""Picture sets that the package draws itself: seeded, with their truth on record, and with flaws where asked for.

A rendered set needs no network and hides nothing: for each picture it is known what was drawn, and which flaw was
planted. Picture `i` depends on the set's name, the seed, `i`, the size and the shares of flaws alone, so that pictures
can be drawn in any order and in several processes.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from tl_course.errors import ImageSetError

__all__ = ["SETS", "RenderedPicture", "draw", "draw_one"]

SETS: dict[str, tuple[str, ...]] = {
    "birds": ("bird", "forest"),
    "doors": ("closed", "open"),
    "cats_dogs": ("cat", "dog"),
    "animals": ("bear", "cow", "elephant", "fox", "horse", "monkey", "mouse", "pig", "rabbit", "sheep"),
    "patterns": ("checks", "clouds", "dots", "grid", "rings", "stripes", "waves", "zigzag"),
}
SIZES = range(32, 1025)
# Flaws are dealt by blocks of so many pictures, so that every stretch of a set has about its share of them.
BLOCK = 10


@dataclass(frozen=True)
class RenderedPicture:
    """One drawn picture.

    Attributes
    ----------
    image
        RGB, size x size pixels.
    label
        The label as a learner gets it; wrong where a wrong label was planted.
    truth
        What was drawn, ready for JSON. ``true_label`` is None for an off-topic picture, which no label fits. ``scene``
        is the index at which the scene was first drawn: near-duplicates share it. ``flaws`` lists ``wrong_label``,
        ``near_duplicate`` or ``off_topic``. The rest describes the scene: ``bird`` is None where there is none;
        ``angle`` is how far a door stands open, in degrees; ``animal`` tells species, breed, coat, pose, framing
        and the share of it that something hides.
    """

    image: Image.Image
    label: str
    truth: dict[str, Any]


def draw(name: str, n: int, *, seed: int = 0, size: int = 256, wrong_labels: float = 0.0, near_duplicates: float = 0.0,
         off_topic: float = 0.0, threshold: float | None = None) -> Iterator[RenderedPicture]:  # fmt: skip
    """The first `n` pictures of a set, drawn as they are asked for; labels take turns, which keeps them balanced.

    Parameters
    ----------
    name
        One of `SETS`.
    n
        Number of pictures.
    seed
        Another seed, another set.
    size
        Pixels along each side, 32 to 1024.
    wrong_labels, near_duplicates, off_topic
        Shares of pictures, 0 to 1 and 1 together at most, that get another label, show an earlier scene once more, or
        show something else altogether. No picture has more than one flaw; a label's first picture is no duplicate.
    threshold
        For "doors": the angle in degrees from which a door is called open, above 0 and up to 110; 20 where it is None,
        and there the labels are balanced. It changes labels alone: what is drawn stays the same.

    Raises
    ------
    ImageSetError
        The set is unknown, or a number is out of its range.
    """
    if n < 0:
        raise ImageSetError(f"Cannot draw {n} pictures: ask for 0 or more.")
    _check(name, seed, size, wrong_labels, near_duplicates, off_topic, threshold=threshold)
    return (
        draw_one(
            name,
            i,
            seed=seed,
            size=size,
            wrong_labels=wrong_labels,
            near_duplicates=near_duplicates,
            off_topic=off_topic,
            threshold=threshold,
        )
        for i in range(n)
    )


def draw_one(
    name: str,
    index: int,
    *,
    seed: int = 0,
    size: int = 256,
    wrong_labels: float = 0.0,
    near_duplicates: float = 0.0,
    off_topic: float = 0.0,
    threshold: float | None = None,
) -> RenderedPicture:
    """Picture `index` of the set that `draw` draws with the same options; raises as `draw` does."""
    _check(name, seed, size, wrong_labels, near_duplicates, off_topic, threshold=threshold)
    if index < 0:
        raise ImageSetError(f"There is no picture {index}: pictures are counted from 0.")
    from tl_course.synthetic import defects

    shares = (off_topic, near_duplicates, wrong_labels)
    flaw = _flaw(seed, index, shares)
    label = _label(name, seed, index)
    if flaw == "off_topic":
        image, what = _astray(name, _rng(seed, index, 1), size)
        return RenderedPicture(image, label, {"true_label": None, "scene": index, "flaws": [flaw], "shows": what})
    scene = index
    if flaw == "near_duplicate":
        scene = _earlier(name, seed, index, shares)
        flaw = flaw if scene != index else ""
    image, label, truth = _scene(name, seed, scene, label, size, threshold)
    if flaw == "near_duplicate":
        image, truth = defects.second_shot(image, _rng(seed, index, 2), truth)
    given = label
    if flaw == "wrong_label":
        others = [other for other in SETS[name] if other != label]
        given = others[int(_rng(seed, index, 7).integers(len(others)))]
    return RenderedPicture(image, given, {"true_label": label, "scene": scene, "flaws": [flaw] if flaw else []} | truth)


def _scene(
    name: str, seed: int, index: int, label: str, size: int, threshold: float | None
) -> tuple[Image.Image, str, dict[str, Any]]:
    """The scene of one of a set's labels, what it is called, and its truth."""
    if name == "birds":
        from tl_course.synthetic.birds import scenes

        image, truth = scenes.draw_scene(_rng(seed, index, 1), size, bird=label == "bird")
        return image, label, truth
    if name == "doors":
        from tl_course.synthetic.doors import scene as door_scene

        angle = door_scene.draw_angle(_rng(seed, index, 6), is_open=label == "open")
        image, truth = door_scene.draw_scene(_rng(seed, index, 1), size, angle=angle)
        return image, SETS[name][int(angle >= (door_scene.THRESHOLD if threshold is None else threshold))], truth
    from tl_course.synthetic import patterns
    from tl_course.synthetic.mammals import scene as mammal_scene

    draw_scene = patterns.draw_scene if name == "patterns" else mammal_scene.draw_scene
    image, truth = draw_scene(_rng(seed, index, 1), size, label=label)
    return image, label, truth


def _astray(name: str, rng: np.random.Generator, size: int) -> tuple[Image.Image, str]:
    """A picture that no label of the set fits, and what it shows."""
    from tl_course.synthetic import defects
    from tl_course.synthetic.doors import scene as door_scene

    return door_scene.draw_no_door(rng, size) if name == "doors" else defects.off_topic(rng, size)


def _check(name: str, seed: int, size: int, *shares: float, threshold: float | None) -> None:
    if name not in SETS:
        raise ImageSetError(f"There is no rendered set {name!r}. There is: {', '.join(SETS)}.")
    if seed < 0:
        raise ImageSetError(f"The seed is {seed}: use 0 or a whole number above it.")
    if size not in SIZES:
        raise ImageSetError(
            f"Pictures of {size} x {size} pixels cannot be drawn: choose a size from {SIZES[0]} to {SIZES[-1]}."
        )
    for option, share in zip(("wrong_labels", "near_duplicates", "off_topic"), shares, strict=True):
        if not 0.0 <= share <= 1.0:
            raise ImageSetError(f"{option} is {share}: give a share of the pictures between 0 and 1, such as 0.05.")
    if sum(shares) > 1.0 + 1e-9:
        raise ImageSetError(
            f"wrong_labels, near_duplicates and off_topic add up to {sum(shares):.2f}: keep them to 1 together."
        )
    if threshold is None:
        return
    if name != "doors":
        raise ImageSetError(f"The set {name!r} knows no threshold: it is an angle of 'doors'. Leave it out.")
    if not 0.0 < threshold <= 110.0:
        raise ImageSetError(f"The threshold is {threshold}: give an angle above 0 and up to 110 degrees, such as 20.")


def _rng(seed: int, index: int, use: int) -> np.random.Generator:
    return np.random.default_rng([seed, index, use])


def _label(name: str, seed: int, index: int) -> str:
    count = len(SETS[name])
    first = int(_rng(seed, index // count, 3).integers(count))
    return SETS[name][(first + index) % count]


def _flaw(seed: int, index: int, shares: tuple[float, float, float]) -> str:
    """The flaw dealt to a picture, "" for none; each block of pictures deals what the shares come to by its end."""
    block, place = divmod(index, BLOCK)
    order = _rng(seed, block, 4).permutation(BLOCK)
    if block == 0:  # the first pictures stay whole for as long as may be: there is nothing yet to be a duplicate of
        order = np.concatenate([order[order >= 4], order[order < 4]])
    rank = int(np.flatnonzero(order == place)[0])
    total = 0.0
    for name, share in zip(("off_topic", "near_duplicate", "wrong_label"), shares, strict=True):
        before = total
        total += share
        low, high = (round(bound * BLOCK * (block + 1)) - round(bound * BLOCK * block) for bound in (before, total))
        if low <= rank < high:
            return name
    return ""


def _earlier(name: str, seed: int, index: int, shares: tuple[float, float, float]) -> int:
    """An earlier, sound picture of the same label to shoot again, or `index` itself where there is none."""
    start = max(0, index - 30 * len(SETS[name]))
    sound = [i for i in range(start, index) if _label(name, seed, i) == _label(name, seed, index)]
    order = _rng(seed, index, 5).permutation(len(sound))
    return next((sound[i] for i in order if not _flaw(seed, sound[i], shares)), index)
