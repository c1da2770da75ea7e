"""Days at the ends of the calendar: reckoned with, though none is taken from outside."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.aggregation.instants import MAX_INSTANT_MS, MIN_INSTANT_MS
from domain.campaigns import days
from domain.campaigns.described import RowRule, described
from domain.campaigns.document import WorkingTime, flow_json
from domain.campaigns.machine import apply
from domain.errors import Reject
from domain.insight.events import event_of
from tests.domain.campaigns.kit import REQUEST, Shard, at, flow, number

ZONES = st.sampled_from(["Asia/Kolkata", "Pacific/Kiritimati", "Pacific/Pago_Pago", "UTC"])
ENDS = st.one_of(
    st.integers(MIN_INSTANT_MS, MIN_INSTANT_MS + 10**9),
    st.integers(MAX_INSTANT_MS - 10**9, MAX_INSTANT_MS),
    st.integers(-(10**18), 10**18),
)
INSTANTS = range(MIN_INSTANT_MS, MAX_INSTANT_MS + 1)


@given(ZONES, ENDS, st.integers(-(10**10), 10**10), st.integers(0, 1440))
def test_whatever_is_reckoned_is_in_the_calendar(zone: str, ms: int, more: int, at: int) -> None:
    day = days.day_of(zone, ms)
    assert days.FIRST_DAY <= day <= days.LAST_DAY
    later = days.day_after(day, more)
    assert len(later) == 8
    assert (later >= day) is (more >= 0 or later == day)
    assert days.parse_day(days.day_text(later)) == later
    assert days.instant(zone, later, at) in INSTANTS
    assert days.instant(zone, later, at, True) in INSTANTS


@given(ZONES, ENDS, st.sets(st.integers(0, 6), min_size=1))
def test_working_time_ends_with_the_calendar(zone: str, ms: int, on: set[int]) -> None:
    made = flow(timezone=zone, working_time=WorkingTime(540, 1260, tuple(sorted(on))))
    start, end, day = days.working_at(made, zone, ms)
    assert (start, end) == (days.NEVER_MS, days.NEVER_MS) or (start < end and ms < end)
    assert days.FIRST_DAY <= day <= days.LAST_DAY


def test_the_days_of_early_years_sort_as_text() -> None:
    early = days.day_after("20251103", -600_000)
    assert early == "03830205"
    assert early < "20251103"


@pytest.mark.parametrize(("start", "taken"), [("9000-12-31", True), ("9001-01-01", False)])
def test_a_campaign_begins_up_to_the_last_day_that_is_taken(start: str, taken: bool) -> None:
    data: dict[str, Any] = {"flow": "reminder", "slots": ["10:00-12:00"], "start_date": start}
    now_ms = at("2025-11-03 08:00")
    if taken:
        assert described(data, lambda _: flow(), now_ms)[0].start_day == days.LAST_TAKEN
        return
    with pytest.raises(Exception, match=r"start_date: '9001-01-01', expected .* up to 9000-12-31"):
        described(data, lambda _: flow(), now_ms)
    # one that an older version took is read on
    assert described(data, lambda _: flow(), now_ms, days.LAST_DAY)[0].start_day == "90010101"


@pytest.mark.parametrize(
    ("text", "zone", "taken"),
    [
        ("9000-12-31T23:00", "Asia/Kolkata", True),
        ("9001-01-01T05:30", "Asia/Kolkata", False),
        ("9999-12-31T23:00", "Pacific/Pago_Pago", False),
        ("9999-12-31T23:00Z", "Asia/Kolkata", False),
        ("0001-01-01T00:00", "Asia/Kolkata", False),
        ("1969-07-20T20:17", "Asia/Kolkata", True),
    ],
)
def test_a_row_may_be_due_up_to_the_last_day_that_is_taken(
    text: str, zone: str, taken: bool
) -> None:
    data = {"flow": "reminder", "schedule_column": "at"}
    made, found = described(data, lambda _: flow(timezone=zone), at("2025-11-03 08:00"))
    row = RowRule(made, found, ["number", "at"]).take([number(1), text])
    assert getattr(row, "code", None) == (None if taken else "bad_schedule")


@pytest.mark.parametrize("slots", [("10:00-12:00", "20:00-21:00"), ("23:00-24:00",)])
@pytest.mark.parametrize("count", [1, 2])
def test_a_campaign_at_the_calendars_end_is_shown_and_changed(
    slots: tuple[str, ...], count: int
) -> None:
    """As an older version took it."""
    shard = Shard(flow(working_time=WorkingTime(0, 1440)))
    shard.upload(3, slots, days=count, start_date="9999-12-31")
    shown = shard.show()
    assert shown["days_list"] == [{"day": "9999-12-31", "state": "to_come"}]
    assert (shown["status"], shown["counts"]["created"]) == ("Scheduled", 0)
    assert shard.show("99991231")["allowed_actions"] == shown["allowed_actions"]
    assert shard.command("retrigger", {"day": "9999-12-31"})["status"] == 409
    assert shard.command("reschedule", {"days": 5})["status"] == 200
    assert shard.command("revoke")["status"] == 200
    shard.prove()


def test_a_far_schedule_time_that_was_taken_waits_to_the_end() -> None:
    """As an older version took it."""
    shard = Shard()
    far_ms = days.NEVER_MS - 3_600_000
    shard.upload(2, (), schedule=[far_ms, None])
    assert shard.counts("20251103")["pending"] == 1
    (_, far), _ = sorted(((each["date"], each) for each in shard.fdds().values()), reverse=True)
    assert (far["date"], far["state"]) == ("9999-12-31", "CREATED")
    assert shard.show()["days_list"][-1]["day"] == "9999-12-31"
    assert shard.command("revoke")["status"] == 200
    shard.prove()


@pytest.mark.parametrize("now_ms", [10**17, 10**30, -(10**30)])
def test_a_number_that_nothing_has_room_for_is_refused(now_ms: int) -> None:
    shard = Shard()
    body = {"description": {"flow": "reminder"}, "flow": flow_json(flow()), "now_ms": now_ms}
    event = {"kind": "command", "id": "u", "command": "upload", "request_id": REQUEST, "body": body}
    with pytest.raises(Reject, match="too far"):
        apply(shard.book, event, shard.now_ms, shard.flows)


@pytest.mark.parametrize("moment", ["9999-12-31T23:59:59.999Z", "0001-01-01T00:00Z"])
def test_a_far_time_of_a_result_is_kept_and_shown(moment: str) -> None:
    shard = Shard()
    shard.upload(1)
    shard.until("2025-11-03 10:00")
    (order,) = shard.orders()
    told = {"kind": "result", **{name: order[name] for name in ("execution_id", "fdd_id")}}
    shard.apply({**told, "event": "started", "at": moment})
    outcome = {"outcome": "COMPLETED", "reason": None, "started_at": moment}
    shard.apply({**told, "event": "finished", "at": moment, **outcome})
    assert shard.states() == ["COMPLETED"]
    (fdd,) = shard.fdds().values()
    assert fdd["attempts"][0]["started_at"][:16] == moment[:16]
    (reached,) = shard.sent("campaign-events")
    assert event_of(reached, 0).at_ms == shard.now_ms
    shard.prove()
