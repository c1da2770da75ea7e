"""The flushes of one key, found where they went: on the output topic, from its end backwards."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from app.facade.parts import Parts
from app.shapes import Flush
from connectors.streams.base import Item
from connectors.streams.murmur2 import partition_for
from domain.aggregation.operations import exact_json
from domain.aggregation.rule import Rule

STEP = 4_000  # offsets of one step back
FLUSHES = 20
BUDGET_S = 1.0  # a key flushed long ago on a busy partition is not looked for to the beginning


class Flushes:
    """Looks flushes up."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def of(self, rules: Sequence[Rule], key: bytes) -> list[Flush]:
        """The latest flushes of the key by this aggregator, newest first, as far as they are
        found soon; each once, however often it was sent."""
        found: dict[str, Flush] = {}
        until = asyncio.get_running_loop().time() + BUDGET_S
        name = rules[-1].name
        for topic in dict.fromkeys(rule.document.output.topic for rule in reversed(rules)):
            for flush_id, flush in await self._on(topic, name, key, until):
                found.setdefault(flush_id, flush)
        newest = sorted(found.values(), key=lambda flush: flush.at_ms, reverse=True)
        return newest[:FLUSHES]

    async def _on(
        self, topic: str, name: str, key: bytes, until_s: float
    ) -> list[tuple[str, Flush]]:
        physical = self._parts.names.topic(topic)
        count = await self._parts.partitions(physical)
        if count is None:
            return []
        tp = (physical, partition_for(key, count))
        begin = (await self._parts.log.begin_offsets([tp]))[tp]
        end = (await self._parts.log.end_offsets([tp]))[tp]
        found: list[tuple[str, Flush]] = []
        clock = asyncio.get_running_loop().time
        while end > begin and len(found) < FLUSHES and clock() < until_s:
            start = max(begin, end - STEP)
            items = await self._between(tp, start, end)
            told = (_flush(item, name) for item in reversed(items) if item[2] == key)
            found += (flush for flush in told if flush is not None)
            end = start
        return found

    async def _between(self, tp: tuple[str, int], start: int, end: int) -> list[Item]:
        items: list[Item] = []
        while start < end:
            piece = await self._parts.log.read(*tp, start)
            items += (item for item in piece.items if item[0] < end)
            if piece.next_offset <= start:
                break
            start = piece.next_offset
        return items


def _flush(item: Item, name: str) -> tuple[str, Flush] | None:
    """(id, flush) when the record is a flush of that aggregator."""
    try:
        record: Any = exact_json(item[3] or b"")
    except msgspec.DecodeError:
        return None  # somebody else's record
    if isinstance(record, dict) and "specversion" in record:
        record = record.get("data")
    if not isinstance(record, dict) or record.get("aggregator") != name:
        return None
    return str(record.get("id")), Flush(item[3] or b"", item[1])
