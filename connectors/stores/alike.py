"""Documents of many FDDs that are alike, put together from what they share: as BSON, as JSON.

Each has of its own what follows from its record number, and its number; all else is encoded once.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Any

import bson
import msgspec

from connectors.stores.base import Made
from connectors.stores.shapes import place_prefix

_json = msgspec.json.Encoder().encode
_int = Struct("<i").pack
# an element is its type, its name, and what it is: of a text its size and the text
_DOCUMENT = b"%b\x02_id\0%b%b\0%b%09d\0%b\x02id\0%b%b\0%b\x10record_no\0%b\x02number\0%b%b\0%b\0"


def ids_of(made: Made) -> list[str]:
    """The ids, in the order of the records."""
    return [f"{made.prefix}{record_no}" for record_no in made.records]


def places_of(made: Made) -> list[str]:
    """The places of the FDDs, see `shapes.order_of`."""
    prefix = place_prefix(made.shared)
    return [f"{prefix}{record_no:09d}" for record_no in made.records]


def as_json(made: Made) -> Iterator[str]:
    """The values."""
    head = '{"id":' + _json(made.prefix).decode()[:-1]
    request_id = '","request_id":' + _json(made.request_id).decode() + ',"record_no":'
    tail = "," + _json(made.shared).decode()[1:]
    for record_no, number in zip(made.records, made.numbers, strict=True):
        shown = _json(number).decode()
        yield f'{head}{record_no}{request_id}{record_no},"number":{shown}{tail}'


def as_bson(made: Made) -> Iterator[bytes]:
    """The documents as `mongo` keeps them."""
    version = _elements({"_version": made.version})
    starts = _elements({"_starts": []})
    request_id = _elements({"request_id": made.request_id})
    shared = _elements(made.shared)
    place = place_prefix(made.shared).encode()
    prefix = made.prefix.encode()
    fixed = 4 + 1 + len(version) + len(starts) + len(request_id) + len(shared) + _NAMES
    place_size = _int(len(place) + 10)
    head = version + b"\x02_place\0" + place_size + place
    for record_no, number in zip(made.records, made.numbers, strict=True):
        ident = b"%b%d" % (prefix, record_no)
        person = number.encode()
        size = _int(len(ident) + 1)
        yield _DOCUMENT % (
            _int(fixed + 2 * len(ident) + len(place) + len(person)),
            size, ident, head, record_no, starts, size, ident, request_id, _int(record_no),
            _int(len(person) + 1), person, shared,
        )  # fmt: skip


def _elements(part: Any) -> bytes:
    """The elements of a document, without its size and end."""
    return bson.encode(part)[4:-1]


# what the five own elements take besides their texts: type, name, size, end
_NAMES = sum(
    1 + len(name) + 1 + rest
    for name, rest in (("_id", 5), ("_place", 5 + 9), ("id", 5), ("record_no", 4), ("number", 5))
)
