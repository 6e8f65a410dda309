"""Forests of several kinds, painted from far to near."""

from collections.abc import Callable

import numpy as np

from tl_course.synthetic.birds.growth import Mood, fern, foliage, leaf_colours, rgb, spruce
from tl_course.synthetic.engine.brushes import Canvas, Colour, Rng, blend, colour_like, noise, smoothstep, spline

__all__ = ["FORESTS", "backdrop", "shafts"]


def _sky(canvas: Canvas, rng: Rng, mood: Mood, low: float = 0.7, clouds: float = 0.5) -> None:
    canvas.ramp([(0.0, mood.sky[0]), (low, mood.sky[1]), (1.0, mood.sky[1])])
    if clouds > 0:
        field = noise(rng, (canvas.side, canvas.side), (5.0, 2.5), 4)
        canvas.veil(blend(mood.sky[1], (1, 1, 1), 0.55), smoothstep(0.2, 1.6, field) * clouds)


def _floor(canvas: Canvas, rng: Rng, mood: Mood, horizon: float, colour: Colour, *, litter: int = 250,
           bumps: float = 0.015) -> None:  # fmt: skip
    n = canvas.side
    line = horizon + bumps * noise(rng, (2, n), (1, 5), 3)[0]
    field = noise(rng, (n, n), (14, 6), 4)
    rows = np.linspace(0, 1, n, dtype=np.float32)[:, None]
    near = smoothstep(horizon, 1.0, rows)
    shade = (0.80 + 0.13 * field) * (0.9 + 0.25 * near * 0)
    paint = np.asarray(colour, dtype=np.float32) * shade[..., None]
    air = (mood.thick * (1 - near) ** 2)[..., None]
    canvas.ground(line, paint * (1 - air) + np.asarray(mood.haze, dtype=np.float32) * air)
    y = horizon + (1 - horizon) * rng.random(litter) ** 0.8
    scale = 0.006 + 0.022 * (y - horizon) / (1 - horizon + 1e-6)
    tint = leaf_colours(rng, mood, litter) * 0.8
    if mood.snow:
        tint = tint * 0.2 + 0.72
    share = (mood.thick * (1 - (y - horizon) / (1 - horizon)) ** 2)[:, None]
    tint = tint * (1 - share) + np.asarray(mood.haze) * share
    canvas.leaves(rng.random(litter), y, scale, rng.normal(0, 0.5, litter), tint, 0.35)


def _trunks(canvas: Canvas, rng: Rng, mood: Mood, bark: Colour, *, horizon: float, layers: int = 4, count: int = 6,
            width: float = 0.07, lean: float = 0.02, rough: float = 0.4, marks: Colour | None = None, rings: int = 0,
            crown: float = 0.5, twigs: int = 3, needles: bool = False) -> None:  # fmt: skip
    snow = (0.92, 0.94, 0.98) if mood.snow else None
    for layer in range(layers):
        near = (layer + 1) / layers
        haze = mood.thick * (1 - near) ** 0.8 * 1.25
        air = (mood.haze, min(0.92, haze))
        for _ in range(max(1, round(count * (1.6 - near)))):
            x = rng.uniform(-0.05, 1.05)
            w = width * near**1.6 * rng.uniform(0.6, 1.3)
            foot = horizon + (1.05 - horizon) * near**1.5 * rng.uniform(0.55, 1.0)
            tip = x + rng.normal(0, lean) * 2
            mid = (x + tip) / 2 + rng.normal(0, lean * 0.5)
            tone = colour_like(rng, bark, 0.10)
            path = spline([(x, min(foot, 1.05)), (mid, foot * 0.5), (tip, -0.05)], 16)
            flare = np.linspace(1.15, 0.75, 16)
            flare[:2] *= (1.35, 1.1)
            for _ in range(twigs if w > 0.012 else 0):
                y0 = rng.uniform(0.0, foot * 0.8)
                x0 = float(np.interp(-y0, -path[:, 1], path[:, 0]))
                way = rng.choice((-1, 1))
                run = rng.uniform(0.06, 0.25) * (0.4 + near)
                arc = [
                    (x0, y0),
                    (x0 + way * run * 0.5, y0 - run * 0.25),
                    (x0 + way * run, y0 - run * rng.uniform(0.1, 0.8)),
                ]
                canvas.stroke(spline(arc, 8), w * 0.16, blend(tone * 0.6, mood.haze, air[1]))
            canvas.limb(rng, path, w * flare, tone, light=mood.side, rough=rough, marks=marks,
                        rings=rings, cap=snow if rng.random() < 0.7 and w > 0.02 else None, haze=air)  # fmt: skip
        if crown and not (mood.season == "winter" and not needles):
            for _ in range(max(2, round(5 * crown))):
                foliage(canvas, rng, mood, (rng.uniform(-0.1, 1.1), rng.uniform(-0.05, 0.30 * crown + 0.05)),
                        (0.13, 0.06), 80, 0.022 + 0.024 * near, haze=air[1], needles=needles)  # fmt: skip
        if layer < layers - 1:
            for _ in range(3):
                foliage(
                    canvas,
                    rng,
                    mood,
                    (rng.uniform(0, 1), horizon + (1 - horizon) * near**2 * 0.5),
                    (0.16, 0.02),
                    40,
                    0.02 + 0.02 * near,
                    haze=air[1],
                    dark=0.65,
                )


def _beech(canvas: Canvas, rng: Rng, mood: Mood) -> None:
    _sky(canvas, rng, mood, clouds=0.2)
    horizon = rng.uniform(0.55, 0.78)
    canvas.veil(blend(leaf_colours(rng, mood, 1)[0], mood.haze, 0.55), 0.75)
    for _ in range(8):
        foliage(
            canvas,
            rng,
            mood,
            (rng.random(), rng.uniform(0, horizon)),
            (0.14, 0.10),
            60,
            0.026,
            haze=mood.thick,
            dark=0.3,
        )
    soil = rgb("5d4a30") if mood.season in ("autumn", "spring") else rgb("4c4a2a")
    _floor(canvas, rng, mood, horizon, (0.88, 0.90, 0.94) if mood.snow else soil)
    _trunks(canvas, rng, mood, rgb("7d7768"), horizon=horizon, width=rng.uniform(0.06, 0.14))


def _birch(canvas: Canvas, rng: Rng, mood: Mood) -> None:
    _sky(canvas, rng, mood, clouds=0.3)
    horizon = rng.uniform(0.6, 0.8)
    canvas.veil(blend(leaf_colours(rng, mood, 1)[0], mood.haze, 0.6), 0.5)
    for _ in range(7):
        foliage(
            canvas,
            rng,
            mood,
            (rng.random(), rng.uniform(0, horizon)),
            (0.12, 0.12),
            50,
            0.022,
            haze=mood.thick,
            dark=0.3,
        )
    _floor(canvas, rng, mood, horizon, (0.90, 0.92, 0.95) if mood.snow else rgb("6a6a34"))
    _trunks(canvas, rng, mood, (0.90, 0.89, 0.85), horizon=horizon, count=5, width=rng.uniform(0.045, 0.11), lean=0.04,
            rough=0.18, marks=(0.13, 0.12, 0.11), crown=0.6)  # fmt: skip


def _pine(canvas: Canvas, rng: Rng, mood: Mood) -> None:
    _sky(canvas, rng, mood, clouds=0.4)
    horizon = rng.uniform(0.62, 0.85)
    for _ in range(6):
        foliage(canvas, rng, mood, (rng.random(), rng.uniform(0.1, horizon)), (0.16, 0.08), 75, 0.024, haze=mood.thick,
                needles=True)  # fmt: skip
    _floor(canvas, rng, mood, horizon, (0.90, 0.92, 0.95) if mood.snow else rgb("5a4a2e"))
    _trunks(
        canvas,
        rng,
        mood,
        rgb("96603e"),
        horizon=horizon,
        width=rng.uniform(0.05, 0.12),
        rough=0.75,
        crown=0.8,
        twigs=5,
        needles=True,
    )


def _conifers(canvas: Canvas, rng: Rng, mood: Mood) -> None:
    _sky(canvas, rng, mood, low=0.6, clouds=0.6)
    n = canvas.side
    top = rng.uniform(0.12, 0.5)
    slope = rng.uniform(-0.25, 0.25)
    xs = np.linspace(0, 1, n, dtype=np.float32)
    layers = 4
    for layer in range(layers):
        near = (layer + 1) / layers
        air = min(0.9, mood.thick * (1 - near) * 1.5 + 0.03)
        line = (
            top
            + (0.95 - top) * near**1.4 * 0.75
            + slope * (xs - 0.5) * (1.2 - near)
            + 0.035 * noise(rng, (2, n), (1, 3), 3)[0]
        )
        base = blend(leaf_colours(rng, mood, 1, needles=True)[0] * 0.75, mood.haze, air)
        if mood.snow:
            base = blend(base, (0.85, 0.88, 0.93), 0.55)
        field = noise(rng, (n, n), 24, 3)[..., None]
        canvas.ground(line, base * (1 + 0.12 * field))
        tall = 0.07 + 0.30 * near**2
        for x in rng.uniform(-0.05, 1.05, round(26 * (1.25 - near)) + 3).tolist():
            foot = float(np.interp(x, xs, line)) + tall * 0.25 + rng.uniform(0, 0.12) * near
            spruce(canvas, rng, mood, x, foot, tall * rng.uniform(0.7, 1.25), air)
        if layer < layers - 1:
            mist = np.exp(-(((np.linspace(0, 1, n)[:, None] - line.mean() - 0.14) / 0.09) ** 2))
            canvas.veil(mood.haze, np.clip(mist * mood.thick * 0.55, 0, 1))


def _canopy(canvas: Canvas, rng: Rng, mood: Mood) -> None:
    _sky(canvas, rng, mood, clouds=0.5)
    cx, cy = rng.uniform(0.3, 0.7, 2)
    for ring in range(4):
        for _ in range(8):
            angle, far = rng.uniform(0, 2 * np.pi), rng.uniform(0.22, 0.75) * (0.6 + 0.2 * ring)
            foliage(canvas, rng, mood, (cx + far * np.cos(angle), cy + far * np.sin(angle)), (0.10, 0.10), 55, 0.028,
                    haze=0.32 - 0.08 * ring, dark=0.45)  # fmt: skip
        if ring % 2 == 0:
            for _ in range(4):
                angle = rng.uniform(0, 2 * np.pi)
                start = np.array([cx + 0.9 * np.cos(angle), cy + 0.9 * np.sin(angle)])
                end = np.array([cx, cy]) + rng.normal(0, 0.10, 2)
                w = rng.uniform(0.05, 0.12)
                path = spline([start, (start + end) / 2 + rng.normal(0, 0.02, 2), end], 12)
                canvas.limb(rng, path, np.linspace(w, w * 0.15, 12), rgb("4a4034"), light=mood.side, rough=0.5)
                for _ in range(5):
                    a = path[rng.integers(3, 10)]
                    arc = spline([a, a + rng.normal(0, 0.07, 2), a + rng.normal(0, 0.14, 2)], 6)
                    canvas.stroke(arc, 0.006, rgb("3a3228"))


def _undergrowth(canvas: Canvas, rng: Rng, mood: Mood) -> None:
    _sky(canvas, rng, mood, clouds=0.0)
    canvas.veil(blend(leaf_colours(rng, mood, 1)[0] * 0.6, mood.haze, 0.3), 0.85)
    horizon = rng.uniform(0.35, 0.6)
    for _ in range(7):
        foliage(
            canvas,
            rng,
            mood,
            (rng.random(), rng.uniform(0, 0.6)),
            (0.14, 0.10),
            60,
            0.026,
            haze=mood.thick * 0.8,
            dark=0.5,
        )
    _floor(canvas, rng, mood, horizon, (0.86, 0.88, 0.92) if mood.snow else rgb("3c3a22"))
    _trunks(
        canvas,
        rng,
        mood,
        rgb("5a4c3a"),
        horizon=horizon,
        layers=3,
        count=3,
        width=rng.uniform(0.08, 0.16),
        rough=0.6,
        crown=0.3,
    )
    if rng.random() < 0.5:  # a fallen, mossy log
        y = rng.uniform(0.65, 0.85)
        path = spline([(-0.1, y), (0.5, y + rng.normal(0, 0.03)), (1.1, y + rng.normal(0, 0.06))], 12)
        canvas.limb(rng, path, np.full(12, rng.uniform(0.06, 0.13)), rgb("5c4834"), rough=0.6, cap=rgb("6b8a34"))
    for row in range(4):
        near = (row + 1) / 4
        for _ in range(7 - row):
            x, y = rng.uniform(-0.05, 1.05), horizon + (1.08 - horizon) * near
            for _ in range(4):
                colour = leaf_colours(rng, mood, 1)[0] * (0.55 + 0.45 * near)
                fern(canvas, rng, x, y, rng.uniform(0.08, 0.16) * (0.6 + 1.3 * near), rng.uniform(-2.8, -0.35), colour)


def _bamboo(canvas: Canvas, rng: Rng, mood: Mood) -> None:
    _sky(canvas, rng, mood, clouds=0.0)
    green = colour_like(rng, rgb("7d9a42") if mood.season != "autumn" else rgb("b5a04a"), 0.1)
    canvas.veil(blend(green, mood.haze, 0.5), 0.8)
    for layer in range(4):
        near = (layer + 1) / 4
        air = (mood.haze, mood.thick * (1 - near))
        for _ in range(round(14 - 7 * near)):
            x, lean = rng.uniform(-0.05, 1.05), rng.normal(0, 0.05)
            w = 0.05 * near**1.2 * rng.uniform(0.6, 1.2)
            path = spline([(x, 1.05), (x + lean * 0.4, 0.5), (x + lean, -0.05)], 10)
            canvas.limb(
                rng,
                path,
                np.full(10, w),
                colour_like(rng, green, 0.12) * (0.6 + 0.4 * near),
                light=mood.side,
                rough=0.06,
                rings=round(rng.uniform(4, 7) / (0.5 + 0.5 * near)),
                haze=air,
            )
        n = 110
        xs, ys = rng.random(n), rng.random(n) ** 1.5 * 0.85
        tint = leaf_colours(rng, mood, n) * 0.7 + green * 0.35
        tint = tint * (1 - air[1]) + np.asarray(mood.haze) * air[1]
        canvas.leaves(
            xs, ys, np.full(n, 0.04 + 0.06 * near), rng.choice((0.5, 2.6), n) + rng.normal(0, 0.3, n), tint, 0.16
        )


def _lane(canvas: Canvas, rng: Rng, mood: Mood) -> None:
    _sky(canvas, rng, mood, clouds=0.2)
    vx, horizon = rng.uniform(0.35, 0.65), rng.uniform(0.5, 0.66)
    glow = blend(leaf_colours(rng, mood, 1)[0], mood.haze, 0.6)
    canvas.veil(glow, 0.6)
    _floor(canvas, rng, mood, horizon, (0.9, 0.92, 0.95) if mood.snow else rgb("6a5230"), litter=350)
    path = colour_like(rng, rgb("9a8a6a"), 0.1)
    bend = rng.normal(0, 0.12)
    left = spline([(vx - 0.01, horizon), (vx - 0.06 + bend, (1 + horizon) / 2), (vx - 0.42, 1.02)], 12)
    right = spline([(vx + 0.01, horizon), (vx + 0.08 + bend, (1 + horizon) / 2), (vx + 0.36, 1.02)], 12)
    canvas.polygon(np.concatenate([left, right[::-1]]), path)
    canvas.leaves(vx + rng.normal(0, 0.2, 160), rng.uniform(horizon + 0.03, 1, 160), rng.uniform(0.01, 0.03, 160),
                  rng.normal(0, 0.6, 160), leaf_colours(rng, mood, 160), 0.4)  # fmt: skip
    for layer in range(5):
        near = (layer + 1) / 5
        gap = 0.06 + 0.46 * near**1.5
        air = (mood.haze, mood.thick * (1 - near))
        for side in (-1, 1):
            x, foot = vx + side * gap * rng.uniform(0.9, 1.2), horizon + (1 - horizon) * near**1.6 * 0.75
            w = 0.11 * near**1.5 * rng.uniform(0.8, 1.2)
            top = x - side * rng.uniform(0, 0.1) * near
            route = spline([(x, foot + 0.03), ((x + top) / 2, foot * 0.5), (top, -0.05)], 12)
            canvas.limb(rng, route, w * np.linspace(1.3, 0.7, 12), rgb("51443a"), light=mood.side, rough=0.5, haze=air)
            for _ in range(4 if mood.season != "winter" else 0):
                foliage(
                    canvas,
                    rng,
                    mood,
                    (x + rng.normal(0, 0.10), foot * rng.uniform(-0.1, 0.6) * 0.8),
                    (0.10, 0.07),
                    48,
                    0.015 + 0.024 * near,
                    haze=air[1],
                )


def _lake(canvas: Canvas, rng: Rng, mood: Mood) -> None:
    n = canvas.side
    horizon = rng.uniform(0.45, 0.75)
    _sky(canvas, rng, mood, low=horizon, clouds=0.8)
    for layer in range(3):
        air = 0.75 - 0.28 * layer
        line = horizon - (0.20 - 0.06 * layer) * rng.uniform(0.6, 1.2) + 0.05 * noise(rng, (2, n), (1, 2.5), 4)[0]
        tone = blend(leaf_colours(rng, mood, 1, needles=True)[0], mood.haze, air * mood.thick * 1.4)
        canvas.ground(line, np.broadcast_to(tone * (1 + 0.08 * noise(rng, (n, n), 20, 2)[..., None]), (n, n, 3)))
    for x in rng.uniform(-0.05, 1.05, 34):
        if rng.random() < 0.5:
            spruce(canvas, rng, mood, float(x), horizon + 0.01, rng.uniform(0.06, 0.16), 0.25 * mood.thick)
        else:
            foliage(canvas, rng, mood, (float(x), horizon - 0.03), (0.03, 0.025), 26, 0.02, haze=0.25 * mood.thick)
    pixels = canvas.pixels
    edge = round((horizon + 0.015) * n)
    rows = n - edge
    if rng.random() < 0.7:  # water mirrors what stands above it
        source = np.clip(edge - 1 - (np.arange(rows) * rng.uniform(0.8, 1.0)).astype(int), 0, n - 1)
        waves = (noise(rng, (rows, 2), (30, 1), 2)[:, :1] * np.linspace(1, n * 0.02, rows)[:, None]).astype(int)
        x = np.clip(np.arange(n)[None] + waves, 0, n - 1)
        tint = np.asarray(mood.sky[0], dtype=np.float32)
        pixels[edge:] = pixels[source[:, None], x] * 0.72 + tint * 0.16
        pixels[edge:] *= 1 + 0.05 * noise(rng, (rows, n), (rows / 5, 5), 2)[..., None]
        canvas.pixels = pixels
    else:
        _floor(
            canvas, rng, mood, horizon + 0.01, (0.9, 0.92, 0.95) if mood.snow else leaf_colours(rng, mood, 1)[0] * 1.1
        )


FORESTS: dict[str, Callable[[Canvas, Rng, Mood], None]] = {
    "beech": _beech,
    "birch": _birch,
    "pine": _pine,
    "conifers": _conifers,
    "canopy": _canopy,
    "undergrowth": _undergrowth,
    "bamboo": _bamboo,
    "lane": _lane,
    "lake": _lake,
}


def shafts(canvas: Canvas, rng: Rng, mood: Mood) -> None:
    """Slanting beams of light that fade downwards."""
    at = (np.arange(canvas.side, dtype=np.float32) + 0.5) / canvas.side
    across = at[None] + mood.side * rng.uniform(0.4, 1.3) * at[:, None]
    bands = noise(rng, (1, 400), (1, rng.uniform(7, 14)), 2)[0]
    beam = smoothstep(0.1, 1.6, np.interp(across, np.linspace(-0.7, 1.7, 400), bands))
    canvas.veil(blend(mood.haze, (1, 1, 1), 0.35), beam * (1 - 0.75 * at[:, None]) * rng.uniform(0.3, 0.6))


def backdrop(canvas: Canvas, rng: Rng, kind: str, mood: Mood) -> None:
    """Paint a forest of one of the kinds in `FORESTS` over the whole canvas."""
    FORESTS[kind](canvas, rng, mood)
