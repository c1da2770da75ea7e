"""Orders posted to a flow's endpoint: `executor: http`.

`POST` of what stands on `executions`, with `Idempotency-Key`: the execution's id for an order (for
a cancel, that and `/cancel`), the same whenever it is repeated, so that an endpoint acts once.
2xx: it has the order, and tells on `execution-results` how it goes. Any other 4xx than 408, 425
and 429 refuses it for good. All else is tried again, later each time, while the order holds.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import msgspec

from connectors.outbound import Forbidden, Outbound, OutboundResolver, Unresolved
from domain.errors import SluiceError

NOT_YET = (408, 425, 429)
TIMEOUT_S = 10.0
FIRST_S = 0.5
LONGEST_S = 30.0
SIDE_BY_SIDE = 100  # connections to one endpoint
SHOWN = 200  # of an answer's body, to see why
_CONTENT = {"Content-Type": "application/json", "User-Agent": "Sluice"}


@dataclass(frozen=True)
class Accepted:
    """The endpoint has it. `tries`: how often it was posted."""

    tries: int


@dataclass(frozen=True)
class Refused:
    """The endpoint won't ever take it, or must not be asked; nothing was started."""

    status: int | None
    detail: str


@dataclass(frozen=True)
class Lapsed:
    """The order no longer holds, and no attempt got an answer that says yes or no. `asked`:
    whether any attempt may have reached the endpoint; without, nothing was started for sure."""

    asked: bool
    detail: str


Delivery = Accepted | Refused | Lapsed


class _NotNow(SluiceError):
    """No answer, or one that asks to come back. `asked`: whether the endpoint may have it."""

    def __init__(self, detail: str, asked: bool, wait_s: float = 0.0) -> None:
        self.asked = asked
        self.wait_s = wait_s
        super().__init__(detail)


class HttpExecutor:
    """The client of all endpoints, used by any number of tasks. Addresses follow the rules of
    `Outbound`; redirects are not followed: an order goes where the flow says, or nowhere."""

    def __init__(
        self,
        outbound: Outbound,
        *,
        timeout_s: float = TIMEOUT_S,
        first_s: float = FIRST_S,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._outbound = outbound
        self._timeout_s = timeout_s
        self._first_s = first_s
        self._longest_s = longest_s
        self._session: aiohttp.ClientSession | None = None

    async def deliver(
        self,
        url: str,
        order: Mapping[str, Any],
        holds: Callable[[], bool],
        away: Callable[[], None] = lambda: None,
        asks: Callable[[], Awaitable[None]] | None = None,
    ) -> Delivery:
        """Posts an order or a cancel until there is an answer. `holds` is asked before each attempt
        and when it is false, none is made; it knows the product's clock, and looks at `deadline`
        and `not_after`. `away` is called when an attempt got no answer that decides, before the
        wait for the next; `asks` is awaited when an attempt has a connection, before anything is
        sent on it. Being cancelled at any await is what a kill is: post it again."""
        body = msgspec.json.encode(order)
        headers = {**_CONTENT, "Idempotency-Key": _key(order)}
        tries, asked, why = 0, False, "the order does not hold any more"
        pause_s = self._first_s
        while holds():
            tries += 1
            try:
                status, text = await self._post(url, headers, body, asks)
            except Forbidden as error:
                return Refused(None, str(error))
            except _NotNow as error:
                asked, why = asked or error.asked, str(error)
                away()
                await asyncio.sleep(max(pause_s, min(error.wait_s, self._longest_s)))
                pause_s = min(pause_s * 2, self._longest_s)
                continue
            return Accepted(tries) if 200 <= status < 300 else Refused(status, text)
        return Lapsed(asked, why)

    async def close(self) -> None:
        """Ends connections; whoever delivers is cancelled before."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def _post(
        self,
        url: str,
        headers: Mapping[str, str],
        body: bytes,
        asks: Callable[[], Awaitable[None]] | None,
    ) -> tuple[int, str]:
        """(status, what it says) of an answer that decides."""
        self._outbound.check(url)
        try:
            async with self._opened().post(
                url, data=body, headers=headers, allow_redirects=False, trace_request_ctx=asks
            ) as answer:
                piece = await answer.content.read(SHOWN)
                status, told = answer.status, answer.headers
                if not answer.content.at_eof():
                    answer.close()  # its length is the other side's affair, not ours to read
        except Unresolved as error:
            raise _NotNow(str(error), asked=False) from None
        except (aiohttp.ClientConnectorError, aiohttp.InvalidURL) as error:
            raise _NotNow(_why(error, url), asked=False) from None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _NotNow(_why(error, url), asked=True) from None
        text = f"answered {status}{_shown(piece)}"
        if 200 <= status < 300 or (400 <= status < 500 and status not in NOT_YET):
            return status, text
        raise _NotNow(text, asked=True, wait_s=_asked_s(told.get("Retry-After")))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=OutboundResolver(self._outbound),
                use_dns_cache=False,
                limit=0,
                limit_per_host=SIDE_BY_SIDE,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._timeout_s),
                auto_decompress=False,
                trace_configs=[_telling()],
            )
        return self._session


def _telling() -> aiohttp.TraceConfig:
    """Has each request say when it has a connection: aiohttp waits for that before it sends."""

    async def asks(_session: aiohttp.ClientSession, context: Any, _params: Any) -> None:
        if context.trace_request_ctx is not None:
            await context.trace_request_ctx()

    tracing = aiohttp.TraceConfig()
    tracing.on_connection_create_end.append(asks)
    tracing.on_connection_reuseconn.append(asks)
    return tracing


def _key(order: Mapping[str, Any]) -> str:
    ident: str = order["execution_id"]
    return ident if order.get("event") != "cancel" else f"{ident}/cancel"


def _asked_s(retry_after: str | None) -> float:
    """Seconds that a `Retry-After` asks for: a number, or a date; 0 for anything else."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - time.time())
    except (TypeError, ValueError):
        return 0.0


def _shown(piece: bytes) -> str:
    text = " ".join(piece.decode("utf-8", "replace").split())
    return f": {text}" if text.isprintable() and text else ""


def _why(error: BaseException, url: str) -> str:
    """What happened, without what a URL may hold besides its host."""
    host = urlsplit(url).hostname or "the endpoint"
    if isinstance(error, TimeoutError):
        return f"{host}: no answer in time"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"{host}: {error.os_error.strerror or error.os_error}"
    return f"{host}: {type(error).__name__}"
