"""Rows of a CSV file as lines of JSON, by the batch: what `sluice produce` sends of them.

Cells are text, an empty one is absent, and a header with a dot is a path, as in a batch.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any

from app.cli.lines import Line
from connectors.formats.csv import CsvReader
from connectors.formats.files import Source
from connectors.formats.records import Position
from domain.aggregation.extract import ABSENT
from domain.errors import Reject

ROW_BYTES = 64 << 20  # the server has its own limit, and says so; this bounds quotes left open

Refuse = Callable[[Line, Reject], None]


def csv_batches(source: Source, records: int, size: int, refuse: Refuse) -> Iterator[list[Line]]:
    """The rows of `source`, at most `records` and about `size` bytes at a time, each with the
    number of its line (the header is line 1). A row that can't be read is given to `refuse`.

    Raises InputError for a header that can't be read.
    """
    names = CsvReader({}, ROW_BYTES).columns(source)
    members = _members(names)
    reader = CsvReader(dict.fromkeys(members, "any"), ROW_BYTES)
    batch: list[Line] = []
    held = 0
    for found in reader.read(source, Position()):
        for number, reject in found.refused:
            refuse(Line(number, b""), reject)
        for number, row in zip(found.lines, found.rows(), strict=True):
            text = _json(members, row)
            if batch and (len(batch) >= records or held + len(text) > size):
                yield batch
                batch, held = [], 0
            batch.append(Line(number, text))
            held += len(text) + 1
    if batch:
        yield batch


def _members(names: list[str]) -> list[str]:
    """The members of a record: `a.b` and `a.c` make one, `a`; beside a column `a` they stay."""
    heads = (name if name.partition(".")[0] in names else name.partition(".")[0] for name in names)
    return list(dict.fromkeys(head for head in heads if head))


def _json(members: list[str], row: Any) -> bytes:
    values = zip(members, row, strict=True)
    made = {name: value for name, value in values if value is not ABSENT}
    return json.dumps(made, ensure_ascii=False, separators=(",", ":")).encode()
