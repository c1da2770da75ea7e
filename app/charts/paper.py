"""A drawing on a page of a PDF, as vectors. Calls block for some milliseconds."""

from functools import cache
from pathlib import Path as File
from typing import Any, Final

import reportlab
from reportlab.lib.colors import HexColor
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont

from app.charts.colours import INK, LINE, QUIET, SERIES, STRONG, WHITE, WIDTHS
from app.charts.drawing import (
    BEFORE_DASH,
    DASHES,
    SERIES_MAX,
    TEXT_PX,
    Area,
    Drawing,
    Part,
    Path,
    Point,
    Text,
    outline,
)

# where systems have DejaVu, which knows nearly every script; reportlab's own knows Latin only
_PLACES: Final = ("/usr/share/fonts/truetype/dejavu", "/usr/share/fonts/dejavu",
                  "/usr/share/fonts/dejavu-sans-fonts", "/usr/share/fonts/TTF",
                  "/Library/Fonts")  # fmt: skip
_FILES: Final = {"": ("DejaVuSans.ttf", "Vera.ttf"), "-Bold": ("DejaVuSans-Bold.ttf", "VeraBd.ttf")}


def font_file(weight: str = "") -> str:
    """Where the letters ("" or "-Bold") are on this machine."""
    wanted, usual = _FILES[weight]
    places = [File(place) / wanted for place in _PLACES]
    own = File(reportlab.__file__).parent / "fonts" / usual
    return str(next((place for place in places if place.is_file()), own))


@cache
def font(weight: str = "") -> str:
    """The name of the font ("" or "-Bold") in PDFs; embedded with the letters that are used."""
    name = f"Sluice{weight}"
    pdfmetrics.registerFont(TTFont(name, font_file(weight)))
    return name


def fitting(text: str, width: float, size: float, weight: str = "") -> str:
    """The text, shortened to a width in points."""
    name = font(weight)
    if pdfmetrics.stringWidth(text, name, size) <= width:
        return text
    while text and pdfmetrics.stringWidth(f"{text}…", name, size) > width:
        text = text[:-1]
    return f"{text}…"


def draw_on(canvas: Any, drawing: Drawing, left: float, top: float) -> None:
    """Draws it with its upper left corner there; a pixel is a point."""
    canvas.saveState()
    canvas.translate(left, top)
    canvas.setLineJoin(1)
    for part in drawing.parts:
        _part(canvas, part)
    canvas.restoreState()


def _part(canvas: Any, part: Part) -> None:
    if isinstance(part, Text):
        _text(canvas, part)
    elif isinstance(part, Path):
        _path(canvas, part)
    elif isinstance(part, Area):
        soft = part.look == "soft"
        _polygon(canvas, part.points, series_colour(part.series), WHITE if soft else None, soft)
    else:
        hollow = WHITE if part.hollow else None
        _polygon(canvas, outline(part), series_colour(part.series), hollow, part.look == "faint")


def _text(canvas: Any, part: Text) -> None:
    (x, y), name = part.at, font()
    canvas.setFillColor(HexColor(INK if part.look == "name" else QUIET))
    size = TEXT_PX * 0.75
    canvas.setFont(name, size)
    put = {"start": canvas.drawString, "middle": canvas.drawCentredString,
           "end": canvas.drawRightString}[part.anchor]  # fmt: skip
    put(x, -y, part.text)


def _path(canvas: Any, part: Path) -> None:
    colour = {"grid": LINE, "axis": STRONG, "hatch": WHITE}.get(
        part.look, series_colour(part.series)
    )
    dashes = {"line": DASHES[part.series % SERIES_MAX], "before": BEFORE_DASH}.get(part.look, ())
    canvas.setStrokeColor(HexColor(colour))
    canvas.setLineWidth(WIDTHS[part.look])
    canvas.setDash(*([list(dashes)] if dashes else [[]]))
    made = canvas.beginPath()
    (x, y), *others = part.points
    made.moveTo(x, -y)
    for x, y in others:
        made.lineTo(x, -y)
    canvas.drawPath(made, stroke=1, fill=0)


def _polygon(
    canvas: Any, points: tuple[Point, ...], colour: str, hollow: str | None, dashed: bool
) -> None:
    canvas.setFillColor(HexColor(hollow or colour))
    canvas.setStrokeColor(HexColor(colour if hollow else WHITE))
    canvas.setLineWidth(1.0 if hollow else 0.6)
    canvas.setDash([2, 1.5] if dashed else [])
    made = canvas.beginPath()
    (x, y), *others = points
    made.moveTo(x, -y)
    for x, y in others:
        made.lineTo(x, -y)
    made.close()
    canvas.drawPath(made, stroke=1, fill=1)


def series_colour(series: int) -> str:
    """The colour of a series on paper."""
    return SERIES[series % SERIES_MAX]
