"""The daily reconciliation: what came in on a UTC day, where it is now, and what was flushed.

When a day begins, the console writes the control totals of that moment to `aggregates.audit`
(`day_opens`). A day's figures are the difference between two such cuts, or to the present totals
while the day is not over, so the days of an installation add up to its control totals exactly; a
record that arrives in the seconds around midnight is in one of the two days. What was flushed, by
flush type, is counted on the output topics by the flush's own timestamp.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from hashlib import sha256
from typing import Any

from app.day_shapes import Day, DayFlushes, DayTotals
from app.facade.completeness import tell
from app.facade.ledger import Figure, Ledger
from app.facade.parts import Parts
from app.facade.totals import ControlTotals
from domain.aggregation.instants import parse_instant, print_instant
from domain.aggregation.operations import minus, plus

EVENT = "day_opens"
MOVES = ("in", "flushed", "duplicates", "rejected", "expired", "deleted")
SUM_MOVES = ("in", "flushed", "expired", "deleted")
Cut = Mapping[str, Mapping[str, Mapping[str, Any]]]
"""aggregator -> "count" or result name -> place -> number"""


class Days:
    """Cuts the days apart and adds each up."""

    def __init__(self, parts: Parts, totals: ControlTotals, ledger: Ledger) -> None:
        self._parts = parts
        self._totals = totals
        self._ledger = ledger

    async def open_day(self) -> bool:
        """Writes today's opening totals, if nobody has; the very first are nothing, so that all
        there is belongs to some day. The ledger is up to date.
        """
        now = self._parts.clock.now_ms()
        day = print_instant(now)[:10]
        known = await self._ledger.events(EVENT)
        if any(event["day"] >= day for event in known):
            return False
        totals: list[Any] = []
        if known:
            totals = [
                {"aggregator": each.aggregator, "count": each.count, "sums": each.sums}
                for each in await self._totals.of(None)
            ]
        event = {
            "id": sha256(f"{EVENT} {day}".encode()).hexdigest(),
            "event": EVENT,
            "day": day,
            "at": print_instant(now),
            "totals": totals,
        }
        await tell(self._parts, EVENT.encode(), event)
        return True

    async def of(self, day: str, aggregator: str | None) -> Day:
        """The figures of a UTC day (`2024-09-03`), by aggregator."""
        await self._ledger.catch_up()
        cuts = sorted(await self._ledger.events(EVENT), key=lambda event: str(event["day"]))
        following = (date.fromisoformat(day) + timedelta(days=1)).isoformat()
        now = self._parts.clock.now_ms()
        present = {each.aggregator: each for each in await self._totals.of(None)}
        latest: Cut = {name: {"count": each.count, **each.sums} for name, each in present.items()}
        start, opening = _cut(cuts, day, now, latest)
        end, closing = _cut(cuts, following, now, latest)
        flushed = await self._ledger.day(day)
        names = sorted(closing.keys() | flushed.keys())
        if aggregator is not None:
            names = [name for name in names if name == aggregator]
        items = [
            _item(name, opening.get(name, {}), closing.get(name, {}), flushed.get(name, {}),
                  self._totals.names(name))
            for name in names
        ]  # fmt: skip
        return Day(day, start, end, items, all(item.balanced for item in items))


def _cut(cuts: Sequence[Mapping[str, Any]], day: str, now_ms: int, latest: Cut) -> tuple[int, Cut]:
    """(when, totals) at the beginning of a day: the first cut from then on, or now."""
    for cut in cuts:
        if cut["day"] >= day:
            totals = {
                each["aggregator"]: {"count": each["count"], **each["sums"]}
                for each in cut["totals"]
            }
            return parse_instant(cut["at"]) or 0, totals
    return now_ms, latest


def _item(
    name: str,
    opening: Mapping[str, Mapping[str, Any]],
    closing: Mapping[str, Mapping[str, Any]],
    flushed: Mapping[str, Figure],
    names: Mapping[str, str],
) -> DayTotals:
    kinds = [
        DayFlushes(
            kind, figure.flushes, figure.records,
            {names.get(field, f"sum_{field}"): value for field, value in figure.sums.items()},
        )
        for kind, figure in sorted(flushed.items())
    ]  # fmt: skip
    none: Mapping[str, Any] = {}
    moved = {
        total: _moved(
            opening.get(total, none),
            closing.get(total, none),
            MOVES if total == "count" else SUM_MOVES,
        )
        for total in sorted(
            {"count", *opening, *closing}, key=lambda total: (total != "count", total)
        )
    }
    count = moved.pop("count")
    balanced = all(map(_balances, (count, *moved.values())))
    return DayTotals(name, count, moved, kinds, balanced)


def _moved(
    before: Mapping[str, Any], after: Mapping[str, Any], moves: Sequence[str]
) -> dict[str, Any]:
    found = {place: minus(after.get(place), before.get(place)) for place in moves}
    return {"opening": before.get("open", 0), **found, "open": after.get("open", 0)}


def _balances(moved: Mapping[str, Any]) -> bool:
    """opening + in = flushed + duplicates + rejected + expired + deleted + open"""
    came: Any = plus(moved["opening"], moved["in"])
    for place, value in moved.items():
        if place not in ("opening", "in"):
            came = minus(came, value)
    return not came
