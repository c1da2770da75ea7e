"""Folds JSON records of one session under a document, in whatever batches, as the product does."""

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings

from config.documents.aggregator import load_aggregator
from connectors.formats.json import JsonDecoder
from domain.aggregation.compiled import compile_fold
from domain.aggregation.fold import Fold
from domain.aggregation.rule import Rule, compile_rule
from domain.aggregation.session import Row
from tables.codec import decode_row, encode_row

START_MS = 1_711_839_590_000
histories = settings(
    deadline=None,  # each compiles its document
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Folding:
    """One session key; `versions` are lists of operations, each a version of the document."""

    def __init__(self, *versions: list[dict[str, Any]], **document: Any) -> None:
        self.rules: list[Rule] = []
        self._made = []
        for number, aggregate in enumerate(versions, 1):
            rule = compile_rule(load_aggregator(a_document(aggregate, **document)), number)
            decoder = JsonDecoder(rule.paths())
            self.rules.append(rule)
            self._made.append((decoder, rule.extractor(decoder.attributes), compile_fold(rule)))
        self.row = Row()
        self.flushed: list[dict[str, Any]] = []
        self._offset = 0

    def fold(self, records: Sequence[Any], *, version: int = 1, at_ms: int = START_MS) -> None:
        """One batch and its commit, the row written and read again."""
        decoder, extract, fold = self._made[version - 1]
        entries = []
        for record in records:
            text = record if isinstance(record, bytes) else json.dumps(record).encode()
            extracted = extract(decoder.decode(text))
            assert extracted is not None
            entries.append((self._offset, at_ms, extracted[1]))
            self._offset += 1
        rule = self.rules[version - 1]
        ctx = Fold(rule, "usage", 0, lambda _, number: self.rules[number - 1])
        ctx.key = b'["a"]'
        fold(self.row, entries, ctx)
        self._take()

    def fold_in(self, batches: Iterable[Sequence[Any]]) -> "Folding":
        for batch in batches:
            self.fold(batch)
        return self

    def close(self) -> dict[str, Any]:
        """The flush of the open session, now."""
        assert self.row.open is not None
        rule = self.rules[self.row.open.version - 1]
        ctx = Fold(rule, "usage", 0, lambda _, number: self.rules[number - 1])
        ctx.key = b'["a"]'
        ctx.close(self.row, "TIMEOUT")
        self._take()
        return self.flushed[-1]

    def _take(self) -> None:
        self.flushed += [exactly(content) for _, _, content in self.row.outputs]
        self.row.outputs = ()
        self.row = decode_row(encode_row(self.row))


def exactly(content: bytes) -> Any:
    """JSON with its numbers exact."""
    return json.loads(content, parse_float=Decimal)


def a_document(aggregate: list[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """An aggregator by account with an hour's timeout."""
    return {
        "kind": "aggregator",
        "name": "acc",
        "group": {"fields": ["account"]},
        "aggregate": aggregate,
        "flush": {"by": "timeout", "timeout": {"duration": {"hours": 1}}},
        **changes,
    }


def cut(records: Sequence[Any], sizes: Iterable[int]) -> list[Sequence[Any]]:
    """The records in batches of these sizes, the rest as one more."""
    batches, at = [], 0
    for size in sizes:
        batches.append(records[at : at + size])
        at += size
    return [batch for batch in [*batches, records[at:]] if batch]
