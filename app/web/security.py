"""Who may ask what while no user is set up: the machine itself, from its own pages only.

A browser on this machine can be made to send requests by any page it shows. So a change must
come from our own pages (Origin and Sec-Fetch-Site say so) or from a program (no browser sends
neither), a Host that isn't ours is refused (DNS rebinding), and a form carries a token.
"""

import hashlib
import hmac
import ipaddress
import secrets
from typing import Final

from aiohttp import web

from app.web.context import SETTINGS
from app.web.problems import ProblemError

SECRET: Final = web.AppKey[bytes]("csrf-secret")
COOKIE = "sluice-csrf"
FRESH: Final = web.RequestKey("fresh-visitor", str)  # the cookie a new visitor gets
FIELD = "csrf"
OPEN = ("/health/", "/hooks/")  # for whatever Host; hooks are signed
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
NOT_LISTENED = frozenset({"", "0.0.0.0", "::"})  # addresses one can listen on but not ask for

# header -> value, on every answer. Nothing may be loaded from elsewhere, run inline or framed.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


async def add_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Puts the security headers on an answer (signal `on_response_prepare`)."""
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["Server"] = "sluice"


def check(request: web.Request) -> None:
    """Refuses what a foreign page could have sent. Raises ProblemError (403, 421)."""
    if not request.path.startswith(OPEN):
        _check_host(request)
    if request.method in SAFE:
        return
    site = request.headers.get("Sec-Fetch-Site", "none")
    origin = request.headers.get("Origin")
    own = f"{request.scheme}://{request.headers.get('Host', '')}"
    if site not in ("same-origin", "none") or (origin is not None and origin != own):
        raise ProblemError(
            403,
            "foreign-origin",
            f"A change must come from the console itself ({own}) or from a program, "
            f"not from a page of {origin or 'another site'}.",
        )


def _check_host(request: web.Request) -> None:
    host = host_name(request.headers.get("Host", ""))
    listened = request.app[SETTINGS].web_host
    known = LOOPBACK | ({listened.lower()} - NOT_LISTENED)
    if host not in known:
        raise ProblemError(
            421,
            "foreign-host",
            f"This console answers for {', '.join(sorted(known))}, not for {host!r}; "
            "without users it is reached on the machine it runs on.",
        )


def host_name(header: str) -> str:
    """The name in a Host header, without its port and brackets, in lower case."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    return header.partition(":")[0].rstrip(".").lower()


def from_loopback(request: web.Request) -> bool:
    """Whether the other end of the connection is this machine."""
    try:
        return ipaddress.ip_address((request.remote or "").partition("%")[0]).is_loopback
    except ValueError:
        return False


def csrf_token(request: web.Request) -> str:
    """The token for forms on this page; the visitor's cookie is made by `set_cookie`."""
    return hmac.new(request.app[SECRET], _visitor(request).encode(), hashlib.sha256).hexdigest()


def _visitor(request: web.Request) -> str:
    known = request.cookies.get(COOKIE) or request.get(FRESH)
    if known is None:
        known = request[FRESH] = secrets.token_urlsafe(24)
    return known


def set_cookie(request: web.Request, response: web.Response) -> None:
    """Gives a new visitor the cookie that the token on the page belongs to."""
    fresh = request.get(FRESH)
    if fresh is not None:
        response.set_cookie(COOKIE, fresh, httponly=True, samesite="Strict", path="/")


def check_token(request: web.Request, field: str) -> None:
    """Refuses a form whose token isn't this visitor's. Raises ProblemError (403)."""
    given = request.headers.get("X-CSRF-Token", field)
    if COOKIE not in request.cookies or not hmac.compare_digest(
        given.encode(), csrf_token(request).encode()
    ):
        raise ProblemError(
            403,
            "stale-form",
            "This form is from before the last restart or from another browser; "
            "go back, load the page again and send it once more.",
        )
