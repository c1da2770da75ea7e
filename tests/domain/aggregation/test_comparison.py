"""Two sides of a group: what is the same, what differs, and by how much."""

from decimal import Decimal
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given

from config.documents.aggregator import load_aggregator
from domain.aggregation.comparison import combined, compare, operations_of, same
from domain.aggregation.rule import compile_rule

RULE = compile_rule(
    load_aggregator(
        {
            "kind": "aggregator",
            "name": "acc",
            "group": {"fields": ["account"]},
            "aggregate": [
                {"field": "bytes", "operation": operation}
                for operation in ("sum", "max", "min", "average", "count")
            ]
            + [{"field": "cell", "operation": "carry_first"},
               {"field": "cell", "operation": "carry_last"}],
            "flush": {"by": "timeout", "timeout": {"duration": {"hours": 1}}},
        }
    ),
    1,
)  # fmt: skip
OPERATIONS = operations_of(RULE)


def flush(first: int, numbers: list[Any], due: str = "12:00", **values: Any) -> dict[str, Any]:
    """A flush of these numbers, its records from offset `first` on."""
    total, n = sum(numbers), len(numbers)
    found = {"sum_bytes": total, "max_bytes": max(numbers), "min_bytes": min(numbers),
             "average_bytes": Decimal(total) / n, "count_bytes": n, **values}  # fmt: skip
    source = {"topic": "usage", "partition": 0, "first": first, "last": first + n - 1, "count": n}
    return {
        "id": str(first),
        "values": found,
        "parts": {"average_bytes": {"sum": total, "n": n}},
        "meta": {"flushType": "TIMEOUT", "count": n},
        "explain": {"rule": "duration 1h", "due": due, "sources": [source]},
    }


def status(now: list[Any], what_if: list[Any]) -> str:
    return compare(now, what_if, OPERATIONS, OPERATIONS).status


def test_the_same_flushes_are_the_same_however_numbers_are_written() -> None:
    other = flush(0, [1, 2])
    other["values"]["sum_bytes"] = Decimal("3.0")
    assert status([flush(0, [1, 2])], [other]) == "same"


def test_figures_flushed_at_another_time_have_moved() -> None:
    assert status([flush(0, [1])], [flush(0, [1], due="13:00")]) == "moved"


@pytest.mark.parametrize(
    "what_if",
    [[flush(0, [1, 3])], [flush(0, [1, 2, 0])], [flush(0, [1]), flush(1, [2])], [flush(7, [1, 2])]],
)
def test_other_values_and_other_records_differ(what_if: list[Any]) -> None:
    assert status([flush(0, [1, 2])], what_if) == "differs"


def test_a_side_without_flushes_is_told_and_counts_nothing() -> None:
    found = compare([flush(0, [1, Decimal("0.5")])], [], OPERATIONS, OPERATIONS)
    assert found.status == "only_now"
    assert found.results["sum_bytes"].difference == Decimal("-1.5")
    assert found.results["max_bytes"].difference is None
    found = compare([], [flush(0, [2])], OPERATIONS, OPERATIONS)
    assert found.status == "only_what_if"
    assert found.results["count_bytes"].difference == 1


def test_of_two_partitions_either_may_come_first() -> None:
    one, other = flush(0, [1, 2]), flush(0, [1, 2])
    elsewhere = {**one["explain"]["sources"][0], "partition": 1}
    one["explain"]["sources"] = [*one["explain"]["sources"], elsewhere]
    other["explain"]["sources"] = [elsewhere, *other["explain"]["sources"]]
    assert status([one], [{**other, "id": "another"}]) == "same"


def test_results_that_one_side_lacks_are_left_out() -> None:
    fewer = {name: each for name, each in OPERATIONS.items() if name != "max_bytes"}
    assert (
        compare([flush(0, [1])], [flush(0, [1], max_bytes=9)], fewer, OPERATIONS).status == "same"
    )


@given(st.lists(st.lists(st.decimals(-99, 99, places=2), min_size=1, max_size=5), min_size=1))
def test_several_flushes_say_what_one_of_all_records_would(parts: list[list[Decimal]]) -> None:
    several = [flush(10 * i, numbers) for i, numbers in enumerate(parts)]
    everything = [number for numbers in parts for number in numbers]
    found = {name: combined(several, each) for name, each in OPERATIONS.items()}
    assert found["sum_bytes"] == sum(everything)
    assert (found["max_bytes"], found["min_bytes"]) == (max(everything), min(everything))
    assert found["count_bytes"] == len(everything)
    mean = sum(everything) / len(everything)
    assert abs(found["average_bytes"] - mean) < Decimal("1e-10")


def test_what_was_carried_goes_by_the_order_of_flushes() -> None:
    cells = [(None, None), ("a", "b"), ("c", "d")]
    several = [
        flush(i, [1], carry_first_cell=first, carry_last_cell=last)
        for i, (first, last) in enumerate(cells)
    ]
    assert combined(several, OPERATIONS["carry_first_cell"]) == "a"
    assert combined(several, OPERATIONS["carry_last_cell"]) == "d"


def test_a_difference_tells_both_sides_also_of_flushes_that_are_the_same_but_later() -> None:
    found = compare([flush(0, [1, 2])], [flush(0, [1, 4])], OPERATIONS, OPERATIONS)
    sums = found.results["sum_bytes"]
    assert (sums.now, sums.what_if, sums.difference) == (3, 5, 2)
    for due in ("12:00", "13:00"):
        same_values = [flush(0, [1, 2], due=due)]
        assert not compare([flush(0, [1, 2])], same_values, OPERATIONS, OPERATIONS).results


def test_what_only_one_side_has_is_the_whole_difference_of_what_adds_up() -> None:
    gone = compare([flush(0, [1, 2])], [], OPERATIONS, OPERATIONS).results
    come = compare([], [flush(0, [1, 2])], OPERATIONS, OPERATIONS).results
    assert (gone["sum_bytes"].difference, come["sum_bytes"].difference) == (-3, 3)
    assert gone["max_bytes"].difference is None is come["max_bytes"].difference


def test_true_and_one_are_not_the_same() -> None:
    assert same(True, True) and same(1, Decimal("1.0")) and not same(1, 2)
    assert not same(True, 1) and not same(0, False) and not same(True, False)


def test_an_average_over_flushes_leaves_out_those_of_nothing() -> None:
    empty = flush(9, [0], average_bytes=None)
    empty["parts"] = {"average_bytes": {"sum": None, "n": 0}}
    unknown = flush(8, [0])
    unknown["parts"] = {}
    average = OPERATIONS["average_bytes"]
    assert combined([flush(0, [1, 2]), empty, unknown, flush(3, [6])], average) == 3
    assert combined([empty, unknown], average) is None
    assert combined([empty], average) is None


def test_an_average_of_which_all_was_taken_back_is_none() -> None:
    def record(n: int) -> dict[str, Any]:
        return {"parts": {"average_bytes": {"sum": 2 * n, "n": n}}, "values": {}}

    operation = OPERATIONS["average_bytes"]
    assert combined([record(2), record(-1), record(-1)], operation) is None
    assert combined([record(-1), record(-1)], operation) is None
    assert combined([record(2), record(-1)], operation) == 2
