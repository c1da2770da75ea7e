"""The rules of a row: what is refused, and how it is written out.

What is regular (no quote, a number that needs no second look) is decided for whole blocks at a time
by `agents/impressions/parse.py`, which has to come to the same result as `read_row` for every line.
"""

import math
import re
from datetime import date
from typing import Literal, NamedTuple

COLUMNS = ("ad_date", "impression_id", "campaign_id", "video_id", "viewing_percentage")
OUTPUT = COLUMNS[1:]
LONGEST_LINE = 1 << 20  # bytes; a row is some dozen

RowReason = Literal[
    "not_utf8",  # bytes that are no text
    "open_quote",  # a quote that is not closed on its line, or goes on behind its end
    "wrong_columns",  # not as many as the file has
    "empty_id",  # no impression_id
    "empty_campaign",  # no campaign_id
    "bad_date",  # not MM/DD/YYYY, or no such day
    "not_a_number",  # viewing_percentage is not a finite decimal number
    "too_long",  # above LONGEST_LINE bytes
]
"""Why a row is in the rejects file. The first that applies, in this order."""

_DATE = re.compile(rb"([0-9]{2})/([0-9]{2})/([0-9]{4})")
_NUMBER = re.compile(rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_CELL = re.compile(rb'"((?:[^"]|"")*)"(?=,|$)|([^,"][^,]*)?(?=,|$)')


class Row(NamedTuple):
    """A good row. `date` is that of its column (ISO), None when the file has none; `cells` are the
    four of the output as they are written, `campaign` and `impression` without quotes."""

    date: str | None
    impression: bytes
    campaign: bytes
    value: float
    cells: tuple[bytes, bytes, bytes, bytes]


def read_row(line: bytes, columns: int) -> Row | RowReason:
    """One line without its end. `columns`: 5 with the date, 4 without."""
    if not line.isascii():
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            return "not_utf8"
    cells = split(line)
    if cells is None:
        return "open_quote"
    if len(cells) != columns:
        return "wrong_columns"
    impression, campaign, video, number = cells[-4:]
    if not impression:
        return "empty_id"
    if not campaign:
        return "empty_campaign"
    day = None
    if columns == len(COLUMNS):
        day = read_date(cells[0])
        if day is None:
            return "bad_date"
    value = read_number(number)
    if value is None:
        return "not_a_number"
    written = (quoted(impression), quoted(campaign), quoted(video), number)
    return Row(day, impression, campaign, value, written)


def split(line: bytes) -> list[bytes] | None:
    """The cells of a line, without their quotes; None when a quote is not closed, or something
    follows a closed one. A quote inside of a cell that doesn't begin with one is a character."""
    if b'"' not in line:
        return line.split(b",")
    cells, at = [], 0
    while True:
        found = _CELL.match(line, at)
        if found is None:
            return None
        inner = found[1]
        cells.append((found[2] or b"") if inner is None else inner.replace(b'""', b'"'))
        if found.end() == len(line):
            return cells
        at = found.end() + 1


def quoted(cell: bytes) -> bytes:
    """A cell as it is written: in quotes only where it must be."""
    if b"," in cell or b'"' in cell or b"\r" in cell:
        return b'"' + cell.replace(b'"', b'""') + b'"'
    return cell


def read_date(text: bytes) -> str | None:
    """YYYY-MM-DD of MM/DD/YYYY, None when there is no such day."""
    found = _DATE.fullmatch(text)
    if found is None:
        return None
    try:
        return date(int(found[3]), int(found[1]), int(found[2])).isoformat()
    except ValueError:
        return None


def read_number(text: bytes) -> float | None:
    """A finite decimal number, None when it is anything else."""
    if _NUMBER.fullmatch(text) is None:
        return None
    value = float(text)
    return value if math.isfinite(value) else None


def is_header(line: bytes) -> bool:
    """Whether a file's first line is one of column names, in the order of COLUMNS."""
    cells = split(line.removeprefix(b"\xef\xbb\xbf"))
    if cells is None:
        return False
    names = tuple(cell.strip().lower().decode("utf-8", "replace") for cell in cells)
    return names in (COLUMNS, OUTPUT)
