"""What is written when one event that was counted is taken back."""

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from hashlib import blake2b, sha256
from typing import Any

import pytest

from config.documents.aggregator import load_aggregator
from connectors.formats.json import JsonDecoder
from domain.aggregation.flush import flush_id
from domain.aggregation.retract import (
    at_rest,
    counted_in,
    event_key,
    flush_id_of,
    negative_of,
    obstacles,
    retract,
)
from domain.aggregation.rule import Rule, compile_rule
from domain.aggregation.session import History, Row, Session
from domain.aggregation.sources import apart, replayed
from domain.aggregation.totals import Totals
from domain.errors import Reject
from tests.domain.aggregation.folding import START_MS, a_document

AGGREGATE: list[dict[str, Any]] = [
    {"field": "x", "operation": "sum"},
    {"field": "x", "operation": "average"},
    {"field": "*", "operation": "count"},
]
KEY = b'["a"]'
SEEN_MS = START_MS + 7_000
SEEN = "2024-03-30T22:59:57.000Z"
TOLD = {"id": "c1", "event_id": "e", "actor": "ada", "reason": "charged twice"}


def a_rule(aggregate: list[dict[str, Any]] = AGGREGATE, version: int = 1, **changes: Any) -> Rule:
    document = a_document(aggregate, **{"event_id": "id", **changes})
    return compile_rule(load_aggregator(document), version)


def sight(rule: Rule) -> list[Any]:
    return ["usage", 1, 7, SEEN_MS, SEEN_MS + rule.dedup_ms]


def taken(
    row: Row, rule: Rule, accumulators: list[Any] | None = None, **changes: Any
) -> tuple[list[list[Any]], Totals]:
    """The outputs, their content read, and how totals change."""

    def rule_of(name: str, version: int) -> Rule:
        assert name == "acc"
        return replace(rule, version=version)

    totals = retract(
        rule,
        rule_of,
        KEY,
        row,
        b"e" * 16,
        sight(rule),
        accumulators or [-5, -5, -1],
        TOLD,
        **changes,
    )
    assert all(key == KEY for _, key, _ in row.outputs)
    return [
        [topic, json.loads(content, parse_float=Decimal)] for topic, _, content in row.outputs
    ], totals


def flushed_row(**changes: Any) -> Row:
    history = History(
        accepted=4, flushed=3, duplicates=1, accepted_sums={"x": 20}, flushed_sums={"x": 20}
    )
    fields = {"sequence": 2, "history": history, "touched": SEEN_MS + 1, **changes}
    return Row(**fields)


def test_of_a_flushed_session_it_is_one_flush_and_its_audit() -> None:
    rule, row = a_rule(version=3), flushed_row()
    ((topic, record), (audit, event)), totals = taken(row, rule)
    told_id = flush_id_of(rule, KEY, sight(rule))
    assert topic == "aggregates"
    assert record == {
        "id": told_id, "aggregator": "acc", "version": 3, "sequence": 3,
        "group": {"account": "a"}, "periods": {},
        "values": {"sum_x": -5, "average_x": None, "count": -1},
        "parts": {"average_x": {"sum": -5, "n": -1}},
        "meta": {
            "origin": "acc", "count": -1, "flushType": "COMMAND", "firstEvent": SEEN,
            "lastEvent": SEEN, "lastCall": False,
        },
        "explain": {
            "rule": "command c1", "due": None,
            "sources": [{"topic": "usage", "partition": 1, "first": 7, "last": 7, "count": 1}],
        },
        "retracts": {"event_id": "e", "topic": "usage", "partition": 1, "offset": 7},
    }  # fmt: skip
    assert audit == "aggregates.audit"
    assert event == {
        **TOLD, "event": "event_retracted", "subject": told_id, "aggregator": "acc",
        "flush_id": told_id, "group": {"account": "a"}, "counted_at": SEEN,
    }  # fmt: skip
    assert (row.sequence, row.open, row.touched) == (3, None, SEEN_MS + 1)
    assert row.seen == (["usage", 1, rule.dedup_ms, [b"e" * 16, 7, SEEN_MS], 1, 0],)
    assert row.history == History(
        accepted=3, flushed=2, duplicates=1, accepted_sums={"x": 15}, flushed_sums={"x": 15}
    )
    assert totals == Totals(
        count={**dict.fromkeys(totals.count, 0), "in": -1, "flushed": -1},
        sums={**{place: {} for place in totals.sums}, "in": {"x": -5}, "flushed": {"x": -5}},
        flushes={"COMMAND": 1},
    )
    assert totals.balanced()


def open_session(sources: list[list[Any]], version: int = 1) -> Session:
    due = START_MS + 3_600_000
    return Session(version, START_MS, START_MS, START_MS, due, version, 3, [12, 12, 3], sources)


def test_the_open_session_that_counted_it_is_flushed_first() -> None:
    rule = a_rule()
    row = Row(sequence=4, open=open_session([["usage", 1, 5, 9, 3]]), touched=START_MS)
    ((_, flush), (_, record), (_, event)), totals = taken(row, rule)
    assert (flush["sequence"], record["sequence"], row.sequence) == (5, 6, 6)
    assert flush["meta"]["flushType"] == "COMMAND"
    assert flush["explain"]["rule"] == "command c1"
    assert flush["values"] == {"sum_x": 12, "average_x": 4, "count": 3}
    assert "retracts" not in flush
    assert record["values"]["sum_x"] == -5
    assert event["flush_id"] == record["id"] != flush["id"]
    assert row.open is None
    assert row.touched == SEEN_MS
    assert row.applied == (["usage", 1, 9],)
    assert row.history == History(
        accepted=2, flushed=2, accepted_sums={"x": 7}, flushed_sums={"x": 7}
    )
    assert totals.count == {
        "in": -1, "open": -3, "flushed": 2, "duplicates": 0, "rejected": 0, "expired": 0,
        "deleted": 0,
    }  # fmt: skip
    assert totals.sums == {
        "in": {"x": -5}, "open": {"x": -12}, "flushed": {"x": 7}, "expired": {}, "deleted": {},
    }  # fmt: skip
    assert (totals.sessions, totals.flushes) == (-1, {"COMMAND": 2})
    assert totals.balanced()


@pytest.mark.parametrize(
    "source", [["usage", 1, 8, 9, 3], ["usage", 0, 5, 9, 3], ["other", 1, 5, 9, 3]]
)
def test_an_open_session_that_did_not_count_it_goes_on(source: list[Any]) -> None:
    row = flushed_row(open=open_session([source]))
    outputs, totals = taken(row, a_rule())
    assert [topic for topic, _ in outputs] == ["aggregates", "aggregates.audit"]
    assert row.open == open_session([source])
    assert totals.sessions == 0


def test_what_was_decided_and_seen_before_comes_first() -> None:
    rule = a_rule()
    run = ["usage", 1, rule.dedup_ms, [b"d" * 16, 3, SEEN_MS], 0, 0]
    row = flushed_row(outputs=(["before", KEY, b"{}"],), seen=(run,))
    outputs, _ = taken(row, rule)
    assert [topic for topic, _ in outputs] == ["before", "aggregates", "aggregates.audit"]
    assert row.seen == (run, ["usage", 1, rule.dedup_ms, [b"e" * 16, 7, SEEN_MS], 1, 0])


def test_numbers_that_are_text_at_rest_stay_exact() -> None:
    row = flushed_row()
    ((_, record), _), _ = taken(row, a_rule(), ["-0.1", "-0.1", -1])
    assert record["values"]["sum_x"] == Decimal("-0.1")
    assert row.history is not None
    assert row.history.flushed_sums == {"x": Decimal("19.9")}


def test_an_event_without_the_summed_field_leaves_the_sum() -> None:
    row = flushed_row()
    ((_, record), _), totals = taken(row, a_rule(), [None, None, None])
    assert record["values"] == {"sum_x": None, "average_x": None, "count": -1}
    assert totals.sums == {place: {} for place in totals.sums}
    assert row.history is not None
    assert row.history.flushed_sums == {"x": 20}


def test_it_is_told_and_sent_as_the_document_wants_it() -> None:
    envelope = {"topic": "bills", "envelope": "cloudevents"}
    row = flushed_row(open=open_session([["usage", 1, 5, 9, 3]]))
    outputs, _ = taken(row, a_rule(output=envelope), source_name=lambda topic: f"eu.{topic}")
    assert [topic for topic, _ in outputs] == ["bills", "bills", "aggregates.audit"]
    flush, record = outputs[0][1]["data"], outputs[1][1]["data"]
    assert flush["explain"]["sources"][0]["topic"] == "eu.usage"
    assert record["explain"]["sources"][0]["topic"] == "eu.usage"
    assert record["retracts"]["topic"] == "eu.usage"


def test_its_id_is_that_of_the_event_and_of_no_session() -> None:
    rule = a_rule()
    session = open_session([["usage", 1, 7, 20, 9]])
    expected = sha256(f"retraction {flush_id(rule, KEY, session)}".encode()).hexdigest()
    assert flush_id_of(rule, KEY, sight(rule)) == expected
    others = [["usage", 1, 8], ["usage", 2, 7], ["other", 1, 7]]
    found = {flush_id_of(rule, KEY, [*other, 0, 0]) for other in others}
    assert len({*found, expected, flush_id(rule, KEY, session)}) == 5


@pytest.mark.parametrize(
    ("position", "counted"),
    [
        (("usage", 1, 4), False),
        (("usage", 1, 5), True),
        (("usage", 1, 9), True),
        (("usage", 1, 10), False),
        (("usage", 2, 3), True),  # as it came, and replayed
        (("usage", 3, 1), True),
        (("usage", 3, 2), False),
        (("usage", 0, 5), False),
        (("other", 1, 5), False),
    ],
)
def test_a_session_may_have_counted_what_lies_within_its_sources(
    position: tuple[str, int, int], counted: bool
) -> None:
    session = open_session(
        [["usage", 1, 5, 9, 3], ["usage", replayed(2), 3, 3, 1], ["usage", apart(3), 1, 1, 1]]
    )
    assert counted_in(session, *position) is counted
    assert counted_in(None, *position) is False


@pytest.mark.parametrize(
    ("value", "turned"),
    [
        (None, None),
        (0, 0),
        (5, -5),
        (-5, 5),
        (Decimal("0.10"), Decimal("-0.10")),
        ((1 << 63) - 1, -(1 << 63) + 1),
        (1 << 63, -(1 << 63)),
        ((1 << 63) + 1, Decimal(-(1 << 63) - 1)),
        (-(1 << 63) + 1, (1 << 63) - 1),
        (-(1 << 63), Decimal(1 << 63)),
    ],
)
def test_a_number_is_turned_into_what_messagepack_can_hold(value: Any, turned: Any) -> None:
    found = at_rest(value)
    assert (found, found.__class__) == (turned, turned.__class__)


@pytest.mark.parametrize(("value", "text"), [("x", b'"x"'), (5, b"5"), ("/s\0i", b'"/s\\u0000i"')])
def test_an_event_is_known_by_its_id(value: object, text: bytes) -> None:
    assert event_key(value) == blake2b(text, digest_size=16).digest()


@pytest.mark.parametrize("operation", ["max", "min", "carry_first", "unique_count", "date_max"])
def test_what_nothing_negative_can_correct_is_named(operation: str) -> None:
    rule = a_rule([*AGGREGATE, {"field": "x", "operation": operation, "as": "kept"}])
    assert obstacles(rule) == ["kept"]


def test_sums_counts_and_averages_can_be_corrected() -> None:
    more = [{"field": "x", "operation": "stddev"}, {"field": "x", "operation": "count"}]
    assert obstacles(a_rule([*AGGREGATE, *more])) == []


def negative(rule: Rule, record: dict[str, Any], asked: list[Any] | None = None) -> Any:
    def view_of(paths: Mapping[str, Any]) -> Any:
        decoder = JsonDecoder(dict(paths))
        (asked if asked is not None else []).append(set(paths))
        return decoder.attributes, decoder.decode(json.dumps(record).encode())

    return negative_of(rule, view_of)


def test_one_record_gives_negative_accumulators() -> None:
    more = [{"field": "x", "operation": "stddev"}, {"field": "y", "operation": "count"}]
    rule = a_rule([*AGGREGATE, *more])
    assert negative(rule, {"account": "a", "x": 5, "y": 0}) == (
        KEY, [-5, -5, -1, -1, -5, -25, -1],
    )  # fmt: skip
    key, accumulators = negative(rule, {"account": "b"})
    assert key == b'["b"]'
    assert accumulators == [None] * 7


def test_nothing_is_asked_of_it_but_what_counts() -> None:
    asked: list[Any] = []
    rule = a_rule(
        keyed_by=["account"], filter={"field": "type", "op": "==", "value": "data"},
        flush={"by": "timeout", "timeout": {"timestamp_field": "ends"}},
    )  # fmt: skip
    assert negative(rule, {"account": "a", "type": "data", "x": 5}, asked) == (KEY, [-5, -5, -1])
    assert asked == [{"account", "type", "x"}]


def test_a_record_that_is_passed_over_or_refused_gives_nothing() -> None:
    rule = a_rule(filter={"field": "type", "op": "==", "value": "data"})
    assert negative(rule, {"account": "a", "type": "voice", "x": 5}) is None
    with pytest.raises(Reject) as refused:
        negative(rule, {"type": "data", "x": 5})
    assert refused.value.reason == "missing_group_field"
