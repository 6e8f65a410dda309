"""Zips: what is packed opens again, and a zip that means harm writes nothing anywhere."""

import hashlib
import re
import stat
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from tl_course import ImageSet
from tl_course.errors import ImageSetError, TLCourseWarning

resource = pytest.importorskip("resource")  # not on Windows
Maker = Callable[..., Path]


def zip_of(path: Path, entries: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def everything_under(folder: Path) -> set[Path]:
    return {path for path in folder.rglob("*") if path.is_file()}


def test_a_set_packs_and_opens_again(tmp_path: Path, class_folders: Maker) -> None:
    images = ImageSet.open(class_folders(bird=6, forest=6))
    images.relabel("bird/0.jpg", "forest")
    images.drop("bird/1.jpg")
    digest = images.pack(tmp_path / "birds.zip")
    assert digest == hashlib.sha256((tmp_path / "birds.zip").read_bytes()).hexdigest()
    assert images.pack(tmp_path / "again.zip") == digest

    opened = ImageSet.open(tmp_path / "birds.zip", sha256=digest)
    assert list(opened) == list(images)
    assert opened.name == "birds"
    assert len(opened) == 11
    assert opened.journal == []


@pytest.mark.parametrize("wrapper", ["", "birds/", "deep/er/"])
def test_a_zip_of_class_folders_opens_with_or_without_a_folder_around(
    tmp_path: Path, class_folders: Maker, wrapper: str
) -> None:
    root = class_folders(bird=5, forest=5)
    entries = {f"{wrapper}{p.relative_to(root).as_posix()}": p.read_bytes() for p in everything_under(root)}
    entries |= {f"__MACOSX/{wrapper}bird/._0.jpg": b"litter", f"{wrapper}.DS_Store": b"litter"}
    images = ImageSet.open(zip_of(tmp_path / "some.zip", entries))
    assert (images.labels, len(images), images.skipped) == (["bird", "forest"], 10, [])


def zip_of_raw_names(path: Path, entries: dict[bytes, bytes]) -> Path:
    """A zip whose names are these bytes, with no word on their encoding: as macOS and old Windows make them."""
    placeholders = [chr(ord("A") + number) * len(name) for number, name in enumerate(entries)]
    data = zip_of(path, dict(zip(placeholders, entries.values(), strict=True))).read_bytes()
    for placeholder, name in zip(placeholders, entries, strict=True):
        data = data.replace(placeholder.encode(), name)
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("encoding", "labels", "certain"),
    [
        ("utf-8", ["Gänse", "Hühner"], True),  # macOS
        ("cp437", ["Gänse", "Hühner"], False),  # DOS
        ("cp1252", ["GΣnse", "Hⁿhner"], False),  # Windows; read wrongly, and so it is said
    ],
)
def test_names_whose_encoding_a_zip_does_not_tell(
    tmp_path: Path, class_folders: Maker, encoding: str, labels: list[str], certain: bool
) -> None:
    root = class_folders(Gänse=3, Hühner=3)
    entries = {p.relative_to(root).as_posix().encode(encoding): p.read_bytes() for p in everything_under(root)}
    archive = zip_of_raw_names(tmp_path / "old.zip", entries)
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        images = ImageSet.open(archive)
    assert images.labels == labels
    assert [("6 names in the zip" in str(one.message)) for one in said] == [True] * (not certain)


def test_a_letter_that_ends_in_the_byte_of_a_backslash_is_no_folder(tmp_path: Path, class_folders: Maker) -> None:
    root = class_folders(表=3, dog=3)  # in Shift-JIS 表 is 95 5C, and 5C is the backslash
    entries = {p.relative_to(root).as_posix().encode("shift_jis"): p.read_bytes() for p in everything_under(root)}
    archive = zip_of_raw_names(tmp_path / "old.zip", entries)
    data = bytearray(archive.read_bytes())
    for found in re.finditer(b"PK\x01\x02", bytes(data)):
        data[found.start() + 5] = 0  # made by Windows
    archive.write_bytes(data)
    with pytest.warns(TLCourseWarning, match="in an encoding that it does not tell"):
        images = ImageSet.open(archive)
    assert (images.labels, images.skipped) == (["dog", "ò\\"], [])


def test_a_name_in_utf_8_beside_the_old_one_counts(tmp_path: Path, class_folders: Maker) -> None:
    root = class_folders(Gänse=3, dog=3)
    with zipfile.ZipFile(tmp_path / "both.zip", "w") as archive:
        for path in everything_under(root):
            name = path.relative_to(root).as_posix()
            info = zipfile.ZipInfo(name.replace("ä", "#"))
            value = struct.pack("<BI", 1, zlib.crc32(info.filename.encode().replace(b"#", b"\x84"))) + name.encode()
            info.extra = struct.pack("<HH", 0x7075, len(value)) + value  # Info-ZIP's "Unicode Path"
            archive.writestr(info, path.read_bytes())
    data = (tmp_path / "both.zip").read_bytes().replace(b"G#nse", b"G\x84nse")
    (tmp_path / "both.zip").write_bytes(data)
    assert ImageSet.open(tmp_path / "both.zip").labels == ["Gänse", "dog"]


def test_a_zip_is_shared_by_content_so_it_is_copied_before_edits(tmp_path: Path, class_folders: Maker) -> None:
    images = ImageSet.open(class_folders(bird=5, forest=5))
    images.pack(tmp_path / "birds.zip")
    opened = ImageSet.open(tmp_path / "birds.zip")
    for forbidden in (lambda: opened.drop("bird/0.jpg"), opened.save):
        with pytest.raises(ImageSetError, match="copy"):
            forbidden()
    mine = opened.copy_to(tmp_path / "mine")
    mine.drop("bird/0.jpg")
    assert (len(mine), len(ImageSet.open(tmp_path / "birds.zip"))) == (9, 10)


@pytest.mark.parametrize(
    "name",
    ["/etc/evil.jpg", "../evil.jpg", "bird/../../evil.jpg", "C:\\evil.jpg", "..\\evil.jpg", "\\\\host\\evil.jpg"],
)
def test_paths_that_lead_out_are_refused_and_nothing_is_written(
    tmp_path: Path, class_folders: Maker, name: str
) -> None:
    picture = (class_folders(bird=1) / "bird/0.jpg").read_bytes()
    archive = zip_of(tmp_path / "evil.zip", {"bird/good.jpg": picture, name: picture})
    before = everything_under(tmp_path)
    with pytest.raises(ImageSetError, match=r"refused: its entry .*evil"):
        ImageSet.open(archive)
    assert everything_under(tmp_path) == before


def test_links_in_a_zip_are_refused(tmp_path: Path) -> None:
    link = zipfile.ZipInfo("bird/passwords.jpg")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "links.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ImageSetError, match="is a link"):
        ImageSet.open(tmp_path / "links.zip")


@pytest.mark.slow
def test_a_zip_bomb_is_refused_unopened(tmp_path: Path, cache: Path) -> None:
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"bird/{number}.jpg", bytes(2**26))
    with pytest.raises(ImageSetError, match="refused: it would unpack to 5 files and 320 MB"):
        ImageSet.open(tmp_path / "bomb.zip")
    assert everything_under(cache) == set()


def test_a_damaged_zip_leaves_nothing_behind(tmp_path: Path, class_folders: Maker, cache: Path) -> None:
    ImageSet.open(class_folders(bird=5, forest=5)).pack(tmp_path / "birds.zip")
    data = bytearray((tmp_path / "birds.zip").read_bytes())
    data[400:404] = b"oops"
    (tmp_path / "flipped.zip").write_bytes(data)
    (tmp_path / "half.zip").write_bytes(data[: len(data) // 2])
    (tmp_path / "text.zip").write_text("no zip at all")
    for name in ("flipped", "half", "text"):
        with pytest.raises(ImageSetError, match=rf"{name}\.zip cannot be unpacked"):
            ImageSet.open(tmp_path / f"{name}.zip")
    assert list((cache / "packs").iterdir()) == []


def test_the_wrong_sha256_is_refused(tmp_path: Path, class_folders: Maker) -> None:
    digest = ImageSet.open(class_folders(bird=5, forest=5)).pack(tmp_path / "birds.zip")
    with pytest.raises(ImageSetError, match=f"SHA-256 is {digest}"):
        ImageSet.open(tmp_path / "birds.zip", sha256="0" * 64)


def test_a_full_disk_leaves_no_half_zip_and_no_half_folder(tmp_path: Path, class_folders: Maker, cache: Path) -> None:
    images = ImageSet.open(class_folders(bird=5, forest=5, size=128))
    images.pack(tmp_path / "birds.zip")
    before = everything_under(tmp_path)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # files end at 1,000 bytes, as on a disk that fills up
    try:
        for attempt in (
            lambda: images.pack(tmp_path / "more.zip"),
            lambda: images.copy_to(tmp_path / "copy"),
            lambda: ImageSet.open(tmp_path / "birds.zip"),
        ):
            with pytest.raises(ImageSetError, match=r"more\.zip|copy|birds\.zip"):
                attempt()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert everything_under(tmp_path) == before
    assert not (tmp_path / "copy").exists()
