"""Routes the records of one input partition: to this worker's own shard, to other shards, to dead
letters.

A batch is decoded and taken apart under the documents that apply to it; the decision is made
durable (`tables/routes.py`); then it goes out. Aggregators whose input is keyed by the session
(`keyed_by`) are applied here and now, their records never travel; everything else goes on
`<app>-sessions-in` to the shard that owns the session.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents.chunks import Chunk
from agents.letters import Letter
from connectors.formats.json import JsonDecoder
from connectors.streams.murmur2 import partition_for
from domain.aggregation.extract import Extracted, Kind
from domain.aggregation.rule import Rule
from domain.errors import Reject
from tables.stream import Item


@dataclass
class Routed:
    """What came of one part of a batch: chunks by shard, the share of the own shard apart; letters;
    counts.
    """

    own: list[Chunk] = field(default_factory=list)
    chunks: dict[int, list[Chunk]] = field(default_factory=dict)
    letters: list[Letter] = field(default_factory=list)
    unmatched: int = 0
    filtered: dict[str, int] = field(default_factory=dict)
    until: int = 0


@dataclass(frozen=True)
class _Taker:
    """One aggregator at work on a topic. `original_at` is the place of a value without which the
    session may refuse.
    """

    rule: Rule
    extract: Callable[[Any], Extracted | None]
    keyed: bool
    original_at: int | None


class Router:
    """The routing of one topic under one revision of the documents; shared by its partitions."""

    def __init__(
        self, topic: str, rules: Sequence[Rule], shards: int, partitions: int, max_record_bytes: int
    ) -> None:
        self._topic = topic
        self._shards = shards
        self._max_record_bytes = max_record_bytes
        paths: dict[str, Any] = {}
        for rule in rules:
            for path, kind in rule.paths().items():
                if kind == "any" or path not in paths:
                    paths[path] = kind
        self._decoder = JsonDecoder(paths)
        self._takers = [
            _Taker(
                rule,
                rule.extractor(self._decoder.attributes),
                keyed=bool(rule.document.keyed_by) and partitions == shards,
                original_at=_due_place(rule),
            )
            for rule in rules
        ]

    def route(self, partition: int, items: Sequence[Item], now_ms: int) -> Routed:
        """Takes records apart, in order. Timestamps later than `now_ms` count as now."""
        out = Routed()
        views: list[tuple[Item, Any]] = []
        decode, limit = self._decoder.decode, self._max_record_bytes
        for item in items:
            value = item[3]
            try:
                if value is not None and len(value) > limit:
                    raise Reject("too_large", f"{len(value)} bytes, the limit is {limit}")
                views.append((item, decode(value)))
            except Reject as refused:
                out.letters.append(self._letter(partition, item, None, refused, None))
        matched = bytearray(len(views))
        for taker in self._takers:
            self._take(taker, partition, views, matched, now_ms, out)
        out.unmatched = matched.count(0)
        if items:
            out.until = max(min(item[1], now_ms) for item in items)
        return out

    def _take(
        self,
        taker: _Taker,
        partition: int,
        views: list[tuple[Item, Any]],
        matched: bytearray,
        now_ms: int,
        out: Routed,
    ) -> None:
        extract, rule, keyed = taker.extract, taker.rule, taker.keyed
        own: list[Any] = []
        away: dict[int, list[Any]] = {}
        originals: dict[int, bytes] = {}
        filtered = 0
        placed = bool(rule.document.keyed_by)
        for i, (item, view) in enumerate(views):
            try:
                extracted = extract(view)
            except Reject as refused:
                matched[i] = 1
                out.letters.append(self._letter(partition, item, rule.name, refused, rule.version))
                continue
            if extracted is None:
                filtered += 1
                continue
            matched[i] = 1
            timestamp = item[1]
            entry = (
                extracted[0],
                item[0],
                timestamp if timestamp < now_ms else now_ms,
                extracted[1],
            )
            shard = partition_for(extracted[2] if placed else extracted[0], self._shards)
            if taker.original_at is not None and extracted[1][taker.original_at] is None:
                originals[item[0]] = item[3] or b""
            if keyed and shard == partition:
                own.append(entry)
            else:
                away.setdefault(shard, []).append(entry)
        if filtered:
            out.filtered[rule.name] = out.filtered.get(rule.name, 0) + filtered
        if own:
            out.own.append(Chunk(self._topic, partition, rule.name, rule.version, own, originals))
        for shard, entries in away.items():
            theirs = (
                {entry[1]: originals[entry[1]] for entry in entries if entry[1] in originals}
                if originals
                else {}
            )
            chunk = Chunk(self._topic, partition, rule.name, rule.version, entries, theirs)
            out.chunks.setdefault(shard, []).append(chunk)

    def _letter(
        self,
        partition: int,
        item: Item,
        aggregator: str | None,
        refused: Reject,
        version: int | None,
    ) -> Letter:
        return Letter(
            self._topic,
            partition,
            item[0],
            aggregator,
            refused.reason,
            refused.detail,
            item[3],
            version,
            item[1],
        )


def _due_place(rule: Rule) -> int | None:
    """Where in the values the record's own timeout is, if a session can't be opened without it."""
    timeout = rule.document.flush.timeout
    if (
        timeout is None
        or timeout.kind != "timestamp_field"
        or timeout.default_timeout_ms is not None
    ):
        return None
    kinds: list[Kind] = [item.kind for item in rule.inputs]
    return kinds.index("due")
