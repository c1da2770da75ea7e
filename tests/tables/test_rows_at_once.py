"""Rows read many at a time are what they are one at a time."""

import copy
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.aggregation.rule import Rule, row_prefix
from domain.aggregation.session import History, Row, Session
from domain.aggregation.totals import Totals, contribution
from tables.codec import encode_row, encode_twice
from tables.packed import LOOKS, Shapes
from tables.rows_at_once import RowsAtOnce
from tests.tables.test_packed import ROWS

SUMS = ((0, "bytes"), (1, "price"))
OTHER_SUMS = ((1, "bytes"),)
RUNS = st.just(["usage", 0, 5, [b"id", 1, 7], 0, 3])
OUTPUTS = st.tuples(st.integers(1, 9), st.just("bills"), st.just(b"k"), st.binary(max_size=3))


@dataclass
class Summed:
    """As much of a rule as is asked for."""

    sums: tuple[tuple[int, str], ...]


def rule_of(name: str, version: int) -> Rule:
    """A rule that sums other accumulators when its version is odd."""
    return cast(Rule, Summed(OTHER_SUMS if version % 2 else SUMS))


def widened(row: Row) -> Row:
    """As many accumulators as any rule sums."""
    if row.open is not None:
        row.open.accumulators = [*row.open.accumulators, None, None]
    return row


@st.composite
def kept(draw: st.DrawFn) -> list[tuple[bytes, bytes, Row]]:
    """Rows of two aggregators as a changelog has them, many of one shape, in the order of keys:
    (key, body, row)."""
    some = draw(st.lists(ROWS.map(widened), min_size=1, max_size=4))
    some.append(Row(touched=4, wake=draw(st.sampled_from([0, 9]))))  # a letter's
    found = []
    for at in range(draw(st.integers(1, 30))):
        row = copy.deepcopy(draw(st.sampled_from(some)))
        if row.open is not None:
            row.open.version = draw(st.integers(0, 3))
            row.open.count = draw(st.integers(0, 2**32 - 1))
        row.wake = draw(st.sampled_from([0, row.wake, row.wake + 1]))
        name = draw(st.sampled_from(["a", "a-b"]))
        key = b"s" + row_prefix(name, "hash") + b"%03d" % at
        packed = Shapes().pack(row) if draw(st.booleans()) else None
        row.seen = tuple(draw(st.lists(RUNS, max_size=1)))
        row.outputs = tuple(list(each) for each in draw(st.lists(OUTPUTS, max_size=2)))
        if packed is None:
            body = encode_row(row)
        else:
            travelling, rest = encode_twice(copy.deepcopy(row))
            body = packed[:-2] + travelling[len(rest) - 2 :]
        found.append((key, body, row))
    return sorted(found, key=lambda each: each[0])


@settings(max_examples=150)
@given(kept(), st.integers(1, 30))
def test_as_one_at_a_time(rows: list[tuple[bytes, bytes, Row]], piece: int) -> None:
    totals: dict[str, Totals] = {}
    at_once = RowsAtOnce(totals, rule_of)
    wakes: list[Any] = []
    brought: dict[bytes, Any] = {}
    for at in range(0, len(rows), piece):
        read = at_once.read([(key, body) for key, body, _ in rows[at : at + piece]])
        wakes += read.wakes
        brought.update({key: tuple(others) for key, *others in read.brought})
    expected: dict[str, Totals] = {}
    for key, _, row in rows:
        if row.open is None and row.history is None:
            continue
        name = key[1:].split(b"\0")[0].decode()
        sums = rule_of(name, row.open.version).sums if row.open is not None else ()
        expected.setdefault(name, Totals()).merge(contribution(row, sums))
    assert totals == expected
    assert sorted(wakes) == sorted((row.wake, key[1:]) for key, _, row in rows if row.wake)
    for key, body, row in rows:
        if not row.seen and not row.outputs:
            assert key not in brought
            continue
        rest, seen, outputs = brought[key]
        tail = len(encode_twice(copy.deepcopy(row))[0]) - len(encode_twice(copy.deepcopy(row))[1])
        assert rest == body[: len(body) - tail - 2] + b"\x90\x90"
        assert (list(seen), list(outputs)) == (list(row.seen), list(row.outputs))


def test_more_shapes_than_are_looked_at() -> None:
    rows = []
    for at in range(3 * LOOKS):
        session = Session(
            0, 1, 2, 3, 4, 0, 1, [at, Decimal(at)], [["topic" + "x" * at, 0, 1, 1, 1]]
        )
        row = Row(1, session, (), 5, None, 6)
        data = Shapes().pack(row)
        assert data is not None
        rows += [(b"s" + row_prefix("a", "hash") + b"%02d" % (2 * at + n), data) for n in range(2)]
    totals: dict[str, Totals] = {}
    read = RowsAtOnce(totals, rule_of).read(rows)
    assert len(read.wakes) == len(rows)
    assert totals["a"].sessions == len(rows)
    assert totals["a"].sums["in"]["bytes"] == 2 * sum(range(3 * LOOKS))
    assert totals["a"].sums["open"]["price"] == 2 * sum(range(3 * LOOKS))


def test_only_of_a_session_that_ended() -> None:
    ended = Row(1, None, (), 5, History(3, 2, 1, 4, 1, 0, {"bytes": 5}, {"bytes": 3}), 6)
    data = Shapes().pack(ended)
    assert data is not None
    totals: dict[str, Totals] = {}
    RowsAtOnce(totals, rule_of).read([(b"s" + row_prefix("a", "h") + b"1", data)] * 2)
    assert totals["a"].sessions == 0
    assert totals["a"].count == {
        "in": 6, "open": 0, "flushed": 4, "duplicates": 2, "rejected": 8, "expired": 2, "deleted": 0
    }  # fmt: skip
    assert totals["a"].sums["flushed"] == {"bytes": 6}
