"""Changing one FDD: along the arrows only, with the counts, the queue and the store beside it."""

from __future__ import annotations

from typing import Any

from domain.campaigns.days import day_text, slot_shown
from domain.campaigns.keys import Ref, execution_id, key
from domain.campaigns.rows import (
    COMPLETED,
    CREATED,
    FAILED,
    LEASED,
    NEGATIVE,
    NO_ACK,
    NO_RESULT,
    NO_SLOT,
    OUT_OF_SLOT,
    PARTIAL,
    PENDING,
    QUEUED,
    REATTEMPT,
    REVOKED,
    STARTED,
    Attempt,
    Campaign,
    Counts,
    Fdd,
    Window,
    encode,
)
from domain.campaigns.work import Invariant, Work, read, shown_instant

# state -> those it may become; out of FAILED further: see `_allowed`.
ARROWS: dict[str, frozenset[str]] = {
    CREATED: frozenset({QUEUED, NEGATIVE, REVOKED, FAILED}),
    QUEUED: frozenset({LEASED, NEGATIVE, REVOKED, FAILED}),
    LEASED: frozenset({STARTED, NEGATIVE, REVOKED, FAILED}),
    STARTED: frozenset({COMPLETED, PARTIAL, FAILED, REATTEMPT}),
    REATTEMPT: frozenset({LEASED, FAILED, PARTIAL, NEGATIVE, REVOKED, QUEUED}),
    PARTIAL: frozenset({QUEUED}),
    FAILED: frozenset({QUEUED}),
}
UNKNOWN = (NO_ACK, NO_RESULT)
_OUTCOMES = (COMPLETED, PARTIAL, FAILED, REATTEMPT)


def allowed(state: str, reason: str | None, to: str, to_reason: str | None) -> bool:
    """Whether an FDD may go from one state to another."""
    if state == FAILED and reason in UNKNOWN and to in _OUTCOMES:
        return to_reason not in UNKNOWN
    if to == FAILED and state in (CREATED, QUEUED, REATTEMPT):
        # What was never ordered can only fail by a rule; a reattempt keeps its real outcome.
        return (to_reason == OUT_OF_SLOT) is not (state == REATTEMPT) or (
            to_reason == "CONTACT_POLICY"
        )
    if to == FAILED and state == LEASED:
        return to_reason == NO_ACK
    return to in ARROWS.get(state, ())


def count_key(state: str, reason: str | None) -> str:
    """What an FDD is counted under."""
    return f"{FAILED}:{reason}" if state == FAILED else state


def count(counts: Counts, name: str, more: int) -> None:
    """Changes a figure of the states."""
    found = counts.states.get(name, 0) + more
    if found:
        counts.states[name] = found
    else:
        counts.states.pop(name, None)


def load(work: Work, ref: Ref) -> Fdd | None:
    return read(work.book, ref.key, Fdd)


def move(
    work: Work, campaign: Campaign, ref: Ref, fdd: Fdd, to: str, reason: str | None = None
) -> None:
    """Changes the state and what is counted by it; the row is written by `save`."""
    if not allowed(fdd.state, fdd.reason, to, reason):
        raise Invariant(ref.id, f"can't go from {fdd.state} {fdd.reason} to {to} {reason}")
    counts = work.counts(ref.request_id, ref.day, ref.slot)
    count(counts, count_key(fdd.state, fdd.reason), -1)
    count(counts, count_key(to, reason), 1)
    busy = (to in (LEASED, STARTED)) - (fdd.state in (LEASED, STARTED))
    if busy:
        work.channels(campaign.flow.name).busy += busy
        if busy < 0:
            work.wake_dispatch(campaign)
    fdd.state, fdd.reason = to, reason


def save(work: Work, campaign: Campaign, ref: Ref, fdd: Fdd) -> None:
    """Writes the FDD."""
    window = work.window(campaign, ref.day, ref.slot, ref.revision)
    work.book.put(ref.key, encode(fdd))
    work.book.store("fdds", ref.id, document(ref, fdd, window))


def queue_key(campaign: Campaign, ref: Ref, due_ms: int) -> bytes:
    return f"q/{campaign.flow.name}/{campaign.request_id}/{due_ms:014}/{ref.id}".encode()


def is_queued(ref: Ref, fdd: Fdd) -> bool:
    """Whether it has a row in the queue: what waits for its slot has none."""
    return fdd.state in (QUEUED, REATTEMPT) or (fdd.state == CREATED and ref.slot == NO_SLOT)


def enqueue(work: Work, campaign: Campaign, ref: Ref, fdd: Fdd, due_ms: int) -> None:
    """Puts it in the queue; it is looked at once `due_ms` is there."""
    fdd.due_ms = due_ms
    work.book.put(queue_key(campaign, ref, due_ms), b"")
    work.wake_dispatch(campaign, due_ms)


def unqueue(work: Work, campaign: Campaign, ref: Ref, fdd: Fdd) -> None:
    """Takes it out of the queue if it is in there."""
    if is_queued(ref, fdd):
        work.book.delete(queue_key(campaign, ref, fdd.due_ms))


def held_to(fdd: Fdd, window: Window | None) -> tuple[int, int] | None:
    """The instants [start, end) that its orders are held to; None: working time only."""
    if fdd.retriggered:
        return fdd.held
    return None if window is None else (window.start_ms, window.end_ms)


def mark(fdd: Fdd, name: str) -> None:
    if name not in fdd.marks:
        fdd.marks = (*fdd.marks, name)


def note(work: Work, fdd: Fdd, rule: str, decided: str, saw: Any = None) -> None:
    """Remembers what a rule decided, for `why`."""
    fdd.trace.append((work.now_ms, rule, decided, saw))


def last_outcome(fdd: Fdd) -> Attempt | None:
    """The last attempt that ended."""
    return next((each for each in reversed(fdd.attempts) if each.outcome is not None), None)


def out_of_slot(work: Work, campaign: Campaign, ref: Ref, fdd: Fdd, end_ms: int) -> None:
    """FAILED OUT_OF_SLOT, and told; the row is written by `save`."""
    unqueue(work, campaign, ref, fdd)
    note(work, fdd, "slot", f"{FAILED} {OUT_OF_SLOT}", {"end": shown_instant(end_ms)})
    move(work, campaign, ref, fdd, FAILED, OUT_OF_SLOT)
    fdd.deadline_ms = 0
    window = work.window(campaign, ref.day, ref.slot, ref.revision)
    slot_end = end_ms if window is None else window.end_ms
    failure = {
        "fdd_id": ref.id,
        "request_id": ref.request_id,
        "record_no": ref.record_no,
        "number": fdd.number,
        "flow": campaign.flow.name,
        "date": day_text(ref.day),
        "slot": slot_shown(ref.slot),
        "slot_end": shown_instant(slot_end),
        "reason": OUT_OF_SLOT,
        "at": shown_instant(work.now_ms),
        "retriggered": fdd.retriggered,
    }
    work.book.send("slot-failures", key_of(ref, fdd), failure)


def settle(work: Work, campaign: Campaign, ref: Ref, fdd: Fdd, why: str) -> None:
    """A reattempt that won't be: its last real outcome. The row is written by `save`."""
    unqueue(work, campaign, ref, fdd)
    last = last_outcome(fdd)
    if last is None or last.outcome is None:
        raise Invariant(ref.id, "a reattempt without an outcome before it")
    reason = last.reason if last.outcome == FAILED else None
    note(work, fdd, "reattempt", count_key(last.outcome, reason).replace(":", " "), {"why": why})
    move(work, campaign, ref, fdd, last.outcome, reason)


def key_of(ref: Ref, fdd: Fdd) -> bytes:
    """The key of records about one person of a request."""
    return f"{ref.request_id}/{fdd.number}".encode()


def document(ref: Ref, fdd: Fdd, window: Window | None) -> dict[str, Any]:
    """The FDD as `GET /api/fdds/{id}` shows it."""
    fdd_id = ref.id
    held = fdd.held
    return {
        "id": fdd_id,
        "request_id": ref.request_id,
        "record_no": ref.record_no,
        "number": fdd.number or None,  # none: erased
        "date": day_text(ref.day),
        "slot": slot_shown(ref.slot),
        "slot_start": None if window is None else shown_instant(window.start_ms),
        "slot_end": None if window is None else shown_instant(window.end_ms),
        "scheduled_start": shown_instant(held[0] if held else fdd.due_ms),
        "status": "IN_PROGRESS" if fdd.state in PENDING else fdd.state,
        "state": fdd.state,
        "reason": fdd.reason,
        "retriggered": fdd.retriggered,
        "revision": ref.revision,
        "marks": list(fdd.marks),
        "attempts": [_attempt(fdd_id, each) for each in fdd.attempts],
    }


def _attempt(fdd_id: str, attempt: Attempt) -> dict[str, Any]:
    started, finished = attempt.started_ms, attempt.finished_ms
    return {
        "execution_id": execution_id(fdd_id, attempt.attempt) if attempt.attempt else None,
        "attempt": attempt.attempt,
        "started_at": None if started is None else shown_instant(started),
        "finished_at": None if finished is None else shown_instant(finished),
        "outcome": attempt.outcome,
        "reason": attempt.reason,
        "retriggered": attempt.retriggered,
    }


def places(work: Work, campaign: Campaign) -> list[tuple[str, str, int]]:
    """(day, slot, revision) of all where the campaign has FDDs in progress, in order."""
    found = []
    for day, slot, revision in all_places(campaign):
        counts = work.counts(campaign.request_id, day, slot)
        if any(counts.states.get(state) for state in PENDING):
            found.append((day, slot, revision))
    return found


def all_places(campaign: Campaign) -> list[tuple[str, str, int]]:
    """(day, slot, revision) of all where the campaign may have FDDs, in order."""
    if campaign.slots:
        made = (each for each in campaign.windows if each.verdict == "create")
        return sorted((each.day, each.slot, each.revision) for each in made)
    return sorted((each.day, NO_SLOT, 1) for each in campaign.days)


def prefix_of(request_id: str, place: tuple[str, str, int]) -> bytes:
    """The beginning of the keys of the FDDs there."""
    day, slot, revision = place
    return key("f", request_id, day, slot, str(revision)) + b"/"
