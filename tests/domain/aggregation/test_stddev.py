"""`stddev` is the nearest number to the exact one, however the records came."""

import decimal
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.aggregation.deviation import deviation
from domain.errors import Reject
from tests.domain.aggregation.folding import Folding, cut, histories

numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.decimals(-(10**6), 10**6, allow_nan=False, allow_infinity=False, places=4),
    st.sampled_from(["1e30", "-2.5E-9", "0.1", "-0", "12345678901234567890.5"]).map(Decimal),
)
sizes = st.lists(st.integers(1, 5), max_size=6)


def fold(values: list[Decimal | int], batches: list[int], scale: int) -> Folding:
    records = [b'{"account":"a","x":%s}' % str(value).encode() for value in values]
    operation = {"field": "x", "operation": "stddev", "scale": scale}
    return Folding([operation]).fold_in(cut(records, batches))


def oracle(values: list[Decimal | int], scale: int) -> Decimal:
    """By its definition: the root of the mean squared distance from the mean."""
    with decimal.localcontext() as context:
        context.prec = 400
        exact = [Decimal(value) for value in values]
        mean = sum(exact, Decimal()) / len(exact)
        variance = sum(((value - mean) ** 2 for value in exact), Decimal()) / len(exact)
        return variance.sqrt().quantize(Decimal(1).scaleb(-scale), decimal.ROUND_HALF_EVEN)


@histories
@given(st.lists(numbers, min_size=1, max_size=12), sizes, st.integers(0, 20))
def test_it_is_that_of_the_definition_in_any_batches(
    values: list[Decimal | int], batches: list[int], scale: int
) -> None:
    flush = fold(values, batches, scale).close()
    assert flush["values"]["stddev_x"] == oracle(values, scale)


@histories
@given(st.lists(numbers, min_size=1, max_size=6), st.lists(numbers, min_size=1, max_size=6))
def test_parts_of_two_flushes_add_up_to_those_of_one(
    left: list[Decimal | int], right: list[Decimal | int]
) -> None:
    first, second, both = (
        fold(values, [], 6).close()["parts"]["stddev_x"]
        for values in (left, right, [*left, *right])
    )
    with decimal.localcontext() as context:
        context.prec = 400
        together = {name: Decimal(first[name]) + Decimal(second[name]) for name in first}
    assert together == both
    combined = deviation(both["n"], both["sum"], both["squares"], 6)
    assert combined == oracle([*left, *right], 6)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([0, 1], 0), ([0, 3], 2), ([0, 5], 2), ([0, 7], 4), ([7], 0), ([2, 4, 4, 4, 5, 5, 7, 9], 2)],
)
def test_what_lies_in_the_middle_goes_to_the_even_neighbour(
    values: list[Decimal | int], expected: int
) -> None:
    assert fold(values, [], 0).close()["values"]["stddev_x"] == expected


def test_without_numbers_there_is_none() -> None:
    folding = Folding([{"field": "x", "operation": "stddev"}])
    folding.fold([{"account": "a"}, {"account": "a", "x": None}])
    flush = folding.close()
    assert flush["values"] == {"stddev_x": None}
    assert flush["parts"] == {"stddev_x": {"n": 0, "sum": None, "squares": None}}


def test_the_largest_numbers_that_are_admitted_lose_nothing() -> None:
    large = "9" * 1000 + "e1000"
    small = "0." + "0" * 990 + "1e-1000"
    folding = Folding([{"field": "x", "operation": "stddev", "scale": 0}])
    folding.fold([b'{"account":"a","x":%s}' % text.encode() for text in (large, small, large)])
    flush = folding.close()
    with decimal.localcontext() as context:
        context.prec, context.Emin, context.Emax = 12_000, -50_000, 50_000
        context.traps[decimal.Inexact] = True
        total = Decimal(large) * 2 + Decimal(small)
        squares = Decimal(large) ** 2 * 2 + Decimal(small) ** 2
    assert flush["parts"]["stddev_x"]["sum"] == total
    assert flush["parts"]["stddev_x"]["squares"] == squares


def test_text_that_is_no_number_is_refused_as_for_a_sum() -> None:
    folding = Folding([{"field": "x", "operation": "stddev"}])
    with pytest.raises(Reject) as refused:
        folding.fold([{"account": "a", "x": "many"}])
    assert refused.value.reason == "not_a_number"
