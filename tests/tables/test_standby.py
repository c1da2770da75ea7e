"""A copy leaves behind what whoever opens its store next has to know."""

import asyncio
from dataclasses import replace
from typing import NoReturn

import pytest

from connectors.streams.memory import MemoryLog
from domain.clock import FixedClock
from tables.changelog import Changelog
from tables.formats import SHARD, Formats, NewerState
from tables.layout import LOCAL, MARKS, Marks, decode_local, encode
from tables.shard import Shard
from tables.standby import Left, ShardCopy
from tests.agents.world import Disk

TOPIC = "changelog"
GONE = b"g of a row"
LATER = replace(
    SHARD, current=SHARD.current + 1, steps={**SHARD.steps, SHARD.current: lambda k, b: b}
)


def made() -> MemoryLog:
    log = MemoryLog(FixedClock(1_700_000_000_000))
    log.counts[TOPIC] = 1
    return log


async def _nothing() -> None:
    """All documents are known."""


def copy_of(log: MemoryLog, disk: Disk) -> ShardCopy:
    changelog = Changelog(log, TOPIC, 0, "copy", SHARD)
    shard = Shard(0, disk, changelog, _no_rule, None, now_ms=log.clock.now_ms)
    return ShardCopy(shard, _nothing)


def _no_rule(name: str, version: int) -> NoReturn:
    raise AssertionError(f"{name} {version}")


async def owner(log: MemoryLog, formats: Formats = SHARD) -> Changelog:
    """A new one."""
    changelog = Changelog(log, TOPIC, 0, "owner", formats)
    async for _ in changelog.follow(0):
        pass
    await changelog.claim()
    return changelog


def body(number: int) -> bytes:
    return encode([number, []])


def test_keys_that_a_fenced_writer_wrote_last_are_known_to_who_takes_over() -> None:
    async def run() -> None:
        log, disk = made(), Disk()
        fenced = await owner(log)
        await fenced.append([(GONE, body(1))])
        await owner(log)
        fenced.next_offset = await fenced.end()  # it has not heard of the other one
        await fenced.append([(GONE, body(2))])
        copy = copy_of(log, disk)
        await copy.catch_up()
        copy.close()
        found = decode_local(disk.get_many([LOCAL])[0] or b"")
        assert found.changelog_next == await fenced.end()
        assert disk.get_many([GONE]) == [body(1)]
        shard = copy_of(log, disk).shard
        await shard.open()
        assert shard.changelog is not None and shard.changelog.intruded == {GONE}

    asyncio.run(run())


@pytest.mark.parametrize("warm", [False, True])
def test_records_of_a_later_version_do_not_count_as_read(warm: bool) -> None:
    async def run() -> None:
        log, disk = made(), Disk()
        first = await owner(log)
        await first.append([(GONE, body(1)), (MARKS, encode(Marks()))])
        copy = copy_of(log, disk)
        if warm:
            await copy.catch_up()
        reached = await first.end()
        later = await owner(log, LATER)
        await later.append([(GONE, body(2))])
        for _ in range(2):
            with pytest.raises(NewerState):
                await copy.catch_up()
        copy.close()
        known = disk.get_many([LOCAL])[0]
        assert (known is not None) == warm
        if known is not None:
            assert decode_local(known).changelog_next == reached

    asyncio.run(run())


def test_a_copy_that_is_left_while_it_is_made_is_begun_anew_by_the_next() -> None:
    async def run() -> None:
        log, disk = made(), Disk()
        first = await owner(log)
        await first.append([(GONE, body(1)), (MARKS, encode(Marks()))])
        copy = copy_of(log, disk)
        copy.leave()
        with pytest.raises(Left):
            await copy.catch_up()
        copy.close()
        assert not copy.readable and disk.get_many([LOCAL]) == [None]
        again = copy_of(log, disk)
        await again.catch_up()
        assert again.readable and disk.get_many([GONE]) == [body(1)]

    asyncio.run(run())
