"""The daily reconciliation as a table, JSON or CSV."""

import csv
import io
import os
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from app.cli.command import Context
from app.cli.output import Cell, json_bytes
from domain.errors import UsageError

PLACES = ("opening", "in", "flushed", "duplicates", "rejected", "expired", "deleted", "open")
COLUMNS = ("day", "aggregator", "total", "flushes", *PLACES, "balanced")
FORMATS = (".json", ".csv")


def reconcile(context: Context, day: str, aggregator: str | None, output: Path | None) -> int:
    """Shows a day, or writes it to a file by its extension; exit 1 when it does not balance."""
    try:
        date.fromisoformat(day)
    except ValueError:
        raise UsageError(f"--day {day!r} is no day; expected one like 2024-09-03") from None
    if output is not None and output.suffix not in FORMATS:
        raise UsageError(f"--output {output}: expected a name that ends in .json or .csv")
    query = {} if aggregator is None else {"aggregator": aggregator}
    found = context.client.get(f"/api/totals/{day}", query)
    out = context.out
    if output is not None:
        write(output, json_bytes(found) + b"\n" if output.suffix == ".json" else csv_of(found))
    if out.json:
        out.document(found)
    elif output is None:
        out.table(list(COLUMNS), rows_of(found), f"nothing came in or went out on {day}")
    for item in found["items"]:
        if not item["balanced"]:
            out.error(
                f"{item['aggregator']} does not balance on {day}: opening + in is not the sum of "
                "the others\nrecords may be counted wrong; keep the topics and the data directory "
                "as they are"
            )
    return 0 if found["balanced"] else 1


def rows_of(found: Mapping[str, Any]) -> list[list[Cell]]:
    """By aggregator a row for the count, one for each sum, and one for each flush type."""
    rows: list[list[Cell]] = []
    for item in found["items"]:
        head = [found["day"], item["aggregator"]]
        for total, moved in {"count": item["count"], **item["sums"]}.items():
            places = [moved.get(place) for place in PLACES]
            rows.append([*head, total, None, *places, item["balanced"]])
        for kind in item["flushes"]:
            blank: list[Cell] = [None] * len(PLACES)
            blank[PLACES.index("flushed")] = kind["records"]
            rows.append([*head, kind["flushType"], kind["flushes"], *blank, None])
    return rows


def csv_of(found: Mapping[str, Any]) -> bytes:
    """The same as CSV with a header."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows([_cell(cell) for cell in row] for row in rows_of(found))
    return text.getvalue().encode()


def _cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return f"{cell:f}" if isinstance(cell, Decimal) else str(cell)


def write(path: Path, content: bytes) -> None:
    """The whole file or none: written beside it, then renamed into place. Raises UsageError."""
    partial = path.with_name(f".{path.name}.partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise UsageError(f"--output {path}: {error.strerror}") from error
