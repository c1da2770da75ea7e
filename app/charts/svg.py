"""A drawing as SVG for a page. Colours come from the page's style sheet, by class: a strict
content security policy forbids them inline, and both themes have their own."""

from collections.abc import Iterable

from markupsafe import Markup, escape

from app.charts.drawing import (
    BEFORE_DASH,
    DASHES,
    SERIES_MAX,
    Area,
    Drawing,
    Mark,
    Part,
    Path,
    Point,
    outline,
)


def svg(drawing: Drawing, css: str = "") -> Markup:
    """The picture, scaled to the width there is."""
    size = f"{drawing.width:g} {drawing.height:g}"
    head = (
        f'<svg class="drawn {escape(css)}" viewBox="0 0 {size}" role="img" '
        f'aria-label="{escape(drawing.says)}">'
    )
    return Markup(head + "".join(_part(part) for part in drawing.parts) + "</svg>")


def _part(part: Part) -> str:
    if isinstance(part, Path):
        return _path(part)
    if isinstance(part, Area):
        return _shape(part.points, f"{part.look} s{_colour(part.series)}", part.tip)
    if isinstance(part, Mark):
        look = f"{part.look}{' hollow' if part.hollow else ''} s{_colour(part.series)}"
        return _shape(outline(part), look, part.tip)
    (x, y), anchor = part.at, part.anchor
    place = f'class="{part.look}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
    return f"<text {place}>{escape(part.text)}</text>"


def _path(part: Path) -> str:
    dashes = {"line": DASHES[_colour(part.series)], "before": BEFORE_DASH}.get(part.look, ())
    dash = f' stroke-dasharray="{" ".join(f"{d:g}" for d in dashes)}"' if dashes else ""
    look = f"{part.look} s{_colour(part.series)}"
    return f'<polyline class="{look}"{dash} points="{_points(part.points)}"/>'


def _shape(points: Iterable[Point], look: str, tip: str) -> str:
    inner = f"<title>{escape(tip)}</title>" if tip else ""
    return f'<polygon class="{look}" points="{_points(points)}">{inner}</polygon>'


def _points(points: Iterable[Point]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _colour(series: int) -> int:
    return series % SERIES_MAX
