"""To which session a record belongs, and where it is placed."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.formats.json import JsonDecoder, resolve
from domain.aggregation import extract as extraction
from domain.aggregation.bulk import Groups, Refused, compile_bulk
from domain.aggregation.extract import (
    compile_extract,
    paths_of,
    placer,
)
from domain.aggregation.numbers import float_hook
from domain.errors import Reject
from tests.domain.aggregation.extracting import (
    FILTER,
    MONTH,
    ZONED,
    document,
    extracted,
)


@pytest.mark.parametrize(
    ("value", "key"),
    [
        (b'"a"', b'["a"]'),
        (b'"\\u00e9\\""', '["é\\""]'.encode()),
        (b"1", b"[1]"),
        (b"1.0", b"[1]"),
        (b"10e-1", b"[1]"),
        (b"1.50", b"[1.5]"),
        (b"0.0", b"[0]"),
        (b"-0.0", b"[0]"),
        (b"-0e5", b"[0]"),
        (b"1e3", b"[1000]"),
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
        {"account": "c", "product.code": "a"},
    ) == [
        (b'["a-b","c"]', ()), (b'["a","b-c"]', ()), (b"[true,1]", ()), (b'[true,"1"]', ()),
        (b"[1,true]", ()),
        (b'["a","c"]', ()),
    ]  # fmt: skip


@pytest.mark.parametrize("beside", ["x", 1, 1.5, True])
def test_a_number_at_the_limits_is_a_group_value_whatever_stands_beside_it(beside: Any) -> None:
    two = document(group={"fields": ["account", "n"]})
    text = json.dumps(beside)
    (found,) = extracted(two, f'{{"account":1e1000,"n":{text}}}'.encode())
    assert found == (f"[1{'0' * 1000},{text}]".encode(), ())


def test_a_period_is_part_of_the_key_and_so_is_a_zone_of_its_own() -> None:
    turned = document(group={"fields": ["account"], "periods": [ZONED, MONTH]})
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
    assert extracted(turned, {**record, "zone": "UTC"}) == [
        (b'["a","2024-08-31","UTC","2024-09"]', ())
    ]


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


def test_a_number_at_the_limits_is_placed_as_its_producer_keys_it() -> None:
    group = {"fields": ["account", "n"]}
    number = "1" + "0" * 1000
    for keyed_by, place in (
        (["account"], number),
        (["account", "n"], f"[{number},1.5]"),
        (["n", "account"], f"[1.5,{number}]"),
    ):
        of = document(group=group, keyed_by=keyed_by)
        decoder = JsonDecoder(paths_of(of))
        view = decoder.decode(b'{"account":1e1000,"n":1.5}')
        found = compile_extract(of, decoder.attributes)(view)
        assert found is not None
        assert found[2] == place.encode()
        assert placer(of)(found[0]) == place.encode()


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


SOME: st.SearchStrategy[Any] = st.sampled_from(
    ["a", "1", "true", 1, 1.0, 1.5, True, False, 0, None, [1], {}]
)


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
