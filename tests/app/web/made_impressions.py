"""Made-up tables of impressions: manifests without the files they name, and a queue."""

import hashlib
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any

from agents.impressions import journal
from agents.impressions.journal import StepRecord
from domain.aggregation.instants import print_instant
from domain.impressions.figures import Figures
from domain.impressions.layout import (
    DIMENSION,
    JOINED,
    PARTITIONED,
    TABLES,
    UPDATED,
    file_name,
    folder,
    manifest_name,
    piece_name,
)
from domain.impressions.manifest import FileEntry, Load, Manifest, Piece, PieceRef, encode, entry
from tests.agents.impressions.kit import MemoryFiles
from tests.app.web.made import NOW_MS

# size -> (days, campaigns, buckets, rows of a file)
SIZES = {"little": (3, 4, 2, 7), "big": (60, 40, 8, 52_000)}
UNKNOWN = 3  # how many campaigns the dimension does not have
TODAY = datetime.fromtimestamp(NOW_MS / 1000, UTC).date()


def _days(count: int) -> list[str]:
    # that of yesterday has not come
    return [(TODAY - timedelta(days=n)).isoformat() for n in range(2, count + 2)]


def _entry(table: str, day: str, bucket: int, number: int, rows: int) -> FileEntry:
    campaign = f"campaign_{number:02}"
    mean = 0.3 + number / 200 + date.fromisoformat(day).day / 500
    figures = Figures(rows, mean * rows, 0.0, (mean * mean + 0.04) * rows, 0.0, 0.01, 0.99)
    path = file_name("dated", table, day, bucket, campaign.encode())
    matched = table == PARTITIONED or number >= UNKNOWN
    return entry(path, (bucket, campaign), "0" * 64, 9 * rows, figures, matched=matched)


@lru_cache
def tables(size: str) -> MemoryFiles:
    """The tables as they lie; nobody may change them."""
    files = MemoryFiles()
    if size not in SIZES:
        return files
    days, campaigns, buckets, rows = SIZES[size]
    at = print_instant(NOW_MS - 3_600_000)
    loads = tuple(
        Load(
            f"{n:016x}", f"s3://impressions/incoming/{day}.csv.gz", "0" * 64, f"tag{n}", "loaded",
            campaigns * buckets * rows, 12 if n == 1 else 0,
            print_instant(NOW_MS - 86_400_000 * n - 90_000), print_instant(NOW_MS - 86_400_000 * n),
            (day,), rejects=f"{folder(PARTITIONED)}/rejects/{n:016x}.csv" if n == 1 else "",
        )
        for n, day in enumerate(_days(days))
    )  # fmt: skip
    for table in TABLES:
        pieces = {}
        for day in _days(days):
            entries = tuple(
                _entry(table, day, bucket, number, rows)
                for bucket in range(buckets)
                for number in range(campaigns)
            )
            text = encode(Piece(day, entries))
            path = piece_name(table, day, 1)
            files.held[path] = text, path
            unmatched = sum(one.rows for one in entries if not one.matched)
            digest = hashlib.sha256(text).hexdigest()
            pieces[day] = PieceRef(path, digest, len(entries), len(entries) * rows, unmatched)
        joined = table != PARTITIONED
        manifest = Manifest(
            table, days, written=at, pieces=pieces, loads=loads,
            dimension=2 if table == UPDATED else 1 if joined else None,
            of=days if joined else None,
        )  # fmt: skip
        files.held[manifest_name(table)] = encode(manifest), f"manifest of {table}"
        _journal(files, table, len(pieces) * campaigns * buckets, rows)
    dimension = Manifest(DIMENSION, 2, written=at, dimension=2)
    files.held[manifest_name(DIMENSION)] = encode(dimension), "manifest of the dimension"
    return files


def _journal(files: MemoryFiles, table: str, count: int, rows: int) -> None:
    step = {PARTITIONED: "partition", JOINED: "join", UPDATED: "update"}[table]
    begun = print_instant(NOW_MS - 7_200_000)
    journal.begin(files, StepRecord(step, table, "running", begun))
    done = StepRecord(
        step, table, "done", begun, print_instant(NOW_MS - 7_100_000), "s3://impressions/a.csv.gz",
        "0" * 16, count * rows, 12, count, 9 * count * rows, 3,
    )  # fmt: skip
    journal.end(files, done)
    if table == PARTITIONED:
        at = print_instant(NOW_MS - 600_000)
        journal.begin(files, StepRecord(step, table, "running", at))
        problem = "s3://impressions/incoming/bad.csv.gz: at byte 99: the file ends within the gzip"
        failed = StepRecord(
            step, table, "failed", at, at, "s3://impressions/incoming/bad.csv.gz", version=3,
            problem=problem,
        )  # fmt: skip
        journal.end(files, failed)


def queue(size: str) -> dict[str, Any]:
    """What the owner of the queue tells."""
    if size not in SIZES:
        return {"worker": "w-1", "jobs": [], "waiting": 0, "missing": [], "trouble": ""}
    yesterday = (TODAY - timedelta(days=1)).isoformat()
    at = print_instant(NOW_MS - 60_000)
    file = "s3://impressions/incoming/late.csv.gz"
    job = {
        "job": f"file/{file}", "kind": "load", "file": file, "state": "running",
        "step": "partition", "done": 1 << 30, "total": 5 << 30, "rows": 81_204_551, "queued": at,
        "ended": None, "load": "", "problem": "",
    }  # fmt: skip
    waits = {**job, "job": "event/7", "kind": "dimension", "file": "s3://impressions/dim.csv",
             "state": "waiting", "step": "", "done": 0, "total": 0, "rows": 0,
             "problem": "FACT_JOINED is being worked on: join"}  # fmt: skip
    failed = {**waits, "job": "event/6", "kind": "load", "state": "failed", "ended": at,
              "file": "s3://impressions/gone.csv.gz", "problem": "it is not there"}  # fmt: skip
    missing = [{"day": yesterday, "since": at}] if size == "big" else []
    return {
        "worker": "w-1", "jobs": [job, waits, failed], "waiting": 2, "missing": missing,
        "trouble": "",
    }  # fmt: skip
