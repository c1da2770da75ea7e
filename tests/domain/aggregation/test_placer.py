"""Where a record of `keyed_by` lies."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from config.documents.aggregator import load_aggregator
from domain.aggregation.extract import placer
from domain.aggregation.numbers import canonical_key

VALUES = st.text(max_size=12) | st.integers() | st.booleans() | st.just(Decimal("1.5"))


def document(fields: list[str], keyed_by: list[str]) -> dict[str, object]:
    return {
        "kind": "aggregator",
        "name": "a",
        "input": "usage",
        "keyed_by": keyed_by,
        "group": {"fields": fields},
        "aggregate": [{"field": "*", "operation": "count"}],
        "flush": {"by": "timeout", "timeout": {"duration": {"days": 1}}},
    }


@given(VALUES, VALUES)
def test_one_value_is_placed_by_its_text_whatever_stands_beside_it(a: object, b: object) -> None:
    alone = placer(load_aggregator(document(["x"], ["x"])))
    beside = placer(load_aggregator(document(["x", "y"], ["x"])))
    assert alone(canonical_key((a,))) == beside(canonical_key((a, b)))
    if isinstance(a, str):
        assert alone(canonical_key((a,))) == a.encode()
