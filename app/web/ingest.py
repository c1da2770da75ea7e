"""From the body of a request to the records in it: pure, no I/O.

Bytes of records are kept as they came. What can't be a record is rejected with its index; the
rest goes on.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import msgspec

from app.web.recordkeys import key_of, key_of_bytes
from connectors.formats import cloudevents
from domain.aggregation.numbers import float_hook
from domain.errors import Reject

Form = Literal["json", "lines", "bytes", "event", "events", "binary event"]
EVENT_HEADER = (("content-type", b"application/cloudevents+json"),)
LINES = frozenset(
    f"application/{name}"
    for name in ("x-ndjson", "ndjson", "jsonl", "x-jsonlines", "jsonlines", "json-lines")
)
_decode = msgspec.json.Decoder(float_hook=float_hook).decode
_elements = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Taken(NamedTuple):
    """A record to append: key, value and headers."""

    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True)
class Turned:
    """A record that is not taken; `index` counts the records of the request from 0."""

    index: int
    reason: str
    detail: str


@dataclass(frozen=True)
class Intake:
    """`single`: the request holds one record by its form, not a list that happens to be short."""

    taken: Sequence[Taken]
    turned: Sequence[Turned]
    single: bool


def form_of(content_type: str, headers: Mapping[str, str]) -> Form:
    """How the records are in the body, by its media type and headers."""
    if content_type == "application/cloudevents+json":
        return "event"
    if content_type == "application/cloudevents-batch+json":
        return "events"
    if "ce-specversion" in headers or "ce-id" in headers:
        return "binary event"
    if content_type in LINES:
        return "lines"
    return "bytes" if content_type == "application/octet-stream" else "json"


def take(
    body: bytes,
    form: Form,
    headers: Mapping[str, str],
    keys: Sequence[str],
    topic: str,
    limit_bytes: int,
) -> Intake:
    """Looks the records through.

    `keys` are paths whose values make the key; without them, records of topic `config` get
    their kind/name. `limit_bytes` is the largest value taken.
    """
    single, values = _split(body, form, headers)
    events = form in ("event", "events", "binary event")
    taken: list[Taken] = []
    turned: list[Turned] = []
    for index, value in enumerate(values):
        try:
            if isinstance(value, Reject):
                raise value
            if len(value) > limit_bytes:
                raise Reject(
                    "too_large", f"{len(value):,} bytes; a record may have {limit_bytes:,}"
                )
            if form == "bytes":
                key = key_of_bytes(value, keys, topic)
            else:
                record = _record(value)
                if events:
                    cloudevents.check(record)
                key = key_of(record, keys, topic)
            taken.append(Taken(key, value, EVENT_HEADER if events else ()))
        except Reject as reject:
            turned.append(Turned(index, reject.reason, reject.detail))
    return Intake(taken, turned, single)


def _split(
    body: bytes, form: Form, headers: Mapping[str, str]
) -> tuple[bool, Iterator[bytes | Reject]]:
    """Whether it is one record by form, and the bytes of each."""
    if form == "binary event":
        return True, iter([_binary(body, headers)])
    if form in ("bytes", "event"):
        return True, iter([body])
    if form == "lines":
        return False, _lines(body)
    if form == "events" or body.lstrip()[:1] == b"[":
        try:
            return False, iter([bytes(raw) for raw in _elements(body)])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return False, iter([Reject("undecodable", f"the array can't be read: {error}")])
    if _is_lines(body):
        return False, _lines(body)
    return True, iter([body.strip()])


def _lines(body: bytes) -> Iterator[bytes]:
    return (line.strip() for line in body.split(b"\n") if line.strip())


def _is_lines(body: bytes) -> bool:
    """JSON Lines sent as plain JSON: several lines, the first of which is complete."""
    first, _, rest = body.strip().partition(b"\n")
    if not rest.strip():
        return False
    try:
        _decode(first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _binary(body: bytes, headers: Mapping[str, str]) -> bytes | Reject:
    try:
        return cloudevents.from_binary(body, headers)
    except Reject as reject:
        return reject


def _record(value: bytes) -> dict[str, object]:
    try:
        record = _decode(value)
    except RecursionError as error:
        raise Reject("undecodable", "nested too deeply") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Reject("undecodable", str(error)) from error
    if not isinstance(record, dict):
        raise Reject("undecodable", "a record is a JSON object, this is not one")
    return record
