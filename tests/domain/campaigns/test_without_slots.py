"""Campaigns without slots: due at their own time, within working time."""

from domain.campaigns.document import Reattempts, WorkingTime
from domain.campaigns.machine import tabs, why_json
from tests.domain.campaigns.kit import Shard, at, flow


def test_a_record_is_due_at_its_time_and_dated_by_it() -> None:
    shard = Shard()
    times = [None, at("2025-11-03 07:00"), at("2025-11-03 15:00"), at("2025-11-04 22:00")]
    shard.upload(4, (), schedule=times)
    dates = [(f["date"], f["slot"], f["slot_start"]) for f in shard.fdds().values()]
    days = ["2025-11-03", "2025-11-03", "2025-11-03", "2025-11-05"]
    assert dates == [(day, None, None) for day in days]
    assert shard.orders() == []
    shard.until("2025-11-03 09:00")
    assert [o["record_no"] for o in shard.orders()] == [1, 2]
    shard.until("2025-11-03 15:00")
    (order,) = shard.orders()
    assert (order["slot"], order["not_after"]) == (None, "2025-11-03T15:30:00.000Z")
    shard.until("2025-11-05 09:00")
    assert [o["record_no"] for o in shard.orders()] == [4]
    assert shard.show()["scheduled_timestamp"] == ["2025-11-03T01:30:00.000Z"]
    shard.prove()


def test_a_reattempt_waits_for_the_next_working_day_under_its_date() -> None:
    made = flow(working_time=WorkingTime(540, 1260, (0, 1, 2, 3, 4)))
    shard = Shard(made, now="2025-11-07 20:55")
    shard.upload(1, ())
    (order,) = shard.orders()
    shard.finished(order, "FAILED", "BUSY")
    assert shard.states() == ["REATTEMPT_SCHEDULED"]
    shard.until("2025-11-10 08:59")
    assert shard.orders() == []
    assert shard.counts("20251107")["pending"] == 1
    assert shard.show()["status"] == "Scheduled"
    shard.until("2025-11-10 09:00")
    (again,) = shard.orders()
    assert (again["attempt"], again["date"]) == (2, "2025-11-07")
    shard.finished(again)
    assert shard.show()["status"] == "Completed"
    shard.prove()


def test_duplicates_make_no_second_fdd_when_the_first_is_wanted() -> None:
    numbers = ["+919800000001", "+919800000002", "+919800000001"]
    shard = Shard()
    shard.upload(numbers, (), duplicates="first")
    assert (shard.counts()["created"], shard.counts()["not_created"]["duplicate"]) == (2, 1)
    assert shard.show()["upload"]["duplicates"] == 1
    allowed = Shard()
    allowed.upload(numbers, ())
    assert allowed.counts()["created"] == 3
    assert allowed.show()["upload"]["duplicates"] == 1


def test_the_tabs_are_over_all_campaigns_of_the_day() -> None:
    shard = Shard()
    shard.upload(3, days=2, rejected=1)
    shard.upload(2, (), "reminder-00000000000000ff", schedule=[at("2025-11-04 10:00")] * 2)
    assert tabs(shard.book, "20251103") == {
        "uploaded": 6, "attempted": 0, "negative": 0, "pending": 3,
    }  # fmt: skip
    shard.command("negatives", {"rows": ["+919800000000", "x"]})
    shard.until("2025-11-04 00:00")
    assert tabs(shard.book, "20251104") == {
        "uploaded": 6, "attempted": 0, "negative": 0, "pending": 4,
    }  # fmt: skip
    assert tabs(shard.book, "20251103")["negative"] == 2
    shard.prove()


def test_why_tells_every_rule_and_what_it_saw() -> None:
    shard = Shard(flow(reattempts=Reattempts(2, 600_000, ("BUSY",))))
    shard.upload(1)
    shard.until("2025-11-03 10:00")
    (order,) = shard.orders()
    shard.finished(order, "FAILED", "BUSY")
    shard.until("2025-11-03 12:00")
    why = why_json(shard.book, order["fdd_id"])
    assert why is not None
    assert why["status"] == "FAILED"
    told = [(rule["rule"], rule["decided"]) for rule in why["rules"]]
    passed = [(name, "pass") for name in ("revoked", "negative", "slot", "window", "lease")]
    assert told == [
        *passed, ("reattempt", "REATTEMPT_SCHEDULED"), *passed, ("lease", "FAILED NO_ACK"),
    ]  # fmt: skip
    assert why["rules"][2]["saw"]["end"] == "2025-11-03T06:30:00.000Z"
    assert why_json(shard.book, "x") is None
