"""Commands killed with -9 at random moments: the old version is readable, a rerun completes."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from agents.impressions.store import Store
from agents.impressions.strays import unknown
from connectors.files.local import PART, LocalFiles
from domain.impressions.layout import DIMENSION, JOINED, PARTITIONED, TABLES, UPDATED
from tests.agents.impressions.kit import check_table, content_of, packed
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[3]
CAMPAIGNS = 10
STEPS = {"partition": PARTITIONED, "join": JOINED, "update": UPDATED}


def started(work: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "app.cli", "impressions", *words, "--json"]
    environ = {**os.environ, "PYTHONPATH": str(ROOT), "SLUICE_DATA_DIR": str(work / "data")}
    return subprocess.Popen(command, cwd=work, env=environ, stdout=subprocess.PIPE)


def done(work: Path, *words: str) -> dict[str, object]:
    process = started(work, *words)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    found = json.loads(output)
    assert isinstance(found, dict)
    return found


def killed(work: Path, table: str, after: int, *words: str) -> None:
    """Kills a step once so many files were added to its table, unless it has ended before."""
    folder = work / "data" / "impressions" / "tables" / table
    enough = after + sum(1 for _ in folder.rglob("*"))
    process = started(work, *words)

    def seen() -> bool:
        return process.poll() is not None or sum(1 for _ in folder.rglob("*")) >= enough

    try:
        until(seen, 60)
    finally:
        process.kill()
        process.communicate()


def make(work: Path, number: int) -> list[str]:
    """Files of one round: impressions, the dimension, and a changed one."""
    rows = [
        f"06/{1 + i % 2:02}/2025,{number}-{i},c{i % CAMPAIGNS},v{i % 7},{1 / (i + 2)!r}"
        for i in range(2000)
    ]
    (work / f"day{number}.csv.gz").write_bytes(packed(*rows))
    for name, mark in (("dim", "x"), ("new", "y")):
        lines = [f"c{i},{mark}{number if i % 2 else ''}{i}" for i in range(CAMPAIGNS)]
        (work / f"{name}{number}.csv").write_text("\n".join(["campaign_id,name", *lines]) + "\n")
    return [f"day{number}.csv.gz", f"dim{number}.csv", f"new{number}.csv"]


def rounds(work: Path, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    files = LocalFiles(work / "data" / "impressions")
    for number in range(-(-kills // len(STEPS))):
        for (step, table), file in zip(STEPS.items(), make(work, number), strict=True):
            before = content_of(files, table)
            killed(work, table, chance.randrange(1, 200), step, file)
            now = content_of(files, table)
            done(work, step, file)
            after = content_of(files, table)
            assert now in (before, after)
            assert after.total() == 2000 * (number + 1)
            check_table(files, table)
    for table in (*TABLES, DIMENSION):
        assert list(unknown(Store(files), table)) == []
    left = [path.name for path in (work / "data").rglob("*")]
    assert not [name for name in left if PART in name or name == "lock.json"]


def test_killed_at_a_few_moments_a_rerun_completes(tmp_path: Path) -> None:
    rounds(tmp_path, 6, seed=11)


@pytest.mark.faults
def test_killed_at_thirty_moments_of_each_step_a_rerun_completes(tmp_path: Path) -> None:
    rounds(tmp_path, 90, seed=12)
