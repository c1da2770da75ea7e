"""Lists cost what they show: rows that are read are counted, whatever there is beside."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.facade import letters, sessions
from app.trail import trail
from app.trail.entry import Wanted
from tables.store import MemoryStore
from tests.app.facade.house import House, Living, aggregator

Story = Callable[[Living], Awaitable[None]]
PARTITIONS = 3


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """The keys of the rows that are read by scans."""
    found: list[bytes] = []
    real = MemoryStore.scan

    def scan(self: MemoryStore, *args: Any) -> Iterator[tuple[bytes, bytes]]:
        for key, value in real(self, *args):
            found.append(key)
            yield key, value

    monkeypatch.setattr(MemoryStore, "scan", scan)
    yield found


def tell(tmp_path: Path, story: Story) -> None:
    async def work() -> None:
        async with House(tmp_path, PARTITIONS).open() as living:
            await living.put(aggregator(group={"fields": ["account", "product"]}))
            await story(living)

    asyncio.run(work())


async def _open(living: Living, first: int, last: int) -> None:
    products = ("data", "voice", "sms")
    rows = ({"account": f"a{n:05}", "product": products[n % 3]} for n in range(first, last))
    await living.send(*({**row, "bytes": 1} for row in rows))


def test_a_filter_that_finds_nothing_looks_at_a_bounded_number_of_sessions(
    tmp_path: Path, read: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "LOOKED", 60)

    async def story(living: Living) -> None:
        await _open(living, 0, 600)
        read.clear()
        page = await living.facade.sessions("acc", {"product": "none"}, 20, None)
        assert page is not None
        assert (page.items, page.next is None) == ([], False)
        assert len(read) <= 60 + PARTITIONS

    tell(tmp_path, story)


def test_all_that_match_come_in_order_however_many_are_looked_at_for_an_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(living: Living) -> None:
        await _open(living, 0, 100)
        wanted = [f'["a{n:05}","voice"]' for n in range(100) if n % 3 == 1]
        for looked in (1, 7, 40, 10_000):
            monkeypatch.setattr(sessions, "LOOKED", looked)
            found, cursor, asked = [], None, 0
            while asked == 0 or cursor is not None:
                page = await living.facade.sessions("acc", {"product": "voice"}, 5, cursor)
                assert page is not None
                assert len(page.items) <= 5
                found += [row.key for row in page.items]
                cursor, asked = page.next, asked + 1
            assert found == wanted, looked

    tell(tmp_path, story)


def test_a_page_of_sessions_reads_as_much_among_many_as_among_few(
    tmp_path: Path, read: list[bytes]
) -> None:
    async def story(living: Living) -> None:
        counts = []
        for first, last in ((0, 150), (150, 900)):
            await _open(living, first, last)
            read.clear()
            page = await living.facade.sessions("acc", {}, 50, None)
            assert page is not None
            assert len(page.items) == 50
            counts.append(len(read))
        assert counts[1] <= counts[0] + 10
        assert max(counts) < 50 * PARTITIONS  # each shard is asked for its share, not for a page

    tell(tmp_path, story)


def test_a_session_that_was_never_flushed_has_no_flushes_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(living: Living) -> None:
        await living.send({"account": "x", "product": "data", "bytes": 1})
        looked: list[str] = []
        real = living.log.read

        async def read_log(topic: str, *args: Any, **options: Any) -> Any:
            looked.append(topic)
            return await real(topic, *args, **options)

        monkeypatch.setattr(living.log, "read", read_log)
        found = await living.facade.session("acc", '["x","data"]')
        assert found is not None
        assert (found.open is not None, found.flushes) == (True, [])
        assert "aggregates" not in looked

    tell(tmp_path, story)


def _steps(connection: sqlite3.Connection, work: Callable[[], object]) -> int:
    """How many steps of SQLite's machine something takes."""
    count = [0]

    def step() -> int:
        count[0] += 1
        return 0

    connection.set_progress_handler(step, 1)
    work()
    connection.set_progress_handler(None, 1)
    return count[0]


LETTER = ("INSERT INTO letters (id, topic, aggregator, reason, original, at, replayed_at)"
          " VALUES (?, 'usage', 'acc', ?, x'', 1, 1)")  # fmt: skip


@pytest.mark.parametrize(
    "where",
    [
        {},
        {"topic": "elsewhere"},
        {"replayed": "no"},
        {"reason": "undecodable", "topic": "elsewhere"},
        {"reason": "nothing", "aggregator": "acc"},
        {"aggregator": "nobody"},
        {"id": "5"},
    ],
)
def test_a_page_of_letters_costs_the_same_among_many_and_few(
    where: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "LOOKED", 50)
    connection = sqlite3.connect(":memory:")
    connection.executescript(letters.SCHEMA)
    steps = []
    for first, last in ((0, 200), (200, 5_000)):
        rows = [(str(n), ("undecodable", "not_a_number")[n % 2]) for n in range(first, last)]
        connection.executemany(LETTER, rows)
        steps.append(_steps(connection, lambda: letters._list(connection, where, 20, None)))
    assert steps[1] <= steps[0] + 20


def test_all_letters_that_match_come_however_many_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(letters.SCHEMA)
    reasons = ("undecodable", "not_a_number", "too_large")
    connection.executemany(LETTER, [(str(n), reasons[n % 3]) for n in range(100)])
    where = {"reason": "too_large", "aggregator": "acc", "topic": "usage", "replayed": "yes"}
    wanted = [str(n) for n in reversed(range(100)) if n % 3 == 2]
    for looked in (1, 7, 1_000):
        monkeypatch.setattr(letters, "LOOKED", looked)
        found: list[str] = []
        before, more = None, True
        while more:
            rows, before = letters._list(connection, where, 4, before)
            found += [row[1] for row in rows]
            more = before is not None
        assert found == wanted


ENTRY = "INSERT INTO entries VALUES (?, ?, ?, ?, 'documents.apply', 'aggregator/a', ?)"


@pytest.mark.parametrize(
    "wanted",
    [
        Wanted(),
        Wanted(actor="nobody"),
        Wanted(object="flow"),
        Wanted(action="users", to_ms=100),
    ],
)
def test_a_page_of_the_audit_costs_the_same_among_many_and_few(
    wanted: Wanted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trail, "LOOKED", 50)
    connection = sqlite3.connect(":memory:")
    connection.executescript(trail.SCHEMA)
    steps = []
    for first, last in ((0, 200), (200, 5_000)):
        rows = [(str(n), n, n, "somebody", b"") for n in range(first, last)]
        connection.executemany(ENTRY, rows)
        steps.append(_steps(connection, lambda: trail._find(connection, wanted, 20, None, 0)))
    assert steps[1] <= steps[0] + 20


def test_all_entries_that_match_come_however_many_are_looked_at(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connection = sqlite3.connect(":memory:")
    connection.executescript(trail.SCHEMA)
    rows = [(str(n), n, n // 2, f"p{n % 3}", str(n).encode()) for n in range(100)]
    connection.executemany(ENTRY, rows)
    for looked in (1, 7, 1_000):
        monkeypatch.setattr(trail, "LOOKED", looked)
        found: list[bytes] = []
        before, more = None, True
        while more:
            some, before = trail._find(connection, Wanted(actor="p1"), 4, before, 0)
            found += [row[2] for row in some]
            more = before is not None
        assert found == [str(n).encode() for n in reversed(range(100)) if n % 3 == 1]
