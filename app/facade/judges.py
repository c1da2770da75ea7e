"""Which session a record of the past went to, judged by the document that was in force for it."""

from bisect import bisect_right
from collections.abc import Callable
from typing import NamedTuple

from connectors.formats.json import JsonDecoder
from connectors.streams.base import TP
from domain.aggregation.rule import Rule
from domain.errors import Reject
from tables.documents import Documents
from tables.routes import Route


class Judged(NamedTuple):
    """`key` None: the filter passed the record over, or no such document was in force. `refused`:
    it went to dead letters; `key` is then that under the newer version asked for, if it has one."""

    key: bytes | None
    rule: Rule
    event_id: bytes | None = None
    refused: bool = False


Judge = Callable[[bytes], tuple[bytes, bytes | None] | None]
"""(session key, event id) of a record; None when it is filtered out; raises Reject."""


class Judges:
    """Judges records for one aggregator. `routes` are the decisions by (public topic, partition);
    what they don't tell, and what was refused, goes by the rule `last`."""

    def __init__(self, documents: Documents, routes: dict[TP, Route], last: Rule) -> None:
        self._documents, self._routes, self._last = documents, routes, last
        self._judges: dict[int, Judge] = {}

    def judge(self, tp: TP, offset: int, value: bytes) -> Judged:
        """What became of the record."""
        rule = self._rule_at(tp, offset)
        if rule is None or rule.document.input != tp[0]:
            return Judged(None, self._last)
        try:
            found = self._judge(rule)(value)
        except Reject:
            return self._refused(value)
        if found is None or rule.prefix != self._last.prefix:
            return Judged(None, rule)
        return Judged(found[0], rule, found[1])

    def _refused(self, value: bytes) -> Judged:
        try:
            found = self._judge(self._last)(value)
        except Reject:
            found = None
        return Judged(None if found is None else found[0], self._last, None, refused=True)

    def _rule_at(self, tp: TP, offset: int) -> Rule | None:
        segments = [] if tp not in self._routes else self._routes[tp].segments
        at = bisect_right(segments, offset, key=lambda segment: segment[0]) - 1
        if at < 0:
            return self._last  # decided so long ago that it is no longer told
        version = self._documents.version_at("aggregator", self._last.name, segments[at][1])
        return None if version is None else self._documents.rule(version.name, version.version)

    def _judge(self, rule: Rule) -> Judge:
        judge = self._judges.get(rule.version)
        if judge is None:
            judge = self._judges[rule.version] = _judge_of(rule)
        return judge


def _judge_of(rule: Rule) -> Judge:
    decoder = JsonDecoder(rule.paths())
    extract = rule.extractor(decoder.attributes)
    kinds = [item.kind for item in rule.inputs]
    at = kinds.index("event_id") if "event_id" in kinds else None

    def judge(value: bytes) -> tuple[bytes, bytes | None] | None:
        found = extract(decoder.decode(value))
        if found is None:
            return None
        return found[0], None if at is None else found[1][at]

    return judge
