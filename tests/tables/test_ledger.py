"""A commit of a ledger is whole or not at all, whatever a kill, a lost disk or compaction leaves of
it, and what it decided to send goes out with one content."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from connectors.streams.memory import DAY_MS, Killed, MemoryLog
from domain.clock import FixedClock
from domain.errors import Fenced
from tables.changelog import Changelog
from tables.ledger import Ledger
from tables.ledger_book import Output, Write
from tables.store import MemoryStore

TOPIC = "changelog"


class Away(Exception):
    """A store that is not there."""


class Disk(MemoryStore):
    """A store whose content outlives the ledger."""

    def close(self) -> None:
        """The rows stay."""


@dataclass
class Life:
    """A ledger of some accounts between which money is moved, with kills.

    A commit moves 1 from one account to another, and numbers itself: the sum is 0 whenever a
    commit is whole, and what it sends tells its number and all balances.
    """

    disk: Disk = field(default_factory=Disk)
    backup: dict[bytes, bytes] = field(default_factory=dict)
    kill_on: int | None = None
    away: bool = False
    sent: list[Output] = field(default_factory=list)
    stored: dict[str, tuple[int, bytes | None]] = field(default_factory=dict)
    ledger: Ledger | None = None
    committed: int = 0

    def __post_init__(self) -> None:
        self.clock = FixedClock(0)
        self.log = MemoryLog(self.clock)
        self.log.counts[TOPIC] = 1

    async def send(self, outputs: list[Output]) -> None:
        self.sent += outputs

    async def deliver(self, writes: list[Write], version: int) -> None:
        if self.away:
            raise Away
        for _, ident, value in writes:
            if version >= self.stored.get(ident, (0, b""))[0]:
                self.stored[ident] = (version, value)

    def step(self, step: int) -> None:
        if step == self.kill_on:
            self.kill_on = None
            raise Killed

    async def alive(self) -> Ledger:
        if self.ledger is None:
            changelog = Changelog(self.log, TOPIC, 0, "w")
            ledger = Ledger(
                0, self.disk, changelog, self.send, self.deliver,
                on_step=self.step, now_ms=self.clock.now_ms,
            )  # fmt: skip
            await ledger.open()
            self.ledger = ledger
            await ledger.settle()
        return self.ledger

    async def move(self, source: str, to: str, drop: bool) -> None:
        """One commit; a repeat of one that is known changes nothing."""
        ledger = await self.alive()
        book = ledger.book()
        number = int(book.get(b"number") or b"0") + 1
        for name, change in ((source, -1), (to, 1)):
            key = b"a/" + name.encode()
            balance = int(book.get(key) or b"0") + change
            if drop and balance == 0:
                book.delete(key)
            else:
                book.put(key, str(balance).encode())
        book.put(b"number", str(number).encode())
        book.wake(number, b"t/" + source.encode())
        popped = book.pop_due(number - 3)
        balances = [[key.decode(), value.decode()] for key, value in book.scan(b"a/")]
        told: dict[str, Any] = {"number": number, "source": source, "balances": balances}
        told["popped"] = None if popped is None else popped[0]
        book.send("moves", source.encode(), told)
        book.store("fdds", source, told)
        book.store("fdds", source, {**told, "last": True})
        await ledger.commit(book, applied=number)

    def run(self, work: Any) -> bool:
        """Whether it came to its end."""
        try:
            asyncio.run(work)
        except Killed:
            self.ledger = None
            return False
        except Away:
            return False
        return True

    def compact(self, late: bool) -> None:
        """Of each key the last record stays; `late` of tombstones none, as it is a day later."""
        if late:
            self.clock.advance(DAY_MS + 1)
        self.log.compact(TOPIC, 0)

    def cut(self, left: int) -> None:
        """The next append of more than `left` rows is cut there: the process dies."""

        def survives(_topic: str, n: int) -> int:
            if n <= left:
                return n
            self.log.survives = lambda _topic, n: n
            return left

        self.log.survives = survives

    def check(self) -> None:
        """State is that of whole commits, and each number has one content."""
        self.log.survives = lambda _topic, n: n
        self.kill_on, self.away = None, False

        async def look() -> None:
            ledger = await self.alive()
            await ledger.settle()
            assert ledger.settled
            rows = ledger.rows()
            number = int(rows.pop(b"number", b"0"))
            assert sum(int(value) for value in rows.values()) == 0
            assert ledger.marker.applied == number
            contents = [json.loads(value) for _, _, value in self.sent]
            by_number: dict[int, Any] = {}
            for content in contents:
                assert by_number.setdefault(content["number"], content) == content
            assert sorted(by_number) == list(range(1, number + 1))
            told = dict(by_number[number]["balances"]) if number else {}
            assert {k.encode(): v.encode() for k, v in told.items()} == rows
            popped = [each["popped"] for _, each in sorted(by_number.items()) if each["popped"]]
            assert popped == list(range(1, len(popped) + 1))
            left = [key for key, _ in self.disk.scan(b"w", b"x")]
            assert len(left) == number - len(popped)
            latest = {content["source"]: content for _, content in sorted(by_number.items())}
            for source, (_, value) in self.stored.items():
                assert json.loads(value or b"") == {**latest[source], "last": True}
            assert self.stored.keys() == latest.keys()

        assert self.run(look())


names = st.sampled_from(["a", "b", "c"])
event = st.one_of(
    st.tuples(st.just("move"), names, names, st.booleans()),
    st.tuples(st.just("move"), names, names, st.booleans()),
    st.tuples(st.just("kill"), st.integers(0, 4)),
    st.tuples(st.just("cut"), st.integers(0, 9)),
    st.tuples(st.just("restart")),
    st.tuples(st.just("lose disk")),
    st.tuples(st.just("old disk")),
    st.tuples(st.just("compact"), st.booleans()),
    st.tuples(st.just("away"), st.booleans()),
)


def play(life: Life, history: list[Any]) -> None:
    for each in history:
        match each:
            case ("move", source, to, drop):
                life.run(life.move(source, to, drop))
            case ("kill", step):
                life.kill_on = step
            case ("cut", left):
                life.cut(left)
            case ("restart",):
                life.ledger = None
            case ("lose disk",):
                life.disk, life.ledger = Disk(), None
            case ("old disk",):
                if life.backup:
                    life.disk, life.ledger = Disk(), None
                    life.disk.write(life.backup.items())
                life.backup = dict(life.disk._rows)
            case ("compact", late):
                life.compact(late)
            case ("away", away):
                life.away = away


# a disk from before a deletion, whose tombstone is gone: it is too old to be sure of
@example(
    [
        *[("move", "a", "a", False), ("old disk",), ("move", "a", "a", True), ("old disk",)],
        ("compact", True),
    ]
)
@given(st.lists(event, max_size=14))
def test_a_commit_is_whole_or_not_at_all(history: list[Any]) -> None:
    life = Life()
    play(life, history)
    life.check()
    life.disk, life.ledger = Disk(), None
    life.check()
    life.compact(late=True)
    life.disk, life.ledger = Disk(), None
    life.check()


@pytest.mark.parametrize("left", range(12))
def test_what_a_cut_commit_replaced_comes_back_though_compaction_was_faster(left: int) -> None:
    life = Life()
    for _ in range(3):
        life.run(life.move("a", "b", False))
    life.cut(left)
    life.run(life.move("a", "c", False))
    life.disk, life.ledger = Disk(), None
    life.compact(late=True)
    life.cut(left // 2)
    life.run(life.move("b", "c", False))
    life.disk, life.ledger = Disk(), None
    life.compact(late=True)
    life.check()


def test_a_stopped_writer_that_wakes_up_changes_nothing() -> None:
    life = Life()

    async def story() -> None:
        await life.move("a", "b", False)
        old = await life.alive()
        life.ledger, life.disk = None, Disk()
        await life.move("b", "c", False)
        book = old.book()
        book.put(b"a/a", b"100")
        book.send("moves", b"a", {"number": 99})
        with pytest.raises(Fenced):
            await old.commit(book)
        await life.move("c", "a", False)

    assert life.run(story())
    life.check()
    life.compact(late=True)
    life.disk, life.ledger = Disk(), None
    life.check()


def test_nothing_is_committed_while_a_store_is_away_and_it_goes_on_by_itself() -> None:
    life = Life(away=True)
    assert not life.run(life.move("a", "b", False))
    assert life.ledger is not None
    assert life.ledger.marker.sequence == 1
    assert not life.run(life.move("b", "c", False))
    assert life.ledger.marker.sequence == 1
    assert len(life.sent) == 1
    life.away = False
    assert life.run(life.move("b", "c", False))
    assert len(life.sent) == 2
    life.check()


def test_what_an_old_commit_carried_is_not_kept_in_the_changelog() -> None:
    life = Life()

    async def story() -> None:
        ledger = await life.alive()
        book = ledger.book()
        for n in range(40):
            book.put(b"n/%d" % n, b"x" * 50_000)
            book.store("fdds", str(n), {"number": "y" * 50_000})
        await ledger.commit(book)
        book = ledger.book()
        for n in range(40):
            book.delete(b"n/%d" % n)
        await ledger.commit(book)
        book = ledger.book()
        book.put(b"small", b"1")
        await ledger.commit(book)

    assert life.run(story())
    life.compact(late=True)
    assert sum(len(item[3] or b"") for item in life.log.rows[TOPIC, 0]) < 1_000
