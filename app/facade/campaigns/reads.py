"""Campaigns and FDDs read: from their shard one by one, lists of FDDs from the documents store."""

from collections.abc import Mapping
from typing import Any

from app.backend import BadCursor, Unavailable
from app.campaign_shapes import Campaigns, Json
from app.facade.campaigns.answers import shown_not_to_call
from app.facade.campaigns.asking import Asking
from app.facade.campaigns.listing import JUDGED
from app.facade.campaigns.sources import Sources
from app.facade.cursors import cursor_of, place_of
from app.facade.owners import page, share
from app.shapes import Page
from connectors.stores.base import BadPlace, FddFilter, StoreUnavailable
from domain.campaigns.keys import flow_of_request, ref_of_id
from domain.campaigns.numbers import normalised
from domain.campaigns.rows import NO_SLOT, PENDING

ANSWERS = 20  # of a shard for one list: where thousands have expired, the rest is for the next page


class Reads:
    """See `CampaignsBackend`, section Reading."""

    def __init__(self, parts: Sources, asking: Asking) -> None:
        self._parts, self._asking = parts, asking

    async def campaigns(
        self, day: str | None, q: str, status: str | None, limit: int, cursor: str | None
    ) -> Campaigns:
        after = None if cursor is None else place_of(cursor, str)
        tabs: dict[str, int] = {}
        found: list[Json] = []
        left = JUDGED
        while True:
            more = limit - len(found)
            wanted = share(more, self._parts.shards())
            told = await self._asking.all(
                "listed", day=day, q=q, status=status, limit=wanted, after=after
            )
            if not tabs:
                for one in told.values():
                    for name, number in one["tabs"].items():
                        tabs[name] = tabs.get(name, 0) + number
            rows, after = page({n: ("", _rows(one, wanted)) for n, one in told.items()}, more)
            found += (row[1] for _, _, row in rows)
            # by status they have to be looked at one by one: some for an answer
            left -= sum(one.get("judged", JUDGED) for one in told.values()) if status else 0
            if after is None or len(found) >= limit or left <= 0:
                return Campaigns(tabs, found, None if after is None else cursor_of(after))

    async def campaign(self, request_id: str, day: str | None) -> Json | None:
        found: Json | None = await self._asking.of_request("campaign", request_id, day=day)
        return found

    async def about(self, request_id: str) -> Mapping[str, Any] | None:
        """See `answers.about`."""
        found: Mapping[str, Any] | None = await self._asking.of_request("about", request_id)
        return found

    async def fdds(
        self, request_id: str, where: Mapping[str, str], limit: int, cursor: str | None
    ) -> Page[Json] | None:
        about = await self.about(request_id)
        if about is None:
            return None
        number = where.get("number")
        if number is not None:
            number = normalised(number, about["country"]) or number
        slot = where.get("slot")
        wanted = FddFilter(
            request_id,
            day=where.get("day") or shown_day(about["today"]),
            slot="" if slot == NO_SLOT else slot,
            states=states_of(where.get("status")),
            number=number,
        )
        try:
            page = await self._parts.documents.find_fdds(wanted, cursor, limit)
        except BadPlace as error:
            raise BadCursor(cursor or "") from error
        except StoreUnavailable as error:
            raise away(error) from error
        return Page(page.items, page.next)

    async def fdd(self, fdd_id: str) -> Json | None:
        return await self._of_fdd("fdd", fdd_id)

    async def why(self, fdd_id: str) -> Json | None:
        return await self._of_fdd("why", fdd_id)

    async def _of_fdd(self, ask: str, fdd_id: str) -> Json | None:
        ref = ref_of_id(fdd_id)
        if ref is None:
            return None
        found: Json | None = await self._asking.of_flow(
            ask, flow_of_request(ref.request_id), fdd_id=fdd_id
        )
        return found

    async def by_number(self, number: str, limit: int, cursor: str | None) -> Page[Json]:
        wanted = normalised(number, None) or number
        try:
            page = await self._parts.documents.find_by_number(wanted, cursor, limit)
        except BadPlace as error:
            raise BadCursor(cursor or "") from error
        except StoreUnavailable as error:
            raise away(error) from error
        return Page(page.items, page.next)

    async def negative_files(
        self, request_id: str, limit: int, cursor: str | None
    ) -> Page[Json] | None:
        found = await self._asking.of_request("negative_files", request_id)
        if found is None:
            return None
        start = 0
        if cursor is not None:
            last = place_of(cursor, str)
            start = next((i + 1 for i, one in enumerate(found) if one["upload_id"] == last), 0)
        piece = found[start : start + limit]
        more = start + limit < len(found)
        return Page(piece, cursor_of(piece[-1]["upload_id"]) if more else None)

    async def alerts(self) -> list[Json]:
        told = await self._asking.all("alerts")
        found = [one for shard in told.values() for one in shard]
        return sorted(found, key=lambda one: (one["since"], one["alert"]), reverse=True)

    async def do_not_call(self, limit: int, cursor: str | None) -> Page[Json]:
        after = None if cursor is None else place_of(cursor, str)
        found: list[Any] = []
        for _ in range(ANSWERS):
            # every shard has all of the list
            told = await self._asking.of_flow(
                "do_not_call", "", limit=limit - len(found), after=after, number=None, reached=True
            )
            items, after = _reached(told, limit - len(found))
            found += items
            if after is None or len(found) >= limit:
                break
        shown = [shown_not_to_call(row) for row in found]
        return Page(shown, None if after is None else cursor_of(after))

    async def not_to_call(self, number: str) -> Json | None:
        wanted = normalised(number, None)
        if wanted is None:
            return None
        found = await self._asking.of_flow("do_not_call", "", limit=1, after=None, number=wanted)
        return shown_not_to_call(found[0]) if found else None


def _rows(one: Mapping[str, Any], limit: int) -> dict[str, Any]:
    """As `page` takes them. A worker of an older version doesn't say up to where it looked."""
    items = one["items"]
    last = items[-1][0] if len(items) >= limit else None
    return {"rows": items, "reached": one.get("reached", last)}


def _reached(told: Any, limit: int) -> tuple[list[Any], str | None]:
    """Numbers not to call, and the last one that was looked at. A worker of an older version tells
    the numbers only."""
    if isinstance(told, Mapping):
        return told["items"], told["reached"]
    return told, told[-1][0] if len(told) >= limit else None


def states_of(status: str | None) -> tuple[str, ...] | None:
    """The states that a status stands for; None for all."""
    if status is None:
        return None
    return PENDING if status == "IN_PROGRESS" else (status,)


def shown_day(day: str) -> str:
    """`2025-11-03` of `20251103`."""
    return f"{day[:4]}-{day[4:6]}-{day[6:]}"


def away(error: StoreUnavailable) -> Unavailable:
    """What whoever asked is told when a store doesn't answer."""
    return Unavailable(f"the store {error.where}", error.detail)
