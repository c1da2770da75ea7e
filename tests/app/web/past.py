"""Made-up what-ifs and explanations for the fake backend."""

import json
from collections.abc import Mapping
from decimal import Decimal

from app.history_shapes import (
    Explained,
    GroupCompared,
    Preview,
    SourceExplained,
    SourceRecord,
    WhatIf,
)
from app.shapes import DocumentVersion, Record
from domain.aggregation.comparison import STATUSES, Difference, Status
from tests.app.web import made


def running(body: Mapping[str, object], since: str, now_ms: int) -> Preview:
    """A preview that is half way."""
    return Preview(
        "p-1", "running", str(body["name"]), "usage", "aggregates", since, now_ms, now_ms, 3,
        body, 1_204_551, 602_275, now_ms - 24 * made.HOUR_MS,
    )  # fmt: skip


def group(i: int, status: Status, now_ms: int) -> GroupCompared:
    """The i-th group that is not the same."""
    record = made.record(i, now_ms, "TIMEOUT")
    text = json.dumps(record).encode()
    now = [text] if status != "only_what_if" else []
    what_if = [text] if status != "only_now" else []
    sums = Difference(Decimal("1204551.25"), 10**19 + i, Decimal("9999999999998795448.75"))
    results = {
        "sum_bytes": sums,
        "carry_last_cell": Difference("cell-1", "cell-2", None),
        "count": Difference(4, 2, -2),
    }
    return GroupCompared(
        status, record, now, what_if, len(now), len(what_if),
        text if i % 7 == 0 else None, {} if status == "moved" else results,
    )  # fmt: skip


def result(number: int, now_ms: int) -> WhatIf:
    """What came of one with that many groups."""
    statuses = [STATUSES[1 + i % 4] for i in range(number)]
    groups: dict[Status, int] = {status: statuses.count(status) for status in STATUSES}
    groups["same"] = 40 * number
    letter = {"topic": "usage", "partition": 1, "offset": 4711, "reason": "not_a_number",
              "detail": 'bytes: "many" is no number'}  # fmt: skip
    return WhatIf(
        1_204_000, 500, 4, {"not_a_number": 1} if number else {}, [letter] if number else [],
        31, 2, 41 * number, 40 * number, 0, number, groups,
        {"sum_bytes": Difference(10**19, 10**19 + 5, 5)}, ["max_price"] * bool(number), [],
        [group(i, status, now_ms) for i, status in enumerate(statuses)],
        [json.dumps(made.record(i, now_ms)).encode() for i in range(min(number, 3))],
    )  # fmt: skip


def explained(i: int, now_ms: int, document: DocumentVersion | None) -> Explained:
    """Where the i-th session comes from."""
    records = [
        SourceRecord(
            "usage",
            Record(i % 4, 10 + i + n, now_ms - 60_000 * (9 - n), b"acc",
                   b'{"account": "acc-%07d", "bytes": %d, "cell": "cell-%d"}' % (i, n, n)),
            duplicate=n == 4,
            version=3,
        )
        for n in range(8)
    ]  # fmt: skip
    text = json.dumps(made.record(i, now_ms, "TIMEOUT")).encode()
    source = SourceExplained("usage", i % 4, 10 + i, 9000 + i, 9, 7, 2)
    return Explained(
        text, now_ms - made.HOUR_MS, document, [source], records, "more" if i else None
    )
