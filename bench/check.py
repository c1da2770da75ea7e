"""Reads back what a system has at the end, from its own changelog."""

import json
import struct
from collections.abc import Callable

from bench.job import Expected
from connectors.streams.base import Log
from tables.codec import decode_row
from tables.layout import ROW

State = tuple[int, int, int, float]
"""(sum of bytes, their maximum, count, sum of price)"""
Decode = Callable[[bytes, bytes], State | None]
"""(key, value) of a changelog record -> the state of an account, None for another kind of row."""


def sluice(key: bytes, value: bytes) -> State | None:
    """A session row; eight bytes of epoch come first."""
    session = decode_row(value[8:]).open if key[:1] == ROW else None
    if session is None:
        return None
    total, top, price = session.accumulators
    return total, top, session.count, float(price)


def packed(_key: bytes, value: bytes) -> State | None:
    """Three longs and a double."""
    total, top, count, price = struct.unpack_from(">qqqd", value)
    return total, top, count, price


def as_json(_key: bytes, value: bytes) -> State | None:
    """A JSON object."""
    state = json.loads(value)
    return state["bytes"], state["max"], state["count"], state["price"]


async def totals(log: Log, group: str, decode: Decode) -> Expected:
    """What the newest row of every account in the group's changelogs adds up to."""
    newest: dict[tuple[str, bytes], bytes | None] = {}
    for topic, partitions in (await log.topics()).items():
        if group not in topic or "changelog" not in topic:
            continue
        for partition in range(partitions):
            await _read(log, topic, partition, newest)
    found = Expected()
    for (_, key), value in newest.items():
        state = decode(key, value) if value is not None else None
        if state is not None:
            total, top, count, price = state
            found.add(count, total, top, price)
    return found


async def _read(
    log: Log, topic: str, partition: int, newest: dict[tuple[str, bytes], bytes | None]
) -> None:
    offset = 0
    while True:
        part = await log.read(topic, partition, offset, max_bytes=4 << 20)
        for _, _, key, value, _ in part.items:
            if key is not None:
                newest[topic, key] = value
        if part.next_offset >= part.end_offset or part.next_offset <= offset:
            return
        offset = part.next_offset
