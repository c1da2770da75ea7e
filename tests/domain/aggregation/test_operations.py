"""Sums and differences on their own, what an average is combined by, and when a session is due by a
field of its records."""

from decimal import Decimal
from typing import Any

import pytest

from domain.aggregation.instants import parse_instant, print_instant
from domain.aggregation.operations import minus, plus
from tests.domain.aggregation.folding import START_MS, Folding, cut

BIG = Decimal("1E+400")


@pytest.mark.parametrize(
    ("left", "right", "total", "difference"),
    [
        (None, None, None, 0),
        (None, 2, 2, -2),
        (2, None, 2, 2),
        (5, 3, 8, 2),
        (5, Decimal("0.5"), Decimal("5.5"), Decimal("4.5")),
        (Decimal("0.5"), 5, Decimal("5.5"), Decimal("-4.5")),
        (Decimal("0.5"), Decimal("0.25"), Decimal("0.75"), Decimal("0.25")),
        (BIG, 1, BIG + 0, BIG + 0),
    ],
)
def test_nothing_is_the_empty_sum(left: Any, right: Any, total: Any, difference: Any) -> None:
    if left is not BIG:
        assert plus(left, right) == total
        assert minus(left, right) == difference
        assert type(minus(left, right)) is type(difference)
    else:
        assert str(plus(left, right)).endswith("1")
        assert str(minus(left, right)).endswith("9")


AVERAGE: list[dict[str, Any]] = [
    {"field": "x", "operation": "average", "scale": 2},
    {"field": "t", "operation": "date_max"},
]


def record(**fields: Any) -> dict[str, Any]:
    return {"account": "a", **fields}


def test_an_average_has_its_sum_and_number_beside_it() -> None:
    at = print_instant(START_MS)
    folding = Folding(AVERAGE).fold_in([[record(x=1, t=at), record(x=4), record()]])
    flush = folding.close()
    assert flush["values"] == {"average_x": Decimal("2.50"), "date_max_t": at}
    assert flush["parts"] == {"average_x": {"sum": 5, "n": 2}}


def test_an_average_of_nothing_is_none() -> None:
    flush = Folding(AVERAGE).fold_in([[record()]]).close()
    assert flush["values"] == {"average_x": None, "date_max_t": None}
    assert flush["parts"] == {"average_x": {"sum": None, "n": 0}}


def due_by(policy: str) -> dict[str, Any]:
    timeout = {
        "timestamp_field": "ends", "policy": policy, "default_timeout": {"minutes": 5},
    }  # fmt: skip
    return {"by": "timeout", "timeout": timeout}


SUM: list[dict[str, Any]] = [{"field": "x", "operation": "sum"}]
HOURS = (2, 5, 3)


@pytest.mark.parametrize(("policy", "hours"), [("last", 3), ("max", 5)])
@pytest.mark.parametrize("sizes", [(3,), (1, 1), (2,)])
def test_a_session_is_due_when_its_records_say(
    policy: str, hours: int, sizes: tuple[int, ...]
) -> None:
    ends = [print_instant(START_MS + hour * 3_600_000) for hour in HOURS]
    records = [*(record(x=1, ends=end) for end in ends), record(x=1)]
    folding = Folding(SUM, SUM, flush=due_by(policy))
    for batch in cut(records, sizes):
        folding.fold(batch)
    assert folding.row.open is not None
    assert folding.row.open.due == parse_instant(ends[HOURS.index(hours)])
    assert folding.row.open.due_version == 1
    folding.fold([record(x=1)], version=2)
    assert (folding.row.open.version, folding.row.open.due_version) == (2, 1)
    folding.fold([record(x=1, ends=print_instant(START_MS + 9 * 3_600_000))], version=2)
    assert folding.row.open.due_version == 2


def test_without_the_field_a_session_is_due_by_the_default() -> None:
    folding = Folding(SUM, flush=due_by("last")).fold_in([[record(x=1)]])
    assert folding.row.open is not None
    assert folding.row.open.due == START_MS + 300_000


def test_an_event_id_counts_once() -> None:
    records = [record(x=1, id="p"), record(x=2, id="q"), record(x=1, id="p"), record(x=8, id=1)]
    folding = Folding(SUM, event_id="id", dedup_days=1).fold_in([records])
    assert folding.close()["values"] == {"sum_x": 11}
    assert folding.row.history is not None and folding.row.history.duplicates == 1


def test_a_count_of_all_beside_others_stops_none_of_them() -> None:
    asked: list[dict[str, Any]] = [{"field": "*", "operation": "count"}, *SUM]
    flush = Folding(asked).fold_in([[record(x=1), record(x=2)]]).close()
    assert flush["values"] == {"count": 2, "sum_x": 3}


def test_a_record_that_names_its_end_opens_a_session_without_a_default() -> None:
    timeout = {"timestamp_field": "ends", "policy": "max"}
    folding = Folding(SUM, flush={"by": "timeout", "timeout": timeout})
    end = print_instant(START_MS + 60_000)
    folding.fold([record(x=1, ends=end), record(x=1), record(x=1, ends=print_instant(START_MS))])
    assert folding.row.open is not None
    assert (folding.row.open.due, folding.row.open.count) == (START_MS + 60_000, 3)


@pytest.mark.parametrize(
    ("condition", "counts"),
    [
        ({"field": "meta.count", "op": "==", "value": 2}, [2, 2]),
        ({"field": "count", "op": ">=", "value": 3}, [3]),
        ({"field": "sum_x", "op": ">", "value": 2}, [3]),
        ({"field": "average_x", "op": ">=", "value": 1}, [1, 1, 1, 1]),
        ({"field": "date_max_t", "op": ">=", "value": "2024-01-01T12:00:00Z"}, [3, 1]),
        ({"field": "date_max_t", "op": "in", "value": ["2024-01-01T14:00:00+02:00"]}, [3, 1]),
        ({"field": "record.stop", "op": "exists"}, [2]),
    ],
)
def test_a_condition_is_asked_after_each_record(
    condition: dict[str, Any], counts: list[int]
) -> None:
    asked = [{"field": "*", "operation": "count"}, *SUM, *AVERAGE]
    timeout = {"duration": {"hours": 1}}
    flush = {"by": "timeout", "timeout": timeout, "conditions": condition}
    early, noon = "2024-01-01T11:00:00Z", "2024-01-01T12:00:00Z"
    records = [
        record(x=1, t=early), record(x=1, t=early, stop=True), record(x=1, t=noon),
        record(x=1, t=noon),
    ]  # fmt: skip
    for sizes in ((4,), (1, 1, 1)):
        folding = Folding(asked, flush=flush).fold_in(cut(records, sizes))
        assert [one["meta"]["count"] for one in folding.flushed] == counts
        assert {one["meta"]["flushType"] for one in folding.flushed} == {"CONDITION"}
