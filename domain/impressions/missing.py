"""Days whose file has not come: the file of a day is put there on the next one."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Literal

import msgspec

from domain.aggregation.instants import print_instant

ALERT = "impressions-day-missing"
DAY = timedelta(days=1)
LOOK_BACK = 7  # days that are still missed; one further back is not waited for any more


def missed(dates: Iterable[str], now_ms: int, due_minute: int) -> list[str]:
    """The days (ISO) without rows, of the last LOOK_BACK, that should be there by now: since the
    minute of the day after, in UTC. Days before the first that ever came are not missed, and
    without dates (an empty table, the compat layout) none is."""
    known = {one for one in dates if one}
    if not known:
        return []
    now = datetime.fromtimestamp(now_ms / 1000, UTC)
    last = (now - timedelta(minutes=due_minute)).date() - DAY
    first = max(date.fromisoformat(min(known)), last - (LOOK_BACK - 1) * DAY)
    days = [(first + n * DAY).isoformat() for n in range((last - first).days + 1)]
    return [day for day in days if day not in known]


class DayMissing(msgspec.Struct, frozen=True):
    """The alert for a day of impressions whose file has not come; it ends when it comes, or when it
    is too long ago to be waited for. `value`: how many files are missed, against `mark`."""

    alert: str
    source: str
    day: str
    state: Literal["started", "ended"]
    value: int
    mark: int
    since: str
    text: str


def told(day: str, since_ms: int, due_minute: int, *, over: bool) -> DayMissing:
    """The alert as it is sent."""
    hour, minute = divmod(due_minute, 60)
    text = f"The impressions of {day} have not come; they are due by {hour:02}:{minute:02} UTC"
    if over:
        text = f"The impressions of {day} are no longer waited for"
    state: Literal["started", "ended"] = "ended" if over else "started"
    since = print_instant(since_ms)
    return DayMissing(ALERT, "impressions", day, state, 0 if over else 1, 1, since, text)
