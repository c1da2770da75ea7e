"""Rows that leave a shard for another one, and event ids that come to it ahead of their row."""

from typing import TYPE_CHECKING

from tables.blocks import gather_sights
from tables.changelog import Change
from tables.layout import ROW, wake_key

if TYPE_CHECKING:
    from tables.changes import Changes


def hand_over(changes: "Changes", log: list[Change], deletes: list[bytes]) -> None:
    """Adds what rows that are `gone` mean for the changelog and the store, and first sights by
    their keys to those gathered.
    """
    for key, row in changes.gone.items():
        log.append((ROW + key, None))
        deletes += [ROW + key, wake_key(row.wake, key)]
    gather_sights(changes.firsts, changes.sights)
