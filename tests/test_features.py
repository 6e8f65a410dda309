"""Features: the same from the cache as computed, whatever happens to the cache; a bad picture costs only itself."""

import io
import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL
import pytest
from PIL import Image

from tl_course import ImageSet
from tl_course.core.files import sha256_of
from tl_course.errors import BackboneError
from tl_course.features import Backbone, extract, extraction, vector_store


@pytest.fixture
def backbone(cache: Path) -> Backbone:
    """The default backbone, and no features that an earlier test has computed: these tests count them."""
    return Backbone.get()


@pytest.fixture
def paths(birds: ImageSet) -> list[Path]:
    return [birds.path(picture) for picture in birds][:5]


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures went through the backbone, call by call."""
    counted: list[int] = []
    original = extraction._decoded

    def counting(sources, todo, *rest):  # type: ignore[no-untyped-def]
        counted.append(len(todo))
        return original(sources, todo, *rest)

    monkeypatch.setattr(extraction, "_decoded", counting)
    return counted


def test_a_picture_goes_through_the_backbone_once(paths: list[Path], backbone: Backbone, runs: list[int]) -> None:
    first = extract(paths, backbone).vectors
    again = extract(list(reversed(paths)), backbone).vectors
    assert first.shape == (5, backbone.dim)
    assert np.isfinite(first).all()
    np.testing.assert_array_equal(again, first[::-1])
    assert runs == [5]


def test_content_counts_not_the_name(paths: list[Path], backbone: Backbone, runs: list[int], tmp_path: Path) -> None:
    extract(paths[:1], backbone)
    moved = tmp_path / "renamed.jpg"
    moved.write_bytes(paths[0].read_bytes())
    extract([moved], backbone)
    assert runs == [1]
    moved.write_bytes(paths[1].read_bytes())
    extract([moved], backbone)
    assert runs == [1, 1]


@pytest.mark.parametrize("damage", ["no database", "cut off", "bad row", "read-only", "empty"])
def test_a_damaged_cache_costs_time_and_nothing_else(
    paths: list[Path], backbone: Backbone, cache: Path, damage: str
) -> None:
    good = extract(paths, backbone).vectors
    hashes = [sha256_of(path) for path in paths]
    looks = extraction.glimpses(paths, hashes=hashes)
    stores = list((cache / "features").glob("*.sqlite"))
    assert len(stores) == 2
    for store in stores:
        if damage == "no database":
            store.write_bytes(b"this is not a database " * 1000)
        elif damage == "cut off":
            store.write_bytes(store.read_bytes()[: store.stat().st_size // 2])
        elif damage == "empty":
            store.write_bytes(b"")
        elif damage == "read-only":
            store.chmod(0o444)
        else:
            with sqlite3.connect(store) as connection:
                connection.execute("UPDATE arrays SET array = ?", (b"\x00\x01",))
            connection.close()
    for _ in range(2):  # the second time from what has healed
        np.testing.assert_allclose(extract(paths, backbone).vectors, good, atol=1e-5)
        np.testing.assert_allclose(extraction.glimpses(paths, hashes=hashes), looks, atol=20)


def test_an_unreadable_picture_is_named_and_costs_only_itself(
    paths: list[Path], backbone: Backbone, tmp_path: Path
) -> None:
    bad, gone = tmp_path / "bad.jpg", tmp_path / "gone.jpg"
    bad.write_bytes(paths[0].read_bytes()[:2000])
    found = extract([paths[0], bad, gone, paths[1]], backbone)
    assert set(found.failed) == {1, 2}
    assert "bad.jpg" in found.failed[1]
    assert "gone.jpg" in found.failed[2]
    np.testing.assert_array_equal(np.isnan(found.vectors).all(axis=1), [False, True, True, False])


def test_a_picture_in_memory_gives_what_its_file_gives(paths: list[Path], backbone: Backbone) -> None:
    with Image.open(paths[0]) as picture:
        np.testing.assert_allclose(
            extract([picture], backbone).vectors, extract(paths[:1], backbone).vectors, atol=1e-4
        )


def test_nothing_is_kept_to_report_on_the_student(birds: ImageSet, backbone: Backbone, tmp_path: Path) -> None:
    """ONNX Runtime's telemetry writes what it will send into the home directory first."""
    code = (
        "from tl_course.features.backbones import Backbone; from tl_course.features.extraction import extract; "
        f"extract([{str(birds.path(birds[0]))!r}], Backbone.get())"
    )
    home = tmp_path / "home"
    home.mkdir()
    environment = {key: value for key, value in os.environ.items() if key not in ("ORT_DISABLE_TELEMETRY", "CI")}
    environment |= {"HOME": str(home), "PYTHONPATH": str(Path(__file__).parents[1])}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert not list(home.rglob("*onnxruntime*"))


def test_views_are_the_whole_picture_its_middle_and_its_corners_averaged(
    paths: list[Path], backbone: Backbone, runs: list[int]
) -> None:
    six = replace(backbone, views=6)
    found = extract(paths, six).vectors
    with Image.open(paths[0]) as file:
        picture = file.convert("RGB")
    width, height = picture.size
    starts = [(0.1, 0.1), (0, 0), (0.2, 0), (0, 0.2), (0.2, 0.2)]
    parts = [
        picture.crop((round(x * width), round(y * height), round((x + 0.8) * width), round((y + 0.8) * height)))
        for x, y in starts
    ]
    alone = extract([picture, *parts], backbone).vectors
    np.testing.assert_allclose(found[0], alone.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(
        extract(paths[:1], replace(backbone, views=2)).vectors[0], alone[:2].mean(axis=0), atol=0.1
    )
    assert np.abs(found[0] - alone[0]).max() > 0.5
    assert np.array_equal(extract(paths, six).vectors, found), "kept apart from the vectors of one view"
    assert runs == [5, 6, 1]


@pytest.mark.parametrize("views", [0, 7, 1.5])
def test_a_number_of_views_that_there_is_not_is_refused(backbone: Backbone, views: float) -> None:
    with pytest.raises(BackboneError, match="1 to 6"):
        replace(backbone, views=views)  # type: ignore[arg-type]


def test_pictures_of_any_number_come_back_in_order(paths: list[Path], backbone: Backbone) -> None:
    """More than two batches, with repeats: what is decoded ahead must not be mixed up."""
    many = [paths[i % 5] for i in range(13)]
    pictures = [Image.open(path).copy() for path in many]
    np.testing.assert_allclose(
        extract(pictures, backbone).vectors, extract(paths, backbone).vectors[[i % 5 for i in range(13)]], atol=1e-4
    )


@pytest.mark.parametrize("changed", ["preprocessing", "pillow", "timm", "normalisation", "interpolation"])
def test_another_way_to_the_backbone_takes_no_vectors_of_before(
    paths: list[Path], backbone: Backbone, cache: Path, runs: list[int], monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    (cache / "features").mkdir(parents=True, exist_ok=True)
    unversioned = cache / "features" / f"{backbone.key}-{backbone.picture_size}-cpu.sqlite"
    unversioned.write_bytes(b"of an earlier version of the course")
    other = cache / "features" / f"{backbone.key}-{backbone.picture_size}0-cpu.sqlite"
    other.write_bytes(b"another size")
    extract(paths[:2], backbone)
    assert not unversioned.exists() and other.exists()
    (before,) = (cache / "features").glob(f"{backbone.key}-{backbone.picture_size}-cpu-*.sqlite")
    seen = backbone
    if changed == "preprocessing":
        monkeypatch.setattr(extraction, "PREPROCESSING", 10**6)
    elif changed == "pillow":
        monkeypatch.setattr(PIL, "__version__", "99.0.0")
    elif changed == "timm":
        monkeypatch.setattr(extraction, "version", lambda name: "99.0.0")
    elif changed == "normalisation":
        seen = replace(backbone, mean=(0.4, 0.4, 0.4))
    else:
        seen = replace(backbone, interpolation="bilinear")
    extract(paths[:2], seen)
    assert runs == [2, 2]
    assert before.exists(), "another environment may still use it"
    extract(paths[:2], seen)
    assert runs == [2, 2]
    before.touch()
    os.utime(before, (0, 0))
    monkeypatch.setattr(extraction, "PREPROCESSING", 10**7)
    extract(paths[:1], seen)
    assert not before.exists(), "nobody has asked for it for long"


def test_vectors_that_were_used_longest_ago_make_room(
    paths: list[Path], backbone: Backbone, runs: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vector_store, "_MOST", 0)
    extract(paths[:2], backbone)
    with monkeypatch.context() as later:
        now = time.time()
        later.setattr(time, "time", lambda: now + 14 * 86_400)
        extract(paths[:1], backbone)  # used again, which is written down
        extract(paths[2:3], backbone)  # takes the place of the other
    assert runs == [2, 1]
    extract(paths[:1], backbone)
    assert runs == [2, 1]
    extract(paths[1:2], backbone)
    assert runs == [2, 1, 1]


# What some images come to on their way to a backbone, 0 to 255, at a few places of two views. Where this has changed,
# raise `extraction.PREPROCESSING` and write down here what comes out now: or old vectors are taken for new ones.
FINGERPRINT: tuple[int, dict[str, list[int]]] = (
    3,
    {
        "noise": [138, 63, 170, 59, 145, 104],
        "grey": [155, 99, 162, 82, 143, 88],
        "palette": [133, 82, 127, 38, 177, 128],
        "alpha": [192, 214, 180, 207, 200, 236],
        "16 bits": [227, 64, 61, 95, 30, 218],
        "12 bits": [255, 157, 112, 172, 59, 51],
        "floats": [143, 117, 167, 52, 94, 49],
        "a camera's": [31, 127, 219, 49, 142, 109],
        "CMYK": [11, 93, 67, 77, 134, 39],
    },
)


def awkward_images() -> dict[str, bytes]:
    random = np.random.default_rng(0)
    noise = Image.fromarray(random.integers(0, 256, (300, 400, 3), dtype=np.uint8))
    smooth = Image.fromarray(random.integers(0, 256, (6, 8, 3), dtype=np.uint8)).resize((1600, 1200))
    clear = noise.copy()
    clear.putalpha(noise.getchannel("G"))
    turned = Image.Exif()
    turned[0x0112] = 6
    made = {
        "noise": (noise, "PNG", {}),
        "grey": (noise.convert("L"), "PNG", {}),
        "palette": (noise.quantize(16), "PNG", {}),
        "alpha": (clear, "PNG", {}),
        "16 bits": (Image.fromarray(random.integers(0, 65536, (90, 50)).astype(np.uint16)), "PNG", {}),
        "12 bits": (Image.fromarray(random.integers(0, 4096, (90, 50)).astype(np.uint16)), "PNG", {}),
        "floats": (Image.fromarray(random.random((90, 50), np.float32)), "TIFF", {}),
        "a camera's": (smooth, "JPEG", {"quality": 95, "exif": turned}),
        "CMYK": (smooth.convert("CMYK"), "JPEG", {"quality": 95}),
    }
    files = {}
    for name, (image, kind, options) in made.items():
        image.save(file := io.BytesIO(), kind, **options)
        files[name] = file.getvalue()
    return files


def test_what_reaches_the_backbone_changes_only_with_the_version_of_the_preprocessing(tmp_path: Path) -> None:
    plain = Backbone(
        "any", "any", "none", input_size=224, picture_size=288, interpolation="bicubic", mean=(0.5, 0.4, 0.3),
        std=(0.2, 0.3, 0.4), dim=8, views=2,
    )  # fmt: skip
    mean, std = (np.reshape(one, (3, 1, 1)) for one in (plain.mean, plain.std))
    seen = {}
    for name, data in awkward_images().items():
        (tmp_path / "image").write_bytes(data)
        views, _ = extraction._views(tmp_path / "image", plain)
        pixels = 255 * (views * std + mean)
        seen[name] = [
            round(float(pixels[v, c, y, x])) for v in (0, 1) for c, y, x in ((0, 0, 0), (1, 77, 200), (2, 250, 31))
        ]
    version, known = FINGERPRINT
    assert version == extraction.PREPROCESSING, f"write down what comes out now: {seen}"
    far = {
        name: (values, known.get(name))
        for name, values in seen.items()
        if not np.allclose(values, known.get(name, 999), atol=4)
    }
    assert not far, f"other pixels than those of version {version}: raise it"
