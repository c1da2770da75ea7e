"""What an aggregator document says once it was read and found possible: pure, frozen data.

`config/documents/aggregator.py` builds these from YAML or JSON and refuses what can't be;
nothing here checks anything. Durations are milliseconds, paths are dotted text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal, TypeAlias

import msgspec

from domain.aggregation.numbers import canonical
from domain.aggregation.periods import Unit
from domain.aggregation.schedule import Frequency

Kind: TypeAlias = Literal["number", "instant", "any"]
Op: TypeAlias = Literal[
    "==", "!=", ">", ">=", "<", "<=", "in", "not_in", "exists", "contains", "starts_with"
]
FlushBy: TypeAlias = Literal["timeout", "end_of_transaction", "end_of_stream"]
Envelope: TypeAlias = Literal["plain", "cloudevents"]

DEFAULT_INPUT = "usage"
DEFAULT_OUTPUT = "aggregates"
DEFAULT_SCALE = 12  # digits after the point of what is rounded
DEFAULT_DEDUP_DAYS = 35  # a month and the days a late file may take
DEFAULT_TTL_DAYS = 180


@dataclass(frozen=True, slots=True)
class OperationShape:
    """What a document may say about one operation.

    kind: how its result compares in a condition ("any": the value decides).
    star: `field: "*"`, the record itself, is possible. scale: it rounds, so takes `scale`.
    """

    kind: Kind
    star: bool = False
    scale: bool = False


# operation -> what a document may say about it; a new operation is one line here
OPERATIONS: Mapping[str, OperationShape] = MappingProxyType(
    {
        "sum": OperationShape("number"),
        "max": OperationShape("number"),
        "min": OperationShape("number"),
        "average": OperationShape("number", scale=True),
        "count": OperationShape("number", star=True),
        "carry_first": OperationShape("any"),
        "carry_last": OperationShape("any"),
        "date_max": OperationShape("instant"),
        "date_min": OperationShape("instant"),
        "stddev": OperationShape("number", scale=True),
        "unique_count": OperationShape("number"),
        "first": OperationShape("any"),
        "last": OperationShape("any"),
    }
)


@dataclass(frozen=True, slots=True, eq=False)
class Compare:
    """One comparison. `value` by `op` and `kind`:

    `exists`: None. `in`, `not_in`: a tuple of single values. `contains`, `starts_with`: text.
    Otherwise one text, boolean, int or Decimal. Where `kind` is "instant" every single value is
    epoch milliseconds (int); where it is "number" every one is an int or a Decimal.
    `kind` says how `> >= < <=` compare; "any" is only found with the other operators.
    """

    field: str
    op: Op
    value: object
    kind: Kind | None

    def _identity(self) -> tuple[object, ...]:
        return self.field, self.op, self.kind, canonical(self.value)

    def __eq__(self, other: object) -> bool:
        """By JSON value: 1 and 1.0 are equal, and unlike in Python 1 and true are not."""
        return isinstance(other, Compare) and other._identity() == self._identity()

    def __hash__(self) -> int:
        return hash(self._identity())


@dataclass(frozen=True, slots=True)
class All:
    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any_:
    items: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    item: Condition


Condition: TypeAlias = All | Any_ | Not | Compare


@dataclass(frozen=True, slots=True)
class PeriodSpec:
    """Groups by the period that the instant at `field` falls in.

    Exactly one of `timezone` (an IANA name) and `timezone_field` (a path to one) is set.
    """

    field: str
    unit: Unit
    timezone: str | None = "UTC"
    timezone_field: str | None = None


@dataclass(frozen=True, slots=True)
class Group:
    fields: tuple[str, ...] = ()
    periods: tuple[PeriodSpec, ...] = ()
    null_group: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One accumulator, kept by (field, operation), printed as `name`."""

    field: str
    operation: str
    name: str
    scale: int = DEFAULT_SCALE


def result_name(field: str, operation: str) -> str:
    """The name of a result without an `as:`."""
    return operation if field == "*" else f"{operation}_{field}"


@dataclass(frozen=True, slots=True)
class Timeout:
    """When a session is due. What is set besides `kind`:

    "duration": `duration_ms`. "frequency": `frequency`.
    "timestamp_field": `field`, `policy`, and perhaps `default_timeout_ms`.
    """

    kind: Literal["duration", "frequency", "timestamp_field"]
    duration_ms: int | None = None
    frequency: Frequency | None = None
    field: str | None = None
    policy: Literal["last", "max"] = "last"
    default_timeout_ms: int | None = None

    def text(self) -> str:
        """The rule in words, as `explain.rule` of a flush shows it."""
        if self.frequency is not None:
            return self.frequency.text()
        if self.duration_ms is not None:
            return f"duration {duration_text(self.duration_ms)}"
        return f"timestamp_field {self.field}"


def duration_text(duration_ms: int) -> str:
    """Largest units first, parts of zero left out: "1d 2h 30m"."""
    seconds = duration_ms // 1000
    parts = []
    for unit_s, letter in ((86400, "d"), (3600, "h"), (60, "m"), (1, "s")):
        count, seconds = divmod(seconds, unit_s)
        if count:
            parts.append(f"{count}{letter}")
    return " ".join(parts) or "0s"


@dataclass(frozen=True, slots=True)
class Flush:
    by: FlushBy
    timeout: Timeout | None = None
    conditions: Condition | None = None


@dataclass(frozen=True, slots=True)
class Output:
    topic: str = DEFAULT_OUTPUT
    envelope: Envelope = "plain"


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregator:
    """One aggregator document. Field by field the contract of `aggregation.md` section 2."""

    kind: ClassVar[str] = "aggregator"

    name: str
    input: str = DEFAULT_INPUT
    keyed_by: tuple[str, ...] = ()
    filter: Condition | None = None
    group: Group
    aggregate: tuple[Operation, ...]
    flush: Flush
    event_id: str | None = None
    dedup_days: int = DEFAULT_DEDUP_DAYS
    event_time: str | None = None
    output: Output = Output()
    ttl_days: int = DEFAULT_TTL_DAYS

    def group_spec(self) -> str:
        """Canonical text of the group fields and periods, in their order.

        Versions for which it is equal share sessions. Not in it: `null_group`, which decides
        what is accepted and not what a session is.
        """
        periods = [[p.field, p.unit, p.timezone, p.timezone_field] for p in self.group.periods]
        return msgspec.json.encode([self.group.fields, periods]).decode()
