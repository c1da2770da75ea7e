"""First sights go into runs and come out of them as they were."""

import pytest

from domain.aggregation.sights import run_of, sights_of

SIGHT = ["usage", 2, 7, 1_000, 1_500]


@pytest.mark.parametrize(
    ("sight", "taken_back", "mark"),
    [(SIGHT, False, 0), (SIGHT, True, 1), ([*SIGHT, 1], False, 1), ([*SIGHT, 1], True, 1)],
)
def test_a_sight_is_kept_as_long_as_it_counts(
    sight: list[object], taken_back: bool, mark: int
) -> None:
    run = run_of(b"e", sight, taken_back=taken_back)
    assert run == ["usage", 2, 500, [b"e", 7, 1_000], mark, 0]
    assert sights_of([run]) == {b"e": [*SIGHT, *[1] * mark]}
    assert run_of(b"e", SIGHT) == ["usage", 2, 500, [b"e", 7, 1_000], 0, 0]


def test_runs_hold_many_and_the_last_sight_counts() -> None:
    first = ["usage", 2, 500, [b"e", 7, 1_000, b"f", 8, 1_001], 0, 0]
    second = ["other", 0, 10, [b"g", 1, 5, b"f", 2, 6], 1, 99]
    assert sights_of([first, second]) == {
        b"e": SIGHT,
        b"f": ["other", 0, 2, 6, 16, 1],
        b"g": ["other", 0, 1, 5, 15, 1],
    }
    assert sights_of([]) == {}


def test_a_run_that_lacks_a_part_is_no_run() -> None:
    with pytest.raises(ValueError, match="shorter"):
        sights_of([["usage", 2, 500, [b"e", 7], 0, 0]])
