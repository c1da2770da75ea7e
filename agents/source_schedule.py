"""When a source is due, by its cron line in its zone."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

from croniter import croniter

from domain.aggregation.zones import zone

SHIFT = timedelta(hours=3)  # more than any zone's clocks are ever put forward or back


@lru_cache(maxsize=10_000)
def next_run_ms(schedule: str, zone_name: str, after_ms: int) -> int:
    """The first time of the schedule behind `after_ms`. A time that daylight saving skips comes
    when the clocks have gone forward. One that comes twice counts the first time; of a schedule
    for every hour, both times.

    The schedule is gone through in local time, without a zone, which is what it is written in.
    """
    rules = zone(zone_name)
    local = datetime.fromtimestamp(after_ms / 1000, UTC).astimezone(rules).replace(tzinfo=None)
    folds = (0, 1) if schedule.split()[1].startswith("*") else (0,)
    times = croniter(schedule, local - SHIFT)
    found: int | None = None
    while True:
        at = times.get_next(datetime)
        for fold in folds:
            instant = int(at.replace(tzinfo=rules, fold=fold).timestamp()) * 1000
            if instant > after_ms and (found is None or instant < found):
                found = instant
        if found is not None and at > local + SHIFT:
            return found
