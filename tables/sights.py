"""First sights of event ids: what recognises a duplicate.

A sight is [topic, partition, offset, timestamp, forget at], kept under its session key until it may
be forgotten.
"""

from collections.abc import Sequence
from typing import Any

from tables.layout import decode_any, seen_key
from tables.store import KeyedStore

Sights = dict[bytes, list[Any]]
"""By event id."""


def sights(store: KeyedStore, wanted: Sequence[tuple[bytes, bytes]]) -> dict[bytes, Sights]:
    """Of (row key, event id): those that are known, by row key, in one multi-get."""
    known: dict[bytes, Sights] = {}
    found = store.get_many([seen_key(*each) for each in wanted])
    for (row_key, event_id), data in zip(wanted, found, strict=True):
        if data is not None:
            known.setdefault(row_key, {})[event_id] = decode_any(data)
    return known
