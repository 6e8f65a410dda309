"""Opening, splitting, editing and writing data sets, through the surface that lessons use."""

import csv
import errno
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.drawn import jpeg
from tl_course import ImageSet
from tl_course.core import image_io
from tl_course.data.splits import groups_of
from tl_course.errors import ImageSetError, TLCourseWarning

Maker = Callable[..., Path]


def files_of(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def rows_of(root: Path) -> list[dict[str, str]]:
    with (root / "metadata.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def write_rows(root: Path, rows: list[dict[str, str]]) -> None:
    with (root / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def split_of(images: ImageSet) -> dict[str, str]:
    return {picture.file_name: picture.split for picture in images}


def open_warned(root: Path, match: str) -> ImageSet:
    with pytest.warns(TLCourseWarning, match=match):
        return ImageSet.open(root)


# ---- opening ---------------------------------------------------------------------------------------------------------


def test_class_folders_open_and_nothing_is_written(class_folders: Maker) -> None:
    root = class_folders(bird=20, forest=30)
    before = files_of(root)
    images = ImageSet.open(root)
    assert (len(images), images.labels, images.name, images.root) == (50, ["bird", "forest"], "pictures", root)
    assert images.counts() == {"bird": {"train": 16, "valid": 4}, "forest": {"train": 24, "valid": 6}}
    assert {p.label for p in images.valid} == {"bird", "forest"}
    assert images.path(images[0]).read_bytes() == before[images[0].file_name]
    assert images["bird/3.jpg"] == next(p for p in images if p.file_name == "bird/3.jpg")
    assert repr(images) == "ImageSet 'pictures': 50 pictures (bird 20, forest 30); 40 to train, 10 to validate"
    assert files_of(root) == before


@pytest.mark.parametrize("kind", ["birds", "cats_dogs", "doors", "flowers"])
def test_real_photos_open_as_they_lie(photos: Path, kind: str) -> None:
    images = ImageSet.open(photos / kind)
    assert images.skipped == []
    assert all(len(picture.sha256) == 64 and picture.license for picture in images)
    shares = [of["valid"] / (of["train"] + of["valid"]) for of in images.counts().values()]
    assert all(0.15 < share < 0.25 for share in shares)
    origin: dict[str, set[str]] = {"train": set(), "valid": set()}
    for picture in images:
        origin[picture.split].add(picture.source.partition("#")[0])
    assert not origin["train"] & origin["valid"]


def test_train_and_valid_folders_give_the_split(class_folders: Maker) -> None:
    class_folders(into="all/train", bird=6, forest=6)
    root = class_folders(into="all/val", bird=2, forest=3).parent
    images = ImageSet.open(root)
    assert images.counts() == {"bird": {"train": 6, "valid": 2}, "forest": {"train": 6, "valid": 3}}


@pytest.mark.parametrize("make", ["missing", "empty", "flat", "text", "address"])
def test_what_cannot_be_opened_says_what_to_do(tmp_path: Path, class_folders: Maker, make: str) -> None:
    place: str | Path = tmp_path / "here"
    if make == "empty":
        (tmp_path / "here").mkdir()
    elif make == "flat":
        class_folders(bird=3).joinpath("bird").rename(tmp_path / "here")
    elif make == "text":
        (tmp_path / "here").write_text("not a folder, not a zip")
    elif make == "address":
        place = "http://127.0.0.1:9/birds.zip"  # where nobody answers
    advice = {"missing": "Check the spelling", "text": "is a file and no zip", "address": "by its path"}
    with pytest.raises(ImageSetError, match=advice.get(make, "into a folder named after it")):
        ImageSet.open(place)


def test_one_class_opens_but_cannot_be_trained_on(class_folders: Maker) -> None:
    images = ImageSet.open(class_folders(bird=5))
    assert images.labels == ["bird"]
    with pytest.raises(ImageSetError, match=r"at least two labels .*only 'bird'"):
        images.check_trainable()


def test_an_empty_class_folder_is_named(class_folders: Maker) -> None:
    root = class_folders(bird=5, forest=0)
    images = open_warned(root, "forest/")
    assert images.skipped == [("forest/", "a class folder without a picture")]
    assert "'forest/': a class folder without a picture" in repr(images)


# ---- files that cannot be used ---------------------------------------------------------------------------------------


def bomb(path: Path) -> None:
    path.write_bytes(b"P6 100000 100000 255\n" + bytes(100))


@pytest.mark.parametrize(
    ("name", "spoil", "reason"),
    [
        ("zero.jpg", lambda path: path.write_bytes(b""), "empty"),
        ("text.jpg", lambda path: path.write_text("I am a text"), "not a picture"),
        ("enormous.ppm", bomb, "million"),
        ("phone.heic", lambda path: path.write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"), "save HEIC as JPEG"),
        ("notes.txt", lambda path: path.write_text("shot in May"), "not a picture file"),
        ("broken_link.jpg", lambda path: path.symlink_to("nowhere.jpg"), "leads nowhere"),
        ("outside.jpg", lambda path: path.symlink_to(__file__), "leads out of the folder"),
        ("elsewhere", lambda path: path.symlink_to(Path(__file__).parent), "link to a folder"),
    ],
)
@pytest.mark.parametrize("saved", [False, True])
def test_a_bad_file_is_a_named_skip_and_the_rest_opens(
    class_folders: Maker, name: str, spoil: Callable[[Path], None], reason: str, saved: bool
) -> None:
    root = class_folders(bird=5, forest=5)
    if saved:
        ImageSet.open(root).save()
    spoil(root / "bird" / name)
    if saved and name == "notes.txt":  # no business of the table's
        assert ImageSet.open(root).skipped == []
        return
    images = open_warned(root, f"1 file skipped .*bird/{name}")
    assert len(images) == 10
    assert [(skipped, reason in why) for skipped, why in images.skipped] == [(f"bird/{name}", True)]
    assert name in repr(images)
    assert os.path.lexists(root / "bird" / name)


@pytest.fixture
def plain_user() -> Iterator[Path]:
    """A folder, and file permissions that count: for root they do not, so root becomes nobody meanwhile."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield folder
    if hasattr(os, "seteuid"):
        os.seteuid(os.getuid())
    for path in folder.rglob("*"):
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder)


def become_plain_user() -> None:
    if os.name == "nt":
        pytest.skip("Windows has other permissions")
    if os.geteuid() == 0:
        try:
            os.seteuid(65534)
        except OSError:
            pytest.skip("root here cannot become another user, and permissions do not bind it")


def test_a_file_without_permission_is_a_named_skip(class_folders: Maker, plain_user: Path) -> None:
    root = Path(shutil.copytree(class_folders(bird=5, forest=5), plain_user / "set"))
    (root / "bird/0.jpg").chmod(0)
    (root / "forest").chmod(0)
    become_plain_user()
    images = open_warned(root, "Permission denied")
    assert len(images) == 4
    assert {name for name, _ in images.skipped} == {"bird/0.jpg", "forest/"}


def test_a_read_only_folder_opens_and_refuses_edits_whole(class_folders: Maker, plain_user: Path) -> None:
    root = Path(shutil.copytree(class_folders(bird=5, forest=5), plain_user / "set"))
    root.chmod(0o555)
    become_plain_user()
    images = ImageSet.open(root)
    before = files_of(root)
    with pytest.raises(ImageSetError, match=r"Permission denied.*copy_to"):
        images.drop("bird/0.jpg")
    assert (len(images), files_of(root)) == (10, before)


def test_a_picture_cut_off_behind_its_header_is_found_when_decoded(class_folders: Maker) -> None:
    root = class_folders(bird=5, forest=5, size=100)
    whole = (root / "bird/0.jpg").read_bytes()
    (root / "bird/0.jpg").write_bytes(whole[: len(whole) // 2])
    images = ImageSet.open(root)
    with pytest.raises(ImageSetError, match=r"bird/0\.jpg: .*cut off"):
        image_io.load(images.path("bird/0.jpg"))


def test_every_kind_of_picture_is_taken_in_and_seen_as_rgb(class_folders: Maker) -> None:
    root = class_folders(bird=3, forest=3)
    photo = Image.new("RGB", (30, 20), "red")
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.save(root / "bird/turned.JPG", exif=exif)
    photo.convert("CMYK").save(root / "bird/cmyk.jpeg")
    photo.quantize(4).save(root / "bird/palette.png")
    photo.convert("RGBA").save(root / "bird/alpha.webp")
    Image.fromarray(np.full((20, 30), 40_000, dtype=np.uint16)).save(root / "bird/16_bit.tiff")
    photo.save(root / "bird/moving.gif", save_all=True, append_images=[Image.new("RGB", (30, 20), "blue")])
    images = ImageSet.open(root)
    assert (len(images), images.skipped) == (12, [])
    seen = {picture.file_name: image_io.load(images.path(picture)) for picture in images}
    assert {image.mode for image in seen.values()} == {"RGB"}
    assert seen["bird/turned.JPG"].size == (20, 30)


ODD_NAMES = [
    "two words.jpg", "it's \"quoted\".jpg", "two\nlines.jpg", "carriage\rreturn.jpg", "comma, semi; tab\t.jpg",
    "ÄÖß 鳥 🐦.jpg", "-rf.jpg", "=1+1.jpg", "back\\slash.jpg", "#5%20.jpg",
]  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="Windows does not allow such names")
def test_odd_names_survive_saving_editing_copying_and_packing(tmp_path: Path, class_folders: Maker) -> None:
    root = class_folders(**{"bird": len(ODD_NAMES), 'forest "deep",\n old': 5})
    for number, name in enumerate(ODD_NAMES):
        (root / f"bird/{number}.jpg").rename(root / "bird" / name)
    images = ImageSet.open(root)
    for name in ODD_NAMES:
        images.note(f"bird/{name}", name)
    again = ImageSet.open(root)
    assert {f"bird/{name}" for name in ODD_NAMES} < {picture.file_name for picture in again}
    assert (list(again), again.skipped, again.notes) == (list(images), [], {f"bird/{n}": n for n in ODD_NAMES})
    assert list(again.copy_to(tmp_path / "copy")) == list(images)
    again.pack(tmp_path / "packed.zip")
    assert {p.sha256: p.file_name for p in ImageSet.open(tmp_path / "packed.zip")} == {
        p.sha256: p.file_name for p in images
    }


@pytest.mark.skipif(os.name == "nt", reason="Windows does not allow such names")
def test_a_name_that_is_no_text_is_skipped_readably(class_folders: Maker) -> None:
    root = class_folders(bird=3, forest=3)
    try:
        (root / "bird/0.jpg").rename(os.fsdecode(os.fsencode(root) + b"/bird/f\xfcr.jpg"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    images = open_warned(root, "UTF-8")
    assert [name for name, _ in images.skipped] == ["bird/f\\xfcr.jpg"]


def test_the_same_picture_under_two_labels_is_named_and_stays_in_one_split(class_folders: Maker) -> None:
    root = class_folders(bird=10, forest=10)
    for number in range(10):
        shutil.copy(root / f"bird/{number}.jpg", root / f"forest/copy_{number}.jpg")
    images = open_warned(
        root, r"10 pictures under two labels: 'bird/0.jpg' \(bird\) and 'forest/copy_0.jpg' \(forest\)"
    )
    assert len(images) == 30
    split = split_of(images)
    assert all(split[f"bird/{number}.jpg"] == split[f"forest/copy_{number}.jpg"] for number in range(10))
    assert set(split.values()) == {"train", "valid"}

    for number in range(5):
        images.relabel(f"forest/copy_{number}.jpg", "bird")
        images.drop(f"bird/{number + 5}.jpg")
    ImageSet.open(root)  # settled: no warning any more


# ---- metadata.csv ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("file_name,kind\nbird/0.jpg,bird\n", r"lacks the column label \(found: file_name, kind\)"),
        ("path,label\nbird/0.jpg,bird\n", r"lacks the column file_name \(found: path, label\)"),
        ("", r"lacks the column file_name and label \(found: none\)"),
        ('file_name,label\n"bird/0.jpg,bird\n', "cannot be read as a table"),
        ("file_name,label\nbird/0.jpg,b\udcfcrd\n", "cannot be read as a table .*utf-8"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_its_columns(
    class_folders: Maker, text: str, complaint: str
) -> None:
    root = class_folders(bird=5, forest=5)
    (root / "metadata.csv").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ImageSetError, match=rf"metadata\.csv {complaint}"):
        ImageSet.open(root)


def test_other_columns_are_filled_in_and_unknown_ones_kept(class_folders: Maker) -> None:
    root = class_folders(bird=5, forest=5)
    names = [f"{label}/{number}.jpg" for label in ("forest", "bird") for number in range(5)]
    write_rows(root, [{"camera": f"no. {n}", "file_name": n, "label": n[:4], "licence": "CC0-1.0"} for n in names])
    images = ImageSet.open(root)
    assert [picture.file_name for picture in images] == names  # the table's own order
    assert images.labels == ["bird", "fore"]
    assert images[0].license == "CC0-1.0"
    images.save()
    rows = rows_of(root)
    assert list(rows[0]) == ["file_name", "label", "split", "source", "creator", "license", "url", "sha256", "camera"]
    assert [row["camera"] for row in rows] == [f"no. {name}" for name in names]
    assert list(ImageSet.open(root)) == list(images)


@pytest.mark.parametrize(("comma", "end", "mark"), [(",", "\r\n", "\ufeff"), (";", "\r\n", "\ufeff"), (",", "\n", "")])
def test_tables_from_spreadsheets_open(class_folders: Maker, comma: str, end: str, mark: str) -> None:
    root = class_folders(bird=2, forest=2)
    lines = ["file_name,label", "bird/0.jpg,bird", "bird\\1.jpg,bird", "./forest/0.jpg, forest ", "forest/1.jpg,forest"]
    text = mark + end.join(lines).replace(",", comma) + end
    (root / "metadata.csv").write_bytes(text.encode())
    images = ImageSet.open(root)
    assert [(p.file_name, p.label) for p in images] == [
        ("bird/0.jpg", "bird"), ("bird/1.jpg", "bird"), ("forest/0.jpg", "forest"), ("forest/1.jpg", "forest"),
    ]  # fmt: skip


def test_rows_that_name_nothing_usable_are_skipped_by_name_and_kept_in_the_table(
    tmp_path: Path, class_folders: Maker
) -> None:
    root = class_folders(bird=4, forest=4)
    shutil.copy(root / "bird/0.jpg", tmp_path / "private.jpg")
    shutil.copy(root / "bird/1.jpg", root / "loose.jpg")
    outside = ["../private.jpg", str(tmp_path / "private.jpg")]
    names = [f"{label}/{number}.jpg" for label in ("bird", "forest") for number in range(4)]
    rows = [{"file_name": name, "label": name.split("/")[0], "source": "mine"} for name in [*names, "gone.jpg"]]
    rows += [{"file_name": name, "label": "bird", "source": ""} for name in outside]
    rows += [{"file_name": "bird/0.jpg", "label": "forest", "source": ""}]
    rows += [{"file_name": "", "label": "bird", "source": ""}]
    rows[3]["label"] = ""
    write_rows(root, rows)
    images = open_warned(root, "7 files skipped")
    reasons = dict(images.skipped)
    assert "not in the folder" in reasons.pop("gone.jpg")
    assert "again in row 13; its first row counts" in reasons.pop("bird/0.jpg")
    assert "no label" in reasons.pop("bird/3.jpg")
    assert "not in metadata.csv" in reasons.pop("loose.jpg")
    assert "names no file" in reasons.pop("metadata.csv, row 14")
    assert all("outside the folder" in reasons.pop(name) for name in outside)
    assert not reasons
    assert (len(images), images["bird/0.jpg"].label) == (7, "bird")

    images.save()
    saved = {row["file_name"]: row for row in rows_of(root)}
    assert saved["gone.jpg"]["source"] == "mine"
    Image.new("RGB", (9, 9)).save(root / "gone.jpg")
    assert len(open_warned(root, "skipped")) == 8


def test_a_split_column_counts_and_only_gaps_are_drawn(class_folders: Maker) -> None:
    root = class_folders(bird=20, forest=20)
    rows = [{"file_name": p.file_name, "label": p.label, "split": ""} for p in ImageSet.open(root)]
    for row, split in zip(rows, ["val", "Validation", "train", "training", "test"], strict=False):
        row["split"] = split
    write_rows(root, rows)
    images = ImageSet.open(root)
    assert [p.split for p in images][:5] == ["valid", "valid", "train", "train", "test"]
    assert len(images.test) == 1
    assert images.counts()["bird"]["valid"] == images.counts()["forest"]["valid"] == 4


def test_rows_whose_split_is_not_known_are_set_aside_and_stay_so(class_folders: Maker) -> None:
    root = class_folders(bird=20, forest=20)
    rows = [{"file_name": p.file_name, "label": p.label, "split": ""} for p in ImageSet.open(root)]
    aside = {row["file_name"] for row in rows[::4]}
    for row in rows[::4]:
        row["split"] = "Fold 3"
    write_rows(root, rows)
    for _ in range(2):  # as it came, and as it is saved
        images = open_warned(root, r"10 files skipped .*its split in metadata\.csv, 'Fold 3', is not known")
        assert {name for name, reason in images.skipped if "'Fold 3', is not known" in reason} == aside
        assert not aside & set(split_of(images))
        images.save()
    assert {row["file_name"] for row in rows_of(root) if row["split"] == "Fold 3"} == aside


# ---- the split -------------------------------------------------------------------------------------------------------


def test_the_split_depends_on_the_pictures_alone(tmp_path: Path, class_folders: Maker) -> None:
    root = class_folders(bird=30, forest=30)
    first = {picture.sha256: picture.split for picture in ImageSet.open(root)}
    other = tmp_path / "elsewhere"
    for path in root.glob("*/*.jpg"):
        target = other / path.parent.name / "deeper" / f"{1000 - int(path.stem)}.jpg"
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
    assert {picture.sha256: picture.split for picture in ImageSet.open(other)} == first


def test_a_saved_split_stays_when_pictures_are_added(class_folders: Maker) -> None:
    root = class_folders(bird=10, forest=10)
    images = ImageSet.open(root)
    images.save()
    class_folders(bird=40, forest=10)
    grown = ImageSet.open(root)
    assert len(grown) == 50
    assert split_of(grown) | split_of(images) == split_of(grown)
    assert grown.counts()["bird"] == {"train": 32, "valid": 8}


@pytest.mark.parametrize("column", ["url", "source"])
def test_pictures_of_one_source_photo_stay_together(class_folders: Maker, column: str) -> None:
    root = class_folders(bird=40, forest=40)
    rows = [{"file_name": p.file_name, "label": p.label, column: ""} for p in ImageSet.open(root)]
    for number, row in enumerate(rows):
        row[column] = f"https://example.org/{number // 4}.jpg#crop={number}"
    write_rows(root, rows)
    images = ImageSet.open(root)
    for start in range(0, 80, 4):
        assert len({picture.split for picture in images[start : start + 4]}) == 1
    assert images.counts() == {"bird": {"train": 32, "valid": 8}, "forest": {"train": 32, "valid": 8}}


def test_a_source_that_a_whole_label_shares_is_no_photo(class_folders: Maker) -> None:
    root = class_folders(bird=10, forest=10)
    write_rows(
        root, [{"file_name": p.file_name, "label": p.label, "source": f"web/{p.label}"} for p in ImageSet.open(root)]
    )
    assert ImageSet.open(root).counts() == {"bird": {"train": 8, "valid": 2}, "forest": {"train": 8, "valid": 2}}


@pytest.mark.parametrize("sizes", [(2, 1), (1, 1), (7, 6), (30, 1), (3, 3, 3)])
def test_a_label_with_two_source_photos_is_in_both_splits(class_folders: Maker, sizes: tuple[int, ...]) -> None:
    root = class_folders(bird=sum(sizes), forest=10)
    photo = [number for number, size in enumerate(sizes) for _ in range(size)]
    rows = [{"file_name": f"bird/{i}.jpg", "label": "bird", "url": f"photo:{n}#{i}"} for i, n in enumerate(photo)]
    rows += [{"file_name": f"forest/{i}.jpg", "label": "forest", "url": ""} for i in range(10)]
    write_rows(root, rows)
    assert all(ImageSet.open(root).counts()["bird"].values())


def test_a_new_crop_joins_its_photo(class_folders: Maker) -> None:
    root = class_folders(bird=10, forest=10)
    rows = [{"file_name": p.file_name, "label": p.label, "split": p.split, "url": f"photo:{p.file_name}"}
            for p in ImageSet.open(root)]  # fmt: skip
    class_folders(bird=20)
    rows += [{"file_name": f"bird/{n}.jpg", "label": "bird", "split": "", "url": f"photo:bird/{n - 10}.jpg#crop"}
             for n in range(10, 20)]  # fmt: skip
    write_rows(root, rows)
    split = split_of(ImageSet.open(root))
    assert all(split[f"bird/{number}.jpg"] == split[f"bird/{number - 10}.jpg"] for number in range(10, 20))


def test_one_name_for_all_pictures_of_a_scene(class_folders: Maker) -> None:
    root = class_folders(bird=4, forest=4)
    shutil.copy(root / "bird/3.jpg", root / "bird/copy.jpg")
    rows = [{"file_name": p.file_name, "label": p.label, "url": ""} for p in ImageSet.open(root)]
    for row in rows[:2]:
        row["url"] = "photo:1#" + row["file_name"]
    write_rows(root, rows)
    names = dict(zip([row["file_name"] for row in rows], groups_of(ImageSet.open(root)[:]), strict=True))
    assert names["bird/0.jpg"] == names["bird/1.jpg"]
    assert names["bird/3.jpg"] == names["bird/copy.jpg"]
    assert len(set(names.values())) == 7


def scenes_of(folder: Path, *names: str) -> list[set[str]]:
    """Which files stay together in the split, of pictures that are all different."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(jpeg(number))
    pictures = ImageSet.open(folder, warn=False)[:]
    scenes: dict[str, set[str]] = {}
    for picture, scene in zip(pictures, groups_of(pictures), strict=True):
        scenes.setdefault(scene, set()).add(picture.file_name)
    return sorted(scenes.values(), key=min)


@pytest.mark.parametrize(
    ("names", "together"),
    [
        (["a_jpg.rf.0123456789abcdef0123456789abcdef.jpg", "a_jpg.rf.fedcba9876543210fedcba9876543210.jpg"], True),
        (["a_png.rf.0123456789abcdef0123456789abcdef.jpg", "b_png.rf.fedcba9876543210fedcba9876543210.jpg"], False),
        (["a_jpg.rf.AbC123xyzAbC123xyz77.jpg", "a_jpg.rf.00C123xyzAbC123xyz77.jpg"], True),
        (["a.jpg", "a copy.jpg"], True),
        (["a.jpg", "a copy 2.jpg"], True),
        (["a.jpg", "a - Copy.jpg"], True),
        (["a.jpg", "a - Copy (3).jpg"], True),
        (["a.jpg", "a Kopie.jpg"], True),
        (["a.jpg", "Copy of a.jpg"], True),
        (["a.jpg", "b copy.jpg"], False),
        (["hard copy.jpg", "soft copy.jpg"], False),
        (["images.jpg", "images (1).jpg"], False),
        (["a_0_1234.jpg", "a_0_5678.jpg"], False),
        (["1.jpg", "2.jpg"], False),
        (["a.rf.jpg", "a.rf.2.jpg"], False),
    ],
)
def test_names_that_say_so_make_copies_one_scene(tmp_path: Path, names: list[str], together: bool) -> None:
    mine = {f"cat/{name}" for name in names}
    scenes = scenes_of(tmp_path, *sorted(mine), f"dog/{names[1]}")
    assert {f"dog/{names[1]}"} in scenes, "another label's are others"
    assert (mine in scenes) == together


def test_copies_of_one_photo_never_lie_on_both_sides_of_a_drawn_split(tmp_path: Path) -> None:
    for number in range(60):
        folder = tmp_path / ("cat" if number % 2 else "dog")
        folder.mkdir(exist_ok=True)
        (folder / f"IMG_{number // 6}_jpg.rf.{number:032x}.jpg").write_bytes(jpeg(number))
    sides: dict[str, set[str]] = {}
    for picture in ImageSet.open(tmp_path):
        sides.setdefault(picture.file_name.partition(".rf.")[0], set()).add(picture.split)
    assert len(sides) == 20
    assert all(len(splits) == 1 for splits in sides.values())
    assert {"train"} in sides.values() and {"valid"} in sides.values()


def test_a_subset_keeps_the_validation_pictures(class_folders: Maker) -> None:
    images = ImageSet.open(class_folders(bird=40, forest=10, lake=20))
    few, more = images.subset(9), images.subset(18)
    assert {label: count["train"] for label, count in few.counts().items()} == {"bird": 3, "forest": 3, "lake": 3}
    assert few.valid == more.valid == images.valid
    assert set(few.train) < set(more.train) < set(images.train)
    assert set(images.subset(9, seed=1).train) != set(few.train)
    assert images.subset(labels=["lake", "bird"]).labels == ["bird", "lake"]
    before = len(images.train)
    few.drop(few.train[0])
    assert (len(few.train), len(images.train), len(ImageSet.open(images.root).train)) == (8, before - 1, before - 1)
    for number in (1000, 0, -1, len(images.train) / 2, "3"):
        with pytest.raises(ImageSetError, match=r"training pictures were asked for; .* has 1 to"):
            images.subset(number)  # type: ignore[arg-type]
    with pytest.raises(ImageSetError, match="no label"):
        images.subset(labels=["sea"])


# ---- edits -----------------------------------------------------------------------------------------------------------


def test_edits_are_journalled_and_replayed_and_change_no_file(class_folders: Maker) -> None:
    root = class_folders(bird=10, forest=10)
    images = ImageSet.open(root)
    split, before = split_of(images), files_of(root)
    valid = images.valid[0]
    other = {"bird": "forest", "forest": "bird"}[valid.label]
    images.relabel(valid, other, why="a trunk, no bird")
    images.drop("bird/3.jpg", why="blurred")
    images.note("bird/4.jpg", "ask Ann")

    for seen in (images, ImageSet.open(root)):
        assert seen[valid.file_name].label == other
        assert [picture.file_name for picture in seen.dropped] == ["bird/3.jpg"]
        assert "bird/3.jpg" not in {picture.file_name for picture in seen}
        assert (len(seen), seen.notes) == (19, {"bird/4.jpg": "ask Ann"})
        assert {picture.file_name: picture.split for picture in [*seen, *seen.dropped]} == split
        assert "1 dropped" in repr(seen)
    after = files_of(root)
    journal = [json.loads(line) for line in after.pop("edits.jsonl").decode().splitlines()]
    table = after.pop("metadata.csv").decode()
    assert after == before
    assert f"{valid.file_name},{valid.label},valid" in table  # as drawn: edits stand in the journal alone
    wanted = {
        "action": "relabel",
        "file_name": valid.file_name,
        "from": valid.label,
        "to": other,
        "why": "a trunk, no bird",
    }
    assert journal[0].items() >= wanted.items()
    assert journal[0]["when"].endswith("+00:00")
    assert "who" in journal[0]
    assert [edit.action for edit in images.journal] == ["relabel", "drop", "note"]


def test_undo_goes_back_step_by_step_and_only_appends(class_folders: Maker) -> None:
    root = class_folders(bird=5, forest=5)
    images = ImageSet.open(root)
    states, sizes = [], []

    def state() -> tuple[object, ...]:
        return list(images), images.dropped, images.notes

    for step in (
        lambda: images.relabel("bird/0.jpg", "forest"),
        lambda: images.drop("bird/0.jpg"),
        lambda: images.note("bird/0.jpg", "a"),
        lambda: images.note("bird/0.jpg", "b"),
        lambda: images.restore("bird/0.jpg"),
        lambda: images.relabel("bird/0.jpg", "lake", new_label=True),
    ):
        states.append(state())
        step()
    for wanted in reversed(states):
        sizes.append((root / "edits.jsonl").stat().st_size)
        assert len(images.undo()) == 1
        assert state() == wanted
    assert images.undo() == []
    assert sizes == sorted(set(sizes))
    images.drop("bird/1.jpg")
    images.undo()
    assert len(images) == 10


def edit_half(images: ImageSet, some: ImageSet, name: str) -> None:
    images.drop(name)
    some.drop("nothing.jpg")


def test_a_set_and_its_subsets_have_one_state_and_either_undoes(class_folders: Maker) -> None:
    images = ImageSet.open(class_folders(bird=10, forest=10))
    some = images.subset(8)
    fewer, other = some.subset(4), images.subset(labels=["bird"])
    name = fewer.train[0].file_name
    everybody = [images, some, fewer]

    def check(*, gone: bool) -> None:
        assert [name in {one.file_name for one in part} for part in everybody] == [not gone] * 3
        assert [len(part.dropped) for part in everybody] == [int(gone)] * 3
        assert len({len(part.journal) for part in [*everybody, other]}) == 1

    for drops, undoes, redoes in ((fewer, images, some), (images, fewer, images), (some, some, fewer)):
        drops.drop(name)
        check(gone=True)
        undoes.undo()
        check(gone=False)
        redoes.redo()
        check(gone=True)
        images.restore(name)
        check(gone=False)
    fewer.relabel(name, "lake", new_label=True)
    assert all("lake" in part.labels and part.counts()["lake"]["train"] == 1 for part in everybody)
    with images.together():
        fewer.drop(name)
        check(gone=True)
        some.note(name, "unsharp")
        assert ImageSet.open(images.root).notes == {}
    assert len(other.undo()) == 2, "one step, whoever made it"
    check(gone=False)
    with pytest.raises(ImageSetError, match="no picture"), fewer.together():
        edit_half(images, some, name)
    check(gone=False)
    assert len(images.subset(4)) == len(pickle.loads(pickle.dumps(images)).subset(4))
    with pytest.raises(AttributeError, match="is not set"):
        images.labels = ["cat"]  # type: ignore[misc]


def test_who_edits_the_same_set_elsewhere_is_heard_before_an_edit(class_folders: Maker) -> None:
    root = class_folders(bird=5, forest=5)
    ann, ben = ImageSet.open(root), ImageSet.open(root)
    ann.drop("bird/0.jpg")
    ben.drop("bird/0.jpg")  # which changes nothing any more, and must not have to be undone twice
    assert (len(ben.journal), len(ben.dropped)) == (1, 1)
    ann.relabel("bird/1.jpg", "forest")
    ben.relabel("bird/1.jpg", "bird")
    assert ben.journal[-1].was == "forest"
    ann.undo()
    assert ann["bird/1.jpg"].label == "forest"
    ben.note("bird/1.jpg", "a")
    assert ben["bird/1.jpg"].label == "forest"
    assert ann.journal == ImageSet.open(root).journal[:-1]


def test_edits_that_change_nothing_are_not_written(class_folders: Maker) -> None:
    images = ImageSet.open(class_folders(bird=5, forest=5))
    images.relabel("bird/0.jpg", "bird")
    images.restore("bird/0.jpg")
    assert images.undo() == []
    assert images.journal == []


def test_edits_made_together_are_seen_at_once_and_written_at_once(
    class_folders: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(bird=10, forest=10)
    images, half = ImageSet.open(root), ImageSet.open(root).subset(4)
    writes, real = [], os.write

    def counted(descriptor: int, data: bytes) -> int:
        writes.append(data)
        return real(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", counted)
        with images.together():
            images.drop("bird/0.jpg")
            images.restore("bird/0.jpg")
            images.relabel("bird/0.jpg", "lake", new_label=True)
            images.relabel("bird/0.jpg", "lake")
            with images.together():
                images.note("bird/1.jpg", "a")
                images.drop("bird/1.jpg")
            images.refresh()
            assert (images["bird/0.jpg"].label, images.labels, len(images)) == ("lake", ["bird", "forest", "lake"], 19)
            assert (images.notes, len(images.dropped), len(images.journal)) == ({"bird/1.jpg": "a"}, 1, 5)
            with pytest.raises(ImageSetError, match="when that block has ended"):
                images.undo()
            assert writes == [] and ImageSet.open(root).journal == []
    assert len(writes) == 1 and ImageSet.open(root).journal == images.journal
    assert len({edit.step for edit in images.journal}) == 1
    half.refresh()
    assert len(half.undo()) == 5 and len(half.redo()) == 5 and half.redo() == []


def test_an_error_among_edits_made_together_leaves_nothing_of_them(class_folders: Maker) -> None:
    root = class_folders(bird=5, forest=5)
    images = ImageSet.open(root)
    images.drop("bird/0.jpg")
    before = files_of(root)

    def edit() -> None:
        with images.together():
            images.restore("bird/0.jpg")
            images.drop("bird/1.jpg")
            images.relabel("bird/0.jpg", " ", new_label=True)

    with pytest.raises(ImageSetError, match="is no label"):
        edit()
    assert files_of(root) == before and [one.file_name for one in images.dropped] == ["bird/0.jpg"]
    assert len(images.journal) == 1
    images.drop("bird/2.jpg")
    assert images.journal[-1].step == "" and len(ImageSet.open(root).dropped) == 2


def test_a_step_is_undone_whole_whoever_edits_meanwhile(class_folders: Maker) -> None:
    root = class_folders(bird=10, forest=10)
    ann, ben = ImageSet.open(root), ImageSet.open(root)
    with ann.together():
        for number in range(3):
            ann.relabel(f"bird/{number}.jpg", "forest")
            ben.drop(f"forest/{number}.jpg")  # on the disk before what Ann does together
    assert {edit.file_name for edit in ann.undo()} == {f"bird/{number}.jpg" for number in range(3)}
    assert len(ben.undo()) == 1 and len(ann.undo()) == 1 and len(ImageSet.open(root).dropped) == 1
    assert len(ben.redo()) == 1 and len(ben.redo()) == 1
    assert len(ann.redo()) == 3 and ann.redo() == []
    assert (ann.counts(), len(ann.dropped)) == (ImageSet.open(root).counts(), 3)
    assert len([one for one in ann if one.label == "bird"]) == 7


def test_two_who_undo_the_same_step_at_the_same_moment_undo_it_once(class_folders: Maker) -> None:
    root = class_folders(bird=10, forest=10)
    ann = ImageSet.open(root)
    ann.relabel("bird/0.jpg", "forest")
    with ann.together():
        ann.relabel("bird/0.jpg", "lake", new_label=True)
        ann.drop("bird/1.jpg")
    journal = root / "edits.jsonl"
    before = journal.read_bytes()
    ann.undo()
    once = journal.read_bytes()[len(before) :]
    journal.write_bytes(before)
    ann.undo()
    journal.write_bytes(journal.read_bytes() + once)  # what another wrote who read the journal when Ann did
    ann.refresh()
    assert ann["bird/0.jpg"].label == "forest" and ann.dropped == []
    assert len(ann.undo()) == 1, "the step before"
    assert len(ann.redo()) == 1 and len(ann.redo()) == 2 and ann.redo() == []
    assert ann["bird/0.jpg"].label == "lake" and len(ann.dropped) == 1
    journal.write_bytes(before + once.splitlines(keepends=True)[0])  # cut off: it is undone all the same, and whole
    ann.refresh()
    assert ann["bird/0.jpg"].label == "forest" and ann.dropped == []


def test_typing_errors_are_caught(class_folders: Maker) -> None:
    images = ImageSet.open(class_folders(bird=5, forest=5))
    with pytest.raises(ImageSetError, match=r"'brid' is no label .*\['bird', 'forest'\].*new_label"):
        images.relabel("bird/0.jpg", "brid")
    with pytest.raises(ImageSetError, match=r"no picture 'bird/00\.jpg'\. Did you mean 'bird/0\.jpg'"):
        images.drop("bird/00.jpg")
    with pytest.raises(ImageSetError, match="is no label"):
        images.relabel("bird/0.jpg", " ", new_label=True)
    with pytest.raises(ImageSetError, match="is no picture of"):
        images.drop(Path("bird/0.jpg"))  # type: ignore[arg-type]


def test_the_last_picture_of_a_label_can_go_and_come_back(class_folders: Maker) -> None:
    images = ImageSet.open(class_folders(bird=1, forest=5))
    images.relabel("bird/0.jpg", "forest")
    assert images.labels == ["forest"]
    images.relabel("bird/0.jpg", "bird")
    assert images.labels == ["bird", "forest"]


@pytest.mark.slow
def test_killed_at_any_byte_the_journal_loses_at_most_the_last_edit(class_folders: Maker) -> None:
    root = class_folders(bird=5, forest=5)
    images = ImageSet.open(root)
    images.relabel("bird/0.jpg", "forest", why="éà")
    first = (root / "edits.jsonl").read_bytes()
    images.drop("bird/1.jpg", why="ü")
    whole = (root / "edits.jsonl").read_bytes()
    for end in range(len(first), len(whole) + 1):
        (root / "edits.jsonl").write_bytes(whole[:end])
        complete = end in (len(first), len(whole) - 1, len(whole))
        seen = ImageSet.open(root) if complete else open_warned(root, r"edits\.jsonl: line 2 is damaged")
        assert seen["bird/0.jpg"].label == "forest"
        assert len(seen.dropped) == (end >= len(whole) - 1)
        seen.drop("bird/2.jpg")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TLCourseWarning)
            assert "bird/2.jpg" in {picture.file_name for picture in ImageSet.open(root).dropped}


def test_of_a_step_cut_off_at_any_byte_the_whole_lines_count(class_folders: Maker) -> None:
    root = class_folders(bird=5, forest=5)
    images = ImageSet.open(root)
    with images.together():
        for number in range(3):
            images.drop(f"bird/{number}.jpg", why="é")
    journal = root / "edits.jsonl"
    whole = journal.read_bytes()
    for end in range(0, len(whole) + 1, 7):
        journal.write_bytes(whole[:end])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", TLCourseWarning)
            seen = ImageSet.open(root)
        assert len(seen.dropped) == whole[: end + 1].count(b"\n")
        seen.undo()
        assert len(seen) == 10 and seen.undo() == []


def test_a_disk_that_fills_up_amid_a_step_is_told_of_and_the_set_shows_what_is_on_it(
    class_folders: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = class_folders(bird=5, forest=5)
    images, real = ImageSet.open(root), os.write

    def drop_three() -> None:
        with images.together():
            for number in range(3):
                images.drop(f"bird/{number}.jpg")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[: data.index(b"\n") + 9]))
        with pytest.raises(ImageSetError, match=r"bird/0\.jpg' and 2 more in .*Make room"):
            drop_three()
    assert [one.file_name for one in images.dropped] == ["bird/0.jpg"]
    assert images.dropped == open_warned(root, "line 2 is damaged").dropped
    drop_three()
    assert len(images.dropped) == 3 and len(images.undo()) == 2 and len(images.undo()) == 1


@pytest.mark.parametrize(
    "line",
    [b"\xff\xfe", b"[1]", b"null", b'{"action": "relabel", "file_name": "bird/0.jpg", "to": 7}', b'{"action": "fly"}',
     b'{"action": "relabel", "file_name": "bird/0.jpg"}', b"[" * 100_000],
)  # fmt: skip
def test_a_damaged_line_in_the_journal_is_reported_and_skipped(class_folders: Maker, line: bytes) -> None:
    root = class_folders(bird=5, forest=5)
    images = ImageSet.open(root)
    images.drop("bird/0.jpg")
    journal = root / "edits.jsonl"
    journal.write_bytes(line + b"\n" + journal.read_bytes())
    assert len(open_warned(root, "line 1 is damaged")) == 9


NOTE_OFTEN = """import sys
from tl_course import ImageSet
images = ImageSet.open(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
for number in range(100):
    images.note(sys.argv[2], f"{number} {'x' * number}")
"""


def test_two_writers_at_once_lose_nothing(class_folders: Maker) -> None:
    root = class_folders(bird=5, forest=5)
    commands = [[sys.executable, "-c", NOTE_OFTEN, str(root), f"{label}/0.jpg"] for label in ("bird", "forest")]
    writers = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[1])
        for command in commands
    ]
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == b"ready\n"
    for writer in writers:
        writer.communicate(b"go\n", timeout=60)
    assert [writer.returncode for writer in writers] == [0, 0]
    assert len(ImageSet.open(root).journal) == 200


def test_a_full_disk_during_an_edit_loses_nothing(class_folders: Maker, monkeypatch: pytest.MonkeyPatch) -> None:
    root = class_folders(bird=5, forest=5)
    images = ImageSet.open(root)
    images.relabel("bird/0.jpg", "forest")
    real = os.write
    for written in (0, 30):  # refused at once, or in the middle of the line

        def full(descriptor: int, data: bytes, count: int = written) -> int:
            if count == 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return real(descriptor, data[:count])

        with monkeypatch.context() as patch:
            patch.setattr(os, "write", full)
            with pytest.raises(ImageSetError, match=r"bird/1\.jpg.*Nothing was lost"):
                images.drop("bird/1.jpg")
        assert (len(images), images.dropped) == (10, [])
    images.drop("bird/2.jpg")
    again = open_warned(root, "line 2 is damaged")
    assert ([p.file_name for p in again.dropped], again["bird/0.jpg"].label) == (["bird/2.jpg"], "forest")


def test_a_full_disk_during_the_first_edit_writes_nothing(class_folders: Maker) -> None:
    resource = pytest.importorskip("resource")  # not on Windows
    root = class_folders(bird=5, forest=5)
    images = ImageSet.open(root)
    before = files_of(root)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # files end at 100 bytes, as on a disk that fills up
    try:
        with pytest.raises(ImageSetError, match=r"metadata\.csv"):
            images.drop("bird/0.jpg")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    assert files_of(root) == before
    images.drop("bird/0.jpg")
    assert len(ImageSet.open(root)) == 9


# ---- leaving ---------------------------------------------------------------------------------------------------------


def test_a_copy_holds_the_present_state(tmp_path: Path, class_folders: Maker) -> None:
    images = ImageSet.open(class_folders(bird=5, forest=5))
    images.relabel("bird/0.jpg", "forest")
    images.drop("bird/1.jpg")
    copy = images.copy_to(tmp_path / "copy")
    assert (list(copy), copy.dropped, copy.journal) == (list(images), [], [])
    assert set(files_of(copy.root)) == {picture.file_name for picture in images} | {"metadata.csv"}
    for place, reason in ((tmp_path / "copy", "there already"), (images.root / "inside", "inside the set")):
        with pytest.raises(ImageSetError, match=reason):
            images.copy_to(place)


def test_the_data_frame_has_a_row_a_picture(class_folders: Maker) -> None:
    images = ImageSet.open(class_folders(bird=5, forest=5))
    images.drop("bird/0.jpg")
    frame = images.to_dataframe()
    assert list(frame.columns[:3]) == ["file_name", "label", "split"]
    assert len(frame) == 9
    assert frame["is_valid"].sum() == len(images.valid)
    assert all(Path(path).is_file() for path in frame["path"])


@pytest.mark.slow
def test_the_datasets_library_loads_a_saved_set_as_it_is(
    tmp_path: Path, class_folders: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HUB_OFFLINE", "HF_DATASETS_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    datasets = pytest.importorskip("datasets")
    root = class_folders(bird=5, forest=5)
    images = ImageSet.open(root)
    images.note("bird/0.jpg", "makes a journal")
    (root / "truth.jsonl").write_text('{"file_name": "bird/0.jpg", "scene": 1}\n')
    loaded = datasets.load_dataset("imagefolder", data_dir=str(root), cache_dir=str(tmp_path / "hf"))["train"]
    assert {"image", "label", "split", "source", "creator", "license", "url", "sha256"} <= set(loaded.column_names)
    assert {row["sha256"]: (row["label"], row["split"]) for row in loaded} == {
        picture.sha256: (picture.label, picture.split) for picture in images
    }
    assert loaded[0]["image"].size == (24, 24)


@pytest.mark.slow
def test_fastai_loads_a_set_as_it_is(class_folders: Maker) -> None:
    vision = pytest.importorskip("fastai.vision.all")
    images = ImageSet.open(class_folders(bird=10, forest=10))
    loaders = vision.ImageDataLoaders.from_df(
        images.to_dataframe(), path=images.root, valid_col="is_valid", item_tfms=vision.Resize(24), bs=4, num_workers=0
    )
    assert list(loaders.vocab) == images.labels
    assert (len(loaders.train_ds), len(loaders.valid_ds)) == (len(images.train), len(images.valid))
    pixels, labels = loaders.one_batch()
    assert (tuple(pixels.shape), tuple(labels.shape)) == ((4, 3, 24, 24), (4,))
