"""The counts that a shard keeps, beside those of the FDDs in the documents store."""

import asyncio
from collections.abc import Mapping
from typing import Any

from app.campaign_shapes import Difference, Recounted
from app.facade.campaigns.asking import Asking
from app.facade.campaigns.reads import away, shown_day
from app.facade.campaigns.sources import Sources
from connectors.stores.base import FddFilter, StoreUnavailable, Write
from domain.campaigns.days import slot_shown
from domain.campaigns.fdds import count_key
from domain.campaigns.keys import flow_of_request
from domain.campaigns.rows import (
    COMPLETED,
    FAILED,
    NEGATIVE,
    PARTIAL,
    PENDING,
    REVOKED,
)

Spot = tuple[str, str]
"""(day, slot), as shown; slot "" for none"""
LOOKS, LOOK_S = 4, 0.5  # what is just on its way to the store is no difference
PAGE = 500
_OUTCOMES = {COMPLETED: "completed", PARTIAL: "partial", NEGATIVE: "negative", REVOKED: "revoked"}


class Recount:
    """See `CampaignsBackend.recount`."""

    def __init__(self, parts: Sources, asking: Asking) -> None:
        self._parts, self._asking = parts, asking

    async def of(self, request_id: str | None, repair: bool) -> Recounted:
        told = await self._asking.all("ids")
        found = sorted(row[0] for rows in told.values() for row in rows)
        wanted = [ident for ident in found if request_id in (None, ident)]
        differences: list[Difference] = []
        repaired = 0
        for ident in wanted:
            try:
                mine = await self._differences(ident)
                if mine and repair:
                    repaired += await self._repair(ident)
            except StoreUnavailable as error:
                raise away(error) from error
            differences += mine
        return Recounted(len(wanted), differences, repaired)

    async def _differences(self, ident: str) -> list[Difference]:
        for look in range(LOOKS):
            kept = figures_kept(await self._asking.of_request("figures", ident))
            stored = await self._stored(ident)
            found = differences(ident, kept, stored)
            if not found or look == LOOKS - 1:
                return found
            await asyncio.sleep(LOOK_S)
        return []

    async def _stored(self, ident: str) -> dict[Spot, dict[str, int]]:
        found: dict[Spot, dict[str, int]] = {}
        for one in await self._parts.documents.counts(ident):
            figures = found.setdefault((one.date, one.slot or ""), {})
            _count(figures, count_key(one.state, one.reason), one.count)
            figures["reached"] = figures.get("reached", 0) + one.count * one.reached
        return found

    async def _repair(self, ident: str) -> int:
        """Writes every FDD that differs as its shard has it, and deletes what the shard hasn't."""
        written = 0
        after = ""
        kept: set[str] = set()
        while True:
            page, sequence = await self._asking.with_sequence(
                "fdds_kept", flow_of_request(ident), request_id=ident, after=after, limit=PAGE
            )
            if not page["items"]:
                break
            writes = []
            for fdd in page["items"]:
                kept.add(fdd["id"])
                if await self._parts.documents.fdd(fdd["id"]) != fdd:
                    writes.append(Write("fdds", fdd["id"], sequence, fdd))
            await self._parts.documents.write(writes)
            written += len(writes)
            after = page["after"]
        cursor: str | None = None
        while True:
            stored = await self._parts.documents.find_fdds(FddFilter(ident), cursor, PAGE)
            gone = [fdd["id"] for fdd in stored.items if fdd["id"] not in kept]
            await self._parts.documents.write([Write("fdds", one, sequence, None) for one in gone])
            written += len(gone)
            cursor = stored.next
            if cursor is None:
                return written


def figures_kept(rows: list[list[Any]]) -> dict[Spot, dict[str, int]]:
    """The shard's counts by day and slot, under the names of a campaign's JSON."""
    found: dict[Spot, dict[str, int]] = {}
    for day, slot, created, reached, states in rows:
        figures = found.setdefault((shown_day(day), slot_shown(slot) or ""), {})
        for state, number in states.items():
            _count(figures, state, number)
        figures["created"] = created
        figures["reached"] = reached
    return found


def _count(figures: dict[str, int], state: str, number: int) -> None:
    """`state` as counts have it: `FAILED:BUSY` for failed ones."""
    name, _, reason = state.partition(":")
    path = "pending" if name in PENDING else f"outcome.{_OUTCOMES.get(name, '')}"
    if name == FAILED:
        path = f"outcome.failed.{reason}"
    figures[path] = figures.get(path, 0) + number
    figures["created"] = figures.get("created", 0) + number


def differences(
    ident: str, kept: Mapping[Spot, dict[str, int]], stored: Mapping[Spot, dict[str, int]]
) -> list[Difference]:
    """Each count that differs."""
    found = []
    for day, slot in sorted({*kept, *stored}):
        ours, theirs = kept.get((day, slot), {}), stored.get((day, slot), {})
        for path in sorted({*ours, *theirs}):
            if ours.get(path, 0) != theirs.get(path, 0):
                counts = ours.get(path, 0), theirs.get(path, 0)
                found.append(Difference(ident, day, slot, path, *counts))
    return found
