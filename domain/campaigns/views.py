"""What is shown of campaigns: answers from a Book, each of one moment. Nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from domain.campaigns import days
from domain.campaigns.book import Book, every
from domain.campaigns.check import total
from domain.campaigns.document import Flow, Flows
from domain.campaigns.fdds import document
from domain.campaigns.keys import Ref, key, ref_of_id
from domain.campaigns.rows import (
    COMPLETED,
    FAILED,
    LEASED,
    NEGATIVE,
    NO_SLOT,
    PARTIAL,
    REVOKED,
    STARTED,
    Campaign,
    Counts,
    Executions,
    Fdd,
    OnDay,
    Tabs,
    Window,
    decode,
)
from domain.campaigns.status import allowed_actions, first_to_come, is_running, status
from domain.campaigns.work import Place, pending_of, read, shown_instant, window_of

DAY_MS = 86_400_000
_NOT_CREATED = ("negative", "past_slot", "dst_gap", "duplicate", "revoked")


def campaign_json(
    book: Book, request_id: str, day: str | None, now_ms: int, flows: Flows
) -> dict[str, Any] | None:
    """The campaign with its figures of a day (`YYYYMMDD`; None: today); None if unknown."""
    campaign = read(book, key("c", request_id), Campaign)
    if campaign is None:
        return None
    flow = flows(campaign.flow.name) or campaign.flow
    day = day or days.day_of(campaign.flow.timezone, now_ms)
    figures = all_counts(book, campaign)
    slots = {slot: counts for (each, slot), counts in figures.items() if each == day}
    everywhere = list(figures.values())
    pending = sum(map(pending_of, everywhere))
    creating = any(each.state == "creating" for each in campaign.days)
    return {
        "request_id": request_id,
        "name": campaign.name,
        "flow": campaign.flow.name,
        "timezone": campaign.flow.timezone,
        "status": status(campaign, pending, now_ms),
        "flags": {
            "processing": campaign.processed_ms is None or creating,
            "running": is_running(everywhere),
            "paused": campaign.paused,
            "retriggered": campaign.retriggered,
        },
        "allowed_actions": allowed_actions(campaign, flow, day, pending, now_ms),
        "scheduled_timestamp": _scheduled(campaign),
        "upload": {
            "accepted": campaign.accepted,
            "rejected": campaign.rejected,
            "duplicates": campaign.duplicates,
            "progress": campaign.progress,
        },
        "day": days.day_text(day),
        "counts": _counts(campaign, total(list(slots.values()))),
        "by_slot": _by_slot(campaign, day, slots),
        "days_list": _days(campaign, flow),
    }


def all_counts(book: Book, campaign: Campaign) -> dict[tuple[str, str], Counts]:
    """The figures of all days and slots, by both."""
    found = {}
    prefix = key("z", campaign.request_id) + b"/"
    for row_key, raw in every(book, prefix):
        day, slot = row_key[len(prefix) :].decode().split("/")
        found[day, slot] = decode(Counts, raw)
    return found


def _scheduled(campaign: Campaign) -> list[str]:
    if campaign.slots:
        return [days.slot_text(slot) for slot in campaign.slots]
    scheduled = campaign.first_scheduled_ms
    return [] if scheduled is None else [shown_instant(scheduled)]


def _counts(campaign: Campaign, counts: Counts) -> dict[str, Any]:
    found = campaign.negatives
    shown = {"uploaded": campaign.accepted + campaign.rejected, **_figures(counts)}
    shown["negative"] = {
        "rows": found.rows,
        "matched": found.matched,
        "distinct": found.distinct,
        "invalid": found.invalid,
    }
    return shown


def _figures(counts: Counts) -> dict[str, Any]:
    states = counts.states
    pending = pending_of(counts)
    ordered = states.get(LEASED, 0) + states.get(STARTED, 0)
    reattempts = states.get("REATTEMPT_SCHEDULED", 0)
    failed = {
        name.partition(":")[2]: n for name, n in sorted(states.items()) if name.startswith(FAILED)
    }
    return {
        "attempted": counts.created - pending,
        "reached": counts.reached,
        "pending": pending,
        "created": counts.created,
        "yet_to_process": pending - ordered - reattempts,
        "outcome": {
            "completed": states.get(COMPLETED, 0),
            "partial": states.get(PARTIAL, 0),
            "failed": failed,
            "negative": states.get(NEGATIVE, 0),
            "revoked": states.get(REVOKED, 0),
        },
        "not_created": {why: counts.not_created.get(why, 0) for why in _NOT_CREATED},
    }


def _by_slot(campaign: Campaign, day: str, slots: dict[str, Counts]) -> list[dict[str, Any]]:
    known = set(slots) | {each.slot for each in campaign.windows if each.day == day}
    if not campaign.slots:
        known.add(NO_SLOT)
    return [
        {"slot": days.slot_shown(slot), "counts": _figures(slots.get(slot, Counts()))}
        for slot in sorted(known)
    ]


def _days(campaign: Campaign, flow: Flow) -> list[dict[str, str]]:
    """The days that were made, missed or off, those on which FDDs are, and those to come."""
    listed = {each.day: each.state for each in campaign.days}
    to_come = campaign.slots and not campaign.revoked
    day = first_to_come(campaign)
    while to_come and day <= campaign.last_day and len(listed) < 2000:
        listed.setdefault(day, "to_come" if days.works_on(flow, day) else "not_working")
        if day == days.LAST_DAY:
            break
        day = days.day_after(day)
    return [{"day": days.day_text(day), "state": listed[day]} for day in sorted(listed)]


def campaigns_of_day(book: Book, day: str, after: str = "", limit: int = 100) -> list[str]:
    """Requests with an upload or FDDs on the day (`YYYYMMDD`), by id, beginning after `after`."""
    prefix = key("o", day) + b"/"
    rows = book.scan(prefix, prefix + after.encode(), limit)
    return [row_key[len(prefix) :].decode() for row_key, _ in rows]


def on_days(book: Book, first: str, last: str) -> Iterator[tuple[str, OnDay]]:
    """(request, what is known of it) of the days from `first` to `last`, a request once for each;
    those whose campaign isn't there are left out."""
    for _, request_id, raw in _index(book, first, last):
        if raw:
            yield request_id, decode(OnDay, raw)
            continue
        campaign = read(book, key("c", request_id), Campaign)
        if campaign is not None:
            yield request_id, OnDay(campaign.created_ms, campaign.name, campaign.flow.timezone)


def _index(book: Book, first: str, last: str) -> Iterator[tuple[str, str, bytes]]:
    """(day, request, row) of the index of days."""
    prefix, after = b"o/", key("o", first)
    if first == last:
        prefix = after = after + b"/"
    while rows := book.scan(prefix, after):
        for row_key, raw in rows:
            _, day, request_id = row_key.decode().split("/")
            if day > last:
                return
            yield day, request_id, raw
        after = rows[-1][0]


def with_fdds(book: Book, from_ms: int, to_ms: int) -> set[str]:
    """The requests of which an FDD was made of a day that is partly in [from_ms, to_ms). Costs the
    campaigns of these days."""
    found: set[str] = set()
    if from_ms >= to_ms:
        return found
    first, last = (days.day_of("UTC", at_ms) for at_ms in (from_ms - DAY_MS, to_ms + DAY_MS))
    spans: dict[tuple[str, str], bool] = {}
    for day, request_id, raw in _index(book, first, last):
        if request_id in found:
            continue
        zone = decode(OnDay, raw).timezone if raw else _zone(book, request_id)
        inside = spans.get((zone, day))
        if inside is None:
            begins_ms, ends_ms = (days.instant(zone, d, 0) for d in (day, days.day_after(day)))
            inside = spans[zone, day] = begins_ms < to_ms and from_ms < ends_ms
        if inside and _made_any(book, request_id, day):
            found.add(request_id)
    return found


def _zone(book: Book, request_id: str) -> str:
    campaign = read(book, key("c", request_id), Campaign)
    return "UTC" if campaign is None else campaign.flow.timezone


def _made_any(book: Book, request_id: str, day: str) -> bool:
    rows = book.scan(key("z", request_id, day) + b"/")
    return any(decode(Counts, raw).created for _, raw in rows)


def tabs(book: Book, day: str, now_ms: int | None = None) -> dict[str, int]:
    """The four tabs of a day (`YYYYMMDD`), over all campaigns of the shard; with `now_ms` over
    those in zones that it is today in."""
    summed = Tabs()
    prefix = key("s", day)
    for row_key, raw in every(book, prefix):
        zone = row_key[len(prefix) + 1 :].decode() or "UTC"
        if now_ms is None or days.day_of(zone, now_ms) == day:
            found = decode(Tabs, raw)
            summed.uploaded += found.uploaded
            summed.attempted += found.attempted
            summed.negative += found.negative
            summed.pending += found.pending
    return {
        "uploaded": summed.uploaded,
        "attempted": summed.attempted,
        "negative": summed.negative,
        "pending": summed.pending,
    }


def find_fdd(book: Book, fdd_id: str) -> tuple[Ref, Campaign, Fdd, Window | None] | None:
    """The FDD of that id and what it belongs to; None if there is none."""
    ref = ref_of_id(fdd_id)
    campaign = None if ref is None else read(book, key("c", ref.request_id), Campaign)
    fdd = None if ref is None or campaign is None else read(book, ref.key, Fdd)
    if ref is None or campaign is None or fdd is None:
        return None
    window = window_of(campaign, ref.day, ref.slot, ref.revision)
    return ref, campaign, fdd, window


def fdd_json(book: Book, fdd_id: str) -> dict[str, Any] | None:
    """The FDD; None if there is none."""
    found = find_fdd(book, fdd_id)
    return (
        None
        if found is None
        else document(found[0], found[2], Place(found[0].day, found[0].slot, found[3]))
    )


def mean_seconds(book: Book, flow: Flow) -> float | None:
    """How long an execution takes: as the flow says, else as its last ones did, else unknown."""
    if flow.simulated is not None:
        return sum(flow.simulated.seconds) / 2
    found = read(book, key("e", flow.name), Executions)
    return found.sum_ms / found.count / 1000 if found and found.count else None
