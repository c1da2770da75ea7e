"""Two `sluice worker` processes on Kafka, as a person and a program meet them."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from scripts.house.kafka import Kafka
from tests.end_to_end.running import Sluice, aggregator
from tests.waiting import until

pytestmark = pytest.mark.kafka
TAKE_OVER_S = 30.0  # 3 s of patience, on a machine that is busy with other tests
BRIEF = {"by": "timeout", "timeout": {"duration": {"seconds": 2}}}


@contextmanager
def workers(kafka: str, folder: Path, app: str, session_timeout_s: int) -> Iterator[list[Sluice]]:
    """Two workers of one system, that find and trust each other; killed at the end."""
    environ = {
        "SLUICE_STREAM": kafka,
        "SLUICE_APP_ID": app,
        "SLUICE_TOPIC_PREFIX": f"{app}.",
        "SLUICE_CLUSTER_SECRET": "between us",
        "SLUICE_SESSION_TIMEOUT_S": str(session_timeout_s),
    }
    words = ("worker", "--role", "all")
    made = [Sluice(folder / name, words, environ) for name in ("one", "two")]
    try:
        for worker in made:
            worker.start()
        yield made
    finally:
        for worker in made:
            worker.close()


@pytest.fixture
def pair(kafka: str, tmp_path: Path, unique: Callable[[str], str]) -> Iterator[list[Sluice]]:
    """Two workers; one that is killed is missed after 3 s."""
    with workers(kafka, tmp_path, unique("app"), 3) as made:
        yield made


def records(first: int, number: int) -> list[dict[str, Any]]:
    """Records of five accounts, numbered from `first`."""
    return [{"account": f"a{n % 5}", "bytes": n} for n in range(first, first + number)]


def flushed(worker: Sluice) -> tuple[Counter[str], dict[str, str]]:
    """Sums by account of what billing received, and the content of each id."""
    sums: Counter[str] = Counter()
    contents: dict[str, str] = {}
    for record in worker.records("aggregates"):
        text = json.dumps(record, sort_keys=True)
        if contents.setdefault(record["id"], text) == text:
            continue
        raise AssertionError(f"two contents: {contents[record['id']]} and {text}")
    for text in contents.values():
        record = json.loads(text)
        sums[record["group"]["account"]] += record["values"]["sum_bytes"]
    return sums, contents


def test_two_workers_answer_alike_and_one_goes_on_alone_when_the_other_is_killed(
    pair: list[Sluice],
) -> None:
    one, two = pair
    answer = one.apply(aggregator(flush=BRIEF))
    assert answer.status in (200, 201, 202), answer.body
    sent = records(0, 500)
    assert one.send(sent[:250]).status < 300
    assert two.send(sent[250:]).status < 300
    for worker in pair:
        until(lambda w=worker: w.totals() == {"in": 500, "flushed": 500}, TAKE_OVER_S)  # type: ignore[misc]  # bound now
    one.kill()
    sent += (more := records(500, 300))
    assert two.send(more).status < 300
    until(lambda: two.totals() == {"in": 800, "flushed": 800}, TAKE_OVER_S)
    wanted: Counter[str] = Counter()
    for record in sent:
        wanted[record["account"]] += record["bytes"]
    until(lambda: flushed(two)[0] == wanted, TAKE_OVER_S)
    one.start()
    until(lambda: one.totals() == {"in": 800, "flushed": 800}, TAKE_OVER_S)
    assert two.stop() == 0
    until(lambda: one.totals() == {"in": 800, "flushed": 800}, TAKE_OVER_S)
    assert flushed(one)[0] == wanted
    assert one.stop() == 0


def test_with_batches_in_work_and_the_broker_gone_it_stops_all_the_same(
    own_kafka: Kafka, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    environ = {
        "SLUICE_STREAM": own_kafka.url,
        "SLUICE_APP_ID": unique("app"),
        "SLUICE_BATCH_RECORDS": "100",
    }
    worker = Sluice(tmp_path / "one", ("worker", "--role", "all"), environ)
    try:
        worker.start()
        assert worker.apply(aggregator()).status in (200, 201)
        assert worker.send(records(0, 20_000)).status == 202
        until(lambda: worker.totals().get("in", 0) > 0, TAKE_OVER_S)
        own_kafka.stop(hard=True)
        worker.stop()  # it is awaited for 20 s; a supervisor's patience is shorter
    finally:
        worker.close()
