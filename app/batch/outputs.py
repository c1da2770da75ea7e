"""Which record goes where: flushes, expiries and rejected records each have their own target."""

from collections.abc import Iterable
from contextlib import ExitStack

from agents.letters import TOPIC as LETTERS
from app.batch.targets import Target
from domain.aggregation.fold import AUDIT
from tables.changes import Output


class Outputs:
    """Three targets. They are finished together, and abandoned together."""

    def __init__(self, flushed: Target, rejects: Target, audit: Target) -> None:
        self._flushed = flushed
        self._by_topic = {LETTERS: rejects, AUDIT: audit}
        self._all = (flushed, rejects, audit)
        self.count = 0
        """Flushed records written."""

    def write(self, outputs: Iterable[Output]) -> None:
        """Writes records, in order."""
        flushed, by_topic = self._flushed, self._by_topic
        for topic, _, value in outputs:
            target = by_topic.get(topic)
            if target is None:
                flushed.write(value)
                self.count += 1
            else:
                target.write(value)

    async def send(self, outputs: list[Output]) -> None:
        """`write`, as a shard wants it."""
        self.write(outputs)

    def finish(self) -> None:
        """Returns when everything is out."""
        for target in self._all:
            target.finish()

    def abandon(self) -> None:
        """Leaves nothing half done."""
        with ExitStack() as stack:
            for target in self._all:
                stack.callback(target.abandon)
