"""Dead letters of a running `sluice`: replayed by command, also across kills, and their limit."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.running import Sluice, aggregator
from tests.waiting import until

Make = Callable[..., Sluice]
MENDED = aggregator(aggregate=[{"field": "*", "operation": "count"}])
BAD = {"account": "x", "bytes": "many"}
REPLAY = "/api/dead-letters/replay"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes processes that end with the test."""
    made: list[Sluice] = []

    def one(**options: Any) -> Sluice:
        made.append(Sluice(tmp_path / f"{len(made)}", **options))
        return made[-1]

    yield one
    for sluice in made:
        sluice.close()


def replay(sluice: Sluice, body: dict[str, Any] | None = None, **headers: str) -> dict[str, Any]:
    answer = sluice.ask("POST", REPLAY, json.dumps(body or {}).encode(), **headers)
    assert answer.status == 200, answer
    found: dict[str, Any] = answer.body
    return found


def test_letters_are_replayed_once_after_a_dry_run(make: Make) -> None:
    sluice = make().start()
    sluice.apply(aggregator())
    sluice.send([BAD, {"account": "x", "bytes": 1}, BAD, {"bytes": 1}])
    until(lambda: sluice.totals() == {"in": 4, "open": 1, "rejected": 3})
    refused = {"letters": 3, "replayed": 0, "refused": 3}
    assert replay(sluice, {"dry_run": True}).items() >= refused.items()
    sluice.apply(MENDED)
    told = replay(sluice, {"reason": "mended"}, Idempotency_Key="k")
    assert told.items() >= {"letters": 3, "replayed": 2, "refused": 1, "waiting": 0}.items()
    assert told["reasons"] == {"missing_group_field": 1}
    assert sluice.totals() == {"in": 4, "open": 3, "rejected": 1}
    sluice.kill()
    sluice.start()
    again = replay(sluice, {"reason": "mended"}, Idempotency_Key="k")
    assert again["command"] == told["command"]
    assert replay(sluice)["replayed"] == 0
    until(lambda: sluice.totals() == {"in": 4, "open": 3, "rejected": 1})
    (left,) = sluice.get("/api/dead-letters?replayed=no").body["items"]
    assert left["reason"] == "missing_group_field"
    given = [each for each in sluice.records("aggregates.audit") if each.get("kind") == "command"]
    audits = [each["reason"] for each in given]
    assert sorted(audits) == ["", "mended"]


def test_a_refused_document_can_be_replayed_when_the_product_takes_it(make: Make) -> None:
    sluice = make().start()
    message = {"kind": "aggregator", "name": "acc", "document": {"kind": "aggregator"}}
    sluice.ask("POST", "/api/topics/config/records", json.dumps(message).encode())
    (letter,) = until(lambda: sluice.get("/api/dead-letters").body["items"])
    assert letter["reason"] == "refused_document"
    assert replay(sluice, {"id": letter["id"]})["refused"] == 1
    (letter,) = sluice.get("/api/dead-letters").body["items"]
    assert letter["tried_at"] >= letter["at"]


def test_it_stops_at_the_limit_and_goes_on_with_a_mended_document(make: Make) -> None:
    sluice = make(environ={"SLUICE_PARTITIONS": "1", "SLUICE_DEAD_LETTER_STREAK": "50"}).start()
    sluice.apply(aggregator())
    sluice.send([{"account": "x", "bytes": 1}])
    until(lambda: sluice.totals() == {"in": 1, "open": 1})
    sluice.send([BAD] * 200)
    assert sluice.ended(60.0) == 1
    assert "usage partition 0: " in sluice.err
    assert "records in a row were refused for acc" in sluice.err
    assert "start the worker again" in sluice.err
    assert "Traceback" not in sluice.err
    sluice.begin()
    assert sluice.ended(60.0) == 1

    sluice.words = ["worker", "--role", "console"]
    sluice.start()
    sluice.apply(MENDED)
    assert sluice.stop() == 0
    sluice.words = ["up", "--no-examples"]
    sluice.start()
    until(lambda: sluice.totals()["in"] == 201)
    replay(sluice)
    assert sluice.totals() == {"in": 201, "open": 201}
