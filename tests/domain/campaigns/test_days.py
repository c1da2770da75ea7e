"""Days and slots in a zone, on both days of the year on which its clock changes."""

from domain.campaigns import days, machine
from domain.campaigns.document import WorkingTime
from tests.domain.campaigns.kit import REQUEST, Shard, at, flow

BERLIN = "Europe/Berlin"  # 2025-03-30 02:00 -> 03:00; 2025-10-26 03:00 -> 02:00
HOUR = 3_600_000


def berlin(now: str, *slots: str) -> Shard:
    made = flow(timezone=BERLIN, country="DE", working_time=WorkingTime(0, 1440))
    shard = Shard(made, now=now)
    shard.upload(["+4930123456"], slots, days=3)
    return shard


def test_a_slot_is_read_and_shown() -> None:
    assert days.parse_slot("10:00-12:00") == (600, 720)
    assert days.parse_slot("22:30-24:00") == (1350, 1440)
    assert days.slot_shown(days.slot_key((600, 1440))) == "10:00-24:00"
    for text in (
        "12:00-10:00",
        "10:00-10:00",
        "10:00",
        "24:00-24:30",
        "1:00-2:00",
        None,
        "23:00-24:30",
    ):
        assert days.parse_slot(text) is None


def test_a_slot_in_the_gap_is_not_made() -> None:
    shard = berlin("2025-03-29 12:00", "02:00-03:00", "12:00-13:00")
    shard.until("2025-03-30 00:00")
    counts = shard.counts("20250330")
    assert (counts["created"], counts["not_created"]["dst_gap"]) == (1, 1)
    shard.until("2025-03-31 00:00")
    assert shard.counts("20250331")["created"] == 2
    shard.prove()


def test_a_start_in_the_gap_moves_to_its_end() -> None:
    assert days.instant(BERLIN, "20250330", 150) == days.instant(BERLIN, "20250330", 180)
    shard = berlin("2025-03-30 00:00", "02:30-04:00")
    (fdd,) = shard.fdds().values()
    assert (fdd["slot_start"], fdd["slot_end"]) == (
        "2025-03-30T01:00:00.000Z", "2025-03-30T02:00:00.000Z",
    )  # fmt: skip


def test_of_a_repeated_time_a_start_is_the_first_and_an_end_the_second() -> None:
    start, end = (days.instant(BERLIN, "20251026", 150, each) for each in (False, True))
    assert end - start == HOUR
    shard = berlin("2025-10-26 00:00", "02:00-02:30")
    (fdd,) = shard.fdds().values()
    assert (fdd["slot_start"], fdd["slot_end"]) == (
        "2025-10-26T00:00:00.000Z", "2025-10-26T01:30:00.000Z",
    )  # fmt: skip


def test_midnight_is_that_of_the_zone_and_a_day_may_be_23_or_25_hours_long() -> None:
    for day, hours in (("20250330", 23), ("20251026", 25), ("20251027", 24)):
        begin = days.instant(BERLIN, day, 0)
        assert days.instant(BERLIN, days.day_after(day), 0) - begin == hours * HOUR
        assert days.instant(BERLIN, day, 1440, True) == begin + hours * HOUR
        assert days.day_of(BERLIN, begin) == day
        assert days.day_of(BERLIN, begin - 1) < day


def test_where_midnight_is_skipped_the_day_begins_after_it() -> None:
    zone = "America/Santiago"  # 2025-09-07 00:00 -> 01:00
    begin = days.instant(zone, "20250907", 0)
    assert days.day_of(zone, begin) == "20250907"
    assert days.day_of(zone, begin - 1) == "20250906"
    made = flow(timezone=zone, country="CL", working_time=WorkingTime(0, 1440))
    shard = Shard(made, now="2025-09-06 12:00")
    shard.upload(["+56221234567"], ("00:00-01:30", "12:00-13:00"), days=2)
    shard.move(begin - 1)
    assert shard.counts("20250907")["created"] == 0
    shard.move(begin)
    assert shard.counts("20250907")["created"] == 2
    assert min(f["slot_start"] for f in shard.fdds().values() if f["date"] == "2025-09-07") == (
        "2025-09-07T04:00:00.000Z"
    )


def test_working_time_knows_days_of_the_week_and_holidays() -> None:
    made = flow(working_time=WorkingTime(540, 1260, (0, 1, 2, 3, 4)), holidays=("2025-11-10",))
    friday = at("2025-11-07 21:00")
    start, end, day = days.working_at(made, made.timezone, friday)
    assert (start, end, day) == (at("2025-11-11 09:00"), at("2025-11-11 21:00"), "20251111")
    assert days.working_at(made, made.timezone, friday - 1)[2] == "20251107"
    never = flow(holidays=tuple(days.day_text(days.day_after("20251101", n)) for n in range(900)))
    assert days.working_at(never, never.timezone, friday)[0] == days.NEVER_MS


def test_a_day_off_counts_as_a_day_and_makes_nothing() -> None:
    made = flow(working_time=WorkingTime(540, 1260, (0, 2)))
    shard = Shard(made)
    shard.upload(2, days=3)
    shard.until("2025-11-05 11:00")
    listed = [each["state"] for each in shard.show()["days_list"]]
    assert listed == ["created", "not_working", "created"]
    assert shard.counts("20251104")["created"] == 0
    assert [machine.tabs(shard.book, f"2025110{day}")["uploaded"] for day in (3, 4, 5)] == [2, 0, 2]
    assert machine.campaigns_of_day(shard.book, "20251104") == []
    shard.prove()


def test_an_upload_on_a_day_off_is_of_that_day() -> None:
    shard = Shard(flow(working_time=WorkingTime(540, 1260, (1,))))
    shard.upload(2, days=2)
    assert shard.show()["days_list"][0]["state"] == "not_working"
    assert machine.tabs(shard.book, "20251103")["uploaded"] == 2
    assert machine.campaigns_of_day(shard.book, "20251103") == [REQUEST]
