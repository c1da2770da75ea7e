"""Replays as the console commands them: selected, audited, asked for, answered."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from app.backend import IdempotencyConflict
from app.shapes import Change, Replay
from connectors.streams.memory import Killed
from tests.app.facade.house import House, Living, aggregator

Story = Callable[[Living], Awaitable[None]]
MENDED = aggregator(aggregate=[{"field": "*", "operation": "count"}])
BAD = [b'{"account": "x", "bytes": "many"}', b'{"account": "y", "bytes": "more"}']


def tell(tmp_path: Path, *stories: Story) -> None:
    """Each story has a worker of its own on what the one before left."""

    async def work() -> None:
        house = House(tmp_path)
        for story in stories:
            async with house.open() as living:
                await story(living)

    asyncio.run(work())


async def refused(living: Living) -> None:
    """Two letters that a mended document would take, one that nothing takes."""
    await living.put(aggregator())
    await living.send(*BAD, b"\xff", b'{"account": "x", "bytes": 1}')
    await living.put(MENDED)


async def replay(
    living: Living,
    where: dict[str, str] | None = None,
    *,
    dry_run: bool = False,
    key: str | None = None,
    wait_s: float = 5.0,
) -> Replay:
    change = Change("ada", "the document is mended", key)
    return await living.facade.replay_dead_letters(where or {}, change, dry_run, wait_s)


async def still(living: Living) -> list[str]:
    page = await living.facade.dead_letters({"replayed": "no"}, 100, None)
    return [one.reason for one in page.items]


def audits(living: Living) -> list[dict[str, Any]]:
    """The commands on the audit topic; cuts of days are there as well."""
    found = (
        json.loads(item[3] or b"")
        for (topic, _), rows in living.log.rows.items()
        if topic == "aggregates.audit"
        for item in rows
    )
    return [each for each in found if each.get("kind") == "command"]


def test_a_dry_run_says_what_would_happen_and_changes_nothing(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await refused(living)
        told = await replay(living, dry_run=True)
        assert (told.letters, told.replayed, told.refused, told.waiting) == (3, 2, 1, 0)
        assert told.reasons == {"undecodable": 1}
        assert audits(living) == []
        assert len(await still(living)) == 3

    tell(tmp_path, story)


def test_letters_are_replayed_and_those_that_stay_say_so(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await refused(living)
        told = await replay(living)
        assert (told.letters, told.replayed, told.refused, told.waiting) == (3, 2, 1, 0)
        assert await still(living) == ["undecodable"]
        assert await living.totals() == {"in": 3, "open": 3}
        page = await living.facade.dead_letters({"replayed": "yes"}, 100, None)
        assert len(page.items) == 2
        (left,) = (await living.facade.dead_letters({"replayed": "no"}, 100, None)).items
        assert left.tried_at_ms is not None
        again = await replay(living)
        assert (again.letters, again.replayed, again.refused) == (1, 0, 1)

    tell(tmp_path, story)


def test_the_command_is_on_the_audit_topic(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await refused(living)
        told = await replay(living, {"aggregator": "acc"})
        (audit,) = audits(living)
        assert audit["id"] == told.command
        assert (audit["actor"], audit["reason"]) == ("ada", "the document is mended")
        assert (audit["filter"], audit["letters"]) == ({"aggregator": "acc"}, 2)

    tell(tmp_path, story)


@pytest.mark.parametrize(
    ("where", "wanted"),
    [
        ({"reason": "undecodable"}, 1),
        ({"aggregator": "acc"}, 2),
        ({"aggregator": "acc", "reason": "undecodable"}, 0),
        ({"topic": "usage"}, 3),
        ({"id": "nobody"}, 0),
    ],
)
def test_letters_are_chosen_by_filters(tmp_path: Path, where: dict[str, str], wanted: int) -> None:
    async def story(living: Living) -> None:
        await refused(living)
        assert (await replay(living, where, dry_run=True)).letters == wanted
        assert (await replay(living, where)).letters == wanted

    tell(tmp_path, story)


def test_one_letter_is_replayed_by_its_id(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await refused(living)
        page = await living.facade.dead_letters({"aggregator": "acc"}, 100, None)
        told = await replay(living, {"id": page.items[0].id})
        assert (told.letters, told.replayed) == (1, 1)
        shown = await living.facade.dead_letter(page.items[0].id)
        assert shown is not None
        assert shown.replayed_at_ms is not None
        counts = {(c.reason, c.open) for c in await living.facade.dead_letter_counts()}
        assert counts == {("not_a_number", 1), ("undecodable", 1)}

    tell(tmp_path, story)


def test_commands_at_once_apply_a_letter_once(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await refused(living)
        await asyncio.gather(*(replay(living) for _ in range(4)))
        assert await living.totals() == {"in": 3, "open": 3}

    tell(tmp_path, story)


def test_the_same_key_asks_for_no_further_letters(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await refused(living)
        first = await replay(living, key="k")
        await living.put(aggregator())
        await living.send(*BAD)
        await living.put(MENDED)
        again = await replay(living, key="k")
        assert again.command == first.command
        assert (again.repeated, again.replayed) == (True, 0)
        assert len(await still(living)) == 3
        with pytest.raises(IdempotencyConflict):
            await replay(living, {"reason": "undecodable"}, key="k")

    tell(tmp_path, story)


@pytest.mark.parametrize("asked", [0, 1])
def test_a_command_that_was_killed_is_finished_by_its_repeat(tmp_path: Path, asked: int) -> None:
    async def killed(living: Living) -> None:
        await refused(living)
        left = asked

        def survives(topic: str, rows: int) -> int:
            nonlocal left
            if topic != "sluice-sessions-in":
                return rows
            left -= 1
            return rows if left >= 0 else 0

        living.log.survives = survives
        with pytest.raises(Killed):
            await replay(living, key="k", wait_s=0)
        living.log.survives = lambda _topic, rows: rows

    async def repeated(living: Living) -> None:
        told = await replay(living, key="k")
        assert (told.repeated, told.waiting) == (True, 0)
        assert await living.totals() == {"in": 3, "open": 3}
        assert len(audits(living)) == 1

    tell(tmp_path, killed, repeated)


def test_a_document_that_is_refused_again_stays_a_letter(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        message = {"kind": "aggregator", "name": "late", "document": {**MENDED, "name": "later"}}
        rows = [(b"aggregator/late", json.dumps(message).encode(), None, ())]
        await living.facade.append_records("config", rows, None)
        await living.settled()
        (letter,) = (await living.facade.dead_letters({}, 10, None)).items
        assert letter.reason == "refused_document"
        told = await replay(living)
        assert (told.letters, told.refused) == (1, 1)

    tell(tmp_path, story)


def test_what_is_remembered_of_letters_is_no_session(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await refused(living)
        await replay(living)
        for table in ("sessions", "due"):
            page = await living.facade.table_rows(table, "", 100, None)
            assert page is not None
            assert len(page.items) == 2
        assert {one.name for one in (await living.facade.overview()).aggregators} == {"acc"}
        assert all(sample.labels.get("aggregator") != "" for sample in await living.facade.metrics()
                   if sample.name.startswith("sluice_control"))  # fmt: skip

    tell(tmp_path, story)
