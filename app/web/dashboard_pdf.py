"""A dashboard as a PDF: every widget with its chart as vectors and its newest figures."""

import io
from collections.abc import Sequence
from typing import Any, Final

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from app.charts.paper import INK, LINE, QUIET, draw_on, fitting, font
from app.web.widgets_shown import Shown

MARGIN: Final = 42.0
WIDTH: Final = A4[0] - 2 * MARGIN
CHART_H: Final = 215.0
ROW_H: Final = 14.0
BESIDE_CHART = 12  # rows below a chart; a table has all that the page has
NUMBER_H: Final = 46.0
COLUMNS = 3  # numbers in a row


class Sheets:
    """Pages filled from above. `room` begins a new one where the rest is too low."""

    def __init__(self, title: str, made: str) -> None:
        self._out = io.BytesIO()
        # without the time of making in it the same figures are the same file
        self.canvas: Any = Canvas(self._out, pagesize=A4, invariant=1)
        self.canvas.setTitle(title)
        self.canvas.setCreator("Sluice")
        self._foot = f"{title}, {made}"
        self._page = 1
        self.y = A4[1] - MARGIN

    def room(self, height: float) -> bool:
        """Makes sure of so many points; whether a page was begun for it."""
        if self.y - height >= MARGIN + 16:
            return False
        self._end()
        self.canvas.showPage()
        self._page += 1
        self.y = A4[1] - MARGIN
        return True

    def text(
        self, x: float, text: str, size: float, colour: str = INK, weight: str = "",
        *, right: bool = False,
    ) -> None:  # fmt: skip
        """A text on the line at `y`."""
        self.canvas.setFillColor(HexColor(colour))
        self.canvas.setFont(font(weight), size)
        put = self.canvas.drawRightString if right else self.canvas.drawString
        put(x, self.y, text)

    def line(self) -> None:
        """A thin line over the whole width, a little below `y`."""
        self.canvas.setStrokeColor(HexColor(LINE))
        self.canvas.setLineWidth(0.5)
        self.canvas.setDash([])
        self.canvas.line(MARGIN, self.y - 4, MARGIN + WIDTH, self.y - 4)

    def done(self) -> bytes:
        """The file."""
        self._end()
        self.canvas.save()
        return self._out.getvalue()

    def _end(self) -> None:
        self.y = MARGIN - 8
        self.text(MARGIN, fitting(self._foot, WIDTH - 40, 7.5), 7.5, QUIET)
        self.text(MARGIN + WIDTH, str(self._page), 7.5, QUIET, right=True)


def pdf(title: str, made: str, widgets: Sequence[Shown]) -> bytes:
    """The file; `made` says when its figures are of. Blocks for some 10 ms a widget."""
    sheets = Sheets(title, made)
    sheets.y -= 14
    sheets.text(MARGIN, fitting(title, WIDTH, 18, "-Bold"), 18, weight="-Bold")
    sheets.y -= 16
    sheets.text(MARGIN, fitting(made, WIDTH, 9), 9, QUIET)
    sheets.y -= 12
    for one in widgets:
        _widget(sheets, one)
    return sheets.done()


def _widget(sheets: Sheets, one: Shown) -> None:
    drawing = one.drawn(WIDTH, CHART_H)
    sheets.room(60 + (CHART_H if drawing else 0))
    sheets.y -= 18
    name = fitting(one.widget.title, WIDTH * 0.6, 11, "-Bold")
    sheets.text(MARGIN, name, 11, weight="-Bold")
    span = ", ".join(filter(None, (f"by {one.widget.grain}", one.range, one.zone)))
    sheets.text(MARGIN + WIDTH, fitting(span, WIDTH * 0.38, 8), 8, QUIET, right=True)
    sheets.y -= 8
    if one.failed or not one.latest:
        sheets.y -= 10
        told = one.failed or f"Nothing was heard of {one.widget.metric} yet."
        sheets.text(MARGIN, fitting(told, WIDTH, 9), 9, QUIET)
        return
    if drawing is not None:
        draw_on(sheets.canvas, drawing, MARGIN, sheets.y)
        sheets.y -= CHART_H
        if one.partial and one.widget.type != "pie":
            sheets.y -= 10
            what = "Dashed" if one.widget.type == "bar" else "Hollow"
            sheets.text(MARGIN, f"{what}: not over yet.", 8, QUIET)
    elif one.widget.type == "number":
        _numbers(sheets, one)
    _table(sheets, one, len(one.rows) if one.widget.type == "table" else BESIDE_CHART)


def _numbers(sheets: Sheets, one: Shown) -> None:
    width = WIDTH / COLUMNS
    for first in range(0, len(one.latest), COLUMNS):
        sheets.room(NUMBER_H)
        top = sheets.y
        for n, latest in enumerate(one.latest[first : first + COLUMNS]):
            x = MARGIN + n * width
            for step, text, size, colour in (
                (10, latest.name or one.widget.metric, 8, QUIET),
                (28, latest.value, 16, INK),
                (40, latest.note, 8, QUIET),
            ):
                sheets.y = top - step
                sheets.text(x, fitting(text, width - 8, size), size, colour)
        sheets.y = top - NUMBER_H


def _table(sheets: Sheets, one: Shown, most: int) -> None:
    rows = one.rows[:most]
    column = WIDTH / len(one.head)
    _row(sheets, one.head, one.numeric, column, QUIET)
    for row in rows:
        if sheets.room(ROW_H):
            _row(sheets, one.head, one.numeric, column, QUIET)
        bucket = f"{row.bucket} so far" if row.partial else row.bucket
        _row(sheets, [bucket, *row.names, *row.numbers], one.numeric, column, INK)
    if one.total > len(rows):
        sheets.room(ROW_H)
        sheets.y -= 12
        told = f"The newest {len(rows):,} of {one.total:,}; the CSV has all."
        sheets.text(MARGIN, told, 8, QUIET)
    sheets.y -= 6


def _row(
    sheets: Sheets, cells: Sequence[str], numeric: int, column: float, colour: str
) -> None:  # fmt: skip
    sheets.y -= ROW_H
    for n, cell in enumerate(cells):
        left = MARGIN + n * column
        shown = fitting(cell, column - 6, 8)
        if n < numeric:
            sheets.text(left, shown, 8, colour)
        else:
            sheets.text(left + column, shown, 8, colour, right=True)
    sheets.line()
