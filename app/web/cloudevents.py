"""CloudEvents 1.0 over HTTP: what makes one, and binary mode turned into structured.

One form lies on a topic, the structured one, so that whoever reads it knows one form.
"""

from base64 import b64encode
from collections.abc import Mapping
from urllib.parse import unquote

import msgspec

from domain.errors import Reject

REQUIRED = ("specversion", "id", "source", "type")
JSON_TYPES = ("application/json", "text/json")


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


def from_binary(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The structured event of a request in binary mode. Raises Reject for broken JSON data."""
    event: dict[str, object] = {
        name[3:].lower(): unquote(value)
        for name, value in headers.items()
        if name.lower().startswith("ce-")
    }
    media = headers.get("Content-Type", "")
    if media:
        event["datacontenttype"] = media
    plain = media.partition(";")[0].strip().lower()
    if not body:
        pass
    elif not plain or plain in JSON_TYPES or plain.endswith("+json"):
        try:
            msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Reject("undecodable", f"the event's data: {error}") from error
        event["data"] = msgspec.Raw(body.strip())
    elif plain.startswith("text/"):
        try:
            event["data"] = body.decode()
        except UnicodeDecodeError as error:
            raise Reject("undecodable", f"the event's data: {error}") from error
    else:
        event["data_base64"] = b64encode(body).decode()
    return msgspec.json.encode(event)
