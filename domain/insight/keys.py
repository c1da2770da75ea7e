"""Rows of a shard of events. Whole numbers are big-endian, so that keys are in their order.

f <position>                            Kept funnel event
i <set of fields><their hash><when><position>   index of those, the newest first: [label, campaign]
u <position>                            Kept usage event
v <what><when><position>                index of those, the newest first
n <what><h or m><hour or minute><placeholder>   how many
g d <day><campaign>, g h <hour><campaign>       how many events; [how many, first, last] in an hour
t <ms><customer><position>              an event that reached a customer: 1; of an execution, which
                                        has no position here, how often it was told
c <customer>                            [[day, how many such events], ...]
x <day><day before it>                  how many customers were reached on that day, and before it
                                        last on that other one (0: never)
e <received ms><kind><position>         what is to be forgotten when its time has come

A position is (partition, offset) of the public topic. `when` counts down. A customer is a hash.
"""

from hashlib import blake2b

HOUR_MS, MINUTE_MS, DAY_MS = 3_600_000, 60_000, 86_400_000
HASH = 8  # bytes: two of ten million customers share one with a chance of 1 in 300,000
POSITION = 10
_LAST = (1 << 64) - 1

Position = tuple[int, int]
"""(partition, offset)"""


def number(value: int, size: int) -> bytes:
    return value.to_bytes(size, "big")


def value_of(part: bytes) -> int:
    return int.from_bytes(part, "big")


def hashed(*texts: str) -> bytes:
    """Stands for the texts in keys."""
    joined = b"\0".join(text.encode("utf-8", "surrogatepass") for text in texts)
    return blake2b(joined, digest_size=HASH).digest()


def position_part(position: Position) -> bytes:
    return number(position[0], 2) + number(position[1], 8)


def position_of(part: bytes) -> Position:
    return value_of(part[:2]), value_of(part[2:])


def newest_first(at_ms: int) -> bytes:
    """Orders later instants before earlier ones."""
    return number(_LAST - at_ms, 8)


def instant_of(part: bytes) -> int:
    """The instant of `newest_first`."""
    return _LAST - value_of(part)
