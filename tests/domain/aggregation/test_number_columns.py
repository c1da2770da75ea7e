"""Numbers of many rows at once are exact, or told to be none of those."""

from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.aggregation.number_columns import (
    LIMIT,
    MOST_PLACES,
    Numbers,
    add,
    exact_sum,
    parse,
    printed,
    scaled,
    taken,
)
from domain.aggregation.numbers import number_from_text

FITTING = st.integers(-LIMIT + 1, LIMIT - 1)
PLACES = st.integers(0, MOST_PLACES)
EDGES = [
    sign * edge + step for sign in (1, -1) for edge in (LIMIT, 2**63, 0) for step in (-1, 0, 1)
]
INTS = st.integers() | FITTING | st.sampled_from(EDGES)
LONG = ["0.0000000010000000000", "123456789012345678901", "-12345678.123456789", "1.5", "2"]
VALUES = st.one_of(
    st.none(),
    INTS,
    st.decimals(allow_nan=False, allow_infinity=False),
    st.decimals(-100, 100, places=3),
    st.decimals(-100, 100, places=3).map(str),
    st.sampled_from(["1e5", "-0.5", "0.000000001", "0.0000000001", "12345678901234567.8"]),
)


def value_of(numbers: Numbers, at: int) -> Decimal:
    places = 0 if numbers.places is None else int(numbers.places[at])
    return Decimal(int(numbers.units[at])).scaleb(-places)


def fits(value: int | Decimal | str | None) -> bool:
    if value is None:
        return False
    if isinstance(value, int):
        return -LIMIT < value < LIMIT
    text = f"{value}"
    digits = text.lstrip("-").replace(".", "")
    return "E" not in text.upper() and len(digits.lstrip("0")) <= 17 and places(text) <= MOST_PLACES


def places(text: str) -> int:
    return len(text.partition(".")[2])


@given(
    st.lists(VALUES, min_size=1)
    | st.lists(INTS, min_size=1)
    | st.lists(st.sampled_from(LONG), min_size=1)
    | st.lists(INTS | st.none(), min_size=1)
)
def test_what_records_give_is_taken_exactly_or_not_at_all(values: list[Any]) -> None:
    numbers = taken(values)
    bad = np.zeros(len(values), bool) if numbers.bad is None else numbers.bad
    for at, value in enumerate(values):
        absent = numbers.absent is not None and bool(numbers.absent[at])
        assert absent == (value is None)
        if absent:
            assert not bad[at] and value_of(numbers, at) == 0
        elif not bad[at]:
            assert fits(value)
            exact = number_from_text(value) if isinstance(value, str) else value
            assert value_of(numbers, at) == exact
            whole = numbers.places is None or (numbers.whole is not None and numbers.whole[at])
            assert whole == isinstance(value, int)
        else:
            assert not isinstance(value, int) or not fits(value)


def test_whole_numbers_as_large_as_that_are_told() -> None:
    numbers = taken([LIMIT, LIMIT - 1, -LIMIT, -LIMIT + 1, 2**62])
    assert numbers.bad is not None
    assert numbers.bad.tolist() == [True, False, True, False, True]


def test_flags_are_flags() -> None:
    numbers = taken([1, None, Decimal(2)])
    assert numbers.whole is not None
    assert numbers.absent is not None
    assert numbers.whole.dtype == numbers.absent.dtype == np.dtype(bool)
    assert numbers.bad is None
    assert value_of(numbers, 0) == 1


@given(st.lists(st.decimals(-100, 100, places=3), min_size=1))
def test_usual_decimals_are_taken(values: list[Decimal]) -> None:
    assert taken(values).bad is None
    assert taken(list(map(str, values))).bad is None


@given(st.lists(st.tuples(FITTING, PLACES), min_size=1))
def test_what_is_printed_is_parsed_as_it_was(numbers: list[tuple[int, int]]) -> None:
    units, behind = (np.array(column, np.int64) for column in zip(*numbers, strict=True))
    again = parse(printed(units, behind))
    assert again.bad is None
    assert again.places is not None
    assert (again.units.tolist(), again.places.tolist()) == (units.tolist(), behind.tolist())


@given(st.lists(st.tuples(FITTING | st.just(0), PLACES), min_size=1))
def test_they_are_printed_as_decimals_are(numbers: list[tuple[int, int]]) -> None:
    units, behind = (np.array(column, np.int64) for column in zip(*numbers, strict=True))
    for (unit, place), chars in zip(numbers, printed(units, behind), strict=True):
        assert bytes(chars).decode().strip() == format(Decimal(unit).scaleb(-place), "f")


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), PLACES), min_size=1))
def test_sums_are_exact_beyond_64_bits(numbers: list[tuple[int, int]]) -> None:
    units, behind = (np.array(column, np.int64) for column in zip(*numbers, strict=True))
    assert exact_sum(units, None) == sum(unit for unit, _ in numbers)
    found = exact_sum(units, behind)
    ten = 10**MOST_PLACES
    assert found * ten == sum(unit * 10 ** (MOST_PLACES - place) for unit, place in numbers)


@given(st.lists(st.tuples(FITTING, PLACES), min_size=1))
def test_scaling_is_exact_or_told_to_be_too_much(numbers: list[tuple[int, int]]) -> None:
    units, by = (np.array(column, np.int64) for column in zip(*numbers, strict=True))
    more, large = scaled(units, by)
    for (unit, power), found, much in zip(numbers, more.tolist(), large.tolist(), strict=True):
        assert much or found == unit * 10**power
        assert not much or abs(unit) * 10**power >= LIMIT


@pytest.mark.parametrize(
    "text", ["١٢", "x", "1 2e", "1e3", ":", "1:5", "/", "1" * 18, "-" + "1" * 18, "0.1234567891"]
)
def test_no_other_text_is_taken(text: str) -> None:
    for values in ([text, "1.5"], [text, text]):
        numbers = taken(values)
        assert numbers.bad is not None
        assert numbers.bad.tolist() == [value == text or not text.isascii() for value in values]


@pytest.mark.parametrize("one", [(LIMIT - 1, 0), (-LIMIT + 1, 0), (LIMIT, 9), (-LIMIT, 9)])
def test_sums_that_leave_the_range_are_told(one: tuple[int, int]) -> None:
    for first, second in ((one, (1, 9)), ((1, 9), one)):
        held, rise = (Numbers(np.array([unit]), np.array([at])) for unit, at in (first, second))
        bad = np.zeros(1, bool)
        add(held, rise, bad)
        assert bad.all()


NUMBER = st.tuples(st.integers(-(2**63), 2**63 - 1) | st.integers(-(10**17), 10**17),
                   st.none() | st.integers(0, 9))  # fmt: skip


@given(NUMBER, NUMBER)
def test_what_is_added_is_exact_or_told_to_be_too_much(
    one: tuple[int, int | None], other: tuple[int, int | None]
) -> None:
    def column(number: tuple[int, int | None]) -> Numbers:
        unit, places = number
        return Numbers(np.array([unit]), None if places is None else np.array([places]))

    held, bad = column(one), np.zeros(1, bool)
    add(held, column(other), bad)
    wanted = sum(Decimal(unit).scaleb(-(places or 0)) for unit, places in (one, other))
    if not bad.any():
        places = 0 if held.places is None else int(held.places[0])
        assert Decimal(int(held.units[0])).scaleb(-places) == wanted
        assert (held.places is None) == (one[1] is None)
    elif one[1] == other[1] and max(map(abs, (one[0], other[0], one[0] + other[0]))) < 10**17:
        raise AssertionError("it is not too much")
