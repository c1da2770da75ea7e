"""The list of a day's campaigns reads those of the day, and shows a page of them."""

from typing import Any

import pytest

from app.facade.campaigns import listing
from app.facade.campaigns.listing import listed
from domain.campaigns import views
from domain.campaigns.book import MemoryBook
from domain.campaigns.keys import key
from domain.campaigns.rows import Campaign, Head, decode
from tests.domain.campaigns.kit import Shard, campaign_of, flow

ALL: dict[str, Any] = {"day": None, "q": "", "status": None, "limit": 100, "after": None}


class Counted(MemoryBook):
    """A book that counts what is read of it."""

    def __init__(self, of: MemoryBook) -> None:
        super().__init__()
        self.rows, self._keys = of.rows, of._keys
        self.read = 0

    def get(self, key: bytes) -> bytes | None:
        self.read += 1
        return super().get(key)

    def scan(
        self, prefix: bytes, after: bytes = b"", limit: int = 1000
    ) -> list[tuple[bytes, bytes]]:
        found = super().scan(prefix, after, limit)
        self.read += len(found) + 1
        return found


def request(n: int) -> str:
    return f"reminder-{n:016x}"


def filled(shard: Shard, first: int, last: int) -> None:
    for n in range(first, last):
        shard.upload(2, request=request(n))


def ask(shard: Shard, **asked: Any) -> tuple[dict[str, Any], int]:
    book = Counted(shard.book)
    told = listed(book, {**ALL, **asked}, shard.now_ms, shard.flows)
    return told, book.read


def ids(told: dict[str, Any]) -> list[str]:
    return [shown["request_id"] for _, shown in told["items"]]


@pytest.mark.parametrize("day", [None, "2025-11-05"])
def test_campaigns_of_other_days_are_not_read(day: str | None) -> None:
    costs = []
    for before in (2, 30):
        shard = Shard()
        filled(shard, 0, before)
        shard.until("2025-11-05 08:00")
        filled(shard, 1000, 1003)
        told, cost = ask(shard, day=day)
        assert sorted(ids(told)) == [request(n) for n in range(1000, 1003)]
        costs.append(cost)
    assert costs[0] == costs[1]


def test_a_page_reads_the_figures_of_its_campaigns_only() -> None:
    shard = Shard()
    filled(shard, 0, 10)
    _, few = ask(shard, limit=5)
    filled(shard, 10, 40)
    told, many = ask(shard, limit=5)
    assert len(told["items"]) == 5
    assert many == few + 30  # a row of the index each


@pytest.mark.parametrize("judged", [1, 3, 100])
@pytest.mark.parametrize("status", [None, "Cancelled"])
def test_pages_have_each_campaign_once_the_newest_first(
    judged: int, status: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listing, "JUDGED", judged)
    shard = Shard()
    for n in range(12):
        shard.now_ms += n % 3  # some are of the same instant
        filled(shard, n, n + 1)
    for n in range(0, 12, 4):
        shard.command("revoke", {}, request=request(n))
    found: list[str] = []
    orders: list[str] = []
    after, more = None, True
    while more:
        told, _ = ask(shard, after=after, limit=2, status=status)
        assert told["judged"] <= judged
        found += ids(told)
        orders += [order for order, _ in told["items"]]
        after = told["reached"]
        more = after is not None
    wanted = range(0, 12, 4) if status else range(12)
    assert sorted(found) == [request(n) for n in wanted]
    assert orders == sorted(orders)


def test_an_index_that_an_older_version_wrote_is_read_too() -> None:
    shard = Shard()
    filled(shard, 0, 3)
    now, _ = ask(shard, q="reminder")
    for row in [row for row in shard.book.rows if row.startswith(b"o/")]:
        shard.book.put(row, b"")
    assert ask(shard, q="reminder")[0] == now
    span = shard.now_ms - 1, shard.now_ms + 1
    assert views.with_fdds(shard.book, *span) == {request(n) for n in range(3)}


def test_the_head_of_a_campaign_is_its_beginning() -> None:
    shard = Shard()
    filled(shard, 0, 1)
    shard.command("revoke", {}, request=request(0))
    head = decode(Head, shard.book.rows[key("c", request(0))])
    campaign = campaign_of(shard.book, request(0))
    fields = Head.__struct_fields__
    assert fields == Campaign.__struct_fields__[: len(fields)]
    for name in set(fields) - {"flow", "slots", "columns"}:
        assert getattr(head, name) == getattr(campaign, name)
    assert head.revoked


def test_the_tabs_of_today_are_of_campaigns_that_it_is_today_for() -> None:
    here = flow(name="here")
    there = flow(name="there", timezone="America/New_York", country="US")
    shard = Shard(here, there)
    shard.upload(3, days=3, request="here-00")
    shard.until("2025-11-04 00:30")  # there it is the day before
    shard.change(there, here)
    shard.upload(1, ("16:00-18:00",), "there-00", days=2)
    told, _ = ask(shard)
    assert {(shown["day"], shown["counts"]["created"]) for _, shown in told["items"]} == {
        ("2025-11-03", 1), ("2025-11-04", 3),
    }  # fmt: skip
    assert (told["tabs"]["uploaded"], told["tabs"]["pending"]) == (4, 4)
    told, _ = ask(shard, day="2025-11-03")  # the first day of both
    assert (told["tabs"]["uploaded"], told["tabs"]["pending"]) == (4, 1)
    shard.prove()
