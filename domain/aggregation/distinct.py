"""How many different values there were: exactly up to `LIMIT`, then by HyperLogLog.

A value stands for itself as 64 bits of BLAKE2b of its canonical JSON, so 1 and 1.0 are one value;
1, "1" and true are three. At `LIMIT` values two of them have the same hash with a probability of
3 in 10^12. At rest the accumulator is bytes: 8 a value, in the order of arrival, 80 KB at most;
from then on a byte `PRECISION` and a byte for each register, 16 KB, however many come. While
records are folded it is a dict of hashes, or a `Sketch`.

Registers: the first 14 bits of a hash choose one, which keeps the highest rank, the number of zeros
that the other 50 bits start with, plus 1. The estimate is algorithm 6 of O. Ertl, "New cardinality
estimation algorithms for HyperLogLog sketches" (2017, arXiv:1702.01284): no bias tables and no
thresholds. Its standard error is 1.04 / sqrt(2^14) = 0.81 %. It uses nothing but IEEE arithmetic
and square roots, so every machine finds the same number.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable
from hashlib import blake2b
from math import inf, log, sqrt
from struct import pack, unpack
from typing import Any

from domain.aggregation.numbers import canonical
from domain.errors import Reject

LIMIT = 10_000  # values counted exactly; aggregation.md §4
PRECISION = 14
REGISTERS = 1 << PRECISION
REST_BITS = 64 - PRECISION
STANDARD_ERROR = 0.0081
_MARK = bytes((PRECISION,))  # makes the length odd, where that of hashes is a multiple of 8


def digest(value: Any) -> int:
    """The 64 bits that stand for a decoded value; raises Reject for what has no canonical JSON."""
    try:
        text = canonical(value)
    except RecursionError:
        raise Reject("undecodable", "arrays and objects are nested too deep") from None
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")


class Sketch:
    """HyperLogLog registers at work. `ranks` counts the registers of each rank."""

    __slots__ = ("_known", "ranks", "registers")

    def __init__(self, registers: bytes = bytes(REGISTERS)) -> None:
        self.registers = bytearray(registers)
        self.ranks = [0] * (REST_BITS + 2)
        for rank in self.registers:
            self.ranks[rank] += 1
        self._known: int | None = None

    def add(self, hashed: int) -> None:
        """Takes a hash; one that was taken before changes nothing."""
        at = hashed >> REST_BITS
        self.raise_to(at, REST_BITS - (hashed & ((1 << REST_BITS) - 1)).bit_length() + 1)

    def raise_to(self, at: int, rank: int) -> None:
        """Makes a register at least `rank`."""
        before = self.registers[at]
        if rank > before:
            self.registers[at] = rank
            self.ranks[before] -= 1
            self.ranks[rank] += 1
            self._known = None

    def count(self) -> int:
        """The estimate; more than LIMIT, for that is known."""
        if self._known is None:
            z = REGISTERS * _tau(1 - self.ranks[REST_BITS + 1] / REGISTERS)
            for rank in range(REST_BITS, 0, -1):
                z = 0.5 * (z + self.ranks[rank])
            z += REGISTERS * _sigma(self.ranks[0] / REGISTERS)
            self._known = max(round(REGISTERS * REGISTERS / (2 * log(2) * z)), LIMIT + 1)
        return self._known


Held = dict[int, None] | Sketch


def noted(held: bytes | Held | None, hashed: int) -> Held:
    """The accumulator after a value: `held` itself when it was at work already."""
    if held is None or isinstance(held, bytes):
        held = _at_work(held)
    if isinstance(held, Sketch):
        held.add(hashed)
        return held
    held[hashed] = None
    return held if len(held) <= LIMIT else _estimated(held)


def at_rest(held: bytes | Held | None) -> bytes | None:
    """The accumulator as a row keeps it."""
    if isinstance(held, dict):
        return pack(f">{len(held)}Q", *held)
    return _MARK + bytes(held.registers) if isinstance(held, Sketch) else held


def unique(held: bytes | Held | None) -> int:
    """How many different values there were: exact up to LIMIT, else the estimate."""
    if held is None:
        return 0
    if isinstance(held, bytes) and not is_estimate(held):
        return len(held) // 8
    held = _at_work(held)
    return held.count() if isinstance(held, Sketch) else len(held)


def is_estimate(held: bytes | Held | None) -> bool:
    """Whether the count is an estimate."""
    return len(held) % 8 == 1 if isinstance(held, bytes) else isinstance(held, Sketch)


def parts_of(held: bytes | Held | None) -> dict[str, Any]:
    """`parts` of a flush: `{"estimate": false, "hashes": …}` or `{"estimate": true, "registers":
    …}`, base64 of the hashes in ascending order (big-endian) or of the registers.
    """
    held = _at_work(held)
    if isinstance(held, Sketch):
        return {"estimate": True, "registers": b64encode(held.registers).decode()}
    return {"estimate": False, "hashes": b64encode(pack(f">{len(held)}Q", *sorted(held))).decode()}


def merged(parts: Iterable[dict[str, Any]]) -> tuple[int, dict[str, Any]]:
    """(count, `parts`) of several flushes together: what one flush of all their records says."""
    total: Held = {}
    for part in parts:
        if part["estimate"]:
            if not isinstance(total, Sketch):
                total = _estimated(total)
            for at, rank in enumerate(b64decode(part["registers"])):
                total.raise_to(at, rank)
        else:
            data = b64decode(part["hashes"])
            for hashed in unpack(f">{len(data) // 8}Q", data):
                total = noted(total, hashed)
    return unique(total), parts_of(total)


def _at_work(held: bytes | Held | None) -> Held:
    if not isinstance(held, bytes):
        return {} if held is None else held
    if is_estimate(held):
        return Sketch(held[1:])
    return dict.fromkeys(unpack(f">{len(held) // 8}Q", held))


def _estimated(hashes: Iterable[int]) -> Sketch:
    sketch = Sketch()
    for hashed in hashes:
        sketch.add(hashed)
    return sketch


def _sigma(x: float) -> float:
    """x + the sum of x^(2^k) * 2^(k-1) for k = 1, 2, …"""
    if x == 1:
        return inf
    y, z, before = 1.0, x, -1.0
    while z != before:
        x *= x
        before = z
        z += x * y
        y += y
    return z


def _tau(x: float) -> float:
    """(1 - x - the sum of (1 - x^(2^-k))^2 * 2^-k for k = 1, 2, …) / 3"""
    if x in (0, 1):
        return 0.0
    y, z, before = 1.0, 1 - x, -1.0
    while z != before:
        x = sqrt(x)
        before = z
        y *= 0.5
        z -= (1 - x) ** 2 * y
    return z / 3
