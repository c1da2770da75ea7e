"""What a chart is made of: lines, areas, marks and texts at places in pixels, y downwards.

A series is told by its number, from 0: whoever draws gives it its colour, and its dashes, the
shape of its marks and its hatching besides, so that nobody needs the colour.
"""

from dataclasses import dataclass
from math import cos, pi, sin
from typing import Final, Literal, TypeAlias

Point: TypeAlias = tuple[float, float]
SERIES_MAX: Final = 6  # that can be told apart; the rest is in the table
TEXT_PX: Final = 12
CHAR_PX: Final = 6.7  # of a letter of that size, on the wide side

# series -> lengths of dash and gap in pixels, none for a whole line
DASHES: Final[tuple[tuple[float, ...], ...]] = (
    (), (7, 4), (2, 3), (10, 3, 2, 3), (4, 2), (12, 5),
)  # fmt: skip
BEFORE_DASH: Final = (1.5, 3.5)


@dataclass(frozen=True)
class Path:
    """A line. `before`: of the earlier time that a series is laid over."""

    points: tuple[Point, ...]
    look: Literal["grid", "axis", "line", "before", "hatch"]
    series: int = 0


@dataclass(frozen=True)
class Area:
    """A filled polygon."""

    points: tuple[Point, ...]
    series: int
    tip: str = ""
    look: Literal["area", "soft"] = "area"


@dataclass(frozen=True)
class Mark:
    """A small shape of the series' own. `hollow`: of a bucket that isn't over."""

    at: Point
    series: int
    tip: str = ""
    hollow: bool = False
    look: Literal["mark", "faint"] = "mark"


@dataclass(frozen=True)
class Text:
    """A text on its baseline."""

    at: Point
    text: str
    anchor: Literal["start", "middle", "end"] = "start"
    look: Literal["label", "name"] = "label"


Part: TypeAlias = Path | Area | Mark | Text


@dataclass(frozen=True)
class Drawing:
    """A chart. `says` is what it shows, for who doesn't see it."""

    width: float
    height: float
    says: str
    parts: tuple[Part, ...]


def text_px(text: str) -> float:
    """About how wide a text is."""
    return len(text) * CHAR_PX


def cut(text: str, width: float) -> str:
    """The text, shortened to a width."""
    most = max(3, int(width / CHAR_PX))
    return text if len(text) <= most else f"{text[: most - 1]}…"


def outline(mark: Mark) -> tuple[Point, ...]:
    """The corners of a mark: a dot, a square, a triangle, a diamond, a triangle upside down, a
    star."""
    (x, y), size = mark.at, 3.6
    if mark.series % SERIES_MAX == 5:
        radii = [size * 1.5 if n % 2 == 0 else size * 0.6 for n in range(10)]
        return _around(x, y, radii, -pi / 2)
    corners, turn, scale = (
        (12, 0.0, 1.0), (4, pi / 4, 1.25), (3, -pi / 2, 1.45), (4, 0.0, 1.4), (3, pi / 2, 1.45),
    )[mark.series % SERIES_MAX]  # fmt: skip
    return _around(x, y, [size * scale] * corners, turn)


def _around(x: float, y: float, radii: list[float], turn: float) -> tuple[Point, ...]:
    steps = [(radius, turn + 2 * pi * n / len(radii)) for n, radius in enumerate(radii)]
    return tuple((x + radius * cos(angle), y + radius * sin(angle)) for radius, angle in steps)
