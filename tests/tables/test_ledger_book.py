"""A book shows what the store will hold after its commit, whatever was changed in which order."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tables.floors import Floors
from tables.layout import instant_of
from tables.ledger_book import LedgerBook
from tables.ledger_layout import due_key
from tables.store import MemoryStore

keys = st.sampled_from([b"q/a/1", b"q/a/2", b"q/a/3", b"q/b/1", b"q/b/2", b"f/1", b"f/2"])
change = st.one_of(
    st.tuples(st.just("put"), keys, st.binary(max_size=2)),
    st.tuples(st.just("delete"), keys),
    st.tuples(st.just("scan"), st.sampled_from([b"q/", b"q/a/", b"q/b", b"f/", b"q"])),
    st.tuples(st.just("wake"), st.integers(0, 6), st.sampled_from([b"x", b"y"])),
    st.tuples(st.just("due"), st.integers(0, 6)),
    st.tuples(st.just("timed"), st.integers(0, 6)),
    st.tuples(st.just("prefetch"), st.lists(keys)),
    st.tuples(st.just("get_all"), st.lists(keys)),
    st.tuples(st.just("put_all"), st.dictionaries(keys, st.binary(max_size=2))),
    st.tuples(st.just("save")),
    st.tuples(st.just("back")),
    st.tuples(st.just("commit")),
)


@given(st.lists(change, max_size=40), st.integers(1, 3))
def test_reads_are_those_of_a_plain_map(history: list[Any], limit: int) -> None:
    store, floors = MemoryStore(), Floors()
    book = LedgerBook(store, floors)
    rows: dict[bytes, bytes] = {}
    due: set[tuple[int, bytes]] = set()
    saved: tuple[Any, dict[bytes, bytes], set[tuple[int, bytes]]] | None = None
    for event in history:
        match event:
            case ("put", key, value):
                book.put(key, value)
                rows[key] = value
            case ("delete", key):
                book.delete(key)
                rows.pop(key, None)
            case ("wake", at, key):
                book.wake(at, key)
                due.add((at, key))
            case ("due", until):
                first = min((each for each in due if each[0] <= until), default=None)
                assert book.pop_due(until) == first
                due.discard(first or (-1, b""))
            case ("timed", until):
                first = min((each for each in due if 0 < each[0] <= until), default=None)
                assert book.pop_timed(until) == first
                due.discard(first or (-1, b""))
            case ("prefetch", several):
                book.prefetch(several)
            case ("get_all", several):
                assert book.get_all(several) == [rows.get(key) for key in several]
            case ("put_all", page):
                book.put_all(list(page.items()))
                rows |= page
            case ("save",):
                saved = (book.savepoint(), dict(rows), set(due))
            case ("back",) if saved is not None:
                book.back_to(saved[0])
                rows, due, saved = saved[1], saved[2], None
            case ("commit",):
                _reads_are_before(store, book)
                _write(store, book)
                book, saved = LedgerBook(store, floors), None
            case ("scan", prefix):
                _scans(book, rows, prefix, limit)
    for prefix in (b"", b"q", b"q/", b"q/a/", b"f/"):
        _scans(book, rows, prefix, limit)
    assert {key: book.get(key) for key in rows} == rows
    while (found := book.pop_due(10)) is not None:
        assert found == min(due)
        due.discard(found)
    assert not due
    _reads_are_before(store, book)


def _reads_are_before(store: MemoryStore, book: LedgerBook) -> None:
    """What was read is what a commit would put back."""
    assert store.get_many(list(book.read)) == list(book.read.values())


def _scans(book: LedgerBook, rows: dict[bytes, bytes], prefix: bytes, limit: int) -> None:
    """Page by page it gives what is there, in order."""
    wanted = sorted(item for item in rows.items() if item[0].startswith(prefix))
    found: list[tuple[bytes, bytes]] = []
    while part := book.scan(prefix, found[-1][0] if found else b"", limit):
        found += part
    assert found == wanted


def _write(store: MemoryStore, book: LedgerBook) -> None:
    puts = [(key, value) for key, value in book.changed.items() if value is not None]
    store.write(puts, [key for key, value in book.changed.items() if value is None])


def test_many_keys_written_at_once_are_scanned_in_order() -> None:
    book = LedgerBook(MemoryStore())
    wanted = [b"q/%05d" % (n * 7 % 1_009) for n in range(1_009)]
    book.put(wanted[0], b"")
    book.put_all([(key, b"") for key in wanted[1:900]])
    point = book.savepoint()
    book.put_all([(key, b"") for key in wanted[900:]])
    assert [key for key, _ in book.scan(b"q/", limit=2_000)] == sorted(wanted)
    book.back_to(point)
    assert [key for key, _ in book.scan(b"q/", limit=2_000)] == sorted(wanted[:900])


def test_many_due_entries_come_in_order_over_pages() -> None:
    store = MemoryStore()
    book = LedgerBook(store)
    for at in range(1_200):
        book.wake(at * 2, b"k")
    _write(store, book)
    book = LedgerBook(store)
    found = []
    while (entry := book.pop_due(3_000)) is not None:
        found.append(entry[0])
        if entry[0] % 4 == 0:
            book.wake(entry[0] + 1, b"k")
    assert found == sorted(found)
    assert len(found) == 1_501 - 0 - 0 or len(found) > 1_500


class Looks(MemoryStore):
    """Notes where every look at the store begins."""

    def __init__(self) -> None:
        super().__init__()
        self.begins: list[bytes] = []

    def scan(
        self, start: bytes, end: bytes, limit: int | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        self.begins.append(start)
        return super().scan(start, end, limit)


@pytest.mark.parametrize("pop", ["pop_due", "pop_timed"])
def test_looks_for_what_is_due_begin_behind_what_was_done(pop: str) -> None:
    store, floors = Looks(), Floors()
    book = LedgerBook(store, floors)
    for at in range(1, 100):
        book.wake(at, b"f")
    _write(store, book)
    for until in range(1, 99):
        book = LedgerBook(store, floors)
        assert getattr(book, pop)(until) == (until, b"f")
        assert getattr(book, pop)(until) is None
        store.begins.clear()
        _write(store, book)
    book = LedgerBook(store, floors)
    assert getattr(book, pop)(98) is None
    assert getattr(book, pop)(99) == (99, b"f")
    assert min(store.begins) >= due_key(98, b"f")


def test_a_due_key_tells_its_instant() -> None:
    book = LedgerBook(MemoryStore())
    book.wake(1_700_000_000_000, b"k")
    assert [instant_of(key) for key in book.changed] == [1_700_000_000_000]


def test_what_is_written_at_once_before_the_first_is_found() -> None:
    store, floors = MemoryStore(), Floors()
    book = LedgerBook(store, floors)
    book.put(b"q/5", b"")
    assert [key for key, _ in book.scan(b"q/")] == [b"q/5"]
    _write(store, book)
    book = LedgerBook(store, floors)
    book.put_all([(b"f/1", b""), (b"q/7", b""), (b"q/2", b"")])
    assert [key for key, _ in book.scan(b"q/")] == [b"q/2", b"q/5", b"q/7"]
