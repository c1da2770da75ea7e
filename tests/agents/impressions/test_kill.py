"""Commands killed with -9 at random moments: the old version is readable, a rerun completes."""

import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.impressions.store import Store
from agents.impressions.strays import unknown
from connectors.files.local import PART
from domain.impressions.layout import DIMENSION, JOINED, PARTITIONED, TABLES, UPDATED
from tests.agents.impressions.kit import check_table, content_of, packed
from tests.contracts.files import Tree, tree
from tests.waiting import until

ROOT = Path(__file__).resolve().parents[3]
CAMPAIGNS = 10
ROWS = 2000  # of a round
STEPS = {"partition": PARTITIONED, "join": JOINED, "update": UPDATED}


@dataclass(frozen=True)
class Place:
    """Where the commands are run, and where their tables are."""

    work: Path
    tables: Tree

    def started(self, *words: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-P", "-m", "app.cli", "impressions", *words, "--json"]
        access = self.tables.access
        environ = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "SLUICE_DATA_DIR": str(self.work / "data"),
            "SLUICE_TABLES_ROOT": self.tables.address,
            "SLUICE_S3_ENDPOINT": access.endpoint,
            "SLUICE_S3_REGION": access.region,
            "SLUICE_S3_ACCESS_KEY": access.access_key,
            "SLUICE_S3_SECRET_KEY": access.secret_key,
        }
        return subprocess.Popen(command, cwd=self.work, env=environ, stdout=subprocess.PIPE)

    def done(self, *words: str) -> dict[str, object]:
        process = self.started(*words)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0
        found = json.loads(output)
        assert isinstance(found, dict)
        return found

    def count(self, table: str) -> int:
        return sum(1 for _ in self.tables.open().list(f"tables/{table}/"))

    def killed(self, table: str, after: int, *words: str) -> None:
        """Kills a step once so many files were added to its table, unless it has ended before."""
        enough = after + self.count(table)
        process = self.started(*words)

        def seen() -> bool:
            return process.poll() is not None or self.count(table) >= enough

        try:
            until(seen, 300)
        finally:
            process.kill()
            process.communicate()


def make(work: Path, number: int) -> list[str]:
    """Files of one round: impressions, the dimension, and a changed one."""
    rows = [
        f"06/{1 + i % 2:02}/2025,{number}-{i},c{i % CAMPAIGNS},v{i % 7},{1 / (i + 2)!r}"
        for i in range(ROWS)
    ]
    (work / f"day{number}.csv.gz").write_bytes(packed(*rows))
    for name, mark in (("dim", "x"), ("new", "y")):
        lines = [f"c{i},{mark}{number if i % 2 else ''}{i}" for i in range(CAMPAIGNS)]
        (work / f"{name}{number}.csv").write_text("\n".join(["campaign_id,name", *lines]) + "\n")
    return [f"day{number}.csv.gz", f"dim{number}.csv", f"new{number}.csv"]


def rounds(place: Place, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    files = place.tables.open()
    for number in range(-(-kills // len(STEPS))):
        for (step, table), file in zip(STEPS.items(), make(place.work, number), strict=True):
            before = content_of(files, table)
            place.killed(table, chance.randrange(1, 200), step, file)
            now = content_of(files, table)
            place.done(step, file)
            after = content_of(files, table)
            assert now in (before, after)
            assert after.total() == ROWS * (number + 1)
            check_table(files, table)
    for table in (*TABLES, DIMENSION):
        assert list(unknown(Store(files), table)) == []
        assert files.stat(f"tables/{table}/lock.json") is None
    assert files.sweep("tables/") == 0  # nothing was begun and left
    left = [path.name for path in (place.work / "data").rglob("*")]
    assert not [name for name in left if PART in name]


@pytest.fixture(params=["folder", "s3_url"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    return Place(tmp_path, tree(request, tmp_path))


@pytest.mark.parametrize("place", ["folder"], indirect=True)
def test_killed_at_a_few_moments_a_rerun_completes(place: Place) -> None:
    rounds(place, 6, seed=11)


@pytest.mark.faults
@pytest.mark.timeout(3600)  # of ninety kills; a step has the limits of `Place`
def test_killed_at_thirty_moments_of_each_step_a_rerun_completes(place: Place) -> None:
    rounds(place, 90, seed=12)
