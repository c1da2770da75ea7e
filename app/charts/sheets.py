"""Pages of a PDF that are filled from above."""

import io
from collections.abc import Sequence
from typing import Any, Final

from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from app.charts.colours import INK, LINE, QUIET
from app.charts.paper import fitting, font

MARGIN: Final = 42.0
WIDTH: Final = A4[0] - 2 * MARGIN
CHART_H: Final = 215.0
ROW_H: Final = 14.0


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

    def row(
        self, cells: Sequence[str], numeric: int, column: float, colour: str = INK
    ) -> None:  # fmt: skip
        """A row of a table, every column as wide; from the `numeric`-th on they hold numbers."""
        self.y -= ROW_H
        for n, cell in enumerate(cells):
            left = MARGIN + n * column
            shown = fitting(cell, column - 6, 8)
            if n < numeric:
                self.text(left, shown, 8, colour)
            else:
                self.text(left + column, shown, 8, colour, right=True)
        self.line()

    def done(self) -> bytes:
        """The file."""
        self._end()
        self.canvas.save()
        return self._out.getvalue()

    def _end(self) -> None:
        self.y = MARGIN - 8
        self.text(MARGIN, fitting(self._foot, WIDTH - 40, 7.5), 7.5, QUIET)
        self.text(MARGIN + WIDTH, str(self._page), 7.5, QUIET, right=True)
