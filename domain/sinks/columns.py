"""What of a record goes into a column, and what can't."""

from decimal import Decimal
from typing import Any

from domain.aggregation.flush import to_json
from domain.aggregation.instants import parse_instant
from domain.aggregation.numbers import number_of, plain
from domain.errors import Reject, SluiceError
from domain.sinks.document import Column
from domain.sinks.records import lookup

DIGITS, SCALE = 38, 12
"""Of a `number`: what a Parquet decimal holds in 16 bytes; MySQL's has room for more."""

# What a flushed record has, for people who query; `record` is all of it.
FLUSH_COLUMNS: tuple[Column, ...] = (
    Column("id", "id", "text"),
    Column("aggregator", "aggregator", "text"),
    Column("version", "version", "integer"),
    Column("sequence", "sequence", "integer"),
    Column("flush_type", "meta.flushType", "text"),
    Column("records", "meta.count", "integer"),
    Column("first_event", "meta.firstEvent", "instant"),
    Column("last_event", "meta.lastEvent", "instant"),
    Column("group_values", "group", "json"),
    Column("result_values", "values", "json"),
    Column("record", "", "json"),
)


class NoFit(SluiceError):
    """A value that the column's type doesn't hold."""

    def __init__(self, column: Column, value: object) -> None:
        self.column = column
        super().__init__(
            f"column {column.name}: {str(value)[:60]!r} (at {column.path or 'the record'}) "
            f"is no {column.type} that it holds"
        )


def cell(column: Column, record: dict[str, Any]) -> Any:
    """The value for a column: str, int, Decimal, bool, epoch milliseconds for `instant`, JSON text
    for `json`; None when the record lacks it. Raises NoFit."""
    value = lookup(record, column.path) if column.path else record
    if value is None:
        return None
    if column.type == "json":
        return to_json(value).decode()
    if column.type == "text":
        return value if isinstance(value, str) else to_json(value).decode()
    found = _typed(column.type, value)
    if found is None:
        raise NoFit(column, value)
    return found


def _typed(kind: str, value: Any) -> Any:
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if kind == "instant":
        return parse_instant(value)
    try:
        number = None if isinstance(value, bool) else number_of(value)
    except Reject:
        return None
    if number is None:
        return None
    if kind == "integer":
        fits = number == int(number) and -(1 << 63) <= number < 1 << 63
        return int(number) if fits else None
    text = plain(number)
    whole, _, fraction = text.lstrip("-").partition(".")
    return Decimal(text) if len(whole) <= DIGITS - SCALE and len(fraction) <= SCALE else None
