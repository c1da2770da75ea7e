"""Figures of usage against counting the long way."""

from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from domain.aggregation.instants import MAX_INSTANT_MS, MIN_INSTANT_MS
from domain.campaigns.book import MemoryBook
from domain.insight import reach, taking
from domain.insight import usage as asked
from domain.insight.events import WHATS
from tests.domain.insight.made import DAY_MS, START_MS, Made, between, funnel, reached, usage

_events_at = st.one_of(
    st.integers(START_MS, START_MS + 5 * DAY_MS),
    st.integers(0, 5).map(lambda n: START_MS + n * DAY_MS),
    st.integers(0, 120).map(lambda n: START_MS + n * 3_600_000),
    st.integers(0, 300).map(lambda n: START_MS + n * 1_000),
)
_moments = st.one_of(_events_at, st.integers(MIN_INSTANT_MS, MAX_INSTANT_MS))
_events = st.lists(
    st.tuples(
        _events_at, st.sampled_from([*WHATS, "funnel"]), st.sampled_from("abc"),
        st.sampled_from(["", "p", "q", "r"]), st.sampled_from(["", "top", "side"]),
    ),
    max_size=40,
)  # fmt: skip


def made(rows: list[Any]) -> list[Made]:
    return [
        funnel(n, at, campaign=c, customer=p)
        if what == "funnel"
        else usage(n, at, what, campaign=c, customer=p, placeholder=place)
        for n, (at, what, c, p, place) in enumerate(rows)
    ]


def count_reached(book: MemoryBook, from_ms: int, to_ms: int) -> tuple[int, bool]:
    looking = reach.Reached(book, from_ms, to_ms)
    for _ in looking.steps():
        pass
    return looking.count, looking.exact


@example([], MAX_INSTANT_MS - 40 * DAY_MS, MAX_INSTANT_MS)
@given(_events, _moments, _moments)
@settings(max_examples=300, deadline=None)
def test_figures_of_any_period_are_those_of_its_events(
    rows: list[Any], from_ms: int, to_ms: int
) -> None:
    events, book = made(rows), MemoryBook()
    for one in events:
        one.put(book)
    wanted = between(events, from_ms, to_ms)
    for what in WHATS[:-1]:
        told = asked.tally(book, what, from_ms, to_ms)
        mine = [one for one in wanted if one.raw.get("what") == what]
        assert sum(told.values()) == len(mine)
        places = {(one.at_ms // 3_600_000 * 3_600_000, one.raw["placeholder"]) for one in mine}
        assert told.keys() == places
        found, reached_to = asked.records(book, what, from_ms, to_ms, b"", 100)
        assert reached_to is None
        assert [one.offset for one in found] == [
            one.offset for one in sorted(mine, key=lambda one: (-one.at_ms, one.offset))
        ]
    assert asked.campaigns(book, from_ms, to_ms) == {one.raw["campaign"] for one in wanted}
    assert count_reached(book, from_ms, to_ms) == (reached(events, from_ms, to_ms), True)


@given(_events, st.randoms())
@settings(max_examples=100, deadline=None)
def test_what_is_forgotten_leaves_nothing_behind(rows: list[Any], chance: Any) -> None:
    events, book = made(rows), MemoryBook()
    chance.shuffle(events)
    for n, one in enumerate(events):
        one.put(book, START_MS + n * 60_000)
    half_ms = START_MS + len(events) // 2 * 60_000
    while taking.forget(book, half_ms + taking.USAGE_KEPT_MS, 3):
        pass
    kept = events[len(events) // 2 :]
    span = (START_MS, START_MS + 6 * DAY_MS)
    assert count_reached(book, *span) == (reached(kept, *span), True)
    for what in WHATS[:-1]:
        mine = [one for one in kept if one.raw.get("what") == what]
        assert sum(asked.tally(book, what, *span).values()) == len(mine)
    while taking.forget(book, START_MS + 200 * DAY_MS, 3):
        pass
    assert book.rows == {}
    assert taking.next_forgotten_ms(book) is None


def test_an_execution_told_of_again_is_one() -> None:
    book = MemoryBook()
    for offset in (1, 2):
        usage(offset, START_MS, "execution").put(book)
    while taking.forget(book, START_MS + 200 * DAY_MS, 1):
        pass
    assert book.rows == {}


def test_more_customers_than_are_told_apart_are_an_estimate(monkeypatch: Any) -> None:
    monkeypatch.setattr(reach, "EDGE_CUSTOMERS", 499)
    book = MemoryBook()
    for n in range(2_000):
        usage(n, START_MS + 1 + n * 1_000, "message", customer=str(n)).put(book)
    usage(2_000, START_MS, "lead").put(book)
    usage(2_001, START_MS + 3_000_000, "message", customer="late").put(book)
    count, exact = count_reached(book, START_MS + 1, START_MS + 2_000_001)
    assert not exact
    assert 1_900 < count < 2_100
    assert count_reached(book, START_MS, START_MS + DAY_MS) == (2_001, True)


def test_pages_of_records_follow_each_other() -> None:
    book = MemoryBook()
    for n in range(25):
        usage(n, START_MS + n // 3, "banner", placeholder="top").put(book)
    after, offsets = b"", list[int]()
    while True:
        found, reached_to = asked.records(book, "banner", 0, START_MS + DAY_MS, after, 4)
        offsets += [one.offset for one in found]
        if reached_to is None:
            break
        after = reached_to
    assert sorted(offsets) == list(range(25))
    assert offsets[0] == 24
