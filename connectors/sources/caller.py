"""HTTP calls of one source: retried with backoff, inside its limits, to allowed addresses only.

Tried again is what did not answer, 408, 425, 429 and 5xx, and a 403 that says that a limit is used
up; each time later, with jitter. `Retry-After` and a limit's reset win over that. A limit that an
answer says is used up is waited for before the next call. Waits are real time, whatever the
product's clock does. Redirects are followed on the same origin only.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import msgspec

from connectors.outbound import Forbidden, Outbound, OutboundResolver, Unresolved
from connectors.sources.errors import CallFailed
from domain.metrics.limits import Limits, limits_of
from domain.metrics.source import Budget
from domain.sinks.backoff import asked_ms, wait_ms
from domain.sinks.document import Retry

AGAIN = (408, 425, 429)
TIMEOUT_S = 60.0
MOST_BYTES = 256 << 20  # of one answer: a page is held in memory
SHOWN = 200  # of an answer's body, to see why
HOPS = 3
Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True)
class Answer:
    """A whole answer; `headers` without regard to case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """What the body says. Raises CallFailed when it is no JSON."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise CallFailed(f"answered something that is no JSON: {error}", self.status) from None


class Caller:
    """See the module. `requests` counts what was sent; `quota_left`: calls left, if it was told."""

    def __init__(
        self,
        outbound: Outbound,
        retry: Retry,
        budget: Budget | None = None,
        *,
        sleep: Sleep = asyncio.sleep,
        wall_s: Callable[[], float] = time.time,
    ) -> None:
        self._outbound = outbound
        self._retry = retry
        self._budget = budget
        self._sleep = sleep
        self._wall_s = wall_s
        self._session: aiohttp.ClientSession | None = None
        self._sent: deque[float] = deque()
        self._limits = Limits()
        self.requests = 0

    @property
    def quota_left(self) -> int | None:
        """Calls left until the limit's reset, as the last answer told; None if it did not."""
        return self._limits.left

    @property
    def limits(self) -> Limits:
        """The limits as the last answer told them."""
        return self._limits

    def told(self, limits: Limits) -> None:
        """Takes limits that an answer tells in its body."""
        self._limits = limits

    async def call(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        allow: tuple[int, ...] = (),
    ) -> Answer:
        """An answer of 2xx, or one of `allow`. Raises CallFailed. Cancelling it at any await is
        what a kill is."""
        attempt = 0
        while True:
            await self._await_limits()
            asked: int | None = None
            status: int | None = None
            try:
                answer = await self._exchange(method, url, params or {}, headers or {}, body)
            except Forbidden as error:
                raise CallFailed(str(error)) from None
            except (aiohttp.ClientError, TimeoutError, OSError, Unresolved) as error:
                why = _why(error, url)
            else:
                self._limits = limits_of(answer.headers, self._wall_s()) or self._limits
                status = answer.status
                if 200 <= status < 300 or status in allow:
                    return answer
                why = f"answered {status}{_shown(answer.body)}"
                asked = asked_ms(answer.headers.get("Retry-After"), int(self._wall_s() * 1000))
                limited = status == 403 and (asked is not None or self._limits.left == 0)
                if not (status >= 500 or status in AGAIN or limited):
                    raise CallFailed(f"{_place(url)} {why}", status)
                if asked is None and self._limits.left == 0 and self._limits.reset_s is not None:
                    asked = max(0, int((self._limits.reset_s - self._wall_s()) * 1000))
            attempt += 1
            if attempt > (self._retry.times or 0):
                raise CallFailed(f"{_place(url)} {why}, {attempt} times", status)
            if asked is None:
                asked_s = wait_ms(self._retry, attempt, random.random()) / 1000
            else:
                asked_s = (asked + random.random() * 100) / 1000
            if asked is not None:
                self._limits = Limits()  # it is waited for here
            await self._sleep(asked_s)

    async def close(self) -> None:
        """Ends connections."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _await_limits(self) -> None:
        limits = self._limits
        if limits.left == 0 and limits.reset_s is not None:
            self._limits = Limits()
            if limits.reset_s > self._wall_s():
                await self._sleep(limits.reset_s - self._wall_s() + random.random() / 10)
        if self._budget is None:
            return
        per_s = self._budget.per_ms / 1000
        while self._sent and self._sent[0] <= self._wall_s() - per_s:
            self._sent.popleft()
        if len(self._sent) >= self._budget.requests:
            await self._sleep(max(0.0, self._sent.popleft() + per_s - self._wall_s()))
        self._sent.append(self._wall_s())

    async def _exchange(
        self,
        method: str,
        url: str,
        params: Mapping[str, str],
        headers: Mapping[str, str],
        body: bytes | None,
    ) -> Answer:
        query: Mapping[str, str] | None = params or None
        for _ in range(HOPS + 1):
            self._check(url)
            self.requests += 1
            async with self._opened().request(
                method,
                url,
                params=query,
                data=body,
                headers={"User-Agent": "Sluice", **headers},
                allow_redirects=False,
            ) as answer:
                content = await answer.content.read(MOST_BYTES + 1)
                while not answer.content.at_eof() and len(content) <= MOST_BYTES:
                    content += await answer.content.read(MOST_BYTES + 1 - len(content))
                status, told = answer.status, answer.headers
            if len(content) > MOST_BYTES:
                raise CallFailed(
                    f"{_place(url)} answered with more than {MOST_BYTES:,} bytes; "
                    "ask for smaller pages",
                    status,
                )
            if status not in (301, 302, 303, 307, 308):
                return Answer(status, told, content)
            target = urljoin(str(answer.url), told.get("Location", ""))
            if _origin(target) != _origin(url) or method != "GET":
                raise CallFailed(
                    f"{_place(url)} answered {status}: a redirect to "
                    f"{urlsplit(target).hostname or 'nowhere'} is not followed",
                    status,
                )
            url, query = target, None
        raise CallFailed(f"{_place(url)} redirects more than {HOPS} times")

    def _check(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and is_loopback(url)):
            raise CallFailed(f"{_place(url)} is not asked: plain http goes to loopback only")
        self._outbound.check(url)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=OutboundResolver(self._outbound), use_dns_cache=False
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
            )
        return self._session


def is_loopback(url: str) -> bool:
    """Whether the host is written as this machine's own."""
    host = urlsplit(url).hostname or ""
    return host in ("localhost", "::1") or host.startswith("127.")


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _place(url: str) -> str:
    """A URL without what may be a secret in it."""
    parts = urlsplit(url)
    return f"{parts.hostname or 'the service'}{parts.path}"


def _shown(piece: bytes) -> str:
    text = " ".join(piece[:SHOWN].decode("utf-8", "replace").split())
    return f": {text}" if text.isprintable() and text else ""


def _why(error: BaseException, url: str) -> str:
    """What happened, without what a URL may hold besides its host."""
    if isinstance(error, TimeoutError):
        return "does not answer in time"
    if isinstance(error, Unresolved):
        return str(error)
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"does not answer ({error.os_error.strerror or error.os_error})"
    return f"does not answer ({type(error).__name__})"
