"""Charts as pictures for mails."""

import io
from itertools import pairwise
from math import hypot

from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from app.charts.charted import Charted, Series
from app.charts.colours import SERIES
from app.charts.draw import draw
from app.charts.raster import SHARP, dashed, png


def picture(kind: str) -> Image.Image:
    values = ((1.0, 4.0, 2.0), (3.0, 1.0, 5.0))
    series = tuple(Series(name, some) for name, some in zip("ab", values, strict=True))
    buckets = ("2024-03-01", "2024-03-02", "2024-03-03")
    chart = Charted(kind, "M", "day", buckets, (False, False, True), series)  # type: ignore[arg-type]
    drawing = draw(chart, 400, 180)
    assert drawing is not None
    return Image.open(io.BytesIO(png(drawing))).convert("RGB")


def test_every_kind_is_a_picture_on_white_in_the_colours_of_its_series() -> None:
    for kind in ("line", "bar", "pie", "scatter"):
        made = picture(kind)
        assert made.size == (400 * SHARP, 180 * SHARP)
        assert made.getpixel((1, 1)) == (255, 255, 255)
        colours = {colour for _, colour in made.getcolors(1 << 20) or []}
        for wanted in SERIES[:2]:
            rgb = tuple(int(wanted[at : at + 2], 16) for at in (1, 3, 5))
            near = min(max(abs(a - b) for a, b in zip(one, rgb, strict=True)) for one in colours)  # type: ignore[arg-type]
            assert near <= 16, (kind, wanted)


@given(
    st.lists(st.tuples(st.integers(0, 99), st.integers(0, 99)), min_size=2, max_size=9),
    st.lists(st.floats(0.5, 20), min_size=1, max_size=4),
)
def test_dashes_lie_on_the_line_and_are_as_long_as_they_should(
    points: list[tuple[int, int]], dashes: list[float]
) -> None:
    whole = [(float(x), float(y)) for x, y in points]
    pieces = dashed(whole, dashes)
    lengths = dashes * (2 if len(dashes) % 2 else 1)
    total = _long(whole)
    full, on = divmod(total, sum(lengths))
    share = full * sum(lengths[::2])
    for at, length in enumerate(lengths):
        share += min(on, length) if at % 2 == 0 else 0
        on = max(0.0, on - length)
    assert abs(sum(map(_long, pieces)) - share) < 1e-6 * (1 + total)
    assert dashed(whole, ()) == [whole]


def _long(points: list[tuple[float, float]]) -> float:
    return sum(hypot(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(points))
