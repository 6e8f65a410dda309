"""Brushes that every rendered set shares: noise, curves, colours, and a canvas in unit coordinates.

Places are fractions of the picture's side with the origin at the top left, so that one scene can be drawn at any size.
Colours are RGB between 0 and 1.
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

__all__ = ["Array", "Canvas", "Colour", "Rng", "blend", "colour_like", "noise", "smoothstep", "spline"]

Array: TypeAlias = npt.NDArray[Any]
Colour: TypeAlias = Sequence[float] | npt.NDArray[Any]
Rng: TypeAlias = np.random.Generator


def smoothstep(low: float, high: float, x: Array | float) -> Array:
    """0 below `low`, 1 above `high`, a smooth S between them."""
    t = np.clip((np.asarray(x, dtype=np.float32) - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def blend(first: Colour, second: Colour, share: float) -> Array:
    """`share` of the second colour over the first."""
    return np.asarray(first, dtype=np.float32) * (1.0 - share) + np.asarray(second, dtype=np.float32) * share


def colour_like(rng: Rng, colour: Colour, spread: float = 0.05) -> Array:
    """A colour near the given one: its lightness varies more than its hue."""
    base = np.asarray(colour, dtype=np.float32)
    return np.clip(base * (1.0 + rng.normal(0.0, spread)) + rng.normal(0.0, spread / 3.0, 3), 0.0, 1.0)


def spline(points: npt.ArrayLike, n: int) -> Array:
    """`n` points (n, d) along a Catmull-Rom curve through `points` (m, d)."""
    p = np.asarray(points, dtype=np.float32)
    p = np.concatenate([2 * p[:1] - p[1:2], p, 2 * p[-1:] - p[-2:-1]])
    t = np.linspace(0.0, len(p) - 3.0 - 1e-4, n, dtype=np.float32)
    i = t.astype(np.intp)
    f = (t - i)[:, None]
    a, b, c, d = p[i], p[i + 1], p[i + 2], p[i + 3]
    return np.asarray(b + 0.5 * f * (c - a + f * (2 * a - 5 * b + 4 * c - d + f * (3 * (b - c) + d - a))))


def noise(rng: Rng, shape: tuple[int, int], cells: float | tuple[float, float], octaves: int = 3) -> Array:
    """Smooth random field (rows, columns) of mean about 0 and deviation about 1, with `cells` bumps down and across."""
    down, across = cells if isinstance(cells, tuple) else (cells, cells)
    # A stream of its own: how much is drawn from it depends on `shape`, and the caller's stream must not.
    rng = np.random.default_rng(rng.integers(2**63))
    # Octaves are added up at the finest of their grids, so that only one enlargement is a big one.
    field = np.zeros((0, 0), dtype=np.float32)
    for octave in range(octaves):
        grid = [min(max(2, round(c * 2**octave) + 1), side + 1) for c, side in zip((down, across), shape, strict=True)]
        bumps = rng.standard_normal(grid, dtype=np.float32) * 0.55**octave
        field = bumps + _enlarged(field, (grid[0], grid[1])) if octave else bumps
    return _enlarged(field, shape)


def _enlarged(field: Array, shape: tuple[int, int]) -> Array:
    if field.shape == shape:
        return field
    return np.asarray(Image.fromarray(field).resize(shape[::-1], Image.Resampling.BICUBIC))


class Canvas:
    """A square picture that is painted on in unit coordinates.

    Parameters
    ----------
    side
        Pixels along each side.
    image
        A picture to go on painting on; black where there is none.
    """

    def __init__(self, side: int, image: Image.Image | None = None) -> None:
        self.side = side
        self.image = image or Image.new("RGB", (side, side))
        self._pen = ImageDraw.Draw(self.image)

    @property
    def pixels(self) -> Array:
        """The picture as a float32 array (side, side, 3) between 0 and 1; set it to replace the picture."""
        return np.asarray(self.image, dtype=np.float32) / 255.0

    @pixels.setter
    def pixels(self, array: Array) -> None:
        self.image = Image.fromarray((np.clip(array, 0.0, 1.0) * 255.0 + 0.5).astype(np.uint8))
        self._pen = ImageDraw.Draw(self.image)

    def resized(self, side: int) -> "Canvas":
        """The same picture at another number of pixels."""
        if side == self.side:
            return self
        return Canvas(side, self.image.resize((side, side), Image.Resampling.BICUBIC, reducing_gap=2.0))

    def blur(self, radius: float) -> None:
        """Soften everything so far; `radius` in units of the side. Wide blurs are done on a smaller copy."""
        pixels = radius * self.side
        if pixels < 0.3:
            return
        shrink = 4 if pixels > 8 else 2 if pixels > 4 else 1
        small = self.image.reduce(shrink).filter(ImageFilter.GaussianBlur(pixels / shrink))
        self.image = small if shrink == 1 else small.resize(self.image.size, Image.Resampling.BICUBIC)
        self._pen = ImageDraw.Draw(self.image)

    def ramp(self, stops: Sequence[tuple[float, Colour]]) -> None:
        """Fill with a vertical gradient through (height, colour) stops, top to bottom."""
        rows = (np.arange(self.side, dtype=np.float32) + 0.5) / self.side
        at = [place for place, _ in stops]
        column = np.stack([np.interp(rows, at, [float(c[k]) for _, c in stops]) for k in range(3)], axis=-1)
        self.pixels = np.broadcast_to(column[:, None], (self.side, self.side, 3)).astype(np.float32)

    def polygon(self, points: npt.ArrayLike, colour: Colour) -> None:
        """Fill a polygon of unit points (m, 2)."""
        self._pen.polygon((np.asarray(points) * self.side).ravel().tolist(), fill=_ink(colour))

    def stroke(self, points: npt.ArrayLike, width: float, colour: Colour) -> None:
        """Draw a curve of even width through unit points (m, 2)."""
        thick = max(1, round(width * self.side))
        self._pen.line((np.asarray(points) * self.side).ravel().tolist(), _ink(colour), thick, "curve")

    def disc(self, x: float, y: float, rx: float, ry: float, colour: Colour) -> None:
        """Fill an upright ellipse."""
        s = self.side
        self._pen.ellipse(((x - rx) * s, (y - ry) * s, (x + rx) * s, (y + ry) * s), fill=_ink(colour))

    def veil(self, colour: Colour, share: Array | float) -> None:
        """Lay a colour over everything; `share` is a number, a column (side, 1) or a field (side, side)."""
        amount = np.broadcast_to(np.asarray(share, dtype=np.float32), (self.side, self.side))[..., None]
        self.pixels = self.pixels * (1.0 - amount) + np.asarray(colour, dtype=np.float32) * amount

    def ground(self, below: Array, colour: Array) -> None:
        """Paint field `colour` (side, side, 3) under the skyline `below` (side columns, unit heights)."""
        rows = (np.arange(self.side, dtype=np.float32)[:, None] + 0.5) / self.side
        cover = np.clip((rows - below[None, :]) * self.side + 0.5, 0.0, 1.0)[..., None]
        self.pixels = self.pixels * (1.0 - cover) + colour * cover

    def leaves(self, x: Array, y: Array, length: Array, angle: Array, colours: Array, slim: float = 0.4) -> None:
        """Scatter pointed leaves: one entry each of place, length, angle (radians) and colour (n, 3)."""
        s = self.side
        dx, dy = np.cos(angle) * length * s, np.sin(angle) * length * s
        px, py = -dy * slim * 0.5, dx * slim * 0.5
        x0, y0 = x * s - dx / 2, y * s - dy / 2
        ring = np.stack([x0, y0, x0 + dx * 0.3 + px, y0 + dy * 0.3 + py, x0 + dx * 0.65 + px * 0.8,
                         y0 + dy * 0.65 + py * 0.8, x0 + dx, y0 + dy, x0 + dx * 0.65 - px * 0.8,
                         y0 + dy * 0.65 - py * 0.8, x0 + dx * 0.3 - px, y0 + dy * 0.3 - py], axis=-1)  # fmt: skip
        inks = (np.clip(colours, 0.0, 1.0) * 255).astype(int).tolist()
        for outline, ink in zip(ring.tolist(), inks, strict=True):
            self._pen.polygon(outline, fill=tuple(ink))

    def limb(self, rng: Rng, path: npt.ArrayLike, widths: npt.ArrayLike, colour: Colour, *, light: float = -0.5,
             rough: float = 0.25, marks: Colour | None = None, rings: int = 0, cap: Colour | None = None,
             haze: tuple[Colour, float] | None = None) -> None:  # fmt: skip
        """A trunk or branch: a shaded, barky band along a path.

        Parameters
        ----------
        path
            Unit points (m, 2); a path that is rather upright becomes a trunk, a rather level one a branch.
        widths
            Full widths along the path (m,).
        light
            Where across the limb the light falls, -1 (left or above) to 1.
        rough
            Depth of the bark's texture.
        marks
            Colour of dark birch marks, where there are any.
        rings
            Number of nodes, as on bamboo.
        cap
            Colour of snow or moss on the upper side.
        haze
            Colour of the air between, and its share.
        """
        p, w = np.asarray(path, dtype=np.float32), np.asarray(widths, dtype=np.float32)
        upright = np.ptp(p[:, 1]) >= np.ptp(p[:, 0])
        along, across = (1, 0) if upright else (0, 1)
        order = np.argsort(p[:, along])
        p, w = p[order] * self.side, w[order] * self.side
        a0, a1 = max(0, int(p[0, along])), min(self.side, int(np.ceil(p[-1, along])))
        c0 = max(0, int(np.floor((p[:, across] - w / 2).min())) - 2)
        c1 = min(self.side, int(np.ceil((p[:, across] + w / 2).max())) + 3)
        if a1 - a0 < 1 or c1 - c0 < 1:
            return
        a = np.arange(a0, a1, dtype=np.float32)
        centre, half = np.interp(a, p[:, along], p[:, across]), np.interp(a, p[:, along], w) / 2 + 1e-3
        ragged = noise(rng, (1, len(a)), (1, max(2.0, len(a) / (6 * half.mean() + 4))), 3)[0]
        half = half * (1.0 + 0.12 * rough * ragged)
        t = (np.arange(c0, c1, dtype=np.float32)[None] + 0.5 - centre[:, None]) / half[:, None]
        cover = np.clip((1.0 - np.abs(t)) * half[:, None] + 0.5, 0.0, 1.0)[..., None]
        u = np.clip(t, -1.0, 1.0)
        shade = np.clip(0.40 + 0.62 * (np.sqrt(1.0 - u * u) * 0.6 + u * light * 0.62), 0.18, 1.15)
        size = (len(a), c1 - c0)
        thick = float(half.mean())
        grain = patch = np.zeros((1, 1), dtype=np.float32)
        texture = np.random.default_rng(rng.integers(2**63))
        if thick > 2.0 and (haze is None or haze[1] < 0.6):  # bark cannot be seen on what is thinner or farther
            fine = (max(2.0, size[0] / (thick * 1.5 + 6)), max(2.0, size[1] / (thick * 0.22 + 1.5)))
            grain = noise(texture, size, fine, 2)
        if marks is not None or cap is not None:
            patch = noise(
                texture, size, (max(2.0, size[0] / (thick * 3 + 6)), max(2.0, size[1] / (thick * 1.6 + 3))), 2
            )
        shade = shade * (1.0 + rough * (0.34 * np.clip(grain, -1.5, 1.5)))
        paint = np.asarray(colour, dtype=np.float32) * shade[..., None]
        if marks is not None:
            bars = noise(
                texture, size, (max(3.0, size[0] / (thick * 0.30 + 1.5)), max(2.0, size[1] / (thick * 1.6 + 2))), 2
            )
            dark = smoothstep(0.9, 1.5, bars + 0.25 * patch)[..., None] * 0.85
            paint = paint * (1 - dark) + np.asarray(marks, dtype=np.float32) * dark
        if rings:
            phase = np.abs((np.arange(a0, a1) / self.side * rings + 0.37) % 1.0 - 0.5) * self.side / rings
            paint = paint * (1.0 - 0.45 * np.exp(-((phase / (0.18 * thick + 1.2)) ** 2)))[:, None, None]
        if cap is not None:
            edge = -0.25 + 0.35 * ragged[:, None] + 0.2 * grain * rough if not upright else -0.55 + 0.5 * patch
            top = smoothstep(0.12, -0.12, u - edge)[..., None]
            paint = paint * (1 - top) + np.asarray(cap, dtype=np.float32) * (0.75 + 0.25 * shade[..., None]) * top
        if haze is not None:
            paint = paint * (1.0 - haze[1]) + np.asarray(haze[0], dtype=np.float32) * haze[1]
        box = (c0, a0, c1, a1) if upright else (a0, c0, a1, c1)
        if not upright:
            paint, cover = paint.transpose(1, 0, 2), cover.transpose(1, 0, 2)
        mask = Image.fromarray((cover[..., 0] * 255).astype(np.uint8))
        self.image.paste(Image.fromarray((np.clip(paint, 0, 1) * 255).astype(np.uint8)), box, mask)


def _ink(colour: Colour) -> tuple[int, int, int]:
    r, g, b = (min(255, max(0, int(float(c) * 255))) for c in colour)
    return r, g, b
