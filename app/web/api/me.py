"""What somebody who has signed in can do about it: their password, and where they are signed in."""

import msgspec
from aiohttp import web

from app.people.rows import Session
from app.web.bodies import read_fields
from app.web.people import PEOPLE, address_of, person_of, unauthorized
from app.web.routes import JSON, Answer, Route, in_path
from app.web.wire import answer, instant


class MeOut(msgspec.Struct):
    """Who asks. `session` is null for programs, and while no user is set up."""

    name: str
    role: str
    rights: list[str]
    session: str | None


class MySessionOut(msgspec.Struct):
    """A sign-in; `current`: the one that asks."""

    id: str
    current: bool
    started: str
    address: str


class MySessionsOut(msgspec.Struct):
    """The sign-ins that hold, the latest first."""

    items: list[MySessionOut]
    next: str | None = None


class PasswordOut(msgspec.Struct):
    """The password is changed; so many other sign-ins ended with it."""

    ended_sessions: int


async def get_me(request: web.Request) -> web.StreamResponse:
    """Who asks, and what they may do."""
    person = person_of(request)
    if person is None:
        raise unauthorized("Nobody has signed in.")
    rights = sorted(person.rights)
    return answer(MeOut(person.name, person.role, list(rights), person.session or None))


async def put_password(request: web.Request) -> web.StreamResponse:
    """Changes the password of who has signed in; other sign-ins of theirs end."""
    person = person_of(request)
    if person is None:
        raise unauthorized("Nobody has signed in.")
    fields = await read_fields(request, old=str, new=str)
    people = request.app[PEOPLE]
    ended = await people.change_password(person, fields["old"], fields["new"], address_of(request))
    return answer(PasswordOut(ended))


async def list_sessions(request: web.Request) -> web.StreamResponse:
    """Where who asks is signed in."""
    person = person_of(request)
    found = [] if person is None else request.app[PEOPLE].sessions_of(person)
    current = "" if person is None else person.session
    return answer(MySessionsOut([_shown(each, current) for each in found]))


async def end_session(request: web.Request) -> web.StreamResponse:
    """Ends a sign-in of who asks, for every worker."""
    person = person_of(request)
    if person is None:
        raise unauthorized("Nobody has signed in.")
    await request.app[PEOPLE].end_session(person, request.match_info["id"])
    return web.Response(status=204)


def _shown(session: Session, current: str) -> MySessionOut:
    started = instant(session.started_ms) or ""
    return MySessionOut(session.id, session.id == current, started, session.address)


ROUTES = (
    Route(
        "GET",
        "/api/me",
        get_me,
        "Tells who asks",
        "People",
        {200: Answer("who asks", MeOut)},
    ),
    Route(
        "PUT",
        "/api/me/password",
        put_password,
        "Changes the own password; the other sessions of its user end",
        "People",
        {200: Answer("it is changed", PasswordOut)},
        body={JSON: '{"old":"…","new":"…"}'},
        problems={
            403: "the old password is wrong",
            409: "who asks has no password here",
            429: "too many wrong passwords; Retry-After says when to try again",
        },
    ),
    Route(
        "GET",
        "/api/me/sessions",
        list_sessions,
        "Lists where who asks is signed in",
        "People",
        {200: Answer("the sessions", MySessionsOut)},
    ),
    Route(
        "DELETE",
        "/api/me/sessions/{id}",
        end_session,
        "Ends a session of who asks",
        "People",
        {204: Answer("it is ended", media="text/plain")},
        (in_path("id", "the session's id"),),
        problems={404: "there is no such session"},
    ),
)
