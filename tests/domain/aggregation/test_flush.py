"""The flushed record as a whole: billing reads every field of it."""

from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec

from config.documents.aggregator import load_aggregator
from domain.aggregation.distinct import Sketch, at_rest
from domain.aggregation.flush import enveloped, exact, flush_id, flushed_record, group_of, to_json
from domain.aggregation.rule import Rule, compile_rule
from domain.aggregation.session import NEVER, Session
from tests.domain.aggregation.folding import START_MS, a_document

FIGURES: list[dict[str, Any]] = [
    {"field": "x", "operation": "sum"},
    {"field": "*", "operation": "count"},
    {"field": "x", "operation": "average", "scale": 1},
    {"field": "x", "operation": "unique_count"},
]
STARTED, ENDED, DUE = (f"2024-03-30T{time}.000Z" for time in ("22:59:50", "22:59:52", "23:59:50"))


def a_rule(**changes: Any) -> Rule:
    return compile_rule(load_aggregator(a_document(FIGURES, **changes)), 3)


def a_session(**changes: Any) -> Session:
    sources = [["usage", 1, 7, 9, 2], ["usage", 0, 4, 4, 1]]
    accumulators = [Decimal("3.5"), Decimal("3.5"), 2, None]
    made = Session(
        3, START_MS, START_MS, START_MS + 2_000, START_MS + 3_600_000, 2, 3, accumulators, sources
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def record(rule: Rule, session: Session, flush_type: str = "TIMEOUT", **asked: Any) -> Any:
    return flushed_record(rule, rule, b'["a"]', session, sequence=5, flush_type=flush_type, **asked)


def test_a_record_tells_all_that_was_folded() -> None:
    rule, session = a_rule(), a_session()
    position = b'["acc",' + msgspec.json.encode(rule.spec) + b',"usage",1,7]'
    assert record(rule, session) == {
        "id": sha256(position + b'\0["a"]').hexdigest(),
        "aggregator": "acc",
        "version": 3,
        "sequence": 5,
        "group": {"account": "a"},
        "periods": {},
        "values": {
            "sum_x": Decimal("3.5"), "count": 3, "average_x": Decimal("1.8"), "unique_count_x": 0,
        },
        "parts": {
            "average_x": {"sum": Decimal("3.5"), "n": 2},
            "unique_count_x": record(rule, session)["parts"]["unique_count_x"],
        },
        "meta": {
            "origin": "acc", "count": 3, "flushType": "TIMEOUT", "firstEvent": STARTED,
            "lastEvent": ENDED, "lastCall": False,
        },
        "explain": {
            "rule": "duration 1h",
            "due": DUE,
            "sources": [
                {"topic": "usage", "partition": 1, "first": 7, "last": 9, "count": 2},
                {"topic": "usage", "partition": 0, "first": 4, "last": 4, "count": 1},
            ],
        },
    }  # fmt: skip


def test_what_is_only_sometimes_told() -> None:
    rule = a_rule()
    late = record(rule, a_session(), late=True, last_call=True, source_name=str.upper)
    assert (late["late"], late["meta"]["lastCall"]) == (True, True)
    assert late["explain"]["sources"][0]["topic"] == "USAGE"
    assert record(rule, a_session(due=NEVER))["explain"]["due"] is None
    set_by_hand = record(rule, a_session(due_version=-2))["explain"]["rule"]
    assert set_by_hand == "set by an operator"
    listed = record(rule, a_session(), flush_type="")
    assert "unique_count_x" not in listed["parts"] and "average_x" in listed["parts"]
    first = record(rule, a_session(due_version=1))["explain"]["rule"]
    assert first == "duration 1h"


def test_a_count_that_is_an_estimate_is_told_to_be_one() -> None:
    rule = a_rule()
    counted = at_rest(Sketch())
    told = record(rule, a_session(accumulators=[Decimal("3.5"), Decimal("3.5"), 2, counted]))
    assert told["estimated"] == ["unique_count_x"]
    assert "estimated" not in record(rule, a_session())


def test_a_condition_is_told_in_words() -> None:
    flush = a_document(FIGURES)["flush"]
    rule = a_rule(flush={**flush, "conditions": {"field": "count", "op": ">=", "value": 3}})
    assert record(rule, a_session(), "CONDITION")["explain"]["rule"] == "condition count >= 3"
    assert record(rule, a_session())["explain"]["rule"] == "duration 1h"


def test_an_id_is_of_aggregator_key_and_first_position_alone() -> None:
    rule, session = a_rule(), a_session()
    first = flush_id(rule, b'["a"]', session)
    grown = a_session(count=9, last=START_MS + 5_000)
    grown.sources[0][3:] = [99, 8]
    assert flush_id(rule, b'["a"]', grown) == first
    others = [a_session(sources=[source]) for source in
              (["usage", 1, 8, 9, 1], ["usage", 0, 7, 9, 2], ["other", 1, 7, 9, 2])]  # fmt: skip
    ids = {first, flush_id(rule, b'["b"]', session)}
    ids |= {flush_id(rule, b'["a"]', other) for other in others}
    assert len(ids) == 5


def test_periods_are_told_by_the_key() -> None:
    periods = [
        {"period": "day", "field": "at", "timezone": "Europe/Stockholm"},
        {"period": "hour", "field": "ended", "timezone_field": "zone"},
        {"period": "month", "field": "billed", "timezone": "UTC"},
    ]
    rule = a_rule(group={"fields": ["account"], "periods": periods})
    key = b'["a","2024-03-31","2024-03-31T10+02:00","Europe/Stockholm","2024-02"]'
    group, told = group_of(rule, key)
    assert group == {"account": "a"}
    assert told["at"] == {
        "period": "day", "label": "2024-03-31", "start": "2024-03-30T23:00:00.000Z",
        "end": "2024-03-31T22:00:00.000Z",
    }  # fmt: skip
    assert told["ended"] == {
        "period": "hour", "label": "2024-03-31T10+02:00", "start": "2024-03-31T08:00:00.000Z",
        "end": "2024-03-31T09:00:00.000Z",
    }  # fmt: skip
    assert told["billed"] == {
        "period": "month", "label": "2024-02", "start": "2024-02-01T00:00:00.000Z",
        "end": "2024-03-01T00:00:00.000Z",
    }  # fmt: skip
    assert list(told) == ["at", "ended", "billed"]


def test_numbers_beyond_64_bits_and_decimals_are_exact_at_any_depth() -> None:
    values = [Decimal("1.10"), 1 << 63, -(1 << 63) - 1, (1 << 63) - 1, -(1 << 63), True, "1"]
    printed = b'[1.1,9223372036854775808,-9223372036854775809,9223372036854775807,' \
        b'-9223372036854775808,true,"1"]'  # fmt: skip
    assert msgspec.json.encode(exact(values)) == to_json(values) == printed
    assert msgspec.json.encode(exact({"a": tuple(values)})) == b'{"a":' + printed + b"}"


def test_an_envelope_is_a_structured_cloudevent() -> None:
    plain, session = a_rule(), a_session()
    body = enveloped(plain, record(plain, session), b'["a"]')
    told = msgspec.json.decode(body)
    assert (told["id"], told["values"]["sum_x"]) == (flush_id(plain, b'["a"]', session), 3.5)
    rule = a_rule(output={"topic": "aggregates", "envelope": "cloudevents"})
    event = msgspec.json.decode(enveloped(rule, record(rule, session), b'["a"]'))
    assert event.pop("data")["sequence"] == 5
    assert event == {
        "specversion": "1.0",
        "id": flush_id(rule, b'["a"]', session),
        "source": "/sluice/aggregators/acc",
        "type": "sluice.aggregate.flushed",
        "subject": '["a"]',
        "time": ENDED,
        "datacontenttype": "application/json",
    }
