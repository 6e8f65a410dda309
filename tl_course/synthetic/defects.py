"""Flaws to plant: pictures that belong to no label, and second shots of a scene."""

from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tl_course.synthetic.engine.brushes import Canvas, Rng, blend, colour_like, noise, spline
from tl_course.synthetic.engine.camera import LIGHTS, expose

__all__ = ["OFF_TOPIC", "off_topic", "second_shot"]

OFF_TOPIC = ("road sign", "mug", "page of text", "car", "test card", "blank", "ball")


def second_shot(image: Image.Image, rng: Rng, truth: dict[str, Any]) -> tuple[Image.Image, dict[str, Any]]:
    """The scene once more, framed and lit a little differently, with other noise; its truth says where things are now.

    What moves is the ``box`` of a ``bird`` or an ``animal`` and the corners of a door's ``leaf``.
    """
    side = image.width
    crop = rng.uniform(0.93, 0.98)
    x, y = rng.uniform(0, 1 - crop, 2) * side
    again = image.resize((side, side), Image.Resampling.BICUBIC, box=(x, y, x + crop * side, y + crop * side))
    if rng.random() < 0.5:
        again = again.filter(ImageFilter.GaussianBlur(rng.uniform(0.2, 0.8) * side / 256))
    pixels = np.asarray(again, dtype=np.float32) / 255.0 * rng.uniform(0.90, 1.10) + rng.normal(0, 0.008, 3).astype(
        np.float32
    )
    pixels = pixels + rng.standard_normal((side, side, 1), dtype=np.float32) * rng.uniform(0.004, 0.02)
    taken = Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))
    for name in ("bird", "animal"):
        if seen := truth.get(name):
            moved = [round((v - start) / crop) for v, start in zip(seen["box"], (x, y, x, y), strict=True)]
            truth = truth | {name: seen | {"box": [min(side, max(0, v)) for v in moved]}}
    if leaf := truth.get("leaf"):
        truth = truth | {"leaf": [[round((u - x) / crop, 1), round((v - y) / crop, 1)] for u, v in leaf]}
    return taken, truth


def off_topic(rng: Rng, size: int) -> tuple[Image.Image, str]:
    """A picture of no living thing, and what it shows (one of `OFF_TOPIC`)."""
    what = str(rng.choice(OFF_TOPIC))
    canvas = Canvas(2 * size)
    top, low = colour_like(rng, rng.uniform(0.3, 0.9, 3), 0.1), colour_like(rng, rng.uniform(0.3, 0.9, 3), 0.1)
    canvas.ramp([(0, top), (1, low)])
    if what not in ("blank", "test card", "page of text"):
        canvas.veil((1, 1, 1), np.clip(0.08 * noise(rng, (2 * size, 2 * size), 3, 3) + 0.1, 0, 0.4))
    {
        "road sign": _sign,
        "mug": _mug,
        "page of text": _page,
        "car": _car,
        "test card": _card,
        "blank": _blank,
        "ball": _ball,
    }[what](canvas, rng)
    return expose(canvas.image.reduce(2), rng, LIGHTS["noon"])[0], what


def _blank(canvas: Canvas, rng: Rng) -> None:
    """A lens cap, a thumb, a wrong button: nothing but the gradient there is."""


def _sign(canvas: Canvas, rng: Rng) -> None:
    x, y, r = rng.uniform(0.4, 0.6), rng.uniform(0.32, 0.45), rng.uniform(0.18, 0.28)
    canvas.polygon([(x - 0.015, y), (x + 0.015, y), (x + 0.015, 1.1), (x - 0.015, 1.1)], (0.55, 0.56, 0.58))
    corners = int(rng.choice((3, 4, 8, 40)))
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False) + (np.pi / 8 if corners == 8 else -np.pi / 2)
    for reach, colour in (
        (1.0, (0.78, 0.08, 0.10)),
        (0.80, (0.96, 0.96, 0.94) if corners != 8 else (0.82, 0.10, 0.12)),
    ):
        canvas.polygon(np.stack([x + reach * r * np.cos(angle), y + reach * r * np.sin(angle)], axis=-1), colour)
    dark = (0.10, 0.10, 0.12) if corners != 8 else (0.96, 0.96, 0.94)
    canvas.polygon(
        [
            (x - 0.4 * r, y - 0.1 * r),
            (x + 0.4 * r, y - 0.1 * r),
            (x + 0.4 * r, y + 0.12 * r),
            (x - 0.4 * r, y + 0.12 * r),
        ],
        dark,
    )


def _mug(canvas: Canvas, rng: Rng) -> None:
    canvas.polygon([(0, 0.72), (1, 0.72), (1, 1), (0, 1)], colour_like(rng, (0.50, 0.36, 0.24), 0.15))
    x, w, top, foot = rng.uniform(0.4, 0.55), rng.uniform(0.28, 0.4), rng.uniform(0.3, 0.4), rng.uniform(0.78, 0.86)
    tone = colour_like(rng, rng.uniform(0.2, 0.95, 3), 0.05)
    arc = np.linspace(-np.pi / 2, np.pi / 2, 20)
    handle = np.stack([x + w * 0.46 + 0.14 * np.cos(arc), (top + foot) / 2 + 0.15 * np.sin(arc)], axis=-1)
    canvas.stroke(handle, 0.035, tone * 0.75)
    canvas.limb(rng, [(x, top), (x, foot)], [w, w * 0.94], tone, light=-0.6, rough=0.0)
    canvas.disc(x, foot, w * 0.46, 0.035, tone * 0.62)
    canvas.disc(x, top, w * 0.5, 0.055, blend(tone, (1, 1, 1), 0.3))
    canvas.disc(x, top + 0.006, w * 0.45, 0.042, (0.22, 0.13, 0.08))


def _page(canvas: Canvas, rng: Rng) -> None:
    canvas.ramp([(0, (0.96, 0.95, 0.92)), (1, (0.90, 0.89, 0.86))])
    y = 0.10
    while y < 0.92:
        x, end = 0.10, 0.90 if rng.random() < 0.8 else rng.uniform(0.3, 0.8)
        while x < end:
            word = min(rng.uniform(0.02, 0.11), end - x)
            canvas.polygon([(x, y), (x + word, y), (x + word, y + 0.014), (x, y + 0.014)], (0.2, 0.2, 0.22))
            x += word + 0.014
        y += 0.032 if rng.random() < 0.85 else 0.062
    canvas.image = canvas.image.rotate(rng.normal(0, 3), Image.Resampling.BICUBIC, fillcolor=(120, 110, 100))


def _car(canvas: Canvas, rng: Rng) -> None:
    canvas.polygon([(0, 0.66), (1, 0.66), (1, 1), (0, 1)], (0.34, 0.35, 0.37))
    tone = colour_like(rng, rng.uniform(0.1, 0.9, 3), 0.05)
    roof = rng.uniform(0.34, 0.42)
    outline = spline(
        [
            (0.08, 0.70),
            (0.09, 0.57),
            (0.24, 0.53),
            (0.36, roof),
            (0.62, roof),
            (0.75, 0.53),
            (0.92, 0.58),
            (0.93, 0.70),
        ],
        50,
    )
    canvas.polygon(outline, tone)
    canvas.polygon(
        spline([(0.29, 0.53), (0.38, roof + 0.03), (0.49, roof + 0.03), (0.49, 0.53)], 20), (0.62, 0.74, 0.82)
    )
    canvas.polygon(
        spline([(0.52, 0.53), (0.52, roof + 0.03), (0.61, roof + 0.03), (0.71, 0.53)], 20), (0.55, 0.68, 0.78)
    )
    canvas.stroke([(0.09, 0.62), (0.92, 0.62)], 0.006, tone * 0.7)
    for x in (0.27, 0.75):
        canvas.disc(x, 0.70, 0.085, 0.085, (0.08, 0.08, 0.09))
        canvas.disc(x, 0.70, 0.045, 0.045, (0.70, 0.71, 0.73))


def _card(canvas: Canvas, rng: Rng) -> None:
    for i in range(8):
        bar = (1.0 * (i & 1), 1.0 * (i >> 1 & 1), 1.0 * (i >> 2 & 1))
        canvas.polygon([(i / 8, 0), ((i + 1) / 8, 0), ((i + 1) / 8, 0.7), (i / 8, 0.7)], np.array(bar) * 0.8 + 0.05)
        canvas.polygon([(i / 8, 0.7), ((i + 1) / 8, 0.7), ((i + 1) / 8, 1), (i / 8, 1)], (i / 7,) * 3)
    ImageDraw.Draw(canvas.image).ellipse(
        [canvas.side * 0.2] * 2 + [canvas.side * 0.8] * 2, outline=(255, 255, 255), width=4
    )


def _ball(canvas: Canvas, rng: Rng) -> None:
    canvas.polygon([(0, 0.74), (1, 0.74), (1, 1), (0, 1)], colour_like(rng, rng.uniform(0.2, 0.7, 3), 0.1))
    x, r, tone = rng.uniform(0.35, 0.65), rng.uniform(0.15, 0.27), rng.uniform(0.2, 0.95, 3)
    canvas.disc(x, 0.86, r, 0.06, (0.15, 0.15, 0.15))
    for f in np.linspace(0, 1, 30):
        canvas.disc(
            x - 0.35 * r * f,
            0.84 - r - 0.35 * r * f,
            r * (1 - f),
            r * (1 - f),
            blend(tone * 0.5, blend(tone, (1, 1, 1), 0.5), f),
        )
    arc = np.linspace(0.4, 2.7, 20)
    canvas.stroke(
        np.stack([x + 0.99 * r * np.cos(arc), 0.84 - r + 0.45 * r * np.sin(arc)], axis=-1), 0.012, (0.95, 0.95, 0.95)
    )
