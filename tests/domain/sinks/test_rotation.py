"""When files are complete, and their names."""

from hypothesis import given
from hypothesis import strategies as st

from domain.sinks.document import Rotate
from domain.sinks.rotation import Filled, complete, file_name, read_name, stem

OFFSETS = st.integers(0, 2**63)
NAMES = st.from_regex(r"[a-z0-9-]{1,20}", fullmatch=True)
TOPICS = st.from_regex(r"[a-zA-Z0-9._-]{1,20}", fullmatch=True)
ROTATES = st.builds(
    Rotate,
    st.none() | st.integers(1, 1000),
    st.none() | st.integers(1, 100),
    st.none() | st.floats(0.1, 1000),
)


@given(NAMES, TOPICS, st.integers(0, 99_999), OFFSETS, OFFSETS)
def test_a_name_tells_what_it_was_made_of(
    sink: str, topic: str, partition: int, first: int, end: int
) -> None:
    beginning = stem(sink, topic, partition)
    assert read_name(file_name(beginning, first, end, "jsonl")) == (beginning, first, end)


PARTS = st.tuples(NAMES, TOPICS, st.integers(0, 99_999))


@given(PARTS, PARTS)
def test_no_two_partitions_share_a_name(
    one: tuple[str, str, int], two: tuple[str, str, int]
) -> None:
    assert (stem(*one) == stem(*two)) == (one == two)


@given(ROTATES, st.integers(0, 2000), st.integers(0, 200), st.integers(0, 10**6))
def test_a_file_is_complete_at_the_first_of_its_bounds(
    rotate: Rotate, size: int, records: int, age_ms: int
) -> None:
    filled = Filled(size, records, 1_000_000)
    reached = [
        rotate.bytes is not None and size >= rotate.bytes,
        rotate.records is not None and records >= rotate.records,
        rotate.seconds is not None and age_ms >= rotate.seconds * 1000,
    ]
    assert complete(rotate, filled, 1_000_000 + age_ms) == (records > 0 and any(reached))


@given(ROTATES, st.lists(st.integers(0, 5000), max_size=20))
def test_time_makes_a_file_complete_for_good(rotate: Rotate, steps: list[int]) -> None:
    now, was = 0, False
    for step in steps:
        now += step
        found = complete(rotate, Filled(1, 1, 0), now)
        assert found or not was
        was = found
