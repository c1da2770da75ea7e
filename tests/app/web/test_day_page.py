"""The day's reconciliation in the console."""

from dataclasses import replace

from app.day_shapes import Day
from tests.app.web.fake import FakeBackend
from tests.app.web.site import get, page


class Unbalanced(FakeBackend):
    """One aggregator does not add up."""

    async def day_totals(self, day: str, aggregator: str | None) -> Day:
        found = await super().day_totals(day, aggregator)
        items = [replace(found.items[0], balanced=False), *found.items[1:]]
        return replace(found, items=items, balanced=False)


class NothingIn(FakeBackend):
    """No aggregator has totals."""

    async def day_totals(self, day: str, aggregator: str | None) -> Day:
        return replace(await super().day_totals(day, aggregator), items=[])


def test_today_is_shown_as_far_as_it_has_come() -> None:
    text = page("/sessions/day")
    assert "<h1>2025-11-03" in text
    assert "records came in so far today, and all are accounted for." in text
    assert "the day is not over" in text
    assert "/sessions/day?day=2025-11-02" in text
    assert "Day after" not in text


def test_a_day_that_is_over_has_what_moved_and_what_was_flushed() -> None:
    text = page("/sessions/day?day=2025-11-02&aggregator=data-per-account")
    assert "so far today" not in text
    assert "a day ends with the first totals" in text
    assert 'href="/sessions/day?day=2025-11-03&amp;aggregator=data-per-account"' in text
    assert 'href="/dead-letters?aggregator=data-per-account">3</a>' in text
    assert '<td role="cell" class="head">timeout</td>' in text
    assert 'data-label="sum_bytes">2.5</td>' in text
    assert "example-nightly</a>" not in text
    assert "sluice totals --day 2025-11-02 --output 2025-11-02.csv" in text


def test_what_does_not_balance_is_named_on_top() -> None:
    text = page("/sessions/day?day=2025-11-02", Unbalanced())
    assert "data-per-account does not balance. Hold back the bills" in text
    assert "all are accounted for." not in text


def test_nothing_and_what_is_no_day_are_told() -> None:
    assert "Nothing came in by then." in page("/sessions/day", NothingIn())
    for day in ("yesterday", "2024-13-01", "9999-01-01"):
        status, text = get(f"/sessions/day?day={day}", Accept="text/html")
        assert (status, "a day" in text) == (400, True)
    assert get("/sessions/day?day=0001-01-01", Accept="text/html")[0] == 200


def test_the_sessions_page_leads_there() -> None:
    text = page("/sessions?aggregator=data-per-account")
    assert 'href="/sessions/day?aggregator=data-per-account"' in text
