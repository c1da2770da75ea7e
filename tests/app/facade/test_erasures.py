"""What an erasure leaves of a person: nothing, in shards, stores and files."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.campaign_shapes import Commanded, RefusedAction, RefusedChange
from app.facade.facade import Facade
from app.insight_backend import FunnelAsked
from connectors.stores.opening import open_documents, open_negatives
from tests.agents.uploads.kit import number, table
from tests.app.facade.calling import EVENTS, ME, Calling, numbers, run, seen, upload
from tests.contracts.stores import document_store, new_database

PARAMS = ["sqlite", pytest.param("servers", marks=[pytest.mark.mongo, pytest.mark.mysql])]
Steps = Callable[[Facade], Awaitable[None]]
DAY_MS = 86_400_000
TWO = table([number(1), "Ann Only"], [number(2), "Bob Other"], ["98-0000-0001-99999", "Ann Only"])


@pytest.fixture(params=PARAMS)
def calling(request: pytest.FixtureRequest, tmp_path: Path) -> Calling:
    """A worker with its stores in files, or on a real `mongod` and MariaDB."""
    found = Calling(tmp_path)
    if request.param == "servers":
        request.param = "mongo_url"
        found.documents = document_store(request, tmp_path).open()
        address = asyncio.run(new_database(request.getfixturevalue("mysql_url")))
        found.negatives = open_negatives(address, tmp_path)
    else:
        found.documents = open_documents("", tmp_path)
        found.negatives = open_negatives("", tmp_path)
    return found


def closing(calling: Calling, steps: Steps) -> Steps:
    """Connections are the loop's: they end with it."""

    async def closed(facade: Facade) -> None:
        try:
            await steps(facade)
        finally:
            await calling.documents.close()
            await calling.negatives.close()

    return closed


async def everything(calling: Calling, facade: Facade, requests: list[str]) -> str:
    """All rows of the shards but the do-not-call list, those of events, all that the stores have,
    and the files of uploads."""
    found: list[Any] = []
    for book in calling.books.values():
        rows = ((k, v) for k, v in book.rows.items() if not k.startswith(b"d/"))
        found += [(k.decode(), msgspec.msgpack.decode(v) if v else None) for k, v in rows]
    for _, events in calling.events.books().values():
        found += [value.decode("latin-1") for value in events.rows.values()]
    for request_id in requests:
        page = await calling.negatives.numbers(request_id)
        found += [page.items, (await calling.negatives.uploads(request_id)).items]
        for day in ("2025-11-03", "2025-11-04"):
            fdds = await facade.campaign_fdds(request_id, {"day": day}, 1_000, None)
            assert fdds is not None
            found.append(list(fdds.items))
        rejected = await facade.rejections(request_id, 100, None)
        assert rejected is not None
        found.append(list(rejected.items))
    for folder in calling.house.folder.rglob("uploads"):
        files = [path for path in folder.rglob("*") if path.is_file()]
        found += [path.read_bytes().decode("latin-1") for path in files]
    return str(found)


def has(person: int, text: str) -> bool:
    """Whether the text has the number or the name."""
    name = ("Ann Only", "Bob Other", "Cleo")[person - 1]
    return number(person).removeprefix("+91") in text or name in text


async def erased(ask: Callable[[], Awaitable[Commanded]]) -> dict[str, Any]:
    """The result of an erasure, asked for again while a file is still read."""
    while True:
        try:
            done = await ask()
        except RefusedAction:
            await asyncio.sleep(0)
            continue
        assert done.state == "done"
        return dict(done.result or {})


async def made(facade: Facade, calling: Calling, **description: Any) -> str:
    request_id = await upload(facade, TWO, **description)
    for n in (1, 2):
        for raw in (
            {"kind": "funnel", "operation": "Enter", "step": "pay", "detail": {"to": number(n)}},
            {"kind": "usage", "what": "message", "channel": "sms"},
        ):
            event = json.dumps({**raw, "campaign": request_id, "customer": number(n)}).encode()
            await calling.house.log.append(EVENTS, 0, [(number(n).encode(), event, None, ())])
    await facade.add_negatives(request_id, numbers(number(1), number(2), "abc"), ME, False)

    async def there() -> bool:
        page = await calling.negatives.numbers(request_id)
        fdds = await facade.campaign_fdds(request_id, {"day": "2025-11-03"}, 10, None)
        return len(page.items) == 3 and fdds is not None and len(fdds.items) == 2

    await seen(there)
    return request_id


def test_nothing_is_left_of_a_number_and_of_others_all_is(calling: Calling) -> None:
    async def steps(facade: Facade) -> None:
        both = [await made(facade, calling, flow=name) for name in ("reminder", "greeting")]
        before = await everything(calling, facade, both)
        assert has(1, before) and has(2, before)
        dry = await erased(lambda: facade.erase_number(number(1), ME, True))
        assert dry["by"]["records_and_fdds"] == 4 and dry["by"]["events"] == 4
        month = "2025-11-01", "2025-12-01"
        usage = await facade.usage(*month)
        assert len((await facade.fdds_by_number(number(1), 10, None)).items) == 2
        done = await erased(lambda: facade.erase_number(number(1), ME, False))
        assert done["by"]["negatives"] == 2 and done["by"]["rejected_rows"] == 2
        shown = await facade.funnel(FunnelAsked(customer=number(1)), 10, None)
        assert list(shown.items) == [] and done["by"]["events"] == 4
        assert len((await facade.funnel(FunnelAsked(), 10, None)).items) == 4
        after = await facade.usage(*month)
        assert (after.reached, after.charts, after.active) == (2, usage.charts, usage.active)

        async def gone() -> bool:
            left = await everything(calling, facade, both)
            return not has(1, left) and has(2, left)

        await seen(gone)
        assert not (await facade.recount(None, False, ME)).differences
        again = await erased(lambda: facade.erase_number(number(1), ME, False))
        assert again["touched"] == 0

    run(calling, closing(calling, steps))


def test_campaigns_over_long_ago_lose_all_numbers_and_live_ones_none(calling: Calling) -> None:
    async def steps(facade: Facade) -> None:
        old = await made(facade, calling)
        calling.house.clock.advance(90 * DAY_MS)
        new = await made_later(facade)
        for days in (400, 500_000, 700_000):  # the last two of years before 1000
            assert (await erased(partial(facade.erase_older, days, ME, False)))["by"] == {}
        assert has(1, await everything(calling, facade, [old]))
        dry = await erased(lambda: facade.erase_older(30, ME, True))
        assert dry["by"]["records_and_fdds"] == 2
        assert has(1, await everything(calling, facade, [old]))
        done = await erased(lambda: facade.erase_older(30, ME, False))
        assert done["by"]["negatives"] == 3 and done["by"]["events"] == 4

        async def gone() -> bool:
            text = await everything(calling, facade, [old])
            return not any(number(n).removeprefix("+91") in text for n in (1, 2))

        await seen(gone)
        shown = await facade.campaign(old, "2025-11-03")
        assert shown is not None
        assert shown["counts"]["created"] == 2
        assert shown["counts"]["negative"]["rows"] == 3
        assert has(3, await everything(calling, facade, [new]))
        with pytest.raises(RefusedChange):
            await facade.erase_older(10**6, ME, False)

    async def made_later(facade: Facade) -> str:
        return await upload(facade, table([number(3), "Cleo"]))

    run(calling, closing(calling, steps))
