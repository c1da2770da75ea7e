"""State of the format before is brought up, that of a later one is refused, and a kill in between
costs nothing."""

import asyncio
from collections.abc import Sequence

import pytest

from connectors.streams.memory import Killed, MemoryLog
from domain.clock import FixedClock
from tables.changelog import Change, Changelog
from tables.formats import PIECE, Formats, NewerState, bring_up, format_of
from tables.layout import FORMAT, LOCAL, ROW, WAKE, encode
from tables.store import MemoryStore

TOPIC = "changes"
LATER = Formats(3, {1: lambda _key, body: body + b"2", 2: lambda _key, body: body + b"3"})
BEFORE = Formats(2, {1: LATER.steps[1]})


class Dying(MemoryStore):
    """A disk that ends the process at its n-th write."""

    def __init__(self, writes: int) -> None:
        super().__init__()
        self.writes = writes

    def write(self, puts: object, deletes: object = ()) -> None:
        if self.writes == 0:
            self.writes = -1
            raise Killed
        self.writes -= 1
        super().write(puts, deletes)  # type: ignore[arg-type]  # passed on as they came


def full(store: MemoryStore) -> MemoryStore:
    store.write([(LOCAL, b"l"), (WAKE + b"k", b"")])
    store.write([(ROW + n.to_bytes(4, "big"), b"r") for n in range(PIECE + 10)])
    return store


def test_an_unmarked_store_is_of_format_1_and_an_empty_one_begins_as_the_newest() -> None:
    assert format_of(full(MemoryStore())) == (1, b"")
    empty = MemoryStore()
    bring_up(empty, LATER, "state")
    assert format_of(empty) == (3, b"")


@pytest.mark.parametrize("writes", [2, 3, 4, 5, 6, 7, 8, 9, 10])
def test_a_store_is_brought_up_once_though_it_is_killed_in_between(writes: int) -> None:
    store = full(Dying(writes))
    try:
        bring_up(store, LATER, "state")
    except Killed:
        bring_up(store, LATER, "state")
    bodies = {body for _, body in store.scan(ROW, b"t")}
    assert bodies == {b"r23"}
    assert store.get_many([LOCAL, WAKE + b"k"]) == [b"l23", b""]
    assert format_of(store) == (3, b"")


def test_a_store_of_a_later_version_is_refused_and_left_alone() -> None:
    store = full(MemoryStore())
    store.write([(FORMAT, encode([4, b""]))])
    before = dict(store._rows)
    with pytest.raises(NewerState, match=r"state of shard 2 is of format 4, .* up to format 3"):
        bring_up(store, LATER, "state of shard 2")
    assert store._rows == before


async def written(log: MemoryLog, formats: Formats, changes: Sequence[Change]) -> None:
    changelog = Changelog(log, TOPIC, 0, "w", formats)
    await everything(changelog)
    await changelog.claim()
    await changelog.append(changes)


async def everything(changelog: Changelog) -> dict[bytes, bytes | None]:
    found: list[Change] = []
    async for changes in changelog.follow(0):
        found += changes
    return dict(found)


def a_log() -> MemoryLog:
    log = MemoryLog(FixedClock(0))
    log.counts[TOPIC] = 1
    return log


def test_records_of_every_format_are_read_as_the_newest() -> None:
    async def story() -> dict[bytes, bytes | None]:
        log = a_log()
        await written(log, Formats(1), [(b"a", b"x"), (b"gone", b"x")])
        await written(log, BEFORE, [(b"b", b"x2"), (b"gone", None)])
        await written(log, LATER, [(b"c", b"x23")])
        return await everything(Changelog(log, TOPIC, 0, "reader", LATER))

    assert asyncio.run(story()) == {b"a": b"x23", b"b": b"x23", b"c": b"x23", b"gone": None}


def test_a_changelog_of_a_later_version_is_refused_before_it_is_claimed() -> None:
    async def story() -> None:
        log = a_log()
        await written(log, LATER, [(b"a", b"x23")])
        end = len(log.rows[TOPIC, 0])
        with pytest.raises(NewerState, match="changes partition 0 is of format 3"):
            await written(log, BEFORE, [(b"b", b"x2")])
        assert len(log.rows[TOPIC, 0]) == end

    asyncio.run(story())


def test_a_changelog_written_over_in_the_format_before_is_read_by_the_version_before() -> None:
    async def story() -> dict[bytes, bytes | None]:
        log = a_log()
        await written(log, BEFORE, [(b"a", b"x2")])
        await written(log, LATER, [(b"a", b"x23"), (b"b", b"x23")])
        going_back = Changelog(log, TOPIC, 0, "w", LATER.writing(2, {2: lambda _k, b: b[:-1]}))
        rows = await everything(going_back)
        await going_back.claim()
        await going_back.append(list(rows.items()))
        before = Changelog(log, TOPIC, 0, "w", BEFORE)
        found = await everything(before)
        await before.claim()
        return found

    assert asyncio.run(story()) == {b"a": b"x2", b"b": b"x2"}
