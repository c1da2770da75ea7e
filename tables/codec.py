"""Rows of session state as bytes: MessagePack arrays, decimals as text.

In accumulators text can only be a decimal (carried values are bytes of JSON), so nothing needs to
know the document.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec

from domain.aggregation.session import Row

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Row).decode
_decode_any = msgspec.msgpack.Decoder().decode
_decode_all = msgspec.msgpack.Decoder(list[Row]).decode
_NONE = b"\x90"  # MessagePack: an empty array
BARE = _NONE + _NONE  # how a row ends at rest
_PAIR = b"\x92"  # MessagePack: an array of two
_ARRAY_32 = b"\xdd"  # MessagePack: an array, its length in 32 bits


def encode_row(row: Row) -> bytes:
    """The row as it stands, `seen` and `outputs` included."""
    try:
        return _encode(row)
    except OverflowError:
        _narrow(row)
        return _encode(row)


def encode_twice(row: Row) -> tuple[bytes, bytes]:
    """The row as it stands, and as it rests: without `seen` and `outputs`, which are let go of."""
    seen, outputs = row.seen, row.outputs
    row.seen, row.outputs = (), ()
    rest = encode_row(row)
    # the two are the last fields, an empty array is one byte
    return rest[:-2] + _encode(seen) + (_encode(outputs) if outputs else _NONE), rest


def resting(data: bytes, row: Row) -> bytes:
    """The bytes of a row at rest, of `data`, which it travelled as: its numbers stay as wide as
    they are there.
    """
    return data[: -len(_encode(row.seen)) - len(_encode(row.outputs))] + BARE


def travelling(end: bytes) -> tuple[list[Any], list[Any]]:
    """Event ids and outputs, as they end a row that brought them along."""
    seen, outputs = _decode_any(_PAIR + end)
    return seen, outputs


def decode_row(data: bytes) -> Row:
    """A row, its sums as numbers."""
    row = _decode(data)
    _numbers(row)
    return row


def decode_rows(found: Sequence[bytes | None]) -> list[Row]:
    """The rows of many, new ones for those that are None: in one call, as the loop costs more than
    what is in it."""
    known = [data for data in found if data is not None]
    decoded = _decode_all(_ARRAY_32 + len(known).to_bytes(4, "big") + b"".join(known))
    for row in decoded:
        session = row.open
        if session is None or session.dropped is not None or row.history is not None:
            _numbers(row)
            continue
        held = session.accumulators  # nearly every row: without a call of its own
        for i, value in enumerate(held):
            if value.__class__ is str:
                held[i] = Decimal(value)
    if len(known) == len(found):
        return decoded
    following = iter(decoded)
    return [Row() if data is None else next(following) for data in found]


def _numbers(row: Row) -> None:
    """Decimals that are text at rest become numbers, in place."""
    session = row.open
    if session is not None:
        held = session.accumulators
        for i, value in enumerate(held):
            if value.__class__ is str:
                held[i] = Decimal(value)
        if session.dropped:
            for values in session.dropped.values():
                values[:] = [
                    Decimal(value) if value.__class__ is str else value for value in values
                ]
    history = row.history
    if history is not None:
        for sums in history.sums():
            for name, value in sums.items():
                if value.__class__ is str:
                    sums[name] = Decimal(value)


def _narrow(row: Row) -> None:
    """Integers beyond 64 bits, which MessagePack can't hold, as (integral) decimals."""
    if row.open is not None:
        row.open.accumulators = [_narrowed(value) for value in row.open.accumulators]
        for values in (row.open.dropped or {}).values():
            values[:] = [_narrowed(value) for value in values]
    history = row.history
    if history is not None:
        for sums in history.sums():
            for name, value in sums.items():
                sums[name] = _narrowed(value)


def _narrowed(value: Any) -> Any:
    return Decimal(value) if value.__class__ is int and not -(1 << 63) <= value < 1 << 64 else value
