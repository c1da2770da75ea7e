"""The bodies of commands: what each may hold.

A command with a member that is none is refused whole: passed over, it would be told as done, and
the person it was about would be called. Members that no rule reads are left alone; retrigger,
reschedule and the like tell what is wrong in their answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from domain.aggregation.instants import PRINTED
from domain.campaigns.numbers import known_country, normalised
from domain.errors import Reject

T = TypeVar("T")
Count = Annotated[int, Meta(ge=0, le=2**53)]
Place = Annotated[int, Meta(ge=1, le=2**53)]
"""The number of a row."""
Instant = Annotated[int, Meta(ge=PRINTED.start, lt=PRINTED.stop)]
Text = Annotated[str, Meta(min_length=1)]


class Numbers(msgspec.Struct):
    """One part of a list of negatives. first: the number of its first row. again: rows whose number
    is in an earlier part. more: parts follow."""

    rows: list[str | int]
    upload_id: str | None = None
    filename: str | None = None
    first: Place | None = None
    again: list[Place] = []
    more: bool = False


class NotToCall(Numbers):
    """The same of a list of numbers not to call. country: that of numbers without a `+`."""

    country: str | None = None
    expires_ms: Instant | None = None


class Remove(msgspec.Struct):
    """One number that may be called again."""

    remove: Text
    country: str | None = None


class Withdraw(msgspec.Struct):
    """One number that is no negative any more."""

    number: Text


class Erase(msgspec.Struct):
    """One number. Campaigns of long ago are erased by `before_day` instead."""

    number: Text


class Upload(msgspec.Struct):
    """A campaign: its description, the flow as it was, the time of the 202."""

    description: dict[str, Any]
    flow: dict[str, Any]
    now_ms: int
    file: str | None = None
    digest: str | None = None
    columns: list[str] | None = None


class Rows(msgspec.Struct):
    """Accepted rows of a file (see `upload.rows`), and its figures so far."""

    rows: list[Any] | None = None
    first: Place | None = None
    rejected: Count | None = None
    duplicates_seen: Count | None = None
    progress: float | None = None


class RowsEnd(msgspec.Struct):
    """The end of a file, and its figures."""

    accepted: Count | None = None
    rejected: Count | None = None
    duplicates_seen: Count | None = None
    command_id: str | None = None


_INTAKE: Mapping[str, type[Any]] = {"upload": Upload, "rows": Rows, "rows_end": RowsEnd}


def read_body(kind: type[T], name: str, body: Mapping[str, Any]) -> T:
    """The body of a command. Raises Reject."""
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise Reject("bad_event", f"command {name}: {error} of its body") from error


def check_intake(name: str, body: Mapping[str, Any]) -> None:
    """Raises Reject for a part of an upload that can't be taken in."""
    read_body(_INTAKE[name], name, body)


def numbers_of(body: Mapping[str, Any]) -> Numbers:
    """A part of a list of negatives. Raises Reject."""
    return read_body(Numbers, "negatives", body)


def not_to_call_of(body: Mapping[str, Any]) -> NotToCall | Remove:
    """A part of a list of numbers not to call, or the one that is taken off it. Raises Reject."""
    name = "do_not_call"
    remove = body.get("remove") is not None
    if remove and body.get("rows") is not None:
        raise Reject("bad_event", f"command {name}: its body has either rows or remove")
    found = read_body(Remove, name, body) if remove else read_body(NotToCall, name, body)
    if found.country is not None and not known_country(found.country):
        detail = f"command {name}: country {found.country!r}, expected two letters like IN"
        raise Reject("bad_event", detail)
    return found


def to_erase(body: Mapping[str, Any]) -> str:
    """The number that is to be erased, in E.164. Raises Reject."""
    found = normalised(read_body(Erase, "erase", body).number, None)
    if found is None:
        raise Reject("bad_event", "command erase: number, expected one in E.164")
    return found
