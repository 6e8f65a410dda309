"""A web server on this machine for tests: routes are functions, and everything that was asked for is on record."""

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Request:
    path: str
    query: dict[str, str]
    headers: dict[str, str]  # names in lower case


@dataclass
class Answer:
    """What a route gives back. An iterable `body` is sent piece by piece, as long as the client listens.

    `length` is what Content-Length says: the body's length if None, nothing at all if negative.
    """

    body: bytes | Iterable[bytes] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None


class Server:
    """Answers on 127.0.0.1 from `routes`: a path, or the beginning of one that ends in "/", to a function or an answer.

    ``with Server({"/a.jpg": Answer(data)}) as server: fetch(server.url + "/a.jpg")``
    """

    def __init__(self, routes: dict[str, Callable[[Request], Answer] | Answer | bytes] | None = None) -> None:
        self.routes = dict(routes or {})
        self.requests: list[Request] = []
        self._lock = threading.Lock()
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
                request = Request(parts.path, query, {key.lower(): value for key, value in self.headers.items()})
                with server._lock:
                    server.requests.append(request)
                answer = server._answer(request)
                with contextlib.suppress(OSError):  # the client has heard enough
                    self._send(answer)

            def _send(self, answer: Answer) -> None:
                self.send_response(answer.status)
                whole = isinstance(answer.body, bytes)
                length = len(answer.body) if whole and answer.length is None else answer.length
                if length is not None and length >= 0:
                    self.send_header("Content-Length", str(length))
                else:
                    self.send_header("Connection", "close")
                    self.close_connection = True
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    for piece in [answer.body] if whole else answer.body:
                        self.wfile.write(piece)
                if whole and answer.length is not None and answer.length != len(answer.body):
                    self.close_connection = True  # a body that is shorter than it said

            do_HEAD = do_GET  # noqa: N815  (the name that http.server looks for)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._http.handle_error = lambda *_: None  # a client that hangs up is no news
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "Server":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def asked_for(self, path: str) -> int:
        """How often a path was asked for."""
        return sum(request.path == path for request in self.requests)

    def _answer(self, request: Request) -> Answer:
        route = self.routes.get(request.path) or next(
            (route for path, route in self.routes.items() if path.endswith("/") and request.path.startswith(path)), None
        )
        if route is None:
            return Answer(b"nothing here", 404)
        answer = route(request) if callable(route) else route
        return Answer(answer) if isinstance(answer, bytes) else answer


def ranged(data: bytes, *, tag: str = '"1"', break_after: Iterator[int] | None = None) -> Callable[[Request], Answer]:
    """A route that serves a file and parts of it; answers break off after as many bytes as `break_after` says."""

    def route(request: Request) -> Answer:
        start = 0
        wanted = request.headers.get("range", "")
        if wanted.startswith("bytes=") and request.headers.get("if-range", tag) == tag:
            start = int(wanted.removeprefix("bytes=").partition("-")[0])
        headers = {"ETag": tag, "Accept-Ranges": "bytes"}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        rest = data[start:]
        part = rest[: next(break_after, len(rest))] if break_after else rest
        return Answer(part, 206 if start else 200, headers, length=len(rest))

    return route
