"""Open sessions listed at once are those listed one at a time."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.facade.session_records import SessionRecords
from app.facade.shown import open_session
from config.documents.aggregator import load_aggregator
from domain.aggregation.numbers import canonical_key
from domain.aggregation.rule import Rule, compile_rule
from domain.aggregation.session import NEVER, Row, Session

PERIODS = [{"field": "day", "period": "day", "timezone": "UTC"}]


def rule(version: int, **group: Any) -> Rule:
    document = {
        "kind": "aggregator", "name": "acc", "input": "usage",
        "group": {"fields": ["account"], **group},
        "aggregate": [{"field": "bytes", "operation": "sum"},
                      {"field": "bytes", "operation": "average", "scale": 2},
                      {"field": "*", "operation": "count"}],
        "flush": {"by": "timeout", "timeout": {"duration": {"seconds": 40 + version}}},
    }  # fmt: skip
    return compile_rule(load_aggregator(document), version)


RULES = {1: rule(1), 2: rule(2), 3: rule(3, periods=PERIODS)}
NUMBERS = st.sampled_from([7, Decimal("2.50"), None])
INSTANTS = st.sampled_from([0, 1_700_000_000_123, -(10**14)])
SOURCES = st.sampled_from([["usage", 1, 5, 9, 2], ["other", 0, 5, 9, 2], ["usage", -1, 5, 9, 2]])


@st.composite
def rows(draw: st.DrawFn) -> tuple[bytes, Row]:
    version = draw(st.integers(1, 3))
    number = draw(NUMBERS)
    session = Session(
        version, 0, draw(INSTANTS), draw(INSTANTS), draw(INSTANTS | st.just(NEVER)),
        draw(st.sampled_from([version, version, -version])), draw(st.integers(1, 5)),
        [number, number, None if number is None else 2],
        [list(one) for one in draw(st.lists(SOURCES, min_size=1, max_size=2))],
    )  # fmt: skip
    group: tuple[Any, ...] = (f"a{draw(st.integers(0, 99))}",)
    key = canonical_key(group if version < 3 else (*group, "2026-01-01"))
    opened = session if draw(st.integers(0, 9)) else None
    return RULES[version].prefix + key, Row(draw(st.integers(0, 3)), opened)


@given(st.lists(rows(), max_size=60))
def test_listed_at_once_as_one_at_a_time(found: list[tuple[bytes, Row]]) -> None:
    def rule_of(_: str, version: int) -> Rule:
        return RULES[version]

    def alone(key: bytes, row: Row) -> bytes | None:
        try:
            return open_session(key, row, rule_of)
        except OverflowError:
            return b"too early"

    expected = [alone(*one) for one in found]
    good = [(one, text) for one, text in zip(found, expected, strict=True) if text != b"too early"]
    assert SessionRecords(rule_of).of([one for one, _ in good]) == [text for _, text in good]
