"""A dashboard as a PDF: every widget with its chart as vectors and its newest figures."""

from collections.abc import Sequence
from typing import Final

from app.charts.colours import INK, QUIET
from app.charts.paper import draw_on, fitting
from app.charts.sheets import CHART_H, MARGIN, ROW_H, WIDTH, Sheets
from app.web.widgets_shown import Shown

BESIDE_CHART = 12  # rows below a chart; a table has all that the page has
NUMBER_H: Final = 46.0
COLUMNS = 3  # numbers in a row


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
    sheets.row(one.head, one.numeric, column, QUIET)
    for row in rows:
        if sheets.room(ROW_H):
            sheets.row(one.head, one.numeric, column, QUIET)
        bucket = f"{row.bucket} so far" if row.partial else row.bucket
        sheets.row([bucket, *row.names, *row.numbers], one.numeric, column)
    if one.total > len(rows):
        sheets.room(ROW_H)
        sheets.y -= 12
        told = f"The newest {len(rows):,} of {one.total:,}; the CSV has all."
        sheets.text(MARGIN, told, 8, QUIET)
    sheets.y -= 6
