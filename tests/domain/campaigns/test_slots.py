"""A day with slots: creation, the queue, orders, results, and the end of the slot."""

import pytest

from domain.campaigns import dispatch, machine
from domain.campaigns.document import FlowsOf, Reattempts
from tests.domain.campaigns.kit import REQUEST, Shard, at, flow, number


def test_an_upload_makes_one_fdd_for_each_record_and_slot_of_today() -> None:
    shard = Shard()
    shard.upload(4, ("10:00-12:00", "16:00-18:00", "19:00-20:00"), rejected=1)
    assert shard.counts() | {"outcome": None, "negative": None} == {
        "uploaded": 5,
        "attempted": 0,
        "reached": 0,
        "pending": 12,
        "created": 12,
        "yet_to_process": 12,
        "negative": None,
        "outcome": None,
        "not_created": {"negative": 0, "past_slot": 0, "dst_gap": 0, "duplicate": 0, "revoked": 0},
    }
    assert shard.show()["status"] == "Scheduled"
    shard.prove()


def test_a_slot_that_is_over_makes_nothing_and_in_a_running_one_fdds_are_due_now() -> None:
    shard = Shard(now="2025-11-03 16:30")
    shard.upload(4, ("10:00-12:00", "16:00-18:00"))
    assert shard.counts()["not_created"]["past_slot"] == 4
    assert len(shard.orders()) == 4
    shard.prove()


def test_nobody_is_ordered_while_the_flow_is_halted_and_within_a_minute_when_it_is_not() -> None:
    shard = Shard(flow(channels=2))
    shard.upload(3)
    shard.flows = FlowsOf(*shard.documents, halts={"reminder"})
    shard.until("2025-11-03 10:30")
    assert shard.orders() == []
    assert shard.counts()["pending"] == 3
    shard.flows = FlowsOf(*shard.documents)
    shard.until("2025-11-03 10:31")
    assert len(shard.orders()) == 2
    shard.prove()


def test_orders_go_out_at_the_start_of_the_slot_as_channels_are_free() -> None:
    shard = Shard(flow(channels=2))
    shard.upload(5)
    shard.until("2025-11-03 09:59")
    assert shard.orders() == []
    shard.until("2025-11-03 10:00")
    first, second = shard.orders()
    assert first["execution_id"] == f"{REQUEST}.20251103.1000_1200.1.1.1"
    assert first["number"] == number(0)
    assert first["deadline"] == "2025-11-03T04:32:00.000Z"
    assert first["not_after"] == "2025-11-03T06:30:00.000Z"
    assert first["fields"] == {"name": "n0"}
    shard.started(first)
    assert shard.orders() == []
    shard.finished(first)
    shard.finished(second, "FAILED", "REFUSED")
    assert len(shard.orders()) == 2
    assert shard.states() == ["COMPLETED", "FAILED:REFUSED", "LEASED", "LEASED", "QUEUED"]
    assert shard.counts()["reached"] == 1
    shard.prove()


def test_the_end_of_the_slot_fails_what_was_not_ordered_and_what_gave_no_answer() -> None:
    shard = Shard(flow(channels=2, lease_ms=10 * 3_600_000))
    shard.upload(4)
    shard.until("2025-11-03 10:00")
    first, _ = shard.orders()
    shard.until("2025-11-03 11:30")
    shard.started(first)
    shard.until("2025-11-03 12:00")
    assert shard.states() == [
        "STARTED", "FAILED:NO_ACK", "FAILED:OUT_OF_SLOT", "FAILED:OUT_OF_SLOT",
    ]  # fmt: skip
    assert [each["record_no"] for each in shard.sent("slot-failures")] == [3, 4]
    assert shard.show()["status"] == "Scheduled"
    shard.finished(first)
    assert shard.fdds()[first["fdd_id"]]["marks"] == ["finished_after_slot"]
    assert shard.show()["status"] == "Completed"
    shard.prove()


def test_a_reattempt_is_inside_the_slot_or_is_not() -> None:
    shard = Shard(flow(channels=10))
    shard.upload(1)
    shard.until("2025-11-03 10:00")
    (order,) = shard.orders()
    shard.finished(order, "FAILED", "BUSY")
    assert shard.states() == ["REATTEMPT_SCHEDULED"]
    shard.prove()
    shard.until("2025-11-03 10:09")
    assert shard.orders() == []
    shard.until("2025-11-03 11:55")
    (again,) = shard.orders()
    assert again["attempt"] == 2
    assert shard.states() == ["FAILED:NO_ACK"]
    shard.finished(again, "FAILED", "BUSY", at_ms=at("2025-11-03 11:54"))
    assert shard.states() == ["FAILED:BUSY"]
    shard.prove()


def test_a_late_result_that_started_inside_the_slot_replaces_no_ack() -> None:
    shard = Shard()
    shard.upload(2)
    shard.until("2025-11-03 13:00")
    first, second = shard.orders()
    assert shard.states() == ["FAILED:NO_ACK"] * 2
    shard.finished(first, started_at="2025-11-03T05:00:00Z")
    shard.finished(second, started_at="2025-11-03T07:00:00Z")
    assert shard.states() == ["COMPLETED", "FAILED:NO_ACK"]
    shard.prove()


def test_results_count_once() -> None:
    shard = Shard(flow(channels=1))
    shard.upload(1)
    shard.until("2025-11-03 10:00")
    (order,) = shard.orders()
    for _ in range(2):
        shard.finished(order, "FAILED", "WRONG")
        shard.started(order)
        shard.finished(order, "COMPLETED")
    assert shard.states() == ["FAILED:WRONG"]
    ((attempt,),) = (each["attempts"] for each in shard.fdds().values())
    assert (attempt["outcome"], attempt["reason"]) == ("FAILED", "WRONG")
    assert shard.counts()["reached"] == 1
    shard.prove()


def test_each_later_day_is_made_at_midnight_of_the_zone() -> None:
    shard = Shard()
    shard.upload(3, days=3)
    shard.until("2025-11-03 23:59")
    assert shard.counts("20251104")["created"] == 0
    shard.until("2025-11-04 00:00")
    assert shard.counts()["created"] == 3
    shard.jump("2025-11-05 11:00")
    assert [each["state"] for each in shard.show()["days_list"]] == ["created"] * 3
    assert len([o for o in shard.orders() if o["date"] == "2025-11-05"]) == 3
    shard.until("2025-11-05 20:00")
    assert shard.show()["status"] == "Completed"
    shard.prove()


def test_days_missed_in_an_outage_are_recorded() -> None:
    shard = Shard()
    shard.upload(3, ("10:00-12:00", "16:00-18:00"), days=4)
    shard.jump("2025-11-05 15:00")
    listed = [each["state"] for each in shard.show()["days_list"]]
    assert listed == ["created", "missed", "created", "to_come"]
    assert shard.counts()["not_created"]["past_slot"] == 3
    assert shard.counts()["created"] == 3
    shard.prove()


def test_the_checks_before_an_order_hold_without_the_end_of_the_slot() -> None:
    shard = Shard(flow(channels=1, reattempts=Reattempts(3, 60_000, ("BUSY",))))
    shard.upload(3)
    shard.until("2025-11-03 10:00")
    (order,) = shard.orders()
    shard.finished(order, "FAILED", "BUSY")
    shard.now_ms = at("2025-11-03 12:00")
    # the timer of the lease that is under way frees the channel; that of the slot's end waits
    (leased,) = shard.orders()
    ref = f"f/{REQUEST}/20251103/1000_1200/1/{leased['record_no']:08}"
    machine.due(shard.book, ref.encode(), shard.now_ms, shard.flows)
    assert machine.dispatch(shard.book, "reminder", shard.now_ms, shard.flows) == 1
    machine.dispatch(shard.book, "reminder", shard.now_ms, shard.flows)
    assert shard.orders() == []
    assert sorted(shard.states()) == ["FAILED:BUSY", "FAILED:NO_ACK", "FAILED:OUT_OF_SLOT"]
    shard.prove()


def test_the_end_of_the_slot_ends_leases_by_itself() -> None:
    shard = Shard()
    shard.upload(1)
    shard.until("2025-11-03 10:00")
    job = f"j/end/{REQUEST}/20251103/1000_1200/1".encode()
    machine.due(shard.book, job, at("2025-11-03 12:00"), shard.flows)
    assert shard.states() == ["FAILED:NO_ACK"]
    shard.prove()


def test_a_day_is_made_in_pages() -> None:
    shard = Shard(flow(channels=10_000, max_slots_per_day=3))
    shard.upload(1500, ("10:00-12:00", "16:00-18:00", "19:00-20:00"))
    assert shard.counts()["created"] == 4500
    shard.until("2025-11-03 10:00")
    assert len(shard.orders()) == 1500
    shard.until("2025-11-03 12:00")
    assert shard.counts()["outcome"]["failed"] == {"NO_ACK": 1500}
    shard.prove()


def test_a_long_queue_is_filled_as_it_is_ordered_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "SHORT", 20)
    monkeypatch.setattr(dispatch, "PAGE", 20)
    shard = Shard(flow(channels=10))
    shard.upload(200)
    shard.until("2025-11-03 10:00")
    assert shard.states().count("QUEUED") <= 60
    ordered = 0
    while orders := shard.orders():
        ordered += len(orders)
        for order in orders:
            shard.finished(order)
    assert ordered == 200
    shard.prove()


def test_rows_sent_twice_are_taken_once() -> None:
    shard = Shard()
    shard.upload(3, end=False)
    for first in (1, 2):
        rows: list[list[object]] = [[number(i), {}, None] for i in range(first - 1, 4)]
        shard.command("rows", {"first": first, "rows": rows})
    assert shard.show()["upload"]["accepted"] == 4
    assert shard.counts()["created"] == 4
    shard.prove()


def test_rows_read_after_the_slot_are_out_of_it() -> None:
    shard = Shard()
    shard.upload(1, end=False)
    shard.until("2025-11-03 12:30")
    shard.command("rows", {"first": 2, "rows": [[number(7), {}, None]]})
    shard.command("rows_end")
    assert shard.states() == ["FAILED:NO_ACK", "FAILED:OUT_OF_SLOT"]
    shard.prove()
