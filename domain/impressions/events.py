"""What comes in on `impression-events`, and what goes out there about the steps it starts."""

from datetime import date as Date
from typing import Any, Literal

import msgspec

from domain.errors import Reject

EVENTS = "impression-events"
OWN = ("status", "progress")
"""Types of the events that the product itself sends."""
LOCAL_ENDINGS = (".csv", ".csv.gz")
"""What a file that is not on S3 must be called: an event must not make us read just anything."""

FILE_EXPECTED = "s3://bucket/path/file, or the whole path of a .csv or .csv.gz"

State = Literal["queued", "running", "done", "failed", "waiting"]


class ImpressionEvent(msgspec.Struct, frozen=True):
    """An event from outside. `date` (ISO) for a load without that column; `replace` as on the
    command line."""

    type: Literal["load", "dimension"]
    file: str
    date: str = ""
    replace: bool = False


class StepStatus(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a step stands. `job`: the load or dimension that it belongs to; `step` is empty when it
    is about the job as a whole. `at` is an instant, `version` that of the table afterwards."""

    type: Literal["status"]
    job: str
    file: str
    step: str
    state: State
    at: str
    table: str = ""
    load: str = ""
    rows: int = 0
    rejected: int = 0
    unmatched: int = 0
    files: int = 0
    bytes: int = 0
    version: int = 0
    changed: bool = False
    problem: str = ""


class StepProgress(msgspec.Struct, frozen=True):
    """How far a step is: `done` of `total` bytes (0: not known), `rows` found."""

    type: Literal["progress"]
    job: str
    file: str
    step: str
    done: int
    total: int
    rows: int
    at: str


encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def asked(body: bytes) -> ImpressionEvent | None:
    """What an event asks for; None for one of the product's own. Raises Reject."""
    try:
        found: Any = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Reject("undecodable", f"no JSON: {error}") from None
    if not isinstance(found, dict):
        raise Reject("undecodable", "no JSON object")
    if found.get("type") in OWN:
        return None
    unknown = sorted(found.keys() - set(ImpressionEvent.__struct_fields__))
    if unknown:
        named = ", ".join(map(repr, unknown))
        expected = ", ".join(ImpressionEvent.__struct_fields__)
        raise Reject("bad_event", f"member {named}; expected no other than {expected}")
    try:
        event = msgspec.convert(found, ImpressionEvent)
    except msgspec.ValidationError as error:
        expected = '{"type": "load" or "dimension", "file": "s3://bucket/path/file"}'
        raise Reject("bad_event", f"{error}; expected {expected}") from None
    _check(event)
    return event


def _check(event: ImpressionEvent) -> None:
    if not is_file(event.file):
        raise Reject("bad_event", f"file {event.file!r}; expected {FILE_EXPECTED}")
    if event.date:
        try:
            right = Date.fromisoformat(event.date).isoformat() == event.date
        except ValueError:
            right = False
        if not right:
            raise Reject("bad_event", f"date {event.date!r}; expected a day like 2025-11-03")


def is_file(text: str) -> bool:
    """Whether the text is FILE_EXPECTED."""
    if "\0" in text:
        return False
    if text.startswith("s3://"):
        bucket, _, name = text.removeprefix("s3://").partition("/")
        return bool(bucket) and bool(name) and not name.endswith("/")
    return text.startswith("/") and text.lower().endswith(LOCAL_ENDINGS)
