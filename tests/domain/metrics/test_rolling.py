"""Rollups against an oracle that keeps every record: whatever order, batches and repetitions."""

import math
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.campaigns.book import MemoryBook
from domain.metrics.asking import Question, answer
from domain.metrics.document import MetricType
from domain.metrics.grains import GRAINS, bounds
from domain.metrics.partials import Partial, exact, unpacked
from domain.metrics.records import Record, Value
from domain.metrics.rolling import Rolling, figures

ZONES = ("Europe/Stockholm", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe", "UTC")
START = 1_711_756_800_000  # 2024-03-30T00:00Z: the night of Stockholm's clock change comes
TYPES: dict[str, MetricType] = {"level": "gauge", "sold": "counter"}
values = st.one_of(st.integers(-5, 5), st.floats(-1e6, 1e6), st.sampled_from([0.1, 0.2, 1e15]))


@st.composite
def records(draw: Any) -> Record:
    """A record of few keys and dimensions, so that versions and buckets meet."""
    metric = draw(st.sampled_from(sorted(TYPES)))
    return Record(
        "s",
        draw(st.sampled_from("abcdef")),
        START + draw(st.integers(0, 400_000_000)) * draw(st.sampled_from([1, 1, 60])),
        draw(st.integers(1, 30)),
        {},
        [Value(metric, TYPES[metric], {"d": draw(st.sampled_from("xy"))}, draw(values))],
        draw(st.just("Europe/Stockholm")),
    )


def rolled(taken: list[Record], sizes: list[int]) -> MemoryBook:
    """The rows after these records in batches of those sizes."""
    book, left = MemoryBook(), list(taken)
    for size in [*sizes, len(left)]:
        rolling = Rolling(book)
        for record in left[:size]:
            rolling.take(record)
        rolling.close()
        del left[:size]
    return book


def newest(taken: list[Record]) -> list[Record]:
    """What counts: of each key the highest version, the first that came of it."""
    found: dict[str, Record] = {}
    for record in taken:
        if record.key not in found or record.version > found[record.key].version:
            found[record.key] = record
    return list(found.values())


def wall_start(grain: str, zone: str, ms: int) -> datetime:
    """The oracle's calendar: the date (and hour) by zoneinfo alone."""
    at = datetime.fromtimestamp(ms // 1000, UTC).astimezone(ZoneInfo(zone))
    if grain == "hour":
        return at.replace(minute=0, second=0)
    day = at.replace(hour=0, minute=0, second=0, fold=0)
    back = {
        "day": 0,
        "week": at.weekday(),
        "month": at.day - 1,
        "quarter": (at.date() - at.date().replace(month=(at.month - 1) // 3 * 3 + 1, day=1)).days,
        "year": at.timetuple().tm_yday - 1,
    }[grain]
    return day - timedelta(days=back)


def expected(taken: list[Record], zone: str, grain: str) -> dict[Any, dict[str, Any]]:
    """(metric, dimension, start) -> figures, worked out from all records at once."""
    groups: dict[Any, list[tuple[int, int, Any]]] = {}
    for record in newest(taken):
        for value in record.values:
            at = wall_start(grain, zone, record.ts).timestamp()
            key = value.metric, value.dimensions["d"], int(at * 1000)
            groups.setdefault(key, []).append((record.ts, record.version, exact(value.value)))
    found = {}
    for key, group in groups.items():
        numbers = [Fraction(number) for _, _, number in group]
        mean = sum(numbers) / len(numbers)
        found[key] = {
            "count": len(numbers),
            "sum": sum(numbers),
            "min": min(numbers),
            "max": max(numbers),
            "last": Fraction(max(group)[2]),
            "mean": mean,
            "stddev": math.sqrt(sum((n - mean) ** 2 for n in numbers) / len(numbers)),
        }
    return found


def asked(book: MemoryBook, zone: str, grain: Any) -> dict[Any, dict[str, Any]]:
    """The same from the rows."""
    found = {}
    for metric in TYPES:
        question = Question(metric, grain, zone, START - 10**10, START + 10**11, {})
        for series, points in answer(book, question):
            for start, packed in points:
                partial = unpacked(packed)
                if partial.count:
                    shown = figures(series.type, partial)
                    shown["sum"] = Fraction(partial.sum)
                    found[metric, series.dimensions["d"], start] = shown
    return found


def same(found: dict[Any, dict[str, Any]], wanted: dict[Any, dict[str, Any]]) -> None:
    """Count and sum exactly, the others to 1e-12."""
    assert found.keys() == wanted.keys()
    for key, figures_ in wanted.items():
        assert found[key]["count"] == figures_["count"]
        assert found[key]["sum"] == figures_["sum"]
        for name in ("min", "max", "last", "mean", "stddev"):
            assert math.isclose(found[key][name], figures_[name], rel_tol=1e-12, abs_tol=1e-12), (
                key,
                name,
            )


@given(st.lists(records(), max_size=25), st.lists(st.integers(1, 6), max_size=6), st.data())
@settings(deadline=None, max_examples=25)
def test_any_batches_in_any_zone_give_what_all_records_give(
    taken: list[Record], sizes: list[int], data: Any
) -> None:
    book = rolled(taken, sizes)
    zone = data.draw(st.sampled_from(ZONES))
    grain = data.draw(st.sampled_from(GRAINS))
    same(asked(book, zone, grain), expected(taken, zone, grain))


@given(
    st.lists(records(), max_size=20, unique_by=lambda r: (r.key, r.version)),
    st.randoms(use_true_random=False),
    st.lists(st.integers(1, 6), max_size=6),
)
@settings(deadline=None, max_examples=25)
def test_order_repetition_and_batches_change_no_figure(
    taken: list[Record], order: random.Random, sizes: list[int]
) -> None:
    again = taken + taken[: len(taken) // 2]
    order.shuffle(again)
    for zone in ("Europe/Stockholm", "America/New_York"):
        for grain in GRAINS:
            one = asked(rolled(taken, []), zone, grain)
            assert one == asked(rolled(again, sizes), zone, grain)


def test_a_year_of_late_data_in_three_zones_is_what_an_oracle_says() -> None:
    chance = random.Random(7)
    taken = [
        Record(
            "s",
            str(chance.randrange(900)),
            1_704_067_200_000 + chance.randrange(366 * 86_400_000),
            version,
            {},
            [Value("level", "gauge", {"d": chance.choice("xy")}, chance.gauss(50, 20))],
            "America/New_York",
        )
        for version in range(1, 1500)
    ]
    book = rolled(taken, [100] * 14)
    for zone in ("Europe/Stockholm", "America/New_York", "Australia/Lord_Howe"):
        for grain in GRAINS:
            same(asked(book, zone, grain), expected(taken, zone, grain))


def test_a_late_record_corrects_its_buckets_with_a_higher_revision() -> None:
    book = MemoryBook()
    for version, (key, ts, number) in enumerate([("a", 0, 5), ("b", 1000, 9), ("b", 1000, 2)], 1):
        rolling = Rolling(book)
        rolling.take(Record("s", key, START + ts, version, {}, [Value("m", "counter", {}, number)]))
        rolling.close()
    days = [told for _, _, told in book.sent if told["grain"] == "day"]
    assert [(told["revision"], told["sum"], told["max"]) for told in days] == [
        (1, 5, 5),
        (2, 14, 9),
        (3, 7, 5),
    ]


def test_the_same_figures_again_are_not_sent() -> None:
    book = MemoryBook()
    for version in (1, 2):
        rolling = Rolling(book)
        rolling.take(Record("s", "a", START, version, {}, [Value("m", "gauge", {}, 4)]))
        rolling.close()
    assert len(book.sent) == len(GRAINS)


def test_a_record_that_moves_leaves_its_bucket_empty() -> None:
    book = MemoryBook()
    for version, ts in ((1, START), (2, START + 40 * 86_400_000)):
        rolling = Rolling(book)
        rolling.take(Record("s", "a", ts, version, {}, [Value("m", "counter", {}, 3)]))
        rolling.close()
    told = {(t["grain"], t["start"]): t["value"] for _, _, t in book.sent}
    assert told["day", "2024-03-30T00:00:00Z"] is None
    assert told["day", "2024-05-09T00:00:00Z"] == 3
    assert told["year", "2024-01-01T00:00:00Z"] == 3


def test_another_zone_in_the_document_cuts_the_buckets_anew() -> None:
    book = MemoryBook()
    for version, (key, zone) in enumerate([("a", "UTC"), ("b", "Asia/Kathmandu")], 1):
        rolling = Rolling(book)
        told = [Value("m", "counter", {}, 1)]
        rolling.take(Record("s", key, START + 80_000_000, version, {}, told, zone))
        rolling.close()
    start, _ = bounds("day", "Asia/Kathmandu", START + 80_000_000)
    question = Question("m", "day", "Asia/Kathmandu", START, START + 86_400_000, {})
    points = dict(answer(book, question)[0][1])
    assert unpacked(points[start]).count == 2


@pytest.mark.parametrize("out", [[0], [1], [2], [0, 2], [0, 1, 2]])
def test_values_taken_out_leave_what_was_never_in(out: list[int]) -> None:
    from domain.metrics.partials import replaced

    numbers = [3, 1, 9]
    before, minus, left = Partial(), Partial(), Partial()
    for at, number in enumerate(numbers):
        before.add(at, 1, number)
        (minus if at in out else left).add(at, 1, number)
    assert replaced(before, minus, Partial(), lambda: left) == left


@pytest.mark.parametrize(
    ("values", "mean", "stddev"),
    [
        ([Decimal("3e200"), Decimal("-3e200")], 0, 3 * 10**200),
        ([3 * 10**200, -3 * 10**200], 0, 3 * 10**200),
        ([10**400, 2 * 10**400], 15 * 10**399, 5 * 10**399),
        ([10**400, 10**400 + 1], 10**400, 0.5),
    ],
)
def test_figures_beyond_a_double_are_told(values: list[Any], mean: Any, stddev: Any) -> None:
    partial = Partial()
    for ts, value in enumerate(values):
        partial.add(ts, 1, value)
    assert (partial.mean, partial.stddev) == (mean, stddev)
