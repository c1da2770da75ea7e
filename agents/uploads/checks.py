"""What is looked at before anything of an upload is kept, and what a dry run says of it."""

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from agents.uploads.folder import Spool
from agents.uploads.progress import Progress, RejectedRow
from agents.uploads.reading import Rows
from connectors.formats.csv_rows import BadHeader, check_head, header, rows, unpacked
from domain.campaigns.days import day_of, instant, slot_text, works_on
from domain.campaigns.described import (
    Accepted,
    Description,
    DescriptionRefused,
    Wrong,
    columns_wrong,
)
from domain.campaigns.document import Flow

SHOWN_REJECTIONS = 1_000


class Head(NamedTuple):
    """The header of a file, and where its rows begin in the unpacked content."""

    columns: list[str]
    rows_at: int


def checked_head(spool: Spool, description: Description) -> Head:
    """The header. Raises NotCsv, and DescriptionRefused for a header without what is wanted."""
    with spool.open() as file:
        content = unpacked(file)
        check_head(content)
        content.seek(0)
        try:
            columns, rows_at = header(content)
        except BadHeader as error:
            raise DescriptionRefused([Wrong("file", error.value, error.expected)]) from error
    wrongs = columns_wrong(description, columns)
    if wrongs:
        raise DescriptionRefused(wrongs)
    return Head(columns, rows_at)


def fingerprint(digest: str, description: Mapping[str, Any]) -> str:
    """What a repeat of an upload has in common with it: the file's bytes and its description."""
    text = json.dumps(description, sort_keys=True, separators=(",", ":"), default=str)
    return sha256(f"{digest}\n{text}".encode()).hexdigest()


class Looked(NamedTuple):
    """What is in a file: rows that would be records that make FDDs, and those rejected."""

    records: int
    rejections: Sequence[RejectedRow]


def looked_through(spool: Spool, head: Head, description: Description, flow: Flow) -> Looked:
    """Reads the whole file as an upload would, row by row, and keeps nothing."""
    progress = Progress(spool.path / "reading.sqlite")
    try:
        progress.begin()
        taker = Rows(description, flow, head.columns)
        records = 0
        rejections: list[RejectedRow] = []
        with spool.open() as file:
            content = unpacked(file)
            content.seek(head.rows_at)
            source = rows(content, head.rows_at, len(head.columns))
            for record_no, row in enumerate(source, 1):
                outcome, repeated = taker.take(record_no, row, progress.see)
                if not isinstance(outcome, Accepted):
                    if len(rejections) < SHOWN_REJECTIONS:
                        rejections.append(outcome)
                elif not (repeated and description.duplicates == "first"):
                    records += 1
        return Looked(records, rejections)
    finally:
        progress.close()


class Fits(NamedTuple):
    """By slot ("-" without slots): FDDs of the first day, and whether they fit."""

    would_create: dict[str, int]
    fits: dict[str, bool | None]


def would_fit(
    description: Description, flow: Flow, records: int, mean_s: float | None, now_ms: int
) -> Fits:
    """What the first day makes of the records. `mean_s`: of an execution, None when unknown."""
    zone, day = flow.timezone, description.start_day
    today = day == day_of(zone, now_ms)
    hours = (flow.working_time.start, flow.working_time.end)
    made = Fits({}, {})
    for slot in description.slots or (hours,):
        start_ms, end_ms = instant(zone, day, slot[0]), instant(zone, day, slot[1], True)
        name = slot_text(slot) if description.slots else "-"
        over = end_ms <= start_ms or (today and end_ms <= now_ms)
        none = description.slots and (over or not works_on(flow, day))
        made.would_create[name] = 0 if none else records
        left_ms = end_ms - (max(start_ms, now_ms) if today else start_ms)
        needed_ms = None if mean_s is None else records * mean_s * 1000 / flow.channels
        made.fits[name] = None if needed_ms is None else bool(none) or needed_ms <= left_ms
    return made
