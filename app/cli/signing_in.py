"""Signs in as a person, for the commands with which the first tokens are made."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.cookies import SimpleCookie
from urllib.parse import urlencode

from app.cli.command import Context
from app.cli.http import Client, Refused, Response
from domain.errors import UsageError

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "text/html"}
_TOKEN = re.compile(rb'name="csrf-token" content="([0-9a-f]+)"')


@contextmanager
def signed_in(client: Client, name: str, password: str) -> Iterator[Mapping[str, str]]:
    """Headers of requests by that person, while it lasts; then the person is signed out."""
    cookies: dict[str, str] = {}
    token = _page(client, cookies)
    try:
        _send(client, cookies, "/login", {"username": name, "password": password, "csrf": token})
    except Refused as refused:
        if refused.status == 401:
            raise UsageError(f"the name {name} or the password is wrong") from refused
        raise
    token = _page(client, cookies)
    headers = {"Cookie": _shown(cookies), "X-CSRF-Token": token, "Authorization": ""}
    try:
        yield headers
    finally:
        _send(client, cookies, "/logout", {"csrf": token})


def password_of(context: Context) -> str:
    """The first line of standard input."""
    try:
        line = context.stdin.readline().decode().rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"the password is no UTF-8 text: {error}") from error
    if not line:
        raise UsageError(
            "standard input has no password; `printf %s … | sluice … --password-stdin`"
        )
    return line


def _page(client: Client, cookies: dict[str, str]) -> str:
    headers = {"Accept": "text/html", "Cookie": _shown(cookies), "Authorization": ""}
    found = _TOKEN.search(_take(client.request("GET", "/login", headers=headers), cookies).body)
    if found is None:
        raise UsageError(f"{client.server} has no page to sign in", "is it a sluice server?")
    return found[1].decode()


def _send(client: Client, cookies: dict[str, str], path: str, form: Mapping[str, str]) -> None:
    headers = {**FORM, "Cookie": _shown(cookies), "Authorization": ""}
    _take(client.request("POST", path, body=urlencode(form).encode(), headers=headers), cookies)


def _take(response: Response, cookies: dict[str, str]) -> Response:
    for name, text in response.headers.items():
        if name.lower() == "set-cookie":
            cookies.update({key: morsel.value for key, morsel in SimpleCookie(text).items()})
    return response


def _shown(cookies: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())
