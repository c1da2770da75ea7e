"""What documents of kind `flow`, `contact_policy` and `alert` say, once read and found possible.

`config/documents/flow.py` and its neighbours build these from YAML or JSON; nothing here
checks anything. Times of the day are minutes since midnight, durations milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

import msgspec

Executor: TypeAlias = Literal["simulated", "http", "topic"]

DEFAULT_RESULT_MS = 3_600_000
DEFAULT_MAX_SLOTS = 2
DEFAULT_MAX_DAYS = 30
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class WorkingTime(msgspec.Struct, frozen=True):
    """When a flow may execute: `[start, end)` of the days. Minutes; `end` may be 1440."""

    start: int
    end: int
    days: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6)  # Monday is 0


class Reattempts(msgspec.Struct, frozen=True):
    """max: attempts of one FDD in all. on: reasons of FAILED, or PARTIAL_COMPLETE."""

    max: int = 1
    after_ms: int = 0
    on: tuple[str, ...] = ()


class Simulated(msgspec.Struct, frozen=True):
    """outcomes: (outcome, reason or None, share of 1). seconds: the shortest, the longest."""

    seed: int = 1
    outcomes: tuple[tuple[str, str | None, float], ...] = (("COMPLETED", None, 1.0),)
    seconds: tuple[float, float] = (5, 60)


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """One flow document."""

    kind: ClassVar[str] = "flow"

    name: str
    timezone: str
    country: str
    working_time: WorkingTime
    holidays: tuple[str, ...] = ()  # local dates, "2026-01-26"
    channels: int
    lease_ms: int
    result_ms: int = DEFAULT_RESULT_MS
    reattempts: Reattempts = Reattempts()
    max_slots_per_day: int = DEFAULT_MAX_SLOTS
    max_days: int = DEFAULT_MAX_DAYS
    executor: Executor = "topic"
    url: str | None = None  # where `executor: http` posts orders
    simulated: Simulated | None = None


class ContactPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """One contact policy document. flows: names, or `*` for all."""

    kind: ClassVar[str] = "contact_policy"

    name: str
    per_day: int
    flows: tuple[str, ...] = ("*",)

    def covers(self, flow: str) -> bool:
        """Whether executions of the flow are held to it."""
        return "*" in self.flows or flow in self.flows


class CampaignAlert(msgspec.Struct, frozen=True, kw_only=True):
    """One alert document about campaigns; of the three conditions exactly one is there.

    over_percent: of a slot's FDDs, failed when it ends. to, sms, webhook: who is told.
    """

    kind: ClassVar[str] = "alert"

    name: str
    over_percent: float | None = None
    creation_missed: bool = False
    silent_ms: int | None = None
    to: tuple[str, ...] = ()
    sms: tuple[str, ...] = ()
    webhook: str | None = None


class Flows(Protocol):
    """The documents in force."""

    def __call__(self, name: str) -> Flow | None:
        """The flow of that name."""

    def policies(self) -> tuple[ContactPolicy, ...]:
        """Every contact policy."""

    def alerts(self) -> tuple[CampaignAlert, ...]:
        """Every alert about campaigns."""

    def halted(self, name: str) -> bool:
        """Whether nobody may be called under the flow: what would be allowed isn't known."""

    def keeps(self, number: str) -> bool:
        """Whether the contacts of the number are kept by the shard that asks."""


class FlowsOf:
    """`Flows` of some documents, for the test kit and for what has them at hand."""

    def __init__(
        self,
        *documents: Flow | ContactPolicy | CampaignAlert,
        home: Callable[[str], bool] | None = None,
        halts: Collection[str] = (),
    ) -> None:
        self.halts = halts
        self.flows = {each.name: each for each in documents if isinstance(each, Flow)}
        self.contact_policies = tuple(d for d in documents if isinstance(d, ContactPolicy))
        self.home = home
        self.campaign_alerts = tuple(d for d in documents if isinstance(d, CampaignAlert))

    def __call__(self, name: str) -> Flow | None:
        return self.flows.get(name)

    def policies(self) -> tuple[ContactPolicy, ...]:
        return self.contact_policies

    def halted(self, name: str) -> bool:
        return name in self.halts

    def keeps(self, number: str) -> bool:
        return self.home is None or self.home(number)

    def alerts(self) -> tuple[CampaignAlert, ...]:
        return self.campaign_alerts


def flow_json(flow: Flow) -> dict[str, Any]:
    """The flow as plain JSON data, as the `upload` command carries it (`body.flow`)."""
    made: dict[str, Any] = msgspec.to_builtins(flow)
    return made


def flow_of(data: Mapping[str, Any]) -> Flow:
    """What `flow_json` was made of. Raises msgspec.ValidationError for anything else."""
    return msgspec.convert(data, Flow)
