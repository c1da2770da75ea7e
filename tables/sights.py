"""First sights of event ids: what recognises a duplicate.

The ids that a commit has seen first are kept in blocks (see blocks.py). Beside them the store has a
key for each id, whose value is its block's number: as a rule nothing but a look in the Bloom
filters, and made anew from the blocks. A block is numbered higher than all before it, so of two
that have an id the later one counts.

Format 1 had the sight itself under the key of each id, and in the changelog. Those that it left are
read as they are until they are forgotten.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from domain.errors import Invariant
from tables.blocks import decode_block
from tables.layout import block_key, decode_any, seen_prefix
from tables.store import KeyedStore

Sights = dict[bytes, list[Any]]
"""By event id."""
BLOCKS_AT_ONCE = 64  # in memory


def known(store: KeyedStore, groups: Mapping[bytes, Sequence[Any]], at: int) -> dict[bytes, Sights]:
    """Of the entries (offset, timestamp, values) by row key: the first sights of the ids that are
    `values[at]`, by row key, where there are any. One multi-get, and one of their blocks.
    """
    prefixes = map(seen_prefix, groups)
    keys = [
        prefix + entry[2][at]
        for prefix, entries in zip(prefixes, groups.values(), strict=True)
        for entry in entries
    ]
    found = store.get_many(keys)
    if not any(found):
        return {}
    sights = resolved(store, keys, found)
    of = iter(keys)
    told: dict[bytes, Sights] = {}
    for row_key, entries in groups.items():
        for entry, key in zip(entries, of):  # noqa: B905  # the keys of all groups
            if key in sights:
                told.setdefault(row_key, {})[entry[2][at]] = sights[key]
    return told


def sights(store: KeyedStore, row_key: bytes, event_ids: Iterable[bytes]) -> Sights:
    """The first sights of those ids that are known under one row key."""
    prefix, ids = seen_prefix(row_key), list(event_ids)
    keys = [prefix + event_id for event_id in ids]
    found = resolved(store, keys, store.get_many(keys))
    return {event_id: found[key] for event_id, key in zip(ids, keys, strict=True) if key in found}


def resolved(
    store: KeyedStore, keys: Sequence[bytes], found: Sequence[bytes | None]
) -> dict[bytes, list[Any]]:
    """The sights that the values of ids' keys stand for, by key."""
    told: dict[bytes, list[Any]] = {}
    blocks: dict[int, list[bytes]] = {}
    for key, data in zip(keys, found, strict=True):
        if data is not None:
            value = decode_any(data)
            if value.__class__ is int:
                blocks.setdefault(value, []).append(key)
            else:
                told[key] = value
    numbers = list(blocks)
    for at in range(0, len(numbers), BLOCKS_AT_ONCE):
        piece = numbers[at : at + BLOCKS_AT_ONCE]
        for number, body in zip(piece, store.get_many(list(map(block_key, piece))), strict=True):
            block = None if body is None else decode_block(body)
            for key in blocks[number]:
                sight = None if block is None else block.sight(key[1:])
                if sight is None:
                    raise Invariant(
                        "an event id's block is there and has it", f"{key!r}, block {number}"
                    )
                told[key] = sight
    return told


def of_row(
    store: KeyedStore, row_key: bytes, piece: int
) -> Iterator[list[tuple[bytes, list[Any] | None, int | None]]]:
    """All ids under a row key, `piece` at a time: (key, the sight that format 1 left there or None,
    the block's number).
    """
    first = at = seen_prefix(row_key)
    while found := list(store.scan(at, first + b"\xff" * 128, piece)):
        told: list[tuple[bytes, list[Any] | None, int | None]] = []
        for key, data in found:
            value = decode_any(data)
            told.append((key, None, value) if isinstance(value, int) else (key, value, None))
        yield told
        at = found[-1][0] + b"\0"
