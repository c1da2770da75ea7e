"""A worker on the embedded stream, while the documents that name its inputs come and go."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from app.worker import ROLES, Worker
from config.settings import Settings
from tests.waiting import auntil

DOCUMENT: dict[str, Any] = {
    "kind": "aggregator",
    "name": "data",
    "group": {"fields": ["account"]},
    "aggregate": [{"field": "*", "operation": "count"}],
    "flush": {"by": "timeout", "timeout": {"duration": {"hours": 1}}},
}


@asynccontextmanager
async def worker(folder: Path, roles: tuple[str, ...] = ROLES) -> AsyncIterator[Worker]:
    made = Worker(Settings(data_dir=folder, partitions=1, commit_interval_s=0.1), roles)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def put(made: Worker, document: dict[str, Any] | None) -> None:
    """Returns when the change is in force."""
    revision = made.documents.revision
    message = {"kind": "aggregator", "name": "data", "document": document}
    row = (b"aggregator/data", json.dumps(message).encode(), None, ())
    await made.log.append("config", 0, [row])
    await auntil(lambda: made.documents.revision > revision)


async def send(made: Worker, records: int) -> None:
    """One batch after the other, so that more of them come than may wait."""
    for number in range(records):
        read = made.engine.intakes.positions.get(("usage", 0), 0)
        end = (await made.log.end_offsets([("usage", 0)]))[("usage", 0)]
        value = json.dumps({"account": str(number)}).encode()
        await made.log.append("usage", 0, [(None, value, None, ())])
        await auntil(
            lambda end=end: made.engine.intakes.positions.get(("usage", 0), 0) > end,  # type: ignore[misc]  # binds the loop's value
            what=f"record {number}, from {read}",
        )


async def committed(made: Worker) -> bool:
    """Whether all that is on the input was acknowledged."""
    at = ("usage", 0)
    end = (await made.log.end_offsets([at]))[at]
    return (await made.log.committed(made.names.group, [at]))[at] == end


def test_an_input_left_and_taken_up_again_is_read_to_its_end(tmp_path: Path) -> None:
    async def story() -> None:
        async with worker(tmp_path, ("route",)) as made:
            await put(made, DOCUMENT)
            await send(made, 2)
            # who aggregates reads an input that is keyed by the session, who routes leaves it
            await put(
                made, {**DOCUMENT, "keyed_by": ["account"], "group": {"fields": ["account", "b"]}}
            )
            await auntil(lambda: "usage" not in made._subscribed)
            await put(made, {**DOCUMENT, "ttl_days": 5})
            await auntil(lambda: ("usage", 0) in made.engine.assigned)
            await send(made, 9)
            read: bool = await auntil(partial(committed, made))
            assert read

    asyncio.run(story())


def test_what_comes_for_a_removed_document_is_counted_as_unmatched(tmp_path: Path) -> None:
    async def story() -> None:
        async with worker(tmp_path) as made:
            await put(made, DOCUMENT)
            await send(made, 1)
            await put(made, None)
            await send(made, 1)
        async with worker(tmp_path) as made:
            await send(made, 1)
            await put(made, DOCUMENT)
            await send(made, 6)
            read: bool = await auntil(partial(committed, made))
            assert read
            assert made.engine.intakes.routes()["usage", 0].unmatched == 2

    asyncio.run(story())


def test_a_document_into_an_internal_topic_is_a_dead_letter(tmp_path: Path) -> None:
    bad = {**DOCUMENT, "output": {"topic": "sluice-sessions-in"}}
    message = {"kind": "aggregator", "name": "data", "document": bad}

    async def story() -> None:
        async with worker(tmp_path) as made:
            row = (b"aggregator/data", json.dumps(message).encode(), None, ())
            await made.log.append("config", 0, [row])
            await put(made, DOCUMENT)
            latest = made.documents.latest("aggregator", "data")
            assert latest is not None and latest.version == 1
            part = await made.log.read("dead-letters", 0, 0)
            (letter,) = [json.loads(value or b"") for _, _, _, value, _ in part.items]
            assert letter["reason"] == "refused_document"
            assert "sluice-sessions-in" in letter["detail"]

    asyncio.run(story())
