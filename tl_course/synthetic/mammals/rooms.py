"""Where animals are met: rooms, gardens and streets behind them, things in front of them, and the light there."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageFilter

from tl_course.synthetic.birds.plumage import Light
from tl_course.synthetic.engine.brushes import Array, Canvas, Rng, blend, colour_like, noise, smoothstep, spline
from tl_course.synthetic.engine.camera import Lighting

__all__ = ["COVERS", "LIGHTS", "PLACES", "cover", "set_place", "shadow"]

Box: TypeAlias = tuple[float, ...]
_SKY = ((0.6, 0.7, 0.8), (0.8, 0.85, 0.9))
_HAZE = (0.8, 0.8, 0.8)
LIGHTS = {
    "daylight": Lighting(_SKY, _HAZE,
                         Light((-0.4, 0.6, 0.8), (0.72, 0.70, 0.66), (0.52, 0.54, 0.57), (0.34, 0.33, 0.30))),
    "warm": Lighting(_SKY, _HAZE,
                     Light((0.5, 0.6, 0.8), (0.78, 0.66, 0.50), (0.48, 0.44, 0.40), (0.34, 0.28, 0.22)),
                     (1.06, 0.96, 0.80)),
    "cold": Lighting(_SKY, _HAZE,
                     Light((-0.3, 0.5, 0.9), (0.55, 0.60, 0.68), (0.50, 0.55, 0.62), (0.32, 0.35, 0.38)),
                     (0.92, 0.99, 1.08), 0.9),
    "dim": Lighting(_SKY, _HAZE,
                    Light((0.7, 0.4, 0.6), (0.70, 0.62, 0.52), (0.40, 0.40, 0.42), (0.26, 0.24, 0.22)),
                    (0.68, 0.63, 0.58), 0.85),
    "flash": Lighting(_SKY, _HAZE,
                      Light((0.05, 1.0, 0.15), (0.85, 0.85, 0.85), (0.32, 0.32, 0.34), (0.26, 0.26, 0.26), 0.0),
                      (1.02, 1.02, 1.02)),
    "window": Lighting(_SKY, _HAZE,
                       Light((-0.95, 0.15, 0.45), (1.05, 1.0, 0.90), (0.38, 0.40, 0.44), (0.26, 0.25, 0.24), 0.5)),
}  # fmt: skip


def _tone(rng: Rng, *, dark: float = 0.15, light: float = 0.9) -> Array:
    """Any colour of a wall, a cloth or a thing: more often a quiet one."""
    grey = rng.uniform(dark, light)
    tint = rng.normal(0, 1, 3)
    return np.asarray(
        np.clip(grey + (tint - tint.mean()) * rng.choice((0.03, 0.06, 0.13)), 0.05, 0.95), dtype=np.float32
    )


def _cloth(canvas: Canvas, rng: Rng, outline: Array, tone: Array) -> None:
    """A filled shape of cloth, with stripes or spots at times."""
    canvas.polygon(outline, tone)
    if rng.random() < 0.35:
        low, high = outline.min(axis=0), outline.max(axis=0)
        mark, step = _tone(rng), rng.uniform(0.04, 0.12)
        for x in np.arange(low[0] + step, high[0] - 0.4 * step, step):
            canvas.stroke([(x, low[1] + 0.02), (x + 0.02, min(1.0, high[1]) - 0.01)], 0.25 * step, mark)


def _rounded(x0: float, y0: float, x1: float, y1: float, r: float) -> Array:
    turn = np.linspace(0, np.pi / 2, 6)
    corners = [
        (x1 - r, y1 - r, 0.0),
        (x0 + r, y1 - r, np.pi / 2),
        (x0 + r, y0 + r, np.pi),
        (x1 - r, y0 + r, 1.5 * np.pi),
    ]
    return np.concatenate(
        [np.stack([x + r * np.cos(turn + a), y + r * np.sin(turn + a)], axis=-1) for x, y, a in corners]
    )


def _wall(canvas: Canvas, rng: Rng) -> Array:
    tone = _tone(rng, dark=0.3)
    canvas.ramp([(0, tone * 0.95), (1, tone)])
    draw = rng.random()
    other = colour_like(rng, tone, 0.12)
    if draw < 0.25:
        step = rng.uniform(0.05, 0.16)
        for x in np.arange(rng.uniform(0, step), 1, step):
            canvas.stroke([(x, 0), (x, 1)], 0.4 * step, other)
    elif draw < 0.4:
        for y in np.arange(0.03, 1, 0.07):
            canvas.stroke([(0, y), (1, y)], 0.006, tone * 0.75)
            for x in np.arange(rng.uniform(0, 0.15), 1, 0.15):
                canvas.stroke([(x, y), (x, y + 0.07)], 0.006, tone * 0.75)
    if rng.random() < 0.5:
        x, y, w, h = rng.uniform(0, 0.7), rng.uniform(0, 0.25), rng.uniform(0.15, 0.4), rng.uniform(0.15, 0.4)
        pane = colour_like(rng, (0.8, 0.87, 0.94), 0.05) if rng.random() < 0.5 else _tone(rng)
        for inset, colour in ((0.0, _tone(rng)), (0.02, pane)):
            low, high = (x + inset, y + inset), (x + w - inset, y + h - inset)
            canvas.polygon([low, (high[0], low[1]), high, (low[0], high[1])], colour)
    return tone


def _boards(canvas: Canvas, rng: Rng, top: float) -> None:
    tone = _tone(rng) if rng.random() < 0.4 else colour_like(rng, (0.56, 0.40, 0.26), 0.2)
    canvas.polygon([(0, top), (1, top), (1, 1), (0, 1)], tone)
    lean = rng.uniform(-0.4, 1.4)
    for x in np.arange(-1.5, 2.6, rng.uniform(0.12, 0.3)):
        canvas.stroke([(lean + 0.35 * (x - lean), top), (x, 1.02)], 0.005, tone * rng.uniform(0.6, 0.85))
    canvas.stroke([(0, top), (1, top)], 0.025, _tone(rng))


def _floor(canvas: Canvas, rng: Rng, ground: float) -> None:
    _wall(canvas, rng)
    _boards(canvas, rng, min(0.92, max(0.25, ground - rng.uniform(0.08, 0.3))))


def _carpet(canvas: Canvas, rng: Rng, ground: float) -> None:
    _wall(canvas, rng)
    top = min(0.9, max(0.2, ground - rng.uniform(0.1, 0.4)))
    _boards(canvas, rng, top)
    y = top + 0.3 * (1 - top)
    _cloth(canvas, rng, np.array([(-0.1, y), (1.1, y), (1.1, 1.1), (-0.1, 1.1)]), _tone(rng))


def _sofa(canvas: Canvas, rng: Rng, ground: float) -> None:
    _wall(canvas, rng)
    tone = _tone(rng)
    seat = min(0.95, max(0.4, ground - rng.uniform(0.02, 0.12)))
    top = seat - rng.uniform(0.3, 0.5)
    for x in np.arange(rng.uniform(-0.5, -0.1), 1.0, rng.uniform(0.45, 0.7)):
        canvas.polygon(_rounded(x, top, x + 0.62, seat + 0.05, 0.07), colour_like(rng, tone, 0.06))
        canvas.stroke([(x, top + 0.06), (x, seat)], 0.012, tone * 0.6)
    canvas.polygon([(0, seat), (1, seat), (1, 1), (0, 1)], tone * 1.05)
    canvas.stroke([(0, seat), (1, seat)], 0.014, tone * 0.55)
    for _ in range(rng.integers(0, 3)):
        x = rng.uniform(-0.1, 0.8)
        _cloth(canvas, rng, _rounded(x, seat - 0.28, x + 0.32, seat + 0.02, 0.06), _tone(rng))


def _bed(canvas: Canvas, rng: Rng, ground: float) -> None:
    _wall(canvas, rng)
    top = min(0.9, max(0.2, ground - rng.uniform(0.1, 0.3)))
    for x in (rng.uniform(-0.1, 0.2), rng.uniform(0.45, 0.7)):
        canvas.polygon(_rounded(x, top - 0.16, x + 0.42, top + 0.06, 0.08), _tone(rng, dark=0.5))
    _cloth(canvas, rng, np.array([(-0.1, top), (1.1, top - 0.02), (1.1, 1.1), (-0.1, 1.1)]), _tone(rng))
    folds = noise(rng, (canvas.side, canvas.side), (3, 6), 2)
    below = smoothstep(top, top + 0.1, (np.arange(canvas.side) / canvas.side)[:, None])
    canvas.pixels = canvas.pixels * (1 + 0.10 * folds * below)[..., None]


def _grass(canvas: Canvas, rng: Rng, ground: float) -> None:
    top = max(0.12, ground - rng.uniform(0.15, 0.6))
    sky = colour_like(rng, (0.72, 0.80, 0.88), 0.08)
    canvas.ramp([(0, sky), (top, blend(sky, (1, 1, 1), 0.3)), (1, sky)])
    for _ in range(rng.integers(2, 9)):
        x, r = rng.uniform(-0.1, 1.1), rng.uniform(0.08, 0.3)
        canvas.disc(x, top, r, r * rng.uniform(0.6, 1.2), colour_like(rng, (0.26, 0.36, 0.20), 0.2))
    tone = colour_like(rng, (0.40, 0.50, 0.24), 0.18)
    patch = noise(rng, (canvas.side, canvas.side), (14, 6), 3)
    canvas.ground(np.full(canvas.side, top), tone * (1 + 0.14 * patch)[..., None])
    n = 260
    draw = rng.random((n, 4))
    y = top + (1.05 - top) * np.sqrt(draw[:, 1])
    canvas.leaves(
        draw[:, 0],
        y,
        0.02 + 0.09 * (y - top),
        -np.pi / 2 + 0.9 * (draw[:, 2] - 0.5),
        tone * (0.7 + 0.7 * draw[:, 3:4]),
        0.14,
    )


def _hedge(canvas: Canvas, rng: Rng, ground: float) -> None:
    tone = colour_like(rng, (0.26, 0.36, 0.18), 0.25)
    canvas.ramp([(0, tone * 0.8), (1, tone * 0.5)])
    n = 420
    draw = rng.random((n, 5))
    canvas.leaves(draw[:, 0], draw[:, 1], 0.03 + 0.05 * draw[:, 2], 6.3 * draw[:, 3], tone * (0.5 + draw[:, 4:5]), 0.5)
    if ground < 1.0:
        top = max(0.3, ground - rng.uniform(0.05, 0.2))
        speck = noise(rng, (canvas.side, canvas.side), 40, 2)
        canvas.ground(
            np.full(canvas.side, top), colour_like(rng, (0.50, 0.44, 0.36), 0.2) * (1 + 0.12 * speck)[..., None]
        )


def _street(canvas: Canvas, rng: Rng, ground: float) -> None:
    _wall(canvas, rng)
    top = min(0.9, max(0.3, ground - rng.uniform(0.1, 0.35)))
    speck = noise(rng, (canvas.side, canvas.side), 50, 2)
    tone = _tone(rng, dark=0.3, light=0.7)
    canvas.ground(np.full(canvas.side, top), tone * (1 + 0.10 * speck)[..., None])
    for y in top + (1 - top) * np.linspace(0, 1, 4)[1:] ** 1.5:
        canvas.stroke([(0, y), (1, y + 0.01)], 0.006, tone * 0.7)


def _backdrop(canvas: Canvas, rng: Rng, ground: float) -> None:
    """A plain wall or cloth, as behind a portrait."""
    _wall(canvas, rng)
    cloud = noise(rng, (canvas.side, canvas.side), 3, 3)
    canvas.pixels = canvas.pixels * (1 + 0.06 * cloud)[..., None]


PLACES: dict[str, Callable[[Canvas, Rng, float], None]] = {
    "floor": _floor, "carpet": _carpet, "sofa": _sofa, "bed": _bed, "grass": _grass, "hedge": _hedge, "street": _street,
    "wall": _backdrop,
}  # fmt: skip


def set_place(rng: Rng, side: int, name: str, ground: float, blur: float) -> Canvas:
    """A canvas with a place on it, out of focus by `blur` of its side, whose ground is met at height `ground`."""
    canvas = Canvas(max(32, round(side * (0.5 if blur > 0.006 else 1.0))))
    PLACES[name](canvas, rng, ground)
    canvas.blur(blur)
    return canvas.resized(side)


def shadow(canvas: Canvas, x: float, y: float, rx: float, ry: float, depth: float) -> None:
    """A soft shadow on the ground under an animal."""
    small = max(16, canvas.side // 4)
    at = (np.arange(small, dtype=np.float32) + 0.5) / small
    field = np.exp(-(((at[None] - x) / rx) ** 2 + ((at[:, None] - y) / ry) ** 2))
    mask = Image.fromarray((field * depth * 255).astype(np.uint8)).resize(canvas.image.size, Image.Resampling.BILINEAR)
    canvas.image.paste((16, 14, 12), (0, 0), mask)


def _cushion(canvas: Canvas, rng: Rng, box: Box, away: float) -> None:
    x = (box[0] if away < 0 else box[2]) - away * rng.uniform(0.0, 0.22)
    y = box[3] - rng.uniform(0.02, 0.18)
    w, h = rng.uniform(0.3, 0.5), rng.uniform(0.25, 0.4)
    _cloth(canvas, rng, _rounded(x - w / 2, y - h / 2, x + w / 2, y + h / 2, 0.3 * h), _tone(rng))


def _blanket(canvas: Canvas, rng: Rng, box: Box, away: float) -> None:
    y = min(0.97, box[3] - rng.uniform(0.12, 0.3) * (box[3] - box[1]))
    top = spline(
        [
            (-0.1, y + rng.normal(0, 0.05)),
            (0.3, y + rng.normal(0, 0.04)),
            (0.7, y + rng.normal(0, 0.04)),
            (1.1, y + rng.normal(0, 0.05)),
        ],
        24,
    )
    _cloth(canvas, rng, np.concatenate([top, [(1.1, 1.1), (-0.1, 1.1)]]), _tone(rng))


def _plant(canvas: Canvas, rng: Rng, box: Box, away: float) -> None:
    x = (box[0] if away < 0 else box[2]) + away * rng.uniform(-0.08, 0.06)
    n = 34
    draw = rng.random((n, 5))
    tone = colour_like(rng, (0.28, 0.42, 0.20), 0.2)
    y = 1.0 - (1.0 - box[1]) * 0.9 * draw[:, 1]
    canvas.leaves(x + 0.24 * (draw[:, 0] - 0.5), y, 0.10 + 0.14 * draw[:, 2], -np.pi / 2 + 2.4 * (draw[:, 3] - 0.5),
                  tone * (0.6 + 0.8 * draw[:, 4:5]), 0.32)  # fmt: skip


def _fence(canvas: Canvas, rng: Rng, box: Box, away: float) -> None:
    tone, step, thick = _tone(rng), rng.uniform(0.22, 0.34), rng.uniform(0.018, 0.04)
    for x in np.arange(rng.uniform(0, step), 1, step):
        canvas.stroke([(x, -0.02), (x, 1.02)], thick, colour_like(rng, tone, 0.05))
    y = rng.uniform(0.75, 0.95)
    canvas.stroke([(0, y), (1, y)], thick, tone * 0.9)


def _edge(canvas: Canvas, rng: Rng, box: Box, away: float) -> None:
    """A door, a curtain or a wall that an animal looks round."""
    wide = box[2] - box[0]
    cut = rng.uniform(0.12, 0.34) * wide
    x0, x1 = (-0.1, box[0] + cut) if away < 0 else (box[2] - cut, 1.1)
    _cloth(canvas, rng, np.array([(x0, -0.1), (x1, -0.1), (x1, 1.1), (x0, 1.1)]), _tone(rng))


COVERS: dict[str, Callable[[Canvas, Rng, Box, float], None]] = {
    "cushion": _cushion, "blanket": _blanket, "plant": _plant, "fence": _fence, "edge": _edge,
}  # fmt: skip


def cover(canvas: Canvas, rng: Rng, name: str, box: Box, *, away: float, soft: float) -> Array:
    """Put a thing before what fills `box` (left, top, right, bottom), rather left (`away` below 0) or right.

    Returns which pixels (side, side) it covers; `soft` puts it out of focus, in units of the side.
    """
    layer = Canvas(canvas.side, canvas.image.copy())
    COVERS[name](layer, rng, box, away)
    mask = (np.asarray(layer.image) != np.asarray(canvas.image)).any(axis=2)
    alpha = Image.fromarray((mask * 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(0.6 + soft * canvas.side))
    layer.blur(soft)
    canvas.image.paste(layer.image, (0, 0), alpha)
    return np.asarray(mask)
