"""Where a door stands: the wall with its opening and frame, the room in front, and what is seen behind."""

from dataclasses import dataclass

import numpy as np

from tl_course.synthetic.doors.surfaces import PAINTS, WOODS, floor, muted, tinted, to_bytes, wall, wood
from tl_course.synthetic.doors.view import Face, box, point, swatch
from tl_course.synthetic.engine.brushes import Array, Rng, blend, colour_like, noise, smoothstep

__all__ = ["Place", "before", "behind", "frame", "place", "window"]

FAR = 9.0  # metres to either side that a wall goes on where nothing ends it
WALLS = {True: ("brick", "brick", "plaster", "stone", "clapboard", "plaster"),
         False: ("plaster", "plaster", "plaster", "paper", "panelling", "wall tiles", "brick")}  # fmt: skip
FLOORS = {True: ("paving", "setts", "asphalt", "tiles", "paving"),
          False: ("boards", "boards", "tiles", "carpet", "checks", "carpet")}  # fmt: skip
BEHIND = {True: ("room", "corridor", "corridor", "room"),
          False: ("room", "room", "corridor", "corridor", "closet", "bathroom", "garden", "street")}  # fmt: skip
DEPTHS = {"closet": (0.7, 0.8), "corridor": (3.5, 8.0), "bathroom": (1.9, 2.6)}


@dataclass(frozen=True)
class Place:
    """The surroundings: whether outdoors, what things are made of, sizes in metres, and what lies behind."""

    outdoors: bool
    wide: float
    tall: float
    thick: float
    wall: str
    floor: str
    behind: str
    depth: float
    trim: Array
    architrave: float
    ceiling: float
    sides: tuple[float, float]
    steps: int


def place(rng: Rng, *, double: bool, indoors: bool) -> Place:
    """Surroundings at random."""
    outdoors = bool(rng.random() < 0.42 and not indoors)
    where = str(rng.choice(BEHIND[outdoors]))
    wide = float(rng.uniform(0.76, 1.0) * (rng.uniform(1.5, 1.9) if double else 1.0))
    trim = tinted(rng, PAINTS[:3] if rng.random() < 0.6 else PAINTS + WOODS)
    left, right = (FAR if rng.random() < 0.45 else float(rng.uniform(0.35, 2.2)) for _ in range(2))
    return Place(
        outdoors=outdoors,
        wide=wide,
        tall=float(rng.uniform(1.98, 2.15) + 0.12 * outdoors),
        thick=float(rng.uniform(0.11, 0.20) if not outdoors else rng.uniform(0.15, 0.32)),
        wall=str(rng.choice(WALLS[outdoors])),
        floor=str(rng.choice(FLOORS[outdoors])),
        behind=where,
        depth=float(rng.uniform(*DEPTHS.get(where, (2.4, 5.0)))),
        trim=trim,
        architrave=float(rng.uniform(0.06, 0.12) if rng.random() < 0.85 else 0.035),
        ceiling=float(rng.uniform(2.45, 2.95)) if not outdoors else 4.2,
        sides=(FAR, FAR) if outdoors else (left, right),
        steps=int(rng.choice((0, 0, 0, 1, 1, 2))) if outdoors else 0,
    )


def _laid(corner: Array, along: Array, down: Array, texture: Array, ppm: float, **more: object) -> Face:
    """A face over which a texture is laid as often as it takes."""
    tall, wide = texture.shape[:2]
    repeat = (float(np.linalg.norm(along)) * ppm / wide, float(np.linalg.norm(down)) * ppm / tall)
    return Face(corner, along, down, texture, repeat=repeat, **more)  # type: ignore[arg-type]


def before(rng: Rng, at: Place, ppm: float) -> list[Face]:
    """The wall around the opening, the floor in front, and side walls, ceiling, skirting or steps."""
    skin, ground = wall(rng, at.wall, ppm), floor(rng, at.floor, ppm * 1.2)
    left, right, high = -at.sides[0], at.wide + at.sides[1], at.ceiling
    low = -0.16 * at.steps
    wide, tall = right - left, high - low
    hole = (-left / wide, (high - at.tall) / tall, (at.wide - left) / wide, high / tall)
    faces = [
        _laid(point(left, high, 0), point(wide, 0, 0), point(0, -tall, 0), skin, ppm, hole=hole),
        _laid(point(-FAR, low, 0), point(2 * FAR + at.wide, 0, 0), point(0, 0, 9), ground, ppm * 1.2),
    ]
    for k in range(at.steps):
        reach, top = 0.34 + 0.30 * k, -0.16 * k
        stone = colour_like(rng, (0.62, 0.60, 0.56), 0.08)
        margin = 0.12 + 0.06 * k
        faces += box((-margin - 0.05, top - 0.16, 0), (at.wide + margin + 0.05, top - 0.004, reach), stone * 0.9)
        slab = to_bytes(stone * (1 + 0.06 * noise(rng, (64, 128), 20, 2))[..., None])
        faces.append(
            Face(
                point(-margin - 0.05, top, 0), point(at.wide + 2 * margin + 0.1, 0, 0), point(0, 0, reach + 0.015), slab
            )
        )
    if at.outdoors:
        if rng.random() < 0.5:  # a plinth
            tone = colour_like(rng, (0.48, 0.46, 0.44), 0.05) * rng.uniform(0.6, 1.2)
            for x0, x1 in ((left, -at.architrave - 0.01), (at.wide + at.architrave + 0.01, right)):
                faces += box((x0, low, 0), (x1, low + 0.42, 0.03), tone)
        return faces
    plain = skin if at.wall != "brick" else wall(rng, "plaster", ppm)
    for x, reach in ((left, at.sides[0]), (right, at.sides[1])):
        if reach < FAR:
            faces.append(_laid(point(x, high, 0), point(0, 0, 6), point(0, -high, 0), plain, ppm))
    faces.append(Face(point(left, high, 0), point(wide, 0, 0), point(0, 0, 6), swatch((0.94, 0.94, 0.93))))
    board = at.trim * rng.uniform(0.9, 1.05)
    rise = float(rng.uniform(0.07, 0.16))
    if at.wall != "wall tiles":
        for x0, x1 in ((left, -at.architrave), (at.wide + at.architrave, right)):
            faces += box((x0, 0, 0), (x1, rise, 0.014), board)
    if at.wall in ("plaster", "paper") and rng.random() < 0.3:  # a dado rail, with another colour below
        low_part = fabric_below(rng, at, ppm)
        for x0, x1 in ((left, -at.architrave), (at.wide + at.architrave, right)):
            if x1 > x0:
                faces.append(
                    _laid(point(x0, 0.95, 0.002), point(x1 - x0, 0, 0), point(0, -0.95 + rise, 0), low_part, ppm)
                )
                faces += box((x0, 0.93, 0), (x1, 0.98, 0.02), at.trim)
    return faces


def fabric_below(rng: Rng, at: Place, ppm: float) -> Array:
    """What a wall has below its dado rail."""
    return wall(rng, str(rng.choice(("panelling", "plaster", "square tiles"))), ppm)


def frame(rng: Rng, at: Place, *, stop: float | None, ppm: float) -> list[Face]:
    """Lining, sill and architraves; `stop` is the z at which the frame's stop lies, None where there is none."""
    w, h, t, a = at.wide, at.tall, at.thick, at.architrave
    faces: list[Face] = []
    grain = 1.0 if float(np.ptp(at.trim)) > 0.2 else 0.1
    upright = to_bytes(wood(rng, a + 0.02, h, ppm, at.trim, strength=grain))
    level = np.ascontiguousarray(upright.transpose(1, 0, 2))
    lining = to_bytes(wood(rng, t, h, ppm, at.trim, strength=grain))
    across, deep, down = point(w, 0, 0), point(0, 0, -t), point(0, -h, 0)
    faces += [Face(point(0, h, 0), deep, down, lining), Face(point(w, h, 0), deep, down, lining),
              Face(point(0, h, 0), across, deep, swatch(at.trim)),
              Face(point(0, 0.004, 0), across, deep, swatch(at.trim * 0.55))]  # fmt: skip
    for x0, y0, x1 in ((-0.008, 0.0, 0.0), (w, 0.0, w + 0.008), (-0.008, h, w + 0.008)):
        faces += box((x0, y0, -0.02), (x1, h + 0.008, 0.002), at.trim)  # the edge that the architrave leaves bare
    if stop is not None:
        z0, z1, d = stop - 0.012, stop + 0.012, 0.014
        for first, last in (((0, 0, z0), (d, h, z1)), ((w - d, 0, z0), (w, h, z1)), ((0, h - d, z0), (w, h, z1))):
            faces += box(first, last, at.trim * 0.92)
    style = rng.random()
    for sign, z in ((1.0, 0.0), (-1.0, -t)):
        raised = sign * (0.022 if a > 0.05 else 0.012)
        gap = 0.006
        for x0 in (-a - gap, w + gap):
            low, high = sorted((z, z + raised))
            faces += box((x0, 0, low), (x0 + a, h + gap, high), at.trim, upright if sign > 0 else None)
            if style < 0.6 and sign > 0:  # a moulding
                faces += box(
                    (x0 + 0.3 * a, 0, z), (x0 + 0.7 * a, h + gap + 0.3 * a, z + raised + 0.008), at.trim * 0.97
                )
        low, high = sorted((z, z + raised))
        faces += box((-a - gap, h + gap, low), (w + a + gap, h + gap + a, high), at.trim, level if sign > 0 else None)
        if style < 0.6 and sign > 0:
            faces += box(
                (-0.7 * a, h + gap + 0.3 * a, z), (w + 0.7 * a, h + gap + 0.7 * a, z + raised + 0.008), at.trim * 0.97
            )
    if style > 0.85:  # a cornice
        faces += box((-a - 0.05, h + a, 0), (w + a + 0.05, h + a + 0.06, 0.09), at.trim)
    return faces


def behind(rng: Rng, at: Place, ppm: float, day: float) -> list[Face]:
    """What is behind the opening; `day` is how bright it is outdoors, 0 to 1."""
    z, far = -at.thick, -at.thick - at.depth
    if at.behind in ("garden", "street"):
        return _outside(rng, at, ppm, day)
    ppm = ppm * 0.7
    margin = {"corridor": rng.uniform(0.05, 0.4, 2), "closet": rng.uniform(0.1, 0.5, 2)}.get(
        at.behind, rng.uniform(0.4, 2.2, 2)
    )
    left, right = -float(margin[0]), at.wide + float(margin[1])
    if at.behind == "bathroom":
        skin, ground = wall(rng, str(rng.choice(("wall tiles", "square tiles"))), ppm), floor(rng, "tiles", ppm)
    else:
        skin, ground = (
            wall(rng, str(rng.choice(("plaster", "plaster", "paper"))), ppm),
            floor(rng, str(rng.choice(FLOORS[False])), ppm),
        )
    high = 2.55
    faces = [
        _laid(point(left, high, far), point(right - left, 0, 0), point(0, -high, 0), skin, ppm),
        _laid(point(left, high, z), point(0, 0, far - z), point(0, -high, 0), skin, ppm),
        _laid(point(right, high, far), point(0, 0, z - far), point(0, -high, 0), skin, ppm),
        _laid(point(left, 0, far), point(right - left, 0, 0), point(0, 0, z - far), ground, ppm),
        Face(
            point(left, high, z),
            point(right - left, 0, 0),
            point(0, 0, far - z),
            swatch(tinted(rng, PAINTS[:4]) * 0.92),
        ),
    ]
    # The wall's far side, which one sees in the corner of an eye.
    for x0, x1, y1 in ((left, 0.0, high), (at.wide, right, high)):
        faces.append(Face(point(x0, y1, z), point(x1 - x0, 0, 0), point(0, -y1, 0), skin[:1, :1]))
    faces += [*box((left, 0, far), (right, 0.1, far + 0.015), at.trim)]
    faces += {"room": _room, "corridor": _corridor, "closet": _closet, "bathroom": _bathroom}[at.behind](
        rng, at, (left, right, far), day
    )
    return faces


def window(rng: Rng, x: float, z: float, wide: float, day: float) -> list[Face]:
    """A window of two panes with the day behind it, and perhaps curtains."""
    n = 40
    y = np.linspace(0, 1, n)[:, None]
    sky = np.where(y < rng.uniform(0.4, 0.8), 0, 1)[..., None]
    view = (
        np.asarray(blend((0.80, 0.88, 0.95), (0.55, 0.62, 0.40), 0.0)) * (1 - sky) + np.array((0.45, 0.55, 0.35)) * sky
    )
    view = view * (0.75 + 0.3 * y[..., None]) * np.ones((n, n, 1))
    faces = box((x - 0.06, 0.9, z), (x + wide + 0.06, 2.16, z + 0.03), (0.92, 0.92, 0.90))
    for k in range(2):
        x0 = x + k * (wide / 2 + 0.02)
        faces.append(
            Face(
                point(x0, 2.1, z + 0.04),
                point(wide / 2 - 0.02, 0, 0),
                point(0, -1.12, 0),
                to_bytes(view),
                glow=0.08 + 0.85 * day,
            )
        )
    if rng.random() < 0.6:
        tone = tinted(rng, PAINTS)
        for x0, x1 in ((x - 0.28, x - 0.02), (x + wide + 0.02, x + wide + 0.28)):
            faces += box((x0, 0.25, z + 0.05), (x1, 2.2, z + 0.09), tone)
    return faces


def _room(rng: Rng, at: Place, ends: tuple[float, float, float], day: float) -> list[Face]:
    left, right, far = ends
    faces: list[Face] = []
    # What one sees through the opening is furnished, or it would look like another leaf.
    x = float(np.clip(rng.normal(at.wide / 2 - 0.4, 0.4), left, max(left + 0.1, right - 1.0)))
    draw = rng.random()
    if draw < 0.6:
        faces += window(rng, x, far, float(rng.uniform(0.8, 1.3)), day)
    else:
        for _ in range(3):
            x, y = float(rng.uniform(left, right - 0.5)), float(rng.uniform(1.3, 1.6))
            faces += box((x, y, far), (x + rng.uniform(0.3, 0.6), y + rng.uniform(0.3, 0.6), far + 0.03), muted(rng))
    wooden = tinted(rng, WOODS + PAINTS[:4])
    x = float(np.clip(rng.normal(at.wide / 2 - 0.5, 0.5), left, right - 0.6))
    kind = rng.random()
    if kind < 0.35:  # a shelf with books
        for y in (0.08, 0.45, 0.82, 1.19, 1.56):
            faces += box((x, y, far + 0.01), (x + 0.9, y + 0.03, far + 0.3), wooden)
            at_x = x + 0.03
            while at_x < x + 0.84 and y < 1.5:
                w = float(rng.uniform(0.025, 0.07))
                faces += box(
                    (at_x, y + 0.03, far + 0.02), (at_x + w, y + rng.uniform(0.2, 0.3), far + 0.24), muted(rng)
                )
                at_x += w + 0.004 + 0.12 * (rng.random() < 0.12)
        for x0 in (x - 0.03, x + 0.9):
            faces += box((x0, 0, far), (x0 + 0.03, 1.7, far + 0.3), wooden * 0.9)
    elif kind < 0.7:  # a table or chest
        y = float(rng.uniform(0.45, 0.85))
        faces += box(
            (x, 0.12 if rng.random() < 0.5 else y - 0.06, far + 0.1), (x + rng.uniform(0.7, 1.3), y, far + 0.6), wooden
        )
        faces += box((x + 0.05, 0, far + 0.15), (x + 0.1, y, far + 0.2), wooden * 0.7)
        faces += box((x + 0.55, 0, far + 0.5), (x + 0.6, y, far + 0.55), wooden * 0.7)
        faces += box((x + 0.2, y, far + 0.25), (x + 0.3, y + 0.3, far + 0.35), muted(rng))
    else:  # a bed or sofa
        tone = muted(rng)
        faces += box((x, 0.1, far + 0.05), (x + 1.6, 0.45, far + 1.0), tone)
        faces += box((x, 0.1, far + 0.01), (x + 1.6, 0.85, far + 0.2), tone * 0.85)
    return faces


def _corridor(rng: Rng, at: Place, ends: tuple[float, float, float], day: float) -> list[Face]:
    left, right, far = ends
    faces: list[Face] = []
    middle = (left + right) / 2
    if rng.random() < 0.6:  # another door, shut, at its end
        tone = tinted(rng, PAINTS + WOODS)
        faces += box((middle - 0.48, 0, far), (middle + 0.48, 2.08, far + 0.02), at.trim)
        faces += box((middle - 0.40, 0, far), (middle + 0.40, 2.0, far + 0.03), tone)
        for x0 in (middle - 0.3, middle + 0.05):
            for y0, y1 in ((0.2, 0.9), (1.05, 1.85)):
                faces += box((x0, y0, far), (x0 + 0.25, y1, far + 0.035), tone * 0.85)
    else:
        faces += window(rng, middle - 0.35, far, 0.7, day)
    if rng.random() < 0.5:
        tone = muted(rng)
        faces.append(
            Face(point(middle - 0.3, 0.006, far + 0.2), point(0.6, 0, 0), point(0, 0, at.depth - 0.4), swatch(tone))
        )
    for _ in range(int(rng.integers(0, 3))):
        z = float(rng.uniform(far + 0.5, -0.8))
        faces += box((left, 1.3, z), (left + 0.025, 1.75, z + 0.4), muted(rng))
    return faces


def _closet(rng: Rng, at: Place, ends: tuple[float, float, float], day: float) -> list[Face]:
    left, right, far = ends
    faces: list[Face] = []
    if rng.random() < 0.5:  # clothes on a rail
        faces += box((left, 1.75, far + 0.35), (right, 1.78, far + 0.38), (0.6, 0.6, 0.6))
        x = left + 0.05
        while x < right - 0.1:
            w = float(rng.uniform(0.03, 0.09))
            faces += box((x, rng.uniform(0.6, 1.1), far + 0.12), (x + w, 1.73, far + 0.55), muted(rng))
            x += w + float(rng.uniform(0.005, 0.06))
        return faces
    for y in (0.35, 0.75, 1.15, 1.55, 1.95):  # shelves with boxes and jars
        faces += box((left, y, far), (right, y + 0.025, far + 0.4), (0.86, 0.84, 0.80))
        x = left + 0.04
        while x < right - 0.2:
            w = float(rng.uniform(0.08, 0.3))
            faces += box((x, y + 0.025, far + 0.05), (x + w, y + rng.uniform(0.1, 0.34), far + 0.35), muted(rng))
            x += w + float(rng.uniform(0.01, 0.12))
    return faces


def _bathroom(rng: Rng, at: Place, ends: tuple[float, float, float], day: float) -> list[Face]:
    left, right, far = ends
    white = np.array((0.94, 0.94, 0.93))
    x = float(rng.uniform(left + 0.1, right - 0.7))
    faces = box((x, 0.72, far), (x + 0.6, 0.88, far + 0.45), white)
    faces += box((x + 0.22, 0, far), (x + 0.38, 0.72, far + 0.2), white * 0.95)
    faces += box((x, 1.15, far), (x + 0.6, 1.85, far + 0.02), (0.70, 0.78, 0.82))
    faces += box((x + 0.28, 0.88, far + 0.05), (x + 0.32, 1.0, far + 0.12), (0.8, 0.8, 0.82))
    if right - x > 1.1:
        faces += box((x + 0.75, 0, far + 0.15), (x + 1.1, 0.42, far + 0.65), white)
        faces += box((x + 0.72, 0.42, far), (x + 1.13, 0.82, far + 0.2), white * 0.98)
    tone = muted(rng)
    faces += box((left + 0.01, 0.9, far + 0.6), (left + 0.06, 1.5, far + 1.0), tone)
    return faces


def _outside(rng: Rng, at: Place, ppm: float, day: float) -> list[Face]:
    """A garden or a street: ground, a painted view far away, and the light of the day."""
    z = -at.thick
    far = z - float(rng.uniform(5, 9))
    low = -0.15
    garden = at.behind == "garden"
    glow = 0.03 + 0.75 * day
    n = int(np.clip(2.5 * ppm, 48, 900))
    x, y = np.meshgrid((np.arange(n) + 0.5) / n, (np.arange(n) + 0.5) / n)
    top, horizon = (0.52, 0.70, 0.92), (0.88, 0.92, 0.95)
    view = np.asarray(top) * (1 - y[..., None]) + np.asarray(horizon) * y[..., None]
    if garden:
        for k, (height, tone) in enumerate(
            (((0.42, (0.44, 0.52, 0.40))), (0.58, (0.30, 0.42, 0.22)), (0.74, (0.22, 0.34, 0.14)))
        ):
            line = height + 0.06 * noise(rng, (1, n), (1, 9 + 5 * k), 3)[0]
            leafy = 1 + 0.16 * noise(rng, (n, n), 26, 3)
            cover = smoothstep(-0.008, 0.008, y - line[None])[..., None]
            view = view * (1 - cover) + np.asarray(tone) * leafy[..., None] * cover
    else:
        start = 0.0
        while start < 1:
            end = start + float(rng.uniform(0.14, 0.28))
            roof = float(rng.uniform(0.15, 0.5))
            stone = colour_like(
                rng, ((0.66, 0.48, 0.38), (0.80, 0.76, 0.68), (0.62, 0.62, 0.62))[int(rng.integers(3))], 0.1
            )
            house = (x >= start) & (x < end) & (y > roof)
            view[house] = stone
            tiles = np.array((0.42, 0.27, 0.22)) * rng.uniform(0.6, 1.2)
            view[house & (y < roof + 0.05)] = tiles
            u, v = (x - start) / (end - start) * 2, (y - roof - 0.04) / 0.24
            pane = house & (u % 1 > 0.34) & (u % 1 < 0.66) & (v % 1 > 0.30) & (v % 1 < 0.74) & (y < 0.93)
            sill = house & (u % 1 > 0.28) & (u % 1 < 0.72) & (v % 1 > 0.25) & (v % 1 < 0.79) & (y < 0.93)
            view[sill & (v > 0)] = (0.88, 0.87, 0.84)
            view[pane & (v > 0)] = (0.27, 0.33, 0.40)
            view[pane & (v > 0) & (np.abs(u % 1 - 0.5) < 0.012)] = (0.88, 0.87, 0.84)
            start = end
        hedge = 0.86 + 0.03 * noise(rng, (1, n), (1, 14), 2)[0]
        leafy = (y > hedge[None]) & (y < 0.97)
        view[leafy] = np.array((0.20, 0.30, 0.14)) * (1 + 0.15 * noise(rng, (n, n), 40, 2))[leafy][:, None]
    ground = floor(rng, "grass" if garden and rng.random() < 0.6 else "paving" if garden else "asphalt", ppm * 0.6)
    return [
        Face(point(-7, 4.8, far), point(15, 0, 0), point(0, low - 4.8, 0), to_bytes(view), glow=glow),
        _laid(point(-9, low, far), point(18, 0, 0), point(0, 0, z - far), ground, ppm * 0.6),
        Face(
            point(-0.6, low + 0.005, z - 1.4), point(at.wide + 1.2, 0, 0), point(0, 0, 1.4), swatch((0.60, 0.58, 0.54))
        ),
    ]
