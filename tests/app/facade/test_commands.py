"""Commands by way of the facade: counted, given once, answered."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from app.backend import IdempotencyConflict
from app.command_shapes import Commanded
from app.shapes import Change
from config.documents.base import DocumentError
from tests.app.facade.house import House, Living, aggregator

Story = Callable[[Living], Awaitable[None]]
WHY = Change("tester", "a test")
WAIT_S = 10.0


def tell(tmp_path: Path, story: Story, partitions: int = 3) -> None:
    async def work() -> None:
        async with House(tmp_path, partitions).open() as living:
            await living.put(aggregator())
            await living.send(*({"account": f"a{n}", "bytes": n} for n in range(10)))
            await living.send({"account": 5, "bytes": 1}, {"account": "5", "bytes": 1})
            await story(living)

    asyncio.run(work())


async def give(living: Living, action: str, change: Change = WHY, **asked: Any) -> Commanded:
    done = await living.facade.give_command("acc", action, asked, change, WAIT_S)
    assert done is not None
    return done


def on(living: Living, topic: str) -> list[dict[str, Any]]:
    return [
        json.loads(item[3] or b"")
        for (name, _), items in sorted(living.log.rows.items())
        for item in items
        if name == topic
    ]


def audited(living: Living) -> list[dict[str, Any]]:
    """What commands left in the audit, deleted sessions first."""
    found = (each for each in on(living, "aggregates.audit") if "command_id" in each)
    return sorted(found, key=lambda each: "kind" in each)


BIG = {"field": "sum_bytes", "op": ">=", "value": 6}


def test_a_dry_run_counts_what_a_command_then_touches(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        counted = await living.facade.count_command("acc", "flush", {"filter": BIG}, Change("t"))
        assert counted == Commanded("", "flush", "acc", True, True, 4, 4)
        assert on(living, "aggregates") == []
        done = await give(living, "flush", filter=BIG)
        assert (done.done, done.sessions, done.records) == (True, 4, 4)
        assert {flush["meta"]["flushType"] for flush in on(living, "aggregates")} == {"COMMAND"}
        assert len(on(living, "aggregates")) == 4
        again = await give(living, "flush", filter=BIG)
        assert again.sessions == 0
        assert again.id != done.id

    tell(tmp_path, story)


def test_a_group_is_one_shards_and_of_its_type(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        done = await give(living, "delete", group={"account": 5})
        assert (done.done, done.sessions) == (True, 1)
        page = await living.facade.sessions("acc", {"account": "5"}, 10, None)
        assert page is not None
        assert [row.key for row in page.items] == ['["5"]']
        gone, answer = audited(living)
        assert gone["group"] == {"account": 5}
        assert len(answer["partitions"]) == 1
        assert (await living.totals())["deleted"] == 1
        assert (await give(living, "delete", group={"account": "nobody"})).sessions == 0

    tell(tmp_path, story)


def test_the_same_idempotency_key_gives_a_command_once(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        once = Change("tester", "a test", "key-1")
        first = await give(living, "flush", once, group={"account": "a1"})
        await living.send({"account": "a1", "bytes": 1})
        assert await give(living, "flush", once, group={"account": "a1"}) == first
        assert len(on(living, "aggregates")) == 1
        with pytest.raises(IdempotencyConflict):
            await give(living, "flush", once, group={"account": "a2"})

    tell(tmp_path, story)


def test_a_command_that_takes_long_is_told_later(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        living.paused = True
        asked = {"filter": BIG}
        begun = await living.facade.give_command("acc", "flush", asked, WHY, 0.0)
        assert begun is not None
        assert (begun.done, begun.sessions) == (False, 0)
        assert begun.position is not None
        assert await living.facade.command("acc", begun.id) is None
        living.paused = False
        await living.settled()
        found = await living.facade.command("acc", begun.id)
        assert found is not None
        assert (found.done, found.sessions) == (True, 4)

    tell(tmp_path, story)


@pytest.mark.parametrize(
    ("action", "asked", "path"),
    [
        ("flush", {"group": {"acount": "a"}}, "group.acount"),
        ("flush", {"group": {}}, "group"),
        ("flush", {"group": {"account": ["a"]}}, "group.account"),
        ("flush", {}, ""),
        ("flush", {"group": {"account": "a"}, "filter": BIG}, "filter"),
        ("flush", {"filter": {**BIG, "value": "six"}}, "filter.value"),
        ("flush", {"filter": {**BIG, "field": "record.bytes"}}, "filter.field"),
        ("flush", {"filter": BIG, "due": "2030-01-01T00:00:00Z"}, "due"),
        ("set-timeout", {"filter": BIG}, "due"),
        ("set-timeout", {"filter": BIG, "due": "tomorrow"}, "due"),
    ],
)
def test_what_is_wrong_is_told_by_its_path(
    tmp_path: Path, action: str, asked: dict[str, Any], path: str
) -> None:
    async def story(living: Living) -> None:
        for ask in (
            living.facade.count_command("acc", action, asked, WHY),
            living.facade.give_command("acc", action, asked, WHY, 0.0),
        ):
            with pytest.raises(DocumentError) as refused:
                await ask
            assert [problem.path for problem in refused.value.problems] == [path]
        assert not [1 for item in living.log.rows["config", 0] if b"command" in (item[2] or b"")]

    tell(tmp_path, story, 1)


def test_no_reason_and_no_such_aggregator(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        with pytest.raises(DocumentError, match="reason"):
            await give(living, "flush", Change("tester", "  "), filter=BIG)
        assert await living.facade.give_command("nobody", "flush", {}, WHY, 0.0) is None
        assert await living.facade.count_command("nobody", "flush", {}, WHY) is None

    tell(tmp_path, story, 1)


def test_the_audit_tells_who_when_why_and_what(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        due = "2023-11-15T03:00:00Z"
        done = await give(living, "set-timeout", filter=BIG, due=due)
        answers = audited(living)
        assert len(answers) == len(answers[0]["partitions"]) == 3
        assert sum(answer["touched"] for answer in answers) == done.sessions == 4
        assert len({answer["id"] for answer in answers}) == 3
        for answer in answers:
            assert answer["command_id"] == done.id
            assert (answer["actor"], answer["reason"]) == ("tester", "a test")
            assert (answer["filter"], answer["due"]) == (BIG, due)
            assert answer["at"] == "2023-11-14T22:13:20.000Z"
        page = await living.facade.sessions("acc", {"account": "a9"}, 10, None)
        assert page is not None
        assert json.loads(page.items[0].record)["explain"]["rule"] == "set by an operator"
        _, tombstone = (i for i in living.log.rows["config", 0] if b"command" in (i[2] or b""))
        assert tombstone[3] is None

    tell(tmp_path, story)


def test_the_due_index_follows_a_set_timeout(tmp_path: Path) -> None:
    async def story(living: Living) -> None:
        await give(living, "set-timeout", group={"account": "a9"}, due="2023-11-14T22:14:00Z")
        rows = await living.facade.table_rows("due", "2023-11-14T22:14", 10, None)
        assert rows is not None
        assert [json.loads(row.value)["key"] for row in rows.items] == [["a9"]]
        rows = await living.facade.table_rows("due", "", 100, None)
        assert rows is not None
        assert len(rows.items) == 12

    tell(tmp_path, story)
