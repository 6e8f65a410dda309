"""What grows: leaves, ferns, spruces, branches to perch on, and things of a bird's size that are no bird."""

from dataclasses import dataclass

import numpy as np

from tl_course.synthetic.engine.brushes import Array, Canvas, Colour, Rng, blend, colour_like, spline

__all__ = ["Mood", "blossom", "decoy", "drift", "fern", "foliage", "leaf_colours", "perch", "rgb", "spruce", "sprig"]


def rgb(text: str) -> Array:
    """A colour (3,) from six hexadecimal digits."""
    return np.array([int(text[i : i + 2], 16) for i in (0, 2, 4)], dtype=np.float32) / 255.0


LEAVES = {
    season: np.stack([rgb(tone) for tone in tones.split()])
    for season, tones in {
        "spring": "8fb52e a9c64a 6f9a2c c2d46a",
        "summer": "3f6b22 557f2a 2f5420 74963a",
        "autumn": "c8741e d89a28 a8481c 8a7a2a e0b840",
        "winter": "4a4436 5d5340 39372e 6e6450",
    }.items()
}
NEEDLES = np.stack([rgb(tone) for tone in ("1f3a2a", "2a4a34", "35563a", "22402e")])
BRIGHT = (
    "d8281e", "e8641c", "f0b81c", "f4e04a", "3f74c8", "7a4ac0", "d85a9a", "f2f0ea", "2a8ad0", "c23a3a", "1c1a1c",
    "8a5c36",
)  # fmt: skip


@dataclass(frozen=True)
class Mood:
    """Season and air of a scene: colours of the sky from top to horizon, of the haze and how thick it is."""

    season: str = "summer"
    sky: tuple[Colour, Colour] = ((0.42, 0.60, 0.82), (0.80, 0.87, 0.90))
    haze: Colour = (0.72, 0.78, 0.76)
    thick: float = 0.5
    side: float = -0.5
    snow: bool = False


def leaf_colours(rng: Rng, mood: Mood, count: int, *, needles: bool = False) -> Array:
    """`count` leaf colours (count, 3) of the season."""
    table = NEEDLES if needles else LEAVES[mood.season]
    table = table * (1 + rng.normal(0, 0.08)) + rng.normal(0, 0.02, 3)
    picks = table[rng.integers(len(table), size=count)]
    return np.asarray(np.clip(picks * rng.normal(1.0, 0.14, (count, 1)) + rng.normal(0, 0.02, (count, 3)), 0.01, 1))


def foliage(
    canvas: Canvas,
    rng: Rng,
    mood: Mood,
    at: tuple[float, float],
    spread: tuple[float, float],
    count: int,
    size: float,
    *,
    haze: float = 0.0,
    needles: bool = False,
    slim: float = 0.5,
    dark: float = 0.5,
) -> None:
    """A mass of leaves about a place, lit from above: dark below and within, light on top."""
    gx, gy = rng.normal(0, 1, count), rng.normal(0, 1, count)
    order = np.argsort(rng.random(count) + 0.25 * (gy < 0))
    gx, gy = gx[order], gy[order]
    depth = np.linspace(0, 1, count)
    lit = (1 - dark) + dark * (0.35 + 0.65 * depth) * (1.0 - 0.30 * gy) + 0.12 * gx * mood.side
    colours = leaf_colours(rng, mood, count, needles=needles) * lit[:, None]
    colours = colours * (1 - haze) + np.asarray(mood.haze) * haze
    angle = rng.uniform(0, np.pi, count) if not needles else rng.normal(np.pi / 2, 0.6, count)
    length = size * rng.uniform(0.6, 1.3, count)
    canvas.leaves(at[0] + gx * spread[0], at[1] + gy * spread[1], length, angle, colours, slim)


def spruce(canvas: Canvas, rng: Rng, mood: Mood, x: float, foot: float, tall: float, air: float) -> None:
    """A spruce that stands at (x, foot), behind a share of haze `air`."""
    tiers = max(6, int(tall * 34))
    s = np.repeat(np.linspace(0.04, 1, tiers), 6)
    n = len(s)
    reach = tall * 0.30 * s * rng.uniform(0.55, 1.1, n)
    way = np.where(rng.random(n) < 0.5, -1.0, 1.0)
    colours = leaf_colours(rng, mood, n, needles=True) * (0.75 + 0.45 * (way * mood.side > 0))[:, None]
    colours *= rng.uniform(0.7, 1.2, (n, 1))
    if mood.snow:
        white = (rng.random(n) < 0.40)[:, None]
        colours = np.where(white, np.array([0.84, 0.88, 0.94]) * rng.uniform(0.8, 1.08, (n, 1)), colours)
    colours = colours * (1 - air) + np.asarray(mood.haze) * air
    y = foot - tall + tall * s + rng.normal(0, 0.01 * tall, n)
    canvas.polygon(
        [(x - 0.012 * tall, foot), (x, foot - tall), (x + 0.012 * tall, foot)], blend(rgb("2c241c"), mood.haze, air)
    )
    order = np.argsort(-s + rng.random(n) * 0.02)
    canvas.leaves(
        (x + way * reach * 0.5)[order],
        y[order],
        (reach + 0.02 * tall)[order],
        (way * 0.42)[order],
        colours[order],
        0.42,
    )


def fern(canvas: Canvas, rng: Rng, x: float, y: float, long: float, angle: float, colour: Array) -> None:
    """A frond that springs from (x, y) and bends under its weight."""
    tip = (x + long * np.cos(angle), y + long * np.sin(angle) + 0.35 * long * abs(np.cos(angle)))
    mid = (x + 0.55 * long * np.cos(angle), y + 0.75 * long * np.sin(angle))
    stem = spline([(x, y), mid, tip], 22)
    canvas.stroke(stem, 0.004, colour * 0.7)
    way = np.gradient(stem, axis=0)
    heading = np.arctan2(way[:, 1], way[:, 0])
    size = long * 0.34 * np.sin(np.linspace(0.25, np.pi * 0.97, 22))
    for side in (-1, 1):
        way_out = heading + side * 1.15
        canvas.leaves(
            stem[:, 0] + 0.5 * size * np.cos(way_out),
            stem[:, 1] + 0.5 * size * np.sin(way_out),
            size,
            way_out,
            colour * rng.uniform(0.8, 1.15, (22, 1)) * (1.0 if side < 0 else 0.82),
            0.26,
        )


def perch(canvas: Canvas, rng: Rng, mood: Mood, at: tuple[float, float], width: float, slope: float) -> None:
    """A branch across the picture through `at`, which lies on its upper edge, with side twigs and their leaves."""
    tone = colour_like(rng, rgb(rng.choice(("5c4a3a", "7a6a58", "4a3a2c", "8a7a66", "6a5038"))), 0.12)
    x0, y0 = at[0], at[1] + width * 0.35
    start = rng.uniform(-0.15, -0.03) if rng.random() < 0.75 else max(-0.1, x0 - rng.uniform(0.12, 0.3))
    end = rng.uniform(1.03, 1.15) if rng.random() < 0.75 else min(1.1, x0 + rng.uniform(0.12, 0.3))
    knots = [(start, y0 + slope * (start - x0) + rng.normal(0, 0.02)), (x0 - 0.08, y0 - slope * 0.08), (x0, y0),
             (x0 + 0.08, y0 + slope * 0.08), (end, y0 + slope * (end - x0) + rng.normal(0, 0.02))]  # fmt: skip
    path = spline(knots, 30)
    grow = 1 if rng.random() < 0.5 else -1
    taper = np.linspace(1.35, 0.62, 30)[::grow] * (1 + 0.06 * rng.standard_normal(30))
    taper[[0, -1]] *= 0.35
    taper[[1, -2]] *= 0.85
    for _ in range(rng.integers(1, 5)):
        i = rng.integers(3, 27)
        run, rise = rng.uniform(0.08, 0.3), rng.choice((-1, 1)) * rng.uniform(0.4, 1.0)
        arc = spline(
            [path[i], path[i] + [grow * run / 2, rise * run * 0.35], path[i] + [grow * run, rise * run * 0.8]], 12
        )
        if abs(rise) < 0.9:
            canvas.limb(rng, arc, width * np.linspace(0.45, 0.10, 12), tone * 0.85, rough=0.3)
        else:
            canvas.stroke(arc, width * 0.18, tone * 0.7)
        if mood.season != "winter" and rng.random() < 0.7:
            sprig(canvas, rng, mood, arc[3:])
    cap = (0.95, 0.96, 1.0) if mood.snow else rgb("6f8a34") if rng.random() < 0.2 else None
    canvas.limb(rng, path, width * taper, tone, light=-0.6, rough=0.5, cap=cap)


def sprig(canvas: Canvas, rng: Rng, mood: Mood, path: Array) -> None:
    """Leaves along a twig."""
    n = int(rng.integers(4, 12))
    p = path[rng.integers(len(path), size=n)]
    size = rng.uniform(0.04, 0.075)
    angle = rng.uniform(-0.5, 3.6, n)
    canvas.leaves(
        p[:, 0] + 0.5 * size * np.cos(angle),
        p[:, 1] + 0.5 * size * np.sin(angle),
        size * rng.uniform(0.7, 1.3, n),
        angle,
        leaf_colours(rng, mood, n) * rng.uniform(0.7, 1.25, (n, 1)),
        rng.uniform(0.35, 0.6),
    )


def blossom(canvas: Canvas, rng: Rng, at: tuple[float, float], spread: float, count: int) -> None:
    """A bunch of berries or flowers, in the colours that birds wear too."""
    tone = rgb(rng.choice(BRIGHT))
    stem = np.array([at[0] + rng.normal(0, 0.02), at[1] - 1.6 * spread])
    petals = rng.random() < 0.4
    for _ in range(count):
        x, y = at[0] + rng.normal(0, spread), at[1] + rng.normal(0, spread * 0.7)
        r = rng.uniform(0.007, 0.019)
        shade = colour_like(rng, tone, 0.1)
        canvas.stroke(spline([stem, (np.array([x, y]) + stem) / 2 + [0.01, 0], (x, y)], 5), 0.003, rgb("4c4a2c"))
        if petals:
            angle = rng.uniform(0, 1.2) + np.arange(5) * 2 * np.pi / 5
            canvas.leaves(x + r * np.cos(angle), y + r * np.sin(angle), np.full(5, 1.9 * r), angle,
                          shade * np.linspace(0.75, 1.05, 5)[:, None], 0.75)  # fmt: skip
            canvas.disc(x, y, 0.45 * r, 0.45 * r, rgb("d8b040"))
        else:
            canvas.disc(x, y, r, r, shade * 0.72)
            canvas.disc(x - 0.15 * r, y - 0.15 * r, 0.75 * r, 0.75 * r, shade)
            canvas.disc(x - 0.35 * r, y - 0.4 * r, 0.25 * r, 0.25 * r, blend(shade, (1, 1, 1), 0.6))


def decoy(canvas: Canvas, rng: Rng, mood: Mood, at: tuple[float, float], size: float, *, twig: bool) -> str:
    """Something of a bird's size that is no bird, at a place, on a twig of its own if asked; says what it is."""
    what = str(rng.choice(("cone", "fruit", "clump", "toadstool", "leaf")))
    x, y = at
    tone = colour_like(rng, rgb(rng.choice(BRIGHT)), 0.1)
    if twig:
        from_edge = (rng.choice((-0.05, 1.05)), y - rng.uniform(0.0, 0.25))
        path = spline([from_edge, ((from_edge[0] + x) / 2, y - rng.uniform(0.02, 0.12)), (x, y + 0.01)], 16)
        canvas.limb(rng, path, np.linspace(0.022, 0.008, 16), rgb("54463a"), rough=0.4)
        if mood.season != "winter":
            sprig(canvas, rng, mood, path[6:])
    if what == "cone":
        _cone(canvas, rng, x, y, size)
    elif what == "fruit":
        for _ in range(rng.integers(1, 4)):
            _fruit(canvas, rng, x + rng.normal(0, 0.28 * size), y, 0.55 * size * rng.uniform(0.8, 1.1), tone)
        _leaf(canvas, rng, x, y + 0.05 * size, 0.7 * size, rng.uniform(0.2, 2.9), leaf_colours(rng, Mood(), 1)[0])
    elif what == "clump":
        green = Mood(season=str(rng.choice(("spring", "summer", "autumn"))))
        foliage(canvas, rng, green, (x, y), (0.28 * size, 0.20 * size), 150, 0.17 * size, dark=0.6)
    elif what == "toadstool":
        _toadstool(
            canvas, rng, x, y, size, colour_like(rng, rgb(rng.choice(("c8281e", "d89a40", "8a5c36", "e8e0d0"))), 0.1)
        )
    else:
        for _ in range(rng.integers(1, 4)):
            _leaf(canvas, rng, x, y, size * rng.uniform(0.8, 1.2), rng.uniform(0.1, 3.0), colour_like(rng, tone, 0.15))
    return what


def _cone(canvas: Canvas, rng: Rng, x: float, y: float, size: float) -> None:
    lean, brown = rng.normal(0, 0.12), colour_like(rng, rgb("7d5636"), 0.12)
    canvas.stroke([(x, y - 0.02), (x, y + 0.1 * size)], 0.008, brown * 0.6)
    for row in np.linspace(1, 0, 12):  # from the tip upwards, so that upper scales lie on lower ones
        half = 0.30 * size * np.sqrt(np.sin(np.pi * (0.10 + 0.84 * row)) + 0.02)
        k = np.linspace(-1, 1, 6) + rng.normal(0, 0.05)
        px, py = x + k * half + lean * row * size, y + (0.08 + 0.92 * row) * size
        shade = np.clip(1.0 - 0.45 * k + 0.5 * k, 0.6, 1.2) * (1.05 - 0.5 * np.abs(k + 0.3) / 1.3)
        for dy, gain in ((0.02, 0.55), (0.0, 1.0)):
            canvas.leaves(px, py + dy * size + 0 * k, np.full(6, 0.22 * size), np.pi / 2 - 0.55 * k,
                          brown * (gain * shade)[:, None] * rng.uniform(0.9, 1.1, (6, 1)), 0.75)  # fmt: skip


def _fruit(canvas: Canvas, rng: Rng, x: float, y: float, size: float, tone: Array) -> None:
    drop = rng.uniform(0.2, 0.5) * size
    canvas.stroke(
        spline([(x, y - 0.01), (x + 0.06 * size, y + drop / 2), (x, y + drop + 0.1 * size)], 6), 0.006, rgb("4a3a28")
    )
    long = rng.uniform(0.9, 1.15)
    for f in np.linspace(0, 1, 14):
        r = size * 0.5 * (1 - f * 0.92)
        canvas.disc(x - 0.17 * size * f, y + drop + 0.5 * size - 0.17 * size * f, r, r * long,
                    blend(tone * 0.45, blend(tone, (1, 1, 1), 0.30), f**0.8))  # fmt: skip


def _leaf(canvas: Canvas, rng: Rng, x: float, y: float, size: float, angle: float, tone: Array) -> None:
    """One large leaf with its midrib and veins."""
    t = np.linspace(0, 1, 14)
    way, cross = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    rib = np.array([x, y]) + size * (t[:, None] * way + 0.14 * (t * t)[:, None] * cross * rng.choice((-1, 1)))
    half = size * rng.uniform(0.20, 0.32) * np.sin(np.pi * t**0.8) * (1 + 0.12 * np.sin(t * rng.choice((0, 40))))
    for side, gain in ((1, 1.0), (-1, 0.78)):
        rim = rib + side * half[:, None] * cross
        canvas.polygon(np.concatenate([rib, rim[::-1]]), tone * gain)
        for i in range(2, 12, 2):
            canvas.stroke([rib[i], rim[min(13, i + 2)] * 0.85 + rib[i] * 0.15], 0.002, tone * gain * 0.8)
    canvas.stroke(rib, 0.005, blend(tone, (1, 0.95, 0.8), 0.25))


def _toadstool(canvas: Canvas, rng: Rng, x: float, y: float, size: float, tone: Array) -> None:
    canvas.limb(
        rng, [(x, y + 0.03), (x + 0.03 * size, y - 0.5 * size)], [0.22 * size, 0.16 * size], (0.9, 0.87, 0.8), rough=0.1
    )
    angle = np.linspace(np.pi, 2 * np.pi, 24)
    canvas.disc(x, y - 0.42 * size, 0.5 * size, 0.07 * size, tone * 0.4)
    for f in np.linspace(0, 1, 8):
        px = x + 0.5 * size * (1 - 0.5 * f) * np.cos(angle) - 0.1 * f * size
        py = y - 0.42 * size + 0.5 * size * (1 - 0.6 * f) * np.sin(angle) - 0.05 * f * size
        canvas.polygon(np.stack([px, py], axis=-1), blend(tone * 0.55, blend(tone, (1, 1, 1), 0.25), f))


def drift(canvas: Canvas, rng: Rng, mood: Mood, count: int, size: float) -> None:
    """Leaves in the air."""
    canvas.leaves(
        rng.random(count),
        rng.random(count),
        size * rng.uniform(0.5, 1.4, count),
        rng.uniform(0, 6.3, count),
        leaf_colours(rng, mood, count) * rng.uniform(0.8, 1.3, (count, 1)),
        rng.uniform(0.2, 0.6),
    )
