"""Decodes JSON records into views: typed by the paths that are asked for, everything else skipped.

See `domain/aggregation/extract.py` for what a view is. Structured CloudEvents 1.0 are seen through:
the view is that of their `data`, with `source` and `id` as event id.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Literal

import msgspec

from domain.aggregation.extract import ABSENT
from domain.aggregation.numbers import UnusualNumber, float_hook, usual_float
from domain.errors import Reject

PathKinds = Mapping[str, Literal["any", "raw"]]

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
UNUSUAL = (*UNDECODABLE, UnusualNumber)
_any = msgspec.json.Decoder(float_hook=float_hook)
_encode = msgspec.json.Encoder(decimal_format="number").encode


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
        try:
            view = self._decode(value or b"")
        except UNDECODABLE as error:
            raise Reject("undecodable", _why(value, error)) from None
        if getattr(view, self._mark) is not ABSENT:
            return self._event(view, value or b"")
        return view

    def decode_many(self, values: Sequence[bytes]) -> tuple[list[Any], bool]:
        """For each record its view, or the Reject that `decode` raises; and whether there are any
        of those."""
        try:
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

    def _event(self, view: Any, value: bytes) -> Any:
        """The view of the data of a structured CloudEvent; the record's own when it is none."""
        event = _any.decode(value)
        if not (
            isinstance(event.get("id"), str)
            and isinstance(event.get("source"), str)
            and "type" in event
        ):
            return view
        data = event.get("data")
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


def _why(value: bytes | None, error: Exception) -> str:
    if value is None:
        return "the record has no value"
    if isinstance(error, msgspec.ValidationError):
        return "the record is JSON, but no object"
    return f"the record is no JSON: {error}"
