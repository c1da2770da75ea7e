"""The list of numbers not to call: those in force, page by page, however many have expired."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.facade.campaigns import answers, reads
from app.facade.campaigns.answers import do_not_call
from app.facade.campaigns.asking import Asking
from app.facade.campaigns.reads import Reads
from domain.campaigns.book import MemoryBook
from domain.campaigns.document import FlowsOf
from domain.campaigns.keys import key
from domain.campaigns.rows import Negative, encode
from tests.agents.uploads.kit import number

NOW_MS = 1_000_000


def book_of(expired: list[bool]) -> MemoryBook:
    book = MemoryBook()
    for n, gone in enumerate(expired):
        book.put(key("d", number(n)), encode(Negative(True, 0, ["u"], NOW_MS if gone else None)))
    return book


class OneShard(Asking):
    """Asks one book, as of a worker of this version or of one before; counts the questions."""

    def __init__(self, book: MemoryBook, old: bool = False) -> None:
        self.book, self.old, self.asked = book, old, 0

    async def of_flow(self, ask: str, flow: str, /, **asked: Any) -> Any:
        self.asked += 1
        asked = {**asked, "reached": asked.get("reached") and not self.old}
        return do_not_call(self.book, asked, NOW_MS, FlowsOf())


def pages(asking: OneShard, limit: int) -> list[list[str]]:
    """The numbers of each page, to the end."""

    async def steps() -> list[list[str]]:
        listing = Reads(None, asking)  # type: ignore[arg-type] # this list needs no other part
        found, cursor = [], None
        while True:
            page = await listing.do_not_call(limit, cursor)
            found.append([one["number"] for one in page.items])
            cursor = page.next
            if cursor is None:
                return found

    return asyncio.run(steps())


def test_expired_numbers_do_not_end_the_list() -> None:
    book = book_of([True] * 3 + [False] * 6)
    assert pages(OneShard(book), 2) == [[number(n), number(n + 1)] for n in (3, 5, 7)]
    assert pages(OneShard(book), 4) == [[number(n) for n in range(3, 7)], [number(7), number(8)]]


@given(
    st.lists(st.booleans(), max_size=30), st.integers(1, 8), st.integers(1, 6), st.integers(1, 5),
    st.integers(1, 3),
)  # fmt: skip
def test_pages_have_each_number_in_force_once_in_order(
    expired: list[bool], limit: int, page: int, looked_at: int, answers_max: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "PAGE", page)
        patch.setattr(answers, "LOOKED_AT", looked_at)
        patch.setattr(reads, "ANSWERS", answers_max)
        found = pages(OneShard(book_of(expired)), limit)
    assert all(len(one) <= limit for one in found)
    listed = [each for one in found for each in one]
    assert listed == [number(n) for n, gone in enumerate(expired) if not gone]


def test_a_page_looks_at_a_bounded_number_of_expired_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "PAGE", 10)
    monkeypatch.setattr(answers, "LOOKED_AT", 10)
    monkeypatch.setattr(reads, "ANSWERS", 3)
    asking = OneShard(book_of([True] * 95 + [False]))
    assert pages(asking, 5) == [[], [], [], [number(95)]]
    assert asking.asked == 10


def test_a_worker_of_an_older_version_is_understood() -> None:
    asking = OneShard(book_of([False] * 5), old=True)
    assert pages(asking, 2) == [[number(0), number(1)], [number(2), number(3)], [number(4)]]
