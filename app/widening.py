"""Topics that get more partitions while workers run: made so, and noticed."""

from collections.abc import Iterable, Mapping, Sequence

from config.names import Names
from connectors.streams.base import Log
from tables.documents import Documents


class Widening:
    """`known` are topics' partitions, by physical name, as this worker subscribes to them first."""

    def __init__(
        self, log: Log, names: Names, documents: Documents, known: Mapping[str, int]
    ) -> None:
        self._log = log
        self._names = names
        self._documents = documents
        self._known = dict(known)

    async def widen(self, shards: int, inputs: Sequence[str]) -> None:
        """Gives what sessions live on, and these inputs, as many partitions, unless they have."""
        widened = [self._names.changelog("sessions"), self._names.sessions_in]
        for name in inputs:
            # the log of what is decided about a partition is there before the partition
            widened += [self._names.changelog(f"routes-{name}"), self._names.topic(name)]
        for topic in widened:
            await self._log.widen_topic(topic, shards)

    async def news(self, subscribed: Iterable[str]) -> bool:
        """Whether some of these topics got more partitions by a growth since it was asked last."""
        if not self._documents.growths.under_way:
            return False
        before, self._known = self._known, await self._log.topics()
        return any(
            self._known.get(name, 0) > before.get(name, self._known.get(name, 0))
            for name in subscribed
        )
