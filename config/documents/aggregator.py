"""Reads a document of kind `aggregator`, and refuses what is impossible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

from config.documents import conditions, fields
from config.documents.base import (
    MISSING,
    At,
    DocumentError,
    Problem,
    Reader,
    Section,
    nearest,
    section,
)
from domain.aggregation.document import (
    DEFAULT_DEDUP_DAYS,
    DEFAULT_INPUT,
    DEFAULT_OUTPUT,
    DEFAULT_SCALE,
    DEFAULT_TTL_DAYS,
    OPERATIONS,
    Aggregator,
    Envelope,
    Flush,
    FlushBy,
    Group,
    Kind,
    Operation,
    Output,
    PeriodSpec,
    Timeout,
    result_name,
)
from domain.aggregation.periods import Unit

SCALE_MAX = 100  # digits after the point; no currency or rate needs more
_UNITS: tuple[Unit, ...] = get_args(Unit)
_FLUSH_BY: tuple[FlushBy, ...] = get_args(FlushBy)
_ENVELOPES: tuple[Envelope, ...] = get_args(Envelope)
_POLICIES: tuple[Literal["last", "max"], ...] = ("last", "max")
_TIMEOUTS = ("duration", "frequency", "timestamp_field")


def load_aggregator(data: Mapping[str, object]) -> Aggregator:
    """The aggregator that `data` describes. Raises DocumentError with every problem in it.

    Optional keys may be left out, not set to null. `input` is `usage` without one, time zones are
    UTC. The name of a result is free as long as no other result has it.
    """
    top = Section(data, At())
    top.required("kind", fields.choice((Aggregator.kind,)), Aggregator.kind)
    name = top.required("name", fields.name, "a name")
    source = top.defaulted("input", fields.topic, DEFAULT_INPUT)
    group = top.required("group", _group, "an object with fields, periods")
    keyed_by = top.optional("keyed_by", fields.once(fields.path, "group fields")) or ()
    filtered = top.optional("filter", conditions.condition(conditions.of_record))
    aggregate = top.required("aggregate", _aggregate, "a list of operations")
    flush = top.required("flush", _flush(_kind_of(group, aggregate)), "an object with by")
    event_id = top.optional("event_id", fields.path)
    dedup_days = top.only_with("dedup_days", _days, top.has("event_id"), "beside event_id")
    event_time = top.optional("event_time", fields.path)
    output = top.defaulted("output", _output, Output())
    ttl_days = top.defaulted("ttl_days", _days, DEFAULT_TTL_DAYS)
    top.close()
    if group is not None:
        _within(keyed_by, group.fields, top.at.key("keyed_by"))
    if top.at.problems or name is None or group is None or aggregate is None or flush is None:
        raise DocumentError(top.at.problems)
    return Aggregator(
        name=name,
        input=source,
        keyed_by=keyed_by,
        filter=filtered,
        group=group,
        aggregate=aggregate,
        flush=flush,
        event_id=event_id,
        dedup_days=DEFAULT_DEDUP_DAYS if dedup_days is None else dedup_days,
        event_time=event_time,
        output=output,
        ttl_days=ttl_days,
    )


def refuse_for_stream(aggregator: Aggregator) -> list[Problem]:
    """What is right in batch and impossible on a stream; empty when it can be applied."""
    if aggregator.flush.by == "timeout":
        return []
    expected = "timeout: a stream has no files that end (sluice aggregate reads files)"
    return [Problem("flush.by", aggregator.flush.by, expected)]


def _days(value: object, at: At) -> int | None:
    return fields.whole(1, fields.MAX_DAYS)(value, at)


def _kind_of(group: Group | None, aggregate: tuple[Operation, ...] | None) -> conditions.KindOf:
    results: dict[str, Kind] = {}
    for item in aggregate or ():
        results[item.name] = OPERATIONS[item.operation].kind
    known = group is not None and aggregate is not None
    return conditions.of_session(results, () if group is None else group.fields, known)


def _within(keyed_by: tuple[str, ...], group_fields: tuple[str, ...], at: At) -> None:
    for index, field in enumerate(keyed_by):
        if field not in group_fields:
            at.item(index).refuse(field, f"a group field, {nearest(field, group_fields)}")


def _group(value: object, at: At) -> Group | None:
    parts = section(value, at, "fields, periods, null_group")
    if parts is None:
        return None
    before = len(at.problems)
    names = parts.optional("fields", fields.once(fields.path, "dotted paths", empty=True)) or ()
    periods = parts.optional("periods", fields.several(_period, "periods", empty=True)) or ()
    null_group = parts.defaulted("null_group", fields.boolean, False)
    parts.close()
    taken = list(names)
    for index, period in enumerate(periods):
        if period.field in taken:
            place = at.key("periods").item(index).key("field")
            place.refuse(period.field, "a field that is grouped by once")
        taken.append(period.field)
    if len(at.problems) == before and not taken:
        at.refuse(value, "at least one of fields or periods")
    return Group(names, periods, null_group) if len(at.problems) == before else None


def _period(value: object, at: At) -> PeriodSpec | None:
    parts = section(value, at, "field, period, and timezone or timezone_field")
    if parts is None:
        return None
    before = len(at.problems)
    field = parts.required("field", fields.path, "the path of an instant")
    unit = parts.required("period", fields.choice(_UNITS), nearest("", _UNITS))
    zone_field = parts.optional("timezone_field", fields.path)
    other = "without timezone_field: one of the two"
    zone = parts.only_with("timezone", fields.timezone, zone_field is None, other)
    parts.close()
    if len(at.problems) > before or field is None or unit is None:
        return None
    if zone_field is not None:
        return PeriodSpec(field, unit, None, zone_field)
    return PeriodSpec(field, unit, zone or "UTC")


def _aggregate(value: object, at: At) -> tuple[Operation, ...] | None:
    before = len(at.problems)
    first: dict[str, int] = {}  # result name -> index of the entry that has it
    found: list[Operation] = []
    for index, item in enumerate(fields.each(value, at, _operation, "operations")):
        if item is None:
            continue
        if item.name in first:
            taken = f"another result name by `as`: {at.path}[{first[item.name]}] has this one"
            at.item(index).refuse(item.name, taken)
        first.setdefault(item.name, index)
        found.append(item)
    return tuple(found) if len(at.problems) == before else None


def _operation(value: object, at: At) -> Operation | None:
    parts = section(value, at, "field, operation, as, scale")
    if parts is None:
        return None
    before = len(at.problems)
    operation = parts.required("operation", fields.choice(tuple(OPERATIONS)), "an operation")
    shape = OPERATIONS.get(operation or "")
    field = parts.required("field", _path_or_star, "a dotted path, or * to count records")
    if field == "*" and shape is not None and not shape.star:
        stars = ", ".join(word for word, shape in OPERATIONS.items() if shape.star)
        at.key("field").refuse("*", f"a dotted path: {operation} needs one, * is for {stars}")
    name = parts.optional("as", _result_name)
    scales = shape is None or shape.scale
    rounding = " or ".join(word for word, shape in OPERATIONS.items() if shape.scale)
    scale = parts.only_with("scale", fields.whole(0, SCALE_MAX), scales, f"with {rounding}")
    parts.close()
    if len(at.problems) > before or operation is None or field is None:
        return None
    return Operation(
        field,
        operation,
        result_name(field, operation) if name is None else name,
        DEFAULT_SCALE if scale is None else scale,
    )


def _path_or_star(value: object, at: At) -> str | None:
    return "*" if value == "*" else fields.path(value, at)


def _result_name(value: object, at: At) -> str | None:
    if value == "meta.count" or (isinstance(value, str) and value.startswith("record.")):
        at.refuse(value, "another name: conditions mean something else by this one")
        return None
    return fields.text(value, at)


def _flush(kind_of: conditions.KindOf) -> Reader[Flush]:
    def read(value: object, at: At) -> Flush | None:
        parts = section(value, at, "by, timeout, conditions")
        if parts is None:
            return None
        before = len(at.problems)
        by = parts.required("by", fields.choice(_FLUSH_BY), nearest("", _FLUSH_BY))
        timed = by is None or by == "timeout"
        timeout = parts.only_with("timeout", _timeout, timed, "with `by: timeout`")
        reader = conditions.condition(kind_of)
        condition = parts.only_with("conditions", reader, timed, "with `by: timeout`")
        parts.close()
        if by == "timeout" and not parts.has("timeout"):
            at.key("timeout").refuse(MISSING, f"an object with one of {', '.join(_TIMEOUTS)}")
        if len(at.problems) > before or by is None:
            return None
        return Flush(by, timeout, condition)

    return read


def _timeout(value: object, at: At) -> Timeout | None:
    parts = section(value, at, "one of duration, frequency, timestamp_field")
    if parts is None:
        return None
    before = len(at.problems)
    duration = parts.optional("duration", fields.duration)
    frequency = parts.optional("frequency", fields.frequency)
    field = parts.optional("timestamp_field", fields.path)
    dated, other = parts.has("timestamp_field"), "with timestamp_field"
    policy = parts.only_with("policy", fields.choice(_POLICIES), dated, other)
    default_ms = parts.only_with("default_timeout", fields.duration, dated, other)
    parts.close()
    if sum(map(parts.has, _TIMEOUTS)) != 1:
        at.refuse(value, f"exactly one of {', '.join(_TIMEOUTS)}")
    if len(at.problems) > before:
        return None
    if field is not None:
        return Timeout("timestamp_field", None, None, field, policy or "last", default_ms)
    return Timeout("duration" if frequency is None else "frequency", duration, frequency)


def _output(value: object, at: At) -> Output | None:
    parts = section(value, at, "topic, envelope")
    if parts is None:
        return None
    topic = parts.defaulted("topic", fields.topic, DEFAULT_OUTPUT)
    envelope: Envelope = parts.defaulted("envelope", fields.choice(_ENVELOPES), "plain")
    parts.close()
    return Output(topic, envelope)
