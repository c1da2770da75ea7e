"""Makes a day's file and two versions of the dimension, or tells which rows lie in a folder.

`impressions_made.py FOLDER ROWS CAMPAIGNS` makes, `impressions_made.py FOLDER` tells
[rows, digest]. The digest is a sum over the rows: their order and their files do not show.
"""

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import polars as pl
from isal import igzip

CHUNK = 500_000
M = 1 << 64


def digest(lines):
    """[rows, sum of their hashes]"""
    hashed = lines.hash(seed=1)
    return [len(lines), int(hashed.cast(pl.UInt64).to_numpy().sum(dtype=np.uint64))]


def added(one, other):
    return [one[0] + other[0], (one[1] + other[1]) % M]


def tell(folder):
    total = [0, 0]
    held, size = [], 0
    for path in [*sorted(folder.rglob("*.csv.gz")), None]:
        if path is not None:
            text = gzip.decompress(path.read_bytes()) if path.stat().st_size < 64 else None
            held.append(igzip.decompress(path.read_bytes()) if text is None else text)
            size += len(held[-1])
        if held and (path is None or size > 64 << 20):
            lines = pl.Series(b"".join(held).decode().splitlines(), dtype=pl.String)
            total, held, size = added(total, digest(lines)), [], 0
    return total


def make(folder, rows, campaigns):
    if (folder / "expected.json").exists():
        return json.loads((folder / "expected.json").read_text())
    folder.mkdir(parents=True, exist_ok=True)
    chance = np.random.default_rng(7)
    changed = max(1, campaigns // 100)
    for name, mark, count in (("dim.csv", "Name", campaigns), ("new.csv", "Other", changed)):
        lines = [f"campaign_{i:04},{mark} {i},category {i % 17}\n" for i in range(count)]
        (folder / name).write_text("campaign_id,name,category\n" + "".join(lines))
    found = {step: [0, 0] for step in ("partition", "join", "update")}
    with (folder / "day.csv.gz").open("wb") as out:
        for start in range(0, rows, CHUNK):
            size = min(CHUNK, rows - start)
            frame = pl.DataFrame(
                {
                    "i": (np.arange(start, start + size) * 10 + 50_000),
                    "n": (chance.random(size) ** 2 * campaigns).astype(np.int64),
                    "v": chance.integers(0, 5000, size),
                    "p": chance.random(size),
                }
            )
            row = pl.concat_str(
                "i", "c", pl.lit("video_") + pl.col("v").cast(str), "p", separator=","
            )
            frame = frame.with_columns(
                c=pl.lit("campaign_") + pl.col("n").cast(str).str.zfill(4),
            ).with_columns(row=row)
            kind = pl.lit(",category ") + (pl.col("n") % 17).cast(str)
            joined = frame.select(pl.col("row") + ",Name " + pl.col("n").cast(str) + kind)
            updated = frame.filter(pl.col("n") < changed)
            updated = updated.select(pl.col("row") + ",Other " + pl.col("n").cast(str) + kind)
            found["partition"] = added(found["partition"], digest(frame["row"]))
            found["join"] = added(found["join"], digest(joined.to_series()))
            found["update"] = added(found["update"], digest(updated.to_series()))
            lines = frame.select(pl.lit("06/01/2025,") + pl.col("row")).to_series().to_list()
            out.write(igzip.compress(("\n".join(lines) + "\n").encode(), 1))
    (folder / "expected.json").write_text(json.dumps(found))
    return found


if len(sys.argv) == 2:
    print(json.dumps(tell(Path(sys.argv[1]))))
else:
    print(json.dumps(make(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))))
