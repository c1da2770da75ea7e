"""Hashes of values and registers of estimates, worked out by hand."""

from base64 import b64decode
from collections.abc import Iterator
from decimal import Decimal
from hashlib import blake2b
from math import inf, log
from struct import pack
from typing import Any

import pytest

from domain.aggregation import distinct
from domain.aggregation.distinct import LIMIT, REGISTERS, Sketch, digest, merged, noted
from domain.errors import Reject

REST = 1 << 50  # a hash is register * REST + what the rank is told by


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    monkeypatch.setattr(distinct, "LIMIT", 3)
    yield 3


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1, b"1"),
        (Decimal("1.0"), b"1"),
        ("1", b'"1"'),
        (True, b"true"),
        ({"b": 1, "a": []}, b'{"a":[],"b":1}'),
    ],
)
def test_a_value_stands_for_itself_by_its_canonical_json(value: Any, text: bytes) -> None:
    hashed = blake2b(text, digest_size=8).digest()
    assert digest(value).to_bytes(8, "big") == hashed


def test_what_is_nested_too_deep_stands_for_nothing() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(Reject) as refused:
        digest(deep)
    assert (refused.value.reason, refused.value.detail) == (
        "undecodable", "arrays and objects are nested too deep",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rest", "rank"),
    [(0, 51), (1, 50), (2, 49), (3, 49), (REST >> 1, 1), (REST - 1, 1), (REST >> 2, 2)],
)
def test_a_rank_is_the_number_of_leading_zeros_and_one(rest: int, rank: int) -> None:
    sketch = Sketch()
    sketch.add(5 * REST + rest)
    expected = bytearray(REGISTERS)
    expected[5] = rank
    assert sketch.registers == expected
    assert sketch.ranks == [REGISTERS - 1 if each == 0 else int(each == rank) for each in range(52)]


def test_a_register_keeps_its_highest_rank() -> None:
    sketch = Sketch()
    for rank in (3, 5, 4, 5):
        sketch.raise_to(REGISTERS - 1, rank)
    assert sketch.registers[REGISTERS - 1] == 5
    assert [rank for rank, number in enumerate(sketch.ranks) if number] == [0, 5]
    assert sum(sketch.ranks) == REGISTERS
    assert Sketch(bytes(sketch.registers)).ranks == sketch.ranks


def sigma(x: float) -> float:
    return inf if x == 1 else x + sum(x ** (2**k) * 2.0 ** (k - 1) for k in range(1, 40))


def tau(x: float) -> float:
    rest: float = sum((1 - x ** (2.0**-k)) ** 2 * 2.0**-k for k in range(1, 60))
    return (1 - x - rest) / 3


@pytest.mark.parametrize(
    "shares",
    [
        {0: 0.25, 1: 0.25, 2: 0.25, 7: 0.25},
        {1: 0.5, 2: 0.25, 3: 0.25},
        {0: 0.125, 50: 0.875},
        {49: 0.5, 50: 0.25, 51: 0.25},
        {50: 0.5, 51: 0.5},
        {1: 0.25, 51: 0.75},
    ],
)
def test_the_estimate_is_that_of_the_paper(shares: dict[int, float]) -> None:
    numbers = {rank: int(share * REGISTERS) for rank, share in shares.items()}
    registers = b"".join(bytes([rank]) * number for rank, number in numbers.items())
    sketch = Sketch(registers)
    low, high = numbers.get(0, 0) / REGISTERS, 1 - numbers.get(51, 0) / REGISTERS
    z = REGISTERS * (sigma(low) + tau(high) * 2.0**-50)
    z += sum(n * 2.0**-rank for rank, n in numbers.items() if 0 < rank < 51)
    estimate = REGISTERS**2 / (2 * log(2) * z)
    assert sketch.count() == pytest.approx(max(round(estimate), LIMIT + 1), rel=1e-9)
    assert sketch.count().__class__ is int


def test_an_estimate_is_more_than_what_is_counted_exactly() -> None:
    sketch = Sketch()
    assert sketch.count() == LIMIT + 1
    sketch.add(1)
    assert sketch.count() == LIMIT + 1


def test_values_are_held_to_the_limit_and_estimated_beyond(small: int) -> None:
    held: Any = None
    for hashed in (9, 7, 9, 8):
        held = noted(held, hashed)
    assert list(held) == [9, 7, 8]
    assert noted(held, 7) is held
    at_rest = distinct.at_rest(held)
    assert at_rest == pack(">3Q", 9, 7, 8)
    again: Any = noted(at_rest, 8)
    assert list(again) == [9, 7, 8]
    for before in (held, at_rest):
        assert not distinct.is_estimate(before)
        found = distinct.unique(before)
        assert (found, found.__class__) == (3, int)
    more = noted(at_rest, 5 * REST)
    assert isinstance(more, Sketch)
    assert [at for at, rank in enumerate(more.registers) if rank] == [0, 5]
    assert more.registers[0] == 51 - 3  # of 7, 8 and 9, the one with the most zeros
    resting = distinct.at_rest(more)
    assert resting == bytes([14]) + bytes(more.registers)
    assert distinct.at_rest(resting) is resting
    assert noted(more, 1) is more
    assert distinct.is_estimate(more) and distinct.is_estimate(resting)
    assert distinct.unique(more) == distinct.unique(distinct.at_rest(more)) == small + 1


def test_nothing_is_none_at_rest() -> None:
    assert distinct.at_rest(None) is None
    assert distinct.unique(None) == distinct.unique(b"") == distinct.unique({}) == 0
    assert not distinct.is_estimate(None)
    assert distinct.parts_of(None) == {"estimate": False, "hashes": ""}


def test_parts_are_the_hashes_in_order_or_the_registers(small: int) -> None:
    held = {9: None, 7: None}
    for each in (held, distinct.at_rest(held)):
        parts = distinct.parts_of(each)
        assert parts["estimate"] is False
        assert b64decode(parts["hashes"]) == pack(">2Q", 7, 9)
    sketch = Sketch()
    sketch.add(REST)
    for other in (sketch, distinct.at_rest(sketch)):
        parts = distinct.parts_of(other)
        assert parts["estimate"] is True
        assert b64decode(parts["registers"]) == bytes(sketch.registers)


def test_parts_add_up_to_those_of_the_whole(small: int) -> None:
    def parts(*hashes: int) -> dict[str, Any]:
        held: Any = None
        for hashed in hashes:
            held = noted(held, hashed)
        return distinct.parts_of(held)

    few, many = parts(REST, 2 * REST), parts(*(at * REST for at in range(5)))
    assert many["estimate"] is True
    assert merged([]) == (0, parts())
    assert merged([few, parts(REST, 3)]) == (3, parts(3, REST, 2 * REST))
    whole = parts(*(at * REST for at in range(5)), 9 * REST)
    for some in ([few, many, parts(9 * REST)], [parts(9 * REST), many, few, many]):
        assert merged(some) == (6, whole)
