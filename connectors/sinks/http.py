"""`POST` to a webhook, signed as Standard Webhooks: record by record, or in batches.

Taken is what was answered with 2xx. Refused for good: any 4xx but 408, 425 and 429. All else is
tried again with the same id and body. A batch that is refused is halved until what is refused is
one record.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp

from connectors.formats import cloudevents
from connectors.outbound import Forbidden, Outbound, OutboundResolver, Unresolved
from connectors.sinks import webhook
from connectors.sinks.base import Environ, Outcome, Refusal, TryLater, secret
from domain.aggregation.flush import exact
from domain.sinks.backoff import asked_ms
from domain.sinks.document import Http
from domain.sinks.records import Outgoing

NOT_YET = (408, 425, 429)
SHOWN = 200  # of an answer's body, to see why
HOPS = 3  # redirects followed, on the same host
_Sent = tuple[dict[str, str], bytes]


class HttpTarget:
    """See the module. Connections are kept between calls; a redirect to another host isn't
    followed."""

    def __init__(self, document: Http, outbound: Outbound, environ: Environ) -> None:
        self._document = document
        self._outbound = outbound
        self._environ = environ
        self._session: aiohttp.ClientSession | None = None

    async def position(self, first: int) -> int | None:
        """A webhook keeps none."""
        return None

    async def close(self) -> None:
        """Closes connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def deliver(self, records: Sequence[Outgoing], first: int, end: int) -> Outcome:
        """See `Target`."""
        outcome = Outcome()
        if not records:
            return outcome
        try:
            keys = [
                webhook.key_of(secret(self._environ, name), name) for name in self._document.secrets
            ]
        except TryLater as later:
            outcome.later = later
            return outcome
        if self._document.batch is None:
            await self._singly(records, keys, outcome)
        else:
            await self._together(list(records), keys, outcome)
        return outcome

    async def _singly(
        self, records: Sequence[Outgoing], keys: Sequence[bytes], outcome: Outcome
    ) -> None:
        """Keys side by side, the records of one key in order."""
        chains: dict[bytes | None, list[Outgoing]] = {}
        for record in records:
            chains.setdefault(record.key, []).append(record)
        room = asyncio.Semaphore(self._document.concurrency)

        async def work(chain: list[Outgoing]) -> None:
            for record in chain:
                async with room:
                    if outcome.later is not None:
                        return  # the target has trouble: one attempt found it, more only add to it
                    headers, body = self._one(record)
                    message = webhook.header_id(record.id)
                    try:
                        refusal = await self._post(message, headers, body, keys)
                    except TryLater as later:
                        outcome.tried.add(record.offset)
                        outcome.later = later
                        return
                _decide(outcome, [record], refusal)

        async with asyncio.TaskGroup() as group:
            for chain in chains.values():
                group.create_task(work(chain))

    async def _together(
        self, records: list[Outgoing], keys: Sequence[bytes], outcome: Outcome
    ) -> None:
        events = all(record.event is not None for record in records)
        headers = {"Content-Type": cloudevents.BATCH if events else "application/json"}
        body = b"[" + b",".join(record.value for record in records) + b"]"
        message = webhook.batch_id([record.id for record in records])
        try:
            refusal = await self._post(message, headers, body, keys)
        except TryLater as later:
            outcome.tried.update(record.offset for record in records)
            outcome.later = later
            return
        if refusal is None or len(records) == 1:
            _decide(outcome, records, refusal)
            return
        half = len(records) // 2
        await self._together(records[:half], keys, outcome)
        if outcome.later is None:
            await self._together(records[half:], keys, outcome)

    def _one(self, record: Outgoing) -> _Sent:
        if record.event is None:
            return {"Content-Type": "application/json"}, record.value
        if self._document.cloudevents == "structured":
            return {"Content-Type": cloudevents.STRUCTURED}, record.value
        event = dict(record.event)
        if "data" in event and not isinstance(event["data"], str):
            event["data"] = exact(event["data"])
        return cloudevents.to_binary(event)

    async def _post(
        self, message: str, headers: dict[str, str], body: bytes, keys: Sequence[bytes]
    ) -> Refusal | None:
        """None when it was taken. Raises TryLater."""
        at_s = int(time.time())  # the receiver compares it with its own clock
        sent = {
            **headers,
            **webhook.signed_headers(message, at_s, body, keys),
            "Idempotency-Key": message,
            "User-Agent": "Sluice",
        }
        url = self._document.url
        for _ in range(HOPS + 1):
            try:
                self._outbound.check(url)
                status, answer_headers, text = await self._exchange(url, sent, body)
            except (aiohttp.ClientError, TimeoutError, OSError, Forbidden, Unresolved) as error:
                raise TryLater(_why(error)) from None
            if 200 <= status < 300:
                return None
            target = urljoin(url, answer_headers.get("Location", ""))
            if status not in (307, 308) or _origin(target) != _origin(url):
                break
            url = target
        if status in NOT_YET or not 400 <= status < 500:
            asked = asked_ms(answer_headers.get("Retry-After"), int(time.time() * 1000))
            elsewhere = " (a redirect elsewhere is not followed)" if 300 <= status < 400 else ""
            raise TryLater(f"answered {status}{elsewhere}{text}", asked)
        return Refusal(f"answered {status}{text}", status)

    async def _exchange(
        self, url: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Any, str]:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                resolver=OutboundResolver(self._outbound),
                use_dns_cache=False,
                limit=self._document.concurrency,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=self._document.timeout_ms / 1000),
                auto_decompress=False,
            )
        async with self._session.post(
            url, data=body, headers=headers, allow_redirects=False
        ) as answer:
            piece = await answer.content.read(SHOWN)
            if not answer.content.at_eof():
                answer.close()  # its length is the other side's affair, not ours to read
            return answer.status, answer.headers, _shown(piece)


def _decide(outcome: Outcome, records: Sequence[Outgoing], refusal: Refusal | None) -> None:
    for record in records:
        if refusal is None:
            outcome.taken.add(record.offset)
        else:
            outcome.refused[record.offset] = refusal


def _origin(url: str) -> tuple[str, str | None, int | None]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port


def _shown(piece: bytes) -> str:
    text = " ".join(piece.decode("utf-8", "replace").split())
    return f": {text}" if text.isprintable() and text else ""


def _why(error: BaseException) -> str:
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        cause = error.os_error
        return str(cause)
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return str(error) or type(error).__name__
