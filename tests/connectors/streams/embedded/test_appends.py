"""Appends that wait are stored together, and each is told what became of it."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from connectors.streams.base import RecordTooLarge
from connectors.streams.embedded import writer
from connectors.streams.embedded.appends import write_all
from connectors.streams.embedded.log import EmbeddedLog
from tests.connectors.streams.embedded.logs import NOW_MS, batches_in, keyed, made, told
from tests.contracts.streams import read_all, rows, values


class Wayward:
    """A clock that goes back."""

    def __init__(self, *readings: int) -> None:
        self._readings = list(readings)

    def now_ms(self) -> int:
        return self._readings.pop(0)


def test_timestamps_come_from_the_clock_and_never_go_back(tmp_path: Path) -> None:
    async def story(log: EmbeddedLog) -> list[int]:
        topic = await made(log)
        for _ in range(4):
            await log.append(topic, 0, rows(b"a"))
        return [item[1] for item in await read_all(log, topic)]

    assert told(tmp_path, story, Wayward(10, 30, 20, 40)) == [10, 30, 30, 40]
    # nor over a restart
    assert told(tmp_path, story, Wayward(5, 5, 5, 50)) == [10, 30, 30, 40, 40, 40, 40, 50]


def test_one_that_is_refused_fails_alone(tmp_path: Path) -> None:
    wrong: Any = "text"

    async def story(log: EmbeddedLog) -> None:
        topic = await made(log, max_message_bytes=100)
        outcomes = await asyncio.gather(
            log.append(topic, 0, rows(b"a")),
            log.append(topic, 0, rows(b"x" * 101)),
            log.append(topic, 0, rows(wrong)),
            log.append(topic, 0, rows(b"b", b"c")),
            return_exceptions=True,
        )
        assert outcomes[0] == (0, 0)
        assert isinstance(outcomes[1], RecordTooLarge)
        assert isinstance(outcomes[2], TypeError)
        assert outcomes[3] == (1, 2)
        assert values(await read_all(log, topic)) == [b"a", b"b", b"c"]

    told(tmp_path, story)


def test_cancelled_caller_does_not_hold_up_the_others(tmp_path: Path) -> None:
    async def story(log: EmbeddedLog) -> None:
        topic = await made(log)
        calls = [asyncio.create_task(log.append(topic, 0, rows(b"%d" % n))) for n in range(5)]
        await asyncio.wait(calls, timeout=0)
        calls[1].cancel()
        done = await asyncio.gather(*calls, return_exceptions=True)
        assert isinstance(done[1], asyncio.CancelledError)
        assert [done[0], *done[2:]] == [(0, 0), (2, 2), (3, 3), (4, 4)]

    told(tmp_path, story)


def test_small_appends_that_wait_share_a_blob(tmp_path: Path) -> None:
    async def story(log: EmbeddedLog) -> None:
        topic = await made(log)
        await asyncio.gather(*(log.append(topic, 0, rows(b"%d" % n)) for n in range(500)))
        assert values(await read_all(log, topic)) == [b"%d" % n for n in range(500)]

    told(tmp_path, story)
    assert batches_in(tmp_path) < 50


def test_large_groups_are_written_in_several_transactions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "GROUP_ROWS", 10)
    written: list[int] = []

    def counted(database: Any, group: Any) -> Any:
        written.append(sum(len(write.rows) for write in group))
        return write_all(database, group)

    monkeypatch.setattr(writer, "write_all", counted)

    async def story(log: EmbeddedLog) -> None:
        topic = await made(log)
        appends = [log.append(topic, 0, rows(*[b"x"] * size)) for size in (4, 4, 4, 25, 1)]
        assert await asyncio.gather(*appends) == [(0, 3), (4, 7), (8, 11), (12, 36), (37, 37)]

    told(tmp_path, story)
    assert written == [8, 4, 25, 1]


def test_stop_finishes_appends_under_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer, "GROUP_ROWS", 1)

    async def story(log: EmbeddedLog) -> list[asyncio.Task[tuple[int, int]]]:
        topic = await made(log)
        calls = [asyncio.create_task(log.append(topic, 0, rows(b"%d" % n))) for n in range(50)]
        await asyncio.wait(calls, timeout=0)
        await log.stop()
        assert all(call.done() for call in calls)
        assert [call.result() for call in calls] == [(n, n) for n in range(50)]
        return calls

    assert len(told(tmp_path, story)) == 50


def test_commits_are_stored_per_group(tmp_path: Path) -> None:
    async def write(log: EmbeddedLog) -> None:
        topic = await made(log)
        await log.append(topic, 0, [keyed(b"k", b"v", NOW_MS)])
        await log.commit("one", {(topic, 0): 1})
        await log.commit("other", {(topic, 0): 0})
        await log.commit("one", {(topic, 0): 0, ("gone", 3): 9})

    async def look(log: EmbeddedLog) -> list[dict[tuple[str, int], int | None]]:
        tps = [("t", 0), ("gone", 3)]
        return [await log.committed(group, tps) for group in ("one", "other")]

    told(tmp_path, write)
    assert told(tmp_path, look) == [
        {("t", 0): 0, ("gone", 3): 9},
        {("t", 0): 0, ("gone", 3): None},
    ]
