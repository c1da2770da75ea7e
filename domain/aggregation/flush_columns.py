"""Flushed records as text that is made once for all of a kind.

`flush.py` alone says what a record looks like: a session of numbers that are told apart is printed
by it, and where they stand in the text is where those of other sessions go. Records of a document
of which that doesn't work in every place are made by it one at a time.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import Any

import msgspec
import numpy as np

from domain.aggregation.flush import SourceName, enveloped, flushed_record, to_json
from domain.aggregation.instants import PRINTED, print_instant
from domain.aggregation.number_columns import Ints, letters
from domain.aggregation.numbers import canonical_key, plain
from domain.aggregation.rule import Rule, Slot
from domain.aggregation.session import Session
from domain.aggregation.sources import input_partition

MOST_KINDS = 1_000
OFTEN = 16
_texts = msgspec.json.Decoder(list[msgspec.Raw]).decode
_YEAR_MS = 31_556_952_000
_PLAIN = frozenset(("sum", "max", "min", "average", "count"))
Kind = tuple[str, int, int, str, str, str]
"""(aggregator, version, version that set the due time, topic, kinds of accumulators, flush type)"""


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
    _begins: dict[int, bytes] = field(default_factory=dict)

    def write(self, ended: Ended) -> list[bytes]:
        """The record of each session, as `flush.enveloped` writes it."""
        columns = _columns(self, ended)
        template = self.template
        return [(template % row).encode() for row in zip(*columns, strict=True)]

    def one(self, key: bytes, session: Session, sequence: int) -> bytes:
        """The record of one session."""
        _, partition, first_offset, last_offset, records = session.sources[0]
        held = session.accumulators
        values: list[Any] = []
        parts: list[Any] = []
        for slot in self.rule.slots:
            if slot.operation.field == "*":
                values.append(session.count)
                continue
            value = held[slot.at]
            if value is None:
                continue
            printed = value if value.__class__ is int else plain(value)
            if slot.operation.operation == "average":
                values.append(to_json(self.rule.result(slot, held)).decode())
                parts += (printed, held[slot.at + 1] or 0)
            else:
                values.append(printed)
        told = (
            self.ident(key, partition, first_offset), sequence, *_group(self.rule, key), *values,
            *parts, session.count, print_instant(session.first), print_instant(session.last),
            print_instant(session.due), input_partition(partition), first_offset, last_offset,
            records,
        )  # fmt: skip
        return (self.template % told).encode()

    def ident(self, key: bytes, partition: int, first_offset: int) -> str:
        """See `flush.id_at`."""
        begin = self._begins.get(partition)
        if begin is None:
            at = (self.rule.name, self.rule.spec, self.topic, input_partition(partition))
            begin = self._begins[partition] = canonical_key(at)[:-1]
        return sha256(b"%b,%d]\0%b" % (begin, first_offset, key)).hexdigest()


class Texts:
    """Texts by the kind of sessions. Making one costs as much as a dozen records: it is made for
    many sessions, or for one when others of its kind came before; and not ever more are kept.
    """

    def __init__(self, rule_of: Callable[[str, int], Rule], source_name: SourceName = str) -> None:
        self._rule_of = rule_of
        self._source_name = source_name
        self._known: dict[Kind, FlushText | None] = {}
        self._met: Counter[Kind] = Counter()

    def get(self, kind: Kind) -> FlushText | None:
        """None where each record is made alone."""
        if kind not in self._known:
            name, version, due_version, topic, kinds, flush_type = kind
            rule, due_rule = self._rule_of(name, version), self._rule_of(name, due_version)
            text = text_of(rule, due_rule, topic, kinds, flush_type, self._source_name)
            if len(self._known) >= MOST_KINDS:
                self._known.clear()
            self._known[kind] = text
        return self._known[kind]

    def of(self, name: str, session: Session, flush_type: str) -> FlushText | None:
        """That of a session of the aggregator; None where its record is made alone."""
        if session.due_version < 0 or len(session.sources) != 1:
            return None
        if session.first < PRINTED.start or session.last >= PRINTED.stop:
            return None
        if not PRINTED.start <= session.due < PRINTED.stop:
            return None
        kinds = letters(session.accumulators)
        if "?" in kinds:
            return None
        topic = session.sources[0][0]
        kind = (name, session.version, session.due_version, topic, kinds, flush_type)
        if kind in self._known:
            return self._known[kind]
        if len(self._met) >= MOST_KINDS:
            self._met.clear()
        self._met[kind] += 1
        return self.get(kind) if self._met[kind] > OFTEN else None


def text_of(
    rule: Rule, due_rule: Rule, topic: str, kinds: str, flush_type: str,
    source_name: SourceName = str,
) -> FlushText | None:  # fmt: skip
    """For sessions of the version `rule` that were made due by `due_rule`, with one source of that
    topic and accumulators of these `kinds` (see `columns.begin_columns`). None where each record is
    made alone.
    """
    if rule.document.group.periods or "?" in kinds:
        return None
    if any(slot.operation.operation not in _PLAIN for slot in rule.slots):
        return None

    def printed(n: int) -> tuple[str, list[str]]:
        key, session, sequence = _told_apart(rule, due_rule, topic, kinds, n)
        record = flushed_record(
            rule, due_rule, key, session,
            sequence=sequence, flush_type=flush_type, source_name=source_name,
        )  # fmt: skip
        ended = ended_of([key], [session], [sequence])
        columns = _columns(FlushText(rule, topic, ""), ended)
        return enveloped(rule, record, key).decode(), [str(next(iter(one))) for one in columns]

    template = _template(*printed(1))
    if template is None:
        return None
    other, values = printed(2)
    found = FlushText(rule, topic, template)
    return found if template % tuple(values) == other else None


def ended_of(keys: Sequence[bytes], sessions: Sequence[Session], sequence: Sequence[int]) -> Ended:
    """Sessions of one kind, by column."""
    columns: Any = zip(*(one.sources[0] for one in sessions), strict=True)
    _, partition, first_offset, last_offset, records = columns
    first, last, due = (
        print_instants(np.array([getattr(one, name) for one in sessions]))
        for name in ("first", "last", "due")
    )
    return Ended(
        keys=keys,
        sequence=sequence,
        count=[one.count for one in sessions],
        first=first,
        last=last,
        due=due,
        partition=partition,
        first_offset=first_offset,
        last_offset=last_offset,
        records=records,
        accumulators=[
            None if column[0] is None else column
            for column in zip(*(one.accumulators for one in sessions), strict=True)
        ],
    )


def print_instants(at_ms: Ints) -> list[str]:
    """See `instants.print_instant`; of instants within PRINTED."""
    return [f"{at}Z" for at in np.datetime_as_string(at_ms.astype("datetime64[ms]")).tolist()]


def _told_apart(
    rule: Rule, due_rule: Rule, topic: str, kinds: str, n: int
) -> tuple[bytes, Session, int]:
    """(key, session, sequence) in which no two numbers are alike, others for each `n`."""
    numbers = iter(range(n * 70_000_001_234_567, 1 << 62, 1_000_003))
    key = canonical_key([f"group {next(numbers)}" for _ in rule.document.group.fields])
    held: list[Any] = [
        None if kind == "n" else next(numbers) if kind == "i" else Decimal(next(numbers)) / 8
        for kind in kinds
    ]
    for slot in rule.slots:
        if slot.operation.operation == "average" and held[slot.at] is not None:
            held[slot.at + 1] = 8 * n  # else all averages were about 1
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


def _columns(text: FlushText, ended: Ended) -> list[Iterable[Any]]:
    """What is told of each session, in the order in which it stands in a record."""
    rule = text.rule
    held = [None if of is None else _printed(of) for of in ended.accumulators]
    columns: list[Iterable[Any]] = [
        map(text.ident, ended.keys, ended.partition, ended.first_offset), ended.sequence,
        *zip(*(_group(rule, key) for key in ended.keys), strict=True),
    ]  # fmt: skip
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


def _group(rule: Rule, key: bytes) -> list[str]:
    if len(rule.document.group.fields) == 1:
        return [key[1:-1].decode()]
    return [bytes(value).decode() for value in _texts(key)]
