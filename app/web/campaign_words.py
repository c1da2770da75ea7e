"""Campaigns in words: what states, reasons, marks and rules are called on every page.

Pure functions of values; the names on the left are those of campaigns-api.md.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from app.web import words

STATUSES = ("Scheduled", "Rescheduled", "Negative upload", "Completed", "Cancelled")
# an FDD's status, as filters take it -> in words
OUTCOMES = {
    "IN_PROGRESS": "in progress",
    "COMPLETED": "completed",
    "PARTIAL_COMPLETE": "partial",
    "FAILED": "failed",
    "NEGATIVE": "negative",
    "REVOKED": "revoked",
}
STATES = {
    **OUTCOMES,
    "CREATED": "waits for its time",
    "QUEUED": "queued",
    "LEASED": "ordered",
    "STARTED": "started",
    "REATTEMPT_SCHEDULED": "waits for another attempt",
    "CANCELLED": "cancelled",
}
# states of several FDDs, where STATES has a verb for one
STANDING = {"CREATED": "not queued yet", "REATTEMPT_SCHEDULED": "waiting for another attempt"}
REASONS = {
    "OUT_OF_SLOT": "out of slot",
    "NO_ACK": "no answer from the executor",
    "NO_RESULT": "started, and no result came",
    "NO_ANSWER": "no answer",
    "CONTACT_POLICY": "contact policy",
    "RESCHEDULED": "rescheduled",
}
MARKS = {
    "finished_after_slot": "finished after the slot",
    "negative_after_start": "negative only after it had started",
}
NOT_CREATED = {
    "negative": "for a negative number",
    "past_slot": "for a slot already over",
    "dst_gap": "for a slot skipped by daylight saving",
    "duplicate": "for a duplicate number",
    "revoked": "as it was revoked first",
}
DAY_STATES = {
    "to_come": "to come",
    "creating": "being made",
    "created": "made",
    "missed": "missed",
    "not_working": "day off",
}
RULES = {
    "window": "Working time",
    "negative": "Negative numbers",
    "slot": "Slot",
    "lease": "Order",
    "reattempt": "Another attempt",
    "revoked": "Revoked",
    "capacity": "Channels",
    "contact_policy": "Contact policy",
    "do_not_call": "Do not call",
    "retrigger": "Retrigger",
    "result": "Result",
}
REJECTIONS = {
    "bad_number": "not a phone number",
    "bad_schedule": "not a time",
    "bad_encoding": "not UTF-8",
    "bad_quotes": "quotes that don’t close",
    "bad_row": "other columns than the header",
    "bad_gzip": "the file can’t be unpacked from here on",
    "too_long": "longer than a row may be",
    "duplicate": "number was there before",
}
WARNINGS = {
    "schedule_column_ignored": "The schedule column is ignored, as the campaign has slots.",
}


def spoken(name: object) -> str:
    """A name nobody has put into words, as words: NO_ANSWER -> "no answer"."""
    return str(name).replace("_", " ").lower()


def reason(name: object) -> str:
    """Why an FDD failed or was taken back; "" without a reason."""
    return "" if name is None else REASONS.get(str(name), spoken(name))


def state(fdd: Mapping[str, Any]) -> str:
    """What an FDD is now: "failed, busy"."""
    name = str(fdd["state"])
    text = STATES.get(name, spoken(name))
    return f"{text}, {reason(fdd['reason'])}" if fdd.get("reason") and name != "STARTED" else text


def slot(value: object) -> str:
    """A slot with a proper dash; "no slot" without one."""
    if value in (None, "", "-", "null", "*"):
        return "no slot"
    return str(value).replace("-", "–")


def made(by: Mapping[str, int]) -> str:
    """Counts by state or reason, in words: "374 out of slot, 38 partial"; without those of nothing.

    Names are states (QUEUED), reasons (BUSY), or both (FAILED:BUSY).
    """
    parts = []
    for name, n in by.items():
        last = name.rpartition(":")[2]
        text = REASONS.get(last) or STANDING.get(last) or STATES.get(last) or spoken(last)
        if isinstance(n, int) and n:
            parts.append(f"{n:,} {text}")
    return ", ".join(parts)


def decided(text: str) -> str:
    """What a rule decided: "pass" -> "passed", "FAILED OUT_OF_SLOT" -> "failed: out of slot"."""
    if text in ("pass", "wait"):
        return "passed" if text == "pass" else "waits"
    first, _, rest = text.partition(" ")
    if first not in STATES:
        return text
    return f"{STATES[first]}: {reason(rest)}" if rest else STATES[first]


def fdd_sentence(fdd: Mapping[str, Any]) -> tuple[str, str]:
    """(What became of an FDD, the state it is shown with)."""
    attempts = sum(1 for one in fdd["attempts"] if one.get("started_at"))
    tried = words.some(attempts, "attempt")
    name = str(fdd["state"])
    if name == "COMPLETED":
        return f"Completed, after {tried}.", "good"
    if name == "PARTIAL_COMPLETE":
        return f"Completed in part, after {tried}.", ""
    if name == "FAILED":
        why = reason(fdd["reason"]) or "without a reason"
        return f"Failed: {why}{f', after {tried}' if attempts else ''}.", "warn"
    if name == "NEGATIVE":
        return "Not contacted: the number is negative.", ""
    if name == "REVOKED":
        because = ", as the day was rescheduled" if fdd["reason"] == "RESCHEDULED" else ""
        return f"Taken back before it was ordered{because}.", ""
    told = {
        "CREATED": "Waits for its time.",
        "QUEUED": "Queued: it is ordered as soon as a channel is free.",
        "LEASED": "Ordered; the executor has not said yet that it started.",
        "STARTED": "Started; its result is awaited.",
        "REATTEMPT_SCHEDULED": f"Waits for another attempt, after {tried}.",
    }
    return told.get(name, f"{spoken(name).capitalize()}."), ""


def campaign_sentence(found: Mapping[str, Any], day: str | None) -> tuple[str, str]:
    """(How a campaign stands on a day, the state it is shown with). `day` None: today."""
    counts, flags = found["counts"], found["flags"]
    when = "Today" if day is None else f"On {day}"
    if flags["processing"] and found["upload"]["progress"] < 1:
        return f"The file is being read, {100 * found['upload']['progress']:.0f} % so far.", ""
    if flags["processing"]:
        return f"FDDs are being made, {counts['created']:,} so far.", ""
    created, attempted, pending = (counts[key] for key in ("created", "attempted", "pending"))
    figures = f"{attempted:,} of {created:,} attempted, {pending:,} pending"
    if found["status"] == "Cancelled":
        return f"Cancelled for good. {when} {figures}.", ""
    if flags["paused"]:
        return f"Paused: nothing new is ordered. {when} {figures}.", "warn"
    if created:
        if not pending:
            return f"{when} all {created:,} are attempted.", "good"
        return f"{when} {figures}.", ""
    return _without(found, when)


def _without(found: Mapping[str, Any], when: str) -> tuple[str, str]:
    """The sentence for a day on which nothing was made."""
    states = {item["day"]: item["state"] for item in found["days_list"]}
    told: Mapping[str, tuple[str, str]] = {
        "to_come": (f"{when} nothing is made yet: the day is to come.", ""),
        "creating": (f"{when} its FDDs are being made.", ""),
        "missed": (f"{when} nothing was made: the day was missed.", "warn"),
        "not_working": (f"{when} nothing is made: it is a day off.", ""),
        "created": (f"{when} no FDD was made; below is why.", "warn"),
    }
    return told.get(states.get(found["day"], ""), (f"{when} it has no day.", ""))


_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d.*")


def times(found: Mapping[str, Any]) -> Sequence[str]:
    """The slots of a campaign as they are shown; the file's schedule times where it has none."""
    return [text if _INSTANT.fullmatch(text) else slot(text) for text in
            map(str, found["scheduled_timestamp"] or ())]  # fmt: skip
