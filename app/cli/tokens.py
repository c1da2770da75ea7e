"""`sluice tokens`: programs that may ask the server."""

import argparse
from collections.abc import Mapping
from typing import Any

from app.cli.command import Command, Context, actions, run_chosen
from app.cli.http import segment
from app.cli.output import json_bytes
from app.cli.signing_in import password_of, signed_in
from app.cli.users import ROLES, add_rights, query_of
from domain.errors import UsageError

PATH = "/api/tokens"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands."""
    action = actions(parser)
    created = action("create", "make a token; it is told this once", _create)
    created.add_argument("name", metavar="NAME", help="the program's, for the audit")
    created.add_argument("--role", choices=ROLES, required=True)
    add_rights(created)
    created.add_argument("--user", metavar="NAME", help="sign in as this user, instead of a token")
    created.add_argument(
        "--password-stdin", action="store_true",
        help="with --user: the password is the first line of standard input",
    )  # fmt: skip
    action("list", "list the tokens, without what they are", _list)
    revoked = action("revoke", "revoke a token: it opens nothing any more", _revoke)
    revoked.add_argument("name", metavar="NAME")
    for parser_ in (created, revoked):
        parser_.add_argument("--reason", metavar="WHY", help="why, for the audit")


def _create(arguments: argparse.Namespace, context: Context) -> int:
    body = {"name": arguments.name, "role": arguments.role, "rights": arguments.rights or []}
    if bool(arguments.user) != arguments.password_stdin:
        raise UsageError("--user and --password-stdin belong together")
    if arguments.user:
        with signed_in(context.client, arguments.user, password_of(context)) as headers:
            made = _made(context, arguments, body, headers)
    else:
        made = _made(context, arguments, body, {})
    out = context.out
    if out.json:
        out.document({"name": made["name"], "token": made["token"]})
    else:
        out.text(made["token"])
        out.note("keep it where the program finds it (SLUICE_TOKEN_FILE): it is not told again")
    return 0


def _made(
    context: Context,
    arguments: argparse.Namespace,
    body: Mapping[str, object],
    headers: Mapping[str, str],
) -> dict[str, Any]:
    told = context.client.request(
        "POST", PATH, query=query_of(arguments), body=json_bytes(body), headers=headers
    )
    made: dict[str, Any] = told.json()
    return made


def _list(arguments: argparse.Namespace, context: Context) -> int:
    found = context.client.get(PATH)
    out = context.out
    if out.json:
        out.document(found)
        return 0
    rows = [
        [t["name"], t["role"], ", ".join(t["rights"]), t["made"], t["made_by"]]
        for t in found["items"]
    ]
    out.table(["token", "role", "rights", "made", "by"], rows, "no tokens")
    return 0


def _revoke(arguments: argparse.Namespace, context: Context) -> int:
    context.client.request("DELETE", f"{PATH}/{segment(arguments.name)}", query=query_of(arguments))
    if context.out.json:
        context.out.document({"name": arguments.name, "revoked": True})
    else:
        context.out.text(f"{arguments.name} is revoked")
    return 0


COMMAND = Command("tokens", "tokens: programs that may ask, and as what", add_arguments, run_chosen)
