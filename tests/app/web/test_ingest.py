"""From a body to records: every form, and what is turned away with its index."""

import json
from base64 import b64encode

import pytest

from app.web.ingest import Form, Intake, form_of, take

EVENT = {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "data": {"account": "X"}}


def taken(
    body: bytes,
    form: Form = "json",
    keys: tuple[str, ...] = (),
    topic: str = "usage",
    limit: int = 1000,
    headers: dict[str, str] | None = None,
) -> Intake:
    return take(body, form, headers or {}, keys, topic, limit)


def test_one_record_is_taken_byte_by_byte() -> None:
    intake = taken(b' {"a": 1.10,\n "b":[1e2]} \n')
    assert [item.value for item in intake.taken] == [b'{"a": 1.10,\n "b":[1e2]}']
    assert intake.single


def test_an_array_is_its_elements_as_they_came() -> None:
    intake = taken(b'[{"a":1.0},  {"b": 9007199254740993}]')
    assert [item.value for item in intake.taken] == [b'{"a":1.0}', b'{"b": 9007199254740993}']
    assert not intake.single


@pytest.mark.parametrize("form", ["lines", "json"])
def test_lines_are_records_and_blank_ones_are_none(form: Form) -> None:
    intake = taken(b'{"a":1}\r\n\n{"a":2}\n', form)
    assert [item.value for item in intake.taken] == [b'{"a":1}', b'{"a":2}']


def test_broken_records_are_turned_away_with_their_index() -> None:
    intake = taken(b'{"a":1}\nnope\n[1]\n5\n{"a":\xff}\n{"a":2}', "lines")
    assert [(t.index, t.reason) for t in intake.turned] == [
        (n, "undecodable") for n in (1, 2, 3, 4)
    ]
    assert len(intake.taken) == 2


def test_a_large_record_in_a_list_is_turned_away_alone() -> None:
    intake = taken(b'[{"a":1},{"a":"%s"},{"a":2}]' % (b"x" * 100), limit=50)
    assert [(t.index, t.reason) for t in intake.turned] == [(1, "too_large")]
    assert len(intake.taken) == 2


def test_a_broken_array_is_turned_away_as_one() -> None:
    intake = taken(b'[{"a":1},{"a":2]')
    assert not intake.taken
    assert [(t.index, t.reason) for t in intake.turned] == [(0, "undecodable")]


def test_nesting_without_end_is_undecodable() -> None:
    intake = taken(b'{"a":' * 100_000, limit=10**7)
    assert [t.reason for t in intake.turned] == ["undecodable"]


def test_bytes_are_taken_as_they_are() -> None:
    intake = taken(b"\x00\xff not JSON\n", "bytes")
    assert [item.value for item in intake.taken] == [b"\x00\xff not JSON\n"]


@pytest.mark.parametrize(
    ("record", "keys", "key"),
    [
        ('{"a":"x"}', ("a",), b"x"),
        ('{"a":1.50}', ("a",), b"1.5"),
        ('{"a":true}', ("a",), b"true"),
        ('{"a":{"b":"y"}}', ("a.b",), b"y"),
        ('{"a.b":"literal","a":{"b":"y"}}', ("a.b",), b"literal"),
        ('{"a":"x","b":1.0}', ("a", "b"), b'["x",1]'),
        ('{"a":null}', ("a",), None),
        ('{"a":[1]}', ("a",), None),
        ('{"a":1e5000}', ("a",), None),
        ('{"b":1}', ("a",), None),
        ('{"b":1}', (), None),
    ],
)
def test_a_key_is_the_text_of_what_its_path_names(
    record: str, keys: tuple[str, ...], key: bytes | None
) -> None:
    assert taken(record.encode(), keys=keys).taken[0].key == key


@pytest.mark.parametrize(
    ("record", "key"),
    [
        ('{"kind":"aggregator","name":"a","document":null}', b"aggregator/a"),
        ('{"kind":"aggregator"}', b"aggregator/?"),
        ('{"kind":"command","id":"c1","command":"flush"}', b"command/c1"),
    ],
)
def test_a_control_message_is_keyed_by_kind_and_name(record: str, key: bytes) -> None:
    assert taken(record.encode(), topic="config").taken[0].key == key


def test_a_structured_event_says_in_its_headers_that_it_is_one() -> None:
    intake = taken(json.dumps(EVENT).encode(), "event", keys=("account",))
    assert intake.taken[0].key == b"X"
    assert intake.taken[0].headers == (("content-type", b"application/cloudevents+json"),)


def test_a_batch_of_events_is_events_one_by_one() -> None:
    broken = {**EVENT, "id": ""}
    intake = taken(json.dumps([EVENT, broken, EVENT]).encode(), "events")
    assert [(t.index, t.reason) for t in intake.turned] == [(1, "undecodable")]
    assert len(intake.taken) == 2


def test_an_event_in_binary_mode_becomes_a_structured_one() -> None:
    headers = {"Content-Type": "application/json", "ce-specversion": "1.0", "ce-id": "7",
               "ce-source": "/caf%C3%A9", "ce-type": "t"}  # fmt: skip
    intake = taken(b'{"bytes": 1.10}', "binary event", headers=headers)
    event = json.loads(intake.taken[0].value, parse_float=str)
    assert event["source"] == "/café"
    assert event["data"] == {"bytes": "1.10"}
    assert event["datacontenttype"] == "application/json"


@pytest.mark.parametrize(
    ("media", "member"), [("text/plain", "data"), ("application/octet-stream", "data_base64")]
)
def test_event_data_that_is_no_json_is_text_or_base64(media: str, member: str) -> None:
    headers = {"Content-Type": media, "ce-specversion": "1.0", "ce-id": "7", "ce-source": "/s",
               "ce-type": "t"}  # fmt: skip
    event = json.loads(taken(b"abc", "binary event", headers=headers).taken[0].value)
    assert event[member] == {"data": "abc", "data_base64": "YWJj"}[member]


@pytest.mark.parametrize(
    ("media", "headers", "form"),
    [
        ("application/json", {}, "json"),
        ("", {}, "json"),
        ("application/x-www-form-urlencoded", {}, "json"),
        ("application/x-ndjson", {}, "lines"),
        ("application/jsonl", {}, "lines"),
        ("application/octet-stream", {}, "bytes"),
        ("application/cloudevents+json", {}, "event"),
        ("application/cloudevents-batch+json", {}, "events"),
        ("application/json", {"ce-id": "1"}, "binary event"),
    ],
)
def test_the_media_type_tells_the_form(media: str, headers: dict[str, str], form: Form) -> None:
    assert form_of(media, headers) == form


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"kind": "aggregator", "name": "a"}', b"aggregator/a"),
        (b'{"kind": "aggregator"}', b"aggregator/?"),
        (b"[1]", b"?/?"),
        (b"\xff junk", b"?/?"),
    ],
)
def test_bytes_for_topic_config_have_a_key_whatever_they_are(body: bytes, key: bytes) -> None:
    assert [each.key for each in take(body, "bytes", {}, [], "config", 100).taken] == [key]
    assert [each.key for each in take(body, "bytes", {}, [], "usage", 100).taken] == [None]


def test_events_with_their_data_in_base64_are_keyed_by_it_and_taken_as_they_came() -> None:
    made = {**EVENT, "data_base64": b64encode(b'{"account": "X"}').decode()}
    del made["data"]
    wrong = {**EVENT, "data_base64": "e30="}
    body = json.dumps([made, wrong, {**made, "data_base64": "no!"}]).encode()
    found = taken(body, "events", ("account",))
    assert [(one.key, json.loads(one.value)) for one in found.taken] == [(b"X", made)]
    assert [(one.index, one.reason) for one in found.turned] == [
        (1, "undecodable"),
        (2, "undecodable"),
    ]
