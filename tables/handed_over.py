"""Rows that leave a shard for another one, and event ids that come to it ahead of their row."""

from typing import TYPE_CHECKING

from tables.changelog import Change
from tables.layout import FORGET, ROW, encode, instant_bytes, wake_key

if TYPE_CHECKING:
    from tables.shard import Changes


def hand_over(
    changes: "Changes",
    log: list[Change],
    puts: list[tuple[bytes, bytes]],
    deletes: list[bytes],
) -> bytes:
    """Adds what rows that are `gone`, and first sights by their keys, mean for the changelog and
    the store; returns the first new key of the forget index.
    """
    for key, row in changes.gone.items():
        log.append((ROW + key, None))
        deletes += [ROW + key, wake_key(row.wake, key)]
    lowest = changes.lowest_forget
    for at, sight in changes.sights.items():
        body, index = encode(sight), FORGET + instant_bytes(sight[4]) + at
        log.append((at, body))
        puts += [(at, body), (index, b"")]
        lowest = min(lowest, index)
    return lowest
