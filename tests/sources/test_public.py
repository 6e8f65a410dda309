"""Well-known sets, streamed: no more comes over the network than is needed, and nothing of it twice."""

import hashlib
import io
import tarfile
from collections import Counter
from dataclasses import replace
from itertools import chain, repeat
from pathlib import Path

import pytest

from tests.drawn import jpeg
from tests.servers import Server, ranged
from tl_course.errors import ImageSetError, TLCourseWarning
from tl_course.sources import Public, public

BREEDS = ("Abyssinian", "Bengal", "Persian", "beagle", "american_bulldog", "pug")


def archive_of(files: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return file.getvalue()


def sorted_by_breed(each: int) -> bytes:
    """An archive like the real one, with the breeds one after the other; its pictures are large to read past."""
    names = [f"images/{breed}_{number}.jpg" for breed in BREEDS for number in range(each)]
    return archive_of({name: jpeg(number, size=400, quality=95) for number, name in enumerate(names)})


@pytest.fixture(scope="module")
def pets() -> bytes:
    return sorted_by_breed(40)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch, pets: bytes) -> None:
    """The set's entry, with the MD5 of the archive that this test serves."""
    monkeypatch.delenv("TL_COURSE_DATA", raising=False)
    monkeypatch.delenv("TL_COURSE_MIRROR", raising=False)
    declare(monkeypatch, pets)


def declare(monkeypatch: pytest.MonkeyPatch, archive: bytes) -> None:
    entry = replace(public.SETS["oxford-iiit-pet"], md5=hashlib.md5(archive).hexdigest())
    monkeypatch.setitem(public.SETS, "oxford-iiit-pet", entry)


def kept(cache: Path) -> int:
    """Bytes of archives that lie in the cache."""
    return sum(path.stat().st_size for path in (cache / "downloads").glob("*.part"))


@pytest.mark.usefixtures("known")
def test_no_more_is_read_than_is_needed_and_the_next_label_reads_what_is_there(
    tmp_path: Path, pets: bytes, cache: Path
) -> None:
    with Server({"/images.tar.gz": ranged(pets)}) as server:
        source = Public(api=f"{server.url}/images.tar.gz")
        report = source.collect(["Abyssinian"], 8, tmp_path / "a")
        assert (report.counts, report.problems) == ({"Abyssinian": 8}, [])
        assert 0 < kept(cache) < len(pets) * 0.2
        assert source.collect(["abyssinian"], 8, tmp_path / "b").counts == {"abyssinian": 8}
        assert len(server.requests) == 1
        before = kept(cache)
        assert source.collect({"big dog": "American bulldog"}, 5, tmp_path / "c").complete
        assert before < kept(cache) < len(pets)
        assert [request.headers.get("range") for request in server.requests] == [None, f"bytes={before}-"]
    images = report.images
    assert {(p.license, p.creator) for p in images} == {("CC-BY-SA-4.0", "Parkhi, Vedaldi, Zisserman, Jawahar (2012)")}
    assert images[0].extra["page"] == "https://www.robots.ox.ac.uk/~vgg/data/pets/"
    assert len({picture.url for picture in images}) == 8
    assert len(images.valid) == 2


@pytest.mark.usefixtures("known")
def test_cats_are_of_several_breeds_where_the_archive_is_sorted(tmp_path: Path, pets: bytes) -> None:
    with Server({"/images.tar.gz": ranged(pets)}) as server:
        report = Public(api=f"{server.url}/images.tar.gz").collect(["cat", "dog"], 30, tmp_path)
    assert report.counts == {"cat": 30, "dog": 30}
    for label in ("cat", "dog"):
        breeds = Counter(picture.extra["title"] for picture in report.images if picture.label == label)
        assert len(breeds) > 1
        assert max(breeds.values()) <= 10 + 30 / 3


@pytest.mark.usefixtures("known")
def test_a_connection_that_breaks_again_and_again_is_taken_up_where_it_broke(tmp_path: Path, pets: bytes) -> None:
    breaks = chain(repeat(len(pets) // 5 + 1, 4), repeat(len(pets)))
    with Server({"/images.tar.gz": ranged(pets, break_after=breaks)}) as server:
        report = Public(api=f"{server.url}/images.tar.gz").collect(["dog"], 120, tmp_path)
    starts = [int(request.headers.get("range", "bytes=0-")[6:-1]) for request in server.requests]
    assert starts == [(len(pets) // 5 + 1) * n for n in range(5)]
    assert report.counts == {"dog": 120}


@pytest.mark.usefixtures("known")
def test_when_all_is_there_no_network_is_needed(tmp_path: Path, pets: bytes) -> None:
    with Server({"/images.tar.gz": ranged(pets)}) as server:
        api = f"{server.url}/images.tar.gz"
        short = Public(api=api).collect(["cat"], 130, tmp_path / "all")
        assert short.counts == {"cat": 120}
        assert "cat has 120 of 130" in short.problems[0]
        once = len(server.requests)
    assert once == 1
    assert Public(api=api).collect(["pug"], 20, tmp_path / "pugs").complete


@pytest.mark.parametrize("damage", ["html", "half", "flipped", "other"])
@pytest.mark.usefixtures("known")
def test_a_damaged_archive_is_said_in_a_line_and_fetched_anew(tmp_path: Path, pets: bytes, damage: str) -> None:
    damaged = {
        "html": b"<!doctype html><title>Please log in</title>" * 50,
        "half": pets[: len(pets) // 2],
        "flipped": pets[: len(pets) // 2] + bytes(2000) + pets[len(pets) // 2 + 2000 :],
        "other": sorted_by_breed(4),
    }[damage]
    with Server({"/images.tar.gz": ranged(damaged, tag='"bad"')}) as server:
        source = Public(api=f"{server.url}/images.tar.gz")
        report = source.collect(["dog"], 120, tmp_path)
        (problem,) = report.problems
        assert ("no tar.gz, or a damaged one" in problem) or ("its MD5 is" in problem)
        assert "\n" not in problem
        came = report.counts["dog"]
        assert came == (12 if damage == "other" else 0)
        server.routes["/images.tar.gz"] = ranged(pets)
        assert source.collect(["dog"], 120, tmp_path).counts == {"dog": 120}


def test_pictures_that_came_before_the_damage_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"images/Persian_{number}.jpg" for number in range(60)]
    archive = archive_of({name: jpeg(number, size=200) for number, name in enumerate(names)})
    declare(monkeypatch, archive)
    with Server({"/images.tar.gz": ranged(archive[: len(archive) // 2])}) as server:
        report = Public(api=f"{server.url}/images.tar.gz").collect(["cat"], 60, tmp_path)
    assert 20 < report.counts["cat"] < 35  # all of one breed: those that waited for others come too
    assert len(report.images) == report.counts["cat"]


def test_what_is_no_picture_in_the_archive_is_passed_by(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w:gz") as archive:
        link = tarfile.TarInfo("images/pug_1.jpg")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        for name, data in {
            "/images/pug_2.jpg": jpeg(2),
            "images/../pug_3.jpg": jpeg(3),
            "images/pug_4.mat": b"matlab",
            "images/pug_5.jpg": bytes(21 * 2**20),
            "images/pug_6.jpg": jpeg(6),
        }.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    declare(monkeypatch, file.getvalue())
    with Server({"/images.tar.gz": ranged(file.getvalue())}) as server:
        report = Public(api=f"{server.url}/images.tar.gz").collect(["pug"], 6, tmp_path)
    assert [picture.url.rpartition("/")[2] for picture in report.images] == ["pug_6.jpg"]
    assert report.passed_over == []


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("name", ["oxford-iiit-pet/images.tar.gz", "images.tar.gz"])
def test_a_copy_nearby_comes_first(tmp_path: Path, pets: bytes, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_bytes(pets)
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path))
    with Server() as server:
        assert Public(api=f"{server.url}/images.tar.gz").collect(["dog"], 10, tmp_path / "dogs").complete
        assert server.requests == []
    monkeypatch.delenv("TL_COURSE_DATA")
    with Server({f"/share/{name}": ranged(pets)}) as server:
        monkeypatch.setenv("TL_COURSE_MIRROR", f"{server.url}/share")
        assert Public().collect(["dog"], 10, tmp_path / "more").complete


@pytest.mark.usefixtures("known")
def test_a_damaged_copy_nearby_is_passed_over_with_a_warning(
    tmp_path: Path, pets: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "images.tar.gz").write_bytes(b"no archive")
    monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path))
    with Server({"/images.tar.gz": ranged(pets)}) as server:
        source = Public(api=f"{server.url}/images.tar.gz")
        with pytest.warns(TLCourseWarning, match=r"Passed over a copy nearby\. .*no tar\.gz"):
            assert source.collect(["dog"], 5, tmp_path / "dogs").complete


def test_what_the_set_does_not_have_is_an_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ImageSetError, match=r"no 'beegle'\. Did you mean 'beagle'"):
        Public().collect(["beegle"], 5, tmp_path)
    with pytest.raises(ImageSetError, match=r"no 'door'\. It has cat and dog"):
        Public().collect(["door"], 5, tmp_path)
    with pytest.raises(ImageSetError, match="There is: oxford-iiit-pet"):
        Public("imagenet")
