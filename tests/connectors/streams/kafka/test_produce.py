"""Rows into record batches, before anything is sent."""

import pytest
from aiokafka.record.memory_records import MemoryRecords

from connectors.streams.base import Item, MissingKey, RecordTooLarge, Row
from connectors.streams.kafka.fetch import Limits, partition_records, unpacked
from connectors.streams.kafka.produce import BATCH_BYTES, batches
from connectors.streams.kafka.topics import Admission

ROOMY = Admission(partitions=1, max_bytes=1 << 20, keyed=False)


def built(rows: list[Row], admission: Admission = ROOMY, now_ms: int = 77) -> list[list[Item]]:
    """The records of each batch as a reader would see them; offsets count from 0 in each."""
    made = batches("t", rows, now_ms, admission)
    found = []
    for each in made:
        data = bytes(each._build())
        assert MemoryRecords(data).has_next()
        found.append(unpacked(partition_records("t", 0, 0, data, None), Limits(1 << 30, 1 << 30)))
        assert len(found[-1]) == each.record_count()
    return found


def test_row_becomes_a_record() -> None:
    assert built([(b"k", b"v", 5, (("h", b"x"),))]) == [[(0, 5, b"k", b"v", (("h", b"x"),))]]


def test_row_without_a_time_gets_the_clocks() -> None:
    ((record,),) = built([(None, None, None, ())], now_ms=77)
    assert record == (0, 77, None, None, ())


def test_rows_above_a_batch_fill_several_in_order() -> None:
    rows: list[Row] = [(b"k", b"%d" % n + b"x" * 300_000, None, ()) for n in range(7)]
    found = built(rows)
    assert [len(records) for records in found] == [3, 3, 1]
    assert [record[3] for records in found for record in records] == [row[1] for row in rows]


def test_topic_with_a_lower_limit_gets_smaller_batches() -> None:
    rows: list[Row] = [(b"k", b"x" * 300, None, ()) for _ in range(6)]
    sizes = [each.size() for each in batches("t", rows, 0, Admission(1, 1000, False))]
    assert len(sizes) == 2
    assert max(sizes) <= 1000


def test_record_above_the_limit_is_refused_wherever_it_stands() -> None:
    rows: list[Row] = [
        (b"k", b"x", None, ()),
        (b"k", b"x" * 2000, None, ()),
        (b"k", b"x", None, ()),
    ]
    with pytest.raises(RecordTooLarge) as caught:
        batches("usage", rows, 0, Admission(1, 1000, False))
    assert (caught.value.topic, caught.value.limit) == ("usage", 1000)
    assert caught.value.size > 2000


def test_record_larger_than_a_batch_goes_alone_where_the_topic_admits_it() -> None:
    large = b"x" * (BATCH_BYTES + 1)
    rows: list[Row] = [(b"k", b"a", None, ()), (b"k", large, None, ()), (b"k", b"b", None, ())]
    found = built(rows, Admission(1, 4 << 20, False))
    assert [[record[3] for record in records] for records in found] == [[b"a"], [large], [b"b"]]


def test_row_without_key_is_refused_by_a_compacted_topic() -> None:
    with pytest.raises(MissingKey):
        batches("t", [(b"k", b"v", None, ()), (None, b"v", None, ())], 0, Admission(1, 1000, True))
