"""Keys lie where Kafka's clients put them."""

import pytest
from aiokafka.partitioner import murmur2 as aiokafka_murmur2
from hypothesis import given
from hypothesis import strategies as st

from connectors.streams.murmur2 import MANY, murmur2, partition_for, partitions_for

# from the tests of Kafka's Java client, signed there
VECTORS = {
    b"21": -973932308,
    b"foobar": -790332482,
    b"a-little-bit-long-string": -985981536,
    b"a-little-bit-longer-string": -1486304829,
    b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    b"abc": 479470107,
}


@pytest.mark.parametrize(("key", "expected"), VECTORS.items())
def test_hash_is_that_of_the_java_client(key: bytes, expected: int) -> None:
    assert murmur2(key) == expected & 0xFFFFFFFF


@given(st.binary(max_size=300))
def test_hash_is_that_of_aiokafka(key: bytes) -> None:
    assert murmur2(key) == aiokafka_murmur2(key) & 0xFFFFFFFF


def test_long_keys_are_hashed_too() -> None:
    key = bytes(range(256)) * 40
    assert murmur2(key) == aiokafka_murmur2(key) & 0xFFFFFFFF


@given(st.binary(max_size=40), st.integers(1, 50))
def test_partition_is_the_positive_hash_modulo(key: bytes, partitions: int) -> None:
    assert partition_for(key, partitions) == (aiokafka_murmur2(key) & 0x7FFFFFFF) % partitions


@given(st.lists(st.binary(max_size=23), min_size=1, max_size=40), st.integers(1, 50))
def test_many_keys_lie_where_each_of_them_does(keys: list[bytes], partitions: int) -> None:
    many = keys * (1 + MANY // len(keys))
    assert partitions_for(many, partitions) == [partition_for(key, partitions) for key in many]
    alike = [key for key in many if len(key) == len(keys[0])]
    assert partitions_for(alike, partitions) == [partition_for(key, partitions) for key in alike]
