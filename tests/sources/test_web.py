"""Image search on the web: the ddgs package itself, against a server that answers as the search engines do."""

import csv
import html
import json
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ddgs.http_client import HttpClient
from drawn import jpeg
from servers import Answer, Request, Server

from tl_course import ImageSet
from tl_course.errors import ImageSetError
from tl_course.net import http_client
from tl_course.sources import Collected, Web, web

CAPTCHA = Answer(b"<html><body><form>Unfortunately, bots use this, too.</form></body></html>")
NOTHING = Answer(b'{"results": []}')
RATE_LIMITS = [Answer(b"<html>", 202), Answer(b"", 403), Answer(b"Too many", 429, {"Retry-After": "3600"})]

Route = Callable[[Request], Answer] | Answer


def photos(request: Request) -> Answer:
    return Answer(jpeg(int(request.path.rpartition("/")[2].partition(".")[0])), headers={"Content-Type": "image/jpeg"})


class Engines(Server):
    """DuckDuckGo under /duckduckgo, Bing under /bing, and the pictures that they find.

    Neither documents its answers; they have here what ddgs 9.16 reads (its engines/duckduckgo_images.py and
    engines/bing_images.py).
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "/photos/": photos,
                "/duckduckgo": Answer(b'<script>vqd="4-12345";</script>'),
                "/duckduckgo/i.js": NOTHING,
                "/bing/images/async": Answer(b"<html></html>"),
            }
        )
        self.places = {"https://duckduckgo.com": self.url + "/duckduckgo", "https://www.bing.com": self.url + "/bing"}

    def duckduckgo(self, *pages: range) -> Route:
        def route(request: Request) -> Answer:
            assert request.query["vqd"] == "4-12345"
            number = int(request.query.get("s", 0)) // 100
            shown = pages[number] if number < len(pages) else []
            results = [
                {
                    "title": f"A <b>robin</b> {n}",
                    "image": f"{self.url}/photos/{n}.jpg",
                    "thumbnail": f"{self.url}/thumbs/{n}.jpg",
                    "url": f"https://www.birds.example/robins/{n}",
                    "height": 96,
                    "width": 96,
                    "source": "Bing",
                }
                for n in shown
            ]
            return Answer(json.dumps({"query": "robin", "results": results, "next": "i.js?s=100"}).encode())

        return route

    def bing(self, *pages: range) -> Route:
        def route(request: Request) -> Answer:
            number = (int(request.query["first"]) - 1) // int(request.query["count"])
            cells = "".join(self._cell(n) for n in (pages[number] if number < len(pages) else []))
            return Answer(f"<html><body><div class='dgControl'>{cells}</div></body></html>".encode())

        return route

    def _cell(self, n: int) -> str:
        known = {"t": f"Robin {n}", "murl": f"{self.url}/photos/{n}.jpg", "turl": "", "purl": f"https://b.example/{n}"}
        return (
            f"<div><div class='imgpt'><a class='iusc' m='{html.escape(json.dumps(known), quote=True)}'></a>"
            "<div class='img_info'><span class='nowrap'>96 x 96 · jpeg</span></div></div>"
            "<div class='infopt'><div class='lnkw'><a>b.example</a></div></div></div>"
        )


@pytest.fixture(autouse=True)
def engines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Engines]:
    """A server in place of both search engines; whatever else would be asked is an error."""
    request = HttpClient.request

    def redirected(self: HttpClient, method: str, url: str, **options: Any) -> Any:
        place = next(place for place in server.places if url.startswith(place))
        return request(self, method, server.places[place] + url.removeprefix(place), **options)

    monkeypatch.setattr(HttpClient, "request", redirected)
    monkeypatch.setattr(http_client.Client, "pause", lambda self, failures: None)
    with Engines() as server:
        yield server


def collect(engines: Engines, n: int, into: Path) -> Collected:
    source = Web()
    source.trusted = [engines.url]
    return source.collect({"robin": "robin bird"}, n, into)


def numbers(folder: Path) -> list[int]:
    lines = (folder / "collected.jsonl").read_text(encoding="utf-8").splitlines()
    return [int(json.loads(line)["url"].rpartition("/")[2].removesuffix(".jpg")) for line in lines]


def test_one_engine_after_the_other_page_after_page(engines: Engines, tmp_path: Path) -> None:
    engines.routes["/duckduckgo/i.js"] = engines.duckduckgo(range(4), range(3, 8))
    engines.routes["/bing/images/async"] = engines.bing(range(6, 10), range(10, 12))
    report = collect(engines, 11, tmp_path / "set")
    assert report.complete and numbers(tmp_path / "set") == [*range(11)]
    assert all(engines.asked_for(f"/photos/{n}.jpg") == 1 for n in range(11))


def test_where_a_picture_comes_from_is_in_the_table(engines: Engines, tmp_path: Path) -> None:
    engines.routes["/duckduckgo/i.js"] = engines.duckduckgo(range(1))
    engines.routes["/bing/images/async"] = engines.bing(range(1, 2))
    collect(engines, 2, tmp_path / "set")
    with (tmp_path / "set" / "metadata.csv").open(newline="", encoding="utf-8") as file:
        first, second = sorted(csv.DictReader(file), key=lambda row: row["url"])
    assert (first["source"], first["page"]) == ("web/birds.example", "https://www.birds.example/robins/0")
    assert (first["license"], first["title"], first["url"]) == ("unknown", "A robin 0", f"{engines.url}/photos/0.jpg")
    assert (second["source"], second["page"]) == ("web/b.example", "https://b.example/1")


def test_safe_search_is_on(engines: Engines, tmp_path: Path) -> None:
    collect(engines, 1, tmp_path / "set")
    asked = {request.path: request.query for request in engines.requests}
    assert asked["/duckduckgo/i.js"]["p"] == "1"
    assert asked["/bing/images/async"]["adlt"] == "strict"
    assert asked["/bing/images/async"]["q"] == "robin bird"


@pytest.mark.parametrize("refusal", [*RATE_LIMITS, CAPTCHA, Answer(b'{"results": [{"im'), Answer(b"{}", 500)])
def test_the_next_engine_is_asked_when_one_refuses(engines: Engines, tmp_path: Path, refusal: Answer) -> None:
    engines.routes["/duckduckgo/i.js"] = refusal
    engines.routes["/bing/images/async"] = engines.bing(range(5))
    assert collect(engines, 5, tmp_path / "set").complete


@pytest.mark.parametrize("refusal", [*RATE_LIMITS, CAPTCHA])
def test_the_first_step_of_a_search_may_be_refused_too(engines: Engines, tmp_path: Path, refusal: Answer) -> None:
    engines.routes["/duckduckgo"] = refusal
    engines.routes["/bing/images/async"] = engines.bing(range(5))
    assert collect(engines, 5, tmp_path / "set").complete
    assert engines.asked_for("/duckduckgo") == 1  # it is not pestered


@pytest.mark.parametrize("refusal", RATE_LIMITS)
def test_when_all_refuse_one_plain_line_says_what_each_said(
    engines: Engines, tmp_path: Path, refusal: Answer, capfd: pytest.CaptureFixture[str]
) -> None:
    good = engines.duckduckgo(range(4))
    engines.routes["/duckduckgo/i.js"] = lambda request: refusal if "s" in request.query else good(request)
    engines.routes["/bing/images/async"] = refusal
    report = collect(engines, 9, tmp_path / "set")
    (problem,) = report.problems
    assert problem.startswith("web: duckduckgo refused (too many requests from here), bing refused")
    assert "a class that shares one address" in problem and "openverse" in problem and "\n" not in problem
    assert report.counts == {"robin": 4} and len(ImageSet.open(tmp_path / "set", warn=False)) == 4
    assert capfd.readouterr() == ("", "")


def test_a_captcha_everywhere_is_not_taken_for_an_answer(engines: Engines, tmp_path: Path) -> None:
    engines.routes |= {"/duckduckgo/i.js": CAPTCHA, "/bing/images/async": CAPTCHA}
    (problem,) = collect(engines, 9, tmp_path / "set").problems
    assert problem.startswith("web: duckduckgo answered with something else than pictures (a captcha?), bing had no")


@pytest.mark.slow
def test_hanging_and_unreachable_engines_are_named(
    engines: Engines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    over = threading.Event()
    monkeypatch.setattr(web, "TIMEOUT", 1)
    engines.routes["/duckduckgo/i.js"] = lambda request: Answer(b"", 500 * over.wait(20))
    engines.places["https://www.bing.com"] = "http://127.0.0.1:1"
    (problem,) = collect(engines, 9, tmp_path / "set").problems
    over.set()
    assert problem.startswith("web: duckduckgo gave no answer in time, bing cannot be reached.")


def test_results_without_an_address_are_left_out(engines: Engines, tmp_path: Path) -> None:
    results = [{}, {"image": None}, {"image": "data:image/gif;base64,R0"}, {"image": f"{engines.url}/photos/1.jpg"}]
    pages = {None: Answer(json.dumps({"results": results}).encode())}
    engines.routes["/duckduckgo/i.js"] = lambda request: pages.get(request.query.get("s"), NOTHING)
    assert collect(engines, 3, tmp_path / "set").counts == {"robin": 1}


def test_without_ddgs_the_error_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ddgs.engines", None)
    with pytest.raises(ImageSetError, match="pip install ddgs"):
        Web().collect(["robin"], 3, tmp_path / "set")


def test_an_engine_that_shows_the_same_page_again_and_again_is_left(engines: Engines, tmp_path: Path) -> None:
    engines.routes["/duckduckgo/i.js"] = engines.duckduckgo(*[range(3)] * 30)
    assert collect(engines, 9, tmp_path / "set").counts == {"robin": 3}
    assert engines.asked_for("/duckduckgo/i.js") == 2
