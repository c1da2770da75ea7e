"""Campaigns in a running system: kills of the worker, and of MongoDB, change no figure."""

import json
import time
from functools import partial
from typing import Any

from config.documents.registry import load_document
from domain.campaigns.document import Flow, flow_json
from scripts.house.mongo import Mongo
from tests.end_to_end.running import Sluice
from tests.end_to_end.test_embedded import Make, clock, make  # fixtures
from tests.waiting import until

__all__ = ["clock", "make"]
FLOW: dict[str, Any] = {
    "kind": "flow",
    "name": "reminder",
    "timezone": "UTC",
    "country": "IN",
    "working_time": {"start": "00:00", "end": "24:00",
                     "days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]},
    "channels": 30,
    "lease": {"seconds": 60},
    "executor": "simulated",
    "simulated": {"seed": 1, "outcomes": {"COMPLETED": 0.7, "FAILED:BUSY": 0.3},
                  "seconds": [0.1, 0.3]},
}  # fmt: skip
REQUEST = "reminder-0011223344556677"
ROWS = 120
JSON = "application/json"


def upload(sluice: Sluice) -> None:
    """The events of an upload without slots: its FDDs are due at once."""
    sluice.apply(FLOW)
    flow = load_document(FLOW)
    assert isinstance(flow, Flow)
    description = {"flow": "reminder", "name": "dues", "slots": [], "days": 1}
    rows = [[f"+9198{n:08}", {"n": str(n)}, None] for n in range(ROWS)]
    bodies: list[tuple[str, dict[str, Any]]] = [
        ("upload", {"description": description, "flow": flow_json(flow),
                    "now_ms": int(time.time() * 1000)}),
        ("rows", {"first": 1, "rows": rows}),
        ("rows_end", {"accepted": ROWS}),
    ]  # fmt: skip
    for command, body in bodies:
        event = {"kind": "command", "id": command, "command": command, "request_id": REQUEST,
                 "actor": "a", "reason": "r", "body": body}  # fmt: skip
        path = "/api/topics/campaign-events/records?key=request_id"
        answer = sluice.ask("POST", path, json.dumps(event).encode(), Content_Type=JSON)
        assert answer.status == 202, answer


def ended(sluice: Sluice) -> set[str]:
    """The executions that have ended, each reported with one content."""
    told: dict[tuple[str, str], Any] = {}
    for each in sluice.records("execution-results"):
        assert told.setdefault((each["event"], each["execution_id"]), each) == each
    return {ident for event, ident in told if event == "finished"}


def _has_ended(sluice: Sluice, wanted: int) -> bool:
    return len(ended(sluice)) >= wanted


def orders(sluice: Sluice) -> set[str]:
    """The executions that were ordered, each with one content."""
    told: dict[str, Any] = {}
    for each in sluice.records("executions"):
        assert told.setdefault(each["execution_id"], each) == each
    return set(told)


def test_every_fdd_is_executed_once_through_kills(make: Make) -> None:
    sluice = make().start()
    upload(sluice)
    for wanted in (ROWS // 5, ROWS // 2, ROWS * 4 // 5):
        until(partial(_has_ended, sluice, wanted), 60)
        sluice.kill()
        sluice.start()
    until(lambda: len(ended(sluice)) == ROWS, 60)
    assert orders(sluice) == ended(sluice)
    assert not sluice.records("dead-letters")


def test_while_mongodb_is_away_the_shards_hold_and_go_on_by_themselves(
    make: Make, own_mongo: Mongo
) -> None:
    sluice = make(environ={"SLUICE_DOCUMENTS": own_mongo.url}).start()
    upload(sluice)
    until(lambda: len(ended(sluice)) > ROWS // 4, 60)
    own_mongo.stop(hard=True)

    def waits() -> bool:
        ready = sluice.get("/health/ready").body
        assert ready["ready"]
        return "wait for the store" in json.dumps(ready["reasons"])

    until(waits, 60)
    reached = len(ended(sluice))
    assert reached < ROWS
    began_s = time.monotonic()
    assert sluice.stop() == 0
    assert time.monotonic() - began_s < 8
    sluice.start()
    until(waits, 60)
    own_mongo.start()
    until(lambda: len(ended(sluice)) == ROWS, 60)
    assert orders(sluice) == ended(sluice)
    until(lambda: sluice.get("/health/ready").body == {"ready": True, "reasons": []}, 30)
