"""Image search on the web, through the search engines that the ddgs package knows how to ask."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from tl_course.data.collection import Candidate
from tl_course.errors import FetchError, ImageSetError
from tl_course.net.http_client import Client
from tl_course.sources.base import Source

__all__ = ["Web"]

# In this order, and no others that ddgs may learn to ask: their safe search would have to be looked at first. ddgs asks
# DuckDuckGo for the strict one, but does not ask Bing for any, so that the parameter for it stands here.
BACKENDS: dict[str, dict[str, str]] = {"duckduckgo": {}, "bing": {"adlt": "strict"}}

TIMEOUT = 10  # seconds for each request
PAGES = 20  # of each search engine


class Web(Source):
    """Pictures that search engines find, with safe search on. How they are licensed nobody says.

    Search engines do not offer this to programs, and one that is asked often refuses for a while. Then the next one
    is asked, and where all refuse, the error says what each said.

    References
    ----------
    The ddgs package, https://github.com/deedy5/ddgs.
    """

    name = "web"
    help = "image search on the web: licences unknown, and often refused to a whole class"

    def search(self, label: str, query: str, client: Client) -> Iterator[Candidate]:
        """See `Source.search`."""
        said: list[str] = []
        known: set[str] = set()
        refused = False
        for name, engine in _engines().items():
            if refused:
                client.pause(1)
            count = len(known)
            try:
                for page in range(1, PAGES + 1):
                    found = [one for one in _ask(engine, label, query, page) if one.url not in known]
                    known |= {one.url for one in found}
                    yield from found
                    if not found:
                        break
                said.append(f"{name} had {len(known) - count or 'no'} pictures")
            except FetchError as error:
                refused = True
                said.append(f"{name} {error}")
        if refused or not known:
            raise FetchError(
                f"{', '.join(said)}. Search engines often refuse a class that shares one address: take openverse or "
                "commons, or try again later",
                passing=True,
            )


def _engines() -> dict[str, Any]:
    """The search engines by name, each of its own class in ddgs.

    Not through `DDGS.images`, which calls it "no results" when an engine refuses, and puts the pictures in another
    order.
    """
    try:
        from ddgs.engines import ENGINES
    except ImportError:
        raise ImageSetError(
            "The source 'web' needs the package ddgs, which is not installed. Run: pip install ddgs"
        ) from None
    engines = {}
    for name, more in BACKENDS.items():
        if kind := ENGINES.get("images", {}).get(name):
            engines[name] = engine = kind(timeout=TIMEOUT)
            engine.build_payload = _with(engine.build_payload, more)  # type: ignore[method-assign]
    return engines


def _with(build: Any, more: dict[str, str]) -> Any:
    return lambda **asked: build(**asked) | more


def _ask(engine: Any, label: str, query: str, page: int) -> Iterator[Candidate]:
    from ddgs.exceptions import DDGSException, TimeoutException

    try:
        results = engine.search(query, safesearch="on", page=page)
    except TimeoutException:
        raise FetchError("gave no answer in time") from None
    except DDGSException as error:
        lost = any(word in str(error).lower() for word in ("connect", "dns", "resolv"))
        raise FetchError("cannot be reached" if lost else "refused (it takes us for a robot)") from None
    except Exception:  # a captcha in place of an answer may raise anything from inside the parsers
        raise FetchError("answered with something else than pictures (a captcha?)") from None
    if results is None:  # any status but 200
        raise FetchError("refused (too many requests from here)")
    for result in results:
        url, where = str(result.image or ""), str(result.url or "")
        if url.startswith(("http://", "https://")):
            yield Candidate(
                label=label,
                url=url,
                source=f"web/{_host(where)}".rstrip("/"),
                license="unknown",
                page=where,
                title=str(result.title or ""),
            )


def _host(url: str) -> str:
    with suppress(ValueError):
        return (urlsplit(url).hostname or "").removeprefix("www.")
    return ""
