"""The one place where picture files are opened and decoded, so that every room sees the same upright RGB pixels."""

import io
import os
import threading
import warnings
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image, ImageOps, UnidentifiedImageError

from tl_course.core.image_depth import deepened, is_deep, is_negative, raw_mode, to_8_bit
from tl_course.errors import ImageSetError, ModelError

__all__ = ["MAX_BYTES", "SUFFIXES", "Augment", "altered", "load", "pixel_limit", "probe"]

Augment = Callable[[Image.Image], Image.Image]
"""A function that returns an altered copy of a picture, such as one of ``torchvision.transforms.v2`` does."""

SUFFIXES = frozenset(
    (
        *(".jpg", ".jpeg", ".jpe", ".jfif", ".mpo", ".png", ".gif", ".webp", ".bmp"),
        *(".tif", ".tiff", ".avif", ".ppm", ".pgm"),
        *(
            ".heic",
            ".heif",
            ".jxl",
            ".jp2",
        ),  # cameras write them: listed so that such a file is named as unreadable, not overlooked
    )
)

MAX_BYTES = 512 * 2**20  # a longer file is refused before it is read into memory

# A list, so that a file that only calls itself .jpg never reaches a rare or risky decoder (EPS starts Ghostscript).
_FORMATS = ["JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP", "TIFF"]
if find_spec("PIL.AvifImagePlugin"):  # Pillow 11.3 and later
    _FORMATS.append("AVIF")

_STRANGE_TIFF = (
    "the file is a TIFF of a kind that cannot be read, such as with floats of 16 or 64 bits, or with more bands than "
    "colours; save it as PNG"
)

_header_lock = threading.Lock()


def pixel_limit() -> int:
    """The most pixels (width x height) a picture may have: Pillow's own limit, 89 million unless changed."""
    return Image.MAX_IMAGE_PIXELS or 89_478_485


def load(source: str | Path | bytes | BinaryIO | Image.Image, *, size: int | None = None) -> Image.Image:
    """Decode a picture to upright 8-bit RGB.

    EXIF orientation is applied. CMYK and palette pictures are converted, what is transparent lies on white, and of an
    animation the first frame counts. Pictures of more than 8 bits are scaled, not clipped, as
    `tl_course.core.image_depth` says: by the range of their format, or by their own where they use little of it, as
    12-bit values of a microscope do.

    Parameters
    ----------
    source
        Path, bytes, open binary file, or a PIL picture.
    size
        Hint in pixels: a large JPEG may be decoded at 1/2, 1/4 or 1/8 of its size as long as both sides stay at
        least this long. Several times faster for photos from a camera.

    Raises
    ------
    ImageSetError
        The file is missing, no picture, cut off, or larger than `pixel_limit()`; the message names it and the reason.
    """
    try:
        again: Callable[[], Image.Image] | None = None
        if isinstance(source, Image.Image):
            image = source
        else:
            again = partial(_open, _read(source))
            image = again()
        if reason := _too_large(image):
            raise ImageSetError(f"{_name_of(source)}: {reason}")
        if size is not None and image is not source:
            image.draft(None, (size, size))
        raw = raw_mode(image)
        image.load()
        deep = deepened(image, raw, again) if raw and again else image
        return _to_rgb(_upright(deep, in_place=deep is not source), negative=is_negative(image))
    except ImageSetError:
        raise
    except Exception as error:  # a damaged picture can raise nearly anything from inside Pillow
        raise ImageSetError(f"{_name_of(source)}: {_reason(error)}") from None


def probe(source: str | Path | bytes | BinaryIO) -> str | None:
    """Why a file cannot be a picture, judged by its header without decoding it; None where the header is good.

    A file cut off behind a good header passes here; `load` refuses it.
    """
    try:
        with _open(_read(source)) as image:
            return _too_large(image)
    except Exception as error:  # as in load
        return _reason(error)


def _read(source: str | Path | bytes | BinaryIO) -> bytes:
    if isinstance(source, bytes):
        data = source
    elif isinstance(source, str | os.PathLike):
        path = Path(source)
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"the file is longer than {MAX_BYTES // 2**20} MB, too long for a picture")
        data = path.read_bytes()
    else:
        data = source.read()
    if not data:
        raise ValueError("the file is empty (0 bytes)")
    return data


def _open(data: bytes) -> Image.Image:
    # Our own limit speaks for itself; Pillow's warning would only add noise to it. The filters are one for all
    # threads, hence the lock, which is held for a header in memory and never for reading a disk.
    with _header_lock, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return Image.open(io.BytesIO(data), formats=_FORMATS)
        except UnidentifiedImageError:
            if data[:4] in (b"II*\0", b"MM\0*"):
                raise ValueError(_STRANGE_TIFF) from None
            raise


def _too_large(image: Image.Image) -> str | None:
    if image.width * image.height > pixel_limit():
        return _too_large_reason(f"{image.width} x {image.height} pixels")
    return None


def _too_large_reason(what: str) -> str:
    return f"{what} are more than the {pixel_limit() / 1e6:.0f} million that are decoded; make the picture smaller"


def _upright(image: Image.Image, *, in_place: bool) -> Image.Image:
    """The picture turned as its EXIF says; `in_place` saves a copy, which takes as long as half the decoding."""
    try:
        if not in_place:
            return ImageOps.exif_transpose(image)
        ImageOps.exif_transpose(image, in_place=True)
        return image
    except Exception:  # EXIF that cannot be parsed says nothing about orientation; the pixels are good
        return image


def _to_rgb(image: Image.Image, *, negative: bool) -> Image.Image:
    if is_deep(image):
        grey = to_8_bit(image)
        return (ImageOps.invert(grey) if negative else grey).convert("RGB")
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _name_of(source: Any) -> str:
    if isinstance(source, str | os.PathLike):
        return str(source)
    return str(getattr(source, "filename", "") or getattr(source, "name", "") or "the picture")


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "there is no such file"
    if isinstance(error, IsADirectoryError):
        return "this is a folder, not a picture"
    if isinstance(error, PermissionError):
        return "no permission to read the file"
    if isinstance(error, Image.DecompressionBombError):
        return _too_large_reason("its pixels")
    if isinstance(error, UnidentifiedImageError):
        return "not a picture that can be read (JPEG, PNG, GIF, WebP, BMP, TIFF, AVIF can; save HEIC as JPEG)"
    if isinstance(error, MemoryError):
        return "not enough memory to decode it"
    text = str(error) or type(error).__name__
    if "truncated" in text.lower() or isinstance(error, EOFError):
        return "the file is cut off (truncated)"
    return text if text.startswith("the file is") else f"the picture is damaged ({text})"


def altered(picture: Image.Image, augment: Augment, name: str = "a picture") -> Image.Image:
    """What `augment` makes of a picture, if that is a picture.

    Raises
    ------
    ModelError
        It is not; the message says what it is.
    """
    made: object = augment(picture)
    if isinstance(made, Image.Image) and min(made.size):
        return made
    if isinstance(made, Image.Image):
        told = f"a picture of {made.width} x {made.height} pixels"
    elif made is None:
        told = "nothing (is a `return` missing?)"
    else:
        told = f"a {type(made).__name__}"
    raise ModelError(f"For {name} augment returned {told}: it has to return an altered PIL picture, not an empty one.")
