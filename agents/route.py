"""Takes a batch of one input partition apart: for this worker's own shard, for other shards, for
dead letters.

Aggregators whose input is keyed by the session (`keyed_by`) are applied by the worker that reads
the partition, their records never travel; everything else goes to the shard that owns the session.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from agents.chunks import Chunk
from agents.letters import Letter
from connectors.formats.cloudevents import from_kafka
from connectors.formats.json import JsonDecoder
from connectors.streams.murmur2 import partitions_for
from domain.aggregation.bulk import BulkExtract, Groups, Refused, compile_bulk
from domain.aggregation.extract import placer
from domain.aggregation.rule import Rule
from domain.errors import Reject
from tables.stream import Item

_offset, _timestamp, _headers = itemgetter(0), itemgetter(1), itemgetter(4)


@dataclass
class Routed:
    """What came of one part of a batch: chunks of the own shard, chunks by shard, letters, counts.

    `until` is the newest timestamp among its records.
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
    session may refuse the record.
    """

    rule: Rule
    extract: BulkExtract
    place: Callable[[bytes], bytes]
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
                compile_bulk(rule.document, self._decoder.attributes, "view"),
                placer(rule.document),
                keyed=bool(rule.document.keyed_by) and partitions == shards,
                original_at=_due_place(rule),
            )
            for rule in rules
        ]

    def route(self, partition: int, items: Sequence[Item], now_ms: int) -> Routed:
        """Takes records apart, in order. Timestamps later than `now_ms` count as now."""
        out = Routed()
        items, views = self._views(partition, items, out)
        if not items:
            return out
        offsets = list(map(_offset, items))
        timestamps = list(map(_timestamp, items))
        out.until = max(timestamps)
        if out.until > now_ms:
            out.until = now_ms
            timestamps = [min(timestamp, now_ms) for timestamp in timestamps]
        passed: set[int] | None = None
        for taker in self._takers:
            groups: Groups = {}
            refused: Refused = []
            filtered = taker.extract(offsets, timestamps, views, groups, refused)
            passed = set(filtered) if passed is None else passed.intersection(filtered)
            if filtered:
                out.filtered[taker.rule.name] = len(filtered)
            self._refuse(taker.rule, partition, items, refused, out)
            self._place(taker, partition, items, groups, out)
        out.unmatched = len(items) if passed is None else len(passed)
        return out

    def _views(
        self, partition: int, items: Sequence[Item], out: Routed
    ) -> tuple[Sequence[Item], list[Any]]:
        """Records that have a view, and those; the others are dead letters of no one aggregator."""
        limit = self._max_record_bytes
        if any(map(_headers, items)):
            items = self._structured(partition, items, out)
        values = [item[3] or b"" for item in items]
        views, odd = self._decoder.decode_many(values)
        if not odd and max(map(len, values), default=0) <= limit:
            return items, views
        good: list[Item] = []
        decoded: list[Any] = []
        for item, value, view in zip(items, values, views, strict=True):
            if len(value) > limit:
                view = Reject("too_large", f"{len(value)} bytes, the limit is {limit}")
            if isinstance(view, Reject):
                out.letters.append(self._letter(partition, item, None, view))
            else:
                good.append(item)
                decoded.append(view)
        return good, decoded

    def _structured(self, partition: int, items: Sequence[Item], out: Routed) -> Sequence[Item]:
        """CloudEvents in binary mode (`ce_` headers) as structured ones, the others as they are."""
        good: list[Item] = []
        for item in items:
            try:
                good.append((*item[:3], from_kafka(item[3], item[4]), item[4]))
            except Reject as refused:
                out.letters.append(self._letter(partition, item, None, refused))
        return good

    def _refuse(
        self, rule: Rule, partition: int, items: Sequence[Item], refused: Refused, out: Routed
    ) -> None:
        if not refused:
            return
        by_offset = {item[0]: item for item in items}
        for offset, reject in refused:
            out.letters.append(self._letter(partition, by_offset[offset], rule, reject))

    def _place(
        self, taker: _Taker, partition: int, items: Sequence[Item], groups: Groups, out: Routed
    ) -> None:
        """Gives each group to the shard that owns its session."""
        if not groups:
            return
        rule, place = taker.rule, taker.place
        originals = _originals(taker, items, groups)
        shards = partitions_for(list(map(place, groups)), self._shards)
        by_shard: dict[int, list[Any]] = {}
        if shards.count(shards[0]) == len(shards):
            by_shard[shards[0]] = list(groups.items())
        else:
            for shard, group in zip(shards, groups.items(), strict=True):
                by_shard.setdefault(shard, []).append(group)
        upto = items[-1][0]
        for shard, mine in by_shard.items():
            theirs = originals
            if originals and len(by_shard) > 1:
                offsets = {entry[0] for _, entries in mine for entry in entries}
                theirs = {offset: originals[offset] for offset in originals.keys() & offsets}
            chunk = Chunk(
                self._topic, partition, rule.name, rule.version, mine, upto, theirs, self._shards
            )  # fmt: skip
            if taker.keyed and shard == partition:
                out.own.append(chunk)
            else:
                out.chunks.setdefault(shard, []).append(chunk)

    def _letter(self, partition: int, item: Item, rule: Rule | None, refused: Reject) -> Letter:
        name, version = (None, None) if rule is None else (rule.name, rule.version)
        return Letter(
            self._topic, partition, item[0], name, refused.reason, refused.detail, item[3], version,
            item[1],
        )  # fmt: skip


def _originals(taker: _Taker, items: Sequence[Item], groups: Groups) -> dict[int, bytes]:
    """The bytes of records without their own timeout, by offset."""
    at = taker.original_at
    if at is None:
        return {}
    wanted = {entry[0] for entries in groups.values() for entry in entries if entry[2][at] is None}
    return {item[0]: item[3] or b"" for item in items if item[0] in wanted}


def _due_place(rule: Rule) -> int | None:
    """Where in the values the record's own timeout is, if a session can't be opened without it."""
    timeout = rule.document.flush.timeout
    if timeout is None or timeout.kind != "timestamp_field":
        return None
    if timeout.default_timeout_ms is not None:
        return None
    return [item.kind for item in rule.inputs].index("due")
