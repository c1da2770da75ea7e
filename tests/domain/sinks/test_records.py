"""What of a topic a sink takes, and under which id."""

import json
from decimal import Decimal
from typing import Any

import pytest

from config.documents.sink import load_sink
from domain.errors import Reject
from domain.sinks.columns import NoFit, cell
from domain.sinks.document import Column
from domain.sinks.records import lookup, outgoing, taker

FLUSH = {"id": "f1", "aggregator": "a", "group": {"product.code": "p1"}, "values": {"sum": 22}}
EVENT = {"specversion": "1.0", "id": "e", "source": "/sluice/a", "type": "t", "data": FLUSH}


def read(value: Any) -> Any:
    return outgoing("aggregates", 2, 7, b"k", json.dumps(value).encode())


def takes(record: Any, **document: Any) -> bool:
    http = {"url": "https://x.example/", "secret": "S"}
    sink = load_sink({"kind": "sink", "name": "s", "http": http, **document})
    return taker(sink)(read(record).content)


def test_an_id_is_the_record_s_the_event_s_or_the_position() -> None:
    assert read(FLUSH).id == "f1"
    assert read(EVENT).id == "e"
    assert read({**EVENT, "source": "https://other"}).id == "https://other e"
    assert read({"n": 1}).id == read({"id": 5}).id == read({"id": ""}).id == "aggregates/2/7"
    assert read(EVENT).content == FLUSH


def test_what_an_event_has_in_base64_is_seen_through_where_it_is_a_json_object() -> None:
    event = {name: value for name, value in EVENT.items() if name != "data"}
    assert read({**event, "data_base64": "eyJhIjogMX0="}).content == {"a": 1}
    for text in ("AAE=", "WzFd", "no!"):
        assert read({**event, "data_base64": text}).content["data_base64"] == text


@pytest.mark.parametrize("value", [b"", b"x", b"[1]", b'"a"', b"\xff", b"{"])
def test_what_is_no_object_is_refused(value: bytes) -> None:
    with pytest.raises(Reject):
        outgoing("t", 0, 0, None, value)


def test_filters_see_into_records_and_events() -> None:
    big = {"field": "values.sum", "op": ">=", "value": 22}
    assert takes(FLUSH, filter=big)
    assert takes(EVENT, filter=big)
    assert not takes(FLUSH, filter={"not": big})
    assert takes(FLUSH, filter={"field": "group.product.code", "op": "==", "value": "p1"})
    assert not takes(FLUSH, filter={"field": "group.other", "op": "!=", "value": "p1"})
    assert takes(FLUSH, aggregator="a")
    assert takes(FLUSH, aggregator=["b", "a"])
    assert not takes(FLUSH, aggregator="b")
    assert not takes({"id": "x"}, aggregator="a")


def test_a_key_with_dots_wins_at_every_level() -> None:
    record = {"a.b": 1, "a": {"b": 2, "c.d": {"e": 3}, "c": {"d.e": 4}}}
    assert lookup(record, "a.b") == 1
    assert lookup(record, "a.c.d.e") == 3
    assert lookup(record, "a.x") is None


@pytest.mark.parametrize(
    ("kind", "value", "wanted"),
    [
        ("text", "x", "x"),
        ("text", {"a": 1}, '{"a":1}'),
        ("integer", Decimal("5.0"), 5),
        ("integer", "7", 7),
        ("number", Decimal("1.25"), Decimal("1.25")),
        ("number", 10**25, Decimal(10**25)),
        ("boolean", False, False),
        ("instant", "1970-01-01T00:00:01Z", 1000),
        ("json", [1, Decimal("0.10")], "[1,0.1]"),
        ("number", None, None),
    ],
)
def test_a_cell_has_the_column_s_type(kind: Any, value: Any, wanted: Any) -> None:
    found = cell(Column("c", "v", kind), {"v": value})
    assert (found, type(found)) == (wanted, type(wanted))


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("integer", Decimal("1.5")),
        ("integer", 1 << 63),
        ("integer", True),
        ("number", "x"),
        ("number", 10**26),
        ("number", Decimal("0.0000000000001")),
        ("boolean", "true"),
        ("instant", "yesterday"),
    ],
)
def test_what_does_not_fit_is_told(kind: Any, value: Any) -> None:
    with pytest.raises(NoFit, match="column c"):
        cell(Column("c", "v", kind), {"v": value})
