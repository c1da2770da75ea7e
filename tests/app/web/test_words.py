"""Figures and times in words, and the sentence on top of the Overview."""

from dataclasses import replace
from decimal import Decimal

import pytest

from app.shapes import AggregatorSummary, Overview
from app.web import marks, words
from app.web.answer_sentence import overview_sentence
from tests.app.web import made

CALM = Overview(
    now_ms=made.NOW_MS, partitions=4, behind=0, lag_records=0, lag_s=0, drain_s=None, rate_in=1,
    rate_out=1, open_sessions=1_204_551, next_due_ms=made.NOW_MS + 12_000, overdue=0,
    dead_letters=0,
)  # fmt: skip


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.2, "under 1 s"), (12, "12 s"), (65, "1 min 5 s"), (3600, "1 h"), (3605, "1 h"),
     (90_000, "1 d 1 h"), (7200 + 61, "2 h 1 min")],
)  # fmt: skip
def test_a_span_is_shown_in_its_two_largest_units(seconds: float, text: str) -> None:
    assert words.span(seconds) == text


@pytest.mark.parametrize(
    ("away_ms", "text"),
    [
        (0, "now"),
        (999, "now"),
        (12_000, "in 12 s"),
        (-180_000, "3 min ago"),
        (86_400_000, "in 1 d"),
    ],
)
def test_a_near_time_is_relative(away_ms: int, text: str) -> None:
    assert words.relative(made.NOW_MS + away_ms, made.NOW_MS) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(1204551, "1,204,551"), (-1000, "-1,000"), (Decimal("0.10"), "0.1"), (12, "12"),
     (Decimal("12345.678901234567890123"), "12,345.678901234567890123"), ("X", "X")],
)  # fmt: skip
def test_a_number_has_separators_and_every_digit(value: object, text: str) -> None:
    assert words.number(value) == text


@pytest.mark.parametrize(("n", "text"), [(812, "812 bytes"), (1_468_006, "1.4 MiB")])
def test_bytes_are_counted_in_units(n: int, text: str) -> None:
    assert words.size(n) == text


@pytest.mark.parametrize(("per_s", "text"), [(0, "0"), (0.46, "0.5"), (148_000.4, "148,000")])
def test_a_rate_is_as_exact_as_it_is_useful(per_s: float, text: str) -> None:
    assert words.rate(per_s) == text


def test_a_time_carries_its_exact_utc() -> None:
    html = marks.when(made.NOW_MS + 12_000, made.NOW_MS)
    assert 'data-utc="2025-11-03 04:30:12.000 UTC"' in html
    assert ">in 12 s<" in html
    assert ">2025-09-04 04:30<" in marks.when(made.NOW_MS - 60 * 86_400_000, made.NOW_MS)


def test_pieces_that_differ_in_relative_words_only_are_the_same() -> None:
    one, other = (marks.when(made.NOW_MS, made.NOW_MS + by) for by in (1000, 2000))
    assert one != other
    assert marks.without_relative(str(one)) == marks.without_relative(str(other))


def test_values_show_their_type_and_are_never_markup() -> None:
    assert marks.shown(None) == '<span class="quiet">null</span>'
    assert marks.shown(True) == "<code>true</code>"
    assert marks.shown("<b>") == "&lt;b&gt;"
    assert marks.shown([1, "<"]) == "<code>[1,&#34;&lt;&#34;]</code>"


def test_backticks_become_code() -> None:
    assert marks.ticked("a `b` <c>") == "a <code>b</code> &lt;c&gt;"


def test_all_well_is_said_with_a_number_and_the_next_flush() -> None:
    sentence = overview_sentence(CALM)
    assert sentence.text == (
        "All 4 partitions caught up. 1,204,551 open sessions, next flush in 12 s."
    )
    assert sentence.state == "good"


def test_being_behind_says_how_far_and_for_how_long() -> None:
    behind = replace(CALM, behind=1, lag_records=5000, lag_s=65.0, drain_s=30.0)
    sentence = overview_sentence(behind)
    assert sentence.text.startswith(
        "1 of 4 partitions behind by 5,000 records (1 min 5 s), caught up in 30 s."
    )
    assert sentence.state == "warn"


def test_a_trouble_comes_first() -> None:
    sentence = overview_sentence(replace(CALM, troubles=[made.TROUBLE]))
    assert sentence.text.startswith("One thing needs you.")
    assert sentence.state == "bad"


def test_nothing_configured_is_said() -> None:
    empty = replace(CALM, partitions=1, open_sessions=0, next_due_ms=None)
    assert overview_sentence(empty).text == "The one partition is caught up. No aggregator yet."
    known = replace(empty, aggregators=[AggregatorSummary("a", 1, "usage", 0, None, 0, True)])
    assert overview_sentence(known).text.endswith("0 open sessions, nothing due.")
