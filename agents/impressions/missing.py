"""Tells of a day whose file has not come: once when it is missed, once when that is over."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec

from agents.impressions.store import Store
from connectors.files.base import Files
from domain.clock import Clock
from domain.impressions.layout import PARTITIONED
from domain.impressions.missing import ALERT, missed, told
from tables.impressions import ImpressionsLog
from tables.ledger_book import Output

TOPIC = "alerts"


@dataclass(frozen=True)
class MissingDays:
    """`due_minute`: by which minute of a day (UTC) the file of the day before has come."""

    files: Files
    clock: Clock
    due_minute: int
    send: Callable[[list[Output]], Awaitable[None]]

    async def look(self, log: ImpressionsLog) -> None:
        """Starts and ends alerts: at least once each, the same. Raises FilesError."""
        manifest, _ = await asyncio.to_thread(Store(self.files).manifest, PARTITIONED)
        now_ms = self.clock.now_ms()
        days = missed(manifest.pieces, now_ms, self.due_minute)
        for day in days:
            if day not in log.missed:
                await self._tell(day, now_ms)
                await log.miss(day, now_ms)
        for day in sorted(log.missed.keys() - set(days)):
            await self._tell(day, log.missed[day], over=True)
            await log.miss(day, None)

    async def _tell(self, day: str, since_ms: int, *, over: bool = False) -> None:
        body = msgspec.json.encode(told(day, since_ms, self.due_minute, over=over))
        await self.send([(TOPIC, ALERT.encode(), body)])
