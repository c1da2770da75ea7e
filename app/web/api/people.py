"""Users and tokens over HTTP, for admins."""

import msgspec
from aiohttp import web

from app.people.rows import Token, User
from app.web.bodies import read_fields
from app.web.people import PEOPLE, actor_of
from app.web.routes import JSON, REASON, Answer, Route, in_path
from app.web.wire import answer, instant


class UserOut(msgspec.Struct):
    """A user. `signs_in`: password, or oidc for OpenID Connect."""

    name: str
    role: str
    rights: list[str]
    signs_in: str
    made: str
    made_by: str
    sessions: int


class UsersOut(msgspec.Struct):
    """The users, by name."""

    items: list[UserOut]
    next: str | None = None


class TokenOut(msgspec.Struct):
    """A token; what it is was told when it was made, and never again."""

    name: str
    role: str
    rights: list[str]
    made: str
    made_by: str


class TokensOut(msgspec.Struct):
    """The tokens, by name."""

    items: list[TokenOut]
    next: str | None = None


class MadeTokenOut(msgspec.Struct):
    """A new token: this is the only time that it is told."""

    name: str
    token: str
    role: str
    rights: list[str]


async def list_users(request: web.Request) -> web.StreamResponse:
    """The users."""
    users = sorted(request.app[PEOPLE].book.users.items())
    return answer(UsersOut([user_shown(request, user) for _, user in users]))


async def add_user(request: web.Request) -> web.StreamResponse:
    """Adds a user with a password; the first one must be admin."""
    fields = await read_fields(request, name=str, role=str, password=str, rights=(list, []))
    made = await request.app[PEOPLE].add_user(
        fields["name"], fields["role"], fields["rights"], fields["password"], actor_of(request)
    )
    return answer(user_shown(request, made), 201)


async def change_user(request: web.Request) -> web.StreamResponse:
    """Changes a user's role, rights or password: what is given."""
    fields = await read_fields(request, role=(str, None), password=(str, None), rights=(list, None))
    _, after = await request.app[PEOPLE].change_user(
        request.match_info["name"], fields["role"], fields["rights"], fields["password"]
    )
    return answer(user_shown(request, after))


async def remove_user(request: web.Request) -> web.StreamResponse:
    """Removes a user; their sessions end."""
    await request.app[PEOPLE].remove_user(request.match_info["name"])
    return web.Response(status=204)


async def list_tokens(request: web.Request) -> web.StreamResponse:
    """The tokens."""
    tokens = sorted(request.app[PEOPLE].book.tokens.items())
    return answer(TokensOut([token_shown(token) for _, token in tokens]))


async def create_token(request: web.Request) -> web.StreamResponse:
    """Makes a token and tells it, once."""
    fields = await read_fields(request, name=str, role=str, rights=(list, []))
    made, secret = await request.app[PEOPLE].create_token(
        fields["name"], fields["role"], fields["rights"], actor_of(request)
    )
    return answer(MadeTokenOut(made.name, secret, made.role, list(made.rights)), 201)


async def revoke_token(request: web.Request) -> web.StreamResponse:
    """Revokes a token: it opens nothing from here on."""
    await request.app[PEOPLE].revoke_token(request.match_info["name"])
    return web.Response(status=204)


def user_shown(request: web.Request, user: User) -> UserOut:
    """A user as the API prints it."""
    return UserOut(
        user.name,
        user.role,
        list(user.rights),
        "oidc" if user.subject else "password",
        instant(user.made_ms) or "",
        user.made_by,
        request.app[PEOPLE].live_sessions(user),
    )


def token_shown(token: Token) -> TokenOut:
    """A token as the API prints it."""
    made = instant(token.made_ms) or ""
    return TokenOut(token.name, token.role, list(token.rights), made, token.made_by)


_NAME = in_path("name", "the name of the user")
_TOKEN = in_path("name", "the name of the token")
_TAKEN = "the name is taken, or the last admin would go"

ROUTES = (
    Route(
        "GET",
        "/api/users",
        list_users,
        "Lists the users",
        "People",
        {200: Answer("the users", UsersOut)},
    ),
    Route(
        "POST",
        "/api/users",
        add_user,
        "Adds a user; the first one must be admin",
        "People",
        {201: Answer("the user", UserOut)},
        (REASON,),
        {JSON: '{"name":"…","role":"viewer|operator|admin","password":"…","rights":["numbers"]}'},
        {409: _TAKEN, 422: "something is not what it can be"},
    ),
    Route(
        "PUT",
        "/api/users/{name}",
        change_user,
        "Changes a user's role, rights or password; a new password ends their sessions",
        "People",
        {200: Answer("the user", UserOut)},
        (_NAME, REASON),
        {JSON: 'what is to change: {"role":"…","rights":[…],"password":"…"}'},
        {404: "there is no such user", 409: _TAKEN, 422: "something is not what it can be"},
    ),
    Route(
        "DELETE",
        "/api/users/{name}",
        remove_user,
        "Removes a user; their sessions end",
        "People",
        {204: Answer("the user is gone", media="text/plain")},
        (_NAME, REASON),
        problems={404: "there is no such user", 409: _TAKEN},
    ),
    Route(
        "GET",
        "/api/tokens",
        list_tokens,
        "Lists the tokens",
        "People",
        {200: Answer("the tokens", TokensOut)},
    ),
    Route(
        "POST",
        "/api/tokens",
        create_token,
        "Makes a token, which is told this once",
        "People",
        {201: Answer("the token", MadeTokenOut)},
        (REASON,),
        {JSON: '{"name":"…","role":"viewer|operator|admin","rights":["numbers"]}'},
        {409: _TAKEN, 422: "something is not what it can be"},
    ),
    Route(
        "DELETE",
        "/api/tokens/{name}",
        revoke_token,
        "Revokes a token",
        "People",
        {204: Answer("it opens nothing any more", media="text/plain")},
        (_TOKEN, REASON),
        problems={404: "there is no such token"},
    ),
)
