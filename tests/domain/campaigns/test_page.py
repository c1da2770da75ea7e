"""A page of a slot ordered as a whole leaves what one by one leaves."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from pytest import MonkeyPatch

from domain.campaigns import creation, dispatch, page
from domain.campaigns.document import ContactPolicy
from domain.campaigns.keys import key
from domain.campaigns.rows import Campaign, Counts, Negative, Record, Window, decode, encode
from domain.campaigns.work import Work
from tests.domain.campaigns.kit import REQUEST, Shard, flow, number

rows = st.lists(st.integers(0, 6), min_size=1, max_size=12)
SLOTS = ("10:00-12:00", "16:00-18:00")


def made_one_by_one(
    work: Work,
    campaign: Campaign,
    window: Window,
    counts: Counts,
    records: list[tuple[int, str]],
) -> None:
    for record_no, name in records:
        record = Record(name, {})
        creation.make_record(work, campaign, record_no, record, [(window, counts)])


def lived(numbers: list[int], negative: list[int], listed: list[int], capped: bool) -> Shard:
    policies = [ContactPolicy(name="cap", per_day=1)] if capped else []
    shard = Shard(flow(channels=20_000), *policies)
    shard.upload([number(n) for n in numbers], SLOTS)
    if negative:
        shard.command("negatives", {"rows": [number(n) for n in negative], "filename": "n.csv"})
    for n in listed:  # without the strike that comes with it: the look before the order finds it
        shard.book.put(key("x", REQUEST, number(n)), encode(Negative(True, shard.now_ms)))
    shard.until("2025-11-03 10:00")
    return shard


def seen(shard: Shard) -> dict[str, Any]:
    """All that is in the book; figures as they are read. When leases end is seen by what comes of
    it: a page has one wake for all."""
    rows = {k: decode(Counts, v) if k[:2] == b"z/" else v for k, v in shard.book.rows.items()}
    book = shard.book
    wakes = {wake for wake in book.wakes if wake[1][:2] not in (b"f/", b"b/")}
    return {"rows": rows, "sent": book.sent, "stored": book.stored, "wakes": wakes}


@given(rows, st.lists(st.integers(0, 8), max_size=3), st.lists(st.integers(0, 8), max_size=3),
       st.booleans())  # fmt: skip
@settings(max_examples=25)
def test_a_page_leaves_what_one_by_one_leaves(
    numbers: list[int], negative: list[int], listed: list[int], capped: bool
) -> None:
    whole = lived(numbers, negative, listed, capped)
    with MonkeyPatch.context() as patch:
        patch.setattr(creation, "make_alike", made_one_by_one)
        patch.setattr(dispatch, "order_page", page.order_by_one)
        alone = lived(numbers, negative, listed, capped)
    assert seen(whole) == seen(alone)
    whole.prove()
    for shard in (whole, alone):
        shard.until("2025-11-03 10:30")  # nobody answered
    assert seen(whole) == seen(alone)
    assert not any(fdd["state"] == "LEASED" for fdd in whole.book.stored["fdds"].values())


def test_what_has_an_answer_is_left_alone_when_the_leases_of_its_page_end() -> None:
    shard = lived([1, 2, 3], [], [], False)
    shard.started(shard.orders()[1])
    shard.until("2025-11-03 10:30")
    states = [fdd["state"] for fdd in shard.book.stored["fdds"].values()]
    assert (states.count("STARTED"), states.count("FAILED"), states.count("LEASED")) == (1, 2, 0)
    shard.prove()


def test_a_page_is_ordered_as_a_whole() -> None:
    asked: list[int] = []

    def counted(*args: Any) -> None:
        asked.append(len(args[2]))
        page.order_page(*args)

    with MonkeyPatch.context() as patch:
        patch.setattr(dispatch, "order_page", counted)
        shard = lived([1, 2, 3], [], [], False)
    assert asked == [3]
    assert sum(topic == "executions" for topic, _, _ in shard.book.sent) == 3
