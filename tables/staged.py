"""Rows that are bytes already, on their way into a commit: what `Shard.stage` does for others."""

from collections.abc import Iterable, Mapping
from typing import Any

from tables.blocks import gather
from tables.changes import Changes
from tables.layout import ROW, wake_key
from tables.packed import with_seen


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
