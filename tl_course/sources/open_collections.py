"""Openly licensed pictures from Openverse and Wikimedia Commons, with creator, licence and landing page of each."""

import re
from collections.abc import Iterator
from contextlib import suppress
from html.parser import HTMLParser
from typing import Any

from tl_course.data.collection import Candidate
from tl_course.errors import FetchError
from tl_course.net.http_client import Client
from tl_course.sources.base import Source

__all__ = ["Commons", "Openverse"]

OPENVERSE = "https://api.openverse.org/v1/images/"
COMMONS = "https://commons.wikimedia.org/w/api.php"

_FORMATS = frozenset({"image/jpeg", "image/png", "image/webp", "image/gif"})


class Openverse(Source):
    """Openly licensed photos of Flickr, museums and many others, through the API of Openverse.

    Anybody may ask it, though not often: it answers 240 pictures to a search, 20 at a time, and tells a busy class to
    wait. `api` is another address of it.

    References
    ----------
    https://api.openverse.org/v1/, "Search images".
    """

    name = "openverse"
    help = "openly licensed photos from Openverse (Flickr, museums), with credit given"

    def __init__(self, *, api: str = OPENVERSE) -> None:
        self._api = api
        if api != OPENVERSE:
            self.trusted = [api]

    def search(self, label: str, query: str, client: Client) -> Iterator[Candidate]:
        """See `Source.search`."""
        # Without Commons, which throttles its originals; our source of that name asks for the scaled versions.
        asked = {"q": query, "page_size": 20, "mature": "false", "excluded_source": "wikimedia"}
        for page in range(1, 240 // 20 + 1):
            answer = client.json(self._api, {**asked, "page": page})
            results = _dict(answer).get("results")
            if not isinstance(results, list):
                raise FetchError("answered with something else than a list of pictures")
            yield from filter(None, (self._candidate(label, _dict(result)) for result in results))
            count = answer.get("page_count")
            if not results or (isinstance(count, int) and page >= count):
                return

    def _candidate(self, label: str, result: dict[str, Any]) -> Candidate | None:
        url = _text(result, "url")
        if not url.startswith(("http://", "https://")) or result.get("mature") or _text(result, "filetype") == "svg":
            return None
        where = _text(result, "provider") or _text(result, "source")
        return Candidate(
            label=label,
            url=url,
            source=f"{self.name}/{where}".rstrip("/"),
            creator=_text(result, "creator"),
            license=_openverse_license(_text(result, "license"), _text(result, "license_version")),
            license_url=_text(result, "license_url"),
            page=_text(result, "foreign_landing_url"),
            title=_text(result, "title"),
        )


class Commons(Source):
    """Pictures of Wikimedia Commons, through the API of MediaWiki. `api` is another address of it.

    References
    ----------
    https://www.mediawiki.org/wiki/API:Search and https://www.mediawiki.org/wiki/API:Imageinfo.
    """

    name = "commons"
    help = "openly licensed pictures from Wikimedia Commons, with credit given"
    at_once = 4  # Wikimedia turns away who asks for much at a time

    def __init__(self, *, api: str = COMMONS) -> None:
        self._api = api
        if api != COMMONS:
            self.trusted = [api]

    def search(self, label: str, query: str, client: Client) -> Iterator[Candidate]:
        """See `Source.search`."""
        asked = {
            "action": "query",
            "format": "json",
            "formatversion": 2,
            "generator": "search",
            "gsrsearch": f"filetype:bitmap {query}",
            "gsrnamespace": 6,
            "gsrlimit": 50,
            "prop": "imageinfo",
            "iiprop": "url|mime|user|extmetadata",
            "iiurlwidth": 960,  # of the widths that are served (mediawiki.org/wiki/Common_thumbnail_sizes) what we need
            "iiextmetadatafilter": "Artist|LicenseShortName|LicenseUrl|ObjectName",
        }
        going_on: dict[str, Any] = {}
        for _ in range(10_000 // 50):  # the search goes no deeper
            answer = _dict(client.json(self._api, {**asked, **going_on}))
            if error := _dict(answer.get("error")):
                what = _text(error, "info") or _text(error, "code") or "an error"
                raise FetchError(f"answered: {what[:200]}", passing=True)
            pages = _dict(answer.get("query", {"pages": []})).get("pages")  # no "query" where nothing is found
            if not isinstance(pages, list) or not ({"query", "batchcomplete", "continue"} & set(answer)):
                raise FetchError("answered with something else than a list of pictures")
            pages = sorted(map(_dict, pages), key=_index)
            yield from filter(None, (self._candidate(label, page) for page in pages))
            before, going_on = going_on, _dict(answer.get("continue"))
            if not going_on or going_on == before:
                return

    def _candidate(self, label: str, page: dict[str, Any]) -> Candidate | None:
        infos = page.get("imageinfo")
        info = _dict(infos[0]) if isinstance(infos, list) and infos else {}
        url = _text(info, "thumburl") or _text(info, "url")
        if _text(info, "mime") not in _FORMATS or not url.startswith(("http://", "https://")):
            return None
        written = _dict(info.get("extmetadata")).items()  # by people on the file's page, as HTML
        known = {key: _plain(_text(_dict(value), "value")) for key, value in written}
        uploader = _text(info, "user")
        return Candidate(
            label=label,
            url=url,
            source=self.name,
            creator=known.get("Artist") or (f"uploaded by {uploader}" if uploader else ""),
            license=_commons_license(known.get("LicenseShortName", "")),
            license_url=known.get("LicenseUrl", ""),
            page=_text(info, "descriptionurl"),
            title=known.get("ObjectName") or _text(page, "title").removeprefix("File:"),
        )


# ---- answers, in which anything may be missing or be something else --------------------------------------------------


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(entry: dict[str, Any], key: str) -> str:
    value = entry.get(key)
    return " ".join(value.split()) if isinstance(value, str) else ""


def _index(page: dict[str, Any]) -> int:
    """Where in the search a page stands; the answer itself is in no order."""
    index = page.get("index")
    return index if isinstance(index, int) else 2**31


# ---- licences, written as SPDX does ----------------------------------------------------------------------------------


def _openverse_license(code: str, version: str) -> str:
    """As in "by-sa" and "2.0" to "CC-BY-SA-2.0"."""
    name = code.upper() if code in ("cc0", "pdm") else f"CC-{code.upper()}"
    return f"{name}-{version}".rstrip("-") if code else ""


def _commons_license(name: str) -> str:
    """As in "CC BY-SA 3.0 de" to "CC-BY-SA-3.0-DE"; what is none of Creative Commons stays as it is."""
    if name == "CC0":
        return "CC0-1.0"
    return name.upper().replace(" ", "-") if re.fullmatch(r"CC BY[A-Z-]* \d\.\d( [a-z]+)?", name) else name


# ---- HTML ------------------------------------------------------------------------------------------------------------


class _Words(HTMLParser):
    """The words of a piece of HTML that a reader would see."""

    def __init__(self) -> None:
        super().__init__()
        self.seen = ""
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen += " " * (tag in ("br", "div", "li", "p", "td"))
        unseen = tag == "style" or "display:none" in (dict(attrs).get("style") or "").replace(" ", "")
        if (self._hidden or unseen) and tag not in ("br", "hr", "img", "link", "wbr"):  # these have no end
            self._hidden += 1

    def handle_endtag(self, tag: str) -> None:
        self._hidden = max(0, self._hidden - 1)

    def handle_data(self, data: str) -> None:
        self.seen += data * (not self._hidden)


def _plain(html: str) -> str:
    parser = _Words()
    with suppress(AssertionError):  # what Python's parser says of "<![foo[", which anybody may write there
        parser.feed(html)
        parser.close()
    return " ".join(parser.seen.split())
