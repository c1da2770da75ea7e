"""What a record gives to an aggregator: its session key and the values to fold, by a function
compiled once.

A *view* of a record has an attribute for each path that is asked for (ABSENT when the record lacks
it; bytes of JSON text or `msgspec.Raw` for paths asked for as raw) and `cloud`: the `source` and
`id` of a structured CloudEvent, else None. Decoders of every format make views; nothing here knows
of formats.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Literal

import msgspec

from domain.aggregation.carried import take_carried
from domain.aggregation.conditions import expression, fields, predicate
from domain.aggregation.distinct import digest
from domain.aggregation.document import Aggregator, Compare
from domain.aggregation.instants import parse_instant
from domain.aggregation.numbers import (
    NotANumber,
    canonical,
    canonical_key,
    number_of,
    plain,
)
from domain.aggregation.operations import OPERATIONS, exact_json
from domain.aggregation.periods import Calendar, known_zone
from domain.errors import Reject

ABSENT = msgspec.UNSET
Kind = Literal[
    "number", "present", "raw", "instant", "distinct", "event_time", "due", "event_id", "test"
]
LIMIT = 1 << 63  # integers from here on travel as decimals
Labels = dict[str, tuple[str, str]]
"""Text of an instant -> (label of its period, zone)."""
QUOTE, BACKSLASH = ord('"'), ord("\\")
KNOWN_LABELS = 20_000  # two years of hours; what comes later is worked out each time
Extracted = tuple[Any, ...]
"""(key, values) or, with `keyed_by`, (key, values, placement); bytes, a tuple, bytes."""


@dataclass(frozen=True)
class Input:
    """One of the values folded: its kind and the field (or, for a test, the comparison) it comes
    from.
    """

    kind: Kind
    field: str
    compare: Compare | None = None


def inputs_of(document: Aggregator) -> tuple[Input, ...]:
    """What the fold of `document` takes from a record, in the order of the values tuple."""
    found: list[Input] = []
    for operation in document.aggregate:
        if operation.field != "*":
            found.append(Input(OPERATIONS[operation.operation].takes, operation.field))
    if document.event_time is not None:
        found.append(Input("event_time", document.event_time))
    if document.flush.timeout is not None and document.flush.timeout.field is not None:
        found.append(Input("due", document.flush.timeout.field))
    if document.event_id is not None:
        found.append(Input("event_id", document.event_id))
    found.extend(Input("test", compare.field, compare) for compare in record_tests(document))
    return tuple(dict.fromkeys(found))


def record_tests(document: Aggregator) -> list[Compare]:
    """The comparisons of the flush conditions that look at the record or its group."""
    found: list[Compare] = []
    if document.flush.conditions is not None:
        groups = set(document.group.fields)

        def leaf(compare: Compare) -> str:
            if compare.field.startswith("record.") or compare.field in groups:
                found.append(compare)
            return ""

        expression(document.flush.conditions, leaf)
    return found


def paths_of(document: Aggregator) -> dict[str, Literal["any", "raw"]]:
    """The paths that a view must offer; raw where only the JSON text is wanted."""
    found: dict[str, Literal["any", "raw"]] = {}
    for item in inputs_of(document):
        if item.kind == "raw":
            found.setdefault(_path(item), "raw")
        else:
            found[_path(item)] = "any"
    found.update(dict.fromkeys(_not_folded(document), "any"))
    return found


def number_paths(document: Aggregator) -> set[str]:
    """The paths of which nothing is asked but which number it is, or whether there is one."""
    inputs = inputs_of(document)
    others = set(_not_folded(document))
    others.update(_path(item) for item in inputs if item.kind not in ("number", "present"))
    return {item.field for item in inputs if item.kind == "number"} - others


def _path(item: Input) -> str:
    """Where a record has the value; only conditions write `record.` before it."""
    return item.field.removeprefix("record.") if item.kind == "test" else item.field


def _not_folded(document: Aggregator) -> list[str]:
    """The paths that decide to which session a record belongs, if to any."""
    found = [*document.group.fields, *document.keyed_by]
    for period in document.group.periods:
        found.append(period.field)
        if period.timezone_field is not None:
            found.append(period.timezone_field)
    if document.filter is not None:
        found.extend(fields(document.filter))
    return found


@dataclass(frozen=True)
class Pieces:
    """The text of a document's extraction: what runs for one record, in this order.

    `filter` is an expression, empty without one; then `lines`; `groups` are the names of the group
    values, `parts` the expressions of all that the key consists of, `values` that of the tuple to
    fold, `placement` that of the key a `keyed_by` producer uses, empty without. `names` is what
    the text refers to.
    """

    names: dict[str, Any]
    filter: str
    lines: list[str]
    groups: list[str]
    parts: list[str]
    values: str
    placement: str


def pieces_of(document: Aggregator, at: Callable[[str], str], cloud: str) -> Pieces:
    """`at` gives the expression of a path's value, `cloud` that of the event id of a CloudEvent."""
    names: dict[str, Any] = {
        "ABSENT": ABSENT,
        "Decimal": Decimal,
        "canonical_key": canonical_key,
        "LOW": -LIMIT,
        "HIGH": LIMIT,
        "placed": _placement,
    }
    test = ""
    if document.filter is not None:
        test = expression(document.filter, lambda compare: _test(names, compare, at(compare.field)))
    body: list[str] = []
    groups: dict[str, str] = {}
    for i, field in enumerate(document.group.fields):
        groups[field] = f"g{i}"
        names[f"group{i}"] = _group_value(field, document.group.null_group)
        body += [f"g{i} = {at(field)}", f"if g{i}.__class__ is not str: g{i} = group{i}(g{i})"]
    parts = list(groups.values())
    for i, period in enumerate(document.group.periods):
        known: Labels = {}
        names[f"period{i}"] = _period(
            period.field, period.unit, period.timezone, period.timezone_field, known
        )
        parts.append(f"p{i}[0]")
        if period.timezone_field is not None:
            body.append(f"p{i} = period{i}({at(period.field)}, {at(period.timezone_field)})")
            parts.append(f"p{i}[1]")
            continue
        names[f"known{i}"] = known
        body += [
            f"x = {at(period.field)}",
            f"p{i} = known{i}.get(x) if x.__class__ is str else None",
            f"if p{i} is None: p{i} = period{i}(x, None)",
        ]
    values = ""
    for i, item in enumerate(inputs_of(document)):
        body += _input_lines(names, i, item, at, groups, cloud)
        values += f"v{i},"
    placement = ""
    if document.keyed_by:
        placement = f"placed(({''.join(groups[field] + ',' for field in document.keyed_by)}))"
    return Pieces(names, test, body, list(groups.values()), parts, f"({values})", placement)


def compile_extract(
    document: Aggregator, attributes: Mapping[str, str]
) -> Callable[[Any], Extracted | None]:
    """The function view -> (key, values[, placement]); None when filtered out; raises Reject with
    the reason.

    `attributes` tells the attribute of the view for each path of `paths_of`.
    """
    pieces = pieces_of(document, lambda path: f"r.{attributes[path]}", "r.cloud")
    body = [f"if not {pieces.filter}: return None"] if pieces.filter else []
    key = f"canonical_key(({''.join(part + ',' for part in pieces.parts)}))"
    body += pieces.lines
    body.append(f"return {', '.join(filter(None, (key, pieces.values, pieces.placement)))}")
    source = "def extract(r):\n" + "".join(f"    {line}\n" for line in body)

    exec(compile(source, f"<extract {document.name}>", "exec"), pieces.names)
    compiled: Callable[[Any], Extracted | None] = pieces.names["extract"]
    return compiled


def _input_lines(
    names: dict[str, Any],
    i: int,
    item: Input,
    at: Callable[[str], str],
    groups: Mapping[str, str],
    cloud: str,
) -> list[str]:
    if item.kind == "test":
        if item.compare is None:
            raise TypeError("a test without its comparison")
        where = groups.get(item.field) or at(item.field.removeprefix("record."))
        return [f"v{i} = {_test(names, item.compare, where)}"]
    field = at(item.field)
    if item.kind == "present":
        return [f"v{i} = {field} is not ABSENT and {field} is not None"]
    names[f"take{i}"] = _TAKE[item.kind](item.field)
    if item.kind == "number":
        return [
            f"v{i} = {field}",
            f"c = v{i}.__class__",
            "if c is int:",
            f"    if not LOW < v{i} < HIGH: v{i} = take{i}(v{i})",
            f"elif c is not Decimal: v{i} = take{i}(v{i})",
        ]
    return [f"v{i} = take{i}({field}{', ' + cloud if item.kind == 'event_id' else ''})"]


def _test(names: dict[str, Any], compare: Compare, where: str) -> str:
    name = f"test{len(names)}"
    test = predicate(compare)
    names[name] = lambda value: test(None if value is ABSENT else value)
    return f"{name}({where})"


def _group_value(field: str, null_group: bool) -> Callable[[Any], Any]:
    def value(found: Any) -> Any:
        if found is None and null_group:
            return None
        if isinstance(found, bool | str | Decimal):
            return found
        if isinstance(found, int | NotANumber):
            try:
                return number_of(found)
            except Reject as error:
                raise Reject(error.reason, f"{field}: {error.detail}") from None
        if found is ABSENT or found is None:
            raise Reject(
                "missing_group_field", f"{field} is {'absent' if found is ABSENT else 'null'}"
            )
        raise Reject("missing_group_field", f"{field} is not a single value")

    return value


def _period(
    field: str, unit: Any, zone: str | None, zone_field: str | None, known: "Labels"
) -> Callable[[Any, Any], tuple[str, str]]:
    """Fills `known`, as far as it is worth while, with the texts that it has read in its zone."""
    calendars: dict[str, Calendar] = {}
    if zone is not None:
        calendars[zone] = Calendar(unit, zone)

    def label(found: Any, found_zone: Any) -> tuple[str, str]:
        name = zone if zone is not None else found_zone
        calendar = calendars.get(name) if isinstance(name, str) else None
        if calendar is None:
            if not known_zone(name):
                raise Reject("missing_group_field", f"{zone_field} is not the name of a time zone")
            calendar = calendars[name] = Calendar(unit, name)
        if found is ABSENT or found is None:
            raise Reject(
                "missing_group_field", f"{field} is {'absent' if found is ABSENT else 'null'}"
            )
        instant = parse_instant(found)
        if instant is None:
            raise Reject("not_an_instant", f"{field} is no ISO 8601 date and time")
        made = calendar.interval(instant).label, name
        if zone is not None and len(known) < KNOWN_LABELS:
            known[found] = made
        return made

    return label


def _take_number(field: str) -> Callable[[Any], Any]:
    def take(found: Any) -> Any:
        if found is ABSENT:
            return None
        try:
            number = number_of(found)
            if number.__class__ is int and not -LIMIT < number < LIMIT:
                return Decimal(number)  # MessagePack ends at 64 bits
            return number
        except Reject as error:
            raise Reject(error.reason, f"{field}: {error.detail}") from None

    return take


def _take_instant(field: str) -> Callable[[Any], Any]:
    def take(found: Any) -> int | None:
        if found is ABSENT or found is None:
            return None
        instant = parse_instant(found)
        if instant is None:
            raise Reject("not_an_instant", f"{field} is no ISO 8601 date and time")
        return instant

    return take


def _take_distinct(field: str) -> Callable[[Any], Any]:
    def take(found: Any) -> int | None:
        if found is ABSENT or found is None:
            return None
        try:
            return digest(found)
        except Reject as error:
            raise Reject(error.reason, f"{field}: {error.detail}") from None

    return take


def _take_due(_: str) -> Callable[[Any], Any]:
    return parse_instant


def _take_event_id(field: str) -> Callable[[Any, Any], bytes]:
    def take(found: Any, cloud: Any) -> bytes:
        if cloud is not None:
            found = cloud
        elif found.__class__ is str:
            return blake2b(canonical(found), digest_size=16).digest()
        elif not isinstance(found, int | Decimal):  # a boolean is an int
            raise Reject("missing_event_id", f"{field} is absent, null or not a single value")
        return blake2b(canonical(found), digest_size=16).digest()

    return take


_TAKE: dict[str, Callable[[str], Callable[..., Any]]] = {
    "number": _take_number, "raw": take_carried, "instant": _take_instant,
    "event_time": _take_instant, "due": _take_due, "event_id": _take_event_id,
    "distinct": _take_distinct,
}  # fmt: skip


def placer(document: Aggregator) -> Callable[[bytes], bytes]:
    """The function session key -> the key that a producer of `keyed_by` records uses for it."""
    places = [document.group.fields.index(field) for field in document.keyed_by]
    if not places:
        return lambda key: key

    def place(key: bytes) -> bytes:
        if alone and key[1] == QUOTE and BACKSLASH not in key:
            return key[2:-2]  # one text, and nothing in it is written otherwise in JSON
        values = exact_json(key)
        return _placement(tuple(values[at] for at in places))

    alone = len(document.group.fields) == 1 and not document.group.periods
    return place


def _placement(values: tuple[Any, ...]) -> bytes:
    """The key that a producer of `keyed_by` records uses: the value's text, of several a JSON
    array.
    """
    if len(values) > 1:
        return f"[{','.join(map(_json, values))}]".encode()
    value = values[0]
    return value.encode() if isinstance(value, str) else _json(value).encode()


def _json(value: Any) -> str:
    """Canonical JSON of a group value: 1e1000 read from a key has more digits than a record may."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return plain(value)
    return canonical(value).decode()
