"""A page of a slot's FDDs, ordered as it is queued: what they share is decided and written once.

An FDD that anything is special about goes through the checks of `dispatch` by itself; what comes
out is the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from domain.campaigns import alerts
from domain.campaigns.alike import Alike, untouched
from domain.campaigns.creation import special_among
from domain.campaigns.fdds import count
from domain.campaigns.keys import RECORD_DIGITS, Ref, ref_of_key
from domain.campaigns.leasing import lease
from domain.campaigns.orders import FirstOrders, records_of
from domain.campaigns.rows import (
    CREATED,
    LEASED,
    QUEUED,
    Attempt,
    Campaign,
    Fdd,
    Window,
    decoder,
)
from domain.campaigns.work import Work

Rows = Sequence[tuple[bytes, bytes]]
"""(key, row) of FDDs of one slot, in order"""
Queued = tuple[Ref, Fdd]
One = Callable[[Work, Campaign, Ref, Fdd, int], None]
_decode_fdd = decoder(Fdd).decode


def order_page(
    work: Work, campaign: Campaign, rows: Rows, working_end_ms: int, order_one: One
) -> None:
    """Queues and orders those of them that are CREATED; `order_one`: by itself."""
    if not rows:
        return
    place = work.place(campaign, ref_of_key(rows[0][0]).place)
    window, now_ms = place.window, work.now_ms
    shared = (
        window is not None
        and window.start_ms <= now_ms < window.end_ms
        and not campaign.revoked
        and not work.flows.policies()
    )
    if not shared or window is None:
        order_by_one(work, campaign, rows, working_end_ms, order_one)
        return
    number_of = untouched(window.start_ms).number_of
    alike: list[tuple[bytes, bytes, bytes]] = []  # key, row, number
    others: list[tuple[bytes, bytes]] = []
    for key, raw in rows:
        number = number_of(raw)
        if number is None:
            others.append((key, raw))
        else:
            alike.append((key, raw, number))
    special = special_among(work, campaign, [number for _, _, number in alike])
    if special:
        others += [(key, raw) for key, raw, number in alike if number in special]
        alike = [each for each in alike if each[2] not in special]
    if alike:
        _order_alike(work, campaign, window, alike)
    order_by_one(work, campaign, sorted(others), working_end_ms, order_one)


def order_by_one(
    work: Work, campaign: Campaign, rows: Rows, working_end_ms: int, order_one: One
) -> None:
    """The same, one by one."""
    for ref, fdd in queued_of(work, rows):
        order_one(work, campaign, ref, fdd, working_end_ms)


def queued_of(work: Work, rows: Rows) -> list[Queued]:
    """Those that are CREATED, as QUEUED; their rows are written by `save`."""
    found = ((key, _decode_fdd(raw)) for key, raw in rows)
    made = [(ref_of_key(key), fdd) for key, fdd in found if fdd.state == CREATED]
    if made:
        counts = work.counts(*made[0][0].place[:3])
        for _, fdd in made:
            fdd.state = QUEUED
        count(counts, CREATED, -len(made))
        count(counts, QUEUED, len(made))
    return made


def _order_alike(
    work: Work, campaign: Campaign, window: Window, alike: Sequence[tuple[bytes, bytes, bytes]]
) -> None:
    """Orders FDDs that nothing was done to since they were made, and nothing is against."""
    now_ms, not_after_ms = work.now_ms, window.end_ms
    deadline_ms = min(now_ms + work.flow(campaign).lease_ms, not_after_ms)
    passed = (now_ms, "lease", "pass", (1, deadline_ms, not_after_ms))
    leased = Alike(
        Fdd("", LEASED, None, window.start_ms, deadline_ms, tries=1,
            attempts=[Attempt(1, now_ms)], trace=[passed])
    )  # fmt: skip
    becomes = untouched(window.start_ms).becomes(leased)
    work.book.put_all([(key, becomes(raw)) for key, raw, _ in alike])
    ref = ref_of_key(alike[0][0])
    of = FirstOrders(campaign, ref, now_ms, deadline_ms, not_after_ms).of
    record_nos = [int(key[-RECORD_DIGITS:]) for key, _, _ in alike]
    records = records_of(work, campaign.request_id, record_nos).get
    person = f"{campaign.request_id}/".encode()
    orders = [
        (person + number, of(record_no, number, records(record_no)))
        for record_no, (_, _, number) in zip(record_nos, alike, strict=True)
    ]
    work.book.send_all("executions", orders)
    lease(work, ref.place, record_nos, deadline_ms)
    counts = work.counts(*ref.place[:3])
    count(counts, CREATED, -len(alike))
    count(counts, LEASED, len(alike))
    work.channels(campaign.flow.name).busy += len(alike)
    alerts.ordered(work, campaign.flow.name)
