"""What makes a record the same record, and where its values are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b

import msgspec

from domain.metrics.fetched import Fetched, Scalar

_encode = msgspec.json.Encoder(order="deterministic").encode


def value_at(attributes: Mapping[str, Scalar], path: str) -> object:
    """The value at a dotted path: an attribute of that name, else inside the JSON text of one whose
    name the path begins with; None when there is nothing."""
    if path in attributes:
        return attributes[path]
    name, point, rest = path.partition(".")
    held = attributes.get(name)
    if not point or not isinstance(held, str) or held[:1] not in ("{", "["):
        return None
    try:
        return walk(msgspec.json.decode(held), rest)
    except msgspec.DecodeError:
        return None


def walk(value: object, path: str) -> object:
    """The value at a dotted path in decoded JSON; a number is an index. None without one."""
    for word in path.split("."):
        if isinstance(value, dict):
            value = value.get(word)
        elif isinstance(value, list) and word.isascii() and word.isdigit():
            value = value[int(word)] if int(word) < len(value) else None
        else:
            return None
    return value


def key_of(paths: Sequence[str], record: Fetched) -> str:
    """The record's key: what stands at the paths. Without paths, or when nothing stands there, a
    digest of the whole record."""
    values = [value_at(record.attributes, path) for path in paths]
    if paths and any(value is not None for value in values):
        if len(values) == 1 and isinstance(values[0], str):
            return values[0]
        return _encode(values[0] if len(values) == 1 else values).decode()
    return blake2b(_encode([record.ts_ms, record.attributes]), digest_size=16).hexdigest()
