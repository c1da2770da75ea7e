"""The fold: however records are cut into batches, repeated or sent again, rows and flushes are the
same.

10,000 histories of random documents that change in between; each is told by its number, so that a
failing one can be lived again.
"""

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from config.documents.aggregator import load_aggregator
from connectors.formats.json import JsonDecoder
from domain.aggregation.compiled import FoldFunction, compile_fold
from domain.aggregation.fold import Fold
from domain.aggregation.rule import Rule, compile_rule
from domain.aggregation.session import Row
from domain.aggregation.sights import sights_of
from domain.aggregation.totals import Totals, contribution
from tables.codec import decode_row, encode_row

HISTORIES = 10_000
DOCUMENTS = 1_000  # aggregators, each in up to three versions
OPERATIONS = [
    {"field": "bytes", "operation": "sum"},
    {"field": "price", "operation": "sum"},
    {"field": "bytes", "operation": "max"},
    {"field": "price", "operation": "min"},
    {"field": "price", "operation": "average", "scale": 6},
    {"field": "cell", "operation": "count"},
    {"field": "cell", "operation": "carry_first"},
    {"field": "cell", "operation": "carry_last"},
    {"field": "at", "operation": "date_max"},
    {"field": "at", "operation": "date_min"},
    {"field": "bytes", "operation": "stddev", "scale": 3},
    {"field": "price", "operation": "unique_count"},
    {"field": "cell", "operation": "first"},
    {"field": "cell", "operation": "last"},
]
TIMEOUTS: list[dict[str, Any]] = [
    {"duration": {"seconds": 40}},
    {"frequency": {"every": "day", "at": "00:00", "timezone": "Europe/Stockholm"}},
    {"timestamp_field": "until", "default_timeout": {"seconds": 30}},
    {"timestamp_field": "until", "policy": "max"},
]
START_MS = 1_711_839_590_000  # seconds before Stockholm loses an hour


def a_document(rnd: random.Random) -> dict[str, Any]:
    """A random version of one aggregator; its group never changes."""
    flush: dict[str, Any] = {"by": "timeout", "timeout": rnd.choice(TIMEOUTS)}
    if rnd.random() < 0.4:
        flush["conditions"] = {"field": "count", "op": ">=", "value": rnd.randint(1, 4)}
    if rnd.random() < 0.2:
        flush["conditions"] = {"field": "record.cell", "op": "==", "value": "c2"}
    document: dict[str, Any] = {
        "kind": "aggregator",
        "name": "acc",
        "input": "usage",
        "group": {"fields": ["account"]},
        "aggregate": [
            *rnd.sample(OPERATIONS, rnd.randint(1, 5)),
            {"field": "*", "operation": "count"},
        ],
        "flush": flush,
    }
    if rnd.random() < 0.3:
        document["event_time"] = "at"
    if rnd.random() < 0.3:
        document["event_id"] = "id"
    return document


def a_record(rnd: random.Random, clock_ms: int) -> bytes:
    """A random record of the one account; fields may be missing."""
    seconds = (clock_ms - START_MS) // 1000 + rnd.randint(-5, 60)
    record = {
        "account": "a",
        "id": rnd.randint(1, 12),
        "bytes": rnd.randint(0, 2**66),
        "price": rnd.choice([0.1, 2.75, "3.50", 1]),
        "cell": rnd.choice(["c1", "c2", None]),
        "at": f"2024-03-31T00:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z",
        "until": f"2024-03-31T00:{seconds // 60 % 60:02d}:{seconds % 60:02d}Z",
    }
    kept = {name: value for name, value in record.items() if rnd.random() < 0.9}
    return json.dumps({**kept, "account": "a", "id": record["id"]}).encode()


@dataclass(frozen=True)
class Compiled:
    """One version of a document, ready to run."""

    rule: Rule
    fold: FoldFunction
    decode: Callable[[bytes], Any]
    extract: Callable[[Any], Any]


@cache
def versions_of(number: int) -> list[Compiled]:
    """The versions of one aggregator; many histories share them, for compiling takes longest."""
    rnd = random.Random(number)
    found = []
    for version in range(1, rnd.randint(1, 3) + 1):
        rule = compile_rule(load_aggregator(a_document(rnd)), version)
        decoder = JsonDecoder(rule.paths())
        extract = rule.extractor(decoder.attributes)
        found.append(Compiled(rule, compile_fold(rule), decoder.decode, extract))
    return found


class Key:
    """One session key at work: its row, and everything that came out."""

    def __init__(self, versions: list[Compiled]) -> None:
        self.versions = versions
        self.row = Row()
        self.outputs: list[list[Any]] = []
        self.seen: dict[bytes, Sequence[Any]] = {}
        self.totals = Totals()
        self.rejected: list[int] = []

    def fold(self, version: int, entries: list[Any]) -> None:
        """One batch, and the commit after it."""
        one = self.versions[version - 1]
        self.row = decode_row(encode_row(self.row))
        ctx = Fold(one.rule, "usage", 0, lambda _, v: self.versions[v - 1].rule, seen=self.seen)
        ctx.key = b'["a"]'
        while True:
            one.fold(self.row, entries, ctx)
            self.rejected += [rejection.offset for rejection in ctx.rejections]
            ctx.rejections.clear()
            self.outputs += self.row.outputs
            self.seen |= sights_of(self.row.seen)
            self.row.outputs, self.row.seen = (), ()
            if not ctx.full:
                break
            ctx.full = False
        self.totals.merge(ctx.totals)


def live(number: int) -> None:
    """One history, told straight and told in pieces."""
    rnd = random.Random(number)
    versions = versions_of(number % DOCUMENTS)
    parts: list[tuple[int, list[Any]]] = []
    offset, clock_ms = 0, START_MS
    for one in versions:
        entries = []
        for _ in range(rnd.randint(1, 8)):
            clock_ms += rnd.randint(0, 20_000)
            offset += rnd.randint(1, 3)
            extracted = one.extract(one.decode(a_record(rnd, clock_ms)))
            assert extracted is not None
            entries.append((offset, clock_ms, extracted[1]))
        parts.append((one.rule.version, entries))

    straight = Key(versions)
    for version, entries in parts:
        straight.fold(version, entries)
    pieces = Key(versions)
    done: list[tuple[int, list[Any]]] = []
    for version, entries in parts:
        left = list(entries)
        while left:
            cut = rnd.randint(1, len(left))
            done.append((version, left[:cut]))
            pieces.fold(*done[-1])
            if rnd.random() < 0.4:  # what was not committed comes again
                for again in done[-rnd.randint(1, len(done)) :]:
                    pieces.fold(*again)
            left = left[cut:]

    assert pieces.outputs == straight.outputs
    assert decode_row(encode_row(pieces.row)) == decode_row(encode_row(straight.row))
    assert pieces.rejected == straight.rejected
    assert pieces.totals.count == straight.totals.count
    sums = versions[pieces.row.open.version - 1].rule.sums if pieces.row.open is not None else ()
    assert contribution(pieces.row, sums).count == pieces.totals.count
    assert pieces.totals.balanced()
    ids = [json.loads(content)["id"] for _, _, content in pieces.outputs]
    assert len(ids) == len(set(ids))
    applied = [entry[0] for _, entries in parts for entry in entries]
    assert pieces.totals.count["in"] == len(applied)


@pytest.mark.parametrize("part", range(4))
def test_any_split_and_any_replay_gives_the_same_row_and_flushes(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("domain.aggregation.fold.OUTPUT_LIMIT_BYTES", 900)
    for number in range(part * HISTORIES // 4, (part + 1) * HISTORIES // 4):
        try:
            live(number)
        except AssertionError as error:
            raise AssertionError(f"history {number}: {error}") from error
