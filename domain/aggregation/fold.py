"""What folding does rarely: opening a session, adopting an older layout, flushing, rejecting,
recognising duplicates.

The function that folds many records of a key without interpreting the document is made in
`compiled.py`; a `Fold` holds what the records of one chunk (one input partition, one version of a
document) share.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.aggregation.flush import SourceName, enveloped, flushed_record
from domain.aggregation.flush_columns import Texts
from domain.aggregation.operations import OPERATIONS, minus, plus
from domain.aggregation.rule import Rule, Slot
from domain.aggregation.session import History, Row, Session, set_applied
from domain.aggregation.totals import Totals, session_sums

RuleOf = Callable[[str, int], Rule]
AUDIT = "aggregates.audit"

OUTPUT_LIMIT_BYTES = 256 * 1024
"""Flushes of one key in one commit travel in one changelog record; above this the fold stops and
goes on after a commit.
"""


@dataclass
class Rejection:
    """A record that the session refused: it becomes a dead letter."""

    offset: int
    timestamp: int
    reason: str
    detail: str


@dataclass(slots=True)
class Fold:
    """The folding of one chunk: records of one input partition under one version of one aggregator.

    The compiled fold adds to `number` and `rises` (by how much each sum rose); outputs of a key go
    into its row, `rejections` become dead letters. `seen` knows the first sights of event ids under
    the key (see `sights.py`), (topic, partition, offset, timestamp) of them is used.
    """

    rule: Rule
    topic: str
    partition: int
    rule_of: RuleOf
    rejections: list[Rejection] = field(default_factory=list)
    seen: dict[bytes, Any] = field(default_factory=dict)
    key: bytes = b""
    full: bool = False
    source: list[Any] = field(default_factory=list)
    source_name: SourceName = str
    texts: Texts | None = None
    last_call: bool = False
    number: int = 0
    rises: list[Any] = field(default_factory=list)
    _totals: Totals = field(default_factory=Totals)

    def __post_init__(self) -> None:
        self.rises = [None] * len(self.rule.sums)

    @property
    def totals(self) -> Totals:
        """How the control totals change by what was folded so far."""
        totals = self._totals
        totals.count["in"] += self.number
        totals.count["open"] += self.number
        for (_, name), value in zip(self.rule.sums, self.rises, strict=True):
            totals.add_sum("in", name, value)
            totals.add_sum("open", name, value)
        self.number = 0
        self.rises[:] = [None] * len(self.rises)  # in place: the compiled fold holds it
        return totals

    def noted(self, number: int, sessions: int, rises: Sequence[Any]) -> None:
        """Counts what was folded elsewhere: records, sessions they began, by how much sums rose."""
        self.number += number
        self._totals.sessions += sessions
        self.rises[:] = map(plus, self.rises, rises)

    def session_for(
        self, row: Row, offset: int, timestamp: int, due_value: int | None
    ) -> Session | None:
        """The session that the record joins: the open one, or a new one after a due one was
        flushed.

        None when the record can't open one (`no_timeout`): it is rejected, its position noted.
        """
        session = row.open
        if session is not None and timestamp >= session.due:
            self.close(row, "TIMEOUT")
            session = None
        if session is None:
            due = self.rule.due(timestamp, due_value)
            if due is None:
                self._reject(row, offset, timestamp)
                return None
            self._totals.sessions += 1
            self.source = [self.topic, self.partition, offset, offset, 0]
            session = row.open = Session(
                self.rule.version, timestamp, timestamp, timestamp, due, self.rule.version, 0,
                [None] * self.rule.width, [self.source],
            )  # fmt: skip
            return session
        if session.version != self.rule.version:
            adopt(session, self.rule_of(self.rule.name, session.version), self.rule)
        for source in session.sources:
            if source[1] == self.partition and source[0] == self.topic:
                self.source = source
                return session
        self.source = [self.topic, self.partition, offset, offset, 0]
        session.sources.append(self.source)
        return session

    def history_of(self, row: Row) -> History:
        """The row's history, begun now if it had nothing but its open session to tell of."""
        if row.history is None:
            row.history = History()
            session = row.open
            if session is not None:
                row.history.accepted = session.count
                sums = self.rule_of(self.rule.name, session.version).sums
                row.history.accepted_sums = session_sums(session, sums)
        return row.history

    def take_back(self, row: Row) -> None:
        """A rejected record is given to the key once more: it is counted anew by what becomes of it
        now.
        """
        history = self.history_of(row)
        history.accepted -= 1
        history.rejected -= 1
        self.totals.add("in", -1)
        self.totals.add("rejected", -1)

    def _reject(self, row: Row, offset: int, timestamp: int) -> None:
        self._looked_at(row, offset, timestamp)
        history = self.history_of(row)
        history.accepted += 1
        history.rejected += 1
        self.totals.add("in", 1)
        self.totals.add("rejected", 1)
        timeout = self.rule.document.flush.timeout
        name = timeout.field if timeout is not None else None
        detail = f"{name} is absent or no instant, and there is no default_timeout"
        self.rejections.append(Rejection(offset, timestamp, "no_timeout", detail))

    def duplicate(
        self, row: Row, event_id: bytes, offset: int, timestamp: int, firsts: list[Any]
    ) -> bool:
        """Whether an event id among `seen` makes the record a duplicate. Not when that was itself,
        nor so long ago that it counts as a first sight again, which is added to `firsts`.
        """
        known = self.seen[event_id]
        if timestamp - known[3] < self.rule.dedup_ms:
            if known[2] == offset and known[1] == self.partition and known[0] == self.topic:
                return False
            self._looked_at(row, offset, timestamp)
            history = self.history_of(row)
            history.accepted += 1
            history.duplicates += 1
            self.totals.add("in", 1)
            self.totals.add("duplicates", 1)
            return True
        self.seen[event_id] = (self.topic, self.partition, offset, timestamp)
        firsts += (event_id, offset, timestamp)
        return False

    def _looked_at(self, row: Row, offset: int, timestamp: int) -> None:
        """Notes the position of a record that no session took; a row without any other record lives
        from then on.
        """
        set_applied(row, self.topic, self.partition, offset)
        if not row.touched and row.open is None:
            row.touched = timestamp

    def remember(self, row: Row, number: int, rises: tuple[Any, ...]) -> None:
        """Counts, in a row with a history, what was applied since its session was loaded."""
        history = row.history
        if history is None:
            return
        history.accepted += number
        for (_, name), value in zip(self.rule.sums, rises, strict=True):
            if value is not None:
                history.accepted_sums[name] = plus(history.accepted_sums.get(name), value)

    def close(
        self,
        row: Row,
        flush_type: str,
        command: Mapping[str, Any] | None = None,
        *,
        deleted: bool = False,
    ) -> None:
        """Ends the open session: the flush and its content are decided here, in the row.

        `command` says who asked for it and why. A `deleted` session goes with that to the audit.
        """
        session = row.open
        if session is None:
            return
        rule = self.rule_of(self.rule.name, session.version)
        history = self.history_of(row)
        place = "deleted" if deleted else "expired" if flush_type == "TTL_EXPIRED" else "flushed"
        flushed = place == "flushed"
        text = None
        if self.texts is not None and command is None and not self.last_call:
            text = self.texts.of(rule.name, session, flush_type)
        if text is None:
            content = self._record(rule, row, session, flush_type, command, place)
        else:
            content = text.one(self.key, session, row.sequence + 1)
        row.outputs = (
            *row.outputs,
            [rule.document.output.topic if flushed else AUDIT, self.key, content],
        )
        if sum(len(output[2]) for output in row.outputs) > OUTPUT_LIMIT_BYTES:
            self.full = True
        sums = session_sums(session, rule.sums)
        totals = self._totals
        totals.sessions -= 1
        totals.flushes[flush_type] = totals.flushes.get(flush_type, 0) + 1
        totals.add("open", -session.count)
        totals.add(place, session.count)
        kept: dict[str, Any] = getattr(history, f"{place}_sums")
        for name, value in sums.items():
            totals.add_sum("open", name, minus(0, value))
            totals.add_sum(place, name, value)
            kept[name] = plus(kept.get(name), value)
        setattr(history, place, getattr(history, place) + session.count)
        row.sequence += flushed
        if not flushed and rule.document.event_id is not None:
            until = session.last + rule.dedup_ms  # its events are known for no longer
            history.withdrawn = [
                *(each for each in history.withdrawn if each[4] > session.last),
                *([*source[:4], until] for source in session.sources),
            ]
        for topic, partition, _, last, _ in session.sources:
            set_applied(row, topic, partition, last)
        row.open = None

    def _record(
        self, rule: Rule, row: Row, session: Session, flush_type: str,
        command: Mapping[str, Any] | None, place: str,
    ) -> bytes:  # fmt: skip
        late = place == "flushed" and bool(rule.document.group.periods) and row.sequence > 0
        record = flushed_record(
            rule, self.rule_of(rule.name, abs(session.due_version)), self.key, session,
            sequence=row.sequence + 1, flush_type=flush_type, late=late, last_call=self.last_call,
            source_name=self.source_name,
        )  # fmt: skip
        if command is not None:
            record["explain"]["rule"] = f"command {command['command_id']}"
            if place == "deleted":
                record.update(command)
        return enveloped(rule, record, self.key)


def adopt(session: Session, old: Rule, new: Rule) -> None:
    """Lays the accumulators out as the newer version wants them: same operations keep theirs, new
    ones start empty.
    """
    kept = dict(session.dropped or {})
    for slot in old.slots:
        kept[slot.key] = session.accumulators[slot.at : slot.at + _slots(slot)]
    session.accumulators = [None] * new.width
    for slot in new.slots:
        found = kept.get(slot.key)
        if found:
            session.accumulators[slot.at : slot.at + _slots(slot)] = found
    printed = {slot.key for slot in new.slots}
    session.dropped = {
        key: values for key, values in kept.items() if values and key not in printed
    } or None
    session.version = new.version


def _slots(slot: Slot) -> int:
    return 0 if slot.operation.field == "*" else OPERATIONS[slot.operation.operation].slots
