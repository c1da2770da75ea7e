"""The flushed record: what billing receives, and what an open session looks like when listed."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec

from domain.aggregation.instants import print_instant
from domain.aggregation.numbers import canonical_key, plain
from domain.aggregation.operations import OPERATIONS, exact_json
from domain.aggregation.periods import Calendar
from domain.aggregation.rule import Rule
from domain.aggregation.session import NEVER, Session
from domain.aggregation.sources import input_partition

SourceName = Callable[[str], str]
"""The name under which `explain.sources` shows the topic of a position (batch: the file)."""

_calendars: dict[tuple[str, str], Calendar] = {}
_encode = msgspec.json.Encoder().encode
_WITH_DECIMALS = ("group", "values", "parts")


def exact(value: Any) -> Any:
    """A JSON value whose decimals are encoded without loss and without an exponent (whole numbers
    are, of any size)."""
    if isinstance(value, Decimal):
        return msgspec.Raw(plain(value).encode())
    if isinstance(value, dict):
        return {name: exact(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [exact(item) for item in value]
    return value


def to_json(value: Any) -> bytes:
    """Compact JSON with exact numbers."""
    return _encode(exact(value))


def flush_id(rule: Rule, key: bytes, session: Session) -> str:
    """64 hex digits: SHA-256 of aggregator, group specification, key and the position of the first
    record.
    """
    return id_at(rule, key, session.sources[0])


def id_at(rule: Rule, key: bytes, position: Sequence[Any]) -> str:
    """The id of a flush whose first record is at [topic, partition, offset, …]."""
    topic, partition, first = position[:3]
    at = canonical_key((rule.name, rule.spec, topic, input_partition(partition), first))
    return sha256(at + b"\0" + key).hexdigest()


def group_of(rule: Rule, key: bytes) -> tuple[dict[str, Any], dict[str, Any]]:
    """(`group`, `periods`) of a flushed record, told by its key."""
    values = exact_json(key)
    group = dict(zip(rule.document.group.fields, values, strict=False))
    at = len(group)
    periods: dict[str, Any] = {}
    for period in rule.document.group.periods:
        label, zone = values[at], period.timezone
        at += 1
        if zone is None:
            zone = values[at]
            at += 1
        calendar = _calendars.get((period.unit, zone))
        if calendar is None:
            calendar = _calendars[period.unit, zone] = Calendar(period.unit, zone)
        interval = calendar.from_label(label)
        periods[period.field] = {
            "period": period.unit,
            "label": label,
            "start": print_instant(interval.start_ms),
            "end": print_instant(interval.end_ms),
        }
    return group, periods


def flushed_record(
    rule: Rule,
    due_rule: Rule,
    key: bytes,
    session: Session,
    *,
    sequence: int,
    flush_type: str,
    late: bool = False,
    last_call: bool = False,
    source_name: SourceName = str,
) -> dict[str, Any]:
    """The record of aggregation.md §6 as a dict, numbers as int and Decimal.

    `rule` is the version of the last record applied (its accumulators are `session`'s), `due_rule`
    the version that set the due time.
    """
    group, periods = group_of(rule, key)
    values: dict[str, Any] = {}
    parts: dict[str, Any] = {}
    estimated: list[str] = []
    for slot in rule.slots:
        operation = slot.operation
        if operation.field == "*":
            values[operation.name] = session.count
            continue
        values[operation.name] = rule.result(slot, session.accumulators)
        how = OPERATIONS[operation.operation]
        held = session.accumulators[slot.at : slot.at + how.slots]
        if how.parts is not None and (flush_type or not how.bulky):
            parts[operation.name] = how.parts(held)
        if how.estimate is not None and how.estimate(held):
            estimated.append(operation.name)
    record: dict[str, Any] = {
        "id": flush_id(rule, key, session),
        "aggregator": rule.name,
        "version": session.version,
        "sequence": sequence,
        "group": group,
        "periods": periods,
        "values": values,
        "parts": parts,
        "meta": {
            "origin": rule.name,
            "count": session.count,
            "flushType": flush_type,
            "firstEvent": print_instant(session.first),
            "lastEvent": print_instant(session.last),
            "lastCall": last_call,
        },
        "explain": {
            "rule": _why(rule, due_rule, session, flush_type),
            "due": None if session.due >= NEVER else print_instant(session.due),
            "sources": [
                {
                    "topic": source_name(topic),
                    "partition": input_partition(partition),
                    "first": first,
                    "last": last,
                    "count": count,
                }
                for topic, partition, first, last, count in session.sources
            ],
        },
    }
    if late:
        record["late"] = True
    if estimated:
        record["estimated"] = estimated
    return record


def _why(rule: Rule, due_rule: Rule, session: Session, flush_type: str) -> str:
    if flush_type == "CONDITION":
        return f"condition {rule.condition_text}"
    return due_rule.due_text if session.due_version > 0 else "set by an operator"


def record_json(record: dict[str, Any]) -> bytes:
    """The record as plain JSON, exact."""
    return _encode({**record, **{part: exact(record[part]) for part in _WITH_DECIMALS}})


def enveloped(rule: Rule, record: dict[str, Any], key: bytes) -> bytes:
    """The record as the document's `output.envelope` wants it: plain JSON, or a structured
    CloudEvent 1.0.
    """
    if rule.document.output.envelope != "cloudevents":
        return record_json(record)
    return _encode(
        {
            "specversion": "1.0",
            "id": record["id"],
            "source": f"/sluice/aggregators/{rule.name}",
            "type": "sluice.aggregate.flushed",
            "subject": key.decode(),
            "time": record["meta"]["lastEvent"],
            "datacontenttype": "application/json",
            "data": msgspec.Raw(record_json(record)),
        }
    )
