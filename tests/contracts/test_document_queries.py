"""What every store of FDDs and campaigns answers, as `connectors.stores.base.Documents` says."""

import itertools
import random
from pathlib import Path
from typing import Any

import pytest

from connectors.stores.base import BadPlace, Documents, FddCount, FddFilter, Write
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

MINUTE_MS = 60_000
NOON_MS = 1_762_171_200_000  # 2025-11-03T12:00:00Z


@pytest.fixture(params=["sqlite", pytest.param("mongo_url", marks=pytest.mark.mongo)])
def documents(request: pytest.FixtureRequest, tmp_path: Path) -> DocumentStore:
    """The store under test, empty."""
    return document_store(request, tmp_path)


def _in_order(values: list[dict[str, Any]]) -> list[str]:
    def key(value: dict[str, Any]) -> tuple[Any, ...]:
        return value["date"], value["slot"] or "", value["revision"], value["record_no"]

    return [value["id"] for value in sorted(values, key=key)]


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        ({}, lambda v: True),
        ({"day": "2025-11-04"}, lambda v: v["date"] == "2025-11-04"),
        ({"day": "2025-11-04", "slot": ""}, lambda v: v["date"][-1] == "4" and v["slot"] is None),
        ({"slot": "16:00-18:00"}, lambda v: v["slot"] == "16:00-18:00"),
        ({"states": ["CREATED"]}, lambda v: v["state"] == "CREATED"),
        ({"states": ["QUEUED", "CREATED", "QUEUED"]}, lambda v: v["state"] in "CREATED QUEUED"),
        ({"states": []}, lambda v: False),
        (
            {"states": ["FAILED", "QUEUED"], "day": "2025-11-03", "slot": "10:00-12:00"},
            lambda v: (
                v["state"] in "FAILED QUEUED" and (v["date"][-1], v["slot"]) == ("3", "10:00-12:00")
            ),
        ),
        (
            {"states": ["FAILED", "CREATED"], "reasons": ["OUT_OF_SLOT"]},
            lambda v: v["state"] == "CREATED" or v["reason"] == "OUT_OF_SLOT",
        ),
        ({"number": "+919800000003"}, lambda v: v["record_no"] == 3),
        (
            {"number": "+919800000003", "states": ["FAILED"], "reasons": ["BUSY"], "slot": ""},
            lambda v: v["record_no"] == 3 and v["slot"] is None and v["reason"] == "BUSY",
        ),
        ({"day": "2025-11-05"}, lambda v: False),
    ],
)
def test_a_filter_takes_what_it_says_page_by_page(
    documents: DocumentStore, wanted: dict[str, Any], takes: Any
) -> None:
    r = request()
    values = many(r)

    async def story(store: Documents) -> None:
        await store.write([put(value) for value in values])
        await store.write([put(value) for value in many(request())])
        for limit in (1, 5, 100):
            found = await all_pages(
                lambda cursor, limit=limit: store.find_fdds(  # type: ignore[misc]  # a default is a value
                    FddFilter(r, **wanted), cursor, limit
                )
            )
            assert [each["id"] for each in found] == _in_order(list(filter(takes, values)))

    documents.run(story)


def test_a_cursor_is_good_over_a_restart_and_while_rows_come(documents: DocumentStore) -> None:
    r = request()
    early, late = [fdd(r, n) for n in range(1, 7)], [fdd(r, n) for n in range(7, 11)]

    async def begin(store: Documents) -> str | None:
        await store.write([put(value) for value in early])
        return (await store.find_fdds(FddFilter(r), None, 4)).next

    cursor = documents.run(begin)

    async def go_on(store: Documents) -> list[int]:
        await store.write([put(value) for value in late])
        await store.write([put({**early[0], "state": "FAILED"}, 2)])
        page = await store.find_fdds(FddFilter(r), cursor, 100)
        return [each["record_no"] for each in page.items]

    assert documents.run(go_on) == [5, 6, 7, 8, 9, 10]


@pytest.mark.parametrize("cursor", ["x", "é", "W10", "MQ", "WzFd", "e30"])
def test_a_cursor_of_somebody_elses_is_told(documents: DocumentStore, cursor: str) -> None:
    async def story(store: Documents) -> None:
        with pytest.raises(BadPlace):
            await store.find_fdds(FddFilter("r"), cursor)
        with pytest.raises(BadPlace):
            await store.find_by_number("n", cursor)

    documents.run(story)


def test_a_person_is_found_over_all_campaigns_latest_first(documents: DocumentStore) -> None:
    requests = sorted(request() for _ in range(3))
    number = f"+1{request()}"
    values = [
        fdd(r, record, number=number, date=day)
        for r, record, day in itertools.product(requests, (1, 2), ("2025-11-03", "2025-10-31"))
    ]

    async def story(store: Documents) -> None:
        await store.write([put(value) for value in values])
        for limit in (1, 5, 50):
            found = await all_pages(
                lambda cursor, limit=limit: store.find_by_number(  # type: ignore[misc]  # a default is a value
                    number, cursor, limit
                )
            )
            keys = [(each["date"], each["record_no"], each["request_id"]) for each in found]
            assert keys == sorted(keys, reverse=True)
            assert len(set(keys)) == 12

    documents.run(story)


def test_campaigns_are_listed_by_id(documents: DocumentStore) -> None:
    ids = sorted(request() for _ in range(7))

    async def story(store: Documents) -> None:
        await store.write([Write("campaigns", each, 1, {"request_id": each}) for each in ids])
        found = await all_pages(lambda cursor: store.campaigns(cursor, 2))
        assert [each["request_id"] for each in found] == ids

    documents.run(story)


def test_attempts_come_by_their_start(documents: DocumentStore) -> None:
    r, other = request(), request()
    values = [
        fdd(r, 1, attempts=[attempt("2025-11-03T12:00:00Z"), attempt("2025-11-03T15:00:00.5Z", 2)]),
        fdd(r, 2, attempts=[attempt("2025-11-03T12:00:00.001Z"), attempt(None, 2)]),
        fdd(other, 3, attempts=[attempt("2025-11-03T11:59:59.999Z")]),
        fdd(other, 4, attempts=[attempt("2025-11-03T12:30:00+00:00")]),
        fdd(r, 5),
    ]

    async def starts(store: Documents, begin: int, end: int, of: str | None = None) -> list[Any]:
        return [
            (s.fdd["record_no"], s.attempt["attempt"], s.at_ms - NOON_MS)
            async for s in store.started(begin, end, of)
        ]

    async def story(store: Documents) -> None:
        await store.write([put(value) for value in values])
        day = (NOON_MS - 720 * MINUTE_MS, NOON_MS + 720 * MINUTE_MS)
        first, second, last = (1, 1, 0), (2, 1, 1), (1, 2, 180 * MINUTE_MS + 500)
        assert await starts(store, *day) == [(3, 1, -1), first, second, (4, 1, 1_800_000), last]
        assert await starts(store, *day, r) == [first, second, last]
        assert await starts(store, NOON_MS, NOON_MS + 1) == [first]
        # the attempt turns out not to have started
        await store.write([put({**values[0], "attempts": []}, 2)])
        assert await starts(store, *day, r) == [second]

    documents.run(story)


def test_a_crowd_of_attempts_comes_in_order(
    documents: DocumentStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.stores.started.ENOUGH", 5)
    r, chance = request(), random.Random(3)
    instants = [chance.choice([0, 1, 1, 1, chance.randrange(3_600_000)]) for _ in range(200)]
    stamps = [f"12:{ms // 60_000:02}:{ms % 60_000 / 1000:06.3f}" for ms in instants]
    values = [
        fdd(r, number, attempts=[attempt(f"2025-11-03T{stamp}Z")])
        for number, stamp in enumerate(stamps)
    ]

    async def story(store: Documents) -> None:
        await store.write([put(value) for value in values])
        found = [s.at_ms async for s in store.started(NOON_MS, NOON_MS + 60 * MINUTE_MS)]
        assert found == sorted(NOON_MS + ms for ms in instants)

    documents.run(story)


def test_counts_add_up_what_is_there(documents: DocumentStore) -> None:
    r = request()
    reached = fdd(r, 99, state="COMPLETED", attempts=[attempt("2025-11-03T12:00:00Z")])

    async def story(store: Documents) -> None:
        await store.write([put(value) for value in [*many(r), *many(request()), reached]])
        await store.write([Write("fdds", fdd(r, 12, slot=None)["id"], 2, None)])
        counts = await store.counts(r)
        assert sum(each.count for each in counts) == 72
        assert FddCount("2025-11-04", None, "FAILED", "BUSY", False, 2) in counts
        assert FddCount("2025-11-03", "10:00-12:00", "COMPLETED", None, True, 1) in counts
        assert sum(each.count for each in await store.counts(r, "2025-11-03")) == 36
        assert await store.counts(request()) == []

    documents.run(story)
