"""pandas by hand: groupby, then a file per group, packed by igzip."""

import sys
from pathlib import Path

import pandas as pd
from isal import igzip

step, given, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
ROWS = ["i", "c", "v", "p"]


def write(path, frame):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = frame.to_csv(None, header=False, index=False, lineterminator="\n")
    path.write_bytes(igzip.compress(text.encode(), 1))


if step == "partition":
    frame = pd.read_csv(given / "day.csv.gz", header=None, names=["d", *ROWS], dtype=str)
    frame["b"] = pd.util.hash_array(frame["i"].to_numpy(dtype=object)) % 8
    for (day, bucket, campaign), part in frame.groupby(["d", "b", "c"], sort=False):
        folder = out / step / f"AdDate={day[6:]}-{day[:2]}-{day[3:5]}" / f"B_{bucket}"
        write(folder / f"{campaign}.csv.gz", part[ROWS])
else:
    name = "dim.csv" if step == "join" else "new.csv"
    dimension = pd.read_csv(given / name, dtype=str)
    known = set(dimension["campaign_id"])
    for path in (out / "partition").rglob("*.csv.gz"):
        if path.name.removesuffix(".csv.gz") in known:
            frame = pd.read_csv(path, header=None, names=ROWS, dtype=str)
            frame = frame.merge(dimension, left_on="c", right_on="campaign_id", how="left")
            write(
                out / step / path.relative_to(out / "partition"), frame[[*ROWS, "name", "category"]]
            )
