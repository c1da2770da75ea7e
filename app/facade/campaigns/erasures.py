"""Numbers erased for good: from the shards, the stores, the rejected rows of uploads, and funnel
and usage events.

The stores come first and once more at the end: what the shards write after they have erased a
number has none, so whatever is killed, or goes on longer than is waited for, a repeat finds the
rest.
"""

import asyncio
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from agents.uploads.progress import Progress
from agents.uploads.uploads import Uploads
from app.campaign_shapes import Commanded, Mistake, RefusedAction, RefusedChange
from app.cluster.peers import Peers
from app.facade.campaigns.asking import Asking
from app.facade.campaigns.commands import Commands, ids_of, merged
from app.facade.campaigns.reads import away
from app.facade.campaigns.sources import Sources
from app.facade.insight_erasing import InsightErasing
from app.shapes import Change
from connectors.stores.base import StoreUnavailable
from domain.campaigns.days import day_key
from domain.campaigns.numbers import normalised
from domain.clock import Clock
from domain.insight.erase import Whom

ERASE_ROWS = "erase_rejected"
READING = "uploads_read"
_NO_DIGITS = re.compile(rb"[^0-9]+")
NATIONAL_DIGITS = 8  # of the end of a number: in any form, a row of the person has them in a run
LAST_DAY = "9999-12-31"  # later than any FDD's


class Erasures:
    """See `CampaignsBackend.erase_number` and `erase_older`. Repeating one is harmless."""

    def __init__(
        self,
        parts: Sources,
        asking: Asking,
        commands: Commands,
        uploads: Uploads,
        peers: Peers,
        clock: Clock,
        events: InsightErasing,
    ) -> None:
        self._parts, self._asking, self._commands = parts, asking, commands
        self._uploads, self._peers, self._clock = uploads, peers, clock
        self._events = events
        self.questions = {ERASE_ROWS: self._own, READING: self._read_here, **events.questions}

    async def erase(self, text: str, change: Change, dry_run: bool, wait_s: float) -> Commanded:
        """One number."""
        number = normalised(text, None)
        if number is None:
            expected = "a number in E.164, like +919876543210"
            raise RefusedChange([Mistake("number", text, expected)])
        body = {"number": number}
        return await self._erase(f"-{number}", body, body, change, dry_run, wait_s)

    async def erase_older(
        self, days: int, change: Change, dry_run: bool, wait_s: float
    ) -> Commanded:
        """All numbers of campaigns whose last day is more than `days` days ago (UTC)."""
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        try:
            day = (now - timedelta(days=days)).date()
        except OverflowError:
            expected = "a number of days that the calendar has"
            raise RefusedChange([Mistake("older_than", f"{days}d", expected)]) from None
        told = await self._asking.all("over", day=day_key(day))
        requests = sorted(request_id for one in told.values() for request_id in one)
        body = {"before_day": day.isoformat()}
        where = {"requests": requests}
        return await self._erase(f"-{day}", body, where, change, dry_run, wait_s)

    async def _erase(
        self,
        about: str,
        body: Mapping[str, Any],
        where: Mapping[str, Any],
        change: Change,
        dry_run: bool,
        wait_s: float,
    ) -> Commanded:
        by: dict[str, int] = {}
        if not dry_run:
            await self._all_read(where.get("requests"))
            await self._stores(where, by)
        ids = ids_of("erase", about, change, 1)
        (ident,) = await self._commands.give("erase", "", ids, [body], change, dry_run)
        told = await self._commands.answered_by_all(ident, wait_s)
        if told is None:
            return self._commands.running(ident)
        refused = next((one for one in told if one["state"] == "refused"), None)
        if refused is not None:
            raise RefusedAction("erase", refused["because"] or "")
        done = merged([one["result"] for one in told])
        by["records_and_fdds"] = done["touched"]
        rows = await self._peers.ask(ERASE_ROWS, {**where, "dry_run": dry_run})
        by["rejected_rows"] = sum(rows.values())
        number = where.get("number", "")
        whom = Whom([number, number[1:]] if number else (), where.get("requests", ()))
        by["events"] = await self._events.erase(whom, dry_run)
        if not dry_run:
            await self._stores(where, by)
        by = {name: count for name, count in by.items() if count}
        return Commanded(ident, "done", {**done, "touched": sum(by.values()), "by": by})

    async def _stores(self, where: Mapping[str, Any], by: dict[str, int]) -> None:
        """Takes the numbers out of both stores, and adds how many rows had one."""
        documents, negatives = self._parts.documents, self._parts.negatives
        try:
            if "number" in where:
                found = [await documents.erase(where["number"])]
                listed = [await negatives.erase(where["number"])]
            else:
                requests = where["requests"]
                found = [await documents.erase_before(one, LAST_DAY) for one in requests]
                listed = [await negatives.erase_request(one) for one in requests]
        except StoreUnavailable as error:
            raise away(error) from error
        by["documents"] = by.get("documents", 0) + sum(found)
        by["negatives"] = by.get("negatives", 0) + sum(listed)

    async def _all_read(self, requests: list[str] | None) -> None:
        """Raises RefusedAction while a file is read that may bring a number back."""
        told = await self._peers.ask(READING, {})
        reading = {request_id for one in told.values() for request_id in one}
        if requests is not None:
            reading &= set(requests)
        if reading:
            raise RefusedAction("erase", f"the file of {min(reading)} is being read")

    async def _read_here(self, asked: dict[str, Any]) -> list[str]:
        return self._uploads.reading()

    async def _own(self, asked: dict[str, Any]) -> int:
        """Blanks this worker's rejected rows, of a number or of requests; how many there were."""
        folder = self._uploads.folder.path
        if "number" in asked:
            digits = asked["number"].removeprefix("+").encode()[-NATIONAL_DIGITS:]
            homes = sorted(path.parent.name for path in folder.glob("*/upload.json"))
        else:
            digits, homes = b"", asked["requests"]

        def has(raw: bytes) -> bool:
            return bool(raw) and any(
                digits in _NO_DIGITS.sub(b"", cell) for cell in raw.split(b",")
            )

        def erase() -> int:
            return sum(_blanked(self._uploads.progress(each), has, asked["dry_run"])
                       for each in homes)  # fmt: skip

        return await asyncio.to_thread(erase)


def _blanked(progress: Progress | None, has: Callable[[bytes], bool], dry_run: bool) -> int:
    if progress is None:
        return 0
    try:
        return progress.erase(has, dry_run)
    finally:
        progress.close()
