"""Campaigns through the facade, on the real rules and stores."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.backend import BadCursor, IdempotencyConflict, Unavailable
from app.campaign_shapes import (
    RefusedAction,
    RefusedChange,
    RefusedFile,
    RefusedUpload,
    Upload,
)
from app.facade.campaigns import uploads
from app.facade.facade import Facade
from app.shapes import Change, Page
from tests.agents.uploads.kit import DESCRIPTION, body, number, table
from tests.app.facade.calling import ME, TEN, Calling, numbers, run, seen, upload


def test_an_upload_is_counted_at_once_and_exactly(tmp_path: Path) -> None:
    async def steps(facade: Facade) -> None:
        request_id = await upload(facade, TEN, slots=["10:00-12:00", "16:00-18:00"], days=2)
        shown = await facade.campaign(request_id, None)
        assert shown is not None
        assert shown["upload"] == {
            "accepted": 9, "rejected": 1, "duplicates": 0, "progress": 1.0
        }  # fmt: skip
        assert (shown["counts"]["uploaded"], shown["counts"]["created"]) == (10, 18)
        assert [day["state"] for day in shown["days_list"]] == ["created", "to_come"]
        listed = await facade.campaigns("2025-11-03", "", None, 10, None)
        assert listed.tabs == {"uploaded": 10, "attempted": 0, "negative": 0, "pending": 18}
        assert [one["request_id"] for one in listed.items] == [request_id]
        assert (await facade.campaigns("2025-11-05", "", None, 10, None)).items == []
        assert (await facade.campaigns(None, "nobody", None, 10, None)).items == []
        later = await facade.campaign(request_id, "2025-11-04")
        assert later is not None
        assert later["counts"]["created"] == 0

    run(Calling(tmp_path), steps)


def test_lists_of_campaigns_go_on_over_all_shards(tmp_path: Path) -> None:
    calling = Calling(tmp_path)

    async def steps(facade: Facade) -> None:
        made = []
        for n in range(5):
            calling.house.clock.advance(1_000)
            made.append(await upload(facade, TEN, flow=("reminder", "greeting")[n % 2]))
        found: list[str] = []
        cursor = None
        while True:
            page = await facade.campaigns(None, "", None, 2, cursor)
            found += [one["request_id"] for one in page.items]
            cursor = page.next
            if cursor is None:
                break
        assert found == made[::-1]
        with pytest.raises(BadCursor):
            await facade.campaigns(None, "", None, 2, "?")

    run(calling, steps)


def test_fdds_are_listed_found_and_explained(tmp_path: Path) -> None:
    async def steps(facade: Facade) -> None:
        request_id = await upload(facade, TEN)
        where = {"day": "2025-11-03", "slot": "16:00-18:00", "status": "IN_PROGRESS"}

        async def all_there() -> bool:
            page = await facade.campaign_fdds(request_id, where, 100, None)
            return page is not None and len(page.items) == 9

        await seen(all_there)
        page = await facade.campaign_fdds(request_id, {"number": "98 0000 0003"}, 100, None)
        assert page is not None
        (one,) = page.items
        assert one["number"] == number(3)
        fdd = await facade.fdd(one["id"])
        assert fdd is not None
        assert fdd["record_no"] == 3
        why = await facade.fdd_why(one["id"])
        assert why is not None
        assert why["fdd_id"] == one["id"]
        found = await facade.fdds_by_number(number(3), 10, None)
        assert [fdd["id"] for fdd in found.items] == [one["id"]]
        for unknown in ("nobody", one["id"].replace(".3", ".99")):
            assert await facade.fdd(unknown) is None
        assert await facade.campaign_fdds("reminder-0000000000000000", {}, 10, None) is None

    run(Calling(tmp_path), steps)


def test_the_same_key_is_the_same_upload(tmp_path: Path) -> None:
    async def steps(facade: Facade) -> None:
        keyed = Change("ada", "", "k")
        request_id = await upload(facade, TEN, keyed)
        assert await upload(facade, TEN, keyed) == request_id
        with pytest.raises(IdempotencyConflict):
            await upload(facade, TEN + b"\n", keyed)

    calling = Calling(tmp_path)
    run(calling, steps)
    assert calling.refused == []


def test_a_key_stands_for_its_upload_when_the_worker_that_took_it_is_gone(tmp_path: Path) -> None:
    keyed = Change("ada", "", "k")
    calling = Calling(tmp_path)
    request_id = run(calling, lambda facade: upload(facade, TEN, keyed))

    async def another() -> None:
        async with calling.open("w-2") as facade:
            assert await upload(facade, TEN, keyed) == request_id
            with pytest.raises(IdempotencyConflict):
                await upload(facade, TEN + b"1,2\n", keyed)

    asyncio.run(another())


def test_what_can_not_be_taken_is_named(tmp_path: Path) -> None:
    async def steps(facade: Facade) -> None:
        with pytest.raises(RefusedUpload) as refused:
            await upload(facade, TEN, number_column="phone")
        assert refused.value.mistakes[0].path == "number_column"
        with pytest.raises(RefusedFile):
            await upload(facade, b"number\n\xff")
        listed = await facade.campaigns(None, "", None, 10, None)
        assert listed.items == []

    run(Calling(tmp_path), steps)


def test_a_dry_run_of_an_upload_leaves_nothing(tmp_path: Path) -> None:
    async def steps(facade: Facade) -> None:
        async def described() -> Any:
            return DESCRIPTION

        found = await facade.preview_upload(Upload(described, "", body(TEN)))
        assert found["would_create"] == {"10:00-12:00": 9}
        assert found["fits"] == {"10:00-12:00": True}
        assert found["rejections"] == [
            {"row": 10, "column": "number", "code": "bad_number", "value": "abc"}
        ]

    run(Calling(tmp_path), steps)


def test_rejected_rows_can_be_uploaded_again(tmp_path: Path) -> None:
    content = table([number(1), "a,b"], ["x", 'q"q'], ["y", "two\nlines"])

    async def steps(facade: Facade) -> None:
        request_id = await upload(facade, content)
        page = await facade.rejections(request_id, 1, None)
        assert page is not None
        assert [one["row"] for one in page.items] == [2]
        page = await facade.rejections(request_id, 1, page.next)
        assert page is not None
        assert ([one["row"] for one in page.items], page.next) == ([3], None)
        again = await facade.rejected_rows(request_id)
        assert again is not None
        text = b"".join([piece async for piece in again])
        assert text == table(["x", 'q"q'], ["y", "two\nlines"])
        assert await facade.rejections("reminder-0000000000000000", 1, None) is None

    run(Calling(tmp_path), steps)


@pytest.mark.parametrize("rejected", [0, 2])
def test_rejected_rows_that_nobody_tells_are_not_told_as_none(
    tmp_path: Path, rejected: int
) -> None:
    content = table([number(1), "a"], *([f"x{n}", "b"] for n in range(rejected)))
    calling = Calling(tmp_path)

    async def steps(facade: Facade) -> None:
        request_id = await upload(facade, content)
        (home,) = tmp_path.rglob(request_id)
        home.rename(tmp_path / "gone")
        if rejected:
            for asked in (facade.rejections(request_id, 1, None), facade.rejected_rows(request_id)):
                with pytest.raises(Unavailable, match=request_id):
                    await asked
            return
        page = await facade.rejections(request_id, 1, None)
        assert page == Page([])
        again = await facade.rejected_rows(request_id)
        assert again is not None
        assert b"".join([piece async for piece in again]) == table()
        assert await facade.rejected_rows("reminder-0000000000000000") is None

    run(calling, steps)


def test_a_file_of_rejected_rows_that_is_cut_short_is_no_whole_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uploads, "PIECE", 1)

    async def steps(facade: Facade) -> None:
        request_id = await upload(facade, table(["x", "a"], ["y", "b"]))
        again = await facade.rejected_rows(request_id)
        assert again is not None
        pieces = aiter(again)
        assert await anext(pieces) + await anext(pieces) == table(["x", "a"])
        (home,) = tmp_path.rglob(request_id)
        home.rename(tmp_path / "gone")
        with pytest.raises(Unavailable):
            await anext(pieces)

    run(Calling(tmp_path), steps)


# Changes


def test_negatives_take_fdds_out_and_are_listed(tmp_path: Path) -> None:
    calling = Calling(tmp_path)

    async def steps(facade: Facade) -> None:
        request_id = await upload(facade, TEN)
        given = numbers(number(1), "9800000002", number(1), "98", number(77))
        dry = await facade.add_negatives(request_id, given, ME, True)
        assert dry is not None
        given = numbers(number(1), "9800000002", number(1), "98", number(77))
        done = await facade.add_negatives(request_id, given, ME, False)
        assert done is not None
        for one in (dry, done):
            result = one.result or {}
            assert (result["rows"], result["matched"], result["unknown"], result["invalid"]) == (
                5, 3, 1, 1
            )  # fmt: skip
            assert (result["distinct"], result["fdds"]["negative"]) == (3, 2)
        shown = await facade.campaign(request_id, None)
        assert shown is not None
        assert shown["counts"]["outcome"]["negative"] == 2
        assert shown["status"] == "Negative upload"
        files = await facade.negative_files(request_id, 10, None)
        assert files is not None
        ((file),) = files.items
        assert (file["filename"], file["actor"], file["matched"]) == ("n.csv", "ada", 3)
        for trial in (True, False):
            withdrawn = await facade.withdraw_negative(request_id, "9800000002", ME, trial)
            assert withdrawn is not None
            result = withdrawn.result or {}
            assert (result["dry_run"], result["withdrawn"]) == (trial, True)
        assert await facade.withdraw_negative(request_id, number(2), ME, False) is None
        with pytest.raises(RefusedUpload):
            await facade.add_negatives(request_id, numbers("1", header="phone"), ME, False)
        assert await facade.add_negatives("reminder-00", numbers("1"), ME, False) is None

    run(calling, steps)
    assert calling.refused == []


def test_a_long_list_of_negatives_is_one_file(tmp_path: Path) -> None:
    many = table(*([number(n), ""] for n in range(5_000)))

    async def steps(facade: Facade) -> None:
        request_id = await upload(facade, many)
        listed = [number(n) for n in range(4_100)]
        for dry in (True, False):
            done = await facade.add_negatives(request_id, numbers(*listed), ME, dry, 30.0)
            assert done is not None
            result = done.result or {}
            assert (result["rows"], result["matched"], result["distinct"]) == (4_100,) * 3
            assert result["fdds"] == {"negative": 4_100, "already_started": 0}
        files = await facade.negative_files(request_id, 10, None)
        assert files is not None
        assert [one["rows"] for one in files.items] == [4_100]

    run(Calling(tmp_path), steps)


def test_a_number_that_comes_again_in_another_part_counts_once(tmp_path: Path) -> None:
    listed = [number(1), *(number(n) for n in range(3_000, 5_100)), "9800000001"]
    wanted = {"rows": 2_102, "matched": 2, "unknown": 2_100, "invalid": 0, "distinct": 2_101}

    async def steps(facade: Facade) -> None:
        request_id = await upload(facade, TEN)
        for dry in (True, False):
            done = await facade.add_negatives(request_id, numbers(*listed), ME, dry, 30.0)
            result = (done.result if done is not None else None) or {}
            assert {name: result[name] for name in wanted} == wanted
            assert result["fdds"] == {"negative": 1, "already_started": 0}
        for dry in (True, False):
            again = numbers(number(2), *listed[1:-1], number(2))
            result = (await facade.add_do_not_call(again, ME, dry, 30.0)).result or {}
            assert {name: result[name] for name in wanted} == wanted
            assert result["fdds"] == {"negative": 1, "already_started": 0}

    run(Calling(tmp_path), steps)


def test_numbers_not_to_be_called_are_kept_for_all_flows(tmp_path: Path) -> None:
    async def steps(facade: Facade) -> None:
        request_id = await upload(facade, TEN)
        done = await facade.add_do_not_call(numbers(number(1), number(50)), ME, False)
        result = done.result or {}
        assert (result["rows"], result["matched"], result["unknown"]) == (2, 1, 1)
        assert result["fdds"]["negative"] == 1
        shown = await facade.campaign(request_id, None)
        assert shown is not None
        assert shown["counts"]["outcome"]["negative"] == 1
        first = await facade.do_not_call(1, None)
        second = await facade.do_not_call(1, first.next)
        assert [one["number"] for one in (*first.items, *second.items)] == [number(1), number(50)]
        assert second.next is None
        one = await facade.listed_not_to_call(number(50))
        assert one is not None
        assert (one["actor"], one["reason"]) == (ME.actor, ME.reason)
        await upload(facade, table([number(51), "a"], [number(52), "b"]), flow="greeting")
        listed = numbers(number(2), number(51), number(52), number(53), "x")
        told = await facade.add_do_not_call(listed, ME, True)
        figures = [(told.result or {})[name] for name in ("rows", "matched", "unknown", "invalid")]
        assert figures == [5, 3, 1, 1]  # the shards know different ones of them
        tried = await facade.withdraw_do_not_call(number(1), ME, True)
        assert tried is not None
        assert (tried.result or {})["touched"] == 1
        assert await facade.listed_not_to_call(number(1)) is not None
        gone = await facade.withdraw_do_not_call(number(1), ME, False)
        assert gone is not None
        assert await facade.withdraw_do_not_call(number(1), ME, False) is None

    run(Calling(tmp_path), steps)


def test_changes_are_answered_by_the_shard(tmp_path: Path) -> None:
    async def steps(facade: Facade) -> None:
        request_id = await upload(facade, TEN)
        with pytest.raises(RefusedAction) as refused:
            await facade.change_campaign(request_id, "retrigger", {}, ME, False)
        assert refused.value.open_at == "2025-11-03T12:30:00.000Z"
        with pytest.raises(RefusedChange) as wrong:
            await facade.change_campaign(request_id, "reschedule", {"slots": ["22:00-23:00"]}, ME,
                                         False)  # fmt: skip
        assert wrong.value.mistakes[0].path == "slots[0]"
        dry = await facade.change_campaign(request_id, "revoke", {}, ME, True)
        keyed = Change("ada", "over", "k")
        done = await facade.change_campaign(request_id, "revoke", {}, keyed, False)
        again = await facade.change_campaign(request_id, "revoke", {}, keyed, False)
        assert dry is not None
        assert done is not None
        assert (dry.result or {})["touched"] == (done.result or {})["touched"] == 9
        assert again == done
        with pytest.raises(IdempotencyConflict):
            await facade.change_campaign(request_id, "pause", {}, keyed, False)
        assert await facade.campaign_command(done.command_id) == done
        assert await facade.campaign_command("nobody") is None
        with pytest.raises(RefusedAction) as over:
            await facade.change_campaign(request_id, "pause", {}, ME, False)
        assert over.value.because
        assert await facade.change_campaign("reminder-00", "pause", {}, ME, False) is None

    run(Calling(tmp_path), steps)
