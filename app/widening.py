"""Topics that get more partitions while workers run: made so, and noticed."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from config.names import Names
from connectors.streams.base import Log
from tables.documents import Documents


class Widening:
    """`refresh()` has the worker learn how many partitions there are; the documents were read."""

    def __init__(
        self, log: Log, names: Names, documents: Documents, refresh: Callable[[], Awaitable[None]]
    ) -> None:
        self._log = log
        self._names = names
        self._documents = documents
        self._refresh = refresh
        growth = documents.growths.latest
        # a static member that is back in the middle of one gets what it had, without what is new
        self._seen = growth.after if growth is not None and growth.finished else 0

    async def widen(self, shards: int, inputs: Sequence[str]) -> None:
        """Gives what sessions live on, and these inputs, as many partitions, unless they have."""
        widened = [self._names.changelog("sessions"), self._names.sessions_in]
        for name in inputs:
            # the log of what is decided about a partition is there before the partition
            widened += [self._names.changelog(f"routes-{name}"), self._names.topic(name)]
        for topic in widened:
            await self._log.widen_topic(topic, shards)

    async def follow(self, subscribed: Iterable[str], app: Any) -> None:
        """Has the group give out the partitions of a growth when they are there, once: each worker
        does so, because only its leader's word counts, and that may be any of them.
        """
        growth = self._documents.growths.latest
        if growth is None or growth.after <= self._seen:
            return
        grown = [self._names.sessions_in, *map(self._names.topic, growth.inputs)]
        counts = await self._log.topics()
        if any(counts.get(name, 0) < growth.after for name in grown):
            return
        self._seen = growth.after
        await self._refresh()
        if not set(grown).isdisjoint(subscribed):
            await app.consumer.look_again()
            app.topics.subscribe_anew()
