"""Reads conditions and filters, and types them.

The kind of a field is known where a result has one (a sum is a number, a `date_max` an instant);
everywhere else, for group fields, `record.<path>`, `carry_*` and the fields of a filter, the
value decides. What can then never be true is refused: a number compared with text, a null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import get_args

from config.documents import fields
from config.documents.base import At, Reader, Section, nearest, section
from domain.aggregation.document import All, Any_, Compare, Condition, Kind, Not, Op
from domain.aggregation.instants import parse_instant
from domain.aggregation.numbers import Number

OPERATORS: tuple[Op, ...] = get_args(Op)
_ORDER = (">", ">=", "<", "<=")
_LISTS = ("in", "not_in")
_TEXTS = ("contains", "starts_with")
_DEPTH_MAX = 20  # far above what a person writes, far below Python's stack
_COMBINATIONS = ("all", "any", "not")
_INSTANT = 'an instant like "2024-09-03T10:15:00Z"'
_NOUNS = {
    "number": "a number",
    "instant": _INSTANT,
    "any": "text, a number, true or false",
    "ordered": f"a number or {_INSTANT}",
}
_KEYS = "field, op, value, or one of all, any, not"

KindOf = Callable[[str, At], Kind | None]
"""The kind of the field named so; None when there is none, which it has told."""


def of_record(name: str, at: At) -> Kind | None:
    """Fields of a filter: each is a path into the record."""
    return None if fields.path(name, at) is None else "any"


def of_session(
    results: Mapping[str, Kind],
    group_fields: tuple[str, ...],
    complete: bool = True,
    *,
    record: bool = True,
) -> KindOf:
    """Fields of flush conditions: a result, a group field, `meta.count` or `record.<path>`.

    complete: False when results or group fields were refused, so that any name may be one.
    record: whether there is a record to look at; for a session at rest there is none.
    """

    def kind(name: str, at: At) -> Kind | None:
        if name in results and name in group_fields:
            at.refuse(name, "a name of one thing: a result has the name of a group field (use as)")
            return None
        if name in results:
            return results[name]
        if name == "meta.count":
            return "number"
        if name in group_fields:
            return "any"
        if record and name.startswith("record."):
            return None if fields.path(name.removeprefix("record."), at) is None else "any"
        if not complete:
            return "any"
        choices = [*results, *group_fields, "meta.count", *(["record.<path>"] if record else [])]
        at.refuse(name, nearest(name, choices))
        return None

    return kind


def condition(kind_of: KindOf, depth: int = 0) -> Reader[Condition]:
    """Reads one condition, a comparison or a combination of conditions."""

    def read(value: object, at: At) -> Condition | None:
        if depth > _DEPTH_MAX:
            at.refuse("…", f"conditions within conditions {_DEPTH_MAX} deep at most")
            return None
        parts = section(value, at, _KEYS)
        if parts is None:
            return None
        before = len(at.problems)
        inner = condition(kind_of, depth + 1)
        made: Condition | None = None
        combined = next((word for word in _COMBINATIONS if parts.has(word)), None)
        if combined is None:
            made = _compare(parts, kind_of)
        elif combined == "not":
            item = parts.optional("not", inner)
            made = None if item is None else Not(item)
        else:
            several: Reader[tuple[Condition, ...]] = fields.several(inner, "conditions")
            items = parts.optional(combined, several)
            made = None if items is None else All(items) if combined == "all" else Any_(items)
        parts.close(None if combined is None else f"nothing beside `{combined}`")
        return made if len(at.problems) == before else None

    return read


def _compare(parts: Section, kind_of: KindOf) -> Compare | None:
    field = parts.required("field", fields.text, "the field to compare")
    kind = None if field is None else kind_of(field, parts.at.key("field"))
    op = parts.required("op", fields.choice(OPERATORS), "one of " + " ".join(OPERATORS))
    if op is None or kind is None or field is None:
        parts.optional("value", _anything)
        return None
    if op == "exists":
        parts.only_with("value", _anything, False, "with another operator: exists takes none")
        return Compare(field, op, None, None)
    if op in _TEXTS and kind != "any":
        parts.at.key("op").refuse(op, f"an operator that compares {_NOUNS[kind]}: {field} is one")
        parts.optional("value", _anything)
        return None
    if op in _ORDER and kind == "any":  # the value decides what it is compared as
        value = parts.required("value", _ordered, _NOUNS["ordered"])
        return None if value is None else Compare(field, op, *value)
    single = _text if op in _TEXTS else _single(kind)
    if op in _LISTS:
        listed = fields.several(single, f"values, each {_NOUNS[kind]}")
        return _made(field, op, kind, parts.required("value", listed, "a list of values"))
    return _made(field, op, kind, parts.required("value", single, _NOUNS[kind]))


def _made(field: str, op: Op, kind: Kind, value: object) -> Compare | None:
    return None if value is None else Compare(field, op, value, kind)


def _single(kind: Kind) -> Reader[object]:
    def read(value: object, at: At) -> object:
        found: object = None
        if kind != "instant":
            found = fields.number(value)
        if kind == "instant":
            found = parse_instant(value)
        elif kind == "any" and isinstance(value, str | bool):
            found = value
        if found is None:
            at.refuse(value, _NOUNS[kind])
        return found

    return read


def _ordered(value: object, at: At) -> tuple[Number | int, Kind] | None:
    """The value of `> >= < <=` on a field of no kind of its own, and the kind it gives."""
    found = fields.number(value)
    if found is not None:
        return found, "number"
    instant = parse_instant(value)
    if instant is not None:
        return instant, "instant"
    at.refuse(value, _NOUNS["ordered"])
    return None


def _text(value: object, at: At) -> str | None:
    if isinstance(value, str) and value:
        return value
    at.refuse(value, "text, at least one character")
    return None


def _anything(value: object, at: At) -> object:
    return value
