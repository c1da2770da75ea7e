"""`unique_count` is exact to its limit, then a marked estimate that merges as if it were one."""

import random
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.aggregation import distinct
from domain.aggregation.distinct import LIMIT, STANDARD_ERROR, merged
from domain.aggregation.flush import flushed_record
from domain.errors import Reject
from tables.codec import encode_row
from tests.domain.aggregation.folding import Folding, cut, histories

UNIQUE = [{"field": "x", "operation": "unique_count"}]
values = st.one_of(
    st.integers(-3, 3),
    st.sampled_from([0.5, 1.0, 2.0, "1", "2", "", "é", True, False, 2**80, {"a": 1}, {"a": [1]}]),
    st.text(max_size=2),
    st.lists(st.integers(0, 2), max_size=2),
)
sizes = st.lists(st.integers(1, 9), max_size=8)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A limit that a test reaches at once."""
    monkeypatch.setattr(distinct, "LIMIT", 8)
    yield 8


def records(found: list[Any]) -> list[dict[str, Any]]:
    return [{"account": "a", "x": value} for value in found]


def identity(value: Any) -> Any:
    """Equal for what counts as one value: by JSON type, numbers by what they are."""
    if isinstance(value, bool | str):
        return type(value).__name__, value
    if isinstance(value, dict):
        return "object", tuple(sorted((name, identity(item)) for name, item in value.items()))
    if isinstance(value, list):
        return "array", tuple(map(identity, value))
    return "number", Decimal(str(value))


@histories
@given(st.lists(values, max_size=60), sizes)
def test_it_counts_what_differs_in_any_batches(found: list[Any], batches: list[int]) -> None:
    folding = Folding(UNIQUE).fold_in(cut(records([*found, None]), batches))
    flush = folding.close()
    assert flush["values"] == {"unique_count_x": len({identity(value) for value in found})}
    assert "estimated" not in flush


@histories
@given(st.lists(st.integers(0, 30), min_size=1, max_size=60), sizes)
def test_rows_and_flushes_are_the_same_in_any_batches(
    small: int, found: list[int], batches: list[int]
) -> None:
    straight = Folding(UNIQUE).fold_in([records(found)])
    pieces = Folding(UNIQUE).fold_in(cut(records(found), batches))
    assert encode_row(pieces.row) == encode_row(straight.row)
    flush = pieces.close()
    assert flush == straight.close()
    assert ("estimated" in flush) == (len(set(found)) > small)


@histories
@given(st.lists(st.lists(st.integers(0, 30), max_size=20), max_size=4))
def test_parts_merge_to_those_of_the_whole(small: int, flushes: list[list[int]]) -> None:
    def parts_of(found: list[int]) -> tuple[int, dict[str, Any]]:
        flush = Folding(UNIQUE).fold_in([records([*found, None])]).close()
        return flush["values"]["unique_count_x"], flush["parts"]["unique_count_x"]

    whole = parts_of([value for found in flushes for value in found])
    parts = [parts_of(found)[1] for found in flushes]
    assert merged(parts) == whole
    assert merged([merged(parts[:2])[1], *reversed(parts[2:])]) == whole


def test_it_is_exact_to_the_limit_and_marked_beyond() -> None:
    folding = Folding(UNIQUE)
    folding.fold(records(list(range(LIMIT))))
    assert folding.rules[0].result(folding.rules[0].slots[0], row_values(folding)) == LIMIT
    folding.fold(records(list(range(LIMIT))))  # nothing new
    assert not distinct.is_estimate(row_values(folding)[0])
    folding.fold(records([LIMIT]))
    flush = folding.close()
    assert flush["estimated"] == ["unique_count_x"]
    assert flush["parts"]["unique_count_x"]["estimate"] is True
    assert LIMIT < flush["values"]["unique_count_x"] < LIMIT * (1 + 4 * STANDARD_ERROR)


@pytest.mark.parametrize("number", [20_000, 60_000, 250_000])
def test_an_estimate_is_within_its_error(number: int) -> None:
    found = []
    for seed in range(4):
        rnd = random.Random(seed)
        held: Any = distinct.Sketch()
        for _ in range(number):
            held = distinct.noted(held, rnd.getrandbits(64))
        found.append(distinct.unique(held) / number - 1)
    assert all(abs(error) < 4 * STANDARD_ERROR for error in found)
    assert abs(sum(found)) / 4 < 2 * STANDARD_ERROR


def test_a_count_that_was_asked_for_moves_on_with_the_values() -> None:
    rnd = random.Random(7)
    asked, silent = distinct.Sketch(), distinct.Sketch()
    for _ in range(30_000):
        hashed = rnd.getrandbits(64)
        asked.add(hashed)
        silent.add(hashed)
        if hashed % 1_000 == 0:
            asked.count()
    before = asked.count()
    for _ in range(30_000):
        hashed = rnd.getrandbits(64)
        asked.add(hashed)
        silent.add(hashed)
    assert asked.count() == silent.count() > 1.5 * before


@pytest.mark.parametrize("x", [0.01, 0.3, 0.5, 0.9, 0.999])
def test_sigma_and_tau_are_the_series_of_the_paper(x: float) -> None:
    sigma = x + sum(x ** (2**k) * 2 ** (k - 1) for k in range(1, 30))
    tau = (1 - x - sum((1 - x ** (2**-k)) ** 2 * 2**-k for k in range(1, 60))) / 3
    assert distinct._sigma(x) == pytest.approx(sigma, rel=1e-12)
    assert distinct._tau(x) == pytest.approx(tau, rel=1e-9)


def test_registers_that_are_all_as_high_as_can_be_give_a_number() -> None:
    sketch = distinct.Sketch(bytes([distinct.REST_BITS + 1]) * distinct.REGISTERS)
    sketch.ranks[distinct.REST_BITS + 1] -= 1
    sketch.ranks[distinct.REST_BITS] += 1
    assert sketch.count() > 2**60


def test_a_session_holds_80_kb_at_most_and_16_as_an_estimate() -> None:
    folding = Folding(UNIQUE)
    folding.fold(records(list(range(LIMIT))))
    held = row_values(folding)[0]
    assert sys.getsizeof(held) < 8 * LIMIT + 100
    assert len(encode_row(folding.row)) < 8 * LIMIT + 200
    folding.fold(records(list(range(LIMIT, 3 * LIMIT))))
    held = row_values(folding)[0]
    assert sys.getsizeof(held) < 16_500
    assert len(encode_row(folding.row)) < 16_600


def test_an_open_session_is_listed_without_its_hashes() -> None:
    folding = Folding(UNIQUE)
    folding.fold(records([1, 2]))
    rule, session = folding.rules[0], folding.row.open
    assert session is not None
    listed = flushed_record(rule, rule, b'["a"]', session, sequence=1, flush_type="")
    assert listed["values"] == {"unique_count_x": 2}
    assert listed["parts"] == {}


def test_a_number_beyond_the_limits_is_refused() -> None:
    with pytest.raises(Reject) as refused:
        Folding(UNIQUE).fold([b'{"account":"a","x":1e2000}'])
    assert refused.value.reason == "not_a_number"
    with pytest.raises(Reject) as refused:
        Folding(UNIQUE).fold([b'{"account":"a","x":' + b"[" * 700 + b"]" * 700 + b"}"])
    assert refused.value.reason == "undecodable"


def row_values(folding: Folding) -> list[Any]:
    assert folding.row.open is not None
    return folding.row.open.accumulators
