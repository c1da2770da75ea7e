"""Blocks of event ids: some hundred first sights from one input partition, in one record.

A block is in the changelog as it is in the store, and goes as a whole when all of it is over. What
travels in the rows of a commit is gathered by input partition and laid down before the rows are, so
who reads the changelog has the blocks first.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from operator import itemgetter
from struct import pack, unpack_from
from typing import TYPE_CHECKING, Any

import msgspec

from domain.aggregation.sights import SIGHT
from tables.changelog import Change
from tables.layout import FORGET, SEEN, block_key, encode, instant_bytes, seen_prefix
from tables.store import KeyedStore

if TYPE_CHECKING:
    from tables.changes import Changes

Firsts = dict[tuple[str, int, int, int, int], list[tuple[bytes, list[Any]]]]
"""(topic, partition, kept ms, mark, length of a key) -> (what keys begin with behind SEEN, [the
rest of a key, offset, timestamp, …])."""
Put = tuple[bytes, bytes]

BLOCK_IDS = 512  # 16 KB: what is read to look at one sight, and written again to take one out
PREFIX = itemgetter(0)
SPAN = 1 << 32  # of offsets, and of timestamps, in one block


class Block(msgspec.Struct, array_like=True, gc=False):
    """`keys`: hash of the row key and event id, all of `width` bytes. `offsets` and `times`: what
    is to be added to `offset` and `timestamp`, 32 bits each.
    """

    topic: str
    partition: int
    kept_ms: int
    mark: int
    width: int
    offset: int
    timestamp: int
    keys: bytes
    offsets: bytes
    times: bytes

    def ids(self) -> list[bytes]:
        """The keys one by one."""
        keys, width = self.keys, self.width
        return [keys[at : at + width] for at in range(0, len(keys), width)]

    def forget_at(self) -> int:
        """When all of it is over."""
        number = len(self.times) // 4
        newest: int = max(unpack_from(f">{number}I", self.times))
        return self.timestamp + newest + self.kept_ms

    def sight(self, key: bytes) -> list[Any] | None:
        """The first sight of an id, by its key behind SEEN."""
        at = self.keys.find(key)
        while at % self.width:
            if at < 0:
                return None
            at = self.keys.find(key, at + 1)
        at = at // self.width * 4
        (offset,) = unpack_from(">I", self.offsets, at)
        (time,) = unpack_from(">I", self.times, at)
        time += self.timestamp
        mark = [1] * self.mark
        return [self.topic, self.partition, self.offset + offset, time, time + self.kept_ms, *mark]

    def only(self, places: Sequence[int]) -> "Block":
        """The block of those ids of it."""

        def picked(data: bytes, width: int) -> bytes:
            return b"".join(data[at * width : (at + 1) * width] for at in places)

        return msgspec.structs.replace(
            self,
            keys=picked(self.keys, self.width),
            offsets=picked(self.offsets, 4),
            times=picked(self.times, 4),
        )


decode_block = msgspec.msgpack.Decoder(Block).decode


def gather(firsts: Firsts, row_key: bytes, runs: Iterable[list[Any]], since: int) -> None:
    """Adds runs of a row, which then tell the number that their blocks have at least."""
    prefix = seen_prefix(row_key)[1:]
    for run in runs:
        run[5] = since
        topic, partition, kept_ms, flat, mark, _ = run
        at = (topic, partition, kept_ms, mark, len(prefix) + len(flat[0]))
        into = firsts.get(at)
        if into is None:
            into = firsts[at] = []
        into.append((prefix, flat))


def gather_sights(firsts: Firsts, by_key: Mapping[bytes, list[Any]]) -> None:
    """Adds sights by their keys."""
    for key, sight in by_key.items():
        topic, partition, offset, timestamp, forget_at = sight[:SIGHT]
        at = (topic, partition, forget_at - timestamp, int(len(sight) > SIGHT), len(key) - 1)
        firsts.setdefault(at, []).append((b"", [key[1:], offset, timestamp]))


def lay_down(firsts: Firsts, numbered: int) -> Iterator[tuple[int, Block, list[bytes]]]:
    """What was gathered, in blocks numbered on from `numbered`, and the keys in each."""
    for (topic, partition, kept_ms, mark, width), gathered in firsts.items():
        gathered.sort(key=PREFIX)  # in their order, RocksDB takes them in two thirds of the time
        keys = [prefix + event_id for prefix, flat in gathered for event_id in flat[::3]]
        flats: list[Any] = list(chain.from_iterable([flat for _, flat in gathered]))
        offsets: list[int] = flats[1::3]
        times: list[int] = flats[2::3]
        at, end = 0, len(keys)
        while at < end:
            upto = min(at + BLOCK_IDS, end)
            while True:
                where, when = offsets[at:upto], times[at:upto]
                first, begin = min(where), min(when)
                if max(where) - first < SPAN and max(when) - begin < SPAN:
                    break
                upto = (at + upto + 1) // 2
            numbered += 1
            mine, form = keys[at:upto], f">{upto - at}I"
            yield numbered, Block(
                topic, partition, kept_ms, mark, width, first, begin, b"".join(mine),
                pack(form, *[offset - first for offset in where]),
                pack(form, *[time - begin for time in when]),
            ), mine  # fmt: skip
            at = upto


def put_blocks(changes: "Changes", numbered: int) -> tuple[int, list[Change]]:
    """Lays down what was gathered: (the last number, records for the changelog); the rest is among
    the puts of `changes`.
    """
    log: list[Change] = []
    leading: list[Put] = []
    puts = changes.puts
    for number, block, keys in lay_down(changes.firsts, numbered):
        record, index = (block_key(number), encode(block)), index_key(number, block)
        log.append(record)
        ref = encode(number)
        puts += [record, (index, b"")]
        leading += [(SEEN + key, ref) for key in keys]
        changes.lowest_forget = min(changes.lowest_forget, index)
        numbered = number
    puts += leading
    return numbered, log


def index_key(number: int, block: Block) -> bytes:
    """The forget index's key of a block."""
    return FORGET + instant_bytes(block.forget_at()) + block_key(number)


def keys_of(number: int, block: Block) -> list[Put]:
    """What leads to a block: the keys of its ids."""
    ref = encode(number)
    return [(SEEN + key, ref) for key in block.ids()]


def leads_to(store: KeyedStore, number: int, block: Block) -> list[bool]:
    """Of each id of a block, whether its key leads there: not to a later one, nor gone."""
    ref = encode(number)
    return [data == ref for data in store.get_many([SEEN + key for key in block.ids()])]


def number_of(key: bytes) -> int:
    """The number in a block's key."""
    return int.from_bytes(key[1:], "big")
