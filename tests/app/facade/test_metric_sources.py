"""Sources as the HTTP interface is told of them, and what is pushed to them."""

import asyncio
import hmac
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from app.backend import Unavailable
from app.source_shapes import BadDelivery, BadSignature, FetchRefused
from domain.metrics.records import decode
from tests.app.facade.house import House, Living
from tests.connectors.sources.service import Items
from tests.waiting import auntil

DAY_MS = 86_400_000
HOOK = {
    "kind": "source", "name": "pushes", "connector": "github_webhook",
    "credentials": {"secret": "HOOK_SECRET", "secret_next": "HOOK_NEXT"},
}  # fmt: skip
STAR = {"action": "created", "repository": {"full_name": "acme/alpha"}, "sender": {"login": "ann"}}


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOOK_SECRET", "one")
    monkeypatch.setenv("HOOK_NEXT", "two")


async def push(
    living: Living, delivery: str, body: bytes | None = None, event: str = "star",
    secret: str = "one",
) -> str | None:  # fmt: skip
    content = json.dumps(STAR).encode() if body is None else body
    signature = "sha256=" + hmac.new(secret.encode(), content, sha256).hexdigest()
    headers = {"X-Hub-Signature-256": signature, "X-GitHub-Delivery": delivery,
               "X-GitHub-Event": event}  # fmt: skip
    return await living.facade.receive_hook("pushes", headers, content)


def counted(living: Living) -> list[Any]:
    rows = [row for tp, part in living.log.rows.items() if tp[0] == "source-events" for row in part]
    return [decode(row[3] or b"") for row in rows]


def test_a_delivery_is_taken_once_in_thirty_days_and_counted_once(tmp_path: Path) -> None:
    house = House(tmp_path)

    async def run() -> None:
        async with house.open() as living:
            await living.put(HOOK)
            assert await push(living, "d1") == "taken"
            assert await push(living, "d1") == "repeated"
            assert await push(living, "d2", secret="two", event="fork") == "taken"
            assert await push(living, "d0", event="ping") == "ping"
            await auntil(lambda: len(counted(living)) == 2)
            house.clock.advance(29 * DAY_MS)
        async with house.open("w-2") as living:  # it has seen nothing itself
            assert await push(living, "d1") == "repeated"
            house.clock.advance(2 * DAY_MS)
            assert await push(living, "d3") == "taken"
            await auntil(lambda: len(counted(living)) == 3)
            records = counted(living)
            assert [record.key for record in records] == ["d1", "d2", "d3"]
            assert [value.dimensions for value in records[1].values] == [
                {"event": "fork", "repo": "acme/alpha"}
            ]
            archived = sorted(living.archive.records("pushes"), key=lambda each: each.version)
            assert [each.record.attributes["delivery"] for each in archived] == ["d1", "d2", "d3"]
            assert archived[2].record.ts_ms == house.clock.now_ms()

    asyncio.run(run())


@pytest.mark.parametrize(
    ("changes", "raised"),
    [
        ({"secret": "wrong"}, BadSignature),
        ({"body": b"{"}, BadDelivery),
        ({"body": b"[1]"}, BadDelivery),
        ({"event": ""}, BadDelivery),
    ],
)
def test_what_is_not_signed_or_no_json_is_refused(
    tmp_path: Path, changes: dict[str, Any], raised: type[Exception]
) -> None:
    async def run() -> None:
        async with House(tmp_path).open() as living:
            await living.put(HOOK)
            with pytest.raises(raised):
                await push(living, "d1", **changes)
            assert not any(part for tp, part in living.log.rows.items() if "deliveries" in tp[0])

    asyncio.run(run())


def test_a_secret_that_is_not_set_is_told_and_nothing_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HOOK_NEXT")

    async def run() -> None:
        async with House(tmp_path).open() as living:
            await living.put(HOOK)
            with pytest.raises(Unavailable, match="HOOK_NEXT is not set"):
                await push(living, "d1")

    asyncio.run(run())


def test_a_fetch_is_asked_for_waited_for_and_shown(tmp_path: Path) -> None:
    service = Items()
    service.items = [{"id": n, "at": 1_700_000_000_000} for n in range(1, 6)]

    async def run() -> None:
        async with service.serve() as url, House(tmp_path).open() as living:
            facade = living.facade
            await living.put(
                {"kind": "source", "name": "items", "connector": "http_json",
                 "schedule": "0 * * * *", "base_url": url,
                 "fetch": {"path": "items", "records": "items", "ts": "at", "key": "id",
                           "paging": {"next": "next", "param": "after"},
                           "cursor": {"field": "id", "param": "after"}}}
            )  # fmt: skip
            tried = await facade.fetch_source("items", None, None, trial=True)
            assert tried is not None
            tried = await facade.fetch_of_source("items", tried.id, 5)
            assert tried is not None and (tried.state, tried.records) == ("done", 3)
            assert [each["key"] for each in tried.sample] == ["1", "2", "3"]
            assert list(living.archive.records("items")) == []
            asked = await facade.fetch_source("items", None, None, trial=False)
            assert asked is not None
            done = await facade.fetch_of_source("items", asked.id, 5)
            assert done is not None and (done.state, done.records, done.pages) == ("done", 5, 2)
            (status,) = await facade.metric_sources()
            assert status.cursor == {"last": 5} and status.last_error is None
            assert status.next_run_ms == 1_700_002_800_000 and not status.running
            assert await facade.fetch_source("other", None, None, trial=False) is None
            assert await facade.fetch_of_source("items", "other", 0) is None

    asyncio.run(run())


def test_a_connector_without_history_refuses_a_fetch_by_time(tmp_path: Path) -> None:
    async def run() -> None:
        async with House(tmp_path).open() as living:
            await living.put(HOOK)
            with pytest.raises(FetchRefused, match="no history"):
                await living.facade.fetch_source("pushes", 0, 1, trial=False)

    asyncio.run(run())
