"""One partition of a ledger's shard in memory, with kills at its steps."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from connectors.streams.memory import Killed, MemoryLog
from connectors.streams.murmur2 import partition_for
from domain.clock import FixedClock
from tables.changelog import Changelog
from tables.ledger import Ledger
from tables.ledger_book import Output, Write
from tests.agents.world import NAMES, START_MS, Disk

T = TypeVar("T")


class LedgerWorld:
    """The log with these topics, a disk, and ledgers whose changelog is that of `kind`. `kill_on`:
    the step of a commit at which the worker dies, once.
    """

    def __init__(self, kind: str, *topics: str) -> None:
        self.clock = FixedClock(START_MS)
        self.log = MemoryLog(self.clock)
        for name in (*topics, "dead-letters", NAMES.changelog(kind)):
            self.log.counts[name] = 1
        self.disks = {0: Disk()}
        self.kill_on: int | None = None
        self.at = 0
        self._kind = kind

    def run(self, work: Coroutine[Any, Any, T]) -> T | None:
        """What the work returns, None when it was killed."""
        try:
            return asyncio.run(work)
        except Killed:
            return None

    async def ledger(self, number: int) -> Ledger:
        """The shard's ledger, opened by a new worker."""
        changelog = Changelog(self.log, NAMES.changelog(self._kind), number, "w")
        ledger = Ledger(
            number, self.disks[number], changelog, self._send, self._deliver, on_step=self._step
        )
        await ledger.open()
        return ledger

    async def rows(self) -> dict[bytes, bytes]:
        """All rows, once nothing waits."""
        ledger = await self.ledger(0)
        await ledger.settle()
        return ledger.rows()

    def _step(self, step: int) -> None:
        if step == self.kill_on:
            self.kill_on = None
            raise Killed

    async def _send(self, outputs: list[Output]) -> None:
        for topic, key, value in outputs:
            await self.log.append(topic, partition_for(key or b"", 1), [(key, value, None, ())])

    async def _deliver(self, _writes: list[Write], _version: int) -> None:
        """Nothing is written to stores."""
