"""One writer a changelog partition: claims, stragglers and what readers make of them."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.streams.memory import MemoryLog
from domain.clock import FixedClock
from domain.errors import Fenced, Invariant
from tables.changelog import CLAIM, Change, Changelog
from tables.formats import Formats, NewerState

TOPIC = "changes"


def a_log() -> MemoryLog:
    log = MemoryLog(FixedClock(0))
    log.counts[TOPIC] = 1
    return log


async def taken_over(log: MemoryLog, owner: str) -> Changelog:
    """A writer that has claimed the partition."""
    changelog = Changelog(log, TOPIC, 0, owner)
    await everything(changelog)
    await changelog.claim()
    return changelog


async def everything(changelog: Changelog) -> dict[bytes, bytes | None]:
    """What a reader takes the partition to hold."""
    found: list[Change] = []
    async for changes in changelog.follow(0):
        found += changes
    return dict(found)


def test_writer_that_lost_the_partition_is_fenced() -> None:
    async def story() -> None:
        log = a_log()
        old = await taken_over(log, "old")
        await taken_over(log, "new")
        with pytest.raises(Fenced):
            await old.append([(b"k", b"late")])
        ends = await log.end_offsets([(TOPIC, 0)])
        with pytest.raises(Fenced):  # whoever of the process still had it in hand is told the same
            await old.append([(b"k", b"later")])
        with pytest.raises(Invariant):
            await Changelog(log, TOPIC, 0, "nobody").append([(b"k", b"unclaimed")])
        assert await log.end_offsets([(TOPIC, 0)]) == ends

    asyncio.run(story())


def test_straggler_is_ignored_by_readers_and_written_over_by_the_owner() -> None:
    async def story() -> set[bytes]:
        log = a_log()
        old = await taken_over(log, "old")
        new = await taken_over(log, "new")
        await new.append([(b"k", b"good")])
        with pytest.raises(Fenced):
            await old.append([(b"k", b"stale"), (b"gone", None)])
        assert await everything(Changelog(log, TOPIC, 0, "reader")) == {b"k": b"good"}
        await new.append([(b"other", b"1")])
        return new.intruded

    assert asyncio.run(story()) == {b"k", b"gone"}


def test_own_write_after_a_straggler_needs_no_repair() -> None:
    async def story() -> set[bytes]:
        log = a_log()
        old = await taken_over(log, "old")
        new = await taken_over(log, "new")
        with pytest.raises(Fenced):
            await old.append([(b"k", b"stale")])
        await new.append([(b"k", b"good")])
        return new.intruded

    assert asyncio.run(story()) == set()


def test_claims_racing_for_a_partition_leave_one_owner() -> None:
    async def story() -> None:
        log = a_log()
        first, second = (Changelog(log, TOPIC, 0, owner) for owner in ("a", "b"))
        await everything(first)
        await everything(second)
        await first.claim()
        await second.claim()
        assert second.epoch > first.epoch
        await second.append([(b"k", b"1")])
        with pytest.raises(Fenced):
            await first.append([(b"k", b"2")])

    asyncio.run(story())


def test_changes_between_reading_and_claim_are_handed_over() -> None:
    async def story() -> list[Change]:
        log = a_log()
        old = await taken_over(log, "old")
        new = Changelog(log, TOPIC, 0, "new")
        await everything(new)
        await old.append([(b"k", b"just now")])
        return await new.claim()

    assert asyncio.run(story()) == [(b"k", b"just now")]


def test_state_ahead_of_its_changelog_stops_with_what_to_do() -> None:
    async def story() -> None:
        async for _ in Changelog(a_log(), TOPIC, 0, "reader").follow(5):
            pass

    with pytest.raises(Invariant, match="Restore it, or move the state aside"):
        asyncio.run(story())


FORMATS = Formats(2, {1: lambda _key, body: b"up" + body})
Drawn = tuple[bytes | None, int, int, bytes | None]
RECORDS = st.tuples(
    st.sampled_from([b"a", b"b", b"a", b"b", CLAIM, None]),
    st.sampled_from([0, 0, 0, 0, 0, 0, -1, 1]),  # by how much the epoch rises
    st.sampled_from([2, 2, 2, 2, 2, 2, 0, 1, 3]),  # the format
    st.sampled_from([b"x", b"y", b"z", b"", None]),
)


@settings(max_examples=500)
@given(st.lists(RECORDS, min_size=5, max_size=30), st.integers(1, 5))
def test_read_in_any_pieces(drawn: list[Drawn], n: int) -> None:
    async def story() -> None:
        log = a_log()
        now = 0
        expected: list[Change] = []
        intruded: set[bytes] = set()
        newer: set[bytes] = set()
        for key, rise, form, body in drawn:
            epoch = max(0, now + rise)
            stamp = bytes([form]) + epoch.to_bytes(7, "big")
            headers = (("epoch", stamp),) if body is None else ()
            value = None if body is None else stamp + body
            await log.append(TOPIC, 0, [(key, value, None, headers)])
            if key is None:
                continue
            if epoch < now:
                intruded |= {key} - {CLAIM}
                continue
            now = epoch
            if key == CLAIM:
                continue
            intruded.discard(key)
            if form == 3 and body is not None:
                newer.add(key)
                continue
            newer.discard(key)
            older = body is not None and form < FORMATS.current
            expected.append((key, b"up" + (body or b"") if older else body))
        changelog = Changelog(log, TOPIC, 0, "reader", FORMATS)
        changelog.read_bytes = n << 8
        found: list[Change] = []
        async for changes in changelog.follow(0):
            found += changes
        assert found == expected
        assert changelog.intruded == intruded
        if newer:
            with pytest.raises(NewerState):
                changelog.check_formats()
        else:
            changelog.check_formats()

    asyncio.run(story())
