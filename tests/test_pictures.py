"""Decoding: every kind of picture file becomes the same upright RGB, and what is none is refused by name."""

import io
import struct
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tl_course.core.image_io import load, pixel_limit, probe
from tl_course.errors import ImageSetError

RED, BLUE, WHITE = (255, 0, 0), (0, 0, 255), (255, 255, 255)
POSTSCRIPT = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n%%EOF\n"  # Pillow would run it


def left_red_right_blue(size: tuple[int, int] = (64, 32)) -> Image.Image:
    image = Image.new("RGB", size, RED)
    image.paste(BLUE, (size[0] // 2, 0, size[0], size[1]))
    return image


def near(pixel: tuple[int, ...], colour: tuple[int, int, int]) -> bool:
    return max(abs(a - b) for a, b in zip(pixel, colour, strict=True)) < 12


def png_that_claims(width: int, height: int) -> bytes:
    """A tiny PNG whose header promises a far larger picture."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's transposition that stores an upright picture so
    upright = left_red_right_blue()
    stored = upright.transpose(Image.Transpose(undo[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "photo.jpg", exif=exif, quality=95)

    seen = load(tmp_path / "photo.jpg")
    assert seen.size == upright.size
    assert near(seen.getpixel((5, 5)), RED)
    assert near(seen.getpixel((58, 25)), BLUE)


def test_cmyk_photos_keep_their_colours(tmp_path: Path) -> None:
    left_red_right_blue().convert("CMYK").save(tmp_path / "print.jpg", quality=95)
    seen = load(tmp_path / "print.jpg")
    assert seen.mode == "RGB"
    assert near(seen.getpixel((5, 5)), RED)


def test_palette_with_a_transparent_entry_lies_on_white(tmp_path: Path) -> None:
    image = left_red_right_blue().quantize(2)
    image.save(tmp_path / "logo.png", transparency=image.getpixel((60, 5)))
    seen = load(tmp_path / "logo.png")
    assert near(seen.getpixel((5, 5)), RED)
    assert seen.getpixel((60, 5)) == WHITE


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha_lies_on_white(tmp_path: Path, mode: str) -> None:
    image = Image.new("RGBA", (8, 4), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 4, 4))
    image.convert(mode).save(tmp_path / "cutout.png")
    seen = load(tmp_path / "cutout.png")
    assert (seen.mode, seen.getpixel((0, 0)), seen.getpixel((7, 0))) == ("RGB", (0, 0, 0), WHITE)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_16_bit_is_scaled_not_clipped(tmp_path: Path, suffix: str) -> None:
    values = np.array([[0, 300, 32768, 65535]], dtype=np.uint16)
    Image.fromarray(values).save(tmp_path / f"xray{suffix}")
    assert [pixel[0] for pixel in np.asarray(load(tmp_path / f"xray{suffix}"))[0]] == [0, 1, 128, 255]


def ramp(low: float, high: float, *, side: int = 64) -> np.ndarray:
    return np.linspace(low, high, side * side).reshape(side, side)


def deep_png(values: np.ndarray, *, colour: int) -> bytes:
    """A 16-bit PNG of (h, w, channels) values, which Pillow does not write."""
    height, width = values.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def with_hot_pixels(values: np.ndarray, hot: float) -> np.ndarray:
    values = values.copy()
    values[5, [3, 9, 40]] = hot
    return values


GREY = {  # values, type, and what they come out as at the first, the middle and the last pixel
    "12 bits": (ramp(0, 4095), np.uint16, (0, 127, 255)),
    "10 bits": (ramp(0, 1023), np.uint16, (0, 127, 255)),
    "14 bits": (ramp(0, 16383), np.uint16, (0, 127, 255)),
    "8 bits": (ramp(0, 255), np.uint16, (0, 127, 255)),
    "1 bit": (ramp(0, 1).round(), np.uint16, (0, None, 255)),
    "an offset": (ramp(29000, 31000), np.uint16, (0, 127, 255)),
    "12 bits and hot pixels": (with_hot_pixels(ramp(0, 4095), 65535), np.uint16, (0, 127, 255)),
    "dead pixels": (with_hot_pixels(ramp(32000, 36000), 0), np.uint16, (0, 127, 255)),
    "its whole range": (ramp(0, 65535), np.uint16, (0, 127, 255)),
    "half of its range": (ramp(0, 32768), np.uint16, (0, 64, 128)),
    "the same all over": (ramp(4095, 4095), np.uint16, (16, 16, 16)),
    "white": (ramp(65535, 65535), np.uint16, (255, 255, 255)),
    "the same but for hot pixels": (with_hot_pixels(ramp(0, 0), 65535), np.uint16, (0, 0, 0)),
    "signed": (ramp(-1024, 3071), np.int32, (0, 127, 255)),
    "32 bits": (ramp(0, 2**30), np.int32, (0, 127, 255)),
    "12 bits in 32": (ramp(0, 4095), np.int32, (0, 127, 255)),
    "floats up to 1": (ramp(0, 1), np.float32, (0, 128, 255)),
    "dark floats": (ramp(0, 0.05), np.float32, (0, 127, 255)),
    "floats up to 255": (ramp(0, 255), np.float32, (0, 128, 255)),
    "signed floats": (ramp(-1, 1), np.float32, (0, 127, 255)),
    "the largest floats": (ramp(-3e38, 3e38), np.float32, (0, 127, 255)),
    "large floats": (ramp(0, 1e9), np.float32, (0, 127, 255)),
    "floats with infinity": (with_hot_pixels(ramp(0, 4095), np.inf), np.float32, (0, 127, 255)),
    "nothing but nan": (ramp(np.nan, np.nan), np.float32, (0, 0, 0)),
}


@pytest.mark.parametrize("case", GREY)
def test_deep_images_are_scaled_by_their_own_range_where_they_use_little(tmp_path: Path, case: str) -> None:
    values, kind, wanted = GREY[case]
    image = Image.fromarray(values.astype(kind))
    image.save(tmp_path / "deep.tif")
    sources: list = [tmp_path / "deep.tif", image]
    if kind == np.uint16:
        image.save(tmp_path / "deep.png")
        big_endian = Image.frombytes("I;16B", image.size, values.astype(">u2").tobytes())
        sources += [tmp_path / "deep.png", big_endian]
    for source in sources:
        seen = np.asarray(load(source))[..., 0]
        for place, value in zip(((0, 0), (31, 63), (63, 63)), wanted, strict=True):
            assert value is None or abs(int(seen[place]) - value) <= 1, (case, source, place)


def test_deep_colours_are_scaled_together_and_keep_their_alpha(tmp_path: Path) -> None:
    red, green, blue = ramp(0, 4095), ramp(0, 2048), ramp(4095, 0)
    rgb = np.stack([red, green, blue], axis=-1)
    clear = np.full((64, 64), 65535.0)
    clear[:8] = 0
    (tmp_path / "rgb.png").write_bytes(deep_png(rgb, colour=2))
    (tmp_path / "rgba.png").write_bytes(deep_png(np.dstack([rgb, clear]), colour=6))
    (tmp_path / "la.png").write_bytes(deep_png(np.dstack([red, clear]), colour=4))
    (tmp_path / "full.png").write_bytes(deep_png(rgb * 16, colour=2))
    for name in ("rgb", "rgba", "full"):
        seen = load(tmp_path / f"{name}.png")
        for place, wanted in (((63, 63), (255, 128, 0)), ((32, 32), (129, 65, 126))):
            assert near(seen.getpixel(place), wanted), (name, place)
        assert near(seen.getpixel((0, 0)), WHITE if name == "rgba" else (0, 0, 255)), name
    assert load(tmp_path / "la.png").getpixel((0, 0)) == WHITE
    assert np.ptp(np.asarray(load(tmp_path / "la.png"))[8:]) == 255


@pytest.mark.parametrize("high", [4095, 65535])
def test_where_a_tiff_says_that_0_is_white_it_is(tmp_path: Path, high: int) -> None:
    Image.fromarray(ramp(high, 0).astype(np.uint16)).save(tmp_path / "xray.tif")
    data = (tmp_path / "xray.tif").read_bytes()
    written = struct.pack("<HHIHH", 262, 3, 1, 1, 0)
    (tmp_path / "xray.tif").write_bytes(data.replace(written, struct.pack("<HHIHH", 262, 3, 1, 0, 0)))
    for source in (tmp_path / "xray.tif", Image.open(tmp_path / "xray.tif")):
        seen = np.asarray(load(source))[..., 0]
        assert (seen[0, 0], seen[-1, -1]) == (0, 255)


def test_a_tiff_that_cannot_be_read_is_called_one(tmp_path: Path) -> None:
    Image.fromarray(ramp(0, 1).astype(np.float32)).save(tmp_path / "depth.tif")
    data = (tmp_path / "depth.tif").read_bytes()
    bits = struct.pack("<HHI", 258, 3, 1)
    (tmp_path / "depth.tif").write_bytes(data.replace(bits + b"\x20", bits + b"\x40"))
    with pytest.raises(ImageSetError, match=r"depth\.tif: the file is a TIFF of a kind .* floats .* save it as PNG"):
        load(tmp_path / "depth.tif")


def test_floats_and_long_integers_are_scaled(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 0.5, 1, np.nan]], dtype=np.float32)).save(tmp_path / "depth.tif")
    assert [pixel[0] for pixel in np.asarray(load(tmp_path / "depth.tif"))[0]] == [0, 128, 255, 0]
    Image.fromarray(np.array([[0, 10**6]], dtype=np.int32)).save(tmp_path / "long.tif")
    assert [pixel[0] for pixel in np.asarray(load(tmp_path / "long.tif"))[0]] == [0, 255]


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".png"])
def test_of_an_animation_the_first_frame_counts(tmp_path: Path, suffix: str) -> None:
    frames = [Image.new("RGB", (16, 16), colour) for colour in (RED, BLUE)]
    frames[0].save(tmp_path / f"moving{suffix}", save_all=True, append_images=frames[1:], duration=100)
    assert near(load(tmp_path / f"moving{suffix}").getpixel((8, 8)), RED)


def test_bytes_open_files_and_pictures_load_like_paths(tmp_path: Path) -> None:
    path = tmp_path / "photo.png"
    left_red_right_blue().save(path)
    wanted = np.asarray(load(path))
    with path.open("rb") as file:
        for source in (str(path), path.read_bytes(), io.BytesIO(path.read_bytes()), file, Image.open(path)):
            assert np.array_equal(np.asarray(load(source)), wanted)


def test_a_size_hint_decodes_large_photos_smaller(tmp_path: Path) -> None:
    left_red_right_blue((1600, 1200)).save(tmp_path / "camera.jpg")
    seen = load(tmp_path / "camera.jpg", size=256)
    assert 256 <= min(seen.size) < 600
    assert near(seen.getpixel((5, 5)), RED)
    assert min(load(tmp_path / "camera.jpg", size=1100).size) == 1200


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_000), (40_000, 40_000)])
def test_a_decompression_bomb_is_refused_without_a_warning(tmp_path: Path, width: int, height: int) -> None:
    (tmp_path / "bomb.png").write_bytes(png_that_claims(width, height))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(ImageSetError, match=r"bomb\.png: .* million"):
            load(tmp_path / "bomb.png")
        assert "million" in (probe(tmp_path / "bomb.png") or "")


def test_the_limit_is_pillows_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "photo.png")
    assert probe(tmp_path / "photo.png") is None
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    assert pixel_limit() == 1000
    assert "40 x 30" in (probe(tmp_path / "photo.png") or "")
    assert Image.MAX_IMAGE_PIXELS == 1000


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"I am a text, honestly.", "not a picture"), (POSTSCRIPT, "not a picture")],
    ids=["zero-byte", "text", "postscript"],
)  # fmt: skip
def test_what_is_no_picture_is_refused_by_name_and_reason(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / "odd one.jpg").write_bytes(content)
    assert reason in (probe(tmp_path / "odd one.jpg") or "")
    with pytest.raises(ImageSetError, match=rf"odd one\.jpg: .*{reason}"):
        load(tmp_path / "odd one.jpg")


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".gif", ".tif"])
def test_a_picture_cut_off_behind_its_header_is_refused_when_decoded(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"half{suffix}"
    Image.effect_noise((256, 256), 90).convert("RGB").save(path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ImageSetError, match=f"half{suffix}: "):
        load(path)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImageSetError, match=r"gone\.jpg: there is no such file"):
        load(tmp_path / "gone.jpg")
    with pytest.raises(ImageSetError, match="this is a folder"):
        load(tmp_path)


def test_probing_in_threads_leaves_the_warning_filters_alone(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    data = (tmp_path / "photo.png").read_bytes()
    before = list(warnings.filters)
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(probe, [data] * 500)) == {None}
    assert warnings.filters == before
