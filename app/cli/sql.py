"""`sluice sql "select …"`: one SELECT over the tables `rollups` and `archive`."""

import argparse
import json

from app.cli.command import Command, Context
from app.cli.output import Cell

LONG_S = 900.0  # a statement may take as long as its setting says


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the arguments."""
    parser.add_argument("statement", metavar="SELECT", help="one SELECT, read only")


def run(arguments: argparse.Namespace, context: Context) -> int:
    """Exit 2 for a statement that is refused, 1 when it needed more than it may have."""
    body = json.dumps({"sql": arguments.statement}).encode()
    found = context.client.request("POST", "/api/sql", body=body, timeout_s=LONG_S).json()
    out = context.out
    if out.json:
        out.document(found)
        return 0
    names = [column["name"] for column in found["columns"]]
    out.table(names, [[_cell(value) for value in row] for row in found["rows"]], "no rows")
    if found["truncated"]:
        out.note("there are more rows; SLUICE_SQL_ROWS says how many are told")
    return 0


def _cell(value: object) -> Cell:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False, default=str)
    return value


COMMAND = Command("sql", "one SELECT over the figures, read only", add_arguments, run)
