"""What every store of negative numbers promises, as `connectors.stores.base.Negatives` says."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.stores.base import BadPlace, BadValue, Negatives, StoreUnavailable, Value, Write
from tests.contracts.stores import (
    NegativeStore,
    all_pages,
    new_database,
    put,
    queried,
    request,
    row,
    upload,
)
from tests.contracts.stores import fdd as an_fdd

AT = "2025-11-03T06:00:00.000Z"


@pytest.fixture(params=["sqlite", pytest.param("mysql_url", marks=pytest.mark.mysql)])
def negatives(request: pytest.FixtureRequest, tmp_path: Path) -> NegativeStore:
    """The store under test, empty."""
    if request.param == "sqlite":
        return NegativeStore("", tmp_path)
    return NegativeStore(asyncio.run(new_database(request.getfixturevalue("mysql_url"))), tmp_path)


def test_uploads_and_rows_come_back_as_written(negatives: NegativeStore) -> None:
    r = request()
    rows = [row(r, "u1", n, note="ü😀\\'\"%s\0") for n in (1, 2, 3)]

    async def story(store: Negatives) -> None:
        await store.write([*rows, upload(r, "u1")])

    negatives.run(story)

    async def anew(store: Negatives) -> None:
        assert await store.upload(r, "u1") == upload(r, "u1").value
        assert await store.upload(r, "u2") is None
        assert (await store.numbers(r)).items == [each.value for each in rows]

    negatives.run(anew)


def test_who_when_file_and_result_can_be_queried_in_the_tables(negatives: NegativeStore) -> None:
    r = request()
    long = "n" * 300 + ".csv"  # more than the column shows

    async def story(store: Negatives) -> None:
        await store.write([row(r, "u1", 1, at=AT, filename=long), upload(r, "u1")])
        numbers = await queried(
            negatives,
            "SELECT request_id, upload_id, row_no, number, result, uploaded_by, uploaded_at,"
            " filename FROM negative_numbers",
        )
        assert numbers == [(r, "u1", 1, "+919800000001", "matched", "ana", AT, "n" * 255)]
        uploads = await queried(
            negatives,
            "SELECT request_id, upload_id, uploaded_by, uploaded_at, filename"
            " FROM negative_uploads",
        )
        assert uploads == [(r, "u1", "ana", "2025-11-03T05:00:00.000Z", "nö.csv")]
        assert (await store.numbers(r)).items[0]["filename"] == long

    negatives.run(story)


def test_rows_are_listed_by_upload_and_row(negatives: NegativeStore) -> None:
    r = request()
    rows = [row(r, u, n) for u, n in itertools.product(["u1", "u10", "u2"], range(1, 12))]
    chance = random.Random(5)

    async def story(store: Negatives) -> None:
        mixed = [*rows, *(row(request(), "u1", n) for n in range(5))]
        chance.shuffle(mixed)
        await store.write(mixed)
        for limit in (1, 4, 100):
            every = await all_pages(
                lambda c, limit=limit: store.numbers(r, None, None, c, limit)  # type: ignore[misc]  # a default is a value
            )
            assert every == [each.value for each in rows]
            one = await all_pages(
                lambda c, limit=limit: store.numbers(r, "u1", None, c, limit)  # type: ignore[misc]  # a default is a value
            )
            assert one == [each.value for each in rows[:11]]
            number = await all_pages(
                lambda c, limit=limit: store.numbers(  # type: ignore[misc]  # a default is a value
                    r, None, "+919800000007", c, limit
                )
            )
            assert [each["upload_id"] for each in number] == ["u1", "u10", "u2"]

    negatives.run(story)


def test_uploads_are_listed_page_by_page_and_cursors_stay_good(negatives: NegativeStore) -> None:
    r = request()

    async def begin(store: Negatives) -> str | None:
        await store.write([upload(r, f"u{n}") for n in range(5)])
        return (await store.uploads(r, None, 2)).next

    cursor = negatives.run(begin)

    async def go_on(store: Negatives) -> list[str]:
        await store.write([upload(r, "u9"), upload(request(), "u4")])
        found = await all_pages(lambda c: store.uploads(r, c or cursor, 2))
        with pytest.raises(BadPlace):
            await store.uploads(r, "x")
        return [each["upload_id"] for each in found]

    assert negatives.run(go_on) == ["u2", "u3", "u4", "u9"]


_writes = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), min_size=1, max_size=30)


@given(order=_writes, cuts=st.lists(st.integers(1, 5), min_size=1, max_size=10))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_order_split_and_repetition_leaves_the_newest(
    negatives: NegativeStore, order: list[tuple[int, int]], cuts: list[int]
) -> None:
    """Version 6 is a deletion."""
    r = request()
    writes = [
        Write("negative_numbers", f"{r}/{n}", v, None)
        if v == 6
        else Write("negative_numbers", f"{r}/{n}", v, {"request_id": r, "row": n, "result": str(v)})
        for n, v in order
    ]

    async def story(store: Negatives) -> None:
        rest, sizes = list(writes), itertools.cycle(cuts)
        while rest:
            size = next(sizes)
            await store.write(rest[:size])
            rest = rest[size:]
        newest = {n: max(v for m, v in order if m == n) for n, _ in order}
        found = (await store.numbers(r)).items
        wanted = [(n, str(newest[n])) for n in sorted(newest) if newest[n] != 6]
        assert [(each["row"], each["result"]) for each in found] == wanted

    negatives.run(story)


def test_writers_at_a_time_leave_the_newest(negatives: NegativeStore) -> None:
    r, chance = request(), random.Random(11)

    async def story(store: Negatives) -> None:
        other = negatives.open()
        calls = []
        for version in range(1, 11):
            batch = [row(r, "u", n, version=version, result=str(version)) for n in range(40)]
            chance.shuffle(batch)
            calls.append((store, other)[version % 2].write([*batch, upload(r, "u", version)]))
        chance.shuffle(calls)
        await asyncio.gather(*calls)
        found = await all_pages(lambda c: other.numbers(r, "u", None, c, 7))
        await other.close()
        assert [each["result"] for each in found] == ["10"] * 40

    negatives.run(story)


def test_a_withdrawn_number_stays_withdrawn(negatives: NegativeStore) -> None:
    r = request()
    rows = [row(r, u, n) for u, n in itertools.product(["u1", "u2"], (1, 2))]
    number = "+919800000001"

    async def story(store: Negatives) -> None:
        await store.write([*rows, row(request(), "u1", 1)])
        assert await store.withdraw(r, number, AT, "ana") == 2
        assert await store.withdraw(r, number, AT, "bob") == 0
        await store.write(rows)  # repeated after a kill
        found = (await store.numbers(r, None, number)).items
        assert [(each["withdrawn_at"], each["withdrawn_by"]) for each in found] == [(AT, "ana")] * 2
        assert [each.get("withdrawn_at") for each in (await store.numbers(r, "u1")).items] == [
            AT,
            None,
        ]

    negatives.run(story)


def test_an_erased_number_is_gone_and_stays_so(negatives: NegativeStore) -> None:
    number = f"+1{request()}"
    r, other = request(), request()
    rows = [row(r, "u1", 1, number=number), row(other, "u2", 1, number=number), row(r, "u1", 2)]

    async def story(store: Negatives) -> None:
        await store.write(rows)
        assert await store.erase(number) == 2
        assert await store.erase(number) == 0
        await store.write(rows)
        assert (await store.numbers(r, None, number)).items == []
        first, second = (await store.numbers(r)).items
        assert rows[0].value is not None
        assert first == {**rows[0].value, "number": None, "value": None}
        assert second == rows[2].value

    negatives.run(story)


def test_the_people_of_a_request_are_erased_and_those_of_others_are_not(
    negatives: NegativeStore,
) -> None:
    r, other = request(), request()
    rows = [row(r, "u1", n) for n in range(1, 1_204)]
    bad = row(r, "u2", 1, number=None, value="98-76 abc")

    async def story(store: Negatives) -> None:
        await store.write([*rows, bad, upload(r, "u1"), row(other, "u3", 1)])
        assert await store.erase_request(r) == 1_204
        assert await store.erase_request(r) == 0
        await store.write(rows)
        found = [each async for each in _all(store, r)]
        assert {(each["number"], each["value"]) for each in found} == {(None, None)}
        assert len(found) == 1_204
        assert (await store.numbers(other)).items[0]["number"] is not None

    negatives.run(story)


async def _all(store: Negatives, request_id: str) -> AsyncIterator[Value]:
    cursor: str | None = None
    while True:
        page = await store.numbers(request_id, cursor=cursor)
        for item in page.items:
            yield item
        cursor = page.next
        if cursor is None:
            return


def test_what_is_too_long_or_not_of_this_store_is_refused(negatives: NegativeStore) -> None:
    async def story(store: Negatives) -> None:
        for wrong in (
            put(an_fdd("r")),
            Write("negative_uploads", "x", 1, {"request_id": "r"}),
            Write("negative_numbers", "x" * 300, 1, {"request_id": "r"}),
            row("r" * 151, "u", 1),
            row("r", "u" * 201, 1),
            row("r", "u", 1, number="1" * 65),
        ):
            with pytest.raises(BadValue):
                await store.write([row("r", "u", 7), wrong])
        assert (await store.numbers("r")).items == []

    negatives.run(story)


def test_a_closed_store_says_so(negatives: NegativeStore) -> None:
    async def story() -> None:
        store = negatives.open()
        await store.check()
        await store.close()
        with pytest.raises(StoreUnavailable):
            await store.check()

    asyncio.run(story())
