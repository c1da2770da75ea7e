"""A drawing as a PNG, for mails: their readers show no SVG. Blocks for some 20 ms.

Drawn OVER times as large and then made smaller, which smooths it; in the colours of paper.
"""

import io
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from math import hypot
from typing import Any, Final

from PIL import Image, ImageDraw, ImageFont

from app.charts.colours import INK, LINE, QUIET, STRONG, WHITE, WIDTHS
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
from app.charts.paper import font_file, series_colour

SHARP: Final = 3  # pixels of the file for one of the drawing: readable on dense screens
OVER: Final = 2
PIL_ANCHOR: Final = {"start": "ls", "middle": "ms", "end": "rs"}


@cache
def _font(size: int) -> Any:
    return ImageFont.truetype(font_file(), size)


def png(drawing: Drawing) -> bytes:
    """The picture, on white."""
    scale = SHARP * OVER
    size = round(drawing.width * scale), round(drawing.height * scale)
    picture = Image.new("RGB", size, WHITE)
    pen = ImageDraw.Draw(picture)
    for part in drawing.parts:
        _part(pen, part, scale)
    small = picture.resize((size[0] // OVER, size[1] // OVER), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    # charts have few colours: a third of the bytes
    small.quantize(64, method=Image.Quantize.MEDIANCUT).save(out, "PNG", optimize=True)
    return out.getvalue()


def _part(pen: Any, part: Part, scale: int) -> None:
    if isinstance(part, Text):
        at = part.at[0] * scale, part.at[1] * scale
        colour = INK if part.look == "name" else QUIET
        letters = _font(round(TEXT_PX * 0.85 * scale))
        pen.text(at, part.text, fill=colour, font=letters, anchor=PIL_ANCHOR[part.anchor])
    elif isinstance(part, Path):
        _path(pen, part, scale)
    elif isinstance(part, Area):
        soft = part.look == "soft"
        _polygon(pen, part.points, series_colour(part.series), soft, soft, scale)
    else:
        colour = series_colour(part.series)
        _polygon(pen, outline(part), colour, part.hollow, part.look == "faint", scale)


def _path(pen: Any, part: Path, scale: int) -> None:
    own = series_colour(part.series)
    colour = {"grid": LINE, "axis": STRONG, "hatch": WHITE}.get(part.look, own)
    dashes = {"line": DASHES[part.series % SERIES_MAX], "before": BEFORE_DASH}.get(part.look, ())
    width = max(1, round(WIDTHS[part.look] * scale))
    for piece in dashed(part.points, dashes):
        pen.line([(x * scale, y * scale) for x, y in piece], fill=colour, width=width,
                 joint="curve")  # fmt: skip


def _polygon(
    pen: Any, points: Sequence[Point], colour: str, hollow: bool, dotted: bool, scale: int
) -> None:
    corners = [(x * scale, y * scale) for x, y in points]
    pen.polygon(corners, fill=WHITE if hollow else colour)
    edge = [*points, points[0]]
    for piece in dashed(edge, (2, 1.5) if dotted else ()):
        pen.line([(x * scale, y * scale) for x, y in piece], fill=colour if hollow else WHITE,
                 width=max(1, round((1.0 if hollow else 0.6) * scale)))  # fmt: skip


def dashed(points: Sequence[Point], dashes: Sequence[float]) -> list[list[Point]]:
    """A line as its dashes; lengths of dash and gap in turn, none for a whole line."""
    if not dashes:
        return [list(points)]
    lengths = list(dashes) * (2 if len(dashes) % 2 else 1)
    pieces: list[list[Point]] = [[points[0]]]
    at, left = 0, lengths[0]
    for start, end in pairwise(points):
        (x, y), (to_x, to_y) = start, end
        long = hypot(to_x - x, to_y - y)
        done = 0.0
        while long - done > left:
            done += left
            place = (x + (to_x - x) * done / long, y + (to_y - y) * done / long)
            if at % 2 == 0:
                pieces[-1].append(place)
            else:
                pieces.append([place])
            at = (at + 1) % len(lengths)
            left = lengths[at]
        left -= long - done
        if at % 2 == 0:
            pieces[-1].append(end)
    return [piece for piece in pieces if len(piece) > 1]
