"""Commands about campaigns that no shard has come to yet, asked for anywhere."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from agents.uploads import number_lists
from app.campaign_shapes import Commanded
from app.facade.facade import Facade
from tests.agents.uploads.kit import number
from tests.app.facade.calling import ME, TEN, Calling, numbers, run, seen, upload

EVENTS = "campaign-events"
ALL = {0, 1}


@pytest.mark.parametrize("action", ["pause", "retrigger"])
def test_a_command_is_running_until_its_shard_has_come_to_it(tmp_path: Path, action: str) -> None:
    calling = Calling(tmp_path)

    async def steps(facade: Facade) -> Commanded:
        request_id = await upload(facade, TEN)
        calling.held = ALL
        done = await facade.change_campaign(request_id, action, {}, ME, False, 0.0)  # type: ignore[arg-type] # one of them
        assert done is not None
        assert done.state == "running"
        assert await facade.campaign_command(done.command_id) == done
        return done

    given = run(calling, steps)
    ident, at = given.command_id, given.position
    assert at is not None
    partition, offset = at

    async def elsewhere(facade: Facade) -> None:
        for _ in range(3):
            assert await facade.campaign_command(ident, 0.0, at) == given
        assert await facade.campaign_command(ident) is None  # only its giver knows it by its id
        assert await facade.campaign_command("nobody", 0.0, at) is None
        for other in ((partition, offset - 1), (partition, offset + 1), (7, offset)):
            assert await facade.campaign_command(ident, 0.0, other) is None
        calling.held = set()
        found = await facade.campaign_command(ident, 10.0, at)
        assert found is not None
        assert found.state == ("done" if action == "pause" else "refused")
        assert await facade.campaign_command(ident) == found

    async def another() -> None:
        async with calling.open("w-2") as facade:
            await elsewhere(facade)

    asyncio.run(another())


def test_what_is_for_all_shards_is_running_until_each_has_come_to_it(tmp_path: Path) -> None:
    calling = Calling(tmp_path)
    calling.held = {1}

    async def steps(facade: Facade) -> Commanded:
        given = await facade.add_do_not_call(numbers(number(1)), ME, False, 0.0)
        row = f"k/{given.command_id}".encode()

        async def one_has() -> bool:
            assert await facade.campaign_command(given.command_id) == given
            return calling.books[0].get(row) is not None

        await seen(one_has)
        assert await facade.campaign_command(given.command_id) == given
        return given

    given = run(calling, steps)

    async def another() -> None:
        async with calling.open("w-2") as facade:
            for at in (given.position, None):
                assert await facade.campaign_command(given.command_id, 0.0, at) == given
            calling.held = set()
            found = await facade.campaign_command(given.command_id, 10.0)
            assert found is not None
            assert (found.state, (found.result or {})["rows"]) == ("done", 1)

    asyncio.run(another())


def test_the_parts_of_a_list_for_all_shards_keep_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(number_lists, "PART_ROWS", 1)
    calling = Calling(tmp_path, shards=3)

    async def steps(facade: Facade) -> None:
        calling.held = {0, 1, 2}
        done = await facade.add_do_not_call(numbers(*map(number, range(5))), ME, False, 0.0)
        assert done.position is not None
        rows = calling.house.log.rows[EVENTS, done.position[0]]
        firsts = [msgspec.json.decode(row[3] or b"")["body"]["first"] for row in rows]
        assert firsts == [1, 2, 3, 4, 5]
        assert rows[-1][0] == done.position[1]

    run(calling, steps)
