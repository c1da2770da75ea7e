"""Small charts of bars that work before any script has run: drawings for `ui.bars`."""

from collections.abc import Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 600, 96  # units of the drawing; it is as wide as its place
BREADTH = 24  # of a bar at most
LEAST = 1.5  # height of what is not nothing


class Bar(NamedTuple):
    """A bar and what it stands for."""

    x: float
    y: float
    width: float
    height: float
    value: float
    at_ms: int | None
    name: str


def bars(points: Sequence[tuple[float, int | None, str]], places: int = 0) -> list[Bar]:
    """Bars of (value, instant, name) side by side, the highest as high as the drawing. There is
    room for `places` of them, if those are more: then the last one stands at the right."""
    top = max((value for value, _, _ in points), default=0)
    free = max(places - len(points), 0)
    step = WIDTH / max(len(points), places, 1)
    breadth = min(step * 0.8, BREADTH)
    found = []
    for n, (value, at_ms, name) in enumerate(points):
        height = max(value / top * HEIGHT, LEAST) if value > 0 else 0.0
        x = (n + free) * step + (step - breadth) / 2
        found.append(
            Bar(
                round(x, 1), round(HEIGHT - height, 1), round(breadth, 1), round(height, 1),
                value, at_ms, name,
            )
        )  # fmt: skip
    return found
