"""Made-up campaigns of the fake backend: by index, so that ten million cost what ten do."""

from typing import Any

from tests.app.web.made import HOUR_MS, NOW_MS, utc

DAY = "2025-11-03"
IST_MS = 5 * HOUR_MS + HOUR_MS // 2
MIDNIGHT_MS = NOW_MS - 10 * HOUR_MS  # 00:00 of DAY in Kolkata, as it is 10:00 there
NAMES = ("dues", "welcome", "survey", "recall")
SLOTS = ("10:00-12:00", "16:00-18:00")
FLOW: dict[str, object] = {
    "kind": "flow",
    "name": "reminder",
    "timezone": "Asia/Kolkata",
    "country": "IN",
    "working_time": {"start": "09:00", "end": "21:00", "days": ["mon", "tue", "wed", "thu", "fri"]},
    "channels": 100,
    "lease": {"seconds": 120},
    "reattempts": {"max": 3, "after": {"minutes": 10}, "on": ["BUSY", "NO_ANSWER"]},
    "executor": "simulated",
}
# state, reason of the n-th FDD of a slot, over and over; what it is counted as
STATES = (
    ("COMPLETED", None), ("COMPLETED", None), ("FAILED", "BUSY"), ("PARTIAL_COMPLETE", None),
    ("NEGATIVE", None), ("QUEUED", None), ("STARTED", None), ("REATTEMPT_SCHEDULED", "BUSY"),
    ("FAILED", "NO_ACK"), ("COMPLETED", None),
)  # fmt: skip
PENDING = ("CREATED", "QUEUED", "LEASED", "STARTED", "REATTEMPT_SCHEDULED")


def request_id(i: int) -> str:
    """The id of the i-th campaign."""
    return f"reminder-{i:016x}"


def fdd_id(i: int, n: int, slot: str | None = SLOTS[0]) -> str:
    """The id of the FDD of the n-th record of the i-th campaign."""
    text = "-" if slot is None else slot.replace(":", "").replace("-", "_")
    return f"{request_id(i)}.20251103.{text}.1.{n}"


def state_of(n: int, slot: str | None) -> tuple[str, str | None]:
    """(state, reason) of the FDD of the n-th record: the second slot has not begun."""
    return ("CREATED", None) if slot == SLOTS[1] else STATES[n % len(STATES)]


def counts(rows: int, slots: tuple[str | None, ...]) -> dict[str, Any]:
    """The counts of `rows` records in these slots, as `state_of` has them."""
    found = dict.fromkeys(
        ("COMPLETED", "PARTIAL_COMPLETE", "NEGATIVE", "BUSY", "NO_ACK", *PENDING), 0
    )
    for slot in slots:
        whole, rest = divmod(rows, len(STATES))
        for n in range(len(STATES)):
            state, reason = state_of(n, slot)
            key = str(reason) if state == "FAILED" else state
            found[key] += whole + (n < rest)
    failed = {key: found[key] for key in ("BUSY", "NO_ACK") if found[key]}
    pending = sum(found[key] for key in PENDING)
    created = rows * len(slots)
    return {
        "uploaded": rows + rows // 10,
        "attempted": created - pending,
        "reached": created - pending - found["NEGATIVE"] + found["REATTEMPT_SCHEDULED"],
        "pending": pending,
        "created": created,
        "yet_to_process": found["CREATED"] + found["QUEUED"],
        "negative": {"rows": found["NEGATIVE"], "matched": found["NEGATIVE"],
                     "distinct": found["NEGATIVE"], "invalid": 0},
        "outcome": {"completed": found["COMPLETED"], "partial": found["PARTIAL_COMPLETE"],
                    "failed": failed, "negative": found["NEGATIVE"], "revoked": 0},
        "not_created": {"negative": 0, "past_slot": 0, "dst_gap": 0,
                        "duplicate": rows // 20, "revoked": 0},
    }  # fmt: skip


def slots_of(i: int) -> tuple[str | None, ...]:
    """The slots of the i-th campaign; every fourth one has none."""
    return (None,) if i % 4 == 1 else SLOTS


def campaign(i: int, rows: int, day: str | None, changed: dict[str, Any]) -> dict[str, Any]:
    """The i-th campaign as campaigns-api.md §2 has it."""
    slots = slots_of(i)
    today = day in (None, DAY)
    status = ("Scheduled", "Scheduled", "Completed", "Cancelled")[i % 4]
    actions = {
        "Cancelled": [],
        "Completed": ["negatives", "reschedule", "retrigger", "revoke"],
        "Scheduled": ["negatives", "pause", "reschedule", "revoke"],
    }
    progress = 0.45 if i % 4 == 1 else 1.0
    found = {
        "request_id": request_id(i),
        "name": f"{NAMES[i % 4]}{f' {i // 4 + 1}' if i > 3 else ''}",
        "flow": "reminder",
        "timezone": "Asia/Kolkata",
        "status": status,
        "flags": {"processing": i % 4 == 1, "running": i % 4 == 0, "paused": False,
                  "retriggered": i % 4 == 2},
        "allowed_actions": actions[status],
        "scheduled_timestamp": [slot for slot in slots if slot],
        "upload": {"accepted": rows, "rejected": rows // 10, "duplicates": rows // 20,
                   "progress": progress},
        "day": day or DAY,
        "counts": counts(rows if today else 0, slots),
        "by_slot": [{"slot": slot, "counts": counts(rows if today else 0, (slot,))}
                    for slot in slots],
        "days_list": [
            {"day": f"2025-11-{n:02}", "state": state}
            for n, state in enumerate(
                ("missed", "not_working", "created", "to_come", "to_come") if slots[0] else
                ("created",), 1 if slots[0] else 3)
        ],
    }  # fmt: skip
    return {**found, **changed}


def fdd(i: int, n: int, slot: str | None, marks: tuple[str, ...] = ()) -> dict[str, Any]:
    """The FDD of the n-th record of the i-th campaign in that slot."""
    state, reason = state_of(n, slot)
    hour = int((slot or "10:00")[:2])
    start_ms = MIDNIGHT_MS + hour * HOUR_MS
    attempts = []
    if state in ("COMPLETED", "PARTIAL_COMPLETE", "STARTED") or reason == "BUSY":
        over = state != "STARTED"
        attempts.append({
            "execution_id": f"{fdd_id(i, n, slot)}.1", "attempt": 1,
            "started_at": utc(start_ms + 60_000),
            "finished_at": utc(start_ms + 95_000) if over else None,
            "outcome": (state if state != "REATTEMPT_SCHEDULED" else "FAILED") if over else None,
            "reason": reason, "retriggered": False,
        })  # fmt: skip
    return {
        "id": fdd_id(i, n, slot),
        "request_id": request_id(i),
        "record_no": n,
        "number": f"+9198{n:08}",
        "date": DAY,
        "slot": slot,
        "slot_start": utc(start_ms) if slot else None,
        "slot_end": utc(start_ms + 2 * HOUR_MS) if slot else None,
        "scheduled_start": utc(start_ms),
        "status": "IN_PROGRESS" if state in PENDING else state,
        "state": state,
        "reason": reason,
        "retriggered": False,
        "revision": 1,
        "marks": ["finished_after_slot"] if n % 7 == 3 and attempts else [],
        "attempts": attempts,
    }


def why(found: dict[str, Any]) -> dict[str, Any]:
    """The rules that were evaluated for an FDD."""
    begun = found["scheduled_start"]
    rules = [
        {"at": begun, "rule": "negative", "saw": {"negative": False}, "decided": "pass"},
        {"at": begun, "rule": "slot",
         "saw": {"now": begun, "start": found["slot_start"], "end": found["slot_end"]},
         "decided": "pass"},
        {"at": begun, "rule": "window", "saw": {"working_time": "09:00-21:00"}, "decided": "pass"},
        {"at": begun, "rule": "lease", "saw": {"attempt": 1, "deadline": begun}, "decided": "pass"},
    ]  # fmt: skip
    if found["reason"] == "BUSY":
        decided = "FAILED BUSY" if found["state"] == "FAILED" else "REATTEMPT_SCHEDULED"
        saw = {"outcome": "BUSY", "attempts": 1, "max": 3}
        at = found["attempts"][0]["finished_at"]
        rules.append({"at": at, "rule": "reattempt", "saw": saw, "decided": decided})
    return {"fdd_id": found["id"], "status": found["status"], "rules": rules}
