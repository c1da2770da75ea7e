"""Who is there: by what is heard on the log, and when it was heard last."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec
import pytest

from app.cluster import members
from app.cluster.beat import Beat, encode
from app.cluster.members import Alone, Following
from config.clock import system_ms
from connectors.streams.base import TopicSpec
from connectors.streams.embedded.log import EmbeddedLog
from domain.clock import FixedClock
from tests.waiting import auntil

TOPIC = "sluice-workers"
Story = Callable[[EmbeddedLog], Awaitable[None]]


def tell(tmp_path: Path, story: Story) -> None:
    async def work() -> None:
        log = EmbeddedLog(tmp_path, FixedClock(0))
        await log.start()
        await log.ensure_topic(TopicSpec(TOPIC, 1, compact=True))
        try:
            await story(log)
        finally:
            await log.stop()

    asyncio.run(work())


class Self:
    """A worker whose word a test may change, and whose clock it moves."""

    def __init__(self, log: EmbeddedLog, name: str) -> None:
        self.beat = Beat(name, "http://h:1", ("all",), (0,), (), 1, "ready", "", system_ms())
        self.now_s = 100.0
        self.members = Following(log, TOPIC, lambda: self.beat, lambda: self.now_s)

    def says(self, **changes: object) -> None:
        self.beat = msgspec.structs.replace(self.beat, **changes)

    def live(self) -> list[str]:
        return [beat.id for beat in self.members.live()]


def test_workers_hear_of_each_other_and_of_news_at_once(tmp_path: Path) -> None:
    async def story(log: EmbeddedLog) -> None:
        one, two = Self(log, "w-1"), Self(log, "w-2")
        await one.members.start()
        await two.members.start()
        await auntil(lambda: one.live() == ["w-1", "w-2"] and two.live() == ["w-2", "w-1"])
        two.says(revision=7)  # no time passes for either of them
        await auntil(lambda: one.members.live()[1].revision == 7)
        await one.members.stop()
        await two.members.stop()

    tell(tmp_path, story)


def test_who_is_not_heard_for_six_seconds_is_gone_and_comes_back(tmp_path: Path) -> None:
    async def story(log: EmbeddedLog) -> None:
        one, two = Self(log, "w-1"), Self(log, "w-2")
        await one.members.start()
        await log.append(TOPIC, 0, [(b"w-2", encode(two.beat), None, ())])
        await auntil(lambda: one.live() == ["w-1", "w-2"])
        one.now_s += members.LIVE_S
        assert one.live() == ["w-1", "w-2"]
        assert one.members.silent_s("w-2") == members.LIVE_S
        one.now_s += 0.1
        assert one.live() == ["w-1"]
        assert [(beat.id, round(ago, 1)) for beat, ago in one.members.gone()] == [("w-2", 6.1)]
        await log.append(TOPIC, 0, [(b"w-2", encode(two.beat), None, ())])
        await auntil(lambda: one.live() == ["w-1", "w-2"])
        assert one.members.gone() == []
        await one.members.stop()

    tell(tmp_path, story)


def test_who_says_good_bye_is_gone_without_a_trace(tmp_path: Path) -> None:
    async def story(log: EmbeddedLog) -> None:
        one, two = Self(log, "w-1"), Self(log, "w-2")
        await one.members.start()
        await two.members.start()
        await auntil(lambda: one.live() == ["w-1", "w-2"])
        await two.members.stop()
        await auntil(lambda: one.live() == ["w-1"])
        one.now_s += 60
        assert one.members.gone() == []
        await one.members.stop()

    tell(tmp_path, story)


def test_one_that_is_gone_for_long_is_forgotten(tmp_path: Path) -> None:
    async def story(log: EmbeddedLog) -> None:
        one, two = Self(log, "w-1"), Self(log, "w-2")
        one.members.hear([(0, 0, b"w-2", encode(two.beat), ())])
        one.now_s += members.FORGET_S + 1
        assert one.members.gone() == []
        one.members.hear([])
        assert one.members.silent_s("w-2") == 0.0

    tell(tmp_path, story)


def test_beats_of_long_ago_are_not_taken_for_live_workers_at_the_start(tmp_path: Path) -> None:
    async def story(log: EmbeddedLog) -> None:
        one, two, three = Self(log, "w-1"), Self(log, "w-2"), Self(log, "w-3")
        two.says(real_ms=system_ms() - members.STALE_MS - 1)
        rows = [(s.beat.id.encode(), encode(s.beat), None, ()) for s in (two, three)]
        await log.append(TOPIC, 0, rows)
        await one.members.start()
        assert one.live() == ["w-1", "w-3"]
        await one.members.stop()

    tell(tmp_path, story)


def test_a_beat_that_cannot_be_read_is_told_and_passed_over(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(log: EmbeddedLog) -> None:
        one = Self(log, "w-1")
        one.members.hear([(0, 0, b"w-2", b'{"id": 5}', ())])
        assert one.live() == ["w-1"]
        assert "a beat of w-2 can't be read" in caplog.text

    tell(tmp_path, story)


def test_the_only_worker_is_always_there() -> None:
    beat = Beat("w-1", "", (), (), (), 1, "ready", "", 0)
    alone = Alone(lambda: beat)
    assert (alone.live(), alone.gone(), alone.silent_s("w-1")) == ([beat], [], 0.0)
