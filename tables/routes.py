"""What was decided about an input partition when its records were first routed: by which documents,
and what was refused.

One row in a changelog of its own, appended (and acknowledged) before anything of the batch goes
out: records below `decided` that come again are treated by the same documents again and counted no
second time.
"""

from typing import Any

import msgspec

from tables.changelog import Changelog

ROUTE = b"route"
TAIL = 64  # rows read first to find the newest: behind it are only claims and a straggler's
MAX_SEGMENTS = 256  # changes of documents between two offset commits; a commit comes every second


class Route(msgspec.Struct, array_like=True):
    """`segments`: [first offset, revision of the documents]. `rejected`: by aggregator and reason.
    Counts are of all time. `runs`: by aggregator ("": no one in particular), see
    `domain/aggregation/limit.py`, under the documents of `runs_revision`.
    """

    decided: int = 0
    segments: list[list[int]] = []
    rejected: dict[str, dict[str, int]] = {}
    filtered: dict[str, int] = {}
    unmatched: int = 0
    records: int = 0
    until: int = 0
    runs: dict[str, list[int]] = {}
    runs_revision: int = 0


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Route).decode


class RouteLog:
    """The decisions of one input partition; one task at a time uses it."""

    def __init__(self, changelog: Changelog) -> None:
        self._changelog = changelog
        self.route = Route()

    async def open(self) -> None:
        """Reads what was decided and claims the partition."""
        await self.read()
        self._take(await self._changelog.claim())

    async def read(self) -> None:
        """Reads what was decided by now: the newest row has all of it. Claims nothing."""
        end = await self._changelog.end()
        tail, found = TAIL, False
        while not found:
            self._changelog.epoch = 0
            async for changes in self._changelog.follow(max(0, end - tail)):
                found = self._take(changes) or found
            if tail >= end:
                return
            tail *= 16  # a worker that can't go on restarts many times, and claims each time

    async def still_ours(self) -> bool:
        """Whether nobody else has written since."""
        return await self._changelog.end() == self._changelog.next_offset

    def _take(self, changes: list[tuple[bytes, bytes | None]]) -> bool:
        rows = [body for _, body in changes if body is not None]
        if rows:
            self.route = _decode(rows[-1])
        return bool(rows)

    def revisions(self, first: int, end: int, current: int) -> list[tuple[int, int, int]]:
        """[(first offset, end offset, revision)] covering [first, end): as decided, what is new by
        `current`.
        """
        route = self.route
        parts: list[tuple[int, int, int]] = []
        bounds = [*route.segments, [route.decided, current]][1:]
        for (start, revision), (following, _) in zip(route.segments, bounds, strict=True):
            low, high = max(start, first), min(following, end, route.decided)
            if low < high:
                parts.append((low, high, revision))
        if end > route.decided:
            newest = max(current, route.segments[-1][1] if route.segments else 0)
            parts.append((max(first, route.decided), end, newest))
        return parts

    async def decide(self, end: int, revision: int, **counted: Any) -> None:
        """Records, durably, that everything before `end` goes by `revision`. `counted` replaces
        those fields of the row.
        """
        route = self.route
        if not route.segments or route.segments[-1][1] != revision:
            route.segments = [*route.segments, [route.decided, revision]][-MAX_SEGMENTS:]
        route.decided = end
        for name, value in counted.items():
            setattr(route, name, value)
        await self._changelog.append([(ROUTE, _encode(route))])
