"""Calls between workers carry a signature when SLUICE_CLUSTER_SECRET is set.

HMAC-SHA256 over method, path, time, a number used once and the body's digest. A call is good for a
minute of the machines' own clocks, since a trial clock may stand still, and only once: who heard it
can't send it again.
"""

import hmac
import secrets
import time
from collections import deque
from hashlib import sha256

HEADER = "X-Sluice-Signature"
GOOD_FOR_S = 60.0
HELD = 100_000  # signatures of two minutes: more calls than workers can make of each other


def sign(secret: str, path: str, body: bytes, at_s: float | None = None) -> str:
    """The header's value: `t=SECONDS,n=ONCE,v1=HEX`."""
    at = f"{time.time() if at_s is None else at_s:.3f}"
    once = secrets.token_hex(12)
    return f"t={at},n={once},v1={_digest(secret, path, body, at, once)}"


def is_signed(secret: str, path: str, body: bytes, given: str, now_s: float | None = None) -> bool:
    """Whether the header's value fits the call and is fresh."""
    parts = _parts(given)
    at, once = parts.get("t", ""), parts.get("n", "")
    try:
        age_s = (time.time() if now_s is None else now_s) - float(at)
    except ValueError:
        return False
    wanted = _digest(secret, path, body, at, once)
    return abs(age_s) <= GOOD_FOR_S and hmac.compare_digest(
        wanted.encode(), parts.get("v1", "").encode("utf-8", "replace")
    )


def _parts(given: str) -> dict[str, str]:
    return dict(part.partition("=")[::2] for part in given.split(","))


def _digest(secret: str, path: str, body: bytes, at: str, once: str) -> str:
    message = f"POST\n{path}\n{at}\n{once}\n{sha256(body).hexdigest()}"
    return hmac.new(secret.encode(), message.encode("utf-8", "replace"), sha256).hexdigest()


class Once:
    """Remembers good signatures for as long as they could be sent again. While more than HELD are
    remembered further ones are refused: who asks, asks again."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._order: deque[tuple[float, str]] = deque()

    def take(self, signature: str, now_s: float | None = None) -> bool:
        """Whether it comes for the first time."""
        now = time.monotonic() if now_s is None else now_s
        while self._order and now - self._order[0][0] > 2 * GOOD_FOR_S:
            self._seen.discard(self._order.popleft()[1])
        digest = _parts(signature).get("v1", "")
        if digest in self._seen or len(self._seen) >= HELD:
            return False
        self._seen.add(digest)
        self._order.append((now, digest))
        return True
