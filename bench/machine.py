"""Where figures were measured."""

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PACKAGES = ("aiokafka", "confluent-kafka", "faust-streaming", "quixstreams", "bytewax", "rocksdict",
            "duckdb", "polars", "pandas", "pyarrow", "msgspec", "isal")  # fmt: skip


def machine() -> dict[str, Any]:
    """Commit, Python, cores and versions, for a report."""
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            continue
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return {
        "commit": commit,
        "python": platform.python_version(),
        "cores": os.cpu_count(),
        "machine": platform.machine(),
        "versions": versions,
    }
