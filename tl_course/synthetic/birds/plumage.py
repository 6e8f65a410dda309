"""Paint for what the renderer saw of a bird: plumage by part and mark, then light."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from tl_course.synthetic.birds.species import Plumage
from tl_course.synthetic.engine.brushes import Array, Colour, Rng, blend, noise, smoothstep
from tl_course.synthetic.engine.surface import Seen, box_blur

__all__ = ["Light", "paint", "shade"]


@dataclass(frozen=True)
class Light:
    """Where light comes from (x right, y towards the viewer, z up), and its colours; `rim` is light from behind."""

    direction: tuple[float, float, float] = (-0.4, 0.6, 0.7)
    key: Colour = (0.85, 0.82, 0.76)
    sky: Colour = (0.42, 0.45, 0.50)
    bounce: Colour = (0.20, 0.21, 0.17)
    rim: float = 0.15


def rgb(text: str) -> Array:
    """A colour (3,) from six hexadecimal digits."""
    return np.array([int(text[i : i + 2], 16) for i in (0, 2, 4)], dtype=np.float32) / 255.0


class _Wear(NamedTuple):
    """What the parts of one bird are painted with: colours of parts and of marks, soft and fine noise at each pixel."""

    tone: dict[str, Array]
    marks: dict[str, Array]
    soft: Array
    fine: Array


class _Coat:
    """Colours (p, 3) that marks are laid over."""

    def __init__(self, base: Array, count: int) -> None:
        self.colour = np.tile(np.asarray(base, dtype=np.float32), (count, 1))

    def lay(self, colour: Array, share: Array) -> None:
        self.colour += (colour - self.colour) * np.clip(share, 0.0, 1.0)[:, None]


def paint(seen: Seen, parts: list[str], plumage: Plumage, rng: Rng) -> tuple[Array, Array]:
    """Colour (p, 3) and gloss (p,) of every covered pixel."""
    shift = rng.normal(0, 0.025, 3)

    def look(table: dict[str, str], name: str, default: Array | None = None) -> Array:
        if name not in table:
            assert default is not None
            return default
        tone = np.clip(rgb(table[name]) * (1 + rng.normal(0, 0.05)) + shift * 0.6, 0.045, 1)
        return np.asarray(tone, dtype=np.float32)

    c, m = plumage.colours, plumage.marks
    upper, under = look(c, "upper"), look(c, "under")
    quill = look(c, "quill", upper * 0.7)
    tone = {
        "upper": upper,
        "under": under,
        "quill": quill,
        "head": look(c, "head", upper),
        "wing": look(c, "wing", upper),
        "breast": look(c, "breast", under),
        "belly": look(c, "belly", under),
        "tail": look(c, "tail", quill),
        "bill": look(c, "bill", rgb("4a4038")),
        "leg": look(c, "leg", rgb("6a5446")),
        "iris": look(c, "iris", rgb("1c1410")),
    }
    marks = {name: look(m, name) for name in m}
    h, w = seen.mask.shape
    soft = noise(rng, (h, w), (h / 9, w / 9), 2)[seen.mask]
    fine = noise(rng, (h, w), (h / 2.5, w / 3.5), 1)[seen.mask]
    colour = np.zeros((len(seen.part), 3), dtype=np.float32)
    gloss = np.full(len(seen.part), 0.08, dtype=np.float32)
    names = np.array(parts)[seen.part]
    for name in dict.fromkeys(parts):
        here = names == name
        if not here.any():
            continue
        a, b, d = seen.local[here].T
        wear = _Wear(tone, marks, soft[here], fine[here])
        if name == "body":
            colour[here] = _body(seen.local[here], wear)
        elif name == "head":
            colour[here] = _head(seen.local[here], wear)
        elif name in ("tail", "crest", "lining", "primary", "secondary", "greater", "median", "lesser"):
            colour[here] = _feather(name, seen.local[here], seen.sheet[here], wear)
        elif name == "bill":
            colour[here] = (
                tone["bill"] * (0.9 + 0.25 * (b > 0))[:, None] * (1 - 0.35 * smoothstep(0.5, 1.0, a))[:, None]
            )
            if "tip" in m and c.get("bill") == "ecb42c":
                colour[here] = np.where(((a > 0.6) & (a < 0.85) & (b < 0))[:, None], rgb("c8301c"), colour[here])
            gloss[here] = 0.35
        elif name == "leg":
            rings = 0.86 + 0.14 * np.cos(a * 60)
            colour[here] = tone["leg"] * rings[:, None]
            gloss[here] = 0.15
        else:
            pupil = smoothstep(0.50, 0.62, np.hypot(b, d))[:, None]
            rim = smoothstep(0.84, 0.95, np.hypot(b, d))[:, None]
            ring = marks.get("ring", tone["iris"] * 0.4)
            colour[here] = (rgb("0c0a0a") * (1 - pupil) + tone["iris"] * pupil) * (1 - rim) + ring * rim
            gloss[here] = 1.0
    if "gloss" in m:
        dark = smoothstep(0.30, 0.12, colour.mean(axis=1))
        colour += (marks["gloss"] - colour) * (dark * 0.38 * smoothstep(0.0, 1.0, seen.normal[:, 2] + 0.12 * soft))[
            :, None
        ]
        gloss += 0.25 * dark
    return colour, gloss


def _scales(a: Array, angle: Array, rows: float) -> Array:
    """Overlapping feather tips on body coordinates: 0 at a feather's root to 1 at its edge."""
    row = a * rows
    cell = (angle * rows * 0.9 + (np.floor(row) % 2) * 0.5) % 1.0 - 0.5
    return np.asarray(np.clip((1 - row % 1.0) * 0.75 + 2.2 * cell * cell, 0, 1))


def _body(local: Array, wear: _Wear) -> Array:
    a, side, dorsal = local.T
    tone, marks, s, f = wear
    n = len(a)
    coat = _Coat(tone["under"], n)
    edge = dorsal + 0.10 * s
    coat.lay(tone["breast"], smoothstep(-0.05, 0.35, a + 0.15 * s))
    if "belly" not in marks:
        coat.lay(tone["belly"], smoothstep(0.0, -0.4, a) * smoothstep(0.0, -0.5, edge))
    angle = np.arctan2(side, dorsal) / np.pi
    low = smoothstep(0.0, -0.35, edge)
    if "belly" in marks:
        coat.lay(marks["belly"], smoothstep(0.15, -0.25, a + 0.1 * s) * smoothstep(-0.2, -0.6, edge))
    if "flank" in marks:
        coat.lay(
            marks["flank"],
            smoothstep(0.35, 0.75, np.abs(side)) * smoothstep(0.5, 0.1, a) * smoothstep(-0.95, -0.5, edge),
        )
    if "vent" in marks:
        coat.lay(marks["vent"], smoothstep(-0.5, -0.85, a + 0.1 * s) * low)
    for name in ("breastwash", "breastside"):
        if name in marks:
            coat.lay(marks[name], 0.7 * smoothstep(0.0, 0.4, a) * low)
    if "spots" in marks:
        coat.lay(marks["spots"], _dots(a * 7 + s * 0.2, angle * 11, 0.26) * smoothstep(-0.9, 0.2, a) * low)
    if "streakbreast" in marks:
        coat.lay(marks["streakbreast"], _dots(a * 3.2, angle * 15, 0.24, 0.55) * low * smoothstep(-1.0, -0.3, a) * 0.9)
    if "barred" in marks:
        coat.lay(
            marks["barred"],
            smoothstep(0.25, 0.7, np.sin(a * 34 + 1.5 * s + angle * 4)) * 0.7 * smoothstep(0.3, -0.2, edge),
        )
    if "tie" in marks:
        coat.lay(marks["tie"], smoothstep(0.14, 0.06, np.abs(side) - 0.05 * s) * low)
    if "bib" in marks:
        coat.lay(marks["bib"], smoothstep(1.15, 1.4, a + 0.1 * s) * smoothstep(0.2, -0.2, dorsal))
    if "throat" in marks:
        coat.lay(marks["throat"], smoothstep(1.0, 1.35, a + 0.1 * s) * smoothstep(0.1, -0.3, dorsal))
    back = smoothstep(-0.08, 0.12, edge)
    coat.lay(tone["upper"], back * smoothstep(1.6, 1.2, a))
    coat.lay(tone["head"], smoothstep(1.15, 1.45, a + 0.08 * s) * smoothstep(-0.5, 0.1, edge))
    if "back" in marks:
        coat.lay(marks["back"], smoothstep(0.35, 0.75, edge) * smoothstep(1.0, 0.6, a))
    if "rump" in marks:
        coat.lay(marks["rump"], smoothstep(-0.55, -0.75, a) * smoothstep(0.1, 0.4, edge))
    if "nape" in marks:
        coat.lay(marks["nape"], smoothstep(1.15, 1.35, a) * smoothstep(0.1, 0.5, edge))
    if "streaks" in marks:
        coat.lay(marks["streaks"], _dots(a * 3.0, angle * 13, 0.24, 0.6) * back * 0.85)
    if "backspots" in marks:
        coat.lay(marks["backspots"], _dots(a * 8, angle * 12, 0.24) * back * 0.9)
    if "collar" in marks:
        coat.lay(marks["collar"], smoothstep(0.13, 0.07, np.abs(a - 1.12 - 0.03 * s)))
    if "neckpatch" in marks:
        coat.lay(marks["neckpatch"], smoothstep(0.16, 0.08, np.abs(a - 1.1)) * smoothstep(0.55, 0.8, np.abs(side)))
    scale = _scales(a, angle, 9.0)
    texture = 1.0 + 0.10 * (0.5 - scale) * (0.4 + 0.6 * back) + 0.055 * f + 0.035 * s
    return np.asarray(coat.colour * texture[:, None])


def _dots(x: Array, y: Array, size: float, long: float = 1.0) -> Array:
    """Staggered drops: x runs along the bird, y across; `long` below 1 stretches them along it."""
    row = np.floor(x)
    dx, dy = x - row - 0.5, (y + 0.5 * (row % 2) + 0.17 * np.sin(row * 2.4)) % 1.0 - 0.5
    return smoothstep(size + 0.08, size - 0.08, np.hypot(dx * long, dy))


def _head(local: Array, wear: _Wear) -> Array:
    f_, side, up = local.T
    tone, marks, s, f = wear
    coat = _Coat(tone["head"], len(f_))
    out = np.abs(side)
    u = up + 0.04 * s
    throat = marks.get("throat", marks.get("face", tone["breast"]))
    coat.lay(throat, smoothstep(-0.30, -0.52, u + 0.25 * np.clip(-f_, 0, 1)))

    def near(x: float, y: float, z: float, size: float) -> Array:
        gap = np.sqrt((f_ - x) ** 2 + (out - y) ** 2 + (u - z) ** 2)
        return smoothstep(size + 0.07, size - 0.07, gap)

    line = u - 0.12 + 0.12 * np.clip(-f_, 0, 1)
    if "face" in marks:
        coat.lay(marks["face"], smoothstep(0.28, 0.50, f_ + 0.05 * s - 0.25 * np.clip(u - 0.35, 0, 1)))
    if "cheek" in marks:
        coat.lay(marks["cheek"], near(0.12, 0.85, -0.22, 0.52))
    if "cap" in marks:
        coat.lay(marks["cap"], smoothstep(0.30, 0.42, u + 0.12 * np.clip(-f_, 0, 1)))
    if "streakcap" in marks:
        coat.lay(marks["streakcap"], smoothstep(0.5, 0.7, u) * smoothstep(0.3, 0.8, np.sin(side * 30)))
    if "spots_cap" in marks:
        coat.lay(marks["spots_cap"], smoothstep(0.3, 0.5, u) * _dots(f_ * 6, side * 6, 0.24))
    if "crown" in marks:
        coat.lay(marks["crown"], smoothstep(0.28, 0.16, out) * smoothstep(0.45, 0.6, u))
        coat.lay(
            np.zeros(3, dtype=np.float32) + 0.1, smoothstep(0.10, 0.04, np.abs(out - 0.30)) * smoothstep(0.5, 0.6, u)
        )
    if "brow" in marks:
        coat.lay(marks["brow"], smoothstep(0.11, 0.06, np.abs(line - 0.26)) * smoothstep(0.15, 0.35, out))
    if "stripe" in marks:
        coat.lay(marks["stripe"], smoothstep(0.12, 0.07, np.abs(line)) * smoothstep(0.1, 0.3, out))
    if "mask" in marks:
        coat.lay(marks["mask"], np.maximum(near(0.75, 0.5, 0.08, 0.42), near(0.98, 0.0, -0.15, 0.42)))
    if "forehead" in marks:
        coat.lay(marks["forehead"], near(0.80, 0.0, 0.55, 0.42))
    if "bib" in marks:
        coat.lay(
            marks["bib"], smoothstep(-0.30, -0.42, u - 0.1 * (f_ - 0.5)) * smoothstep(-0.35, -0.1, f_ - 0.4 * out + 0.2)
        )
    if "moustache" in marks:
        coat.lay(
            marks["moustache"],
            smoothstep(0.12, 0.06, np.abs(u + 0.38 + 0.25 * (0.6 - f_)))
            * smoothstep(0.2, 0.4, out)
            * smoothstep(-0.3, 0.0, f_),
        )
    if "tear" in marks:
        coat.lay(
            marks["tear"],
            smoothstep(0.07, 0.04, np.abs(f_ - 0.55)) * smoothstep(0.1, -0.05, u) * smoothstep(0.2, 0.4, out),
        )
    if "cheekspot" in marks:
        coat.lay(marks["cheekspot"], near(0.35, 0.75, -0.50, 0.16))
    if "nape" in marks:
        coat.lay(marks["nape"], smoothstep(-0.35, -0.55, f_ + 0.05 * s) * smoothstep(-0.2, 0.0, u))
    if "disc" in marks:
        _disc(coat, local, marks)
    if "ring" in marks:
        coat.lay(marks["ring"], near(0.46, 0.83, 0.16, 0.24))
    texture = 1.0 + 0.06 * f + 0.03 * s
    return np.asarray(coat.colour * texture[:, None])


def _disc(coat: _Coat, local: Array, marks: dict[str, Array]) -> None:
    """An owl's face: two ringed discs that meet over the bill."""
    f_, side, up = local.T
    out = np.abs(side)
    gap = np.hypot(out - 0.42, (up - 0.02) * 0.9)
    ahead = smoothstep(0.15, 0.35, f_)
    coat.lay(marks["disc"], smoothstep(0.56, 0.50, gap) * ahead)
    coat.lay(marks["discring"], smoothstep(0.08, 0.04, np.abs(gap - 0.54)) * ahead)
    coat.lay(marks["discring"], 0.5 * smoothstep(0.3, 0.9, np.sin(gap * 55)) * smoothstep(0.5, 0.3, gap) * ahead)
    coat.lay(blend(marks["disc"], (1, 1, 1), 0.6), smoothstep(0.10, 0.04, np.abs(out - 0.12 - 0.25 * up)) * ahead
             * smoothstep(-0.5, -0.1, up))  # fmt: skip


def _feather(group: str, local: Array, sheet: Array, wear: _Wear) -> Array:
    t, across, rank = local.T
    tone, marks, s, f = wear
    base = {"tail": tone["tail"], "primary": tone["quill"], "secondary": tone["quill"], "greater": tone["wing"],
            "median": tone["wing"], "lesser": blend(tone["wing"], tone["upper"], 0.5), "crest": tone["head"],
            "lining": blend(tone["under"], tone["quill"], 0.35)}[group]  # fmt: skip
    coat = _Coat(base, len(t))
    edge = smoothstep(0.62, 0.92, np.abs(across)) + smoothstep(0.88, 0.97, t)
    if group == "crest":
        return np.asarray(coat.colour * (1 - 0.12 * np.abs(across) + 0.05 * f)[:, None])
    if "panel" in marks and group in ("greater", "secondary"):
        reach = smoothstep(0.05, 0.2, t) * smoothstep(0.75, 0.6, t) if group == "secondary" else 1.0 + 0 * t
        coat.lay(marks["panel"], reach * (0.95 if group == "greater" else 0.8))
    if "wingbarred" in marks and group in ("primary", "secondary", "greater"):
        coat.lay(marks["wingbarred"], smoothstep(0.2, 0.6, np.sin(t * 30 + 0.8 * np.abs(across) + 2.4 * rank)) * 0.8)
    if "shoulder" in marks and group in ("greater", "median"):
        coat.lay(marks["shoulder"], smoothstep(0.45, 0.65, rank))
    if "bar" in marks and group in ("greater", "median"):
        coat.lay(marks["bar"], smoothstep(0.66, 0.76, t))
    if "tip" in marks and group == "primary":
        coat.lay(marks["tip"], smoothstep(0.66, 0.76, t) * smoothstep(0.2, 0.5, rank))
    if group == "tail":
        if "tailbarred" in marks:
            coat.lay(marks["tailbarred"], smoothstep(0.3, 0.6, np.sin(t * 34)) * 0.85)
        for name in ("tailtip", "tip"):
            if name in marks and "bill" not in name:
                coat.lay(
                    marks[name],
                    smoothstep(0.84, 0.90, t) * (0.0 if name == "tip" and tone["tail"].mean() > 0.85 else 1.0),
                )
    if "streaks" in marks and group in ("greater", "median", "lesser"):
        coat.lay(marks["streaks"], smoothstep(0.35, 0.15, np.abs(across)) * 0.8 * smoothstep(0.1, 0.4, t))
    if "edge" in marks and group != "lining":
        coat.lay(marks["edge"], np.clip(edge, 0, 1) * 0.85)
    else:
        coat.colour *= (1.0 + 0.16 * np.clip(edge, 0, 1) * (1 if group != "tail" else 0.6))[:, None]
    shaft = smoothstep(0.10, 0.03, np.abs(across)) * 0.22
    odd = ((sheet * 7) % 5 - 2) * 0.018
    barb = 0.04 * np.sin(t * 90 + np.abs(across) * 14)
    coat.colour *= (1.0 - shaft + odd + barb + 0.05 * f + 0.03 * s - 0.12 * smoothstep(0.3, 0.0, t))[:, None]
    return coat.colour


def shade(seen: Seen, parts: list[str], colour: Array, gloss: Array, light: Light) -> Array:
    """Light the painted pixels: key light, sky and ground, soft occlusion where sheets overlap, sheen and rim."""
    names = np.array(parts)[seen.part]
    plump = np.isin(names, ["body", "head"])
    field = np.zeros((*seen.mask.shape, 6), dtype=np.float32)
    one = np.ones(len(names), dtype=np.float32)
    field[seen.mask] = np.column_stack([seen.normal * plump[:, None], plump, seen.depth, one])
    coarse = field[::2, ::2]
    radius = max(1, round(min(coarse.shape[:2]) * 0.020))

    def around(values: Array, reach: int) -> Array:
        full = box_blur(values, reach).repeat(2, axis=0).repeat(2, axis=1)
        return np.asarray(full[: seen.mask.shape[0], : seen.mask.shape[1]][seen.mask])

    smooth = around(box_blur(coarse[..., :4], radius), radius)
    normal = np.where(plump[:, None], smooth[:, :3] / (smooth[:, 3:] + 1e-6), seen.normal)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True) + 1e-6
    wide, near = around(coarse[..., 4:], 3 * radius), around(coarse[..., 4:], 1)
    hollow = np.clip((wide[:, 0] / (wide[:, 1] + 1e-6) - seen.depth) * 3.0, -0.25, 0.6)
    crease = np.clip((near[:, 0] / (near[:, 1] + 1e-6) - seen.depth) * 9.0, -0.05, 0.5) * ~plump
    way = np.asarray(light.direction, dtype=np.float32)
    way = way / np.linalg.norm(way)
    facing = normal @ way
    key = np.clip((facing + 0.22) / 1.22, 0, 1) * (1 - 0.55 * np.clip(hollow, 0, 1)) * (1 - crease)
    tall = 0.5 + 0.5 * normal[:, 2:3]
    ambient = np.asarray(light.bounce, dtype=np.float32) * (1 - tall) + np.asarray(light.sky, dtype=np.float32) * tall
    ambient = ambient * (1 - np.clip(hollow, -0.2, 0.6) - 0.5 * crease)[:, None]
    lit = colour * (ambient + key[:, None] * np.asarray(light.key, dtype=np.float32))
    half = way + np.array([0.0, 1.0, 0.0], dtype=np.float32)
    sheen = np.clip(normal @ (half / np.linalg.norm(half)), 0, 1)
    eye = names == "eye"
    lit += (gloss * 0.5 * sheen ** np.where(eye, 60.0, 14.0))[:, None] * np.asarray(light.key, dtype=np.float32)
    spark = eye & (np.hypot(seen.normal[:, 0] + 0.30 * -np.sign(way[0] or -1), seen.normal[:, 2] - 0.55) < 0.30)
    lit[spark] = 0.96
    rim = (1 - np.clip(normal[:, 1], 0, 1)) ** 3 * light.rim * (0.4 + 0.6 * tall[:, 0])
    lit += rim[:, None] * (0.35 + 0.65 * colour) * np.asarray(light.key, dtype=np.float32)
    return np.asarray(np.clip(lit, 0, 1))
