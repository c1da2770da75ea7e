"""What every store of FDDs and campaigns keeps, as `connectors.stores.base.Documents` says."""

import asyncio
import itertools
import random
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.stores.base import (
    BadValue,
    Documents,
    FddFilter,
    Lease,
    Made,
    StoreUnavailable,
    Write,
)
from tests.contracts.stores import (
    DocumentStore,
    all_pages,
    attempt,
    document_store,
    fdd,
    many,
    put,
    request,
)


@pytest.fixture(params=["sqlite", pytest.param("mongo_url", marks=pytest.mark.mongo)])
def documents(request: pytest.FixtureRequest, tmp_path: Path) -> DocumentStore:
    """The store under test, empty."""
    return document_store(request, tmp_path)


def test_what_is_read_is_what_was_written(documents: DocumentStore) -> None:
    value = fdd(
        request(),
        fields={"a.b": "ü\0", "$x": "", "": "=1+1", "n": "😀"},
        attempts=[attempt("2025-11-03T05:00:00Z")],
        extra={"deep": [1, 2.5, None, True, {"x": []}], "big": 2**53 + 1},
    )
    campaign = {"request_id": "r", "name": "dues", "days_list": []}

    async def story(store: Documents) -> None:
        await store.write([put(value), Write("campaigns", "r", 1, campaign)])
        assert await store.fdd(value["id"]) == value
        assert await store.campaign("r") == campaign
        assert await store.fdd("none") is None
        assert await store.campaign("none") is None

    documents.run(story)
    documents.run(lambda store: _expect(store, value))  # opened anew


async def _expect(store: Documents, value: dict[str, Any]) -> None:
    assert await store.fdd(value["id"]) == value


def test_an_older_write_never_takes_the_place_of_a_newer_one(documents: DocumentStore) -> None:
    r = request()
    versions = [put(fdd(r, state=state), v) for v, state in enumerate(["A", "B", "C"], 1)]

    async def story(store: Documents) -> None:
        for write in (versions[1], versions[0], versions[2], versions[1], versions[0]):
            await store.write([write])
        found = await store.fdd(versions[0].id)
        assert found is not None
        assert found["state"] == "C"

    documents.run(story)


def test_a_deletion_outlives_older_writes(documents: DocumentStore) -> None:
    value = fdd(request())
    gone = Write("fdds", value["id"], 2, None)

    async def story(store: Documents) -> None:
        await store.write([put(value)])
        await store.write([gone, Write("campaigns", "c", 1, {})])
        await store.write([put(value), Write("campaigns", "c", 2, None)])
        assert await store.fdd(value["id"]) is None
        assert await store.campaign("c") is None
        assert (await store.campaigns()).items == []
        assert (await store.find_by_number(value["number"])).items == []
        await store.write([put(value, 3)])
        assert await store.fdd(value["id"]) == value

    documents.run(story)


TRIED = {"attempt": 1, "started_at": None, "outcome": None, "retriggered": False}


def test_a_lease_changes_what_is_older_and_there(documents: DocumentStore) -> None:
    r = request()
    values = [fdd(r, n, fields={"$x": "1", "n": n}, extra=[1.5, None]) for n in range(4)]
    ids = [value["id"] for value in values]

    async def story(store: Documents) -> None:
        await store.write([put(values[0], 2), put(values[1], 1), put(values[2], 3)])
        await store.write([put(values[1], 2), Write("fdds", ids[1], 3, None)])
        lease = Lease(ids, 3, TRIED)
        await store.lease(lease)
        await store.lease(lease)
        attempts = [{"execution_id": f"{ids[0]}.1", **TRIED}]
        wanted = {**values[0], "state": "LEASED", "attempts": attempts}
        assert await store.fdd(ids[0]) == wanted
        assert [await store.fdd(each) for each in ids[1:]] == [None, values[2], None]
        found = await store.find_fdds(FddFilter(r, states=["LEASED"]))
        assert found.items == [wanted]
        await store.write([put({**values[0], "state": "STARTED"}, 2)])
        assert await store.fdd(ids[0]) == wanted
        await store.write([put({**values[0], "state": "STARTED"}, 4)])
        await store.lease(lease)
        assert await store.fdd(ids[0]) == {**values[0], "state": "STARTED"}

    documents.run(story)


def test_what_is_made_at_once_is_what_writes_would_make(documents: DocumentStore) -> None:
    r, other = request(), request()
    numbers = {1: "+919812345678", 7: "+1", 12_345_678: "+9198000"}
    values = [fdd(r, n, number=number) for n, number in numbers.items()]
    own = ("id", "request_id", "record_no", "number")
    shared = {name: each for name, each in values[0].items() if name not in own}
    shared |= {"ü": ["\0", 1.5, None, True, {"$x": 2**40}], "attempts": []}
    values = [value | shared for value in values]
    prefix = values[0]["id"][:-1]
    made = Made(prefix, 2, r, shared, list(numbers), list(numbers.values()))
    alone = Made(other + prefix[len(r) :], 2, other, shared, [1], ["+12"])

    async def story(store: Documents) -> None:
        await store.make([])
        await store.write([put(values[0] | {"reason": "old"}, 1), put(values[1] | {"x": 1}, 3)])
        for _ in range(2):  # once more, as after a kill
            await store.make([alone, made])
        newer = values[1] | {"x": 1}
        assert [await store.fdd(value["id"]) for value in values] == [values[0], newer, values[2]]
        pages = await all_pages(lambda at: store.find_fdds(FddFilter(r), at, 1))
        assert pages == [values[0], newer, values[2]]
        assert [list(each) for each in pages[::2]] == [list(value) for value in values[::2]]
        for value in values[::2]:
            found = await store.find_by_number(value["number"])
            assert found.items == [value]
        assert [each.count for each in await store.counts(r)] == [3]
        await store.write([Write("fdds", values[0]["id"], 3, None)])
        await store.make([made])
        assert await store.fdd(values[0]["id"]) is None
        await store.lease(Lease([values[2]["id"]], 3, TRIED))
        await store.make([made])
        found = await store.find_fdds(FddFilter(r, states=["LEASED"]))
        assert [each["id"] for each in found.items] == [values[2]["id"]]
        assert await store.fdd(alone.prefix + "1") == values[0] | {
            "id": f"{alone.prefix}1", "request_id": other, "number": "+12"
        }  # fmt: skip
        with pytest.raises(BadValue):
            await store.make([Made("x" * 255, 1, r, shared, [1], ["+1"])])

    documents.run(story)


_writes = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 6)), min_size=1, max_size=30)


@given(order=_writes, cuts=st.lists(st.integers(1, 5), min_size=1, max_size=10))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_order_split_and_repetition_leaves_the_newest(
    documents: DocumentStore, order: list[tuple[int, int]], cuts: list[int]
) -> None:
    """Version 6 is a deletion."""
    r = request()
    values = [fdd(r, number) for number in range(4)]
    writes = [
        Write("fdds", values[n]["id"], v, None if v == 6 else {**values[n], "reason": str(v)})
        for n, v in order
    ]

    async def story(store: Documents) -> None:
        rest, sizes = list(writes), itertools.cycle(cuts)
        while rest:
            size = next(sizes)
            await store.write(rest[:size])
            rest = rest[size:]
        for number, value in enumerate(values):
            newest = max((v for n, v in order if n == number), default=None)
            found = await store.fdd(value["id"])
            wanted = None if newest in (None, 6) else {**value, "reason": str(newest)}
            assert found == wanted

    documents.run(story)


def test_writers_at_a_time_leave_the_newest(documents: DocumentStore) -> None:
    """Two stores, each with many calls under way, first inserts of the same ids among them."""
    r = request()
    chance = random.Random(7)
    values = [fdd(r, number) for number in range(40)]

    async def story(store: Documents) -> None:
        other = documents.open()
        calls = []
        for version in range(1, 13):
            batch = [put({**value, "reason": str(version)}, version) for value in values]
            chance.shuffle(batch)
            calls.append((store, other)[version % 2].write(batch))
        chance.shuffle(calls)
        await asyncio.gather(*calls)
        found = await all_pages(lambda cursor: other.find_fdds(FddFilter(r), cursor, 7))
        await other.close()
        assert [each["reason"] for each in found] == ["12"] * 40

    documents.run(story)


def test_an_erased_number_is_gone_and_stays_so(documents: DocumentStore) -> None:
    r, number = request(), f"+1{request()}"
    values = [fdd(r, n, number=number if n < 3 else "+2", fields={"name": "Ana"}) for n in range(5)]

    async def story(store: Documents) -> None:
        await store.write([put(value) for value in values])
        assert await store.erase(number) == 3
        assert await store.erase(number) == 0
        await store.write([put(value) for value in values])  # repeated after a kill
        assert (await store.find_by_number(number)).items == []
        found = await store.fdd(values[0]["id"])
        wanted = {**values[0], "number": None}
        del wanted["fields"]
        assert found == wanted
        assert sum(each.count for each in await store.counts(r)) == 5

    documents.run(story)


def test_numbers_are_erased_by_age(documents: DocumentStore) -> None:
    r = request()
    values = many(r)

    async def story(store: Documents) -> None:
        await store.write([put(value) for value in [*values, *many(request())]])
        assert await store.erase_before(r, "2025-11-03") == 0
        assert await store.erase_before(r, "2025-11-04") == 36
        assert await store.erase_before(r, "2025-11-04") == 0
        found = (await store.find_fdds(FddFilter(r))).items
        assert {each["date"] for each in found if each["number"] is None} == {"2025-11-03"}
        assert {each["date"] for each in found if each["number"]} == {"2025-11-04"}

    documents.run(story)


def test_what_was_forgotten_may_come_again_in_any_version(documents: DocumentStore) -> None:
    r, other = request(), request()

    async def story(store: Documents) -> None:
        await store.write([put(value, 7) for value in many(r)])
        await store.write([put(fdd(other), 7), Write("campaigns", r, 7, {})])
        assert await store.forget(r) == 72
        assert await store.forget(r) == 0
        assert await store.campaign(r) is None
        await store.write([put(value, 3) for value in many(r)])
        assert sum(each.count for each in await store.counts(r)) == 72
        assert await store.fdd(fdd(other)["id"]) is not None

    documents.run(story)


@pytest.mark.parametrize(
    "wrong",
    [
        Write("fdds", "x", 1, {"request_id": "r"}),
        Write("fdds", "", 1, None),
        Write("campaigns", "x" * 256, 1, {}),
        Write("campaigns", "x", -1, {}),
        Write("negative_numbers", "x", 1, {"request_id": "r"}),
    ],
)
def test_a_value_that_could_not_be_found_again_is_refused(
    documents: DocumentStore, wrong: Write
) -> None:
    right = fdd(request())

    async def story(store: Documents) -> None:
        with pytest.raises(BadValue):
            await store.write([put(right), wrong])
        assert await store.fdd(right["id"]) is None

    documents.run(story)


def test_a_closed_store_says_so(documents: DocumentStore) -> None:
    async def story() -> None:
        store = documents.open()
        await store.check()
        await store.close()
        with pytest.raises(StoreUnavailable):
            await store.check()

    asyncio.run(story())
