"""Made-up data of the fake backend: sessions, flushes, letters, rates, by index."""

import json
import math
from datetime import UTC, datetime

from app.shapes import (
    AggregatorSummary,
    DeadLetter,
    Flush,
    RatePoint,
    SessionRow,
    Trouble,
    Worker,
)

NOW_MS = int(datetime(2025, 11, 3, 4, 30, tzinfo=UTC).timestamp() * 1000)
HOUR_MS = 3_600_000
PRODUCTS = ("data-5g", "voice", "sms-roaming", "iot")
REASONS = ("missing_group_field", "not_a_number", "undecodable", "not_an_instant", "too_large")

DATA: dict[str, object] = {
    "kind": "aggregator",
    "name": "data-per-account",
    "input": "usage",
    "group": {
        "fields": ["account", "product.code"],
        "periods": [{"field": "timestamp", "period": "month", "timezone": "UTC"}],
    },
    "aggregate": [
        {"field": "bytes", "operation": "sum"},
        {"field": "bytes", "operation": "max"},
        {"field": "cell", "operation": "carry_last"},
        {"field": "*", "operation": "count"},
    ],
    "flush": {"by": "timeout", "timeout": {"duration": {"hours": 1}}},
}
NIGHTLY: dict[str, object] = {
    "kind": "aggregator",
    "name": "example-nightly",
    "input": "usage",
    "group": {"fields": ["account"]},
    "aggregate": [{"field": "price", "operation": "sum"}],
    "flush": {
        "by": "timeout",
        "timeout": {"frequency": {"every": "day", "at": "02:30", "timezone": "Europe/Stockholm"}},
    },
}


def utc(at_ms: int) -> str:
    """An instant as the product prints it."""
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at_ms % 1000:03}Z"


def record(i: int, now_ms: int, flush_type: str = "", sequence: int = 1) -> dict[str, object]:
    """The record of the i-th session of data-per-account."""
    due_ms = now_ms + 12_000 + i * 700
    count = 2 + i * 7 % 900
    return {
        "id": f"{i:08x}{sequence:08x}c0ffee",
        "aggregator": "data-per-account",
        "version": 3,
        "sequence": sequence,
        "group": {"account": f"acc-{i:07}", "product.code": PRODUCTS[i % 4]},
        "periods": {
            "timestamp": {
                "period": "month",
                "label": "2025-11",
                "start": "2025-11-01T00:00:00.000Z",
                "end": "2025-12-01T00:00:00.000Z",
            }
        },
        "values": {
            "sum_bytes": 1_048_576 * (i + 3) * count,
            "max_bytes": 1_048_576 * (i + 3),
            "carry_last_cell": f"cell-{i % 97}",
            "count": count,
        },
        "parts": {},
        "meta": {
            "origin": "data-per-account",
            "count": count,
            "flushType": flush_type,
            "firstEvent": utc(due_ms - HOUR_MS),
            "lastEvent": utc(now_ms - 4000),
            "lastCall": False,
        },
        "explain": {
            "rule": "duration 1h",
            "due": utc(due_ms),
            "sources": [
                {"topic": "usage", "partition": i % 4, "first": 10 + i, "last": 9000 + i,
                 "count": count}
            ],
        },
    }  # fmt: skip


def key_of(i: int) -> str:
    """The session key of the i-th session."""
    return json.dumps([f"acc-{i:07}", PRODUCTS[i % 4], "2025-11"], separators=(",", ":"))


def session(i: int, now_ms: int) -> SessionRow:
    """The i-th open session."""
    due_ms = now_ms + 12_000 + i * 700
    text = json.dumps(record(i, now_ms), separators=(",", ":")).encode()
    return SessionRow(
        "data-per-account", key_of(i), text, due_ms, due_ms - HOUR_MS, now_ms - 4000, i % 4, "w-1"
    )


def flushes(i: int, now_ms: int) -> list[Flush]:
    """Two flushes of the past."""
    return [
        Flush(
            json.dumps(record(i, now_ms - n * 2 * HOUR_MS, "TIMEOUT", 3 - n)).encode(),
            now_ms - n * 2 * HOUR_MS,
        )
        for n in (1, 2)
    ]


def letter(i: int, now_ms: int) -> DeadLetter:
    """The i-th letter, the newest being the 0th."""
    reason = REASONS[i % len(REASONS)]
    original = b'{"account": "acc-%d", "bytes": "many", "when": "yesterday"}' % i
    if reason == "undecodable":
        original = b"\x80\x81PK\x03\x04 this is no JSON \xff\xfe" * 3
    details = {
        "missing_group_field": "account is absent",
        "not_a_number": 'bytes: "many" is no number',
        "undecodable": "the record is no JSON: invalid character (byte 0)",
        "not_an_instant": "when is no ISO 8601 date and time",
        "too_large": "1,400,000 bytes; a record may have 1,048,576",
    }
    return DeadLetter(
        id=f"dl-{i:06}",
        topic="usage",
        partition=i % 4,
        offset=10_000 - i,
        aggregator=None if reason == "undecodable" else "data-per-account",
        reason=reason,
        detail=details[reason],
        original=original,
        version=None if reason == "undecodable" else 3,
        at_ms=now_ms - 60_000 * (i + 1),
        replayed_at_ms=now_ms - 30_000 if i % 11 == 5 else None,
    )


def rates(now_ms: int, scale: float) -> list[RatePoint]:
    """Fifteen minutes of rates, every five seconds."""
    return [
        RatePoint(
            now_ms - (180 - n) * 5000,
            scale * (1 + 0.25 * math.sin(n / 9) + 0.06 * math.sin(n * 1.7)),
            scale * 0.12 * (1 + 0.3 * math.sin(n / 14)),
        )
        for n in range(181)
    ]


def summaries(open_sessions: int, now_ms: int, scale: float) -> list[AggregatorSummary]:
    """Two aggregators, one of them an example."""
    return [
        AggregatorSummary(
            "data-per-account", 3, "usage", open_sessions, now_ms + 12_000, scale, True
        ),
        AggregatorSummary(
            "example-nightly", 1, "usage", open_sessions // 9, now_ms + 75_600_000, scale / 4,
            True, True,
        ),
    ]  # fmt: skip


TROUBLE = Trouble(
    "worker-gone",
    "Worker w-2 is gone",
    "Its partitions 2 and 3 are with w-1 now, which is behind by 41,022 records.",
    "Start w-2 again, or look into its log; nothing is lost.",
    NOW_MS - 95_000,
)


def workers(many: bool) -> list[Worker]:
    """One worker, or two of which one is gone."""
    first = Worker("w-1", "http://127.0.0.1:6066", ("all",), (0, 1, 2, 3), "ready", 1.2)
    gone = Worker("w-2", "http://127.0.0.1:6067", ("aggregate",), (), "gone", 95.0)
    return [first, gone] if many else [first]
