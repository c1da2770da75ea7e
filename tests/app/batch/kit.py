"""Batch runs for tests: documents, input files in every format, and what came out."""

import asyncio
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import yaml
from pyarrow import parquet as pq

from app.batch.ledger import Ledger
from tables.shard import Shard
from tables.store import RocksStore
from tests.app.cli.running import Ran, sluice

NOW = "2025-11-03T04:30:00Z"
Record = Mapping[str, Any]


def document(name: str = "agg", **changes: Any) -> dict[str, Any]:
    """An aggregator by account that ends with the run."""
    return {
        "kind": "aggregator",
        "name": name,
        "group": {"fields": ["account"]},
        "aggregate": [
            {"field": "bytes", "operation": "sum"},
            {"field": "*", "operation": "count"},
        ],
        "flush": {"by": "end_of_stream"},
        **changes,
    }


def hourly(name: str = "agg", **changes: Any) -> dict[str, Any]:
    """The same, each session an hour long."""
    flush = {"by": "timeout", "timeout": {"duration": {"hours": 1}}}
    return document(name, **{"flush": flush, **changes})


def config(folder: Path, *documents: Mapping[str, Any]) -> Path:
    """A file with these documents."""
    path = folder / "agg.yaml"
    path.write_text(yaml.safe_dump_all([dict(each) for each in documents], sort_keys=False))
    return path


def jsonl(records: Sequence[Record]) -> bytes:
    """JSON Lines; decimals as numbers."""
    lines = [json.dumps(record, default=_number) for record in records]
    return "".join(line.replace('"\0', "").replace('\0"', "") + "\n" for line in lines).encode()


def _number(value: object) -> str:
    return f"\0{value}\0"


def csv_text(records: Sequence[Record], names: Sequence[str]) -> bytes:
    """CSV with that header, quoted where it has to be."""
    import csv

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for record in records:
        writer.writerow([record.get(name) for name in names])
    return out.getvalue().encode()


def parquet(records: Sequence[Record], schema: Mapping[str, pa.DataType]) -> bytes:
    """Parquet with these columns."""
    columns = {
        name: pa.array([record.get(name) for record in records], kind)
        for name, kind in schema.items()
    }
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink, row_group_size=50)
    return sink.getvalue()


def file(folder: Path, name: str, content: bytes | Sequence[Record]) -> Path:
    """An input file; JSON Lines of records, compressed when its name says so."""
    data = content if isinstance(content, bytes) else jsonl(content)
    path = folder / name
    path.write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)
    return path


def usage(*rows: tuple[str, Any]) -> list[dict[str, Any]]:
    """Records of (account, bytes)."""
    return [{"account": account, "bytes": number} for account, number in rows]


def aggregate(*arguments: str | Path, now: str | None = NOW, stdin: bytes = b"") -> Ran:
    """Runs `sluice aggregate` in this process."""
    time = [] if now is None else ["--now", now]
    return sluice("aggregate", *time, *arguments, stdin=stdin)


def flushed(ran: Ran) -> list[Any]:
    """The records on standard output, numbers exact."""
    assert ran.code == 0, ran.err
    return [json.loads(line, parse_float=Decimal) for line in ran.out.splitlines()]


def values(records: Sequence[Any]) -> list[tuple[Any, ...]]:
    """(group values…, results…) of flushed records."""
    return [(*record["group"].values(), *record["values"].values()) for record in records]


def check_state(state: Path) -> None:
    """Raises Invariant unless the totals kept in a state are those that its sessions add up to."""
    store = RocksStore(state / "sessions", 1 << 22, durable=True)
    shard = Shard(0, store, None, Ledger(store).rule, None)
    try:
        asyncio.run(shard.open())
        shard.check()
    finally:
        shard.close()


def totals(ran: Ran) -> dict[str, Any]:
    """The control totals by aggregator of a run with --json; each has to balance."""
    found = [json.loads(line, parse_float=Decimal) for line in ran.err.splitlines()]
    by_name = {each["aggregator"]: each for each in found if "aggregator" in each}
    assert all(each["balanced"] for each in by_name.values())
    return by_name
