"""What a source meets on the network: whatever it is, the good pictures are kept and the bad ones are named."""

import gzip
import io
import itertools
import json
import socket
import struct
import threading
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpcore2
import pytest
from drawn import jpeg, picture
from PIL import Image
from servers import Answer, Request, Server

from tl_course.net import http_client
from tl_course.sources import Collected, Openverse, base

PUBLIC = "93.184.216.34"  # never connected to


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client.Client, "pause", lambda self, failures: None)


@pytest.fixture
def private() -> Iterator[Server]:
    """What lies on the learner's network: never to be asked for anything."""
    with Server({"/": Answer(jpeg(99))}) as server:
        yield server
        assert server.requests == []


class Collection(Server):
    """An Openverse that offers pictures of this server, and pictures that are bad in some way, under /bad/."""

    def __init__(self) -> None:
        super().__init__({"/good/": self._good})

    def _good(self, request: Request) -> Answer:
        number = int(request.path.rpartition("/")[2])
        return Answer(jpeg(number), headers={"Content-Type": "image/jpeg"})

    def good(self, number: int) -> str:
        return f"{self.url}/good/{number}"

    def bad(self, answer: Callable[[Request], Answer] | Answer) -> str:
        """The address of another picture. Its host is another one too, so that no wait it asks for binds the rest."""
        path = f"/bad/{len(self.routes)}"
        self.routes[path] = answer
        return f"{self.elsewhere}{path}"

    @property
    def elsewhere(self) -> str:
        return f"http://localhost:{self.port}"

    def collect(self, into: Path, **labels: list[str]) -> Collected:
        """Collect all that the addresses of each label lead to."""

        def search(request: Request) -> Answer:
            results = [{"url": url} for url in labels[request.query["q"]]]
            return Answer(json.dumps({"page_count": 1, "results": results}).encode())

        self.routes["/api"] = search
        source = Openverse(api=f"{self.url}/api")
        source.trusted = [*source.trusted, self.elsewhere]
        return source.collect(list(labels), max(map(len, labels.values())), into)


@pytest.fixture
def server() -> Iterator[Collection]:
    with Collection() as server:
        yield server


def collect_around(server: Collection, url: str, into: Path) -> str:
    """Collect two good pictures with a bad one between them, and return why that was passed over."""
    report = server.collect(into, robin=[server.good(1), url, server.good(2)])
    assert report.counts == {"robin": 2} and len(report.images) == 2
    assert [line["url"] for line in journal(into) if "file_name" in line] == [server.good(1), server.good(2)]
    ((address, reason),) = report.passed_over
    assert address == url
    assert "\n" not in reason and len(reason) < 140
    assert reason.partition(" as ")[0] in str(report)
    return reason


def journal(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "collected.jsonl").read_text(encoding="utf-8").splitlines()]


def as_jpeg(body: Any, **options: Any) -> Answer:
    return Answer(body, headers={"Content-Type": "image/jpeg"}, **options)


def png(width: int, height: int) -> bytes:
    """A white PNG, written by hand (https://www.w3.org/TR/png-3/)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    rows = zlib.compress((b"\0" + b"\xff" * ((width + 7) // 8)) * height)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


# ---- answers ---------------------------------------------------------------------------------------------------------

PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"

BAD = {
    "404": (Answer(b"", 404), "HTTP 404 (Not Found)"),
    "429": (Answer(b"", 429), "HTTP 429 (Too Many Requests)"),
    "429, wait": (Answer(b"", 429, {"Retry-After": "7200"}), "HTTP 429 (Too Many Requests): asked to wait 120 minutes"),
    "500": (Answer(b"", 500), "HTTP 500 (Internal Server Error)"),
    "503, wait": (Answer(b"", 503, {"Retry-After": "900"}), "HTTP 503 (Service Unavailable): asked to wait 15 minutes"),
    "connection breaks": (as_jpeg(jpeg(9)[:800], length=4000), "the connection broke"),
    "cut off": (as_jpeg(jpeg(9)[:800]), "the file is cut off (truncated)"),
    "empty": (as_jpeg(b""), "the file is empty (0 bytes)"),
    "a page": (Answer(PAGE, headers={"Content-Type": "text/html; charset=utf-8"}), "a web page in place of a picture"),
    "a page that says it is a JPEG": (as_jpeg(PAGE), "a web page in place of a picture"),
    "a drawing": (as_jpeg(b'<svg xmlns="http://www.w3.org/2000/svg"/>'), "not a picture that can be read"),
    "one pixel": (as_jpeg(png(1, 1)), "too small (1 x 1 pixels)"),
    "a strip": (as_jpeg(png(4000, 20)), "too small"),
    "a bomb": (as_jpeg(png(12_000, 12_000)), "12000 x 12000 pixels are more than the 89 million that are decoded"),
    "packed": (
        Answer(gzip.compress(bytes(2**25)), headers={"Content-Type": "image/jpeg", "Content-Encoding": "gzip"}),
        "not a picture that can be read",
    ),
    "too long, as it says": (as_jpeg(b"", length=2**30), "too long (1,024 MB)"),
    "a loop": (lambda request: Answer(b"", 302, {"Location": request.path}), "one redirect after another"),
    "to a file": (Answer(b"", 302, {"Location": "file:///etc/hostname"}), "refused: an address that starts with file:"),
    "to FTP": (Answer(b"", 302, {"Location": "ftp://example.org/a.jpg"}), "refused: an address that starts with ftp:"),
    "to nowhere": (Answer(b"", 302, {"Location": "http://[::1"}), ""),
}


@pytest.mark.parametrize(("answer", "expected"), BAD.values(), ids=BAD)
def test_a_bad_answer_is_passed_over(server: Collection, tmp_path: Path, answer: Any, expected: str) -> None:
    reason = collect_around(server, server.bad(answer), tmp_path / "set")
    assert reason.startswith(expected)


def test_an_endless_body_is_given_up(server: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "MAX_PICTURE", 2**20)
    url = server.bad(lambda request: as_jpeg(itertools.chain([jpeg(9)], itertools.repeat(bytes(2**16)))))
    assert collect_around(server, url, tmp_path / "set") == "longer than 1 MB, so given up"


@pytest.mark.slow
def test_a_body_that_drips_is_given_up(server: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "DEADLINE", 1.0)
    over = threading.Event()
    url = server.bad(lambda request: as_jpeg((b"x" for _ in iter(lambda: over.wait(0.02), True)), length=2**16))
    reason = collect_around(server, url, tmp_path / "set")
    over.set()
    assert reason == "not complete after 1 s"


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.slow
def test_a_server_that_hangs_is_left(
    server: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, begun: bool
) -> None:
    monkeypatch.setitem(http_client.Client.__init__.__kwdefaults__, "timeout", 1.0)
    over = threading.Event()

    def hang(request: Request) -> Answer:
        if not begun:
            over.wait(30)
        return as_jpeg((jpeg(9)[:100] * (not over.wait(30 * piece)) for piece in range(2)), length=2000)

    reason = collect_around(server, server.bad(hang), tmp_path / "set")
    over.set()
    assert reason == "no answer in time"


@pytest.mark.parametrize("fault", [Answer(b"", 429), Answer(b"", 429, {"Retry-After": "0"}), Answer(b"", 500), None])
def test_a_fault_that_passes_is_outlived(server: Collection, tmp_path: Path, fault: Answer | None) -> None:
    broken = as_jpeg(jpeg(3)[:50], length=4000)
    answers = iter([fault or broken] * 2)
    url = server.bad(lambda request: next(answers, as_jpeg(jpeg(3))))
    report = server.collect(tmp_path / "set", robin=[server.good(1), url])
    assert report.complete and report.passed_over == []


def test_what_may_be_had_later_is_tried_again_by_the_next_run_and_the_rest_is_not(
    server: Collection, tmp_path: Path
) -> None:
    later, never = server.bad(Answer(b"", 503)), server.bad(as_jpeg(PAGE))
    urls = [server.good(1), later, never]
    assert server.collect(tmp_path / "set", robin=urls).counts == {"robin": 1}
    server.routes[later.removeprefix(server.elsewhere)] = as_jpeg(jpeg(4))
    asked = server.asked_for(never.removeprefix(server.elsewhere))
    report = server.collect(tmp_path / "set", robin=urls)
    assert report.counts == {"robin": 2} and len(report.kept) == 1
    assert server.asked_for(never.removeprefix(server.elsewhere)) == asked


@pytest.mark.slow
def test_when_every_picture_fails_it_is_not_the_pictures(server: Collection, tmp_path: Path) -> None:
    urls = [server.bad(Answer(b"", 503)) for _ in range(40)]
    report = server.collect(tmp_path / "set", robin=urls, wren=[server.good(1)])
    assert "24 pictures in a row could not be fetched (the last: HTTP 503 (Service Unavailable))" in report.problems[0]
    assert report.counts == {"robin": 0, "wren": 1}


# ---- private addresses -----------------------------------------------------------------------------------------------

PLACES = [
    "http://127.0.0.1:{port}",
    "http://localhost:{port}",
    "http://[::1]:{port}",
    "http://[::ffff:127.0.0.1]:{port}",
    "http://2130706433:{port}",
    "http://0x7f000001:{port}",
    "http://127.1:{port}",
    "http://0.0.0.0:{port}",
    "http://user@127.0.0.1:{port}",
    "http://10.0.0.1",
    "http://192.168.1.1",
    "http://169.254.169.254/latest/meta-data",
    "https://127.0.0.1:{port}",
]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("redirected", [False, True])
def test_private_addresses_are_refused(
    server: Collection, private: Server, tmp_path: Path, place: str, redirected: bool
) -> None:
    place = place.format(port=private.port) + "/secret.jpg"
    url = server.bad(Answer(b"", 302, {"Location": place})) if redirected else place
    reason = collect_around(server, url, tmp_path / "set")
    assert reason.startswith("refused: ") and "lies on a private network" in reason


def resolving(monkeypatch: pytest.MonkeyPatch, name: str, *answers: list[str]) -> None:
    """Make a name resolve to other addresses each time; the last of them for good."""
    real, answers_in_turn = socket.getaddrinfo, iter(answers)

    def getaddrinfo(host: Any, port: Any, *arguments: Any, **options: Any) -> Any:
        if host not in (name, name.encode()):
            return real(host, port, *arguments, **options)
        found = next(answers_in_turn, answers[-1])
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)


@pytest.mark.parametrize("addresses", [["127.0.0.1"], [PUBLIC, "127.0.0.1"], ["127.0.0.1", PUBLIC]])
@pytest.mark.parametrize("redirected", [False, True])
def test_a_name_that_leads_to_this_machine_is_refused(
    server: Collection,
    private: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    addresses: list[str],
    redirected: bool,
) -> None:
    resolving(monkeypatch, "photos.example", addresses)
    place = f"http://photos.example:{private.port}/"
    url = server.bad(Answer(b"", 302, {"Location": place})) if redirected else place
    reason = collect_around(server, url, tmp_path / "set")
    assert reason == "refused: photos.example lies on a private network (127.0.0.1)"


def test_a_name_that_leads_elsewhere_the_second_time_gains_nothing(
    server: Collection, private: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolving(monkeypatch, "photos.example", [PUBLIC], ["127.0.0.1"])
    connect, connected = httpcore2.SyncBackend.connect_tcp, []

    def connect_tcp(self: Any, host: str, port: int, *arguments: Any, **options: Any) -> Any:
        if port == private.port:
            connected.append(host)
            raise httpcore2.ConnectError("nobody there")
        return connect(self, host, port, *arguments, **options)

    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", connect_tcp)
    reason = collect_around(server, f"http://photos.example:{private.port}/", tmp_path / "set")
    assert connected == [PUBLIC]  # the address that was checked, not the name
    assert reason.startswith("refused: ")  # the second try, for which the name was looked up and checked again


def test_a_name_that_nobody_knows_is_named(server: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = socket.getaddrinfo

    def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> Any:
        if "example" in str(host):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return real(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    reason = collect_around(server, "http://gone.example/a.jpg", tmp_path / "set")
    assert reason.startswith("the name gone.example cannot be found")


# ---- duplicates and what is beside the pixels ------------------------------------------------------------------------


def near(number: int) -> bytes:
    file = io.BytesIO()
    picture(number).resize((140, 140)).save(file, "WEBP", quality=60)
    return file.getvalue()


@pytest.mark.parametrize(
    ("again", "expected"), [(jpeg(1), "the same picture as robin/"), (near(1), "nearly the same picture as robin/")]
)
def test_duplicates_are_passed_over_also_across_labels(
    server: Collection, tmp_path: Path, again: bytes, expected: str
) -> None:
    assert expected.removeprefix("nearly ") in collect_around(server, server.bad(as_jpeg(again)), tmp_path / "one")
    other = server.bad(as_jpeg(again))
    report = server.collect(tmp_path / "two", robin=[server.good(1)], wren=[server.good(2), other])
    assert report.counts == {"robin": 1, "wren": 1}
    ((address, reason),) = report.passed_over
    assert address == other and "same picture as robin/" in reason


def test_photos_are_turned_upright_and_what_the_camera_wrote_beside_them_is_gone(
    server: Collection, tmp_path: Path
) -> None:
    seen = Image.new("RGB", (160, 96), "navy")
    seen.paste("orange", (0, 0, 48, 96))  # its left, which the camera, held upright, saved as the top
    exif = Image.Exif()
    exif[0x0112] = 8  # orientation: to be turned left
    exif[0x010F] = "Maker of cameras"
    exif.get_ifd(0x8825).update({1: "N", 2: (52.0, 30.0, 0.0), 3: "E", 4: (13.0, 24.0, 0.0)})
    file = io.BytesIO()
    seen.transpose(Image.Transpose.ROTATE_270).save(
        file, "JPEG", exif=exif, comment=b"at home", xmp=b"<x:xmpmeta/>", quality=95
    )
    assert b"Exif" in file.getvalue()
    report = server.collect(tmp_path / "set", robin=[server.bad(as_jpeg(file.getvalue()))])
    (kept,) = report.images
    path = report.folder / kept.file_name
    for secret in (b"Exif", b"Maker of cameras", b"at home", b"xmpmeta"):
        assert secret not in path.read_bytes()
    with Image.open(path) as image:
        assert image.size == (160, 96) and not image.getexif()
        left, right = image.getpixel((10, 48)), image.getpixel((140, 48))
    assert left[0] > 200 and right[0] < 60
