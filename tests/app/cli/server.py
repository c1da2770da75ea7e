"""A small HTTP server for tests of the command line: says what it is told, keeps what it heard."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit


@dataclass(frozen=True)
class Heard:
    """A request. `query` has the first value of each parameter, `lists` all of them."""

    method: str
    path: str
    query: Mapping[str, str]
    lists: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


Answer = tuple[int, Any]
"""Status and body: bytes as they are, anything else as JSON."""
Route = Answer | Callable[[Heard], Answer]


class Hangup(Exception):
    """A route raises it to drop the connection without an answer."""


@dataclass
class Server:
    """`routes` maps "METHOD /path" to what it answers; others are 404."""

    url: str
    routes: dict[str, Route] = field(default_factory=dict)
    heard: list[Heard] = field(default_factory=list)
    location: str = ""  # sent with every answer 202

    def requests(self, method: str, path: str) -> list[Heard]:
        """What was asked of one route, in order."""
        return [heard for heard in self.heard if (heard.method, heard.path) == (method, path)]

    def answer(self, heard: Heard) -> Answer:
        """What the routes say to a request."""
        self.heard.append(heard)
        route = self.routes.get(f"{heard.method} {heard.path}")
        if route is None:
            return problem(404, f"There is nothing at {heard.path}.")
        return route(heard) if callable(route) else route


def problem(status: int, detail: str, *errors: Mapping[str, object]) -> Answer:
    """A problem document as the server writes them."""
    title = detail.split(".")[0]
    body = {"type": "urn:x", "title": title, "status": status, "detail": detail}
    return status, {**body, "errors": list(errors)}


def page(*items: Mapping[str, object], next: str | None = None) -> Answer:
    """A list as the server writes them."""
    return 200, {"items": list(items), "next": next}


@contextmanager
def serving(routes: Mapping[str, Route] | None = None) -> Iterator[Server]:
    """A server on a free port for the time of the block."""
    server = Server("")
    server.routes.update(routes or {})

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            parts = urlsplit(self.path)
            lists = parse_qs(parts.query, keep_blank_values=True)
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            heard = Heard(
                self.command,
                unquote(parts.path),
                {name: values[0] for name, values in lists.items()},
                lists,
                dict(self.headers.items()),
                body,
            )
            try:
                status, answer = server.answer(heard)
            except Hangup:
                self.close_connection = True
                return
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            if status == 202 and server.location:
                self.send_header("Location", server.location)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = do_DELETE = _serve

        def log_message(self, format: str, *args: object) -> None:
            """Tests' output is no place for an access log."""

    httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    server.url = f"http://127.0.0.1:{httpd.server_address[1]}"
    thread = Thread(target=httpd.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()
