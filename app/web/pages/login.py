"""Signing in and out."""

from aiohttp import web

from app.people.errors import TooManyTries, WrongPassword
from app.people.oidc import OidcRefused, pending_of
from app.people.people import SignedIn
from app.web import audited
from app.web.own_paths import own_path
from app.web.pages.shell import Context, Page, View, render, see_other
from app.web.people import COOKIE, OIDC, PEOPLE, address_of, person_of
from app.web.problems import not_found
from app.web.security import COOKIE as VISITOR
from app.web.security import scheme

OIDC_COOKIE = "sluice-oidc"
OIDC_PATH = "/login/oidc"
PENDING_S = 600  # to sign in with the provider


async def build(request: web.Request) -> Context:
    """The form."""
    return shown(request, request.query.get("next", ""))


def shown(request: web.Request, following: str, name: str = "", trouble: str = "") -> Context:
    """What the page shows; `trouble` says why a sign-in failed."""
    person = person_of(request)
    return {
        "next": own_path(following),
        "name": name,
        "trouble": trouble,
        "oidc": OIDC in request.app,
        "any_users": request.app[PEOPLE].any_users,
        "here": person if person is not None and person.session else None,
    }


async def post(request: web.Request) -> web.StreamResponse:
    """Signs in: a new session, whichever the browser had before."""
    fields = {key: str(value) for key, value in (await request.post()).items()}
    name, following = (
        fields.get("username", ""),
        fields.get("next") or request.query.get("next", ""),
    )
    people = request.app[PEOPLE]
    if not people.any_users:
        return await render(request, PAGE, "login.html", shown(request, following), 409)
    try:
        found = await people.sign_in(name, fields.get("password", ""), address_of(request))
    except TooManyTries as error:
        context = shown(request, following, name, f"{error}.".capitalize())
        response = await render(request, PAGE, "login.html", context, 429)
        response.headers["Retry-After"] = str(error.retry_after_s)
        return response
    except WrongPassword as error:
        context = shown(request, following, name, f"{error}.".capitalize())
        return await render(request, PAGE, "login.html", context, 401)
    audited.note(request, actor=found.session.name, object=found.session.name)
    return await enter(request, found, following)


async def enter(request: web.Request, found: SignedIn, following: str) -> web.Response:
    """Leads on with the cookie of the new session; the one before it, if any, ends."""
    before = person_of(request)
    if before is not None and before.session:
        await request.app[PEOPLE].end_session(before, before.session)
    response = see_other(own_path(following))
    response.del_cookie(VISITOR, path="/")
    # Lax: a link in a mail finds its reader signed in; a change needs the token all the same.
    response.set_cookie(
        COOKIE, found.secret, httponly=True, samesite="Lax", path="/",
        secure=scheme(request) == "https",
    )  # fmt: skip
    return response


async def begin_oidc(request: web.Request) -> web.StreamResponse:
    """Leads to the provider."""
    oidc = request.app.get(OIDC)
    if oidc is None:
        raise not_found("OpenID Connect provider", "SLUICE_OIDC_ISSUER names one.")
    following = own_path(request.query.get("next", ""))
    where, pending = await oidc.begin(_back(request), following)
    response = web.Response(status=303, headers={"Location": where})
    response.set_cookie(
        OIDC_COOKIE, pending.cookie(), httponly=True, samesite="Lax", path=OIDC_PATH,
        max_age=PENDING_S, secure=scheme(request) == "https",
    )  # fmt: skip
    return response


async def end_oidc(request: web.Request) -> web.StreamResponse:
    """Signs in who comes back from the provider; what the browser kept is good once."""
    oidc, pending = request.app.get(OIDC), pending_of(request.cookies.get(OIDC_COOKIE, ""))
    if oidc is None or pending is None:
        raise OidcRefused("no sign-in was begun in this browser, or too long ago; begin it again")
    known = await oidc.end(_back(request), pending, request.query)
    people = request.app[PEOPLE]
    user = await people.known_by(known.name, known.subject, known.role, known.rights)
    found = await people.begin_session(user, address_of(request))
    response = await enter(request, found, pending.following)
    response.del_cookie(OIDC_COOKIE, path=OIDC_PATH)
    await audited.tell(request, "sign-ins.begin", {"oidc": known.subject}, user.name)
    return response


def _back(request: web.Request) -> str:
    return f"{scheme(request)}://{request.headers.get('Host', '')}{OIDC_PATH}/callback"


async def leave(request: web.Request) -> web.StreamResponse:
    """Ends the session, for every worker; the cookie is worth nothing from here on."""
    person = person_of(request)
    if person is not None and person.session:
        await request.app[PEOPLE].end_session(person, person.session)
    response = see_other("/login")
    response.del_cookie(COOKIE, path="/")
    return response


PAGE = Page(
    "Sign in",
    "",
    (View("/login", "login.html", build),),
    (("/login", post), ("/logout", leave)),
    ((OIDC_PATH, begin_oidc), (OIDC_PATH + "/callback", end_oidc)),
)
