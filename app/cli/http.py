"""A small HTTP client for the product's own API, on the standard library: it starts fast.

Answers of 400 and above become `Refused`, with the problem document's paths; a server that
does not answer becomes `ServerUnreachable`, with what to do.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from app.cli.output import json_bytes
from domain.errors import SluiceError, Unreachable, UsageError

Sleep = Callable[[float], None]

# Somebody in between or a server that is starting: the same request may work in a moment.
BUSY = frozenset({429, 502, 503, 504})
MISUSE = frozenset({400, 401, 403, 405, 415})
FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 5.0


class ServerUnreachable(Unreachable):
    """No answer from the server. `absent`: it was never reached, so nothing was sent."""

    def __init__(self, server: str, detail: str, *, absent: bool = False) -> None:
        self.absent = absent
        super().__init__(
            server,
            detail,
            "start one with `sluice up`, or name another with --server or SLUICE_SERVER",
        )


class Refused(SluiceError):
    """The server answered with an error (exit 1). `errors` are (path, detail) of its problem
    document."""

    def __init__(self, status: int, detail: str, errors: Sequence[tuple[str, str]] = ()) -> None:
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        lines = [text if path in text else f"{path}: {text}" for path, text in errors]
        if detail or not lines:
            lines.insert(0, detail or f"the server answered {status}")
        if status in (401, 403):
            lines.append("set SLUICE_TOKEN to a token with that right")
        super().__init__("\n".join(lines))


class RefusedUse(Refused):
    """The request was wrong by its form or its sender (exit 2)."""

    exit_code = 2


class ServerBusy(Refused):
    """The server, or what it needs, can't answer now (exit 3)."""

    exit_code = 3


@dataclass(frozen=True)
class Response:
    """A whole answer below 400."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """The body; numbers with a point or an exponent are Decimals. Raises Refused if it is
        not JSON (then something else than the product answered)."""
        import msgspec

        try:
            return msgspec.json.Decoder(float_hook=Decimal).decode(self.body or b"null")
        except msgspec.DecodeError as error:
            raise not_json(self, error) from error


def not_json(response: Response, error: Exception) -> Refused:
    """For an answer that the product would not give."""
    detail = f"the answer is not understood ({error}); is this a sluice server?"
    return Refused(response.status, detail)


class Client:
    """One kept-alive connection. Not for several threads. `timeout_s` is for each answer."""

    def __init__(
        self,
        server: str,
        token: str = "",
        timeout_s: float = 30.0,
        sleep: Sleep = time.sleep,
    ) -> None:
        parts = urlsplit(server)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in ("http", "https") or not parts.hostname or port == -1:
            raise UsageError(
                f"server {server!r} is no address; expected one like http://127.0.0.1:6066"
            )
        self.server = server
        self._host = parts.hostname
        self._port = port
        self._secure = parts.scheme == "https"
        self._base = parts.path.rstrip("/")
        self._token = token
        self._timeout_s = timeout_s
        self._sleep = sleep
        self._used = False

    def get(self, path: str, query: Mapping[str, object] | None = None) -> Any:
        """The JSON at `path`."""
        return self.request("GET", path, query=query).json()

    def find(self, path: str, query: Mapping[str, object] | None = None) -> Any:
        """The JSON at `path`, or None for 404."""
        try:
            return self.get(path, query)
        except Refused as refused:
            if refused.status == 404:
                return None
            raise

    def items(self, path: str, query: Mapping[str, object]) -> list[dict[str, Any]]:
        """All items of a list, page by page."""
        found: list[dict[str, Any]] = []
        cursor: str | None = None
        while True:
            page = self.get(path, {**query, "cursor": cursor} if cursor else query)
            found += page["items"]
            cursor = page["next"]
            if not cursor:
                return found

    def post(self, path: str, body: object) -> Any:
        """The JSON that posting `body` as JSON answers."""
        return self.request("POST", path, body=json_bytes(body)).json()

    def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, object] | None = None,
        body: bytes | Iterable[bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = None,
        retry_for_s: float = 0.0,
        wait_for_server: bool = True,
    ) -> Response:
        """Sends the request and returns the answer; raises Refused and ServerUnreachable.

        With `retry_for_s`, a server that is busy or gone is asked again for that long; one that
        nobody has started only with `wait_for_server`. A body in pieces says its Content-Length and
        can be iterated again. That and a kept-alive connection gone
        stale may send the request twice, so changes need an Idempotency-Key.
        """
        target = self._base + path + (f"?{urlencode(query, doseq=True)}" if query else "")
        deadline = time.monotonic() + retry_for_s
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                return self._answer(method, target, body, dict(headers or {}), timeout_s)
            except (ServerUnreachable, Refused) as error:
                if isinstance(error, Refused):
                    again = error.status in BUSY
                else:
                    again = wait_for_server or not error.absent
                if not again or time.monotonic() + pause_s > deadline:
                    raise
            self._sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)

    def pause(self, seconds: float) -> None:
        """Waits before asking again."""
        self._sleep(seconds)

    def close(self) -> None:
        """Closes the connection; the next request makes a new one."""
        self._connection.close()
        self._used = False

    @cached_property
    def _connection(self) -> HTTPConnection:
        make = HTTPSConnection if self._secure else HTTPConnection
        return make(self._host, self._port, timeout=self._timeout_s)

    def _answer(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] | None,
        headers: dict[str, str],
        timeout_s: float | None,
    ) -> Response:
        headers.setdefault("Accept", "application/json")
        headers.setdefault("User-Agent", "sluice")
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        if self._token:
            headers.setdefault("Authorization", f"Bearer {self._token}")
        if not headers.get("Authorization", "-"):  # who signs in otherwise says so
            del headers["Authorization"]
        status, answered, content = self._exchange(
            method, target, body, headers, timeout_s or self._timeout_s
        )
        if status >= 400:
            raise problem(status, content)
        return Response(status, answered, content)

    def _exchange(
        self,
        method: str,
        target: str,
        body: bytes | Iterable[bytes] | None,
        headers: dict[str, str],
        timeout_s: float,
    ) -> tuple[int, Mapping[str, str], bytes]:
        connection = self._connection
        connection.timeout = timeout_s
        for stale in (self._used, False):  # a kept-alive connection may be closed at the far end
            try:
                self._connect(connection, timeout_s)
                connection.request(method, target, body=body, headers=headers)
                response = connection.getresponse()
                content = response.read()
            except TimeoutError as error:
                self.close()
                detail = f"no answer within {timeout_s:g} s"
                raise ServerUnreachable(self.server, detail) from error
            except (OSError, HTTPException) as error:
                self.close()
                if not stale:
                    raise ServerUnreachable(self.server, reason_of(error)) from error
            else:
                self._used = True
                return response.status, dict(response.getheaders()), content
        raise AssertionError("the second attempt ends in an answer or an error")

    def _connect(self, connection: HTTPConnection, timeout_s: float) -> None:
        if connection.sock is not None:
            connection.sock.settimeout(timeout_s)
            return
        try:
            connection.connect()
        except TimeoutError as error:
            detail = f"no connection within {timeout_s:g} s"
            raise ServerUnreachable(self.server, detail, absent=True) from error
        except OSError as error:
            raise ServerUnreachable(self.server, reason_of(error), absent=True) from error


def reason_of(error: OSError | HTTPException) -> str:
    """A few words for why nothing came back."""
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    return str(getattr(error, "strerror", None) or error) or type(error).__name__


def problem(status: int, content: bytes) -> Refused:
    """The error that an RFC 9457 problem document (or anything else) stands for."""
    import msgspec

    made = ServerBusy if status in BUSY else RefusedUse if status in MISUSE else Refused
    try:
        data = msgspec.json.decode(content)
    except msgspec.DecodeError:
        data = None
    if not isinstance(data, dict):
        return made(status, f"the server answered {status}")
    items = data.get("errors")
    errors = [
        (str(item.get("path", "")), str(item.get("detail") or _expectation(item)))
        for item in (items if isinstance(items, list) else [])
        if isinstance(item, dict) and ("detail" in item or "expected" in item)
    ]
    reasons = data.get("reasons")  # of /health/ready
    told = "; ".join(map(str, reasons)) if isinstance(reasons, list) else ""
    return made(status, str(data.get("detail") or data.get("title") or told), errors)


def _expectation(item: Mapping[str, object]) -> str:
    value = f"{item['value']!r} is not accepted, " if "value" in item else ""
    return f"{value}expected {item['expected']}"


def segment(text: str) -> str:
    """A piece of a path, escaped."""
    return quote(text, safe="")
