"""Events of `kind: funnel` and `kind: usage` on `campaign-events`, as they are read once for good.

Times are epoch milliseconds. What an event leaves out is "" (texts), None (`ok`) or the time of its
record (`at`).
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from domain.aggregation.instants import parse_instant
from domain.errors import Reject

FUNNEL, USAGE = "funnel", "usage"
OPERATIONS = ("Enter", "Confirm", "Action", "Error")
LABELS = ("action", "error", "information")
_LABEL_OF = {"Error": "error", "Action": "action"}
EXECUTION = "execution"
"""An execution that has started, as the rules of campaigns tell it: its number was reached."""
WHATS = ("synced_page", "message", "banner", "lead", "conversion", EXECUTION)
REACHING = ("message", "banner", EXECUTION)
"""What reaches a customer."""
TEXT_MAX = 1_000  # characters of a name: longer ones are no names
DAY_MS = 86_400_000
LAST_MS = 65_535 * DAY_MS  # days are counted in two bytes


class Event(NamedTuple):
    """`label` of a funnel event; `what` and `placeholder` of a usage event."""

    kind: str
    at_ms: int
    campaign: str
    customer: str
    label: str = ""
    what: str = ""
    placeholder: str = ""


def event_of(raw: Mapping[str, Any], timestamp: int) -> Event:
    """The event; `timestamp` is its record's. Raises Reject."""
    at_ms = _at(raw.get("at"), timestamp)
    campaign, customer = _text(raw, "campaign"), _text(raw, "customer")
    if raw.get("kind") == FUNNEL:
        operation = _one_of(raw, "operation", OPERATIONS)
        label = _LABEL_OF.get(operation, "information")
        if raw.get("label") is not None:
            label = _one_of(raw, "label", LABELS)
        _text(raw, "step")
        if not isinstance(raw.get("ok"), bool | None):
            raise Reject("bad_event", f"ok {raw['ok']!r}, expected true or false")
        return Event(FUNNEL, at_ms, campaign, customer, label)
    what = _one_of(raw, "what", WHATS)
    _text(raw, "channel")
    return Event(USAGE, at_ms, campaign, customer, what=what, placeholder=_text(raw, "placeholder"))


def shown(raw: Mapping[str, Any], event: Event) -> dict[str, Any]:
    """A funnel event with what it leaves out filled in, for lists."""
    return {
        "operation": raw["operation"],
        "label": event.label,
        "campaign": event.campaign,
        "step": raw.get("step") or "",
        "customer": event.customer,
        "ok": raw.get("ok"),
        "detail": raw.get("detail"),
    }


def _at(value: object, timestamp: int) -> int:
    if value is None:
        return min(max(timestamp, 0), LAST_MS - 1)
    at_ms = parse_instant(value)
    if at_ms is None or not 0 <= at_ms < LAST_MS:
        raise Reject("bad_event", f"at {value!r}, expected an instant like 2025-11-03T10:15Z")
    return at_ms


def _text(raw: Mapping[str, Any], name: str) -> str:
    value = raw.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > TEXT_MAX:
        raise Reject("bad_event", f"{name}: expected text of at most {TEXT_MAX:,} characters")
    return value


def _one_of(raw: Mapping[str, Any], name: str, known: tuple[str, ...]) -> str:
    value = raw.get(name)
    if not isinstance(value, str) or value not in known:
        raise Reject("bad_event", f"{name} {value!r}, expected one of {', '.join(known)}")
    return value
