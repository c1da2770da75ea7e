"""The flushes of one key, found where they went: on the output topic, from its end backwards."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from app.backend import FlushNotFound
from app.facade.parts import Parts
from app.shapes import Flush
from connectors.streams.base import TP, Item
from connectors.streams.murmur2 import partition_for
from domain.aggregation.operations import exact_json
from domain.aggregation.rule import Rule

STEP = 4_000  # offsets of one step back
FIND_S = 5.0  # looking for one flush by its id, on all partitions if need be
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

    async def find(
        self, rules: Sequence[Rule], flush_id: str, keys: Sequence[bytes], at_ms: int | None
    ) -> tuple[bytes, Flush]:
        """(session key, flush) of the flush with that id. Raises FlushNotFound.

        Where it went is read backwards: the partitions of these keys, all of them without any;
        first of all about `at_ms`, when it is known to have been sent then.
        """
        mark = flush_id.encode()
        until = asyncio.get_running_loop().time() + FIND_S
        looked, complete = 0, True
        for topic in dict.fromkeys(rule.document.output.topic for rule in reversed(rules)):
            tps = await self._where(topic, keys)
            begins, ends = await self._ends(tps)
            for tp in tps if at_ms is not None else ():
                start = await self._parts.log.offset_at(*tp, at_ms or 0)
                if found := _with_id(await self._between(tp, start, start + STEP), mark):
                    return found
            while any(ends[tp] > begins[tp] for tp in tps):
                if asyncio.get_running_loop().time() > until:
                    complete = False
                    break
                for tp in tps:  # side by side, so that the newest of all come first
                    start = max(begins[tp], ends[tp] - STEP)
                    if found := _with_id(await self._between(tp, start, ends[tp]), mark):
                        return found
                    looked += ends[tp] - start
                    ends[tp] = start
        raise FlushNotFound(flush_id, looked, complete)

    async def _where(self, topic: str, keys: Sequence[bytes]) -> list[TP]:
        physical = self._parts.names.topic(topic)
        count = await self._parts.partitions(physical) or 0
        numbers = {partition_for(key, count) for key in keys} if count else set()
        return [(physical, number) for number in sorted(numbers or range(count))]

    async def _ends(self, tps: Sequence[TP]) -> tuple[dict[TP, int], dict[TP, int]]:
        log = self._parts.log
        return await log.begin_offsets(tps), await log.end_offsets(tps)

    async def _between(self, tp: tuple[str, int], start: int, end: int) -> list[Item]:
        items: list[Item] = []
        while start < end:
            piece = await self._parts.log.read(*tp, start)
            items += (item for item in piece.items if item[0] < end)
            if piece.next_offset <= start:
                break
            start = piece.next_offset
        return items


def _with_id(items: Sequence[Item], mark: bytes) -> tuple[bytes, Flush] | None:
    for item in reversed(items):
        value = item[3]
        if value is None or mark not in value:
            continue
        record = _record(value)
        if record is not None and record.get("id") == mark.decode():
            return item[2] or b"", Flush(value, item[1])
    return None


def _flush(item: Item, name: str) -> tuple[str, Flush] | None:
    """(id, flush) when the record is a flush of that aggregator."""
    record = _record(item[3] or b"")
    if record is None or record.get("aggregator") != name:
        return None
    return str(record.get("id")), Flush(item[3] or b"", item[1])


def _record(value: bytes) -> dict[str, Any] | None:
    """The flushed record, out of its envelope; None for somebody else's."""
    try:
        record: Any = exact_json(value)
    except msgspec.DecodeError:
        return None
    if isinstance(record, dict) and "specversion" in record:
        record = record.get("data")
    return record if isinstance(record, dict) else None
