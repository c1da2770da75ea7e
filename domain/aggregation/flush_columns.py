"""The flushed records of many sessions at once, as text.

`flush.py` alone says what a record looks like: a session of numbers that are told apart is printed
by it, and where they stand in the text is where those of other sessions go. A document of which
that doesn't work in every place is written a record at a time.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np

from domain.aggregation.columns import Plan
from domain.aggregation.flush import SourceName, enveloped, flushed_record, to_json
from domain.aggregation.number_columns import Ints
from domain.aggregation.numbers import canonical_key
from domain.aggregation.rule import Rule, Slot
from domain.aggregation.session import Session
from domain.aggregation.sources import input_partition

PRINTED = range(-62_135_596_800_000, 253_402_300_800_000)
"""Instants that can be printed, in epoch milliseconds."""
_texts = msgspec.json.Decoder(list[msgspec.Raw]).decode
_YEAR_MS = 31_556_952_000


@dataclass(frozen=True)
class Ended:
    """Sessions that end, by column. Instants are text as it is printed, accumulators are int or
    Decimal, which may be text as at rest; None has nothing in any of them.
    """

    keys: Sequence[bytes]
    sequence: Sequence[int]
    count: Sequence[int]
    first: Sequence[str]
    last: Sequence[str]
    due: Sequence[str]
    partition: Sequence[int]
    first_offset: Sequence[int]
    last_offset: Sequence[int]
    records: Sequence[int]
    accumulators: Sequence[Sequence[Any] | None]


@dataclass(frozen=True)
class FlushText:
    """What all flushed records of one kind have in common. Made by `text_of`."""

    rule: Rule
    topic: str
    template: str

    def write(self, ended: Ended) -> list[bytes]:
        """The record of each session, as `flush.enveloped` writes it."""
        columns = _columns(self.rule, self.topic, ended)
        template = self.template
        return [(template % row).encode() for row in zip(*columns, strict=True)]


def text_of(
    plan: Plan, due_rule: Rule, topic: str, kinds: str, flush_type: str,
    source_name: SourceName = str,
) -> FlushText | None:  # fmt: skip
    """For sessions of the plan's version that were made due by `due_rule`, with one source of that
    topic and accumulators of these `kinds` (see `columns.begin_columns`). None where each record is
    written alone.
    """
    rule = plan.rule
    if rule.document.group.periods:
        return None

    def printed(n: int) -> tuple[str, list[str]]:
        key, session, sequence = _told_apart(plan, due_rule, topic, kinds, n)
        record = flushed_record(
            rule, due_rule, key, session,
            sequence=sequence, flush_type=flush_type, source_name=source_name,
        )  # fmt: skip
        _, partition, first_offset, last_offset, records = session.sources[0]
        ended = Ended(
            keys=[key],
            sequence=[sequence],
            count=[session.count],
            first=print_instants(np.array([session.first])),
            last=print_instants(np.array([session.last])),
            due=print_instants(np.array([session.due])),
            partition=[partition],
            first_offset=[first_offset],
            last_offset=[last_offset],
            records=[records],
            accumulators=[None if held is None else [held] for held in session.accumulators],
        )
        columns = _columns(rule, topic, ended)
        return enveloped(rule, record, key).decode(), [str(next(iter(one))) for one in columns]

    template = _template(*printed(1))
    if template is None:
        return None
    other, values = printed(2)
    found = FlushText(rule, topic, template)
    return found if template % tuple(values) == other else None


def print_instants(at_ms: Ints) -> list[str]:
    """See `instants.print_instant`; of instants within PRINTED."""
    return [f"{at}Z" for at in np.datetime_as_string(at_ms.astype("datetime64[ms]")).tolist()]


def _told_apart(
    plan: Plan, due_rule: Rule, topic: str, kinds: str, n: int
) -> tuple[bytes, Session, int]:
    """(key, session, sequence) in which no two numbers are alike, others for each `n`."""
    rule = plan.rule
    numbers = iter(range(n * 70_000_001_234_567, 1 << 62, 1_000_003))
    key = canonical_key([f"group {next(numbers)}" for _ in rule.document.group.fields])
    held: list[Any] = [
        None if kind == "n" else next(numbers) if kind == "i" else Decimal(next(numbers)) / 8
        for kind in kinds
    ]
    for at in plan.averages:
        if held[at] is not None:
            held[at + 1] = 8 * n  # else all averages were about 1
    first, last, due = (_YEAR_MS * (10 * n + at) + next(numbers) % _YEAR_MS for at in range(3))
    source = [topic, *(next(numbers) for _ in range(4))]
    session = Session(
        rule.version, first, first, last, due, due_rule.version, next(numbers), held, [source]
    )
    return key, session, next(numbers)


def _template(text: str, values: Iterable[str]) -> str | None:
    """The text with a place for each of the values, which stand in it in this order."""
    found, at = "", 0
    for value in values:
        begin = text.find(value, at)
        if begin < 0:
            return None
        found += text[at:begin].replace("%", "%%") + "%s"
        at = begin + len(value)
    return found + text[at:].replace("%", "%%")


def _columns(rule: Rule, topic: str, ended: Ended) -> list[Iterable[Any]]:
    """What is told of each session, in the order in which it stands in a record."""
    held = [None if of is None else _printed(of) for of in ended.accumulators]
    columns: list[Iterable[Any]] = [_ids(rule, topic, ended), ended.sequence]
    columns += _groups(rule, ended.keys)
    parts: list[Iterable[Any]] = []
    for slot in rule.slots:
        if slot.operation.field == "*":
            columns.append(ended.count)
            continue
        of = held[slot.at]
        if of is None:
            continue
        if slot.operation.operation == "average":
            number = held[slot.at + 1] or [0] * len(of)
            columns.append(_averages(rule, slot, of, number))
            parts += (of, number)
        else:
            columns.append(of)
    return [
        *columns, *parts, ended.count, ended.first, ended.last, ended.due,
        map(input_partition, ended.partition), ended.first_offset, ended.last_offset, ended.records,
    ]  # fmt: skip


def _printed(column: Sequence[Any]) -> Sequence[Any]:
    """Ints as they are, decimals as `numbers.plain` prints them."""
    if column[0].__class__ is int:
        return column
    texts = [
        value.decode().strip() if value.__class__ is bytes else format(value, "f")
        for value in column
    ]
    found = [text.rstrip("0").rstrip(".") if "." in text else text for text in texts]
    return ["0" if text == "-0" else text for text in found]


def _averages(rule: Rule, slot: Slot, sums: Sequence[Any], numbers: Sequence[int]) -> list[str]:
    below: list[Any] = [None] * slot.at
    return [
        to_json(rule.result(slot, [*below, Decimal(each), number])).decode()
        for each, number in zip(sums, numbers, strict=True)
    ]


def _ids(rule: Rule, topic: str, ended: Ended) -> list[str]:
    """See `flush.id_at`."""
    begins = {
        partition: canonical_key((rule.name, rule.spec, topic, input_partition(partition)))[:-1]
        for partition in set(ended.partition)
    }
    return [
        sha256(b"%b,%d]\0%b" % (begins[partition], first, key)).hexdigest()
        for partition, first, key in zip(
            ended.partition, ended.first_offset, ended.keys, strict=True
        )
    ]


def _groups(rule: Rule, keys: Sequence[bytes]) -> list[Iterable[Any]]:
    fields = len(rule.document.group.fields)
    if fields == 1:
        return [[key[1:-1].decode() for key in keys]]
    found = [[bytes(value).decode() for value in _texts(key)] for key in keys]
    return [[values[at] for values in found] for at in range(fields)]
