"""`first` and `last` go by event time, or by broker timestamp in a document without it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.aggregation.instants import print_instant
from tests.domain.aggregation.folding import START_MS, Folding, cut, histories

BOTH = [{"field": "cell", "operation": "first"}, {"field": "cell", "operation": "last"}]
records = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.one_of(st.none(), st.integers(0, 4)),
            "cell": st.one_of(st.none(), st.integers(0, 9), st.text(max_size=1)),
        }
    ),
    min_size=1,
    max_size=12,
)


@histories
@given(records, st.lists(st.integers(1, 4), max_size=5))
def test_they_are_the_ends_in_the_order_of_event_time_then_arrival(
    found: list[dict[str, Any]], batches: list[int]
) -> None:
    told = [{**record, "account": "a", "at": instant(record["at"])} for record in found]
    folding = Folding(BOTH, event_time="at").fold_in(cut(told, batches))
    flush = folding.close()
    # a record without its event time counts as of its broker timestamp, the start
    ordered = sorted(
        ((record["at"] or 0, i, record["cell"]) for i, record in enumerate(found)),
        key=lambda item: item[:2],
    )
    known = [item for item in ordered if item[2] is not None]
    expected = (known[0], known[-1]) if known else (None, None)
    for name, end in zip(("first_cell", "last_cell"), expected, strict=True):
        assert flush["values"][name] == (None if end is None else end[2])
        assert flush["parts"][name] == {"at": None if end is None else instant(end[0])}


def test_without_event_time_the_broker_timestamp_decides() -> None:
    folding = Folding([*BOTH, {"field": "cell", "operation": "carry_last"}])
    folding.fold([{"account": "a", "cell": "second"}], at_ms=START_MS + 5)
    folding.fold([{"account": "a", "cell": "late"}], at_ms=START_MS + 2)
    assert folding.close()["values"] == {
        "first_cell": "late",
        "last_cell": "second",
        "carry_last_cell": "late",
    }


def instant(ms: int | None) -> str | None:
    """A time shortly after the start."""
    return None if ms is None else print_instant(START_MS + ms)
