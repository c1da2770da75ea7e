"""Which sessions a command is for: a filter reads the keys that it can only mean, and no others."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.commands import read_command
from config.documents.aggregator import load_aggregator
from domain.aggregation.command import Selection
from domain.aggregation.keys import matches
from domain.aggregation.numbers import canonical_key
from domain.aggregation.rule import Rule, compile_rule
from domain.aggregation.session import Session

VALUES: list[Any] = ["a", "b", "1", 1, Decimal("1.5"), True, False, None, 'x"],["']
FIELDS = ("account", "product", "sum_bytes", "meta.count", "zone")


def rule(*fields: str) -> Rule:
    document = {
        "kind": "aggregator", "name": "acc", "input": "usage", "group": {"fields": list(fields)},
        "aggregate": [{"field": "bytes", "operation": "sum"}],
        "flush": {"by": "timeout", "timeout": {"duration": {"hours": 1}}},
    }  # fmt: skip
    return compile_rule(load_aggregator(document), 1)


RULES = [rule("account", "product"), rule("account", "kind"), rule("zone")]


def compare(field: str, op: str, values: list[Any]) -> dict[str, Any]:
    values = [1, 2] if field in ("sum_bytes", "meta.count") else values
    return {"field": field, "op": op, "value": values if op.endswith("in") else values[0]}


compares = st.builds(
    compare,
    st.sampled_from(FIELDS),
    st.sampled_from(["==", "!=", "in", "not_in"]),
    st.lists(st.sampled_from([each for each in VALUES if each is not None]), min_size=1),
)
conditions = st.recursive(
    compares,
    lambda inner: st.one_of(
        st.builds(lambda items: {"all": items}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda items: {"any": items}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda item: {"not": item}, inner),
    ),
    max_leaves=4,
)


def selection(condition: dict[str, Any]) -> Selection:
    message = {"id": "1", "action": "flush", "aggregator": "acc", "actor": "a", "reason": "r",
               "filter": condition}  # fmt: skip
    return Selection(RULES, read_command(message, RULES, dry=True))


def in_ranges(found: Selection, row_key: bytes, key: bytes) -> bool:
    return any(
        first <= row_key < end and matches(key, tests) for (first, end), tests in found.ranges
    )


@given(condition=conditions, count=st.sampled_from([1, 2]))
def test_no_session_that_a_filter_takes_is_outside_of_what_is_looked_at(
    condition: dict[str, Any], count: int
) -> None:
    found = selection(condition)
    for one in RULES:
        session = Session(1, 0, 0, 0, 0, 1, count, [1] * 9, [["t", 0, 0, 0, 1]])
        places = len(one.document.group.fields)
        for first in VALUES:
            for second in VALUES if places == 2 else VALUES[:1]:
                key = canonical_key((first, second)[:places])
                if found.takes(one, key, session):
                    assert in_ranges(found, one.prefix + key, key)


@pytest.mark.parametrize(
    ("condition", "ranges"),
    [
        ({"field": "account", "op": "==", "value": "a"}, 2),
        ({"all": [{"field": "account", "op": "in", "value": ["a", 1]},
                  {"field": "meta.count", "op": ">=", "value": 0}]}, 4),
        ({"field": "product", "op": "==", "value": "a"}, 1),
        ({"not": {"field": "account", "op": "==", "value": "a"}}, 3),
        ({"field": "account", "op": "in", "value": [str(n) for n in range(101)]}, 3),
    ],
)  # fmt: skip
def test_a_filter_by_leading_fields_reads_their_keys(
    condition: dict[str, Any], ranges: int
) -> None:
    found = selection(condition)
    assert len(found.ranges) == ranges
    assert found.exact is None
    key = canonical_key(("other", "a"))
    leading = "account" in str(condition) and ranges in (2, 4)
    assert in_ranges(found, RULES[0].prefix + key, key) is not leading
