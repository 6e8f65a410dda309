"""What walls, floors and doors are made of: textures as bytes, drawn for the distance at which they are seen."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tl_course.synthetic.engine.brushes import Array, Colour, Rng, blend, colour_like, noise, smoothstep

__all__ = ["Relief", "cloth", "courses", "fabric", "floor", "shadow", "to_bytes", "wall", "wood"]

TILE = 2.4  # metres after which walls and floors repeat
PAINTS = ((0.93, 0.92, 0.89), (0.90, 0.87, 0.80), (0.84, 0.80, 0.70), (0.76, 0.80, 0.80), (0.72, 0.78, 0.70),
          (0.86, 0.74, 0.66), (0.62, 0.70, 0.76), (0.80, 0.66, 0.42), (0.45, 0.55, 0.52), (0.55, 0.36, 0.34),
          (0.36, 0.44, 0.52), (0.82, 0.82, 0.84))  # fmt: skip
WOODS = ((0.66, 0.48, 0.30), (0.78, 0.62, 0.42), (0.48, 0.30, 0.18), (0.34, 0.21, 0.14), (0.60, 0.36, 0.22),
         (0.72, 0.64, 0.54), (0.82, 0.72, 0.56))  # fmt: skip


def to_bytes(field: Array) -> Array:
    """Colours between 0 and 1 as bytes."""
    return np.asarray((np.clip(field, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))


def _shape(wide: float, tall: float, ppm: float) -> tuple[int, int]:
    return max(4, round(tall * ppm)), max(4, round(wide * ppm))


def wood(rng: Rng, wide: float, tall: float, ppm: float, colour: Colour, *, strength: float = 1.0) -> Array:
    """Upright grain (h, w, 3), colours between 0 and 1."""
    shape = _shape(wide, tall, ppm)
    grain = noise(rng, shape, (max(2.0, 1.6 * tall), 46 * wide), 3)
    rings = noise(rng, shape, (max(2.0, 1.1 * tall), 6 * wide), 2)
    streak = 0.085 * grain + 0.085 * np.sin(5.0 * rings + 0.8 * grain)
    return np.asarray(colour, dtype=np.float32) * (1 + strength * streak)[..., None]


@dataclass(frozen=True)
class _Courses:
    """Units laid in rows: width and height in metres, the shift of every other row, joint, and how tones vary."""

    unit: tuple[float, float]
    shift: float
    joint: float
    spread: float
    rough: float
    mortar: Colour | None = None
    colours: Sequence[Colour] = ()


# Letters as strokes between the nine places of a square, numbered in reading order.
STROKES = {
    "0": "02860", "1": "127", "2": "025368", "3": "0286 35", "4": "035 28", "5": "203586", "6": "206853", "7": "027",
    "8": "02860 35", "9": "530286", "A": "6028 35", "C": "2068", "D": "015760", "E": "2068 35", "H": "06 28 35",
    "I": "17", "L": "068", "N": "6082", "O": "02860", "P": "60253", "R": "60253 48", "S": "203586", "T": "02 17",
    "U": "0682", "V": "072", "W": "06482", "X": "08 26",
}  # fmt: skip
COURSES = {
    "brick": _Courses((0.24, 0.08), 0.5, 0.010, 0.13, 0.09, (0.66, 0.63, 0.58),
                      ((0.58, 0.30, 0.22), (0.66, 0.42, 0.30), (0.50, 0.26, 0.20),
                       (0.72, 0.60, 0.44), (0.80, 0.78, 0.74))),
    "stone": _Courses((0.48, 0.24), 0.5, 0.010, 0.08, 0.08, None,
                      ((0.70, 0.66, 0.58), (0.56, 0.55, 0.53), (0.76, 0.72, 0.62))),
    "clapboard": _Courses((2.4, 0.15), 0.0, 0.014, 0.02, 0.02, None, PAINTS),
    "panelling": _Courses((0.10, 2.4), 0.0, 0.006, 0.03, 0.03, None, PAINTS + WOODS),
    "wall tiles": _Courses((0.20, 0.10), 0.5, 0.005, 0.03, 0.01, (0.72, 0.72, 0.71),
                           ((0.90, 0.90, 0.88), (0.62, 0.74, 0.76), (0.86, 0.84, 0.78), (0.40, 0.52, 0.48))),
    "square tiles": _Courses((0.15, 0.15), 0.0, 0.006, 0.03, 0.01, (0.78, 0.78, 0.76),
                             ((0.92, 0.92, 0.91), (0.60, 0.72, 0.82), (0.88, 0.82, 0.70))),
    "boards": _Courses((1.2, 0.12), 0.37, 0.004, 0.11, 0.05, None, WOODS),
    "tiles": _Courses((0.40, 0.40), 0.0, 0.008, 0.05, 0.03, (0.55, 0.53, 0.50),
                      ((0.76, 0.72, 0.66), (0.60, 0.34, 0.24), (0.52, 0.53, 0.55), (0.86, 0.84, 0.80))),
    "checks": _Courses((0.30, 0.30), 0.0, 0.004, 0.04, 0.02, None, ((0.84, 0.83, 0.80), (0.76, 0.70, 0.62))),
    "paving": _Courses((0.60, 0.40), 0.5, 0.012, 0.09, 0.09, (0.36, 0.35, 0.33),
                       ((0.62, 0.60, 0.57), (0.68, 0.63, 0.54), (0.52, 0.52, 0.53))),
    "setts": _Courses((0.12, 0.12), 0.5, 0.016, 0.12, 0.08, (0.34, 0.32, 0.30),
                      ((0.48, 0.47, 0.46), (0.56, 0.40, 0.32), (0.58, 0.54, 0.48))),
}  # fmt: skip


def courses(rng: Rng, kind: str, ppm: float, colour: Colour | None = None) -> Array:
    """A square of bricks, boards, tiles … (n, n, 3) that can be laid again and again every `TILE` metres."""
    laid = COURSES[kind]
    shape = _shape(TILE, TILE, ppm)
    (wide, tall), half = laid.unit, laid.joint / 2
    drawn = laid.colours[int(rng.integers(len(laid.colours)))]
    base = colour_like(rng, drawn if colour is None else colour, 0.08)
    across, down = max(1, round(TILE / wide)), max(1, round(TILE / tall))
    tones = 1 + laid.spread * np.clip(rng.standard_normal((down, across)), -2, 2)
    if kind == "checks":
        tones *= np.where(np.add.outer(np.arange(down), np.arange(across)) % 2, 1.0, rng.uniform(0.15, 0.7))
    y = (np.arange(shape[0], dtype=np.float32) + 0.5) / shape[0] * down
    x = (np.arange(shape[1], dtype=np.float32) + 0.5) / shape[1] * across
    row = y.astype(np.int32) % down
    moved = x[None] + (row * np.float32(laid.shift) % 1.0)[:, None]
    whole = moved.astype(np.int32)
    tone = tones.astype(np.float32)[row[:, None], whole % across]
    if laid.rough > 0.02:
        fine = (30.0, 4.0) if kind == "boards" else (28.0, 28.0)
        tone *= 1 + np.float32(laid.rough) * noise(rng, shape, fine, 2)
    # A joint that is finer than a texel darkens it by its share.
    most = min(1.0, laid.joint * ppm)
    u, v = (moved - whole) * np.float32(TILE / across), (y % 1.0) * np.float32(TILE / down)
    bed = np.clip((half - np.minimum(v, TILE / down - v)) * ppm + 0.5, 0, 1) * most * (down > 1)
    joint = np.maximum(
        np.clip((half - np.minimum(u, TILE / across - u)) * ppm + 0.5, 0, 1) * most * (across > 1), bed[:, None]
    )
    if kind == "clapboard":
        tone *= (0.93 + 0.10 * (v / tall))[:, None]
    mortar = np.asarray(laid.mortar, dtype=np.float32) if laid.mortar else base * 0.42
    tone *= 1 - joint
    return np.stack([to_bytes(tone * base[k] + joint * mortar[k]) for k in range(3)], axis=-1)


def fabric(rng: Rng, kind: str, ppm: float, colour: Colour) -> Array:
    """A square of plaster, paper, carpet, grass or asphalt, `TILE` metres wide."""
    shape = _shape(TILE, TILE, ppm)
    base = np.asarray(colour, dtype=np.float32)
    if kind == "paper":
        other = np.clip(base * rng.uniform(0.72, 1.2) + rng.normal(0, 0.06, 3), 0, 1)
        step = float(TILE / rng.integers(8, 26))
        x = (np.arange(shape[1]) + 0.5) / shape[1] * TILE / step * 2 * np.pi
        y = (np.arange(shape[0]) + 0.5) / shape[0] * TILE / step * 2 * np.pi
        if rng.random() < 0.45:
            share = smoothstep(-0.15, 0.15, np.cos(x) - rng.uniform(-0.6, 0.6))[None] + 0 * y[:, None]
        else:
            motif = np.cos(x)[None] + np.cos(y)[:, None] + 0.8 * np.cos(2 * x)[None] * np.cos(y)[:, None]
            share = smoothstep(0.1, 0.5, motif + rng.uniform(-0.7, 0.3))
        return to_bytes(base * (1 - share[..., None]) + other.astype(np.float32) * share[..., None])
    fine, rough = {"plaster": (7, 0.022), "carpet": (90, 0.07), "grass": (60, 0.22), "asphalt": (80, 0.10)}[kind]
    grain = noise(rng, shape, fine, 2)
    grain = grain + grain[::-1]  # mirrored, it goes on without a seam where it is laid again
    grain = (grain + grain[:, ::-1]) / 2
    return to_bytes(base * (1 + rough * grain)[..., None])


def wall(rng: Rng, kind: str, ppm: float) -> Array:
    """A wall's texture, `TILE` metres wide and high."""
    if kind in COURSES:
        return courses(rng, kind, ppm)
    return fabric(rng, kind, ppm, colour_like(rng, PAINTS[int(rng.integers(len(PAINTS)))], 0.06))


def floor(rng: Rng, kind: str, ppm: float) -> Array:
    """A floor's texture, `TILE` metres wide and deep."""
    if kind == "boards" and rng.random() < 0.4:
        return np.ascontiguousarray(courses(rng, kind, ppm).transpose(1, 0, 2))
    if kind in COURSES:
        return courses(rng, kind, ppm)
    base = {"grass": (0.34, 0.42, 0.20), "asphalt": (0.40, 0.40, 0.41)}.get(kind)
    tones = ((0.62, 0.58, 0.52), (0.46, 0.24, 0.22), (0.36, 0.40, 0.46), (0.50, 0.48, 0.38), (0.70, 0.66, 0.60))
    tone = tones[int(rng.integers(len(tones)))]
    return fabric(rng, kind, ppm, colour_like(rng, base or tone, 0.10))


def shadow(share: float = 0.5) -> Array:
    """A round soft shadow for where a thing touches the floor."""
    at = (np.arange(32) + 0.5) / 16 - 1
    far = np.hypot(at[:, None], at[None])
    texture = np.zeros((32, 32, 4), dtype=np.uint8)
    texture[..., 3] = 255 * share * smoothstep(1.0, 0.35, far)
    return texture


def cloth(
    rng: Rng, outline: Sequence[tuple[float, float]], colour: Colour, ppm: float, wide: float, tall: float
) -> Array:
    """A hanging thing of cloth with folds, cut out along an outline in shares of its width and height."""
    shape = _shape(wide, tall, ppm)
    mask = Image.new("L", shape[::-1])
    ImageDraw.Draw(mask).polygon([(x * shape[1], y * shape[0]) for x, y in outline], fill=255)
    folds = noise(rng, shape, (2.0, 9.0), 2)
    field = np.asarray(colour, dtype=np.float32) * (0.85 + 0.16 * folds)[..., None]
    return np.dstack([to_bytes(field), np.asarray(mask)])


class Relief:
    """A leaf's face, drawn in metres from its top left: painted, carved, glazed and fitted with metal.

    Parameters
    ----------
    ground
        Colours between 0 and 1 (h, w, 3) to work on.
    ppm
        Pixels a metre.
    """

    def __init__(self, ground: Array, ppm: float) -> None:
        self.ppm = ppm
        self._ground = ground
        size = (ground.shape[1], ground.shape[0])
        self._shade = Image.new("L", size, 128)
        self._carve = ImageDraw.Draw(self._shade)
        self._over = Image.new("RGBA", size)
        self._pen = ImageDraw.Draw(self._over)
        self._holes = Image.new("L", size, 255)
        self._cut = ImageDraw.Draw(self._holes)

    def _px(self, *metres: float) -> list[float]:
        return [m * self.ppm for m in metres]

    def panel(self, x0: float, y0: float, x1: float, y1: float, *, edge: float = 0.02, sunk: bool = True) -> None:
        """A panel with a bevelled edge, lit from above and a little from the left."""
        e = min(edge, (x1 - x0) / 3, (y1 - y0) / 3)
        tone = 1 if sunk else -1
        inner = ((x0 + e, y0 + e), (x1 - e, y0 + e), (x1 - e, y1 - e), (x0 + e, y1 - e))
        outer = ((x0, y0), (x1, y0), (x1, y1), (x0, y1))
        for k, change in enumerate((-46, 16, 30, -22)):  # top, right, bottom, left
            m = (k + 1) % 4
            corners = (outer[k], outer[m], inner[m], inner[k])
            self._carve.polygon([v * self.ppm for at in corners for v in at], fill=128 + tone * change)
        self._carve.line(self._px(x0, y0, x1, y0, x1, y1, x0, y1, x0, y0), fill=78 if sunk else 96, width=1)

    def groove(self, x0: float, y0: float, x1: float, y1: float, wide: float = 0.006) -> None:
        """A dark line."""
        self._carve.line(self._px(x0, y0, x1, y1), fill=66, width=max(1, round(wide * self.ppm)))

    def glass(self, x0: float, y0: float, x1: float, y1: float, *, round_: bool = False) -> None:
        """A pane: a hole with a bead around it."""
        bead = 0.018
        frame = self._px(x0 - bead, y0 - bead, x1 + bead, y1 + bead)
        hole = self._px(x0, y0, x1, y1)
        if round_:
            self._carve.ellipse(frame, fill=92)
            self._cut.ellipse(hole, fill=0)
        else:
            self.panel(x0 - bead, y0 - bead, x1 + bead, y1 + bead, edge=bead)
            self._cut.rectangle(hole, fill=0)

    def metal(self, x0: float, y0: float, x1: float, y1: float, colour: Colour, *, round_: bool = False) -> None:
        """A plate with a lit upper and a dark lower edge."""
        ink = tuple(int(255 * float(c)) for c in colour)
        dark = tuple(int(120 * float(c)) for c in colour)
        corners = self._px(x0, y0, x1, y1)
        low = self._px(x0, y0 + 0.006, x1, y1 + 0.006)
        draw = self._pen.ellipse if round_ else self._pen.rectangle
        draw(low, fill=(*dark, 255))
        draw(corners, fill=(*ink, 255))

    def write(self, text: str, x: float, y: float, tall: float, colour: Colour) -> None:
        """Text with its middle at (x, y), in capitals `tall` metres high."""
        self._over.alpha_composite(lettering(text, max(6, tall * self.ppm), colour, self._over.size, self._px(x, y)))

    def texture(self, border: float = 0.005) -> Array:
        """What was made (h, w, 3 or 4), with a dark line around, where the leaf meets the frame."""
        shape = self._ground.shape
        shade = np.asarray(self._shade.filter(ImageFilter.GaussianBlur(0.5)), dtype=np.float32) / 128.0
        over = np.asarray(self._over, dtype=np.float32) / 255.0
        field = self._ground * shade[..., None]
        field = field * (1 - over[..., 3:]) + over[..., :3] * over[..., 3:]
        rows = np.minimum(np.arange(shape[0]) + 0.5, shape[0] - np.arange(shape[0]) - 0.5)[:, None]
        columns = np.minimum(np.arange(shape[1]) + 0.5, shape[1] - np.arange(shape[1]) - 0.5)[None]
        rim = np.clip(np.minimum(rows, columns) / max(0.8, border * self.ppm), 0.25, 1.0)
        field = to_bytes(field * rim[..., None])
        holes = np.asarray(self._holes)
        return field if holes.all() else np.dstack([field, holes])


def lettering(text: str, tall: float, colour: Colour, size: tuple[int, int], at: Sequence[float]) -> Image.Image:
    """A transparent picture of some text around `at`; letters are strokes, so that no font is needed."""
    layer = Image.new("RGBA", size)
    pen = ImageDraw.Draw(layer)
    ink = (*(int(255 * float(c)) for c in colour), 255)
    wide, gap = tall * 0.55, tall * 0.30
    left = at[0] - (len(text) * (wide + gap) - gap) / 2
    for letter in text:
        for line in STROKES.get(letter, "").split():
            spots = [(left + int(k) % 3 / 2 * wide, at[1] + (int(k) // 3 / 2 - 0.5) * tall) for k in line]
            pen.line(spots, fill=ink, width=max(1, round(tall * 0.16)), joint="curve")
        left += wide + gap
    return layer


def tinted(rng: Rng, colours: Sequence[Colour], spread: float = 0.06) -> Array:
    """One of several colours, varied a little."""
    base = np.asarray(colours[int(rng.integers(len(colours)))], dtype=np.float32)
    return np.clip(base * (1 + rng.normal(0, spread)) * (1 + rng.normal(0, 0.035, 3)), 0.0, 1.0)


def muted(rng: Rng) -> Array:
    """Some colour of everyday things, seldom a loud one."""
    colour = rng.uniform(0.12, 0.85, 3)
    colour[1] = max(colour[1], min(colour[0], colour[2]))  # purple is rare
    return np.asarray(blend(colour, (colour.mean(),) * 3, rng.uniform(0.4, 0.9)))


def pane(rng: Rng, kind: str, bright: float) -> Array:
    """A pane's own look: clear with a reflection, frosted, or dark."""
    n = 48
    y, x = np.mgrid[0:n, 0:n].astype(np.float32) / n
    texture = np.zeros((n, n, 4), dtype=np.uint8)
    slant, shift, wide = rng.uniform(0.4, 1.2), rng.uniform(0.2, 1.4), rng.uniform(0.1, 0.4)
    sheen = smoothstep(wide, 0.0, np.abs(x + slant * y - shift))
    cloud = noise(rng, (n, n), 4, 2)
    if kind == "frosted":
        texture[..., :3] = to_bytes(
            np.broadcast_to(blend((0.80, 0.86, 0.86), (1, 1, 1), 0.3), (n, n, 3)) * (0.86 + 0.05 * cloud)[..., None]
        )
        texture[..., 3] = 225
    else:
        texture[..., :3] = to_bytes(
            np.broadcast_to(np.array((0.78, 0.86, 0.92)), (n, n, 3)) * (0.8 + 0.1 * cloud)[..., None]
        )
        base = 0.10 + 0.20 * bright
        texture[..., 3] = 255 * np.clip(base + 0.25 * bright * sheen + 0.06 * cloud * bright, 0.03, 0.8)
    return texture
