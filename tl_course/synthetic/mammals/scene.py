"""Scenes with one mammal in them: the sets "cats_dogs" and "animals"."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from tl_course.synthetic.birds.plumage import Light, shade
from tl_course.synthetic.engine.brushes import Array, Canvas, Rng, noise
from tl_course.synthetic.engine.camera import expose
from tl_course.synthetic.engine.surface import Sheets, render
from tl_course.synthetic.mammals.body import Posed, Stance, build_mammal
from tl_course.synthetic.mammals.fur import FURRY, bristly, choose_paints, comb, paint_mammal
from tl_course.synthetic.mammals.head import Face
from tl_course.synthetic.mammals.mammals import BREEDS, COATS, SHARED, Breed
from tl_course.synthetic.mammals.rooms import COVERS, LIGHTS, PLACES, cover, set_place, shadow

__all__ = ["draw_scene"]

FRAMINGS = {"face": 0.30, "half": 0.24, "whole": 0.46}
# How much of the side of the picture an animal fills, or its head, in each framing.
EXTENTS = {"face": (0.62, 1.05), "half": (0.70, 0.95), "whole": (0.46, 0.92)}
PLUMP = ("body", "leg", "paw", "tail", "head", "jaw", "lip", "ruff", "mane")


@dataclass(frozen=True)
class _Shot:
    """Where an animal lies on a canvas: pixels to a unit, the pixel of its origin, its box in units of the canvas."""

    scale: float
    centre: tuple[float, float]
    box: tuple[float, ...]


def draw_scene(rng: Rng, size: int, *, label: str) -> tuple[Image.Image, dict[str, Any]]:
    """One picture of an animal of a label of `BREEDS`, and what was drawn.

    For cats and dogs all but their shape is dealt alike, their coats too, so that nothing else tells them apart.
    Nothing that is random depends on `size`.
    """
    coat_name = str(rng.choice(SHARED)) if label in ("cat", "dog") else ""
    breeds = [breed for breed in BREEDS[label] if not coat_name or coat_name in breed.coats]
    breed = breeds[int(rng.integers(len(breeds)))]
    coat_name = coat_name or str(rng.choice(breed.coats))
    framing = str(rng.choice(list(FRAMINGS), p=list(FRAMINGS.values())))
    stance = _stance(rng, breed, framing)
    extent = float(rng.uniform(*EXTENTS[framing]))
    place = (0.5 + float(rng.normal(0, 0.07)), 0.5 + float(rng.normal(0, 0.05)))
    setting, hour = str(rng.choice(list(PLACES))), str(rng.choice(list(LIGHTS), p=(0.32, 0.18, 0.14, 0.12, 0.10, 0.14)))
    blur = float(rng.uniform(0.002, 0.016) if framing == "whole" else rng.uniform(0.006, 0.035))
    covered = str(rng.choice(list(COVERS))) if rng.random() < 0.42 else ""
    lighting = LIGHTS[hour]
    flip = float(rng.choice((-1.0, 1.0)))
    light = replace(lighting.light, direction=(flip * lighting.light.direction[0], *lighting.light.direction[1:]))

    posed = build_mammal(breed, stance, below=framing != "face")
    side = round(1.25 * size)
    shot = _aim(posed, framing, extent, place, side)
    ground = shot.centre[1] / side - shot.scale / side * float(posed.places["feet"][:, 2].mean())
    canvas = set_place(rng, side, setting, ground, blur)
    if framing != "face":
        shadow(
            canvas,
            (shot.box[0] + shot.box[2]) / 2,
            ground - 0.01,
            0.5 * (shot.box[2] - shot.box[0]),
            0.06 * extent,
            0.55,
        )
    mask = _lay(canvas, rng, posed, breed, coat_name, shot, light)
    hidden = 0.0
    if covered:
        face = (shot.centre[0] + shot.scale * float(posed.places["head"][0, 0])) / side
        away = -1.0 if 2 * face > shot.box[0] + shot.box[2] else 1.0  # from the face: an animal is known by it
        over = cover(canvas, rng, covered, shot.box, away=away, soft=float(rng.choice((0.0, 0.003, 0.010))))
        hidden = float((over & mask).sum() / max(1, mask.sum()))
    missed = float(rng.uniform(0.003, 0.009)) if rng.random() < 0.2 else 0.0
    canvas.blur(missed)
    image = canvas.image.resize((size, size), Image.Resampling.BICUBIC)
    image, camera = expose(image, rng, lighting, harsh=1.2)
    box = [round(float(np.clip(v, 0, 1)) * size) for v in shot.box]
    return image, {
        "animal": {
            "species": label,
            "breed": breed.name,
            "coat": coat_name,
            "pose": stance.kind,
            "facing": round(stance.look),
            "mouth": "open" if stance.face.gape > 4 else "shut",
            "framing": framing,
            "box": box,
            "hidden": round(hidden, 3),
        },
        "place": setting,
        "light": hour,
        "cover": covered or None,
        "background_blur": round(blur, 4),
        "out_of_focus": round(missed, 4),
        "camera": camera,
    }


def _stance(rng: Rng, breed: Breed, framing: str) -> Stance:
    kind = str(rng.choice(breed.poses))
    pitch = {"sitting": rng.uniform(48, 66), "lying": rng.uniform(2, 14), "standing": rng.uniform(-2, 6)}[kind]
    side = float(rng.choice((-1.0, 1.0)))
    turned = float(rng.uniform(*{"sitting": (0, 62), "lying": (10, 80), "standing": (25, 88)}[kind]))
    if framing == "face":
        turned *= 0.6
    look = float(np.clip(side * turned * rng.uniform(-0.1, 0.7) + rng.normal(0, 20), -82, 82))
    gape = float(rng.uniform(8, 24)) if rng.random() < breed.tongue else 0.0
    face = Face(gape=gape, perk=float(rng.normal(0, 6)), tongue=gape > 8)
    return Stance(
        kind,
        pitch=float(pitch),
        yaw=90 - side * turned,
        look=90 - look,
        nod=float(rng.normal(-2, 9)),
        cant=float(rng.normal(0, 7)),
        tilt=float(rng.uniform(-2, 20)),
        wag=float(rng.uniform(-1, 1)),
        step=float(rng.uniform(-1, 1)),
        face=face,
    )


def _aim(posed: Posed, framing: str, extent: float, place: tuple[float, float], side: int) -> _Shot:
    """Point the camera: at the face, at the front, or at all of the animal."""
    first = next(i for i, part in enumerate(posed.sheets) if part.part == "head")
    low, high = _bounds(posed.sheets if framing == "whole" else posed.sheets[first:])
    reach = max(high[0] - low[0], high[2] - low[2])
    if framing == "half":  # the head, and about as much again below it
        reach *= 1.75
        low = low - [0, 0, 0.75 * (high[2] - low[2])]
    scale = extent * side / reach
    x = place[0] * side - scale * (low[0] + high[0]) / 2
    y = place[1] * side + scale * (low[2] + high[2]) / 2
    low, high = _bounds(posed.sheets)
    box = np.array([x + scale * low[0], y - scale * high[2], x + scale * high[0], y - scale * low[2]]) / side
    return _Shot(scale, (float(x), float(y)), tuple(np.clip(box, -0.2, 1.2).tolist()))


def _bounds(sheets: list[Sheets]) -> tuple[Array, Array]:
    points = np.concatenate([part.points.reshape(-1, 3) for part in sheets]).T.copy()
    return np.asarray(points.min(axis=1)), np.asarray(points.max(axis=1))


def _within(sheets: Sheets, shot: _Shot, side: int) -> Sheets:
    """A sheet without the rings that lie outside the picture, which would be sampled for nothing."""
    if len(sheets.points) > 1:
        return sheets
    x = shot.centre[0] + shot.scale * sheets.points[0, ..., 0]
    y = shot.centre[1] - shot.scale * sheets.points[0, ..., 2]
    inside = (x.max(axis=1) > -4) & (x.min(axis=1) < side + 4) & (y.max(axis=1) > -4) & (y.min(axis=1) < side + 4)
    at = np.flatnonzero(inside)
    if len(at) == 0:
        at = np.array([0])
    first, last = max(0, at[0] - 1), min(len(inside), max(at[-1] + 2, at[0] + 3))
    first = min(first, last - 3)
    return replace(sheets, points=sheets.points[:, first:last], local=sheets.local[:, first:last])


def _lay(canvas: Canvas, rng: Rng, posed: Posed, breed: Breed, coat: str, shot: _Shot, light: Light) -> Array:
    """Paint the animal over the canvas; returns its mask (side, side)."""
    side = canvas.side
    paints = choose_paints(rng, breed, COATS[coat])
    left, top = (int(np.clip(v * side - 4, 0, side - 16)) for v in shot.box[:2])
    right, bottom = (int(np.clip(v * side + 4, 16, side)) for v in shot.box[2:])
    sheets = [_within(part, shot, side) for part in posed.sheets]
    shape = (max(16, bottom - top), max(16, right - left))
    seen = render(sheets, scale=shot.scale, centre=(shot.centre[0] - left, shot.centre[1] - top), shape=shape,
                  fuzz=rng.normal(0, 0.9, 5003) * side / 384, gap=0.05)  # fmt: skip
    parts = [part.part for part in sheets]
    fine = noise(rng, shape, (shape[0] / 2.5, shape[1] / 2.5), 1)[seen.mask]
    colour, gloss = paint_mammal(seen, parts, breed, paints, fine)
    roles = ["body" if part in PLUMP else "smooth" for part in parts]
    lit = shade(seen, roles, colour, gloss, light)

    layer = np.zeros((*shape, 3), dtype=np.uint8)
    layer[seen.mask] = (lit * 255).astype(np.uint8)
    soft = np.asarray(Image.fromarray((seen.mask * 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(0.6)))
    canvas.image.paste(
        Image.fromarray(layer), (left, top), Image.fromarray(np.where(seen.mask, soft, 0).astype(np.uint8))
    )
    furry = np.isin(np.array(parts)[seen.part], FURRY) & bristly(seen, parts, breed)
    comb(canvas, rng, seen, (left, top), furry, lit, posed, scale=shot.scale, centre=shot.centre, breed=breed)
    if "whiskers" in posed.places and rng.random() < 0.85:  # not every light shows them
        _whiskers(canvas, rng, posed.places["whiskers"], shot, light)
    mask = np.zeros((side, side), dtype=bool)
    mask[top : top + shape[0], left : left + shape[1]] = seen.mask
    return mask


def _whiskers(canvas: Canvas, rng: Rng, lines: Array, shot: _Shot, light: Light) -> None:
    side = canvas.side
    tone = 0.92 * np.clip(np.asarray(light.sky) + np.asarray(light.key), 0, 1)
    for start, end in lines:
        droop = rng.normal(0, 0.05) + 0.04
        x = (shot.centre[0] + shot.scale * np.linspace(start[0], end[0], 8)) / side
        y = (shot.centre[1] - shot.scale * np.linspace(start[2], end[2], 8)) / side
        y = y + droop * shot.scale / side * np.linspace(0, 1, 8) ** 2
        canvas.stroke(np.stack([x, y], axis=-1), 0.0028 if shot.scale > side else 0.0018, tone)
