"""A transaction of the log's file is whole or not at all."""

from pathlib import Path

import pytest

from connectors.streams.base import StreamUnavailable
from connectors.streams.embedded.database import Database

_INSERT = "INSERT INTO blobs (data) VALUES (?)"


def _blobs(database: Database) -> list[bytes]:
    return [row[0] for row in database.connection.execute("SELECT data FROM blobs")]


def test_transaction_that_raises_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    database = Database(tmp_path / "log.sqlite", None)
    with pytest.raises(LookupError), database.transaction() as connection:
        connection.execute(_INSERT, (b"never",))
        raise LookupError
    with database.transaction() as connection:
        connection.execute(_INSERT, (b"stays",))
    assert _blobs(database) == [b"stays"]
    database.close()
    again = Database(tmp_path / "log.sqlite", None)
    assert _blobs(again) == [b"stays"]
    again.close()


def test_errors_of_sqlite_say_which_file(tmp_path: Path) -> None:
    database = Database(tmp_path / "log.sqlite", None)
    told = pytest.raises(StreamUnavailable, match=r"log\.sqlite is not reachable: .*nothing")
    with told, database.transaction() as connection:
        connection.execute("INSERT INTO nothing VALUES (1)")
    database.close()
