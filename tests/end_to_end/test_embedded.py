"""`sluice up` as a person and a program meet it: a process, its console, kills and restarts."""

import json
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app import examples
from config.trial_file import advance, stand
from domain.aggregation.instants import parse_instant
from tests.end_to_end.running import Sluice, aggregator, command, environment
from tests.waiting import until

HOUR_MS = 3_600_000
Make = Callable[..., Sluice]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes processes that end with the test."""
    made: list[Sluice] = []

    def one(name: str = "one", **options: object) -> Sluice:
        made.append(Sluice(tmp_path / name, **options))  # type: ignore[arg-type]  # passed on
        return made[-1]

    yield one
    for sluice in made:
        sluice.close()


def noon() -> int:
    at = parse_instant("2025-11-03T12:00:00Z")
    assert at is not None
    return at


@pytest.fixture
def clock(tmp_path: Path) -> Path:
    """The file of a trial clock that stands at noon."""
    path = tmp_path / "clock"
    stand(path, noon(), noon())
    return path


def test_it_says_where_it_is_in_one_line_and_stops_when_told(make: Make) -> None:
    sluice = make()
    for number in (signal.SIGTERM, signal.SIGINT):
        sluice.start()
        assert sluice.out.count("\n") == 1
        assert sluice.get("/health/live").status == 200
        assert sluice.get("/api/documents").body["items"] == []
        assert sluice.stop(number) == 0


def test_records_become_sessions_flushes_and_dead_letters(make: Make, clock: Path) -> None:
    sluice = make(environ={"SLUICE_CLOCK": f"trial:{clock}"}).start()
    assert sluice.apply(aggregator()).body["in_force"]
    records = [{"account": f"a{n % 3}", "bytes": n} for n in range(9)]
    assert sluice.send(records).body == {"accepted": 9, "rejected": []}
    assert sluice.send([{"account": "a0", "bytes": "many"}]).status == 202
    until(lambda: sluice.totals() == {"in": 10, "open": 9, "rejected": 1})

    (session,) = sluice.get("/api/aggregators/acc/sessions?group.account=a1").body["items"]
    assert session["values"] == {"sum_bytes": 1 + 4 + 7, "count": 3}
    assert session["explain"]["due"] == "2025-11-03T13:00:00.000Z"
    (letter,) = until(lambda: sluice.get("/api/dead-letters").body["items"])
    assert (letter["reason"], letter["aggregator"]) == ("not_a_number", "acc")
    key = '["a1"]'
    row = sluice.get(f"/api/tables/sessions?prefix={key}".replace('"', "%22")).body["items"]
    assert [each["value"]["open"]["count"] for each in row] == [3]

    advance(clock, HOUR_MS, noon())
    until(lambda: sluice.totals() == {"in": 10, "flushed": 9, "rejected": 1})
    # decided, and counted so, before they are sent
    until(lambda: len(sluice.records("aggregates")) == 3)
    flushed = {each["group"]["account"]: each for each in sluice.records("aggregates")}
    assert flushed["a1"]["values"] == session["values"]
    assert flushed["a1"]["meta"]["flushType"] == "TIMEOUT"
    assert flushed["a1"]["id"] == session["id"]
    assert sluice.get("/api/aggregators/acc/sessions").body["items"] == []


def test_a_document_names_topics_and_new_ones_are_taken_at_once(make: Make) -> None:
    sluice = make().start()
    sluice.apply(aggregator(input="calls", output={"topic": "bills", "envelope": "plain"}))
    assert sluice.send([{"account": "x", "bytes": 1}] * 4, topic="calls").status == 202
    until(lambda: sluice.totals() == {"in": 4, "open": 4})
    names = {topic["name"] for topic in sluice.get("/api/topics").body["items"]}
    assert {"calls", "bills"} <= names
    assert sluice.ask("DELETE", "/api/documents/aggregator/acc?wait=20").status == 200
    assert sluice.get("/api/documents/aggregator/acc/status").status == 404


def test_what_was_accepted_is_there_after_a_kill(make: Make, clock: Path) -> None:
    sluice = make(environ={"SLUICE_CLOCK": f"trial:{clock}"}).start()
    sluice.apply(aggregator())
    sluice.send([{"account": "x", "bytes": 1}])
    advance(clock, HOUR_MS, noon())
    until(lambda: sluice.totals() == {"in": 1, "flushed": 1})
    for n in range(3):
        sluice.send([{"account": "x", "bytes": 10**n}, {"account": f"y{n}"}, {"bytes": 1}])
        sluice.kill()
        sluice.start()
    until(lambda: sluice.totals() == {"in": 10, "open": 6, "flushed": 1, "rejected": 3})
    (session,) = sluice.get("/api/aggregators/acc/sessions?group.account=x").body["items"]
    assert (session["values"]["sum_bytes"], session["sequence"]) == (111, 2)
    assert sluice.get("/api/overview").body["open_sessions"] == 4
    until(lambda: len(sluice.get("/api/dead-letters").body["items"]) == 3)


@pytest.fixture(scope="module")
def with_sessions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with 50 records in 5 open sessions, of a process that was stopped."""
    folder = tmp_path_factory.mktemp("sessions")
    stand(folder / "clock", noon(), noon())
    sluice = Sluice(folder, environ={"SLUICE_CLOCK": f"trial:{folder / 'clock'}"})
    try:
        sluice.start()
        sluice.apply(aggregator())
        sluice.send([{"account": f"a{n % 5}", "bytes": n} for n in range(50)])
        until(lambda: sluice.totals() == {"in": 50, "open": 50})
        assert sluice.stop() == 0
    finally:
        sluice.close()
    return folder / "data"


@pytest.mark.parametrize("step", range(5))
def test_a_kill_at_any_step_of_a_commit_repeats_and_loses_nothing(
    make: Make, clock: Path, with_sessions: Path, step: int
) -> None:
    sluice = make(environ={"SLUICE_CLOCK": f"trial:{clock}"})
    shutil.copytree(with_sessions, sluice.folder / "data")
    # the flushes below are one commit a partition that has sessions: this one dies in the second
    sluice.start(SLUICE_TEST_KILL=f"{step}:2")
    advance(clock, HOUR_MS, noon())
    assert sluice.ended() == -signal.SIGKILL
    sluice.start()
    until(lambda: sluice.totals() == {"in": 50, "flushed": 50})
    # decided, and counted so, before they are sent
    until(lambda: len({each["id"] for each in sluice.records("aggregates")}) == 5)
    by_id = {each["id"]: each for each in sluice.records("aggregates")}
    assert sum(each["values"]["count"] for each in by_id.values()) == 50
    for each in sluice.records("aggregates"):
        assert each == by_id[each["id"]]


def test_a_request_with_a_key_is_taken_once_whenever_it_is_killed(make: Make) -> None:
    sluice = make().start()
    sluice.apply(aggregator())
    rounds = 4
    for n in range(rounds):
        records = [{"account": f"r{n}", "bytes": i} for i in range(300)]

        def ask(records: list[dict[str, object]] = records, n: int = n) -> None:
            try:
                sluice.send(records, Idempotency_Key=f"request-{n}")
            except OSError:
                return  # killed before it answered: that is the point

        asking = threading.Thread(target=ask)
        asking.start()
        # somewhere between before the first step and after the answer
        asking.join(0.004 * n)
        sluice.kill()
        asking.join()
        sluice.start()
        answer = sluice.send(records, Idempotency_Key=f"request-{n}")
        assert (answer.status, answer.body["accepted"]) == (202, 300)
        assert sluice.send(records[:-1], Idempotency_Key=f"request-{n}").status == 422
    until(lambda: sluice.totals() == {"in": 300 * rounds, "open": 300 * rounds})
    on_topic = sluice.records("usage")
    assert len(on_topic) == 300 * rounds
    assert len({json.dumps(each) for each in on_topic}) == 300 * rounds


def test_a_second_process_on_the_same_folder_is_refused(make: Make) -> None:
    first = make().start()
    done = subprocess.run(
        command("up", "--data-dir", str(first.folder / "data"), "--web-port", "0"),
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "in use by another process" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_said_and_nothing_is_left_open(make: Make, tmp_path: Path) -> None:
    port = make().start().url.rpartition(":")[2]
    done = subprocess.run(
        command("up", "--data-dir", str(tmp_path / "two"), "--web-port", port),
        env=environment({}),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert f"port {port}" in done.stderr


def test_a_stream_that_does_not_answer_is_exit_3(tmp_path: Path) -> None:
    done = subprocess.run(
        command("worker", "--role", "all", "--data-dir", str(tmp_path), "--web-port", "0"),
        env=environment({"SLUICE_STREAM": "kafka://127.0.0.1:9"}),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 3
    assert "not reachable" in done.stderr
    assert "Traceback" not in done.stderr


def test_examples_are_in_force_and_flow_and_are_marked(make: Make) -> None:
    sluice = make(words=("up",)).start()
    names = {body["name"] for body in examples.documents()}
    assert len(names) > 1

    def in_force() -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = sluice.get("/api/documents").body["items"]
        assert {item["name"] for item in items} == names
        return items

    items = until(in_force, 30.0)
    assert all(item["name"].startswith("example-") and item["example"] for item in items)
    until(lambda: sluice.totals("example-charges-per-account").get("open", 0) >= 6, 30.0)
    assert all(record["example"] for record in sluice.records("usage"))
    for item in items:
        sluice.ask("DELETE", f"/api/documents/aggregator/{item['name']}?wait=20")
    sluice.stop()
    sluice.start()
    # who removed them does not get them again; this one comes after what would be applied
    sluice.apply(aggregator())
    assert [item["name"] for item in sluice.get("/api/documents").body["items"]] == ["acc"]
