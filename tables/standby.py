"""A standby copy of a shard: its store, kept near the end of the changelog that another worker
writes.

Whatever is in it came by the code of recovery (recovery.py), and what it holds at any moment is
what a recovery that was killed there would leave: the next one, a copy's or an owner's, goes on
behind it. A copy claims nothing and writes nothing but its own store, so the order of a commit is
untouched by it. When the shard comes to this worker, the copy is closed and the shard opened on the
same folder, as after a restart.

Rows are right each by itself. The last commit may be there in part, as after a kill: what holds for
all rows together (totals, marks) is not to be read from a copy.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from domain.errors import Invariant, SluiceError
from tables.changelog import Changelog
from tables.formats import SHARD, bring_up
from tables.layout import LOCAL, MARKS, encode
from tables.recovery import Reading, begin, derive, empty
from tables.shard import Shard

READ_BYTES = 256 << 10  # some milliseconds of work at a time: an owner works in the same process
SETTLED_MS = 60_000  # how often a copy that nothing happens to says that it is up to date


R = TypeVar("R")


class Left(SluiceError):
    """The copy is being closed in the middle of its work."""


class Follower(ABC, Generic[R]):
    """What copies of shards and of ledgers have in common: one task uses `catch_up`; others may
    read the store while `readable`. R: how far what is read is applied.
    """

    def __init__(self, number: int, changelog: Changelog) -> None:
        self.number = number
        self.changelog = changelog
        self.changelog.read_bytes = READ_BYTES
        self.readable = False
        self._reading: R | None = None
        self._left = False

    async def catch_up(self) -> None:
        """Reads up to the present end. Raises Left when `leave` was called, and whatever reading a
        stream and a recovery raise. Called again it goes on from what is in the store.
        """
        try:
            await self._catch_up(self._reading or self._begin())
        except BaseException:
            self._reading = None  # more may have been read than was applied
            raise

    def leave(self) -> None:
        """Makes `catch_up` end soon."""
        self._left = True

    def _look(self) -> None:
        if self._left:
            raise Left(f"copy of {self.changelog.topic} partition {self.number}")

    @abstractmethod
    def _begin(self) -> R:
        """Takes over what the store knows."""

    @abstractmethod
    async def _catch_up(self, reading: R) -> None:
        """Applies what follows, up to the present end."""


class ShardCopy(Follower[Reading]):
    """See the module."""

    def __init__(self, shard: Shard, documents: Callable[[], Awaitable[object]]) -> None:
        """`documents` returns when all that were in force when it was called are known here."""
        if shard.changelog is None:
            raise Invariant("a copy has a changelog to follow", f"shard {shard.number}")
        super().__init__(shard.number, shard.changelog)
        self.shard = shard
        self._documents = documents

    def _begin(self) -> Reading:
        bring_up(self.shard.store, SHARD, f"copy of shard {self.number}")
        self.changelog.restart()
        self._reading = begin(self.shard)
        return self._reading

    async def _catch_up(self, reading: Reading) -> None:
        shard, changelog = self.shard, self.changelog
        changelog.gaps = False
        before = reading.next
        async for changes in changelog.follow(before):
            if reading.stale and changelog.gaps:
                self.readable, self._reading = False, None
                await asyncio.to_thread(empty, shard)
                return
            if not reading.cold:
                # what isn't understood must not count as read
                changelog.check_formats()
            await self._documents()
            self._look()
            reading.apply(shard, changes)
            await asyncio.sleep(0)
        changelog.check_formats()
        reading.next = changelog.next_offset
        await self._settle(reading, changed=reading.next != before)

    async def _settle(self, reading: Reading, *, changed: bool) -> None:
        """Everything up to the present end is applied."""
        shard = self.shard
        if reading.cold:
            await asyncio.to_thread(derive, shard, reading.carried, self._look)
        now = shard.now_ms()
        if reading.cold or changed or now - reading.written >= SETTLED_MS:
            shard.store.write([(LOCAL, shard.local()), (MARKS, encode(shard.marks))])
            reading.written = now
        reading.carried.lost(shard.marks.effective_now)
        reading.cold = reading.stale = False
        self.readable = True

    def close(self) -> None:
        """Closes the store, while `catch_up` does not run; what was applied is on disk.

        A commit's blocks come before the rows whose ids they hold. Should rows have come without,
        only reading all of the changelog brings those ids back.
        """
        self.readable = False
        reading, shard = self._reading, self.shard
        warm = reading is not None and not reading.cold
        if reading is not None and warm and reading.carried.lost(shard.marks.effective_now):
            shard.store.write([], [LOCAL])
        shard.close()
