"""Sinks on Kafka: roles in processes of their own, and a take-over."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.connectors.sinks.billing import SECRET, Billing
from tests.end_to_end.running import Sluice, aggregator
from tests.faults.test_sinks import serving
from tests.waiting import until

pytestmark = pytest.mark.kafka
PATIENCE_S = 60.0
BRIEF = {"by": "timeout", "timeout": {"duration": {"seconds": 1}}}


def test_another_worker_goes_on_where_a_killed_one_was(
    kafka: str, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    app = unique("app")
    environ = {
        "SLUICE_STREAM": kafka,
        "SLUICE_APP_ID": app,
        "SLUICE_TOPIC_PREFIX": f"{app}.",
        "SLUICE_CLUSTER_SECRET": "between us",
        "SLUICE_SESSION_TIMEOUT_S": "3",
        "HOOK": SECRET,
    }
    billing = Billing()
    roles = {"work": "route,aggregate,console", "one": "sinks", "two": "sinks"}
    workers = {
        name: Sluice(tmp_path / name, ("worker", "--role", role), environ)
        for name, role in roles.items()
    }
    work = workers["work"]
    with serving(billing):
        try:
            for worker in workers.values():
                worker.start()
            http = {"url": billing.url, "secret": "HOOK"}
            sink: dict[str, Any] = {"kind": "sink", "name": "hook", "http": http}
            work.apply(sink)
            work.apply(aggregator(flush=BRIEF))
            for first in (0, 20):
                records = [{"account": f"a{n}", "bytes": n} for n in range(first, first + 20)]
                assert work.send(records).status < 300
                until(partial(_has, billing, first + 20), PATIENCE_S)
                if first == 0:
                    workers["one"].kill()
            assert {account: len(ids) for account, ids in delivered(billing).items()} == {
                f"a{n}": 1 for n in range(40)
            }
            until(lambda: totals(work) == {"accepted": 40, "waiting": 0}, PATIENCE_S)
        finally:
            for worker in workers.values():
                worker.close()


def test_a_worker_that_joins_takes_lanes_and_stops_nobody(
    kafka: str, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    app = unique("app")
    environ = {
        "SLUICE_STREAM": kafka,
        "SLUICE_APP_ID": app,
        "SLUICE_TOPIC_PREFIX": f"{app}.",
        "SLUICE_CLUSTER_SECRET": "between us",
        "SLUICE_SESSION_TIMEOUT_S": "5",
        "HOOK": SECRET,
    }
    billing = Billing()
    one = Sluice(tmp_path / "one", ("worker", "--role", "all"), environ)
    two = Sluice(tmp_path / "two", ("worker", "--role", "sinks"), environ)
    with serving(billing):
        try:
            one.start()
            http = {"url": billing.url, "secret": "HOOK", "concurrency": 1}
            one.apply({"kind": "sink", "name": "hook", "http": http})
            records = [{"id": f"r{n}"} for n in range(1500)]
            assert one.send(records, "aggregates").status < 300
            until(lambda: len(billing.took) > 50, PATIENCE_S)
            two.start()  # while records are on their way
            until(lambda: len(set(billing.took)) == len(records), PATIENCE_S)
            until(lambda: totals(two) == {"accepted": len(records), "waiting": 0}, PATIENCE_S)
            assert "starts afresh" not in one.err + two.err
        finally:
            one.close()
            two.close()


def _has(billing: Billing, number: int) -> bool:
    return len(delivered(billing)) == number


def delivered(billing: Billing) -> dict[str, set[str]]:
    """account -> ids of the flushes that billing has."""
    found: dict[str, set[str]] = {}
    for body in list(billing.took):
        record = json.loads(body)
        found.setdefault(record["group"]["account"], set()).add(record["id"])
    return found


def totals(worker: Sluice) -> dict[str, int]:
    """The sink's totals as any worker tells them."""
    answer = worker.get("/api/sinks/hook")
    found = answer.body if answer.status == 200 else {}
    return {name: found.get(name, -1) for name in ("accepted", "waiting")}
