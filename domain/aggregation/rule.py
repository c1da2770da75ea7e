"""A version of an aggregator document, compiled: everything that runs per record or per flush."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from domain.aggregation.conditions import text as condition_text
from domain.aggregation.document import Aggregator, Operation, Timeout
from domain.aggregation.extract import Extracted, Input, compile_extract, inputs_of, paths_of
from domain.aggregation.operations import OPERATIONS
from domain.aggregation.schedule import Frequency, next_fire
from domain.aggregation.session import NEVER

DAY_MS = 86_400_000


@dataclass(frozen=True)
class Slot:
    """Where an operation keeps its accumulators: `at` is the index of the first one."""

    operation: Operation
    at: int
    key: str
    """"operation:field", by which accumulators are carried from one version to the next."""


@dataclass(frozen=True)
class Rule:
    """One version of an aggregator. Made by `compile_rule`; shared by all partitions of a process.

    `prefix` starts the row key of its sessions, the same for all versions with the same group
    specification. `due(timestamp, value)` is the due time of a session created then (None: it can't
    have one, `no_timeout`).
    """

    document: Aggregator
    version: int
    prefix: bytes
    spec: str
    spec_hash: str
    slots: tuple[Slot, ...]
    width: int
    inputs: tuple[Input, ...]
    due: Callable[[int, int | None], int | None]
    due_text: str
    condition_text: str
    ttl_ms: int
    dedup_ms: int
    sums: tuple[tuple[int, str], ...]
    """(accumulator index, field) of every sum: what the control totals follow."""
    _cache: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)

    @property
    def name(self) -> str:
        return self.document.name

    def extractor(self, attributes: Mapping[str, str]) -> Callable[[Any], Extracted | None]:
        """See `extract.compile_extract`."""
        return compile_extract(self.document, attributes)

    def paths(self) -> dict[str, Any]:
        """See `extract.paths_of`."""
        return dict(paths_of(self.document))

    def result(self, slot: Slot, accumulators: list[Any]) -> Any:
        """What that operation prints for these accumulators."""
        rule = OPERATIONS[slot.operation.operation]
        return rule.result(accumulators[slot.at : slot.at + rule.slots], slot.operation)


def compile_rule(document: Aggregator, version: int) -> Rule:
    """Compiles a checked document."""
    slots: list[Slot] = []
    width = 0
    for operation in document.aggregate:
        slots.append(Slot(operation, width, f"{operation.operation}:{operation.field}"))
        width += 0 if operation.field == "*" else OPERATIONS[operation.operation].slots
    conditions = document.flush.conditions
    spec = document.group_spec()
    spec_hash = sha256(spec.encode()).hexdigest()[:16]
    due, due_text = _due_of(document)
    return Rule(
        document=document,
        version=version,
        prefix=row_prefix(document.name, spec_hash),
        spec=spec,
        spec_hash=spec_hash,
        slots=tuple(slots),
        width=width,
        inputs=inputs_of(document),
        due=due,
        due_text=due_text,
        condition_text=condition_text(conditions) if conditions is not None else "",
        ttl_ms=document.ttl_days * DAY_MS,
        dedup_ms=document.dedup_days * DAY_MS,
        # a field summed under two names is one sum
        sums=tuple(
            (at, name)
            for name, at in {
                slot.operation.field: slot.at for slot in slots if slot.operation.operation == "sum"
            }.items()
        ),
    )


def row_prefix(name: str, spec_hash: str) -> bytes:
    """The start of every row key of one aggregator and group specification; the canonical session
    key follows.
    """
    return f"{name}\0{spec_hash}\0".encode()


def split_row_key(row_key: bytes) -> tuple[str, str, bytes]:
    """(aggregator, hash of the group specification, canonical session key) of a row key."""
    name, spec_hash, key = row_key.split(b"\0", 2)
    return name.decode(), spec_hash.decode(), key


def _due_of(document: Aggregator) -> tuple[Callable[[int, int | None], int | None], str]:
    timeout = document.flush.timeout
    if timeout is None:
        return (lambda _timestamp, _value: NEVER), document.flush.by
    return _timeout_due(timeout), timeout.text()


def _timeout_due(timeout: Timeout) -> Callable[[int, int | None], int | None]:
    if timeout.kind == "duration":
        duration = timeout.duration_ms or 0
        return lambda timestamp, _value: timestamp + duration
    if timeout.kind == "frequency" and timeout.frequency is not None:
        return _fires(timeout.frequency)
    default = timeout.default_timeout_ms

    def due(timestamp: int, value: int | None) -> int | None:
        if value is not None:
            return value
        return None if default is None else timestamp + default

    return due


def _fires(frequency: Frequency) -> Callable[[int, int | None], int]:
    known = [
        1,
        0,
    ]  # [low, high): every instant from low on and before high has high as its next fire time

    def due(timestamp: int, _value: int | None) -> int:
        low, high = known
        if not low <= timestamp < high:
            high = next_fire(frequency, timestamp)
            known[:] = timestamp, high
        return high

    return due
