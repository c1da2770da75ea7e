"""Answers about figures that still hold: told again while no shard has committed anything.

An answer is kept beside what every shard stood at when it was asked for: who has it, under which
claim, after how many commits. Whatever changes a shard's rows (records, a rebuild, an erasure,
retention) is a commit of it, and a shard that moves is claimed anew: then the answer is made again.
Commits only count up, so one that comes while an answer is made can't make it look newer than it
is.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any

States = tuple[tuple[int, str, int, int], ...]
"""(shard, worker that has it, epoch of its claim, commits), by shard"""
POINTS_MAX = 50_000  # kept in all, some 30 MB: a dozen dashboards
SHARE = 4  # no answer takes more than this part of it


class Remembered:
    """The answers asked for last, at most so many points of them. Who is given one changes nothing
    of it."""

    def __init__(self, points_max: int = POINTS_MAX) -> None:
        self._points_max = points_max
        self._held: OrderedDict[Hashable, tuple[States, list[dict[str, Any]], int]] = OrderedDict()
        self.points = 0

    def get(self, question: Hashable, states: States) -> list[dict[str, Any]] | None:
        """The series of an answer that holds for these states, None without one."""
        found = self._held.get(question)
        if found is None:
            return None
        if found[0] != states:
            self._forget(question)
            return None
        self._held.move_to_end(question)
        return found[1]

    def put(self, question: Hashable, states: States, series: list[dict[str, Any]]) -> None:
        """Keeps an answer; `states` were read before it was made."""
        self._forget(question)
        points = 1 + sum(len(one["points"]) for one in series)
        if points > self._points_max // SHARE:
            return
        self._held[question] = states, series, points
        self.points += points
        while self.points > self._points_max:
            self._forget(next(iter(self._held)))

    def _forget(self, question: Hashable) -> None:
        found = self._held.pop(question, None)
        if found is not None:
            self.points -= found[2]
