"""A customer is taken out of events: nothing names them, every figure stays, all is forgotten."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.campaigns.book import MemoryBook
from domain.insight import taking
from domain.insight.erase import Whom, erase
from domain.insight.events import WHATS, event_of
from domain.insight.funnel import Asked, page
from domain.insight.kept import decode_kept, raw_of
from domain.insight.keys import position_part
from tests.domain.insight.made import START_MS, Made, funnel, usage

ANN, BOB = "+919800000001", "+919800000002"
EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["funnel", *WHATS]),
        st.sampled_from([ANN, ANN[1:], BOB, ""]),
        st.sampled_from(["a", "b", ""]),
        st.integers(0, 3),
    ),
    max_size=20,
)


def made(given: list[tuple[str, str, str, int]]) -> list[Made]:
    found = []
    for offset, (what, customer, campaign, hour) in enumerate(given):
        at_ms = START_MS + hour * 3_600_000
        fields: dict[str, Any] = {"customer": customer, "campaign": campaign, "name": "Ann Only"}
        if what == "funnel":
            fields |= {"ok": True, "detail": {"called": customer}}
            found.append(funnel(offset, at_ms, **fields))
        else:
            found.append(usage(offset, at_ms, what, channel="sms", **fields))
    return found


def all_pages(book: MemoryBook, whom: Whom, limit: int, *, dry: bool = False) -> int:
    events, after = 0, b""
    while True:
        found = erase(book, whom, after, dry, limit)
        events += found.events
        if found.reached is None:
            return events
        after = found.reached


def names(one: Made, whom: Whom) -> bool:
    told = one.raw["customer"] in whom.customers or one.raw["campaign"] in whom.campaigns
    return told and one.raw.get("what") != "execution"


WHOM = st.sampled_from([Whom([ANN, ANN[1:]]), Whom((), frozenset({"a"})), Whom([BOB], {"b"})])


@given(EVENTS, WHOM, st.integers(1, 6))
def test_nobody_asked_for_is_named_and_everything_else_is_as_it_was(
    given: list[tuple[str, str, str, int]], whom: Whom, limit: int
) -> None:
    book, events = MemoryBook(), made(given)
    for one in events:
        one.put(book)
    before = dict(book.rows)
    wanted = [one for one in events if names(one, whom)]
    assert all_pages(book, whom, limit, dry=True) == len(wanted)
    assert book.rows == before
    assert all_pages(book, whom, limit) == len(wanted)
    for one in events:
        at = position_part((0, one.offset))
        for row in (b"f" + at, b"u" + at):
            if row not in before:
                continue
            left = raw_of(decode_kept(book.rows[row]))
            if one not in wanted:
                assert book.rows[row] == before[row]
                continue
            assert left.keys() <= one.raw.keys() - {"customer", "detail", "name"}
            kept = decode_kept(book.rows[row])
            was, now = event_of(one.raw, one.at_ms), event_of(left, kept.at_ms)
            assert now == was._replace(customer="")
    figures = {k: v for k, v in book.rows.items() if k[:1] not in b"fui"}
    assert figures == {k: v for k, v in before.items() if k[:1] not in b"fui"}
    for name in whom.customers:
        assert page(book, Asked(customer=name))[0] == []
    assert len(page(book, Asked())[0]) == sum(one.raw["kind"] == "funnel" for one in events)
    again = dict(book.rows)
    assert all_pages(book, whom, limit) == 0 and book.rows == again
    while taking.forget(book, START_MS + 100 * 86_400_000, 3):
        pass
    assert book.rows == {}
