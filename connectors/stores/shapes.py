"""What both twins of a store find values by, how they page, and what is left after an erasure."""

import base64
import binascii
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from connectors.stores.base import (
    MAX_ID,
    MAX_PAGE,
    VERSION_END,
    BadPlace,
    BadValue,
    Made,
    Value,
    Write,
)
from domain.aggregation.instants import parse_instant

# What an FDD must have, with its type.
_FDD: Mapping[str, tuple[type, ...]] = {
    "request_id": (str,),
    "record_no": (int,),
    "number": (str, type(None)),
    "date": (str,),
    "slot": (str, type(None)),
    "revision": (int,),
    "state": (str,),
    "reason": (str, type(None)),
    "attempts": (list, tuple),
}
_NEGATIVE: Mapping[str, tuple[type, ...]] = {"request_id": (str,)}
_REQUIRED: Mapping[str, Mapping[str, tuple[type, ...]]] = {
    "fdds": _FDD,
    "campaigns": {},
    "negative_numbers": _NEGATIVE,
    "negative_uploads": {**_NEGATIVE, "upload_id": (str,)},
}
# Types of the required fields, in their order, that were seen and are right: few.
_RIGHT: dict[str, set[tuple[type, ...]]] = {}
# Characters at most of what negatives are found by: MySQL has no index over more.
_LONGEST = {"request_id": 150, "upload_id": 200, "number": 64}


def newest(writes: Sequence[Write], kinds: Iterable[str]) -> dict[str, list[Write]]:
    """By kind, one write of an id: of the highest version, and of those the last. In order of the
    ids, so that writers at the same time take the same rows in the same order. Raises BadValue."""
    found: dict[str, dict[str, Write]] = {kind: {} for kind in kinds}
    for write in writes:
        _check(write, found)
        other = found[write.what].get(write.id)
        if other is None or other.version <= write.version:
            found[write.what][write.id] = write
    return {
        kind: [each[ident] for ident in sorted(each)] for kind, each in found.items() if each
    }  # fmt: skip


def check_made(made: Made) -> None:
    """What `newest` looks at, of all of them. Raises BadValue."""
    record_no = max(made.records)
    own = {"request_id": made.request_id, "record_no": record_no, "number": max(made.numbers)}
    _check(
        Write("fdds", f"{made.prefix}{record_no}", made.version, own | dict(made.shared)), _REQUIRED
    )


def _check(write: Write, kinds: Mapping[str, object]) -> None:
    if write.what not in kinds:
        raise BadValue(write.what, write.id, f"this store has {' and '.join(kinds)} only")
    if not 0 < len(write.id) <= MAX_ID:
        raise BadValue(write.what, write.id, f"the id has from 1 to {MAX_ID} characters")
    if not 0 <= write.version < VERSION_END:
        raise BadValue(write.what, write.id, f"version {write.version} is below 0 or too high")
    if write.value is None:
        return
    value, required = write.value, _REQUIRED[write.what]
    found = tuple([type(value.get(name, write)) for name in required])
    known = _RIGHT.setdefault(write.what, set())
    if found not in known:
        for name, types in required.items():
            if not isinstance(value.get(name, write), types):
                wanted = " or ".join("null" if t is type(None) else t.__name__ for t in types)
                raise BadValue(write.what, write.id, f"{name} must be there, and be {wanted}")
        known.add(found)
    for name, most in _LONGEST.items() if write.what.startswith("negative") else ():
        if len(write.value.get(name) or "") > most:
            raise BadValue(write.what, write.id, f"{name} has more than {most} characters")


def order_of(fdd: Mapping[str, Any]) -> str:
    """The place of an FDD in the lists of its request: text that sorts as date, slot, revision,
    record number do."""
    return f"{place_prefix(fdd)}{fdd['record_no']:09d}"


def place_prefix(fdd: Mapping[str, Any]) -> str:
    """What the places of all FDDs of its slot begin with."""
    slot = fdd["slot"] or "-"  # sorts before every digit
    return f"{fdd['date']}/{slot}/{fdd['revision']:06d}/"


def order_span(day: str | None, slot: str | None) -> tuple[str, str]:
    """(first, end) of the places of a day, or of a slot of it. `end` is exclusive."""
    if day is None:
        return "", "\x7f"
    prefix = day if slot is None else f"{day}/{slot or '-'}"
    return f"{prefix}/", f"{prefix}0"  # "0" comes after "/"


def row_place(row: Mapping[str, Any]) -> str:
    """The place of a negative number in the list of its request: by upload and row."""
    return f"{row.get('upload_id') or ''}/{row.get('row') or 0:09d}"


def upload_span(upload_id: str | None) -> tuple[str, str]:
    """(first, end) of the places of an upload. `end` is exclusive."""
    return ("", "\x7f") if upload_id is None else (f"{upload_id}/", f"{upload_id}0")


def starts_of(fdd: Mapping[str, Any]) -> list[int]:
    """When attempts of the FDD started, in epoch milliseconds, each instant once."""
    if not fdd["attempts"]:
        return []
    found = (parse_instant(attempt.get("started_at")) for attempt in fdd["attempts"])
    return sorted({at_ms for at_ms in found if at_ms is not None})


def erased(value: Value) -> Value:
    """An FDD or a negative without the person."""
    gone = {"number": None, "value": None} if "value" in value else {"number": None}
    return {**{key: each for key, each in value.items() if key != "fields"}, **gone}


def page_limit(limit: int) -> int:
    """How many a page may have."""
    return max(1, min(limit, MAX_PAGE))


def cursor_of(*place: str) -> str:
    """The cursor of the page after `place`."""
    return base64.urlsafe_b64encode(msgspec.json.encode(place)).decode().rstrip("=")


def place_of(cursor: str, parts: int) -> list[str]:
    """What `cursor_of` was given. Raises BadPlace."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found = msgspec.json.decode(base64.b64decode(padded, b"-_", True), type=list[str])
    except (UnicodeEncodeError, binascii.Error, msgspec.DecodeError, UnicodeDecodeError):
        raise BadPlace(cursor) from None
    if len(found) != parts:
        raise BadPlace(cursor)
    return found
