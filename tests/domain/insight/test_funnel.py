"""Pages of the funnel against filtering the long way."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.campaigns.book import MemoryBook
from domain.errors import Reject
from domain.insight import taking
from domain.insight.events import LABELS, OPERATIONS, event_of
from domain.insight.funnel import Asked, page, whole
from tests.domain.insight.made import DAY_MS, START_MS, funnel

_rows = st.lists(
    st.tuples(
        st.integers(0, 20), st.sampled_from(OPERATIONS), st.sampled_from([None, *LABELS]),
        st.sampled_from("ab"), st.sampled_from(["", "p", "q"]),
    ),
    max_size=40,
)  # fmt: skip


@given(
    _rows, st.sampled_from(["", "a"]), st.sampled_from(["", *LABELS]),
    st.sampled_from(["", "p"]), st.integers(0, 20), st.integers(1, 7),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_pages_hold_what_the_filters_let_through_newest_first(
    rows: list[Any], campaign: str, label: str, customer: str, since: int, limit: int
) -> None:
    book, wanted = MemoryBook(), []
    for n, (at, operation, given_label, c, p) in enumerate(rows):
        fields = {} if given_label is None else {"label": given_label}
        one = funnel(n, START_MS + at, operation=operation, campaign=c, customer=p, **fields)
        one.put(book)
        mine = event_of(one.raw, one.at_ms).label
        fits = campaign in ("", c) and label in ("", mine) and customer in ("", p)
        if fits and at >= since:
            wanted.append((-at, n))
    asked = Asked(campaign, label, customer, START_MS + since, b"", limit)
    offsets: list[int] = []
    while True:
        found, reached = page(book, asked)
        assert len(found) <= limit
        offsets += [one.offset for one in found]
        if reached is None:
            break
        asked = asked._replace(after=reached)
    assert offsets == [n for _, n in sorted(wanted)]


def test_a_customer_with_very_many_events_is_looked_through_by_the_piece(monkeypatch: Any) -> None:
    monkeypatch.setattr("domain.insight.funnel.EXAMINED", 10)
    book = MemoryBook()
    for n in range(25):
        funnel(n, START_MS + n, campaign="b" if n else "a").put(book)
    asked, pieces = Asked("a", "", "p"), 0
    while True:
        found, reached = page(book, asked)
        pieces += 1
        if reached is None:
            break
        assert found == []
        asked = asked._replace(after=reached)
    assert ([one.offset for one in found], pieces) == ([0], 3)


@pytest.mark.parametrize(
    ("operation", "label"),
    [("Enter", "information"), ("Confirm", "information"), ("Action", "action"),
     ("Error", "error")],
)  # fmt: skip
def test_a_label_left_out_is_that_of_the_operation(operation: str, label: str) -> None:
    one = funnel(0, START_MS, operation=operation, label=None)
    assert event_of(one.raw, 5).label == label


@pytest.mark.parametrize(
    "fields",
    [{"operation": "Leave"}, {"operation": None}, {"label": "bad"}, {"ok": "yes"}, {"at": "soon"},
     {"campaign": 7}, {"customer": "x" * 2_000}, {"at": "9999-01-01T00:00:00Z"}, {"step": []}],
)  # fmt: skip
def test_an_event_that_is_none_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Reject):
        event_of({**funnel(0, START_MS).raw, **fields}, 5)


def test_the_whole_message_is_kept_for_a_week() -> None:
    book, one = MemoryBook(), funnel(3, START_MS, detail={"a/b": 1})
    one.put(book, START_MS)
    found = whole(book, (0, 3))
    assert found is not None
    assert (found[0], json.loads(found[1])) == (START_MS, one.raw)
    taking.forget(book, START_MS + taking.FUNNEL_KEPT_MS, 10)
    assert whole(book, (0, 3)) is not None
    taking.forget(book, START_MS + 7 * DAY_MS + 1, 10)
    assert (whole(book, (0, 3)), page(book, Asked())) == (None, ([], None))
