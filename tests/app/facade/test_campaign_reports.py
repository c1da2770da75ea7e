"""Reports, leftovers, recounts and erasures of campaigns through the facade."""

import csv
import io
from pathlib import Path
from typing import Any

import pytest

from app.campaign_shapes import (
    RefusedChange,
)
from app.facade.facade import Facade
from connectors.stores.base import Write
from tests.agents.uploads.kit import number, table
from tests.app.facade.calling import ME, TEN, Calling, numbers, run, seen, upload

HOUR_MS = 3_600_000


async def stored(facade: Facade) -> None:
    """Returns when the store has what the shard has."""

    async def alike() -> bool:
        return not (await facade.recount(None, False, ME)).differences

    await seen(alike)


async def report(facade: Facade, kind: Any, day: str, request_id: str | None = None) -> list[Any]:
    return [dict(row) async for row in facade.report(kind, day, request_id)]


def test_reports_and_leftovers_add_up(tmp_path: Path) -> None:
    calling = Calling(tmp_path)

    async def steps(facade: Facade) -> None:
        request_id = await upload(facade, TEN, name="=dues")
        await facade.add_negatives(request_id, numbers(number(9)), ME, False)
        calling.house.clock.advance(8 * HOUR_MS)  # the slot is over

        async def over() -> bool:
            shown = await facade.campaign(request_id, None)
            return shown is not None and shown["counts"]["pending"] == 0

        await seen(over)
        await stored(facade)
        rows = await report(facade, "eod", "2025-11-03")
        counts = {(row["outcome"], row["reason"]): row["count"] for row in rows}
        shown = await facade.campaign(request_id, None)
        assert shown is not None
        assert sum(counts.values()) == shown["counts"]["attempted"] == 9
        assert counts["NEGATIVE", None] == 1
        assert {row["campaign"] for row in rows} == {"=dues"}
        assert await report(facade, "eod", "2025-11-04") == []
        assert await report(facade, "raw", "2025-11-03") == []
        assert await report(facade, "raw", "2025-11-03", "nobody-00") == []
        left = await facade.leftovers(request_id, None)
        assert left is not None
        text = b"".join([piece async for piece in left]).decode()
        found = list(csv.DictReader(io.StringIO(text, newline="")))
        missed = counts.get(("FAILED", "OUT_OF_SLOT"), 0)
        assert len(found) == missed
        assert all(row["name"].startswith("name ") for row in found)
        assert await facade.leftovers("reminder-00", None) is None

    run(calling, steps)


def test_a_recount_finds_and_repairs_what_a_store_lost(tmp_path: Path) -> None:
    calling = Calling(tmp_path)

    async def steps(facade: Facade) -> None:
        request_id = await upload(facade, TEN)
        clean = await facade.recount(None, False, ME)
        assert (clean.campaigns, list(clean.differences)) == (1, [])
        page = await facade.campaign_fdds(request_id, {}, 2, None)
        assert page is not None
        lost, strange = dict(page.items[0]), {**page.items[1], "record_no": 999}
        strange["id"] = strange["id"].rpartition(".")[0] + ".999"
        await facade.change_campaign(request_id, "resume", {}, ME, True)
        at = calling.sequence  # newer than what the store has
        await calling.documents.write([
            Write("fdds", lost["id"], at, None),
            Write("fdds", strange["id"], at, strange),
            Write("fdds", page.items[1]["id"], at,
                  {**page.items[1], "state": "COMPLETED", "status": "COMPLETED"}),
        ])  # fmt: skip
        found = await facade.recount(request_id, False, ME)
        assert {(one.path, one.counted, one.stored) for one in found.differences} >= {
            ("outcome.completed", 0, 1)
        }
        repaired = await facade.recount(request_id, True, ME)
        assert repaired.repaired == 3
        assert list((await facade.recount(request_id, False, ME)).differences) == []

    run(calling, steps)


def test_an_erased_number_is_nowhere(tmp_path: Path) -> None:
    calling = Calling(tmp_path)
    content = table([number(1), "a"], [number(2), "b"], ["98-0000-0001-99999", "c"])

    async def steps(facade: Facade) -> None:
        request_id = await upload(facade, content)
        dry = await facade.erase_number(number(1), ME, True)
        assert (dry.result or {})["touched"] > 0
        assert len((await facade.fdds_by_number(number(1), 10, None)).items) == 1
        await facade.erase_number(number(1), ME, False)
        await stored(facade)
        assert (await facade.fdds_by_number(number(1), 10, None)).items == []
        assert len((await facade.fdds_by_number(number(2), 10, None)).items) == 1
        rejected = await facade.rejections(request_id, 10, None)
        assert rejected is not None
        assert [one["value"] for one in rejected.items] == [""]
        with pytest.raises(RefusedChange):
            await facade.erase_number("abc", ME, False)

    run(calling, steps)
    for path in tmp_path.rglob("*"):
        if path.is_file() and "uploads" in path.parts:
            assert b"9800000001" not in path.read_bytes()
            assert b"98-0000-0001-9" not in path.read_bytes()
