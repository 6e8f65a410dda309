"""A mammal's head as sheets: skull, muzzle, jaw, nose, eyes, ears and what grows on it.

The head looks along +x with its left side at +y; lengths are in radii of the skull, around its middle.
"""

from dataclasses import dataclass
from functools import cache

import numpy as np

from tl_course.synthetic.engine.brushes import Array, smoothstep, spline
from tl_course.synthetic.engine.surface import Sheets, frame, loft, turn
from tl_course.synthetic.mammals.mammals import Breed

__all__ = ["Face", "ball", "build_head", "tip_of"]


@dataclass(frozen=True)
class Face:
    """What a face does: `gape` opens the mouth and `perk` lowers the ears, in degrees; `tongue` is out or not."""

    gape: float = 0.0
    perk: float = 0.0
    tongue: bool = False


def ball(centre: Array, radii: tuple[float, float, float], *, rings: int = 14, around: int = 18) -> Array:
    """An ellipsoid (rings, around, 3) about `centre`, with a pole along x."""
    return np.asarray(_sphere(rings, around) * np.asarray(radii, dtype=np.float32) + centre, dtype=np.float32)


@cache
def _sphere(rings: int, around: int) -> Array:
    c = np.linspace(0, np.pi, rings, dtype=np.float32)
    return loft(np.stack([np.cos(c), 0 * c, 0 * c], axis=-1), np.sin(c), np.sin(c), around=around)


def tip_of(breed: Breed) -> Array:
    """Where the muzzle ends (3,)."""
    return np.array([0.72 * breed.skull[0] + breed.muzzle[0], 0.0, -breed.drop], dtype=np.float32)


def build_head(breed: Breed, face: Face) -> list[Sheets]:
    """Sheets of a head, furry parts first."""
    skull = ball(np.zeros(3), breed.skull, rings=24, around=30)
    skull[..., 1] *= 1.0 - 0.16 * smoothstep(0.2, 1.0, skull[..., 0:1])[..., 0]  # a forehead is narrower than a head
    parts = [Sheets("head", skull[None], skull[None], 0.006, solid=True)]
    parts += _muzzle(breed, face) + _nose(breed) + _eyes(breed) + _ears(breed, face)
    if breed.ruff:
        radii = (0.5, 0.42 + 0.14 * breed.ruff, 0.42 + 0.1 * breed.ruff)
        cheeks = (ball(np.array([-0.12, 0.62 * side * breed.skull[1], -0.42]), radii) for side in (1.0, -1.0))
        parts.append(_solid("ruff", *cheeks))
    if breed.horns:
        parts.append(_solid("horn", *(_horn(breed, s) for s in (1.0, -1.0))))
    if breed.mane:
        lock = loft(spline([(0.5, 0, 0.75), (0.15, 0, 1.0), (-0.5, 0, 0.9), (-0.9, 0, 0.3), (-1.0, 0, -0.6)], 16),
                    np.linspace(0.12, 0.3, 16), np.full(16, 0.2), around=12)  # fmt: skip
        parts.append(_solid("mane", lock))
    return parts


def _solid(part: str, *shapes: Array) -> Sheets:
    points = np.stack(shapes).astype(np.float32)
    return Sheets(part, points, points, 0.006 if part in ("ruff", "mane") else 0.0, solid=True)


def _muzzle(breed: Breed, face: Face) -> list[Sheets]:
    length, wide, tall = breed.muzzle
    tip = tip_of(breed)
    start = np.array([0.25 * breed.skull[0], 0.0, -0.55 * breed.drop], dtype=np.float32)
    s = np.linspace(0, 1, 16, dtype=np.float32)
    end = np.sqrt(np.clip(1 - (np.clip(s - 0.72, 0, None) / 0.281) ** 2, 0.0, 1))
    grow = (breed.stop + (1 - breed.stop) * s**0.8) * end
    upper = loft(start + s[:, None] * (tip - start), tall * grow + 0.004, wide * grow + 0.004, around=22)
    hinge = np.array([0.3 * breed.skull[0], 0.0, -breed.drop - 0.5 * tall], dtype=np.float32)
    chin = tip + np.array([-0.16 - 0.10 * length, 0.0, -0.62 * tall], dtype=np.float32)
    jaw = loft(hinge + s[:, None] * (chin - hinge), 0.56 * tall * grow + 0.004, 0.80 * wide * grow + 0.004, around=18)
    drop = turn("y", face.gape)
    jaw = (jaw - hinge) @ drop.T + hinge
    pads = [
        ball(tip + np.array([-0.16 - 0.16 * length, 0.46 * side * wide, -0.30 * tall - 0.5 * breed.flews]),
             (0.22 + 0.22 * length, 0.56 * wide, 0.62 * tall + 0.5 * breed.flews))
        for side in (1.0, -1.0)
    ]  # fmt: skip
    parts = [
        Sheets("head", upper[None], upper[None], 0.006, solid=True),
        Sheets("jaw", jaw[None], jaw[None], solid=True),
    ]
    parts.append(Sheets("lip", np.stack(pads), np.stack(pads), solid=True))
    if not breed.trunk:
        parts.append(_solid("mouth", *_mouth(breed)))
    if face.tongue:
        reach = 0.2 + 0.012 * face.gape
        path = spline([chin + [-0.25, 0, 0.25], chin + [0.06, 0, 0.12], chin + [0.14, 0, -reach]], 12)
        path = (path - hinge) @ drop.T + hinge
        parts.append(
            _solid("tongue", loft(path, np.full(12, 0.05), 0.52 * wide * np.sqrt(1.02 - s[:12] ** 2), around=12))
        )
    if breed.trunk:
        path = spline([tip + [-0.3, 0, 0.1], tip + [0.25, 0, -0.3], tip + [0.35, 0, -1.3], tip + [0.75, 0, -1.9]], 18)
        rings = np.linspace(0.42, 0.17, 18)
        proboscis = loft(path, rings, rings, around=18)[None]
        parts.append(Sheets("head", proboscis, proboscis, solid=True))
    return parts


def _mouth(breed: Breed) -> list[Array]:
    """The dark line from the nose down, and its two arcs to the corners of the mouth."""
    length, wide, tall = breed.muzzle
    tip = tip_of(breed)
    low = -0.62 * tall - 0.55 * breed.flews
    lines = [spline([tip + [0.03, 0, 0.1], tip + [0.05, 0, 0.4 * low], tip + [0.02, 0, low]], 10)]
    for side in (1.0, -1.0):
        corner = tip + [-0.30 - 0.55 * length, 1.02 * side * wide, low + 0.02]
        lines += [spline([tip + [0.02, 0, low], tip + [0.02, 0.42 * side * wide, low - 0.10], corner], 10)]
    thick = np.full(10, 0.026, dtype=np.float32)
    return [loft(line, thick, thick, around=6) for line in lines]


def _nose(breed: Breed) -> list[Sheets]:
    wide, tall = breed.nose
    tip = tip_of(breed)
    broad, deep = breed.muzzle[1:]
    if breed.snout:
        disc = ball(tip, (0.16, 0.92 * broad, 0.86 * deep))
        return [_solid("nose", disc), _nostrils(tip + np.array([0.13, 0.0, 0.04]), 0.38 * broad, (0.06, 0.07, 0.10))]
    if breed.trunk:
        return []
    if not wide:
        return [_nostrils(tip + np.array([-0.06, 0.0, 0.1]), 0.55 * broad, (0.10, 0.07, 0.07))]
    shape = ball(np.zeros(3), (1.0, 1.0, 1.0))
    shape[..., 1] *= 0.70 + 0.30 * shape[..., 2]  # broad above, narrow below
    at = tip + np.array([-0.04, 0.0, breed.muzzle[2] - 0.55 * tall - 0.08], dtype=np.float32)
    parts = [Sheets("nose", (shape * [0.13, wide * 1.15, tall] + at)[None].astype(np.float32), shape[None], solid=True)]
    holes = _nostrils(at + np.array([0.10, 0.0, -0.15 * tall]), 0.42 * wide, (0.04, 0.24 * wide, 0.22 * tall))
    return [*parts, holes]


def _nostrils(at: Array, out: float, radii: tuple[float, float, float]) -> Sheets:
    return _solid("nostril", *(ball(at + [0, side * out, 0], radii, rings=8, around=8) for side in (1.0, -1.0)))


def _eyes(breed: Breed) -> list[Sheets]:
    size, out, up = breed.eyes
    unit = ball(np.zeros(3), (1.0, 1.0, 1.0), rings=16, around=20)
    eyes = []
    for side in (1.0, -1.0):
        a, e = np.radians(out * side), np.radians(up)
        way = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
        on = way / np.linalg.norm(way / np.asarray(breed.skull))
        on[1] *= 1.0 - 0.16 * smoothstep(0.2, 1.0, on[0])
        # Eyes look ahead more than their place on the skull would have them.
        look = frame(way * [1.0, 0.62, 0.4], np.array([0.0, 0.12 * side, 1.0]))
        eyes.append(unit * [0.36, 1.0, 1.0] @ look.T * size + on * 0.97)
    # The pair shares one local frame: ahead, outwards, up.
    local = np.stack([unit * [1, 1, 1], unit * [1, -1, 1]])
    return [Sheets("eye", np.stack(eyes).astype(np.float32), local.astype(np.float32), solid=True)]


def _horn(breed: Breed, side: float) -> Array:
    base = np.array([-0.05, 0.55 * side, 0.72], dtype=np.float32)
    bend, tip = np.array([0.0, 0.6 * side, 0.2]), np.array([0.2, 0.9 * side, 1.0])
    path = spline(np.stack([base, base + breed.horns * bend, base + breed.horns * tip]), 10)
    rings = np.linspace(0.17, 0.02, 10)
    return loft(path, rings, rings, around=10)


# For each shape of ear: the line along its middle as (ahead, out, up) in its lengths, and which way it is broad.
EARS: dict[str, tuple[list[tuple[float, float, float]], tuple[float, float, float]]] = {
    "pricked": ([(0.0, 0.0, -0.1), (0.02, 0.0, 0.45), (0.0, 0.0, 1.0)], (0.28, 1.0, 0.0)),
    "round": ([(0.0, 0.0, -0.1), (0.0, 0.0, 0.45), (0.04, 0.0, 1.0)], (0.22, 1.0, 0.0)),
    "long": ([(0.0, 0.0, -0.05), (-0.05, 0.02, 0.5), (-0.12, 0.0, 1.0)], (0.35, 1.0, 0.0)),
    "button": ([(-0.1, -0.05, -0.1), (0.0, 0.15, 0.35), (0.30, 0.28, 0.42), (0.55, 0.34, -0.1)], (-0.35, 1.0, 0.0)),
    "floppy": ([(0.0, -0.22, 0.0), (0.0, 0.02, 0.05), (0.05, 0.15, -0.22), (0.08, 0.15, -0.6), (0.10, 0.08, -1.0)],
               (1.0, -0.75, 0.0)),
    "side": ([(0.0, -0.1, 0.0), (0.05, 0.45, 0.05), (0.08, 1.0, -0.10)], (0.3, 0.0, 1.0)),
    "fan": ([(0.0, -0.1, 0.0), (-0.12, 0.45, 0.05), (-0.25, 1.0, -0.05)], (0.1, 0.0, 1.0)),
}  # fmt: skip


def _ears(breed: Breed, face: Face) -> list[Sheets]:
    kind, length, half, at, lean = breed.ears
    line, broad = EARS[kind]
    t = np.linspace(0, 1, 12, dtype=np.float32)
    c = np.linspace(-1, 1, 7, dtype=np.float32)
    taper = {
        "pricked": 1 - t**1.25,
        "round": np.sqrt(np.clip(1 - ((t - 0.42) / 0.585) ** 2, 0, 1)),
        "long": np.sin(np.pi * np.clip(0.16 + 0.83 * t, 0, 1)) ** 0.7,
        "fan": np.sqrt(np.clip(1 - ((t - 0.45) / 0.56) ** 2, 0.02, 1)),
    }.get(kind, np.clip(0.75 + 0.5 * t, 0, 1) * np.sqrt(np.clip(1 - (np.clip(t - 0.6, 0, None) / 0.41) ** 2, 0, 1)))
    cup = 0.34 if kind in ("pricked", "round", "long") else 0.10
    angle = np.radians(at)
    base = np.array([-0.06, np.sin(angle) * breed.skull[1], np.cos(angle) * breed.skull[2]], dtype=np.float32) * 0.94
    upright = kind in ("pricked", "round", "long")
    tilt = turn("x", -(lean + face.perk)) if upright else turn("x", -0.4 * face.perk)
    middle = spline(np.array(line) * length, 12)
    across = np.asarray(broad, dtype=np.float32) / np.linalg.norm(broad)
    flat = middle[:, None] + (half * taper[:, None] * c)[..., None] * across
    flat[..., 0] += cup * half * (np.abs(c) ** 2 - 0.35)[None] * taper[:, None]
    flat = flat @ tilt.T + base
    local = np.stack(np.broadcast_arrays(t[:, None], c[None], 0 * t[:, None]), axis=-1)
    pair, mirror = np.stack([flat, flat * [1, -1, 1]]), np.stack([local, local])
    parts = [Sheets("ear", pair.astype(np.float32), mirror.astype(np.float32), 0.006)]
    if kind in ("pricked", "round", "long", "side", "fan"):
        inner = flat[:, 3:4] + (flat - flat[:, 3:4]) * 0.72
        inner = inner[1:-2] + np.array([0.05, 0.0, -0.02])
        parts.append(
            Sheets(
                "inner", np.stack([inner, inner * [1, -1, 1]]).astype(np.float32), mirror[:, 1:-2].astype(np.float32)
            )
        )
    return parts
