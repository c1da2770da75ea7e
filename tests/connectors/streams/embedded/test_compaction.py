"""Compaction by key in the embedded log, whole and cut off in the middle."""

import asyncio
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.streams.base import Item
from connectors.streams.embedded import compaction
from connectors.streams.embedded.compaction import TOMBSTONE_MS, compact, compaction_due
from connectors.streams.embedded.log import EmbeddedLog
from domain.clock import FixedClock
from tests.connectors.streams.embedded.logs import NOW_MS, batches_in, keyed, made, opened, told
from tests.contracts.streams import read_all

_batches = st.lists(
    st.lists(
        st.tuples(st.sampled_from([b"a", b"b", b"c", b"d"]), st.none() | st.binary(max_size=3)),
        min_size=1,
        max_size=5,
    ),
    min_size=2,
    max_size=12,
)
Batches = list[list[tuple[bytes, bytes | None]]]


def _latest(items: Sequence[Item]) -> dict[bytes | None, Item]:
    return {item[2]: item for item in items}


@given(batches=_batches, steps=st.integers(0, 6), small=st.booleans())
@settings(max_examples=40, deadline=None)
def test_cut_off_anywhere_the_last_of_each_key_stands_at_its_offset(
    batches: Batches, steps: int, small: bool
) -> None:
    folder = Path(tempfile.mkdtemp())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "STEP_BLOBS", 2)
        patch.setattr(compaction, "MAX_KEYS", 2 if small else 100)
        asyncio.run(_cut_off_and_finished(folder, batches, steps))
    shutil.rmtree(folder)


async def _cut_off_and_finished(folder: Path, batches: Batches, steps: int) -> None:
    async with opened(folder) as log:
        topic = await made(log, compact=True)
        for batch in batches:
            await log.append(topic, 0, [keyed(*row) for row in batch])
        whole = await read_all(log, topic)
        # cut off: so many steps of a pass, and then the process is gone
        parts = log._opened()
        place = parts.catalog.partition(topic, 0)
        pass_ = compact(parts.database, place, NOW_MS)
        for _ in range(steps):
            next(pass_, None)
    async with opened(folder) as log:
        cut_off = await read_all(log, topic, max_bytes=1)
        assert _latest(cut_off) == _latest(whole)
        assert set(cut_off) <= set(whole)
        await _compacted(log, topic)
        last_batch = len(whole) - len(batches[-1])
        before = _latest(whole[:last_batch])
        assert await read_all(log, topic) == [
            item for item in whole if item[0] >= last_batch or item == before[item[2]]
        ]
    batches_in(folder)


async def _compacted(log: EmbeddedLog, topic: str) -> None:
    """Passes until all but the last batch is compacted, of few keys each perhaps."""
    parts = log._opened()
    place = parts.catalog.partition(topic, 0)
    seen = -1
    while place.clean > seen:
        seen = place.clean
        for _ in compact(parts.database, place, NOW_MS):
            pass


def test_tombstones_go_after_a_day_and_their_keys_with_them(tmp_path: Path) -> None:
    clock = FixedClock(NOW_MS)

    async def story(log: EmbeddedLog) -> None:
        topic = await made(log, compact=True)
        await log.append(topic, 0, [keyed(b"goes", b"1"), keyed(b"stays", b"1")])
        await log.append(topic, 0, [keyed(b"goes", None)])
        await log.append(topic, 0, [keyed(b"last", b"1")])
        await log.clean(compact_from_bytes=0)
        assert [item[2] for item in await read_all(log, topic)] == [b"stays", b"goes", b"last"]
        clock.advance(TOMBSTONE_MS + 1)
        await log.append(topic, 0, [keyed(b"last", b"2" * 500)])
        await log.append(topic, 0, [keyed(b"last", b"3")])
        await log.clean(compact_from_bytes=0)
        assert [item[2] for item in await read_all(log, topic)] == [b"stays", b"last", b"last"]
        assert await log.end_offsets([(topic, 0)]) == {(topic, 0): 6}

    told(tmp_path, story, clock)


def test_small_blobs_are_merged(tmp_path: Path) -> None:
    async def story(log: EmbeddedLog) -> None:
        topic = await made(log, compact=True)
        for n in range(300):
            await log.append(topic, 0, [keyed(b"%d" % n, b"v")])
        await log.clean(compact_from_bytes=0)
        items = await read_all(log, topic)
        assert [(item[0], item[2]) for item in items] == [(n, b"%d" % n) for n in range(300)]

    told(tmp_path, story)
    assert batches_in(tmp_path) == 2


def test_topic_that_is_not_compacted_keeps_every_record(tmp_path: Path) -> None:
    async def story(log: EmbeddedLog) -> None:
        topic = await made(log)
        for _ in range(5):
            await log.append(topic, 0, [keyed(b"k", b"v")])
        await log.clean(compact_from_bytes=0)
        assert [item[0] for item in await read_all(log, topic)] == [0, 1, 2, 3, 4]

    told(tmp_path, story)


def test_compaction_is_due_when_half_is_new(tmp_path: Path) -> None:
    async def story(log: EmbeddedLog) -> None:
        topic = await made(log, compact=True)
        parts = log._opened()
        place = parts.catalog.partition(topic, 0)

        async def append(key: bytes) -> None:
            await log.append(topic, 0, [keyed(key, b"x" * 10_000)])

        def due(from_bytes: int = 0) -> bool:
            return compaction_due(parts.database, place, from_bytes)

        await append(b"a")
        assert not due(), "the last batch is left alone"
        for key in (b"b", b"c", b"d", b"e"):
            await append(key)
        assert due()
        assert due(40_000)
        assert not due(50_000)
        await log.clean(compact_from_bytes=0)
        for key in (b"f", b"g", b"h"):
            await append(key)
            assert not due(), "less than half is new"
        await append(b"i")
        assert due()

    told(tmp_path, story)


def test_appends_and_reads_go_on_between_the_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "STEP_BLOBS", 3)

    async def story(log: EmbeddedLog) -> None:
        topic = await made(log, compact=True)
        for n in range(60):
            await log.append(topic, 0, [keyed(b"%d" % (n % 7), b"%d" % n)])
        cleaning = asyncio.create_task(log.clean(compact_from_bytes=0))
        looks = 0
        while not cleaning.done():
            await log.append(topic, 0, [keyed(b"new %d" % looks, b"%d" % looks)])
            seen = _latest(await read_all(log, topic))
            assert {key: seen[key][3] for key in seen if key and b"new" not in key} == {
                b"%d" % (n % 7): b"%d" % n for n in range(53, 60)
            }
            assert len(seen) == 7 + looks + 1
            looks += 1
        await cleaning
        assert looks > 2
        await _compacted(log, topic)
        assert len(await read_all(log, topic)) == 7 + looks

    told(tmp_path, story)
