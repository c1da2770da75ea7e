"""Standard Webhooks (standardwebhooks.com): the headers and signature of one message."""

import base64
import binascii
import hmac
from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import quote

from connectors.sinks.base import TryLater

PREFIX = "whsec_"


def key_of(text: str, variable: str) -> bytes:
    """The key of a secret `whsec_BASE64`, the prefix may be missing. Raises TryLater."""
    try:
        key = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not key:
        raise TryLater(
            f"environment variable {variable} is no secret of Standard Webhooks, "
            f"which is {PREFIX} and base64"
        )
    return key


def header_id(record_id: str) -> str:
    """The id as a header may carry it; other characters are percent-encoded."""
    return quote(record_id, safe="!#$&'()*+,/:;=?@[]-._~")


def batch_id(ids: Sequence[str]) -> str:
    """The id of a batch: the same for the same records in the same order."""
    digest = sha256("\n".join(map(header_id, ids)).encode()).hexdigest()
    return f"batch_{digest[:48]}"


def signed_headers(
    message_id: str, at_s: int, body: bytes, keys: Sequence[bytes]
) -> dict[str, str]:
    """`webhook-id`, `webhook-timestamp` and `webhook-signature`, which has one for each key."""
    content = f"{message_id}.{at_s}.".encode() + body
    signatures = (
        "v1," + base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys
    )
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(signatures),
    }
