"""A page of a slot's FDDs, ordered as it is queued: what they share is decided and written once.

An FDD that anything is special about goes through the checks of `dispatch` by itself; what comes
out is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from domain.campaigns import alerts
from domain.campaigns.creation import listed
from domain.campaigns.fdds import count, key_of
from domain.campaigns.keys import Ref
from domain.campaigns.leasing import lease
from domain.campaigns.orders import FirstOrders, records_of
from domain.campaigns.rows import CREATED, LEASED, QUEUED, Attempt, Campaign, Fdd, encode
from domain.campaigns.work import Invariant, Work

Queued = Sequence[tuple[Ref, Fdd]]
One = Callable[[Work, Campaign, Ref, Fdd, int], None]


def queue_all(work: Work, campaign: Campaign, page: Queued) -> None:
    """CREATED to QUEUED, for FDDs of one slot; their rows are written by `save`."""
    if not page:
        return
    counts = work.counts(campaign.request_id, page[0][0].day, page[0][0].slot)
    for ref, fdd in page:
        if fdd.state != CREATED:
            raise Invariant(ref.id, f"can't be queued, it is {fdd.state}")
        fdd.state = QUEUED
    count(counts, CREATED, -len(page))
    count(counts, QUEUED, len(page))


def order_all(
    work: Work, campaign: Campaign, page: Queued, working_end_ms: int, order_one: One
) -> None:
    """Orders QUEUED FDDs of one slot that are in no queue; `order_one`: by itself."""
    if not page:
        return
    place = work.place(campaign, page[0][0].place)
    window, now_ms = place.window, work.now_ms
    shared = (
        window is not None
        and window.start_ms <= now_ms < window.end_ms
        and not campaign.revoked
        and not work.flows.policies()
    )
    if not shared or window is None:
        for ref, fdd in page:
            order_one(work, campaign, ref, fdd, working_end_ms)
        return
    not_after_ms = window.end_ms
    deadline_ms = min(now_ms + work.flow(campaign).lease_ms, not_after_ms)
    passed = (now_ms, "lease", "pass", (1, deadline_ms, not_after_ms))
    first = FirstOrders(campaign, page[0][0], now_ms, deadline_ms, not_after_ms)
    ordered: list[Ref] = []
    negative = listed(work, campaign, [fdd.number for _, fdd in page])
    records = records_of(work, [ref for ref, _ in page])
    put, send = work.book.put, work.book.send
    for ref, fdd in page:
        number = fdd.number
        if fdd.attempts or fdd.retriggered or number in negative:
            order_one(work, campaign, ref, fdd, working_end_ms)
            continue
        fdd.state, fdd.deadline_ms = LEASED, deadline_ms
        fdd.tries += 1
        fdd.attempts.append(Attempt(1, now_ms))
        fdd.trace.append(passed)
        put(ref.key, encode(fdd))
        send("executions", key_of(ref, fdd), first.of(ref, number, records.get(ref.record_no)))
        ordered.append(ref)
    if not ordered:
        return
    lease(work, ordered, deadline_ms)
    counts = work.counts(campaign.request_id, page[0][0].day, page[0][0].slot)
    count(counts, QUEUED, -len(ordered))
    count(counts, LEASED, len(ordered))
    work.channels(campaign.flow.name).busy += len(ordered)
    alerts.ordered(work, campaign.flow.name)
