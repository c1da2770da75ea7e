"""What the facade tells while this release refuses what is in force."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from app.backend import Unavailable
from config.documents import registry
from config.documents.base import Document, DocumentError, Problem
from tables import in_force
from tables.out_of_service import OutOfService
from tests.app.facade.house import ME, House, aggregator
from tests.app.facade.rolled import rolled

HOOK = {"kind": "source", "name": "pushes", "connector": "github_webhook",
        "credentials": {"secret": "S"}}  # fmt: skip
BOARD = {"kind": "dashboard", "name": "b", "title": "B", "widgets": []}
DIGEST = {"kind": "digest", "name": "d", "every": "day", "dashboard": "b"}
RATE = {"kind": "metric", "name": "rate", "expression": "a / b"}
HIGH = {"kind": "alert", "name": "high", "metric": "a", "high": 1}


def refusing(data: Mapping[str, Any]) -> Document:
    raise DocumentError([Problem("name", data["name"], "no name at all")])


def test_everything_is_told_and_nothing_ends_when_everything_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = House(tmp_path)

    async def before() -> None:
        async with house.open() as living:
            board = {**BOARD, "widgets": [{"type": "number", "metric": "a"}]}
            for document in (aggregator(), HOOK, board, DIGEST, RATE, HIGH):
                await living.put(document)

    async def after() -> None:
        async with house.open("w-2") as living:
            facade = await rolled(living, [])
            found = await facade.documents()
            assert len(found) == 6
            assert all("no name at all" in one.out_of_service for one in found)
            troubles = [one.code for one in (await facade.overview()).troubles]
            assert troubles.count("document-out-of-service") == 6
            (totals,) = await facade.totals("acc")
            assert (totals.aggregator, totals.balanced) == ("acc", True)
            for asking in (
                facade.sessions("acc", {}, 10, None),
                facade.count_command("acc", "flush", {"group": {"account": "a"}}, ME),
            ):
                with pytest.raises(OutOfService):
                    await asking
            with pytest.raises(Unavailable, match="can't read its document"):
                await facade.receive_hook("pushes", {}, b"{}")
            assert [*await facade.metric_alerts(), *await facade.digests()] == []
            assert await facade.metric_sources() == []
            assert await facade.metrics()
            status = await facade.document_status("aggregator", "acc")
            assert status is not None
            assert not status.in_force
            await facade.delete_document("aggregator", "acc", ME, 5)
            left = await facade.documents()
            assert "aggregator" not in {one.kind for one in left}

    asyncio.run(before())
    in_force._loaded.cache_clear()
    with monkeypatch.context() as patched:
        for kind in registry.KINDS:
            patched.setitem(registry.KINDS, kind, refusing)
        asyncio.run(after())
    in_force._loaded.cache_clear()
