"""Who a request is from: a person by the cookie of a sign-in, a program by its token, and while no
user is set up whoever sits at this machine.
"""

from typing import Final

from aiohttp import web

from app.people.book import Person
from app.people.oidc import Oidc
from app.people.people import People
from app.web.problems import ProblemError

PEOPLE: Final = web.AppKey[People]("people")
OIDC: Final = web.AppKey[Oidc]("oidc")
"""There where people may sign in with a provider."""
PERSON: Final = web.RequestKey("person", Person)
COOKIE = "sluice-session"
LOCAL = Person("local", "admin", frozenset({"numbers"}))
"""Whoever sits at the machine while no user is set up."""


async def identify(request: web.Request) -> Person | None:
    """Who asks; None for nobody known. Raises ProblemError (401) for a token that is none."""
    people = request.app[PEOPLE]
    given = request.headers.get("Authorization")
    if given is not None:
        kind, _, secret = given.partition(" ")
        found = await people.by_token(secret.strip()) if kind.lower() == "bearer" else None
        if found is None:
            raise unauthorized("The token is none of this installation's, or was revoked.")
        return found
    cookie = request.cookies.get(COOKIE)
    if cookie is not None:
        found = await people.by_session(cookie)
        if found is not None:
            return found
    return None if people.any_users else LOCAL


def unauthorized(detail: str) -> ProblemError:
    """401: who asks is not known."""
    return ProblemError(401, "unauthorized", detail, headers={"WWW-Authenticate": "Bearer"})


def person_of(request: web.Request) -> Person | None:
    """Who asks, as the guard found out."""
    return request.get(PERSON)


def actor_of(request: web.Request) -> str:
    """The name that changes by this request are recorded under."""
    person = person_of(request)
    return LOCAL.name if person is None else person.name


def address_of(request: web.Request) -> str:
    """Where the request comes from: the other end of the connection."""
    return request.remote or ""


def still_allowed(request: web.Request) -> bool:
    """Whether an answer that goes on may go on: nobody signed out or lost their role meanwhile."""
    person, people = person_of(request), request.app[PEOPLE]
    if person is LOCAL:
        return not people.any_users
    return person is None or people.still(person)
