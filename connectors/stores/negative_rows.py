"""What a negative number and an upload are in a table: the columns that people query, and the whole
as JSON in `value`, which is null for what was deleted."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from connectors.stores.base import Page, Write
from connectors.stores.shapes import cursor_of, erased, row_place

NUMBERS = ("id", "version", "request_id", "place", "upload_id", "row_no", "number", "result",
           "withdrawn_at", "uploaded_by", "uploaded_at", "filename", "value")  # fmt: skip
UPLOADS = ("id", "version", "request_id", "upload_id", "uploaded_by", "uploaded_at", "filename",
           "value")  # fmt: skip
COLUMN = 255  # characters of a column that nothing is found by


def number_row(write: Write) -> tuple[Any, ...]:
    """The values of NUMBERS."""
    row = write.value
    if row is None:
        return (write.id, write.version, *[None] * (len(NUMBERS) - 2))
    found = (row.get(name) for name in ("upload_id", "row", "number"))
    shown = (_cut(row.get(name)) for name in ("result", "withdrawn_at", "by", "at", "filename"))
    return (write.id, write.version, row["request_id"], row_place(row), *found, *shown, text(row))


def upload_row(write: Write) -> tuple[Any, ...]:
    """The values of UPLOADS."""
    row = write.value
    if row is None:
        return (write.id, write.version, *[None] * (len(UPLOADS) - 2))
    shown = (_cut(row.get(name)) for name in ("by", "at", "filename"))
    return (write.id, write.version, row["request_id"], row["upload_id"], *shown, text(row))


def _cut(shown: str | None) -> str | None:
    """What a column holds that is only looked at; `value` has all of it."""
    return None if shown is None else shown[:COLUMN]


def text(value: Mapping[str, Any]) -> str:
    """The JSON of a value."""
    return msgspec.json.encode(value).decode()


def with_withdrawal(value: str, at: str, actor: str) -> str:
    """The JSON of a row that is withdrawn now."""
    return text({**msgspec.json.decode(value), "withdrawn_at": at, "withdrawn_by": actor})


def with_erasure(value: str) -> str:
    """The JSON of a row without its number."""
    return text(erased(msgspec.json.decode(value)))


def page_of(rows: Sequence[tuple[Any, ...]], limit: int) -> Page:
    """Rows of (value, what the cursor holds…), one more than the page has if there are more."""
    items = [msgspec.json.decode(row[0]) for row in rows[:limit]]
    return Page(items, cursor_of(*rows[limit - 1][1:]) if len(rows) > limit else None)
