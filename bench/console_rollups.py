"""Rollups for `sluice bench console`: cubes of every grain, written into a shard's folder."""

from collections.abc import Iterator
from math import ceil
from pathlib import Path

from config.settings import Settings
from domain.metrics.grains import GRAINS, Grain, buckets
from domain.metrics.partials import Partial
from domain.metrics.rolling import cube_bytes
from domain.metrics.series import Series, cube_key, encode, series_id, series_key
from tables.layout import encode as pack
from tables.ledger_layout import LOCAL, ROW, Local
from tables.store import RocksStore

SERIES = 12  # of a metric: what one dashboard compares
YEARS = 5
DAY_MS = 86_400_000
HOURS = 256  # days that have rows by hour: with the five years 8,300 rows a series
PIECE = 20_000  # rows in a write batch


def fill(folder: Path, rows: int, now_ms: int) -> tuple[int, int]:
    """Writes about so many rows; how many, and how many days up to now each series has."""
    settings = Settings(data_dir=folder)
    spans = _spans(now_ms)
    each = sum(map(len, spans.values())) + 1
    store = RocksStore(folder / "tables" / settings.app_id / "rollups-0",
                       settings.state_memory_bytes, durable=False)  # fmt: skip
    held: list[tuple[bytes, bytes]] = []
    written = 0
    for n in range(ceil(rows / each)):
        for row in _rows(n, spans):
            held.append(row)
            if len(held) == PIECE:
                store.write(held)
                written += len(held)
                held.clear()
    # without it the worker takes the rows for the rest of a recovery and begins anew
    store.write([*held, (LOCAL, pack(Local(written=now_ms)))])
    store.close()
    return written + len(held), len(spans["day"])


def _spans(now_ms: int) -> dict[Grain, list[int]]:
    """The starts of the buckets that each series has, by grain."""
    first = now_ms - YEARS * 365 * DAY_MS
    return {
        grain: [start for start, _ in buckets(grain, "UTC", begin, now_ms, 1_000_000)]
        for grain in GRAINS
        for begin in [now_ms - HOURS * DAY_MS if grain == "hour" else first]
    }


def _rows(n: int, spans: dict[Grain, list[int]]) -> Iterator[tuple[bytes, bytes]]:
    series = Series(f"bench.m{n // SERIES}", "counter", {"repo": f"acme/r{n % SERIES}"}, "UTC")
    ident = series_id(series.metric, series.dimensions)
    yield ROW + series_key(series.metric, ident), encode(series)
    for grain, starts in spans.items():
        for start in starts:
            partial = Partial()
            partial.add(start, 1, 1)
            partial.add(start + 1, 1, n % SERIES)
            yield ROW + cube_key(ident, grain, start), cube_bytes(1, partial)
