"""Rows that are bytes already, on their way into a commit: what `Shard.stage` does for others."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tables.blocks import gather
from tables.changes import Changes
from tables.layout import ROW, encode, outbox_key, wake_key
from tables.packed import with_output, with_seen
from tables.shard import Shard


def stage_packed(
    changes: Changes,
    rows: Mapping[bytes, bytes],
    woken: Iterable[tuple[bytes, int, int]],
    seen: Mapping[bytes, list[Any]],
    *,
    since: int,
    cached: bool,
) -> None:
    """Each row by its key, for the only time in its commit; `cached` ones stay in memory.

    `woken` is (key, when it would have been looked at, when it is to be), 0 for never. `seen` has
    the runs of event ids that travel with a row, whose blocks are numbered from `since` on.
    """
    puts = [(ROW + key, data) for key, data in rows.items()]
    changes.puts += puts
    if seen:
        for key, run in seen.items():
            gather(changes.firsts, key, (run,), since)
        puts = [(ROW + key, with_seen(data, seen[key])) for key, data in rows.items()]
    changes.log += puts
    for key, before, after in woken:
        if before:
            changes.dropped.append(wake_key(before, key))
        at = wake_key(after, key)
        changes.puts.append((at, b""))
        changes.lowest_wake = min(changes.lowest_wake, at)
    changes.staged.update(rows if cached else dict.fromkeys(rows))


class Flushed(NamedTuple):
    """A row whose session was flushed: `record` goes out under the session's own key; `before` and
    `after` are when it would have been looked at, and when it is to be."""

    row_key: bytes
    row: bytes
    key: bytes
    record: bytes
    before: int
    after: int


def stage_flushed(changes: Changes, shard: Shard, topic: str, flushed: Sequence[Flushed]) -> None:
    """Each row by its key, for the only time in its commit, with what it sends to `topic`."""
    log, puts, dropped, sent = changes.log, changes.puts, changes.dropped, changes.sent
    number = shard.numbered
    for row_key, row, key, record, before, after in flushed:
        number += 1
        sent.append((topic, key, record))
        change = (ROW + row_key, row)
        log.append((change[0], with_output(row, [number, topic, key, record])))
        dropped.append(wake_key(before, row_key))
        puts += (
            (outbox_key(number), encode((topic, key, record))),
            change,
            (wake_key(after, row_key), b""),
        )
    shard.numbered = number
    lowest = min(one.after for one in flushed)
    changes.lowest_wake = min(changes.lowest_wake, wake_key(lowest, b""))
    changes.staged.update((one.row_key, one.row) for one in flushed)
