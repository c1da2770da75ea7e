"""`sluice users`: who may sign in to the console."""

import argparse
from typing import Any

from app.cli.command import Command, Context, actions, run_chosen
from app.cli.http import segment
from app.cli.output import json_bytes
from app.cli.signing_in import password_of
from domain.errors import UsageError

ROLES = ("viewer", "operator", "admin")
RIGHTS = ("numbers",)
SHORT = 12  # characters; a shorter password is taken, and remarked upon
PATH = "/api/users"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the sub-commands."""
    action = actions(parser)
    added = action("add", "add a user; the first one must be admin", _add)
    added.add_argument("name", metavar="NAME")
    added.add_argument("--role", choices=ROLES, required=True)
    add_rights(added)
    _add_password(added, required=True)
    _add_reason(added)
    action("list", "list the users", _list)
    changed = action("change", "change a user's role, rights or password", _change)
    changed.add_argument("name", metavar="NAME")
    changed.add_argument("--role", choices=ROLES)
    add_rights(changed)
    changed.add_argument("--no-rights", action="store_true", help="take all rights away")
    _add_password(changed, required=False)
    _add_reason(changed)
    removed = action("remove", "remove a user; where they are signed in, they are out", _remove)
    removed.add_argument("name", metavar="NAME")
    _add_reason(removed)


def add_rights(parser: argparse.ArgumentParser) -> None:
    """Declares `--right`."""
    parser.add_argument(
        "--right", action="append", choices=RIGHTS, dest="rights",
        help="numbers: sees phone numbers unmasked, which is audited",
    )  # fmt: skip


def _add_password(parser: argparse.ArgumentParser, *, required: bool) -> None:
    parser.add_argument(
        "--password-stdin", action="store_true", required=required,
        help="the password is the first line of standard input",
    )  # fmt: skip


def _add_reason(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--reason", metavar="WHY", help="why, for the audit")


def query_of(arguments: argparse.Namespace) -> dict[str, object]:
    """The reason, where one was given."""
    return {"reason": arguments.reason} if arguments.reason else {}


def _add(arguments: argparse.Namespace, context: Context) -> int:
    body = {
        "name": arguments.name,
        "role": arguments.role,
        "rights": arguments.rights or [],
        "password": _password(context),
    }
    made = context.client.request(
        "POST", PATH, query=query_of(arguments), body=json_bytes(body)
    ).json()
    _told(context, made, f"{made['name']} may sign in as {made['role']}")
    if not context.settings.token and not context.out.json:
        context.out.note(
            "note: commands need a token now that there are users:\n"
            f"sluice tokens create NAME --role admin --user {made['name']} --password-stdin"
        )
    return 0


def _change(arguments: argparse.Namespace, context: Context) -> int:
    body: dict[str, Any] = {}
    if arguments.role:
        body["role"] = arguments.role
    if arguments.rights or arguments.no_rights:
        body["rights"] = [] if arguments.no_rights else arguments.rights
    if arguments.password_stdin:
        body["password"] = _password(context)
    if not body:
        raise UsageError("nothing to change; give --role, --right, --no-rights or --password-stdin")
    made = context.client.request(
        "PUT", f"{PATH}/{segment(arguments.name)}", query=query_of(arguments),
        body=json_bytes(body),
    ).json()  # fmt: skip
    return _told(context, made, f"{made['name']} is changed")


def _told(context: Context, made: dict[str, Any], text: str) -> int:
    if context.out.json:
        context.out.document(made)
    else:
        context.out.text(text)
    return 0


def _password(context: Context) -> str:
    line = password_of(context)
    if len(line) < SHORT:
        context.out.note(f"note: a password of {SHORT} characters or more is harder to guess")
    return line


def _list(arguments: argparse.Namespace, context: Context) -> int:
    found = context.client.get(PATH)
    out = context.out
    if out.json:
        out.document(found)
        return 0
    rows = [
        [u["name"], u["role"], ", ".join(u["rights"]), u["signs_in"], u["sessions"], u["made"]]
        for u in found["items"]
    ]
    columns = ["user", "role", "rights", "signs in by", "sessions", "added"]
    out.table(columns, rows, "no user: whoever sits at the server's machine may do everything")
    return 0


def _remove(arguments: argparse.Namespace, context: Context) -> int:
    path = f"{PATH}/{segment(arguments.name)}"
    context.client.request("DELETE", path, query=query_of(arguments))
    return _told(context, {"name": arguments.name, "removed": True}, f"{arguments.name} is removed")


COMMAND = Command("users", "users: who may sign in, and as what", add_arguments, run_chosen)
