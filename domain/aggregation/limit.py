"""When so many records are refused that something else than the records must be wrong.

Counted for each aggregator on each input partition as a *run*, [streak, records, refused]: refused
in a row until now, and of the last records, one to two windows of them, how many were refused. A
run begins with a refusal and is forgotten when those are long ago, so that it costs nothing while
all is well.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """`streak` in a row, or more than `share` percent of the last `window` records; 0: no limit."""

    streak: int = 10_000
    share: int = 50
    window: int = 10_000

    def run(
        self, known: Sequence[int] | None, refused: int, taken: int, trailing: int
    ) -> list[int] | None:
        """The run after so many more records, the last `trailing` of which were refused; None when
        there is nothing to remember.
        """
        if not refused and known is None:
            return None
        streak, records, all_refused = known or (0, 0, 0)
        streak = trailing if taken else streak + refused
        records, all_refused = records + refused + taken, all_refused + refused
        while records >= 2 * self.window:
            records, all_refused = records // 2, all_refused // 2
        return [streak, records, all_refused] if streak or all_refused else None

    def exceeded(self, run: Sequence[int] | None, longest: int = 0) -> str:
        """What is too much, in words; "" when nothing is. `longest`: a streak that has ended."""
        if run is None:
            return ""
        streak, records, refused = run
        streak = max(streak, longest)
        if self.streak and streak > self.streak:
            return f"{streak:,} records in a row"
        if self.share and records >= self.window and refused * 100 > self.share * records:
            return f"{refused:,} of the last {records:,} records"
        return ""


DEFAULT = Limit()
NONE = Limit(0, 0)


def streaks(known: int, refused: Sequence[int], taken: Sequence[int]) -> tuple[int, int]:
    """(longest, last) row of refusals, `known` of them before; both lists of offsets ascend."""
    longest, current, at = known, known, 0
    for offset in refused:
        while at < len(taken) and taken[at] < offset:
            current, at = 0, at + 1
        current += 1
        longest = max(longest, current)
    return longest, 0 if at < len(taken) else current
