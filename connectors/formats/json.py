"""Decodes JSON records into views: typed by the paths that are asked for, everything else skipped.

See `domain/aggregation/extract.py` for what a view is. Structured CloudEvents 1.0 are seen through:
the view is that of their `data`, with `source` and `id` as event id.
"""

import json
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Literal, NoReturn

import msgspec

from domain.aggregation.extract import ABSENT
from domain.aggregation.numbers import (
    NotANumber,
    Number,
    UnusualNumber,
    float_hook,
    number_from_text,
    usual_float,
)
from domain.cloudevents import in_base64, json_data
from domain.errors import Reject

PathKinds = Mapping[str, Literal["any", "raw"]]

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
UNUSUAL = (*UNDECODABLE, UnusualNumber)
_any = msgspec.json.Decoder(float_hook=float_hook)


def _as_written(value: object) -> msgspec.Raw:
    if isinstance(value, NotANumber):
        return msgspec.Raw(value.text.encode())
    raise TypeError(f"{type(value).__name__} in decoded JSON")


_encode = msgspec.json.Encoder(decimal_format="number", enc_hook=_as_written).encode


def resolve(record: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path into nested objects, ABSENT if there is none; a key with a literal
    dot wins.
    """
    if path in record:
        return record[path]
    head, dot, rest = path.partition(".")
    found = record.get(head, ABSENT)
    while dot:
        if not isinstance(found, dict):
            return ABSENT
        head, dot, rest = rest.partition(".")
        found = found.get(head, ABSENT)
    return found


class JsonDecoder:
    """Decodes records for a set of paths; `attributes` tells the view's attribute for each path."""

    attributes: dict[str, str]

    def __init__(self, paths: PathKinds) -> None:
        self._kinds = dict(paths)
        # What is taken as raw text is passed over by the decoder, its UTF-8 too.
        self._checks_text = "raw" in self._kinds.values()
        self.attributes = {path: f"f{i}" for i, path in enumerate(self._kinds)}
        fields: dict[str, tuple[Any, Any]] = {}  # name in the record -> (attribute, type)
        namespace: dict[str, Any] = {}
        self._stored: dict[
            str, str
        ] = {}  # path -> attribute that holds it when a view is made by hand
        for path, kind in self._kinds.items():
            attribute = self.attributes[path]
            if "." not in path:
                fields[path] = (attribute, msgspec.Raw if kind == "raw" else Any)
                self._stored[path] = attribute
        for path in self._kinds:
            head, dot, rest = path.partition(".")
            if not dot:
                continue
            attribute = self.attributes[path]
            if self._kinds.get(head) == "raw":
                fields[head] = (self.attributes[head], Any)
            head_attribute = fields.setdefault(head, (f"h_{attribute}", Any))[0]
            fields[path] = (f"l_{attribute}", Any)
            namespace[attribute] = property(_nested(f"l_{attribute}", head_attribute, rest))
            self._stored[path] = f"l_{attribute}"
        self._mark = fields.setdefault("specversion", ("specversion", Any))[0]
        self._mark_of = attrgetter(self._mark)
        columns = [
            (attribute, kind, msgspec.field(default=ABSENT, name=name))
            for name, (attribute, kind) in fields.items()
        ]
        namespace["cloud"] = None
        view: Any = msgspec.defstruct("View", columns, namespace=namespace, gc=False)
        self._view = view
        self._event_view: Any = msgspec.defstruct(
            "EventView", [("cloud", str, "")], bases=(view,), gc=False
        )
        self._decode = msgspec.json.Decoder(view, float_hook=float_hook).decode
        usual = msgspec.json.Decoder(view, float_hook=usual_float)
        self._decode_usual = usual.decode
        self._decode_lines = usual.decode_lines

    def decode(self, value: bytes | None) -> Any:
        """The view of one record; raises Reject `undecodable`."""
        text = value or b""
        try:
            if self._checks_text:
                _utf8(text)
            try:
                view = self._decode(text)
            except msgspec.ValidationError:
                record = _whole(text)
                if not isinstance(record, dict):
                    raise
                view = self.view_of(record)
            if getattr(view, self._mark) is not ABSENT:
                return self._event(view, _whole(text))
        except (
            ValueError,
            RecursionError,
        ) as error:  # msgspec's errors, and UTF-8's, are ValueErrors
            raise Reject("undecodable", _why(value, error)) from None
        return view

    def decode_many(self, values: Sequence[bytes]) -> tuple[list[Any], bool]:
        """For each record its view, or the Reject that `decode` raises; and whether there are any
        of those."""
        try:
            if self._checks_text:
                for value in values:
                    _utf8(value)
            views = list(map(self._decode_usual, values))
        except UNUSUAL:
            views = list(map(self._decode_or_refuse, values))
            return views, True
        marks = list(map(self._mark_of, views))
        if marks.count(ABSENT) == len(marks):
            return views, False
        for i, mark in enumerate(marks):
            if mark is not ABSENT:
                views[i] = self._decode_or_refuse(values[i])
        return views, True

    def decode_block(self, text: bytes) -> list[Any] | None:
        """The views of all records in `text`, one after the other with nothing but blanks and line
        ends between; None when one can't be decoded or is a CloudEvent."""
        try:
            if self._checks_text:
                _utf8(text)
            views = self._decode_lines(text)
        except UNUSUAL:
            return None
        marks = list(map(self._mark_of, views))
        return views if marks.count(ABSENT) == len(marks) else None

    def _decode_or_refuse(self, value: bytes) -> Any:
        try:
            return self.decode(value)
        except Reject as refused:
            return refused

    def _event(self, view: Any, event: Any) -> Any:
        """The view of the data of a structured CloudEvent; the record's own when it is none."""
        if not (
            isinstance(event.get("id"), str)
            and isinstance(event.get("source"), str)
            and "type" in event
        ):
            return view
        data = event.get("data")
        if in_base64(event):
            data = _whole(json_data(event))
        if not isinstance(data, dict):
            raise Reject("undecodable", "a CloudEvent whose data is no JSON object")
        return self.view_of(data, cloud=f"{event['source']}\0{event['id']}")

    def view_of(self, record: Mapping[str, Any], cloud: str | None = None) -> Any:
        """The view of a record that is already decoded (numbers as int and Decimal)."""
        found = {}
        for path, attribute in self._stored.items():
            value = resolve(record, path)
            if value is not ABSENT and self._kinds[path] == "raw":
                value = msgspec.Raw(_encode(value))
            found[attribute] = value
        return self._view(**found) if cloud is None else self._event_view(cloud=cloud, **found)


def _nested(literal: str, head: str, rest: str) -> Any:
    names = rest.split(".")

    def value(view: Any) -> Any:
        found = getattr(view, literal)
        if found is not ABSENT:
            return found
        found = getattr(view, head)
        for name in names:
            if not isinstance(found, dict):
                return ABSENT
            found = found.get(name, ABSENT)
        return found

    return value


def _utf8(text: bytes) -> None:
    if not text.isascii():
        text.decode()


def _whole(text: bytes) -> Any:
    """All of a record. Raises ValueError.

    msgspec refuses a record for one integer that Python would not print; here that is a
    `NotANumber`, which is rejected where it is asked for.
    """
    try:
        return _any.decode(text)
    except msgspec.ValidationError:
        found = json.loads(
            text.decode(),
            parse_int=_integer,
            parse_float=float_hook,
            parse_constant=_no_number,
        )
        _encode(found)  # only to find halves of surrogate pairs, which no UTF-8 holds
        return found


def _integer(text: str) -> Number | NotANumber:
    number = number_from_text(text)
    return NotANumber(text) if number is None else number


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is no number")


def _why(value: bytes | None, error: Exception) -> str:
    if value is None:
        return "the record has no value"
    if isinstance(error, msgspec.ValidationError):
        return "the record is JSON, but no object"
    return f"the record is no JSON: {error}"
