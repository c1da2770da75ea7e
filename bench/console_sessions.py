"""Open sessions for `sluice bench console`: shards as the rules fill them."""

from pathlib import Path
from typing import Any

from agents.aggregate import ROUTED, ShardProcessor
from agents.chunks import Chunk
from agents.folds import Folds
from config.documents.aggregator import load_aggregator
from config.settings import Settings
from connectors.streams.murmur2 import partition_for
from domain.aggregation.numbers import canonical_key
from domain.aggregation.rule import compile_rule
from domain.aggregation.totals import Totals
from tables.changes import Output
from tables.codec import encode_row
from tables.layout import LOCAL, ROW, pack_totals, unpack_totals, wake_key
from tables.shard import Shard
from tables.store import RocksStore

DOCUMENT: dict[str, Any] = {
    "kind": "aggregator", "name": "bench", "input": "usage",
    "group": {"fields": ["account", "product"]},
    "aggregate": [{"field": "bytes", "operation": "sum"}, {"field": "bytes", "operation": "max"}],
    "flush": {"by": "timeout", "timeout": {"duration": {"days": 300}}},
}  # fmt: skip
PRODUCTS = ("data", "voice", "sms", "roaming")  # each account has a session of each
RARE = "satellite"  # of the last account alone
PIECE = 20_000  # rows in a write batch


def account(n: int) -> str:
    """The account of a number."""
    return f"acct-{n:08d}"


async def fill(folder: Path, sessions: int, now_ms: int, partitions: int) -> None:
    """Opens so many sessions. The first of each shard is made by the rules, the others are its rows
    under other keys, due a little later each."""
    settings = Settings(data_dir=folder)
    rule = compile_rule(load_aggregator(DOCUMENT), 1)
    values = tuple({"number": 7}[item.kind] for item in rule.inputs)
    folds = Folds(lambda _n, _v: rule, lambda _n: rule)

    async def send(_: list[Output]) -> None:
        raise ValueError("nothing is due")

    shards, rows, held, counts = [], [], [], [0] * partitions
    for number in range(partitions):
        path = folder / "tables" / settings.app_id / f"sessions-{number}"
        store = RocksStore(path, settings.state_memory_bytes, durable=False)
        shard = Shard(number, store, None, folds.rule_of, send, now_ms=lambda: now_ms)
        await shard.open()
        # not of the aggregator's own input, the records of which are to be taken
        first = canonical_key(("", str(number)))
        chunk = Chunk("before", 0, rule.name, 1, [(first, [(0, now_ms, values)])], 0)
        await ShardProcessor(shard, folds).apply(ROUTED, [chunk])
        shards.append(shard)
        rows.append(shard.load([rule.prefix + first])[rule.prefix + first])
        held.append(list[tuple[bytes, bytes]]())
    for n in range(sessions):
        product = PRODUCTS[n % len(PRODUCTS)] if n < sessions - 1 else RARE
        key = canonical_key((account(n // len(PRODUCTS)), product))
        at = partition_for(key, partitions)
        row = rows[at]
        if row.open is not None:
            row.open.due += 1
            row.wake = row.open.due
        counts[at] += 1
        held[at] += [(ROW + rule.prefix + key, encode_row(row)),
                     (wake_key(row.wake, rule.prefix + key), b"")]  # fmt: skip
        if len(held[at]) >= PIECE:
            shards[at].store.write(held[at])
            held[at].clear()
    for shard, left, count in zip(shards, held, counts, strict=True):
        totals = shard.totals[rule.name]
        one = unpack_totals(pack_totals({rule.name: totals}))[rule.name]
        _many(totals, one, count)
        shard.store.write([*left, (LOCAL, shard.local(now_ms))])
        shard.close()


def _many(totals: Totals, one: Totals, count: int) -> None:
    """Adds `one` so many times."""
    while count:
        if count & 1:
            totals.merge(one)
        one.merge(unpack_totals(pack_totals({"": one, "one": one}))["one"])
        count >>= 1
