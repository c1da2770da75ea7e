"""When a digest is due, by the clock of its zone; and that a period is told once."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.metrics.digest import (
    Digest,
    Sent,
    latest_due,
    next_due,
    period_words,
    to_tell,
    told,
    trend,
)

ZONES = ("UTC", "Europe/Stockholm", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe",
         "Africa/Casablanca")  # fmt: skip
START = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp() * 1000)
HOUR_MS = 3_600_000


def ms(text: str, zone: str = "UTC", fold: int = 0) -> int:
    at = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)
    return int(at.timestamp() * 1000)


def digest(every: str = "day", at: int = 420, zone: str = "UTC") -> Digest:
    return Digest(name="d", every=every, at=at, timezone=zone)  # type: ignore[arg-type]


def test_a_time_that_is_skipped_is_the_first_after_it_and_one_that_comes_twice_the_first() -> None:
    half_past_two = digest(at=150, zone="Europe/Stockholm")
    spring = latest_due(half_past_two, ms("2024-03-31T12:00", "Europe/Stockholm"))
    assert spring[0] == ms("2024-03-31T03:00", "Europe/Stockholm")
    autumn = latest_due(half_past_two, ms("2024-10-27T12:00", "Europe/Stockholm"))
    assert autumn[0] == ms("2024-10-27T02:30", "Europe/Stockholm", fold=0)
    assert autumn[1].to_ms - autumn[1].from_ms == 24 * HOUR_MS  # the 26th: the long day is today
    after = latest_due(half_past_two, ms("2024-10-28T12:00", "Europe/Stockholm"))[1]
    assert after.to_ms - after.from_ms == 25 * HOUR_MS


def test_a_week_is_told_on_monday_of_the_week_before() -> None:
    weekly = digest("week")
    due, period = latest_due(weekly, ms("2024-03-11T06:59"))
    assert (due, period.first) == (ms("2024-03-04T07:00"), date(2024, 2, 26))
    due, period = latest_due(weekly, ms("2024-03-11T07:00"))
    assert (due, period.first) == (ms("2024-03-11T07:00"), date(2024, 3, 4))
    assert trend(weekly, period) == date(2024, 3, 4) - timedelta(weeks=12)


@pytest.mark.parametrize(
    ("every", "first", "last", "words"),
    [
        ("day", date(2024, 3, 10), date(2024, 3, 10), "Sunday 10 March 2024"),
        ("week", date(2024, 3, 4), date(2024, 3, 10), "Week 10 of 2024, 4 to 10 March"),
        ("week", date(2024, 12, 30), date(2025, 1, 5), "Week 1 of 2025, 30 December to 5 January"),
    ],
)
def test_a_period_is_said_in_words(every: str, first: date, last: date, words: str) -> None:
    assert period_words(every, first, last) == words  # type: ignore[arg-type]


def test_nothing_is_told_that_was_due_before_it_was_in_force() -> None:
    at = ms("2024-03-10T12:00")
    assert to_tell(digest(), Sent(at), at + HOUR_MS) is None
    assert to_tell(digest(), Sent(at), at + 24 * HOUR_MS) is not None


@given(
    st.sampled_from(ZONES),
    st.sampled_from(["day", "week"]),
    st.integers(0, 1439),
    st.lists(st.integers(1, 40 * 24 * 4), min_size=1, max_size=60),
)
def test_every_look_tells_the_latest_period_alone_and_none_twice(
    zone: str, every: str, at: int, quarters: list[int]
) -> None:
    wanted, now, sent, heard = digest(every, at, zone), START, Sent(START), list[date]()
    for quarter in quarters:
        now += quarter * HOUR_MS // 4
        period = to_tell(wanted, sent, now)
        if period is not None:
            assert period.to_ms <= now < next_due(wanted, now)
            sent = told(wanted, sent, period, now)
            heard.append(period.first)
        assert to_tell(wanted, sent, now) is None
        due, latest = latest_due(wanted, now)
        assert due <= now and (due <= START or heard[-1] == latest.first)
    assert heard == sorted(set(heard))
