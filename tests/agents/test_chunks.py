"""Chunks put together and apart: nothing is lost, no key's records change their order."""

import itertools
from collections import Counter
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agents.chunks import Chunk, commits, joined

SOURCES = st.tuples(st.sampled_from(["usage", "calls"]), st.integers(0, 1), st.just("acc"))
PARTS = st.lists(
    st.tuples(
        SOURCES,
        st.integers(1, 2),
        st.dictionaries(st.sampled_from([b"a", b"b", b"c"]), st.integers(1, 3), max_size=3),
        st.booleans(),
    ),
    max_size=6,
)


def chunks_of(parts: Sequence[Any]) -> list[Chunk]:
    """Chunks with offsets that rise in each source."""
    found, at = [], 0
    for (topic, partition, name), version, keys, ends in parts:
        groups: list[Any] = []
        for key, number in keys.items():
            groups.append([key, [[at + n, 0, ()] for n in range(number)]])
            at += number
        upto = at - 1 if ends else -1
        found.append(Chunk(topic, partition, name, version, groups, upto, {at: b"x"}))
    return found


def told(chunks: Sequence[Chunk]) -> dict[Any, list[int]]:
    """The offsets of each key, by source, in their order."""
    found: dict[Any, list[int]] = {}
    for chunk in chunks:
        for key, entries in chunk.groups:
            at = (chunk.topic, chunk.partition, chunk.aggregator, chunk.version, key)
            found.setdefault(at, []).extend(entry[0] for entry in entries)
    return found


@given(PARTS)
def test_what_is_joined_has_everything_in_its_order(parts: list[Any]) -> None:
    chunks, again = chunks_of(parts), chunks_of(parts)
    made = joined(chunks)
    assert chunks == again  # what was routed is another one's too
    assert told(made) == told(chunks)
    sources = [(each.topic, each.partition, each.version) for each in made]
    assert all(one != other for one, other in itertools.pairwise(sources))
    for source in set(sources):
        mine = [c for c in chunks if (c.topic, c.partition, c.version) == source]
        those = [c for c in made if (c.topic, c.partition, c.version) == source]
        assert max(c.upto for c in those) == max(c.upto for c in mine)
        assert {at for c in those for at in c.originals} == {at for c in mine for at in c.originals}


@given(PARTS, st.integers(0, 3))
def test_large_chunks_share_a_commit_with_none_of_their_aggregator(
    parts: list[Any], many: int
) -> None:
    chunks = chunks_of(parts)
    made = list(commits(chunks, many))
    assert [chunk for part in made for chunk in part] == chunks
    for part in made:
        count = Counter(chunk.aggregator for chunk in part)
        for chunk in part:
            assert len(chunk.groups) <= many or count[chunk.aggregator] == 1
