"""Operators at a running system: by the command line and over HTTP, through kills."""

import json
from pathlib import Path
from typing import Any

from tests.app.cli.running import sluice as cli
from tests.end_to_end.running import Answer, Sluice, aggregator
from tests.end_to_end.test_embedded import Make, clock, make  # fixtures
from tests.waiting import until

__all__ = ["clock", "make"]
BIG = {"field": "sum_bytes", "op": ">=", "value": 100}


def given(sluice: Sluice, action: str, key: str, **said: Any) -> Answer:
    body = json.dumps({"reason": "a test", **said}).encode()
    path = f"/api/aggregators/acc/sessions/{action}"
    headers = {"Content_Type": "application/json", "Idempotency_Key": key}
    return sluice.ask("POST", path, body, **headers)


def test_sessions_are_acted_on_from_the_command_line(make: Make, clock: Path) -> None:
    sluice = make(environ={"SLUICE_CLOCK": f"trial:{clock}"}).start()
    sluice.apply(aggregator())
    sluice.send([{"account": f"a{n}", "bytes": 10**n} for n in range(4)])
    until(lambda: sluice.totals() == {"in": 4, "open": 4})

    def run(*arguments: str) -> Any:
        ran = cli("sessions", *arguments, "--json", server=sluice.url)
        assert ran.code == 0, ran.err
        return ran.json

    where = json.dumps(BIG)
    assert run("flush", "acc", "--filter", where, "--dry-run")["touched"] == 2
    assert sluice.totals() == {"in": 4, "open": 4}
    assert run("flush", "acc", "--filter", where, "--reason", "big")["touched"] == 2
    assert run("delete", "acc", "account=a0", "--reason", "wrong")["touched"] == 1
    due = "2025-11-03T18:00:00Z"
    assert run("set-timeout", "acc", "account=a1", "--due", due, "--reason", "late")["touched"] == 1
    assert sluice.totals() == {"in": 4, "open": 1, "flushed": 2, "deleted": 1}
    (left,) = sluice.get("/api/aggregators/acc/sessions").body["items"]
    assert (left["group"]["account"], left["explain"]["due"]) == ("a1", "2025-11-03T18:00:00.000Z")
    flushed = sluice.records("aggregates")
    assert {each["meta"]["flushType"] for each in flushed} == {"COMMAND"}
    audit = sluice.records("aggregates.audit")
    reasons = {each["reason"] for each in audit if each.get("kind") == "command"}
    assert reasons == {"big", "wrong", "late"}
    assert [each["group"]["account"] for each in audit if "meta" in each] == ["a0"]


def test_a_command_that_was_accepted_is_carried_out_through_a_kill(make: Make, clock: Path) -> None:
    sluice = make(environ={"SLUICE_CLOCK": f"trial:{clock}"}).start()
    sluice.apply(aggregator())
    sluice.send([{"account": f"a{n}", "bytes": 200} for n in range(20)])
    until(lambda: sluice.totals() == {"in": 20, "open": 20})
    assert given(sluice, "flush", "k", filter=BIG).status in (200, 202)
    sluice.kill()
    sluice.start()
    until(lambda: sluice.totals() == {"in": 20, "flushed": 20})
    sluice.send([{"account": "a0", "bytes": 200}])
    until(lambda: sluice.totals() == {"in": 21, "open": 1, "flushed": 20})
    again = given(sluice, "flush", "k", filter=BIG)
    assert (again.status, again.body["touched"]) == (200, 20)
    assert sluice.totals() == {"in": 21, "open": 1, "flushed": 20}
    assert given(sluice, "flush", "k", filter={**BIG, "value": 1}).status == 422
    where = f"/api/aggregators/acc/commands/{again.body['command_id']}"
    assert sluice.get(where).body["result"]["counts"] == {"sessions": 20, "records": 20}
