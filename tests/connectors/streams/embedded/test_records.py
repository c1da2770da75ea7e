"""Records packed by column come back as they were."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.streams.base import Headers, Row
from connectors.streams.embedded.records import (
    BLOB_BYTES,
    RECORD_BYTES,
    Columns,
    columns_of,
    columns_of_items,
    cuts,
    joined,
    pack,
    unpack,
)

_bytes = st.none() | st.binary(max_size=20)
_headers: st.SearchStrategy[Headers] = st.lists(
    st.tuples(st.text(max_size=5), st.binary(max_size=5)), max_size=2
).map(tuple)
_rows = st.lists(
    st.tuples(_bytes, _bytes, st.none() | st.integers(-(2**40), 2**50), _headers), min_size=1
)
_sizes = st.lists(st.integers(0, 3 * BLOB_BYTES // 2) | st.integers(0, 50), min_size=1)


def _columns(rows: list[Row]) -> Columns:
    return columns_of("t", rows, 7, 1 << 20, keyed=False)


@given(rows=_rows, base=st.integers(0, 2**50))
def test_packed_rows_are_unpacked_as_items(rows: list[Row], base: int) -> None:
    offsets = range(base, base + len(rows))
    items = unpack(pack(offsets, _columns(rows)))
    assert items == [
        (offset, 7 if stamp is None else stamp, key, value, headers)
        for offset, (key, value, stamp, headers) in zip(offsets, rows, strict=True)
    ]


@given(rows=_rows, data=st.data())
def test_gaps_between_offsets_are_kept(rows: list[Row], data: st.DataObject) -> None:
    unique = st.lists(
        st.integers(0, 2**40), unique=True, min_size=len(rows), max_size=len(rows)
    ).map(sorted)
    offsets = data.draw(unique)
    start = data.draw(st.integers(0, 2**40))
    items = unpack(pack(offsets, _columns(rows)))
    assert [item[0] for item in items] == offsets
    assert unpack(pack(offsets, _columns(rows)), start) == [i for i in items if i[0] >= start]
    assert unpack(pack(*columns_of_items(items))) == items


@given(parts=st.lists(_rows, min_size=1, max_size=4))
def test_joined_appends_are_one_after_the_other(parts: list[list[Row]]) -> None:
    together = joined([_columns(rows) for rows in parts])
    assert together == _columns([row for rows in parts for row in rows]) or all(
        list(mine) == list(theirs)
        for mine, theirs in zip(
            together, _columns([row for rows in parts for row in rows]), strict=True
        )
    )


@given(sizes=_sizes)
def test_cuts_make_blobs_of_limited_size(sizes: list[int]) -> None:
    pieces = list(cuts(sizes))
    assert [n for start, stop in pieces for n in range(start, stop)] == list(range(len(sizes)))
    for start, stop in pieces:
        weight = sum(sizes[start:stop]) + RECORD_BYTES * (stop - start)
        assert stop > start
        assert weight <= BLOB_BYTES or stop == start + 1


def test_empty_records_are_cut_too() -> None:
    pieces = list(cuts([0] * 100_000))
    assert max(stop - start for start, stop in pieces) == BLOB_BYTES // RECORD_BYTES


def test_size_counts_key_value_and_headers() -> None:
    rows: list[Row] = [(b"kk", b"vvv", None, (("hä", b"1"),)), (None, None, None, ())]
    assert list(_columns(rows).sizes) == [2 + 3 + 3 + 1, 0]


@pytest.mark.parametrize(
    "row",
    [
        (b"k", "text", None, ()),
        ("text", b"v", None, ()),
        (b"k", bytearray(b"v"), None, ()),
        (b"k", b"v", 1.5, ()),
        (b"k", b"v", True, ()),
        (b"k", b"v", None, ((b"name", b"v"),)),
        (b"k", b"v", None, (("name", "text"),)),
    ],
)
def test_what_could_not_be_read_back_is_refused(row: Row) -> None:
    with pytest.raises(TypeError, match="a record holds bytes or None"):
        _columns([(b"k", b"v", None, ()), row])
