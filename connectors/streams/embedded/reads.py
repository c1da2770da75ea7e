"""Reading: slices of a partition, offsets by time, positions of groups. All in one thread."""

from collections.abc import Iterable

from connectors.streams.base import TP, Item
from connectors.streams.embedded.catalog import Partition
from connectors.streams.embedded.database import Database
from connectors.streams.embedded.records import unpack


def read_slice(
    database: Database, partition: Partition, offset: int, max_bytes: int, max_records: int
) -> tuple[list[Item], int]:
    """Whole blobs from `offset` on until one of the limits is reached, and where to read on."""
    items: list[Item] = []
    size = 0
    # the end before the query: what is beyond the last blob up to here is a gap
    next_offset = partition.end
    with database.errors():
        cursor = database.connection.execute(
            "SELECT last_offset, data FROM batches JOIN blobs ON blobs.id = batches.blob"
            " WHERE part = ? AND last_offset >= ? ORDER BY last_offset",
            (partition.id, offset),
        )
        for last_offset, data in cursor:
            items += unpack(data, offset)
            size += len(data)
            if size >= max_bytes or len(items) >= max_records:
                next_offset = last_offset + 1
                cursor.close()
                break
    return items, next_offset


def offset_at(database: Database, partition: Partition, timestamp_ms: int) -> int:
    """The first offset with a timestamp at or after the given one, else the end offset."""
    with database.errors():
        row = database.connection.execute(
            "SELECT data FROM batches JOIN blobs ON blobs.id = batches.blob"
            " WHERE part = ? AND max_ms >= ? ORDER BY last_offset LIMIT 1",
            (partition.id, timestamp_ms),
        ).fetchone()
    if row is None:
        return partition.end
    return next(item[0] for item in unpack(row[0], partition.begin) if item[1] >= timestamp_ms)


def committed(database: Database, group: str, tps: Iterable[TP]) -> dict[TP, int | None]:
    """The group's next offsets, None where it never committed."""
    with database.errors():
        stored = {
            (topic, number): offset
            for topic, number, offset in database.connection.execute(
                "SELECT topic, number, next_offset FROM commits WHERE consumers = ?", (group,)
            )
        }
    return {tp: stored.get(tp) for tp in tps}
