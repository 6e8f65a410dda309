"""Scenes of the set "doors": a door in its frame, shut, wide open or anything between."""

from dataclasses import replace
from typing import Any

import numpy as np
from PIL import Image

from tl_course.errors import ImageSetError
from tl_course.synthetic.doors.clutter import NO_DOORS, clutter, no_door
from tl_course.synthetic.doors.leaf import Leaf, design, hang
from tl_course.synthetic.doors.room import Place, before, behind, frame, place
from tl_course.synthetic.doors.view import Camera, Lamp, Wall, box, camera_at, picture, point
from tl_course.synthetic.engine.brushes import Array, Rng
from tl_course.synthetic.engine.camera import LIGHTS, expose

__all__ = ["MAX_ANGLE", "THRESHOLD", "draw_angle", "draw_door", "draw_no_door", "draw_scene"]

THRESHOLD = 20.0
MAX_ANGLE = 110.0
KINDS = ("hinged", "double", "sliding")


def draw_angle(rng: Rng, *, is_open: bool) -> float:
    """How far a door stands open, in degrees; `is_open` is from `THRESHOLD` on, and many lie near it."""
    shut, ajar, share = rng.random(), rng.random(), rng.random()
    if is_open:
        return float(THRESHOLD + (20 * share if ajar < 0.22 else 20 + (MAX_ANGLE - THRESHOLD - 20) * share**0.75))
    return 0.0 if shut < 0.60 else float(1.0 + (THRESHOLD - 1.01) * share)


def draw_door(seed: int, angle: float, size: int = 256) -> Image.Image:
    """One door at an angle of one's choice: the seed settles all but the angle.

    Parameters
    ----------
    seed
        Another seed, another door.
    angle
        Degrees, 0 to 110.
    size
        Pixels along each side.

    Raises
    ------
    ImageSetError
        The angle is none of a door.
    """
    if not 0.0 <= angle <= MAX_ANGLE:
        raise ImageSetError(f"A door cannot stand at {angle} degrees: give an angle from 0 to {MAX_ANGLE:.0f}.")
    return draw_scene(np.random.default_rng([seed, 17]), size, angle=float(angle))[0]


def draw_scene(rng: Rng, size: int, *, angle: float) -> tuple[Image.Image, dict[str, Any]]:
    """One picture and what was drawn; nothing that is random depends on `angle` or `size`."""
    kind = str(rng.choice(KINDS, p=(0.84, 0.09, 0.07)))
    at = place(rng, double=kind == "double", indoors=kind == "sliding")
    right = bool(rng.random() < 0.5)
    towards = bool(rng.random() < (0.22 if at.outdoors else 0.5))
    sight = _camera(rng, at)
    room = float(sight.place[0])  # a side wall must not stand before the camera
    at = replace(at, sides=(max(at.sides[0], 0.4 - room), max(at.sides[1], 0.4 + room - at.wide)))
    hour, day, wall, mean = _light(rng, at)
    ppm = sight.focal * size * 2 / float(np.linalg.norm(sight.place - point(at.wide / 2, at.tall / 2, 0)))
    look = design(rng, outdoors=at.outdoors, sliding=kind == "sliding")
    bright = 0.25 + 0.75 * day if at.outdoors else 0.25

    leaves, doors = _leaves(rng, at, kind, angle, right=right, towards=towards, look=look, ppm=ppm, bright=bright)
    stop = None if kind == "sliding" else -0.055 if towards else 0.055 - at.thick
    faces = before(rng, at, ppm) + frame(rng, at, stop=stop, ppm=ppm) + behind(rng, at, ppm, day)
    things, names = clutter(rng, at, right=right, kind=kind)
    faces += things
    for leaf in leaves:
        faces += leaf.faces
    if kind == "sliding" and doors["runs"] == "outside":
        faces += box((-at.wide * 1.1 if right is False else -0.1, at.tall + 0.10, 0.02),
                     (at.wide * (1.1 if right is False else 2.1), at.tall + 0.15, 0.06), look.metal)  # fmt: skip
    wall = replace(
        wall,
        screens=[leaf.screen for leaf in leaves],
        clear=min(1.0, 1.3 * float(np.sin(np.radians(min(90.0, angle))))),
    )
    image = picture(sight, faces, wall, 2 * size, key=mean).reduce(2)
    image, camera = expose(image, rng, hour, harsh=0.6)
    outline, _ = sight.project(leaves[0].corners)
    return image, {
        "kind": kind,
        "angle": round(angle, 2),
        "towards": towards if kind != "sliding" else None,
        "hinge": "right" if right else "left",
        "leaf": [[round(float(v) * size, 1) for v in corner] for corner in outline],
        "doors": doors,
        "style": look.style,
        "outdoors": at.outdoors,
        "wall": at.wall,
        "floor": at.floor,
        "behind": at.behind,
        "clutter": names,
        "camera": camera,
    }


def draw_no_door(rng: Rng, size: int) -> tuple[Image.Image, str]:
    """A picture of something that is no door, taken as doors are, and what it shows (one of `NO_DOORS`)."""
    what = NO_DOORS[int(rng.integers(len(NO_DOORS)))]
    at = replace(place(rng, double=False, indoors=what not in ("window", "sign")), steps=0, wide=1.0)
    sight = _camera(rng, at)
    if what in ("sign", "picture"):  # which are small, so one points the camera at them
        target = point(0.5, 1.4, 0) + rng.normal(0, 0.08, 3)
        sight = camera_at(sight.place * (1, 1, 0.75), target, focal=1.1 * sight.focal)
    room = float(sight.place[0])
    at = replace(at, sides=(max(at.sides[0], 0.9, 0.4 - room), max(at.sides[1], 1.9, room + 0.4)))
    hour, _, wall, mean = _light(rng, at)
    ppm = sight.focal * size * 2 / float(np.linalg.norm(sight.place))
    faces = [replace(face, hole=None) for face in before(rng, replace(at, wide=0.02, architrave=-0.009), ppm)]
    faces += no_door(rng, what, ppm)
    return expose(picture(sight, faces, wall, 2 * size, key=mean).reduce(2), rng, hour, harsh=0.6)[0], what


def _leaves(
    rng: Rng, at: Place, kind: str, angle: float, *, right: bool, towards: bool, look: Any, ppm: float, bright: float
) -> tuple[list[Leaf], dict[str, Any]]:
    state = int(rng.integers(2**63))
    draw, share = rng.random(2)
    options: dict[str, Any] = {"towards": towards, "look": look, "ppm": ppm, "bright": bright}
    gap, z = 0.004, 0.0 if towards else -at.thick
    if kind == "double":
        second = 0.0 if draw < 0.4 else angle if draw < 0.75 else angle * share
        wide = at.wide / 2 - 1.5 * gap
        leaves = []
        for side, turned in ((right, angle), (not right, second)):
            pivot = point(at.wide - gap if side else gap, 0.008, z)
            leaves.append(
                hang(
                    np.random.default_rng(state),
                    pivot=pivot,
                    wide=wide,
                    tall=at.tall - 0.014,
                    angle=turned,
                    right=side,
                    double=True,
                    second=side != right,
                    **options,
                )
            )
        return leaves, {"angles": [round(angle, 2), round(second, 2)]}
    if kind == "hinged":
        pivot = point(at.wide - gap if right else gap, 0.008, z)
        leaf = hang(
            np.random.default_rng(state),
            pivot=pivot,
            wide=at.wide - 2 * gap,
            tall=at.tall - 0.014,
            angle=angle,
            right=right,
            **options,
        )
        return [leaf], {}
    # The gap beside a sliding leaf is as wide as between the edge of a hinged one and its frame.
    part = min(1.0, 2 * np.sin(np.radians(angle) / 2))
    outside = draw < 0.5
    over = 0.06 if outside else 0.0
    shift = part * at.wide * (1 if right else -1)
    options |= {"towards": True}
    foot = point((at.wide + over if right else -over) + shift, 0.012, 0.075 if outside else -at.thick / 2 + 0.02)
    leaf = hang(
        np.random.default_rng(state),
        pivot=foot,
        wide=at.wide + 2 * over,
        tall=at.tall + over,
        angle=0.0,
        right=right,
        hinges=False,
        **options,
    )
    return [leaf], {"share": round(float(part), 3), "runs": "outside" if outside else "in the wall"}


def _camera(rng: Rng, at: Place) -> Camera:
    azimuth = float(np.clip(rng.normal(0, 13), -34, 34))
    fill = float(rng.uniform(0.80, 1.14))
    far = float(rng.uniform(2.1, 4.6)) + 0.25 * at.wide
    height = float(np.clip(rng.normal(1.45, 0.28), 0.45, 2.1))
    target = point(at.wide * rng.uniform(0.38, 0.62), at.tall * (0.5 + rng.normal(0, 0.04)), -0.05)
    stand = point(at.wide / 2 + far * np.sin(np.radians(azimuth)), height, far * np.cos(np.radians(azimuth)))
    wide = max(at.tall, at.wide * 1.15)
    return camera_at(stand, target, focal=fill * far / wide, roll=float(rng.normal(0, 1.3)))


def _light(rng: Rng, at: Place) -> tuple[Any, float, Wall, float]:
    """The hour's tint, how bright it is outdoors, the light in both rooms, and how bright the picture is to be."""
    time = str(rng.choice(("day", "day", "day", "evening", "night")))
    day = {"day": float(rng.uniform(0.6, 1.0)), "evening": float(rng.uniform(0.15, 0.4)), "night": 0.02}[time]
    sky = np.array((0.92, 0.97, 1.06)) if time != "evening" else np.array((1.05, 0.92, 0.86))
    lamp = np.array((1.12, 0.98, 0.78))
    sun = np.array((1.1, 1.0, 0.86)) if time == "day" else np.array((1.2, 0.86, 0.6))

    def room(outdoors: bool, z: float) -> tuple[Array, Lamp]:
        side = float(rng.choice((-1.0, 1.0)))
        if outdoors:
            clear = float(rng.uniform(0.0, 1.0))
            x, y, far = side * rng.uniform(4, 14), rng.uniform(6, 14), rng.uniform(5, 12)
            moon = max(day, 0.10)
            colour = sun * 1.5 * moon * clear if time != "night" else lamp * 0.5 * clear
            return sky * moon * (1.0 - 0.45 * clear), Lamp(
                point(x, y, np.sign(z) * far), colour, 0.25 + 0.8 * (1 - clear)
            )
        on = time != "day" or rng.random() < 0.35
        strength = float(np.exp(rng.normal(-0.25, 0.55)))
        if not on:
            strength *= 0.5 + 0.5 * day
        tone = lamp if on else sky
        spot = point(
            at.wide / 2 + side * rng.uniform(0.3, 1.6), rng.uniform(1.7, 2.4), np.sign(z) * rng.uniform(1.4, 2.8)
        )
        return tone * strength * 0.5, Lamp(spot, tone * strength * 0.95, float(rng.uniform(0.05, 0.22)))

    front, first = room(at.outdoors, 1.0)
    back, second = room(at.behind in ("garden", "street"), -1.0)
    # Next door it is seldom as bright as here.
    ratio = float(rng.choice((0.42, 0.58, 1.0, 1.6, 2.0), p=(0.28, 0.22, 0.06, 0.22, 0.22)))
    if at.behind not in ("garden", "street"):
        level = ratio * float(first.colour.mean() + front.mean()) / float(second.colour.mean() + back.mean() + 1e-6)
        back, second = back * level, replace(second, colour=second.colour * level)
    low = LIGHTS["noon" if time == "day" else "dawn" if time == "evening" else "noon"]
    hour = replace(low, gain=(1.0, 1.0, 1.0), saturation=float(rng.uniform(0.85, 1.05)))
    key = {"day": 0.24, "evening": 0.19, "night": 0.14}[time] * float(np.exp(rng.normal(0, 0.27)))
    return hour, day, Wall(at.wide, at.tall, at.thick, front, back, (first, second)), key
