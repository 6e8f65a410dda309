"""The HTTP client by itself: what it refuses, how long it waits, and how much it takes."""

import email.utils
import itertools
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpcore2
import pytest
from servers import Answer, Request, Server

import tl_course
from tl_course.errors import FetchError
from tl_course.net import http_client
from tl_course.net.http_client import Client

LIMIT = 2**20


@pytest.fixture
def server() -> Iterator[Server]:
    with Server({"/a": Answer(b"picture", headers={"Content-Type": "Image/JPEG; x=y"})}) as server:
        yield server


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(trusted=[server.url]) as client:
        yield client


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that connections were asked for; none is made."""
    hosts: list[str] = []

    def connect_tcp(self: Any, host: str, *_: Any, **__: Any) -> Any:
        hosts.append(host)
        raise httpcore2.ConnectError("not in a test")

    monkeypatch.setattr(httpcore2.SyncBackend, "connect_tcp", connect_tcp)
    return hosts


PRIVATE = [
    *("127.0.0.1", "127.8.9.10", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.0.1"),
    *("169.254.169.254", "100.64.0.1", "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.255.255.250", "255.255.255.255"),
    *("[::]", "[::1]", "[fe80::1]", "[fc00::1]", "[fd12:3456::1]", "[ff02::1]", "[2001:db8::1]"),
    *("[::ffff:127.0.0.1]", "[::ffff:10.0.0.1]", "[::ffff:a9fe:a9fe]"),  # IPv4 written as IPv6
    *("[64:ff9b::7f00:1]", "[64:ff9b::a9fe:a9fe]", "[64:ff9b:1::7f00:1]"),  # NAT64
    *("[::7f00:1]", "[fec0::1]"),  # forms that are no longer used, and that a kernel may still take
    *("[2002:7f00:1::]", "[2002:c0a8:1::1]"),  # 6to4
    *("2130706433", "0x7f000001", "127.1", "localhost", "127。0。0。1"),
]


@pytest.mark.parametrize("host", PRIVATE)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_private_addresses_are_refused_before_anything_is_sent(connected: list[str], scheme: str, host: str) -> None:
    with Client() as client, pytest.raises(FetchError, match="lies on a private network") as caught:
        client.fetch(f"{scheme}://{host}/a", limit=LIMIT)
    assert connected == [] and not caught.value.passing


@pytest.mark.parametrize("host", ["93.184.216.34", "[2606:2800:220:1::1]", "[::ffff:93.184.216.34]"])
def test_public_addresses_are_let_through(connected: list[str], host: str) -> None:
    with Client() as client, pytest.raises(FetchError, match="no connection"):
        client.fetch(f"http://{host}/a", limit=LIMIT, tries=1)
    assert len(connected) == 1


@pytest.mark.parametrize("url", ["file:///etc/hostname", "ftp://example.org/a", "data:,a", "javascript:1"])
def test_other_schemes_are_refused(url: str) -> None:
    with Client() as client, pytest.raises(FetchError, match="refused: an address that starts with"):
        client.fetch(url, limit=LIMIT)


@pytest.mark.parametrize(
    "url", ["", "pictures/a.jpg", "http://", "http://[::1", "http://a b/c", "//host/a", "http:///x"]
)
def test_what_is_no_address_is_said_to_be_none(connected: list[str], url: str) -> None:
    with Client() as client, pytest.raises(FetchError):
        client.fetch(url, limit=LIMIT, tries=1)
    assert connected == []


def test_what_the_user_named_is_trusted_and_nothing_beside_it(server: Server) -> None:
    with Server({"/a": b"secret"}) as other, Client(trusted=[f"{server.url}/some/path"]) as client:
        assert client.fetch(f"{server.url}/a", limit=LIMIT).content == b"picture"
        server.routes["/away"] = Answer(b"", 302, {"Location": f"{other.url}/a"})
        for url in (f"{other.url}/a", f"{server.url}/away", f"http://127.0.0.2:{server.port}/a"):
            with pytest.raises(FetchError, match="refused"):
                client.fetch(url, limit=LIMIT)
        assert other.requests == []


def test_a_name_is_connected_to_at_the_address_that_was_checked(
    connected: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    info = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("93.184.216.34", 80))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [info])
    with Client() as client, pytest.raises(FetchError):
        client.fetch("http://photos.example/a", limit=LIMIT, tries=1)
    assert connected == ["93.184.216.34"]


def test_an_answer_is_its_bytes_its_kind_and_where_it_came_from(server: Server, client: Client) -> None:
    server.routes["/b"] = Answer(b"", 301, {"Location": "/a"})
    found = client.fetch(f"{server.url}/b", limit=LIMIT, params={"q": "ä b"})
    assert (found.content, found.media_type, found.url) == (b"picture", "image/jpeg", f"{server.url}/a")
    assert server.requests[0].query == {"q": "ä b"}


def test_who_asks_is_said(server: Server, client: Client) -> None:
    client.fetch(f"{server.url}/a", limit=LIMIT)
    agent = server.requests[0].headers["user-agent"]
    assert re.fullmatch(rf"tl-course/{re.escape(tl_course.__version__)}( \(\+https://\S+\))?", agent)
    assert server.requests[0].headers["accept-encoding"] == "identity"


# ---- trying again ----------------------------------------------------------------------------------------------------


def in_turn(*answers: Answer) -> Callable[[Request], Answer]:
    left = iter(answers)
    return lambda request: next(left, answers[-1])


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited for anything; time does not pass."""
    noted: list[float] = []
    wait = Client._wait

    def noting(self: Client, seconds: float) -> None:
        if seconds > 0:
            noted.append(seconds)
        wait(self, seconds if seconds > http_client.LONGEST_WAIT else 0)

    monkeypatch.setattr(Client, "_wait", noting)
    return noted


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_passing_faults_are_tried_again(server: Server, client: Client, waits: list[float], status: int) -> None:
    server.routes["/a"] = in_turn(Answer(b"", status), Answer(b"", status), Answer(b"good"))
    assert client.fetch(f"{server.url}/a", limit=LIMIT).content == b"good"
    assert len(waits) == 2 and waits[1] > waits[0] / 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501])
def test_other_faults_are_not(server: Server, client: Client, status: int) -> None:
    server.routes["/a"] = Answer(b"", status)
    with pytest.raises(FetchError, match=f"^HTTP {status} \\(") as caught:
        client.fetch(f"{server.url}/a", limit=LIMIT)
    assert server.asked_for("/a") == 1 and not caught.value.passing


def test_after_three_tries_it_is_enough(server: Server, client: Client, waits: list[float]) -> None:
    server.routes["/a"] = Answer(b"", 503)
    with pytest.raises(FetchError, match=r"^HTTP 503 \(Service Unavailable\)$") as caught:
        client.fetch(f"{server.url}/a", limit=LIMIT)
    assert server.asked_for("/a") == 3 and caught.value.passing


def in_words(wait: str | int) -> str:
    """A Retry-After as it stands, or as the date in so many seconds from now."""
    return wait if isinstance(wait, str) else email.utils.formatdate(time.time() + wait, usegmt=True)


@pytest.mark.parametrize("retry_after", ["15", 15], ids=["a number", "a date"])
def test_a_retry_after_is_waited_for_by_all_who_ask_that_host(
    server: Server, client: Client, waits: list[float], retry_after: str | int
) -> None:
    server.routes["/a"] = in_turn(Answer(b"", 429, {"Retry-After": in_words(retry_after)}), Answer(b"good"))
    server.routes["/b"] = Answer(b"good")
    assert client.fetch(f"{server.url}/a", limit=LIMIT).content == b"good"
    client.fetch(f"{server.url}/b", limit=LIMIT)
    assert sum(8 < wait <= 15 for wait in waits) == 2


@pytest.mark.parametrize(
    ("retry_after", "words"), [("3600", "60 minutes"), (7200, "1(20|19) minutes"), ("9" * 30, r"\d+ minutes")]
)
def test_a_retry_after_that_is_too_long_gives_up_at_once(
    server: Server, client: Client, retry_after: str | int, words: str
) -> None:
    server.routes["/a"] = Answer(b"", 429, {"Retry-After": in_words(retry_after)})
    with pytest.raises(FetchError, match=rf"^HTTP 429 \(Too Many Requests\): asked to wait {words}$") as caught:
        client.fetch(f"{server.url}/a", limit=LIMIT)
    assert server.asked_for("/a") == 1 and caught.value.passing
    with pytest.raises(FetchError, match=r"^asked to wait "):  # and the host is left alone
        client.fetch(f"{server.url}/b", limit=LIMIT)
    assert server.asked_for("/b") == 0


@pytest.mark.parametrize("retry_after", ["soon", "-5", "", -60, "²", "Wed, 99 Foo 2026"])
def test_a_retry_after_that_says_nothing_is_as_none(
    server: Server, client: Client, waits: list[float], retry_after: str | int
) -> None:
    server.routes["/a"] = in_turn(Answer(b"", 503, {"Retry-After": in_words(retry_after)}), Answer(b"good"))
    assert client.fetch(f"{server.url}/a", limit=LIMIT).content == b"good"


def test_closing_ends_all_waiting(server: Server) -> None:
    server.routes["/a"] = Answer(b"", 429, {"Retry-After": "15"})
    client, errors = Client(trusted=[server.url]), []

    def fetch() -> None:
        try:
            client.fetch(f"{server.url}/a", limit=LIMIT)
        except FetchError as error:
            errors.append(str(error))

    thread = threading.Thread(target=fetch, daemon=True)
    thread.start()
    while not server.asked_for("/a"):
        threading.Event().wait(0.01)
    client.close()
    thread.join(10)
    assert len(errors) == 1 and not thread.is_alive()


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_no_more_is_taken_than_was_allowed(server: Server, client: Client) -> None:
    sent = itertools.count()
    server.routes["/a"] = lambda request: Answer(bytes(2**14) for _ in sent)
    with pytest.raises(FetchError, match="longer than 1 MB, so given up"):
        client.fetch(f"{server.url}/a", limit=LIMIT)
    server.routes["/exact"] = Answer(bytes(LIMIT))
    assert len(client.fetch(f"{server.url}/exact", limit=LIMIT).content) == LIMIT


def test_what_says_that_it_is_too_long_is_not_read(server: Server, client: Client) -> None:
    server.routes["/a"] = Answer(b"", length=5 * LIMIT)
    with pytest.raises(FetchError, match=r"too long \(5 MB\)"):
        client.fetch(f"{server.url}/a", limit=LIMIT)


def test_no_more_is_taken_in_all(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client, "MAX_IN_ALL", 2 * LIMIT)
    server.routes["/a"] = Answer(bytes(LIMIT))
    with Client(trusted=[server.url]) as client:
        for _ in range(2):
            client.fetch(f"{server.url}/a", limit=LIMIT)
        with pytest.raises(FetchError, match="fetched in all"):
            client.fetch(f"{server.url}/a", limit=LIMIT)


def test_endless_redirects_end(server: Server, client: Client) -> None:
    server.routes["/loop"] = Answer(b"", 302, {"Location": "/loop"})
    with pytest.raises(FetchError, match="one redirect after another"):
        client.fetch(f"{server.url}/loop", limit=LIMIT)
    assert server.asked_for("/loop") <= 6


def test_json_is_read_and_a_captcha_is_named(server: Server, client: Client) -> None:
    server.routes |= {"/json": b'{"a": [1]}', "/page": b"<!doctype html>", "/other": b"\xff\xfe"}
    assert client.json(f"{server.url}/json") == {"a": [1]}
    with pytest.raises(FetchError, match="a captcha, or a login"):
        client.json(f"{server.url}/page")
    with pytest.raises(FetchError, match="something that is no JSON"):
        client.json(f"{server.url}/other")
