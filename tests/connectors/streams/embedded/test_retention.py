"""Retention by time in the embedded log."""

from pathlib import Path

import pytest

from connectors.streams.embedded import database, retention
from connectors.streams.embedded.log import EmbeddedLog
from domain.clock import FixedClock
from tests.connectors.streams.embedded.logs import NOW_MS, batches_in, made, told
from tests.contracts.streams import happened, read_all, rows, values


def test_what_is_just_within_retention_stays(tmp_path: Path) -> None:
    clock = FixedClock(NOW_MS)

    async def story(log: EmbeddedLog) -> None:
        topic = await made(log, retention_ms=1_000)
        await log.append(topic, 0, rows(b"a"))
        clock.advance(1_000)
        await log.append(topic, 0, rows(b"b"))
        await log.clean()
        assert values(await read_all(log, topic)) == [b"a", b"b"]
        clock.advance(1)
        await log.clean()
        assert values(await read_all(log, topic)) == [b"b"]

    told(tmp_path, story, clock)
    assert batches_in(tmp_path) == 1


def test_end_stays_when_all_is_gone_and_over_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "STEP_BLOBS", 3)
    clock = FixedClock(NOW_MS)

    async def lose(log: EmbeddedLog) -> None:
        topic = await made(log, retention_ms=1_000)
        for n in range(10):
            await log.append(topic, 0, rows(b"%d" % n))
        clock.advance(2_000)
        await log.clean()

    async def go_on(log: EmbeddedLog) -> None:
        assert await log.begin_offsets([("t", 0)]) == {("t", 0): 10}
        assert await log.append("t", 0, rows(b"next")) == (10, 10)

    told(tmp_path, lose, clock)
    assert batches_in(tmp_path) == 0
    told(tmp_path, go_on, clock)


def test_old_record_behind_a_young_one_waits_for_it(tmp_path: Path) -> None:
    async def story(log: EmbeddedLog) -> None:
        topic = await made(log, retention_ms=1_000, log_append_time=False)
        for stamp in (NOW_MS, NOW_MS - 5_000):
            await log.append(topic, 0, [(None, b"%d" % stamp, stamp, ())])
        await log.clean()
        assert len(await read_all(log, topic)) == 2

    told(tmp_path, story)


def test_cleaning_runs_by_itself(tmp_path: Path) -> None:
    clock = FixedClock(NOW_MS)

    async def story(log: EmbeddedLog) -> None:
        topic = await made(log, retention_ms=1_000)
        await log.append(topic, 0, rows(b"a"))
        clock.advance(2_000)

        async def gone() -> bool:
            return await log.begin_offsets([(topic, 0)]) == {(topic, 0): 1}

        assert await happened(gone, 10)

    told(tmp_path, story, clock, clean_every_s=0.01)


def test_freed_pages_go_back_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "SPARE_PAGES", 10)
    clock = FixedClock(NOW_MS)

    async def fill(log: EmbeddedLog) -> None:
        topic = await made(log, retention_ms=1_000)
        for _ in range(8):
            await log.append(topic, 0, rows(b"x" * 1_000_000))

    async def clean(log: EmbeddedLog) -> None:
        clock.advance(2_000)
        await log.clean()

    told(tmp_path, fill, clock)
    full = (tmp_path / "log.sqlite").stat().st_size
    told(tmp_path, clean, clock)
    assert full > 8_000_000
    assert (tmp_path / "log.sqlite").stat().st_size < full / 4
