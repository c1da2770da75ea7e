"""What files of tables are called, and which row goes into which.

Dated: `tables/<TABLE>/AdDate=YYYY-MM-DD/B_<n>/<TABLE>.B_<n>.<campaign>.csv.gz`. Compat: without the
date, and with the suffix of the step before `.csv.gz`.
"""

import hashlib
import re
from typing import Literal

Layout = Literal["dated", "compat"]

PARTITIONED, JOINED, UPDATED = "FACT_PARTITIONED", "FACT_JOINED", "FACT_UPDATED"
TABLES = (PARTITIONED, JOINED, UPDATED)
DIMENSION = "DIMENSION"

# table -> what the compat layout has in the names of its files
SUFFIXES = {
    PARTITIONED: "campaign",
    JOINED: "joined_fact_and_dim",
    UPDATED: "updated_fact_from_dim",
}
BUCKETS = 8
LONGEST_NAME = 150  # bytes of a campaign's name in that of a file; file systems allow 255 in all
ENDING = ".csv.gz"

_OTHER = re.compile(rb"[^A-Za-z0-9_-]")
_MASK = (1 << 64) - 1
# Odd constants of splitmix64. They are in every table's file names: never to be changed.
MIX_WORD, MIX_LENGTH, MIX_END = 0xBF58476D1CE4E5B9, 0x9E3779B97F4A7C15, 0x94D049BB133111EB


def bucket_of(impression_id: bytes, buckets: int) -> int:
    """The bucket of an impression in the dated layout: the same on every machine, for ever.

    The bytes are taken as little-endian words of eight, filled up with zeros.
    """
    mixed = (len(impression_id) * MIX_LENGTH) & _MASK
    for start in range(0, len(impression_id), 8):
        word = int.from_bytes(impression_id[start : start + 8], "little")
        mixed = ((mixed ^ word) * MIX_WORD) & _MASK
        mixed ^= mixed >> 32
    mixed = (mixed * MIX_END) & _MASK
    return (mixed >> 33) % buckets


def campaign_name(campaign: bytes) -> str:
    """A campaign's id as it stands in file names; different ids have different names.

    Bytes other than `[A-Za-z0-9_-]` are percent-encoded. A name above LONGEST_NAME bytes is cut,
    with a hash of the id behind `%-`, which no encoding makes.
    """
    name = _OTHER.sub(lambda found: b"%%%02x" % found[0][0], campaign).decode("ascii")
    if len(name) <= LONGEST_NAME:
        return name
    mark = f"%-{hashlib.sha256(campaign).hexdigest()[:16]}"
    return name[: LONGEST_NAME - len(mark)] + mark


def folder(table: str) -> str:
    """Where everything of a table is."""
    return f"tables/{table}"


def manifest_name(table: str) -> str:
    """The file of a table's manifest."""
    return f"{folder(table)}/manifest.json"


def piece_name(table: str, date: str, version: int) -> str:
    """The file of a date's list, written by that version of the table."""
    return f"{piece_folder(table, date)}/files.v{version}.json"


def piece_folder(table: str, date: str) -> str:
    """Where the files of a date are; `date` is empty in the compat layout."""
    return f"tables/{table}/AdDate={date}" if date else f"tables/{table}"


def file_name(
    layout: Layout, table: str, date: str, bucket: int, campaign: bytes, version: int | None = None
) -> str:
    """The path of a file below the root. `version`: that of the table, for a file that replaces
    another."""
    parts = [table, f"B_{bucket}", campaign_name(campaign)]
    if layout == "compat":
        parts.append(SUFFIXES[table])
    if version is not None:
        parts.append(f"v{version}")
    return f"{piece_folder(table, date)}/B_{bucket}/{'.'.join(parts)}{ENDING}"
