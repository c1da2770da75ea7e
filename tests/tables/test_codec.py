"""Rows as bytes."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.aggregation.session import History, Row, Session
from tables.codec import decode_row, decode_rows, encode_row, encode_twice, resting

NUMBERS = st.none() | st.integers(-(2**80), 2**80) | st.decimals(allow_nan=False, places=3)
SESSIONS = st.builds(
    Session,
    *[st.integers(0, 2**40)] * 7,
    st.lists(NUMBERS, max_size=4),
    st.just([["usage", 1, 2, 3, 4]]),
    st.none() | st.dictionaries(st.just("sum:bytes"), st.lists(NUMBERS, max_size=2)),
)
HISTORIES = st.builds(History, accepted_sums=st.dictionaries(st.just("bytes"), st.integers(0, 9)))
ROWS = st.builds(Row, st.integers(0, 9), st.none() | SESSIONS, history=st.none() | HISTORIES)


def exact(row: Row) -> object:
    """The row, numbers of one value alike whatever their class (MessagePack ends at 64 bits)."""
    session = row.open
    held = [] if session is None else session.accumulators
    return encode_row(row), [None if value is None else Decimal(value) for value in held]


@given(st.lists(st.none() | ROWS, max_size=6))
def test_many_rows_are_decoded_as_each_of_them_is(rows: list[Row | None]) -> None:
    found = [None if row is None else encode_row(row) for row in rows]
    many = decode_rows(found)
    assert list(map(exact, many)) == [
        exact(Row() if data is None else decode_row(data)) for data in found
    ]
    assert [encode_row(row) for row in many] == [data or encode_row(Row()) for data in found]


@given(ROWS, st.lists(st.just(["usage", 1, 5, [b"p", 2, 3], 0, 1]), max_size=2), st.booleans())
def test_a_row_is_encoded_with_what_travels_in_it_and_without(
    row: Row, seen: list[list[Any]], flushed: bool
) -> None:
    row.seen = tuple(seen)
    row.outputs = ([7, "aggregates", b"k", b"v"],) * flushed
    whole = encode_row(row)
    as_logged, at_rest = encode_twice(row)
    assert (row.seen, row.outputs) == ((), ())
    assert (as_logged, at_rest) == (whole, encode_row(row))
    assert resting(whole, decode_row(whole)) == at_rest
