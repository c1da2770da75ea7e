"""DuckDB by hand: partitions are written by COPY."""

import sys
from pathlib import Path

import duckdb

step, given, out = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
connection = duckdb.connect(config={"memory_limit": "1GB", "temp_directory": str(out / "tmp")})
COLUMNS = "{'i':'VARCHAR','c':'VARCHAR','v':'VARCHAR','p':'VARCHAR'}"
DIMENSION = "read_csv('{}', all_varchar=true)"


def files(folder: str) -> str:
    return (
        f"read_csv('{out}/{folder}/**/*.csv.gz', header=false, auto_detect=false,"
        f" columns={COLUMNS}, hive_partitioning=true, hive_types_autocast=false)"
    )


if step == "partition":
    dated = COLUMNS.replace("{", "{'d':'VARCHAR',")
    day = f"read_csv('{given}/day.csv.gz', header=false, auto_detect=false, columns={dated})"
    query = f"""select strptime(d, '%m/%d/%Y')::date as AdDate, hash(i) % 8 as B, c as campaign,
        i, c, v, p from {day}"""
else:
    name = "dim.csv" if step == "join" else "new.csv"
    query = f"""select f.AdDate, f.B, f.campaign, f.i, f.c, f.v, f.p, d.name, d.category
        from {files("partition")} f join {DIMENSION.format(given / name)} d
        on f.campaign = d.campaign_id"""
connection.execute(
    f"""copy ({query}) to '{out}/{step}' (format csv, header false, compression gzip,
    partition_by (AdDate, B, campaign), file_extension 'csv.gz')"""
)
