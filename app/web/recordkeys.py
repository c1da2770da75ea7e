"""The key a record gets at the door: from paths into it, or what topic `config` asks for."""

from collections.abc import Mapping, Sequence

import msgspec

from config.topics import CONFIG
from connectors.formats.json import resolve
from domain.aggregation.extract import ABSENT
from domain.aggregation.numbers import canonical, canonical_key, float_hook
from domain.cloudevents import in_base64, json_data
from domain.errors import Reject

_decode = msgspec.json.Decoder(float_hook=float_hook).decode


def key_of(record: Mapping[str, object], paths: Sequence[str], topic: str) -> bytes | None:
    """The key's bytes, or None for none.

    One path: its value's text; several: the canonical JSON array of their values. A record
    that lacks a value, or has an object, an array or an impossible number there, stays without
    a key. In a structured CloudEvent the paths are into its data.
    """
    if not paths:
        if topic != CONFIG:
            return None
        # A control message without kind or name is refused later; it must have some key, as the
        # topic is compacted. Commands have an id for a name: each is one of its own.
        kind = _text(record, "kind")
        return f"{kind}/{_text(record, 'id' if kind == 'command' else 'name')}".encode()
    data = record.get("data")
    if "specversion" in record and in_base64(record):
        data = _data_of(record)
    if "specversion" in record and isinstance(data, dict):
        record = data
    values = [resolve(record, path) for path in paths]
    if any(value is None or value is ABSENT or isinstance(value, (dict, list)) for value in values):
        return None
    if len(values) == 1 and isinstance(values[0], str):
        return values[0].encode()
    try:
        return canonical_key(values) if len(values) > 1 else canonical(values[0])
    except Reject:
        return None


def key_of_bytes(value: bytes, paths: Sequence[str], topic: str) -> bytes | None:
    """`key_of` for bytes that may be anything; what is no JSON object has no values in it."""
    try:
        record = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        record = None
    return key_of(record if isinstance(record, dict) else {}, paths, topic)


def _data_of(event: Mapping[str, object]) -> object:
    try:
        return _decode(json_data(event))
    except (Reject, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}  # no values: what is wrong with it is told where it is applied


def _text(record: Mapping[str, object], name: str) -> str:
    value = record.get(name)
    return value if isinstance(value, str) else "?"
