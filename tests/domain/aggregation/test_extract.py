"""What a record gives to an aggregator: one by one and many at once, from views and from rows."""

import json
from decimal import Decimal
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from config.documents.aggregator import load_aggregator
from connectors.formats.json import JsonDecoder, resolve
from domain.aggregation import extract as extraction
from domain.aggregation.bulk import Groups, Refused, compile_bulk
from domain.aggregation.document import Aggregator
from domain.aggregation.extract import (
    Input,
    compile_extract,
    inputs_of,
    number_paths,
    paths_of,
    placer,
    record_tests,
)
from domain.aggregation.numbers import float_hook
from domain.errors import Reject
from tests.domain.aggregation.folding import a_document

COUNT: list[dict[str, Any]] = [{"field": "*", "operation": "count"}]
FILTER = {"field": "type", "op": "==", "value": "data"}
MONTH = {"field": "at", "period": "month", "timezone": "Europe/Stockholm"}
ZONED = {"field": "until", "period": "day", "timezone_field": "zone"}
ENDS = {"by": "timeout", "timeout": {"timestamp_field": "ends", "default_timeout": {"days": 1}}}


def document(aggregate: list[dict[str, Any]] = COUNT, **changes: Any) -> Aggregator:
    return load_aggregator(a_document(aggregate, **changes))


def extracted(doc: Aggregator, *records: dict[str, Any] | bytes) -> list[Any]:
    """For each record (key, values), its Reject's (reason, detail), or None if it is filtered out;
    whichever way it was taken."""
    decoder = JsonDecoder(paths_of(doc))
    texts = [each if isinstance(each, bytes) else json.dumps(each).encode() for each in records]
    views = [decoder.decode(text) for text in texts]
    extract = compile_extract(doc, decoder.attributes)
    found: list[Any] = []
    for view in views:
        try:
            taken = extract(view)
            found.append(taken[:2] if taken is not None else None)
        except Reject as refused:
            found.append((refused.reason, refused.detail))
    assert in_bulk(doc, decoder.attributes, "view", views) == found
    if not any(view.cloud for view in views):
        rows = [
            tuple(getattr(view, name) for name in decoder.attributes.values()) for view in views
        ]
        assert in_bulk(doc, decoder.attributes, "row", rows) == found
    return found


def in_bulk(doc: Aggregator, attributes: Any, shape: Any, records: list[Any]) -> list[Any]:
    groups: Groups = {}
    refused: Refused = []
    offsets = range(100, 100 + len(records))
    bulk = compile_bulk(doc, attributes, shape)
    filtered = bulk(offsets, [offset * 10 for offset in offsets], records, groups, refused)
    found: dict[int, Any] = dict.fromkeys(filtered)
    for key, entries in groups.items():
        assert entries == sorted(entries, key=lambda entry: entry[0])
        for offset, timestamp, values in entries:
            assert timestamp == offset * 10
            found[offset] = key, values
    for offset, reject in refused:
        assert reject.__traceback__ is None
        found[offset] = reject.reason, reject.detail
    assert sorted(found) == list(offsets)
    return [found[offset] for offset in offsets]


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (b'"a"', b'["a"]'),
        (b'"\\u00e9\\""', '["é\\""]'.encode()),
        (b"1", b"[1]"),
        (b"1.0", b"[1]"),
        (b"10e-1", b"[1]"),
        (b"1.50", b"[1.5]"),
        (b'"1"', b'["1"]'),
        (b"true", b"[true]"),
        (b"1180591620717411303424", b"[1180591620717411303424]"),
        (b"1e1001", ("not_a_number", "account: ")),
        (b"9" * 1001, ("not_a_number", "account: ")),
        (b"null", ("missing_group_field", "account is null")),
        (b"{}", ("missing_group_field", "account is not a single value")),
        (b"[1]", ("missing_group_field", "account is not a single value")),
    ],
)
def test_a_group_value_keeps_its_type_and_is_single(value: bytes, key: Any) -> None:
    (found,) = extracted(document(), b'{"account":' + value + b"}")
    if isinstance(key, bytes):
        assert found == (key, ())
    else:
        assert found[0] == key[0]
        assert found[1].startswith(key[1])


def test_null_is_a_group_value_where_the_document_says_so_and_absence_is_none() -> None:
    nulls = document(group={"fields": ["account"], "null_group": True})
    absent = "missing_group_field", "account is absent"
    assert extracted(nulls, {"account": None}, {}) == [(b"[null]", ()), absent]
    assert extracted(document(), {}) == [absent]


def test_values_are_in_the_order_of_the_document_and_never_joined() -> None:
    two = document(group={"fields": ["product.code", "account"]})
    assert extracted(
        two,
        {"account": "c", "product": {"code": "a-b"}},
        {"account": "b-c", "product.code": "a"},
        {"account": 1, "product.code": True},
        {"account": "1", "product.code": True},
        {"account": True, "product.code": 1},
    ) == [
        (b'["a-b","c"]', ()), (b'["a","b-c"]', ()), (b"[true,1]", ()), (b'[true,"1"]', ()),
        (b"[1,true]", ()),
    ]  # fmt: skip


def test_a_period_is_part_of_the_key_and_so_is_a_zone_of_its_own() -> None:
    both = document(group={"fields": ["account"], "periods": [MONTH, ZONED]})
    record = {"account": "a", "at": "2024-08-31T22:00:00Z", "until": "2024-08-31T22:00:00Z"}
    found = extracted(
        both,
        {**record, "zone": "UTC"},
        {**record, "zone": "Asia/Tokyo"},
        {**record, "zone": "UTC", "at": "2024-08-31T21:59:59"},
        {**record, "zone": "UTC"},
    )
    first = b'["a","2024-09","2024-08-31","UTC"]', ()
    assert found == [
        first, (b'["a","2024-09","2024-09-01","Asia/Tokyo"]', ()),
        (b'["a","2024-08","2024-08-31","UTC"]', ()), first,
    ]  # fmt: skip


@pytest.mark.parametrize("known", [0, 1, 20_000])
def test_a_text_read_before_gives_the_same(monkeypatch: pytest.MonkeyPatch, known: int) -> None:
    monkeypatch.setattr(extraction, "KNOWN_LABELS", known)
    days = document(group={"fields": [], "periods": [MONTH]})
    texts = ["2024-08-31T21:59:59Z", "2024-08-31T22:00:00Z", "2024-12-31T23:00:00Z"] * 2
    labels = [b'["2024-08"]', b'["2024-09"]', b'["2025-01"]'] * 2
    assert [found[0] for found in extracted(days, *({"at": text} for text in texts))] == labels


def test_texts_are_remembered_as_far_as_it_is_worth_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extraction, "KNOWN_LABELS", 2)
    known: dict[str, tuple[str, str]] = {}
    label = extraction._period("at", "day", "UTC", None, known)
    texts = [f"2024-09-0{day}T00:00Z" for day in (1, 2, 3)]
    assert [label(text, None) for text in texts] == [(text[:10], "UTC") for text in texts]
    assert known == {text: (text[:10], "UTC") for text in texts[:2]}


def test_a_zone_of_its_own_is_never_taken_from_memory() -> None:
    known: dict[str, tuple[str, str]] = {}
    label = extraction._period("at", "day", None, "zone", known)
    assert label("2024-08-31T22:00:00Z", "UTC") == ("2024-08-31", "UTC")
    assert label("2024-08-31T22:00:00Z", "Asia/Tokyo") == ("2024-09-01", "Asia/Tokyo")
    assert label("2024-08-31T22:00:00Z", "UTC") == ("2024-08-31", "UTC")
    assert known == {}


@pytest.mark.parametrize(
    ("record", "refusal"),
    [
        ({}, ("missing_group_field", "at is absent")),
        ({"at": None}, ("missing_group_field", "at is null")),
        ({"at": "2024-09-01"}, ("not_an_instant", "at is no ISO 8601 date and time")),
        ({"at": 5}, ("not_an_instant", "at is no ISO 8601 date and time")),
        ({"at": {}}, ("not_an_instant", "at is no ISO 8601 date and time")),
        (
            {"at": "9999-12-31T23:30:00Z"},
            ("not_an_instant", "its month is not within the years 1 to 9999 in Europe/Stockholm"),
        ),
    ],
)
def test_what_is_in_no_period_is_refused(record: dict[str, Any], refusal: Any) -> None:
    assert extracted(document(group={"fields": [], "periods": [MONTH]}), record) == [refusal]


@pytest.mark.parametrize("zone", [{}, {"zone": None}, {"zone": "Mars"}, {"zone": 1}, {"zone": []}])
def test_an_unknown_zone_is_refused(zone: dict[str, Any]) -> None:
    at = {"until": "2024-09-01T00:00Z"}
    refusal = "missing_group_field", "zone is not the name of a time zone"
    zoned = document(group={"fields": [], "periods": [ZONED]})
    assert extracted(zoned, {**at, **zone}) == [refusal]


def test_the_filter_comes_first() -> None:
    data = document(filter=FILTER)
    assert extracted(
        data,
        {"type": "voice"},
        {"type": "data", "account": "a"},
        {"account": "a"},
        {"type": "data"},
    ) == [None, (b'["a"]', ()), None, ("missing_group_field", "account is absent")]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("5", 5),
        ("-5", -5),
        ('"5"', 5),
        ("0.1", Decimal("0.1")),
        ('"1.50"', Decimal("1.50")),
        ("null", None),
        (str(2**63 - 1), 2**63 - 1),
        (str(2**63), Decimal(2**63)),
        (str(1 - 2**63), 1 - 2**63),
        (str(-(2**63)), Decimal(-(2**63))),
        (f'"{2**63 - 1}"', 2**63 - 1),
        (f'"{2**63}"', Decimal(2**63)),
        (f'"{1 - 2**63}"', 1 - 2**63),
        (f'"{-(2**63)}"', Decimal(-(2**63))),
        (str(2**80), Decimal(2**80)),
    ],
)
def test_a_number_is_exact_and_what_messagepack_can_hold(text: str, number: Any) -> None:
    of = document([{"field": "x", "operation": "sum"}])
    ((_, (found,)),) = extracted(of, f'{{"account":"a","x":{text}}}'.encode())
    assert found == number
    assert found.__class__ is number.__class__


@pytest.mark.parametrize("text", ["true", '"x"', '""', '" 1"', "{}", "[1]", "1e1001", "9" * 1001])
def test_what_is_no_number_is_refused_with_its_field(text: str) -> None:
    of = document([{"field": "x", "operation": "max"}])
    ((reason, detail),) = extracted(of, f'{{"account":"a","x":{text}}}'.encode())
    assert reason == "not_a_number"
    assert detail.startswith("x: ")


def test_values_are_taken_as_their_operations_want_them() -> None:
    of = document(
        [
            {"field": "x", "operation": "sum"},
            {"field": "x", "operation": "max"},
            {"field": "x", "operation": "count"},
            {"field": "cell", "operation": "carry_last"},
            {"field": "at", "operation": "date_max"},
            {"field": "user", "operation": "unique_count"},
            *COUNT,
        ],
        event_time="when", event_id="id", flush=ENDS,
    )  # fmt: skip
    text = (
        b'{"account":"a","x":5,"cell":{ "a": 1.50 },"at":"1970-01-01T00:00:01.5009Z","user":"u",'
        b'"when":"1970-01-01T00:00:02Z","ends":"1970-01-01T00:00:03Z","id":7}'
    )
    (full, empty, nulls) = extracted(
        of, text, {"account": "a", "id": "7"},
        {"account": "a", "id": True, "x": None, "cell": None, "at": None, "user": None,
         "when": None, "ends": None},
    )  # fmt: skip

    def hashed(text: bytes, size: int) -> bytes:
        return blake2b(text, digest_size=size).digest()

    user = int.from_bytes(hashed(b'"u"', 8), "big")
    assert full[1] == (5, True, b'{ "a": 1.50 }', 1_500, user, 2_000, 3_000, hashed(b"7", 16))
    assert empty[1] == (None, False, None, None, None, None, None, hashed(b'"7"', 16))
    assert nulls[1] == (None, False, None, None, None, None, None, hashed(b"true", 16))


@pytest.mark.parametrize(
    ("ends", "due"),
    [("soon", None), (5, None), ([], None), (True, None), ("1970-01-01T00:00:01Z", 1_000)],
)
def test_an_unreadable_timeout_is_as_none(ends: Any, due: int | None) -> None:
    assert extracted(document(flush=ENDS), {"account": "a", "ends": ends}) == [(b'["a"]', (due,))]


@pytest.mark.parametrize(
    "changes",
    [
        {"event_time": "at"},
        {"aggregate": [{"field": "at", "operation": "date_min"}]},
    ],
)
@pytest.mark.parametrize("at", ["2024-09-01", 5, [], True])
def test_an_unreadable_instant_is_refused(changes: dict[str, Any], at: Any) -> None:
    refusal = "not_an_instant", "at is no ISO 8601 date and time"
    of = document(**{"aggregate": COUNT, **changes})
    assert extracted(of, {"account": "a", "at": at}) == [refusal]


def test_a_distinct_value_that_can_not_be_read_is_refused_with_its_field() -> None:
    of = document([{"field": "x", "operation": "unique_count"}])
    ((reason, detail),) = extracted(of, b'{"account":"a","x":1e2000}')
    assert reason == "not_a_number"
    assert detail.startswith("x: ")


@pytest.mark.parametrize("event", [{}, {"id": None}, {"id": []}, {"id": {}}])
def test_a_record_without_an_event_id_is_refused(event: dict[str, Any]) -> None:
    refusal = "missing_event_id", "id is absent, null or not a single value"
    assert extracted(document(event_id="id"), {"account": "a", **event}) == [refusal]


@pytest.mark.parametrize(
    ("event", "text"),
    [("x", b'"x"'), (5, b"5"), (False, b"false"), (0, b"0"), ("", b'""'), (0.5, b"0.5")],
)
def test_an_event_id_is_any_single_value(event: Any, text: bytes) -> None:
    hashed = blake2b(text, digest_size=16).digest()
    found = extracted(document(event_id="id"), {"account": "a", "id": event})
    assert found == [(b'["a"]', (hashed,))]


def test_of_a_cloud_event_the_source_and_the_id_are_the_event_id() -> None:
    cloud = {"specversion": "1.0", "id": "1", "source": "/x", "type": "t"}
    hashed = blake2b(b'"/x\\u00001"', digest_size=16).digest()
    found = extracted(
        document(event_id="id"),
        {**cloud, "data": {"account": "a"}},
        {**cloud, "data": {"account": "a", "id": "other"}},
        {"account": "a", "id": "other"},
    )
    other = blake2b(b'"other"', digest_size=16).digest()
    assert [values for _, values in found] == [(hashed,), (hashed,), (other,)]


CONDITIONS = {
    "all": [
        {"field": "record.x", "op": ">", "value": 5},
        {"field": "account", "op": "==", "value": "a"},
        {"not": {"field": "record.gone", "op": "exists"}},
        {"field": "count", "op": ">", "value": 1},
    ]
}
BY_CONDITION = {
    "by": "timeout", "timeout": {"duration": {"hours": 1}}, "conditions": CONDITIONS,
}  # fmt: skip


def test_conditions_on_the_record_are_decided_with_its_values() -> None:
    of = document(flush=BY_CONDITION)
    assert [compare.field for compare in record_tests(of)] == ["record.x", "account", "record.gone"]
    assert extracted(
        of, {"account": "a", "x": 6}, {"account": "b", "x": 5}, {"account": "a", "gone": 0}
    ) == [
        (b'["a"]', (True, True, False)), (b'["b"]', (False, False, False)),
        (b'["a"]', (False, True, True)),
    ]  # fmt: skip
    assert record_tests(document()) == []


ALL = document(
    [
        {"field": "x", "operation": "sum"},
        {"field": "x", "operation": "count"},
        {"field": "y", "operation": "min"},
        {"field": "z", "operation": "count"},
        {"field": "cell", "operation": "carry_first"},
        {"field": "id", "operation": "carry_last"},
        {"field": "account", "operation": "max"},
    ],
    filter=FILTER, group={"fields": ["account"], "periods": [MONTH, ZONED]},
    keyed_by=["account"], event_time="when", event_id="id",
    flush={**ENDS, "conditions": {"field": "record.y", "op": ">", "value": 1}},
)  # fmt: skip


def test_what_is_asked_of_a_record_is_told_once() -> None:
    kinds = [(item.kind, item.field) for item in inputs_of(ALL)]
    assert kinds == [
        ("number", "x"), ("present", "x"), ("number", "y"), ("present", "z"), ("raw", "cell"),
        ("raw", "id"), ("number", "account"), ("event_time", "when"), ("due", "ends"),
        ("event_id", "id"), ("test", "record.y"),
    ]  # fmt: skip
    assert paths_of(ALL) == {
        "x": "any", "y": "any", "z": "any", "cell": "raw", "id": "any", "account": "any",
        "when": "any", "ends": "any", "type": "any", "at": "any", "until": "any", "zone": "any",
    }  # fmt: skip
    twice = document([{"field": "x", "operation": op} for op in ("sum", "max", "average")])
    assert inputs_of(twice) == (Input("number", "x"),)


def test_only_numbers_are_asked_of_some_paths() -> None:
    assert number_paths(ALL) == {"x"}  # y is tested too, account is a group value
    assert number_paths(document()) == set()


def test_what_is_read_by_paths_is_raw_only_if_nothing_else_is_wanted() -> None:
    for order in (1, -1):
        of = document(
            [{"field": "x", "operation": "carry_last"}, {"field": "x", "operation": "count"}][
                ::order
            ]
        )
        assert paths_of(of) == {"x": "any", "account": "any"}


@pytest.mark.parametrize(
    ("keyed_by", "record", "placement"),
    [
        (["account"], {"account": "a", "n": 1}, b"a"),
        (["account"], {"account": "é", "n": 1}, "é".encode()),
        (["n"], {"account": "a", "n": 1}, b"1"),
        (["n"], {"account": "a", "n": 1.5}, b"1.5"),
        (["n"], {"account": "a", "n": True}, b"true"),
        (["n"], {"account": "a", "n": "1"}, b"1"),
        (["n"], {"account": "a", "n": None}, b"null"),
        (["n", "account"], {"account": "a", "n": 1}, b'[1,"a"]'),
        (["account", "n"], {"account": "a", "n": 1}, b'["a",1]'),
    ],
)
def test_a_record_is_placed_by_what_its_producer_keys_it_with(
    keyed_by: list[str], record: dict[str, Any], placement: bytes
) -> None:
    group = {"fields": ["account", "n"], "null_group": True}
    of = document(group=group, keyed_by=keyed_by)
    decoder = JsonDecoder(paths_of(of))
    found = compile_extract(of, decoder.attributes)(decoder.decode(json.dumps(record).encode()))
    assert found is not None
    key, values, place = found
    assert (values, place) == ((), placement)
    assert placer(of)(key) == placement


@pytest.mark.parametrize("key", [b'["a"]', b'["\\""]', b"[1]", b"[null]", b'["a","b"]'])
def test_without_keyed_by_the_session_key_places_it(key: bytes) -> None:
    assert placer(document())(key) == key


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (b'["a"]', b"a"),
        (b'[""]', b""),
        (b'["a\\"b"]', b'a"b'),
        (b'["\\\\"]', b"\\"),
        (b"[5]", b"5"),
        (b"[true]", b"true"),
    ],
)
def test_a_single_value_places_by_its_text(key: bytes, place: bytes) -> None:
    assert placer(document(keyed_by=["account"]))(key) == place


def test_a_value_beside_a_period_places_by_its_text() -> None:
    of = document(keyed_by=["account"], group={"fields": ["account"], "periods": [MONTH]})
    assert placer(of)(b'["a","2024-09"]') == b"a"


SOME = st.sampled_from(["a", "1", "true", 1, 1.0, 1.5, True, False, 0, None, [1], {}])


@settings(max_examples=40, deadline=None)
@given(st.lists(st.fixed_dictionaries({}, optional={"account": SOME, "n": SOME, "x": SOME})))
def test_many_at_once_are_taken_as_one_by_one(records: list[dict[str, Any]]) -> None:
    found = extracted(TWO, *records)  # compares
    for record, each in zip(records, found, strict=True):
        decoded = json.loads(json.dumps(record), parse_float=float_hook)
        single = all(
            isinstance(resolve(decoded, field), str | int | Decimal) for field in ("account", "n")
        )
        assert (each[0] == "missing_group_field") is not single


TWO = document([{"field": "x", "operation": "sum"}], group={"fields": ["account", "n"]})


def test_records_of_a_key_seen_before_go_behind_its_others() -> None:
    decoder = JsonDecoder(paths_of(TWO))
    bulk = compile_bulk(TWO, decoder.attributes, "view")
    groups: Groups = {b'["a",1]': [(1, 10, (5,))]}
    refused: Refused = [(0, Reject("undecodable", "before"))]
    views = [decoder.decode(b'{"account":"a","n":1,"x":7}')] * 2 + [decoder.decode(b"{}")]
    assert bulk([2, 3, 4], [20, 30, 40], views, groups, refused) == []
    assert groups == {b'["a",1]': [(1, 10, (5,)), (2, 20, (7,)), (3, 30, (7,))]}
    assert [offset for offset, _ in refused] == [0, 4]
