"""Numbers not to be contacted: before, in the queue, leased, started; the do-not-call list."""

from typing import Any

import pytest

from domain.aggregation.instants import print_instant
from domain.campaigns import machine
from domain.campaigns.document import ContactPolicy
from domain.errors import Reject
from tests.domain.campaigns.kit import REQUEST, Shard, at, flow, number


def figures(answer: dict[str, Any]) -> dict[str, Any]:
    names = ("rows", "matched", "unknown", "invalid", "distinct", "fdds")
    return {name: answer["result"][name] for name in names}


def test_a_file_is_told_row_by_row_and_stays_for_reporting() -> None:
    shard = Shard()
    shard.upload([number(0), number(1), number(1)])
    rows = [number(0), "98 0000 0001", number(1), number(7), "x"]
    answer = shard.command("negatives", {"rows": rows, "upload_id": "u1"}, actor="kim")
    assert figures(answer) == {
        "rows": 5, "matched": 3, "unknown": 1, "invalid": 1, "distinct": 3,
        "fdds": {"negative": 3, "already_started": 0},
    }  # fmt: skip
    assert shard.states() == ["NEGATIVE"] * 3
    stored = shard.book.stored["negative_numbers"]
    assert [row["result"] for row in stored.values()] == [
        "matched", "matched", "matched", "unknown", "invalid",
    ]  # fmt: skip
    assert stored[f"{REQUEST}/u1/5"]["number"] is None
    assert shard.book.stored["negative_uploads"][f"{REQUEST}/u1"]["by"] == "kim"
    assert shard.show()["status"] == "Negative upload"
    assert shard.counts()["negative"] == {"rows": 5, "matched": 3, "distinct": 3, "invalid": 1}
    shard.prove()


def test_a_file_in_parts_adds_up() -> None:
    shard = Shard()
    shard.upload(3)
    one = {"upload_id": "u1", "rows": [number(0), number(1)], "more": True}
    shard.command("negatives", one)
    assert [each["action"] for each in shard.sent("campaign-audit")] == ["upload"]
    two = {"upload_id": "u1", "first": 3, "rows": [number(1), number(2)]}
    answer = shard.command("negatives", two)
    assert figures(answer)["rows"] == 4
    assert figures(answer)["distinct"] == 3
    assert answer["result"]["fdds"]["negative"] == 3
    assert len(shard.sent("campaign-audit")) == 2
    shard.prove()


def test_what_is_in_the_queue_is_taken_out_and_never_ordered() -> None:
    shard = Shard(flow(channels=1))
    shard.upload(3)
    shard.until("2025-11-03 10:00")
    (first,) = shard.orders()
    shard.command("negatives", {"rows": [number(1)]})
    shard.finished(first)
    (second,) = shard.orders()
    assert second["number"] == number(2)
    assert shard.states() == ["COMPLETED", "NEGATIVE", "LEASED"]
    shard.prove()


@pytest.mark.parametrize(
    ("outcome", "state", "marks"),
    [("CANCELLED", "NEGATIVE", []), ("COMPLETED", "COMPLETED", ["negative_after_start"])],
)
def test_a_leased_one_is_cancelled_and_its_answer_decides(
    outcome: str, state: str, marks: list[str]
) -> None:
    shard = Shard()
    shard.upload(1)
    shard.until("2025-11-03 10:00")
    (order,) = shard.orders()
    shard.command("negatives", {"rows": [number(0)]})
    assert shard.states() == ["LEASED"]
    (cancel,) = shard.orders("cancel")
    assert cancel == {
        "event": "cancel",
        "execution_id": order["execution_id"],
        "fdd_id": order["fdd_id"],
        "because": "negative",
    }
    shard.finished(order, outcome)
    (fdd,) = shard.fdds().values()
    assert (fdd["state"], fdd["marks"]) == (state, marks)
    shard.prove()


@pytest.mark.parametrize(("minute", "counts"), [("10:01", True), ("12:01", False)])
def test_a_late_result_of_one_that_was_to_be_cancelled_is_marked(minute: str, counts: bool) -> None:
    shard = Shard()
    shard.upload(1)
    shard.until("2025-11-03 10:00")
    (order,) = shard.orders()
    shard.command("negatives", {"rows": [number(0)]})
    shard.until("2025-11-03 12:30")
    assert shard.states() == ["FAILED:NO_ACK"]
    began = print_instant(at(f"2025-11-03 {minute}"))
    shard.finished(order, "COMPLETED", started_at=began)
    (fdd,) = shard.fdds().values()
    marks = ["negative_after_start", "finished_after_slot"]
    assert (fdd["state"], fdd["marks"]) == (
        ("COMPLETED", marks) if counts else ("FAILED", [])
    )  # fmt: skip
    shard.prove()


def test_a_started_one_is_left_alone_and_marked() -> None:
    shard = Shard()
    shard.upload(1)
    shard.until("2025-11-03 10:00")
    (order,) = shard.orders()
    shard.started(order)
    answer = shard.command("negatives", {"rows": [number(0)]})
    assert answer["result"]["fdds"] == {"negative": 0, "already_started": 1}
    shard.finished(order, "FAILED", "BUSY")
    (fdd,) = shard.fdds().values()
    assert (fdd["state"], fdd["marks"]) == ("FAILED", ["negative_after_start"])


def test_later_days_leave_negatives_out_until_they_are_withdrawn() -> None:
    shard = Shard()
    shard.upload(2, days=3)
    shard.command("negatives", {"rows": [number(0)]})
    shard.until("2025-11-04 00:00")
    counts = shard.counts()
    assert (counts["created"], counts["not_created"]["negative"]) == (1, 1)
    assert shard.command("withdraw", {"number": number(0)})["result"]["withdrawn"]
    shard.until("2025-11-05 00:00")
    assert shard.counts()["created"] == 2
    shard.prove()


def test_a_dry_run_touches_nothing() -> None:
    shard = Shard()
    shard.upload(2)
    before = {k: v for k, v in shard.book.rows.items() if k[:1] != b"k"}
    answer = shard.command("negatives", {"rows": [number(0), number(0)]}, dry_run=True)
    assert answer["result"]["fdds"]["negative"] == 1
    assert {k: v for k, v in shard.book.rows.items() if k[:1] != b"k"} == before


def test_a_trial_of_taking_a_number_back_says_what_would_be_and_touches_nothing() -> None:
    shard = Shard()
    shard.upload(2)
    shard.command("negatives", {"rows": [number(0)]})
    shard.command("do_not_call", {"rows": [number(0)]}, "")
    before = {k: v for k, v in shard.book.rows.items() if k[:1] != b"k"}
    tried = [("withdraw", "number", REQUEST, "withdrawn"), ("do_not_call", "remove", "", "removed")]
    for name, member, request, said in tried:
        for index in (0, 1):
            body = {member: number(index)}
            answer = shard.command(name, body, request, dry_run=True)
            assert (answer["result"]["dry_run"], answer["result"][said]) == (True, index == 0)
        assert {k: v for k, v in shard.book.rows.items() if k[:1] != b"k"} == before
    for name, member, request, said in tried:
        assert shard.command(name, {member: number(0)}, request)["result"][said]
        assert not shard.command(name, {member: number(0)}, request)["result"][said]


def test_negatives_of_a_campaign_without_a_part_in_the_day_are_no_upload_of_it() -> None:
    shard = Shard()
    shard.upload(3)
    shard.until("2025-11-06 08:00")
    shard.command("negatives", {"rows": [number(0), "x"]})
    assert machine.tabs(shard.book, "20251106") == {
        "uploaded": 0, "attempted": 0, "negative": 2, "pending": 0,
    }  # fmt: skip
    assert machine.campaigns_of_day(shard.book, "20251106") == []


def test_a_number_on_the_do_not_call_list_becomes_negative_until_it_expires() -> None:
    shard = Shard()
    shard.upload(2, days=3)
    expires = at("2025-11-04 12:00")
    body = {"rows": [number(0)], "country": "IN", "expires_ms": expires}
    assert shard.command("do_not_call", body, "")["result"]["fdds"]["negative"] == 1
    shard.until("2025-11-04 00:00")
    assert shard.counts()["outcome"]["negative"] == 1
    shard.until("2025-11-05 00:00")
    assert shard.counts()["outcome"]["negative"] == 0
    shard.command("do_not_call", {"rows": [number(1)], "country": "IN"}, "")
    assert shard.command("do_not_call", {"remove": number(1)}, "")["result"]["removed"]
    shard.prove()


def test_a_contact_policy_caps_the_contacts_of_a_day_over_all_campaigns() -> None:
    policy = ContactPolicy(name="calm", per_day=1)
    shard = Shard(flow(), policy)
    shard.upload(1, days=2)
    shard.upload(1, ("13:00-14:00",), "reminder-00000000000000ff")
    shard.until("2025-11-03 10:00")
    (order,) = shard.orders()
    shard.finished(order)
    shard.until("2025-11-03 13:00")
    assert shard.orders() == []
    assert "FAILED:CONTACT_POLICY" in shard.states()
    shard.until("2025-11-04 10:00")
    assert len(shard.orders()) == 1
    shard.prove()


def test_an_erased_number_is_nowhere_and_the_figures_stay() -> None:
    shard = Shard()
    shard.upload(2, days=2)
    shard.command("negatives", {"rows": [number(0)]})
    before = shard.counts()
    shard.command("erase", {"number": number(0)}, "")
    assert not any(number(0).encode() in k + v for k, v in shard.book.rows.items())
    assert shard.counts() == before
    shard.until("2025-11-04 00:00")
    assert shard.counts()["not_created"]["negative"] == 1
    shard.prove()


def test_old_campaigns_lose_all_numbers_and_keep_their_figures() -> None:
    shard = Shard()
    shard.upload(600)
    other = "reminder-00000000000000ff"
    shard.upload(1, request=other)
    shard.command("negatives", {"rows": [number(0)]})
    shard.until("2025-11-03 13:00")
    before = shard.counts("20251103")
    body = {"before_day": "2025-11-03"}
    assert shard.command("erase", body, "")["result"]["touched"] == 0
    shard.until("2025-11-05 08:00")
    body = {"before_day": "2025-11-04"}
    assert shard.command("erase", body, "", dry_run=True)["result"]["touched"] == 601
    assert shard.command("erase", body, "")["state"] == "done"
    assert not any(b"+9198" in k + v for k, v in shard.book.rows.items() if k[:1] != b"d")
    assert {f["number"] for f in shard.fdds().values()} == {None}
    assert shard.counts("20251103") == before
    assert shard.command("erase", body, "")["result"]["touched"] == 0
    shard.prove()


@pytest.mark.parametrize("rows", ["+919800000000", {"a": 1}, 7])
def test_rows_that_are_no_list_are_refused(rows: Any) -> None:
    shard = Shard()
    shard.upload(1)
    with pytest.raises(Reject, match="Expected `array`"):
        shard.command("negatives", {"rows": rows})
    assert shard.counts()["negative"]["rows"] == 0
