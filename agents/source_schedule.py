"""When a source is due, by its cron line in its zone."""

from datetime import UTC, datetime

from croniter import croniter

from domain.aggregation.zones import zone


def next_run_ms(schedule: str, zone_name: str, after_ms: int) -> int:
    """The first time of the schedule behind `after_ms`. A time that daylight saving skips comes
    when the clocks have gone forward; one that comes twice counts once."""
    at = datetime.fromtimestamp(after_ms / 1000, UTC).astimezone(zone(zone_name))
    found = croniter(schedule, at).get_next(datetime)
    return int(found.timestamp()) * 1000
