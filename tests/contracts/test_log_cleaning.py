"""What every stream keeps and drops: retention by time, compaction by key."""

from connectors.streams.base import Item, Log, Row
from tests.contracts.streams import Stream, happened, read_all, rows, values

HOUR_MS = 3_600_000
# Kafka compacts closed segments only, and looks each second here
COMPACT_NOW = {
    "min.compaction.lag.ms": "0",
    "segment.ms": "100",
    "min.cleanable.dirty.ratio": "0.01",
}
LONG_S = 60.0


def test_records_past_retention_go_and_offsets_stay(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log, log_append_time=False, retention_ms=HOUR_MS)
        old_ms = stream.clock.now_ms() - 2 * HOUR_MS
        await log.append(topic, 0, [(None, b"old", old_ms, ())] * 5)

        async def gone() -> bool:
            await stream.clean(log)
            return await log.begin_offsets([(topic, 0)]) == {(topic, 0): 5}

        await happened(gone, LONG_S)
        assert await log.read(topic, 0, 0) == ([], 5, 5)
        assert await log.append(topic, 0, rows(b"new")) == (5, 5)
        piece = await log.read(topic, 0, 0)
        assert values(piece.items) == [b"new"]
        assert (piece.next_offset, piece.end_offset) == (6, 6)
        assert await log.offset_at(topic, 0, 0) == 5

    stream.run(story)


def test_records_within_retention_stay(stream: Stream) -> None:
    async def story(log: Log) -> None:
        expiring = await stream.topic(log, log_append_time=False, retention_ms=HOUR_MS)
        topic = await stream.topic(log, log_append_time=False, retention_ms=3 * HOUR_MS)
        kept = await stream.topic(log, log_append_time=False)
        old_ms = stream.clock.now_ms() - 2 * HOUR_MS
        for name in (topic, kept, expiring):
            await log.append(name, 0, [(None, b"old", old_ms, ())])

        async def cleaned() -> bool:
            await stream.clean(log)
            return (await log.begin_offsets([(expiring, 0)]))[expiring, 0] == 1

        await happened(cleaned, LONG_S)
        assert values(await read_all(log, topic)) == [b"old"]
        assert values(await read_all(log, kept)) == [b"old"]

    stream.run(story)


def test_compaction_keeps_the_last_of_each_key_at_its_offset(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log, compact=True, config=COMPACT_NOW)
        written: list[Row] = []
        for turn in range(20):
            batch: list[Row] = [(b"k%d" % k, b"%d" % turn, None, ()) for k in range(10)]
            batch[3] = (b"gone", None, None, ())
            await log.append(topic, 0, batch)
            written += batch

        async def compacted() -> list[Item]:
            # the last segment, or batch, is never compacted: this one becomes the last
            await log.append(topic, 0, [(b"filler", b"", None, ())])
            await stream.clean(log)
            items = await read_all(log, topic)
            assert sum(item[2] != b"filler" for item in items) == 10
            return items

        items = await happened(compacted, LONG_S)
        kept = [item for item in items if item[2] != b"filler"]
        assert [item[0] for item in kept] == list(range(190, 200))
        assert [(item[2], item[3]) for item in kept] == [row[:2] for row in written[190:]]
        assert await log.begin_offsets([(topic, 0)]) == {(topic, 0): 0}

    stream.run(story)


def test_reader_goes_over_the_gaps_of_compaction(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log, compact=True, config=COMPACT_NOW)
        for n in range(50):
            stays = [(b"stays %d" % n, b"x" * 50, None, ())]
            await log.append(topic, 0, [*stays, *([(b"again", b"%d" % n, None, ())] * 20)])

        async def compacted() -> list[Item]:
            await log.append(topic, 0, [(b"filler", b"", None, ())])
            await stream.clean(log)
            items = await read_all(log, topic, max_bytes=500)
            assert sum(item[2] == b"again" for item in items) == 1
            return items

        items = await happened(compacted, LONG_S)
        offsets = [item[0] for item in items if item[2] and item[2].startswith(b"stays")]
        assert offsets == [n * 21 for n in range(50)]
        # from inside a gap the next record that stayed comes first
        piece = await log.read(topic, 0, 5)
        assert piece.items[0][0] == 21

    stream.run(story)
