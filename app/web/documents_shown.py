"""Documents as people read them: YAML text, their group fields, the fire times of a schedule."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import yaml

from config.documents.base import DocumentError
from config.documents.registry import load_stored
from domain.aggregation.document import Aggregator
from domain.aggregation.numbers import plain
from domain.aggregation.schedule import Frequency, next_fires
from domain.aggregation.zones import local_time, offset_ms, zone

FIRES = 12


class _Dumper(yaml.SafeDumper):
    """Writes decimals as numbers, and short lists and objects in one line."""


def _decimal(dumper: yaml.SafeDumper, value: Decimal) -> yaml.Node:
    return dumper.represent_scalar("tag:yaml.org,2002:float", plain(value))


_Dumper.add_representer(Decimal, _decimal)


def yaml_of(body: Mapping[str, object]) -> str:
    """The document as YAML, its keys in their order."""
    text: str = yaml.dump(
        dict(body), Dumper=_Dumper, sort_keys=False, allow_unicode=True, default_flow_style=None
    )
    return text


def group_fields(body: Mapping[str, Any]) -> list[str]:
    """The group fields of an aggregator in force, then the fields of its periods."""
    group = body.get("group") or {}
    fields = [str(field) for field in group.get("fields") or ()]
    return fields + [str(period["field"]) for period in group.get("periods") or ()]


@dataclass(frozen=True)
class Fire:
    """A time a schedule fires: the wall clock of its zone, and what daylight saving did to it.

    `note` is "" on an everyday fire.
    """

    at_ms: int
    wall: str
    note: str


@dataclass(frozen=True)
class Fires:
    """The next fires of a document's schedule."""

    rule: str
    timezone: str
    fires: Sequence[Fire]


def fires_of(body: Mapping[str, object], now_ms: int) -> Fires | None:
    """The next 12 fire times of an aggregator whose timeout is a schedule; None for others."""
    try:
        document = load_stored(body)
    except DocumentError:
        # In force under an older product: shown as it is, without what we can't read of it.
        return None
    timeout = document.flush.timeout if isinstance(document, Aggregator) else None
    if timeout is None or timeout.frequency is None:
        return None
    frequency = timeout.frequency
    found = []
    before_ms = now_ms
    for at_ms in next_fires(frequency, now_ms, FIRES):
        found.append(_fire(frequency, before_ms, at_ms))
        before_ms = at_ms
    return Fires(frequency.text(), frequency.timezone, found)


def _fire(frequency: Frequency, before_ms: int, at_ms: int) -> Fire:
    """`before_ms` is the fire before, from which on the clocks may have changed."""
    name = frequency.timezone
    local = local_time(name, at_ms)
    moved_ms = offset_ms(name, at_ms) - offset_ms(name, before_ms)
    hours, minutes = divmod(abs(moved_ms) // 60_000, 60)
    by = f"{hours} h" + (f" {minutes} min" if minutes else "")
    at = "{:02}:{:02}".format(*divmod(frequency.at_minutes, 60))
    note = ""
    if moved_ms:
        note = f"clocks have gone {'forward' if moved_ms > 0 else 'back'} {by}"
    if local.hour * 60 + local.minute != frequency.at_minutes:
        note = f"{at} is skipped that day: clocks go forward"
    elif _repeats(name, local):
        note = f"{at} comes twice that day: fires the first time"
    return Fire(at_ms, local.strftime("%a %Y-%m-%d %H:%M"), note)


def _repeats(zone_name: str, wall: datetime) -> bool:
    """Whether the zone's wall clock shows this time twice."""
    first, second = (wall.replace(tzinfo=zone(zone_name), fold=fold).utcoffset() for fold in (0, 1))
    return first is not None and second is not None and first > second
