"""A record as sinks see it: its id, its content, and whether a sink takes it.

`id` is the record's own (a CloudEvent's, with its source when it isn't one of ours), else its
position: what a target drops repetitions by. Two records are the same when id and bytes are.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import msgspec

from domain.aggregation.conditions import expression, predicate
from domain.aggregation.document import Compare
from domain.aggregation.operations import exact_json
from domain.cloudevents import in_base64, json_data
from domain.errors import Reject
from domain.sinks.document import Sink

ID_MAX = 200
OURS = "/sluice/"
SENT_AGAIN = "sluice-sent-again"
"""A record with this header is handed to targets also when they took the same one before."""

_MISSING: Any = object()


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One record to be delivered. `value` is its JSON text, `content` what it is about (the data of
    a CloudEvent) with exact numbers, `event` the CloudEvent around it, None without."""

    offset: int
    id: str
    key: bytes | None
    value: bytes
    content: dict[str, Any]
    event: dict[str, Any] | None = None

    @property
    def fingerprint(self) -> tuple[bytes, bytes]:
        """(16 bytes of the id, 8 bytes of the content)."""
        return id_digest(self.id), blake2b(self.value, digest_size=8).digest()


def id_digest(text: str) -> bytes:
    """16 bytes that stand for an id."""
    return blake2b(text.encode(), digest_size=16).digest()


def outgoing(topic: str, partition: int, offset: int, key: bytes | None, value: bytes) -> Outgoing:
    """The record at a position. Raises Reject("undecodable") for what is no JSON object."""
    try:
        decoded = exact_json(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Reject("undecodable", f"the record is no JSON: {error}") from None
    if not isinstance(decoded, dict):
        raise Reject("undecodable", "the record is JSON, but no object")
    event = decoded if is_event(decoded) else None
    content = decoded
    if event is not None and isinstance(event.get("data"), dict):
        content = event["data"]
    elif event is not None and in_base64(event):
        content = _json_object(event) or decoded
    own = _id_of(decoded if event is None else event)
    if own is not None and event is not None and not event["source"].startswith(OURS):
        own = f"{event['source']} {own}"[: 2 * ID_MAX]
    return Outgoing(offset, own or f"{topic}/{partition}/{offset}", key, value, content, event)


def _json_object(event: Mapping[str, Any]) -> dict[str, Any] | None:
    """The data of an event in base64, if it is a JSON object."""
    try:
        found = exact_json(json_data(event))
    except (Reject, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def is_event(record: Mapping[str, Any]) -> bool:
    """Whether it is a structured CloudEvent 1.0."""
    return record.get("specversion") == "1.0" and all(
        isinstance(record.get(name), str) and record[name] for name in ("id", "source", "type")
    )


def _id_of(record: Mapping[str, Any]) -> str | None:
    found = record.get("id")
    return found if isinstance(found, str) and 0 < len(found) <= ID_MAX else None


def lookup(record: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, None without; at every level a key with dots in it wins."""
    found = record.get(path, _MISSING)
    if found is not _MISSING:
        return found
    at = path.rfind(".")
    while at > 0:  # the longest key first
        inner = record.get(path[:at], _MISSING)
        if isinstance(inner, dict):
            deeper = lookup(inner, path[at + 1 :])
            if deeper is not None:
                return deeper
        at = path.rfind(".", 0, at)
    return None


def taker(sink: Sink) -> Callable[[Mapping[str, Any]], bool]:
    """Whether the sink takes a record with this content."""
    wanted = frozenset(sink.aggregators)
    tests: list[tuple[str, Callable[[Any], bool]]] = []

    def leaf(compare: Compare) -> str:
        tests.append((compare.field, predicate(compare)))
        return f"test({len(tests) - 1})"

    if sink.filter is None:
        return lambda content: not wanted or content.get("aggregator") in wanted
    code = compile(expression(sink.filter, leaf), f"<filter of {sink.name}>", "eval")

    def takes(content: Mapping[str, Any]) -> bool:
        def test(number: int) -> bool:
            path, passes = tests[number]
            return passes(lookup(content, path))

        if wanted and content.get("aggregator") not in wanted:
            return False
        return bool(eval(code, {"test": test}))

    return takes
