"""The standby copies of a worker: which shards of others it keeps, and how far each of them is.

The consumer group says which, together with what the worker owns: as many workers keep a copy of a
shard as the setting wants, and one of them gets the shard when its owner is gone. No copy is open
beside the shard itself: `leave` comes before the shard is opened, `take` after it was closed.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from agents.ending import end
from connectors.streams.base import Log, StreamError
from domain.errors import SluiceError
from tables.changelog import Changelog
from tables.standby import SETTLED_MS, Left

logger = logging.getLogger(__name__)
LOOK_S = 0.5  # between two looks at the ends of the changelogs: so old is a copy that keeps up
AGAIN_S = 60.0  # until one that could not be kept is tried again
LATE_S = 60.0  # a copy that old doesn't keep up

Key = tuple[str, int]
"""(table, shard)"""


class Copy(Protocol):
    """See `tables/standby.py`."""

    changelog: Changelog

    @property
    def readable(self) -> bool:
        """Whether its rows can be read now."""

    async def catch_up(self) -> None:
        """Reads up to the present end."""

    def leave(self) -> None:
        """Makes `catch_up` end soon."""

    def close(self) -> None:
        """Closes the store."""


@dataclass
class Kept:
    """One of them. `complete_s`: what was durable by then is in it; None before it was ever
    caught up. `end`: of its changelog, as last seen. `trouble`: why it is not kept."""

    copy: Copy | None = None
    complete_s: float | None = None
    end: int = 0
    looked_s: float = float("-inf")
    trouble: str = ""
    task: asyncio.Task[None] | None = None

    @property
    def left(self) -> int:
        """Records of the changelog still to be read."""
        return 0 if self.copy is None else max(0, self.end - self.copy.changelog.next_offset)


class Standbys:
    """See the module. `make` opens a copy; `fail` hears of what must not happen."""

    def __init__(
        self,
        log: Log,
        make: Callable[[str, int], Copy],
        fail: Callable[[BaseException], None],
        now_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._log = log
        self._make = make
        self._fail = fail
        self._now_s = now_s
        self._task: asyncio.Task[None] | None = None
        self.kept: dict[Key, Kept] = {}

    async def leave(self, wanted: set[Key]) -> None:
        """Closes those that are not wanted: when it returns, their folders are free."""
        gone = {key: self.kept.pop(key) for key in self.kept.keys() - wanted}
        for kept in gone.values():
            if kept.copy is not None:
                kept.copy.leave()
        for kept in gone.values():
            if kept.task is not None:
                await asyncio.wait((kept.task,))
            self._close(kept)

    def take(self, wanted: set[Key]) -> None:
        """Begins to keep those that are wanted besides."""
        for key in sorted(wanted - self.kept.keys()):
            self.kept[key] = Kept()
        if self.kept and self._task is None:
            self._task = asyncio.create_task(self._run())
            self._task.add_done_callback(self._ended)

    def readable(self, table: str) -> dict[int, tuple[Copy, float]]:
        """By shard the copies of a table that can be read, and how old each is, in seconds."""
        now = self._now_s()
        return {
            number: (kept.copy, now - kept.complete_s)
            for (name, number), kept in sorted(self.kept.items())
            if name == table
            and kept.copy is not None
            and kept.complete_s is not None
            and kept.copy.readable
        }

    def age_s(self, kept: Kept) -> float | None:
        """How old a copy is; None for one that was never complete."""
        return None if kept.complete_s is None else self._now_s() - kept.complete_s

    def lacking(self) -> list[tuple[str, int, str]]:
        """(table, shard, why) of copies that are not kept, or don't keep up."""
        found = []
        for (table, number), kept in sorted(self.kept.items()):
            age_s = self.age_s(kept)
            if kept.trouble:
                found.append((table, number, kept.trouble))
            elif age_s is not None and age_s > LATE_S:
                found.append((table, number, f"it is {age_s:.0f} s old"))
        return found

    async def stop(self) -> None:
        """Closes all of them."""
        if self._task is not None:
            await end(self._task)
        await self.leave(set())

    # Keeping up

    async def _run(self) -> None:
        while True:
            try:
                await self.look()
            except StreamError as error:
                logger.info("standby copies wait for the stream: %s", error)
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Sees where the changelogs end, and brings up those copies that are behind."""
        now = self._now_s()
        for kept in self.kept.values():
            if kept.trouble and now - kept.looked_s >= AGAIN_S:
                kept.trouble = ""
        for key, kept in self.kept.items():
            if kept.copy is None and not kept.trouble:
                self._open(key, kept)
        open_ones = {key: kept.copy for key, kept in self.kept.items() if kept.copy is not None}
        tps = {
            key: (one.changelog.topic, one.changelog.partition) for key, one in open_ones.items()
        }
        ends = await self._log.end_offsets(tps.values()) if tps else {}
        for key, tp in tps.items():
            kept = self.kept.get(key, Kept())
            if kept.copy is not open_ones[key] or kept.task is not None:
                continue
            kept.end = ends[tp]
            behind = kept.left > 0 or not kept.copy.readable
            if behind or now - kept.looked_s >= SETTLED_MS / 1000:
                kept.looked_s = now
                kept.task = asyncio.create_task(self._catch_up(key, kept, kept.copy))
                kept.task.add_done_callback(self._ended)
            else:
                kept.complete_s = now

    def _open(self, key: Key, kept: Kept) -> None:
        try:
            kept.copy = self._make(*key)
        except SluiceError as error:
            self._give_up(key, kept, error)

    async def _catch_up(self, key: Key, kept: Kept, copy: Copy) -> None:
        began = self._now_s()
        try:
            await copy.catch_up()
        except Left:
            return
        except StreamError as error:
            logger.info("the standby copy of %s %d waits for the stream: %s", *key, error)
        except SluiceError as error:
            self._give_up(key, kept, error)
        else:
            if copy.readable:
                kept.complete_s = began
        finally:
            kept.task = None

    def _give_up(self, key: Key, kept: Kept, error: SluiceError) -> None:
        logger.warning("no standby copy of %s %d: %s", *key, error)
        self._close(kept)
        kept.trouble, kept.looked_s, kept.complete_s = str(error), self._now_s(), None

    def _close(self, kept: Kept) -> None:
        if kept.copy is not None:
            kept.copy.close()
            kept.copy = None

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(error)
