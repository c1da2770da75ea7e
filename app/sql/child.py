"""The process that runs one statement: no product in it, no files, no network, limits on all.

Standard input: 8 bytes with the length of a JSON object {"sql", "rows", "memory_mb", "seconds"},
the object, then the rollups as an Arrow stream, then the archive as another. Standard output: one
JSON object, the result or {"error": "refused" | "limit", "detail"}. Closed are: files and
extensions (DuckDB's settings, which are then locked, and no file may be written or grow), Python
objects by name, every statement that is no single SELECT, and writes within one (a read-only
transaction). Whatever gets out of that finds a process without an environment that is killed in
seconds.
"""

import json
import math
import resource
import signal
import sys
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa

TABLES = ("rollups", "archive")  # in the order in which they are given
OVERHEAD_BYTES = 2 << 30  # address space of Python, Arrow and DuckDB themselves
OUTPUT_BYTES = 64 << 20
CONFIG: dict[str, str | int | float | list[str]] = {
    "threads": 1,
    "allow_community_extensions": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "allow_unsigned_extensions": "false",
}
CLOSED = (
    "set python_enable_replacements=false",
    "set max_temp_directory_size='0KB'",
    "set enable_external_access=false",
    "set disabled_filesystems='LocalFileSystem'",
    "set lock_configuration=true",
)
# What tells of the process, or does something to it, by way of a SELECT.
HIDDEN = (
    "duckdb_settings",
    "duckdb_secrets",
    "duckdb_logs",
    "current_setting",
    "write_log",
    "checkpoint(",
    "query(",
)


class Refused(Exception):
    """A statement that is not run, and why."""


def main() -> None:
    """Reads, runs, answers."""
    given = sys.stdin.buffer
    asked = json.loads(given.read(int.from_bytes(given.read(8), "big")))
    tables = {}
    for name in TABLES:
        with pa.ipc.open_stream(given) as stream:
            tables[name] = stream.read_all()
    answer = answered(prepared(asked, tables), asked["sql"], asked["rows"])
    text = json.dumps(answer, default=_plain, allow_nan=False).encode()
    if len(text) > OUTPUT_BYTES:
        said = {"error": "limit", "detail": f"more than {OUTPUT_BYTES >> 20} MB of result"}
        text = json.dumps(said).encode()
    sys.stdout.buffer.write(text)


def prepared(asked: dict[str, Any], tables: dict[str, pa.Table]) -> duckdb.DuckDBPyConnection:
    """A connection to the tables with all ways out closed, and this process limited."""
    connection = duckdb.connect(
        ":memory:", config={**CONFIG, "memory_limit": f"{asked['memory_mb']}MB"}
    )
    for name, table in tables.items():
        connection.register("given", table)
        connection.execute(f"create table {name} as select * from given")
        connection.unregister("given")
    for setting in CLOSED:
        connection.execute(setting)
    _limit(asked["memory_mb"], asked["seconds"])
    return connection


def answered(connection: duckdb.DuckDBPyConnection, sql: str, most: int) -> dict[str, Any]:
    """The result of one statement, at most `most` rows of it, or why there is none."""
    try:
        return _run(connection, sql, most)
    except Refused as error:
        return {"error": "refused", "detail": str(error)}
    except (duckdb.OutOfMemoryException, MemoryError):
        return {"error": "limit", "detail": "more memory than it may have"}
    except duckdb.Error as error:
        return {"error": "refused", "detail": str(error)}


def _run(connection: duckdb.DuckDBPyConnection, sql: str, most: int) -> dict[str, Any]:
    statement = _checked(sql)
    connection.execute("begin transaction read only")
    found = connection.execute(statement)
    columns = [{"name": each[0], "type": str(each[1])} for each in found.description or ()]
    rows = found.fetchmany(most + 1)
    cut = rows[:most]
    return {
        "columns": columns,
        "rows": [[_finite(value) for value in row] for row in cut],
        "truncated": len(rows) > len(cut),
    }


def _checked(sql: str) -> str:
    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as error:
        raise Refused(str(error)) from None
    if len(statements) != 1 or statements[0].type.name != "SELECT":
        raise Refused("one SELECT is wanted, and nothing else")
    spaced = "".join(sql.lower().replace('"', "").split())
    if any(word in spaced for word in HIDDEN):
        raise Refused("settings, secrets, logs and statements as text are not for SQL")
    return str(statements[0].query)


def _limit(memory_mb: int, seconds: float) -> None:
    """What the system holds this process to, from now on."""
    whole = math.ceil(seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (whole, whole))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)  # which ends the process
    signal.setitimer(signal.ITIMER_REAL, seconds)
    room = (memory_mb << 20) + OVERHEAD_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (room, room))


def _finite(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(inner) for key, inner in value.items()}
    return [_finite(inner) for inner in value] if isinstance(value, list | tuple) else value


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat() + ("Z" if value.tzinfo is None else "")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value.hex() if isinstance(value, bytes) else str(value)


if __name__ == "__main__":
    main()
