"""Packs over the network: nothing is fetched twice, nothing unchecked is opened, and what lies nearby comes first."""

import hashlib
import io
import zipfile
from collections.abc import Callable
from itertools import chain, repeat
from pathlib import Path

import pytest

from tests.drawn import jpeg
from tests.servers import Answer, Request, Server, ranged
from tl_course import ImageSet
from tl_course.core.progress import redirect_bars
from tl_course.errors import FetchError, ImageSetError, TLCourseWarning
from tl_course.net.download import Download, fetch_pack
from tl_course.net.http_client import Client


@pytest.fixture(autouse=True)
def nothing_nearby(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TL_COURSE_DATA", raising=False)
    monkeypatch.delenv("TL_COURSE_MIRROR", raising=False)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    folder = tmp_path_factory.mktemp("pack")
    for number in range(40):
        path = folder / "pets" / ("cat" if number % 2 else "dog") / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(number, size=300, quality=95))
    ImageSet.open(folder / "pets").pack(folder / "pets.zip")
    return (folder / "pets.zip").read_bytes()


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def kept(cache: Path) -> list[Path]:
    return sorted(path for path in (cache / "downloads").glob("*") if path.suffix != ".lock")


def test_a_pack_is_opened_by_its_address_and_its_sha256(pack: bytes, cache: Path) -> None:
    with Server({"/pets.zip": ranged(pack)}) as server:
        images = ImageSet.open(f"{server.url}/pets.zip", sha256=digest_of(pack).upper())
        assert (images.name, len(images), images.labels) == ("pets", 40, ["cat", "dog"])
        # it is here now: not even the server is asked again
        assert len(ImageSet.open(f"{server.url}/pets.zip", sha256=digest_of(pack))) == 40
        assert server.asked_for("/pets.zip") == 1
    assert [path.name for path in kept(cache)] == [f"{digest_of(pack)}.zip"]
    assert len(ImageSet.open(f"{server.url}/pets.zip", sha256=digest_of(pack))) == 40


def test_the_wrong_file_is_refused_and_nothing_of_it_kept(pack: bytes, cache: Path) -> None:
    with Server({"/pets.zip": ranged(pack)}) as server:
        with pytest.raises(ImageSetError, match=f"its SHA-256 is {digest_of(pack)}, and should be {'0' * 64}"):
            ImageSet.open(f"{server.url}/pets.zip", sha256="0" * 64)
        assert kept(cache) == []


@pytest.mark.slow
def test_a_connection_that_breaks_is_taken_up_where_it_broke(pack: bytes) -> None:
    pieces = [100_000, 1, 50_000, 0, 200_000]
    told: list[int] = []
    with Server({"/pets.zip": ranged(pack, break_after=chain(pieces, repeat(len(pack))))}) as server:
        with redirect_bars(lambda bar: told.append(bar.n)):
            path = fetch_pack(f"{server.url}/pets.zip")
        ranges = [request.headers.get("range") for request in server.requests]
        assert path.read_bytes() == pack
    assert ranges == [None, *(f"bytes={sum(pieces[:n])}-" for n in range(1, 6))]
    assert told == sorted(told) and told[-1] == len(pack) // 1_000_000


def test_a_later_process_goes_on_where_the_first_one_stopped(pack: bytes) -> None:
    with Server({"/pets.zip": ranged(pack)}) as server:
        url = f"{server.url}/pets.zip"
        with Client(trusted=[url]) as client, Download(client, url) as first:
            beginning = first.read(1000)
        assert first.path.stat().st_size == first.fetched < len(pack)
        with Client(trusted=[url]) as client, Download(client, url) as second:
            assert second.read(1000) == beginning
            assert second.fetched == 0
            assert second.read() == pack[1000:]
            assert second.complete
        assert first.fetched + second.fetched == len(pack)


def test_a_server_without_ranges_sends_it_all_again(pack: bytes) -> None:
    def route(_: Request) -> Answer:
        part = pack[: len(pack) // 2] if len(server.requests) == 1 else pack
        return Answer(part, length=len(pack))

    with Server({"/pets.zip": route}) as server:
        assert fetch_pack(f"{server.url}/pets.zip").read_bytes() == pack
        assert len(server.requests) == 2
    with Server({"/pets.zip": Answer([pack[:5000], pack[5000:]])}) as server:  # nor does this one say how long it is
        assert fetch_pack(f"{server.url}/pets.zip", sha256=digest_of(pack)).read_bytes() == pack


def test_two_halves_of_two_files_are_never_one(pack: bytes) -> None:
    with Server({"/pets.zip": ranged(pack)}) as server:
        url = f"{server.url}/pets.zip"
        with Client(trusted=[url]) as client, Download(client, url) as download:
            download.read(1000)
        server.routes["/pets.zip"] = ranged(pack[::-1], tag='"2"')
        with pytest.raises(ImageSetError, match="another file than when its first part was fetched"):
            fetch_pack(url)
        assert fetch_pack(url).read_bytes() == pack[::-1]


@pytest.mark.parametrize("place", ["TL_COURSE_DATA", "TL_COURSE_MIRROR"])
def test_a_pack_nearby_comes_before_the_internet(
    pack: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "pets.zip").write_bytes(pack)
    (tmp_path / "mine" / "cat").mkdir(parents=True)
    (tmp_path / "mine" / "cat" / "1.jpg").write_bytes(jpeg(1))
    with Server({"/share/pets.zip": ranged(pack)}) as nearby, Server({"/pets.zip": ranged(pack)}) as far:
        monkeypatch.setenv(place, str(tmp_path))
        assert len(ImageSet.open(f"{far.url}/pets.zip", sha256=digest_of(pack))) == 40
        assert len(ImageSet.open("pets")) == 40
        assert len(ImageSet.open("mine", warn=False)) == 1
        assert nearby.requests == []
        monkeypatch.setenv(place, f"{nearby.url}/share/")
        assert len(ImageSet.open(f"{far.url}/pets.zip", sha256=digest_of(pack))) == 40
        assert nearby.asked_for("/share/pets.zip") == 1
        assert len(ImageSet.open("pets")) == 40
        assert far.requests == []


@pytest.mark.parametrize("kind", ["file", "address", "folder", "missing"])
def test_a_copy_nearby_that_is_not_the_one_is_passed_over(
    pack: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    with Server({"/pets.zip": ranged(pack)}) as far, Server({"/pets.zip": b"old"}) as near:
        if kind == "file":
            (tmp_path / "pets.zip").write_bytes(b"old")
        if kind == "folder":
            (tmp_path / "pets.zip").mkdir()
        if kind == "missing":
            del near.routes["/pets.zip"]
        monkeypatch.setenv("TL_COURSE_DATA", str(tmp_path) if kind in ("file", "folder") else near.url)
        with pytest.warns(TLCourseWarning, match=r"Passed over a copy nearby.*pets\.zip"):
            images = ImageSet.open(f"{far.url}/pets.zip", sha256=digest_of(pack))
        assert len(images) == 40


def zip_of(**entries: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (zip_of(**{"cat/1.jpg": jpeg(1), "../../evil.jpg": jpeg(2)}), "would be written outside its folder"),
        (zip_of(**{f"cat/{n}.jpg": bytes(2**26) for n in range(5)}), "it would unpack to"),
        (b"<!doctype html><title>Log in</title>", "cannot be unpacked"),
    ],
    ids=["path", "bomb", "page"],
)
def test_a_pack_that_means_harm_writes_nothing(content: bytes, reason: str, tmp_path: Path, cache: Path) -> None:
    with Server({"/pets.zip": ranged(content)}) as server, pytest.raises(ImageSetError, match=reason):
        ImageSet.open(f"{server.url}/pets.zip", sha256=digest_of(content))
    assert not list(tmp_path.rglob("*.jpg"))
    assert {path.parent for path in cache.rglob("*") if path.is_file()} == {cache / "downloads"}


def test_a_pack_does_not_lead_into_the_private_network(pack: bytes) -> None:
    with Server({"/pets.zip": ranged(pack)}) as inner:
        leading = {"/pets.zip": Answer(status=302, headers={"Location": f"{inner.url}/pets.zip"})}
        with Server(leading) as outer, pytest.raises(ImageSetError, match="lies on a private network"):
            ImageSet.open(f"{outer.url}/pets.zip")
        assert inner.requests == []


@pytest.mark.parametrize(
    ("route", "reason"),
    [
        (Answer(b"gone", 404), r"HTTP 404 \(Not Found\)"),
        (Answer(b"", length=17 * 2**30), "too long"),
    ],
)
def test_what_cannot_be_had_is_said_in_one_line(route: Answer, reason: str, cache: Path) -> None:
    with Server({"/pets.zip": route}) as server, pytest.raises(ImageSetError, match=reason) as caught:
        ImageSet.open(f"{server.url}/pets.zip")
    assert "\n" not in str(caught.value)
    assert not any(path.suffix == ".part" for path in kept(cache))


def test_a_full_disk_is_called_by_its_name(pack: bytes) -> None:
    resource: Callable[..., None] | None = pytest.importorskip("resource")  # not on Windows
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Server({"/pets.zip": ranged(pack)}) as server, Client(trusted=[server.url]) as client:
        with Download(client, f"{server.url}/pets.zip") as download:
            resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # as on a disk that fills up
            try:
                with pytest.raises(FetchError, match="could not be written: "):
                    download.finish()
            finally:
                resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        with Download(client, f"{server.url}/pets.zip") as download:
            assert download.finish().read_bytes() == pack
