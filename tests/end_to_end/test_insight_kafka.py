"""Any worker tells funnel, usage, processes and rows; one is killed, and the figures stay exact.
With people who watch: `test_viewers_kafka.py`, in every run.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.end_to_end.running import Sluice
from tests.waiting import until

pytestmark = [pytest.mark.kafka, pytest.mark.faults]
CUSTOMERS, ROUNDS = 40, 10
SPAN = "from=2025-11-01&to=2025-12-01"


def events(round_: int) -> list[dict[str, Any]]:
    """One of each of what is counted, for every customer."""
    at = f"2025-11-{round_ + 1:02}T10:00:00Z"
    return [
        {"campaign": f"c{n % 3}", "customer": f"p{n}", "at": at, **kind}
        for n in range(CUSTOMERS)
        for kind in (
            {"kind": "usage", "what": "message"},
            {"kind": "usage", "what": "lead"},
            {"kind": "funnel", "operation": "Enter", "step": "pay"},
        )
    ]


def put(worker: Sluice, round_: int) -> None:
    told = worker.send(events(round_), "campaign-events", Idempotency_Key=f"round-{round_}")
    assert (told.status, told.body["accepted"]) == (202, CUSTOMERS * 3)


def figures(worker: Sluice) -> tuple[int, int, int]:
    """(customers reached, leads, active campaigns) of the month."""
    found = worker.get(f"/api/usage?{SPAN}").body
    return found["reached"], found["leads"], found["campaigns"]["active"]


def funnel(worker: Sluice) -> list[str]:
    """Ids of all funnel events."""
    found, cursor = [], ""
    while True:
        page = worker.get(f"/api/funnel?limit=150{cursor}").body
        found += [item["id"] for item in page["items"]]
        if page["next"] is None:
            return found
        cursor = f"&cursor={page['next']}"


def states(worker: Sluice) -> dict[str, str]:
    return {one["worker"]: one["state"] for one in worker.get("/api/processes").body["workers"]}


def test_a_killed_worker_takes_no_figure_with_it_and_is_shown_as_gone(
    kafka: str, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    app = unique("app")
    environ = {
        "SLUICE_STREAM": kafka,
        "SLUICE_APP_ID": app,
        "SLUICE_TOPIC_PREFIX": f"{app}.",
        "SLUICE_CLUSTER_SECRET": "between us",
        "SLUICE_SESSION_TIMEOUT_S": "3",
    }
    one, two = (
        Sluice(tmp_path / name, ("worker", "--role", "campaigns,console"), environ)
        for name in ("one", "two")
    )
    try:
        one.start()
        two.start()
        until(lambda: len(states(one)) == 2 == len(states(two)), 60, "each knows the other")
        for round_ in range(ROUNDS // 2):
            put(one, round_)
        half = CUSTOMERS, CUSTOMERS * ROUNDS // 2, 3
        until(lambda: figures(one) == half == figures(two), 60, "both tell the same")
        rows = one.get("/api/tables/insight?limit=1000").body["items"]
        assert len({row["worker"] for row in rows}) == 2
        for row in (rows[0], rows[-1]):
            told = two.get(f"/api/tables/insight/{quote(row['key'], safe='')}").body
            assert told["value"] == row["value"]
        gone = next(name for name, state in states(one).items() if state == "ready")
        put(one, ROUNDS // 2)
        one.kill()
        for round_ in range(ROUNDS // 2 + 1, ROUNDS):
            put(two, round_)
        whole = CUSTOMERS, CUSTOMERS * ROUNDS, 3
        until(lambda: figures(two) == whole, 90, "the other has taken over")
        until(lambda: states(two).get(gone) == "gone", 60, "it is gone")
        ids = funnel(two)
        assert len(ids) == len(set(ids)) == CUSTOMERS * ROUNDS
        one.start()
        until(lambda: figures(one) == whole and funnel(one) == ids, 90, "the next one tells it too")
        assert not two.records("dead-letters")
    finally:
        one.close()
        two.close()
