"""`sluice state`: a backup brings campaigns back as they were, and they go on from there."""

import json
from pathlib import Path
from typing import Any

from tests.agents.uploads.kit import number, table
from tests.app.cli.running import sluice, sluice_process
from tests.end_to_end.running import Sluice
from tests.end_to_end.test_campaigns import (
    DAY,
    FLOW,
    IN_SLOT,
    PATIENCE_S,
    SLOTS,
    START,
    Trial,
)
from tests.waiting import until

SECOND_SLOT, IN_SECOND = f"{DAY}T10:31:00Z", f"{DAY}T12:00:00Z"


def fdds(trial: Trial, request_id: str) -> list[dict[str, Any]]:
    """All FDDs, as the store has them."""
    answer = trial.sluice.get(f"/api/campaigns/{request_id}/fdds?limit=200")
    found: list[dict[str, Any]] = answer.body["items"]
    return found


def test_campaigns_come_back_with_the_log_and_their_stores_by_a_repair(tmp_path: Path) -> None:
    trial, other = Trial(tmp_path), Trial(tmp_path)
    other.sluice = Sluice(tmp_path / "two", environ={"SLUICE_CLOCK": f"trial:{trial.clock}"})
    path, listed = tmp_path / "dues.csv", tmp_path / "negatives.csv"
    path.write_bytes(table(*([number(n), f"name {n}"] for n in range(40))))
    listed.write_text(f"number\n{number(0)}\n")
    try:
        trial.sluice.start()
        document = json.dumps(FLOW).encode()
        trial.sluice.ask(
            "PUT", "/api/documents/flow/reminder", document, Content_Type="application/json"
        )
        request_id = trial.upload(path, *SLOTS)
        trial.counts(request_id, created=80, pending=80)
        assert trial.run("negatives", request_id, listed, "--reason", "asked").code == 0
        trial.set(START)
        trial.counts(request_id, yet_to_process=39)
        words = ("--data-dir", trial.sluice.folder / "data", "--server", trial.sluice.url)
        ran = sluice_process("state", "backup", tmp_path / "b", *words)
        assert ran.code == 0, ran.err
        trial.set(IN_SLOT)
        lived = trial.counts(request_id, reached=39, attempted=41)
        until(lambda: trial.run("recount").code == 0, PATIENCE_S)
        was = fdds(trial, request_id)
        trial.sluice.kill()

        trial.set(START)
        where = ("--data-dir", other.sluice.folder / "data")
        ran = sluice_process("state", "restore", tmp_path / "b", *where)
        assert ran.code == 0, ran.err
        other.sluice.start()
        other.counts(request_id, created=80, attempted=2, yet_to_process=39)
        repaired = sluice("campaigns", "recount", "--repair", server=other.sluice.url)
        assert repaired.code in (0, 1), repaired.err
        until(lambda: other.run("recount").code == 0, PATIENCE_S)
        other.set(IN_SLOT)
        assert other.counts(request_id, reached=39, attempted=41) == lived
        until(lambda: other.run("recount").code == 0, PATIENCE_S)
        assert fdds(other, request_id) == was  # the dice of the simulation are the same
        other.set(SECOND_SLOT)
        other.counts(request_id, yet_to_process=0)
        other.set(IN_SECOND)
        other.counts(request_id, attempted=80, pending=0, reached=78)
    finally:
        trial.sluice.close()
        other.sluice.close()
