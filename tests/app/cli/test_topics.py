"""`sluice topics` on the embedded stream."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

from config.clock import SystemClock
from connectors.streams.base import TopicSpec
from connectors.streams.embedded.log import EmbeddedLog
from tests.app.cli.running import sluice
from tests.app.cli.server import page, serving


def with_topic(folder: Path, spec: TopicSpec) -> None:
    """Makes a topic before the product does."""

    async def make() -> None:
        log = EmbeddedLog(folder / "log", SystemClock())
        await log.start()
        await log.ensure_topic(spec)
        await log.stop()

    asyncio.run(make())


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Another user of the stream, for the time of the block."""
    opened, end = Event(), Event()

    async def hold() -> None:
        log = EmbeddedLog(folder / "log", SystemClock())
        await log.start()
        opened.set()
        await asyncio.get_running_loop().run_in_executor(None, end.wait)
        await log.stop()

    thread = Thread(target=lambda: asyncio.run(hold()))
    thread.start()
    try:
        assert opened.wait(10)
        yield
    finally:
        end.set()
        thread.join()


def test_create_makes_every_topic_once(tmp_path: Path) -> None:
    first = sluice("topics", "create", "--data-dir", tmp_path, "--json")
    again = sluice("topics", "create", "--data-dir", tmp_path, "--json")
    assert (first.code, again.code) == (0, 0)
    names = {line["topic"] for line in first.lines}
    assert {"config", "usage", "aggregates", "sluice-sessions-changelog"} <= names
    assert "sluice-routes-usage-changelog" in names
    assert all(line["created"] for line in first.lines)
    assert {line["topic"] for line in again.lines} == names
    assert not any(line["created"] for line in again.lines)


def test_create_makes_the_named_ones_only(tmp_path: Path) -> None:
    arguments = ("--data-dir", tmp_path, "--topic-prefix", "eu.", "--json")
    ran = sluice("topics", "create", "usage", "eu.config", *arguments)
    assert [line["topic"] for line in ran.lines] == ["eu.usage", "eu.config"]


def test_describe_shows_them_as_they_were_made(tmp_path: Path) -> None:
    sluice("topics", "create", "--data-dir", tmp_path)
    ran = sluice("topics", "describe", "--data-dir", tmp_path)
    assert (ran.code, ran.err) == (0, "")
    assert "\nsluice-routes-usage-changelog " in ran.out
    usage = next(line for line in ran.out.splitlines() if line.startswith("usage"))
    assert usage.split() == [
        "usage",
        "4",
        "delete",
        "7",
        "d",
        "1.062",
        "MiB",
        "LogAppendTime",
        "ok",
    ]


def test_describe_finds_what_is_missing(tmp_path: Path) -> None:
    sluice("topics", "create", "usage", "--data-dir", tmp_path)
    ran = sluice("topics", "describe", "--data-dir", tmp_path, "--json")
    assert ran.code == 1
    assert {line["topic"] for line in ran.lines if line["exists"]} == {"usage"}


def test_describe_tells_harm_from_difference(tmp_path: Path) -> None:
    sluice("topics", "create", "--data-dir", tmp_path)
    fine = sluice("topics", "describe", "usage", "--partitions", "8", "--data-dir", tmp_path)
    wrong = sluice("topics", "describe", "--partitions", "8", "--data-dir", tmp_path)
    assert (fine.code, wrong.code) == (0, 1)
    expected = "sluice-sessions-in: partitions is 4, expected 8: a key stays on its partition"
    assert expected in wrong.err


def test_producers_timestamps_are_a_difference_without_harm(tmp_path: Path) -> None:
    with_topic(tmp_path, TopicSpec("usage", 4, log_append_time=False, max_message_bytes=1 << 21))
    ran = sluice("topics", "describe", "usage", "--data-dir", tmp_path)
    assert ran.code == 0
    assert "message.timestamp.type is CreateTime, expected LogAppendTime" in ran.err


def test_a_running_server_is_asked_when_it_has_the_stream_open(tmp_path: Path) -> None:
    topics = page({"name": "usage", "partitions": 4}, {"name": "sluice-workers", "partitions": 1})
    with held(tmp_path), serving({"GET /api/topics": topics}) as server:
        names = ("usage", "sluice-workers")
        there = sluice(
            "topics", "describe", *names, "--data-dir", tmp_path, "--topic-prefix", "eu.",
            server=server.url,
        )  # fmt: skip
        every = sluice("topics", "describe", "--data-dir", tmp_path, server=server.url)
        create = sluice("topics", "create", "--data-dir", tmp_path, server=server.url)
    assert (there.code, every.code) == (0, 1)
    assert create.code == 2
    assert "is in use by another process" in create.err


def test_settings_that_the_server_tells_are_looked_at(tmp_path: Path) -> None:
    config = {"cleanup.policy": "compact", "retention.ms": str(7 * 86_400_000)}
    topics = page({"name": "usage", "partitions": 4, "internal": False, "config": config})
    with held(tmp_path), serving({"GET /api/topics": topics}) as server:
        ran = sluice("topics", "describe", "usage", "--data-dir", tmp_path, server=server.url)
    assert ran.code == 1
    assert "usage: cleanup.policy is compact, expected delete" in ran.err


def test_settings_that_nobody_tells_are_not_called_right(tmp_path: Path) -> None:
    topics = page({"name": "usage", "partitions": 4})
    with held(tmp_path), serving({"GET /api/topics": topics}) as server:
        ran = sluice("topics", "describe", "usage", "--data-dir", tmp_path, server=server.url)
    assert ran.code == 0
    assert "not told" in ran.out
    assert "in another process" in ran.err


def test_a_broker_that_is_not_there_is_3() -> None:
    ran = sluice("topics", "describe", "--stream", "kafka://127.0.0.1:9")
    assert ran.code == 3
    assert "stream kafka://127.0.0.1:9 is not reachable" in ran.err
    assert len(ran.err.splitlines()) <= 3
