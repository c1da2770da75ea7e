"""How event ids are forgotten: by the block when their time is over; out of blocks, with their row.

What is taken out of a block goes from the changelog as the block is written again without it.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from tables.blocks import (
    Block,
    decode_block,
    index_key,
    leads_to,
    number_of,
)
from tables.layout import (
    BLOCK,
    BLOCK_END,
    FORGET,
    SEEN,
    block_key,
    decode_any,
    encode,
    instant_bytes,
    seen_prefix,
)
from tables.sights import of_row
from tables.store import KeyedStore

if TYPE_CHECKING:
    from tables.changes import Changes

BLOCKS_AT_ONCE = 200  # written again in one commit: 3 MB
IDS_AT_ONCE = 2_000


def over(
    store: KeyedStore, start: bytes, now_ms: int, limit: int
) -> tuple[list[bytes], list[bytes], list[bytes]]:
    """What of the forget index is over, from `start` on as far as it is of some `limit` ids: (its
    keys, keys that go from the changelog too, keys that go from the store).
    """
    index: list[bytes] = []
    alone: list[bytes] = []
    gone: list[bytes] = []
    dropped: list[bytes] = []
    for key, _ in store.scan(start, FORGET + instant_bytes(now_ms + 1), limit):
        at = key[9:]
        if at[:1] == BLOCK:
            if len(dropped) + len(alone) >= limit:
                break
            (body,) = store.get_many([at])
            if body is not None:
                block = decode_block(body)
                gone.append(at)
                ids = zip(block.ids(), leads_to(store, number_of(at), block), strict=True)
                dropped += [SEEN + each for each, leads in ids if leads]
        else:
            alone.append(at)
        index.append(key)
    for at, data in zip(alone, store.get_many(alone), strict=True):
        sight = None if data is None else decode_any(data)
        # one that has come again since has another entry, or is in a block
        if isinstance(sight, list) and sight[4] <= now_ms:
            gone.append(at)
    return index, gone, dropped


def take_out(
    store: KeyedStore, row_keys: Sequence[bytes], spared: bytes, new: "Callable[[], Changes]"
) -> Iterator["Changes"]:
    """What is to be committed, one by one, so that the ids under these rows are forgotten; ids that
    begin with `spared` stay.
    """
    hashes = {seen_prefix(key)[1:] for key in row_keys}
    length = len(seen_prefix(b"")) - 1
    changes, numbers = new(), set[int]()

    def stays(key: bytes) -> bool:
        return key[:length] not in hashes or key.startswith(spared, length)

    def rest() -> None:
        for number, block in _blocks(store, numbers):
            places = [at for at, key in enumerate(block.ids()) if stays(key)]
            ids = zip(block.ids(), leads_to(store, number, block), strict=True)
            changes.dropped += [SEEN + key for key, leads in ids if leads and not stays(key)]
            write_again(changes, number, block, places)

    for row_key in row_keys:
        for found in of_row(store, row_key, IDS_AT_ONCE):
            for key, sight, number in found:
                if stays(key[1:]):
                    continue
                if number is not None:
                    numbers.add(number)
                elif sight is not None:
                    changes.forget.append(key)
                    changes.dropped.append(FORGET + instant_bytes(sight[4]) + key)
                if len(numbers) >= BLOCKS_AT_ONCE:
                    rest()
                    yield changes
                    changes, numbers = new(), set()
    if numbers or changes.forget:
        rest()
        yield changes


def sweep(store: KeyedStore, new: "Callable[[], Changes]") -> Iterator["Changes"]:
    """What is to be committed, one by one, so that blocks have only ids whose keys lead there."""
    at = BLOCK
    while found := list(store.scan(at, BLOCK_END, BLOCKS_AT_ONCE)):
        at = found[-1][0] + b"\0"
        changes = new()
        for key, body in found:
            number, block = number_of(key), decode_block(body)
            leads = leads_to(store, number, block)
            if not all(leads):
                write_again(changes, number, block, [i for i, there in enumerate(leads) if there])
        if changes.dropped:
            yield changes


def write_again(changes: "Changes", number: int, block: Block, places: Sequence[int]) -> None:
    """The block has only the ids at these places; without any it goes."""
    key = block_key(number)
    changes.dropped.append(index_key(number, block))
    if not places:
        changes.forget.append(key)
        return
    left = block.only(places)
    index = index_key(number, left)
    changes.kept[key] = encode(left)
    changes.puts.append((index, b""))
    changes.lowest_forget = min(changes.lowest_forget, index)


def _blocks(store: KeyedStore, numbers: set[int]) -> Iterator[tuple[int, Block]]:
    ordered = sorted(numbers)
    for number, body in zip(ordered, store.get_many(list(map(block_key, ordered))), strict=True):
        if body is not None:
            yield number, decode_block(body)
