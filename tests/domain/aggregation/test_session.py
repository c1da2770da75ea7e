"""What a row knows of positions, and what it stands for in the control totals."""

from decimal import Decimal
from typing import Any

import pytest

from domain.aggregation.session import (
    History,
    Row,
    Session,
    is_withdrawn,
    last_applied,
    set_applied,
)
from domain.aggregation.totals import Totals, contribution

EMPTY = dict.fromkeys(("in", "open", "flushed", "duplicates", "rejected", "expired", "deleted"), 0)


def a_session(**changes: Any) -> Session:
    sources = [["usage", 0, 3, 7, 3], ["usage", 1, 5, 5, 1], ["calls", 0, 1, 2, 1]]
    made = Session(1, 0, 0, 0, 10, 1, 5, [Decimal("2.5"), None], sources)
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def test_the_last_applied_is_the_furthest_of_session_and_row() -> None:
    row = Row(open=a_session(), applied=(["usage", 0, 9], ["usage", 1, 4], ["other", 1, 8]))
    asked = [("usage", 0), ("usage", 1), ("calls", 0), ("other", 1), ("calls", 1), ("other", 0)]
    assert [last_applied(row, *tp) for tp in asked] == [9, 5, 2, 8, -1, -1]
    assert last_applied(Row(), "usage", 0) == -1
    assert last_applied(Row(applied=(["usage", 0, 0],)), "usage", 0) == 0


def test_an_applied_position_never_goes_back() -> None:
    row = Row()
    for topic, partition, offset in [("a", 0, 5), ("a", 0, 3), ("a", 1, 2), ("b", 0, 1)]:
        set_applied(row, topic, partition, offset)
    assert row.applied == (["a", 0, 5], ["a", 1, 2], ["b", 0, 1])
    set_applied(row, "a", 0, 6)
    assert row.applied[0] == ["a", 0, 6]
    assert Row().applied == ()


@pytest.mark.parametrize(
    ("topic", "partition", "offset", "withdrawn"),
    [
        ("usage", 0, 3, True), ("usage", 0, 5, True), ("usage", 0, 7, True),
        ("usage", 0, 2, False), ("usage", 0, 8, False), ("usage", 1, 5, False),
        ("calls", 0, 5, False), ("calls", 2, 1, True),
    ],
)  # fmt: skip
def test_withdrawn_is_what_lies_between_its_ends(
    topic: str, partition: int, offset: int, withdrawn: bool
) -> None:
    ranges = [["usage", 0, 3, 7, 99], ["calls", 2, 1, 1, 99]]
    row = Row(history=History(withdrawn=ranges))
    assert is_withdrawn(row, topic, partition, offset) is withdrawn
    assert not is_withdrawn(Row(), topic, partition, offset)


def test_a_row_stands_for_its_open_session_and_its_history() -> None:
    sums = ((0, "x"), (1, "y"))
    alone = contribution(Row(open=a_session(dropped={"sum:z:1": [4], "max:w": [9]})), sums)
    held = {"x": Decimal("2.5"), "z:1": 4}
    assert alone.count == {**EMPTY, "in": 5, "open": 5}
    assert (alone.sums["in"], alone.sums["open"], alone.sessions) == (held, held, 1)
    assert alone.balanced() and contribution(Row(), sums).count == EMPTY
    history = History(
        accepted=21, flushed=6, duplicates=1, rejected=2, expired=3, deleted=4,
        accepted_sums={"x": "12.5"}, flushed_sums={"x": 4}, expired_sums={"x": "1.5"},
        deleted_sums={"x": Decimal("4.5")},
    )  # fmt: skip
    both = contribution(Row(open=a_session(), history=history), sums)
    assert both.count == {
        "in": 21, "open": 5, "flushed": 6, "duplicates": 1, "rejected": 2, "expired": 3,
        "deleted": 4,
    }  # fmt: skip
    assert both.balanced()
    assert both.as_json("acc", {"x": "total"}) == {
        "aggregator": "acc",
        "count": both.count,
        "sums": {
            "total": {
                "in": Decimal("12.5"), "open": Decimal("2.5"), "flushed": 4,
                "expired": Decimal("1.5"), "deleted": Decimal("4.5"),
            }
        },
        "balanced": True,
    }  # fmt: skip


@pytest.mark.parametrize("place", ["open", "flushed", "duplicates", "rejected", "in"])
def test_one_record_too_many_is_out_of_balance(place: str) -> None:
    totals = contribution(Row(open=a_session()), ((0, "x"),))
    totals.add(place, 1)
    assert not totals.balanced()
    assert totals.as_json("acc")["balanced"] is False


@pytest.mark.parametrize("place", ["in", "open", "flushed", "expired", "deleted"])
def test_a_sum_too_much_is_out_of_balance(place: str) -> None:
    totals = contribution(Row(open=a_session()), ((0, "x"),))
    for name in ("x", "new"):
        totals.add_sum(place, name, None)
        assert totals.balanced()
        totals.add_sum(place, name, 1)
        assert not totals.balanced()
        totals.add_sum(place, name, -1)
    assert totals.as_json("acc")["sums"]["sum_new"] == dict.fromkeys(totals.sums, 0)


def test_totals_merged_and_taken_away_are_what_they_were() -> None:
    first, second = (contribution(Row(open=a_session()), ((0, "x"),)) for _ in range(2))
    first.flushes, second.flushes = {"TIMEOUT": 1}, {"TIMEOUT": 2, "TTL_EXPIRED": 1}
    whole = Totals()
    whole.merge(first)
    whole.merge(second)
    assert (whole.sessions, whole.count["open"], whole.sums["in"]) == (2, 10, {"x": Decimal(5)})
    assert whole.flushes == {"TIMEOUT": 3, "TTL_EXPIRED": 1}
    whole.merge(second, -1)
    assert (whole.sessions, whole.count, whole.sums) == (1, first.count, first.sums)
