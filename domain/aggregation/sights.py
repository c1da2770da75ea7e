"""First sights of event ids, as a row carries them: in runs.

A sight is [topic, partition, offset, timestamp, forget at], and one part more when its event was
taken back. A run is [topic, partition, kept ms, [event id, offset, timestamp, …], mark, since]: the
ids of one length first seen in records of one input partition. `mark` is 1 for events taken back,
`since` is for tables.
"""

from collections.abc import Iterable
from typing import Any

SIGHT = 5  # parts of the first sight of an event that counts; one more says that it was taken back


def run_of(event_id: bytes, sight: list[Any], *, taken_back: bool = False) -> list[Any]:
    """The run of one id; that of a sight with a mark has one too."""
    topic, partition, offset, timestamp, forget_at = sight[:SIGHT]
    mark = int(taken_back or len(sight) > SIGHT)
    return [topic, partition, forget_at - timestamp, [event_id, offset, timestamp], mark, 0]


def sights_of(runs: Iterable[list[Any]]) -> dict[bytes, list[Any]]:
    """The first sights in runs, by event id."""
    found: dict[bytes, list[Any]] = {}
    for topic, partition, kept_ms, flat, mark, _ in runs:
        for event_id, offset, at in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
            found[event_id] = [topic, partition, offset, at, at + kept_ms, *([1] * mark)]
    return found
