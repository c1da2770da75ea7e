"""Kafka's default partitioner, so that a key lies in the same partition on every stream."""

from functools import lru_cache
from struct import Struct

_M = 0x5BD1E995
_SEED = 0x9747B28C
_MASK = 0xFFFFFFFF
# unpackers by number of 4-byte words; keys are short, longer ones make theirs on the spot
_WORDS = [Struct(f"<{count}I") for count in range(65)]


def murmur2(data: bytes) -> int:
    """The unsigned 32-bit murmur2 of `data`, as Kafka's Java client computes it."""
    length = len(data)
    count = length >> 2
    words = _WORDS[count] if count < len(_WORDS) else Struct(f"<{count}I")
    h = _SEED ^ length
    for word in words.unpack_from(data):
        k = (word * _M) & _MASK
        h = ((h * _M) & _MASK) ^ (((k ^ (k >> 24)) * _M) & _MASK)
    rest = length & 3
    if rest:
        h = ((h ^ int.from_bytes(data[-rest:], "little")) * _M) & _MASK
    h = ((h ^ (h >> 13)) * _M) & _MASK
    return h ^ (h >> 15)


# 64 Ki keys: the sessions of a busy minute; a hit costs a twentieth of the hash
@lru_cache(maxsize=1 << 16)
def partition_for(key: bytes, partitions: int) -> int:
    """The partition (0 <= p < partitions) in which records with this key lie."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions
