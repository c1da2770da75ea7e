"""Parameters of requests, read once in one way; what can't be is a problem with its name."""

import re

from aiohttp import web

from app.web import masked
from app.web.problems import ProblemError, bad_parameter

MAX_LIMIT = 1000
MAX_WAIT_S = 300.0  # longer waits outlive the idle timeouts of most proxies
_SAYS = {"true": True, "1": True, "false": False, "0": False}
_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def limit(request: web.Request, default: int = 100) -> int:
    """`?limit=`: how many, 1 to 1,000."""
    text = request.query.get("limit")
    if text is None:
        return default
    if not re.fullmatch(r"[0-9]{1,6}", text) or not 1 <= int(text) <= MAX_LIMIT:
        raise bad_parameter("limit", text, f"a whole number from 1 to {MAX_LIMIT:,}")
    return int(text)


def cursor(request: web.Request) -> str | None:
    """`?cursor=`: where to go on; None at the beginning."""
    found = request.query.get("cursor")
    return masked.unsealed(request, found) if found else None


def wait_s(request: web.Request) -> float:
    """`?wait=`: seconds to wait, 0 when it is left out."""
    text = request.query.get("wait")
    if text is None:
        return 0.0
    if not re.fullmatch(r"[0-9]{1,4}(\.[0-9]{1,3})?", text) or float(text) > MAX_WAIT_S:
        raise bad_parameter("wait", text, f"a number of seconds from 0 to {MAX_WAIT_S:g}")
    return float(text)


def flag(request: web.Request, name: str) -> bool:
    """`?name=true|false`, false without."""
    text = request.query.get(name, "false").lower()
    if text not in _SAYS:
        raise bad_parameter(name, text, "true or false")
    return _SAYS[text]


def dry_run(request: web.Request, said: bool = False) -> bool:
    """Whether nothing shall be changed: the body (`said`) or the address says so. Either will do,
    as who asks for a trial must not get the deed.
    """
    return flag(request, "dry_run") or said


def idempotency_key(request: web.Request) -> str | None:
    """The Idempotency-Key header: 1 to 255 visible characters (quotes around it are taken off)."""
    text = request.headers.get("Idempotency-Key")
    if text is None:
        return None
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if not _IDEMPOTENCY_KEY.fullmatch(text):
        raise ProblemError(
            400,
            "bad-parameter",
            "Idempotency-Key must be 1 to 255 visible ASCII characters.",
            [{"path": "Idempotency-Key", "value": text}],
        )
    return text
