"""Input partitions on their way from the old number of shards to the new one.

Before the first record that is routed by the new number, all that the partition sent before must
have arrived where it belongs: the old shards are read up to where they ended (what they handed on
is out then), and then all shards are.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from agents.growth_desk import crossed
from agents.shards import NotOwned
from config.names import Names
from connectors.streams.base import TP, Log
from tables.documents import Documents
from tables.growths import Growth

if TYPE_CHECKING:
    from agents.engine import Engine

LOOK_S = 0.05
WATCH_S = 0.5  # how often inputs are looked at that are to be routed by a new number of shards


class Crossing:
    """See the module. `pause` is how long it waits between two looks."""

    def __init__(self, log: Log, group: str, names: Names, documents: Documents) -> None:
        self._log = log
        self._group = group
        self._names = names
        self._documents = documents
        self.pause: Callable[[], Awaitable[None]] = partial(asyncio.sleep, LOOK_S)

    async def arrived(self, growth: Growth, still: Callable[[], bool]) -> None:
        """Returns when everything sent to shards so far has arrived; raises NotOwned as soon as
        the partition that waits is not `still` ours.
        """
        for shards in (growth.before, growth.after):
            tps = [(self._names.sessions_in, number) for number in range(shards)]
            ends = await self._log.end_offsets(tps)
            while ends := await self._behind(ends):
                if not still():
                    raise NotOwned(next(iter(ends))[1])
                await self.pause()

    async def _behind(self, ends: dict[TP, int]) -> dict[TP, int]:
        """Those that the group has not yet read to their ends."""
        read = await self._log.committed(self._group, ends)
        return {tp: end for tp, end in ends.items() if (read[tp] or 0) < end}

    async def watch(self, engine: "Engine", steady: Callable[[], bool]) -> None:
        """Looks again and again, for ever; for `steady` see `look`."""
        while True:
            await self.look(engine, steady)
            await asyncio.sleep(WATCH_S)

    async def look(self, engine: "Engine", steady: Callable[[], bool] = lambda: True) -> None:
        """One look: partitions of the engine's that wait cross, and each one tells so. It is given
        up when partitions move, before `steady` is False for long: batches wait for it.
        """
        growth = self._documents.growths.latest
        if growth is None or growth.finished or not growth.switched:
            return
        for topic, partition in growth.waiting:
            tp = (self._names.topic(topic), partition)

            def still(tp: TP = tp) -> bool:
                return tp in engine.assigned and steady()

            if not still():
                continue
            try:
                position = await engine.committed(tp)
                past = await engine.intakes.cross(growth, topic, partition, position, still)
            except NotOwned:
                continue
            if past and still():
                await engine.growth.tell(crossed(growth.after, topic, partition))
