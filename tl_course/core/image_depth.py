"""From images of more than 8 bits to the 8 that networks and screens take, without losing what is in them.

Microscopes, X-ray and thermal cameras store 10, 12 or 14 bits in 16, or values around some offset. Scaled by the range
of the format these come out all but black, or of one even grey. The rule is:

- The range of an image is from its darkest to its brightest pixel, of which four, or one in ten thousand where these
  are more, are left out of account at either end: hot pixels say nothing about a scene.
- Integers that use more than a quarter of the 16-bit range (more than 14 bits) are scaled by that range, as they always
  were; a night scene stays dark. Those that use less are scaled by their own range, and so are all that have negative
  values or more than 16 bits, for which there is no white.
- Floats have no fixed white either: it is 1 where none is larger, else 255; with negative or larger values, or where
  they use a quarter of that or less, their own range counts.
- What is the same all over has no range of its own, and is scaled by that of its format.
- Where a TIFF says that 0 is white, the outcome is inverted.
- All channels of a colour image have one range; transparent pixels are left out of account.
"""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["deepened", "is_deep", "is_negative", "raw_mode", "to_8_bit"]

LITTLE = 0.25  # of the range of the format: less is used by images of up to 14 bits
OUTLIERS = 4, 1e-4  # pixels, or share of them, that do not count at either end
WHITE = 65535.0  # of 16 bits

_ORIENTATION = 0x0112  # in EXIF
_PHOTOMETRIC, _WHITE_IS_ZERO = 262, 0  # in TIFF
_OTHER = {"B": "L", "L": "B", "N": "B" if sys.byteorder == "little" else "L"}  # byte order


def is_deep(image: Image.Image) -> bool:
    """Whether Pillow has read the image with more than 8 bits."""
    return image.mode in ("I", "F") or image.mode.startswith("I;16")


def is_negative(image: Image.Image) -> bool:
    """Whether a TIFF says that 0 is white, as some X-ray scanners do: Pillow heeds that for 8 bits only."""
    return getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def to_8_bit(image: Image.Image) -> Image.Image:
    """Such an image as grey with 8 bits, by the rule above."""
    import numpy as np

    values = np.asarray(image).astype(np.float64)
    finite = values[np.isfinite(values)]
    low, high = _robust_range(finite)
    white = WHITE if image.mode != "F" else 1.0 if high <= 1 else 255.0
    values = np.nan_to_num(values, nan=low, posinf=high, neginf=low)
    return Image.fromarray(_scaled(values, *_black_and_white(low, high, white)))


def raw_mode(image: Image.Image) -> str:
    """How the pixels of an image that is not loaded yet lie in its file, where these are 16-bit colours; else empty."""
    with suppress(Exception):  # only Pillow's own plugins say it in this way
        arguments = image.tile[0][3]  # type: ignore[attr-defined]
        raw = arguments if isinstance(arguments, str) else arguments[0]
        if raw.startswith(("RGB", "LA")) and raw.partition(";")[2] in ("16B", "16L", "16N"):
            return str(raw)
    return ""


def deepened(image: Image.Image, raw: str, again: Callable[[], Image.Image]) -> Image.Image:
    """A 16-bit colour image from all of its bits, if it uses little of their range; else as it is.

    Pillow reads the higher byte of each value only. The lower ones come by reading the file `again` as if its bytes
    were in the other order.
    """
    import numpy as np

    high = np.asarray(image)
    seen = high[..., 3:].any(axis=-1) if high.shape[-1] == 4 else np.ones(high.shape[:2], bool)
    bottom, top = _robust_range(high[..., :3][seen])
    if top - bottom > LITTLE * 255:
        return image
    with suppress(Exception):  # as it is: a picture too dark is better than none
        if raw.startswith("LA"):
            low = np.asarray(_read_as(again(), "RGBA"))[..., [1, 1, 1]]
        else:
            low = np.asarray(_read_as(again(), raw[:-1] + _OTHER[raw[-1]]))[..., :3]
        values = high[..., :3].astype(np.float64) * 256 + low
        black, white = _black_and_white(*_robust_range(values[seen]), WHITE)
        colours = Image.fromarray(_scaled(values, black, white))
        if image.mode == "RGBA":
            colours.putalpha(image.getchannel("A"))
        colours.getexif()[_ORIENTATION] = image.getexif().get(_ORIENTATION, 1)
        return colours
    return image


def _read_as(image: Image.Image, raw: str) -> Image.Image:
    def tile(codec: str, box: Any, offset: Any, arguments: Any) -> Any:
        return codec, box, offset, raw if isinstance(arguments, str) else (raw, *arguments[1:])

    image.tile = [type(one)(*tile(*one)) if type(one) is not tuple else tile(*one) for one in image.tile]  # type: ignore[attr-defined]
    image.load()
    return image


def _robust_range(values: "NDArray[Any]") -> tuple[float, float]:
    """The darkest and the brightest of them, but for a few outliers; 0 and 0 where there are none."""
    import numpy as np

    n = values.size
    if not n:
        return 0.0, 0.0
    left_out = min(n // 100, max(OUTLIERS[0], int(OUTLIERS[1] * n)))
    ordered = np.partition(values.ravel(), [left_out, n - 1 - left_out])
    return float(ordered[left_out]), float(ordered[n - 1 - left_out])


def _black_and_white(low: float, high: float, white: float) -> tuple[float, float]:
    """The values that become 0 and 255."""
    same = high - low < white / WHITE
    fits = low >= 0 and high <= white
    return (0.0, white) if same or (fits and high - low > LITTLE * white) else (low, high)


def _scaled(values: "NDArray[Any]", black: float, white: float) -> "NDArray[np.uint8]":
    import numpy as np

    return np.asarray(((values - black) * (255 / (white - black)) + 0.5).clip(0, 255), np.uint8)
