"""When an attempt is made again."""

from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st

from domain.sinks.backoff import LONGEST_ASKED_MS, asked_ms, wait_ms
from domain.sinks.document import Retry

CHANCE = st.floats(0, 1)


@given(st.integers(1, 10**6), st.integers(10, 10**5), st.integers(1, 10**4), CHANCE)
def test_waits_double_to_a_bound_and_never_fall_below_half(
    attempt: int, first: int, factor: int, chance: float
) -> None:
    retry = Retry(first, first * factor)
    doubled = min(first * 2 ** min(attempt - 1, 70), first * factor)
    assert doubled / 2 - 1 <= wait_ms(retry, attempt, chance) <= doubled


@given(CHANCE, st.integers(0, 2 * LONGEST_ASKED_MS))
def test_what_a_target_asks_for_is_waited_at_least(chance: float, asked: int) -> None:
    assert wait_ms(Retry(), 1, chance, asked) >= min(asked, LONGEST_ASKED_MS)


def test_retry_after_is_seconds_or_a_date() -> None:
    now_ms = 1_700_000_000_000
    assert asked_ms("120", now_ms) == 120_000
    assert asked_ms(formatdate(1_700_000_060, usegmt=True), now_ms) == 60_000
    assert asked_ms(formatdate(1_600_000_000, usegmt=True), now_ms) == 0
    assert asked_ms("99999999999999999999", now_ms) == LONGEST_ASKED_MS
    for other in (None, "", "soon", "-1", "1.5"):
        assert asked_ms(other, now_ms) is None
