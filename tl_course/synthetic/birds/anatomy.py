"""A bird's body as sheets in space: lofts for body, neck, head, bill and legs, overlapping feathers for wings and tail.

The bird looks along +x with its left side at +y; `build` returns it turned and ready to be rendered.
"""

from dataclasses import dataclass

import numpy as np

from tl_course.synthetic.birds.species import Plumage, Shape
from tl_course.synthetic.engine.brushes import Array, smoothstep, spline
from tl_course.synthetic.engine.surface import Sheets, frame, loft, turn

__all__ = ["Pose", "build"]

# The body's profile from breast to tail: place along the axis, height of the ring's centre, half height, half width.
PROFILE = spline(
    [(0.56, 0.04, 0.02, 0.02), (0.51, 0.03, 0.42, 0.42), (0.38, 0.0, 0.80, 0.82), (0.18, -0.03, 0.98, 1.0),
     (-0.02, -0.05, 1.0, 1.0), (-0.22, -0.01, 0.86, 0.88), (-0.40, 0.10, 0.58, 0.60), (-0.54, 0.20, 0.32, 0.36),
     (-0.66, 0.24, 0.15, 0.24), (-0.72, 0.25, 0.02, 0.05)], 44)[::-1]  # fmt: skip


@dataclass(frozen=True)
class Pose:
    """How a bird holds itself and how it is seen; angles in degrees.

    `pitch` slopes the body, `head_yaw` and `head_pitch` turn the head; `gape` opens the bill; `spread` is whether the
    wings are open, `flap` raises the inner wing, `fold` bends the outer and `sweep` draws both back; `fan` spreads the
    tail and `cock` raises it. `yaw` 0 faces right, 90 the viewer; `tilt` above 0 shows the bird from above; `roll`
    turns the picture.
    """

    pitch: float = 30.0
    head_yaw: float = 0.0
    head_pitch: float = 0.0
    gape: float = 0.0
    spread: bool = False
    flap: float = 0.0
    fold: float = 0.0
    sweep: float = 0.0
    fan: float = 6.0
    cock: float = 0.0
    yaw: float = 0.0
    tilt: float = 0.0
    roll: float = 0.0
    stance: str = "perched"


def build(plumage: Plumage, shape: Shape, pose: Pose) -> tuple[list[Sheets], Array]:
    """Sheets of the whole bird as seen, and where its feet are (2, 3)."""
    deep, wide = shape.deep, shape.wide
    trunk = turn("y", -pose.pitch)
    body = _body(deep, wide)
    parts = [_moved(body, trunk)]
    parts += [_moved(part, trunk) for part in _tail(shape, pose)]
    wings = _spread_wings(shape, pose) if pose.spread else _folded_wings(shape, pose)
    parts += [_moved(part, trunk) for part in wings]

    shoulder = trunk @ np.array([0.36, 0.0, 0.16 * deep])
    lift = np.radians(0.5 * pose.pitch + (32 if not pose.spread else 6))
    reach = 0.07 + 0.42 * shape.head + (0.0 if pose.spread and shape.neck > 0.4 else shape.neck)
    if shape.neck > 0.4 and not pose.spread:
        lift = np.radians(72.0)
    head_at = shoulder + reach * np.array([np.cos(lift), 0.0, np.sin(lift)])
    look_yaw, look_pitch = np.radians(pose.head_yaw), np.radians(pose.head_pitch)
    forward = np.array(
        [np.cos(look_pitch) * np.cos(look_yaw), np.cos(look_pitch) * np.sin(look_yaw), np.sin(look_pitch)]
    )
    look = frame(forward, np.array([0.0, 0.0, 1.0]))
    parts.append(_neck(shape, trunk, head_at, forward))
    parts += [_moved(part, look, head_at) for part in _head(shape, plumage, pose)]
    legs, feet = _legs(shape, pose, trunk)
    parts += legs

    view = turn("y", pose.roll) @ turn("x", -pose.tilt) @ turn("z", pose.yaw)
    seen = [_moved(part, view) for part in parts]
    feet = feet @ view.T
    if pose.stance in ("perched", "clinging", "wading"):
        seen.append(_toes(feet, shape, pose))
    return seen, feet


def _moved(part: Sheets, rotation: Array, shift: Array | float = 0.0) -> Sheets:
    points = part.points @ rotation.T.astype(np.float32) + np.asarray(shift, dtype=np.float32)
    return Sheets(part.part, points, part.local, part.fuzz, part.solid)


def _body(deep: float, wide: float) -> Sheets:
    x, z, h, w = PROFILE.T
    rings = loft(np.stack([x, 0 * x, z * deep], axis=-1), h * deep, w * wide, around=36)
    angle = np.linspace(0, 2 * np.pi, 36)
    local = np.stack(np.broadcast_arrays(x[:, None] / 0.5, np.sin(angle)[None], np.cos(angle)[None]), axis=-1)
    return Sheets("body", rings[None], local[None].astype(np.float32), 0.006, solid=True)


def _neck(shape: Shape, trunk: Array, head_at: Array, forward: Array) -> Sheets:
    start = trunk @ np.array([0.10, 0.0, 0.02 * shape.deep])
    bend = trunk @ np.array([0.38, 0.0, 0.12 * shape.deep])
    path = [start, bend, head_at - 0.1 * shape.head * forward]
    if shape.neck > 0.4 and np.linalg.norm(head_at - bend) > 0.3:
        rise = head_at - bend
        path = [
            start,
            bend,
            bend + 0.35 * rise + [0.12, 0, 0],
            bend + 0.75 * rise - [0.05, 0, 0],
            head_at - [0.02, 0, 0.0],
        ]
    centres = spline(path, 20)
    t = np.linspace(0, 1, 20, dtype=np.float32)
    slim = 0.5 if shape.neck > 0.4 else 0.86
    middle = max(slim * shape.head, 0.35 * shape.deep if shape.neck > 0.4 else 0.0)
    heights = spline([[0.80 * shape.deep], [0.74 * shape.deep if shape.neck < 0.4 else 0.62 * shape.deep], [middle],
                      [0.84 * shape.head]], 20)[:, 0]  # fmt: skip
    widths = heights * (0.95 + 0.03 * t)
    rings = loft(centres, heights, widths, around=28)
    angle = np.linspace(0, 2 * np.pi, 28)
    local = np.stack(np.broadcast_arrays(0.6 + 1.0 * t[:, None], np.sin(angle)[None], np.cos(angle)[None]), axis=-1)
    return Sheets("body", rings[None], local[None].astype(np.float32), 0.006, solid=True)


def _head(shape: Shape, plumage: Plumage, pose: Pose) -> list[Sheets]:
    r = shape.head
    t = np.cos(np.linspace(0, np.pi, 26)).astype(np.float32)
    round_ = np.sqrt(np.clip(1 - t * t, 0, None))
    flat = 1.0 if shape.eye > 0.26 else 0.94
    skull = loft(np.stack([t * 1.06, 0 * t, 0.05 * (1 - t * t)], axis=-1), round_ * flat, round_ * 0.95, around=32)
    parts = [Sheets("head", (skull * r)[None], skull[None], 0.005, solid=True)]

    length, depth, hook = shape.bill
    face = 0.88 * r
    for sign, gape in ((1.0, 0.25 * pose.gape), (-1.0, -0.75 * pose.gape)):
        s = np.linspace(0, 1, 12, dtype=np.float32)
        swell = np.power(1 - s, 0.62 if depth / length > 0.3 else 0.8)
        if hook > 0:  # a duck's bill is a spoon
            swell = 0.62 + 0.38 * (1 - s) - 0.9 * smoothstep(0.86, 1.0, s)
        drop = hook * s**2.2 * (1.0 if sign > 0 else 0.55) + (0.0 if hook <= 0 else -hook * s * 1.4)
        tall = depth * 0.5 * swell * (1.0 if sign > 0 else 0.72) + 0.002
        broad = depth * (0.46 if hook <= 0 else 0.95) * swell + 0.002
        reach = length * (1.0 if sign > 0 else 0.93)
        path = np.stack([face + (reach + r * 0.12) * s, 0 * s, -0.10 * r + drop + sign * tall * 0.62], axis=-1)
        rings = loft(path, tall, broad, around=14)
        hinge = np.array([face, 0.0, -0.10 * r], dtype=np.float32)
        rings = (rings - hinge) @ turn("y", -gape).T + hinge
        local = np.broadcast_to(np.stack([s, 0 * s + sign, 0 * s], axis=-1)[:, None], rings.shape)
        parts.append(Sheets("bill", rings[None].astype(np.float32), local.astype(np.float32)[None], solid=True))

    out = (0.86, 0.50, 0.10) if shape.eye > 0.26 and r > 0.3 else (0.46, 0.83, 0.16)
    at = np.array(out, dtype=np.float32) / np.linalg.norm(out) * r * 0.93
    size = r * shape.eye * (0.92 if r > 0.3 else 1.0)
    c = np.linspace(0, np.pi, 14, dtype=np.float32)
    ball = loft(np.stack([np.cos(c), 0 * c, 0 * c], axis=-1), np.sin(c), np.sin(c), around=18)
    for side in (1.0, -1.0):
        centre = at * [1.0, side, 1.0]
        axis = frame(centre * [1.0, 1.0, 0.6], np.array([0.0, 0.0, 1.0]))
        parts.append(Sheets("eye", (ball @ axis.T * size + centre)[None].astype(np.float32), ball[None], solid=True))
    if plumage.crest:
        k = 7
        rank = np.linspace(0, 1, k, dtype=np.float32)
        base = np.stack([0.45 - 0.95 * rank, 0.80 + 0.12 * np.sin(np.pi * rank)], axis=-1) * r
        tip = base + np.stack([-0.55 - 0.35 * rank, 0.75 - 0.75 * rank], axis=-1) * r * plumage.crest
        flat_ = _strips(base, tip, np.full(k, 0.34 * r), blunt=0.9)
        for side in (0.10, -0.10):
            y = side * r * (1 - smoothstep(0.0, 1.0, flat_[..., 2])) + np.sign(side) * 0.004
            points = np.stack([flat_[..., 0], y, flat_[..., 1]], axis=-1)
            parts.append(Sheets("crest", points.astype(np.float32), flat_[..., 2:], 0.003))
    return parts


def _strips(base: Array, tip: Array, width: Array, *, bend: float = 0.0, blunt: float = 0.72) -> Array:
    """Feathers in a plane: (k, 9, 5, 5) of place (2), then along 0…1, across -1…1 and rank 0…1."""
    base, tip = np.asarray(base, dtype=np.float32), np.asarray(tip, dtype=np.float32)
    k = len(base)
    t = np.array([0, 0.12, 0.28, 0.45, 0.62, 0.78, 0.89, 0.96, 1.0], dtype=np.float32)[None, :, None]
    c = np.linspace(-1, 1, 5, dtype=np.float32)[None, None]
    way = (tip - base)[:, None, None]
    cross = np.stack([-way[..., 1], way[..., 0]], axis=-1) / (np.linalg.norm(way, axis=-1, keepdims=True) + 1e-9)
    taper = np.sqrt(np.clip(1 - (np.clip(t - blunt, 0, None) / (1 - blunt + 1e-3)) ** 2, 0.0, 1)) * np.minimum(
        1, 0.55 + 3 * t
    )
    place = base[:, None, None] + t[..., None] * way
    place = place + cross * (c * taper * np.asarray(width)[:, None, None] / 2 + bend * t * t)[..., None]
    rank = np.linspace(0, 1, k, dtype=np.float32)[:, None, None]
    along, across, ranks = np.broadcast_arrays(t, c, rank)
    return np.concatenate([place, np.stack([along, across, ranks], axis=-1)], axis=-1).astype(np.float32)


def _folded_wings(shape: Shape, pose: Pose) -> list[Sheets]:
    deep, wide = shape.deep, shape.wide
    reach = 0.10 + 0.22 * shape.wing[2]
    x, zc, h, w = PROFILE[::-1].T

    def along(first: tuple[float, float], last: tuple[float, float], k: int) -> Array:
        return np.linspace(first, last, k, dtype=np.float32)

    # (group, bases, tips, width, lift); z in units of the body's half depth, low row first so that higher ones overlap
    groups = [
        ("primary", along((0.02, -0.22), (0.0, 0.12), 7), along((-0.66 - reach, 0.34), (-0.42, 0.42), 7), 0.10, 0.020),
        ("secondary", along((0.16, -0.26), (0.02, 0.62), 7), along((-0.36, 0.12), (-0.20, 0.66), 7), 0.13, 0.034),
        ("greater", along((0.30, -0.30), (0.20, 0.60), 8), along((0.00, -0.20), (-0.08, 0.62), 8), 0.12, 0.046),
        ("median", along((0.36, -0.22), (0.28, 0.60), 7), along((0.17, -0.18), (0.08, 0.60), 7), 0.11, 0.055),
        ("lesser", along((0.40, -0.12), (0.34, 0.52), 6), along((0.27, -0.12), (0.18, 0.56), 6), 0.11, 0.062),
    ]
    parts = []
    for group, base, tip, width, lift in groups:
        flat = _strips(base * [1, deep], tip * [1, deep], np.full(len(base), width * (deep / 0.3)), bend=-0.02)
        fx, fz = flat[..., 0], flat[..., 1]
        centre, half, broad = (np.interp(fx, x[::-1], v[::-1]) for v in (zc * deep, h * deep, w * wide))
        bulge = np.sqrt(np.clip(1 - ((fz - centre) / (half + 0.01)) ** 2, 0.03, 1))
        y = np.maximum(broad * bulge, 0.05) + lift + 0.012 * flat[..., 4] - 0.010 * flat[..., 3] ** 2
        parts += [
            Sheets(group, np.stack([fx, y * side, fz], axis=-1).astype(np.float32), flat[..., 2:])
            for side in (1.0, -1.0)
        ]
    return parts


def _spread_wings(shape: Shape, pose: Pose) -> list[Sheets]:
    reach, chord, point = shape.wing
    arm = np.array([(0.0, 0.02), (0.16, -0.02), (0.40, 0.10), (0.56, 0.07)], dtype=np.float32) * [reach, 1.0]

    def on_arm(s: Array) -> Array:
        return np.stack([np.interp(s, np.linspace(0, 1, 4), arm[:, k]) for k in (0, 1)], axis=-1)

    def rows(k: int, first: float, last: float, length: Array, angle: Array) -> tuple[Array, Array]:
        base = on_arm(np.linspace(first, last, k))
        way = np.stack([np.sin(np.radians(angle)), -np.cos(np.radians(angle))], axis=-1)
        return base, base + way * length[:, None]

    p = np.linspace(0, 1, 9)
    long = chord * (1.0 - 0.06 * p) + p ** (1.2 - 0.6 * point) * (0.50 * reach - 0.55 * chord) * (0.75 + 0.4 * point)
    if point < 0.5:
        long[-2:] *= (0.96, 0.84)
    primary = rows(9, 0.64, 1.0, long, 12 + 64 * p ** (0.9 + 0.3 * (1 - point)))
    s = np.linspace(0, 1, 11)
    secondary = rows(11, 0.0, 0.66, chord * (0.95 + 0.05 * s), -2 + 13 * s)
    c = np.linspace(0, 1, 15)
    spread = np.where(c > 0.64, 10 + (c - 0.64) / 0.36 * 62, 8 * c)
    groups = [
        ("primary", *primary, 0.088 * reach, 0.0, 0.6), ("secondary", *secondary, 0.095 * reach, 0.006, 0.85),
        ("greater", *rows(15, 0.0, 1.0, chord * (0.52 - 0.10 * c), spread), 0.075 * reach, 0.018, 0.8),
        ("median", *rows(15, 0.0, 1.0, chord * (0.32 - 0.06 * c), spread), 0.07 * reach, 0.028, 0.8),
        ("lesser", *rows(15, 0.0, 1.0, chord * (0.17 - 0.03 * c), spread), 0.07 * reach, 0.036, 0.8),
    ]  # fmt: skip
    o = np.linspace(0, 2.2 * reach, 160)
    bend = pose.flap + (pose.fold) * smoothstep(0.16 * reach, 0.50 * reach, o)
    step = o[1]
    out, up = np.cumsum(np.cos(np.radians(bend))) * step, np.cumsum(np.sin(np.radians(bend))) * step
    parts = []
    for group, base, tip, width, lift, blunt in groups:
        flat = _strips(base, tip, np.full(len(base), width), bend=0.015, blunt=blunt)
        span = np.clip(flat[..., 0], 0.0, None)
        sweep = -np.tan(np.radians(pose.sweep)) * span
        for face in (1.0, -1.0) if lift > 0.01 else (1.0,):
            rise = (lift + 0.010 * flat[..., 4] - 0.012 * flat[..., 3] ** 2) * face
            tilt = np.radians(np.interp(span, o, bend))
            y = np.interp(span, o, out) - np.sin(tilt) * rise + 0.55 * shape.wide
            z = (
                np.interp(span, o, up)
                + np.cos(tilt) * rise
                + 0.30 * shape.deep
                - 0.10 * np.clip(-flat[..., 1], 0, None)
            )
            for side in (1.0, -1.0):
                points = np.stack([flat[..., 1] + 0.24 + sweep, y * side, z], axis=-1)
                parts.append(Sheets(group if face > 0 else "lining", points.astype(np.float32), flat[..., 2:]))
    return parts


def _tail(shape: Shape, pose: Pose) -> list[Sheets]:
    length, width, fork = shape.tail
    k = 8
    out = np.linspace(-1, 1, k, dtype=np.float32)
    order = np.argsort(-np.abs(out), kind="stable")  # the outermost first: the middle feathers lie on top
    out = out[order]
    reach = length * (1.0 + fork * (np.abs(out) ** 1.5 - 0.5)) + 0.10
    angle = np.radians(out * pose.fan)
    base = np.stack([np.full(k, -0.56), out * 0.35 * width], axis=-1)
    tip = base + np.stack([-np.cos(angle) * reach, np.sin(angle) * reach + out * 0.25 * width], axis=-1)
    flat = _strips(base, tip, np.full(k, max(0.055, 0.62 * width)), blunt=0.85)
    rank = np.abs(out)[:, None, None] + 0 * flat[..., 4]
    lift = (
        0.24 * shape.deep
        + 0.035 * (1 - rank)
        - 0.006 * flat[..., 3] ** 2
        - (0.5 if pose.fan < 10 else 0.2) * np.abs(flat[..., 1])
    )
    points = np.stack([flat[..., 0], flat[..., 1], lift], axis=-1)
    hinge = np.array([-0.52, 0.0, 0.24 * shape.deep])
    points = (points - hinge) @ turn("y", pose.cock).T + hinge
    local = np.stack([flat[..., 2], flat[..., 3], rank], axis=-1)
    return [Sheets("tail", points.astype(np.float32), local.astype(np.float32))]


def _legs(shape: Shape, pose: Pose, trunk: Array) -> tuple[list[Sheets], Array]:
    hips = (
        np.array([[0.02, 0.42 * shape.wide, -0.62 * shape.deep], [0.02, -0.42 * shape.wide, -0.62 * shape.deep]])
        @ trunk.T
    )
    if pose.stance == "clinging":
        feet = hips + [0.15, 0.0, 0.05]
    else:
        feet = hips + np.array([0.04, 0.0, -0.85 * shape.legs - 0.16 * shape.deep])
        feet[:, 2] = feet[:, 2].min()
    if pose.stance in ("flying", "swimming"):
        return [], feet
    parts = []
    thick = 0.018 + 0.008 * (shape.legs < 0.4)
    for hip, foot in zip(hips, feet, strict=True):
        knee = hip * 0.55 + foot * 0.45 + np.array([-0.05, 0.0, 0.0])
        thigh = spline([hip + [0, 0, 0.08], hip * 0.6 + knee * 0.4, knee], 8)
        round_ = np.linspace(0.085, thick * 1.3, 8, dtype=np.float32) * (1.0 if shape.legs < 0.6 else 0.6)
        rings = loft(thigh, round_, round_, around=12)
        local = np.broadcast_to(np.array([-0.2, 0.3, -0.9], dtype=np.float32), rings.shape)
        parts.append(Sheets("body", rings[None], local[None], 0.008, solid=True))
        shin = spline([knee, knee * 0.5 + foot * 0.5, foot], 7)
        rings = loft(shin, np.full(7, thick, dtype=np.float32), np.full(7, thick, dtype=np.float32), around=10)
        parts.append(
            Sheets(
                "leg",
                rings[None],
                (rings * 0 + np.linspace(0, 1, 7)[:, None, None]).astype(np.float32)[None],
                solid=True,
            )
        )
    return parts, feet


def _toes(feet: Array, shape: Shape, pose: Pose) -> Sheets:
    thick = 0.013 + 0.008 * (shape.legs < 0.4)
    grip = 0.0 if pose.stance == "wading" else 1.0
    facing = np.cos(np.radians(pose.yaw))
    tubes = []
    for foot in feet:
        for out in (-0.065, 0.0, 0.065):
            ahead = out + 0.05 * facing
            curve = [(0, 0, 0.01), (ahead * 0.55, 0.05, 0.02 * grip), (ahead, 0.09, -0.05 * grip),
                     (ahead * 1.12, 0.08, -0.10 * grip)]  # fmt: skip
            tubes.append(loft(spline(foot + np.array(curve), 8), *[np.linspace(thick, thick * 0.6, 8)] * 2, around=9))
    points = np.stack(tubes).astype(np.float32)
    local = np.broadcast_to(np.linspace(0, 1, 8, dtype=np.float32)[None, :, None, None], points.shape)
    return Sheets("leg", points, np.ascontiguousarray(local), solid=True)
