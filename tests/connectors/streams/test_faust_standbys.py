"""Whom Faust's assignor gives copies to: the promise that our standby copies rest on."""

from typing import Any, NamedTuple

from faust.assignor.client_assignment import ClientAssignment, CopartitionedAssignment
from faust.assignor.copartitioned_assignor import CopartitionedAssignor
from hypothesis import given, settings
from hypothesis import strategies as st

TOPIC = "sessions-in"


class Share(NamedTuple):
    """What a member has."""

    actives: frozenset[int]
    standbys: frozenset[int]


def assigned(before: dict[str, Share], partitions: int, replicas: int) -> dict[str, Share]:
    """What each member is given, who had that before."""
    known = {
        name: CopartitionedAssignment(set(had.actives), set(had.standbys), {TOPIC})
        for name, had in before.items()
    }
    made = CopartitionedAssignor([TOPIC], known, partitions, replicas).get_assignment()
    return {
        name: Share(frozenset(one.actives), frozenset(one.standbys)) for name, one in made.items()
    }


NOTHING = Share(frozenset(), frozenset())
changes = st.lists(st.tuples(st.sampled_from(["join", "leave", "afresh"]), st.integers(0, 5)))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.integers(1, 9), st.integers(1, 2), changes)
def test_every_partition_has_its_copies_and_goes_to_one_of_them_when_its_owner_is_gone(
    partitions: int, replicas: int, history: list[tuple[str, int]]
) -> None:
    share = assigned({"0": NOTHING}, partitions, replicas)
    for what, number in [("join", 1), *history]:
        name, had = str(number), share
        if what == "leave" and len(share) > 1:
            share = {other: one for other, one in share.items() if other != name}
        elif what == "afresh" and name in share:
            share = share | {name: NOTHING}
        elif what == "join":
            share = {name: NOTHING} | share
        share = assigned(share, partitions, replicas)
        copies = min(replicas, len(share) - 1)
        for partition in range(partitions):
            owners = [other for other, one in share.items() if partition in one.actives]
            keepers = [other for other, one in share.items() if partition in one.standbys]
            assert len(owners) == 1 and len(keepers) == copies and owners[0] not in keepers
        if what == "leave" and name in had and len(share) > 0:
            _went_to_copies(had, share, name, partitions)


def _went_to_copies(
    had: dict[str, Share], share: dict[str, Share], gone: str, partitions: int
) -> None:
    """Unless whoever had a copy has its fair share already."""
    most = -(-partitions // len(share))
    for partition in had[gone].actives:
        keepers = [name for name in share if partition in had[name].standbys]
        owner = next(name for name, one in share.items() if partition in one.actives)
        full = all(len(share[name].actives) >= most for name in keepers)
        assert owner in keepers or full, (partition, keepers, owner)


def test_copies_are_no_part_of_what_is_consumed() -> None:
    class Tables:
        changelog_topics: frozenset[str] = frozenset()

    found: Any = ClientAssignment(actives={TOPIC: [1]}, standbys={TOPIC: [2]})
    assert list(found.kafka_protocol_assignment(Tables())) == [(TOPIC, [1])]
