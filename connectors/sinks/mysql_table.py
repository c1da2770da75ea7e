"""The statements of a MySQL sink, and which errors mean what."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pymysql

from domain.sinks.columns import DIGITS, SCALE, cell
from domain.sinks.document import Column, ColumnType
from domain.sinks.records import Outgoing

POSITIONS = "sluice_sink_positions"
ID_TYPE = "VARCHAR(400) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL"
_TYPES: dict[ColumnType, str] = {
    "text": "LONGTEXT CHARACTER SET utf8mb4",
    "integer": "BIGINT",
    "number": f"DECIMAL({DIGITS},{SCALE})",
    "boolean": "BOOLEAN",
    "instant": "DATETIME(3)",
    "json": "JSON",
}
# A record's own fault, as MySQL and MariaDB tell it: what can't be in a column, twice, or at all.
# By number, since their classes mix them with faults of the server.
_REFUSED = {
    1048, 1062, 1169, 1216, 1217, 1264, 1265, 1292, 1364, 1366, 1367, 1406, 1411, 1416, 1441, 1451,
    1452, 1586, 1644, 1690, 3140, 3819, 4025, 4078,
}  # fmt: skip


def create_table(table: str, columns: Sequence[Column]) -> str:
    """Makes the table unless it is there; one that is there stays as it is."""
    rows = ", ".join(f"`{c.name}` {_TYPES[c.type]}" for c in columns if c.name != "id")
    more = f", {rows}" if rows else ""
    return f"CREATE TABLE IF NOT EXISTS `{table}` (`id` {ID_TYPE}{more}, PRIMARY KEY (`id`))"


def create_positions() -> str:
    """Where sinks keep, beside the rows and in one transaction with them, how far they are."""
    word = "CHARACTER SET ascii COLLATE ascii_bin NOT NULL"
    return (
        f"CREATE TABLE IF NOT EXISTS `{POSITIONS}` (`installation` VARCHAR(100) {word}, "
        f"`sink` VARCHAR(100) {word}, `topic` VARCHAR(255) {word}, `part` INT NOT NULL, "
        "`next_offset` BIGINT NOT NULL, PRIMARY KEY (`installation`, `sink`, `topic`, `part`))"
    )


def upsert(table: str, columns: Sequence[Column]) -> str:
    """Puts a row in, or replaces what the sink writes of the row with this id."""
    names = ", ".join(f"`{column.name}`" for column in columns)
    places = ", ".join(["%s"] * len(columns))
    updates = ", ".join(f"`{c.name}` = VALUES(`{c.name}`)" for c in columns if c.name != "id")
    updates = updates or "`id` = `id`"
    return f"INSERT INTO `{table}` ({names}) VALUES ({places}) ON DUPLICATE KEY UPDATE {updates}"


def row(columns: Sequence[Column], record: Outgoing) -> tuple[Any, ...]:
    """The values of a row. Raises NoFit."""
    return tuple(
        record.id if column.name == "id" else _sent(column, cell(column, record.content))
        for column in columns
    )


def _sent(column: Column, value: Any) -> Any:
    if value is None:
        return None
    if column.type == "instant":
        text = datetime.fromtimestamp(value // 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
        return f"{text}.{value % 1000:03}"
    return format(value, "f") if isinstance(value, Decimal) else value


def number_of(error: pymysql.MySQLError) -> int:
    """The server's error number; 0 for an error of the client."""
    found = error.args[0] if error.args else 0
    return found if isinstance(found, int) else 0


def is_refusal(error: pymysql.MySQLError) -> bool:
    """Whether the record is at fault, and trying again is of no use."""
    return number_of(error) in _REFUSED
