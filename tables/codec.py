"""Rows of session state as bytes: MessagePack arrays, decimals as text.

In accumulators text can only be a decimal (carried values are bytes of JSON), so nothing needs to
know the document.
"""

from decimal import Decimal
from typing import Any

import msgspec

from domain.aggregation.session import Row

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Row).decode


def encode_row(row: Row) -> bytes:
    """The row as it stands, `seen` and `outputs` included."""
    try:
        return _encode(row)
    except OverflowError:
        _narrow(row)
        return _encode(row)


def decode_row(data: bytes) -> Row:
    """A row, its sums as numbers."""
    row = _decode(data)
    session = row.open
    if session is not None:
        held = session.accumulators
        for i, value in enumerate(held):
            if value.__class__ is str:
                held[i] = Decimal(value)
        for values in (session.dropped or {}).values():
            values[:] = [Decimal(value) if value.__class__ is str else value for value in values]
    history = row.history
    if history is not None:
        for sums in (
            history.accepted_sums,
            history.flushed_sums,
            history.expired_sums,
            history.deleted_sums,
        ):
            for name, value in sums.items():
                if value.__class__ is str:
                    sums[name] = Decimal(value)
    return row


def _narrow(row: Row) -> None:
    """Integers beyond 64 bits, which MessagePack can't hold, as (integral) decimals."""
    if row.open is not None:
        row.open.accumulators = [_narrowed(value) for value in row.open.accumulators]
        for values in (row.open.dropped or {}).values():
            values[:] = [_narrowed(value) for value in values]
    history = row.history
    if history is not None:
        for sums in (
            history.accepted_sums,
            history.flushed_sums,
            history.expired_sums,
            history.deleted_sums,
        ):
            for name, value in sums.items():
                sums[name] = _narrowed(value)


def _narrowed(value: Any) -> Any:
    return Decimal(value) if value.__class__ is int and not -(1 << 63) <= value < 1 << 64 else value
