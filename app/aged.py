"""How old an answer is that standby copies had a part in: noted where it is made, told with it."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass
class Aged:
    """`age_s`: seconds since the state was complete that the oldest part of the answer is from;
    None while owners alone answered."""

    age_s: float | None = None


_AGED: ContextVar[Aged | None] = ContextVar("aged", default=None)


@contextmanager
def noted() -> Iterator[Aged]:
    """What is noted in here, by tasks begun in here too."""
    found = Aged()
    before = _AGED.set(found)
    try:
        yield found
    finally:
        _AGED.reset(before)


def note(age_s: float) -> None:
    """A part of the answer is from a copy of that age."""
    found = _AGED.get()
    if found is not None:
        found.age_s = age_s if found.age_s is None else max(found.age_s, age_s)


def age_s() -> float | None:
    """What was noted so far for the answer that is being made, to a tenth of a second."""
    found = _AGED.get()
    return None if found is None or found.age_s is None else round(found.age_s, 1)
