"""EOD has each FDD once, under the day its last attempt started on, whatever its own date is."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.facade.campaigns.answers import ids
from app.facade.campaigns.reports import Reports
from connectors.stores.base import Write
from connectors.stores.sqlite_documents import SqliteDocuments
from tests.domain.campaigns.kit import Shard, flow

FIRST, NEXT = "2025-11-03", "2025-11-04"


class Asked:
    """A shard's answers, as `Asking` and `Sources` give them."""

    def __init__(self, shard: Shard, documents: SqliteDocuments) -> None:
        self.shard, self.documents = shard, documents

    async def all(self, ask: str) -> dict[int, Any]:
        assert ask == "ids"
        return {0: ids(self.shard.book, {}, self.shard.now_ms, self.shard.flows)}


def eod(shard: Shard, folder: Path, day: str) -> dict[str, int]:
    """Counts by outcome, out of what the shard has stored."""
    documents = SqliteDocuments(folder / f"{len(list(folder.iterdir()))}.sqlite")
    asked: Any = Asked(shard, documents)
    reports = Reports(asked, asked, lambda: shard.now_ms)

    async def rows() -> dict[str, int]:
        await documents.write([Write("fdds", one, 1, v) for one, v in shard.fdds().items()])
        return {row["outcome"]: row["count"] async for row in reports.rows("eod", day, None)}

    return asyncio.run(rows())


@pytest.fixture
def over_night() -> Shard:
    """Three without slots for one channel: two end in the evening, one in the morning."""
    shard = Shard(flow(channels=1), now="2025-11-03 20:30")
    shard.upload(3, ())
    for ended in ("2025-11-03 20:31", "2025-11-03 21:05", "2025-11-04 09:01"):
        (order,) = shard.orders()
        assert order["date"] == FIRST
        shard.started(order)
        shard.until(ended)
        shard.finished(order)
        if ended.endswith("21:05"):  # behind the working time: the last one waits
            assert shard.orders() == []
            shard.until("2025-11-04 09:00")
    return shard


def test_without_slots_an_fdd_goes_under_the_day_it_started(
    over_night: Shard, tmp_path: Path
) -> None:
    assert eod(over_night, tmp_path, FIRST) == {"COMPLETED": 2}
    assert eod(over_night, tmp_path, NEXT) == {"COMPLETED": 1}


def test_a_retrigger_that_takes_nothing_changes_nothing(over_night: Shard, tmp_path: Path) -> None:
    body = {"day": FIRST, "statuses": [], "failed": ["NOT_THERE"]}
    assert over_night.command("retrigger", body)["result"]["touched"] == 0
    assert not over_night.show()["flags"]["retriggered"]
    assert eod(over_night, tmp_path, FIRST) == {"COMPLETED": 2}
    assert eod(over_night, tmp_path, NEXT) == {"COMPLETED": 1}
