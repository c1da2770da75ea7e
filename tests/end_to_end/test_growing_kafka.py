"""Partitions grow on Kafka while records pour in and a worker is killed in the middle of it."""

import json
from collections.abc import Callable, Iterator
from http.client import HTTPException
from itertools import count
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.app.cli.running import sluice as cli
from tests.end_to_end.running import Sluice, aggregator
from tests.end_to_end.test_growing import pour
from tests.end_to_end.test_kafka import workers
from tests.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.faults, pytest.mark.timeout(900)]
PATIENCE_S = 180.0  # a machine that is busy with other tests


def test_partitions_grow_while_records_pour_in_and_a_worker_is_killed(pair: list[Sluice]) -> None:
    one, two = pair
    one.apply(aggregator())
    one.apply(aggregator("keyed", keyed_by=["account"]))
    sent: list[dict[str, Any]] = []
    enough = Event()
    pouring = Thread(target=pour, args=(one, sent, enough))
    pouring.start()
    try:
        until(lambda: len(sent) >= 500, PATIENCE_S)
        asked = cli("topics", "grow", "6", "--reason", "room", "--no-wait", server=one.url)
        assert asked.code == 0, asked.err
        two.kill()
        until(
            lambda: one.get("/api/topics/growths").body["items"][0]["state"] != "moving", PATIENCE_S
        )
        two.start()
        ran = cli("topics", "grow", "6", "--reason", "room", "--timeout", "180", server=one.url)
        more = len(sent) + 300
        until(lambda: len(sent) >= more, PATIENCE_S)
    finally:
        enough.set()
        pouring.join()
    assert ran.code == 0, ran.out + ran.err
    count = len(sent)
    for name in ("acc", "keyed"):
        until(lambda n=name: one.totals(n) == {"in": count, "open": count}, PATIENCE_S)  # type: ignore[misc]  # bound now
        rows = one.get(f"/api/aggregators/{name}/sessions?limit=200").body["items"]
        assert len(rows) == 100  # none in two places
    topics = {t["name"]: t["partitions"] for t in one.get("/api/topics").body["items"]}
    assert topics["usage"] == 6


@pytest.fixture
def pair(kafka: str, tmp_path: Path, unique: Callable[[str], str]) -> Iterator[list[Sluice]]:
    """Two workers; one that only has little to say, on a busy machine, is not taken for dead."""
    with workers(kafka, tmp_path, unique("app"), 20) as made:
        yield made


BYTES = {"field": "bytes", "operation": "sum"}
UNITS = {"field": "units", "operation": "sum"}


def pour_events(sluice: Sluice, sent: list[dict[str, Any]], enough: Event) -> None:
    """Sends fifty events that are known and fifty that are not, until there are enough."""
    for turn in count(1):
        if enough.is_set():
            return
        ids = range(50)
        known = [{"account": f"a{n}", "units": 1, "bytes": 1, "id": n} for n in ids]
        fresh = [{**known[n], "id": turn * 1_000 + n} for n in ids]
        until(lambda t=turn, part=[*known, *fresh]: taken(sluice, t, part), PATIENCE_S)  # type: ignore[misc]  # bound now
        sent += [*known, *fresh]


def state(sluice: Sluice) -> str:
    """How far the growth is."""
    return str(sluice.get("/api/topics/growths").body["items"][0]["state"])


def taken(sluice: Sluice, turn: int, part: list[dict[str, Any]]) -> bool:
    """Sends it under a key of its own, so that it is there once however often it is sent."""
    try:
        return sluice.send(part, Idempotency_Key=f"turn-{turn}").status == 202
    except (HTTPException, OSError):
        return False


@pytest.mark.parametrize("victim", [0, 1], ids=["the first worker", "the second worker"])
def test_events_and_letters_count_once_when_a_worker_is_killed_again_and_again(
    pair: list[Sluice], victim: int
) -> None:
    killed, alive = pair[victim], pair[1 - victim]
    alive.apply(aggregator("ids", event_id="id", aggregate=[BYTES, UNITS]))
    first = [{"account": f"a{n}", "units": 1, "bytes": 1, "id": n} for n in range(100)]
    refused = [{"account": f"a{n}", "units": 1, "bytes": "many", "id": n} for n in range(200, 220)]
    alive.send([*first, *refused])
    until(lambda: alive.totals("ids").get("rejected") == 20, PATIENCE_S)
    alive.apply(aggregator("ids", event_id="id", aggregate=[UNITS]))
    sent: list[dict[str, Any]] = []
    enough = Event()
    pouring = Thread(target=pour_events, args=(alive, sent, enough))
    pouring.start()
    try:
        body = json.dumps({"partitions": 6, "reason": "room"}).encode()
        asked = alive.ask("POST", "/api/topics/growths", body, Content_Type="application/json")
        assert asked.status == 202, asked
        killed.kill()
        replayed = alive.ask("POST", "/api/dead-letters/replay", b'{"reason": "mended"}')
        assert replayed.status in (200, 202), replayed
        killed.begin()
        until(lambda: state(alive) != "moving", PATIENCE_S)
        killed.kill()  # wherever it is
        ran = cli("topics", "grow", "6", "--reason", "room", "--timeout", "300", server=alive.url)
    finally:
        enough.set()
        pouring.join()
    assert ran.code == 0, ran.out + ran.err
    taken_back = {"event_id": 60, "group": {"account": "a60"}, "reason": "charged twice"}
    until(
        lambda: (
            alive.ask(
                "POST", "/api/aggregators/ids/events/retract", json.dumps(taken_back).encode()
            ).status
            == 200
        ),
        PATIENCE_S,
    )
    half = len(sent) // 2
    # 120 of before, without the one taken back, whose session was flushed
    wanted = {"in": 119 + len(sent), "open": 119 + half, "duplicates": half}
    until(lambda: alive.totals("ids") == wanted, PATIENCE_S)
    ids = [flush["id"] for flush in alive.records("aggregates")]
    assert len(set(ids)) == 2  # a60's session, and what took the event back
