"""The time as an argument: what a clock is, and one that stands where it is put."""

from typing import Protocol


class Clock(Protocol):
    """Gives the time of the product's business: rules, timers, due times, audit."""

    def now_ms(self) -> int:
        """Now, in epoch milliseconds. It may stand still, and never goes back."""


class FixedClock:
    """A clock that stands until it is set or advanced."""

    def __init__(self, now_ms: int) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        """Where it was put, in epoch milliseconds."""
        return self._now_ms

    def set(self, now_ms: int) -> None:
        """Moves it to `now_ms`; a time before the present one raises ValueError."""
        if now_ms < self._now_ms:
            raise ValueError(f"a clock never goes back: {now_ms} is before {self._now_ms}")
        self._now_ms = now_ms

    def advance(self, by_ms: int) -> None:
        """Moves it on by `by_ms`, which must not be negative."""
        self.set(self._now_ms + by_ms)
