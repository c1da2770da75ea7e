"""The queue of a flow: filled at a slot's start, ordered from as channels are free.

Checked, in this order, as each FDD comes: revoked, negative, slot, working time, contact policy,
capacity. What has no channel is not taken up; what is outside of working time stays in the queue.
What waits for the home of its number (`contacts.py`) is in no queue, and keeps a channel.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest

from domain.campaigns import alerts, days
from domain.campaigns.contacts import Answered, give_back, may_contact
from domain.campaigns.creation import is_negative, is_not_to_be_called, prefetch_lists
from domain.campaigns.fdds import (
    enqueue,
    held_to,
    key_of,
    load,
    move,
    note,
    out_of_slot,
    prefix_of,
    save,
    settle,
    unqueue,
)
from domain.campaigns.keys import Ref, key, record_key, ref_in_queue
from domain.campaigns.lifecycle import feed_job
from domain.campaigns.orders import Order
from domain.campaigns.page import order_page, queued_of
from domain.campaigns.rows import (
    CREATED,
    FAILED,
    LEASED,
    NEGATIVE,
    QUEUED,
    REATTEMPT,
    REVOKED,
    Attempt,
    Campaign,
    Fdd,
    Job,
)
from domain.campaigns.work import Invariant, Work, window_of

PAGE = 1000  # FDDs of a transaction
SHORT = 1000  # a slot's queue below this is filled up, above twice this it is not
HALTED_MS = 60_000  # between two looks whether a flow that is halted goes on
PLENTY = 4 * PAGE  # free channels with which a page need not wait for a turn
_Queued = tuple[bytes, Ref, Fdd]
"""A row of the queue, and what it stands for."""


def feed(work: Work, campaign: Campaign, job_id: bytes, job: Job) -> None:
    """Queues the next page of a slot's FDDs."""
    window = window_of(campaign, job.day, job.slot, job.revision)
    if window is None or work.now_ms >= window.end_ms or campaign.revoked:
        work.book.delete(job_id)
        return
    if work.now_ms < window.start_ms:
        return
    counts = work.counts(campaign.request_id, job.day, job.slot)
    if counts.states.get(QUEUED, 0) >= 2 * SHORT:
        campaign.parked = True
        return
    prefix = prefix_of(campaign.request_id, (job.day, job.slot, job.revision))
    rows = work.book.scan(prefix, job.cursor, PAGE)
    working_end_ms = _at_once(work, campaign)
    if working_end_ms is not None:
        order_page(work, campaign, rows, working_end_ms, _order)
    else:
        for ref, fdd in queued_of(work, rows):
            enqueue(work, campaign, ref, fdd, fdd.due_ms)
            save(work, campaign, ref, fdd)
    if rows:
        job.cursor = rows[-1][0]
        more = len(rows) == PAGE
        work.put_job(job_id, job, 0 if more else None)


def _at_once(work: Work, campaign: Campaign) -> int | None:
    """The end of working time if a page may be ordered as it is queued: many channels are free, so
    that no campaign waits for its turn, and nothing is in the queue before it.
    """
    flow, name = work.flow(campaign), campaign.flow.name
    if campaign.paused or flow.channels - _used(work, name) < PLENTY:
        return None
    start_ms, end_ms, _ = days.working_at(flow, campaign.flow.timezone, work.now_ms)
    if work.now_ms < start_ms:
        return None
    waiting = any(_due_rows(work, name, each, 1) for each in _with_queue(work, name, ""))
    return None if waiting else end_ms


def dispatch(work: Work, flow_name: str, limit: int) -> int:
    """Orders from the queue, the campaigns in turn; how many FDDs were taken up."""
    channels = work.channels(flow_name)
    taken, full = 0, False
    requests = _with_queue(work, flow_name, channels.turn)
    pages: list[tuple[Campaign, int, int, list[_Queued]]] = []
    for request_id in requests:
        campaign = work.campaign(request_id)
        if campaign is None:
            raise Invariant(request_id, "is in the queue and has no row")
        flow = work.flow(campaign)
        if not flow.channels:
            work.wake_dispatch(campaign, work.now_ms + HALTED_MS)
            break
        free = min(limit, flow.channels - _used(work, flow_name))
        if len(pages) >= free:
            full = True
            break
        start_ms, end_ms, _ = days.working_at(flow, campaign.flow.timezone, work.now_ms)
        if campaign.paused and not campaign.revoked:
            continue
        if work.now_ms < start_ms:
            if start_ms != days.NEVER_MS:
                work.wake_dispatch(campaign, start_ms)
            continue
        page = _due_rows(work, flow_name, request_id, -(-free // len(requests)))
        if page:
            pages.append((campaign, flow.channels, end_ms, _taken_up(work, campaign, page)))
    for turn in zip_longest(*([(c, n, e, row) for row in rows] for c, n, e, rows in pages)):
        for item in turn:
            if item is None:
                continue
            campaign, most, end_ms, queued = item
            if taken >= limit or _used(work, flow_name) >= most:
                full = True
                break
            taken += 1
            channels.turn = campaign.request_id
            _take(work, campaign, queued, end_ms)
        if full:
            break
    for campaign, *_ in pages:
        unpark(work, campaign)
    if taken and (taken >= limit or not full):
        work.wake(0, key("w", flow_name))
    return taken


def _used(work: Work, flow_name: str) -> int:
    channels = work.channels(flow_name)
    return channels.busy + channels.asking


def answered(work: Work, answer: Answered) -> None:
    """The home of a number has said whether an FDD may be ordered: it goes through the checks."""
    ref = answer.ref
    campaign, fdd = work.campaign(ref.request_id), load(work, ref)
    if campaign is None or fdd is None:
        raise Invariant(ref.id, "the home of its number was asked, and it is not there")
    work.wake_dispatch(campaign)  # a channel is free again, or taken by this one
    unpark(work, campaign)
    if fdd.state not in (CREATED, QUEUED, REATTEMPT) or fdd.number != answer.number:
        give_back(work, answer)
        return
    unqueue(work, campaign, ref, fdd)
    start_ms, end_ms, _ = days.working_at(work.flow(campaign), campaign.flow.timezone, work.now_ms)
    another_day = answer.day != days.day_of(campaign.flow.timezone, work.now_ms)
    waits = work.now_ms < start_ms or (campaign.paused and not campaign.revoked)
    if waits or (another_day and not campaign.revoked):
        give_back(work, answer)
        enqueue(work, campaign, ref, fdd, max(work.now_ms, fdd.due_ms))
        save(work, campaign, ref, fdd)
        return
    _order(work, campaign, ref, fdd, end_ms, answer)


def _with_queue(work: Work, flow_name: str, turn: str) -> list[str]:
    """Requests with rows in the queue, beginning after the one that went last."""
    prefix = key("q", flow_name) + b"/"
    found: list[str] = []
    after = prefix
    while True:
        rows = work.book.scan(prefix, after, 1)
        if not rows:
            break
        request_id = rows[0][0].split(b"/", 3)[2].decode()
        found.append(request_id)
        after = prefix + request_id.encode() + b"0"  # `0` is what comes after `/`
    later = [each for each in found if each > turn]
    return later + [each for each in found if each <= turn]


def _due_rows(work: Work, flow_name: str, request_id: str, limit: int) -> list[bytes]:
    prefix = key("q", flow_name, request_id) + b"/"
    size = len(prefix)
    now = f"{work.now_ms:014}".encode()
    rows = work.book.scan(prefix, b"", limit)
    return [row for row, _ in rows if row[size : size + 14] <= now]


def _taken_up(work: Work, campaign: Campaign, rows: list[bytes]) -> list[_Queued]:
    """What rows of the queue stand for."""
    refs = [ref_in_queue(row) for row in rows]
    work.book.prefetch([ref.key for ref in refs])
    found: list[_Queued] = []
    for row, ref in zip(rows, refs, strict=True):
        fdd = load(work, ref)
        if fdd is None:
            raise Invariant(campaign.request_id, f"the queue holds {row!r}, and no FDD is there")
        found.append((row, ref, fdd))
    _prefetch(work, campaign, [(ref, fdd) for _, ref, fdd in found])
    return found


def _prefetch(work: Work, campaign: Campaign, found: Sequence[tuple[Ref, Fdd]]) -> None:
    """Looks up together what the checks and the order will ask of each."""
    prefetch_lists(work, campaign, [fdd.number for _, fdd in found])
    work.book.prefetch([record_key(ref.request_id, ref.record_no) for ref, _ in found])


def _take(work: Work, campaign: Campaign, queued: _Queued, working_end_ms: int) -> None:
    """What a row of the queue asks for."""
    row, ref, fdd = queued
    work.book.delete(row)
    if fdd.state == CREATED:
        move(work, campaign, ref, fdd, QUEUED)
    _order(work, campaign, ref, fdd, working_end_ms)


def _order(
    work: Work,
    campaign: Campaign,
    ref: Ref,
    fdd: Fdd,
    working_end_ms: int,
    answer: Answered | None = None,
) -> None:
    """The checks in their order, for an FDD that is in no queue now; saves it. `answer`: of the
    home of its number, when that was asked."""
    _check(work, campaign, ref, fdd, working_end_ms, answer)
    save(work, campaign, ref, fdd)
    if answer is not None and fdd.state != LEASED:
        give_back(work, answer)


def _check(
    work: Work,
    campaign: Campaign,
    ref: Ref,
    fdd: Fdd,
    working_end_ms: int,
    answer: Answered | None,
) -> None:
    held = held_to(fdd, work.window(campaign, ref))
    if campaign.revoked:
        note(work, fdd, "revoked", REVOKED)
        move(work, campaign, ref, fdd, REVOKED, "REVOKED")
    elif is_negative(work, campaign, fdd.number) or is_not_to_be_called(work, fdd.number):
        note(work, fdd, "negative", NEGATIVE, {"number": "listed"})
        move(work, campaign, ref, fdd, NEGATIVE)
    elif held is not None and work.now_ms < held[0]:
        enqueue(work, campaign, ref, fdd, held[0])
    elif held is not None and work.now_ms >= held[1]:
        if fdd.state == REATTEMPT:
            settle(work, campaign, ref, fdd, "slot_over")
        else:
            out_of_slot(work, campaign, ref, fdd, held[1])
    elif (may := _may(work, campaign, ref, fdd, answer)) is None:
        return  # it goes on when the home of its number answers
    elif not may:
        note(work, fdd, "contact_policy", f"{FAILED} CONTACT_POLICY")
        move(work, campaign, ref, fdd, FAILED, "CONTACT_POLICY")
    else:
        _lease(work, campaign, ref, fdd, held[1] if held else working_end_ms)


def _may(
    work: Work, campaign: Campaign, ref: Ref, fdd: Fdd, answer: Answered | None
) -> bool | None:
    return may_contact(work, campaign, ref, fdd) if answer is None else answer.yes


def _lease(work: Work, campaign: Campaign, ref: Ref, fdd: Fdd, not_after_ms: int) -> None:
    flow = work.flow(campaign)
    attempt = 1 + max((each.attempt for each in fdd.attempts), default=0) if fdd.attempts else 1
    by_retrigger = fdd.retriggered and fdd.state == QUEUED
    fdd.deadline_ms = min(work.now_ms + flow.lease_ms, not_after_ms)
    fdd.attempts.append(Attempt(attempt, work.now_ms, retriggered=fdd.retriggered))
    if not by_retrigger:
        fdd.tries += 1
    note(work, fdd, "lease", "pass", (attempt, fdd.deadline_ms, not_after_ms))
    move(work, campaign, ref, fdd, LEASED)
    work.wake(fdd.deadline_ms, ref.key)
    alerts.ordered(work, campaign.flow.name)
    order = Order(campaign, ref, work.now_ms, fdd.deadline_ms, not_after_ms)
    work.book.send("executions", key_of(ref, fdd), order.of(work, ref, fdd, attempt))


def unpark(work: Work, campaign: Campaign) -> None:
    """Goes on filling the queue once it is short."""
    if not campaign.parked:
        return
    open_now = (each for each in campaign.windows if each.start_ms <= work.now_ms < each.end_ms)
    for window in open_now:
        counts = work.counts(campaign.request_id, window.day, window.slot)
        if counts.states.get(QUEUED, 0) < SHORT:
            campaign.parked = False
            work.wake(0, feed_job(campaign.request_id, window))
