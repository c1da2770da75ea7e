"""What executors say: `started` and `finished`, in any order, late, or more than once.

Each event of an execution counts once. A result of an attempt that is not the FDD's last one is
kept with that attempt and changes nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from domain.aggregation.instants import parse_instant
from domain.campaigns import alerts, days
from domain.campaigns.creation import is_negative, is_not_to_be_called
from domain.campaigns.fdds import (
    UNKNOWN,
    enqueue,
    held_to,
    key_of,
    load,
    mark,
    move,
    note,
    save,
)
from domain.campaigns.keys import Ref, key, of_execution
from domain.campaigns.rows import (
    COMPLETED,
    FAILED,
    LEASED,
    NEGATIVE,
    NO_ACK,
    NO_RESULT,
    OUT_OF_SLOT,
    PARTIAL,
    REATTEMPT,
    REVOKED,
    STARTED,
    Attempt,
    Campaign,
    Fdd,
    encode,
)
from domain.campaigns.work import Work, read, shown_instant
from domain.errors import Reject
from domain.insight.events import EXECUTION, LAST_MS, USAGE

CANCELLED = "CANCELLED"
OUTCOMES = (COMPLETED, PARTIAL, FAILED, CANCELLED)
_RING = 1000  # executions whose mean length says whether an upload fits
# What the rules alone say; an executor's own word for it is another reason.
_OWN_REASONS = (*UNKNOWN, OUT_OF_SLOT, "CONTACT_POLICY")
_REASON_MAX = 100  # characters: reasons are words, and each is a figure of its own


def result(work: Work, event: Mapping[str, Any]) -> None:
    """Applies one event of `execution-results`. Raises Reject, and has changed nothing then."""
    ident = event.get("execution_id")
    found = of_execution(ident) if isinstance(ident, str) else None
    ref, number = found if found else (None, 0)
    campaign = None if ref is None else work.campaign(ref.request_id)
    fdd = None if ref is None or campaign is None else load(work, ref)
    attempt = _attempt(fdd, number)
    if ref is None or campaign is None or fdd is None or attempt is None:
        detail = f"execution_id {ident!r} was never ordered, expected one of topic executions"
        raise Reject("unknown_execution", detail)
    at_ms = _at(event, "at", work.now_ms)
    alerts.heard(work, campaign.flow.name)
    if event.get("event") == "started":
        _started(work, campaign, ref, fdd, attempt, at_ms)
    elif event.get("event") == "finished":
        _finished(work, campaign, ref, fdd, attempt, at_ms, event)
    else:
        raise Reject("bad_event", f"event {event.get('event')!r}, expected started or finished")


def _attempt(fdd: Fdd | None, number: int) -> Attempt | None:
    if fdd is None or not number:
        return None
    return next((each for each in fdd.attempts if each.attempt == number), None)


def _at(event: Mapping[str, Any], name: str, default_ms: int) -> int:
    value = event.get(name)
    if value is None:
        return default_ms
    found = parse_instant(value)
    if found is None:
        raise Reject("bad_event", f"{name} {value!r}, expected an instant like 2025-11-03T10:15Z")
    return found


def _started(
    work: Work, campaign: Campaign, ref: Ref, fdd: Fdd, attempt: Attempt, at_ms: int
) -> None:
    if attempt.started_ms is not None:
        return  # said before
    _begins(work, ref, fdd, attempt, at_ms)
    if fdd.state == LEASED and attempt is fdd.attempts[-1]:
        if attempt.cancel == "negative":
            mark(fdd, "negative_after_start")
        _to_started(work, campaign, ref, fdd)
    save(work, campaign, ref, fdd)


def _begins(work: Work, ref: Ref, fdd: Fdd, attempt: Attempt, at_ms: int) -> None:
    if all(each.started_ms is None for each in fdd.attempts):
        work.counts(ref.request_id, ref.day, ref.slot).reached += 1
    attempt.started_ms = at_ms
    # figures of usage have no room for a time that no clock shows
    told_ms = at_ms if 0 <= at_ms < LAST_MS else work.now_ms
    work.book.send("campaign-events", key_of(ref, fdd), _reached(ref, fdd, told_ms))


def _reached(ref: Ref, fdd: Fdd, at_ms: int) -> dict[str, Any]:
    """Tells the figures of usage that a number was reached."""
    return {
        "kind": USAGE,
        "what": EXECUTION,
        "campaign": ref.request_id,
        "customer": fdd.number,
        "at": shown_instant(at_ms),
    }


def _to_started(work: Work, campaign: Campaign, ref: Ref, fdd: Fdd) -> None:
    move(work, campaign, ref, fdd, STARTED)
    fdd.deadline_ms = work.now_ms + work.flow(campaign).result_ms
    work.wake(fdd.deadline_ms, ref.key)


def _finished(
    work: Work,
    campaign: Campaign,
    ref: Ref,
    fdd: Fdd,
    attempt: Attempt,
    at_ms: int,
    event: Mapping[str, Any],
) -> None:
    outcome = event.get("outcome")
    if outcome not in OUTCOMES:
        raise Reject("bad_event", f"outcome {outcome!r}, expected one of {', '.join(OUTCOMES)}")
    reason = event.get("reason")
    if reason is not None and (not isinstance(reason, str) or len(reason) > _REASON_MAX):
        raise Reject("bad_event", f"reason: expected text of at most {_REASON_MAX} characters")
    started_ms = _at(event, "started_at", at_ms)
    if attempt.final:
        return  # said before
    attempt.final = True
    if outcome == FAILED:
        reason = f"EXECUTOR_{reason}" if reason in _OWN_REASONS else reason or "UNKNOWN"
    said = event.get("started_at") is not None
    if attempt.started_ms is None and (said or outcome in (COMPLETED, PARTIAL)):
        _begins(work, ref, fdd, attempt, started_ms)
    if attempt.started_ms is not None and outcome != CANCELLED:
        _remember_length(work, campaign, at_ms - attempt.started_ms)
    late = attempt.outcome in (None, FAILED) and attempt.reason in UNKNOWN
    before = (attempt.outcome, attempt.reason)
    attempt.finished_ms, attempt.outcome, attempt.reason = at_ms, outcome, reason
    if attempt is fdd.attempts[-1]:
        if fdd.state in (LEASED, STARTED):
            _in_time(work, campaign, ref, fdd, attempt)
        elif (
            late
            and fdd.state == FAILED
            and fdd.reason in UNKNOWN
            and not _replaces(work, campaign, ref, fdd, attempt)
        ):
            note(work, fdd, "lease", "late result not counted", {"outcome": outcome})
            attempt.outcome, attempt.reason = before
    save(work, campaign, ref, fdd)


def _in_time(work: Work, campaign: Campaign, ref: Ref, fdd: Fdd, attempt: Attempt) -> None:
    """The result of the order that is under way."""
    fdd.deadline_ms = 0
    if attempt.outcome == CANCELLED and fdd.state == LEASED and attempt.cancel is not None:
        to = NEGATIVE if attempt.cancel == "negative" else REVOKED
        note(work, fdd, attempt.cancel, to, {"cancelled": True})
        move(work, campaign, ref, fdd, to, REVOKED if to == REVOKED else None)
        return
    if fdd.state == LEASED:
        move(work, campaign, ref, fdd, STARTED)
    if attempt.cancel == "negative":
        mark(fdd, "negative_after_start")
    held = held_to(fdd, work.window(campaign, ref))
    if held is not None and (attempt.finished_ms or 0) >= held[1]:
        mark(fdd, "finished_after_slot")
    _ends(work, campaign, ref, fdd, attempt)


def _replaces(work: Work, campaign: Campaign, ref: Ref, fdd: Fdd, attempt: Attempt) -> bool:
    """A real result that comes after its deadline: counted if it started inside the slot."""
    held = held_to(fdd, work.window(campaign, ref))
    started_ms = attempt.started_ms
    if started_ms is None:
        started_ms = attempt.finished_ms or work.now_ms
    if attempt.outcome == CANCELLED:
        return False
    if held is not None and not held[0] <= started_ms < held[1]:
        return False
    note(work, fdd, "lease", "replaced by a late result", {"was": fdd.reason})
    if attempt.cancel == "negative":
        mark(fdd, "negative_after_start")
    if held is not None and (attempt.finished_ms or 0) >= held[1]:
        mark(fdd, "finished_after_slot")
    _ends(work, campaign, ref, fdd, attempt, again=False)
    return True


def _ends(
    work: Work, campaign: Campaign, ref: Ref, fdd: Fdd, attempt: Attempt, again: bool = True
) -> None:
    """Moves to the outcome; `again`: or to a reattempt (what was unknown is never repeated)."""
    outcome, reason = attempt.outcome, attempt.reason
    if outcome == CANCELLED:
        outcome, reason = FAILED, CANCELLED
    if again and outcome in (FAILED, PARTIAL):
        due_ms = _reattempt_at(work, campaign, ref, fdd, reason if outcome == FAILED else PARTIAL)
        if due_ms is not None:
            move(work, campaign, ref, fdd, REATTEMPT)
            enqueue(work, campaign, ref, fdd, due_ms)
            return
    move(work, campaign, ref, fdd, outcome or FAILED, reason if outcome == FAILED else None)


def _reattempt_at(
    work: Work, campaign: Campaign, ref: Ref, fdd: Fdd, reason: str | None
) -> int | None:
    """When it is tried once more; None: never."""
    flow = work.flow(campaign)
    policy = flow.reattempts
    if reason not in policy.on:
        return None
    saw: dict[str, Any] = {"reason": reason, "tries": fdd.tries, "max": policy.max}
    due_ms = work.now_ms + policy.after_ms
    held = held_to(fdd, work.window(campaign, ref))
    decided = None
    if fdd.tries >= policy.max:
        decided = "no more attempts"
    elif campaign.revoked:
        decided = "revoked"
    elif is_negative(work, campaign, fdd.number) or is_not_to_be_called(work, fdd.number):
        decided = "negative"
    elif held is not None and due_ms >= held[1]:
        decided = "after the slot"
        saw["slot_end"] = shown_instant(held[1])
    if decided is None and held is None:
        opens_ms = days.working_at(flow, campaign.flow.timezone, due_ms)[0]
        due_ms = max(due_ms, opens_ms)
        if opens_ms == days.NEVER_MS:
            decided = "no working time"
    if decided is not None:
        note(work, fdd, "reattempt", decided, saw)
        return None
    note(work, fdd, "reattempt", REATTEMPT, {**saw, "at": shown_instant(due_ms)})
    return due_ms


def _remember_length(work: Work, campaign: Campaign, length_ms: int) -> None:
    ring = work.executions(campaign.flow.name)
    length_ms = max(0, length_ms)
    row_key = key("e", campaign.flow.name, str(ring.at))
    if ring.count == _RING:
        ring.sum_ms -= read(work.book, row_key, int) or 0
    else:
        ring.count += 1
    ring.sum_ms += length_ms
    ring.at = (ring.at + 1) % _RING
    work.book.put(row_key, encode(length_ms))


def deadline(work: Work, campaign: Campaign, ref: Ref) -> None:
    """The lease or the result of an FDD is due: NO_ACK or NO_RESULT, if it still is."""
    fdd = load(work, ref)
    if fdd is None or not fdd.deadline_ms or work.now_ms < fdd.deadline_ms:
        return
    if fdd.state == LEASED:
        no_answer(work, campaign, ref, fdd, NO_ACK)
    elif fdd.state == STARTED:
        no_answer(work, campaign, ref, fdd, NO_RESULT)
    else:
        return
    save(work, campaign, ref, fdd)


def no_answer(work: Work, campaign: Campaign, ref: Ref, fdd: Fdd, reason: str) -> None:
    """FAILED, outcome unknown; the row is written by `save`."""
    attempt = fdd.attempts[-1]
    attempt.outcome, attempt.reason = FAILED, reason
    note(work, fdd, "lease", f"{FAILED} {reason}", {"deadline": shown_instant(fdd.deadline_ms)})
    move(work, campaign, ref, fdd, FAILED, reason)
    fdd.deadline_ms = 0
