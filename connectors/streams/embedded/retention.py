"""Retention by time: what is older goes, from the beginning of a partition, blob by blob."""

from collections.abc import Iterator

from connectors.streams.embedded.catalog import Partition
from connectors.streams.embedded.database import Database, delete_batches

# Blobs a step: at most 16 MiB are deleted, some milliseconds in which no append is served.
STEP_BLOBS = 64


def expire(database: Database, partition: Partition, now_ms: int) -> Iterator[None]:
    """Deletes the leading blobs whose records are all past retention; yields between steps.

    Offsets stay: the beginning moves up, the end never moves back.
    """
    retention_ms = partition.topic.retention_ms
    if retention_ms is None:
        return
    while True:
        expired: list[tuple[int, int]] = []
        with database.errors():
            rows = database.connection.execute(
                "SELECT last_offset, max_ms, blob FROM batches WHERE part = ?"
                " ORDER BY last_offset LIMIT ?",
                (partition.id, STEP_BLOBS),
            ).fetchall()
        for last_offset, max_ms, blob in rows:
            if max_ms >= now_ms - retention_ms:
                break
            expired.append((last_offset, blob))
        if not expired:
            return
        begin = expired[-1][0] + 1
        with database.transaction() as connection:
            delete_batches(connection, partition.id, expired)
            connection.execute(
                "UPDATE partitions SET begin_offset = ? WHERE id = ?", (begin, partition.id)
            )
        partition.begin = begin
        yield
