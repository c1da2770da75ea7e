"""Funnel and usage, from whichever workers own the shards of events."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from app.backend import Unavailable
from app.cluster.peers import Peers
from app.facade.campaigns.asking import Asking
from app.facade.cursors import cursor_of, place_of
from app.facade.owners import LOOK_S, MOVING_S, Rows, Told, owned, page, share
from app.facade.parts import Parts
from app.facade.usage_period import Period, charts_of, highest_of, period_of
from app.insight_backend import (
    CHARTS,
    Chart,
    FunnelAsked,
    FunnelEvent,
    FunnelMessage,
    Usage,
    UsageDetail,
    UsageRecord,
)
from app.shapes import Page
from domain.insight import funnel, usage
from domain.insight.events import WHATS
from domain.insight.reach import Reached

FUNNEL, MESSAGE, FIGURES, RECORDS = "funnel", "funnel_event", "usage", "usage_records"
ROUNDS = 3  # where filters leave few, the cursor says where to go on
_ID = re.compile(r"([0-9]{1,5})-([0-9]{1,5})-([0-9]{1,18})")


class Insight:
    """See `InsightBackend`; `questions` are what the workers ask each other."""

    def __init__(self, parts: Parts, peers: Peers, campaigns: Callable[[], Asking]) -> None:
        self._parts, self._peers, self._campaigns = parts, peers, campaigns
        self.questions: Mapping[str, Callable[[dict[str, Any]], Awaitable[Any]]] = {
            FUNNEL: self._tell_funnel,
            MESSAGE: self._tell_message,
            FIGURES: self._tell_figures,
            RECORDS: self._tell_records,
        }

    # What this worker knows

    def _books(self) -> dict[int, Any]:
        return {} if self._parts.insight is None else dict(self._parts.insight.books())

    def _still(self, number: int, epoch: int) -> bool:
        """Whether the shard is open here as it was; its store may be closed otherwise."""
        return bool(self._books().get(number, (None,))[0] == epoch)

    async def _tell_funnel(self, asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
        found = {}
        for number, (epoch, book) in self._books().items():
            if not self._still(number, epoch):
                continue
            rows, reached = funnel.page(book, funnel.Asked(**asked))
            found[number] = {
                "epoch": epoch,
                "rows": [list(row) for row in rows],
                "reached": reached,
            }
            await asyncio.sleep(0)
        return found

    async def _tell_message(self, asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
        return {
            number: {
                "epoch": epoch,
                "told": funnel.whole(book, (asked["where"][0], asked["where"][1])),
            }
            for number, (epoch, book) in self._books().items()
            if number == asked["shard"]
        }

    async def _tell_figures(self, asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
        """Tallies by what; with `all` campaigns that had an event and customers reached, too."""
        found = {}
        span = asked["from_ms"], asked["to_ms"]
        for number, (epoch, book) in self._books().items():
            if not self._still(number, epoch):
                continue
            tallies = {
                what: [[*at, count] for at, count in usage.tally(book, what, *span).items()]
                for what in asked["whats"]
            }
            told: dict[str, Any] = {"tallies": tallies}
            if asked["all"]:
                reached = Reached(book, *span)
                for _ in reached.steps():
                    await asyncio.sleep(0)
                    if not self._still(number, epoch):
                        break
                if not self._still(number, epoch):
                    continue  # lost on the way: its next owner is asked
                told |= {"reached": reached.count, "exact": reached.exact}
                told["campaigns"] = sorted(usage.campaigns(book, *span))
            found[number] = {"epoch": epoch, "told": told}
        return found

    async def _tell_records(self, asked: dict[str, Any]) -> dict[int, dict[str, Any]]:
        found = {}
        for number, (epoch, book) in self._books().items():
            if not self._still(number, epoch):
                continue
            rows, reached = usage.records(book, **asked)
            found[number] = {
                "epoch": epoch,
                "rows": [list(row) for row in rows],
                "reached": reached,
            }
            await asyncio.sleep(0)
        return found

    # What all know together

    async def _ask(self, question: str, arguments: dict[str, Any], only: int | None = None) -> Told:
        """What every shard (or that one) tells. Raises Unavailable when one can't be asked soon."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + MOVING_S
        count = await self._parts.partitions(self._parts.names.insight_in) or 0
        wanted = range(count) if only is None else [only] if only < count else []
        while True:
            told = owned(await self._peers.ask(question, arguments))
            missing = [number for number in wanted if number not in told]
            if not missing:
                return told
            if clock() >= deadline:
                raise Unavailable(
                    f"events of shard {', '.join(map(str, missing))}",
                    "no worker of role campaigns has it open",
                )
            await asyncio.sleep(LOOK_S)

    async def _page(
        self, question: str, asked: dict[str, Any], limit: int, cursor: str | None
    ) -> Rows:
        """The newest of all shards; ROUNDS times at most each is asked for its share of them."""
        count = await self._parts.partitions(self._parts.names.insight_in) or 0
        after: bytes | None = b"" if cursor is None else place_of(cursor, bytes)
        found: list[tuple[int, str, list[Any]]] = []
        for _ in range(ROUNDS):
            more = limit - len(found)
            told = await self._ask(question, {**asked, "after": after, "limit": share(more, count)})
            rows, after = page(told, more)
            found += rows
            if after is None or len(found) >= limit:
                break
        return found, after

    async def funnel(self, asked: FunnelAsked, limit: int, cursor: str | None) -> Page[FunnelEvent]:
        """See `InsightBackend.funnel`."""
        now_ms = self._parts.clock.now_ms()
        arguments: dict[str, Any] = {
            "campaign": asked.campaign,
            "label": asked.label,
            "customer": asked.customer,
            "since_ms": 0 if asked.span_ms is None else max(0, now_ms - asked.span_ms),
        }
        rows, reached = await self._page(FUNNEL, arguments, limit, cursor)
        items = [
            FunnelEvent(_id(shard, partition, offset), at_ms, event)
            for shard, _, (_, at_ms, partition, offset, event) in rows
        ]
        return Page(items, None if reached is None else cursor_of(reached))

    async def funnel_event(self, event_id: str) -> FunnelMessage | None:
        """See `InsightBackend.funnel_event`."""
        match = _ID.fullmatch(event_id)
        if match is None:
            return None
        shard, partition, offset = map(int, match.groups())
        if partition > 0xFFFF:
            return None
        arguments = {"shard": shard, "where": [partition, offset]}
        told = (await self._ask(MESSAGE, arguments, shard)).get(shard)
        if told is None or told[1]["told"] is None:
            return None
        received_ms, body = told[1]["told"]
        return FunnelMessage(event_id, received_ms, body)

    async def usage(self, from_: str, to: str) -> Usage:
        """See `InsightBackend.usage`."""
        period = period_of(from_, to, self._parts.clock.now_ms())
        told, census = await asyncio.gather(
            self._told(period, list(WHATS[:-1]), whole=True),
            self._campaigns().all("census", from_ms=period.from_ms, to_ms=period.to_ms),
        )
        tallies = _added(told)
        rows = [row for shard in census.values() for row in shard]
        with_event = {name for one in told for name in one["campaigns"]}
        return Usage(
            from_ms=period.from_ms,
            to_ms=period.to_ms,
            grain_ms=period.grain_ms,
            total=sum(not revoked for _, _, revoked, _ in rows),
            active=active(rows, with_event),
            reached=sum(one["reached"] for one in told),
            exact=all(one["exact"] for one in told),
            leads=sum(tallies["lead"].values()),
            conversions=sum(tallies["conversion"].values()),
            charts=charts_of(tallies, period),
        )

    async def _told(self, period: Period, whats: list[str], *, whole: bool) -> list[dict[str, Any]]:
        asked = {"from_ms": period.from_ms, "to_ms": period.to_ms, "whats": whats, "all": whole}
        return [one["told"] for _, one in (await self._ask(FIGURES, asked)).values()]

    async def usage_detail(
        self, chart: Chart, from_: str, to: str, limit: int, cursor: str | None
    ) -> UsageDetail:
        """See `InsightBackend.usage_detail`."""
        period = period_of(from_, to, self._parts.clock.now_ms())
        what = CHARTS[chart]
        asked = {"what": what, "from_ms": period.from_ms, "to_ms": period.to_ms}
        told, (rows, reached) = await asyncio.gather(
            self._told(period, [what], whole=False), self._page(RECORDS, asked, limit, cursor)
        )
        records = [
            UsageRecord(_id(shard, partition, offset), at_ms, event)
            for shard, _, (_, at_ms, partition, offset, event) in rows
        ]
        tally = _added(told)[what]
        return UsageDetail(
            chart, period.from_ms, period.to_ms, period.grain_ms, sum(tally.values()),
            highest_of(chart, tally, period),
            Page(records, None if reached is None else cursor_of(reached)),
        )  # fmt: skip


def _id(shard: int, partition: int, offset: int) -> str:
    return f"{shard}-{partition}-{offset}"


def _added(told: list[dict[str, Any]]) -> dict[str, usage.Tally]:
    """The tallies of all shards together."""
    found: dict[str, usage.Tally] = {}
    for one in told:
        for what, rows in one["tallies"].items():
            tally = found.setdefault(what, {})
            for hour_ms, name, count in rows:
                tally[hour_ms, name] = tally.get((hour_ms, name), 0) + count
    return found


def active(rows: list[list[Any]], with_event: set[str]) -> int:
    """How many campaigns had an FDD (as the census [request id, name, revoked, had one] tells) or
    an event. Events name a request or a campaign; a name is one campaign, unless a request of that
    name is counted already."""
    ids = {row[0] for row in rows}
    found = {row[0] for row in rows if row[3]} | (with_event & ids)
    named = {row[1] for row in rows if row[0] in found}
    return len(found) + len(with_event - ids - named)


class InsightArea:
    """See `app.insight_backend.InsightBackend`."""

    _insight: Insight

    async def funnel(self, asked: FunnelAsked, limit: int, cursor: str | None) -> Page[FunnelEvent]:
        return await self._insight.funnel(asked, limit, cursor)

    async def funnel_event(self, event_id: str) -> FunnelMessage | None:
        return await self._insight.funnel_event(event_id)

    async def usage(self, from_: str, to: str) -> Usage:
        return await self._insight.usage(from_, to)

    async def usage_detail(
        self, chart: Chart, from_: str, to: str, limit: int, cursor: str | None
    ) -> UsageDetail:
        return await self._insight.usage_detail(chart, from_, to, limit, cursor)
