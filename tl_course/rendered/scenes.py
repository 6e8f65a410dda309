"""Scenes of the set "birds": a forest in some light and weather, with a bird in it or without."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from .anatomy import Pose, build
from .brushes import Array, Canvas, Rng, blend, colour_like, noise, spline
from .camera import LIGHTS, WEATHERS, Lighting, expose, weather
from .forest import FORESTS, backdrop
from .growth import Mood, blossom, decoy, drift, foliage, leaf_colours, perch, rgb, sprig
from .plumage import Light, paint, shade
from .species import PLUMAGES, SHAPES, Shape
from .surface import Seen, render

__all__ = ["draw_scene"]

MIRRORED = {"left": 180.0, "right": 0.0}


@dataclass
class _Bird:
    """A bird ready to be put into a scene: what was seen, its lit colours, and what to say of it."""

    seen: Seen
    colours: Array
    corner: tuple[int, int]
    box: tuple[float, float, float, float]
    foot: tuple[float, float]
    truth: dict[str, Any]


def draw_scene(rng: Rng, size: int, *, bird: bool) -> tuple[Image.Image, dict[str, Any]]:
    """One picture and what was drawn; all that is random comes from `rng`, in an order that `size` does not change."""
    lighting_name = str(rng.choice(list(LIGHTS), p=(0.32, 0.16, 0.12, 0.14, 0.18, 0.08)))
    lighting = LIGHTS[lighting_name]
    season = str(rng.choice(("spring", "summer", "summer", "autumn", "winter")))
    sky_weather = str(rng.choice(WEATHERS))
    if sky_weather == "snow":
        season = "winter"
    if sky_weather == "rain" and season == "winter":
        sky_weather = "clear"
    side = float(rng.choice((-1.0, 1.0)))
    light = Light((lighting.light.direction[0] * -side, *lighting.light.direction[1:]), lighting.light.key, lighting.light.sky,
                  lighting.light.bounce, lighting.light.rim)  # fmt: skip
    snow = season == "winter" and (sky_weather == "snow" or rng.random() < 0.5)
    thick = float(rng.uniform(0.6, 1.0) if sky_weather == "fog" else rng.uniform(0.15, 0.7))
    mood = Mood(season, lighting.sky, lighting.haze, thick, side * 0.5, snow)

    name = str(rng.choice(list(PLUMAGES)))
    shape = SHAPES[PLUMAGES[name].shape]
    stance = (
        str(rng.choice(shape.poses)) if bird else str(rng.choice(("perched", "perched", "perched", "wading", "flying")))
    )
    kind = str(rng.choice(list(FORESTS)))
    if stance == "flying" and rng.random() < 0.5:
        kind = str(rng.choice(("lake", "conifers", "canopy")))
    distance = str(rng.choice(("close", "middle", "far"), p=(0.42, 0.38, 0.20) if bird else (0.25, 0.25, 0.50)))
    blur = {"close": rng.uniform(0.008, 0.035), "middle": rng.uniform(0.002, 0.014), "far": rng.uniform(0.0, 0.003)}[
        distance
    ]
    extent = {"close": rng.uniform(0.50, 0.92), "middle": rng.uniform(0.32, 0.52), "far": rng.uniform(0.19, 0.32)}[
        distance
    ]
    place = (float(rng.uniform(0.36, 0.64)), float(rng.uniform(0.36, 0.62))) if distance == "close" else (
        float(rng.uniform(0.22, 0.78)), float(rng.uniform(0.25, 0.72)))  # fmt: skip

    canvas = Canvas(size if blur > 0.006 else 3 * size // 2)
    backdrop(canvas, rng, kind, mood)
    water = stance in ("wading", "swimming")
    if water:
        _shore(canvas, rng, mood, place[1] - 0.04 * extent)
    if rng.random() < 0.35:
        drift(canvas, rng, mood, int(rng.integers(8, 40)), 0.03)
    for _ in range(rng.integers(0, 4)):
        blossom(canvas, rng, (rng.random(), rng.random()), rng.uniform(0.02, 0.08), int(rng.integers(3, 14)))
    canvas.blur(blur)
    canvas = canvas.resized(2 * size)

    truth: dict[str, Any] = {"forest": kind, "season": season, "light": lighting_name, "weather": sky_weather, "snow": snow,
                             "distance": distance, "background_blur": round(float(blur), 4), "bird": None}  # fmt: skip
    drawn = _pose_bird(rng, canvas, name, shape, stance, place, extent, light) if bird else None
    foot = drawn.foot if drawn else (place[0], place[1] + 0.15 * extent)
    slope = float(rng.normal(0, 0.14))
    branch = stance == "perched" and (bird or distance != "far" or rng.random() < 0.3)
    if branch:
        perch(canvas, rng, mood, foot, float(np.clip(0.10 * extent * rng.uniform(0.7, 1.6), 0.012, 0.09)), slope)
    if stance == "clinging" and drawn:
        _trunk_beside(canvas, rng, mood, drawn, extent)
    decoys = []
    if rng.random() < (0.25 if bird else 0.65):
        spot = (float(rng.uniform(0.15, 0.85)), float(rng.uniform(0.2, 0.8))) if bird else foot
        decoys.append(decoy(canvas, rng, mood, spot, extent * rng.uniform(0.25, 0.6), twig=bird or not branch))
    mask = None
    if drawn:
        mask = _put(canvas, drawn, reflect=foot[1] if water else None, sunk=stance == "swimming")
    covered = _front(canvas, rng, mood, extent, place, mask)
    image = canvas.image.reduce(2)
    if sky_weather != "clear":
        image = weather(image, rng, sky_weather, lighting.haze)
    image, settings = expose(image, rng, lighting)
    if drawn and mask is not None:
        truth["bird"] = drawn.truth | {"box": [round(v * size) for v in drawn.box], "visible": round(1.0 - covered, 3)}
    return image, truth | {"decoys": decoys, "camera": settings}


def _pose_bird(rng: Rng, canvas: Canvas, name: str, shape: Shape, stance: str, place: tuple[float, float], extent: float,
               light: Light) -> _Bird:  # fmt: skip
    plumage = PLUMAGES[name]
    owl = plumage.shape == "owl"
    view = str(rng.choice(("left", "right", "three-quarter left", "three-quarter right", "front", "behind"),
                          p=(0.22, 0.22, 0.19, 0.19, 0.10, 0.08)))  # fmt: skip
    if owl and view in ("left", "right"):
        view = f"three-quarter {view}"
    yaw = {"left": 180.0, "right": 0.0, "three-quarter left": 140.0, "three-quarter right": 40.0, "front": 90.0,
           "behind": -90.0}[view] + rng.normal(0, 12)  # fmt: skip
    act = "rest"
    turn, nod, gape = rng.normal(0, 22), rng.normal(2, 9), 0.0
    if view == "behind":
        turn = rng.choice((-1, 1)) * rng.uniform(60, 110)
    if owl:
        turn, nod = float(np.clip(90 - yaw + rng.normal(0, 18), -130, 130)), rng.normal(-3, 5)
    draw = rng.random()
    if stance in ("perched", "clinging") and draw < 0.16:
        act, nod, gape = "singing", rng.uniform(15, 40), rng.uniform(18, 40)
    elif draw < 0.30 and not owl:
        act, nod = "looking down", rng.uniform(-50, -22)
    pitch = rng.uniform(*shape.pitch)
    if stance == "flying":
        act = str(rng.choice(("wings up", "wings down", "gliding")))
        flap, fold = {"wings up": (rng.uniform(30, 62), rng.uniform(-30, 5)), "wings down": (rng.uniform(-42, -12), rng.uniform(-25, 5)),
                      "gliding": (rng.uniform(0, 18), rng.uniform(-22, -2))}[act]  # fmt: skip
        tilt = float(rng.choice((-1, 1), p=(0.6, 0.4)) * rng.uniform(12, 70))
        hover = plumage.shape == "hummingbird"
        pose = Pose(rng.uniform(35, 60) if hover else rng.normal(6, 8), turn * 0.4, nod * 0.4, 0.0, True, flap, fold,
                    rng.uniform(0, 14), rng.uniform(9, 24), rng.normal(0, 8), yaw, tilt * (0.4 if hover else 1.0),
                    rng.normal(0, 14), stance)  # fmt: skip
    else:
        cock = rng.uniform(30, 75) if plumage.shape == "wren" else rng.normal(2, 7)
        if stance == "clinging":
            yaw, cock, turn = (
                (180.0 if np.cos(np.radians(yaw)) < 0 else 0.0) + rng.normal(0, 14),
                -8.0,
                rng.normal(0, 12),
            )
        pose = Pose(pitch, turn, nod, gape, False, fan=rng.uniform(2, 8), cock=cock, yaw=yaw, tilt=rng.normal(4, 9),
                    roll=rng.normal(0, 3), stance=stance)  # fmt: skip
    sheets, at = build(plumage, shape, pose, rng)
    points = np.concatenate([part.points.reshape(-1, 3) for part in sheets])
    low, high = points.min(axis=0), points.max(axis=0)
    span = max(high[0] - low[0], high[2] - low[2])
    scale = extent * canvas.side / span
    x0 = place[0] * canvas.side - scale * (low[0] + high[0]) / 2
    y0 = place[1] * canvas.side + scale * (low[2] + high[2]) / 2
    parts = [part.part for part in sheets]
    fuzz = rng.normal(0, 0.8, 5003)
    paint_rng = np.random.default_rng(rng.integers(2**63))
    # Only the part of the canvas that the bird can reach is rendered, with room for ruffled edges.
    left, top = (int(np.clip(v - 4, 0, canvas.side - 16)) for v in (x0 + scale * low[0], y0 - scale * high[2]))
    right, foot_row = (int(np.clip(v + 4, 16, canvas.side)) for v in (x0 + scale * high[0], y0 - scale * low[2]))
    shape_ = (max(16, foot_row - top), max(16, right - left))
    seen = render(sheets, scale=scale, centre=(x0 - left, y0 - top), shape=shape_, fuzz=fuzz)
    colour, gloss = paint(seen, parts, plumage, paint_rng)
    lit = shade(seen, parts, colour, gloss, light)
    feet = at["feet"].mean(axis=0)
    unit = canvas.side
    box = [
        (x0 + scale * low[0]) / unit,
        (y0 - scale * high[2]) / unit,
        (x0 + scale * high[0]) / unit,
        (y0 - scale * low[2]) / unit,
    ]
    clipped = tuple(float(np.clip(v, 0, 1)) for v in box)
    truth = {"species": name, "kind": plumage.shape, "stance": stance, "view": view, "act": act, "marks": sorted(plumage.marks),
             "extent": round(extent, 3)}  # fmt: skip
    foot = (float(x0 + scale * feet[0]) / unit, float(y0 - scale * (feet[2] + 0.01)) / unit)
    return _Bird(seen, lit, (left, top), (clipped[0], clipped[1], clipped[2], clipped[3]), foot, truth)


def _put(canvas: Canvas, bird: _Bird, *, reflect: float | None, sunk: bool) -> Array:
    """Lay the bird over the canvas with soft edges, mirrored in water at height `reflect`; returns its mask."""
    side = canvas.side
    x, y = bird.corner
    rows, columns = bird.seen.mask.shape
    mask = np.zeros((side, side), dtype=bool)
    mask[y : y + rows, x : x + columns] = bird.seen.mask
    layer = np.zeros((side, side, 3), dtype=np.uint8)
    layer[mask] = (bird.colours * 255).astype(np.uint8)
    if sunk and reflect is not None:
        line = (bird.box[3] - 0.30 * (bird.box[3] - bird.box[1])) * side
        mask[int(line) :] = False
        reflect = line / side
    picture = Image.fromarray(layer)
    if reflect is not None:
        row = int(reflect * side)
        below = min(row, side - row)
        flipped = np.zeros_like(mask)
        flipped[row : row + below] = mask[row - below : row][::-1]
        image = np.zeros_like(layer)
        image[row : row + below] = layer[row - below : row][::-1]
        wave = np.rint(2.5 * np.sin(np.arange(side) * 0.55) + np.arange(side) * 0.0).astype(int)
        columns = np.clip(np.arange(side)[None] + wave[:, None], 0, side - 1)
        rows = np.arange(side)[:, None]
        ghost = Image.fromarray((flipped[rows, columns] * 105).astype(np.uint8)).filter(
            ImageFilter.GaussianBlur(side / 250)
        )
        canvas.image.paste(Image.fromarray(image[rows, columns]), (0, 0), ghost)
    cover = Image.fromarray((mask * 255).astype(np.uint8)).filter(ImageFilter.BoxBlur(0.6))
    canvas.image.paste(picture, (0, 0), Image.fromarray(np.where(mask, np.asarray(cover), 0).astype(np.uint8)))
    return np.asarray(mask)


def _front(
    canvas: Canvas, rng: Rng, mood: Mood, extent: float, place: tuple[float, float], mask: Array | None
) -> float:
    """Leaves and twigs between camera and scene; returns the share of the bird that they hide."""
    draw = rng.random()
    if draw < 0.40:
        return 0.0
    before = np.asarray(canvas.image).copy()
    sharp = draw < 0.65
    if sharp:
        for _ in range(rng.integers(1, 4)):
            start = np.array([rng.choice((-0.05, 1.05)), rng.random()])
            end = np.array(place) + rng.normal(0, 0.22, 2)
            path = spline([start, (start + end) / 2 + rng.normal(0, 0.06, 2), end], 14)
            canvas.stroke(path, rng.uniform(0.004, 0.010), rgb("4a3c2e") * rng.uniform(0.7, 1.3))
            if mood.season != "winter":
                for _ in range(rng.integers(1, 4)):
                    sprig(canvas, rng, mood, path)
    else:
        for _ in range(rng.integers(1, 4)):
            at = (rng.choice((0.0, 1.0)) + rng.normal(0, 0.14), rng.random())
            if rng.random() < 0.25:
                at = (place[0] + rng.normal(0, 0.18), place[1] + rng.normal(0, 0.18))
            foliage(canvas, rng, mood, at, (0.09, 0.11), 26, 0.09, needles=bool(rng.random() < 0.2), dark=0.4)
    after = np.asarray(canvas.image)
    changed = (after != before).any(axis=2)
    if not sharp:
        radius = canvas.side * rng.uniform(0.008, 0.022)
        veil = Image.fromarray((changed * 255).astype(np.uint8)).reduce(4).filter(ImageFilter.GaussianBlur(radius / 4))
        blurred = (
            canvas.image.reduce(4)
            .filter(ImageFilter.GaussianBlur(radius / 4))
            .resize(canvas.image.size, Image.Resampling.BICUBIC)
        )
        veil = veil.resize(canvas.image.size, Image.Resampling.BICUBIC)
        canvas.image = Image.composite(blurred, Image.fromarray(before), veil)
        changed = np.asarray(veil) > 127
    return float((changed & mask).sum() / max(1, mask.sum())) if mask is not None else 0.0


def _trunk_beside(canvas: Canvas, rng: Rng, mood: Mood, bird: _Bird, extent: float) -> None:
    x, _ = bird.foot
    way = 1.0 if x > (bird.box[0] + bird.box[2]) / 2 else -1.0
    w = extent * rng.uniform(0.35, 0.8)
    path = spline([(x + way * w * 0.46, 1.05), (x + way * w * 0.46, 0.5), (x + way * w * 0.44, -0.05)], 10)
    birch = rng.random() < 0.3
    canvas.limb(rng, path, np.full(10, w), (0.86, 0.85, 0.81) if birch else colour_like(rng, rgb("6d5a48"), 0.12), light=mood.side,
                rough=0.3 if birch else 0.7, marks=(0.14, 0.12, 0.11) if birch else None)  # fmt: skip


def _shore(canvas: Canvas, rng: Rng, mood: Mood, line: float) -> None:
    """Water or mud from `line` down, with what stands above it mirrored."""
    n = canvas.side
    edge = int(np.clip(line, 0.15, 0.85) * n)
    pixels = canvas.pixels
    rows = n - edge
    source = np.clip(edge - 1 - np.arange(rows), 0, n - 1)
    mirror = pixels[source].mean(axis=1, keepdims=True) * 0.5 + pixels[source] * 0.5
    ripple = noise(rng, (rows, n), (26, 4), 3)[..., None]
    tint = blend(mood.sky[1], leaf_colours(rng, mood, 1)[0], 0.35)
    pixels[edge:] = (mirror * 0.55 + tint * 0.38) * (1 + 0.06 * ripple)
    canvas.pixels = pixels
    for _ in range(rng.integers(0, 14)):  # reeds
        x, y = rng.random(), edge / n + rng.uniform(0.0, 0.05)
        tip = (x + rng.normal(0, 0.04), y - rng.uniform(0.08, 0.3))
        canvas.stroke(
            spline([(x, y), ((x + tip[0]) / 2, (y + tip[1]) / 2), tip], 6), 0.006, leaf_colours(rng, mood, 1)[0] * 0.8
        )
