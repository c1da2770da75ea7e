"""The aggregator document: what it becomes, and everything that is refused."""

from typing import Any

import pytest

from config.documents.aggregator import load_aggregator, refuse_for_stream
from config.documents.base import MISSING, DocumentError
from domain.aggregation.document import (
    Aggregator,
    Compare,
    Flush,
    Group,
    Operation,
    Output,
    PeriodSpec,
    Timeout,
    duration_text,
)
from domain.aggregation.schedule import Frequency
from tests.config.documents.samples import document, paths, problems

SMALL: dict[str, Any] = {
    "kind": "aggregator",
    "name": "x",
    "group": {"fields": ["account"]},
    "aggregate": [{"field": "bytes", "operation": "sum"}],
    "flush": {"by": "end_of_stream"},
}


def timeout(**keys: Any) -> Timeout:
    flush = load_aggregator({**SMALL, "flush": {"by": "timeout", "timeout": keys}}).flush
    assert flush.timeout is not None
    return flush.timeout


def test_a_full_document_says_all_it_says() -> None:
    assert load_aggregator(document()) == Aggregator(
        name="data-per-account",
        input="usage",
        keyed_by=("account",),
        filter=Compare("type", "==", "data", "any"),
        group=Group(
            ("account", "product.code"), (PeriodSpec("timestamp", "month", "UTC", None),), False
        ),
        aggregate=(
            Operation("bytes", "sum", "sum_bytes"),
            Operation("price", "average", "average_price", 6),
            Operation("*", "count", "count"),
            Operation("cell", "carry_last", "carry_last_cell"),
            Operation("timestamp", "date_max", "latest"),
        ),
        flush=Flush(
            "timeout",
            Timeout("duration", 3_600_000),
            Compare("sum_bytes", ">=", 107374182400, "number"),
        ),
        event_id="id",
        dedup_days=35,
        event_time="timestamp",
        output=Output("aggregates", "plain"),
        ttl_days=180,
    )


def test_a_small_document_gets_the_defaults() -> None:
    found = load_aggregator(SMALL)
    assert (found.input, found.output, found.ttl_days) == ("usage", Output("aggregates"), 180)
    assert (found.keyed_by, found.filter, found.event_id, found.event_time) == (
        (),
        None,
        None,
        None,
    )
    assert (found.dedup_days, found.aggregate[0].scale, found.group.null_group) == (35, 12, False)
    assert found.flush == Flush("end_of_stream")


def test_null_may_be_a_group_value() -> None:
    group = {"fields": ["account"], "null_group": True}
    assert load_aggregator({**SMALL, "group": group}).group == Group(("account",), (), True)


def test_a_period_alone_is_a_group_and_its_zone_is_utc() -> None:
    group = {"periods": [{"field": "at", "period": "hour"}]}
    found = load_aggregator({**SMALL, "group": group}).group
    assert found == Group((), (PeriodSpec("at", "hour", "UTC"),))


def test_a_period_may_take_its_zone_from_the_record() -> None:
    group = {"periods": [{"field": "at", "period": "hour", "timezone_field": "zone"}]}
    found = load_aggregator({**SMALL, "group": group}).group
    assert found.periods == (PeriodSpec("at", "hour", None, "zone"),)


@pytest.mark.parametrize(
    ("duration", "ms", "text"),
    [
        ({"hours": 1}, 3_600_000, "duration 1h"),
        ({"days": 1, "hours": 2, "minutes": 30}, 95_400_000, "duration 1d 2h 30m"),
        ({"seconds": 90, "minutes": 0}, 90_000, "duration 1m 30s"),
        ({"hours": 24}, 86_400_000, "duration 1d"),
    ],
)
def test_a_duration_is_added_up(duration: dict[str, int], ms: int, text: str) -> None:
    assert timeout(duration=duration).duration_ms == ms
    assert timeout(duration=duration).text() == text


def test_a_frequency_is_a_schedule() -> None:
    daily = timeout(frequency={"every": "day", "at": "12:00", "timezone": "Europe/Stockholm"})
    assert daily.frequency == Frequency("day", 720, None, "Europe/Stockholm")
    assert daily.text() == "every day at 12:00 Europe/Stockholm"
    monthly = timeout(frequency={"every": "month", "day": 10, "at": "00:00"})
    assert monthly.frequency == Frequency("month", 0, 10, "UTC")


def test_a_timestamp_field_has_a_policy_and_perhaps_a_default() -> None:
    plain = timeout(timestamp_field="expires_at")
    assert plain == Timeout("timestamp_field", None, None, "expires_at", "last", None)
    assert plain.text() == "timestamp_field expires_at"
    full = timeout(timestamp_field="e", policy="max", default_timeout={"minutes": 5})
    assert (full.policy, full.default_timeout_ms) == ("max", 300_000)


def test_no_duration_is_said_as_seconds() -> None:
    assert duration_text(0) == "0s"


def test_sessions_are_shared_as_long_as_fields_and_periods_are_the_same() -> None:
    spec = load_aggregator(document()).group_spec()

    def changed(key: str, value: Any) -> str:
        data = document()
        data["group"][key] = value
        return load_aggregator(data).group_spec()

    assert changed("null_group", True) == spec
    assert changed("fields", ["product.code", "account"]) != spec
    assert changed("periods", []) != spec
    period = {"field": "timestamp", "period": "month", "timezone": "Europe/Stockholm"}
    assert changed("periods", [period]) != spec
    data = {**document(), "aggregate": SMALL["aggregate"], "flush": SMALL["flush"]}
    assert load_aggregator(data).group_spec() == spec


def test_all_problems_are_told_at_once_and_where() -> None:
    def spoil(data: dict[str, Any]) -> None:
        data["name"] = "Data"
        data["group"]["fields"] = ["account", 5, "account"]
        data["aggregate"][0]["operation"] = "summ"
        data["aggregate"][1]["scale"] = -1
        data["aggregate"][3]["as"] = "count"
        data["flush"]["timeout"]["duration"] = {"hour": 1}
        data["flush"]["conditions"]["value"] = "many"
        data["inputs"] = "usage"

    found = problems(spoil)
    assert [problem.path for problem in found] == [
        "name",
        "group.fields[1]",
        "group.fields[2]",
        "aggregate[0].operation",
        "aggregate[1].scale",
        "aggregate[3]",
        "flush.timeout.duration.hour",
        "flush.conditions.value",
        "inputs",
    ]
    assert [problem.value for problem in found][:4] == ["Data", 5, "account", "summ"]
    assert "`sum`" in found[3].expected
    assert "`input`" in found[-1].expected
    assert str(DocumentError(found, "a.yaml:1")).count("\na.yaml:1: ") == 8


@pytest.mark.parametrize("key", ["kind", "name", "group", "aggregate", "flush"])
def test_a_required_key_is_missed(key: str) -> None:
    (problem,) = [p for p in problems(lambda data: data.pop(key)) if p.path == key]
    assert problem.value is MISSING
    assert str(problem).startswith(f"{key}: missing, expected ")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("kind", "Aggregator"),
        ("name", ""),
        ("name", "a_b"),
        ("name", "a" * 101),
        ("name", 5),
        ("input", ""),
        ("input", "a b"),
        ("input", ".."),
        ("input", "config"),
        ("input", "dead-letters"),
        ("input", "a" * 250),
        ("input", None),
        ("keyed_by", []),
        ("keyed_by", "account"),
        ("filter", None),
        ("filter", []),
        ("group", None),
        ("group", {}),
        ("aggregate", []),
        ("aggregate", {"field": "bytes", "operation": "sum"}),
        ("flush", "timeout"),
        ("event_id", "*"),
        ("event_id", 5),
        ("event_time", ".a"),
        ("event_time", "a\nb"),
        ("dedup_days", 0),
        ("dedup_days", 1.5),
        ("dedup_days", "35"),
        ("dedup_days", True),
        ("ttl_days", -1),
        ("ttl_days", 1_000_000),
        ("output", "aggregates"),
    ],
)
def test_a_wrong_value_is_refused_with_what_it_was(key: str, value: object) -> None:
    def spoil(data: dict[str, Any]) -> None:
        del data["flush"]["conditions"]
        data[key] = value

    found = problems(spoil)
    assert [problem.path.split("[")[0] for problem in found] == [key]
    assert found[0].value == value
    assert found[0].expected


@pytest.mark.parametrize(
    ("within", "key", "value", "path"),
    [
        ("group", "fields", [["account"]], "group.fields[0]"),
        ("group", "fields", ["account", "*"], "group.fields[1]"),
        ("group", "periods", {}, "group.periods"),
        ("group", "periods", [{"period": "day"}], "group.periods[0].field"),
        ("group", "periods", [{"field": "t"}], "group.periods[0].period"),
        ("group", "periods", [{"field": "t", "period": "week"}], "group.periods[0].period"),
        (
            "group",
            "periods",
            [{"field": "t", "period": "day", "timezone": "CEST"}],
            "group.periods[0].timezone",
        ),
        (
            "group",
            "periods",
            [{"field": "t", "period": "day", "timezone": "UTC", "timezone_field": "z"}],
            "group.periods[0].timezone",
        ),
        ("group", "periods", [{"field": "account", "period": "day"}], "group.periods[0].field"),
        (
            "group",
            "periods",
            [{"field": "t", "period": "day"}, {"field": "t", "period": "year"}],
            "group.periods[1].field",
        ),
        ("group", "null_group", "no", "group.null_group"),
        ("output", "topic", "config", "output.topic"),
        ("output", "topic", "usage", "output.topic"),
        ("output", "envelope", "cloudevent", "output.envelope"),
        ("flush", "by", "timeouts", "flush.by"),
        ("flush", "timeout", {}, "flush.timeout"),
        ("flush", "when", 1, "flush.when"),
    ],
)
def test_a_wrong_part_is_refused(within: str, key: str, value: object, path: str) -> None:
    def spoil(data: dict[str, Any]) -> None:
        data["keyed_by"] = ["account"]
        data[within][key] = value

    assert path in paths(spoil)


@pytest.mark.parametrize(
    ("operation", "path"),
    [
        ("sum", "aggregate[5]"),
        ({"operation": "sum"}, "aggregate[5].field"),
        ({"field": "x"}, "aggregate[5].operation"),
        ({"field": "x", "operation": "median"}, "aggregate[5].operation"),
        ({"field": "*", "operation": "sum"}, "aggregate[5].field"),
        ({"field": "*", "operation": "carry_last"}, "aggregate[5].field"),
        ({"field": "x", "operation": "sum", "scale": 2}, "aggregate[5].scale"),
        ({"field": "x", "operation": "average", "scale": 101}, "aggregate[5].scale"),
        ({"field": "x", "operation": "average", "scale": 1.5}, "aggregate[5].scale"),
        ({"field": "x", "operation": "sum", "as": ""}, "aggregate[5].as"),
        ({"field": "x", "operation": "sum", "as": "record.x"}, "aggregate[5].as"),
        ({"field": "x", "operation": "sum", "as": "meta.count"}, "aggregate[5].as"),
        ({"field": "x", "operation": "sum", "as": "latest"}, "aggregate[5]"),
        ({"field": "bytes", "operation": "sum"}, "aggregate[5]"),
        ({"field": "x", "operation": "sum", "name": "y"}, "aggregate[5].name"),
    ],
)
def test_a_wrong_operation_is_refused(operation: object, path: str) -> None:
    assert paths(lambda data: data["aggregate"].append(operation)) == [path]


def test_a_field_may_be_aggregated_twice_under_two_names() -> None:
    again = {"field": "bytes", "operation": "sum", "as": "volume"}
    assert paths(lambda data: data["aggregate"].append(again)) == []


@pytest.mark.parametrize("value", [["cell"], ["account", "account"], ["acount"]])
def test_keyed_by_names_group_fields_once(value: list[str]) -> None:
    assert paths(lambda data: data.update(keyed_by=value))[0].startswith("keyed_by[")


@pytest.mark.parametrize("by", ["end_of_transaction", "end_of_stream"])
def test_timeout_and_conditions_are_only_for_timeout(by: str) -> None:
    found = paths(lambda data: data["flush"].update(by=by))
    assert found == ["flush.timeout", "flush.conditions"]


def test_by_timeout_needs_one() -> None:
    assert paths(lambda data: data["flush"].pop("timeout")) == ["flush.timeout"]


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"duration": {"hours": 1}, "timestamp_field": "e"}, ""),
        ({"duration": {}}, ".duration"),
        ({"duration": {"hours": 0}}, ".duration"),
        ({"duration": {"hours": -1}}, ".duration.hours"),
        ({"duration": {"hours": 1.5}}, ".duration.hours"),
        ({"duration": {"hours": "1"}}, ".duration.hours"),
        ({"duration": {"weeks": 1}}, ".duration.weeks"),
        ({"duration": 3600}, ".duration"),
        ({"duration": {"days": 36_525, "seconds": 1}}, ".duration"),
        ({"duration": {"hours": 1}, "policy": "max"}, ".policy"),
        ({"duration": {"hours": 1}, "default_timeout": {"hours": 1}}, ".default_timeout"),
        ({"timestamp_field": "e", "policy": "min"}, ".policy"),
        ({"timestamp_field": "e", "default_timeout": {"hours": 0}}, ".default_timeout"),
        ({"timestamp_field": ""}, ".timestamp_field"),
        ({"frequency": {"at": "12:00"}}, ".frequency.every"),
        ({"frequency": {"every": "day"}}, ".frequency.at"),
        ({"frequency": {"every": "week", "at": "12:00"}}, ".frequency.every"),
        ({"frequency": {"every": "day", "at": "24:00"}}, ".frequency.at"),
        ({"frequency": {"every": "day", "at": "9:00"}}, ".frequency.at"),
        ({"frequency": {"every": "day", "at": 720}}, ".frequency.at"),
        ({"frequency": {"every": "day", "day": 1, "at": "12:00"}}, ".frequency.day"),
        ({"frequency": {"every": "month", "at": "12:00"}}, ".frequency.day"),
        ({"frequency": {"every": "month", "day": 32, "at": "12:00"}}, ".frequency.day"),
        ({"frequency": {"every": "month", "day": 0, "at": "12:00"}}, ".frequency.day"),
        ({"frequency": {"every": "day", "at": "12:00", "timezone": "X"}}, ".frequency.timezone"),
    ],
)
def test_a_wrong_timeout_is_refused(value: object, path: str) -> None:
    found = paths(lambda data: data["flush"].update(timeout=value))
    assert found == ["flush.timeout" + path]


def test_days_of_dedup_without_an_event_id_would_do_nothing() -> None:
    assert paths(lambda data: data.pop("event_id")) == ["dedup_days"]


def test_an_output_that_feeds_its_own_input_is_refused() -> None:
    assert paths(lambda data: data.update(input="aggregates")) == ["output.topic"]

    def without_output(data: dict[str, Any]) -> None:
        del data["output"]
        data["input"] = "aggregates"

    assert paths(without_output) == ["input"]


def test_the_ends_of_files_are_for_batch() -> None:
    assert refuse_for_stream(load_aggregator(document())) == []
    (problem,) = refuse_for_stream(load_aggregator(SMALL))
    assert (problem.path, problem.value) == ("flush.by", "end_of_stream")
    assert "timeout" in problem.expected
