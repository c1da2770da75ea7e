"""Which records are of the sessions that some group values name."""

from typing import Any

import pytest

from config.documents.aggregator import load_aggregator
from connectors.formats.json import JsonDecoder
from domain.aggregation.belonging import Belongs, belonging, tells_of
from domain.aggregation.rule import Rule, compile_rule
from domain.errors import Reject
from tests.domain.aggregation.folding import a_document

SUM: list[dict[str, Any]] = [{"field": "x", "operation": "sum"}]
MONTH = {"field": "at", "period": "month", "timezone": "Europe/Stockholm"}
ZONED = {"field": "until", "period": "day", "timezone_field": "zone"}
GROUP = {"fields": ["account", "product.code"], "periods": [MONTH, ZONED]}


def a_rule(version: int = 1, **changes: Any) -> Rule:
    return compile_rule(load_aggregator(a_document(SUM, **changes)), version)


def of(group: dict[str, Any], *rules: Rule) -> Belongs:
    return belonging(rules or [a_rule(group=GROUP)], group, JsonDecoder)


@pytest.mark.parametrize(
    ("group", "record", "found"),
    [
        ({"account": "a"}, b'{"account":"a"}', True),
        ({"account": "a"}, b'{"account":"b"}', False),
        ({"account": "a"}, b'{"product":{"code":"a"}}', False),
        ({"account": "a"}, b'{"account":{"a":1}}', False),
        ({"account": "a"}, b'{"account":"a","x":"no number","at":1,"until":[]}', True),
        ({"account": 1}, b'{"account":1.0}', True),
        ({"account": 1}, b'{"account":"1"}', False),
        ({"account": None}, b'{"account":null}', True),
        ({"account": None}, b"{}", False),
        ({"product.code": "p"}, b'{"product":{"code":"p"}}', True),
        ({"product.code": "p"}, b'{"account":"p","product":{"code":"q"}}', False),
        ({"account": "a", "product.code": "p"}, b'{"account":"a","product.code":"p"}', True),
        ({"product.code": "p", "account": "a"}, b'{"account":"a","product.code":"p"}', True),
        ({"account": "a", "product.code": "p"}, b'{"account":"a","product.code":"q"}', False),
        ({"account": "a", "product.code": "p"}, b'{"account":"a"}', False),
        ({"at": "2024-09"}, b'{"at":"2024-08-31T22:00:00Z"}', True),
        ({"at": "2024-09"}, b'{"at":"2024-08-31T21:59:59Z"}', False),
        ({"at": "2024-09"}, b'{"at":"soon"}', False),
        ({"until": "2024-09-01"}, b'{"until":"2024-08-31T22:00:00Z","zone":"Asia/Tokyo"}', True),
        ({"until": "2024-09-01"}, b'{"until":"2024-08-31T22:00:00Z","zone":"UTC"}', False),
        ({"until": "2024-09-01"}, b'{"until":"2024-09-01T22:00:00Z"}', False),
        (
            {"account": "a", "until": "2024-09-01"},
            b'{"account":"a","until":"2024-09-01T09:00:00Z","zone":"UTC"}',
            True,
        ),
        ({"account": "a"}, b'{"account":"a"', None),
        ({"account": "a"}, b"", None),
        ({"account": "a"}, b"[1]", None),
    ],
)
def test_a_record_belongs_that_has_all_the_values_named(
    group: dict[str, Any], record: bytes, found: bool | None
) -> None:
    assert of(group)(record) is found


def test_what_else_a_document_asks_of_a_record_does_not_matter() -> None:
    asks = a_rule(
        group={"fields": ["account", "user"]}, keyed_by=["account", "user"], event_id="id",
        event_time="when", flush={"by": "timeout", "timeout": {"timestamp_field": "ends"}},
    )  # fmt: skip
    assert of({"user": "u"}, asks)(b'{"user":"u","when":"soon"}') is True
    made = []

    def decoder_of(paths: Any) -> JsonDecoder:
        made.append(set(paths))
        return JsonDecoder(paths)

    belonging([asks], {"user": "u"}, decoder_of)
    assert made == [{"user"}]


def test_a_record_that_the_filter_passes_over_does_not_belong() -> None:
    data = a_rule(filter={"field": "type", "op": "==", "value": "data"})
    assert of({"account": "a"}, data)(b'{"account":"a","type":"data"}') is True
    assert of({"account": "a"}, data)(b'{"account":"a","type":"voice"}') is False
    assert of({"account": "a"}, data)(b'{"account":"a"}') is False


def test_any_version_may_take_it() -> None:
    data = a_rule(filter={"field": "type", "op": "==", "value": "data"})
    voice = a_rule(2, filter={"field": "type", "op": "==", "value": "voice"})
    users = a_rule(3, group={"fields": ["user"]})
    for rules in ([data, voice, users], [users, voice, data]):
        belongs = of({"account": "a"}, *rules)
        assert belongs(b'{"account":"a","type":"data"}') is True
        assert belongs(b'{"account":"a","type":"voice"}') is True
        assert belongs(b'{"account":"a","user":"a"}') is False
        assert belongs(b"nothing") is None


def test_nothing_belongs_where_no_version_has_the_field() -> None:
    belongs = of({"account": "a", "user": "a"}, a_rule(), a_rule(2, group={"fields": ["user"]}))
    assert belongs(b'{"account":"a","user":"a"}') is False
    assert belongs(b"nothing") is False


class Picky(JsonDecoder):
    """Can't read a record for one that asks for its `type`."""

    def decode(self, value: bytes | None) -> Any:
        if "type" in self.attributes:
            raise Reject("undecodable", "a type")
        return super().decode(value)


@pytest.mark.parametrize("order", [1, -1])
def test_what_one_version_can_read_is_told_for_all(order: int) -> None:
    rules = [a_rule(), a_rule(2, filter={"field": "type", "op": "==", "value": "data"})]
    belongs = belonging(rules[::order], {"account": "a"}, Picky)
    assert belongs(b'{"account":"a"}') is True
    assert belongs(b'{"account":"b"}') is False
    assert belonging(rules[1:], {"account": "a"}, Picky)(b'{"account":"a"}') is None


@pytest.mark.parametrize(
    ("changes", "tested"),
    [
        ({}, 1),
        ({"ttl_days": 7}, 1),
        ({"filter": {"field": "type", "op": "exists"}}, 2),
        ({"input": "other"}, 2),
        ({"group": {"fields": ["account", "user"]}}, 2),
    ],
)
def test_versions_that_group_and_filter_alike_are_tested_once(
    changes: dict[str, Any], tested: int
) -> None:
    made = []

    def decoder_of(paths: Any) -> JsonDecoder:
        made.append(paths)
        return JsonDecoder(paths)

    belonging([a_rule(), a_rule(2, **changes)], {"account": "a"}, decoder_of)
    assert len(made) == tested


@pytest.mark.parametrize(
    ("group", "data", "told"),
    [
        ({"account": "x"}, b'{"account":"x","bytes"', True),
        ({"account": "x"}, b'{"account":"xy","bytes"', False),
        ({"account": "x"}, b'{"user":"x","bytes"', False),
        ({"account": "x"}, b'"x""account"', True),
        ({"product.code": "p"}, b'{"product":{"code":"p"', True),
        ({"a.b.c": "p"}, b'{"c":"p"', True),
        ({"a": "x", "b": "y"}, b'{"a":"x","b":"y"', True),
        ({"a": "x", "b": "y"}, b'{"a":"x","b":"z"', False),
        ({"a": "x", "b": "y"}, b'{"a":"z","b":"y"', False),
        ({"n": 5}, b'{"n":5,', True),
        ({"n": 5}, b'"n":5', True),
        ({"n": 5}, b'5:"n"', True),
        ({"n": 5}, b'{"n":55,', False),
        ({"n": 5}, b'{"n":15,', False),
        ({"n": 5}, b'{"n":5.1,', False),
        ({"n": 5}, b'{"n":0.5,', False),
        ({"n": 5}, b'{"n":-5,', False),
        ({"n": 5}, b'{"n":5e3,', False),
        ({"n": 5}, b'{"n":1e+5,', False),
        ({"n": 5}, b'{"n":5-', False),
        ({"n": 5}, b'{"n":_5,', False),
        ({"n": 5}, b'{"n":5_,', False),
        ({"n": 5}, b'{"n":55,15,5}', True),
        ({"n": 55}, b'{"n":555,55}', True),
        ({"n": 5}, b'-5:"n"', False),
        ({"n": 5}, b'{"n":5,"m":55}', True),
        ({"n": 5}, b'{"n":55,5,15}', True),
        ({"account": "x"}, b'"account":"x"5', True),
        ({"account": "x"}, b'"account":5"x"', True),
        ({"n": True}, b'{"n":true}', True),
        ({"n": True}, b'{"n":untrue}', False),
    ],
)
def test_bytes_that_are_no_record_tell_of_a_value_and_its_name(
    group: dict[str, Any], data: bytes, told: bool
) -> None:
    assert tells_of(data, group) is told
