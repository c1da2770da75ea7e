"""A test's own look into a MySQL database."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

import pymysql


class Database:
    """Statements by a connection of its own; each is committed."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.connection = pymysql.connect(
            host=parts.hostname,
            port=parts.port or 3306,
            user=unquote(parts.username or ""),
            password=unquote(parts.password or ""),
            database=parts.path.strip("/"),
            autocommit=True,
        )

    def rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Runs a statement; its rows."""
        with self.connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall())


@contextmanager
def database(url: str) -> Iterator[Database]:
    """Connected until the block ends."""
    found = Database(url)
    try:
        yield found
    finally:
        found.connection.close()
