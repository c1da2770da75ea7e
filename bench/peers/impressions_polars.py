"""Polars by hand: one sort, then a file per slice, packed by igzip in two threads."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
from isal import igzip

step, given, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
ROWS = dict.fromkeys(("i", "c", "v", "p"), pl.String)


def write(path, frame):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(igzip.compress(frame.write_csv(include_header=False).encode(), 1))


with ThreadPoolExecutor(2) as pool:
    if step == "partition":
        frame = pl.read_csv(
            given / "day.csv.gz", has_header=False, schema={"d": pl.String, **ROWS}
        ).with_columns(b=pl.col("i").hash() % 8)
        jobs = []
        for (day, bucket, campaign), part in frame.partition_by(
            ["d", "b", "c"], as_dict=True
        ).items():
            folder = out / step / f"AdDate={day[6:]}-{day[:2]}-{day[3:5]}" / f"B_{bucket}"
            path = folder / f"{campaign}.csv.gz"
            jobs.append(pool.submit(write, path, part.select("i", "c", "v", "p")))
    else:
        name = "dim.csv" if step == "join" else "new.csv"
        dimension = pl.read_csv(given / name, infer_schema=False)
        known = set(dimension["campaign_id"])

        def join(path):
            frame = pl.read_csv(path, has_header=False, schema=ROWS)
            frame = frame.join(
                dimension, left_on="c", right_on="campaign_id", maintain_order="left"
            )
            write(out / step / path.relative_to(out / "partition"), frame)

        jobs = [
            pool.submit(join, path)
            for path in (out / "partition").rglob("*.csv.gz")
            if path.name.removesuffix(".csv.gz") in known
        ]
    for job in jobs:
        job.result()
