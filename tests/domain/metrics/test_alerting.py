"""Alerts about metrics: one message at the start, one at the end."""

from hypothesis import given
from hypothesis import strategies as st

from domain.metrics.alerting import MetricAlert, Reading, State, Watch, message, message_id, step

HIGH = MetricAlert(name="too-high", metric="tank.level", high=100, clear=90, for_ms=3_000)


def told(alert: MetricAlert, values: list[float | None], every_ms: int = 1_000) -> list[State]:
    """What a row of values tells, one after the other."""
    watch, found = Watch(), []
    for at, value in enumerate(values):
        reading = Reading(value)
        watch, state = step(alert, watch, reading, at * every_ms)
        assert step(alert, watch, reading, at * every_ms) == (watch, None)
        found += [state] if state else []
    return found


def test_an_alert_that_hovers_at_its_mark_for_an_hour_sends_one_message() -> None:
    hovering: list[float | None] = [99 if n % 2 else 101 for n in range(3_600)]
    assert told(HIGH, [100] * 4 + hovering) == ["started"]
    assert told(HIGH, [100] * 4 + hovering + [90]) == ["started", "ended"]


def test_what_does_not_last_tells_nothing() -> None:
    assert told(HIGH, [101, 101, 101, 99, 101, 101, 101, 99]) == []
    assert told(HIGH, [101, 101, 101, 101]) == ["started"]
    assert told(HIGH, [101, None, None, None]) == []  # nothing known, nothing decided


def test_low_marks_changes_and_silence() -> None:
    low = MetricAlert(name="low", metric="m", low=10, clear=20)
    assert told(low, [30, 10, 15, 10, 20, 15]) == ["started", "ended"]
    change = MetricAlert(name="c", metric="m", change_over_ms=1, change_percent=50)
    assert step(change, Watch(), Reading(150, 0, 100), 0)[1] == "started"
    assert step(change, Watch(), Reading(50, 0, 100), 0)[1] == "started"
    assert step(change, Watch(), Reading(149, 0, 100), 0)[1] is None
    assert step(change, Watch(), Reading(149, 0, None), 0)[1] is None
    silent = MetricAlert(name="s", metric="m", no_data_ms=10_000)
    watch, state = step(silent, Watch(), Reading(None, 5_000), 14_999)
    assert state is None
    watch, state = step(silent, watch, Reading(None, 5_000), 15_000)
    assert (state, watch.value) == ("started", 10)
    assert step(silent, watch, Reading(1, 16_000), 16_000)[1] == "ended"


def test_a_source_that_fails_is_told_with_its_reason() -> None:
    alert = MetricAlert(name="calls", source="*")
    watch, state = step(alert, Watch(), Reading(failing="answered 503"), 1_000)
    assert state == "started"
    assert message(alert, "stars", watch, "started", "answered 503") == {
        "alert": "calls", "source": "stars", "state": "started", "value": 1, "mark": 0,
        "since": "1970-01-01T00:00:01.000Z", "text": "Source stars fails: answered 503",
    }  # fmt: skip
    assert step(alert, watch, Reading(), 2_000)[1] == "ended"


@given(st.lists(st.sampled_from([80, 90, 95, 99, 100, 101, 120, None]), max_size=60))
def test_starts_and_ends_alternate_and_have_ids_of_their_own(values: list[float | None]) -> None:
    watch, ids = Watch(), []
    for at, value in enumerate(values):
        watch, state = step(HIGH, watch, Reading(value), at * 1_000)
        if state:
            assert (state == "started") == watch.started
            ids.append(message_id("too-high", "", watch, state))
    assert len(ids) == len(set(ids))
    assert [each.rsplit("/", 1)[1] for each in ids] == (["started", "ended"] * len(ids))[: len(ids)]
