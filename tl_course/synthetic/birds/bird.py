"""A bird for a scene: chosen, posed, rendered, and laid over the canvas."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from tl_course.synthetic.birds.anatomy import Pose, build
from tl_course.synthetic.birds.plumage import Light, paint, shade
from tl_course.synthetic.birds.species import PLUMAGES, SHAPES
from tl_course.synthetic.engine.brushes import Array, Canvas, Rng
from tl_course.synthetic.engine.surface import Seen, render

__all__ = ["Bird", "bird_at", "lay"]

VIEWS = {
    "left": 180.0,
    "right": 0.0,
    "three-quarter left": 140.0,
    "three-quarter right": 40.0,
    "front": 90.0,
    "behind": -90.0,
}
STROKES = {"wings up": ((30, 62), (-30, 5)), "wings down": ((-42, -12), (-25, 5)), "gliding": ((0, 18), (-22, -2))}


@dataclass(frozen=True)
class Bird:
    """A bird ready to be put into a scene.

    `seen` and its lit `colours` lie with their corner at pixel `corner` of the canvas; `box` (left, top, right, bottom)
    and `foot` are in units of the canvas; `truth` says what bird it is and what it does.
    """

    seen: Seen
    colours: Array
    corner: tuple[int, int]
    box: tuple[float, ...]
    foot: tuple[float, float]
    truth: dict[str, Any]


def _pose(rng: Rng, kind: str, stance: str) -> tuple[Pose, dict[str, str]]:
    """How a bird of some kind holds itself, and the words for it."""
    owl = kind == "owl"
    view = str(rng.choice(list(VIEWS), p=(0.22, 0.22, 0.19, 0.19, 0.10, 0.08)))
    if owl and view in ("left", "right"):
        view = f"three-quarter {view}"
    yaw = VIEWS[view] + rng.normal(0, 12)
    act, turn, nod, gape = "resting", rng.normal(0, 22), rng.normal(2, 9), 0.0
    if view == "behind":
        turn = rng.choice((-1, 1)) * rng.uniform(60, 110)
    if owl:  # whatever the body does, the face looks at you
        turn, nod = float(np.clip(90 - yaw + rng.normal(0, 18), -130, 130)), rng.normal(-3, 5)
    pitch = rng.uniform(*SHAPES[kind].pitch)
    chance = rng.random()
    if stance == "flying":
        act = str(rng.choice(list(STROKES)))
        flap, fold = (rng.uniform(*bounds) for bounds in STROKES[act])
        hover = kind == "hummingbird"
        tilt = rng.choice((-1, 1), p=(0.6, 0.4)) * rng.uniform(12, 70) * (0.4 if hover else 1.0)
        pose = Pose(
            rng.uniform(35, 60) if hover else rng.normal(6, 8),
            0.4 * turn,
            0.4 * nod,
            spread=True,
            flap=flap,
            fold=fold,
            sweep=rng.uniform(0, 14),
            fan=rng.uniform(9, 24),
            cock=rng.normal(0, 8),
            yaw=yaw,
            tilt=tilt,
            roll=rng.normal(0, 14),
            stance=stance,
        )
        return pose, {"view": view, "act": act}
    if stance in ("perched", "clinging") and chance < 0.16:
        act, nod, gape = "singing", rng.uniform(15, 40), rng.uniform(18, 40)
    elif chance < 0.30 and not owl:
        act, nod = "looking down", rng.uniform(-50, -22)
    cock = rng.uniform(30, 75) if kind == "wren" else rng.normal(2, 7)
    if stance == "clinging":
        view = "left" if np.cos(np.radians(yaw)) < 0 else "right"
        yaw, cock, turn = VIEWS[view] + rng.normal(0, 14), -8.0, rng.normal(0, 12)
    pose = Pose(
        pitch,
        turn,
        nod,
        gape,
        fan=rng.uniform(2, 8),
        cock=cock,
        yaw=yaw,
        tilt=rng.normal(4, 9),
        roll=rng.normal(0, 3),
        stance=stance,
    )
    return pose, {"view": view, "act": act}


def bird_at(canvas: Canvas, rng: Rng, name: str, stance: str, *, place: tuple[float, float], extent: float,
            light: Light) -> Bird:  # fmt: skip
    """A bird of species `name` whose longer side fills `extent` of the canvas, centred at `place`."""
    plumage = PLUMAGES[name]
    pose, words = _pose(rng, plumage.shape, stance)
    sheets, feet = build(plumage, SHAPES[plumage.shape], pose)
    points = np.concatenate([part.points.reshape(-1, 3) for part in sheets])
    low, high = points.min(axis=0), points.max(axis=0)
    side = canvas.side
    scale = extent * side / max(high[0] - low[0], high[2] - low[2])
    x0 = place[0] * side - scale * (low[0] + high[0]) / 2
    y0 = place[1] * side + scale * (low[2] + high[2]) / 2
    box = np.array([x0 + scale * low[0], y0 - scale * high[2], x0 + scale * high[0], y0 - scale * low[2]])
    # Only the part of the canvas that the bird can reach is rendered, with room for ruffled edges.
    left, top = (int(v) for v in np.clip(box[:2] - 4, 0, side - 16))
    right, bottom = (int(v) for v in np.clip(box[2:] + 4, 16, side))
    seen = render(
        sheets,
        scale=scale,
        centre=(x0 - left, y0 - top),
        shape=(max(16, bottom - top), max(16, right - left)),
        fuzz=rng.normal(0, 0.8, 5003),
    )
    parts = [part.part for part in sheets]
    colour, gloss = paint(seen, parts, plumage, rng)
    lit = shade(seen, parts, colour, gloss, light)
    foot = feet.mean(axis=0)
    truth: dict[str, Any] = {"species": name, "kind": plumage.shape, "stance": stance} | words
    truth |= {"marks": sorted(plumage.marks), "extent": round(extent, 3)}
    at = (float(x0 + scale * foot[0]) / side, float(y0 - scale * (foot[2] + 0.01)) / side)
    return Bird(seen, lit, (left, top), tuple(np.clip(box / side, 0, 1).tolist()), at, truth)


def lay(canvas: Canvas, bird: Bird, *, reflect: float | None, sunk: bool) -> Array:
    """Lay the bird over the canvas with soft edges, mirrored in water at height `reflect`; returns its mask."""
    side = canvas.side
    x, y = bird.corner
    rows, columns = bird.seen.mask.shape
    mask = np.zeros((side, side), dtype=bool)
    mask[y : y + rows, x : x + columns] = bird.seen.mask
    layer = np.zeros((side, side, 3), dtype=np.uint8)
    layer[mask] = (bird.colours * 255).astype(np.uint8)
    if sunk and reflect is not None:
        line = (bird.box[3] - 0.30 * (bird.box[3] - bird.box[1])) * side
        mask[int(line) :] = False
        reflect = line / side
    picture = Image.fromarray(layer)
    if reflect is not None:
        row = int(reflect * side)
        below = min(row, side - row)
        flipped = np.zeros_like(mask)
        flipped[row : row + below] = mask[row - below : row][::-1]
        image = np.zeros_like(layer)
        image[row : row + below] = layer[row - below : row][::-1]
        wave = np.rint(2.5 * np.sin(np.arange(side) * 0.55) + np.arange(side) * 0.0).astype(int)
        columns = np.clip(np.arange(side)[None] + wave[:, None], 0, side - 1)
        rows = np.arange(side)[:, None]
        ghost = Image.fromarray((flipped[rows, columns] * 105).astype(np.uint8)).filter(
            ImageFilter.GaussianBlur(side / 250)
        )
        canvas.image.paste(Image.fromarray(image[rows, columns]), (0, 0), ghost)
    cover = Image.fromarray((mask * 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(0.6))
    canvas.image.paste(picture, (0, 0), Image.fromarray(np.where(mask, np.asarray(cover), 0).astype(np.uint8)))
    return np.asarray(mask)
