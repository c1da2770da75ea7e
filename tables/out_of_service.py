"""Documents that were taken by another release and say nothing that this one could follow.

Such a document is out of service: it stops no worker and changes no other document, what it would
have taken waits, and people are told. A version that this release reads, or a release that reads
the version, brings it back.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from domain.aggregation.document import DEFAULT_INPUT, DEFAULT_OUTPUT, result_name
from domain.aggregation.operations import OPERATIONS
from domain.aggregation.rule import Rule
from domain.errors import SluiceError

Sums = tuple[tuple[int, str], ...]

WAIT_MS = 60_000
"""After so long it is looked again whether a session that waits may be woken."""


class OutOfService(SluiceError):
    """A version in force, or one that sessions still have, can't be followed. `reason`: why not.
    `sums`: see `Unread`; None when they aren't known.
    """

    def __init__(
        self, kind: str, name: str, version: int, reason: str, sums: Sums | None = None
    ) -> None:
        self.kind, self.name, self.version, self.reason = kind, name, version, reason
        self.sums = sums
        super().__init__(
            f"{kind}/{name} version {version} is out of service: {reason}. What it takes waits; "
            f"apply a version that this release reads, or start a release that reads this one"
        )


@dataclass(frozen=True)
class Unread:
    """A version of an aggregator that can't be read; `input`, `output` and `keyed_by` are what it
    says all the same. `sums`: which accumulators of its sessions the control totals follow, so that
    they stay exact; None when it names an operation that there is not. `names`: what each of its
    flushes calls a sum -> the field that is summed.
    """

    reason: str
    input: str
    output: str
    keyed_by: tuple[str, ...]
    sums: Sums | None
    names: Mapping[str, str]

    @classmethod
    def of(cls, reason: str, body: Any) -> "Unread":
        """What can still be told from the version's body."""
        said: Mapping[str, Any] = body if isinstance(body, Mapping) else {}
        keyed_by, output = said.get("keyed_by"), said.get("output")
        aggregate = said.get("aggregate")
        operations = [
            each
            for each in (aggregate if isinstance(aggregate, list | tuple) else ())
            if isinstance(each, Mapping)
        ]
        return cls(
            reason,
            _topic(said, "input", DEFAULT_INPUT),
            _topic(output if isinstance(output, Mapping) else {}, "topic", DEFAULT_OUTPUT),
            tuple(map(str, keyed_by)) if isinstance(keyed_by, list | tuple) else (),
            _sums(operations),
            _names(operations),
        )


def sums_of(rule_of: Callable[[str, int], Rule], name: str, version: int) -> Sums:
    """The sums that a version keeps, also one that can't be followed. Raises OutOfService when even
    they aren't known.
    """
    try:
        return rule_of(name, version).sums
    except OutOfService as lost:
        if lost.sums is None:
            raise
        return lost.sums


def _topic(said: Mapping[str, Any], name: str, otherwise: str) -> str:
    found = said.get(name)
    return found if isinstance(found, str) else otherwise


def _sums(operations: Sequence[Mapping[str, Any]]) -> Sums | None:
    """As `Rule.sums`."""
    found: dict[str, int] = {}
    width = 0
    for each in operations:
        field, operation = str(each.get("field")), str(each.get("operation"))
        if operation not in OPERATIONS:
            return None
        if operation == "sum":
            found[field] = width
        width += 0 if field == "*" else OPERATIONS[operation].slots
    return tuple((at, field) for field, at in found.items())


def _names(operations: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    fields = [(each.get("as"), str(each.get("field"))) for each in operations if _is_sum(each)]
    return {
        name if isinstance(name, str) else result_name(field, "sum"): field
        for name, field in reversed(fields)
    }


def _is_sum(operation: Mapping[str, Any]) -> bool:
    return operation.get("operation") == "sum"
