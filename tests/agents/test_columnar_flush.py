"""Many sessions flushed in columns are flushed as each on its own, also after a kill."""

import asyncio
from decimal import Decimal
from typing import Any

import pytest

from agents.aggregate import ROUTED
from agents.chunks import Chunk
from agents.shards import NotOwned
from config.documents.aggregator import load_aggregator
from domain.aggregation.numbers import canonical_key
from domain.aggregation.rule import compile_rule
from tables.changes import Changes, Output
from tables.codec import decode_row
from tables.layout import ROW, wake_key
from tables.shard import Shard
from tests.agents.columnar_kit import (
    OPERATIONS,
    START_MS,
    TIMEOUTS,
    Side,
    aggregator,
    entries_of,
    live,
    logged,
)


def test_flushes_travel_with_their_row_in_the_changelog(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS, TIMEOUTS[0])), 1)
    told = []
    for in_columns in (True, False):
        side = Side([rule], in_columns=in_columns, cache_rows=3)
        rows = logged(side, monkeypatch)
        values = {"bytes": 5, "price": Decimal("2.50"), "cell": "c"}
        batch = ("batch", 0, [(account, values, 1) for account in range(4)], False)
        asyncio.run(live([side], [batch, ("tick", 100_000)] * 2))
        decoded = [decode_row(data or b"") for key, data in rows if key[:1] == ROW]
        told.append([row.outputs for row in decoded if row.outputs])
        assert not list(side.shard.outbox())
    assert sorted(told[0]) == sorted(told[1])
    assert len(told[0]) == 8


def test_rows_of_many_shapes_of_one_length_are_flushed_in_columns() -> None:
    optional: list[dict[str, Any]] = [
        {"field": field, "operation": how} for field in ("bytes", "price") for how in ("sum", "max")
    ]
    rule = compile_rule(load_aggregator(aggregator(optional, TIMEOUTS[0])), 1)
    sides = [Side([rule], in_columns=yes, cache_rows=0) for yes in (True, False)]
    kinds = [{"bytes": 5, "price": None}, {"bytes": None, "price": 7}, {"bytes": 5, "price": 7}]
    history: list[Any] = [
        ("batch", 0, [(3 * account + n, values, 1) for account in range(4)], False)
        for n, values in enumerate(kinds)
    ]
    asyncio.run(live(sides, [*history, ("tick", 100_000)] * 2))
    columns, keys = (side.told() for side in sides)
    assert columns == keys
    assert len(columns["sent"]) == 2 * 12


def test_sums_of_another_class_than_those_flushed_before_are_added_exactly() -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS, TIMEOUTS[0])), 1)
    sides = [Side([rule], in_columns=yes, cache_rows=0) for yes in (True, False)]
    history: list[Any] = []
    for price in (Decimal("2.25"), 5, Decimal("0.5"), 7, 7):
        values = {"bytes": 5, "price": price, "cell": "c"}
        history += [("batch", 0, [(n, values, 1) for n in range(4)], False), ("tick", 100_000)]
    asyncio.run(live(sides, history))
    columns, keys = (side.told() for side in sides)
    assert columns == keys
    assert columns["totals"]["acc"]["sums"]["sum_price"]["flushed"] == 4 * Decimal("21.75")


@pytest.mark.parametrize("partitions", [(0, 1, 1, 0), (0, 0, 0, 0)])
def test_a_session_of_another_partition_or_version_is_flushed_as_what_it_is(
    partitions: tuple[int, ...],
) -> None:
    rules = [
        compile_rule(load_aggregator(aggregator(OPERATIONS[:1], timeout)), version)
        for version, timeout in enumerate(({"duration": {"seconds": n}} for n in (40, 50)), 1)
    ]
    sides = [Side(rules, in_columns=yes, cache_rows=0) for yes in (True, False)]
    found = [(account, {"bytes": 5}, 1) for account in range(8)]
    history: list[Any] = []
    for at, partition in enumerate(partitions):
        history += [("batch", partition, found, at > 1), ("tick", 100_000)]
    # due by the older version and folded last by the newer one, beside others that are the newer's
    history += [("batch", 0, found[:4], False), ("batch", 0, found, True), ("tick", 100_000)]
    asyncio.run(live(sides, history))
    columns, keys = (side.told() for side in sides)
    assert columns == keys
    assert len(columns["sent"]) == 5 * 8


@pytest.mark.parametrize("in_columns", [True, False])
def test_a_record_that_is_sent_again_after_the_flush_counts_no_second_time(
    in_columns: bool,
) -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS[:1], TIMEOUTS[0])), 1)
    side = Side([rule], in_columns=in_columns, cache_rows=0)
    entry = entries_of(rule, {"bytes": 5}, 7, START_MS)
    groups = [(canonical_key((f"a{n}",)), [entry]) for n in range(4)]

    async def story() -> None:
        await side.shard.open()
        for upto in (-1, 7):  # before its chunk is known to be whole, and after
            await side.processor.apply(ROUTED, [Chunk("usage", 0, rule.name, 1, groups, upto)])
            await side.processor.tick([], START_MS + 100_000)

    asyncio.run(story())
    assert len(side.sent) == 4
    assert side.told()["totals"]["acc"]["sums"]["sum_bytes"]["in"] == 4 * 5


def test_what_is_left_of_flushed_sessions_goes_when_its_time_is_over() -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS[:1], TIMEOUTS[0])), 1)
    sides = [Side([rule], in_columns=yes, cache_rows=0) for yes in (True, False)]
    # the others are due when the first ones' time is over
    found = [(n, {"bytes": 5}, at) for at in (0, 108_000) for n in range(4 * at, 4 * at + 4)]
    asyncio.run(live(sides, [("batch", 0, found, False), ("tick", 150_000_000)]))
    columns, keys = (side.told() for side in sides)
    assert columns == keys
    assert len(columns["sent"]) == 8 and len(columns["rows"]) == 4


@pytest.mark.parametrize("in_columns", [True, False])
def test_flushes_that_a_kill_left_unsent_are_sent_by_the_next(in_columns: bool) -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS[:1], TIMEOUTS[0])), 1)
    side = Side([rule], in_columns=in_columns, cache_rows=0)

    async def killed(_: list[Output]) -> None:
        raise KeyError("killed")

    async def story() -> None:
        found = [(account, {"bytes": 5}, 0) for account in range(4)]
        await live([side], [("batch", 0, found, False)])
        side.shard._send = killed
        with pytest.raises(KeyError):
            await side.processor.tick([], START_MS + 100_000)
        await Shard(0, side.store, None, side.rule_of, side.send).open()

    asyncio.run(story())
    assert len(side.sent) == len({key for _, key, _ in side.sent}) == 4


def test_an_entry_of_the_due_index_that_is_out_of_date_flushes_nothing() -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS[:1], TIMEOUTS[0])), 1)
    sides = [Side([rule], in_columns=yes, cache_rows=0) for yes in (True, False)]
    batch = ("batch", 0, [(account, {"bytes": 5}, 0) for account in range(4)], False)
    asyncio.run(live(sides, [batch]))
    for side in sides:
        stale = [
            (wake_key(START_MS + 1_000, key[1:]), b"") for key, _ in side.store.scan(ROW, b"t")
        ]
        side.store.write(stale)
        asyncio.run(side.processor.tick([], START_MS + 100_000))
    columns, keys = (side.told() for side in sides)
    assert columns == keys
    assert len(columns["sent"]) == len(columns["timers"]) == 4


def test_a_shard_of_which_a_commit_was_cut_off_is_not_used_on() -> None:
    rule = compile_rule(load_aggregator(aggregator(OPERATIONS[:1], TIMEOUTS[0])), 1)
    side = Side([rule], in_columns=False, cache_rows=3)
    values = {"bytes": 5, "price": None, "cell": None}
    reached, never = asyncio.Event(), asyncio.Event()

    async def hangs(_: list[Output]) -> None:
        reached.set()
        await never.wait()

    async def story() -> None:
        await live([side], [("batch", 0, [(1, values, 0)], False)])
        side.shard._send = hangs
        tick = asyncio.ensure_future(side.shard.commit(changed(side)))
        await reached.wait()
        tick.cancel()
        with pytest.raises(asyncio.CancelledError):
            await tick
        assert not side.shard.whole
        with pytest.raises(NotOwned):
            await side.processor.tick([], START_MS + 100_000)
        with pytest.raises(NotOwned):
            await side.processor.apply(ROUTED, [])

    asyncio.run(story())


def changed(side: Side) -> Changes:
    """What sends something."""
    return Changes(outputs=[("t", b"k", b"v")], effective_now=START_MS)
