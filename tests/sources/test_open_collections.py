"""Openverse and Wikimedia Commons, against a server that answers as theirs do."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from drawn import jpeg
from servers import Answer, Request, Server

from tl_course.net import http_client
from tl_course.sources import Commons, Openverse, Source

CAPTCHA = Answer(b"<!DOCTYPE html><html><body>Are you a robot?</body></html>", headers={"Content-Type": "text/html"})


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_client.Client, "pause", lambda self, failures: None)


def as_json(answer: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(json.dumps(answer).encode(), status, {"Content-Type": "application/json", **headers})


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metadata.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def pictures(server: Server) -> str:
    """Pictures lie on another host than the API, so that what one asks for does not bind the other."""
    return server.url.replace("127.0.0.1", "localhost")


def openverse(server: Server, found: int, **changed: Any) -> Callable[[Request], Answer]:
    """As https://api.openverse.org/v1/ documents "Search images" (schemas PaginatedImageList and Image).

    Values are made up in the manner of its example.
    """

    def route(request: Request) -> Answer:
        size, page = int(request.query["page_size"]), int(request.query["page"])
        if size > 20:
            return as_json({"detail": "Page size must be between 0 & 20 for unauthenticated requests."}, 401)
        if size * page > 240:
            return as_json({"detail": "Searches with a depth over 240 are refused."}, 400)
        shown = range(found)[size * (page - 1) : size * page]
        answer = {"result_count": found, "page_count": min(-(-found // size), 12), "page_size": size, "page": page}
        return as_json(answer | {"results": [result(server, number) | changed for number in shown]})

    return route


def result(server: Server, number: int) -> dict[str, Any]:
    return {
        "id": f"4bc43a04-ef46-4544-a0c1-{number:012}",
        "title": f"Robin {number}",
        "indexed_on": "2022-08-27T17:39:48Z",
        "foreign_landing_url": f"https://www.flickr.com/photos/ann/{number}",
        "url": f"{pictures(server)}/photos/{number}.jpg",
        "creator": "Ann Ōta, with a comma",
        "creator_url": "https://www.flickr.com/photos/ann",
        "license": "by-sa",
        "license_version": "2.0",
        "license_url": "https://creativecommons.org/licenses/by-sa/2.0/",
        "provider": "flickr",
        "source": "flickr",
        "category": None,
        "filesize": None,
        "filetype": "jpg",
        "tags": [{"name": "robin", "accuracy": None}],
        "attribution": '"Robin" by Ann is licensed under CC BY-SA 2.0.',
        "mature": False,
        "height": 768,
        "width": 1024,
        "thumbnail": f"https://api.openverse.org/v1/images/{number}/thumb/",
    }


def commons(server: Server, found: int) -> Callable[[Request], Answer]:
    """As https://www.mediawiki.org/wiki/API:Imageinfo, API:Search (as a generator) and API:Continue document.

    With formatversion=2 (API:JSON version 2) pages are a list; they come sorted by page id, not by their `index`.
    """

    def route(request: Request) -> Answer:
        asked = request.query
        assert (asked["action"], asked["generator"], asked["gsrnamespace"]) == ("query", "search", "6")
        assert asked["formatversion"] == "2"
        start, limit = int(asked.get("gsroffset", 0)), int(asked["gsrlimit"])
        shown = range(found)[start : start + limit]
        answer: dict[str, Any] = {"batchcomplete": True}
        if start + limit < found:
            answer["continue"] = {"gsroffset": start + limit, "continue": "gsroffset||"}
        if shown:
            answer["query"] = {"pages": [page(server, number, int(asked["iiurlwidth"])) for number in reversed(shown)]}
        return as_json(answer)

    return route


def page(server: Server, number: int, width: int) -> dict[str, Any]:
    return {
        "pageid": 9_000_000 - number,
        "ns": 6,
        "title": f"File:Robin {number}.jpg",
        "index": number + 1,
        "imagerepository": "local",
        "imageinfo": [
            {
                "user": "Uploader",
                "thumburl": f"{pictures(server)}/photos/{number}.jpg",
                "thumbwidth": width,
                "thumbheight": 720,
                "url": f"{pictures(server)}/originals/{number}.jpg",
                "descriptionurl": f"https://commons.wikimedia.org/wiki/File:Robin_{number}.jpg",
                "descriptionshorturl": f"https://commons.wikimedia.org/w/index.php?curid={number}",
                "mime": "image/jpeg",
                "extmetadata": {
                    "ObjectName": {"value": f"Robin {number}", "source": "mediawiki-metadata", "hidden": ""},
                    "Artist": {
                        "value": '<a href="//commons.wikimedia.org/wiki/User:Ann">Ann &amp; Bob</a>, Berlin'
                        '<span style="display: none;">Ann &amp; Bob</span>',
                        "source": "commons-desc-page",
                    },
                    "LicenseShortName": {"value": "CC BY-SA 4.0", "source": "commons-desc-page", "hidden": ""},
                    "LicenseUrl": {"value": "https://creativecommons.org/licenses/by-sa/4.0", "source": "x"},
                },
            }
        ],
    }


def photos(request: Request) -> Answer:
    return Answer(jpeg(int(request.path.rpartition("/")[2].partition(".")[0])), headers={"Content-Type": "image/jpeg"})


@pytest.fixture
def server() -> Any:
    with Server({"/photos/": photos}) as server:
        yield server


def served(server: Server, kind: type[Source], found: int, route: Any = None) -> Source:
    server.routes["/api"] = route or {Openverse: openverse, Commons: commons}[kind](server, found)
    source: Source = kind(api=f"{server.url}/api")  # type: ignore[call-arg]
    source.trusted = [*source.trusted, pictures(server)]
    return source


@pytest.mark.parametrize(("kind", "found", "asked"), [(Openverse, 45, 3), (Commons, 60, 2)])
def test_all_pages_are_read_in_the_order_of_the_search(
    server: Server, tmp_path: Path, kind: type[Source], found: int, asked: int
) -> None:
    report = served(server, kind, found).collect({"robin": "robin bird"}, 200, tmp_path / "set")
    assert report.counts == {"robin": found}
    assert [int(row["url"].rpartition("/")[2].removesuffix(".jpg")) for row in read_journal(tmp_path / "set")] == [
        *range(found)
    ]
    assert server.asked_for("/api") == asked
    assert "robin bird" in server.requests[0].query["q" if kind is Openverse else "gsrsearch"]
    (problem,) = report.problems
    assert f"{kind.name}: robin has {found} of 200, and no more came" in problem


def read_journal(folder: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in (folder / "collected.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.mark.slow
def test_no_more_pages_are_asked_for_than_are_wanted(server: Server, tmp_path: Path) -> None:
    report = served(server, Openverse, 400).collect(["robin"], 10, tmp_path / "set")
    assert report.complete and server.asked_for("/api") == 1
    assert served(server, Openverse, 400).collect(["robin"], 300, tmp_path / "set").counts == {"robin": 240}


def test_creator_licence_and_landing_page_of_openverse_are_in_the_table(server: Server, tmp_path: Path) -> None:
    served(server, Openverse, 1).collect(["robin"], 1, tmp_path / "set")
    (row,) = rows(tmp_path / "set")
    assert row["creator"] == "Ann Ōta, with a comma"
    assert row["license"] == "CC-BY-SA-2.0"
    assert row["license_url"] == "https://creativecommons.org/licenses/by-sa/2.0/"
    assert row["page"] == "https://www.flickr.com/photos/ann/0"
    assert row["url"] == f"{pictures(server)}/photos/0.jpg"
    assert (row["label"], row["source"], row["title"]) == ("robin", "openverse/flickr", "Robin 0")


def test_creator_licence_and_landing_page_of_commons_are_in_the_table(server: Server, tmp_path: Path) -> None:
    served(server, Commons, 1).collect(["robin"], 1, tmp_path / "set")
    (row,) = rows(tmp_path / "set")
    assert row["creator"] == "Ann & Bob, Berlin"
    assert row["license"] == "CC-BY-SA-4.0"
    assert row["license_url"] == "https://creativecommons.org/licenses/by-sa/4.0"
    assert row["page"] == "https://commons.wikimedia.org/wiki/File:Robin_0.jpg"
    assert (row["label"], row["source"], row["title"]) == ("robin", "commons", "Robin 0")
    assert server.asked_for("/originals/0.jpg") == 0  # the scaled version
    assert server.requests[0].query["iiurlwidth"] in {"250", "330", "500", "960", "1280", "1920"}  # what is served


@pytest.mark.parametrize(
    ("code", "version", "name"),
    [("cc0", "1.0", "CC0-1.0"), ("pdm", "1.0", "PDM-1.0"), ("by-nc-nd", "3.0", "CC-BY-NC-ND-3.0"), (None, None, "")],
)
def test_licences_of_openverse(server: Server, tmp_path: Path, code: str, version: str, name: str) -> None:
    route = openverse(server, 1, license=code, license_version=version)
    served(server, Openverse, 1, route).collect(["robin"], 1, tmp_path / "set")
    assert rows(tmp_path / "set")[0]["license"] == name


@pytest.mark.parametrize(
    ("short", "name"),
    [("CC0", "CC0-1.0"), ("CC BY-SA 3.0 de", "CC-BY-SA-3.0-DE"), ("Public domain", "Public domain")],
)
def test_licences_of_commons(server: Server, tmp_path: Path, short: str, name: str) -> None:
    entry = page(server, 0, 960)
    entry["imageinfo"][0]["extmetadata"] = {"LicenseShortName": {"value": short}}
    route = as_json({"batchcomplete": True, "query": {"pages": [entry]}})
    served(server, Commons, 1, route).collect(["robin"], 1, tmp_path / "set")
    (row,) = rows(tmp_path / "set")
    assert row["license"] == name
    assert row["creator"] == "uploaded by Uploader"  # where the page names nobody


def test_entries_that_are_no_pictures_are_left_out(server: Server, tmp_path: Path) -> None:
    good = result(server, 1)
    odd = [None, 7, [], {}, {"url": None}, {"url": "file:///etc/passwd"}, {"url": f"{server.url}/x"} | {"mature": True}]
    bare = {"url": f"{pictures(server)}/photos/2.jpg", "creator": None, "license": 3, "provider": [], "title": {}}
    drawing = result(server, 3) | {"filetype": "svg"}
    pages = {"1": as_json({"page_count": "many", "results": [*odd, good, bare, drawing]})}
    source = served(server, Openverse, 1, lambda request: pages.get(request.query["page"], as_json({"results": []})))
    assert source.collect(["robin"], 9, tmp_path / "a").counts == {"robin": 2}

    def info(**changed: Any) -> dict[str, Any]:
        entry = page(server, 9, 960)
        entry["imageinfo"][0] |= changed
        return entry

    odd = [None, "x", {}, {"imageinfo": None}, {"imageinfo": [None]}, info(mime="image/svg+xml"), info(mime=["a"])]
    kept = info(
        extmetadata={"Artist": None, "LicenseShortName": {"value": 4}},
        thumburl=None,
        url=f"{pictures(server)}/photos/4.jpg",
    )
    route = as_json({"batchcomplete": True, "query": {"pages": [*odd, info(mime="application/pdf"), kept]}})
    assert served(server, Commons, 1, route).collect(["robin"], 9, tmp_path / "b").counts == {"robin": 1}


BOTH = pytest.mark.parametrize("kind", [Openverse, Commons])


@BOTH
@pytest.mark.parametrize("answer", [[], None, 3, "no", {}, {"results": None, "query": None}, {"query": {"pages": {}}}])
def test_an_answer_of_another_shape_is_one_plain_line(
    server: Server, tmp_path: Path, kind: type[Source], answer: Any
) -> None:
    report = served(server, kind, 1, as_json(answer)).collect(["robin"], 5, tmp_path / "set")
    (problem,) = report.problems
    assert problem.startswith(f"{kind.name}: answered with something else than a list of pictures")


@pytest.mark.slow
@BOTH
@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (as_json({"detail": "Request was throttled."}, 429), "HTTP 429 (Too Many Requests)"),
        (as_json({}, 429, **{"Retry-After": "3600"}), "HTTP 429 (Too Many Requests): asked to wait 60 minutes"),
        (as_json({}, 503), "HTTP 503 (Service Unavailable)"),
        (as_json({"detail": "Authentication failed."}, 401), "HTTP 401 (Unauthorized)"),
        (CAPTCHA, "answered with a web page (a captcha, or a login)"),
        (Answer(b'{"results": [{"url": "htt', length=4000), "the connection broke"),
        (Answer(b'{"results": [{"url": "htt'), "answered with something that is no JSON"),
    ],
)
def test_a_refusal_in_the_middle_keeps_what_came_and_says_why(
    server: Server, tmp_path: Path, kind: type[Source], answer: Answer, reason: str
) -> None:
    source = served(server, kind, 200)
    good = server.routes["/api"]
    server.routes["/api"] = lambda request: (
        answer if request.query.get("page", "1") != "1" or "gsroffset" in request.query else good(request)
    )
    report = source.collect(["robin"], 100, tmp_path / "set")
    assert report.counts == {"robin": 20 if kind is Openverse else 50}
    (problem,) = report.problems
    assert problem.startswith(f"{kind.name}: {reason}") and "\n" not in problem
    assert len(report.images) == report.counts["robin"]


@BOTH
@pytest.mark.parametrize("headers", [{}, {"Retry-After": "0"}])
@pytest.mark.parametrize("status", [429, 500])
def test_a_passing_fault_is_outlived(
    server: Server, tmp_path: Path, kind: type[Source], status: int, headers: dict[str, str]
) -> None:
    source = served(server, kind, 30)
    good = server.routes["/api"]
    faults = iter([as_json({}, status, **headers)] * 2)
    server.routes["/api"] = lambda request: next(faults, None) or good(request)
    assert source.collect(["robin"], 30, tmp_path / "set").complete


@BOTH
def test_nothing_found(server: Server, tmp_path: Path, kind: type[Source]) -> None:
    report = served(server, kind, 0).collect(["xyzzy"], 5, tmp_path / "set")
    assert report.counts == {"xyzzy": 0}
    assert "xyzzy has 0 of 5, and no more came" in report.problems[0]


def test_commons_says_what_the_wiki_said(server: Server, tmp_path: Path) -> None:
    # https://www.mediawiki.org/wiki/API:Errors_and_warnings: errors come with HTTP 200
    error = {"error": {"code": "ratelimited", "info": "You've exceeded your rate limit.\nPlease wait."}}
    report = served(server, Commons, 1, as_json(error)).collect(["robin"], 5, tmp_path / "set")
    assert "commons: answered: You've exceeded your rate limit. Please wait." in report.problems[0]


def test_a_wiki_that_continues_for_ever_is_left(server: Server, tmp_path: Path) -> None:
    endless = as_json({"continue": {"gsroffset": 0, "continue": "gsroffset||"}, "query": {"pages": []}})
    assert not served(server, Commons, 1, endless).collect(["robin"], 5, tmp_path / "set").complete
    assert server.asked_for("/api") == 2
