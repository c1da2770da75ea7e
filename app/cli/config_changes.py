"""Changes of documents in force: `sluice config apply|remove|validate`."""

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from app.cli.command import Context
from app.cli.document_files import DocumentsRefused, Found, Refusal, examine, valid
from app.cli.http import Client, Refused, segment
from app.cli.output import json_bytes
from domain.errors import SluiceError, UsageError

LOOK_S = 0.1
DEFAULT_WAIT_S = 60.0  # a worker that is starting has recovered its documents by then


class NotInForce(SluiceError):
    """A change is durable, but not every live worker has it (exit 1)."""

    def __init__(self, title: str, waited_s: float, behind: str) -> None:
        self.title = title
        self.behind = behind
        super().__init__(
            f"{title} is stored but after {waited_s:g} s not in force{behind}\n"
            "it comes into force when they answer again; "
            f"`sluice config show {title}` and `sluice doctor` show how it stands"
        )


@dataclass(frozen=True)
class Place:
    """A document on the server."""

    kind: str
    name: str

    @property
    def title(self) -> str:
        """kind/name."""
        return f"{self.kind}/{self.name}"

    @property
    def path(self) -> str:
        """Its address."""
        return f"/api/documents/{segment(self.kind)}/{segment(self.name)}"


def place(text: str) -> Place:
    """KIND/NAME of an argument. Raises UsageError."""
    kind, slash, name = text.partition("/")
    if not (kind and slash and name) or "/" in name:
        raise UsageError(f"{text!r} is not KIND/NAME; expected one like aggregator/{text or 'a'}")
    return Place(kind, name)


def apply(arguments: argparse.Namespace, context: Context) -> int:
    """All files are valid, here and on the server, before the first is sent."""
    documents = valid(arguments.files, context.stdin)
    client = context.client
    check_on_server(client, documents)
    changes = [(Place(d.kind, d.name), put(client, d, arguments.reason)) for d in documents]
    wait = 0.0 if arguments.no_wait else arguments.timeout
    deadline = time.monotonic() + wait
    for where, change in changes:
        if wait:
            change["in_force"] = wait_in_force(client, where, change["version"], deadline, wait)
        if context.out.json:
            context.out.document(change)
        else:
            state = "in force" if change["in_force"] else "stored"
            context.out.text(f"{where.title} version {change['version']} {state}")
    return 0


def remove(arguments: argparse.Namespace, context: Context) -> int:
    """Takes documents out of force."""
    wait = 0.0 if arguments.no_wait else arguments.timeout
    deadline = time.monotonic() + wait
    for where in [place(text) for text in arguments.titles]:
        response = context.client.request(
            "DELETE", where.path, query=_reason(arguments.reason), headers=_once()
        )
        change = response.json()
        if wait:
            change["in_force"] = wait_removed(context.client, where, deadline, wait)
        if context.out.json:
            context.out.document(change)
        else:
            state = "removed" if change["in_force"] else "removal stored"
            context.out.text(f"{where.title} {state}")
    return 0


def validate(arguments: argparse.Namespace, context: Context) -> int:
    """Says what is wrong in documents, without a server. Exit 1 when something is."""
    found, refusals = examine(arguments.files, context.stdin)
    if context.out.json:
        items = [{"kind": d.kind, "name": d.name, "where": d.where} for d in found]
        errors = [refusal._asdict() for refusal in refusals]
        context.out.document({"valid": not refusals, "items": items, "errors": errors})
    elif not refusals:
        for document in found:
            context.out.text(f"{document.where}: {document.title} is valid")
    for refusal in refusals:
        context.out.note(str(refusal))
    return 1 if refusals else 0


def check_on_server(client: Client, documents: list[Found]) -> None:
    """Asks the server about each; raises DocumentsRefused with all that it refuses."""
    refusals: list[Refusal] = []
    for document in documents:
        try:
            client.post("/api/documents/validate", dict(document.body))
        except Refused as refused:
            if refused.status != 422:
                raise
            refusals += (
                Refusal(document.where, path, text)
                for path, text in refused.errors or [("", refused.detail)]
            )
    if refusals:
        raise DocumentsRefused(refusals)


def put(client: Client, document: Found, reason: str) -> dict[str, Any]:
    """Makes the document the next version; the server's answer."""
    body = json_bytes(dict(document.body))
    path = Place(document.kind, document.name).path
    answer: dict[str, Any] = client.request(
        "PUT", path, query=_reason(reason), body=body, headers=_once()
    ).json()
    return answer


def wait_in_force(
    client: Client, where: Place, version: int, deadline: float, waited_s: float
) -> bool:
    """True once every live worker has at least `version`; raises NotInForce at the deadline."""

    def arrived(status: dict[str, Any] | None) -> bool:
        return status is not None and status["in_force"] and status["version"] >= version

    return _wait(client, where, arrived, version, deadline, waited_s)


def wait_removed(client: Client, where: Place, deadline: float, waited_s: float) -> bool:
    """True once no live worker has it in force; raises NotInForce at the deadline."""
    return _wait(client, where, lambda status: status is None, None, deadline, waited_s)


def _wait(
    client: Client,
    where: Place,
    arrived: Callable[[dict[str, Any] | None], bool],
    version: int | None,
    deadline: float,
    waited_s: float,
) -> bool:
    while True:
        status = client.find(f"{where.path}/status")
        if arrived(status):
            return True
        if time.monotonic() >= deadline:
            raise NotInForce(where.title, waited_s, _behind(status, version))
        client.pause(LOOK_S)


def _behind(status: dict[str, Any] | None, version: int | None) -> str:
    if status is None:
        return ""
    late = [w for w in status["workers"] if version is None or w["version"] < version]
    names = ", ".join(f"{w['worker']} (has version {w['version']})" for w in late)
    return f" on {names}" if names else ""


def _once() -> dict[str, str]:
    return {"Idempotency-Key": uuid4().hex}


def _reason(reason: str) -> dict[str, object]:
    return {"reason": reason} if reason else {}
