"""A campaign on a running `sluice`, from the upload to the reports, on a trial clock."""

import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.agents.uploads.kit import number, table
from tests.app.cli.running import Ran, sluice
from tests.end_to_end.running import Sluice
from tests.waiting import until

DAY = "2025-11-03"  # a Monday; Kolkata is 5:30 ahead
MORNING, START, IN_SLOT, AFTER_SLOT = (
    f"{DAY}T{at}:00Z" for at in ("03:00", "04:30", "05:30", "07:00")
)
FLOW: dict[str, Any] = {
    "kind": "flow",
    "name": "reminder",
    "timezone": "Asia/Kolkata",
    "country": "IN",
    "working_time": {"start": "09:00", "end": "21:00", "days": ["mon", "tue", "wed"]},
    "channels": 1_000,
    "lease": {"seconds": 120},
    "executor": "simulated",
    "simulated": {"seed": 1, "outcomes": {"COMPLETED": 1.0}, "seconds": [5, 60]},
}
SLOTS = ("--slot", "10:00-12:00", "--slot", "16:00-18:00")
PATIENCE_S = 60.0  # for 2,000 FDDs on a busy machine


class Trial:
    """A process with a clock of its own."""

    def __init__(self, folder: Path) -> None:
        self.clock = folder / "clock"
        self.set(MORNING)
        self.sluice = Sluice(folder / "up", environ={"SLUICE_CLOCK": f"trial:{self.clock}"})

    def set(self, instant: str) -> None:
        """Moves the clock."""
        part = self.clock.with_suffix(".part")
        part.write_text(instant + "\n")
        part.replace(self.clock)

    def run(self, *words: str | Path) -> Ran:
        """`sluice campaigns …`"""
        return sluice("campaigns", *words, server=self.sluice.url)

    def upload(self, path: Path, *words: str) -> str:
        """Uploads a file; its request id."""
        ran = self.run("upload", path, "--flow", "reminder", *words)
        assert ran.code == 0, ran.err
        return ran.out.strip()

    def shown(self, request_id: str) -> dict[str, Any]:
        """The campaign."""
        answer = self.sluice.get(f"/api/campaigns/{request_id}?day={DAY}")
        assert answer.status == 200, answer
        found: dict[str, Any] = answer.body
        return found

    def counts(self, request_id: str, **wanted: int) -> dict[str, Any]:
        """The counts, once they are as wanted."""

        def look() -> dict[str, Any]:
            counts: dict[str, Any] = self.shown(request_id)["counts"]
            assert {name: counts[name] for name in wanted} == wanted
            return counts

        return until(look, PATIENCE_S)


@pytest.fixture
def trial(tmp_path: Path) -> Iterator[Trial]:
    made = Trial(tmp_path)
    made.sluice.start()
    document = json.dumps(FLOW).encode()
    put = made.sluice.ask(
        "PUT", "/api/documents/flow/reminder", document, Content_Type="application/json"
    )
    assert put.status < 300, put
    yield made
    made.sluice.close()


def test_a_day_of_a_campaign_is_counted_exactly(trial: Trial, tmp_path: Path) -> None:
    path, listed = tmp_path / "dues.csv", tmp_path / "negatives.csv"
    path.write_bytes(table(*([number(n), f"name {n}"] for n in range(1_000)), ["x", "bad"]))
    listed.write_text("number\n" + "".join(f"{number(n)}\n" for n in range(10)))
    # at once after its flow was applied
    request_id = trial.upload(path, "--name", "=dues", *SLOTS)
    counts = trial.counts(request_id, uploaded=1_001, created=2_000, pending=2_000)
    assert trial.shown(request_id)["upload"]["rejected"] == 1
    assert counts["not_created"] == dict.fromkeys(counts["not_created"], 0)
    done = trial.run("negatives", request_id, listed, "--reason", "asked", "--json").json
    assert (done["matched"], done["fdds"]["negative"]) == (10, 20)
    trial.set(START)
    trial.counts(request_id, attempted=20, yet_to_process=990)  # the first slot's are ordered
    trial.set(IN_SLOT)
    trial.counts(request_id, attempted=20 + 990, reached=990, pending=990)
    ran = trial.run("revoke", request_id, "--reason", "over", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["touched"] == 990
    trial.set(AFTER_SLOT)
    counts = trial.counts(request_id, attempted=2_000, pending=0)
    assert counts["outcome"] == {
        "completed": 990, "partial": 0, "failed": {}, "negative": 20, "revoked": 990
    }  # fmt: skip
    shown = trial.shown(request_id)
    assert (shown["status"], shown["allowed_actions"]) == ("Cancelled", [])
    assert trial.run("pause", request_id).code == 1
    tabs = trial.sluice.get(f"/api/campaigns?day={DAY}").body["tabs"]
    assert tabs == {"uploaded": 1_001, "attempted": 2_000, "negative": 10, "pending": 0}
    reports(trial, request_id, tmp_path)
    trial.sluice.kill()
    trial.sluice.start()
    assert trial.shown(request_id) == shown
    assert trial.run("recount").code == 0


def reports(trial: Trial, request_id: str, folder: Path) -> None:
    """Both kinds add up to the counts."""
    until(lambda: trial.run("recount", request_id).code == 0, PATIENCE_S)
    words = ("--day", DAY, "--request", request_id, "--output")
    raw, eod = folder / "raw.csv", folder / "eod.csv"
    assert trial.run("report", "--kind", "raw", *words, raw).code == 0
    assert trial.run("report", "--kind", "eod", *words, eod).code == 0
    rows = list(csv.DictReader(io.StringIO(raw.read_text(), newline="")))
    assert len({row["execution_id"] for row in rows}) == len(rows) == 990
    assert [row["start_time"] for row in rows] == sorted(row["start_time"] for row in rows)
    assert {row["campaign"] for row in rows} == {"'=dues"}
    assert all(row["number"].startswith("+91") for row in rows)
    figures = {
        (row["slot"], row["outcome"]): int(row["count"])
        for row in csv.DictReader(io.StringIO(eod.read_text(), newline=""))
    }
    assert figures == {
        ("10:00-12:00", "COMPLETED"): 990,
        ("10:00-12:00", "NEGATIVE"): 10,
        ("16:00-18:00", "NEGATIVE"): 10,
        ("16:00-18:00", "REVOKED"): 990,
    }


def test_a_kill_after_the_answer_loses_and_doubles_no_row(trial: Trial, tmp_path: Path) -> None:
    path = tmp_path / "dues.csv"
    path.write_bytes(table(*([number(n), "x" * 50] for n in range(20_000))))
    request_id = trial.upload(path, "--slot", "16:00-18:00", "--idempotency-key", "k")
    trial.sluice.kill()
    trial.sluice.start()
    trial.counts(request_id, uploaded=20_000, created=20_000)
    assert trial.upload(path, "--slot", "16:00-18:00", "--idempotency-key", "k") == request_id
    assert trial.shown(request_id)["upload"]["accepted"] == 20_000
