"""Calls between workers carry a signature when SLUICE_CLUSTER_SECRET is set.

HMAC-SHA256 over method, path, time and the body's digest; a call is good for a minute of the
machines' own clocks, since a trial clock may stand still.
"""

import hmac
import time
from hashlib import sha256

HEADER = "X-Sluice-Signature"
GOOD_FOR_S = 60.0


def sign(secret: str, path: str, body: bytes, at_s: float | None = None) -> str:
    """The header's value: `t=SECONDS,v1=HEX`."""
    at = f"{time.time() if at_s is None else at_s:.3f}"
    return f"t={at},v1={_digest(secret, path, body, at)}"


def is_signed(secret: str, path: str, body: bytes, given: str, now_s: float | None = None) -> bool:
    """Whether the header's value fits the call and is fresh."""
    parts = dict(part.partition("=")[::2] for part in given.split(","))
    at = parts.get("t", "")
    try:
        age_s = (time.time() if now_s is None else now_s) - float(at)
    except ValueError:
        return False
    wanted = _digest(secret, path, body, at)
    return abs(age_s) <= GOOD_FOR_S and hmac.compare_digest(
        wanted.encode(), parts.get("v1", "").encode()
    )


def _digest(secret: str, path: str, body: bytes, at: str) -> str:
    message = f"POST\n{path}\n{at}\n{sha256(body).hexdigest()}"
    return hmac.new(secret.encode(), message.encode(), sha256).hexdigest()
