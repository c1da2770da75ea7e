"""What the console and the HTTP API ask of the running system about what people did.

Part of `app.backend.Backend`; what is said there of errors, times and cursors holds here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from app.shapes import Page

Chart = Literal[
    "synced_pages", "messages", "banners", "banners_by_placeholder", "leads", "conversions"
]
CHARTS: Mapping[Chart, str] = {
    "synced_pages": "synced_page",
    "messages": "message",
    "banners": "banner",
    "banners_by_placeholder": "banner",
    "leads": "lead",
    "conversions": "conversion",
}
"""What is counted in each. Leads and conversions are figures of the page; their details are had
like those of charts."""


@dataclass(frozen=True)
class FunnelEvent:
    """An event in a list, what it left out filled in. `event` has operation, label, campaign, step,
    customer, ok, detail."""

    id: str
    at_ms: int
    event: Mapping[str, Any]


@dataclass(frozen=True)
class FunnelMessage:
    """The whole message: `body` is JSON as it came."""

    id: str
    received_ms: int
    body: bytes


@dataclass(frozen=True)
class FunnelAsked:
    """Filters; "" is any. `span_ms`: events of the last so many; None: all that are kept."""

    span_ms: int | None = None
    campaign: str = ""
    label: str = ""
    customer: str = ""


@dataclass(frozen=True)
class Point:
    """A value of a chart: of the bucket that begins at `at_ms`, or of a placeholder."""

    value: int
    at_ms: int | None = None
    placeholder: str | None = None


@dataclass(frozen=True)
class Usage:
    """The figures of [from_ms, to_ms). `grain_ms`: length of the charts' buckets. `exact` False:
    `reached` is an estimate."""

    from_ms: int
    to_ms: int
    grain_ms: int
    total: int
    active: int
    reached: int
    exact: bool
    leads: int
    conversions: int
    charts: Mapping[str, Sequence[Point]] = field(default_factory=dict)


@dataclass(frozen=True)
class UsageRecord:
    """An event behind a chart, as it came."""

    id: str
    at_ms: int
    event: Mapping[str, Any]


@dataclass(frozen=True)
class UsageDetail:
    """A chart's total, its highest bucket (None when there is none), the events behind it."""

    chart: Chart
    from_ms: int
    to_ms: int
    grain_ms: int
    total: int
    highest: Point | None
    records: Page[UsageRecord]


class InsightBackend(Protocol):
    """Funnel and usage of the running system."""

    async def funnel(self, asked: FunnelAsked, limit: int, cursor: str | None) -> Page[FunnelEvent]:
        """Funnel events, the newest first. A page may be short of `limit` and have a `next`."""

    async def funnel_event(self, event_id: str) -> FunnelMessage | None:
        """One of them; None when it isn't kept (any more)."""

    async def usage(self, from_: str, to: str) -> Usage:
        """The figures of a period: dates or instants, UTC when they have no offset; "" is 30 days
        up to now. Raises BadRange."""

    async def usage_detail(
        self, chart: Chart, from_: str, to: str, limit: int, cursor: str | None
    ) -> UsageDetail:
        """What is behind a chart, the newest events first. Raises BadRange."""
