"""What is pushed to a source: looked at, and appended to `<app>-deliveries-in` once.

A delivery is known by its id for 30 days, from the topic itself (see `view.py`): so a repeat is
told from a first one after any kill, and by any worker. Two that come to two workers at the same
moment may both be appended; they have one key, and count once. A source that says `once: body` has
the digest of the signed bytes in place of the id.
"""

import asyncio
import hmac
import sqlite3
from collections.abc import Mapping, Sequence
from hashlib import sha256

import msgspec

from app.backend import Unavailable
from app.facade.parts import Parts
from app.facade.view import View
from app.source_shapes import BadDelivery, BadSignature, Receipt
from connectors.sources.base import secret_of
from connectors.sources.errors import CallFailed
from connectors.streams.base import Item
from connectors.streams.murmur2 import partition_for
from domain.metrics.source import Source

SIGNATURE, DELIVERY, EVENT = "X-Hub-Signature-256", "X-GitHub-Delivery", "X-GitHub-Event"
ID_HEADER = "delivery"
KEPT_MS = 30 * 86_400_000
TIDY = 5_000  # deliveries between two rounds of forgetting
SCHEMA = """
CREATE TABLE deliveries (source TEXT, id TEXT, at INTEGER, PRIMARY KEY (source, id)) WITHOUT ROWID;
CREATE INDEX deliveries_at ON deliveries (at)
"""


class Hooks:
    """Takes deliveries. Secrets are looked up when they are needed."""

    def __init__(self, parts: Parts, environ: Mapping[str, str]) -> None:
        self._parts = parts
        self._environ = environ
        path = parts.settings.data_dir / "views" / "deliveries.sqlite"
        self._view = View(parts.log, parts.names.deliveries, path, SCHEMA, apply)
        self._taken = 0
        self._under_way: dict[tuple[str, str], asyncio.Event] = {}

    async def stop(self) -> None:
        """Closes what is known of deliveries."""
        await self._view.stop()

    async def receive(self, source: Source, headers: Mapping[str, str], body: bytes) -> Receipt:
        """See `SourcesBackend.receive_hook`."""
        if not self._is_signed(source, headers.get(SIGNATURE, ""), body):
            raise BadSignature(source.name)
        delivery, event = headers.get(DELIVERY, ""), headers.get(EVENT, "")
        if not (delivery and event and f"{delivery}{event}".isascii()):
            raise BadDelivery(f"headers {DELIVERY} and {EVENT} are expected, in ASCII")
        try:
            content = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise BadDelivery(f"the body is no JSON: {error}") from None
        if not isinstance(content, dict):
            raise BadDelivery("the body is no JSON object")
        if event == "ping":
            return "ping"
        if source.fetch.get("once") == "body":  # all that the signature speaks for
            delivery = sha256(body).hexdigest()
        key = source.name, delivery
        while key in self._under_way:
            await self._under_way[key].wait()
        self._under_way[key] = asyncio.Event()
        try:
            return await self._take(source, delivery, event, body)
        finally:
            self._under_way.pop(key).set()

    async def _take(self, source: Source, delivery: str, event: str, body: bytes) -> Receipt:
        now = self._parts.clock.now_ms()
        await self._view.catch_up()
        at = await self._view.run(find, source.name, delivery)
        if at is not None and now - at < KEPT_MS:
            return "repeated"
        value = msgspec.json.encode(
            {"delivery": delivery, "event": event, "at": now, "body": msgspec.Raw(body)}
        )
        names = self._parts.names
        lanes = await self._parts.partitions(names.deliveries)
        if lanes is None:
            raise Unavailable("deliveries", f"there is no topic {names.deliveries}")
        lane = partition_for(source.name.encode(), lanes)
        row = (source.name.encode(), value, now, ((ID_HEADER, delivery.encode()),))
        await self._parts.log.append(names.deliveries, lane, [row])
        self._taken += 1
        if self._taken % TIDY == 0:
            await self._view.run(forget, now - KEPT_MS)
        return "taken"

    def _is_signed(self, source: Source, signature: str, body: bytes) -> bool:
        """With one of its secrets; two live ones are for rotation."""
        good = False
        for name in ("secret", "secret_next"):
            variable = source.credentials.get(name)
            if variable is None:
                continue
            try:
                secret = secret_of(self._environ, variable)
            except CallFailed as error:
                raise Unavailable(f"source {source.name}", error.detail) from None
            wanted = "sha256=" + hmac.new(secret.encode(), body, sha256).hexdigest()
            good |= hmac.compare_digest(wanted.encode(), signature.encode("utf-8", "replace"))
        return good


def apply(connection: sqlite3.Connection, _partition: int, items: Sequence[Item]) -> None:
    """Takes deliveries of the topic in their order."""
    for _, at, key, _, headers in items:
        for name, value in headers:
            if name == ID_HEADER and key is not None:
                connection.execute(
                    "INSERT OR REPLACE INTO deliveries VALUES (?, ?, ?)",
                    (key.decode(), value.decode("utf-8", "replace"), at),
                )


def find(connection: sqlite3.Connection, source: str, delivery: str) -> int | None:
    """When a delivery came, in epoch milliseconds."""
    row = connection.execute(
        "SELECT at FROM deliveries WHERE source = ? AND id = ?", (source, delivery)
    ).fetchone()
    return None if row is None else int(row[0])


def forget(connection: sqlite3.Connection, before_ms: int) -> None:
    """Removes those whose time is over."""
    connection.execute("DELETE FROM deliveries WHERE at < ?", (before_ms,))
