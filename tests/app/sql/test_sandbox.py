"""What a statement may do, and ways out that are closed."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from app.sql.archived import archive_stream
from app.sql.run import CHILD, SqlLimit, SqlLimits, SqlRefused, Statements
from app.sql.tables import stream_of

SECRET = "the secret that no statement may read"
ROWS = [
    ["github.stars", {"repo": "a"}, "day", 1_711_756_800_000, 1, 5, 5, 5, 5, 5, 0, 1],
    ["github.stars", {"repo": "b"}, "day", 1_711_756_800_000, 2, 9, 4, 5, 5, 4.5, 0.5, 3],
]


def run(sql: str, **limits: Any) -> dict[str, Any]:
    """The result of a statement over two buckets."""
    tables = stream_of(ROWS), archive_stream(None)
    return asyncio.run(Statements(SqlLimits(**limits)).run(sql, *tables))


def test_a_select_answers_with_types_and_rows() -> None:
    found = run(
        "with r as (from rollups) select dimensions['repo'] as repo, start, sum, count, mean "
        "from r order by sum desc"
    )
    assert [column["name"] for column in found["columns"]] == [
        "repo", "start", "sum", "count", "mean",
    ]  # fmt: skip
    assert found["columns"][2]["type"] == "DOUBLE"
    assert found["rows"] == [
        ["b", "2024-03-30T00:00:00Z", 9.0, 2, 4.5],
        ["a", "2024-03-30T00:00:00Z", 5.0, 1, 5.0],
    ]
    assert found["truncated"] is False


def test_every_type_of_value_is_json() -> None:
    found = run(
        "select 1.5::decimal(5,2), date '2024-02-29', time '10:00', interval 1 minute, true, null, "
        "[1, 2], {'a': 'nan'::double}, 'x'::blob, 170141183460469231731687303715884105727::hugeint"
    )
    assert found["rows"][0][:6] == [1.5, "2024-02-29", "10:00:00", 60.0, True, None]
    assert found["rows"][0][6:9] == [[1, 2], {"a": None}, "78"]


def test_more_rows_than_allowed_are_cut() -> None:
    found = run("select * from range(100)", rows=10)
    assert (len(found["rows"]), found["truncated"]) == (10, True)


READS = [
    "select * from '{file}'",
    'select * from "{file}"',
    "from '{file}'",
    "select * from read_text('{file}')",
    "select * from read_blob('{file}')",
    "select * from read_csv('{file}')",
    "select * from read_csv_auto('{file}')",
    "select * from sniff_csv('{file}')",
    "select * from read_json('{file}')",
    "select * from read_json_auto('{file}')",
    "select * from read_json_objects('{file}')",
    "select * from read_ndjson('{file}')",
    "select * from read_parquet('{file}')",
    "select * from parquet_metadata('{file}')",
    "select * from parquet_schema('{file}')",
    "select * from parquet_scan('{file}')",
    "select * from glob('{folder}/*')",
    "select * from read_text('file://{file}')",
    "select * from read_text(['{file}'])",
    "select * from read_text('/proc/self/environ')",
    "select * from read_blob('/proc/self/mem')",
    "select * from read_csv('/dev/stdin')",
    "select * from read_text('{folder}/*.txt')",
    "select (select content from read_text('{file}'))",
    "with a as (from read_text('{file}')) select * from a",
    "select * from rollups, read_text('{file}')",
    "select * from query('from read_text(''{file}'')')",
    "select * from query_table('{file}')",
    "select * from arrow_scan(1, 2, 3)",
    "select * from pandas_scan(1)",
    "select * from seq_scan('x')",
    "select * from read_duckdb('{file}')",
    "select * from sqlite_scan('{file}', 'x')",
    "select * from postgres_scan('host=127.0.0.1', 'public', 'x')",
    "select * from iceberg_scan('{file}')",
    "select * from delta_scan('{file}')",
    "select * from st_read('{file}')",
    "select * from read_xlsx('{file}')",
]
NETWORK = [
    "select * from 'http://127.0.0.1:1/x.csv'",
    "select * from read_csv('https://127.0.0.1:1/x.csv')",
    "select * from read_parquet('s3://bucket/x.parquet')",
    "select * from read_text('hf://datasets/x')",
    "select * from read_json('gcs://bucket/x')",
    "select * from read_csv('az://bucket/x')",
]
STATEMENTS = [
    "copy rollups to '{out}'",
    "copy (select 1) to '{out}' (format parquet)",
    "copy rollups from '{file}'",
    "export database '{out}'",
    "import database '{folder}'",
    "attach '{out}' as other",
    "attach 'mysql://127.0.0.1' as other (type mysql)",
    "install httpfs",
    "install httpfs from 'http://127.0.0.1:1'",
    "load httpfs",
    "load '{file}'",
    "force install json",
    "set enable_external_access = true",
    "set lock_configuration = false",
    "reset disabled_filesystems",
    "pragma enable_external_access = true",
    "pragma database_list",
    "call pragma_version()",
    "create table x as select 1",
    "create view x as select 1",
    "create macro x() as 1",
    "create secret (type s3, key_id 'x', secret 'y')",
    "insert into rollups select * from rollups",
    "update rollups set sum = 0",
    "delete from rollups",
    "truncate rollups",
    "drop table rollups",
    "alter table rollups add column x int",
    "explain analyze select 1",
    "prepare p as select 1",
    "execute p",
    "begin",
    "commit",
    "checkpoint",
    "vacuum",
    "use memory",
    "pivot rollups on metric",
    "select 1; select 2",
    "select 1; copy rollups to '{out}'",
    "commit; copy rollups to '{out}'; select 1",
    "",
    ";",
    "no sql",
]
WITHIN = [
    "with a as (insert into rollups from rollups returning metric) select * from a",
    "with a as (delete from rollups returning metric) select * from a",
    "with a as (update rollups set sum = 0 returning metric) select * from a",
    "select * from duckdb_settings()",
    'select * from "duckdb_settings"()',
    "select current_setting('home_directory')",
    "select * from duckdb_secrets()",
    "select * from duckdb_logs",
    "select getenv('PATH')",
    "select nextval('x')",
    "select * from SCHEMA",
    "select * from CHILD",
    "select * from asked",
    "select * from table",
    "select * from given",
    "select write_log('x')",
    "select * from enable_logging()",
    "select * from checkpoint('memory')",
    "select * from force_checkpoint()",
    "select * from test_vector_types(null)",
    "select * from json_execute_serialized_sql(json_serialize_sql('copy rollups to ''{out}'''))",
    "from json_execute_serialized_sql(json_serialize_sql('from read_text(''{file}'')'))",
]


TRIED = """
import json, sys
sys.path.insert(0, {place!r})
import child, pyarrow as pa
asked = json.loads(sys.stdin.read())
tables = {{
    name: pa.ipc.open_stream(bytes.fromhex(table)).read_all()
    for name, table in asked["tables"].items()
}}
connection = child.prepared(asked, tables)
for sql in asked["ways"]:
    told = child.answered(connection, sql, 10)
    try:
        connection.execute("rollback")
    except child.duckdb.Error:
        pass
    print(json.dumps(told, default=str), flush=True)
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, dict[str, Any]]]:
    """What became of every way, tried in one process that is closed as for one statement."""
    folder = tmp_path_factory.mktemp("outside")
    file, out = folder / "secret.txt", folder / "out"
    file.write_text(SECRET)
    ways = {way: way.format(file=file, folder=folder, out=out) for way in ALL}
    tables = {"rollups": stream_of(ROWS).hex(), "archive": archive_stream(None).hex()}
    asked = {"memory_mb": 1024, "seconds": 300, "tables": tables, "ways": list(ways.values())}
    done = subprocess.run(
        [sys.executable, "-P", "-c", TRIED.format(place=str(CHILD.parent))],
        input=json.dumps(asked), capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert len(lines) == len(ways), (done.returncode, done.stderr)
    yield dict(zip(ways, map(json.loads, lines), strict=True))
    assert sorted(folder.iterdir()) == [file]
    assert file.read_text() == SECRET


ALL = (*READS, *NETWORK, *STATEMENTS, *WITHIN)


@pytest.mark.parametrize("way", ALL)
def test_no_way_leads_out(way: str, told: dict[str, dict[str, Any]]) -> None:
    assert told[way].get("error") in ("refused", "limit"), told[way]
    assert SECRET not in json.dumps(told[way])


def test_what_is_refused_says_why() -> None:
    with pytest.raises(SqlRefused, match="one SELECT is wanted"):
        run("copy rollups to '/tmp/x'")


@pytest.mark.parametrize(
    "greedy",
    [
        "select count(*) from range(100000000000) a, range(100000000000) b",
        "with recursive r as (select 1 as n union all select n + 1 from r) select max(n) from r",
    ],
)
def test_a_statement_that_eats_time_is_ended_and_others_go_on(greedy: str) -> None:
    async def both() -> tuple[float, dict[str, Any]]:
        statements = Statements(SqlLimits(seconds=1.0))
        tables = stream_of(ROWS), archive_stream(None)
        began = time.monotonic()
        eats = asyncio.create_task(statements.run(greedy, *tables))
        found = await statements.run("select count(*) from rollups", *tables)
        with pytest.raises(SqlLimit):
            await eats
        return time.monotonic() - began, found

    lasted, found = asyncio.run(both())
    assert found["rows"] == [[2]]
    assert lasted < 20


@pytest.mark.parametrize(
    "greedy",
    [
        "select list(a) from range(100000000) t(a)",
        "select * from range(300000000) order by range desc",
        "select repeat('x', 2000000000)",
        "select string_agg(repeat('x', 1000000), '') from range(100000)",
        "select repeat('x', 90000000)",
    ],
)
def test_a_statement_that_eats_memory_or_disk_is_ended(greedy: str) -> None:
    with pytest.raises((SqlLimit, SqlRefused)):
        run(greedy, memory_mb=64)
