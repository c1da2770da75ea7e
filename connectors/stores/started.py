"""Attempts by their start, read window by window: few in memory, whatever the span."""

from collections.abc import AsyncIterator, Awaitable, Callable

from connectors.stores.base import Started, Value
from domain.aggregation.instants import parse_instant

FIRST_MS = 60_000
LONGEST_MS = 6 * 3_600_000
ENOUGH = 2_000  # FDDs of a window at most, unless they started in one millisecond

Look = Callable[[int, int, int | None], Awaitable[list[Value]]]
"""(begin ms, end ms, most) -> FDDs with an attempt that started in between, each once."""


async def by_start(look: Look, begin_ms: int, end_ms: int) -> AsyncIterator[Started]:
    """The attempts of the span in order. A window with too many is halved, and after one with few
    the next is twice as long."""
    span_ms = FIRST_MS
    while begin_ms < end_ms:
        until_ms = min(begin_ms + span_ms, end_ms)
        fdds = await look(begin_ms, until_ms, ENOUGH + 1 if span_ms > 1 else None)
        if len(fdds) > ENOUGH and span_ms > 1:
            span_ms = max(1, min(span_ms, until_ms - begin_ms) // 2)
            continue
        for started in _in_order(fdds, begin_ms, until_ms):
            yield started
        begin_ms = until_ms
        if len(fdds) < ENOUGH // 4:
            span_ms = min(span_ms * 2, LONGEST_MS)


def _in_order(fdds: list[Value], begin_ms: int, end_ms: int) -> list[Started]:
    found = []
    for fdd in fdds:
        for attempt in fdd["attempts"]:
            at_ms = parse_instant(attempt.get("started_at"))
            if at_ms is not None and begin_ms <= at_ms < end_ms:
                found.append(Started(at_ms, attempt, fdd))
    return sorted(found, key=lambda each: (each.at_ms, str(each.fdd.get("id"))))
