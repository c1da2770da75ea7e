"""Lists of numbers as files: CSV with the header `number`, plain or gzip, taken in parts.

A part is what a shard applies in one transaction.
"""

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import msgspec

from connectors.formats.csv_rows import (
    VALUE_CHARS,
    BadHeader,
    check_head,
    header,
    rows,
    unpacked,
)
from domain.errors import SluiceError

COLUMN = "number"
PART_ROWS = 2_000
ROWS_MAX = 2_000_000  # some 200 MB of texts and events while a list is taken in
PLAIN_BYTES = 64 * 1024  # an event of rows below this is one part in any case
_decode = msgspec.json.Decoder().decode


class TooManyNumbers(SluiceError):
    """A list has more rows than are held in memory at once."""

    def __init__(self) -> None:
        super().__init__(
            f"the list has more than {ROWS_MAX:,} rows; send it in several, each with its header"
        )


def numbers_in(file: BinaryIO) -> list[str]:
    """The texts of the column `number`, "" for rows that can't be read. Raises NotCsv,
    BadHeader, TooManyNumbers."""
    content = unpacked(file)
    check_head(content)
    content.seek(0)
    columns, at = header(content)
    if COLUMN not in columns:
        raise BadHeader(",".join(columns), "a CSV with the header number")
    place = columns.index(COLUMN)
    content.seek(at)
    found: list[str] = []
    for row in rows(content, at, len(columns)):
        if len(found) == ROWS_MAX:
            raise TooManyNumbers
        text = row.cells[place] if row.fault is None else ""
        # one that is so long is none, and is only to be told of
        found.append(text if len(text) <= VALUE_CHARS else text.strip()[:VALUE_CHARS])
    return found


def parts_of(texts: Sequence[str], filename: str) -> list[dict[str, Any]]:
    """The bodies of the commands that bring a list in; at least one."""
    starts = range(0, max(len(texts), 1), PART_ROWS)
    return [
        {
            "rows": texts[first : first + PART_ROWS],
            "first": first + 1,
            "filename": filename,
            "more": first != starts[-1],
        }
        for first in starts
    ]


def list_in(record: bytes) -> dict[str, Any] | None:
    """The event when it is one of negatives that has to be taken apart: with a file, or with more
    rows than a part has; None for anything else."""
    if b'"negatives"' not in record or (b'"file"' not in record and len(record) < PLAIN_BYTES):
        return None
    try:
        event = _decode(record)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if not isinstance(event, dict) or event.get("command") != "negatives":
        return None
    body = event.get("body")
    if not isinstance(body, dict):
        return None
    several = isinstance(body.get("rows"), list) and len(body["rows"]) > PART_ROWS
    return event if "file" in body or several else None


def events_of(event: Mapping[str, Any], texts: Sequence[str], name: str) -> list[dict[str, Any]]:
    """The event in parts, whose ids are made of its own: once more they are the same."""
    whole, body = str(event["id"]), event["body"]
    parts = parts_of(texts, str(body.get("filename") or name))
    why = {name: body[name] for name in ("reason", "dry_run") if name in body}
    ids = [*(f"{whole}-{n}" for n in range(len(parts) - 1)), whole]
    return [
        {**event, "id": ident, "body": {**part, **why, "upload_id": whole}}
        for ident, part in zip(ids, parts, strict=True)
    ]
