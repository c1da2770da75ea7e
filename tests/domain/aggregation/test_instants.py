"""Instants against `datetime`, cold and with every cache filled."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.aggregation import instants
from domain.aggregation.instants import (
    MAX_INSTANT_MS,
    MIN_INSTANT_MS,
    parse_instant,
    print_instant,
)

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_OFFSET = ("", timedelta(0))
OFFSETS = st.one_of(
    st.sampled_from([NO_OFFSET, ("Z", timedelta(0)), ("z", timedelta(0))]),
    st.builds(
        lambda sign, hours, minutes, shape: (
            sign + shape.format(hours, minutes),
            (1 if sign == "+" else -1) * timedelta(hours=hours, minutes=minutes),
        ),
        st.sampled_from("+-"),
        st.integers(0, 23),
        st.integers(0, 59),
        st.sampled_from(["{:02}:{:02}", "{:02}{:02}"]),
    ),
    st.integers(0, 23).map(lambda hours: (f"+{hours:02}", timedelta(hours=hours))),
)


def cold(text: str) -> int | None:
    for cache in (instants._minutes, instants._offsets, instants._rests):
        cache.clear()
    return parse_instant(text)


def warm(text: str) -> int | None:
    parse_instant(text)
    return parse_instant(text)


@settings(deadline=None)
@given(
    st.datetimes(datetime(2, 1, 2), datetime(9998, 12, 30)),
    OFFSETS,
    st.sampled_from("Tt "),
    st.sampled_from(["minutes", "seconds", "milliseconds", "microseconds"]),
    st.sampled_from(["", "0", "999999"]),
)
def test_an_instant_is_what_datetime_says(
    wall: datetime, offset: tuple[str, timedelta], between: str, precision: str, finer: str
) -> None:
    more = finer if precision == "microseconds" else ""
    text = wall.isoformat(between, timespec=precision) + more + offset[0]
    exact = datetime.fromisoformat(wall.isoformat(timespec=precision))
    expected = (exact.replace(tzinfo=timezone(offset[1])) - EPOCH) // timedelta(milliseconds=1)
    assert cold(text) == expected
    assert warm(text) == expected


@settings(deadline=None)
@given(
    st.datetimes(datetime(2, 1, 2), datetime(9998, 12, 30)),
    st.sampled_from(["Z", "", "+00:00", "+02:00", "-0330"]),
    st.sampled_from(["seconds", "milliseconds", "microseconds"]),
    st.data(),
)
def test_the_caches_never_change_what_is_read(
    wall: datetime, offset: str, precision: str, data: st.DataObject
) -> None:
    text = wall.isoformat(timespec=precision) + offset
    at = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 2))
    piece = data.draw(st.text("0123456789TZ:.,+- ٣a", max_size=2))
    changed = text[:at] + piece + text[at + length :]
    expected = cold(changed)
    warm(text)
    assert parse_instant(changed) == expected
    assert parse_instant(changed) == expected


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("2024-09-03T10:15", "2024-09-03T10:15:00.000Z"),
        ("2024-09-03 10:15:07", "2024-09-03T10:15:07.000Z"),
        ("2024-09-03t10:15:07.9999999Z", "2024-09-03T10:15:07.999Z"),
        ("2024-09-03T10:15:07.5+02:00", "2024-09-03T08:15:07.500Z"),
        ("2024-09-03T10:15:07,25-0330", "2024-09-03T13:45:07.250Z"),
        ("2024-09-03T10:15:07+23:59", "2024-09-02T10:16:07.000Z"),
        ("2024-02-29T23:59:59+14", "2024-02-29T09:59:59.000Z"),
        ("1969-12-31T23:59:59.9999Z", "1969-12-31T23:59:59.999Z"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999Z"),
    ],
)
def test_an_instant_is_printed_in_utc_to_the_millisecond(text: str, printed: str) -> None:
    ms = parse_instant(text)
    assert ms is not None
    assert print_instant(ms) == printed
    assert parse_instant(printed) == ms


@pytest.mark.parametrize(
    "value",
    [
        None,
        1725358507,
        1725358507.5,
        True,
        b"2024-09-03T10:15:07Z",
        "",
        "1725358507",
        "2024-09-03",
        "2024-09",
        "10:15:07",
        "2024-09-03T10",
        "2024-09-03T",
        "2024-9-3T10:15:07Z",
        "2024-09-03T1:15:07Z",
        "2024-09-03T10:15:7Z",
        "2024-09-03T10:15:07.Z",
        "2024-09-03T10:15:07Z ",
        " 2024-09-03T10:15:07Z",
        "2024-09-03  10:15:07Z",
        "2024-09-03_10:15:07Z",
        "2024-09-03T10:15:07ZZ",
        "2024-09-03T10:15:07Z+00:00",
        "2024-09-03T10:15:07+24:00",
        "2024-09-03T10:15:07+02:60",
        "2024-09-03T10:15:07+2",
        "2024-09-03T10:15:07+02:",
        "2024-09-03T10:15:07 UTC",
        "2024-09-03T10:15:07\n",
        "2024-02-30T10:15:07Z",
        "2023-02-29T10:15:07Z",
        "2024-13-01T10:15:07Z",
        "2024-00-01T10:15:07Z",
        "2024-09-00T10:15:07Z",
        "2024-09-03T24:00:00Z",
        "2024-09-03T10:60:00Z",
        "2024-09-03T10:15:60Z",
        "0000-01-01T00:00:00Z",
        "12024-09-03T10:15:07Z",
        "+002024-09-03T10:15:07Z",
        "2024-W36-2T10:15:07Z",
        "2024-247T10:15:07Z",
        "20240903T101507Z",
        "2024-09-03T10:15:07.1２３Z",
        "２024-09-03T10:15:07Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
    ],
)
def test_what_is_no_instant_is_none(value: object) -> None:
    assert parse_instant("2024-09-03T10:15:07Z") is not None  # so that its pieces are known
    assert parse_instant("2024-09-03T10:15:07.123456Z") is not None
    assert parse_instant(value) is None


@settings(deadline=None)
@given(st.integers(MIN_INSTANT_MS, MAX_INSTANT_MS))
def test_what_is_printed_is_read_again(ms: int) -> None:
    text = print_instant(ms)
    assert len(text) == 24
    assert parse_instant(text) == ms


@pytest.mark.parametrize("ms", [MIN_INSTANT_MS - 1, MAX_INSTANT_MS + 1])
def test_outside_of_four_digit_years_nothing_is_printed(ms: int) -> None:
    with pytest.raises(OverflowError):
        print_instant(ms)


def test_a_full_cache_starts_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instants, "_CACHE_MAX", 3)
    read = [parse_instant(f"2024-09-03T10:{minute:02}:07Z") for minute in range(10)]
    assert [ms - (read[0] or 0) for ms in read if ms is not None] == [60_000 * n for n in range(10)]
    assert len(instants._minutes) <= 3


def test_pieces_seen_before_are_not_taken_apart_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cold("2024-09-03T10:15:07Z")
    parse_instant("2024-09-03T10:16:07.123456+02:00")
    parse_instant("2024-09-03T10:17:07.123Z")
    monkeypatch.setattr(instants, "_read", lambda text: pytest.fail(f"{text} was read again"))
    texts = ["10:16:59Z", "10:15:00.456456+02:00", "10:17:01.789Z"]
    found = [parse_instant(f"2024-09-03T{text}") for text in texts]
    assert [print_instant(ms or 0)[11:] for ms in found] == [
        "10:16:59.000Z",
        "08:15:00.456Z",
        "10:17:01.789Z",
    ]


@pytest.mark.parametrize(
    ("inside", "outside"),
    [
        ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-00:01"),
        ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+00:01"),
    ],
)
def test_the_ends_of_time_stay_the_ends_when_all_pieces_are_known(
    inside: str, outside: str
) -> None:
    assert warm(inside) is not None
    assert warm("2024-09-03T10:15:07" + outside[19:]) is not None
    assert parse_instant(outside) is None


@pytest.mark.parametrize("offset", ["+02:00", "-02:00"])
def test_an_instant_read_again_is_the_same(offset: str) -> None:
    text = f"2031-05-06T12:00:00{offset}"
    first = parse_instant(text)
    assert first is not None
    assert first - (parse_instant("2031-05-06T12:00:00Z") or 0) == -int(offset[:3]) * 3_600_000
    assert [parse_instant(text) for _ in range(3)] == [first] * 3
