"""A dashboard as an Excel file: a sheet a widget with its chart, on disk until it is given out."""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from aiohttp import web

from app.charts.charted import Charted, charted
from app.charts.pies import Share, shares
from app.metrics_backend import Asked, Figured
from app.web.api.book_charts import SHARE_HEAD, Columns, add_chart
from app.web.api.workbooks import OPTIONS, PIECE_BYTES
from app.web.context import BACKEND
from app.web.csv_text import figure_cell
from app.web.dashboards_shown import question
from app.web.figures_asked import FIGURES, figured, header, rows
from domain.metrics.dashboard import Dashboard

_NOT_IN_A_NAME = re.compile(r"[\[\]:*?/\\]")
_NAME_MAX = 31  # characters of a sheet's name


def sheet_name(n: int, title: str) -> str:
    """What Excel takes as a name, one of its own for each widget."""
    return f"{n} {_NOT_IN_A_NAME.sub(' ', title)}"[:_NAME_MAX].rstrip("' ")


def write_sheet(book: Any, name: str, asked: Asked, found: Figured, chart: Charted) -> None:
    """Adds a sheet; texts are texts, whatever they begin with. A pie's shares stand beside its
    figures. Blocks."""
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 0)
    head = header(asked)
    parts = shares(chart) if chart.type == "pie" else []
    _write(sheet, 0, [*head, *(SHARE_HEAD if parts else ())])
    for number, row in enumerate(rows(asked, found), 1):
        # the rows go to disk as they come: what stands in one is written with it
        _write(sheet, number, [*row, *_share(parts, number)])
    start = len(asked.group)
    before = start + 1 + len(FIGURES) + 1
    add_chart(book, sheet, name, chart, Columns(start, start + 1, before, len(head)), parts)


def _share(parts: Sequence[Share], number: int) -> Sequence[Any]:
    return (parts[number - 1].name, parts[number - 1].value) if number <= len(parts) else ()


def _write(sheet: Any, number: int, row: Sequence[Any]) -> None:
    for column, value in enumerate(row):
        shown = figure_cell(value)
        if isinstance(shown, int | float):
            sheet.write_number(number, column, shown)
        elif shown != "":  # a chart would take an empty text for 0
            sheet.write_string(number, column, str(shown))


def _begun(path: Path) -> Any:
    import xlsxwriter  # loaded by the first who asks for an Excel file

    return xlsxwriter.Workbook(str(path), {**OPTIONS, "tmpdir": str(path.parent)})


async def workbook(request: web.Request, board: Dashboard) -> AsyncIterator[bytes]:
    """The file in pieces. Widgets are asked one after the other, so that one is held at a time."""
    kinds = await request.app[BACKEND].known_metrics()
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="sluice-dashboard-")
    try:
        path = Path(folder.name) / "dashboard.xlsx"
        book = await asyncio.to_thread(_begun, path)
        for n, widget in enumerate(board.widgets):
            asked = question(request, widget)
            found = await figured(request, asked, f"Widget {n}")
            adds = kinds.get(widget.metric, ("", ""))[0] == "counter"
            chart = charted(
                widget.type, widget.title, widget.grain, found.series, widget.overlay, adds=adds
            )
            name = sheet_name(n, widget.title)
            await asyncio.to_thread(write_sheet, book, name, asked, found, chart)
        await asyncio.to_thread(book.close)
        with path.open("rb") as file:
            while content := await asyncio.to_thread(file.read, PIECE_BYTES):
                yield content
    finally:
        await asyncio.to_thread(folder.cleanup)
