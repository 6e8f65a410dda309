"""Fetching from addresses that others wrote down, and trusting none of them.

Every request is bounded: in time, in bytes, in retries, and in how many run at once. An address on a private network is
refused, wherever it comes from: as it stands, behind a redirect, or as what a public name resolves to. The check sits
where the connection is opened and the connection goes to the very address that was checked, so that a name which
answers differently the second time (DNS rebinding) gains nothing.
"""

import ipaddress
import json
import random
import socket
import threading
import time
import urllib.request
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, TypeVar

import httpcore2
import httpx2
import tenacity

from tl_course.errors import FetchError

__all__ = ["Client", "Fetched", "origin_of"]

CONNECTIONS = 16  # at once, over all hosts
TRIES = 3
LONGEST_WAIT = 20.0  # seconds; a server that asks for more is told about, not waited for
TIMEOUT = 10.0  # seconds to connect, and between two pieces of an answer
DEADLINE = 60.0  # seconds for a whole answer, however steadily it drips
MAX_IN_ALL = 4 * 2**30  # bytes a client may fetch
_AROUND_IPV4 = (ipaddress.IPv6Network("64:ff9b::/96"), ipaddress.IPv6Network("::/96"))  # NAT64; RFC 4291, 2.5.5.1
_LOCAL_NAT64 = ipaddress.IPv6Network("64:ff9b:1::/48")  # RFC 8215
_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})

_FAULTS = (
    *(httpx2.HTTPError, httpx2.InvalidURL, OSError, UnicodeError, httpcore2.UnsupportedProtocol),
    *(httpcore2.NetworkError, httpcore2.TimeoutException, httpcore2.ProtocolError),
)

T = TypeVar("T")


@dataclass(frozen=True)
class Fetched:
    """An answer: its bytes, its media type ("image/jpeg"), and the address that it came from in the end."""

    content: bytes
    media_type: str
    url: str

    @property
    def is_page(self) -> bool:
        """Whether this is a web page, whatever its address promised."""
        start = self.content[:200].lstrip().lower()
        return "html" in self.media_type or start.startswith((b"<!doctype html", b"<html"))


class Client:
    """An HTTP client for addresses that nobody vouches for; any number of threads may share one.

    Parameters
    ----------
    trusted
        Addresses that the user named. Their origin (host and port) may lie on a private network, as a school's
        server does; what they lead to may not.
    timeout
        Seconds to wait for a connection and for each piece of an answer.

    Notes
    -----
    httpx2 brings HTTP/2, redirects and TLS, tenacity the retries. They are waited for with growing, jittered pauses,
    or as long as the server's ``Retry-After`` says, up to `LONGEST_WAIT`; then all threads leave that host alone.
    """

    def __init__(self, *, trusted: Iterable[str] = (), timeout: float = TIMEOUT) -> None:
        origins = frozenset(origin_of(url) for url in trusted)
        self._http = httpx2.Client(
            transport=_Transport(origins),
            headers={"User-Agent": _user_agent()},
            timeout=httpx2.Timeout(timeout, pool=DEADLINE),
            follow_redirects=True,
            max_redirects=5,
        )
        self._lock = threading.Lock()
        self._left = MAX_IN_ALL
        self._not_before: dict[str, float] = {}  # by host, on the monotonic clock
        self._closed = threading.Event()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; threads that wait for another try give up."""
        self._closed.set()
        self._http.close()

    def fetch(self, url: str, *, limit: int, params: Mapping[str, Any] | None = None, tries: int = TRIES) -> Fetched:
        """Fetch a whole answer of at most `limit` bytes.

        Raises
        ------
        FetchError
            It cannot be had; the text is a reason such as "HTTP 404 (Not Found)", without the address.
        """
        return self._retried(lambda: self._fetch(url, limit, params), tries)

    def json(self, url: str, params: Mapping[str, Any] | None = None, *, limit: int = 2**24) -> Any:
        """Fetch and read a JSON answer; a FetchError where it is something else, such as a captcha page."""
        found = self.fetch(url, params=params, limit=limit)
        try:
            return json.loads(found.content)
        except ValueError:
            page = "a web page (a captcha, or a login)" if found.is_page else "something that is no JSON"
            raise FetchError(f"answered with {page}", passing=True) from None

    @contextmanager
    def stream(self, url: str, *, headers: Mapping[str, str] | None = None) -> Iterator[httpx2.Response]:
        """One answer as it begins, without retries and deadline, to be read piece by piece."""
        self._leave_alone(url)
        try:
            with self._http.stream("GET", url, headers={"Accept-Encoding": "identity", **(headers or {})}) as response:
                yield response
        except _FAULTS as error:
            raise _translated(error) from None

    def count(self, size: int) -> None:
        """Count bytes that have come towards the most that this client may fetch in all."""
        with self._lock:
            self._left -= size
            if self._left < 0:
                raise FetchError(f"more than {MAX_IN_ALL / 2**30:.0f} GB fetched in all")

    def refusal(self, response: httpx2.Response) -> FetchError:
        """What an answer other than 200 means. A ``Retry-After`` in it keeps all threads from that host for so long."""
        reason = f"HTTP {response.status_code} ({response.reason_phrase or 'no reason given'})"
        if response.status_code not in _PASSING:
            return FetchError(reason)
        wait = _retry_after(response.headers.get("retry-after", ""))
        if wait is None:
            return FetchError(reason, passing=True)
        with self._lock:
            host = response.request.url.host
            self._not_before[host] = max(self._not_before.get(host, 0.0), time.monotonic() + wait)
        kind = _NotNowError if wait > LONGEST_WAIT else FetchError
        return kind(f"{reason}: asked to wait {_duration(wait)}", passing=True)

    def pause(self, failures: int) -> None:
        """Wait before another try: longer after each failure, and not for all threads alike."""
        self._wait(min(0.125 * 2**failures, 4.0) * random.uniform(0.5, 1))

    def _fetch(self, url: str, limit: int, params: Mapping[str, Any] | None) -> Fetched:
        self._leave_alone(url)
        until = time.monotonic() + DEADLINE
        content = bytearray()
        # identity: so that a small body cannot grow while it is unpacked, and the limit holds for what we keep
        headers = {"Accept-Encoding": "identity"}
        with self._http.stream("GET", url, params=params, headers=headers) as response:
            if response.status_code != 200:
                raise self.refusal(response)
            declared = response.headers.get("content-length", "")
            if declared.isdecimal() and int(declared) > limit:
                raise FetchError(f"too long ({int(declared) / 2**20:,.0f} MB)")
            for piece in response.iter_raw():  # as it comes: gathered to a size, a body that drips would not be seen
                content += piece
                self.count(len(piece))
                if len(content) > limit:
                    raise FetchError(f"longer than {limit / 2**20:,.0f} MB, so given up")
                if time.monotonic() > until:
                    raise FetchError(f"not complete after {DEADLINE:.0f} s")
            media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            return Fetched(bytes(content), media_type, str(response.url))

    def _retried(self, attempt: Callable[[], T], tries: int) -> T:
        def translated() -> T:
            try:
                return attempt()
            except _FAULTS as error:
                raise _translated(error) from None

        policy = tenacity.Retrying(
            retry=tenacity.retry_if_exception(
                lambda error: isinstance(error, FetchError) and error.passing and not isinstance(error, _NotNowError)
            ),
            stop=tenacity.stop_after_attempt(tries),
            before_sleep=lambda state: self.pause(state.attempt_number),
            reraise=True,
        )
        return policy(translated)

    def _leave_alone(self, url: str) -> None:
        self._wait(self._not_before.get(origin_of(url)[0], 0.0) - time.monotonic())

    def _wait(self, seconds: float) -> None:
        if seconds > LONGEST_WAIT:
            raise _NotNowError(f"asked to wait {_duration(seconds)}", passing=True)
        if self._closed.is_set() or (seconds > 0 and self._closed.wait(seconds)):
            raise _NotNowError("stopped", passing=True)


class _NotNowError(FetchError):
    """It may work later, and another try at once would be in vain."""


def origin_of(url: str) -> tuple[str, int]:
    """Host and port of an address."""
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise FetchError(f"{url} is no address ({error})") from None
    return parsed.host, parsed.port or (443 if parsed.scheme == "https" else 80)


# ---- what is let through ---------------------------------------------------------------------------------------------


class _PublicOnly(httpcore2.NetworkBackend):
    """Resolves a name, checks every address that it has, and connects to one of those."""

    def __init__(self, trusted: frozenset[tuple[str, int]]) -> None:
        self._trusted = trusted
        self._plain = httpcore2.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.NetworkStream:
        *spare, last = [host] if (host, port) in self._trusted else _public_addresses(host, port)
        for address in spare:
            with suppress(httpcore2.NetworkError, httpcore2.TimeoutException):
                return self._plain.connect_tcp(address, port, timeout, local_address, socket_options)
        return self._plain.connect_tcp(last, port, timeout, local_address, socket_options)


_ssl_context = cache(httpx2.create_ssl_context)  # reading all the certificates takes as long as a small request


class _Transport(httpx2.BaseTransport):
    """httpx2 over an httpcore2 pool with our backend, for which httpx2's own transport has no argument."""

    def __init__(self, trusted: frozenset[tuple[str, int]]) -> None:
        context = _ssl_context()
        self._trusted = trusted
        self._pool = httpcore2.ConnectionPool(
            context, max_connections=CONNECTIONS, http2=True, network_backend=_PublicOnly(trusted)
        )
        self._proxies = {
            scheme: httpx2.HTTPTransport(verify=context, proxy=address, http2=True)
            for scheme, address in urllib.request.getproxies().items()
            if scheme in ("http", "https")
        }

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        if url.scheme not in ("http", "https"):
            raise FetchError(f"refused: an address that starts with {url.scheme}:")
        proxy = self._proxies.get(url.scheme)
        if proxy and not urllib.request.proxy_bypass(url.host) and self._is_for_a_proxy(url):
            return proxy.handle_request(request)
        target = httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path)
        answer = self._pool.handle_request(
            httpcore2.Request(request.method, target, headers=request.headers.raw, extensions=request.extensions)
        )
        return httpx2.Response(
            answer.status, headers=answer.headers, stream=_Stream(answer), extensions=answer.extensions
        )

    def _is_for_a_proxy(self, url: httpx2.URL) -> bool:
        """False for a private address that the user named; a FetchError for one that nobody did."""
        try:
            _public_addresses(url.host, 80)
        except _NotNowError:  # a name that only the proxy can resolve
            return True
        except FetchError:
            if origin_of(str(url)) in self._trusted:
                return False
            raise
        return True

    def close(self) -> None:
        self._pool.close()
        for proxy in self._proxies.values():
            proxy.close()


class _Stream(httpx2.SyncByteStream):
    def __init__(self, answer: httpcore2.Response) -> None:
        self._answer = answer

    def __iter__(self) -> Iterator[bytes]:
        return self._answer.iter_stream()

    def close(self) -> None:
        self._answer.close()


def _public_addresses(host: str, port: int) -> list[str]:
    """What a host resolves to; a FetchError where any of it is not on the public internet."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise _NotNowError(f"the name {host} cannot be found, or there is no network", passing=True) from None
    addresses = list(dict.fromkeys(str(info[4][0]) for info in found))
    for address in addresses:
        if not _is_public(ipaddress.ip_address(address.partition("%")[0])):
            raise FetchError(f"refused: {host} lies on a private network ({address})")
    return addresses


def _is_public(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is None and any(address in network for network in _AROUND_IPV4):
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return _is_public(inner)
        if address.is_site_local or address in _LOCAL_NAT64:  # Python calls these global
            return False
    return address.is_global and not address.is_multicast


# ---- words -----------------------------------------------------------------------------------------------------------


def _translated(error: Exception) -> FetchError:
    """The one-line reason behind an error of the HTTP libraries."""
    if isinstance(error, httpcore2.TimeoutException | httpx2.TimeoutException):
        return FetchError("no answer in time", passing=True)
    if isinstance(error, httpx2.TooManyRedirects):
        return FetchError("one redirect after another")
    if isinstance(error, httpx2.InvalidURL | httpx2.UnsupportedProtocol | UnicodeError):
        return FetchError("not an address that can be fetched")
    if isinstance(error, httpcore2.ConnectError | httpx2.ConnectError):
        return FetchError(f"no connection ({error})", passing=True)
    return FetchError(f"the connection broke ({str(error) or type(error).__name__})", passing=True)


def _retry_after(text: str) -> float | None:
    """Seconds that a ``Retry-After`` header asks for, as a number or a date (RFC 9110, section 10.2.3)."""
    if text.strip().isdecimal():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.0f} minutes"


def _user_agent() -> str:
    """Who we are, as the APIs that we ask want to know, with the project's address where the package is installed."""
    from importlib.metadata import PackageNotFoundError, metadata

    from tl_course import __version__

    try:
        links = metadata("tl-course").get_all("Project-URL") or []
    except PackageNotFoundError:
        links = []
    address = next((link.partition(", ")[2] for link in links if link.startswith("Repository")), "")
    return f"tl-course/{__version__} (+{address})" if address else f"tl-course/{__version__}"
