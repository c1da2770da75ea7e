"""A fetched record: as the archive has it, and as it goes on to the topic `source-events`.

In the archive it is `ts` and `attributes`; key and values follow from these by the mapping, so that
the archive alone makes every figure again. All records of one source go to one partition,
`partition_for(source.encode(), partitions)`, in the order in which they were archived, under the
stream key `event_key(...)`.
"""

from __future__ import annotations

from collections.abc import Mapping as Items
from decimal import Decimal
from hashlib import blake2b
from math import isfinite
from typing import Any, TypeAlias

import msgspec

from domain.aggregation.numbers import number_from_text
from domain.aggregation.zones import known_zone
from domain.errors import Reject
from domain.metrics.document import Mapping, Metric, MetricType

Attribute: TypeAlias = bool | int | float | str | None
Attributes: TypeAlias = dict[str, Attribute]
VERSION_END = 1 << 61
EARLIEST_MS, LATEST_MS = -62_104_060_800_000, 253_370_764_800_000
LONG_MIN, LONG_MAX = -(1 << 63), (1 << 63) - 1

_json = msgspec.json.Encoder(order="sorted").encode
_MISSING: Any = object()


class Value(msgspec.Struct, frozen=True):
    """What a record gives for one metric: at its `ts`, to the series of these dimensions."""

    metric: str
    type: MetricType
    dimensions: dict[str, str]
    value: int | float


class Record(msgspec.Struct, frozen=True, omit_defaults=True):
    """One record. `ts`: epoch ms. `version` rises with every record of the source that is archived;
    of the records with one key the one with the highest counts, and only that.
    """

    source: str
    key: str
    ts: int
    version: int
    attributes: Attributes
    values: list[Value]
    timezone: str = "UTC"


encode = _json
_decode = msgspec.json.Decoder(Record).decode


def decode(body: bytes) -> Record:
    """A record of `source-events`. Raises Reject."""
    try:
        record = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Reject("undecodable", f"no record of a source: {error}") from None
    if not known_zone(record.timezone):
        raise Reject("undecodable", f"timezone {record.timezone!r} is no IANA time zone")
    if not 0 <= record.version < VERSION_END:
        raise Reject("undecodable", f"version {record.version}: 0 to 2^61 is wanted")
    if not EARLIEST_MS <= record.ts < LATEST_MS:
        raise Reject("not_an_instant", f"ts {record.ts}: years 2 to 9998 in milliseconds")
    if any("\0" in name for name in (record.source, *(value.metric for value in record.values))):
        raise Reject("undecodable", "a name with a zero byte")
    return record


def event_key(source: str, key: str) -> bytes:
    """The stream key of a record: source and record."""
    return f"{source}/{key}".encode()


def attributes_of(record: Items[str, Any]) -> Attributes:
    """A decoded JSON object as attributes: what is nested becomes JSON text, a whole number beyond
    64 bits a double."""
    return {name: _attribute(value) for name, value in record.items()}


def _attribute(value: Any) -> Attribute:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        held: Attribute = _held(value, str(value))
        return held
    if isinstance(value, float):
        return value
    return _json(value).decode()


def _held(value: int, beyond: Attribute) -> Any:
    """A whole number as a long, else as a double, `beyond` where it is neither."""
    if LONG_MIN <= value <= LONG_MAX:
        return value
    return float(value) if abs(value) < 1 << 1023 else beyond


def record_of(mapping: Mapping, ts: int, version: int, attributes: Attributes) -> Record:
    """The record that archived attributes make, with its key and values."""
    values = [
        Value(metric.name, metric.type, _dimensions(metric, attributes), value)
        for metric in mapping.metrics
        if (value := number_at(metric, attributes)) is not None
    ]
    key = key_of(mapping, ts, attributes)
    return Record(mapping.source, key, ts, version, attributes, values, mapping.timezone)


def key_of(mapping: Mapping, ts: int, attributes: Attributes) -> str:
    """What makes a record the same: the values at the mapping's key. A record that lacks one of
    them, or a mapping without a key, takes the whole record."""
    parts = [lookup(attributes, path) for path in mapping.key]
    if parts and None not in parts:
        return text_of(parts[0]) if len(parts) == 1 else _json(parts).decode()
    return blake2b(_json([ts, attributes]), digest_size=16).hexdigest()


def number_at(metric: Metric, attributes: Attributes) -> int | float | None:
    """The value that the attributes give for the metric; None when they give no number."""
    if not isinstance(metric.value, str):
        return metric.value
    found = lookup(attributes, metric.value)
    if isinstance(found, str):
        number = number_from_text(found.strip())
        found = float(number) if isinstance(number, Decimal) else number
    if found is None or isinstance(found, bool) or not isinstance(found, int | float):
        return None
    if isinstance(found, int):
        held: int | float | None = _held(found, None)
        return held
    return found if isfinite(found) else None


def _dimensions(metric: Metric, attributes: Attributes) -> dict[str, str]:
    return {name: text_of(lookup(attributes, path)) for name, path in metric.dimensions}


def lookup(attributes: Items[str, Any], path: str) -> Any:
    """The value at a dotted path, None without. A name with dots in it wins, the longest first;
    nested values are looked into where they are JSON text."""
    found = attributes.get(path, _MISSING)
    if found is not _MISSING:
        return found
    at = path.rfind(".")
    while at > 0:
        inner = _opened(attributes.get(path[:at]))
        if isinstance(inner, dict) and (deeper := lookup(inner, path[at + 1 :])) is not None:
            return deeper
        at = path.rfind(".", 0, at)
    return None


def _opened(value: Any) -> Any:
    if not isinstance(value, str) or not value.startswith("{"):
        return value
    try:
        return msgspec.json.decode(value)
    except msgspec.DecodeError:
        return None


def text_of(value: Any) -> str:
    """A value as the text of a dimension or key: nothing is "", numbers and booleans as in JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _json(value).decode()
