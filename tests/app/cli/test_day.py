"""`sluice totals --day` and `sluice sessions resend`."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.app.cli.running import sluice
from tests.app.cli.server import problem, serving

DAY = "GET /api/totals/2024-09-03"
COUNT = {
    "opening": 1, "in": 9, "flushed": 6, "duplicates": 1, "rejected": 1, "expired": 0,
    "deleted": 0, "open": 2,
}  # fmt: skip
SUM = {"opening": 4, "in": 0.1, "flushed": 4.1, "expired": 0, "deleted": 0, "open": 0}


def answered(balanced: bool = True) -> dict[str, Any]:
    return {
        "day": "2024-09-03",
        "from": "2024-09-03T00:00:00.000Z",
        "to": "2024-09-04T00:00:00.000Z",
        "items": [
            {
                "aggregator": "usage-a",
                "count": COUNT,
                "sums": {"sum_bytes": SUM},
                "flushes": [
                    {"flushType": "TIMEOUT", "flushes": 2, "records": 6, "sums": {"sum_bytes": 4.1}}
                ],
                "balanced": balanced,
            }
        ],
        "balanced": balanced,
    }


def test_a_day_is_written_by_extension(tmp_path: Path) -> None:
    with serving({DAY: (200, answered())}) as server:
        for name in ("day.json", "day.csv"):
            out = tmp_path / name
            ran = sluice("totals", "--day", "2024-09-03", "--output", out, server=server.url)
            assert (ran.code, ran.out) == (0, ""), ran.err
    assert json.loads((tmp_path / "day.json").read_text()) == answered()
    count, total, flushes = csv.DictReader((tmp_path / "day.csv").read_text().splitlines())
    assert (count["total"], count["opening"], count["in"], count["open"]) == (
        "count",
        "1",
        "9",
        "2",
    )
    assert (total["total"], total["in"], total["duplicates"]) == ("sum_bytes", "0.1", "")
    assert (flushes["total"], flushes["flushes"], flushes["flushed"]) == ("TIMEOUT", "2", "6")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["day.csv", "day.json"]


def test_a_day_that_does_not_balance_is_exit_1(tmp_path: Path) -> None:
    out = tmp_path / "day.json"
    with serving({DAY: (200, answered(balanced=False))}) as server:
        ran = sluice("totals", "--day", "2024-09-03", "--output", out, server=server.url)
    assert ran.code == 1
    assert "usage-a does not balance" in ran.err
    assert json.loads(out.read_text())["balanced"] is False


def test_a_day_is_a_table_or_json_without_a_file() -> None:
    with serving({DAY: (200, answered())}) as server:
        table = sluice("totals", "usage-a", "--day", "2024-09-03", server=server.url)
        machine = sluice("--json", "totals", "--day", "2024-09-03", server=server.url)
        assert server.requests("GET", "/api/totals/2024-09-03")[0].query == {
            "aggregator": "usage-a"
        }
    assert "sum_bytes" in table.out
    assert json.loads(machine.out) == answered()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--day", "tuesday"], "no day"),
        (["--day", "2024-09-03", "--output", "day.xls"], ".json or .csv"),
        (["--output", "day.csv"], "--day D"),
        (["--day", "2024-09-03", "--output", "/nowhere/day.csv"], "/nowhere/day.csv"),
    ],
)
def test_what_is_used_wrong_is_exit_2(arguments: list[str], said: str) -> None:
    with serving({DAY: (200, answered())}) as server:
        ran = sluice("totals", *arguments, server=server.url)
    assert ran.code == 2
    assert said in ran.err


def test_a_flush_is_sent_again_with_its_reason_and_a_key() -> None:
    path = "/api/flushes/5c0c/resend"
    place = {"id": "5c0c", "topic": "aggregates", "partition": 1, "offset": 7, "repeated": False}
    with serving({f"POST {path}": (200, place)}) as server:
        ran = sluice("sessions", "resend", "5c0c", "--reason", "billing lost it", server=server.url)
        (heard,) = server.requests("POST", path)
    assert ran.code == 0
    assert "aggregates partition 1 offset 7" in ran.out
    assert heard.json() == {"reason": "billing lost it"}
    assert heard.headers["Idempotency-Key"]


def test_a_flush_that_is_gone_is_exit_1_and_no_reason_exit_2() -> None:
    path = "POST /api/flushes/5c0c/resend"
    with serving({path: problem(404, "There is no flush '5c0c' on an output topic.")}) as server:
        ran = sluice("sessions", "resend", "5c0c", "--reason", "r", server=server.url)
        without = sluice("sessions", "resend", "5c0c", server=server.url)
    assert ran.code == 1
    assert "no flush" in ran.err
    assert without.code == 2
    assert "--reason" in without.err


def test_an_event_is_taken_back_by_its_id() -> None:
    path = "/api/aggregators/usage-a/events/retract"
    found = {"id": "f1", "aggregator": "usage-a", "key": ["X"], "state": "done", "repeated": False}
    with serving({f"POST {path}": (200, found)}) as server:
        told = ("--event-id", "5", "--reason", "charged twice")
        ran = sluice("sessions", "retract", "usage-a", "account=X", *told, server=server.url)
        (heard,) = server.requests("POST", path)
        without = sluice("sessions", "retract", "usage-a", "--event-id", "5", server=server.url)
    assert (ran.code, ran.out) == (0, "taken back by flush f1\n")
    assert heard.json() == {"event_id": 5, "group": {"account": "X"}, "reason": "charged twice"}
    assert without.code == 2


def test_a_dry_run_of_a_retraction_tells_session_and_flushes() -> None:
    path = "/api/aggregators/usage-a/events/retract"
    found = {
        "id": "f1", "aggregator": "usage-a", "key": ["X"], "state": "done", "dry_run": True,
        "repeated": False, "touched": 1, "counts": {"sessions": 1, "flushes": 2, "records": 1},
        "flushes": [
            {"id": "s1", "what": "flush", "records": 3},
            {"id": "f1", "what": "correction", "records": 1},
        ],
        "source": {"topic": "usage", "partition": 1, "offset": 7},
    }  # fmt: skip
    with serving({f"POST {path}": (200, found)}) as server:
        told = ("--event-id", "e1", "--dry-run")
        ran = sluice("sessions", "retract", "usage-a", *told, server=server.url)
        (heard,) = server.requests("POST", path)
    assert heard.json() == {"event_id": "e1", "dry_run": True}
    assert (ran.code, ran.out.splitlines()) == (
        0,
        [
            "1 event of session X would be taken back, counted from usage 1/7; nothing was changed",
            "  flush s1: the open session flushes first, 3 records",
            "  flush f1: the correction, 1 record",
        ],
    )
