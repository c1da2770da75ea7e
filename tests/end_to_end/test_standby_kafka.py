"""Two workers that keep standby copies for each other, and one is killed: until its partitions are
taken over, what people look at is answered with its age; who takes over reads only the tail."""

import json
import re
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.end_to_end.running import Sluice, aggregator
from tests.waiting import until

pytestmark = pytest.mark.kafka
PARTITIONS, ACCOUNTS, RECORDS = 4, 40, 2_000
WAIT_S = 60.0
AGE = re.compile(r'sluice_standby_age_seconds{table="(\w+)",shard="(\d+)"} (\S+)')
LEFT = re.compile(r"sluice_standby_records_left{[^}]*} (\S+)")
READ = re.compile(r"state of shard (\d+): its changelog was read from offset (\d+) to (\d+)")


class Told(NamedTuple):
    """An answer with the header that tells its age."""

    status: int
    age: str | None
    text: str


def look(worker: Sluice, path: str, accept: str = "application/json") -> Told:
    """GET."""
    request = urllib.request.Request(worker.url + path, headers={"Accept": accept})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            age = answer.headers["X-Sluice-Standby-Age"]
            return Told(answer.status, age, answer.read().decode())
    except urllib.error.HTTPError as error:
        return Told(error.code, error.headers["X-Sluice-Standby-Age"], error.read().decode())


@pytest.fixture
def pair(kafka: str, tmp_path: Path, unique: Callable[[str], str]) -> Iterator[list[Sluice]]:
    """Two workers of one system; one that is killed is missed after 8 s."""
    app = unique("app")
    environ = {
        "SLUICE_STREAM": kafka,
        "SLUICE_APP_ID": app,
        "SLUICE_TOPIC_PREFIX": f"{app}.",
        "SLUICE_CLUSTER_SECRET": "between us",
        "SLUICE_PARTITIONS": str(PARTITIONS),
        "SLUICE_SESSION_TIMEOUT_S": "8",
        "SLUICE_STANDBY": "1",
        "SLUICE_LOG_LEVEL": "debug",  # tells what was read
    }
    words = ("worker", "--role", "all")
    made = [Sluice(tmp_path / name, words, environ) for name in ("one", "two")]
    try:
        for worker in made:
            worker.begin()
        for worker in made:
            worker.begun()
        yield made
    finally:
        for worker in made:
            worker.close()


def records(first: int, number: int) -> list[dict[str, Any]]:
    return [{"account": f"a{n % ACCOUNTS}", "bytes": n} for n in range(first, first + number)]


def kept_up(since_s: float, *workers: Sluice) -> bool:
    """Whether each shard has its copy, with all that was durable at `since_s` (monotonic)."""
    asked_s = time.monotonic()  # the ages are told after that
    told = [look(worker, "/metrics", "text/plain").text for worker in workers]
    ages = {
        shard: float(age)
        for text in told
        for table, shard, age in AGE.findall(text)
        if table == "sessions"
    }
    left = [float(found) for text in told for found in LEFT.findall(text)]
    return (
        sorted(ages) == [str(n) for n in range(PARTITIONS)]
        and not any(left)
        and all(asked_s - age >= since_s for age in ages.values())
    )


def test_reads_go_on_with_their_age_and_the_one_who_takes_over_reads_only_the_tail(
    pair: list[Sluice],
) -> None:
    one, two = pair
    assert one.apply(aggregator()).status in (200, 201, 202)
    assert one.send(records(0, RECORDS)).status < 300
    applied = {"in": RECORDS, "open": RECORDS}
    until(lambda: two.totals() == applied, WAIT_S, "all is applied")
    all_in_s = time.monotonic()
    until(lambda: kept_up(all_in_s, one, two), WAIT_S, "the copies keep up")
    sessions = "/api/sessions?aggregator=acc&limit=1000"
    fresh = look(two, sessions)
    assert fresh.age is None and "standby_age_s" not in json.loads(fresh.text)
    logged = len(two.err)
    one.kill()
    aged = look(two, sessions)
    body = json.loads(aged.text)
    assert aged.status == 200 and aged.age is not None, aged
    assert 0 <= float(aged.age) < 5 and body["standby_age_s"] == float(aged.age)
    assert [item["values"] for item in body["items"]] == [
        item["values"] for item in json.loads(fresh.text)["items"]
    ]
    rows = json.loads(look(two, "/api/tables/sessions?limit=1000").text)["items"]
    assert 0 < sum("standby_age_s" in row for row in rows) < len(rows) == ACCOUNTS
    assert "Standby copy" in look(two, "/sessions?aggregator=acc", "text/html").text
    assert look(two, "/api/aggregators/acc/totals").status == 503  # owners alone tell totals
    until(lambda: look(two, sessions).age is None, WAIT_S, "the other one owns all")
    until(lambda: two.totals() == applied, WAIT_S, "and all that there is")
    read = [tuple(map(int, found)) for found in READ.findall(two.err[logged:])]
    assert 0 < len(read) <= PARTITIONS
    for number, first, upto in read:
        assert first > 0 and upto - first <= 20, (number, first, upto)
    assert two.send(records(RECORDS, 500)).status < 300
    until(lambda: two.totals() == {"in": RECORDS + 500, "open": RECORDS + 500}, WAIT_S)
    found = json.loads(look(two, sessions).text)["items"]
    sums = {item["group"]["account"]: item["values"]["sum_bytes"] for item in found}
    for n in range(ACCOUNTS):
        assert sums[f"a{n}"] == sum(range(n, RECORDS + 500, ACCOUNTS))
