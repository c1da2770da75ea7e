"""Calculated metrics of calculated metrics: in which order they are worked out, from what."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from domain.metrics.expression import Expression


class Formula:
    """A calculated metric with those that it is calculated from. `texts`: the expression of every
    calculated metric by name. `metrics` are the names that it takes from sources, in order.

    A name that would come back to itself is the metric of a source: that is how a document means
    it which was taken before such documents were refused.
    """

    def __init__(self, name: str, texts: Mapping[str, str]) -> None:
        self._name = name
        self._steps: dict[str, Expression] = {}
        self.metrics: list[str] = []
        self._add(name, texts, ())
        self.text = "; ".join(f"{step} = {each.text}" for step, each in self._steps.items())

    def _add(self, name: str, texts: Mapping[str, str], within: tuple[str, ...]) -> None:
        expression = Expression(texts[name])
        for inner in expression.metrics:
            if inner in texts and inner not in (name, *within):
                if inner not in self._steps:
                    self._add(inner, texts, (*within, name))
            elif inner not in self.metrics:
                self.metrics.append(inner)
        self._steps[name] = expression

    def value(self, values: Mapping[str, float | None]) -> float | None:
        """As `Expression.value`, of what its `metrics` are."""
        known = dict(values)
        for name, expression in self._steps.items():
            known[name] = expression.value(known)
        return known[self._name]


def circle(name: str, texts: Mapping[str, str]) -> list[str] | None:
    """The way from a calculated metric back to itself, both ends included; None without one.
    `texts` as above.
    """
    seen: set[str] = set()
    ways: list[tuple[str, Iterator[str]]] = [(name, iter(_inner(name, texts)))]
    while ways:
        inner = next(ways[-1][1], None)
        if inner is None:
            ways.pop()
        elif inner == name:
            return [*(each for each, _ in ways), name]
        elif inner not in seen:
            seen.add(inner)
            ways.append((inner, iter(_inner(inner, texts))))
    return None


def _inner(name: str, texts: Mapping[str, str]) -> list[str]:
    return Expression(texts[name]).metrics if name in texts else []
