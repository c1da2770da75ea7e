"""Acknowledged prefixes: what may be committed, and when."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.streams.faust_batches import InFlight
from domain.errors import Invariant

TP = ("usage", 0)
OTHER = ("usage", 1)


def handed_out(in_flight: InFlight, *bounds: tuple[int, int]) -> list[int]:
    return [in_flight.hand_out(TP, first, following) for first, following in bounds]


def test_nothing_handed_out_nothing_committable() -> None:
    assert InFlight().committable() == {}


def test_batch_in_work_nothing_committable() -> None:
    in_flight = InFlight()
    handed_out(in_flight, (0, 10))
    assert in_flight.committable() == {}


def test_acknowledged_batch_commits_its_next_offset() -> None:
    in_flight = InFlight()
    (ticket,) = handed_out(in_flight, (5, 10))
    assert in_flight.acknowledge(TP, ticket)
    assert in_flight.committable() == {TP: 10}


def test_later_batch_acknowledged_first_commits_nothing() -> None:
    in_flight = InFlight()
    first, second = handed_out(in_flight, (0, 10), (10, 20))
    in_flight.acknowledge(TP, second)
    assert in_flight.committable() == {}
    in_flight.acknowledge(TP, first)
    assert in_flight.committable() == {TP: 20}


def test_gap_between_batches_is_no_obstacle() -> None:
    in_flight = InFlight()
    first, second = handed_out(in_flight, (0, 10), (500, 600))
    in_flight.acknowledge(TP, first)
    in_flight.acknowledge(TP, second)
    assert in_flight.committable() == {TP: 600}


def test_committed_offset_is_not_committable_again() -> None:
    in_flight = InFlight()
    (ticket,) = handed_out(in_flight, (0, 10))
    in_flight.acknowledge(TP, ticket)
    in_flight.committed(in_flight.committable().items())
    assert in_flight.committable() == {}


def test_failed_commit_leaves_offset_committable() -> None:
    in_flight = InFlight()
    (ticket,) = handed_out(in_flight, (0, 10))
    in_flight.acknowledge(TP, ticket)
    assert in_flight.committable() == in_flight.committable() == {TP: 10}


def test_partitions_are_independent() -> None:
    in_flight = InFlight()
    handed_out(in_flight, (0, 10))
    ticket = in_flight.hand_out(OTHER, 0, 7)
    in_flight.acknowledge(OTHER, ticket)
    assert in_flight.committable() == {OTHER: 7}


def test_full_partition_has_no_room_until_its_first_batch_is_acknowledged() -> None:
    in_flight = InFlight(limit=2)
    first, second = handed_out(in_flight, (0, 1), (1, 2))
    assert in_flight.room(TP) == 0
    in_flight.acknowledge(TP, second)
    assert in_flight.room(TP) == 0
    in_flight.acknowledge(TP, first)
    assert in_flight.room(TP) == 2


def test_hand_out_beyond_limit_is_refused() -> None:
    in_flight = InFlight(limit=1)
    handed_out(in_flight, (0, 1))
    with pytest.raises(Invariant, match="bounded"):
        in_flight.hand_out(TP, 1, 2)


def test_falling_offset_is_refused() -> None:
    in_flight = InFlight()
    handed_out(in_flight, (0, 10))
    with pytest.raises(Invariant, match="9 after 10"):
        in_flight.hand_out(TP, 9, 12)


def test_batch_below_committed_start_is_refused() -> None:
    in_flight = InFlight()
    in_flight.start_at(TP, 100)
    with pytest.raises(Invariant, match="99 after 100"):
        in_flight.hand_out(TP, 99, 120)


def test_empty_batch_is_refused() -> None:
    with pytest.raises(Invariant):
        InFlight().hand_out(TP, 5, 5)


def test_commit_going_back_is_refused() -> None:
    in_flight = InFlight()
    in_flight.start_at(TP, 100)
    with pytest.raises(Invariant, match="committed offsets rise"):
        in_flight.committed([(TP, 99)])


def test_acknowledgement_after_clear_changes_nothing() -> None:
    in_flight = InFlight()
    (stale,) = handed_out(in_flight, (0, 10))
    in_flight.clear([TP])
    handed_out(in_flight, (0, 10))
    assert not in_flight.acknowledge(TP, stale)
    assert in_flight.committable() == {}


def test_clear_of_all_frees_every_partition() -> None:
    in_flight = InFlight(limit=1)
    handed_out(in_flight, (0, 10))
    in_flight.hand_out(OTHER, 0, 10)
    in_flight.clear()
    assert (in_flight.room(TP), in_flight.room(OTHER), in_flight.unacknowledged()) == (1, 1, 0)


def test_second_acknowledgement_of_a_batch_is_refused() -> None:
    in_flight = InFlight()
    first, second = handed_out(in_flight, (0, 10), (10, 20))
    assert in_flight.acknowledge(TP, second)
    assert not in_flight.acknowledge(TP, second)
    assert in_flight.acknowledge(TP, first)
    assert not in_flight.acknowledge(TP, first)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(1, 5)), max_size=12), st.randoms())
def test_any_order_of_acknowledgement_commits_exactly_the_prefix(
    sizes: list[tuple[int, int]], random: Random
) -> None:
    in_flight = InFlight(limit=100)
    offset, batches = 0, []
    for gap, size in sizes:
        first, offset = offset + gap, offset + gap + size
        batches.append((in_flight.hand_out(TP, first, offset), offset))
    done: set[int] = set()
    for ticket, _ in random.sample(batches, len(batches)):
        in_flight.acknowledge(TP, ticket)
        done.add(ticket)
        prefix: int | None = None
        for each, following in batches:
            if each not in done:
                break
            prefix = following
        assert in_flight.committable() == ({} if prefix is None else {TP: prefix})
