"""Wall clocks by brute force: what the tests of periods and schedules compare with.

It looks at a zone's clock at every step of a stretch of time and asks nothing else of it.
"""

from datetime import datetime
from functools import cache
from zoneinfo import ZoneInfo

from domain.aggregation.instants import parse_instant

# zone, an instant within a day of something odd, seconds between two looks
ODD_TIMES = [
    ("Europe/Stockholm", "2024-03-31T01:00:00Z", 60),
    ("Europe/Stockholm", "2024-10-27T01:00:00Z", 60),
    ("America/New_York", "2024-11-03T06:00:00Z", 60),
    ("Australia/Lord_Howe", "2024-04-06T15:00:00Z", 60),  # half an hour back
    ("Australia/Lord_Howe", "2024-10-05T15:30:00Z", 60),  # half an hour forward
    ("America/St_Johns", "2010-11-07T02:31:00Z", 60),  # 00:01 falls back to 23:01
    ("America/St_Johns", "2010-03-14T03:31:00Z", 60),  # 00:01 jumps to 01:01
    ("America/Sao_Paulo", "2018-11-04T03:00:00Z", 60),  # no midnight
    ("America/Sao_Paulo", "2018-02-18T02:00:00Z", 60),  # midnight falls back to 23:00
    ("America/Havana", "2024-11-03T05:00:00Z", 60),  # midnight twice
    ("Africa/Cairo", "2024-10-31T21:00:00Z", 60),  # the last hour of a month twice
    ("Asia/Kathmandu", "1985-12-31T18:30:00Z", 60),  # no first quarter hour of a year
    ("Asia/Kathmandu", "2024-03-01T00:00:00Z", 60),
    ("Pacific/Apia", "2011-12-30T10:00:00Z", 60),  # no 30 December
    ("America/Juneau", "1867-10-19T00:31:00Z", 1),  # a whole day twice, odd seconds
    ("Africa/Monrovia", "1972-01-07T00:44:30Z", 30),  # from 44 min 30 s behind
    ("Antarctica/Troll", "2024-10-27T01:00:00Z", 60),  # two hours back
    ("Africa/Casablanca", "2024-03-10T02:00:00Z", 60),  # back in spring
    ("UTC", "2024-02-29T00:00:00Z", 60),
]


def instant(text: str) -> int:
    """Epoch ms of an instant that is one."""
    ms = parse_instant(text)
    if ms is None:
        raise ValueError(text)
    return ms


@cache
def looks(zone: str, around_ms: int, hours: int, step_s: int) -> list[tuple[int, datetime]]:
    """(epoch ms, wall clock with its offset) at every step from `hours` before to `hours` after."""
    rules = ZoneInfo(zone)
    start = around_ms // 1000 - hours * 3600
    seconds = range(start, start + 2 * hours * 3600, step_s)
    return [(second * 1000, datetime.fromtimestamp(second, rules)) for second in seconds]
