"""The campaign that `sluice bench campaigns` and its peers have: two slots of one day in UTC."""

from typing import Any

from config.documents.registry import load_document
from domain.aggregation.instants import parse_instant
from domain.campaigns.document import CampaignAlert, ContactPolicy, Flow

DAY = "20251103"
MOST_CHANNELS = 1_000_000  # that a flow may have
START_MS = parse_instant("2025-11-03T00:00:00Z") or 0
OPENS_MS = parse_instant("2025-11-03T10:00:00Z") or 0


def number(n: int) -> str:
    """The number of a row."""
    return f"+9198{n:08}"


def flow(channels: int) -> Flow:
    """A flow that works around the clock, with as many channels as there are rows."""
    days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    document = {
        "kind": "flow", "name": "bench", "timezone": "UTC", "country": "IN",
        "working_time": {"start": "00:00", "end": "23:59", "days": days},
        "channels": min(2 * channels, MOST_CHANNELS),
        "lease": {"seconds": 600}, "executor": "topic",
    }  # fmt: skip
    loaded = load_document(document)
    if not isinstance(loaded, Flow):
        raise TypeError(f"{loaded!r} is no flow")
    return loaded


class Flows:
    """See `domain.campaigns.document.Flows`: these alone, by name."""

    def __init__(self, *flows: Flow) -> None:
        self._flows = {each.name: each for each in flows}

    def __call__(self, name: str) -> Flow | None:
        return self._flows.get(name)

    def policies(self) -> tuple[ContactPolicy, ...]:
        return ()

    def alerts(self) -> tuple[CampaignAlert, ...]:
        return ()

    def halted(self, name: str) -> bool:
        return False

    def keeps(self, number: str) -> bool:
        return False


def fdd(n: int, slot: str, start: str, end: str) -> dict[str, Any]:
    """An FDD as the store has it when it was made, for those who write it by hand."""
    place = slot.replace(":", "").replace("-", "_")
    return {
        "_id": f"bench-0000000000000001.{DAY}.{place}.1.{n + 1}",
        "request_id": "bench-0000000000000001", "record_no": n + 1, "number": number(n),
        "date": "2025-11-03", "slot": slot, "slot_start": start, "slot_end": end,
        "scheduled_start": start, "status": "IN_PROGRESS", "state": "CREATED", "reason": None,
        "retriggered": False, "revision": 1, "marks": [], "attempts": [],
        "_place": f"{DAY}/{place}/1/{n + 1:08}",
    }  # fmt: skip
