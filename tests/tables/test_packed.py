"""Rows in which every number has its place."""

from decimal import Decimal
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.aggregation.session import History, Row, Session
from tables.codec import decode_row, encode_row
from tables.packed import Shapes, decimals

INTS = st.integers(-(2**63), 2**63 - 1)
DECIMALS = st.decimals(-(10**8) + 1, 10**8 - 1, places=4) | st.decimals(-9, 9, places=9)
INSTANTS = st.integers(-(2**40), 2**62)
SHORT = st.integers(0, 2**16 - 1)
COUNTS = st.integers(0, 2**32 - 1)
OFFSETS = st.integers(0, 2**62)
SUMS = st.dictionaries(st.sampled_from(["bytes", "price"]), INTS | DECIMALS)
SESSIONS = st.builds(
    Session, SHORT, INSTANTS, INSTANTS, INSTANTS, INSTANTS, SHORT, COUNTS,
    st.lists(INTS | DECIMALS | st.none(), max_size=4),
    st.tuples(st.just("usage"), SHORT, OFFSETS, OFFSETS, COUNTS).map(lambda of: [list(of)]),
)  # fmt: skip
HISTORIES = st.none() | st.builds(
    History, *[COUNTS] * 6, accepted_sums=SUMS, flushed_sums=SUMS, expired_sums=SUMS
)
APPLIED = st.lists(
    st.tuples(st.sampled_from(["usage", "other"]), SHORT, OFFSETS).map(list), max_size=2
)
OPEN = st.builds(
    Row, SHORT, SESSIONS, APPLIED.map(tuple), INSTANTS, history=HISTORIES, wake=INSTANTS
)
CLOSED = st.builds(
    Row, SHORT, st.none(), APPLIED.map(tuple), INSTANTS,
    history=HISTORIES.filter(lambda history: history is not None), wake=INSTANTS,
)  # fmt: skip
ROWS = OPEN | CLOSED


@given(ROWS)
def test_a_packed_row_is_read_as_any_other(row: Row) -> None:
    data = Shapes().pack(row)
    assert data is not None
    assert decode_row(data) == decode_row(encode_row(row))


@given(st.lists(ROWS, min_size=1, max_size=5))
def test_rows_of_a_shape_and_no_others_are_known_by_their_bytes(rows: list[Row]) -> None:
    shapes = Shapes()
    packed = [shapes.pack(row) or b"" for row in rows]
    plain = [encode_row(row) for row in rows]
    for length, of_length in shapes.by_length.items():
        there = [data for data in (*packed, *plain) if len(data) == length]
        for shape in of_length:
            held, numbers, alike = shape.rows(there)
            assert shape.cut(held) == there
            counts = numbers["accepted" if shape.topic is None else "count"]
            for data, count, same in zip(there, counts, alike, strict=True):
                again = Shapes()
                mine = data == again.pack(decode_row(data)) and shape.layout in again.layouts
                assert same == mine
                assert not same or count == number(decode_row(data))


def number(row: Row) -> int:
    """A number that rows of a shape tell: of the open session's records, or of all."""
    if row.open is not None:
        return row.open.count
    assert row.history is not None
    return row.history.accepted


def vanish(row: Row) -> None:
    """Leaves nothing to tell of."""
    row.open = row.history = None


@settings(max_examples=30)
@given(OPEN, st.data())
def test_what_has_no_place_has_no_shape(row: Row, data: Any) -> None:
    session = row.open
    assert session is not None
    change = data.draw(
        st.sampled_from(
            [
                lambda: session.accumulators.append(2**63),
                lambda: session.accumulators.append(Decimal("1E+2")),
                lambda: session.accumulators.append(Decimal("1E-10")),
                lambda: session.accumulators.append(Decimal("123456789012345678")),
                lambda: session.sources.append(["usage", 1, 0, 0, 1]),
                lambda: vanish(row),
                lambda: setattr(row, "sequence", 2**16),
                lambda: setattr(row, "outputs", (["t", b"k", b"v"],)),
                lambda: setattr(row, "seen", (["usage"],)),
                lambda: setattr(session, "count", 2**32),
                lambda: setattr(session, "due_version", -1),
                lambda: setattr(session, "dropped", {"sum:bytes": [1]}),
                lambda: setattr(row, "history", History(withdrawn=[["usage", 0, 1, 2, 3]])),
            ]
        )
    )
    change()
    assert Shapes().pack(row) is None


@given(st.lists(st.tuples(st.integers(-(10**17) + 1, 10**17 - 1), st.integers(0, 9)), min_size=1))
def test_decimals_stand_in_rows_as_they_are(numbers: list[tuple[int, int]]) -> None:
    units, places = (np.array(column, np.int64) for column in zip(*numbers, strict=True))
    texts = decimals(units, places)
    assert [Decimal(text.decode()) for text in texts] == [
        Decimal(unit).scaleb(-place) for unit, place in numbers
    ]
    assert {len(text) for text in texts} == {20}
