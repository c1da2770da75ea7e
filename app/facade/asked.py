"""The letters that a replay is for, kept beside the view of the letters while it runs."""

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from app.facade.letters import COLUMNS, tests_of

_MADE = """
CREATE TEMP TABLE IF NOT EXISTS asked (
    command TEXT, seq INTEGER, PRIMARY KEY (command, seq)
) WITHOUT ROWID
"""


def select(
    connection: sqlite3.Connection, command: str, where: Mapping[str, str], ends: Mapping[int, int]
) -> int:
    """Selects the letters not replayed that match and were first written before those ends of the
    topic's partitions; returns how many.
    """
    connection.execute(_MADE)
    tests, arguments = tests_of({**where, "replayed": "no"})
    for partition, end in ends.items():
        connection.execute(
            "INSERT OR IGNORE INTO asked SELECT ?, seq FROM letters"
            f" WHERE on_partition = ? AND first_offset < ?{tests}",
            (command, partition, end, *arguments),
        )
    count: int = connection.execute(
        "SELECT count(*) FROM asked WHERE command = ?", (command,)
    ).fetchone()[0]
    return count


def piece(connection: sqlite3.Connection, command: str, before: int, limit: int) -> list[Any]:
    """(place, the letter's columns) of the next letters, the newest first."""
    return connection.execute(
        f"SELECT letters.seq, {COLUMNS} FROM asked JOIN letters ON letters.seq = asked.seq"
        " WHERE command = ? AND asked.seq < ? ORDER BY asked.seq DESC LIMIT ?",
        (command, before, limit),
    ).fetchall()


def results(
    connection: sqlite3.Connection, command: str, since_ms: int
) -> tuple[int, dict[str, int], int]:
    """(replayed, refused again since then by reason, neither yet)."""
    replayed, waiting, refused = 0, 0, {}
    for how, reason, number in connection.execute(
        "SELECT CASE WHEN replayed_at IS NOT NULL THEN 1 WHEN tried_at >= ? THEN 2 ELSE 3 END,"
        " reason, count(*) FROM asked JOIN letters ON letters.seq = asked.seq"
        " WHERE command = ? GROUP BY 1, 2",
        (since_ms, command),
    ):
        if how == 1:
            replayed += number
        elif how == 2:
            refused[reason] = number
        else:
            waiting += number
    return replayed, refused, waiting


def forget(connection: sqlite3.Connection, command: str) -> None:
    """The replay is over."""
    connection.execute("DELETE FROM asked WHERE command = ?", (command,))


def about(
    connection: sqlite3.Connection, aggregator: str, inputs: Sequence[str], before: int, limit: int
) -> list[Any]:
    """(place, the letter's columns) of the next letters of the aggregator, or of none in particular
    on its inputs; the newest first."""
    marks = ", ".join("?" * len(inputs))
    return connection.execute(
        f"SELECT seq, {COLUMNS} FROM letters WHERE seq < ? AND (aggregator = ?"
        f" OR (aggregator IS NULL AND topic IN ({marks}))) ORDER BY seq DESC LIMIT ?",
        (before, aggregator, *inputs, limit),
    ).fetchall()


def still_there(connection: sqlite3.Connection, ids: Sequence[str]) -> int:
    """How many of these letters there are."""
    count = 0
    for at in range(0, len(ids), 500):
        some = ids[at : at + 500]
        marks = ", ".join("?" * len(some))
        count += connection.execute(
            f"SELECT count(*) FROM letters WHERE id IN ({marks})", some
        ).fetchone()[0]
    return count
