"""Dead letters as they can be searched: by the topic, whatever was sent twice."""

import asyncio
import json
from base64 import b64encode
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from app.backend import BadCursor
from app.facade.letters import Letters
from app.shapes import DeadLetter
from domain.aggregation.instants import print_instant
from tests.app.facade.house import START_MS, House, Living, aggregator

Story = Callable[[Living], Awaitable[None]]


def tell(tmp_path: Path, story: Story) -> None:
    async def work() -> None:
        async with House(tmp_path).open() as living:
            await story(living)

    asyncio.run(work())


def letter(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "id": f"id-{number}",
        "topic": "usage",
        "partition": 1,
        "offset": number,
        "aggregator": "acc",
        "reason": "not_a_number",
        "detail": "bytes: text",
        "original": b64encode(b'{"n": %d}' % number).decode(),
        "version": 2,
        "at": print_instant(START_MS + number),
        **changes,
    }


async def send(living: Living, *letters: dict[str, Any] | bytes, partition: int = 0) -> None:
    values = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in letters]
    await living.log.append("dead-letters", partition, [(b"usage", v, None, ()) for v in values])


async def ids(living: Living, **where: str) -> list[str]:
    return [one.id for one in (await living.facade.dead_letters(where, 100, None)).items]


def test_a_record_that_cannot_be_applied_is_listed_with_its_bytes(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await living.put(aggregator())
        await living.send(b'{"account": "x", "bytes": "many"}', b"\xff")
        page = await living.facade.dead_letters({}, 10, None)
        found = {one.reason: one for one in page.items}
        assert set(found) == {"undecodable", "not_a_number"}
        refused = found["not_a_number"]
        assert (refused.aggregator, refused.version, refused.topic) == ("acc", 1, "usage")
        assert refused.original == b'{"account": "x", "bytes": "many"}'
        assert (found["undecodable"].aggregator, found["undecodable"].original) == (None, b"\xff")
        assert await living.facade.dead_letter(refused.id) == refused
        assert await living.facade.dead_letter("nobody") is None

    tell(tmp_path, story)


def test_letters_come_newest_first_page_by_page(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await send(living, *(letter(n) for n in range(5)))
        first = await living.facade.dead_letters({}, 3, None)
        assert [one.id for one in first.items] == ["id-4", "id-3", "id-2"]
        second = await living.facade.dead_letters({}, 3, first.next)
        assert ([one.id for one in second.items], second.next) == (["id-1", "id-0"], None)
        with pytest.raises(BadCursor):
            await living.facade.dead_letters({}, 3, "x")

    tell(tmp_path, story)


def test_a_letter_sent_twice_is_one_letter(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await send(living, letter(1), letter(1))
        await send(living, letter(1), partition=1)
        assert await ids(living) == ["id-1"]
        (count,) = await living.facade.dead_letter_counts()
        assert (count.total, count.open) == (1, 1)

    tell(tmp_path, story)


def test_letters_are_filtered_and_counted(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await send(
            living,
            letter(1),
            letter(2, reason="undecodable", aggregator=None, version=None),
            letter(3, aggregator="other"),
            letter(4, topic="calls"),
        )
        assert await ids(living, reason="undecodable") == ["id-2"]
        assert await ids(living, aggregator="acc") == ["id-4", "id-1"]
        assert await ids(living, topic="calls", aggregator="acc") == ["id-4"]
        assert await ids(living, topic="nowhere") == []
        counts = [
            (one.reason, one.aggregator, one.total, one.latest_ms - START_MS)
            for one in await living.facade.dead_letter_counts()
        ]
        assert counts == [
            ("not_a_number", "acc", 2, 4),
            ("not_a_number", "other", 1, 3),
            ("undecodable", None, 1, 2),
        ]

    tell(tmp_path, story)


def test_a_replayed_letter_says_when_and_is_no_longer_open(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await send(living, letter(1), letter(2))
        assert await ids(living, replayed="no") == ["id-2", "id-1"]
        replayed = letter(1, replayed_at=print_instant(START_MS + 50))
        await send(living, replayed, replayed, letter(1))
        assert await ids(living, replayed="yes") == ["id-1"]
        assert await ids(living, replayed="no") == ["id-2"]
        found = await living.facade.dead_letter("id-1")
        assert isinstance(found, DeadLetter)
        assert found.replayed_at_ms == START_MS + 50
        (count,) = await living.facade.dead_letter_counts()
        assert (count.total, count.open) == (2, 1)

    tell(tmp_path, story)


def test_what_is_no_letter_is_passed_over(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await send(living, b"no json", b"{}", letter(1, original="###"), letter(2))
        assert await ids(living) == ["id-2"]

    tell(tmp_path, story)


def test_the_list_is_rebuilt_when_its_file_is_gone_or_the_topic_is_another(tmp_path: Path) -> None:
    house = House(tmp_path)

    async def look() -> list[str]:
        async with house.open() as living:
            return await ids(living)

    async def fill(*letters: dict[str, Any]) -> None:
        async with house.open() as living:
            await send(living, *letters)
            await ids(living)

    asyncio.run(fill(letter(1), letter(2)))
    assert asyncio.run(look()) == ["id-2", "id-1"]
    (tmp_path / "w-1" / "views" / "dead-letters.sqlite").unlink()
    assert asyncio.run(look()) == ["id-2", "id-1"]
    house.log.rows["dead-letters", 0].clear()
    assert asyncio.run(look()) == []
    asyncio.run(fill(letter(7)))
    assert asyncio.run(look()) == ["id-7"]


def test_letters_that_the_topic_no_longer_keeps_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(living: Living) -> None:
        await send(living, letter(1), letter(2), letter(3, aggregator=None))
        letters: Letters = living.facade._letters
        await letters.catch_up()

        async def begins(tps: Any) -> dict[Any, int]:
            return {tp: 1 if tp[1] == 0 else 0 for tp in tps}

        monkeypatch.setattr(living.log, "begin_offsets", begins)
        await letters.prune()
        assert await ids(living) == ["id-3", "id-2"]
        counts = {one.aggregator: one.total for one in await living.facade.dead_letter_counts()}
        assert counts == {"acc": 1, None: 1}

    tell(tmp_path, story)
