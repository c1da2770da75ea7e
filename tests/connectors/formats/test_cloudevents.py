"""CloudEvents in binary mode, both ways, and with their data in base64."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.formats.cloudevents import from_binary, from_kafka, to_binary
from connectors.formats.json import JsonDecoder
from domain.errors import Reject

HEADERS = (
    ("ce_specversion", b"1.0"), ("ce_id", b"7"), ("ce_source", b"/s"), ("ce_type", b"t"),
    ("content-type", b"application/json"),
)  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


def test_a_kafka_record_in_binary_mode_becomes_structured() -> None:
    event = json.loads(from_kafka(b'{"account": "X", "n": 1.50}', HEADERS) or b"")
    assert event["data"] == {"account": "X", "n": 1.5}
    assert (event["specversion"], event["id"], event["datacontenttype"]) == (
        "1.0", "7", "application/json",
    )  # fmt: skip


def test_digits_of_the_data_are_kept() -> None:
    assert b'"data":{"n": 1.50}' in (from_kafka(b'{"n": 1.50}', HEADERS) or b"")


@pytest.mark.parametrize("headers", [(), (("trace", b"1"),), (("ce_id", b"7"),)])
def test_another_record_stays_as_it_is(headers: Any) -> None:
    assert from_kafka(b"no event", headers) == b"no event"


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (b"{", HEADERS),
        (b"{}", HEADERS[:1]),
        (b"{}", (("ce_specversion", b"0.3"), *HEADERS[1:])),
        (b"{}", (*HEADERS, ("ce_x", b"\xff"))),
    ],
)
def test_what_is_no_event_is_refused(value: bytes, headers: Any) -> None:
    with pytest.raises(Reject):
        from_kafka(value, headers)


@given(TEXT, TEXT, st.dictionaries(TEXT, st.integers() | TEXT))
def test_binary_and_back_is_the_same_event(one: str, source: str, data: dict[str, Any]) -> None:
    event: dict[str, Any] = {
        "specversion": "1.0", "id": one, "source": source, "type": "t",
        "datacontenttype": "application/json", "data": data,
    }  # fmt: skip
    headers, body = to_binary(event)
    assert all(value.isascii() for value in headers.values())
    assert json.loads(from_binary(body, headers)) == event


def test_bytes_and_text_travel_as_they_are() -> None:
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data_base64": "AAE="}
    headers, body = to_binary(event)
    assert (headers["Content-Type"], body) == ("application/octet-stream", b"\0\1")
    event = {**event, "datacontenttype": "text/plain", "data": "Grüße"}
    event.pop("data_base64")
    assert to_binary(event)[1] == "Grüße".encode()


EVENT = {"specversion": "1.0", "id": "7", "source": "/s", "type": "t"}


def in_base64(text: str, **more: object) -> dict[str, Any]:
    return {**EVENT, "data_base64": b64encode(text.encode()).decode(), **more}


@pytest.mark.parametrize("media", [None, "application/json", "application/vnd.usage+json; v=1"])
def test_json_in_base64_is_the_data(media: str | None) -> None:
    decoder = JsonDecoder({"account": "any", "n": "any"})
    more = {} if media is None else {"datacontenttype": media}
    view = decoder.decode(json.dumps(in_base64('{"account": "X", "n": 1.50}', **more)).encode())
    assert getattr(view, decoder.attributes["account"]) == "X"
    assert str(getattr(view, decoder.attributes["n"])) == "1.50"
    assert view.cloud == "/s\0" + "7"


@pytest.mark.parametrize(
    "event",
    [
        {**EVENT, "data_base64": "no!"},
        {**EVENT, "data_base64": 5},
        in_base64("{}", data={"a": 1}),
        in_base64("{}", datacontenttype="application/octet-stream"),
        in_base64("[1]"),
        in_base64("{"),
        in_base64("\0"),
    ],
)
def test_what_is_no_json_in_base64_is_undecodable(event: dict[str, Any]) -> None:
    with pytest.raises(Reject) as caught:
        JsonDecoder({"a": "any"}).decode(json.dumps(event).encode())
    assert caught.value.reason == "undecodable"
