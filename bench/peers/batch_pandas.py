"""pandas by hand, by the chunk, so that memory stays bounded."""

import json
import sys
from pathlib import Path

import pandas as pd

kind, file, output = sys.argv[1:]
chunks = (
    pd.read_json(file, lines=True, chunksize=500_000)
    if kind == "jsonl"
    else pd.read_csv(file, chunksize=500_000)
)
parts = [
    chunk.groupby(["carrier", "month"]).agg(
        sum_distance=("distance", "sum"),
        max_distance=("distance", "max"),
        sum_air_time=("air_time", "sum"),
        n_air_time=("air_time", "count"),
        count=("distance", "size"),
    )
    for chunk in chunks
]
together = pd.concat(parts).groupby(level=[0, 1])
found = together[["sum_distance", "sum_air_time", "n_air_time", "count"]].sum()
found["max_distance"] = together["max_distance"].max()
found["average_air_time"] = found["sum_air_time"] / found["n_air_time"]
with Path(output).open("w") as out:
    for row in found.itertuples():
        print(
            json.dumps({"sum_distance": int(row.sum_distance), "count": int(row.count)}), file=out
        )
