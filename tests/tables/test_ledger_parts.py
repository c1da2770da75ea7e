"""The parts of an undo or outbox hold all items in order, and none is larger than it may be."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tables.layout import decode_any, encode
from tables.ledger_layout import PART_BYTES, parts_of

sizes = st.sampled_from([0, 1, 300, 20_000, PART_BYTES // 2, PART_BYTES + 1])
runs = st.lists(st.tuples(sizes, st.integers(1, 90)), max_size=4)


@settings(max_examples=40, deadline=None)
@given(runs, st.integers(0, 1 << 40))
def test_parts_hold_all_items_in_order(told: list[tuple[int, int]], sequence: int) -> None:
    items = [
        (str(n), None if size == 1 else bytes(size)) for size, many in told for n in range(many)
    ]
    bodies = parts_of(sequence, items)
    parts = [decode_any(body) for body in bodies]
    assert [tuple(each) for _, part in parts for each in part] == items
    assert {each for each, _ in parts} <= {sequence}
    for body, (_, part) in zip(bodies, parts, strict=True):
        assert len(body) <= 2 * PART_BYTES or len(part) == 1
    assert len(bodies) <= 4 + 3 * len(encode(items)) // PART_BYTES
