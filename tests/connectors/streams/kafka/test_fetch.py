"""Records out of record batches: all that are a reader's, none that aren't."""

import gc
import weakref

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.streams.base import Item
from connectors.streams.kafka.fetch import CorruptBatch, Limits, cut, partition_records, unpacked
from tests.connectors.streams.kafka.record_batches import GZIP, batch, marker

WHOLE = Limits(1 << 30, 1 << 30)


def read(
    data: bytes, offset: int = 0, aborted: list[tuple[int, int]] | None = None
) -> tuple[list[Item], int]:
    """Everything in `data` from `offset` on, and where to read on."""
    part = partition_records("t", 3, offset, data, aborted)
    return unpacked(part, WHOLE), part.next_fetch_offset


def offsets(items: list[Item]) -> list[int]:
    return [item[0] for item in items]


def test_record_comes_whole() -> None:
    items, following = read(batch(7, [b"v"], headers=(("h", b"x"),), timestamp_ms=5))
    assert items == [(7, 5, b"k", b"v", (("h", b"x"),))]
    assert following == 8


def test_absent_key_value_and_headers_are_none_and_empty() -> None:
    items, _ = read(batch(0, [None], key=None))
    assert items == [(0, 1000, None, None, ())]


def test_header_without_value_is_empty() -> None:
    items, _ = read(batch(0, [b"v"], headers=(("h", None),)))  # type: ignore[arg-type]  # Kafka admits it
    assert items[0][4] == (("h", b""),)


def test_batches_follow_each_other() -> None:
    items, following = read(batch(0, [b"a", b"b"]) + batch(2, [b"c"]))
    assert [item[3] for item in items] == [b"a", b"b", b"c"]
    assert following == 3


def test_compressed_batch_is_read() -> None:
    items, _ = read(batch(0, [b"a" * 100, b"b"], codec=GZIP))
    assert [item[3] for item in items] == [b"a" * 100, b"b"]


def test_records_below_the_position_are_left_out() -> None:
    items, _ = read(batch(0, [b"a", b"b", b"c"]), offset=2)
    assert offsets(items) == [2]


def test_gap_of_compaction_is_skipped() -> None:
    items, following = read(batch(0, [b"a"], span=10) + batch(20, [b"b"]))
    assert offsets(items) == [0, 20]
    assert following == 21


def test_position_moves_past_records_compacted_away() -> None:
    items, following = read(batch(0, [b"a"], span=10))
    assert offsets(items) == [0]
    assert following == 10


def test_wrong_checksum_is_told_with_its_place() -> None:
    data = bytearray(batch(4, [b"value"]))
    data[-1] ^= 1
    with pytest.raises(CorruptBatch) as caught:
        read(bytes(data))
    assert (caught.value.topic, caught.value.partition, caught.value.offset) == ("t", 3, 4)


def test_incomplete_last_batch_is_left_for_the_next_fetch() -> None:
    items, following = read(batch(0, [b"a"]) + batch(1, [b"b"])[:-3])
    assert offsets(items) == [0]
    assert following == 1


def test_control_batch_holds_no_records() -> None:
    items, following = read(batch(0, [b"a"], producer=9) + marker(1, 9, aborted=False))
    assert offsets(items) == [0]
    assert following == 2


def test_aborted_transaction_holds_no_records() -> None:
    data = batch(0, [b"a"], producer=9) + marker(1, 9, aborted=True) + batch(2, [b"b"])
    items, following = read(data, aborted=[(9, 0)])
    assert offsets(items) == [2]
    assert following == 3


def test_transaction_after_an_aborted_one_of_the_same_producer_counts() -> None:
    data = batch(0, [b"a"], producer=9) + marker(1, 9, aborted=True) + batch(2, [b"b"], producer=9)
    items, _ = read(data, aborted=[(9, 0)])
    assert offsets(items) == [2]


def test_other_producers_records_inside_an_aborted_transaction_count() -> None:
    data = (
        batch(0, [b"a"], producer=9)
        + batch(1, [b"b"], producer=8)
        + batch(2, [b"c"])
        + marker(3, 9, aborted=True)
    )
    items, _ = read(data, aborted=[(9, 0)])
    assert offsets(items) == [1, 2]


def test_taking_stops_before_the_batch_that_would_exceed_the_limit() -> None:
    part = partition_records("t", 0, 0, b"".join(batch(o, [b"a", b"b"]) for o in (0, 2, 4)), None)
    assert offsets(unpacked(part, Limits(5, 1 << 20))) == [0, 1, 2, 3]
    assert part.next_fetch_offset == 4
    assert offsets(unpacked(part, Limits(5, 1 << 20))) == [4, 5]


def test_compressed_bytes_count_as_what_they_unpack_to() -> None:
    data = b"".join(batch(o, [b"a" * 1000], codec=GZIP) for o in range(3))
    part = partition_records("t", 0, 0, data, None)
    assert offsets(unpacked(part, Limits(1000, 1500))) == [0, 1]


def test_cut_makes_slices_of_the_limit_that_join() -> None:
    items, following = read(batch(0, [b"v"] * 5, span=9))
    slices = cut(items, following, 50, Limits(2, 1))
    assert [offsets(piece.items) for piece in slices] == [[0, 1], [2, 3], [4]]
    assert [piece.next_offset for piece in slices] == [2, 4, 9]
    assert {piece.end_offset for piece in slices} == {50}


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), min_size=1, max_size=6),
    st.integers(1, 8),
    st.integers(0, 20),
)
def test_any_limit_and_any_start_give_all_records_once(
    shapes: list[tuple[int, int]], limit: int, start: int
) -> None:
    data, base = b"", 0
    expected: list[int] = []
    for gap, count in shapes:
        base += gap
        data += batch(base, [b"v"] * count)
        expected += range(base, base + count)
        base += count
    part = partition_records("t", 0, start, data, None)
    found: list[int] = []
    while part._records.has_next():
        found += offsets(unpacked(part, Limits(limit, 1 << 20)))
    assert found == [offset for offset in expected if offset >= start]
    assert part.next_fetch_offset == max(base, start)


def test_what_was_read_is_let_go_of_at_once() -> None:
    part = partition_records("t", 3, 0, batch(0, [b"a", b"b"]) + batch(2, [b"c"]), None)
    gc.disable()
    try:
        unpacked(part, Limits(1, 1))
        whole = weakref.ref(part)
        del part
        assert whole() is None
    finally:
        gc.enable()
