"""Many flushed records written at once are, byte for byte, those written one at a time."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.documents.aggregator import load_aggregator
from domain.aggregation import flush_columns
from domain.aggregation.columns import plan_of
from domain.aggregation.flush import enveloped, flushed_record
from domain.aggregation.flush_columns import (
    FlushText,
    Texts,
    ended_of,
    print_instants,
    text_of,
)
from domain.aggregation.instants import PRINTED, print_instant
from domain.aggregation.numbers import canonical_key
from domain.aggregation.rule import Rule, compile_rule
from domain.aggregation.session import Session

INSTANTS = st.integers(PRINTED.start, PRINTED.stop - 1)
COUNTS = st.integers(0, 2**32 - 1)
DECIMALS = st.decimals(-(10**8), 10**8, places=4) | st.sampled_from(
    [Decimal("-0.00"), Decimal("100"), Decimal("0.000000001")]
)
GROUPS = st.text(max_size=5) | st.integers(-5, 5) | st.booleans() | st.none() | DECIMALS
NAMES = ("account", "10% off", 'a "b"', "8", "16", "ä.b")
OPERATIONS: list[dict[str, Any]] = [
    {"field": "bytes", "operation": "sum"},
    {"field": "price", "operation": "sum", "as": "p_8"},
    {"field": "bytes", "operation": "max"},
    {"field": "price", "operation": "min"},
    {"field": "price", "operation": "average", "scale": 4},
    {"field": "bytes", "operation": "average", "scale": 0},
    {"field": "cell", "operation": "count"},
    {"field": "*", "operation": "count"},
]


def rule_of(fields: list[str], operations: list[dict[str, Any]], **more: Any) -> Rule:
    document = {
        "kind": "aggregator",
        "name": "acc",
        "input": "usage",
        "group": {"fields": fields},
        "aggregate": operations,
        "flush": {"by": "timeout", "timeout": {"duration": {"seconds": 40}}},
    }
    return compile_rule(load_aggregator(document | more), 7)


def text(rule: Rule, topic: str, kinds: str) -> FlushText | None:
    return text_of(rule, rule, topic, kinds, "TIMEOUT", source_name=str.upper)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.sampled_from(NAMES), max_size=3, unique=True),
    st.lists(st.sampled_from(OPERATIONS), min_size=1, unique_by=str),
    st.sampled_from(["usage", "7", "70000001234567"]),
    st.data(),
)
def test_written_at_once_as_one_at_a_time(
    fields: list[str], operations: list[dict[str, Any]], topic: str, data: st.DataObject
) -> None:
    rule = rule_of(fields or ["account"], operations)
    plan = plan_of(rule)
    assert plan is not None
    letters = [data.draw(st.sampled_from("idn")) for _ in range(rule.width)]
    for at in plan.counters:
        letters[at] = "n" if letters[at] == "n" else "i"
    for at in plan.averages:
        letters[at + 1] = "n" if letters[at] == "n" else "i"
    numbers = {"i": st.integers(-(2**63), 2**63 - 1), "d": DECIMALS, "n": st.none()}
    held = st.tuples(*(numbers[letter] for letter in letters)).map(list)
    session = st.builds(
        Session, st.just(7), INSTANTS, INSTANTS, INSTANTS, INSTANTS, st.just(7), COUNTS, held,
        st.tuples(st.just(topic), st.integers(0, 2**16 - 1), COUNTS, COUNTS, COUNTS).map(
            lambda source: [list(source)]
        ),
    )  # fmt: skip
    group = st.tuples(*[GROUPS] * len(rule.document.group.fields))
    some = data.draw(st.lists(st.tuples(group, session, st.integers(1, 9)), min_size=1, max_size=4))
    sessions = [one for _, one, _ in some]
    for one in sessions:
        for at in plan.averages:
            if one.accumulators[at + 1] is not None:
                one.accumulators[at + 1] = abs(one.accumulators[at + 1]) % 1000
    keys = [canonical_key(values) for values, _, _ in some]
    sequences = [sequence for _, _, sequence in some]
    expected = [
        enveloped(rule, flushed_record(
            rule, rule, key, one, sequence=sequence, flush_type="TIMEOUT", source_name=str.upper
        ), key)
        for key, one, sequence in zip(keys, sessions, sequences, strict=True)
    ]  # fmt: skip
    found = text(rule, topic, "".join(letters))
    assert found is not None
    at_rest = [
        [
            str(value).encode() if value.__class__ is Decimal and "E" not in str(value) else value
            for value in column
        ]
        for column in zip(*(one.accumulators for one in sessions), strict=True)
    ]
    plain = ended_of(keys, sessions, sequences)
    columns = [
        None if letter == "n" else column for letter, column in zip(letters, at_rest, strict=True)
    ]
    assert found.write(plain) == expected
    assert found.write(replace(plain, accumulators=columns)) == expected
    alone = zip(keys, sessions, sequences, strict=True)
    assert [found.one(*session) for session in alone] == expected


@given(st.lists(INSTANTS, min_size=1))
def test_instants_are_printed_as_one_at_a_time(at_ms: list[int]) -> None:
    assert print_instants(np.array(at_ms)) == list(map(print_instant, at_ms))


@pytest.mark.parametrize(
    "more",
    [
        {"output": {"envelope": "cloudevents"}},
        {"group": {"fields": ["account"],
                   "periods": [{"field": "day", "period": "day", "timezone": "UTC"}]}},
    ],
)  # fmt: skip
def test_some_records_are_written_alone(more: dict[str, Any]) -> None:
    rule = rule_of(["account"], OPERATIONS[:1], **more)
    assert text(rule, "usage", "i") is None


def test_a_text_is_made_for_kinds_that_come_often_and_not_ever_more_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(flush_columns, "MOST_KINDS", 3)
    rule = rule_of(["account"], [{"field": "bytes", "operation": "sum"}])
    texts = Texts(lambda _name, _version: rule)

    def session(topic: str) -> Session:
        return Session(7, 0, 0, 0, 0, 7, 1, [5], [[topic, 0, 1, 1, 1]])

    found = [texts.of("acc", session("usage"), "TIMEOUT") for _ in range(flush_columns.OFTEN + 2)]
    assert [text is not None for text in found] == [False] * flush_columns.OFTEN + [True] * 2
    for n in range(20):
        assert texts.get(("acc", 7, 7, f"t{n}", "i", "TIMEOUT")) is not None
        assert texts.of("acc", session(f"other{n}"), "TIMEOUT") is None
    assert len(texts._known) <= 3 and len(texts._met) <= 3
    assert texts.of("acc", Session(7, 0, 0, 0, 0, 7, 1, [b"x"], [["t", 0, 1, 1, 1]]), "") is None


def test_one_session_is_written_with_the_version_that_made_it_due() -> None:
    operations = [{"field": "bytes", "operation": "sum"}]
    timeout = {"by": "timeout", "timeout": {"duration": {"days": 3}}}
    rules = {
        7: rule_of(["account"], operations),
        6: rule_of(["account"], operations, flush=timeout),
    }
    texts = Texts(lambda _name, version: rules[version])
    session = Session(7, 0, 1, 2, 3, 6, 1, [5], [["usage", 0, 1, 1, 1]])
    found = [texts.of("acc", session, "TIMEOUT") for _ in range(flush_columns.OFTEN + 1)][-1]
    assert found is not None
    expected = flushed_record(
        rules[7], rules[6], b'["a"]', session, sequence=1, flush_type="TIMEOUT"
    )
    assert found.one(b'["a"]', session, 1) == enveloped(rules[7], expected, b'["a"]')
    assert b"duration 3d" in found.one(b'["a"]', session, 1)
    for changed in ({"due_version": -6}, {"sources": session.sources * 2}, {"first": -(10**15)}):
        other = msgspec.structs.replace(session, **changed)
        assert texts.of("acc", other, "TIMEOUT") is None
