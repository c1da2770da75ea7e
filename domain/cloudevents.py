"""The data of CloudEvents 1.0 in the JSON format, where it came as `data_base64`."""

from base64 import b64decode
from binascii import Error
from collections.abc import Mapping

from domain.errors import Reject

JSON_TYPES = ("application/json", "text/json")


def is_json(media: str) -> bool:
    """Whether a media type is JSON."""
    plain = media.partition(";")[0].strip().lower()
    return plain in JSON_TYPES or plain.endswith("+json")


def in_base64(event: Mapping[str, object]) -> bool:
    """Whether its data is in `data_base64`."""
    return event.get("data_base64") is not None


def check_data(event: Mapping[str, object]) -> None:
    """Raises Reject for a `data_base64` that is none, or is beside `data`."""
    if in_base64(event):
        _decoded(event)


def json_data(event: Mapping[str, object]) -> bytes:
    """The JSON text that `data_base64` stands for: without a `datacontenttype` it is JSON. Raises
    Reject.
    """
    media = event.get("datacontenttype")
    if media is not None and not is_json(str(media)):
        raise Reject("undecodable", f"a CloudEvent whose data is {media}, not JSON")
    return _decoded(event)


def _decoded(event: Mapping[str, object]) -> bytes:
    if event.get("data") is not None:
        raise Reject("undecodable", "a CloudEvent with both data and data_base64")
    text = event["data_base64"]
    try:
        if isinstance(text, str):
            return b64decode(text, validate=True)
    except (Error, ValueError) as error:
        raise Reject("undecodable", f"a CloudEvent whose data_base64 is none: {error}") from None
    raise Reject("undecodable", "a CloudEvent whose data_base64 is no text")
