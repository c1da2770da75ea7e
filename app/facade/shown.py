"""Rows of keyed state as people and programs see them: pure."""

from typing import Any

import msgspec

from domain.aggregation.flush import flushed_record, record_json, to_json
from domain.aggregation.fold import RuleOf
from domain.aggregation.instants import PRINTED, print_instant
from domain.aggregation.rule import split_row_key
from domain.aggregation.session import NEVER, Row
from tables.layout import instant_of

INSTANTS = frozenset({"created", "first", "last", "due", "touched", "wake"})


def open_session(row_key: bytes, row: Row, rule_of: RuleOf) -> bytes | None:
    """The open session in the shape of the record it will flush, as JSON; None without one."""
    session = row.open
    if session is None:
        return None
    name, _, key = split_row_key(row_key)
    rule = rule_of(name, session.version)
    record = flushed_record(
        rule,
        rule_of(name, abs(session.due_version)),
        key,
        session,
        sequence=row.sequence + 1,
        flush_type="",
        late=bool(rule.document.group.periods) and row.sequence > 0,
    )
    return record_json(record)


def row_key_text(row_key: bytes) -> str:
    """aggregator/hash of the group specification/session key."""
    return "/".join(split_row_key(row_key)[:2]) + "/" + split_row_key(row_key)[2].decode()


def row_key_bytes(text: str) -> bytes:
    """The inverse, of the beginning of a text too."""
    return text.replace("/", "\0", 2).encode()


def row_value(row: Row) -> bytes:
    """A session row as JSON: instants as text, carried values as the JSON they are."""
    return to_json(_plain(row))


def due_text(index_key: bytes) -> tuple[str, bytes]:
    """(key text, JSON value) of an entry of the due index."""
    at = _instant(instant_of(index_key))
    row_key = index_key[9:]
    name, _, key = split_row_key(row_key)
    value = {"at": at, "aggregator": name, "key": msgspec.Raw(key)}
    return f"{at} {row_key_text(row_key)}", to_json(value)


def _plain(value: Any) -> Any:
    if isinstance(value, msgspec.Struct):
        found = {}
        for name in value.__struct_fields__:
            field = getattr(value, name)
            found[name] = _instant(field) if name in INSTANTS else _plain(field)
        return found
    if isinstance(value, bytes):
        return msgspec.Raw(value)
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value


def _instant(at_ms: int) -> Any:
    if at_ms >= NEVER or not at_ms:
        return None
    # outside the years that can be printed it is shown as the number it is
    return print_instant(at_ms) if at_ms in PRINTED else at_ms
