"""A limit is reached by the same records, whatever batches they come in."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from domain.aggregation.limit import Limit, streaks

outcomes = st.lists(st.booleans(), max_size=60)
"""Of one record after the other: whether it was refused."""


def after(limit: Limit, told: list[bool], cuts: list[int]) -> tuple[list[int] | None, int]:
    """(the run, the longest row of refusals) of records that come in batches cut there."""
    run: list[int] | None = None
    longest = 0
    bounds = sorted({0, len(told), *(cut % (len(told) + 1) for cut in cuts)})
    for low, high in pairwise(bounds):
        refused = [at for at in range(low, high) if told[at]]
        taken = [at for at in range(low, high) if not told[at]]
        found, trailing = streaks(0 if run is None else run[0], refused, taken)
        longest = max(longest, found)
        run = limit.run(run, len(refused), len(taken), trailing)
    return run, longest


def row(told: list[bool]) -> tuple[int, int]:
    longest = current = 0
    for refused in told:
        current = current + 1 if refused else 0
        longest = max(longest, current)
    return longest, current


@given(told=outcomes, cuts=st.lists(st.integers(0, 100), max_size=6))
def test_streaks_are_those_of_the_records_one_by_one(told: list[bool], cuts: list[int]) -> None:
    run, longest = after(Limit(window=1_000), told, cuts)
    assert (longest, 0 if run is None else run[0]) == row(told)


@given(told=outcomes, cuts=st.lists(st.integers(0, 100), max_size=6))
def test_the_share_is_of_all_records_since_the_first_refusal(
    told: list[bool], cuts: list[int]
) -> None:
    run, _ = after(Limit(window=1_000), told, cuts)
    if not any(told):
        assert run is None
        return
    assert run is not None
    assert run[2] == sum(told)
    assert len(told) >= run[1] >= len(told) - told.index(True)


def test_refusals_of_long_ago_are_forgotten() -> None:
    limit = Limit(window=10)
    run = limit.run(None, 5, 0, 5)
    for _ in range(10):
        run = limit.run(run, 0, 10, 0)
    assert run is None


def test_a_limit_is_exceeded_above_it_and_can_be_off() -> None:
    limit = Limit(streak=3, share=50, window=10)
    assert limit.exceeded([3, 3, 3]) == ""
    assert limit.exceeded([4, 4, 4]) == "4 records in a row"
    assert limit.exceeded([0, 9, 4], longest=4) == "4 records in a row"
    assert limit.exceeded([0, 9, 9]) == ""
    assert limit.exceeded([0, 10, 5]) == ""
    assert limit.exceeded([1, 10, 6]) == "6 of the last 10 records"
    assert Limit(0, 0, 10).exceeded([100, 100, 100]) == ""


def test_a_run_goes_on_over_batches_and_ends_with_a_record_taken() -> None:
    limit = Limit(window=10)
    assert limit.run([4, 6, 5], 3, 0, 3) == [7, 9, 8]
    assert limit.run([4, 6, 5], 2, 1, 2) == [2, 9, 7]
    assert limit.run([4, 6, 5], 0, 1, 0) == [0, 7, 5]
    assert limit.exceeded(None) == "" == limit.exceeded(None, longest=9)


def test_the_window_is_halved_when_it_is_twice_full() -> None:
    limit = Limit(window=10)
    assert limit.run([0, 18, 9], 0, 1, 0) == [0, 19, 9]
    assert limit.run([0, 18, 9], 0, 2, 0) == [0, 10, 4]
    assert limit.run([0, 18, 9], 0, 3, 0) == [0, 10, 4]
    assert limit.run([0, 19, 9], 0, 41, 0) == [0, 15, 2]
