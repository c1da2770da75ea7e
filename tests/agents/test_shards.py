"""A worker's shards: opened when assigned, closed when lost, also in the middle of being opened."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import pytest

from agents.shards import NotOwned, Shards


@dataclass
class Opening:
    """Shards whose changelogs have no end until `ends`; `open_now` are those that have a store."""

    ends: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    open_now: list[int] = field(default_factory=list)
    opened: int = 0

    async def open(self, number: int) -> "One":
        """Reads to the end."""
        assert number not in self.open_now
        self.open_now.append(number)
        self.begun.set()
        try:
            await self.ends.wait()
        except BaseException:
            self.open_now.remove(number)
            raise
        self.opened += 1
        return One(self, number)


@dataclass
class One:
    """A shard that is open."""

    of: Opening
    number: int

    async def still_ours(self) -> bool:
        """Nobody else writes here."""
        return True

    def close(self) -> None:
        """Gives the store back."""
        self.of.open_now.remove(self.number)


def told(story: Callable[[Opening, Shards[One]], Awaitable[None]]) -> Opening:
    """The story, within a time that no opening would end in."""

    async def run() -> Opening:
        opening = Opening()
        async with asyncio.timeout(5):
            await story(opening, Shards[One](opening.open))
        return opening

    return asyncio.run(run())


def test_a_stop_waits_for_no_changelog() -> None:
    async def story(opening: Opening, shards: Shards[One]) -> None:
        await shards.assign({1, 2})
        await opening.begun.wait()
        await shards.close()
        assert shards.owned == []

    opening = told(story)
    assert (opening.open_now, opening.opened) == ([], 0)


def test_a_stop_before_an_opening_has_begun() -> None:
    async def story(opening: Opening, shards: Shards[One]) -> None:
        await shards.assign({1})
        await shards.close()
        assert not opening.begun.is_set()

    assert told(story).open_now == []


def test_who_waits_for_one_that_is_lost_is_told() -> None:
    async def story(opening: Opening, shards: Shards[One]) -> None:
        async def use() -> None:
            async with shards.use(1):
                raise AssertionError("it was never open")

        await shards.assign({1})
        await opening.begun.wait()
        waiting = asyncio.create_task(use())
        await asyncio.sleep(0)
        await shards.assign(set())
        with pytest.raises(NotOwned):
            await waiting

    told(story)


def test_one_that_comes_back_is_opened_anew_when_it_was_closed() -> None:
    async def story(opening: Opening, shards: Shards[One]) -> None:
        await shards.assign({1})
        await opening.begun.wait()
        await shards.assign(set())
        await shards.assign({1})
        opening.ends.set()
        async with shards.use(1) as one:
            assert opening.open_now == [one.number]
        await shards.close()

    opening = told(story)
    assert (opening.open_now, opening.opened) == ([], 1)


def test_a_batch_under_way_finishes_first() -> None:
    async def story(opening: Opening, shards: Shards[One]) -> None:
        opening.ends.set()
        await shards.assign({1})
        async with shards.use(1):
            closing = asyncio.create_task(shards.close())
            await asyncio.sleep(0)
            assert opening.open_now == [1]
        await closing

    assert told(story).open_now == []
