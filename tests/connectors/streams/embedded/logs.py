"""Embedded logs for tests, and a look into their file."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any, TypeVar

from connectors.streams.base import Row, TopicSpec
from connectors.streams.embedded.log import EmbeddedLog
from domain.clock import Clock, FixedClock

T = TypeVar("T")
NOW_MS = 1_800_000_000_000


@asynccontextmanager
async def opened(
    folder: Path, clock: Clock | None = None, **options: Any
) -> AsyncIterator[EmbeddedLog]:
    """The log in `folder`, started; stopped at the end."""
    log = EmbeddedLog(folder, clock or FixedClock(NOW_MS), **options)
    await log.start()
    try:
        yield log
    finally:
        await log.stop()


def told(
    folder: Path,
    story: Callable[[EmbeddedLog], Awaitable[T]],
    clock: Clock | None = None,
    **options: Any,
) -> T:
    """Runs a test's story with a log in `folder`."""

    async def run() -> T:
        async with opened(folder, clock, **options) as log:
            return await story(log)

    return asyncio.run(run())


async def made(log: EmbeddedLog, **spec: Any) -> str:
    """Topic `t` of one partition, made."""
    await log.ensure_topic(TopicSpec("t", 1, **spec))
    return "t"


def keyed(key: bytes, value: bytes | None, timestamp_ms: int | None = None) -> Row:
    """A row with a key."""
    return key, value, timestamp_ms, ()


def batches_in(folder: Path) -> int:
    """How many blobs a closed log has in its file."""
    with closing(sqlite3.connect(folder / "log.sqlite")) as connection:
        count: int = connection.execute("SELECT count(*) FROM batches").fetchone()[0]
        blobs: int = connection.execute("SELECT count(*) FROM blobs").fetchone()[0]
    assert count == blobs, "a blob without its row, or a row without its blob"
    return count
