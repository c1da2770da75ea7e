"""Cursors of lists: opaque text that holds where a list is to go on."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as NotBase64
from typing import Any

import msgspec

from app.backend import BadCursor

_encode = msgspec.msgpack.Encoder().encode


def cursor_of(place: Any) -> str:
    """The cursor for a place in a list."""
    return urlsafe_b64encode(_encode(place)).decode().rstrip("=")


def place_of(cursor: str, kind: Any) -> Any:
    """The place, of the type `kind`. Raises BadCursor."""
    try:
        data = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        return msgspec.msgpack.decode(data, type=kind)
    except (NotBase64, ValueError, msgspec.DecodeError):
        raise BadCursor(cursor) from None
