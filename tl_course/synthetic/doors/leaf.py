"""A door's leaf: its design, its two faces, edges, panes and fittings, hung in the opening at some angle."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tl_course.synthetic.doors.surfaces import PAINTS, WOODS, Relief, pane, tinted, to_bytes, wood
from tl_course.synthetic.doors.view import Face, box, cylinder, moved, point, swatch
from tl_course.synthetic.engine.brushes import Array, Rng, colour_like

__all__ = ["Design", "Leaf", "design", "hang"]

METALS = ((0.80, 0.66, 0.34), (0.78, 0.79, 0.80), (0.16, 0.16, 0.17), (0.50, 0.38, 0.26), (0.62, 0.63, 0.64))
BOLD = ((0.62, 0.10, 0.10), (0.10, 0.22, 0.16), (0.10, 0.16, 0.30), (0.08, 0.08, 0.09), (0.86, 0.68, 0.16),
        (0.28, 0.46, 0.50), (0.44, 0.52, 0.40), (0.40, 0.14, 0.22), (0.30, 0.34, 0.38), (0.75, 0.42, 0.22))  # fmt: skip
# What each style consists of: panels and panes, each left, top, right, bottom as shares of the leaf inside its stiles.
STYLES: dict[str, tuple[Sequence[Sequence[float]], Sequence[Sequence[float]]]] = {
    "flush": ((), ()),
    "one panel": (((0, 0, 1, 1),), ()),
    "two panels": (((0, 0, 1, 0.52), (0, 0.60, 1, 1)), ()),
    "four panels": (((0, 0, 0.45, 0.55), (0.55, 0, 1, 0.55), (0, 0.64, 0.45, 1), (0.55, 0.64, 1, 1)), ()),
    "six panels": (((0, 0, 0.45, 0.15), (0.55, 0, 1, 0.15), (0, 0.21, 0.45, 0.56), (0.55, 0.21, 1, 0.56),
                    (0, 0.65, 0.45, 1), (0.55, 0.65, 1, 1)), ()),
    "ladder": (tuple((0, k / 5 + 0.015, 1, (k + 1) / 5 - 0.015) for k in range(5)), ()),
    "boards": ((), ()),
    "half glazed": (((0, 0.62, 1, 1),), ((0, 0, 1, 0.52),)),
    "two lights": (((0, 0.48, 0.45, 1), (0.55, 0.48, 1, 1)), ((0, 0, 0.45, 0.38), (0.55, 0, 1, 0.38))),
    "fully glazed": ((), ((0, 0, 1, 1),)),
    "small panes": ((), tuple((j / 2 + 0.02, k / 4 + 0.01, (j + 1) / 2 - 0.02, (k + 1) / 4 - 0.01)
                             for j in range(2) for k in range(4))),
    "three lights": (((0, 0.35, 1, 1),), ((0, 0, 0.29, 0.26), (0.355, 0, 0.645, 0.26), (0.71, 0, 1, 0.26))),
    "slit": ((), ((0.80, 0.06, 1.0, 0.50),)),
    "porthole": ((), ((0.24, 0.05, 0.76, 0.05),)),
    "louvres": ((), ()),
}  # fmt: skip
INSIDE = ("flush", "one panel", "two panels", "four panels", "six panels", "ladder", "half glazed", "one panel",
          "six panels", "two panels", "four panels", "small panes", "slit", "louvres", "porthole",
          "boards")  # fmt: skip
OUTSIDE = ("four panels", "six panels", "boards", "half glazed", "two lights", "three lights", "two panels", "flush",
           "small panes", "porthole")  # fmt: skip


@dataclass(frozen=True)
class Design:
    """What a leaf looks like: its style, colour, metal, handle, panes, and what is fixed to it."""

    style: str
    colour: Array
    inner: Array
    grain: float
    metal: Array
    handle: str
    glass: str
    extras: tuple[str, ...]
    number: str
    edge: Array


@dataclass(frozen=True)
class Leaf:
    """A leaf that hangs: faces to draw, its screen for shadows, and the corners (4, 3) of its outer face."""

    faces: list[Face]
    screen: tuple[Array, Array, Array]
    corners: Array


def design(rng: Rng, *, outdoors: bool, sliding: bool = False) -> Design:
    """A design at random."""
    style = str(rng.choice(OUTSIDE if outdoors else INSIDE))
    if sliding:
        style = str(rng.choice(("boards", "flush", "fully glazed", "ladder", "two panels", "four panels")))
    wooden = style == "boards" or rng.random() < 0.35
    bold = rng.random() < (0.65 if outdoors else 0.3)
    colour = tinted(rng, WOODS if wooden else BOLD if bold else PAINTS) * rng.uniform(0.42, 1.12)
    inner = colour if rng.random() < 0.7 else tinted(rng, PAINTS)
    extras = [name for name, odds in (("letter slot", 0.5 * outdoors), ("number", 0.45 * outdoors + 0.12),
                                      ("kick plate", 0.15), ("peephole", 0.2), ("knocker", 0.25 * outdoors),
                                      ("sign", 0.12 * (not outdoors)), ("straps", 0.5 * (style == "boards")))
              if rng.random() < odds]  # fmt: skip
    if "sign" in extras or "straps" in extras:  # where the number would be
        extras = [name for name in extras if name not in ("number", "knocker", "peephole")]
    handle = str(
        rng.choice(("lever", "lever", "lever", "knob", "knob", "bar") if not sliding else ("bar", "bar", "cup"))
    )
    return Design(
        style,
        colour,
        inner,
        grain=1.0 if wooden else 0.12,
        metal=colour_like(rng, METALS[int(rng.integers(len(METALS)))], 0.06),
        handle=handle,
        glass=str(rng.choice(("clear", "frosted", "frosted"))),
        extras=tuple(extras),
        number=str(rng.integers(1, 300)),
        edge=colour_like(rng, colour if rng.random() < 0.75 else (0.80, 0.66, 0.46), 0.05),
    )


def _inset(look: Design, wide: float, tall: float) -> tuple[float, float, float, float]:
    stile = min(0.13, 0.17 * wide)
    return stile, stile, wide - stile, tall - (0.20 if look.style != "slit" else 0.13)


def _panes(look: Design, wide: float, tall: float) -> list[tuple[float, float, float, float]]:
    """The panes in metres from the top left."""
    x0, y0, x1, y1 = _inset(look, wide, tall)
    found = []
    for a, b, c, d in STYLES[look.style][1]:
        low = y0 + d * (y1 - y0) if look.style != "porthole" else y0 + b * (y1 - y0) + (c - a) * (x1 - x0)
        found.append((x0 + a * (x1 - x0), y0 + b * (y1 - y0), x0 + c * (x1 - x0), low))
    return found


def _face(rng: Rng, look: Design, wide: float, tall: float, ppm: float, *, outer: bool, flip: bool) -> Array:
    """One of the two faces as it is seen from its own side; `flip` where the hinge is at its right."""
    colour = look.colour if outer else look.inner
    relief = Relief(wood(rng, wide, tall, ppm, colour, strength=look.grain), ppm)
    x0, y0, x1, y1 = _inset(look, wide, tall)
    for a, b, c, d in STYLES[look.style][0]:
        left, top, right, low = x0 + a * (x1 - x0), y0 + b * (y1 - y0), x0 + c * (x1 - x0), y0 + d * (y1 - y0)
        relief.panel(left, top, right, low)
        if min(right - left, low - top) > 0.2:
            relief.panel(left + 0.045, top + 0.045, right - 0.045, low - 0.045, sunk=False, edge=0.025)
    if look.style == "boards":
        n = max(4, round(wide / 0.13))
        for k in range(1, n):
            relief.groove(wide * k / n, 0, wide * k / n, tall)
        if not outer:
            for y in (0.25, tall - 0.35):
                relief.panel(0.03, y, wide - 0.03, y + 0.12, sunk=False, edge=0.01)
    if look.style == "louvres":
        for y in np.arange(y0, y1, 0.07):
            relief.panel(x0, float(y), x1, float(y) + 0.06, sunk=False, edge=0.02)
    for frame in _panes(look, wide, tall):
        relief.glass(*frame, round_=look.style == "porthole")
    extras = look.extras
    if "straps" in extras:
        for y in (0.32, tall - 0.42):
            start, end = (0.25 * wide, wide - 0.02) if flip else (0.02, 0.75 * wide)
            relief.metal(start, y, end, y + 0.04, (0.10, 0.10, 0.11))
    if "kick plate" in extras:
        relief.metal(0.03, tall - 0.2, wide - 0.03, tall - 0.02, look.metal * 0.9)
    middle = wide / 2
    if outer and "letter slot" in extras and look.style not in ("small panes", "fully glazed"):
        y = tall - 0.95 if look.style != "slit" else tall - 0.7
        relief.metal(middle - 0.14, y, middle + 0.14, y + 0.065, look.metal)
        relief.groove(middle - 0.12, y + 0.03, middle + 0.12, y + 0.03, 0.010)
    if outer and "knocker" in extras and look.style in ("four panels", "six panels", "flush", "boards"):
        relief.metal(middle - 0.035, 0.52, middle + 0.035, 0.66, look.metal, round_=True)
    if outer and "number" in extras and look.style in ("four panels", "six panels", "flush", "boards", "two panels"):
        relief.write(look.number, middle, 0.40, 0.085, look.metal)
    if outer and "sign" in extras and look.style not in ("small panes", "half glazed"):
        relief.metal(middle - 0.12, 0.48, middle + 0.12, 0.60, (0.92, 0.92, 0.90))
        relief.write(("WC", "PRIVATE", "STORE", "12", "UNIT 4")[int(look.number) % 5], middle,
                     0.54, 0.045, (0.15, 0.15, 0.2))  # fmt: skip
    if "peephole" in extras and look.style in ("flush", "four panels", "six panels", "boards"):
        relief.metal(middle - 0.012, tall - 1.55, middle + 0.012, tall - 1.526, look.metal * 0.7, round_=True)
    if look.handle in ("lever", "knob"):  # the keyhole
        x = 0.07 if flip else wide - 0.07
        relief.metal(x - 0.018, tall - 0.93, x + 0.018, tall - 0.86, look.metal)
        relief.groove(x, tall - 0.905, x, tall - 0.885, 0.008)
    return relief.texture()


def _handle(look: Design, wide: float, side: float, *, double: bool) -> list[Face]:
    """The handle on one face in the leaf's own frame; `side` is -1 for the outer face, 1 for the inner."""
    metal, s, y = look.metal, wide - 0.07, 1.0

    def block(s0: float, s1: float, y0: float, y1: float, q0: float, q1: float) -> list[Face]:
        q = sorted((side * q0, side * q1))
        return box((s0, y0, q[0]), (s1, y1, q[1]), metal)

    if look.handle == "lever":
        rose = block(s - 0.02, s + 0.02, y - 0.06, y + 0.05, 0.001, 0.008)
        neck = block(s - 0.01, s + 0.01, y - 0.01, y + 0.01, 0.0, 0.05)
        return rose + neck + block(s - 0.125, s + 0.012, y - 0.011, y + 0.011, 0.042, 0.062)
    if look.handle == "knob":
        turned = np.stack([point(1, 0, 0), point(0, 0, side), point(0, 1, 0)], axis=-1)
        knob = cylinder(point(0, 0, 0), 0.030, 0.006, metal * 0.8, lid=metal * 0.85)
        knob += cylinder(point(0, 0.0, 0), 0.012, 0.045, metal * 0.7, sides=8)
        knob += cylinder(point(0, 0.035, 0), 0.028, 0.03, metal, lid=np.clip(metal * 1.15, 0, 1), flare=0.9)
        return moved(knob, point(s, y, 0), turned)
    if look.handle == "bar":
        x = s - 0.01 if not double else s + 0.01
        low, high = (block(x - 0.01, x + 0.01, y + at, y + at + 0.03, 0, 0.05) for at in (-0.19, 0.19))
        return block(x - 0.013, x + 0.013, y - 0.22, y + 0.25, 0.045, 0.07) + low + high
    return block(s - 0.03, s + 0.03, y - 0.09, y + 0.09, 0.001, 0.006)


def hang(rng: Rng, look: Design, *, pivot: Array, wide: float, tall: float, angle: float, right: bool, towards: bool,
         ppm: float, bright: float, thick: float = 0.042, double: bool = False, second: bool = False,
         hinges: bool = True) -> Leaf:  # fmt: skip
    """A leaf on its hinge.

    Parameters
    ----------
    pivot
        The foot of the axis (3,): on the outer face where the leaf opens towards the viewer, else on the inner one.
    wide, tall, thick
        Metres.
    angle
        Degrees; 0 is shut.
    right
        Whether the hinge is at the viewer's right.
    towards
        Whether the leaf opens towards the viewer.
    ppm
        Pixels a metre of its textures.
    bright
        How much its panes reflect, 0 to 1.
    double
        Whether it meets another leaf.
    second
        Whether it is the lesser leaf of the two.
    hinges
        Whether knuckles are seen where it opens towards the viewer.
    """
    turn, way, swing = np.radians(angle), -1.0 if right else 1.0, 1.0 if towards else -1.0
    along = point(way * np.cos(turn), 0, swing * np.sin(turn))
    into = point(way * np.sin(turn), 0, -swing * np.cos(turn)) * swing  # from the outer face to the inner
    axes = np.stack([along, point(0, 1, 0), into], axis=-1)
    origin = pivot if towards else pivot - into * thick
    if second:  # the number, the knocker and the slot for letters are on the first leaf
        look = replace(look, extras=tuple(name for name in look.extras if name in ("straps", "kick plate")))
    state = rng.integers(2**63, size=2)
    edge = swatch(look.edge)
    across, down = point(wide, 0, 0), point(0, -tall, 0)
    outer = _face(np.random.default_rng(state[0]), look, wide, tall, ppm, outer=True, flip=right)
    inner = _face(np.random.default_rng(state[1]), look, wide, tall, ppm, outer=False, flip=not right)
    front = (point(wide, tall, 0), -across) if right else (point(0, tall, 0), across)
    back = (point(0, tall, thick), across) if right else (point(wide, tall, thick), -across)
    faces = [
        Face(*front, down, outer),
        Face(*back, down, inner),
        Face(point(wide, tall, 0), point(0, 0, thick), down, edge),
        Face(point(0, tall, 0), point(0, 0, thick), down, edge),
        Face(point(0, tall, 0), across, point(0, 0, thick), edge),
        Face(point(0, 0, 0), across, point(0, 0, thick), edge),
    ]
    metal = to_bytes(look.metal.reshape(1, 1, 3))
    faces.append(Face(point(wide + 0.001, 1.09, 0.010), point(0, 0, thick - 0.02), point(0, -0.17, 0), metal))
    for side, base in ((-1.0, 0.0), (1.0, thick)):
        fitted = _handle(look, wide, side, double=double)
        faces += [replace(face, corner=face.corner + point(0, 0, base)) for face in fitted]
    if towards and hinges:
        for y in (0.22, tall / 2, tall - 0.28):
            faces += cylinder(point(-0.004, y, -0.006), 0.010, 0.10, look.metal * 0.8, sides=8)
    for x0, y0, x1, y1 in _panes(look, wide, tall):
        start = wide - x1 if right else x0
        glass = pane(rng, look.glass, bright)
        faces.append(Face(point(start, tall - y0, thick / 2), point(x1 - x0, 0, 0), point(0, y0 - y1, 0), glass,
                          layer="glass", glow=bright))  # fmt: skip
    faces = [replace(face, leaf=True) for face in moved(faces, origin, axes)]
    middle = origin + into * thick / 2
    screen = (middle + point(0, tall, 0), along * wide, down)
    outline = np.stack(
        [origin + point(0, tall, 0), origin + along * wide + point(0, tall, 0), origin + along * wide, origin]
    )
    return Leaf(faces, screen, outline)
