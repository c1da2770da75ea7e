"""Erasures that were begun and are not over, so that one that was killed goes on by itself.

Each has a record on `<app>-requests` (compacted), written before anything is erased and taken away
when nothing is left to erase. It holds the account's values, as the command does; where the stream
can erase in place it is erased there too.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from app.facade.parts import Parts
from app.facade.requests import BESIDE
from app.facade.view import View
from app.shapes import Trouble
from connectors.streams.base import Item
from connectors.streams.murmur2 import partition_for
from domain.aggregation.operations import exact_json

PREFIX = BESIDE + b"erasing\0"
OLD_MS = 60_000  # one that takes longer than it should
_SCHEMA = "CREATE TABLE erasing (id TEXT PRIMARY KEY, partition INTEGER, at INTEGER, note BLOB)"


class Erasing(msgspec.Struct, frozen=True):
    """An erasure, `id` is that of its command. `message` is the command's, exactly; `owner` the
    worker that began it; `key` and `fingerprint` those under which the command is given once.
    """

    id: str
    aggregator: str
    owner: str
    at: int
    key: str
    fingerprint: str
    message: bytes

    @property
    def asked(self) -> dict[str, Any]:
        """The command as it was asked for: `group` among it, `actor` and `reason`."""
        found: dict[str, Any] = exact_json(self.message)
        return found


_encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Erasing).decode


class Notes:
    """The notes of all workers."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        path = parts.settings.data_dir / "views" / "erasing.sqlite"
        self._view = View(parts.log, parts.names.requests, path, _SCHEMA, _apply)

    async def begin(self, erasing: Erasing) -> None:
        """Returns when it will be finished, whatever is killed."""
        row = PREFIX + erasing.id.encode(), _encode(erasing), None, ()
        place = await self._place(erasing.id)
        await self._parts.log.append(self._parts.names.requests, place, [row])

    async def end(self, id: str) -> None:
        """Takes it away: nothing is left to erase. Done again it does what is left."""
        topic, place = self._parts.names.requests, await self._place(id)
        await self._view.catch_up()
        at = await self._view.run(_at, id)
        await self._parts.log.append(topic, place, [(PREFIX + id.encode(), None, None, ())])
        if at is not None:
            await self._parts.log.erase(topic, place, [at])

    async def open(self) -> list[Erasing]:
        """Those begun and not over, the oldest first."""
        await self._view.catch_up()
        return await self._view.run(_open)

    async def stop(self) -> None:
        """Closes what is known of them."""
        await self._view.stop()

    async def _place(self, id: str) -> int:
        count = await self._parts.partitions(self._parts.names.requests) or 1
        return partition_for(id.encode(), count)


def unfinished(erasings: Sequence[Erasing], now_ms: int) -> Iterator[tuple[str, Trouble]]:
    """What someone should know of those that are not over for a while; no values are told."""
    for each in erasings:
        if now_ms - each.at >= OLD_MS:
            fields = ", ".join(sorted(each.asked["group"]))
            yield (
                each.id,
                Trouble(
                    "erasure-unfinished",
                    f"An account of {each.aggregator} is not erased yet",
                    f"Command {each.id} (by {fields}) was begun and goes on by itself.",
                    "See that all partitions are ready, and that a worker with role console runs.",
                    each.at,
                ),
            )


def _apply(connection: sqlite3.Connection, partition: int, items: Sequence[Item]) -> None:
    for offset, _, key, value, _ in items:
        if key is None or not key.startswith(PREFIX):
            continue
        id = key.removeprefix(PREFIX).decode()
        if value is None:
            connection.execute("DELETE FROM erasing WHERE id = ?", (id,))
        else:
            connection.execute(
                "REPLACE INTO erasing VALUES (?, ?, ?, ?)", (id, partition, offset, value)
            )


def _open(connection: sqlite3.Connection) -> list[Erasing]:
    rows = connection.execute("SELECT note FROM erasing").fetchall()
    return sorted((decode(row[0]) for row in rows), key=lambda each: (each.at, each.id))


def _at(connection: sqlite3.Connection, id: str) -> int | None:
    row = connection.execute("SELECT at FROM erasing WHERE id = ?", (id,)).fetchone()
    return None if row is None else int(row[0])
