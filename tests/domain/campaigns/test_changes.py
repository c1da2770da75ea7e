"""Retrigger, reschedule, revoke, pause: what each touches, and what it is refused for."""

from typing import Any

import pytest

from domain.campaigns.document import Reattempts
from domain.errors import Reject
from tests.domain.campaigns.kit import REQUEST, Shard, flow, number


@pytest.fixture
def ended() -> Shard:
    shard = Shard(flow(channels=4, lease_ms=7_200_000, reattempts=Reattempts()))
    shard.upload(5, days=2)
    shard.until("2025-11-03 10:00")
    orders = shard.orders()
    shard.command("pause")
    shard.finished(orders[0], "COMPLETED")
    shard.finished(orders[1], "PARTIAL_COMPLETE")
    shard.finished(orders[2], "FAILED", "BUSY")
    shard.until("2025-11-03 12:00")
    shard.command("resume")
    assert shard.states() == [
        "COMPLETED", "PARTIAL_COMPLETE", "FAILED:BUSY", "FAILED:NO_ACK", "FAILED:OUT_OF_SLOT",
    ]  # fmt: skip
    return shard


def test_a_retrigger_takes_what_the_day_left_and_is_held_to_working_time(ended: Shard) -> None:
    before = ended.counts()
    answer = ended.command("retrigger", reason="try again", actor="kim")
    assert answer["result"]["touched"] == 2
    assert answer["result"]["by"] == {"PARTIAL_COMPLETE": 1, "FAILED:OUT_OF_SLOT": 1}
    orders = ended.orders()
    assert [(o["record_no"], o["attempt"], o["retriggered"]) for o in orders] == [
        (2, 2, True), (5, 1, True),
    ]  # fmt: skip
    assert ended.show()["flags"]["retriggered"]
    assert ended.counts()["pending"] == 2
    for order in orders:
        ended.finished(order)
    fdd = ended.fdds()[orders[1]["fdd_id"]]
    assert fdd["date"] == "2025-11-03"
    assert [(a["outcome"], a["reason"]) for a in fdd["attempts"]] == [
        ("FAILED", "OUT_OF_SLOT"), ("COMPLETED", None),
    ]  # fmt: skip
    after = ended.counts()
    assert after["created"] == before["created"]
    assert after["outcome"]["completed"] == 3
    assert ended.sent("campaign-audit")[-1]["actor"] == "kim"
    ended.prove()


def test_unknown_outcomes_are_retriggered_only_by_name(ended: Shard) -> None:
    body = {"statuses": [], "failed": ["NO_ACK"]}
    assert ended.command("retrigger", body)["result"]["by"] == {"FAILED:NO_ACK": 1}
    (order,) = ended.orders()
    assert order["record_no"] == 4
    nothing: dict[str, list[str]] = {"statuses": [], "failed": []}
    assert ended.command("retrigger", nothing)["result"]["touched"] == 0


def test_a_retriggered_fdd_waits_for_working_time(ended: Shard) -> None:
    ended.until("2025-11-03 21:30")
    ended.command("retrigger")
    assert ended.orders() == []
    ended.until("2025-11-04 09:00")
    assert len(ended.orders()) == 2
    assert ended.counts("20251103")["pending"] == 2
    ended.prove()


def test_with_a_slot_of_its_own_it_is_held_to_that(ended: Shard) -> None:
    ended.change(flow(channels=1, lease_ms=7_200_000))
    assert ended.command("retrigger", {"slot": "15:00-16:00"})["status"] == 200
    ended.until("2025-11-03 14:59")
    assert ended.orders() == []
    ended.until("2025-11-03 15:00")
    (order,) = ended.orders()
    assert order["not_after"] == "2025-11-03T10:30:00.000Z"
    ended.started(order)
    ended.until("2025-11-03 16:00")
    assert "FAILED:OUT_OF_SLOT" in ended.states()
    assert ended.sent("slot-failures")[-1]["retriggered"]
    ended.prove()


@pytest.mark.parametrize("slot", ["08:00-09:30", "10:00-11:00", "22:00-23:00", "x"])
def test_a_slot_outside_of_working_time_or_over_is_refused(ended: Shard, slot: str) -> None:
    answer = ended.command("retrigger", {"slot": slot})
    assert (answer["state"], answer["status"]) == ("refused", 422)
    assert answer["result"]["errors"][0]["path"] == "slot"


def test_a_retrigger_is_open_after_the_last_slot_and_when_all_rows_are_read() -> None:
    shard = Shard()
    shard.upload(2, ("10:00-12:00", "16:00-18:00"), end=False)
    shard.until("2025-11-03 13:00")
    early = shard.command("retrigger")
    assert (early["status"], early["open_at"]) == (409, "2025-11-03T12:30:00.000Z")
    assert "retrigger" not in shard.show()["allowed_actions"]
    shard.until("2025-11-03 19:00")
    shard.command("rows_end")
    late = shard.command("retrigger")
    assert (late["status"], late["open_at"]) == (409, "2025-11-04T15:30:00.000Z")
    shard.until("2025-11-04 21:00")
    assert shard.command("retrigger", {"day": "2025-11-03"})["status"] == 200


@pytest.mark.parametrize("day", ["2025-11-02", "2025-11-05", "2035-01-01"])
def test_a_day_that_the_campaign_has_not_is_no_day_to_wait_for(ended: Shard, day: str) -> None:
    refused = ended.command("retrigger", {"day": day})
    assert refused["status"] == 422
    assert refused["because"] == (
        f"day: {day!r}, expected a day of the campaign, 2025-11-03 to 2025-11-04"
    )
    assert ended.command("retrigger", {"day": "2025-11-04"})["status"] == 409


def test_a_dry_run_says_what_would_be_touched_and_touches_nothing(ended: Shard) -> None:
    before = dict(ended.fdds())
    for name in ("retrigger", "reschedule", "revoke", "pause"):
        body = {"slots": ["13:00-14:00"]} if name == "reschedule" else {}
        answer = ended.command(name, body, dry_run=True)
        assert answer["result"]["dry_run"]
    assert ended.fdds() == before
    assert ended.show()["status"] == "Scheduled"
    assert not ended.show()["flags"]["paused"]


def test_a_trial_and_its_reason_may_stand_in_the_body_as_over_http(ended: Shard) -> None:
    before = ended.show()
    tries: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"dry_run": True}, {}),
        ({"dry_run": True}, {"dry_run": False}),
        ({"dry_run": False}, {"dry_run": True}),
    ]
    for name in ("retrigger", "reschedule", "revoke", "pause"):
        for body, more in tries:
            answer = ended.command(name, {**body, "reason": "what if"}, **more)
            assert (answer["state"], answer["result"]["dry_run"]) == ("done", True)
        told = ended.sent("campaign-audit")[-1]
        assert (told["reason"], told["dry_run"]) == ("what if", True)
    assert ended.show() == before
    with pytest.raises(Reject, match="dry_run"):
        ended.command("revoke", {"dry_run": "true"})


@pytest.mark.parametrize(
    ("name", "body"),
    [("retrigger", {"status": []}), ("reschedule", {"day": 2}), ("revoke", {"dryrun": True})],
)
def test_a_member_that_a_change_can_not_have_is_refused(
    ended: Shard, name: str, body: dict[str, Any]
) -> None:
    before = ended.show()
    answer = ended.command(name, body)
    assert (answer["state"], answer["status"]) == ("refused", 422)
    assert answer["because"].startswith(next(iter(body)))
    assert ended.show() == before


def test_revoke_is_for_good_and_cancels_what_is_leased() -> None:
    shard = Shard(flow(channels=2))
    shard.upload(4, days=3)
    shard.until("2025-11-03 10:00")
    first, second = shard.orders()
    answer = shard.command("revoke", reason="wrong list")
    assert answer["result"]["by"] == {"LEASED": 2, "QUEUED": 2}
    assert shard.show()["status"] == "Cancelled"
    assert shard.show()["allowed_actions"] == []
    assert len(shard.orders("cancel")) == 2
    shard.finished(first, "CANCELLED")
    shard.finished(second, "COMPLETED")
    assert shard.states() == ["REVOKED:REVOKED", "COMPLETED", *["REVOKED:REVOKED"] * 2]
    again = shard.command("revoke")
    assert (again["status"], again["result"]["touched"]) == (200, 0)
    for name in ("retrigger", "reschedule", "pause", "resume", "negatives", "withdraw"):
        assert shard.command(name)["status"] == 409
    shard.until("2025-11-05 12:00")
    assert len(shard.fdds()) == 4
    shard.prove()


def test_rows_that_come_after_a_revoke_are_counted_and_not_made() -> None:
    shard = Shard()
    shard.upload(2, end=False)
    shard.command("revoke")
    shard.command("rows", {"first": 3, "rows": [[number(9), {}, None]]})
    shard.command("rows_end")
    assert shard.counts()["not_created"]["revoked"] == 1
    assert shard.counts()["created"] == 2
    shard.prove()


def test_a_reschedule_makes_what_was_not_ordered_anew_in_each_new_slot() -> None:
    shard = Shard(flow(channels=1))
    shard.upload(3, ("10:00-12:00", "16:00-18:00"), days=2)
    shard.until("2025-11-03 10:00")
    (order,) = shard.orders()
    shard.started(order)
    answer = shard.command("reschedule", {"slots": ["13:00-14:00", "19:00-20:00"], "days": 3})
    assert answer["result"]["by"] == {"CREATED": 3, "QUEUED": 2}
    counts = shard.counts()
    assert (counts["created"], counts["pending"]) == (6 + 6, 7)
    assert counts["outcome"]["revoked"] == 5
    assert {f["reason"] for f in shard.fdds().values() if f["state"] == "REVOKED"} == {
        "RESCHEDULED"
    }
    assert shard.show()["status"] == "Rescheduled"
    shard.finished(order)
    shard.until("2025-11-03 13:00")
    (anew,) = shard.orders()
    assert (anew["slot"], anew["fdd_id"].split(".")[3]) == ("13:00-14:00", "2")
    shard.until("2025-11-05 00:00")
    assert shard.counts()["created"] == 6
    assert [d["day"] for d in shard.show()["days_list"]][-1] == "2025-11-05"
    shard.prove()


def test_a_new_slot_that_is_over_is_counted_as_past() -> None:
    shard = Shard()
    shard.upload(2, ("16:00-18:00",))
    shard.until("2025-11-03 13:00")
    shard.command("reschedule", {"slots": ["09:00-10:00", "17:00-18:00"]})
    counts = shard.counts()
    assert (counts["created"], counts["not_created"]["past_slot"]) == (4, 2)
    shard.prove()


def test_a_completed_campaign_can_be_rescheduled_for_more_days() -> None:
    shard = Shard()
    shard.upload(1)
    shard.until("2025-11-05 08:00")
    assert shard.show()["status"] == "Completed"
    assert set(shard.show()["allowed_actions"]) >= {"reschedule", "revoke"}
    assert shard.command("reschedule", {"slots": ["10:00-11:00"]})["status"] == 422
    assert shard.command("reschedule", {"slots": ["10:00-11:00"], "days": 2})["status"] == 200
    assert shard.counts()["created"] == 1
    assert shard.show()["status"] == "Rescheduled"
    shard.until("2025-11-06 12:00")
    assert shard.show()["status"] == "Completed"
    shard.prove()


def test_days_between_two_schedules_are_none_of_the_campaigns() -> None:
    shard = Shard()
    shard.upload(1)
    shard.until("2025-11-06 08:00")
    shard.command("reschedule", {"days": 2})
    listed = [(each["day"], each["state"]) for each in shard.show()["days_list"]]
    assert listed == [
        ("2025-11-03", "created"), ("2025-11-06", "created"), ("2025-11-07", "to_come"),
    ]  # fmt: skip
    for day in ("2025-11-04", "2025-11-05"):
        refused = shard.command("retrigger", {"day": day})
        assert (refused["status"], refused["result"]["errors"][0]["path"]) == (422, "day")
        assert "retrigger" not in shard.show(day.replace("-", ""))["allowed_actions"]
    assert shard.command("retrigger", {"day": "2025-11-03"})["status"] == 200
    assert shard.command("retrigger", {"day": "2025-11-07"})["status"] == 409
    shard.command("revoke")
    assert [each["day"][-2:] for each in shard.show()["days_list"]] == ["03", "06"]
    shard.prove()


def test_pause_stops_new_orders_only() -> None:
    shard = Shard(flow(channels=1))
    shard.upload(3, days=2)
    shard.until("2025-11-03 10:00")
    (order,) = shard.orders()
    shard.command("pause")
    assert shard.show()["flags"]["paused"]
    shard.finished(order, "FAILED", "BUSY")
    shard.until("2025-11-03 10:30")
    assert shard.orders() == []
    shard.command("resume")
    assert len(shard.orders()) == 1
    shard.command("pause")
    shard.until("2025-11-04 12:00")
    assert shard.counts()["outcome"]["failed"] == {"OUT_OF_SLOT": 3}
    shard.prove()


def test_campaigns_of_a_flow_take_turns() -> None:
    shard = Shard(flow(channels=4))
    other = "reminder-00000000000000ff"
    shard.upload(20)
    shard.upload(20, request=other)
    shard.until("2025-11-03 10:00")
    orders = shard.orders()
    assert len(orders) == 4
    for order in orders:
        shard.finished(order)
    orders += shard.orders()
    assert [o["request_id"] for o in orders].count(REQUEST) == 4
    shard.prove()


def test_a_command_counts_once_by_its_id() -> None:
    shard = Shard()
    shard.upload(1)
    event = {"kind": "command", "id": "same", "command": "revoke", "request_id": REQUEST}
    for _ in range(2):
        shard.apply({**event, "body": {}})
    told = [each["action"] for each in shard.sent("campaign-audit")]
    assert told == ["upload", "revoke"]


def test_an_upload_that_an_event_asked_for_is_answered_under_its_id() -> None:
    shard = Shard()
    shard.upload(1, end=False)
    shard.command("rows_end", {"command_id": "u1"})
    (told,) = shard.sent("campaign-audit")
    assert (told["command_id"], told["action"], told["state"]) == ("u1", "upload", "done")


def test_a_retriggered_fdd_whose_number_is_negative_now_is_not_ordered(ended: Shard) -> None:
    ended.command("negatives", {"rows": [number(3)]})
    ended.command("retrigger", {"statuses": [], "failed": ["NO_ACK"]})
    assert ended.orders() == []
    assert ended.states()[3] == "NEGATIVE"
    ended.prove()


def test_what_waits_can_be_retriggered_once_more(ended: Shard) -> None:
    ended.command("retrigger", {"slot": "19:00-20:00"})
    assert ended.command("retrigger")["result"]["by"] == {"QUEUED": 2}
    assert len(ended.orders()) == 2
    ended.prove()


@pytest.mark.parametrize("days", [10**30, -(10**30), {"a": 10**30}])
def test_a_number_of_days_that_no_row_holds_is_refused(days: Any) -> None:
    shard = Shard()
    shard.upload(1, days=3)
    answer = shard.command("reschedule", {"days": days})
    assert answer["status"] == 422
    (wrong,) = answer["result"]["errors"]
    assert (wrong["path"], wrong["value"]) == ("days", str(days))
    shard.prove()
