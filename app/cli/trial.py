"""Runs records through an aggregator document by the product's own rules; nothing is kept."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from connectors.formats.json import JsonDecoder
from domain.aggregation.compiled import compile_fold
from domain.aggregation.document import Aggregator
from domain.aggregation.flush import flushed_record, to_json
from domain.aggregation.fold import Fold
from domain.aggregation.rule import Rule, compile_rule
from domain.aggregation.session import Row
from domain.errors import Reject

VERSION = 1


class Refused(NamedTuple):
    """A record that would become a dead letter."""

    number: int
    reason: str
    detail: str


@dataclass
class Outcome:
    """What records did. `sessions` are open at the end, `flushed` by a condition on the way, both
    as the flushed record's JSON; `filtered` are numbers of records that the filter passes over."""

    sessions: list[bytes] = field(default_factory=list)
    flushed: list[bytes] = field(default_factory=list)
    rejected: list[Refused] = field(default_factory=list)
    filtered: list[int] = field(default_factory=list)
    applied: int = 0
    duplicates: int = 0


class Trial:
    """One trial: all records arrive at `now_ms`, so no timeout passes between them.

    `source` is the name that explanations give the records, their numbers are its positions.
    """

    def __init__(self, document: Aggregator, now_ms: int, source: str) -> None:
        self._rule = compile_rule(document, VERSION)
        self._now_ms = now_ms
        decoder = JsonDecoder(self._rule.paths())
        self._decode = decoder.decode
        self._extract = self._rule.extractor(decoder.attributes)
        self._fold_one = compile_fold(self._rule)
        self._fold = Fold(self._rule, source, 0, self._only_rule)
        self._rows: dict[bytes, Row] = {}
        self._seen: dict[bytes, dict[bytes, list[object]]] = {}
        self._outcome = Outcome()

    def run(self, records: Iterable[tuple[int, bytes]]) -> Outcome:
        """Takes (number, JSON) one after the other; numbers are not negative and rise."""
        for number, value in records:
            try:
                self._take(number, value)
            except Reject as reject:
                refused = Refused(number, reject.reason, reject.detail)
                self._outcome.rejected.append(refused)
        count = self._fold.totals.count
        self._outcome.duplicates = count["duplicates"]
        self._outcome.applied = count["in"] - count["duplicates"] - count["rejected"]
        self._outcome.sessions = list(self._open())
        return self._outcome

    def _take(self, number: int, value: bytes) -> None:
        extracted = self._extract(self._decode(value))
        if extracted is None:
            self._outcome.filtered.append(number)
            return
        key, values = extracted[:2]
        row = self._rows.setdefault(key, Row())
        fold = self._fold
        fold.key = key
        fold.seen = self._seen.setdefault(key, {})
        self._fold_one(row, [(number, self._now_ms, values)], fold)
        self._outcome.flushed += (content for _, _, content in row.outputs)
        row.outputs = ()
        fold.full = False
        for rejection in fold.rejections:
            refused = Refused(number, rejection.reason, rejection.detail)
            self._outcome.rejected.append(refused)
        fold.rejections.clear()

    def _open(self) -> Iterator[bytes]:
        for key, row in self._rows.items():
            if row.open is not None:
                late = bool(self._rule.document.group.periods) and row.sequence > 0
                yield to_json(
                    flushed_record(
                        self._rule,
                        self._rule,
                        key,
                        row.open,
                        sequence=row.sequence + 1,
                        flush_type="",
                        late=late,
                    )
                )

    def _only_rule(self, _name: str, _version: int) -> Rule:
        return self._rule
