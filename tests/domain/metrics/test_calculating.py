"""Calculated metrics of calculated metrics."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.metrics.calculating import Formula, circle
from domain.metrics.expression import Expression

NAMES = [f"m{n}" for n in range(7)]
terms = st.one_of(st.sampled_from([*NAMES, "s", "t"]), st.sampled_from(["2", "0.5"]))
texts_of = st.dictionaries(
    st.sampled_from(NAMES),
    st.tuples(st.sampled_from([*NAMES, "s", "t"]), st.sampled_from("+-*/"), terms).map(" ".join),
    min_size=1,
)
figures = st.integers(-3, 3) | st.none()


def plainly(name: str, texts: dict[str, str], values: dict[str, float | None]) -> float | None:
    """A metric of no circle, worked out from the inside."""
    if name not in texts:
        return values.get(name)
    expression = Expression(texts[name])
    return expression.value({each: plainly(each, texts, values) for each in expression.metrics})


def reached(name: str, texts: dict[str, str]) -> set[str]:
    """Everything that a metric is made of, by any way."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        inner = texts.get(waiting.pop())
        for each in [] if inner is None else Expression(inner).metrics:
            if each not in found:
                found.add(each)
                waiting.append(each)
    return found


@given(texts_of, figures, figures)
def test_a_metric_is_what_it_is_worked_out_from_the_inside(
    texts: dict[str, str], s: float | None, t: float | None
) -> None:
    values = {"s": s, "t": t}
    for name in texts:
        if all(each not in reached(each, texts) for each in {name, *reached(name, texts)}):
            formula = Formula(name, texts)
            assert set(formula.metrics) == reached(name, texts) - texts.keys()
            assert formula.value(values) == plainly(name, texts, values)


@given(texts_of)
def test_a_circle_is_found_wherever_there_is_one_and_is_one(texts: dict[str, str]) -> None:
    for name in texts:
        way = circle(name, texts)
        assert (way is not None) == (name in reached(name, texts))
        if way is not None:
            assert way[0] == way[-1] == name
            assert all(b in Expression(texts[a]).metrics for a, b in pairwise(way))


@given(texts_of, figures)
def test_one_that_was_taken_before_has_an_end(texts: dict[str, str], s: float | None) -> None:
    for name in texts:
        formula = Formula(name, texts)
        formula.value(dict.fromkeys(formula.metrics, s))


def test_its_own_name_is_that_of_a_source_as_it_was() -> None:
    formula = Formula("a", {"a": "a / 2"})
    assert (formula.metrics, formula.value({"a": 5})) == (["a"], 2.5)


def test_many_ways_to_one_are_worked_out_once() -> None:
    texts = {f"m{n}": f"m{n - 1} + x{n}" for n in range(1, 200)}
    texts |= {f"x{n}": f"m{n - 1} * 1" for n in range(1, 200)}
    assert Formula("m199", texts).value({"m0": 1}) == pytest.approx(2.0**199)
