"""Series of several shards, grouped, beside earlier ones, and calculated."""

import pytest

from domain.metrics.combining import Told, calculated, compared, series_shown, shown_by
from domain.metrics.expression import BadExpression, Expression
from domain.metrics.partials import Partial, packed
from domain.metrics.series import Series

DAY = 86_400_000


def told(kind: str, *rows: tuple[str, int, int, float]) -> Told:
    """Series of (repo, day, version, value)."""
    found = []
    for repo, day, version, value in rows:
        partial = Partial()
        partial.add(day * DAY + version, version, int(value))
        found.append((Series("m", kind, {"repo": repo}, "UTC"), [(day * DAY, packed(partial))]))
    return found


def test_gauges_add_the_last_of_each_series_and_counters_everything() -> None:
    rows = (("a", 0, 1, 5), ("a", 0, 2, 7), ("b", 0, 1, 10))
    assert shown_by(told("gauge", *rows), ())[()][0]["value"] == 17
    assert shown_by(told("counter", *rows), ())[()][0]["value"] == 22
    by_repo = shown_by(told("gauge", *rows), ("repo",))
    assert {name: each[0]["value"] for name, each in by_repo.items()} == {("a",): 7, ("b",): 10}


def test_missing_buckets_are_null_and_the_last_is_partial() -> None:
    found = shown_by(told("counter", ("a", 0, 1, 5), ("a", 2, 1, 8)), ())
    starts = [0, DAY, 2 * DAY]
    (series,) = series_shown(found, (), starts, "day", "UTC", None, int(2.5 * DAY))
    shown = [(each["value"], each["count"], each["partial"]) for each in series["points"]]
    assert shown == [(5, 1, False), (None, 0, False), (8, 1, True)]


def test_an_overlay_says_difference_and_ratio() -> None:
    found = shown_by(told("counter", ("a", 0, 1, 10), ("a", 7, 1, 12)), ())
    (series,) = series_shown(found, (), [7 * DAY], "day", "UTC", "week", 99 * DAY)
    assert series["points"][0]["overlay"] == {
        "start": "1970-01-01T00:00:00Z", "value": 10, "difference": 2, "ratio": 0.2,
    }  # fmt: skip
    assert compared(None, 3) == {"value": 3, "difference": None, "ratio": None}
    assert compared(3, 0) == {"value": 0, "difference": 3, "ratio": None}
    assert compared(0.3, 0.1)["difference"] == 0.2


def test_a_calculated_metric_has_a_value_where_all_of_its_metrics_have() -> None:
    expression = Expression("a.won / (a.leads - 1)")
    assert expression.metrics == ["a.won", "a.leads"]
    found = {
        "a.won": shown_by(told("counter", ("x", 0, 1, 3), ("x", 1, 1, 3), ("x", 2, 1, 1)), ()),
        "a.leads": shown_by(told("counter", ("x", 0, 1, 5), ("x", 1, 1, 1)), ()),
    }
    made = calculated(found, expression.value)[()]
    assert [made[day * DAY]["value"] for day in range(3)] == [0.75, None, None]


@pytest.mark.parametrize(
    "text",
    ["", "1", "a +", "a ** b", "f(a)", "a[0]", "a if b else c", "'x' + a", "a; b", "a" * 2000],
)
def test_other_expressions_are_refused(text: str) -> None:
    with pytest.raises(BadExpression):
        Expression(text)
