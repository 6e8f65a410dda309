"""Scenes of the set "birds": a forest in some light and weather, with a bird in it or without."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import Image, ImageFilter

from tl_course.synthetic.birds.bird import Bird, bird_at, lay
from tl_course.synthetic.birds.forest import FORESTS, backdrop, shafts
from tl_course.synthetic.birds.growth import Mood, blossom, decoy, drift, foliage, leaf_colours, perch, rgb, sprig
from tl_course.synthetic.birds.plumage import Light
from tl_course.synthetic.birds.species import PLUMAGES, SHAPES
from tl_course.synthetic.engine.brushes import Array, Canvas, Rng, blend, colour_like, noise, spline
from tl_course.synthetic.engine.camera import LIGHTS, WEATHERS, expose, weather

__all__ = ["draw_scene"]

# For each distance: the blur of what is behind, and how much of the picture's side a bird fills.
DISTANCES = {
    "close": ((0.008, 0.035), (0.50, 0.92)),
    "middle": ((0.002, 0.014), (0.36, 0.56)),
    "far": ((0.0, 0.003), (0.24, 0.36)),
}
ODDS_OF_DISTANCE = {True: (0.44, 0.38, 0.18), False: (0.25, 0.25, 0.50)}


@dataclass(frozen=True)
class _Setting:
    """When and in what weather a scene is."""

    hour: str
    sky: str
    mood: Mood
    light: Light


def _setting(rng: Rng) -> _Setting:
    hour = str(rng.choice(list(LIGHTS), p=(0.33, 0.16, 0.12, 0.14, 0.18, 0.07)))
    season = str(rng.choice(("spring", "summer", "summer", "autumn", "winter")))
    sky = str(rng.choice(WEATHERS))
    if sky == "snow":
        season = "winter"
    elif sky == "rain" and season == "winter":
        sky = "clear"
    lighting = LIGHTS[hour]
    side = float(rng.choice((-1.0, 1.0)))
    x, y, z = lighting.light.direction
    snow = bool(season == "winter" and (sky == "snow" or rng.random() < 0.5))
    thick = float(rng.uniform(0.6, 1.0) if sky == "fog" else rng.uniform(0.15, 0.7))
    mood = Mood(season, lighting.sky, lighting.haze, thick, 0.5 * side, snow)
    return _Setting(hour, sky, mood, replace(lighting.light, direction=(-side * x, y, z)))


def draw_scene(rng: Rng, size: int, *, bird: bool) -> tuple[Image.Image, dict[str, Any]]:
    """One picture and what was drawn; all that is random comes from `rng`, in an order that `size` does not change.

    Scenes with and without a bird are made alike, from branch to blossom, so that only the bird tells them apart.
    """
    setting = _setting(rng)
    mood = setting.mood
    species = str(rng.choice(list(PLUMAGES)))
    poses = SHAPES[PLUMAGES[species].shape].poses if bird else ("perched", "perched", "perched", "wading", "flying")
    stance = str(rng.choice(poses))
    kind = str(rng.choice(list(FORESTS)))
    if stance == "flying" and rng.random() < 0.5:
        kind = str(rng.choice(("lake", "conifers", "canopy")))
    distance = str(rng.choice(list(DISTANCES), p=ODDS_OF_DISTANCE[bird]))
    blur, extent = (float(rng.uniform(*bounds)) for bounds in DISTANCES[distance])
    if stance == "flying":  # the span of the wings is measured, and the body is what is seen
        extent = min(1.0, 1.25 * extent)
    reach = 0.14 if distance == "close" else 0.28
    place = (0.5 + float(rng.uniform(-reach, reach)), 0.48 + float(rng.uniform(-reach, reach)) * 0.85)
    water = stance in ("wading", "swimming")
    if water and kind == "canopy":  # no shore overhead
        kind = "lake"

    # What will be blurred needs fewer pixels.
    canvas = Canvas(round(size * (0.75 if blur > 0.012 else 1.0 if blur > 0.006 else 1.3)))
    backdrop(canvas, rng, kind, mood)
    if setting.hour in ("dawn", "backlit") and kind not in ("lake", "canopy", "conifers") and rng.random() < 0.6:
        shafts(canvas, rng, mood)
    if water:
        _shore(canvas, rng, mood, place[1] - 0.04 * extent)
    if rng.random() < 0.35:
        drift(canvas, rng, mood, int(rng.integers(8, 40)), 0.03)
    for _ in range(rng.integers(0, 4)):
        blossom(canvas, rng, (rng.random(), rng.random()), rng.uniform(0.02, 0.08), int(rng.integers(3, 14)))
    canvas.blur(blur)
    canvas = canvas.resized(2 * size)

    drawn = bird_at(canvas, rng, species, stance, place=place, extent=extent, light=setting.light) if bird else None
    foot = drawn.foot if drawn else (place[0], place[1] + 0.15 * extent)
    branch = stance == "perched" and bool(bird or distance != "far" or rng.random() < 0.3)
    if branch:
        width = float(np.clip(0.10 * extent * rng.uniform(0.7, 1.6), 0.012, 0.09))
        perch(canvas, rng, mood, foot, width, float(rng.normal(0, 0.14)))
    if stance == "clinging" and drawn:
        _trunk_beside(canvas, rng, mood, drawn, extent)
    decoys = []
    if rng.random() < (0.25 if bird else 0.65):
        spot = (float(rng.uniform(0.15, 0.85)), float(rng.uniform(0.2, 0.8))) if bird else foot
        decoys.append(decoy(canvas, rng, mood, spot, extent * rng.uniform(0.25, 0.6), twig=bird or not branch))
    mask = lay(canvas, drawn, reflect=foot[1] if water else None, sunk=stance == "swimming") if drawn else None
    hidden = _front(canvas, rng, mood, place, mask)

    lighting = LIGHTS[setting.hour]
    image = weather(canvas.image.reduce(2), rng, setting.sky, lighting.haze)
    image, camera = expose(image, rng, lighting)
    seen = None
    if drawn:
        seen = drawn.truth | {"box": [round(v * size) for v in drawn.box], "visible": round(1.0 - hidden, 3)}
    return image, {
        "forest": kind,
        "season": mood.season,
        "light": setting.hour,
        "weather": setting.sky,
        "snow": mood.snow,
        "distance": distance,
        "background_blur": round(blur, 4),
        "bird": seen,
        "decoys": decoys,
        "camera": camera,
    }


def _front(canvas: Canvas, rng: Rng, mood: Mood, place: tuple[float, float], mask: Array | None) -> float:
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
    red, green, blue = np.moveaxis(after != before, 2, 0)
    changed = red | green | blue
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


def _trunk_beside(canvas: Canvas, rng: Rng, mood: Mood, bird: Bird, extent: float) -> None:
    x, _ = bird.foot
    way = 1.0 if x > (bird.box[0] + bird.box[2]) / 2 else -1.0
    w = extent * rng.uniform(0.35, 0.8)
    path = spline([(x + way * w * 0.46, 1.05), (x + way * w * 0.46, 0.5), (x + way * w * 0.44, -0.05)], 10)
    birch = rng.random() < 0.3
    canvas.limb(
        rng,
        path,
        np.full(10, w),
        (0.86, 0.85, 0.81) if birch else colour_like(rng, rgb("6d5a48"), 0.12),
        light=mood.side,
        rough=0.3 if birch else 0.7,
        marks=(0.14, 0.12, 0.11) if birch else None,
    )


def _shore(canvas: Canvas, rng: Rng, mood: Mood, line: float) -> None:
    """Water or mud from `line` down, with what stands above it mirrored."""
    n = canvas.side
    edge = int(np.clip(line, 0.15, 0.85) * n)
    pixels = canvas.pixels
    rows = n - edge
    source = edge - 1 - (np.arange(rows) * min(1.0, (edge - 1) / rows)).astype(int)
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
