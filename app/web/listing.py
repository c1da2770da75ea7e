"""Paging over lists short enough to be had whole, with the same cursors as long ones."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error
from collections.abc import Callable, Sequence
from typing import TypeVar

from app.backend import BadCursor
from app.shapes import Page

T = TypeVar("T")


def page_of(items: Sequence[T], key: Callable[[T], str], limit: int, cursor: str | None) -> Page[T]:
    """The `limit` items after the one whose key is in `cursor`.

    Keys are unique. When that item is gone the list begins anew: nothing is passed over.
    Raises BadCursor.
    """
    start = 0
    if cursor is not None:
        try:
            last = urlsafe_b64decode(cursor.encode()).decode()
        except (Error, ValueError) as error:
            raise BadCursor(cursor) from error
        start = next((i + 1 for i, item in enumerate(items) if key(item) == last), 0)
    piece = items[start : start + limit]
    more = start + limit < len(items)
    return Page(piece, urlsafe_b64encode(key(piece[-1]).encode()).decode() if more else None)
