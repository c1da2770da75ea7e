"""Formats of state in a changelog on each stream: brought up, refused, and written back."""

import pytest

from connectors.streams.base import Log
from tables.changelog import Change, Changelog
from tables.formats import NewerState
from tests.contracts.streams import Stream
from tests.tables.test_formats import BEFORE, LATER, everything


def test_a_changelog_goes_to_the_next_format_and_back(stream: Stream) -> None:
    async def story(log: Log) -> None:
        topic = await stream.topic(log, compact=True)
        first = Changelog(log, topic, 0, "w", BEFORE)
        await everything(first)
        await first.claim()
        await first.append([(b"a", b"x2"), (b"b", b"x2"), (b"gone", b"x2")])
        # the next version, from the changelog alone: it reads both
        then = Changelog(log, topic, 0, "w", LATER)
        assert await everything(then) == {b"a": b"x23", b"b": b"x23", b"gone": b"x23"}
        await then.claim()
        await then.append([(b"a", b"y23"), (b"gone", None), (b"c", b"x23")])
        end = (await log.end_offsets([(topic, 0)]))[topic, 0]
        # what was stopped and wakes up writes nothing that survives, whatever its format
        with pytest.raises(Exception, match="claimed with epoch"):
            await first.append([(b"b", b"late2")])
        back = Changelog(log, topic, 0, "w", BEFORE)
        await everything(back)
        with pytest.raises(NewerState, match=f"{topic} partition 0 is of format 3"):
            await back.claim()
        assert (await log.end_offsets([(topic, 0)]))[topic, 0] == end + 1
        writing = Changelog(log, topic, 0, "w", LATER.writing(2, {2: lambda _k, b: b[:-1]}))
        rows = await everything(writing)
        await writing.claim()
        whole: list[Change] = list(rows.items())
        await writing.append(whole[:2])  # killed here, it is not yet the earlier version's
        half = Changelog(log, topic, 0, "w", BEFORE)
        await everything(half)
        with pytest.raises(NewerState):
            await half.claim()
        await writing.append(whole)
        before = Changelog(log, topic, 0, "w", BEFORE)
        found = await everything(before)
        await before.claim()
        assert {key: body for key, body in found.items() if body is not None} == {
            b"a": b"y2", b"b": b"x2", b"c": b"x2",
        }  # fmt: skip

    stream.run(story)
