"""A SQLite file that others have, too."""

import asyncio
import sqlite3
import threading
from pathlib import Path

from connectors.stores.sqlite_file import SqliteFile

SCHEMA = "CREATE TABLE IF NOT EXISTS t (x INTEGER)"


def test_a_file_that_somebody_is_making_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "t.sqlite"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute(SCHEMA)
    other.execute("BEGIN IMMEDIATE")
    other.execute("INSERT INTO t VALUES (1)")

    async def story() -> list[tuple[int]]:
        file = SqliteFile(path, SCHEMA)
        release = threading.Timer(0.2, other.execute, ("COMMIT",))
        release.start()
        try:
            return await file.write(
                lambda connection: connection.execute("SELECT x FROM t").fetchall()
            )
        finally:
            release.join()
            await file.close()

    assert asyncio.run(story()) == [(1,)]
    other.close()
