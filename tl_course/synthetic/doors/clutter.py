"""What stands and hangs about a door, and what looks like a door and is none."""

from collections.abc import Callable

import numpy as np

from tl_course.synthetic.doors.leaf import METALS
from tl_course.synthetic.doors.room import Place, window
from tl_course.synthetic.doors.surfaces import PAINTS, WOODS, Relief, cloth, muted, shadow, tinted, to_bytes, wood
from tl_course.synthetic.doors.view import Face, box, cylinder, moved, point, swatch
from tl_course.synthetic.engine.brushes import Array, Canvas, Rng, blend, colour_like, noise

__all__ = ["NO_DOORS", "clutter", "no_door"]

NO_DOORS = ("window", "cupboard", "wardrobe", "fridge", "sign", "picture")
SIGNS = (("EXIT", (0.06, 0.45, 0.24)), ("WC", (0.12, 0.26, 0.55)), ("PRIVATE", (0.92, 0.92, 0.90)),
         ("CLOSED", (0.75, 0.12, 0.12)), ("OPEN", (0.10, 0.40, 0.20)), ("SHOP", (0.90, 0.78, 0.30)))  # fmt: skip
PLAIN = ((0.20, 0.22, 0.25), (0.70, 0.70, 0.70), (0.62, 0.40, 0.26), (0.30, 0.40, 0.50), (0.80, 0.76, 0.68))


def _shade(x: float, z: float, reach: float, y: float) -> Face:
    """The shadow that a thing has around its foot."""
    return Face(
        point(x - reach, y + 0.008, z - reach),
        point(2 * reach, 0, 0),
        point(0, 0, 2 * reach),
        shadow(0.55),
        layer="shadow",
    )


def _plant(rng: Rng, x: float, y: float) -> list[Face]:
    z, r, h = float(rng.uniform(0.25, 0.4)), float(rng.uniform(0.10, 0.17)), float(rng.uniform(0.22, 0.38))
    tone = tinted(rng, ((0.62, 0.34, 0.22), (0.86, 0.85, 0.82), (0.22, 0.23, 0.25), (0.45, 0.52, 0.50)))
    faces = [_shade(x, z, 2.1 * r, y), *cylinder(point(x, y, z), r, h, tone, flare=1.25, lid=(0.18, 0.13, 0.10))]
    # Leaves are painted on a flat card; what the card leaves bare is cut out by a colour that no leaf has.
    n, key = 150, np.array((1.0, 0.0, 1.0))
    canvas = Canvas(n)
    canvas.ramp([(0, key), (1, key)])
    green = colour_like(rng, (0.22, 0.40, 0.18), 0.25)
    bushy = rng.random() < 0.5
    count = 170 if bushy else 46
    spread = rng.random((count, 3))
    angle = np.pi * (1.5 + (0.9 if bushy else 0.62) * (spread[:, 0] - 0.5) * 1.3)
    reach = 0.45 * np.sqrt(spread[:, 1]) if bushy else 0.22 + 0.2 * spread[:, 1]
    middle = 0.62 if bushy else 0.98
    px, py = (
        0.5 + reach * np.cos(angle) * (1 if bushy else 0.8),
        middle + reach * np.sin(angle) * (1.2 if bushy else 1.6),
    )
    tones = green * (0.55 + 0.75 * rng.random((count, 1)))
    canvas.leaves(
        px,
        py,
        np.full(count, 0.15 if bushy else 0.42) * (0.7 + 0.5 * spread[:, 2]),
        angle,
        tones,
        slim=0.45 if bushy else 0.16,
    )
    drawn = np.asarray(canvas.image)
    bare = (drawn[..., 0] > 240) & (drawn[..., 1] < 15) & (drawn[..., 2] > 240)
    card = np.dstack([drawn, np.where(bare, 0, 255).astype(np.uint8)])
    tall = float(rng.uniform(0.5, 1.0))
    faces.append(Face(point(x - tall / 2, y + h + tall * 0.9, z), point(tall, 0, 0), point(0, -tall, 0), card))
    return faces


def _umbrellas(rng: Rng, x: float, y: float) -> list[Face]:
    z, tone = 0.22, tinted(rng, PLAIN)
    faces = [_shade(x, z, 0.26, y), *cylinder(point(x, y, z), 0.11, 0.5, tone, lid=tone * 0.35)]
    for _ in range(int(rng.integers(1, 4))):
        lean, away = rng.normal(0, 0.05, 2)
        stick = cylinder(point(0, 0, 0), 0.028, 0.34, muted(rng), sides=8)
        stick += cylinder(point(0, 0.34, 0), 0.011, 0.14, (0.35, 0.22, 0.12), sides=6)
        axes = np.stack([point(1, 0, 0), point(lean * 3, 1, away * 2), point(0, 0, 1)], axis=-1)
        faces += moved(stick, point(x + lean, y + 0.42, z + away), axes)
    return faces


def _shoes(rng: Rng, x: float, y: float) -> list[Face]:
    tone = tinted(
        rng, ((0.12, 0.10, 0.10), (0.40, 0.24, 0.14), (0.80, 0.80, 0.80), (0.20, 0.28, 0.50), (0.70, 0.20, 0.20))
    )
    boots = rng.random() < 0.35
    faces = [_shade(x, 0.28, 0.24, y)]
    for k in (-1, 1):
        x0, z0 = x + 0.065 * k, 0.2 + float(rng.normal(0, 0.02))
        faces += cylinder(point(x0, y, z0), 0.045, 0.34 if boots else 0.10, tone, lid=tone * 0.3, sides=10)
        faces += box((x0 - 0.044, y, z0), (x0 + 0.044, y + 0.065, z0 + 0.15), tone * 0.95)
        faces += cylinder(point(x0, y, z0 + 0.15), 0.044, 0.06, tone, lid=tone * 0.95, sides=10)
        faces += box((x0 - 0.048, y, z0 - 0.04), (x0 + 0.048, y + 0.018, z0 + 0.19), tone * 0.4)
    return faces


def _chair(rng: Rng, x: float, y: float) -> list[Face]:
    tone = tinted(rng, WOODS + PLAIN)
    faces = [_shade(x, 0.36, 0.42, y)]
    for x0 in (x - 0.2, x + 0.16):
        faces += box((x0, y, 0.50), (x0 + 0.035, y + 0.45, 0.535), tone) + box(
            (x0, y, 0.12), (x0 + 0.035, y + 0.92, 0.155), tone * 0.95
        )
    faces += box((x - 0.22, y + 0.44, 0.1), (x + 0.22, y + 0.475, 0.56), colour_like(rng, tone, 0.1))
    for y0 in (0.62, 0.80):
        faces += box((x - 0.18, y + y0, 0.12), (x + 0.18, y + y0 + 0.08, 0.145), tone)
    return faces


def _bin(rng: Rng, x: float, y: float) -> list[Face]:
    tone = tinted(rng, PLAIN)
    r, h = float(rng.uniform(0.12, 0.19)), float(rng.uniform(0.28, 0.62))
    return [_shade(x, 0.3, 1.8 * r, y), *cylinder(point(x, y, 0.3), r, h, tone, flare=1.15, lid=tone * 0.5)]


def _parcel(rng: Rng, x: float, y: float) -> list[Face]:
    w, h, d = (float(v) for v in rng.uniform(0.16, 0.36, 3))
    tone = colour_like(rng, (0.68, 0.52, 0.34), 0.08)
    faces = [_shade(x, 0.1 + d / 2, 0.9 * max(w, d), y), *box((x - w / 2, y, 0.1), (x + w / 2, y + h, 0.1 + d), tone)]
    return faces + box((x - 0.025, y, 0.1), (x + 0.025, y + h + 0.002, 0.102 + d), tone * 1.2)


def _coat(rng: Rng, x: float, y: float) -> list[Face]:
    wide, tall = float(rng.uniform(0.34, 0.46)), float(rng.uniform(0.75, 1.1))
    outline = (
        (0.40, 0.0),
        (0.60, 0.0),
        (0.82, 0.08),
        (0.97, 0.55),
        (0.84, 0.58),
        (0.86, 1.0),
        (0.14, 1.0),
        (0.16, 0.58),
        (0.03, 0.55),
        (0.18, 0.08),
    )
    top = 1.72
    tone = muted(rng)
    faces = box((x - 0.2, top, 0), (x + 0.2, top + 0.07, 0.018), tinted(rng, WOODS))
    faces.append(
        Face(
            point(x - wide / 2, top, 0.07),
            point(wide, 0, 0),
            point(0, -tall, 0),
            cloth(rng, outline, tone, 150, wide, tall),
        )
    )
    faces.append(
        Face(
            point(x - wide / 2 + 0.03, top, 0.03),
            point(wide, 0, 0),
            point(0, -tall, 0),
            cloth(rng, outline, tone * 0.6, 80, wide, tall),
        )
    )
    return faces


def _picture(rng: Rng, x: float, y: float) -> list[Face]:
    w, h = float(rng.uniform(0.22, 0.5)), float(rng.uniform(0.25, 0.55))
    low = float(rng.uniform(1.25, 1.5))
    hues = [muted(rng) for _ in range(3)]
    field = noise(rng, (60, 60), 3, 3)[..., None]
    art = np.where(field > 0.5, hues[0], np.where(field > -0.4, hues[1], hues[2]))
    art[:7], art[-7:], art[:, :7], art[:, -7:] = 0.93, 0.93, 0.93, 0.93
    return box((x - w / 2 - 0.02, low - 0.02, 0), (x + w / 2 + 0.02, low + h + 0.02, 0.018), tinted(rng, WOODS)) + box(
        (x - w / 2, low, 0), (x + w / 2, low + h, 0.022), (0.9, 0.9, 0.9), to_bytes(art)
    )


def _switch(rng: Rng, x: float, y: float) -> list[Face]:
    return box((x - 0.04, 1.05, 0), (x + 0.04, 1.13, 0.010), (0.95, 0.95, 0.93)) + box(
        (x - 0.012, 1.07, 0), (x + 0.012, 1.11, 0.017), (0.86, 0.86, 0.84)
    )


def _lantern(rng: Rng, x: float, y: float) -> list[Face]:
    metal = np.asarray(METALS[int(rng.integers(len(METALS)))])
    glow = swatch((1.0, 0.92, 0.72))
    faces = box((x - 0.04, 1.75, 0), (x + 0.04, 1.95, 0.02), metal) + box(
        (x - 0.07, 1.98, 0.03), (x + 0.07, 2.01, 0.17), metal
    )
    faces += box((x - 0.06, 1.76, 0.04), (x + 0.06, 1.98, 0.16), (1, 1, 1))
    for face in faces[-5:]:
        face.texture, face.glow = glow, 1.1
    return faces


def _plate(rng: Rng, x: float, y: float) -> list[Face]:
    tone = tinted(rng, ((0.10, 0.16, 0.36), (0.94, 0.94, 0.92), (0.12, 0.12, 0.13), (0.78, 0.66, 0.34)))
    relief = Relief(np.ones((90, 120, 3), dtype=np.float32) * tone, 600)
    ink = (0.96, 0.96, 0.94) if tone.mean() < 0.5 else (0.1, 0.1, 0.12)
    relief.write(str(rng.integers(1, 200)), 0.1, 0.075, 0.08, ink)
    return box((x - 0.1, 1.5, 0), (x + 0.1, 1.65, 0.012), tone, relief.texture(0.002))


ON_FLOOR: dict[bool, tuple[Callable[[Rng, float, float], list[Face]], ...]] = {
    True: (_plant, _plant, _bin, _parcel, _shoes, _umbrellas),
    False: (_plant, _umbrellas, _shoes, _chair, _bin, _parcel),
}
ON_WALL: dict[bool, tuple[Callable[[Rng, float, float], list[Face]], ...]] = {
    True: (_lantern, _plate, _lantern), False: (_picture, _picture, _coat, _switch, _switch),
}  # fmt: skip


def _mat(rng: Rng, at: Place, low: float) -> list[Face]:
    wide, deep = at.wide * float(rng.uniform(0.75, 1.1)), float(rng.uniform(0.4, 0.6))
    tone = tinted(rng, ((0.52, 0.40, 0.26), (0.22, 0.22, 0.24), (0.44, 0.20, 0.18), (0.30, 0.36, 0.30)), 0.1)
    field = tone * (1 + 0.12 * noise(rng, (50, 90), 40, 2))[..., None]
    if rng.random() < 0.5:
        field[4:7, 4:-4] = field[-7:-4, 4:-4] = field[4:-4, 4:7] = field[4:-4, -7:-4] = tone * 0.45
    x, z = (at.wide - wide) / 2 + float(rng.normal(0, 0.03)), float(rng.uniform(0.08, 0.2))
    turned = point(wide, 0, float(rng.normal(0, 0.03)))
    return [Face(point(x, low + 0.006, z), turned, point(-turned[2] * deep / wide, 0, deep), to_bytes(field))]


def clutter(rng: Rng, at: Place, *, right: bool, kind: str) -> tuple[list[Face], list[str]]:
    """Things about the door, where no leaf sweeps over them, and what they are."""
    low = -0.16 * at.steps
    faces: list[Face] = []
    names: list[str] = []
    if at.steps == 0 and rng.random() < 0.38:
        faces += _mat(rng, at, low)
        names.append("mat")
    # Beside the edge that swings there is room; on the hinge's side the open leaf may stand.
    clear = (-1.0 if right else 1.0) if kind != "double" else float(rng.choice((-1.0, 1.0)))
    beyond = at.wide if kind == "double" else 0.0
    for shelf, odds in ((ON_FLOOR[at.outdoors], 0.55), (ON_WALL[at.outdoors], 0.6)):
        draw, pick, away, flip = rng.random(4)
        if draw > odds:
            continue
        thing = shelf[int(pick * len(shelf))]
        side = -clear if flip < 0.3 and shelf is ON_WALL[at.outdoors] and kind == "hinged" else clear
        reach = at.architrave + (0.30 if thing is not _switch else 0.14) + 0.35 * away
        if shelf is ON_FLOOR[at.outdoors]:
            reach += beyond * 0.45 + (0.15 * at.steps)
        x = at.wide + reach if side > 0 else -reach
        if -at.sides[0] + 0.2 < x < at.wide + at.sides[1] - 0.2:
            faces += thing(rng, x, low)
            names.append(thing.__name__.strip("_"))
    return faces, names


def no_door(rng: Rng, what: str, ppm: float) -> list[Face]:
    """One of `NO_DOORS`, standing at or hanging on the wall about x = 0.5."""
    if what == "window":
        wide = float(rng.uniform(0.8, 1.5))
        return window(rng, 0.5 - wide / 2, 0.0, wide, float(rng.uniform(0.1, 0.9)))
    if what == "picture":
        return _picture(rng, 0.2, 0.0) + _picture(rng, 0.85, 0.0)
    if what == "sign":
        return _sign(rng)
    tone = (
        np.array((0.93, 0.93, 0.92)) if what == "fridge" and rng.random() < 0.6 else tinted(rng, PAINTS + WOODS + PLAIN)
    )
    wide = {"cupboard": rng.uniform(0.9, 1.5), "wardrobe": rng.uniform(1.1, 1.8), "fridge": rng.uniform(0.6, 0.75)}[
        what
    ]
    tall = float(
        {"cupboard": rng.uniform(0.8, 1.1), "wardrobe": rng.uniform(1.8, 2.1), "fridge": rng.uniform(1.5, 1.85)}[what]
    )
    foot, deep, metal = (
        0.0 if what == "fridge" else 0.08,
        0.6 if what != "cupboard" else 0.42,
        METALS[int(rng.integers(5))],
    )
    left, width = 0.5 - float(wide) / 2, float(wide)
    face = to_bytes(wood(rng, width, tall, ppm, tone, strength=0.8 if np.ptp(tone) > 0.15 else 0.08))
    faces = [*box((left, foot, 0), (left + width, tall, deep), tone * 0.9, face)]
    for x in (left + 0.02, left + width - 0.07):
        faces += box((x, 0, 0.05), (x + 0.05, foot, deep - 0.02), tone * 0.6)
    if what == "fridge":
        split = tall * float(rng.uniform(0.3, 0.7))
        for y0, y1 in ((0.06, split - 0.006), (split + 0.006, tall - 0.01)):
            faces += box((left + 0.004, y0, deep), (left + width - 0.004, y1, deep + 0.05), tone)
            faces += box(
                (left + 0.05, (y0 + y1) / 2 - 0.15, deep + 0.05),
                (left + 0.075, (y0 + y1) / 2 + 0.15, deep + 0.1),
                metal,
            )
        return faces
    parts = int(rng.integers(2, 4))
    for k in range(parts):
        x0, x1 = left + width * k / parts + 0.008, left + width * (k + 1) / parts - 0.008
        relief = Relief(
            wood(rng, x1 - x0, tall - foot - 0.06, ppm, tone, strength=0.8 if np.ptp(tone) > 0.15 else 0.08), ppm
        )
        relief.panel(0.07, 0.07, x1 - x0 - 0.07, tall - foot - 0.13)
        faces += box((x0, foot + 0.03, deep), (x1, tall - 0.03, deep + 0.02), tone, relief.texture())
        x = x1 - 0.05 if k % 2 == 0 else x0 + 0.03
        middle = (foot + tall) / 2
        faces += box((x, middle - 0.06, deep + 0.02), (x + 0.02, middle + 0.06, deep + 0.05), metal)
    faces += box((left - 0.02, tall, 0), (left + width + 0.02, tall + 0.03, deep + 0.04), blend(tone, (0, 0, 0), 0.1))
    return faces


def _sign(rng: Rng) -> list[Face]:
    text, tone = SIGNS[int(rng.integers(len(SIGNS)))]
    wide, tall = float(rng.uniform(0.5, 1.0)), float(rng.uniform(0.22, 0.42))
    ground: Array = np.ones((round(tall * 400), round(wide * 400), 3), dtype=np.float32) * colour_like(rng, tone, 0.08)
    relief = Relief(ground, 400)
    ink = (0.96, 0.96, 0.94) if np.mean(tone) < 0.5 else (0.10, 0.10, 0.12)
    relief.write(text, wide / 2, tall / 2, min(0.5 * tall, 1.0 * wide / len(text)), ink)
    y = float(rng.uniform(1.1, 1.7))
    return box((0.5 - wide / 2, y, 0), (0.5 + wide / 2, y + tall, 0.025), np.asarray(tone) * 0.7, relief.texture(0.004))
