"""A digest as a PDF: every figure with its chart as vectors and its table."""

from app.charts.colours import INK, QUIET
from app.charts.draw import draw
from app.charts.paper import draw_on, fitting
from app.charts.sheets import CHART_H, MARGIN, ROW_H, WIDTH, Sheets
from app.digests import content as words
from app.digests.content import Content, Figure
from domain.masking import Masker


def pdf(content: Content, masker: Masker | None) -> bytes:
    """The file; the same content is the same file. Blocks for some 10 ms a figure."""
    made = f"{content.words}, {content.zone}"
    if content.partial:
        made += ", not over yet"
    sheets = Sheets(f"{content.title}, {content.words}", f"figures of {content.made[:16]}Z")
    sheets.y -= 14
    sheets.text(MARGIN, fitting(content.title, WIDTH, 18, "-Bold"), 18, weight="-Bold")
    sheets.y -= 16
    sheets.text(MARGIN, fitting(made, WIDTH, 9), 9, QUIET)
    for name in content.failing:
        sheets.y -= 12
        sheets.text(MARGIN, fitting(words.failing(name), WIDTH, 9), 9)
    sheets.y -= 12
    for one in content.figures:
        _figure(sheets, content, one, masker)
    return sheets.done()


def _figure(sheets: Sheets, content: Content, one: Figure, masker: Masker | None) -> None:
    chart = words.chart_of(content, one, masker)
    drawing = None if chart is None else draw(chart, WIDTH, CHART_H)
    sheets.room(74 + (CHART_H if drawing else 0))
    sheets.y -= 18
    title = one.title if masker is None else masker.text(one.title)
    sheets.text(MARGIN, fitting(title, WIDTH, 11, "-Bold"), 11, weight="-Bold")
    sheets.y -= 8
    if one.failed:
        sheets.y -= 10
        sheets.text(MARGIN, fitting(one.failed, WIDTH, 9), 9, QUIET)
        return
    if drawing is not None:
        draw_on(sheets.canvas, drawing, MARGIN, sheets.y)
        sheets.y -= CHART_H
        if content.partial and one.type != "pie":
            sheets.y -= 10
            what = "Dashed" if one.type == "bar" else "Hollow"
            sheets.text(MARGIN, f"{what}: not over yet.", 8, QUIET)
    head = ["", "Value", words.before_words(content.every), "Difference", "Change"]
    column = WIDTH / len(head)
    sheets.row(head, 1, column, QUIET)
    for row in words.rows(one, masker):
        if sheets.room(ROW_H):
            sheets.row(head, 1, column, QUIET)
        cells = [row.name, row.value, row.before, row.difference, row.percent]
        sheets.row(cells, 1, column, INK)
    if one.series > len(one.lines):
        sheets.room(ROW_H)
        sheets.y -= 12
        told = f"The largest {len(one.lines):,} of {one.series:,} series."
        sheets.text(MARGIN, told, 8, QUIET)
    sheets.y -= 6
