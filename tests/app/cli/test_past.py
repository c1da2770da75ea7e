"""`sluice config preview --since` and `sluice sessions show --explain`, from the command line to a
worker's state and back."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestServer

from app.web.server import make_web
from tests.app.cli.running import Ran, sluice
from tests.app.facade.house import HOUR_MS, House, Living, aggregator
from tests.browser.dev import DevSettings

Call = Callable[..., Awaitable[Ran]]


def live(folder: Path, steps: Callable[[Living, Call], Awaitable[None]]) -> None:
    """Runs `steps` with a worker and with `sluice` talking to it."""

    async def run() -> None:
        async with House(folder).open() as worker:
            app = make_web(worker.facade, DevSettings(), worker.clock)
            async with TestServer(app) as server:

                async def call(*arguments: str | Path, **more: Any) -> Ran:
                    address = str(server.make_url("")).rstrip("/")
                    return await asyncio.to_thread(sluice, *arguments, server=address, **more)

                await steps(worker, call)

    asyncio.run(run())


def written(folder: Path, **changes: Any) -> Path:
    file = folder / "document.json"
    file.write_text(json.dumps(aggregator(**changes)))
    return file


async def flushed(worker: Living) -> None:
    """Two flushes: 0.1 + 0.2 for X, 5 for Y."""
    await worker.put(aggregator())
    await worker.send(b'{"account":"X","bytes":0.1}', {"account": "Y", "bytes": 5})
    await worker.send(b'{"account":"X","bytes":0.2}', b"no record")
    worker.clock.advance(2 * HOUR_MS)
    await worker.work()


def test_a_document_is_run_against_history(tmp_path: Path) -> None:
    async def steps(worker: Living, call: Call) -> None:
        await flushed(worker)
        document = written(
            tmp_path, filter={"field": "account", "op": "==", "value": "X"},
            aggregate=[{"field": "bytes", "operation": "sum"}, {"field": "*", "operation": "count"},
                       {"field": "bytes", "operation": "max"}],
        )  # fmt: skip
        ran = await call("config", "preview", "--since", "24h", document, "--json")
        assert ran.code == 1, ran  # a record was rejected, then as now
        result = ran.json["result"]
        assert result["groups"]["same"] == 1
        assert [item["status"] for item in result["items"]] == ["only_now"]
        assert result["added"] == ["max_bytes"]
        assert result["items"][0]["results"]["sum_bytes"]["difference"] == -5
        people = await call("config", "preview", "--since", "24h", document)
        assert "only now" in people.out
        assert "1 groups the same" in people.out
        assert "new: max_bytes" in people.out
        assert "undecodable" in people.err

    live(tmp_path, steps)


def test_a_preview_needs_a_document_a_when_and_no_records(tmp_path: Path) -> None:
    async def steps(worker: Living, call: Call) -> None:
        await worker.put(aggregator())
        document = written(tmp_path)
        wrong = await call("config", "preview", "--since", "yesterday", document)
        assert wrong.code == 2 and "7d" in wrong.err
        both = await call("config", "preview", "--since", "1h", document, document)
        assert both.code == 2 and "not both" in both.err
        nothing = await call("config", "preview", "--since", "beginning", document)
        assert nothing.code == 0 and "0 flushes now" in nothing.out
        elsewhere = await call("config", "preview", "--since", "1h", written(tmp_path, input="no"))
        assert elsewhere.code == 1 and "no topic 'no'" in elsewhere.err

    live(tmp_path, steps)


def test_a_flush_is_explained(tmp_path: Path) -> None:
    async def steps(worker: Living, call: Call) -> None:
        await flushed(worker)
        records = [
            json.loads(item[3] or b"")
            for tp, rows in worker.log.rows.items()
            for item in rows
            if tp[0] == "aggregates"
        ]
        (x,) = [record["id"] for record in records if record["group"] == {"account": "X"}]
        ran = await call("sessions", "show", "acc", "account=X", "--explain", x, "--json")
        assert ran.code == 0, ran
        assert sorted(each["record"]["value"]["bytes"] for each in ran.json["records"]) == [
            0.1,
            0.2,
        ]
        people = await call("sessions", "show", "acc", "--explain", x)
        assert '{"account":"X","bytes":0.2}' in people.out
        assert "version 1" in people.out and "duration 1h" in people.out
        assert (await call("sessions", "show", "acc", "--explain", "nobody")).code == 1

    live(tmp_path, steps)
