"""Excel files of any length: rows go to disk as they come, the file is read from there."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

from app.campaign_shapes import Json
from app.web.api.campaign_files import cell

SHEET_ROWS = 1_048_576  # what a sheet holds; further rows go on in another one
PIECE = 1_000  # rows written in one go of the thread: about 20 ms
PIECE_BYTES = 256 * 1024
OPTIONS = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}


class Book:
    """An Excel file being written in `folder`. Calls block: they belong into a thread."""

    def __init__(self, folder: Path, name: str, columns: Sequence[str]) -> None:
        import xlsxwriter  # loaded by the first who asks for an Excel file

        self.path = folder / "report.xlsx"
        self._name, self._columns = name, columns
        self._book: Any = xlsxwriter.Workbook(str(self.path), {**OPTIONS, "tmpdir": str(folder)})
        self._sheet: Any = None
        self._sheets = self._row = 0

    def write(self, rows: Sequence[Json]) -> None:
        """Appends rows."""
        for row in rows:
            if self._sheet is None or self._row == SHEET_ROWS:
                self._begin()
            for column, name in enumerate(self._columns):
                value = cell(row.get(name))
                if isinstance(value, str):
                    self._sheet.write_string(self._row, column, value)
                else:
                    self._sheet.write_number(self._row, column, value)
            self._row += 1

    def close(self) -> None:
        """Makes the file whole."""
        if self._sheet is None:
            self._begin()
        self._book.close()

    def _begin(self) -> None:
        self._sheets += 1
        name = self._name if self._sheets == 1 else f"{self._name} {self._sheets}"
        self._sheet = self._book.add_worksheet(name)
        self._sheet.freeze_panes(1, 0)
        for column, title in enumerate(self._columns):
            self._sheet.write_string(0, column, title)
        self._row = 1


async def workbook(
    name: str, columns: Sequence[str], rows: AsyncIterator[Json]
) -> AsyncIterator[bytes]:
    """An Excel file with one sheet of these rows (more when they don't fit), in pieces."""
    folder = await asyncio.to_thread(tempfile.TemporaryDirectory, prefix="sluice-report-")
    try:
        book = await asyncio.to_thread(Book, Path(folder.name), name, columns)
        piece: list[Json] = []
        async for row in rows:
            piece.append(row)
            if len(piece) == PIECE:
                await asyncio.to_thread(book.write, piece)
                piece = []
        await asyncio.to_thread(book.write, piece)
        await asyncio.to_thread(book.close)
        with book.path.open("rb") as file:
            while content := await asyncio.to_thread(file.read, PIECE_BYTES):
                yield content
    finally:
        await asyncio.to_thread(folder.cleanup)
