"""JSON on the wire, numbers exact both ways."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, TypeVar

import msgspec
from aiohttp import web

from domain.aggregation.instants import print_instant
from domain.aggregation.numbers import plain

T = TypeVar("T")
_INT64 = 1 << 63
_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(float_hook=Decimal)


def exact(value: object) -> object:
    """`value` so that it encodes without loss: decimals and long integers as JSON numbers."""
    if isinstance(value, Decimal) or (type(value) is int and not -_INT64 <= value < _INT64):
        return msgspec.Raw(plain(value).encode())
    if isinstance(value, Mapping):
        return {str(name): exact(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | msgspec.Raw):
        return [exact(item) for item in value]
    return value


def dumps(value: object) -> bytes:
    """JSON text of plain values and structs. Decimals in it must have gone through `exact`."""
    return _encoder.encode(value)


def loads(text: bytes) -> Any:
    """The value of JSON text; numbers are int or Decimal. Raises msgspec.DecodeError."""
    return _readable(_decoder, text)


def read_as(text: bytes, kind: type[T]) -> T:
    """The value of JSON text that must be of a type. Raises msgspec.DecodeError."""
    return _readable(msgspec.json.Decoder(kind), text)


def _readable(decoder: msgspec.json.Decoder[T], text: bytes) -> T:
    try:
        return decoder.decode(text)
    except UnicodeDecodeError as error:
        raise msgspec.DecodeError(f"it is no UTF-8 text ({error.reason})") from error
    except RecursionError as error:
        raise msgspec.DecodeError("it is nested too deep") from error


def answer(
    value: object, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    """A JSON answer."""
    return web.Response(
        status=status, body=dumps(value), headers=headers, content_type="application/json"
    )


def instant(at_ms: int | None) -> str | None:
    """Epoch milliseconds as the product prints instants; None stays None."""
    return None if at_ms is None else print_instant(at_ms)
