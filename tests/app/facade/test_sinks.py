"""What the console and the HTTP interface are told of sinks."""

import asyncio
import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from app.sink_shapes import SinkStatus
from tests.app.facade.house import ME, House, Living
from tests.connectors.sinks.billing import SECRET, Billing
from tests.waiting import auntil


def sink(url: str) -> dict[str, Any]:
    retry = {"first": "10ms", "most": "10ms"}
    http = {"url": url, "secret": "HOOK"}
    return {"kind": "sink", "name": "hook", "http": http, "retry": retry}


async def until_told(living: Living, wanted: Callable[[SinkStatus], bool]) -> SinkStatus:
    """The sink's status, once it is as wanted."""
    seen: list[SinkStatus] = []

    async def look() -> list[SinkStatus]:
        found = await living.facade.sinks()
        seen[:] = [one for one in found if wanted(one)]
        return seen

    await auntil(look)  # type: ignore[arg-type]  # mypy takes the coroutine for T itself
    return seen[0]


def _has(number: int, sink: SinkStatus) -> bool:
    return sink.total("accepted") == number


def failing(sink: SinkStatus) -> bool:
    """Whether it has tried a few times."""
    return sink.trouble is not None and sink.trouble.attempts >= 3


def test_totals_troubles_and_what_was_taken(tmp_path: Path) -> None:
    async def run() -> None:
        answers = {"bad": 422, "late": 503}
        billing = Billing(lambda call: answers.get(call.id, 200))
        house = House(tmp_path, environ={"HOOK": SECRET})
        async with billing.serve(), house.open() as living:
            await living.facade.put_document("sink", "hook", sink(billing.url), ME, 5.0)
            values = [{"id": one} for one in ("good", "bad", "late", "last")]
            rows = [(b"k", json.dumps(value).encode(), None, ()) for value in values]
            await living.log.append("aggregates", 0, rows)

            found = await until_told(living, failing)
            assert (found.state, found.target) == ("failing", billing.url)
            assert found.trouble is not None
            assert "503" in found.trouble.detail
            overview = await living.facade.overview()
            assert [t.code for t in overview.troubles if t.code.startswith("sink")] == [
                "sink-failing"
            ]
            answers.pop("late")

            found = await until_told(living, lambda one: one.state == "caught up")
            counts = {
                name: found.total(name) for name in ("sent", "accepted", "refused", "waiting")
            }
            assert counts == {"sent": 4, "accepted": 3, "refused": 1, "waiting": 0}
            taken = await living.facade.sink_taken("hook", ["good", "bad", "nobody"])
            assert taken is not None
            assert [(one.id, one.state) for one in taken] == [
                ("good", "taken"), ("bad", "refused"), ("nobody", "unknown"),
            ]  # fmt: skip
            assert await living.facade.sink_taken("other", ["good"]) is None
            samples = {
                (sample.name, sample.labels.get("part")): sample.value
                for sample in await living.facade.metrics()
                if sample.labels.get("sink") == "hook"
            }
            assert samples["sluice_sink_records_total", "accepted"] == 3
            assert samples["sluice_sink_records_total", "refused"] == 1
            assert samples["sluice_sink_waiting_records", None] == 0
            assert samples["sluice_sink_failing", None] == 0

    asyncio.run(run())


def test_counts_go_on_through_a_restart(tmp_path: Path) -> None:
    async def run() -> None:
        billing = Billing()
        house = House(tmp_path, environ={"HOOK": SECRET})
        async with billing.serve():
            for life in range(2):
                async with house.open(f"w-{life}") as living:
                    await living.facade.put_document("sink", "hook", sink(billing.url), ME, 5.0)
                    row = (b"k", json.dumps({"id": str(life)}).encode(), None, ())
                    await living.log.append("aggregates", 0, [row])
                    number = life + 1
                    await until_told(living, partial(_has, number))
        assert [call.id for call in billing.calls] == ["0", "1"]

    asyncio.run(run())


def test_partitions_given_out_anew_while_it_tidies_end_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agents.sinks.lanes.TIDY_S", -1.0)

    async def run() -> None:
        billing = Billing()
        house = House(tmp_path, environ={"HOOK": SECRET})
        async with billing.serve(), house.open() as living:
            await living.facade.put_document("sink", "hook", sink(billing.url), ME, 5.0)
            await living.facade.put_document(
                "sink", "other", {**sink(billing.url), "name": "other"}, ME, 5.0
            )
            await auntil(lambda: len(living.sinks.lines()) == 4)
            begin, revoked = living.log.begin_offsets, 0

            async def begins(tps: Any) -> Any:
                nonlocal revoked
                if revoked == 0 and asyncio.current_task() is not reconciling:
                    return await begin(tps)
                revoked += 1
                if revoked == 1:
                    await living.sinks.pause()
                return await begin(tps)

            living.paused = True
            reconciling = asyncio.create_task(living.sinks.reconcile())
            living.log.begin_offsets = begins  # type: ignore[method-assign]  # revoked meanwhile
            await reconciling
            assert revoked > 0
            living.paused = False
            await living.sinks.assign({0, 1})
            await auntil(lambda: len(living.sinks.lines()) == 4)

    asyncio.run(run())
