"""Revoke, pause, retrigger, reschedule: what each asks for, and what its pages do.

Each takes a command and gives an Answer, or a Job that gives one when it is through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.campaigns import days
from domain.campaigns.creation import make_record, not_created
from domain.campaigns.fdds import (
    all_places,
    enqueue,
    move,
    note,
    places,
    save,
    unqueue,
)
from domain.campaigns.keys import Ref, key, record_key
from domain.campaigns.lifecycle import (
    day_row,
    end_again,
    feed_job,
    make_windows,
    start_days,
)
from domain.campaigns.negatives import cancel
from domain.campaigns.rows import (
    CREATED,
    FAILED,
    LEASED,
    PARTIAL,
    QUEUED,
    REATTEMPT,
    REVOKED,
    Attempt,
    Campaign,
    Fdd,
    Job,
    Record,
    Window,
)
from domain.campaigns.status import has_day, is_completed, may_reschedule, opens_ms, retrigger_open
from domain.campaigns.upload import Wrong, slot_problems
from domain.campaigns.walk import walk
from domain.campaigns.work import Invariant, Work, pending_of, read

LEFT_OVER = (CREATED, QUEUED, REATTEMPT)
DEFAULT_STATUSES = ("IN_PROGRESS", PARTIAL)
NEVER_ORDERED = ("OUT_OF_SLOT", "CONTACT_POLICY")
DEFAULT_FAILED = ("OUT_OF_SLOT",)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a command went. status: 200 done, 409 not now, 422 not like this."""

    status: int = 200
    touched: int = 0
    by: dict[str, int] = field(default_factory=dict)
    because: str | None = None
    open_at_ms: int | None = None
    errors: tuple[Wrong, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)


def pending_in_all(work: Work, campaign: Campaign) -> int:
    """FDDs in progress over all days."""
    spots = {(day, slot) for day, slot, _ in all_places(campaign)}
    return sum(pending_of(work.counts(campaign.request_id, *spot)) for spot in spots)


def refused_when_cancelled(campaign: Campaign) -> Answer | None:
    return Answer(409, because="the campaign was revoked") if campaign.revoked else None


def pause(work: Work, campaign: Campaign, dry_run: bool) -> Answer:
    """Stops new orders."""
    if campaign.paused:
        return Answer()
    if is_completed(campaign, pending_in_all(work, campaign), work.now_ms):
        return Answer(409, because="the campaign is completed: there is nothing to stop")
    if not dry_run:
        campaign.paused = True
    return Answer()


def resume(work: Work, campaign: Campaign, dry_run: bool) -> Answer:
    """Lets orders go on."""
    if campaign.paused and not dry_run:
        campaign.paused = False
        work.wake_dispatch(campaign)
    return Answer()


# Revoke


def revoke(work: Work, campaign: Campaign, dry_run: bool) -> Answer | Job:
    """Cancels the campaign for good."""
    if campaign.revoked:
        return Answer()
    where = places(work, campaign)
    if dry_run:
        by = _sum(work, campaign, where, (*LEFT_OVER, LEASED))
        return Answer(touched=sum(by.values()), by=by)
    campaign.revoked = True
    return Job("revoke", campaign.request_id, args={"places": where})


def _sum(
    work: Work, campaign: Campaign, where: list[tuple[str, str, int]], names: tuple[str, ...]
) -> dict[str, int]:
    by: dict[str, int] = {}
    for day, slot in {(day, slot) for day, slot, _ in where}:
        counts = work.counts(campaign.request_id, day, slot)
        for name in names:
            found = counts.states.get(name, 0)
            if found:
                by[name] = by.get(name, 0) + found
    return by


def revoke_page(work: Work, campaign: Campaign, job: Job) -> bool:
    return walk(work, campaign, job, _revoke)


def _revoke(work: Work, campaign: Campaign, ref: Ref, fdd: Fdd) -> str | None:
    before = fdd.state
    if before in LEFT_OVER:
        unqueue(work, campaign, ref, fdd)
        note(work, fdd, "revoked", REVOKED)
        move(work, campaign, ref, fdd, REVOKED, REVOKED)
        save(work, campaign, ref, fdd)
        return before
    if before == LEASED:
        cancel(work, campaign, ref, fdd, "revoked")
        return before
    return None


# Retrigger


def retrigger(work: Work, campaign: Campaign, body: Mapping[str, Any], dry: bool) -> Answer | Job:
    """Queues again what a day left."""
    flow, zone = work.flow(campaign), campaign.flow.timezone
    today = days.day_of(zone, work.now_ms)
    asked = body.get("day")
    day = today if asked is None else days.parse_day(asked)
    statuses = body.get("statuses", DEFAULT_STATUSES)
    failed = body.get("failed", DEFAULT_FAILED)
    wrong: list[Wrong] = []
    if day is None:
        wrong.append(("day", asked, f"a date like {days.day_text(today)}"))
    elif not has_day(campaign, day):
        text = " to ".join(map(days.day_text, (campaign.start_day, campaign.last_day)))
        wrong.append(("day", asked or days.day_text(day), f"a day of the campaign, {text}"))
    if not _texts(statuses) or not set(statuses) <= set(DEFAULT_STATUSES):
        wrong.append(("statuses", statuses, f"a list of {', '.join(DEFAULT_STATUSES)}"))
    if not _texts(failed):
        wrong.append(("failed", failed, "a list of reasons like OUT_OF_SLOT"))
    slot = body.get("slot")
    held = None if slot is None else _custom(work, campaign, today, slot, wrong)
    if wrong or day is None:
        return Answer(422, errors=tuple(wrong), because=_sentence(wrong))
    if not retrigger_open(campaign, flow, day, work.now_ms):
        return Answer(
            409,
            because="the day is open for a retrigger after its last slot, once all rows are read",
            open_at_ms=opens_ms(campaign, flow, day, work.now_ms),
        )
    names = tuple(LEFT_OVER) if "IN_PROGRESS" in statuses else ()
    names += (PARTIAL,) if PARTIAL in statuses else ()
    names += tuple(f"{FAILED}:{reason}" for reason in failed)
    where = [each for each in all_places(campaign) if each[0] == day]
    if dry:
        by = _sum(work, campaign, where, names)
        return Answer(touched=sum(by.values()), by=by)
    args = {"places": where, "names": names, "held": held}
    return Job("retrigger", campaign.request_id, day, args=args)


def _texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)


def _sentence(wrong: list[Wrong]) -> str:
    return "; ".join(f"{path}: {value!r}, expected {expected}" for path, value, expected in wrong)


def _custom(
    work: Work, campaign: Campaign, today: str, text: object, wrong: list[Wrong]
) -> tuple[int, int] | None:
    flow, zone = work.flow(campaign), campaign.flow.timezone
    slot = days.parse_slot(text)
    hours = flow.working_time
    inside = f"a slot inside today's working time {days.slot_text((hours.start, hours.end))}"
    if slot is None or slot[0] < hours.start or slot[1] > hours.end:
        wrong.append(("slot", text, inside))
        return None
    if not days.works_on(flow, today):
        wrong.append(("slot", text, "no slot: today is no working day"))
        return None
    held = days.instant(zone, today, slot[0]), days.instant(zone, today, slot[1], True)
    if held[1] <= work.now_ms or held[1] <= held[0]:
        wrong.append(("slot", text, "a slot that is not over"))
        return None
    return held


def retrigger_page(work: Work, campaign: Campaign, job: Job) -> bool:
    held = job.args["held"]
    span = None if held is None else (held[0], held[1])
    if span is None:
        opens = days.working_at(work.flow(campaign), campaign.flow.timezone, work.now_ms)[0]
        due_ms = max(work.now_ms, opens)
    else:
        due_ms = max(work.now_ms, span[0])
        end_key = key("j", "held", campaign.request_id, job.day, str(span[0]), str(span[1]))
        args = {"places": [e for e in all_places(campaign) if e[0] == job.day], "held": span}
        work.put_job(end_key, Job("held", campaign.request_id, job.day, "-", args=args), span[1])
    names = frozenset(job.args["names"])

    def visit(work: Work, campaign: Campaign, ref: Ref, fdd: Fdd) -> str | None:
        name = f"{FAILED}:{fdd.reason}" if fdd.state == FAILED else fdd.state
        if name not in names:
            return None
        campaign.retriggered = True
        _retrigger(work, campaign, ref, fdd, span, due_ms)
        return name

    return walk(work, campaign, job, visit)


def _retrigger(
    work: Work, campaign: Campaign, ref: Ref, fdd: Fdd, held: tuple[int, int] | None, due_ms: int
) -> None:
    unqueue(work, campaign, ref, fdd)
    if fdd.state == FAILED and fdd.reason in NEVER_ORDERED:
        # What failed without an order: kept as an attempt that never was one.
        fdd.attempts.append(
            Attempt(0, work.now_ms, None, None, FAILED, fdd.reason, fdd.retriggered, True)
        )
    note(work, fdd, "retrigger", QUEUED, {"was": fdd.state, "reason": fdd.reason})
    if fdd.state != QUEUED:
        move(work, campaign, ref, fdd, QUEUED)
    fdd.retriggered, fdd.held = True, held
    enqueue(work, campaign, ref, fdd, due_ms)
    save(work, campaign, ref, fdd)


# Reschedule


def reschedule(work: Work, campaign: Campaign, body: Mapping[str, Any], dry: bool) -> Answer | Job:
    """Other slots from now on; `days`: that many from today (from the start, if it is later)."""
    if not may_reschedule(campaign):
        because = "it has no slots" if not campaign.slots else "its FDDs are being made"
        return Answer(409, because=f"the campaign can't be rescheduled: {because}")
    zone = campaign.flow.timezone
    today = days.day_of(zone, work.now_ms)
    first = max(today, campaign.start_day)
    texts = body.get("slots", [days.slot_text(slot) for slot in campaign.slots])
    wrong = slot_problems(campaign.flow, texts)
    if not wrong and not texts:
        wrong.append(("slots", texts, "at least one slot"))
    count = body.get("days")
    most = campaign.flow.max_days
    if count is None:
        last = campaign.last_day
        if last < today:
            wrong.append(("days", None, "a number of days: those of the campaign are over"))
    elif isinstance(count, bool) or not isinstance(count, int) or not 1 <= count <= most:
        wrong.append(("days", count, f"a whole number of days from 1 to {most}"))
        last = first
    else:
        last = days.day_after(first, count - 1)
    if wrong:
        return Answer(422, errors=tuple(wrong), because=_sentence(wrong))
    where = [each for each in places(work, campaign) if each[0] == today]
    by = _sum(work, campaign, where, (CREATED, QUEUED))
    if dry:
        return Answer(touched=sum(by.values()), by=by)
    campaign.slots = sorted(filter(None, map(days.parse_slot, texts)))
    campaign.last_day = last
    campaign.revision += 1
    campaign.rescheduled = True
    row = day_row(campaign, today)
    if row is not None and row.state == "created" and by:
        windows = make_windows(work, campaign, today, work.now_ms, remade=True)
        row.last_end_ms = max(row.last_end_ms, *(each.end_ms for each in windows))
    if row is None:
        campaign.next_day = max(campaign.next_day, first)
    start_days(work, campaign)
    args = {"places": where}
    return Job("reschedule", campaign.request_id, today, "", campaign.revision, args=args)


def reschedule_page(work: Work, campaign: Campaign, job: Job) -> bool:
    windows = [
        each
        for each in campaign.windows
        if each.day == job.day and each.revision == job.revision and each.remade
    ]

    def visit(work: Work, campaign: Campaign, ref: Ref, fdd: Fdd) -> str | None:
        before = fdd.state
        if before not in (CREATED, QUEUED):
            return None
        unqueue(work, campaign, ref, fdd)
        note(work, fdd, "revoked", REVOKED, {"reason": "RESCHEDULED"})
        move(work, campaign, ref, fdd, REVOKED, "RESCHEDULED")
        save(work, campaign, ref, fdd)
        _remake(work, campaign, ref.record_no, windows, job.revision)
        return before

    through = walk(work, campaign, job, visit)
    for window in windows:
        if through and window.verdict == "create":
            about = (campaign.request_id, window.day, window.slot, window.revision)
            work.put_job(feed_job(campaign.request_id, window), Job("feed", *about),
                         window.start_ms)  # fmt: skip
            end_again(work, campaign, window)
    return through


def _remake(
    work: Work, campaign: Campaign, record_no: int, windows: list[Window], revision: int
) -> None:
    """A record's FDDs in the new slots of today, once for all of its old ones."""
    made_key = key("y", campaign.request_id, str(revision), f"{record_no:08}")
    if work.book.get(made_key) is not None:
        return
    work.book.put(made_key, b"")
    record = read(work.book, record_key(campaign.request_id, record_no), Record)
    if record is None:
        raise Invariant(campaign.request_id, f"record {record_no} has FDDs and no row")
    into = []
    for window in windows:
        counts = work.counts(campaign.request_id, window.day, window.slot)
        counts.expected += 1
        counts.remade += 1
        if window.verdict == "create" and not campaign.revoked:
            into.append((window, counts))
        else:
            why = "revoked" if window.verdict == "create" else window.verdict
            not_created(counts, why, 1)
    make_record(work, campaign, record_no, record, into)
