"""Lists of numbers as files: CSV with the header `number`, plain or gzip, taken in parts.

A part is what a shard applies in one transaction.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import msgspec
import numpy as np

from connectors.formats.csv_rows import (
    VALUE_CHARS,
    BadHeader,
    check_head,
    header,
    rows,
    unpacked,
)
from domain.campaigns.numbers import normalised
from domain.errors import SluiceError

COLUMN = "number"
PART_ROWS = 2_000
ROWS_MAX = 2_000_000  # some 200 MB of texts and events while a list is taken in
PLAIN_BYTES = 64 * 1024  # an event of rows below this is one part in any case
DIGITS = 18  # of the end of a number: more than any has, and they fit into 64 bits
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


def parts_of(
    texts: Sequence[str], filename: str, again: Sequence[int] = ()
) -> list[dict[str, Any]]:
    """The bodies of the commands that bring a list in; at least one. Each is told which of its rows
    are `again`, see `repeats`."""
    starts = range(0, max(len(texts), 1), PART_ROWS)
    parts: list[dict[str, Any]] = []
    for first in starts:
        end = first + PART_ROWS
        part: dict[str, Any] = {"rows": texts[first:end], "first": first + 1}
        part |= {"filename": filename, "more": first != starts[-1]}
        mine = again[bisect_right(again, first) : bisect_right(again, end)]
        parts.append({**part, "again": list(mine)} if mine else part)
    return parts


def repeats(texts: Sequence[str], country: str | None) -> list[int]:
    """The rows, counted from 1, whose number is in a row before them, in order.

    A part that is tried leaves nothing behind by which the next one would know its numbers.
    """
    found = (normalised(text.strip(), country) for text in texts)
    # what is no number equals nothing; as integers 2 million take 16 MB
    keys = np.fromiter(
        (-row if number is None else int(number[-DIGITS:]) for row, number in enumerate(found, 1)),
        np.int64,
        len(texts),
    )
    again = np.ones(len(texts), bool)
    again[np.unique(keys, return_index=True)[1]] = False
    return [int(row) + 1 for row in np.flatnonzero(again)]


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
