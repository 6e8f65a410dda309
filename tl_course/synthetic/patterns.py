"""The set "patterns": abstract textures, unlike any animal, and cheap to draw."""

from collections.abc import Callable
from typing import Any

import numpy as np
from PIL import Image

from tl_course.synthetic.engine.brushes import Array, Rng, noise, smoothstep
from tl_course.synthetic.engine.camera import expose
from tl_course.synthetic.mammals.rooms import LIGHTS

__all__ = ["PATTERNS", "draw_scene"]


def _wave(phase: Array, share: float = 0.5) -> Array:
    """1 for a `share` of each whole step of `phase`, 0 for the rest, with soft edges."""
    return smoothstep(-0.06, 0.06, share / 2 - np.abs((phase + 0.5) % 1.0 - 0.5))


def _dots(u: Array, v: Array, share: float) -> Array:
    row = np.floor(v)
    return smoothstep(0.06, -0.06, np.hypot((u + 0.5 * (row % 2)) % 1.0 - 0.5, v % 1.0 - 0.5) - 0.16 - 0.3 * share)


# Each takes coordinates (size, size) that count its steps and how much of the second colour there is, and says where.
PATTERNS: dict[str, Callable[[Array, Array, float], Array]] = {
    "stripes": lambda u, v, share: _wave(u, share),
    "checks": lambda u, v, share: np.abs(_wave(0.5 * u) - _wave(0.5 * v)),
    "dots": _dots,
    "waves": lambda u, v, share: _wave(u + 0.35 * np.sin(2.2 * v), share),
    "grid": lambda u, v, share: np.maximum(_wave(u, 0.4 * share), _wave(v, 0.4 * share)),
    "zigzag": lambda u, v, share: _wave(u + 1.1 * np.abs((0.6 * v) % 1.0 - 0.5), share),
    "rings": lambda u, v, share: _wave(np.hypot(u, v), share),
    "clouds": lambda u, v, share: 0.0 * u,
}


def draw_scene(rng: Rng, size: int, *, label: str) -> tuple[Image.Image, dict[str, Any]]:
    """One pattern of `PATTERNS` in two colours, at some scale and angle, lit and bent a little, and what was drawn."""
    first, second = rng.uniform(0.05, 0.95, (2, 3))
    if np.abs(first - second).max() < 0.3:  # or there would be nothing to see
        second = (first + 0.45) % 1.0
    steps, angle, share = float(rng.uniform(3, 12)), float(rng.uniform(0, 180)), float(rng.uniform(0.3, 0.7))
    shift, lean, bend = rng.uniform(-0.5, 0.5, 2), rng.uniform(0, 2 * np.pi), float(rng.uniform(0, 0.03))
    hour = str(rng.choice(list(LIGHTS)))
    at = np.linspace(-0.5, 0.5, size, dtype=np.float32)
    flat, y = np.meshgrid(at, at)
    x = np.asarray(flat + bend * noise(rng, (size, size), 2, 1))
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    u, v = steps * (c * x + s * y + shift[0]), steps * (c * y - s * x + shift[1])
    field = PATTERNS[label](u.astype(np.float32), v.astype(np.float32), share)
    clouds = noise(rng, (size, size), steps / 2, 3)
    field = smoothstep(-1.0, 1.0, clouds) if label == "clouds" else field
    lit = 1.0 + 0.35 * (np.cos(lean) * x + np.sin(lean) * y) + 0.03 * clouds
    pixels = (first + (second - first) * field[..., None]) * lit[..., None]
    image, camera = expose(Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8)), rng, LIGHTS[hour])
    return image, {
        "pattern": label,
        "steps": round(steps, 2),
        "angle": round(angle, 1),
        "share": round(share, 3),
        "light": hour,
        "camera": camera,
    }
