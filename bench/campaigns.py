"""`sluice bench campaigns`: the FDDs of an upload with 2 slots are made, a tenth of its numbers
becomes negative, and a slot is dispatched; beside it what somebody would write by hand.

Each system is a process of its own, on core 1; servers are to run on core 0. What was made is
counted anew, in the shard and in the stores: a run with wrong counts prints no figure.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.machine import machine

ROOT = Path(__file__).parent.parent
SYSTEMS = ("sluice", "sluice-shard", "insert-many", "load-data")
LIMIT_S = 1800.0


@dataclass(frozen=True)
class CampaignsPlan:
    """`rows` of the upload. Addresses as in the settings; without one the embedded twin."""

    systems: tuple[str, ...]
    work: Path
    rows: int = 1_000_000
    stream: str = "embedded://"
    documents: str = ""
    negatives: str = ""


def run(plan: CampaignsPlan) -> dict[str, Any]:
    """Runs the systems one after the other; the report as written to bench/results/."""
    plan.work.mkdir(parents=True, exist_ok=True)
    results = []
    for system in plan.systems:
        found = _one(plan, system)
        print(json.dumps(found), flush=True)
        results += found
    return {"bench": "campaigns", "when": time.strftime("%FT%TZ", time.gmtime()), **machine(),
            "results": results}  # fmt: skip


def _one(plan: CampaignsPlan, system: str) -> list[dict[str, Any]]:
    if (system == "insert-many" and not plan.documents) or (
        system == "load-data" and not plan.negatives
    ):
        return [{"system": system, "failed": "no server; scripts/bench starts one"}]
    environ = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SLUICE_STREAM": plan.stream,
        "SLUICE_DOCUMENTS": plan.documents,
        "SLUICE_NEGATIVES": plan.negatives,
    }
    with tempfile.TemporaryDirectory(dir=plan.work, prefix="campaigns-") as folder:
        command = ["taskset", "-c", "1", "timeout", "--foreground", str(LIMIT_S), sys.executable]
        command += ["-P", "-m", "bench.campaigns_shard", system, str(plan.rows)]
        command += [str(plan.rows // 10), folder]
        log = plan.work / f"campaigns-{system}.log"
        with log.open("wb") as errors:
            done = subprocess.run(
                command, cwd=ROOT, env={**environ, "SLUICE_DATA_DIR": folder},
                stdout=subprocess.PIPE, stderr=errors, check=False,
            )  # fmt: skip
    if done.returncode:
        why = "took too long" if done.returncode == 124 else f"ended with {done.returncode}"
        return [{"system": system, "failed": f"{why}; see {log.name}"}]
    return [{"system": system, **each} for each in json.loads(done.stdout)]
