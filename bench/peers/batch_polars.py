"""Polars by hand: lazy and streaming."""

import json
import sys
from pathlib import Path

import polars as pl

kind, file, output = sys.argv[1:]
scan = pl.scan_ndjson(file) if kind == "jsonl" else pl.scan_csv(file)
found = (
    scan.group_by("carrier", "month")
    .agg(
        pl.col("distance").sum().alias("sum_distance"),
        pl.col("distance").max().alias("max_distance"),
        pl.col("air_time").sum().alias("sum_air_time"),
        pl.col("air_time").mean().alias("average_air_time"),
        pl.len().alias("count"),
    )
    .collect(engine="streaming")
)
with Path(output).open("w") as out:
    for row in found.iter_rows(named=True):
        print(json.dumps({k: row[k] for k in ("sum_distance", "count")}), file=out)
