"""Charts as drawings: within their picture, told apart without colours, true to the values."""

import re
from itertools import pairwise
from pathlib import Path as File
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import app.web
from app.charts import figures
from app.charts.charted import Charted, Series
from app.charts.colours import SERIES
from app.charts.draw import draw
from app.charts.drawing import DASHES, SERIES_MAX, Area, Drawing, Mark, Path, Text, outline
from app.charts.frame import hatched
from app.charts.pies import shares
from app.charts.scales import axis, thinned
from app.charts.svg import svg
from domain.metrics.dashboard import WidgetType
from domain.metrics.grains import Overlay

KINDS: tuple[WidgetType, ...] = ("line", "bar", "pie", "scatter")
VALUES = st.none() | st.floats(-1e12, 1e12) | st.integers(-(10**9), 10**9)


def chart(kind: WidgetType, *values: tuple[float | None, ...], before: Any = ()) -> Charted:
    length = max(map(len, values), default=0)
    series = tuple(
        Series(f"s{n}", v, before[n] if n < len(before) else ()) for n, v in enumerate(values)
    )
    names = tuple(f"2024-01-{n:02}" for n in range(length))
    partial = tuple(n == length - 1 for n in range(length))
    overlay: Overlay | None = "week" if before else None
    return Charted(kind, "Visits", "day", names, partial, series, overlay, adds=True)


def drawn(found: Charted, width: float = 576, height: float = 270) -> Drawing:
    made = draw(found, width, height)
    assert made is not None
    return made


def places(made: Drawing) -> list[tuple[float, float]]:
    found: list[tuple[float, float]] = []
    for part in made.parts:
        if isinstance(part, Path | Area):
            found += part.points
        elif isinstance(part, Mark):
            found.append(part.at)
        else:
            found.append(part.at)
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(KINDS),
    st.integers(1, 40).flatmap(
        lambda n: st.lists(st.tuples(*[VALUES] * n), min_size=1, max_size=9)
    ),
    st.booleans(),
    st.sampled_from([(304, 250), (576, 270), (511, 215)]),
)
def test_everything_is_within_the_picture(
    kind: WidgetType, values: list[Any], overlaid: bool, size: tuple[int, int]
) -> None:
    made = draw(chart(kind, *values, before=values if overlaid else ()), *size)
    if made is None:
        return
    for x, y in places(made):
        assert -1 <= x <= size[0] + 1 and -1 <= y <= size[1] + 1
    svg(made)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(-1e12, 1e12), max_size=20), st.booleans())
def test_an_axis_reaches_around_its_values_in_even_steps(values: list[float], zero: bool) -> None:
    marks = axis(values, zero=zero)
    assert 2 <= len(marks) <= 12
    steps = [b - a for a, b in pairwise(marks)]
    assert all(step == pytest.approx(steps[0], rel=1e-3) for step in steps)
    if values:
        slack = steps[0] * 1e-6 + 1e-290
        assert marks[0] <= min(values) + slack and marks[-1] >= max(values) - slack
    assert not zero or marks[0] <= 0 <= marks[-1]


def test_a_line_goes_where_its_values_are_and_stops_at_a_gap() -> None:
    made = drawn(chart("line", (0.0, 10.0, None, 5.0)))
    lines = [part for part in made.parts if isinstance(part, Path) and part.look == "line"]
    whole = [line for line in lines if len(line.points) > 1 and line.points[0][1] < 235]
    marks = [part for part in made.parts if isinstance(part, Mark) and part.tip]
    assert len(marks) == 3
    low, high, last = (mark.at[1] for mark in sorted(marks, key=lambda mark: mark.at[0]))
    assert (low + high) / 2 == pytest.approx(last)
    assert any(line.points == (marks[0].at, marks[1].at) for line in whole)
    assert marks[-1].hollow and marks[-1].tip == "s0, 2024-01-03: 5 so far"


def test_bars_are_as_high_as_their_values() -> None:
    made = drawn(chart("bar", (5.0, -5.0, 0.0, 1.0)))
    bars = [part for part in made.parts if isinstance(part, Area) and part.tip]
    heights = [max(y for _, y in bar.points) - min(y for _, y in bar.points) for bar in bars]
    assert heights[0] == pytest.approx(heights[1]) and heights[2] == 0
    assert heights[0] == pytest.approx(5 * heights[3])
    assert bars[-1].look == "soft"


def test_a_pie_has_the_shares_of_its_sums() -> None:
    found = shares(chart("pie", (1.0, 1.0), (6.0, None), (-5.0, 1.0)))
    assert [(one.name, one.value, one.series) for one in found] == [("s1", 6, 1), ("s0", 2, 0)]
    texts = [part.text for part in drawn(chart("pie", (1.0,), (3.0,))).parts
             if isinstance(part, Text)]  # fmt: skip
    assert "s1 75.0 %" in texts and "s0 25.0 %" in texts


def test_small_shares_are_one() -> None:
    found = shares(chart("pie", *((float(n),) for n in range(1, 10))))
    assert len(found) == SERIES_MAX and found[-1].name == "4 others"
    assert sum(one.value for one in found) == 45


def test_series_differ_without_colours() -> None:
    assert len(set(DASHES)) == SERIES_MAX
    assert len({tuple(outline(Mark((0, 0), n))) for n in range(SERIES_MAX)}) == SERIES_MAX
    patterns = [tuple(p for p in hatched(0, 0, 20, 20, n)) for n in range(SERIES_MAX)]
    shapes = [tuple(p.points for p in one if isinstance(p, Path)) for one in patterns]
    assert len(set(shapes)) == SERIES_MAX


def test_what_is_more_than_can_be_told_apart_is_said() -> None:
    made = drawn(chart("line", *((float(n),) for n in range(9))))
    assert "and 3 more in the table" in [p.text for p in made.parts if isinstance(p, Text)]
    assert made.says.endswith("s5 5; and 3 more.")


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw(chart("line", (None, None)), 300, 200) is None
    assert draw(chart("pie", (0.0, -1.0)), 300, 200) is None
    assert draw(chart("number", (1.0,)), 300, 200) is None


@settings(max_examples=100, deadline=None)
@given(st.lists(VALUES, min_size=1, max_size=400), st.integers(20, 100))
def test_thinning_keeps_the_extremes_and_the_ends(values: list[Any], most: int) -> None:
    kept = thinned(tuple(values), most)
    known = [value for value in values if value is not None]
    assert kept == sorted(set(kept)) and {0, len(values) - 1} <= set(kept)
    if known:
        shown = [values[n] for n in kept if values[n] is not None]
        assert (min(shown), max(shown)) == (min(known), max(known))
    assert len(kept) <= max(len(values) if len(values) <= most else 2 * most, 2)


def test_a_name_is_text_in_the_picture() -> None:
    found = chart("line", (1.0, 2.0))
    bad = Charted(found.type, "<script>alert(1)</script>", "day", found.buckets, found.partial,
                  (Series('"><b>', (1.0, 2.0)),))  # fmt: skip
    text = str(svg(drawn(bad)))
    assert "<script" not in text and "<b>" not in text and "style=" not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "–"), (0, "0"), (1204551, "1,204,551"), (0.1 / 3, "0.03333"), (12.5, "12.5"),
     (1234.56, "1,234.6"), (-0.5, "-0.5"), (1e20, "1e+20"), (1e-9, "1e-09"), (99.999, "100")],
)  # fmt: skip
def test_figures_are_for_people(value: float | None, text: str) -> None:
    assert figures.figure(value) == text


@pytest.mark.parametrize(
    ("grain", "text"),
    [("hour", "2024-05-06 07:00"), ("day", "2024-05-06"), ("week", "2024-05-06"),
     ("month", "2024-05"), ("quarter", "2024 Q2"), ("year", "2024")],
)  # fmt: skip
def test_buckets_have_names(grain: Any, text: str) -> None:
    assert figures.bucket(grain, "2024-05-06T07:00:00+02:00") == text


def luminance(colour: str) -> float:
    parts = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    light = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * light[0] + 0.7152 * light[1] + 0.0722 * light[2]


def test_colours_stand_out_in_both_themes_and_paper_has_the_light_ones() -> None:
    css = (File(app.web.__file__).parent / "static" / "tokens.css").read_text()
    themes = css.split("prefers-color-scheme: dark")
    for theme in themes:
        tokens = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", theme))
        series = [tokens[f"series-{n + 1}"] for n in range(SERIES_MAX)]
        ground = luminance(tokens["raised"])
        for colour in series:
            low, high = sorted((luminance(colour), ground))
            assert (high + 0.05) / (low + 0.05) >= 4.5, colour
        if theme is themes[0]:
            assert tuple(series) == SERIES
