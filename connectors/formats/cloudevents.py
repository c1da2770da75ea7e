"""CloudEvents 1.0: what makes one, and binary mode turned into structured and back.

One form lies on a topic that the product writes, the structured one, so that whoever reads it knows
one form. Binary ones that others put on a Kafka topic (`ce_` headers) are read all the same.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from urllib.parse import quote, unquote

import msgspec

from domain.cloudevents import check_data, is_json
from domain.errors import Reject

REQUIRED = ("specversion", "id", "source", "type")
STRUCTURED = "application/cloudevents+json"
BATCH = "application/cloudevents-batch+json"
HTTP_PREFIX, KAFKA_PREFIX = "ce-", "ce_"
_MARK = "ce_specversion"


def check(event: Mapping[str, object]) -> None:
    """Raises Reject unless it has what every CloudEvent must have."""
    for name in REQUIRED:
        value = event.get(name)
        if not isinstance(value, str) or not value:
            raise Reject(
                "undecodable", f"a CloudEvent needs attribute {name!r} as text that is not empty"
            )
    if event["specversion"] != "1.0":
        raise Reject("undecodable", f"CloudEvents {event['specversion']!r} is not read, 1.0 is")
    check_data(event)


def from_binary(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The structured event of a request in binary mode. Raises Reject for broken JSON data."""
    attributes = [
        (name[3:].lower(), unquote(value))
        for name, value in headers.items()
        if name.lower().startswith(HTTP_PREFIX)
    ]
    return _structured(body, attributes, headers.get("Content-Type", ""))


def from_kafka(value: bytes | None, headers: Sequence[tuple[str, bytes]]) -> bytes | None:
    """The structured event of a Kafka record in binary mode; the value as it is when it is none.
    Raises Reject for broken data or attributes."""
    if not any(name.lower() == _MARK for name, _ in headers):
        return value
    try:
        texts = [(name.lower(), text.decode()) for name, text in headers]
    except UnicodeDecodeError as error:
        raise Reject("undecodable", f"the event's headers: {error}") from error
    attributes = [(name[3:], text) for name, text in texts if name.startswith(KAFKA_PREFIX)]
    check(dict(attributes))
    media = next((text for name, text in texts if name == "content-type"), "")
    return _structured(value or b"", attributes, media)


def to_binary(event: Mapping[str, object]) -> tuple[dict[str, str], bytes]:
    """Headers and body of a request in binary mode, from a decoded structured event."""
    headers = {
        HTTP_PREFIX + name: _header(value)
        for name, value in event.items()
        if name not in ("data", "data_base64", "datacontenttype") and value is not None
    }
    media = event.get("datacontenttype")
    if "data_base64" in event:
        headers["Content-Type"] = str(media or "application/octet-stream")
        return headers, b64decode(str(event["data_base64"]))
    headers["Content-Type"] = str(media or "application/json")
    data = event.get("data")
    if isinstance(data, str) and not is_json(headers["Content-Type"]):
        return headers, data.encode()
    return headers, b"" if data is None else msgspec.json.encode(data)


def _header(value: object) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return quote(text, safe="!#$&'()*+,/:;=?@[]-._~ ")


def _structured(body: bytes, attributes: Iterable[tuple[str, str]], media: str) -> bytes:
    event: dict[str, object] = dict(attributes)
    if media:
        event["datacontenttype"] = media
    if not body:
        pass
    elif not media or is_json(media):
        try:
            msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Reject("undecodable", f"the event's data: {error}") from error
        event["data"] = msgspec.Raw(body.strip())
    elif media.strip().lower().startswith("text/"):
        try:
            event["data"] = body.decode()
        except UnicodeDecodeError as error:
            raise Reject("undecodable", f"the event's data: {error}") from error
    else:
        event["data_base64"] = b64encode(body).decode()
    return msgspec.json.encode(event)
