"""What runs on this worker now, from wherever it is known."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from agents.impressions.journal import read_journal
from agents.impressions.lock import held_by
from agents.uploads.uploads import Uploads
from app.facade.exports import Exports
from app.facade.parts import Parts
from app.facade.previews import Previews
from app.impressions import tables_of
from app.process_shapes import Kind, Running
from app.recoveries import Recoveries
from connectors.files.base import Files, FilesError
from domain.aggregation.instants import parse_instant
from domain.campaigns.underway import Underway, underway
from domain.impressions.layout import TABLES

RATE_S = 60.0  # a rate is over so long
CAMPAIGNS_S = 2.0  # between two looks at all campaigns
YOUNG_S = 1.0  # no rate before that


@dataclass
class Seen:
    """When a task was first looked at, and how far it was then and lately."""

    first_s: float
    first: float
    last_s: float
    last: float


@dataclass(frozen=True)
class Found:
    """A task as it is found: `done` of `total` `unit`s. `local` is its id on this worker."""

    kind: Kind
    local: str
    name: str
    done: float | None = None
    total: float | None = None
    unit: str = ""
    started_ms: int | None = None
    until_ms: int | None = None
    detail: str = ""
    owner: str = ""


class RunningHere:
    """Tells them; `uploads` None where there are no campaigns."""

    def __init__(
        self,
        parts: Parts,
        uploads: Uploads | None,
        exports: Exports,
        previews: Previews,
        recoveries: Recoveries | None,
    ) -> None:
        self._parts, self._uploads = parts, uploads
        self._exports, self._previews, self._recoveries = exports, previews, recoveries
        self._seen: dict[str, Seen] = {}
        self._underway: list[Found] = []
        self._looked_s = float("-inf")

    async def tell(self) -> list[Running]:
        """All that runs here, by kind and name."""
        found = [*self._fetches(), *self._exported(), *self._recovered()]
        found += await self._campaigns()
        found += self._looked_ahead()
        found += await self._read_uploads()
        self._seen = {one.local: self._seen[one.local] for one in found if one.local in self._seen}
        return sorted(map(self._rated, found), key=lambda one: (one.kind, one.name, one.id))

    def _rated(self, one: Found) -> Running:
        now_s, now_ms = self._parts.monotonic_s(), self._parts.clock.now_ms()
        rate, eta_ms = None, one.until_ms
        if one.done is not None:
            seen = self._seen.setdefault(one.local, Seen(now_s, one.done, now_s, one.done))
            if now_s - seen.first_s > 2 * RATE_S:
                seen.first_s, seen.first = seen.last_s, seen.last
            if now_s - seen.last_s > RATE_S:
                seen.last_s, seen.last = now_s, one.done
            if now_s - seen.first_s >= YOUNG_S:
                rate = max(0.0, one.done - seen.first) / (now_s - seen.first_s)
        progress = None
        if one.done is not None and one.total:
            progress = min(1.0, one.done / one.total)
            if rate:
                by_rate = now_ms + int((one.total - one.done) / rate * 1000)
                eta_ms = by_rate if eta_ms is None else min(eta_ms, by_rate)
        owner = one.owner or self._parts.worker
        return Running(
            f"{self._parts.worker}:{one.local}", one.kind, one.name, owner, one.started_ms,
            progress, rate, eta_ms, one.unit, one.detail,
        )  # fmt: skip

    async def _campaigns(self) -> list[Found]:
        """Looked for every CAMPAIGNS_S at most."""
        parts, now_s = self._parts.campaigns, self._parts.monotonic_s()
        if parts is not None and now_s - self._looked_s > CAMPAIGNS_S:
            self._looked_s = now_s
            found, now_ms = [], self._parts.clock.now_ms()
            for number, (epoch, _, book) in parts.books().items():
                if parts.books().get(number, (None,))[0] != epoch:
                    continue
                for page in underway(book, now_ms):
                    found += [_of_campaigns(number, one) for one in page]
                    await asyncio.sleep(0)
                    if parts.books().get(number, (None,))[0] != epoch:
                        break  # lost on the way; its store may be closed
            self._underway = found
        return self._underway

    async def live_slots(self) -> int:
        """How many slots are open here."""
        return sum(one.kind == "slot run" for one in await self._campaigns())

    def _fetches(self) -> Iterator[Found]:
        collector = self._parts.collector
        for lane in () if collector is None else collector.owned.values():
            for name, (_, fetcher, _) in lane.at_work.items():
                if fetcher.running and fetcher.current is not None:
                    pages, records = fetcher.current.pages, fetcher.current.records
                    yield Found(
                        "source fetch", f"fetch/{name}", name, records, None, "record",
                        fetcher.began_ms, detail=f"{pages:,} pages",
                    )  # fmt: skip

    def _exported(self) -> Iterator[Found]:
        for export in self._exports.running.values():
            yield Found(
                "export", f"export/{export.id}", export.name, export.rows, None, "row",
                export.started_ms,
            )  # fmt: skip

    def _looked_ahead(self) -> Iterator[Found]:
        for one in self._previews.running():
            if one.state == "running":
                yield Found(
                    "preview", f"preview/{one.id}", one.aggregator, one.records, None, "record"
                )

    def _recovered(self) -> Iterator[Found]:
        if self._recoveries is None:
            return
        for one in self._recoveries.under_way():
            yield Found(
                "table recovery", f"recovery/{one.table}/{one.number}",
                f"{one.table}, partition {one.number}", one.done, one.total, "record",
                one.began_ms,
            )  # fmt: skip

    async def _read_uploads(self) -> list[Found]:
        if self._uploads is None:
            return []
        return [
            Found(
                "upload", f"upload/{one.meta.request_id}",
                str(one.meta.description.get("name") or one.meta.filename),
                one.share, 1.0, "", one.meta.now_ms,
                detail=f"{one.meta.request_id}, {one.row:,} rows",
            )
            for one in self._uploads.under_way()
        ]  # fmt: skip

    # Ending

    async def cancel(self, local: str) -> bool:
        """Ends what can be ended at no loss; False when it doesn't run here (any more)."""
        kind, _, ident = local.partition("/")
        if kind == "export":
            return self._exports.end(ident)
        if kind == "preview":
            return await self._previews.end(ident) is not None
        if kind == "fetch" and self._parts.collector is not None:
            fetcher = self._parts.collector.fetcher(ident)
            return fetcher is not None and fetcher.cancel()
        return False


def _of_campaigns(number: int, one: Underway) -> Found:
    kind: Any = one.kind
    return Found(
        kind, f"{one.kind}/{number}/{one.name}/{one.detail}", one.name, one.done, one.total,
        one.unit, one.started_ms, one.until_ms, one.detail,
    )  # fmt: skip


async def impression_steps(parts: Parts) -> list[Running]:
    """Steps that write a table of impressions now, wherever they run: their locks tell."""
    try:
        return await asyncio.to_thread(_steps, tables_of(parts.settings), parts.clock.now_ms())
    except FilesError:
        return []  # whoever looks at impressions is told


def _steps(files: Files, now_ms: int) -> list[Running]:
    found = []
    for table in TABLES:
        held = held_by(files, table)
        if held is None or held.until_ms <= now_ms:
            continue
        steps = read_journal(files, table)
        file = steps[-1].file if steps and steps[-1].state == "running" else ""
        found.append(
            Running(
                f"impressions:{table}", "impression step", f"{held.step} {table}", held.owner,
                parse_instant(held.since), detail=file,
            )
        )  # fmt: skip
    return found
