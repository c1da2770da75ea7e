"""Whether a record is of the sessions that some group values name: pure."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from domain.aggregation.document import Aggregator, Flush, Group
from domain.aggregation.keys import matches, places
from domain.aggregation.numbers import canonical
from domain.aggregation.rule import Rule, compile_rule
from domain.errors import Reject

Belongs = Callable[[bytes], bool | None]
"""Whether a record's bytes belong to the group; None when they can't be read."""


def belonging(rules: Sequence[Rule], group: Mapping[str, Any], decoder_of: Any) -> Belongs:
    """By any of the versions `rules`: a record that one of them takes, with all the values named.

    What else of the record is wrong doesn't matter. `decoder_of(paths)` has `attributes` and
    `decode(bytes)`.
    """
    tests = [made for made in (_test(rule, group, decoder_of) for rule in _distinct(rules)) if made]

    def belongs(value: bytes) -> bool | None:
        readable = False
        for test in tests:
            found = test(value)
            if found:
                return True
            readable = readable or found is not None
        return False if readable or not tests else None

    return belongs


def _distinct(rules: Sequence[Rule]) -> list[Rule]:
    """One of all that group and filter alike, the newest first."""
    found: dict[Any, Rule] = {}
    for rule in reversed(rules):
        document = rule.document
        found.setdefault((rule.spec, document.filter, document.input), rule)
    return list(found.values())


def _test(rule: Rule, group: Mapping[str, Any], decoder_of: Any) -> Belongs | None:
    probe = compile_rule(_named_only(rule.document, group), rule.version)
    fields = places(probe)
    if any(field not in fields for field in group):
        return None
    tests = [(fields.index(field), (canonical(value),)) for field, value in group.items()]
    decoder = decoder_of(probe.paths())
    extract = probe.extractor(decoder.attributes)

    def belongs(value: bytes) -> bool | None:
        try:
            view = decoder.decode(value)
        except Reject:
            return None
        try:
            found = extract(view)
        except Reject:
            return False  # it lacks one of the values
        return found is not None and matches(found[0], tests)

    return belongs


def _named_only(document: Aggregator, group: Mapping[str, Any]) -> Aggregator:
    """The document, grouping by the fields named, asking for nothing else of a record."""
    return replace(
        document,
        keyed_by=(),
        group=Group(
            tuple(field for field in document.group.fields if field in group),
            tuple(period for period in document.group.periods if period.field in group),
            True,
        ),
        aggregate=(),
        flush=Flush("end_of_stream"),
        event_id=None,
        event_time=None,
    )


def tells_of(data: bytes, group: Mapping[str, Any]) -> bool:
    """Whether bytes that are no record hold each of the values, and the name of its field, as JSON
    writes them."""
    for field, value in group.items():
        name = canonical(field.rpartition(".")[2])
        if name not in data or not _holds(data, canonical(value)):
            return False
    return True


def _holds(data: bytes, token: bytes) -> bool:
    at = data.find(token)
    while at >= 0:
        before, after = data[max(0, at - 1) : at], data[at + len(token) : at + len(token) + 1]
        if token[:1] == b'"' or not (_continues(before) or _continues(after)):
            return True
        at = data.find(token, at + 1)
    return False


def _continues(byte: bytes) -> bool:
    return byte.isalnum() or byte in (b".", b"-", b"+", b"_")
