"""What a request must look like before anything is done with it: where it comes from, and that a
change was meant by who is signed in.

A browser can be made to send requests by any page it shows. So a change must come from our own
pages (Origin and Sec-Fetch-Site say so) or from a program (no browser sends neither), and what is
sent with a cookie carries the token that belongs to the cookie. While no user is set up whoever
sits at this machine is its admin; then a Host that isn't ours is refused, too (DNS rebinding).
"""

import hashlib
import hmac
import ipaddress
import secrets
from typing import Final

from aiohttp import web

from app.web.context import SETTINGS
from app.web.people import COOKIE as SESSION
from app.web.people import PEOPLE, PERSON
from app.web.problems import ProblemError

COOKIE = "sluice-csrf"
FRESH: Final = web.RequestKey("fresh-visitor", str)  # the cookie a new visitor gets
NONCE: Final = web.RequestKey("nonce", str)
FIELD = "csrf"
OPEN = ("/health/", "/hooks/")  # for whatever Host; hooks are signed
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
NOT_LISTENED = frozenset({"", "0.0.0.0", "::"})  # addresses one can listen on but not ask for
FORWARDED = ("X-Forwarded-For", "Forwarded", "X-Real-IP")  # a server in front says so

# Nothing may be loaded from elsewhere or framed, and scripts and styles only by who wrote the page.
POLICY = (
    "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
    "img-src 'self' data:; font-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
# header -> value, on every answer.
HEADERS = {
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
    response.headers["Content-Security-Policy"] = POLICY.format(nonce=nonce(request))
    response.headers.setdefault("Cache-Control", "no-store")
    response.headers["Server"] = "sluice"


def nonce(request: web.Request) -> str:
    """What the scripts of this one answer carry."""
    found = request.get(NONCE)
    if found is None:
        found = request[NONCE] = secrets.token_urlsafe(16)
    return found


def check(request: web.Request) -> None:
    """Refuses what a foreign page could have sent. Raises ProblemError (403, 421)."""
    if not request.app[PEOPLE].any_users and not request.path.startswith(OPEN):
        _check_host(request)
    if request.method in SAFE:
        return
    site = request.headers.get("Sec-Fetch-Site", "none")
    origin = request.headers.get("Origin")
    own = f"{scheme(request)}://{request.headers.get('Host', '')}"
    if site not in ("same-origin", "none") or (origin is not None and origin != own):
        raise ProblemError(
            403,
            "foreign-origin",
            f"A change must come from the console itself ({own}) or from a program, "
            f"not from a page of {origin or 'another site'}.",
        )


def scheme(request: web.Request) -> str:
    """http or https, as the browser sees it: a server in front may be the one that encrypts."""
    told = request.headers.get("X-Forwarded-Proto", "").partition(",")[0].strip().lower()
    return told if told in ("http", "https") else request.scheme


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
    """Whether a program on this machine asks: not a server in front of ours for somebody else, nor
    a browser by a name that somebody made to lead here.
    """
    if any(name in request.headers for name in FORWARDED):
        return False
    if host_name(request.headers.get("Host", "")) not in LOOPBACK | {_listened(request)}:
        return False
    try:
        return ipaddress.ip_address((request.remote or "").partition("%")[0]).is_loopback
    except ValueError:
        return False


def _listened(request: web.Request) -> str:
    return request.app[SETTINGS].web_host.lower()


def csrf_token(request: web.Request) -> str:
    """The token for changes from this page. It belongs to the cookie of the sign-in, else to that
    of the visitor, which is made by `set_cookie`; any worker can tell it from the cookie.
    """
    return hmac.new(
        _visitor(request).encode("utf-8", "replace"), b"csrf", hashlib.sha256
    ).hexdigest()


def _visitor(request: web.Request) -> str:
    if signed_in(request):
        return request.cookies[SESSION]
    known = request.cookies.get(COOKIE) or request.get(FRESH)
    if known is None:
        known = request[FRESH] = secrets.token_urlsafe(24)
    return known


def signed_in(request: web.Request) -> bool:
    """Whether a browser asks in which a person has signed in."""
    person = request.get(PERSON)
    return person is not None and bool(person.session)


def set_cookie(request: web.Request, response: web.Response) -> None:
    """Gives a new visitor the cookie that the token on the page belongs to."""
    fresh = request.get(FRESH)
    if fresh is not None:
        response.set_cookie(
            COOKIE, fresh, httponly=True, samesite="Strict", path="/",
            secure=scheme(request) == "https",
        )  # fmt: skip


def check_token(request: web.Request, field: str) -> None:
    """Refuses a change whose token isn't this visitor's. Raises ProblemError (403)."""
    given = request.headers.get("X-CSRF-Token", field)
    known = signed_in(request) or COOKIE in request.cookies
    if not known or not hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), csrf_token(request).encode()
    ):
        raise ProblemError(
            403,
            "stale-form",
            "This form is from before the last sign-in or from another browser; "
            "go back, load the page again and send it once more.",
        )


def check_change(request: web.Request) -> None:
    """Refuses a change of the API that a signed-in browser sends without the token: forms bring it
    in a field, which is checked as they are read. Raises ProblemError (403).
    """
    if request.method in SAFE or not signed_in(request) or not request.path.startswith("/api/"):
        return
    if "X-CSRF-Token" not in request.headers:
        raise ProblemError(
            403,
            "csrf-token-missing",
            "A change by a signed-in browser carries the header X-CSRF-Token: the content of "
            'meta name="csrf-token" of any page.',
        )
    check_token(request, "")
