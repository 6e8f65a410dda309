"""A mammal's body as sheets: trunk, neck, legs and tail, standing, sitting or lying; with its head, as it is seen.

The body looks along +x with its left side at +y, and its trunk is 1 long.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from tl_course.synthetic.engine.brushes import Array, spline
from tl_course.synthetic.engine.surface import Sheets, frame, loft, turn
from tl_course.synthetic.mammals.head import Face, ball, build_head, tip_of
from tl_course.synthetic.mammals.mammals import Breed

__all__ = ["Posed", "Stance", "build_mammal"]

# The trunk from rump to chest: place along it, height of the ring's centre, half height and half width.
TRUNK = spline([(-0.52, 0.05, 0.03, 0.03), (-0.48, 0.04, 0.50, 0.50), (-0.36, 0.02, 0.86, 0.90),
                (-0.15, 0.02, 0.90, 0.94), (0.10, -0.02, 0.94, 0.95), (0.30, -0.06, 1.0, 0.98),
                (0.44, -0.02, 0.78, 0.80), (0.52, 0.04, 0.40, 0.44), (0.56, 0.06, 0.03, 0.03)], 30)  # fmt: skip


@dataclass(frozen=True)
class Stance:
    """How a mammal holds itself and is seen; angles in degrees.

    `kind` is sitting, lying or standing; `pitch` slopes the trunk; `yaw` 0 faces right, 90 the viewer; `look` is the
    same for the head, `nod` raises and `cant` leans it; `tilt` above 0 shows all from above; `wag` swings the tail;
    `step` is how far the legs have stepped out, -1 to 1.
    """

    kind: str
    pitch: float = 0.0
    yaw: float = 40.0
    look: float = 70.0
    nod: float = 0.0
    cant: float = 0.0
    tilt: float = 6.0
    wag: float = 0.0
    step: float = 0.0
    face: Face = field(default_factory=Face)


@dataclass(frozen=True)
class Posed:
    """Sheets as seen, and places (n, 3) by name: "muzzle", "head", "tail", "feet", and "whiskers" where it has any."""

    sheets: list[Sheets]
    places: dict[str, Array]
    view: Array
    radius: float


def build_mammal(breed: Breed, stance: Stance, *, below: bool = True) -> Posed:
    """A whole mammal, or with `below` False what a portrait shows of it: head, neck and shoulders."""
    deep, wide = breed.body
    trunk = turn("y", -stance.pitch)
    ground = _ground(breed, stance, trunk)
    parts = [_tube("body", TRUNK[:, 0], TRUNK[:, 1] * deep, TRUNK[:, 2] * deep, TRUNK[:, 3] * wide, trunk)]

    lift = np.radians({"sitting": 72.0, "lying": 55.0}.get(stance.kind, 48.0))
    shoulders = trunk @ np.array([0.36, 0.0, 0.30 * deep])
    head_at = shoulders + (breed.neck[0] + 0.75 * breed.head) * np.array([np.cos(lift), 0.0, np.sin(lift)])
    yaw = np.radians(np.clip(stance.look - stance.yaw, -95, 95))
    nod = np.radians(stance.nod)
    forward = np.array([np.cos(nod) * np.cos(yaw), np.cos(nod) * np.sin(yaw), np.sin(nod)])
    side = np.array([-np.sin(yaw), np.cos(yaw), 0.0])
    look = frame(forward, np.array([0.0, 0.0, 1.0]) + np.tan(np.radians(stance.cant)) * side)
    parts.append(_neck(breed, trunk, head_at, forward))
    if below:
        parts += _legs(breed, stance, trunk, ground)
        parts.append(_tail(breed, stance, trunk, ground))
    head = build_head(breed, stance.face)
    turned = look.T.astype(np.float32) * np.float32(breed.head)
    parts += [replace(part, points=part.points @ turned + head_at.astype(np.float32)) for part in head]

    view = turn("x", -stance.tilt) @ turn("z", stance.yaw)
    seen = [replace(part, points=part.points @ view.T.astype(np.float32)) for part in parts]

    def place(points: Array) -> Array:
        return np.asarray((points * breed.head @ look.T + head_at) @ view.T)

    tip = tip_of(breed)
    feet = np.array([[0.35, 0.0, ground], [-0.35, 0.0, ground]]) @ view.T
    places = {
        "muzzle": place(tip[None]),
        "head": place(np.zeros((1, 3))),
        "feet": feet,
        "tail": (trunk @ np.array([-0.5, 0, 0.3]))[None] @ view.T,
    }
    if breed.whiskers:
        rows = np.array(
            [
                (-0.12, s * 0.52 * breed.muzzle[1], -0.30 * breed.muzzle[2] + 0.07 * k)
                for s in (1, -1)
                for k in (-1, 0, 1)
            ]
        )
        ends = (
            rows + np.array([(-0.30, s * 1.25, 0.20 * k - 0.06) for s in (1, -1) for k in (-1, 0, 1)]) * breed.whiskers
        )
        places["whiskers"] = np.stack([place(tip + rows), place(tip + ends)], axis=1)
    return Posed(seen, places, view, breed.head)


def _ground(breed: Breed, stance: Stance, trunk: Array) -> float:
    deep = breed.body[0]
    if stance.kind == "standing":
        return -0.62 * deep - breed.legs[0]
    low = float((trunk @ np.array([-0.36, 0.0, 0.0]))[2])
    return low - 0.92 * deep


def _tube(part: str, x: Array, z: Array, tall: Array, wide: Array, turned: Array) -> Sheets:
    rings = loft(np.stack([x, 0 * x, z], axis=-1), tall, wide, around=30)
    return Sheets(part, np.asarray(rings @ turned.T, dtype=np.float32)[None], rings[None], 0.008, solid=True)


def _stacked(part: str, shapes: list[Array], trunk: Array) -> Sheets:
    points = np.stack(shapes).astype(np.float32)
    return Sheets(part, points, np.asarray(points @ trunk, dtype=np.float32), 0.007, solid=True)


def _neck(breed: Breed, trunk: Array, head_at: Array, forward: Array) -> Sheets:
    deep = breed.body[0]
    start = trunk @ np.array([0.18, 0.0, 0.02])
    bend = trunk @ np.array([0.40, 0.0, 0.16 * deep])
    path = spline([start, bend, head_at - 0.25 * breed.head * forward], 16)
    girth = spline([[0.86 * deep], [0.5 * (0.8 * deep + breed.neck[1])], [0.80 * breed.head]], 16)[:, 0]
    return _stacked("body", [loft(path, girth, girth * 0.95, around=26)], trunk)


def _legs(breed: Breed, stance: Stance, trunk: Array, ground: float) -> list[Sheets]:
    deep, wide = breed.body
    thick = breed.legs[1]
    foot = thick * (0.9 if breed.hooves else 1.15)
    limbs, feet, thighs = [], [], []
    for side in (1.0, -1.0):
        shoulder = trunk @ np.array([0.32, 0.52 * side * wide, -0.25 * deep])
        step = stance.step * side
        if stance.kind == "lying":
            paw = np.array([shoulder[0] + 0.36 + 0.1 * step, 0.62 * side * wide, ground + foot])
            path = [shoulder, [shoulder[0] + 0.02, 0.75 * side * wide, ground + 1.2 * foot], paw]
        else:
            paw = np.array([shoulder[0] + 0.05 + 0.16 * step, 0.50 * side * wide, ground + 0.6 * foot])
            path = [shoulder, 0.5 * shoulder + 0.5 * paw + [-0.02, 0, 0], paw]
        limbs.append(_limb(path, 1.7 * thick, thick))
        feet.append(paw)
        hip = trunk @ np.array([-0.34, 0.55 * side * wide, -0.15 * deep])
        if stance.kind == "standing":
            paw = np.array([hip[0] - 0.04 - 0.16 * step, 0.55 * side * wide, ground + 0.6 * foot])
            knee = 0.55 * hip + 0.45 * paw
            limbs.append(
                _limb([hip, knee + [0.07, 0, 0.05], 0.25 * hip + 0.75 * paw + [-0.06, 0, 0], paw], 2.2 * thick, thick)
            )
            thighs.append(ball(hip + [0.02, 0.02 * side, -0.02], (0.15, 0.55 * wide, 0.78 * deep)))
        else:
            paw = np.array([hip[0] + 0.40, 1.02 * side * wide, ground + 0.6 * foot])
            limbs.append(_limb([paw + [-0.3, 0, 0.02], paw + [-0.15, 0, 0], paw], thick, thick))
            thighs.append(
                ball(
                    np.array([hip[0] + 0.12, 0.86 * side * wide, ground + 0.85 * deep]),
                    (0.25, 0.45 * wide, 0.88 * deep),
                )
            )
        feet.append(paw)
    paws = [
        ball(paw + [0.30 * foot, 0, -0.05 * foot], (1.5 * foot, 1.15 * foot, 0.85 * foot), rings=10, around=14)
        for paw in feet
    ]
    return [
        _stacked("body", thighs, trunk),
        _stacked("leg", limbs, trunk),
        _stacked("hoof" if breed.hooves else "paw", paws, trunk),
    ]


def _limb(path: list[Array], above: float, below: float) -> Array:
    t = np.linspace(0, 1, 12, dtype=np.float32)
    rings = (above + (below - above) * t) * np.sqrt(
        np.clip(1.002 - (1 - t / 0.3).clip(0) ** 2, 0, 1)
    )  # a round shoulder
    centres = spline(path, 12)
    return loft(centres, rings, rings, around=16)


def _tail(breed: Breed, stance: Stance, trunk: Array, ground: float) -> Sheets:
    length, thick, lift = breed.tail
    root = trunk @ np.array([-0.46, 0.0, 0.25 * breed.body[0]])
    if stance.kind == "standing" or lift > 60:
        up = np.radians(lift + (35 if stance.kind == "standing" and not breed.hooves else 0))
        curl = np.radians(lift * 0.8)
        path = [root, root + 0.5 * length * np.array([-np.cos(up), 0.1 * stance.wag, np.sin(up)])]
        path.append(path[1] + 0.5 * length * np.array([-np.cos(up + curl), 0.3 * stance.wag, np.sin(up + curl)]))
    else:  # it lies on the ground, around one side
        side = 1.0 if stance.wag >= 0 else -1.0
        path = [root, [root[0] - 0.2 * length, 0.4 * side * length, ground + 1.2 * thick],
                [root[0] + 0.3 * length, 0.15 + 0.45 * side * length, ground + thick]]  # fmt: skip
    centres = spline(path, 16)
    t = np.linspace(0, 1, 16)
    rings = thick * (0.75 + 0.7 * np.sin(np.pi * t**0.8)) * np.sqrt(1.002 - t**6)
    return _stacked("tail", [loft(centres, rings, rings, around=14)], trunk)
