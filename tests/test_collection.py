"""A data set in the making: whatever kills it, running it again completes it, and what it is then loads elsewhere."""

import errno
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.drawn import jpeg, picture
from tests.servers import Answer, Request, Server
from tl_course import ImageSet
from tl_course.data.collection import Candidate, Collection, PassedOver, prepare
from tl_course.errors import ImageSetError
from tl_course.net.http_client import Client
from tl_course.sources import Source

ODD_LABELS = ["cat/dog", "..", "CON", "é", "🐈", "a" * 300, "cat", " spaced ", "a\\b", ".hidden", "line\nbreak"]

COLLECTING = """
import sys
from tl_course.data.collection import Candidate
from tl_course.sources import Source

class Listed(Source):
    name = help = "listed"
    trusted = (sys.argv[1],)

    def search(self, label, query, client):
        for number in range(1 if label == "cat" else 0, 150, 2):
            url = f"{sys.argv[1]}/{number}.jpg"
            yield Candidate(label=label, url=url, creator=f"maker {number}", license="CC0-1.0")

report = Listed().collect(["cat", "dog"], 50, sys.argv[2])
sys.exit(0 if report.complete else str(report))
"""


class Drawn(Source):
    """Pictures by number, each another one."""

    name = "drawn"
    help = "for tests"
    online = False

    def __init__(self, numbers: Sequence[int] = range(1000)) -> None:
        self._numbers = numbers

    def search(self, label: str, query: str, client: Client) -> Iterator[Candidate]:
        start = 10_000 * sum(query.encode())
        for number in self._numbers:
            data = jpeg(start + number)
            yield Candidate(label=label, url=f"{query}:{number}", data=data, creator="numpy", license="CC0-1.0")


def rows(images: ImageSet) -> set[tuple[str, ...]]:
    """All that a set says of its pictures, but for their split, which is drawn from what is there at the time."""
    return {(p.file_name, p.label, p.creator, p.license, p.url, p.sha256) for p in images}


def stray(folder: Path) -> set[str]:
    """Files that belong to no picture."""
    return {path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".jpg"}


@pytest.mark.slow
def test_killed_ten_times_it_completes_and_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    def slow(request: Request) -> Answer:
        with one_at_a_time:
            time.sleep(0.02)
        number = int(request.path.strip("/").removesuffix(".jpg"))
        if number % 9 == 4:
            return Answer(b"gone", 404)
        return Answer(jpeg(number - number % 14 if number % 14 == 2 else number, size=300))  # some are there twice

    def command(folder: Path) -> list[str]:
        return [sys.executable, "-c", COLLECTING, server.url, str(folder)]

    one_at_a_time = threading.Lock()
    chance = random.Random(3)
    killed: list[int] = []
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    with Server({"/": slow}) as server:
        while len(killed) < 10:
            folder = tmp_path / "killed"
            before = len(list(folder.rglob("*.jpg")))
            child = subprocess.Popen(command(folder), env=environment)
            # at a random moment after it begins to write, so that the ten do not all fall into its start
            until, wanted = time.monotonic() + 20, before + chance.randrange(1, 6)
            while time.monotonic() < until and child.poll() is None and len(list(folder.rglob("*.jpg"))) < wanted:
                time.sleep(0.002)
            time.sleep(chance.uniform(0, 0.03))
            child.send_signal(signal.SIGKILL)
            assert child.wait() == -signal.SIGKILL, "it was not killed in the middle"
            killed.append(len(list(folder.rglob("*.jpg"))))
            if killed[-1]:
                assert len(ImageSet.open(folder)) == killed[-1]
        assert len(set(killed)) > 5
        for part in folder.rglob(".*.part"):
            os.utime(part, (0, 0))  # nobody has been writing it for long
        subprocess.run(command(folder), env=environment, check=True)
        subprocess.run(command(tmp_path / "whole"), env=environment, check=True)

    images = ImageSet.open(folder)
    assert Counter(one.label for one in images) == {"cat": 50, "dog": 50}
    assert len({one.sha256 for one in images}) == len({one.url for one in images}) == 100
    assert {(one.license, one.creator.split()[0]) for one in images} == {("CC0-1.0", "maker")}
    assert stray(folder) == {"metadata.csv", "collected.jsonl"}
    assert len((folder / "metadata.csv").read_text().splitlines()) == 101
    assert rows(images) == rows(ImageSet.open(tmp_path / "whole"))


def test_what_was_dropped_does_not_come_back_and_is_topped_up(tmp_path: Path) -> None:
    images = Drawn().collect(["cat", "dog"], 10, tmp_path).images
    gone = [one for one in images if one.label == "cat"][:3]
    for one in gone:
        images.drop(one)
    report = Drawn().collect(["cat", "dog"], 10, tmp_path)
    assert (report.counts, len(report.kept)) == ({"cat": 10, "dog": 10}, 3)
    assert not {one.url for one in gone} & {one.url for one in report.images}
    # nor under another address, a little smaller
    again = Candidate(label="cat", url="elsewhere:1", data=report.images.path(gone[0]).read_bytes())
    with pytest.raises(PassedOver, match="the same picture as cat/"):
        Collection(tmp_path).add(again, prepare(again.data or b""))


def test_a_picture_counts_for_the_label_that_it_was_moved_to(tmp_path: Path) -> None:
    images = Drawn().collect(["cat", "dog"], 6, tmp_path).images
    moved = next(one for one in images if one.label == "cat")
    images.relabel(moved, "dog")
    report = Drawn().collect(["cat", "dog"], 7, tmp_path)
    assert report.counts == {"cat": 7, "dog": 7}
    assert len(report.kept) == 2
    assert report.images[moved.file_name].label == "dog"


def test_near_duplicates_are_found_across_labels_sizes_and_runs(tmp_path: Path) -> None:
    Drawn(range(5)).collect(["cat"], 5, tmp_path)
    kept = ImageSet.open(tmp_path)[0]
    collection = Collection(tmp_path)
    smaller = picture(10_000 * sum(b"cat") + int(kept.url.rpartition(":")[2]), size=80)
    smaller.save(tmp_path / "smaller.png")
    again = Candidate(label="dog", url="again")
    with pytest.raises(PassedOver, match=f"the same picture as {kept.file_name}"):
        collection.add(again, prepare(tmp_path / "smaller.png"))


def test_any_label_gets_a_safe_folder_and_comes_back_as_it_was(tmp_path: Path) -> None:
    root = tmp_path / "set"
    collection = Collection(root)
    for number, label in enumerate(ODD_LABELS):
        collection.add(Candidate(label=label, url=f"odd:{number}"), prepare(jpeg(number)))
    folders = [path.name for path in root.iterdir() if path.is_dir()]
    assert len(folders) == len(ODD_LABELS)
    assert all(len(name.encode()) < 255 and "/" not in name and name.upper() != "CON" for name in folders)
    assert not any(name.startswith(".") or name != name.strip() for name in folders)
    assert {path for path in tmp_path.iterdir() if path.name != "cache"} == {root}
    for images in (ImageSet.open(root), Collection(root).images):
        assert {one.url: one.label.strip() for one in images} == {
            f"odd:{number}": label.strip() for number, label in enumerate(ODD_LABELS)
        }


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Drawn().collect(["cat"], 5, tmp_path)
    write = Path.write_bytes

    def full(path: Path, data: bytes) -> int:
        write(path, data[:100])
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        with pytest.raises(ImageSetError, match=r"could not be written: No space left on device\. What was collected"):
            Drawn().collect(["cat"], 10, tmp_path)
    assert len(ImageSet.open(tmp_path)) == 5
    assert stray(tmp_path) == {"metadata.csv", "collected.jsonl"}

    def no_line(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("tl_course.data.collection.append_line", no_line)
        with pytest.raises(ImageSetError, match="No space left on device"):
            Drawn().collect(["cat"], 10, tmp_path)
        broken = Candidate(label="cat", url="broken:1")
        with pytest.raises(ImageSetError, match="No space left on device"):
            Collection(tmp_path).pass_over(broken, PassedOver("too small"))
    report = Drawn().collect(["cat"], 10, tmp_path)
    assert report.complete
    assert len({one.sha256 for one in report.images}) == 10


def test_a_picture_is_kept_with_its_pixels_and_nothing_else() -> None:
    from PIL import Image

    exif = Image.Exif()
    exif[0x0112] = 6  # lies on its side
    exif[0x010F] = "a camera"
    exif.get_ifd(0x8825)[1] = "N"  # where it was taken
    prepared = prepare(jpeg(1, size=2000, exif=exif, comment=b"our garden", icc_profile=b"profile"))
    for trace in (b"Exif", b"a camera", b"our garden", b"profile"):
        assert trace not in prepared.content
    assert prepared.hash != prepare(jpeg(1, size=2000)).hash
    assert len(prepared.content) < len(jpeg(1, size=2000))


@pytest.mark.slow
def test_a_collected_set_loads_with_datasets_and_with_fastai(tmp_path: Path) -> None:
    images = Drawn().collect(["cat", "dog"], 10, tmp_path / "pets").images
    images.drop(images[0])

    import datasets

    loaded = datasets.load_dataset("imagefolder", data_dir=str(images.root), cache_dir=str(tmp_path / "hf"))
    (table,) = loaded.values()
    assert Counter(table["label"]) == {"cat": 10, "dog": 10}  # edits are ours: copy_to and pack write them down
    assert set(table["license"]) == {"CC0-1.0"}
    assert table[0]["image"].size == (96, 96)

    from fastai.vision.all import ImageDataLoaders, Resize

    options = {"bs": 4, "num_workers": 0, "item_tfms": Resize(64)}
    dls = ImageDataLoaders.from_df(images.to_dataframe(), path=images.root, valid_col="is_valid", **options)
    assert list(dls.vocab) == ["cat", "dog"]
    assert (len(dls.train_ds), len(dls.valid_ds)) == (len(images.train), len(images.valid))
    copy = images.copy_to(tmp_path / "copy")
    options |= {"fn_col": "file_name", "label_col": "label"}
    dls = ImageDataLoaders.from_csv(copy.root, csv_fname="metadata.csv", seed=1, **options)
    assert len(dls.train_ds) + len(dls.valid_ds) == 19
    assert dls.one_batch()[0].shape == (4, 3, 64, 64)
