"""A dashboard as an Excel file: a sheet a widget, on disk until it is given out."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

import xlsxwriter
from aiohttp import web

from app.web.api.workbooks import OPTIONS, PIECE_BYTES
from app.web.csv_text import figure_cell
from app.web.dashboards_shown import question
from app.web.figures_asked import figured, header, rows
from domain.metrics.dashboard import Dashboard

_NOT_IN_A_NAME = re.compile(r"[\[\]:*?/\\]")
_NAME_MAX = 31  # characters of a sheet's name


def sheet_name(n: int, title: str) -> str:
    """What Excel takes as a name, one of its own for each widget."""
    return f"{n} {_NOT_IN_A_NAME.sub(' ', title)}"[:_NAME_MAX].rstrip("' ")


def write_sheet(book: Any, name: str, head: Sequence[str], body: Iterable[Sequence[Any]]) -> None:
    """Adds a sheet; texts are texts, whatever they begin with. Blocks."""
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    for column, title in enumerate(head):
        sheet.write_string(0, column, str(figure_cell(title)))
    for number, row in enumerate(body, 1):
        for column, value in enumerate(row):
            shown = figure_cell(value)
            if isinstance(shown, int | float):
                sheet.write_number(number, column, shown)
            else:
                sheet.write_string(number, column, str(shown))


async def workbook(request: web.Request, board: Dashboard) -> AsyncIterator[bytes]:
    """The file in pieces. Widgets are asked one after the other, so that one is held at a time."""
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="sluice-dashboard-")
    try:
        path = Path(folder.name) / "dashboard.xlsx"
        book: Any = xlsxwriter.Workbook(str(path), {**OPTIONS, "tmpdir": folder.name})
        for n, widget in enumerate(board.widgets):
            asked = question(request, widget)
            found = await figured(request, asked, f"Widget {n}")
            name = sheet_name(n, widget.title)
            await asyncio.to_thread(write_sheet, book, name, header(asked), rows(asked, found))
        await asyncio.to_thread(book.close)
        with path.open("rb") as file:
            while content := await asyncio.to_thread(file.read, PIECE_BYTES):
                yield content
    finally:
        await asyncio.to_thread(folder.cleanup)
