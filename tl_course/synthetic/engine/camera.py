"""Light, weather and lens: what lies between a scene and the picture of it."""

from dataclasses import dataclass
from io import BytesIO

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from tl_course.synthetic.birds.plumage import Light
from tl_course.synthetic.engine.brushes import Array, Colour, Rng, blend, noise, smoothstep

__all__ = ["LIGHTS", "WEATHERS", "Lighting", "expose", "weather"]


@dataclass(frozen=True)
class Lighting:
    """A time of day: sky from top to horizon, haze, the light on things near, and how the whole picture is tinted."""

    sky: tuple[Colour, Colour]
    haze: Colour
    light: Light
    gain: Colour = (1.0, 1.0, 1.0)
    saturation: float = 1.0


LIGHTS = {
    "noon": Lighting(((0.38, 0.58, 0.84), (0.78, 0.87, 0.93)), (0.70, 0.78, 0.74),
                     Light((-0.3, 0.55, 0.8), (0.80, 0.78, 0.72), (0.46, 0.49, 0.53), (0.24, 0.25, 0.19))),
    "dawn": Lighting(((0.52, 0.62, 0.80), (1.0, 0.82, 0.66)), (0.93, 0.80, 0.68),
                     Light((-0.8, 0.5, 0.35), (0.92, 0.72, 0.50), (0.44, 0.44, 0.50), (0.26, 0.22, 0.18), 0.3),
                     (1.04, 0.97, 0.88)),
    "dusk": Lighting(((0.30, 0.32, 0.52), (0.98, 0.62, 0.42)), (0.70, 0.52, 0.46),
                     Light((-0.85, 0.35, 0.25), (0.88, 0.56, 0.36), (0.38, 0.38, 0.50), (0.20, 0.16, 0.16), 0.3),
                     (0.88, 0.74, 0.72), 0.9),
    "backlit": Lighting(((0.72, 0.80, 0.86), (1.0, 0.96, 0.84)), (0.97, 0.92, 0.74),
                        Light((-0.5, -0.45, 0.75), (1.0, 0.92, 0.72), (0.46, 0.46, 0.46), (0.26, 0.25, 0.20), 0.9),
                        (1.04, 1.0, 0.92)),
    "overcast": Lighting(((0.66, 0.70, 0.74), (0.84, 0.86, 0.87)), (0.76, 0.79, 0.79),
                         Light((-0.1, 0.5, 0.9), (0.36, 0.36, 0.37), (0.62, 0.64, 0.67), (0.38, 0.39, 0.37), 0.05),
                         (0.95, 0.97, 1.0), 0.86),
    "moonlight": Lighting(((0.16, 0.22, 0.38), (0.36, 0.46, 0.62)), (0.42, 0.50, 0.62),
                          Light((0.5, 0.4, 0.8), (0.75, 0.80, 0.90), (0.36, 0.42, 0.54), (0.16, 0.18, 0.22), 0.4),
                          (0.52, 0.62, 0.84), 0.6),
}  # fmt: skip

WEATHERS = ("clear", "clear", "clear", "fog", "rain", "snow")


def weather(image: Image.Image, rng: Rng, kind: str, haze: Colour) -> Image.Image:
    """The picture with fog, rain or snow in front of it."""
    side = image.width
    if kind == "fog":
        field = 0.5 + 0.22 * noise(rng, (side, side), (4, 1.5), 3)
        rows = np.linspace(0.6, 1.1, side)[:, None]
        share = np.clip(field * rows * rng.uniform(0.35, 0.85), 0, 0.8)[..., None]
        pixels = (
            np.asarray(image, dtype=np.float32) / 255.0 * (1 - share) + blend(haze, (0.86, 0.88, 0.89), 0.5) * share
        )
        return Image.fromarray((np.clip(pixels, 0, 1) * 255).astype(np.uint8))
    if kind not in ("rain", "snow"):
        return image
    big = 2 * side
    mask = Image.new("L", (big, big))
    pen = ImageDraw.Draw(mask)
    if kind == "rain":
        slant = rng.normal(0, 0.16)
        for x, y, long, bright in rng.random((int(rng.uniform(90, 260)), 4)) * [1.2, 1.1, 1, 1]:
            run = (0.03 + 0.07 * long) * big
            x0, y0 = (x - 0.1) * big, (y - 0.1) * big
            pen.line((x0, y0, x0 + slant * run, y0 + run), fill=int(40 + 90 * bright), width=1 + (bright > 0.75))
    else:
        for x, y, r in rng.random((int(rng.uniform(70, 220)), 3)):
            radius = (0.0018 + 0.009 * r**5) * big
            pen.ellipse(
                (x * big - radius, y * big - radius, x * big + radius, y * big + radius), fill=int(235 - 120 * r**3)
            )
    mask = mask.reduce(2).filter(ImageFilter.GaussianBlur(side * 0.0015))
    return Image.composite(Image.new("RGB", image.size, (232, 237, 243)), image, mask)


def expose(
    image: Image.Image, rng: Rng, lighting: Lighting, *, harsh: float = 1.0
) -> tuple[Image.Image, dict[str, float]]:
    """The picture as a camera takes it, and the settings: tint, exposure, vignette, sensor noise, softness, JPEG.

    `harsh` scales how far the settings stray from a good photograph.
    """
    side = image.width
    soft = float(abs(rng.normal(0, 0.0022)) * harsh)
    exposure = float(np.exp(rng.normal(0.04, 0.13 * harsh)))
    warmth = float(rng.normal(0, 0.045 * harsh))
    contrast = float(np.clip(rng.normal(1.06, 0.09 * harsh), 0.7, 1.4))
    saturation = float(np.clip(rng.normal(1.05, 0.14 * harsh), 0.5, 1.5) * lighting.saturation)
    vignette = float(abs(rng.normal(0, 0.22)))
    grain = float(rng.gamma(1.5, 0.007) * harsh)
    quality = int(rng.integers(55, 96))
    if soft * side > 0.25:
        image = image.filter(ImageFilter.GaussianBlur(soft * side))
    pixels: Array = np.asarray(image, dtype=np.float32) / 255.0
    gain = (
        np.asarray(lighting.gain, dtype=np.float32)
        * exposure
        * np.array([1 + warmth, 1.0, 1 - warmth], dtype=np.float32)
    )
    pixels = pixels * gain
    grey = pixels.mean(axis=2, keepdims=True)
    pixels = grey + (pixels - grey) * saturation
    pixels = 0.42 + (pixels - 0.42) * contrast
    at = np.linspace(-1, 1, side, dtype=np.float32)
    far = np.hypot(at[:, None], at[None])
    pixels = pixels * (1 - vignette * smoothstep(0.55, 1.45, far))[..., None]
    bright = pixels > 0.85
    pixels[bright] = 0.85 + 0.15 * np.tanh((pixels[bright] - 0.85) / 0.15)
    pixels = pixels + rng.standard_normal((side, side, 1), dtype=np.float32) * grain
    taken = Image.fromarray((np.clip(pixels, 0, 1) * 255 + 0.5).astype(np.uint8))
    if quality < 88:
        buffer = BytesIO()
        taken.save(buffer, "JPEG", quality=quality)
        taken = Image.open(buffer).convert("RGB")
    settings = {
        "exposure": exposure,
        "warmth": warmth,
        "contrast": contrast,
        "saturation": saturation,
        "vignette": vignette,
        "noise": grain,
        "softness": soft,
    }
    return taken, {name: round(value, 4) for name, value in settings.items()} | {"jpeg_quality": float(quality)}
