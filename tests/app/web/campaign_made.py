"""Made-up campaigns of the fake backend, in the shapes of campaigns-api.md."""

from typing import Any

DAY = "2025-11-03"
STATES = (
    ("CREATED", "IN_PROGRESS", None),
    ("COMPLETED", "COMPLETED", None),
    ("FAILED", "FAILED", "OUT_OF_SLOT"),
    ("STARTED", "IN_PROGRESS", None),
    ("FAILED", "FAILED", "BUSY"),
    ("NEGATIVE", "NEGATIVE", None),
)
STATUSES = ("Scheduled", "Negative upload", "Completed", "Cancelled", "Rescheduled")
SLOTS = ("10:00-12:00", "16:00-18:00")


def request_id(i: int) -> str:
    """The id of the i-th campaign."""
    return f"reminder-{i:016x}"


def counts(i: int) -> dict[str, Any]:
    """Counts of a day that add up."""
    return {
        "uploaded": 1_000 + i, "attempted": 400, "reached": 390, "pending": 1_596,
        "created": 1_996, "yet_to_process": 1_500,
        "negative": {"rows": 3, "matched": 2, "distinct": 3, "invalid": 0},
        "outcome": {"completed": 300, "partial": 20, "failed": {"OUT_OF_SLOT": 50, "BUSY": 28},
                    "negative": 2, "revoked": 0},
        "not_created": {"negative": 0, "past_slot": 0, "dst_gap": 0, "duplicate": 0, "revoked": 0},
    }  # fmt: skip


def campaign(i: int, day: str = DAY) -> dict[str, Any]:
    """The i-th campaign."""
    status = STATUSES[i % len(STATUSES)]
    actions = ["negatives", "pause", "reschedule", "retrigger", "revoke"]
    return {
        "request_id": request_id(i), "name": f"dues {i}", "flow": "reminder",
        "timezone": "Asia/Kolkata", "status": status,
        "flags": {"processing": False, "running": i == 0, "paused": False, "retriggered": False},
        "allowed_actions": [] if status == "Cancelled" else actions,
        "scheduled_timestamp": list(SLOTS),
        "upload": {"accepted": 998, "rejected": 2 + i, "duplicates": 0, "progress": 1.0},
        "day": day, "counts": counts(i),
        "by_slot": [{"slot": slot, "counts": counts(i)} for slot in SLOTS],
        "days_list": [{"day": DAY, "state": "created"}, {"day": "2025-11-04", "state": "to_come"}],
    }  # fmt: skip


def fdd(i: int, n: int) -> dict[str, Any]:
    """The n-th FDD of the i-th campaign."""
    state, status, reason = STATES[n % len(STATES)]
    slot = SLOTS[n % 2]
    name = slot.replace(":", "").replace("-", "_")
    start, end = slot.split("-")
    fdd_id = f"{request_id(i)}.20251103.{name}.1.{n + 1}"
    started = state in ("COMPLETED", "STARTED") or reason == "BUSY"
    attempt = {
        "execution_id": f"{fdd_id}.1", "attempt": 1, "started_at": "2025-11-03T04:31:00.000Z",
        "finished_at": None if state == "STARTED" else "2025-11-03T04:32:00.000Z",
        "outcome": None if state == "STARTED" else state, "reason": reason, "retriggered": False,
    }  # fmt: skip
    return {
        "id": fdd_id, "request_id": request_id(i), "record_no": n + 1,
        "number": f"+9198765{n:05}", "date": DAY, "slot": slot,
        "slot_start": f"2025-11-03T{start}:00.000Z", "slot_end": f"2025-11-03T{end}:00.000Z",
        "scheduled_start": f"2025-11-03T{start}:00.000Z", "status": status, "state": state,
        "reason": reason, "retriggered": False, "revision": 1, "marks": [],
        "attempts": [attempt] if started else [],
    }  # fmt: skip


def why(found: dict[str, Any]) -> dict[str, Any]:
    """Why an FDD is where it is."""
    at = found["scheduled_start"]
    rules = [
        {"at": at, "rule": "negative", "saw": {"number": found["number"]}, "decided": "pass"},
        {"at": at, "rule": "slot", "saw": {"end": found["slot_end"]},
         "decided": "FAILED OUT_OF_SLOT" if found["reason"] == "OUT_OF_SLOT" else "pass"},
    ]  # fmt: skip
    return {"fdd_id": found["id"], "status": found["status"], "rules": rules}


def rejection(n: int) -> dict[str, Any]:
    """The n-th rejected row."""
    return {"row": n * 7 + 1, "column": "number", "code": "bad_number", "value": f"abc{n}"}


def negative_file(n: int) -> dict[str, Any]:
    """The n-th list of negatives."""
    return {
        "upload_id": f"n{n:08}", "at": "2025-11-03T04:00:00.000Z", "actor": "ada",
        "reason": "asked us to", "filename": f"negatives-{n}.csv", "rows": 3, "matched": 2,
        "unknown": 1, "invalid": 0, "distinct": 3, "fdds": {"negative": 2, "already_started": 0},
    }  # fmt: skip


def raw_row(n: int) -> dict[str, Any]:
    """The n-th row of a raw report."""
    return {
        "start_time": f"2025-11-03T04:{n % 60:02}:00.000Z",
        "execution_id": f"{request_id(0)}.20251103.1000_1200.1.{n + 1}.1",
        "request_id": request_id(0), "campaign": "=dues", "number": f"+9198765{n:05}",
        "slot": SLOTS[0], "outcome": "COMPLETED", "reason": None, "retriggered": False,
        "attempt": 1,
    }  # fmt: skip


def eod_row(n: int) -> dict[str, Any]:
    """The n-th row of an end-of-day report."""
    return {
        "day": DAY, "request_id": request_id(0), "campaign": "=dues", "slot": SLOTS[n % 2],
        "outcome": "FAILED", "reason": ("BUSY", "OUT_OF_SLOT")[n % 2], "count": 10 + n,
    }  # fmt: skip
